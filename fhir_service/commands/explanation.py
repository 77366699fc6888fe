"""The answer of `fhir-service consent explain`, for people; and of one resource.

What is told is that of `Consent/$evaluate`: `fhir_service.explaining` makes both.
"""

from collections.abc import Iterator
from typing import Any

from conformance.issues import FHIRError, IssueType
from fhir_service.access import admits
from fhir_service.explaining.evaluation import asked, because
from fhir_service.explaining.question import Question
from fhir_service.storage import signatures
from fhir_service.storage.resources import Stored

Json = dict[str, Any]


def of_resource(question: Question, resource: str) -> Json:
    """Return whether the client may read one resource, and why.

    Raises:
        FHIRError: `not-found` where the patient has none such.

    """
    type_, _, id_ = resource.partition("/")
    stored = _stored(question, type_, id_)
    instant, scopes = question.instant, question.requester.scopes(type_)
    found = signatures.by_id(instant.snapshot, stored.signature_id)
    decided = question.decided(type_)
    is_held = instant.gate.permits(instant.snapshot, decided, stored, ((),))
    told = {
        "resource": resource,
        "inScope": scopes is not None
        and found is not None
        and admits(scopes, found[1].facets.codes.categories),
        "permitted": is_held,
        **because(question, stored, is_held=is_held),
    }
    return {**asked(question), "resource": told}


def _stored(question: Question, type_: str, id_: str) -> Stored:
    state, snapshot = question.state, question.instant.snapshot
    try:
        stored = question.repository.read(snapshot, type_, id_)
    except KeyError:
        stored = None
    if stored is None or stored.patient_key != state.key or stored.deleted:
        raise FHIRError(
            IssueType.NOT_FOUND,
            f"There is no {type_[:64]}/{id_[:64]} of Patient/{state.id}.",
        )
    return stored


def lines(told: Json) -> Iterator[str]:
    """Yield the explanation for people."""
    purposes = ", ".join(told["purposes"]) or "no purpose"
    yield (
        f"{told['client']} for {told['organization'] or 'no organization'}, "
        f"{purposes}, {' and '.join(told['actions'])} of {told['patient']} "
        f"at {told['at']}:"
    )
    if "resource" in told:
        yield from _resource_lines(told["resource"])
    if "decision" in told:
        until = f", until {told['cacheUntil']}" if "cacheUntil" in told else ""
        yield f"{told['decision']} ({told['policy']}){until}"
    for one in told.get("types", ()):
        scope = "" if one["inScope"] else ", which no scope of the client covers"
        yield f"{one['type']}: {one['permitted']} of {one['rows']}{scope}"
        for signature in one["signatures"]:
            yield from _signature_lines(signature)
    if "change" in told:
        yield from _change_lines(told["change"])


def _resource_lines(one: Json) -> Iterator[str]:
    scope = "a scope covers it" if one["inScope"] else "no scope covers it"
    yield f"{one['resource']}: {_verdict(one)}; {scope}"
    yield from _why_lines(one)


def _signature_lines(signature: Json) -> Iterator[str]:
    codes = " ".join(signature["code"]) or "no code"
    labels = " ".join([signature["confidentiality"] or "-", *signature["sensitivity"]])
    device = signature["device"] or "no device"
    scope = "" if signature["inScope"] else " (outside the scopes)"
    yield (
        f"  {signature['permitted']} of {signature['rows']}  {signature['name']}  "
        f"{codes}  {labels}  {device}{scope}"
    )
    for one in signature["why"]:
        yield f"    {_verdict(one)}"
        yield from _why_lines(one)


def _verdict(one: Json) -> str:
    return "permitted" if one["permitted"] else "withheld"


def _why_lines(one: Json) -> Iterator[str]:
    for reason in one["because"]:
        words = (reason.get(name) for name in ("kind", "name", "path"))
        question = " ".join(
            reason[name] for name in ("purpose", "action") if name in reason
        )
        why = f" [{question}]" if question else ""
        yield f"      {' '.join(word for word in words if word)}{why}"
    for missed in one.get("missed", ()):
        place = " ".join((missed["consent"], missed.get("path", "")))
        yield f"      not {place.strip()}: {', '.join(missed['elements'])}"


_CHANGES = (
    ("gains", "gains"),
    ("loses", "loses"),
    ("changesInPart", "gets another part of"),
)


def _change_lines(change: list[Json]) -> Iterator[str]:
    if not change:
        yield "The draft changes nothing for anybody."
    for one in change:
        words = [
            f"{verb} {', '.join(one[name])}" for name, verb in _CHANGES if one[name]
        ]
        purposes = ", ".join(one["purposes"]) or "no purpose"
        yield (
            f"{one['who']} ({purposes}): {'; '.join(words) or 'other rows'}; "
            f"{one['rowsBefore']} rows before, {one['rowsAfter']} after"
        )


def replay_lines(told: Json) -> Iterator[str]:
    """Yield the outcome of a replay for people."""
    entry = told["entry"]
    yield (
        f"Row {entry['index']}, {entry['interaction']} by {entry['client']} "
        f"at {entry['time']}: {told['result']}"
    )
    for one in told["differences"]:
        yield f"  ! {one}"
    for patient in told["patients"]:
        inputs = patient["inputs"]
        yield f"  {inputs['patient']}: {', '.join(inputs['consents']) or 'no consent'}"
        for one in patient["disclosed"]:
            yield f"    {one['resource']}: {one['decision']}"
            yield from _why_lines(one)
    for name in told["byScopeAlone"]:
        yield f"  {name}: by scope alone"
    for name in told["byWhatTheyName"]:
        yield f"  {name}: by what it names"
    for missing in told["notHeld"]:
        yield f"  Not replayed: {missing}."
