"""A night: Garmin's totals, and its level map where the two can both be true.

Asleep are deep, light and REM; awake is not. Demonstration data and re-scored nights
have maps that contradict the totals or leave the night: the totals are kept, the
reading is flagged, and such a map is not stored.

https://developer.garmin.com/gc-developer-program/health-api/
"""

from collections.abc import Mapping
from decimal import Decimal
from itertools import pairwise
from types import MappingProxyType
from typing import Any, NamedTuple

from mappings.measurement import Component, Measurement, Reason
from mappings.payload import SECOND_US, Unreadable, number
from mappings.vendors.garmin.record import Record

TOTALS: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "deepSleepDurationInSeconds": ("deep-sleep-duration", "deep"),
        "lightSleepDurationInSeconds": ("light-sleep-duration", "light"),
        "remSleepInSeconds": ("rem-sleep-duration", "rem"),
        "awakeDurationInSeconds": ("awake-duration", "awake"),
    }
)
"""Member → kind of the total, and the level in the map."""

STAGES: Mapping[str, str] = MappingProxyType(
    {"deep": "deep", "light": "light", "rem": "rem", "awake": "awake"}
)
"""Level in the map → code of a sleep-stage."""

MEMBERS = frozenset({*TOTALS, "sleepLevelsMap", "overallSleepScore"})
"""Members that the session is made of."""

TOLERANCE_S = 60
"""Seconds by which a level's segments may miss its total: a minute's rounding."""


class _Segment(NamedTuple):
    start: int
    end: int
    stage: str


def session(record: Record) -> Measurement:
    """Return the session.

    Raises:
        Unreadable: `no-time` without a duration, `invalid-value`, `malformed`.

    """
    if record.span.end is None:
        raise Unreadable(Reason.NO_TIME, "The sleep has no duration.", "sleep-session")
    try:
        totals = _totals(record)
        segments = _segments(record.fields.get("sleepLevelsMap"))
        score = _score(record.fields.get("overallSleepScore"))
    except Unreadable as error:
        raise error.of("sleep-session") from None
    is_whole = _is_inside(record, segments)
    is_disputed = not is_whole or _disagrees(record, segments)
    return record.reading(
        "sleep-session",
        None,
        "",
        record.span,
        record.position,
        components=(*totals, *score, *(_stages(record, segments) if is_whole else ())),
        flags=("totals-disputed",) if is_disputed else (),
        records=max(1, len(MEMBERS & record.fields.keys())),
    )


def _totals(record: Record) -> list[Component]:
    given = {
        kind: number(record.fields[member])
        for member, (kind, _) in TOTALS.items()
        if record.fields.get(member) is not None
    }
    asleep = [value for kind, value in given.items() if kind != "awake-duration"]
    if not asleep:
        return [Component(kind, value, "s") for kind, value in given.items()]
    return [
        Component("sleep-duration", sum(asleep), "s"),
        *(Component(kind, value, "s") for kind, value in given.items()),
    ]


def _score(score: object) -> tuple[Component, ...]:
    value = score.get("value") if isinstance(score, Mapping) else None
    if value is None:
        return ()
    return (Component("garmin-sleep-score", number(value), "{score}"),)


def _segments(levels: object) -> list[_Segment]:
    """Return the segments of a level map, in order."""
    if levels is None:
        return []
    if not isinstance(levels, Mapping):
        raise Unreadable(Reason.MALFORMED, "sleepLevelsMap is no map of levels.")
    segments = [
        _segment(segment, level)
        for level, of_level in levels.items()
        for segment in (of_level if isinstance(of_level, list) else [of_level])
    ]
    return sorted(segments)


def _segment(segment: Any, level: str) -> _Segment:
    if level not in STAGES:
        raise Unreadable(Reason.UNKNOWN_KIND, "A level of the map is not known.")
    if not isinstance(segment, Mapping):
        raise Unreadable(Reason.MALFORMED, "A segment of sleepLevelsMap is no object.")
    start: Any = segment.get("startTimeInSeconds")
    end: Any = segment.get("endTimeInSeconds")
    if not (isinstance(start, int) and isinstance(end, int) and start <= end):
        raise Unreadable(Reason.MALFORMED, "A segment of sleepLevelsMap has no times.")
    return _Segment(start, end, STAGES[level])


def _is_inside(record: Record, segments: list[_Segment]) -> bool:
    """Whether all segments lie in the session and none lies in another."""
    end_us = record.span.start.us if record.span.end is None else record.span.end.us
    first, last = record.span.start.us // SECOND_US, end_us // SECOND_US
    return all(
        first <= segment.start and segment.end <= last + TOLERANCE_S
        for segment in segments
    ) and all(one.end <= next_.start for one, next_ in pairwise(segments))


def _disagrees(record: Record, segments: list[_Segment]) -> bool:
    """Whether the segments of a level miss its total."""
    lengths: dict[str, int] = {}
    for segment in segments:
        length = segment.end - segment.start
        lengths[segment.stage] = lengths.get(segment.stage, 0) + length
    return any(
        abs(_total(record, member) - lengths[level]) > TOLERANCE_S
        for member, (_, level) in TOTALS.items()
        if level in lengths
    )


def _total(record: Record, member: str) -> Decimal:
    value = record.fields.get(member)
    return Decimal(0 if value is None else number(value))


def _stages(record: Record, segments: list[_Segment]) -> list[Component]:
    """Return the hypnogram; a time that no segment covers is `unknown`."""
    first = until = record.span.start.us // SECOND_US
    stages: list[Component] = []
    for start, end, stage in segments:
        if start - until > TOLERANCE_S:
            offset_ms = (until - first) * 1000
            stages.append(Component("sleep-stage", "unknown", offset_ms=offset_ms))
        stages.append(Component("sleep-stage", stage, offset_ms=(start - first) * 1000))
        until = end
    return stages
