"""Logged activities and the summary of a day.

https://dev.fitbit.com/build/reference/web-api/activity/get-daily-activity-summary/
"""

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any

from mappings.code_system import WORKOUTS
from mappings.measurement import Component, OutOfScope, Reading, Reason, Refusal
from mappings.payload import (
    Unreadable,
    kebab,
    seconds,
)
from mappings.records import UNNAMED, may_be_measured
from mappings.source_version import modified_at
from mappings.times import Span, reading
from mappings.vendors.fitbit.clock import Clock
from mappings.vendors.fitbit.numbers import measured, size_of
from mappings.vendors.fitbit.sleep import identifier
from mappings.vendors.fitbit.tables import (
    ACTIVITIES,
    DAILY,
    OUT_OF_SCOPE,
    ZONES,
)

Json = Mapping[str, Any]

_TOTALS: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "distance": ("distance", "km"),
        "steps": ("steps", "{steps}"),
        "calories": ("active-energy", "kcal"),
        "averageHeartRate": ("heart-rate-mean", "/min"),
        "elevationGain": ("elevation-gain", "m"),
    }
)
_MAX_MS = 40 * 86_400_000
_MANUAL = "manual"


def activity(entry: Json, clock: Clock, position: str) -> Reading:
    """Return the workout of a logged activity.

    Raises:
        Unreadable: `no-time` where the log has no start time, `no-offset`,
            `malformed`, `invalid-value`, `unknown-kind` without a name.

    """
    if entry.get("hasStartTime") is False:
        raise Unreadable(Reason.NO_TIME, "The activity has no start time.")
    span = clock.lasting(clock.at(_start(entry)), _duration_us(entry))
    parts = [Component("workout-duration", seconds(_duration_us(entry)), "s")]
    for member, (kind, unit) in _TOTALS.items():
        given = entry.get(member)
        if given is not None and (size := size_of(given)):
            parts.append(Component(kind, size, unit))
    return reading(
        "workout",
        _workout(entry),
        "",
        span,
        position,
        components=tuple(parts),
        source_id=identifier(entry),
        self_reported=entry.get("logType") == _MANUAL,
        source_version=modified_at(entry.get("lastModified")),
    )


def _start(entry: Json) -> object:
    """Return the start: in one member, or as a date and a time."""
    day, time = entry.get("startDate"), entry.get("startTime")
    if isinstance(day, str) and isinstance(time, str):
        return f"{day}T{time}"
    return time


def _duration_us(entry: Json) -> int:
    length = entry.get("duration")
    if length is None:
        raise Unreadable(Reason.NO_TIME, "The activity has no duration.")
    if type(length) is not int or not 0 <= length <= _MAX_MS:
        raise Unreadable(Reason.INVALID_VALUE, "The duration is no number of ms.")
    return length * 1000


def _workout(entry: Json) -> str:
    names = [entry.get(key) for key in ("activityParentName", "name", "activityName")]
    words = [kebab(name) for name in names if isinstance(name, str) and name]
    if not words:
        raise Unreadable(Reason.UNKNOWN_KIND, "The activity has no name.")
    codes = [ACTIVITIES.get(word, word) for word in words]
    return next((code for code in codes if code in WORKOUTS), "other")


_TEXTS = frozenset({"description", "notes"})


def activity_kept(entry: object) -> dict[str, object]:
    """Return what a retry needs of a logged activity: nothing that a person wrote."""
    if isinstance(entry, Mapping):
        entry = {
            key: entry[key] for key in entry if key not in ("description", "notes")
        }
    return {"activities": [entry]}


def summary(
    members: object, day: object, clock: Clock, position: str
) -> Iterator[Reading]:
    """Yield the values of a day's summary."""
    if not isinstance(members, Mapping):
        fault = Unreadable(Reason.MALFORMED, "The summary is no object.")
        yield fault.refusal(position, {"date": day, "summary": members})
        return
    for name, value in members.items():
        place = f"{position}.{name if name in _NAMED else UNNAMED}"
        try:
            yield from _of_summary(name, value, day, clock, place)
        except Unreadable as error:
            what = DAILY.get(name)
            refused = error.of(what.kind) if what else error
            yield refused.refusal(place, {"date": day, "summary": {name: value}})


_NAMED = frozenset({*DAILY, *OUT_OF_SCOPE, "distances", "heartRateZones", "stages"})
"""Members of a summary that a position names."""


def _of_summary(
    name: str, value: object, day: object, clock: Clock, place: str
) -> Iterator[Reading]:
    if name in DAILY and value is not None:
        yield measured(DAILY[name], value, clock.day(day), place)
    elif name == "distances":
        yield from _distances(value, day, clock, place)
    elif name == "heartRateZones":
        yield from zones(value, clock.day(day), place)
    elif name in OUT_OF_SCOPE:
        yield OutOfScope(place, OUT_OF_SCOPE[name])
    elif name.startswith("total") or name == "stages":
        yield OutOfScope(place, "sum over the day's sleep logs")
    elif may_be_measured(value):
        raise Unreadable(Reason.UNKNOWN_KIND, "The member is not understood.")


def _distances(
    value: object, day: object, clock: Clock, place: str
) -> Iterator[Reading]:
    """Yield the day's whole distance; its parts are contained in it."""
    if not isinstance(value, list):
        raise Unreadable(Reason.MALFORMED, "The distances are no list.")
    what = DAILY["distance"]
    for index, one in enumerate(value):
        position = f"{place}[{index}]"
        if not isinstance(one, Mapping) or one.get("activity") != "total":
            yield OutOfScope(position, "part of the day's distance")
            continue
        try:
            yield measured(what, one.get("distance"), clock.day(day), position)
        except Unreadable as error:
            kept = {"date": day, "summary": {"distances": [one]}}
            yield error.of(what.kind).refusal(position, kept)


def zones(value: object, span: Span, place: str) -> Iterator[Reading]:
    """Yield the time in each zone of heart rate; not of a day without heart rate.

    Raises:
        Unreadable: `malformed`, `invalid-value`.

    """
    if not isinstance(value, list):
        raise Unreadable(Reason.MALFORMED, "The zones are no list.")
    minutes = [
        (one.get("name"), one.get("minutes"))
        for one in value
        if isinstance(one, Mapping)
    ]
    is_worn = any(given for _, given in minutes)
    for index, one in enumerate(value):
        position = f"{place}[{index}]"
        name = one.get("name") if isinstance(one, Mapping) else None
        kind = ZONES.get(name) if isinstance(name, str) else None
        if kind is None or not is_worn or one.get("minutes") is None:
            yield OutOfScope(position, "time outside the zones of heart rate")
        else:
            yield reading(kind, size_of(one["minutes"]), "min", span, position)


def unknown(position: str, payload: object) -> Refusal:
    """Return the refusal of a member that no table knows."""
    detail = "The member is not one that is understood."
    return Refusal(position, Reason.UNKNOWN_KIND, None, detail, payload)
