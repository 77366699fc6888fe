"""What a requester gets of a patient, counted signature by signature, and why.

The numbers are those that a search of the requester would count: by the same view, in
the same snapshot. The reasons are those of the newest rows that the view holds and
hides. No value of a measurement is in the answer.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from consent.codes import ACT_REASON, LEVELS
from consent.decision import Because, Reason
from consent.explain import decide_resource
from consent.formula import Coding, Row
from consent.inputs import version_of
from consent.misses import Asked, misses
from fhir_service.explaining.displays import display, name_of, sorts
from fhir_service.explaining.question import Question
from fhir_service.rest.instant import fhir_instant
from fhir_service.storage import resources, tallies, types
from fhir_service.storage.predicate import View
from fhir_service.storage.resources import Stored
from fhir_service.storage.signatures import Signature

Json = dict[str, Any]

PERMIT, DENY, NO_CONSENT = "CONSENT_PERMIT", "CONSENT_DENY", "NO_CONSENT"
"""The words of the CDS Hooks hook `patient-consent-consult`."""

PERMITTED, IN_PART, WITHHELD = "permitted", "in-part", "withheld"
"""What becomes of the rows of a signature, from most to least."""


def evaluated(question: Question, wanted: frozenset[str] = frozenset()) -> Json:
    """Return the answer to a question.

    Args:
        question: The question.
        wanted: Resource types to be told of; none for all.

    """
    told = list(_by_type(question, wanted))
    signatures = [signature for one in told for signature in one["signatures"]]
    return {
        **asked(question),
        "decision": _decision(question, signatures),
        "policy": question.policy,
        **_until(question),
        "consents": sorted(map(version_of, question.consents)),
        "types": told,
    }


def asked(question: Question) -> Json:
    """Return who asks, for whom and for what."""
    requester, request = question.requester, question.request
    return {
        "patient": f"Patient/{question.state.id}",
        "client": requester.grant.client_id if requester.is_client else None,
        "organization": requester.grant.organization,
        "actors": sorted(requester.grant.actors),
        "purposes": list(map(purpose_name, requester.purposes)),
        "actions": list(request.actions),
        "individualKnown": request.individual_known,
        "breakGlassAttested": request.btg_attested,
        "at": fhir_instant(request.at_us),
    }


def _until(question: Question) -> Json:
    until_us = question.until_us
    return {} if until_us is None else {"cacheUntil": fhir_instant(until_us)}


def permitted(question: Question, type_: str) -> tuple[Mapping[int, int], View]:
    """Return signature → rows that the requester gets of a type, and the view."""
    view = question.decided(type_).view
    rows = question.rows(type_).within(view)
    return question.instant.counts(rows), view


def _by_type(question: Question, wanted: frozenset[str]) -> Iterator[Json]:
    """Yield for each type of the patient's resources what the requester gets."""
    for type_, ones in question.signatures.items():
        if wanted and type_ not in wanted:
            continue
        found, view = permitted(question, type_)
        told = [
            _signature(question, view, one, (rows, found.get(one.id, 0)))
            for one, rows in ones
        ]
        yield {
            "type": type_,
            "inScope": question.requester.scopes(type_) is not None,
            "rows": sum(one["rows"] for one in told),
            "permitted": sum(one["permitted"] for one in told if one["inScope"]),
            "signatures": told,
        }


def _signature(
    question: Question, view: View, signature: Signature, counted: tuple[int, int]
) -> Json:
    """Return what becomes of a signature's rows: (all of them, those permitted)."""
    facets, (rows, released) = signature.facets, counted
    codes = sorted(facets.codes.principal)
    return {
        "name": name_of(facets),
        "code": ["|".join(coding) for coding in codes],
        "display": [display(coding) for coding in codes],
        "category": sorted(code for _, code in facets.codes.categories),
        "confidentiality": _LEVELS.get(facets.labels.level),
        "sensitivity": sorted(facets.labels.sensitivities),
        "policies": sorted(facets.tags),
        "device": facets.origin.device,
        "rows": rows,
        "inScope": question.requester.covers(signature),
        "permitted": released,
        "outcome": outcome(rows, released),
        "why": list(_why(question, view, signature)),
    }


_LEVELS: dict[int | None, str] = {place: code for code, place in LEVELS.items()}


def outcome(rows: int, released: int) -> str:
    """Return what becomes of the rows of a signature."""
    if not released:
        return WITHHELD
    return PERMITTED if released == rows else IN_PART


def _why(question: Question, view: View, signature: Signature) -> Iterator[Json]:
    """Yield the reasons of the newest row on each side of the view."""
    instant = question.instant
    rows = question.rows(types.name_of(signature.type_id))
    found = tallies.examples(instant.snapshot, rows, signature.id, view)
    for row, is_held in ((found.held, True), (found.hidden, False)):
        stored = None if row is None else resources.current(instant.snapshot, row)
        if stored is not None:
            yield {"permitted": is_held, **because(question, stored, is_held=is_held)}


def because(question: Question, stored: Stored, *, is_held: bool) -> Json:
    """Return what consent says of one stored version, and what is in the way."""
    instant, prepared = question.instant, question.prepared
    facets, row = instant.gate.facts(instant.snapshot, prepared, stored)
    reasons = decide_resource(prepared, facets, row).reasons
    told: Json = {"because": [reason_of(reason) for reason in reasons]}
    if is_held or all(reason.version is not None for reason in reasons):
        return told
    asked_for = Asked(
        request=question.request, facets=facets, row=row, context=prepared.context
    )
    missed = [
        {
            "consent": version_name(one.name, one.version),
            **({} if one.path is None else {"path": one.path}),
            "elements": list(one.elements),
        }
        for one in misses(question.consents, asked_for)
    ]
    return told | ({"missed": missed} if missed else {})


def reason_of(reason: Reason) -> Json:
    """Return a reason without what it does not have."""
    told = {
        "kind": reason.because.value,
        "name": version_name(reason.name, reason.version),
        "path": reason.path,
        "purpose": purpose_name(reason.purpose) if reason.purpose else None,
        "action": reason.action,
    }
    return {name: value for name, value in told.items() if value is not None}


def purpose_name(purpose: Coding) -> str:
    """Return the code of a purpose, behind its system where that is another's."""
    system, code = purpose
    return code if system == ACT_REASON else f"{system}|{code}"


def version_name(name: str | None, version: str | None) -> str | None:
    """Return the name of what gave a reason, with its version if it has one."""
    return f"{name}/_history/{version}" if name and version else name


_SILENT = frozenset({Because.DEFAULT.value})


def _decision(question: Question, signatures: list[Json]) -> str:
    """Return the answer in one word.

    A permit is one of something: what it leaves out is told beside it.
    """
    sides = [why for one in signatures for why in one["why"]]
    if not sides:
        return _of_nothing(question)
    if all(map(_is_unasked, sides)):
        return NO_CONSENT
    is_some = any(one["permitted"] and one["inScope"] for one in signatures)
    return PERMIT if is_some else DENY


def _is_unasked(side: Json) -> bool:
    """Whether no consent has a part in it: the default, or what an overlay opens."""
    kinds = {reason["kind"] for reason in side["because"]}
    return kinds <= _SILENT or (
        side["permitted"] and kinds <= _SILENT | {Because.OVERLAY.value}
    )


def _of_nothing(question: Question) -> str:
    """Return the answer where there are no rows: whether a consent may vote."""
    prepared = question.prepared
    if prepared.refusal is not None or any(poll.is_refused for poll in prepared.polls):
        return DENY
    if not any(poll.ballots for poll in prepared.polls):
        return NO_CONSENT
    answers = [
        decide_resource(prepared, facets, Row(reference=""))
        for facets in [one.facets for one in sorts(question.repository.deployment)]
    ]
    return PERMIT if any(answer.is_permitted for answer in answers) else DENY
