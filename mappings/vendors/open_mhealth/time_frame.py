"""effective_time_frame: one moment, or an interval in one of four forms.

https://w3id.org/ieee/ieee-1752-schema/time-frame.json
"""

from collections.abc import Mapping
from decimal import Decimal
from types import MappingProxyType

from mappings.measurement import Reason
from mappings.payload import (
    DAY_US,
    HOUR_US,
    MINUTE_US,
    SECOND_US,
    Instant,
    Unreadable,
    after,
    instant,
    instant_of,
    number,
)

DURATION_US = MappingProxyType(
    {
        "us": 1,
        "ms": 1_000,
        "sec": SECOND_US,
        "s": SECOND_US,
        "min": MINUTE_US,
        "h": HOUR_US,
        "d": DAY_US,
        "wk": 7 * DAY_US,
    }
)
"""Microseconds of each duration word; `Mo` and `yr` have no fixed length, and what
is shorter than a microsecond is no length of a measurement."""


def time_frame(frame: object) -> tuple[Instant, Instant | None]:
    """Return start and end of an `effective_time_frame`; no end for a moment.

    Raises:
        Unreadable: `no-time`, `no-offset`, `malformed`, `unknown-unit` of a
            duration, `negative-interval`.

    """
    if not isinstance(frame, dict):
        raise Unreadable(Reason.NO_TIME, "There is no effective_time_frame.")
    moment = frame.get("date_time")
    if type(moment) is str:
        return instant(moment), None
    interval = frame.get("time_interval")
    if isinstance(interval, dict):
        return time_interval(interval)
    if moment is None:
        raise Unreadable(
            Reason.NO_TIME,
            "The effective_time_frame has neither date_time nor time_interval.",
        )
    return instant_of(moment), None


def time_interval(interval: Mapping[str, object]) -> tuple[Instant, Instant]:
    """Return start and end of a `time_interval`.

    Raises:
        Unreadable: as `time_frame`.

    """
    start, end = interval.get("start_date_time"), interval.get("end_date_time")
    if start is not None and end is not None:
        return _ordered(instant_of(start), instant_of(end))
    if "duration" in interval and start is not None:
        first = instant_of(start)
        return first, after(first, _duration_us(interval["duration"]))
    if "duration" in interval and end is not None:
        last = instant_of(end)
        return after(last, -_duration_us(interval["duration"])), last
    if "part_of_day" in interval:
        raise Unreadable(Reason.NO_TIME, "A part of a day has no clock time.")
    raise Unreadable(
        Reason.NO_TIME,
        "The time_interval needs two of start_date_time, end_date_time, duration.",
    )


def _ordered(start: Instant, end: Instant) -> tuple[Instant, Instant]:
    if end.us < start.us:
        raise Unreadable(
            Reason.NEGATIVE_INTERVAL, "The interval ends before it starts."
        )
    return start, end


def _duration_us(duration: object) -> int:
    """Return a duration in microseconds.

    Raises:
        Unreadable: `unknown-unit`, `invalid-value`.

    """
    if not isinstance(duration, dict):
        raise Unreadable(Reason.MALFORMED, "The duration is not an object.")
    unit = DURATION_US.get(str(duration.get("unit")))
    if unit is None:
        raise Unreadable(
            Reason.UNKNOWN_UNIT, "The duration is in a unit without a fixed length."
        )
    amount = number(duration.get("value"))
    us = int(Decimal(amount) * unit)
    if not 0 <= us <= _LONGEST_US:
        raise Unreadable(
            Reason.INVALID_VALUE, "The duration is negative or beyond a century."
        )
    return us


_LONGEST_US = 36_525 * DAY_US
