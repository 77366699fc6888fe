"""Times of a FIT file: seconds since 1989-12-31T00:00:00Z, and a local time beside.

A number below 0x10000000 counts the seconds since the device was switched on: then
only `local_timestamp` tells when, and only to who knows the zone.

https://developer.garmin.com/fit/cookbook/datetime/
"""

from collections.abc import Iterable
from datetime import datetime, timedelta
from decimal import Decimal
from typing import NamedTuple
from zoneinfo import ZoneInfo

from mappings.measurement import Reason
from mappings.payload import DAY_US, MINUTE_US, SECOND_US, Instant, Unreadable
from mappings.times import Span, in_zone, local_instant, written_at
from mappings.vendors.fit.decode import Message

EPOCH_US = 631_065_600 * SECOND_US
"""1989-12-31T00:00:00Z, in microseconds since 1970."""

_FIRST_ABSOLUTE = 0x10000000
_MAX_OFFSET_S = 14 * 3600
_EPOCH = datetime(1989, 12, 31)  # noqa: DTZ001 - of local clocks, in no zone
_TELLS_LOCAL = frozenset({"activity", "monitoring_info", "timestamp_correlation"})


class Clock(NamedTuple):
    """How the seconds of one FIT file become times.

    Attributes:
        offset: Minutes from UTC that the file tells; None where it does not.
        zone: Zone that the caller names, for a file that tells no offset.
        since_local: Local seconds at second 0 of a device that counts from its start.
        is_disputed: Whether the file's local time cannot be.

    """

    offset: int | None = None
    zone: ZoneInfo | None = None
    since_local: int | None = None
    is_disputed: bool = False

    def at(self, seconds: object, *, later_us: int = 0) -> Instant:
        """Return the moment of a time stamp, or one so much later.

        Raises:
            Unreadable: `no-time` without one, `no-offset` where only a local time is
                known and no zone.

        """
        if not isinstance(seconds, int):
            raise Unreadable(Reason.NO_TIME, "The message has no timestamp.")
        if seconds < _FIRST_ABSOLUTE:
            return self._from_start(seconds, later_us)
        return self.moment(EPOCH_US + seconds * SECOND_US + later_us)

    def _from_start(self, seconds: int, later_us: int) -> Instant:
        if self.since_local is None:
            raise Unreadable(
                Reason.NO_TIME,
                "The device counts from its start, and the file tells no local time.",
            )
        if self.zone is None:
            raise Unreadable(
                Reason.NO_OFFSET,
                "The device counts from its start: only its local time is known.",
            )
        local = _EPOCH + timedelta(seconds=self.since_local + seconds)
        moment, _ = local_instant(local.isoformat(), self.zone)
        return in_zone(moment.us + later_us, self.zone)

    def moment(self, us: int) -> Instant:
        """Return a moment, microseconds since 1970, as this clock writes it."""
        if self.offset is None and self.zone is not None:
            return in_zone(us, self.zone)
        return written_at(us, self.offset)

    def span(self, start: Instant, end: Instant | None = None) -> Span:
        """Return the span between two moments of this clock."""
        name = None if self.zone is None or self.offset is not None else self.zone.key
        return Span(start, end, name, self.is_disputed)

    def midnight_us(self, us: int) -> int | None:
        """Return the local midnight before a moment; None where no offset is known."""
        if self.offset is None:
            return None
        local = us + self.offset * MINUTE_US
        return local - local % DAY_US - self.offset * MINUTE_US


def clock_of(messages: Iterable[Message], zone: ZoneInfo | None) -> Clock:
    """Return the clock of a FIT file, from the message that tells the local time."""
    for message in messages:
        local = message.values.get("local_timestamp")
        time = message.values.get("timestamp")
        if (
            message.name in _TELLS_LOCAL
            and isinstance(local, int)
            and isinstance(time, int)
        ):
            return _clock(time, local, zone)
    return Clock(zone=zone)


def _clock(time: int, local: int, zone: ZoneInfo | None) -> Clock:
    distance = local - time
    if time < _FIRST_ABSOLUTE:
        since_local = distance if local >= _FIRST_ABSOLUTE else None
        return Clock(zone=zone, since_local=since_local)
    if distance % 60 or abs(distance) > _MAX_OFFSET_S:
        return Clock(zone=zone, is_disputed=True)
    return Clock(offset=distance // 60)


def microseconds_of(seconds: object) -> int:
    """Return a length in seconds as microseconds.

    Raises:
        Unreadable: `no-time` for what is no number.

    """
    if not isinstance(seconds, int | Decimal):
        raise Unreadable(Reason.NO_TIME, "The message has no duration.")
    return int(seconds * SECOND_US)
