"""What a client would get of a patient now, and which provision says so.

The same view as for a request, counted signature by signature; the reasons are those
of the newest rows that it holds and hides. No value of a measurement is in it.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from conformance.issues import FHIRError, IssueType
from consent.codes import LEVELS
from consent.decision import Reason
from consent.facets import Facets
from fhir_service.access import Decided, admits, reading
from fhir_service.auth.bearer import Grant
from fhir_service.auth.scopes import Filters
from fhir_service.exchange import Services
from fhir_service.rest.instant import fhir_instant
from fhir_service.storage import resources, tallies, types
from fhir_service.storage.engine import Snapshot
from fhir_service.storage.patients import PatientState
from fhir_service.storage.resources import Stored
from fhir_service.storage.signatures import Signature

Json = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Asked:
    """One question: what may this client see of this patient in this snapshot."""

    services: Services
    snapshot: Snapshot
    grant: Grant
    state: PatientState

    def view(self, type_: str) -> Decided:
        """Return what the client may see of the patient's resources of a type."""
        return self.services.gate.view(self.snapshot, self.grant, self.state, type_)

    def scopes(self, type_: str) -> tuple[Filters, ...] | None:
        """Return the filters under which a scope lets the type be read, if one does."""
        scopes = self.grant.scopes
        return scopes.allows(type_, "read") or scopes.allows(type_, "search-type")

    def why(self, decided: Decided, stored: Stored) -> Json:
        """Return whether the view holds a version, and the reasons of consent."""
        gate = self.services.gate
        held = gate.permits(self.snapshot, decided, stored, ((),))
        reasons = gate.reasons(self.snapshot, self.grant, stored)
        return {"permitted": held, "because": [_reason(reason) for reason in reasons]}


def question(asked: Asked) -> Json:
    """Return who asks, for whom and for what."""
    grant = asked.grant
    return {
        "patient": f"Patient/{asked.state.id}",
        "client": grant.client_id,
        "organization": grant.organization,
        "purposes": list(grant.purposes),
        "actions": list(reading(grant, asked.state)),
        "at": fhir_instant(asked.services.clock()),
    }


def of_resource(asked: Asked, resource: str) -> Json:
    """Return whether the client may read one resource, and why.

    Raises:
        FHIRError: `not-found` where the patient has none such.

    """
    type_, _, id_ = resource.partition("/")
    stored = _stored(asked, type_, id_)
    scopes = asked.scopes(type_)
    facets = _facets(asked, stored)
    return {
        "resource": resource,
        "inScope": scopes is not None and admits(scopes, facets.codes.categories),
        **asked.why(asked.view(type_), stored),
    }


def _facets(asked: Asked, stored: Stored) -> Facets:
    signatures = asked.services.repository.signatures.of(asked.snapshot, asked.state)
    return next(one.facets for one in signatures if one.id == stored.signature_id)


def _stored(asked: Asked, type_: str, id_: str) -> Stored:
    try:
        stored = asked.services.repository.read(asked.snapshot, type_, id_)
    except KeyError:
        stored = None
    if stored is None or stored.patient_key != asked.state.key or stored.deleted:
        raise FHIRError(
            IssueType.NOT_FOUND,
            f"There is no {type_[:64]}/{id_[:64]} of Patient/{asked.state.id}.",
        )
    return stored


def by_type(asked: Asked) -> Iterator[Json]:
    """Yield for each type of the patient's resources what the client gets, and why."""
    rows = tallies.of_patient(asked.snapshot, asked.state.key)
    signatures = asked.services.repository.signatures.of(asked.snapshot, asked.state)
    of_type: dict[str, list[Signature]] = {}
    for one in signatures:
        if rows.get(one.id):
            of_type.setdefault(types.name_of(one.type_id), []).append(one)
    for type_, ones in sorted(of_type.items()):
        scopes, decided = asked.scopes(type_), asked.view(type_)
        told = [_signature(asked, decided, scopes, one, rows[one.id]) for one in ones]
        yield {
            "type": type_,
            "inScope": scopes is not None,
            "rows": sum(one["rows"] for one in told),
            "permitted": sum(one["permitted"] for one in told if one["inScope"]),
            "signatures": told,
        }


def _signature(
    asked: Asked,
    decided: Decided,
    scopes: tuple[Filters, ...] | None,
    signature: Signature,
    rows: int,
) -> Json:
    facets = signature.facets
    tally = tallies.of_signature(asked.snapshot, decided.view, signature.id, rows)
    examples = [resources.current(asked.snapshot, row) for row in tally.examples]
    return {
        "code": sorted("|".join(coding) for coding in facets.codes.principal),
        "category": sorted(code for _, code in facets.codes.categories),
        "confidentiality": _LEVELS.get(facets.labels.level),
        "sensitivity": sorted(facets.labels.sensitivities),
        "device": facets.origin.device,
        "rows": tally.rows,
        "inScope": scopes is not None and admits(scopes, facets.codes.categories),
        "permitted": tally.permitted,
        "why": [asked.why(decided, one) for one in examples if one is not None],
    }


_LEVELS: dict[int | None, str] = {place: code for code, place in LEVELS.items()}


def _reason(reason: Reason) -> Json:
    version = f"/_history/{reason.version}" if reason.version else ""
    told = {
        "kind": reason.because.value,
        "name": f"{reason.name}{version}" if reason.name else None,
        "path": reason.path,
        "purpose": reason.purpose[1] if reason.purpose else None,
        "action": reason.action,
    }
    return {name: value for name, value in told.items() if value is not None}


def lines(told: Json) -> Iterator[str]:
    """Yield the explanation for people."""
    purposes = ", ".join(told["purposes"]) or "no purpose"
    yield (
        f"{told['client']} for {told['organization'] or 'no organization'}, "
        f"{purposes}, {' and '.join(told['actions'])} of {told['patient']}:"
    )
    if "resource" in told:
        yield from _resource_lines(told["resource"])
    for one in told.get("types", ()):
        scope = "" if one["inScope"] else ", which no scope of the client covers"
        yield f"{one['type']}: {one['permitted']} of {one['rows']}{scope}"
        for signature in one["signatures"]:
            yield from _signature_lines(signature)


def _resource_lines(one: Json) -> Iterator[str]:
    scope = "a scope covers it" if one["inScope"] else "no scope covers it"
    yield f"{one['resource']}: {_verdict(one)}; {scope}"
    yield from _why_lines(one)


def _signature_lines(signature: Json) -> Iterator[str]:
    what = " ".join(signature["code"]) or "no code"
    labels = " ".join([signature["confidentiality"] or "-", *signature["sensitivity"]])
    device = signature["device"] or "no device"
    scope = "" if signature["inScope"] else " (outside the scopes)"
    yield (
        f"  {signature['permitted']} of {signature['rows']}  {what}  {labels}  "
        f"{device}{scope}"
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
        asked = f" [{question}]" if question else ""
        yield f"      {' '.join(word for word in words if word)}{asked}"
