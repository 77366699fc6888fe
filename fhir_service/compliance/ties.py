"""What a resource says of a tie between somebody and its patient.

https://hl7.org/fhir/R4/careteam.html
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from consent.elements import actor
from consent.membership import memberships
from consent.moments import Interval, bounds, period
from consent.outline import Provision, provisions
from consent.references import Deployment
from consent.request_selectors import Kind
from fhir_service.compliance.explanation_codes import Code

DAY_US = 86_400_000_000

AROUND_US = 30 * DAY_US
"""How long before and after a visit an access belongs to it."""

ALWAYS = Interval(None, None)

Resource = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True, slots=True)
class Names:
    """What somebody who asks is called.

    Attributes:
        personal: The person and her roles; of a system, its organization and client.
        collective: Organizations, the client, groups.

    """

    personal: frozenset[str]
    collective: frozenset[str]


@dataclass(frozen=True, kw_only=True, slots=True)
class Tie:
    """That somebody had to do with a patient.

    Attributes:
        code: How.
        evidence: The resource, with the place in it.
        during: When accesses are explained by it, both ends included.

    """

    code: Code
    evidence: str
    during: Interval = ALWAYS


def ties(resource: Resource, names: Names, place: Deployment) -> Iterator[Tie]:
    """Yield the ties of which a resource tells."""
    found = _TOLD.get(resource["resourceType"])
    if found is not None:
        yield from found(resource, names, place)


def _general_practitioner(
    patient: Resource, names: Names, place: Deployment
) -> Iterator[Tie]:
    if _called(patient.get("generalPractitioner"), place) & names.personal:
        evidence = f"{_name(patient)} generalPractitioner"
        yield Tie(code=Code.CARE_TEAM, evidence=evidence)


def _care_team(team: Resource, names: Names, place: Deployment) -> Iterator[Tie]:
    for one in memberships(team, place):
        if one.members & names.personal and one.is_certain:
            yield Tie(code=Code.CARE_TEAM, evidence=one.name, during=one.during)


def _encounter(encounter: Resource, names: Names, place: Deployment) -> Iterator[Tie]:
    when = encounter.get("period")
    during = None if when is None else period(when, place.zone)
    if encounter.get("status") not in _NOT_HELD and during is not None:
        yield from _visit(encounter, "individual", during, names, place)


def _appointment(
    appointment: Resource, names: Names, place: Deployment
) -> Iterator[Tie]:
    start = bounds(appointment.get("start"), place.zone)
    end = bounds(appointment.get("end"), place.zone) or start
    if appointment.get("status") not in _NOT_HELD and start and end:
        during = Interval(start[0], end[1])
        yield from _visit(appointment, "actor", during, names, place)


_NOT_HELD = frozenset({"cancelled", "entered-in-error", "noshow", "proposed"})
"""Statuses of encounters and appointments that did not come about."""


def _visit(
    resource: Resource, element: str, during: Interval, names: Names, place: Deployment
) -> Iterator[Tie]:
    who = [one.get(element) for one in resource.get("participant", ())]
    if _called(who, place) & names.personal:
        around = Interval(
            None if during.start is None else during.start - AROUND_US,
            None if during.end is None else during.end + AROUND_US,
        )
        yield Tie(code=Code.VISIT, evidence=_name(resource), during=around)


def _order(order: Resource, names: Names, place: Deployment) -> Iterator[Tie]:
    written = bounds(order.get("authoredOn"), place.zone)
    if order.get("status") in _PLACED and written is not None:
        during = Interval(written[0], written[1] + AROUND_US)
        if _called([order.get("requester")], place) & names.personal:
            yield Tie(code=Code.ORDER, evidence=_name(order), during=during)


_PLACED = frozenset({"active", "completed", "on-hold"})


def _consent(consent: Resource, names: Names, place: Deployment) -> Iterator[Tie]:
    if consent.get("status") == "active":
        for provision in provisions(consent):
            yield from permit(consent, provision, names, place)


def permit(
    consent: Resource, provision: Provision, names: Names, place: Deployment
) -> Iterator[Tie]:
    """Yield that a provision permits something to somebody by name."""
    code = _code_of(provision.node, names, place)
    if provision.kind is Kind.PERMIT and code is not None:
        when = provision.node.get("period")
        during = ALWAYS if when is None else period(when, place.zone)
        version = consent.get("meta", {}).get("versionId", "1")
        evidence = f"{_name(consent)}/_history/{version} {provision.path}"
        if during is not None:
            yield Tie(code=code, evidence=evidence, during=during)


def _code_of(node: Resource, names: Names, place: Deployment) -> Code | None:
    entries = node.get("actor", ())
    called = {name for one in entries for name in actor(one, place).names}
    if called & (names.personal - names.collective):
        return Code.CONSENT_NAMES_PERSON
    return Code.CONSENT_NAMES_ORGANIZATION if called & names.collective else None


_TOLD: Mapping[str, Callable[[Resource, Names, Deployment], Iterator[Tie]]] = {
    "Appointment": _appointment,
    "CareTeam": _care_team,
    "Consent": _consent,
    "Encounter": _encounter,
    "Patient": _general_practitioner,
    "ServiceRequest": _order,
}
"""Type → what its resources say."""

TYPES = tuple(_TOLD)


def _name(resource: Resource) -> str:
    return f"{resource['resourceType']}/{resource['id']}"


def _called(references: object, place: Deployment) -> frozenset[str]:
    """Return what References call somebody."""
    found = references if isinstance(references, list) else [references]
    named = [actor({"reference": one}, place).names for one in found if one]
    return frozenset().union(*named)
