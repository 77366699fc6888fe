"""Times that a source writes without an offset, days, and spans of time.

A local time becomes an instant only through a zone that somebody has named. An hour
that the zone's clocks show twice is said to be disputed and taken for its first pass,
or for its second where the times before it say so; one that they skip does not exist.

https://hl7.org/fhir/R4/datatypes.html#dateTime
"""

import re
from datetime import date, datetime, timedelta
from decimal import Decimal
from functools import lru_cache
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from mappings.measurement import Measurement, Reason
from mappings.payload import (
    MINUTE_US,
    SECOND_US,
    Instant,
    Unreadable,
    at_offset,
    microseconds,
    zone_of,
    zone_offset_minutes,
)

_YEAR_2000_S = 946_684_800
_YEAR_2200_S = 7_258_118_400

_LOCAL = re.compile(
    r"(?P<day>[0-9]{4}-[0-9]{2}-[0-9]{2})[T ]"
    r"(?P<minute>[0-9]{2}:[0-9]{2})(?P<second>:[0-9]{2})?(?P<fraction>\.[0-9]+)?"
)


class Span(NamedTuple):
    """When a reading was taken.

    Attributes:
        start: The instant, or the start of the interval.
        end: The end of the interval; None for an instant.
        zone: IANA name of the zone, where the source knows it.
        is_disputed: Whether the local time names two instants.

    """

    start: Instant
    end: Instant | None = None
    zone: str | None = None
    is_disputed: bool = False


def reading(
    kind: str, value: Any, unit: str, span: Span, position: str, **more: Any
) -> Measurement:
    """Return a Measurement taken at `span`; `more` are its further attributes."""
    start, end, zone, is_disputed = span
    if is_disputed:
        more["flags"] = (*more.get("flags", ()), "zone-disputed")
    return Measurement(
        kind,
        value,
        unit,
        start.text,
        start.us,
        None if end is None else end.text,
        start.us if end is None else end.us,
        position,
        zone=more.pop("zone", zone),
        **more,
    )


def named_zone(name: object) -> ZoneInfo:
    """Return the IANA zone of that name.

    Raises:
        Unreadable: `no-offset` where there is no such zone.

    """
    zone = zone_of(name) if isinstance(name, str) and name else None
    if zone is None:
        raise Unreadable(
            Reason.NO_OFFSET, "The times are local, and no known zone is named."
        )
    return zone


def epoch_s(value: object, offset_minutes: int | None = None) -> Instant:
    """Return the moment that lies `value` seconds after 1970.

    Args:
        value: A number of seconds, whole or not.
        offset_minutes: At which offset it is written; None writes `Z`.

    Raises:
        Unreadable: `no-time` for null, `malformed` for what names no year from 2000
            to 2199: it counts something else, milliseconds for instance.

    """
    if value is None:
        raise Unreadable(Reason.NO_TIME, "There is no time.")
    if (
        isinstance(value, bool)
        or not isinstance(value, int | Decimal)
        or not _YEAR_2000_S <= value < _YEAR_2200_S
    ):
        raise Unreadable(
            Reason.MALFORMED, "The time is not a number of seconds since 1970."
        )
    return written_at(int(value * SECOND_US), offset_minutes)


def written_at(us: int, offset_minutes: int | None = None) -> Instant:
    """Return the moment `us` at an offset; in UTC, as `Z`, where none is known."""
    if offset_minutes is not None:
        return at_offset(us, offset_minutes)
    return Instant(f"{at_offset(us, 0).text[:-6]}Z", us)


def in_zone(us: int, zone: ZoneInfo) -> Instant:
    """Return the moment `us` as clocks of `zone` show it."""
    return written_at(us, zone_offset_minutes(zone, us))


def local_instant(text: object, zone: ZoneInfo) -> tuple[Instant, bool]:
    """Return the moment that a local time names, and whether it names another too.

    Args:
        text: Such as `2024-03-31T02:30:00` or `2024-03-31 02:30`.
        zone: Whose clocks show it.

    Raises:
        Unreadable: `no-time` for null or a date, `malformed` for any other text and
            for an hour that the zone's clocks skip.

    """
    if not isinstance(text, str):
        raise Unreadable(
            Reason.NO_TIME if text is None else Reason.MALFORMED, "There is no time."
        )
    found = _LOCAL.fullmatch(text)
    if found is None:
        raise Unreadable(Reason.MALFORMED, "The text is not a local time.")
    day, minute, second, fraction = found.groups()
    try:
        naive = datetime.fromisoformat(f"{day}T{minute}{second or ':00'}")
    except ValueError:
        raise Unreadable(Reason.MALFORMED, "The time does not exist.") from None
    moment, is_disputed = _at(naive, zone)
    us = moment.us + int((fraction or ".0")[1:7].ljust(6, "0"))
    return written_at(us, zone_offset_minutes(zone, us)), is_disputed


def second_pass(moment: Instant, zone: ZoneInfo) -> Instant:
    """Return the later instant at which the zone's clocks show the same time."""
    naive = datetime.fromisoformat(moment.text[:19])
    again = microseconds(naive.replace(tzinfo=zone, fold=1))
    return in_zone(again + moment.us % SECOND_US, zone)


class Order:
    """Tells the two passes of an hour apart in a list that is in order.

    A disputed time that would lie before what the list has passed is of the second
    pass; it stays disputed, for the list itself does not say so.
    """

    def __init__(self) -> None:
        self._passed_us = 0

    def settled(self, span: Span, zone: ZoneInfo) -> Span:
        """Return the moment in the pass that its place in the list leaves."""
        if span.is_disputed and span.start.us < self._passed_us:
            span = span._replace(start=second_pass(span.start, zone))
        self.passed(span.start.us + 1)
        return span

    def passed(self, us: int) -> None:
        """Say that nothing which is still to come lies before `us`."""
        self._passed_us = max(self._passed_us, us)


def _at(naive: datetime, zone: ZoneInfo) -> tuple[Instant, bool]:
    first = naive.replace(tzinfo=zone, fold=0)
    us = microseconds(first)
    offset = zone_offset_minutes(zone, us)
    if offset is None or at_offset(us, offset).text[:19] != naive.isoformat():
        raise Unreadable(Reason.MALFORMED, "The zone's clocks skip this time.")
    again = naive.replace(tzinfo=zone, fold=1)
    return Instant(naive.isoformat(), us), first.utcoffset() != again.utcoffset()


@lru_cache(maxsize=1024)
def local_day(text: object, zone: ZoneInfo) -> Span:
    """Return a day of a zone, from its midnight to the next: 23 to 25 hours.

    Raises:
        Unreadable: `no-time` for null, `malformed` for no day.

    """
    day = _day(text)
    start, end = (
        microseconds(datetime(one.year, one.month, one.day, tzinfo=zone))
        for one in (day, day + timedelta(days=1))
    )
    return Span(in_zone(start, zone), in_zone(end, zone), zone.key)


def day_at(text: object, offset_minutes: int) -> Span:
    """Return a day of 24 hours at an offset, from midnight to midnight.

    Raises:
        Unreadable: as `local_day`.

    """
    day = _day(text)
    start = microseconds(
        datetime.fromisoformat(f"{day.isoformat()}T00:00:00+00:00")
    ) - (offset_minutes * MINUTE_US)
    end = start + 24 * 60 * MINUTE_US
    return Span(at_offset(start, offset_minutes), at_offset(end, offset_minutes))


def _day(text: object) -> date:
    if text is None:
        raise Unreadable(Reason.NO_TIME, "There is no day.")
    try:
        return date.fromisoformat(str(text)[:10]) if _is_day(text) else _no_day()
    except ValueError:
        return _no_day()


def _is_day(text: object) -> bool:
    return isinstance(text, str) and len(text) == 10  # noqa: PLR2004 - YYYY-MM-DD


def _no_day() -> date:
    raise Unreadable(Reason.MALFORMED, "The text is not a day.")
