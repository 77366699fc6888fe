"""Times in an officer's zone: what she reads, what she types, parts of the calendar.

https://data.iana.org/time-zones/theory.html
"""

import re
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta, tzinfo
from types import MappingProxyType
from zoneinfo import ZoneInfo

from conformance.date_range import parsed_date
from conformance.issues import FHIRError, IssueType

SECOND_US = 1_000_000
MINUTE_US = 60 * SECOND_US
HOUR_US = 60 * MINUTE_US
DAY_US = 24 * HOUR_US

MAX_ZONE = 64
"""Characters of a zone's name."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_+-]*(?:/[A-Za-z0-9_+-]+)*")
_WITHOUT_OFFSET = re.compile(r"\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}(?::\d{2})?")


def zone_of(name: str) -> ZoneInfo:
    """Return the zone of an IANA name.

    Raises:
        FHIRError: `invalid` for what is no name of a zone.

    """
    try:
        if len(name) <= MAX_ZONE and _NAME.fullmatch(name):
            return ZoneInfo(name)
    except (LookupError, OSError, ValueError):
        pass
    raise FHIRError(
        IssueType.INVALID, "The time zone is a name such as Europe/Zurich or UTC."
    )


def at(us: int, zone: tzinfo) -> datetime:
    """Return an instant in a zone."""
    return (_EPOCH + timedelta(microseconds=us)).astimezone(zone)


def us_of(moment: datetime) -> int:
    """Return microseconds since 1970."""
    return (moment.astimezone(UTC) - _EPOCH) // timedelta(microseconds=1)


def shown(us: int, zone: tzinfo) -> str:
    """Return an instant as it is read: to the second, with its offset."""
    return at(us, zone).isoformat(sep=" ", timespec="seconds")


def typed(text: str, zone: tzinfo) -> tuple[int, int]:
    """Return the first microsecond of what was typed, and the first one after it.

    A year, a month, a day, a minute or a second; without an offset, in the zone.

    Raises:
        FHIRError: `invalid` for what is no date or time.

    """
    asked = text.strip()
    if _WITHOUT_OFFSET.fullmatch(asked):
        asked = _with_offset(asked, zone)
    try:
        found = parsed_date(asked, zone)
    except FHIRError as error:
        raise FHIRError(
            IssueType.INVALID,
            "A time is a year, a month, a day or a minute, such as 2026, 2026-11, "
            "2026-11-20 or 2026-11-20T08:15.",
        ) from error
    return max(0, found.start_us), max(0, found.end_us + 1)


def _with_offset(text: str, zone: tzinfo) -> str:
    try:
        local = datetime.fromisoformat(text).replace(tzinfo=zone)
        seconds = "seconds" if text.count(":") > 1 else "minutes"
        return local.isoformat(timespec=seconds)
    except (ValueError, OverflowError):
        return ""


def _year(moment: datetime) -> datetime:
    return moment.replace(month=1, day=1, hour=0, minute=0, second=0, microsecond=0)


def _month(moment: datetime) -> datetime:
    return moment.replace(day=1, hour=0, minute=0, second=0, microsecond=0)


def _day(moment: datetime) -> datetime:
    return moment.replace(hour=0, minute=0, second=0, microsecond=0)


def _hour(moment: datetime) -> datetime:
    return moment.replace(minute=0, second=0, microsecond=0)


def _minute(moment: datetime) -> datetime:
    return moment.replace(second=0, microsecond=0)


UNITS: Mapping[str, Callable[[datetime], datetime]] = MappingProxyType(
    {"year": _year, "month": _month, "day": _day, "hour": _hour, "minute": _minute}
)
"""Parts of the calendar, and where the one begins in which a moment lies."""

_LONGEST_US: Mapping[str, int] = MappingProxyType(
    {"year": 366 * DAY_US, "month": 31 * DAY_US, "day": DAY_US}
)
"""Of those that are not always as long."""

_LENGTH_US: Mapping[str, int] = MappingProxyType({"hour": HOUR_US, "minute": MINUTE_US})

_FORMS: Mapping[str, str] = MappingProxyType(
    {"year": "%Y", "month": "%Y-%m", "day": "%Y-%m-%d"}
)


def begins(us: int, unit: str, zone: tzinfo) -> int:
    """Return where the part of the calendar begins in which an instant lies."""
    return us_of(UNITS[unit](at(us, zone)))


def follows(us: int, unit: str, zone: tzinfo) -> int:
    """Return where the part of the calendar ends that begins at an instant."""
    if unit in _LENGTH_US:
        return us + _LENGTH_US[unit]
    # In the middle of the next one, whatever the clock was put forward or back.
    return begins(us + _LONGEST_US[unit] + DAY_US // 2, unit, zone)


def parts(
    since_us: int, until_us: int, unit: str, zone: tzinfo
) -> Iterator[tuple[int, int]]:
    """Yield the parts of the calendar that a time has, as (from, to)."""
    start = begins(since_us, unit, zone)
    while start < until_us:
        after = follows(start, unit, zone)
        yield start, after
        start = after


def period_of(us: int, unit: str, zone: tzinfo) -> dict[str, str]:
    """Return what to type for the part of the calendar that begins at an instant."""
    start = at(us, zone)
    if unit in _FORMS:
        text = start.strftime(_FORMS[unit])
        return {"since": text, "until": text}
    last = at(us + _LENGTH_US[unit] - MINUTE_US, zone)
    return {
        "since": start.isoformat(timespec="minutes"),
        "until": last.isoformat(timespec="minutes"),
    }
