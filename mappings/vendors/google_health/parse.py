"""Data points of the Google Health API to readings.

https://developers.google.com/health/reference/rest/v4/users.dataTypes.dataPoints
"""

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Any
from zoneinfo import ZoneInfo

from mappings.accounted import accounted
from mappings.measurement import (
    DeviceClue,
    OutOfScope,
    Reading,
    Reason,
    Refusal,
)
from mappings.payload import DAY_US, HOUR_US, Unreadable, zone_of
from mappings.records import NO_VALUE, UNNAMED, may_be_measured
from mappings.times import Span, reading
from mappings.vendors.google_health.envelope import (
    Json,
    Point,
    civil_span,
    device_of,
    named_point,
    size_of,
    span_of,
    text_of,
    time_of,
)
from mappings.vendors.google_health.points import KINDS, MEMBERS, READERS
from mappings.vendors.google_health.types import (
    ANSWERS,
    CONTEXT,
    ENVELOPE,
    OUT_OF_SCOPE,
    PARTS_OUT_OF_SCOPE,
    SUMS,
)

_UNTOLD = "The member is not one that is understood."
_NO_OBJECT = "A data point is a JSON object."


def parse(
    payload: object,
    *,
    received_at: datetime,  # noqa: ARG001 - every source's parser takes it
    zone: str | None = None,
) -> Iterator[Reading]:
    """Yield the readings of an answer, a data point, a notification, or a list of them.

    Args:
        payload: What a method of the API answered, or what a webhook brought.
        received_at: When the payload arrived; a data point has its own time.
        zone: Zone of the person's calendar, for what is said of a day.

    """
    at = None if zone is None else zone_of(zone)
    return accounted(_answers(payload, at), "answer without a data point")


def _answers(payload: object, zone: ZoneInfo | None) -> Iterator[Reading]:
    if isinstance(payload, list):
        for index, one in enumerate(payload):
            yield from _answer(one, f"$[{index}]", zone)
    else:
        yield from _answer(payload, "$", zone)


def _answer(answer: object, place: str, zone: ZoneInfo | None) -> Iterator[Reading]:
    if not isinstance(answer, Mapping):
        yield Refusal(place, Reason.MALFORMED, None, _NO_OBJECT, answer)
        return
    for name, reader in _LISTS.items():
        if isinstance(answer.get(name), list):
            if not answer[name]:
                yield OutOfScope(f"{place}.{name}", "answer without a data point")
            for index, one in enumerate(answer[name]):
                yield from _each(reader, name, one, f"{place}.{name}[{index}]", zone)
            return
    what = _what(answer)
    if what is not None:
        yield OutOfScope(place, what)
    else:
        yield from _point(answer, place, zone)


def _what(answer: Json) -> str | None:
    """Return what an answer is that holds no data points; else None."""
    notice = answer.get("data")
    if isinstance(notice, Mapping) and "healthUserId" in notice:
        return _notice(notice)
    if "operation" in answer and "dataType" in answer:
        return _notice(answer)
    if answer.get("type") == "verification" and len(answer) == 1:
        return "verification of an endpoint"
    return next((what for name, what in ANSWERS.items() if name in answer), None)


def _notice(notice: Json) -> str:
    if notice.get("operation") == "DELETE":
        return "notification of a deletion"
    return "notification without values"


_Reader = Callable[[Json, str, ZoneInfo | None], Iterator[Reading]]


def _each(
    reader: _Reader, name: str, one: object, position: str, zone: ZoneInfo | None
) -> Iterator[Reading]:
    if not isinstance(one, Mapping):
        yield Refusal(position, Reason.MALFORMED, None, _NO_OBJECT, {name: [one]})
        return
    yield from reader(one, position, zone)


def _point(point: Json, position: str, zone: ZoneInfo | None) -> Iterator[Reading]:
    is_any = False
    for name in point:
        if name in ENVELOPE:
            continue
        is_named = name in READERS or name in OUT_OF_SCOPE
        place = f"{position}.{name if is_named else UNNAMED}"
        for found in _typed(name, point, place, zone):
            is_any = True
            yield found
    if not is_any:
        yield OutOfScope(position, "data point without data")


def _typed(
    name: str, point: Json, place: str, zone: ZoneInfo | None
) -> Iterator[Reading]:
    """Yield the readings of the data that a point has of one type."""
    data, kept = point[name], _kept(point)
    if name in OUT_OF_SCOPE:
        yield OutOfScope(place, OUT_OF_SCOPE[name])
    elif isinstance(data, Mapping) and name in READERS:
        yield from _data(_told(name, data, place, kept, zone))
    elif name in READERS:
        detail = "The data are no JSON object."
        yield Refusal(place, Reason.MALFORMED, None, detail, {**kept, name: data})
    elif may_be_measured(data):
        detail = "The type of data is not one that is understood."
        yield Refusal(place, Reason.UNKNOWN_KIND, None, detail, {**kept, name: data})


def _kept(point: Json) -> dict[str, object]:
    """Return what a retry needs of a point beside its data; no application."""
    kept = {name: point[name] for name in ENVELOPE if name in point}
    source = kept.get("dataSource")
    if isinstance(source, Mapping):
        kept["dataSource"] = {
            name: source[name]
            for name in ("recordingMethod", "device")
            if name in source
        }
    return kept


def _told(
    name: str, data: Json, position: str, kept: Json, zone: ZoneInfo | None
) -> Point:
    source_id, patient = named_point(kept.get("name") or kept.get("dataPointName"))
    source: Any = kept.get("dataSource")
    method = source.get("recordingMethod") if isinstance(source, Mapping) else None
    bare = dict(data)
    if not _TEXTS.isdisjoint(bare):
        bare = {member: data[member] for member in data if member not in _TEXTS}
    return Point(
        name,
        bare,
        position,
        kept,
        source_id,
        patient,
        device_of(source),
        method == "MANUAL",
        zone,
    )


_TEXTS = frozenset({"notes", "displayName", "foodDisplayName"})
"""Members that a person may have written."""


def _data(point: Point) -> Iterator[Reading]:
    try:
        if not _is_rest(point):
            yield from READERS[point.type](point)
    except Unreadable as error:
        kind = KINDS.get(point.type)
        refused = error.of(kind) if kind else error
        yield refused.refusal(point.position, point.payload(point.data))
    else:
        yield from _left_over(point)


def _is_rest(point: Point) -> bool:
    """Whether only members are there that were refused by name before."""
    known, members = MEMBERS[point.type], point.data.keys()
    if known.issuperset(members):
        return False
    own = known - CONTEXT - {""}
    return bool(own) and own.isdisjoint(members)


def _left_over(point: Point) -> Iterator[Reading]:
    """Yield what is never stored of a known type, and what is not understood."""
    known = MEMBERS[point.type]
    if known.issuperset(point.data):
        return
    parts = PARTS_OUT_OF_SCOPE.get(point.type, {})
    for member, value in point.data.items():
        place = f"{point.position}.{member}"
        if member in parts:
            yield OutOfScope(place, parts[member])
        elif member not in known and may_be_measured(value):
            kept = {name: point.data[name] for name in point.data if name in CONTEXT}
            payload = point.payload({**kept, member: value})
            yield Refusal(place, Reason.UNKNOWN_KIND, None, _UNTOLD, payload)


def _sum(point: Json, position: str, zone: ZoneInfo | None) -> Iterator[Reading]:
    """Yield the sums of a roll-up; its other statistics are never stored."""
    for name, data in point.items():
        if name in _WINDOW:
            continue
        place = f"{position}.{name if name in SUMS else UNNAMED}"
        if name not in SUMS:
            yield OutOfScope(place, "statistic over data points")
            continue
        kept = {member: point[member] for member in _WINDOW if member in point}
        try:
            yield _summed(name, data, _window(point, zone), place)
        except Unreadable as error:
            refused = error.of(SUMS[name][0].kind)
            yield refused.refusal(place, {"rollupDataPoints": [{**kept, name: data}]})


_WINDOW = frozenset({"startTime", "endTime", "civilStartTime", "civilEndTime"})


def _window(point: Json, zone: ZoneInfo | None) -> Span:
    if "civilStartTime" in point:
        return civil_span(point["civilStartTime"], point.get("civilEndTime"), zone)
    return span_of(point, zone)


def _summed(name: str, data: object, span: Span, position: str) -> Reading:
    value, day_kind = SUMS[name]
    given = data.get(value.member) if isinstance(data, Mapping) else None
    if given is None:
        return OutOfScope(position, NO_VALUE)
    start, end, zone, _ = span
    is_day = zone is not None and end is not None and _is_day(start.us, end.us)
    kind = day_kind if is_day else value.kind
    return reading(kind, size_of(given), value.unit, span, position)


def _is_day(start_us: int, end_us: int) -> bool:
    return abs(end_us - start_us - DAY_US) <= HOUR_US


def _paired(device: Json, position: str, zone: ZoneInfo | None) -> Iterator[Reading]:
    """Yield the charge of a tracker's battery when it was last heard of."""
    level, place = device.get("batteryLevel"), f"{position}.batteryLevel"
    if level is None:
        yield OutOfScope(position, "device without a charge")
        return
    name = device.get("name")
    parts = name.split("/") if isinstance(name, str) else []
    _, patient = named_point(name)
    clue = DeviceClue(
        identifier=text_of(parts[-1]) if parts else None,
        model=text_of(device.get("deviceVersion")),
    )
    try:
        span = Span(time_of(device.get("lastSyncTime"), None, zone))
        yield reading(
            "battery-level",
            size_of(level),
            "%",
            span,
            place,
            device=clue,
            patient=patient,
        )
    except Unreadable as error:
        kept = {key: device[key] for key in _PAIRED if key in device}
        yield error.of("battery-level").refusal(place, {"pairedDevices": [kept]})


_PAIRED = frozenset({"name", "batteryLevel", "deviceVersion", "lastSyncTime"})

_LISTS: Mapping[str, _Reader] = MappingProxyType(
    {"dataPoints": _point, "rollupDataPoints": _sum, "pairedDevices": _paired}
)
"""Lists of an answer, and what reads an element of them."""
