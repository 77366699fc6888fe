"""Who belongs to whom: what a stored resource says about further names of a requester.

A consent may name a team, a group, a whole organization. Whoever is a member is asked
for under these names as well: certainly, where a permit may rely on it, or possibly,
which only a deny needs.

https://hl7.org/fhir/R4/consent-definitions.html#Consent.provision.actor
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC
from typing import Any, NamedTuple

from consent.elements import actor
from consent.moments import Interval, period
from consent.references import Deployment, type_of

CLIENT_SYSTEM = "https://fhir-interop-service.org/fhir/sid/client"
"""Identifier system under which a client is named; no resource gives itself one."""

_ALWAYS = Interval(None, None)
_NOWHERE = Deployment(zone=UTC)
"""For identifiers: they mean the same wherever they stand."""

Resource = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True, slots=True)
class Membership:
    """That whoever has one of some names has another one too.

    Attributes:
        members: `Type/id` and `system|value`; empty where it is said of nobody whom
            we can name.
        name: The further name, likewise.
        during: When this holds, both ends included.
        is_certain: Whether a permit may rely on it.

    """

    members: frozenset[str]
    name: str
    during: Interval = _ALWAYS
    is_certain: bool = True


class Names(NamedTuple):
    """What a requester is called.

    Attributes:
        certain: By what a permit and a deny may mean it.
        possible: By what a deny may mean it besides.

    """

    certain: frozenset[str]
    possible: frozenset[str]


def memberships(resource: Resource, deployment: Deployment) -> list[Membership]:
    """Return what a resource says about who belongs to whom."""
    name = f"{resource['resourceType']}/{resource['id']}"
    told = _TOLD.get(resource["resourceType"])
    found = [] if told is None else list(told(resource, name, deployment))
    found.extend(_identifiers(resource, name))
    return found


def spread(start: Names, told: Iterable[Membership], at_us: int) -> Names:
    """Return every name that follows from those at the start, at one instant."""
    return follow(start, [one for one in told if one.during.contains(at_us)])


def follow(start: Names, told: Iterable[Membership]) -> Names:
    """Return every name that follows from those at the start, whenever it holds."""
    live = list(told)
    certain = _reached(start.certain, [one for one in live if one.is_certain])
    nameless = {one.name for one in live if not one.members}
    possible = _reached(certain | start.possible | nameless, live)
    return Names(certain, possible - certain)


def _reached(start: frozenset[str], told: list[Membership]) -> frozenset[str]:
    by_member: dict[str, list[str]] = {}
    for one in told:
        for member in one.members:
            by_member.setdefault(member, []).append(one.name)
    found, ahead = set(start), list(start)
    while ahead:
        for name in by_member.get(ahead.pop(), ()):
            if name not in found:
                found.add(name)
                ahead.append(name)
    return frozenset(found)


def boundaries(told: Iterable[Membership], at_us: int) -> tuple[int | None, int | None]:
    """Return from when, and until before when, time alone changes none of these."""
    moments = {
        moment
        for one in told
        for moment in (
            one.during.start,
            None if one.during.end is None else one.during.end + 1,
        )
        if moment is not None
    }
    return (
        max((moment for moment in moments if moment <= at_us), default=None),
        min((moment for moment in moments if moment > at_us), default=None),
    )


def _names(value: object, deployment: Deployment) -> frozenset[str]:
    """Return what a Reference calls somebody: on this server, or by identifier."""
    return actor({"reference": value}, deployment).names


def _during(deployment: Deployment, *periods: object) -> Interval | None:
    """Return when all of these Periods hold; None where one cannot be read."""
    starts, ends = [], []
    for value in periods:
        bounds = _ALWAYS if value is None else period(value, deployment.zone)
        if bounds is None:
            return None
        starts += [] if bounds.start is None else [bounds.start]
        ends += [] if bounds.end is None else [bounds.end]
    return Interval(max(starts, default=None), min(ends, default=None))


def _membership(
    members: frozenset[str], name: str, during: Interval | None, *, is_certain: bool
) -> Membership:
    return Membership(
        members=members,
        name=name,
        during=during or _ALWAYS,
        is_certain=is_certain and during is not None and bool(members),
    )


def _group(group: Resource, name: str, place: Deployment) -> Iterator[Membership]:
    """Yield the members of a group of individuals; a mere description has none."""
    if group.get("actual") is not True or group.get("active") is False:
        return
    for member in group.get("member", ()):
        if member.get("inactive") is not True:
            during = _during(place, member.get("period"))
            named = _names(member.get("entity"), place)
            yield _membership(named, name, during, is_certain=True)


_OF_TEAM: Mapping[object, bool] = {"active": True, None: False}
"""`CareTeam.status` → whether its members are certain; any other has none."""


def _care_team(team: Resource, name: str, place: Deployment) -> Iterator[Membership]:
    """Yield the participants; for whom they act is no member by that."""
    is_certain = _OF_TEAM.get(team.get("status"))
    if is_certain is None:
        return
    for participant in team.get("participant", ()):
        during = _during(place, team.get("period"), participant.get("period"))
        named = _names(participant.get("member"), place)
        yield _membership(named, name, during, is_certain=is_certain)


def _role(role: Resource, name: str, place: Deployment) -> Iterator[Membership]:
    """Yield that somebody has a role, and with it a place and services.

    The role belongs to its practitioner: nobody else of the organization has it.
    """
    if role.get("active") is False:
        return
    during = _during(place, role.get("period"))
    holder = _names(role.get("practitioner"), place)
    if holder:
        yield _membership(holder, name, during, is_certain=True)
    for value in (role.get("organization"), *role.get("healthcareService", ())):
        for whole in _local(value, place):
            yield _membership(holder | {name}, whole, during, is_certain=True)


def _service(service: Resource, name: str, place: Deployment) -> Iterator[Membership]:
    """Yield that the provider may be acting as the service: nobody knows if it is."""
    provider = _names(service.get("providedBy"), place)
    if provider:
        yield _membership(provider, name, _ALWAYS, is_certain=False)


def _part(whole: Resource, name: str, place: Deployment) -> Iterator[Membership]:
    for above in _local(whole.get("partOf"), place):
        yield _membership(frozenset({name}), above, _ALWAYS, is_certain=True)


_TOLD: Mapping[str, Callable[[Resource, str, Deployment], Iterator[Membership]]] = {
    "CareTeam": _care_team,
    "Group": _group,
    "HealthcareService": _service,
    "Organization": _part,
    "PractitionerRole": _role,
}
"""Type → what its resources say."""

_VOUCHED = frozenset({"Organization"})
"""Types whose identifiers a permit may rely on: nobody of the house changes them."""


def _local(value: object, place: Deployment) -> list[str]:
    """Return the `Type/id` of a Reference to this server."""
    return [name for name in _names(value, place) if "|" not in name]


def _identifiers(resource: Resource, name: str) -> Iterator[Membership]:
    """Yield that a resource is also called by its identifiers."""
    for identifier in resource.get("identifier", ()):
        for text in actor({"reference": {"identifier": identifier}}, _NOWHERE).names:
            if not text.startswith(f"{CLIENT_SYSTEM}|"):
                yield Membership(
                    members=frozenset({name}),
                    name=text,
                    is_certain=type_of(name) in _VOUCHED,
                )
