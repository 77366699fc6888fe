"""FHIR dates, dateTimes, instants and Periods as inclusive microsecond bounds.

A partial value covers all of its year, month or day, in the deployment's zone;
microseconds count from 1970-01-01T00:00:00Z.

https://hl7.org/fhir/R4/datatypes.html#dateTime
"""

import re
from calendar import monthrange
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta, tzinfo
from functools import lru_cache
from typing import NamedTuple

_DATE = re.compile(r"([0-9]{4})(?:-(0[1-9]|1[0-2])(?:-(0[1-9]|[12][0-9]|3[01]))?)?")
_INSTANT = re.compile(
    r"[0-9]{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12][0-9]|3[01])"
    r"T(?:[01][0-9]|2[0-3]):[0-5][0-9]:(?:[0-5][0-9]|60)(?:\.[0-9]{1,18})?"
    r"(?:Z|[+-](?:(?:0[0-9]|1[0-3]):[0-5][0-9]|14:00))"
)
_LEAP_SECOND = slice(17, 19)

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_SECOND_US = 1_000_000
_DAY_US = 86_400 * _SECOND_US
_OPEN: tuple[None, None] = (None, None)


class Interval(NamedTuple):
    """Microsecond bounds, both inclusive; None is open."""

    start: int | None
    end: int | None

    def contains(self, at_us: int) -> bool:
        """Whether the moment lies inside."""
        return (self.start is None or self.start <= at_us) and (
            self.end is None or at_us <= self.end
        )


def bounds(value: object, zone: tzinfo) -> tuple[int, int] | None:
    """Return the first and the last microsecond that `value` covers.

    None where it is no FHIR date, dateTime or instant; a time without an offset
    is not a time.
    """
    if not isinstance(value, str):
        return None
    if _INSTANT.fullmatch(value):
        return _instant(value)
    return _whole_days(value, zone) if _DATE.fullmatch(value) else None


def _instant(text: str) -> tuple[int, int] | None:
    leap_us = 0
    if text[_LEAP_SECOND] == "60":
        text, leap_us = f"{text[:17]}59{text[19:]}", _SECOND_US
    try:
        at_us = (datetime.fromisoformat(text) - _EPOCH) // _MICROSECOND + leap_us
    except ValueError:
        return None
    return at_us, at_us


@lru_cache(maxsize=4096)
def _whole_days(text: str, zone: tzinfo) -> tuple[int, int] | None:
    year, month, day = (int(part) for part in (text + "-00-00")[:10].split("-"))
    try:
        first = date(year, month or 1, day or 1)
    except ValueError:
        return None
    last_month = month or 12
    last = first if day else date(year, last_month, monthrange(year, last_month)[1])
    start_us = _midnight(first, zone)
    return start_us, max(start_us, _end_of_day(last, zone))


def _midnight(day: date, zone: tzinfo) -> int:
    local = datetime(day.year, day.month, day.day, tzinfo=zone)
    return _local_us(local) - _offset_us(local)


def _end_of_day(day: date, zone: tzinfo) -> int:
    if day == date.max:
        local = datetime(day.year, day.month, day.day, tzinfo=zone)
        return _local_us(local) + _DAY_US - 1 - _offset_us(local)
    return _midnight(day + timedelta(days=1), zone) - 1


def _local_us(local: datetime) -> int:
    return (local.replace(tzinfo=UTC) - _EPOCH) // _MICROSECOND


def _offset_us(local: datetime) -> int:
    return (local.utcoffset() or timedelta()) // _MICROSECOND


def period(value: object, zone: tzinfo) -> Interval | None:
    """Return the bounds of a Period; None where it has none, or they are inverted."""
    if not isinstance(value, Mapping) or not ("start" in value or "end" in value):
        return None
    start = bounds(value["start"], zone) if "start" in value else _OPEN
    end = bounds(value["end"], zone) if "end" in value else _OPEN
    if start is None or end is None:
        return None
    first, last = start[0], end[1]
    if first is not None and last is not None and first > last:
        return None
    return Interval(first, last)
