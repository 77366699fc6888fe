"""Consents that are not filed yet: asked instead of the stored ones, or beside them.

A draft that could not be filed is refused as it would be then: what is evaluated is
what would be enforced.

https://hl7.org/fhir/R4/consent.html
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from conformance import fhir_json
from conformance.issues import FHIRError, IssueType, Severity
from conformance.validation import validate
from consent.capture import capture_issues
from consent.life_cycle import amending_issues, filing_issues
from consent.provisions import ParsedConsent, read
from consent.references import Deployment, target
from fhir_service.explaining.question import Question
from fhir_service.rest.refusals import Unprocessable

MOST = 10
"""Drafts of one question."""

Json = dict[str, Any]


def with_drafts(question: Question, drafts: Sequence[Json]) -> Question:
    """Return the question to the consents as they would be with some drafts.

    A draft with the id of a stored Consent of the patient stands in its place; any
    other is one more.

    Raises:
        FHIRError: `too-costly` for too many, `invalid` for what is no Consent of the
            patient or is given twice, and why a draft would not be stored.

    """
    if len(drafts) > MOST:
        raise FHIRError(IssueType.TOO_COSTLY, f"At most {MOST} drafts are evaluated.")
    patient, place = f"Patient/{question.state.id}", question.repository.deployment
    made: dict[str, ParsedConsent] = {}
    for number, draft in enumerate(drafts):
        refuse_unfit(draft, patient, place)
        _refuse_unfiled(question, draft)
        parsed = _parsed(draft, number, place)
        if parsed.reference in made:
            raise FHIRError(IssueType.INVALID, "A draft of one Consent is given once.")
        made[parsed.reference] = parsed
    kept = [one for one in question.consents if _named(one.reference) not in made]
    return question.under((*kept, *made.values()))


def _parsed(draft: Json, number: int, place: Deployment) -> ParsedConsent:
    """Return the draft as the engine decides on it; it has no version yet."""
    id_ = draft.get("id")
    name = _named(f"Consent/{id_}") if id_ else f"draft[{number}]"
    return replace(read(draft, deployment=place), reference=name, version=None)


def _named(reference: str) -> str:
    return f"{reference} (draft)"


def _refuse_unfiled(question: Question, draft: Json) -> None:
    """Refuse a draft that does not follow from what is stored under its id.

    Raises:
        FHIRError: `business-rule` for a status that cannot be the next one.

    """
    repository, snapshot = question.repository, question.instant.snapshot
    old = repository.read(snapshot, "Consent", str(draft.get("id")))
    if old is None or old.patient_key != question.state.key:
        issues = list(filing_issues(draft))
    else:
        issues = list(
            amending_issues(
                fhir_json.loads_object(repository.body(snapshot, old)),
                draft,
                replaced_us=old.last_updated,
                at_us=repository.clock(),
                deployment=repository.deployment,
            )
        )
    if issues:
        raise Unprocessable.of(issues)


def refuse_unfit(draft: Json, patient: str, place: Deployment) -> None:
    """Refuse what could not be filed as a Consent of the patient.

    Raises:
        FHIRError: as `with_drafts`.

    """
    if draft.get("resourceType") != "Consent":
        raise FHIRError(IssueType.INVALID, "A draft is a Consent.", "resourceType")
    issues = [
        issue
        for issue in validate(draft)
        if issue.severity in (Severity.ERROR, Severity.FATAL)
    ]
    issues = issues or capture_issues(draft, deployment=place)
    if issues:
        raise Unprocessable.of(issues)
    if target(draft.get("patient"), place.own_bases) != patient:
        raise FHIRError(
            IssueType.INVALID,
            "A draft is a Consent of the patient that is asked about.",
            "Consent.patient",
        )
