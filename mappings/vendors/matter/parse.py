"""Matter nodes and attribute reports to readings.

https://github.com/matter-js/python-matter-server/blob/main/docs/websockets_api.md
"""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from functools import lru_cache
from typing import TypeGuard

from mappings.measurement import OutOfScope, Reading, Reason, Refusal
from mappings.mqtt_message import heard_at, is_message, payload_json
from mappings.payload import (
    MINUTE_US,
    Instant,
    Unreadable,
    instant_of,
    microseconds,
)
from mappings.times import written_at
from mappings.vendors.matter.attributes import MEASURING, READS, Around
from mappings.vendors.matter.clusters import ATTRIBUTES, CLUSTERS, OUT_OF_SCOPE
from mappings.vendors.matter.node import (
    Endpoint,
    Node,
    device_types,
    node_of,
    told_clue,
)
from mappings.vendors.matter.readings import (
    At,
    Attribute,
    available,
    endpoint_readings,
    named,
    reading,
    sensing,
    unknown,
)


def parse(
    payload: object,
    *,
    received_at: datetime,
    zone: str | None = None,  # noqa: ARG001 - every source's parser takes it
) -> Iterator[Reading]:
    """Yield the readings of a node, an attribute report, or a list of them.

    Args:
        payload: A dump `{node_id, attributes}`, a report `{endpoint, cluster,
            attribute, value}`, an event of a controller, or an MQTT message that
            holds one of them.
        received_at: When the payload arrived here: its minute is the time of a node
            that nobody has dated. Matter tells no times.
        zone: Times are of this service or of the subscriber.

    """
    arrived = microseconds(received_at)
    now = written_at(arrived - arrived % MINUTE_US)
    delivery = _Delivery()
    if isinstance(payload, list):
        for index, item in enumerate(payload):
            yield from delivery.item(item, now, f"$[{index}]")
    else:
        yield from delivery.item(payload, now, "$")


class _Delivery:
    """What one payload has told of nodes, for the reports that follow in it."""

    def __init__(self) -> None:
        self._nodes: dict[object, Node] = {}

    def item(self, item: object, now: Instant, place: str) -> Iterable[Reading]:
        """Return the readings of a message, or of what stands without one."""
        if not is_message(item):
            return self._content(item, At(place, _read_at(item, now), _NO_HINTS))
        try:
            content = payload_json(item["payload"])
        except Unreadable as error:
            return (error.refusal(place, item),)
        try:
            time: Instant | Unreadable = heard_at(item)
        except Unreadable as error:
            time = error
        at = At(f"{place}.payload", time, item)
        if isinstance(content, list):
            return self._listed(content, at)
        return self._content(content, at)

    def _content(self, content: object, at: At) -> Iterable[Reading]:
        if not isinstance(content, dict):
            return (_malformed(content, at),)
        if "value" in content:
            return (self._report(content, at),)
        if isinstance(content.get("attributes"), dict):
            return self._dump(content, at)
        if "event" in content and "data" in content:
            return self._event(content, at)
        if "result" in content:
            return self._result(content["result"], at)
        return (_malformed(content, at),)

    def _listed(self, contents: list[object], at: At) -> Iterator[Reading]:
        for index, content in enumerate(contents):
            yield from self._content(content, at._replace(place=f"{at.place}[{index}]"))
        if not contents:
            yield OutOfScope(at.place, "message without a property")

    def _result(self, result: object, at: At) -> Iterator[Reading]:
        """Yield the readings of a controller's answer: of the nodes in it."""
        place = f"{at.place}.result"
        nodes = result if isinstance(result, list) else [result]
        for index, node in enumerate(nodes):
            inner = f"{place}[{index}]" if isinstance(result, list) else place
            if _is_node(node):
                yield from self._dump(node, at._replace(place=inner))
            else:
                yield OutOfScope(inner, "answer of the controller")
        if not nodes:
            yield OutOfScope(place, "answer of the controller")

    def _event(self, event: Mapping[str, object], at: At) -> Iterable[Reading]:
        data = event["data"]
        below = at._replace(place=f"{at.place}.data")
        if event["event"] == _UPDATED:
            return (self._report(_report_of(data), below),)
        if _is_node(data):
            return self._dump(data, below)
        return (OutOfScope(below.place, "event of the controller"),)

    def _report(self, report: Mapping[str, object], at: At) -> Reading:
        path = _path_of(report)
        if path is None or "value" not in report:
            return _malformed(report, at)
        endpoint, cluster, name = path
        clue, clusters = told_clue(at.hints, report), _NO_CLUSTERS
        node = self._nodes.get(_key(report)) if self._nodes else None
        if node is not None:
            clue = clue or node.unit(endpoint).clue
            clusters = node.endpoints.get(endpoint, _NO_CLUSTERS)
        around = _around(cluster, clusters, at.hints, report)
        inner = At(f"{at.place}.value", at.time, at.hints)
        return _single(
            Attribute(endpoint, cluster, name, report["value"], around, clue), inner
        )

    def _dump(self, dump: Mapping[str, object], at: At) -> Iterator[Reading]:
        node = node_of(dump, at.hints)
        key = _key(dump)
        if key is not None:
            self._nodes[key] = node
        place = f"{at.place}.attributes"
        sensors = sensing(node)
        for endpoint in node.endpoints:
            inner = at._replace(place=f"{place}.{named(endpoint)}")
            yield from endpoint_readings(node, endpoint, sensors, inner)
        if not node.endpoints:
            yield OutOfScope(place, "node without an attribute")
        if sensors and isinstance(dump.get("available"), bool):
            below = at._replace(place=f"{at.place}.available")
            yield from available(node.own, "0", below)
        events = dump.get("events")
        if isinstance(events, list) and events:
            yield OutOfScope(f"{at.place}.events", "event of a node", len(events))


def _read_at(item: object, now: Instant) -> Instant | Unreadable:
    """Return when what stands without a message around it was read.

    A node that is sent again within a minute is the same, though nobody says when it
    was read; a report is of a moment, and of two in a minute neither is the other.
    """
    members = item if isinstance(item, Mapping) else _NO_HINTS
    told = members.get("read_at", members.get("received_at"))
    if told is None:
        return _REPORTED if _is_report(members) else now
    try:
        return instant_of(told)
    except Unreadable as error:
        return error


def _is_report(members: Mapping[str, object]) -> bool:
    return "value" in members or members.get("event") == _UPDATED


_UPDATED = "attribute_updated"
_REPORTED = Unreadable(Reason.NO_TIME, "The report does not say when it was read.")


def _key(content: Mapping[str, object]) -> object:
    key = content.get("node_id")
    return key if isinstance(key, int | str) else None


def _is_node(content: object) -> TypeGuard[dict[str, object]]:
    return isinstance(content, dict) and isinstance(content.get("attributes"), dict)


def _malformed(content: object, at: At) -> Reading:
    if content is None:
        return OutOfScope(at.place, "message without a property")
    detail = "This is neither a node's attributes nor a report of one."
    return Refusal(at.place, Reason.MALFORMED, None, detail, content)


def _report_of(data: object) -> Mapping[str, object]:
    """Return the data of `attribute_updated`, a list or an object, as a report."""
    if isinstance(data, Mapping):
        return data
    if isinstance(data, list) and len(data) == len(("node", "path", "value")):
        return {"node_id": data[0], "attribute_path": data[1], "value": data[2]}
    return {}


def _path_of(report: Mapping[str, object]) -> tuple[str, str, str] | None:
    """Return endpoint, cluster and attribute of a report, by name where known."""
    path = report.get("attribute_path")
    if isinstance(path, str):
        return _named_path(path)
    parts = [
        str(report.get(name, report.get(f"{name}_id", "")))
        for name in ("endpoint", "cluster", "attribute")
    ]
    return _named_path("/".join(parts))


@lru_cache(maxsize=4096)
def _named_path(path: str) -> tuple[str, str, str] | None:
    parts = path.split("/")
    if len(parts) != len(("endpoint", "cluster", "attribute")) or not all(parts):
        return None
    endpoint, cluster, attribute = parts
    name = CLUSTERS.get(cluster, cluster)
    return endpoint, name, ATTRIBUTES.get(name, {}).get(attribute, attribute)


_NO_HINTS: Mapping[str, object] = {}
_NO_CLUSTERS: Endpoint = {}
_NOTHING_AROUND = Around({}, frozenset())


def _around(
    cluster: str,
    clusters: Endpoint,
    message: Mapping[str, object],
    report: Mapping[str, object],
) -> Around:
    """Return what tells how to read an attribute: the node, the message, the report."""
    if not clusters and _TOLD.isdisjoint(report) and _TOLD.isdisjoint(message):
        return _NOTHING_AROUND
    hints = {**message, **report}
    members = {**clusters.get(cluster, {}), **_told_unit(hints)}
    return Around(members, device_types(clusters) | _told_types(hints))


_TOLD = frozenset({"device_type", "measurement_unit"})


def _single(attribute: Attribute, at: At) -> Reading:
    cluster, name = attribute.cluster, attribute.name
    if (cluster, name) in READS:
        return reading(attribute, at)
    if cluster in OUT_OF_SCOPE:
        return OutOfScope(at.place, OUT_OF_SCOPE[cluster])
    if cluster in MEASURING:
        return OutOfScope(at.place, "attribute that is no measurement")
    return unknown(attribute.endpoint, cluster, {name: attribute.value}, at)


def _told_types(hints: Mapping[str, object]) -> frozenset[int]:
    told = hints.get("device_type")
    types = told if isinstance(told, list) else [told]
    return frozenset(one for one in types if type(one) is int)


def _told_unit(hints: Mapping[str, object]) -> dict[str, object]:
    told = hints.get("measurement_unit")
    return {} if told is None else {"measurementUnit": told}
