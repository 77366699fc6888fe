"""What Device and DeviceMetric resources say of how devices belong together.

A metric belongs to its source and its parent, a Device to its parent. Devices of one
identifier, or of one maker and serial number, are one thing, registered again.

https://hl7.org/fhir/R4/devicemetric-definitions.html#DeviceMetric.source
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from consent.references import target
from consent.topology import Topology

TYPES = frozenset({"Device", "DeviceMetric"})

_PARENTS: Mapping[str, tuple[str, ...]] = {
    "Device": ("parent",),
    "DeviceMetric": ("source", "parent"),
}

Identity = tuple[str, str, str]
"""A kind of identity, who gave it, and its value."""


def parents_in(
    resource: Mapping[str, Any], own_bases: tuple[str, ...]
) -> frozenset[str]:
    """Return what a Device or DeviceMetric says that it belongs to, as `Type/id`."""
    names = _PARENTS.get(str(resource.get("resourceType")), ())
    found = (target(resource.get(name), own_bases) for name in names)
    return frozenset(reference for reference in found if reference is not None)


def identities_in(resource: Mapping[str, Any]) -> frozenset[Identity]:
    """Return what identifies the thing that a Device stands for.

    A serial number alone is no thing, nor is a UDI device identifier, which is a
    model: both together are one.
    """
    if resource.get("resourceType") != "Device":
        return frozenset()
    serial = resource.get("serialNumber")
    given = [
        ("identifier", identifier.get("system"), identifier.get("value"))
        for identifier in _objects(resource.get("identifier"))
    ]
    given.append(("serial", resource.get("manufacturer"), serial))
    given += [
        ("udi", carrier.get("deviceIdentifier"), serial)
        for carrier in _objects(resource.get("udiCarrier"))
    ]
    return frozenset(_complete(given))


def topology_of(
    resources: Iterable[Mapping[str, Any]],
    own_bases: tuple[str, ...],
    parents: Mapping[str, Iterable[str]],
) -> Topology:
    """Return how the devices among resources belong together.

    Args:
        resources: Any resources; the devices among them count.
        own_bases: Our bases.
        parents: Child → what it belongs to besides.

    """
    found = {child: set(above) for child, above in parents.items()}
    alike: dict[Identity, set[str]] = {}
    for resource in resources:
        reference = f"{resource.get('resourceType')}/{resource.get('id')}"
        above = parents_in(resource, own_bases)
        if above:
            found.setdefault(reference, set()).update(above)
        for identity in identities_in(resource):
            alike.setdefault(identity, set()).add(reference)
    for twins in alike.values():
        for twin in twins:
            found.setdefault(twin, set()).update(twins - {twin})
    return Topology(parents=found)


def _complete(given: Iterable[tuple[str, object, object]]) -> Iterator[Identity]:
    for kind, giver, value in given:
        if isinstance(giver, str) and isinstance(value, str) and giver and value:
            yield kind, giver, value


def _objects(value: object) -> list[Any]:
    found = value if isinstance(value, list) else []
    return [entry for entry in found if isinstance(entry, dict)]
