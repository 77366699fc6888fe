"""All-day monitoring: counters that only grow become what was done in between.

A message gives the count since the day began, one count for each kind of movement,
and the time as a 16-bit number that rolls over every 18 hours. Walking and running
count cycles of two steps.

https://developer.garmin.com/fit/file-types/monitoring/
"""

from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from types import MappingProxyType
from typing import NamedTuple

from mappings.measurement import OutOfScope, Reading, Reason
from mappings.payload import SECOND_US, Unreadable
from mappings.vendors.fit.decode import Message, Value, word
from mappings.vendors.fit.source import Source

RUNNING, WALKING = 1, 6
_ON_FOOT = frozenset({RUNNING, WALKING})
_ROLL = 1 << 16

Number = Decimal | int


class Counter(NamedTuple):
    """What a counter counts.

    Attributes:
        kind: Row of kinds.csv.
        unit: UCUM code of a difference once it is multiplied.
        factor: What a difference is multiplied with.

    """

    kind: str
    unit: str
    factor: int = 1


COUNTERS: Mapping[str, Counter] = MappingProxyType(
    {
        "cycles": Counter("steps", "{steps}", 2),
        "distance": Counter("distance", "m"),
        "active_calories": Counter("active-energy", "kcal"),
        "active_time": Counter("activity-duration", "s"),
        "calories": Counter("total-energy", "kcal"),
    }
)
"""Member → what its count since the start of the day counts."""

_COUNTED_ON_FOOT = frozenset({"cycles"})

_NO_MEASUREMENT = "class of movement without a count"


class _Count(NamedTuple):
    time: int
    value: Number


class Monitoring:
    """Reads the messages of one file, in their order."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._time: int | None = None
        self._start: int | None = None
        self._counts: dict[tuple[str, object], _Count] = {}

    def start(self, message: Message) -> None:
        """Take the start of the file's counters from `monitoring_info`."""
        time = message.values.get("timestamp")
        if isinstance(time, int):
            self._time = self._start = time

    def readings(self, message: Message) -> Iterator[Reading]:
        """Yield the readings of a `monitoring` message."""
        values = message.values
        found = False
        try:
            time = self._now(values)
            for member, reader in _READERS.items():
                value = values.get(member)
                if isinstance(value, int | Decimal):
                    found = True
                    yield reader(self, message, member, time, value)
        except Unreadable as error:
            count = max(1, len(_READERS.keys() & values.keys()))
            yield error.refusal(message.position, None, count)
            return
        if not found:
            yield OutOfScope(message.position, _NO_MEASUREMENT)

    def _now(self, values: Mapping[str, Value]) -> int:
        """Return when a message was written, its 16-bit time unrolled.

        Raises:
            Unreadable: `no-time` where no full time came before.

        """
        full, short = values.get("timestamp"), values.get("timestamp_16")
        if isinstance(full, int):
            self._time = full
        elif self._time is None:
            raise Unreadable(Reason.NO_TIME, "No full time came before a 16-bit one.")
        elif isinstance(short, int):
            self._time += (short - self._time) % _ROLL
        return self._time

    def counter(
        self, message: Message, member: str, time: int, value: Number
    ) -> Reading:
        """Return what a counter counted since it was last seen."""
        place = f"{message.position}.{member}"
        movement = message.values.get("activity_type")
        counter = COUNTERS[member]
        if member in _COUNTED_ON_FOOT and movement not in _ON_FOOT:
            return OutOfScope(place, "cycles that are no steps")
        last = self._counts.get((member, movement))
        self._counts[member, movement] = _Count(time, value)
        if last is None and self._start is None:
            return OutOfScope(place, "first count, whose start is not known")
        begin = last or _Count(self._start or 0, 0)
        done = value - begin.value
        start = self._source.clock.at(begin.time)
        end = self._source.clock.at(time)
        if done < 0:
            # The day is over and the counter began anew.
            done = value
            midnight = self._source.clock.midnight_us(end.us)
            if midnight is not None and start.us < midnight:
                later_us = midnight - start.us
                start = self._source.clock.at(begin.time, later_us=later_us)
        return self._source.reading(
            counter.kind,
            _whole(done * counter.factor),
            counter.unit,
            self._source.clock.span(start, end),
            place,
            method=word("activity_type", movement),
            mark=f"#{end.us // SECOND_US}-{movement}",
        )

    def heart_rate(
        self, message: Message, member: str, time: int, value: Number
    ) -> Reading:
        """Return a heart rate; 0 stands for none."""
        place = f"{message.position}.{member}"
        if not value:
            return OutOfScope(place, "message without a value")
        moment = self._source.clock.at(time)
        mark = f"#{moment.us // SECOND_US}"
        span = self._source.clock.span(moment)
        return self._source.reading("heart-rate", value, "/min", span, place, mark=mark)


def _whole(value: Number) -> Number:
    """Return a whole number as one; half a cycle times two is a step."""
    return int(value) if value == int(value) else value


_READERS: Mapping[str, Callable[[Monitoring, Message, str, int, Number], Reading]] = (
    MappingProxyType(
        {
            **dict.fromkeys(COUNTERS, Monitoring.counter),
            "heart_rate": Monitoring.heart_rate,
        }
    )
)
"""Member of `monitoring` → what reads it; other members are no measurement."""
