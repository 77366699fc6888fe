"""Whom a Provenance names, and to which organizations authors belonged.

https://hl7.org/fhir/R4/provenance-definitions.html#Provenance.agent
"""

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from consent.membership import Membership, Names, memberships, spread
from consent.moments import bounds
from consent.references import Deployment, target, type_of
from consent.signature import Description, with_agents

Resource = Mapping[str, Any]


class Authorship(NamedTuple):
    """What one Provenance says.

    Attributes:
        agents: Who took part, and on whose behalf, as `Type/id`.
        targets: What they made, as `Type/id`.
        at_us: When, as far as it is told.

    """

    agents: frozenset[str]
    targets: frozenset[str]
    at_us: int | None


def authorship(provenance: Resource, place: Deployment) -> Authorship:
    """Return what a Provenance says; of any shape, never raising."""
    taking_part = [
        agent[name]
        for agent in _items(provenance.get("agent"))
        if isinstance(agent, dict)
        for name in ("who", "onBehalfOf")
        if name in agent
    ]
    recorded = bounds(provenance.get("recorded"), place.zone)
    return Authorship(
        agents=frozenset(_local(taking_part, place.own_bases)),
        targets=frozenset(_local(_items(provenance.get("target")), place.own_bases)),
        at_us=None if recorded is None else recorded[0],
    )


def organizations(
    names: frozenset[str], told: Iterable[Resource], place: Deployment, at_us: int
) -> frozenset[str]:
    """Return the organizations of authors at the time of authoring.

    Args:
        names: The authors, as `Type/id`.
        told: PractitionerRoles and Devices that may say so.
        place: Zone and bases.
        at_us: When they authored.

    """
    found = [one for resource in told for one in _belonging(resource, place)]
    reached = names
    if found:
        reached = spread(Names(names, frozenset()), found, at_us).certain
    return frozenset(name for name in reached if type_of(name) == "Organization")


def authored(
    described: Description, told: Iterable[Resource], place: Deployment, now_us: int
) -> Description:
    """Return the description with the organizations of who performed it.

    They count as of the clinical time, else as of now.
    """
    origin = described.facets.origin
    names = origin.performers | ({origin.device} if origin.device else frozenset())
    at_us = described.start_us if described.facets.is_dated else now_us
    return with_agents(described, organizations(names, told, place, at_us))


def _belonging(resource: Resource, place: Deployment) -> list[Membership]:
    """Return to which organization a role or a device belongs."""
    if resource.get("resourceType") == "PractitionerRole":
        return memberships(resource, place)
    if resource.get("resourceType") != "Device":
        return []
    return [
        Membership(members=frozenset({f"Device/{resource['id']}"}), name=owner)
        for owner in _local([resource.get("owner")], place.own_bases)
    ]


def authors_by_target(
    resources: Collection[Resource], place: Deployment, at_us: int
) -> dict[str, frozenset[str]]:
    """Return what the Provenances among resources say, by target.

    Args:
        resources: Any; roles and devices say to which organizations the agents belong.
        place: Zone and bases.
        at_us: When the agents took part, where a Provenance does not tell.

    """
    found: dict[str, frozenset[str]] = {}
    for resource in resources:
        if resource.get("resourceType") != "Provenance":
            continue
        said = authorship(resource, place)
        at = at_us if said.at_us is None else said.at_us
        agents = said.agents | organizations(said.agents, resources, place, at)
        for reference in said.targets:
            found[reference] = found.get(reference, frozenset()) | agents
    return found


def _local(references: Iterable[object], own_bases: tuple[str, ...]) -> Iterator[str]:
    for reference in references:
        found = target(reference, own_bases)
        if found is not None:
            yield found


def _items(value: object) -> list[Any]:
    return value if isinstance(value, list) else []
