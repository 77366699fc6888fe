"""Why each access was made: what ties the one who asked to the patient.

Each row of the log by which a person or a client asked about a patient, or something
left, gets the best explanation that is found for it; of several patients the worst
counts. Those without any are for an officer to look at. Explanations are sought
shortly after the access, in what is stored then, and can be made anew at any time.

https://pmc.ncbi.nlm.nih.gov/articles/PMC3555324/
"""

import threading
from collections.abc import Callable
from dataclasses import dataclass

from consent.audit.entry import AuditRecord, Interaction
from fhir_service.auth import local
from fhir_service.auth.closure import Closures
from fhir_service.compliance.explanation_codes import WORDS, Code, worse
from fhir_service.compliance.relations import Relations
from fhir_service.exchange import Services
from fhir_service.storage import audit_search, explanations, leaves
from fhir_service.storage.audit_index import decoded, indexed_up_to
from fhir_service.storage.engine import Snapshot
from fhir_service.storage.explanations import Explained

CHUNK = 500
"""Leaves that are looked at in one snapshot."""

EVERY = 2**62
"""Beyond every row."""

_TURN = threading.Lock()

I = Interaction  # noqa: E741 - short for the table

OF_ITSELF = {
    I.INGEST: Code.DEVICE,
    I.IMPORT: Code.DEVICE,
    I.AUDIT_READ: Code.OVERSIGHT,
    I.EXPORT: Code.OVERSIGHT,
}
"""What is explained by what was done."""

ASKING = frozenset(
    {
        *OF_ITSELF,
        I.READ,
        I.VREAD,
        I.HISTORY,
        I.SEARCH,
        I.CREATE,
        I.UPDATE,
        I.PATCH,
        I.DELETE,
        I.OPERATION,
        I.CONSENT_DECISION,
        I.BREAK_GLASS,
    }
)
"""What needs an explanation, where it concerns a patient who is here."""


@dataclass(frozen=True, kw_only=True)
class Explanation:
    """Why an access was made.

    Attributes:
        code: The kind of explanation.
        words: A sentence for people.
        subject_id: The patient for whom it was found, as the index counts them.
        evidence: The resource that says so; empty for none, and where it was not
            sought again.

    """

    code: Code
    words: str
    subject_id: int
    evidence: str = ""

    @property
    def is_unexplained(self) -> bool:
        """Whether nothing was found."""
        return self.code is Code.UNEXPLAINED


def explanation_of(snapshot: Snapshot, leaf_index: int) -> Explanation | None:
    """Return the stored explanation of a row; None for one that needs none."""
    found = explanations.of(snapshot, leaf_index)
    if found is None:
        return None
    code = Code(found.code)
    return Explanation(code=code, words=WORDS[code], subject_id=found.subject_id)


class Explainer:
    """Seeks explanations.

    Args:
        services: Of the deployment.

    """

    def __init__(self, services: Services) -> None:
        self._services = services
        self._closures = Closures(services.repository)

    def catch_up(self, is_enough: Callable[[], bool] = lambda: False) -> int:
        """Seek an explanation for the rows that are in the index; return their end.

        Args:
            is_enough: Whether to stop before that; asked between chunks.

        """
        with self._services.database.read() as snapshot:
            size = indexed_up_to(snapshot)
        last, end = -1, self.explain_some(size)
        while last < end < size and not is_enough():
            last, end = end, self.explain_some(size)
        return end

    def explain_some(self, size: int = EVERY) -> int:
        """Seek for the next rows before `size`; return up to where it was done.

        Several threads of a process take turns: each row is sought for once.
        """
        with _TURN:
            return self._explain_some(size)

    def _explain_some(self, size: int) -> int:
        database = self._services.database
        with database.read() as snapshot:
            first = explanations.explained_up_to(snapshot)
            end = min(first + CHUNK, size, indexed_up_to(snapshot))
            if first >= end:
                return first
            rows = self._explained(snapshot, range(first, end))
        digest = self._services.digest
        database.write(lambda job: explanations.put(job, first, end, rows, digest))
        return end

    def explain(self, snapshot: Snapshot, leaf_index: int) -> Explanation | None:
        """Return the explanation of a row as it is found now, with its evidence."""
        leaf = audit_search.leaf(snapshot, leaf_index)
        record = None if leaf is None else decoded(leaf)
        if record is None:
            return None
        return self._explanation(snapshot, record, self._relations(snapshot))

    def _relations(self, snapshot: Snapshot) -> Relations:
        return Relations(self._services, self._closures, snapshot)

    def _explained(self, snapshot: Snapshot, indexes: range) -> list[Explained]:
        relations, rows = self._relations(snapshot), []
        first, before = indexes.start, indexes.stop
        for index, leaf in leaves.between(snapshot, first, before).items():
            record = decoded(leaf)
            found = record and self._explanation(snapshot, record, relations)
            if found:
                rows.append(Explained(index, int(found.code), found.subject_id))
        return rows

    def _explanation(
        self, snapshot: Snapshot, record: AuditRecord, relations: Relations
    ) -> Explanation | None:
        if record.interaction not in ASKING or not (record.user or record.client):
            return None
        best: Explanation | None = None
        for pseudonym in dict.fromkeys(record.patients):
            known = self._services.pseudonyms.patient(snapshot, pseudonym)
            if known is None:
                continue
            code, evidence = _of_itself(record) or relations.best(record, known)
            if best is None or worse(best.code, code) is not best.code:
                number = explanations.subject(snapshot, pseudonym)
                best = Explanation(
                    code=code, words=WORDS[code], subject_id=number, evidence=evidence
                )
            if best.is_unexplained:
                break
        return best


def _of_itself(record: AuditRecord) -> tuple[Code, str] | None:
    """Return what needs no tie: deliveries, oversight, the operator."""
    if record.interaction in OF_ITSELF:
        return OF_ITSELF[record.interaction], ""
    return (Code.OPERATOR, "") if record.client == local.COMMAND_LINE else None
