"""Sleep logs: classic and with stages; short awakenings lie over the stages.

https://dev.fitbit.com/build/reference/web-api/sleep/get-sleep-log-by-date/
"""

from collections.abc import Iterator, Mapping
from typing import Any

from mappings.hypnogram import Night, Segment, night
from mappings.measurement import Component, Measurement, Reason
from mappings.payload import SECOND_US, Unreadable
from mappings.times import Span, reading
from mappings.vendors.fitbit.clock import Clock
from mappings.vendors.fitbit.numbers import size_of
from mappings.vendors.fitbit.tables import LEVEL_TOTALS, LEVELS, SLEEP_TOTALS

Json = Mapping[str, Any]

_MAX_SECONDS = 2 * 86_400


def log(entry: Json, clock: Clock, position: str) -> Measurement:
    """Return the night of a sleep log.

    Raises:
        Unreadable: `no-offset`, `no-time`, `negative-interval`, `malformed`,
            `invalid-value`.

    """
    span = clock.between(entry.get("startTime"), entry.get("endTime"), _length(entry))
    levels = _object(entry.get("levels"))
    found, is_disputed = _night(levels, clock, span)
    totals = (*_totals(entry), *_level_totals(_object(levels.get("summary"))))
    parts = (*(totals or found.totals()), *_main(entry), *found.stages())
    if not parts:
        raise Unreadable(Reason.INVALID_VALUE, "The sleep log has no values.")
    return reading(
        "sleep-session",
        None,
        "",
        span._replace(is_disputed=span.is_disputed or is_disputed),
        position,
        components=parts,
        source_id=identifier(entry),
        self_reported=entry.get("logType") == "manual",
        method=_method(entry.get("type")),
        flags=("totals-disputed",) if found.disputes(totals) else (),
    )


def identifier(entry: Json) -> str | None:
    """Return the identifier of a log."""
    id_ = entry.get("logId")
    if type(id_) is int or (isinstance(id_, str) and id_):
        return str(id_)[:200]
    return None


def _method(type_: object) -> str | None:
    words = {"classic": "Fitbit classic sleep", "stages": "Fitbit sleep stages"}
    return words.get(type_) if isinstance(type_, str) else None


def _object(value: object) -> Json:
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise Unreadable(Reason.MALFORMED, "A part of the sleep log is no object.")
    return value


def _totals(entry: Json) -> Iterator[Component]:
    for member, (kind, unit, _) in SLEEP_TOTALS.items():
        if entry.get(member) is not None:
            yield Component(kind, size_of(entry[member]), unit)


def _level_totals(summary: Json) -> Iterator[Component]:
    for level, kind in LEVEL_TOTALS.items():
        of_level = _object(summary.get(level))
        if of_level.get("minutes") is not None:
            yield Component(kind, size_of(of_level["minutes"]), "min")
        if level == "restless" and of_level.get("count") is not None:
            yield Component("restless-periods", size_of(of_level["count"]), "{#}")


def _main(entry: Json) -> Iterator[Component]:
    is_main = entry.get("isMainSleep", entry.get("mainSleep"))
    if isinstance(is_main, bool):
        yield Component("main-sleep", "true" if is_main else "false")


def _length(entry: Json) -> int | None:
    """Return how long a log says that it is, in microseconds."""
    length = entry.get("duration")
    return length * 1000 if type(length) is int else None


def _night(levels: Json, clock: Clock, span: Span) -> tuple[Night, bool]:
    """Return a night, and whether a time in it names two instants."""
    (data, disputed), (short, disputed_too) = (
        _segments(_list(levels.get(name)), clock.in_order())
        for name in ("data", "shortData")
    )
    end = span.end or span.start
    return night(span.start.us, end.us, data, short), disputed or disputed_too


def _segments(levels: list[Any], clock: Clock) -> tuple[list[Segment], bool]:
    found = [_segment(one, clock) for one in levels]
    return [one for one, _ in found], any(disputed for _, disputed in found)


def _list(value: object) -> list[Any]:
    if value is None:
        return []
    if not isinstance(value, list):
        raise Unreadable(Reason.MALFORMED, "The levels are no list.")
    return value


def _segment(one: object, clock: Clock) -> tuple[Segment, bool]:
    if not isinstance(one, Mapping):
        raise Unreadable(Reason.MALFORMED, "A level is no object.")
    level, length = one.get("level"), one.get("seconds")
    code = LEVELS.get(level) if isinstance(level, str) else None
    if code is None:
        raise Unreadable(Reason.INVALID_VALUE, "The level of a stage is not known.")
    if type(length) is not int or not 0 <= length <= _MAX_SECONDS:
        raise Unreadable(Reason.MALFORMED, "A level has no length in seconds.")
    span = clock.lasting(clock.at(one.get("dateTime")), length * SECOND_US)
    start = span.start.us
    return Segment(start, start + length * SECOND_US, code), span.is_disputed
