"""Oura's records, version 2 of its API, to readings.

https://cloud.ouraring.com/v2/docs
"""

from collections.abc import Callable, Iterator, Mapping
from datetime import date, datetime, timedelta
from functools import lru_cache
from types import MappingProxyType
from typing import Any
from zoneinfo import ZoneInfo

from mappings.code_system import WORKOUTS
from mappings.measurement import (
    Deletion,
    DeviceClue,
    Measurement,
    OutOfScope,
    Reading,
    Reason,
    Refusal,
)
from mappings.payload import (
    DAY_US,
    SECOND_US,
    Instant,
    Unreadable,
    after,
    kebab,
    number,
    offset_minutes,
    zone_of,
)
from mappings.records import NO_VALUE, Found, Record, Shape, day_text, found_in, moment
from mappings.source_version import modified_at
from mappings.times import Span, day_at, local_day, local_instant, reading
from mappings.vendors.oura import shapes
from mappings.vendors.oura.series import signal
from mappings.vendors.oura.sleep import alert, night

_LISTS = MappingProxyType({"data": None})

_RING = DeviceClue(manufacturer="Oura", name="Oura Ring")

_MAX_ID = 128

_Said = Mapping[str, Any]


def parse(
    payload: object,
    *,
    received_at: datetime,  # noqa: ARG001 - every source's parser takes it
    zone: str | None = None,
) -> Iterator[Reading]:
    """Yield the readings of a record, of a list of them, or of an answer.

    Args:
        payload: An answer `{data: […]}`, with `data_type` where it is known, a
            record, a list of either, or a webhook's notification.
        received_at: It never stands in for a record's own time.
        zone: Says where the days of summaries end when clocks are changed.

    """
    known = zone_of(zone) if zone else None
    for found in found_in(payload, _LISTS):
        if isinstance(found.record, dict) and found.record.keys() == _POINT:
            yield _heart_rate(found.record, found.position)
        else:
            yield from _found(found, known)


def _found(found: Found, zone: ZoneInfo | None) -> Iterator[Reading]:
    name, members, position = found
    if not isinstance(members, Mapping):
        detail = "A record is a JSON object."
        yield Refusal(position, Reason.MALFORMED, None, detail, members)
        return
    if "event_type" in members and "object_id" in members:
        yield _notification(members, position)
        return
    type_ = _type_of(name, members)
    if type_ in shapes.NEVER_STORED:
        yield OutOfScope(position, shapes.NEVER_STORED[type_])
        return
    if type_ not in _READERS:
        detail = "The type of record is not one that is understood."
        yield Refusal(position, Reason.UNKNOWN_KIND, None, detail, members)
        return
    yield from _read(type_, members, position, zone)


def _read(
    type_: str, members: Mapping[str, Any], position: str, zone: ZoneInfo | None
) -> Iterator[Reading]:
    source_id = _text(members.get("id"))
    if source_id is not None and _is_gone(type_, members):
        yield Deletion(position, source_id)
        return
    shape, read = _READERS[type_]
    if members.keys() >= shapes.TOLD_TWICE:
        shape = shapes.DELTA_BESIDE
    record = Record(
        members, shape, position, lambda one: {"data_type": type_, "data": [one]}
    )
    said = {
        "source_id": source_id,
        "device": _ring(_text(members.get("ring_id"))),
        "source_version": modified_at(members.get("updated_at")),
    }
    yield from read(record, said, zone)
    yield from record.left_over()


def _is_gone(type_: str, members: Mapping[str, Any]) -> bool:
    """Whether a record is deleted, or a night that its wearer said was none."""
    called = members.get("type")
    return called == "deleted" or (type_ == "sleep" and called == "rest")


_POINT = {"bpm", "source", "timestamp"}
"""Members of a point of the course of the heart rate, of which there are many."""


def _heart_rate(members: Mapping[str, Any], position: str) -> Reading:
    """Return a point of the course of the heart rate."""
    place = f"{position}.bpm"
    try:
        (text, us), value = moment(members["timestamp"]), number(members["bpm"])
    except Unreadable as error:
        kept = {"data_type": "heartrate", "data": [members]}
        return error.of("heart-rate").refusal(place, kept)
    return Measurement(
        "heart-rate", value, "/min", text, us, None, us, place, device=_RING
    )


def _type_of(name: str | None, members: Mapping[str, Any]) -> str:
    """Return the type of a record: as its answer names it, else by its members."""
    called = (name or "").lower()
    if called in _READERS or called in shapes.NEVER_STORED:
        return called
    for type_, marks in shapes.MARKS:
        if marks <= members.keys():
            return type_
    contributors = members.get("contributors")
    if "score" in members and isinstance(contributors, Mapping):
        return next((t for t, one in shapes.SCORES if one in contributors), "")
    return ""


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and 0 < len(value) <= _MAX_ID else None


@lru_cache(maxsize=256)
def _ring(identifier: str | None) -> DeviceClue:
    return _RING._replace(identifier=identifier)


def _notification(members: Mapping[str, Any], position: str) -> Reading:
    """Return the deletion that a notification tells of; else that it is one."""
    source_id = _text(members.get("object_id"))
    if members["event_type"] != "delete" or source_id is None:
        return OutOfScope(position, "notification")
    return Deletion(position, source_id, patient=_text(members.get("user_id")))


def _sleep(record: Record, said: _Said, _: ZoneInfo | None) -> Iterator[Reading]:
    yield from night(record, said)


def _activity(record: Record, said: _Said, zone: ZoneInfo | None) -> Iterator[Reading]:
    """Yield the totals of a day, which goes from 04:00 to 04:00 of local time."""
    members = record.members
    try:
        start = moment(members.get("timestamp"))
        span = Span(start, _next_day(start, zone), zone.key if zone else None)
    except Unreadable as error:
        yield record.refusal(error)
        return
    yield from record.measured(span, **said)
    if "non_wear_time" in members:
        yield _worn(record, span, said)


def _next_day(start: Instant, zone: ZoneInfo | None) -> Instant:
    """Return the same time of the next day; 24 hours later where no zone is known."""
    if zone is None:
        return after(start, DAY_US)
    day = date.fromisoformat(start.text[:10]) + timedelta(days=1)
    end, _ = local_instant(f"{day.isoformat()}{start.text[10:19]}", zone)
    return end


def _worn(record: Record, span: Span, said: _Said) -> Reading:
    """Return how long the ring was worn: the sum of what it was worn for."""
    place = f"{record.position}.non_wear_time"
    times = [record.members.get(name) for name in shapes.WORN]
    worn = [one for one in times if type(one) is int]
    if record.members["non_wear_time"] is None or len(worn) < len(times):
        return OutOfScope(place, NO_VALUE)
    return reading("device-wear-duration", sum(worn), "s", span, place, **said)


def _daily(record: Record, said: _Said, zone: ZoneInfo | None) -> Iterator[Reading]:
    """Yield the values of a day, which goes from midnight to midnight."""
    try:
        span = _day(record.members, zone)
    except Unreadable as error:
        yield record.refusal(error)
        return
    yield from record.measured(span, **said)
    if "spo2_percentage" in record.shape.nested:
        saturation = record.nested("spo2_percentage", shapes.SPO2)
        yield from saturation.measured(span, **said)
        yield from saturation.left_over()


def _day(members: Mapping[str, Any], zone: ZoneInfo | None) -> Span:
    """Return the day of a summary, at the offset of its time or in the zone.

    Raises:
        Unreadable: `no-offset` where neither is known, and as `local_day`.

    """
    day = day_text(members.get("day"))
    if zone is not None:
        return local_day(day, zone)
    if members.get("timestamp") is None:
        raise Unreadable(Reason.NO_OFFSET, "The day has no offset from UTC.")
    return day_at(day, offset_minutes(moment(members["timestamp"]).text))


def _moment(record: Record, said: _Said, _: ZoneInfo | None) -> Iterator[Reading]:
    """Yield the values of a moment."""
    try:
        span = Span(moment(record.members.get("timestamp")))
    except Unreadable as error:
        yield record.refusal(error)
        return
    yield from record.measured(span, **said)
    if "charging" in record.shape.nested and "charging" in record.members:
        yield alert(record, "charging", "battery-charging", span, said)


def _times(record: Record) -> Span:
    return Span(
        moment(record.members.get("start_datetime")),
        moment(record.members.get("end_datetime")),
    )


def _workout(record: Record, said: _Said, _: ZoneInfo | None) -> Iterator[Reading]:
    try:
        span, parts = _times(record), record.components()
    except Unreadable as error:
        yield record.refusal(error.of("workout"))
        return
    if not record.stored():
        yield OutOfScope(record.position, "workout without totals")
        return
    yield reading(
        "workout",
        sport(str(record.members.get("activity"))),
        "",
        span,
        record.position,
        components=parts,
        self_reported=record.members.get("source") == "manual",
        records=max(1, len(parts)),
        **said,
    )


@lru_cache(maxsize=256)
def sport(name: str) -> str:
    """Return our name of an activity; `other` where there is none."""
    word = kebab(name)
    return word if word in WORKOUTS else "other"


def _session(record: Record, said: _Said, _: ZoneInfo | None) -> Iterator[Reading]:
    try:
        span = _times(record)
    except Unreadable as error:
        yield record.refusal(error)
        return
    if record.members.get("type") in shapes.MINDFUL and span.end is not None:
        length = (span.end.us - span.start.us) // SECOND_US
        yield reading("mindful-duration", length, "s", span, record.position, **said)
    else:
        yield OutOfScope(record.position, "session of rest")
    for name in ("heart_rate", "heart_rate_variability"):
        if name in record.members:
            yield signal(record, name, said)


_Reader = Callable[[Record, _Said, ZoneInfo | None], Iterator[Reading]]

_READERS: Mapping[str, tuple[Shape, _Reader]] = MappingProxyType(
    {
        "daily_activity": (shapes.DAILY_ACTIVITY, _activity),
        "daily_cardiovascular_age": (shapes.CARDIOVASCULAR_AGE, _daily),
        "daily_readiness": (shapes.DAILY_READINESS, _daily),
        "daily_sleep": (shapes.DAILY_SLEEP, _daily),
        "daily_spo2": (shapes.DAILY_SPO2, _daily),
        "daily_stress": (shapes.DAILY_STRESS, _daily),
        "heartrate": (shapes.HEART_RATE, _moment),
        "ring_battery_level": (shapes.BATTERY, _moment),
        "session": (shapes.SESSION, _session),
        "sleep": (shapes.SLEEP, _sleep),
        "vo2_max": (shapes.VO2_MAX, _moment),
        "workout": (shapes.WORKOUT, _workout),
    }
)
