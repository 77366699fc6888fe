"""Why one access was made, as an officer is told it on the page of a row."""

from typing import NamedTuple

from fhir_service.compliance.explanations import Explainer, explanation_of
from fhir_service.compliance.progress import progress
from fhir_service.compliance.rows import Reader, Row
from fhir_service.storage import explanations


class Told(NamedTuple):
    """An explanation in words.

    Attributes:
        words: A sentence.
        evidence: What says so now, where it is of a patient of the officer's.
        is_unexplained: Whether nothing was found.

    """

    words: str
    evidence: str = ""
    is_unexplained: bool = False


def told(reader: Reader, row: Row) -> Told:
    """Return the explanation of a row; what explains it is looked up again.

    Of a row with patients of others the explanation can be of one of those: its
    evidence is not named then.
    """
    snapshot = reader.snapshot
    stored = explanation_of(snapshot, row.index)
    if stored is None:
        is_sought = row.index < progress(snapshot).explained
        return Told(
            "It needs no explanation: nobody asked about a patient who is here."
            if is_sought
            else progress(snapshot).words
        )
    mine = {
        explanations.subject(snapshot, one.pseudonym)
        for one in row.subjects
        if one.id is not None
    }
    now = Explainer(reader.services).explain(snapshot, row.index)
    is_mine = now is not None and now.subject_id in mine
    return Told(
        words=stored.words,
        evidence=now.evidence if now is not None and is_mine else "",
        is_unexplained=stored.is_unexplained,
    )
