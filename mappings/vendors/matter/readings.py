"""What an endpoint, a cluster and an attribute say, as readings.

https://csa-iot.org/developer-resource/specifications-download-request/
"""

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from mappings.measurement import (
    DeviceClue,
    Measurement,
    OutOfScope,
    Reading,
    Reason,
    Refusal,
)
from mappings.payload import Instant, Unreadable
from mappings.records import UNNAMED
from mappings.vendors.matter.attributes import (
    MEASURING,
    READS,
    Around,
    Aside,
    Value,
)
from mappings.vendors.matter.clusters import CLUSTERS, HEALTH, OUT_OF_SCOPE
from mappings.vendors.matter.node import (
    MAX_TEXT,
    UNIQUE_ID,
    Node,
    Unit,
    device_types,
)

_OLD = "old value of a device that does not answer"
_NO_VALUE = "attribute without a value"


class At(NamedTuple):
    """Where and when something was read.

    Attributes:
        place: In the payload.
        time: When it was read, or why there is no time.
        hints: The message or the report, which may name the device.

    """

    place: str
    time: Instant | Unreadable
    hints: Mapping[str, object]


class Attribute(NamedTuple):
    """One attribute, its value, and what tells how to read it."""

    endpoint: str
    cluster: str
    name: str
    value: object
    around: Around
    device: DeviceClue | None


def sensing(node: Node) -> frozenset[int]:
    """Return which units (by `id`) measure more than their own health."""
    return frozenset(
        id(node.unit(endpoint))
        for endpoint, clusters in node.endpoints.items()
        if not _SENSING.isdisjoint(clusters)
    )


_SENSING = MEASURING - HEALTH


def named(part: str) -> str:
    """Return how a position names an endpoint or a cluster: a number, a known name."""
    is_number = len(part) <= _MAX_DIGITS and part.isascii() and part.isdecimal()
    return part if is_number or part in _CLUSTERS else UNNAMED


_MAX_DIGITS = 10
_CLUSTERS = frozenset({*CLUSTERS.values(), *OUT_OF_SCOPE})


def endpoint_readings(
    node: Node, endpoint: str, sensors: frozenset[int], at: At
) -> Iterator[Reading]:
    """Yield the readings of an endpoint: at least one for each of its clusters."""
    unit, clusters = node.unit(endpoint), node.endpoints[endpoint]
    is_sensor = id(unit) in sensors
    types = device_types(clusters)
    for cluster, members in clusters.items():
        inner = at._replace(place=f"{at.place}.{named(cluster)}")
        around = Around(members, types)
        if cluster not in MEASURING or (cluster in HEALTH and not is_sensor):
            yield _never_stored(endpoint, cluster, members, inner)
        elif not (unit.is_reachable and node.own.is_reachable):
            yield OutOfScope(inner.place, _OLD)
        else:
            yield from _cluster(endpoint, cluster, around, unit, inner)
    info = clusters.get("BridgedDeviceBasicInformation", {})
    if is_sensor and isinstance(info.get("reachable"), bool):
        place = f"{at.place}.BridgedDeviceBasicInformation.reachable"
        yield from available(unit, endpoint, at._replace(place=place))


def _never_stored(
    endpoint: str, cluster: str, members: Mapping[str, object], at: At
) -> Reading:
    what = OUT_OF_SCOPE.get(cluster)
    if what is not None:
        return OutOfScope(at.place, what)
    return unknown(endpoint, cluster, members, at)


def unknown(
    endpoint: str, cluster: str, members: Mapping[str, object], at: At
) -> Refusal:
    """Return the refusal of a cluster that is in no table."""
    kept = {"attributes": {endpoint: {cluster: dict(members)}}}
    detail = "The cluster is not one that is understood."
    return Refusal(
        at.place, Reason.UNKNOWN_KIND, None, detail, _message(kept, None, at)
    )


def _cluster(
    endpoint: str, cluster: str, around: Around, unit: Unit, at: At
) -> Iterator[Reading]:
    """Yield a reading for each measured attribute, at least one for the cluster."""
    found = [name for name in around.members if (cluster, name) in READS]
    for name in found:
        value = around.members[name]
        attribute = Attribute(endpoint, cluster, name, value, around, unit.clue)
        yield reading(attribute, at._replace(place=f"{at.place}.{name}"))
    if not found:
        yield OutOfScope(at.place, _NO_VALUE)


def reading(attribute: Attribute, at: At) -> Reading:
    """Return the reading of an attribute that is in `READS`."""
    try:
        read_as = _read_as(attribute)
        if isinstance(at.time, Instant):
            return _measurement(
                read_as, attribute.endpoint, attribute.device, at.time, at.place
            )
        error = at.time.of(read_as.kind)
    except Aside as aside:
        return OutOfScope(at.place, str(aside))
    except Unreadable as unreadable:
        error = unreadable
    return error.refusal(at.place, _kept(attribute, at))


def _read_as(attribute: Attribute) -> Value:
    """Return what an attribute measures.

    Raises:
        Aside: for what is never stored.
        Unreadable: for what is not understood.

    """
    kind, read = READS[attribute.cluster, attribute.name]
    if attribute.value is not None:
        return read(attribute.value, attribute.around)
    if attribute.cluster in HEALTH:
        raise Aside(_NO_VALUE)
    return Value(kind, None)


def _measurement(
    read_as: Value,
    endpoint: str,
    device: DeviceClue | None,
    time: Instant,
    place: str,
) -> Measurement:
    kind, value, unit = read_as
    return Measurement(
        kind,
        value,
        unit,
        time.text,
        time.us,
        None,
        time.us,
        place,
        # A node may have several sensors of one kind, each an endpoint.
        f"{endpoint[:MAX_TEXT]}#{time.us}",
        device,
        (),
        None,
        "unknown" if value is None else None,
    )


def available(unit: Unit, endpoint: str, at: At) -> Iterator[Reading]:
    """Yield whether a device answers, where it is known when."""
    if isinstance(at.time, Unreadable):
        yield OutOfScope(at.place, "availability without a time")
        return
    said = Value("device-available", "true" if unit.is_reachable else "false")
    yield _measurement(said, endpoint, unit.clue, at.time, at.place)


def _kept(attribute: Attribute, at: At) -> Mapping[str, object]:
    """Return a report of the attribute alone, so that it can be tried again."""
    endpoint, cluster, name, value, around, device = attribute
    report: dict[str, object] = {
        "endpoint": endpoint,
        "cluster": cluster,
        "attribute": name,
        "value": value,
    }
    if around.types:
        report["device_type"] = sorted(around.types)
    if "measurementUnit" in around.members:
        report["measurement_unit"] = around.members["measurementUnit"]
    return _message(report, device, at)


def _message(
    content: Mapping[str, object], device: DeviceClue | None, at: At
) -> Mapping[str, object]:
    """Return a message that says when, where and of which device."""
    message: dict[str, object] = {"topic": "", "payload": {**content, **_names(device)}}
    for name in ("topic", "retain", "retained"):
        if name in at.hints:
            message[name] = at.hints[name]
    if isinstance(at.time, Instant):
        message["received_at"] = at.time.text
    elif "received_at" in at.hints:
        message["received_at"] = at.hints["received_at"]
    return message


def _names(device: DeviceClue | None) -> dict[str, object]:
    if device is None or device.identifier is None:
        return {}
    if device.system == UNIQUE_ID:
        return {"unique_id": device.identifier}
    vendor, _, serial = device.identifier.partition("/")
    return {"vendor_id": int(vendor), "serial_number": serial}
