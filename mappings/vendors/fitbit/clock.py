"""Fitbit's local times, in each of the ways in which its files write them.

No file tells a zone: it must be named, or each time is refused as `no-offset`.

https://dev.fitbit.com/build/reference/web-api/developer-guide/application-design/#Timestamp-and-Timezone
"""

import re
from typing import NamedTuple
from zoneinfo import ZoneInfo

from mappings.measurement import Reason
from mappings.payload import Instant, Unreadable, at_offset, offset_minutes
from mappings.records import day_text, moment
from mappings.times import (
    Order,
    Span,
    in_zone,
    local_day,
    local_instant,
    named_zone,
    second_pass,
)

_TAKEOUT = re.compile(
    r"(?P<month>[0-9]{2})/(?P<day>[0-9]{2})/(?P<year>[0-9]{2})"
    r"(?: (?P<time>[0-9]{2}:[0-9]{2}(?::[0-9]{2})?))?"
)
_CSV = re.compile(
    r"(?:(?P<year>[0-9]{4})-(?P<month>[0-9]{2})-(?P<day>[0-9]{2})"
    r"|(?P<day_>[0-9]{2})-(?P<month_>[0-9]{2})-(?P<year_>[0-9]{4}))"
    r" (?P<hour>[0-9]{1,2}):(?P<minute>[0-9]{2}) ?(?P<half>[AaPp])[Mm]"
)
_NOON = 12
_LOCAL = 23
"""Characters of a local time with milliseconds."""

_DATE = 10
"""Characters of `YYYY-MM-DD`."""


class Clock(NamedTuple):
    """The clock that the person's tracker shows.

    Attributes:
        zone: Its zone; None where nobody has named one.
        order: What the list has passed whose times it reads; None where they are not
            in order.

    """

    zone: ZoneInfo | None
    order: Order | None = None

    def in_order(self) -> "Clock":
        """Return the same clock for the times of a list that is in order."""
        return self._replace(order=Order())

    def _named(self) -> ZoneInfo:
        return named_zone(None if self.zone is None else self.zone.key)

    def day(self, text: object) -> Span:
        """Return a day, from midnight to midnight.

        Raises:
            Unreadable: `no-offset`, `no-time`, `malformed`.

        """
        return local_day(day_text(iso(text))[:_DATE], self._named())

    def at(self, text: object) -> Span:
        """Return the moment of a local time; an offset that is there is kept.

        Raises:
            Unreadable: `no-offset`, `no-time`, `malformed`.

        """
        written = day_text(iso(text))
        try:
            return Span(moment(written))
        except Unreadable as error:
            if error.reason is not Reason.NO_OFFSET:
                raise
        zone = self._named()
        time, is_disputed = local_instant(written, zone)
        span = Span(time, None, zone.key, is_disputed)
        return span if self.order is None else self.order.settled(span, zone)

    def lasting(self, start: Span, us: int) -> Span:
        """Return the interval of `us` microseconds from `start`."""
        end = start.start.us + us
        if self.order is not None:
            self.order.passed(end)
        if self.zone is None or start.zone is None:
            return start._replace(end=_like(start.start, end))
        return start._replace(end=in_zone(end, self.zone))

    def between(self, start: object, end: object, us: int | None = None) -> Span:
        """Return the interval between two local times.

        Args:
            start: When it starts.
            end: When it ends.
            us: How long it is where that is known; it tells of which pass the end is.

        Raises:
            Unreadable: `negative-interval`, and as `at`.

        """
        _check_order(iso(start), iso(end))
        first, last = self.at(start), self.at(end)
        if us is not None and last.is_disputed and first.start.us + us > last.start.us:
            last = last._replace(start=second_pass(last.start, self._named()))
        if last.start.us < first.start.us:
            raise Unreadable(Reason.NEGATIVE_INTERVAL, "It ends before it starts.")
        return first._replace(
            end=last.start, is_disputed=first.is_disputed or last.is_disputed
        )


def _check_order(start: object, end: object) -> None:
    """Refuse local times that are in the wrong order, whatever their zone."""
    if not isinstance(start, str) or not isinstance(end, str):
        return
    if len(start) == len(end) <= _LOCAL and end < start:
        raise Unreadable(Reason.NEGATIVE_INTERVAL, "It ends before it starts.")


def _like(start: Instant, us: int) -> Instant:
    """Return the moment `us` at the offset of another."""
    return at_offset(us, offset_minutes(start.text))


def iso(text: object) -> object:
    """Return a time of Takeout or of the CSV as ISO 8601 writes it; others as is."""
    if not isinstance(text, str):
        return text
    found = _TAKEOUT.fullmatch(text)
    if found is not None:
        day = f"20{found['year']}-{found['month']}-{found['day']}"
        return f"{day}T{found['time']}" if found["time"] else day
    found = _CSV.fullmatch(text)
    return text if found is None else _of_csv(found)


def _of_csv(found: re.Match[str]) -> str:
    year, month, day = (
        found[name] or found[f"{name}_"] for name in ("year", "month", "day")
    )
    hour = int(found["hour"]) % _NOON + (_NOON if found["half"] in "Pp" else 0)
    if not 1 <= int(found["hour"]) <= _NOON:
        hour = 99
    return f"{year}-{month}-{day}T{hour:02}:{found['minute']}:00"
