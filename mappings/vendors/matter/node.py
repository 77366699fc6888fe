"""A node as its endpoints, their clusters and attributes, and which device each is.

A controller nests them (endpoint, cluster, attribute), or writes the path of each
attribute with numbers: `1/1026/0`.

https://github.com/matter-js/python-matter-server/blob/main/docs/websockets_api.md
"""

from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import NamedTuple

from mappings.measurement import DeviceClue
from mappings.vendors.matter.clusters import ATTRIBUTES, CLUSTERS

UNIQUE_ID = "https://fhir-interop-service.org/fhir/sid/matter-unique-id"
"""Our system of the unique ids that makers give to Matter devices."""

SERIAL_NUMBER = "https://fhir-interop-service.org/fhir/sid/matter-serial-number"
"""Our system of serial numbers, each after its maker's vendor id and a slash."""

MAX_TEXT = 64
"""Characters of a name or an identifier; Matter allows 32."""

Attributes = Mapping[str, object]
Endpoint = dict[str, dict[str, object]]
"""A cluster's name to its attributes by name."""


class Unit(NamedTuple):
    """One device of a node: the node itself, or one behind it.

    Attributes:
        clue: What is known of it; None where nothing is.
        is_reachable: False where its values are old.

    """

    clue: DeviceClue | None
    is_reachable: bool = True


class Node(NamedTuple):
    """A node whose attributes are grouped.

    Attributes:
        endpoints: Endpoint to clusters.
        own: The node itself.
        bridged: The devices behind it, by their endpoints.

    """

    endpoints: Mapping[str, Endpoint]
    own: Unit
    bridged: Mapping[str, Unit]

    def unit(self, endpoint: str) -> Unit:
        """Return the device to which an endpoint belongs."""
        return self.bridged.get(endpoint, self.own)


def node_of(dump: Mapping[str, object], hints: Mapping[str, object]) -> Node:
    """Return the node of a dump; `hints` may name it where the dump does not."""
    attributes = dump.get("attributes")
    endpoints = _grouped(attributes if isinstance(attributes, Mapping) else {})
    info = endpoints.get("0", {}).get("BasicInformation", {})
    own = clue_of({**identity_of(hints), **identity_of(dump), **_filled(info)})
    return Node(
        endpoints,
        Unit(own, dump.get("available") is not False),
        dict(_bridged(endpoints)),
    )


def _filled(info: Attributes) -> dict[str, object]:
    return {name: value for name, value in info.items() if value not in (None, "")}


_HINTS = {
    "unique_id": "uniqueID",
    "serial_number": "serialNumber",
    "vendor_id": "vendorID",
}


def identity_of(hints: Mapping[str, object]) -> dict[str, object]:
    """Return what a sender says of a device beside its attributes, by Matter's name."""
    return {name: hints[key] for key, name in _HINTS.items() if hints.get(key)}


def told_clue(
    message: Mapping[str, object], report: Mapping[str, object]
) -> DeviceClue | None:
    """Return the device that a report, or the message around it, names."""
    unique = report.get("unique_id") or message.get("unique_id")
    if type(unique) is str:
        return _known(unique)
    hints = {**identity_of(message), **identity_of(report)}
    return clue_of(hints) if hints else None


@lru_cache(maxsize=4096)
def _known(unique: str) -> DeviceClue | None:
    return clue_of({"uniqueID": unique})


def clue_of(info: Attributes) -> DeviceClue | None:
    """Return the device that basic information describes; None where it says nothing.

    A label is its owner's, not its maker's, and is not read.
    """
    unique, serial = _text(info, "uniqueID"), _text(info, "serialNumber")
    vendor = info.get("vendorID")
    identifier = system = None
    if unique is not None:
        identifier, system = unique, UNIQUE_ID
    elif serial is not None and type(vendor) is int:
        identifier, system = f"{vendor}/{serial}", SERIAL_NUMBER
    clue = DeviceClue(
        identifier=identifier,
        system=system,
        manufacturer=_text(info, "vendorName"),
        model=_text(info, "productName"),
        hardware=_text(info, "hardwareVersionString"),
        software=_text(info, "softwareVersionString"),
        serial=serial,
    )
    return clue if any(clue) else None


def _text(info: Attributes, name: str) -> str | None:
    value = info.get(name)
    if isinstance(value, str) and 0 < len(value.strip()) <= MAX_TEXT:
        return value.strip()
    return None


def _grouped(attributes: Mapping[str, object]) -> dict[str, Endpoint]:
    """Return attributes by endpoint, cluster and name where it is known."""
    endpoints: dict[str, Endpoint] = {}
    for endpoint, cluster, attribute, value in _paths(attributes):
        name = CLUSTERS.get(cluster, cluster)
        known = ATTRIBUTES.get(name, {}).get(attribute, attribute)
        clusters = endpoints.setdefault(endpoint, {})
        members = clusters.setdefault(name, {})
        if attribute:
            members[known] = value
    return endpoints


def _paths(attributes: Attributes) -> Iterator[tuple[str, str, str, object]]:
    for key, value in attributes.items():
        path = key.split("/", 2)
        if len(path) == len(("endpoint", "cluster", "attribute")):
            yield (*path, value)  # type: ignore[misc] # three, as just counted
        elif isinstance(value, Mapping):
            yield from _nested(key, value)
        else:
            yield key, "", "", None


def _nested(
    endpoint: str, clusters: Attributes
) -> Iterator[tuple[str, str, str, object]]:
    for cluster, members in clusters.items():
        yield endpoint, cluster, "", None
        if isinstance(members, Mapping):
            for attribute, value in members.items():
                yield endpoint, cluster, attribute, value


def _bridged(endpoints: Mapping[str, Endpoint]) -> Iterator[tuple[str, Unit]]:
    """Yield the endpoints of devices behind the node, with their device."""
    for endpoint, clusters in endpoints.items():
        info = clusters.get("BridgedDeviceBasicInformation")
        if info is not None:
            unit = Unit(clue_of(info), info.get("reachable") is not False)
            yield endpoint, unit
            parts = clusters.get("Descriptor", {}).get("partsList")
            for part in parts if isinstance(parts, list) else ():
                yield str(part), unit


def device_types(clusters: Endpoint) -> frozenset[int]:
    """Return the types of device that an endpoint says it is."""
    listed = clusters.get("Descriptor", {}).get("deviceTypeList")
    found: set[int] = set()
    for item in listed if isinstance(listed, list) else ():
        if isinstance(item, Mapping):
            told = (item.get(key) for key in ("type", "deviceType", "0"))
            found |= {one for one in told if type(one) is int}
    return frozenset(found)
