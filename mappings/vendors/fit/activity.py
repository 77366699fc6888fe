"""A recorded activity: one workout a session, and its heart rates and heartbeats.

Records of every second become one heart-rate signal an hour; what else they hold is
summed up by the session, and positions are dropped.

https://developer.garmin.com/fit/file-types/activity/
"""

from collections.abc import Iterator, Mapping
from decimal import Decimal
from types import MappingProxyType

from mappings.code_system import WORKOUTS
from mappings.measurement import (
    Component,
    Measurement,
    OutOfScope,
    Reading,
    Reason,
    Refusal,
    Samples,
)
from mappings.payload import HOUR_US, SECOND_US, Unreadable, kebab
from mappings.series import (
    Point,
    heart_rate,
    heart_rate_signals,
    heart_rate_statistics,
)
from mappings.times import Span
from mappings.vendors.fit.clock import microseconds_of
from mappings.vendors.fit.decode import Message, Value, word
from mappings.vendors.fit.source import Source

PARTS: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "total_timer_time": ("workout-duration", "s"),
        "total_distance": ("distance", "m"),
        "total_calories": ("total-energy", "kcal"),
        "min_heart_rate": ("heart-rate-minimum", "/min"),
        "avg_heart_rate": ("heart-rate-mean", "/min"),
        "max_heart_rate": ("heart-rate-maximum", "/min"),
        "total_ascent": ("elevation-gain", "m"),
        "avg_power": ("power", "W"),
    }
)
"""Member of a session → kind and unit of a component."""

_SPEEDS = ("enhanced_avg_speed", "avg_speed")

ON_FOOT = frozenset({"running", "walking", "hiking"})
"""Sports whose cycles are strides of two steps."""

_OTHER_NAMES = MappingProxyType(
    {
        "rock-climbing": "climbing",
        "floor-climbing": "stair-climbing",
        "alpine-skiing": "downhill-skiing",
        "multisport": "swim-bike-run",
        "horseback-riding": "equestrian-sports",
        "e-biking": "cycling",
        "hiit": "high-intensity-interval-training",
        "mixed-martial-arts": "martial-arts",
        "stand-up-paddleboarding": "paddle-sports",
        "paddling": "paddle-sports",
        "kayaking": "paddle-sports",
        "rafting": "paddle-sports",
        "surfing": "surfing-sports",
        "windsurfing": "surfing-sports",
        "kitesurfing": "surfing-sports",
        "ice-skating": "skating-sports",
        "inline-skating": "skating-sports",
        "snowshoeing": "snow-sports",
        "wheelchair-push-walk": "wheelchair-walk-pace",
        "wheelchair-push-run": "wheelchair-run-pace",
        "disc-golf": "disc-sports",
        "racket": "other",
        "diving": "underwater-diving",
    }
)
"""The profile's word for a sport → ours."""

_SUB_SPORTS = MappingProxyType(
    {
        "strength_training": "traditional-strength-training",
        "elliptical": "elliptical",
        "stair_climbing": "stair-climbing",
        "indoor_rowing": "rowing",
        "yoga": "yoga",
        "pilates": "pilates",
        "flexibility_training": "flexibility",
        "cardio_training": "mixed-cardio",
        "pickleball": "pickleball",
        "squash": "squash",
        "badminton": "badminton",
        "racquetball": "racquetball",
        "table_tennis": "table-tennis",
        "hand_cycling": "hand-cycling",
    }
)
"""The profile's word for a part of a sport → ours, where that says more."""

_WORKOUTS = frozenset(WORKOUTS)
_HEART_RATE = 3
_TIME = "timestamp"
_POSITIONS = frozenset({"position_lat", "position_long"})
_OTHER = "sample that the session sums up"
_BEATS = "successive beats; the period is their mean"


class Activity:
    """Collects what the records of one file hold until all of them are known."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._points: list[Point] = []
        self._others: dict[str, int] = {}
        self._unknown: dict[tuple[int, int], int] = {}
        self._refused: dict[Reason, tuple[Unreadable, int]] = {}
        self._beats: dict[int, list[Decimal]] = {}
        self._now_us: int | None = None
        self._lost_beats = 0

    def record(self, message: Message) -> None:
        """Take a `record`: its heart rate is kept, all else counted."""
        values = message.values
        rate: object = values.get("heart_rate")
        for member in message.developer:
            if member.native == _HEART_RATE and rate is None and _is_rate(member.unit):
                rate = member.value
            else:
                self._unknown[member.key] = self._unknown.get(member.key, 0) + 1
        try:
            moment = self._source.clock.at(values.get(_TIME))
            self._now_us = moment.us
            beats = heart_rate(rate)
            if beats is not None:
                self._points.append(Point(moment.us, beats))
        except Unreadable as error:
            if rate is not None:
                _, count = self._refused.get(error.reason, (error, 0))
                self._refused[error.reason] = error, count + 1
        for name in values:
            if name not in {_TIME, "heart_rate"}:
                what = "geoposition" if name in _POSITIONS else _OTHER
                self._others[what] = self._others.get(what, 0) + 1

    def beats(self, message: Message) -> None:
        """Take the intervals of an `hrv` message; what fills it up is none."""
        times = message.values.get("time")
        given = times if isinstance(times, tuple) else (times,)
        found = [Decimal(one) for one in given if isinstance(one, int) and one]
        if isinstance(times, Decimal):
            found = [times * 1000]
        if self._now_us is None:
            self._lost_beats += len(found)
        else:
            hour = self._now_us // HOUR_US
            start_us = self._beat_start(hour)
            self._beats.setdefault(start_us, []).extend(found)

    def _beat_start(self, hour: int) -> int:
        """Return the start of the hour's heartbeats: the record before the first."""
        starts = [start for start in self._beats if start // HOUR_US == hour]
        return starts[0] if starts else self._now_us or 0

    def session(self, message: Message) -> Iterator[Reading]:
        """Yield the workout of a `session`, once all records are known."""
        try:
            yield self._workout(message)
        except Unreadable as error:
            count = max(1, len(PARTS.keys() & message.values.keys()))
            yield error.of("workout").refusal(message.position, None, count)

    def _workout(self, message: Message) -> Measurement:
        values, clock = message.values, self._source.clock
        begin = values.get("start_time")
        elapsed = values.get("total_elapsed_time", values.get("total_timer_time"))
        start = clock.at(begin)
        end = clock.at(begin, later_us=microseconds_of(elapsed))
        parts = {part.kind: part for part in _parts(values)}
        rates = [p.value for p in self._points if start.us <= p.us <= end.us]
        if rates:
            found = {part.kind: part for part in heart_rate_statistics(rates)}
            parts = found | parts
        return self._source.reading(
            "workout",
            sport_code(values.get("sport"), values.get("sub_sport")),
            "",
            clock.span(start, end),
            message.position,
            components=tuple(parts.values()),
            mark=f"#{start.us // SECOND_US}",
            records=max(1, len(PARTS.keys() & values.keys())),
        )

    def rest(self) -> Iterator[Reading]:
        """Yield the signals, and the account of all that the records hold beside."""
        for signal in heart_rate_signals(self._points, SECOND_US):
            span = self._span(signal.start_us, signal.end_us)
            yield self._source.reading(
                "heart-rate-series",
                signal.samples,
                "/min",
                span,
                "record.heart_rate",
                components=signal.statistics,
                mark=f"#{signal.hour_us // SECOND_US}",
                records=signal.size,
            )
        doubled = len(self._points) - len(dict(self._points))
        if doubled:
            yield OutOfScope("record.heart_rate", "second value of a moment", doubled)
        for start_us, beats in self._beats.items():
            if beats:
                yield self._heartbeats(start_us, beats)
        yield from self._account()

    def _heartbeats(self, start_us: int, beats: list[Decimal]) -> Measurement:
        total_ms = sum(beats, Decimal())
        period_ms = (total_ms / len(beats)).quantize(Decimal("0.001"))
        return self._source.reading(
            "rr-interval-series",
            Samples(period_ms, tuple(int(one) for one in beats)),
            "ms",
            self._span(start_us, start_us + int(total_ms * 1000)),
            "hrv.time",
            method=_BEATS,
            mark=f"#{start_us // SECOND_US}",
            records=len(beats),
        )

    def _span(self, start_us: int, end_us: int) -> Span:
        clock = self._source.clock
        return clock.span(clock.moment(start_us), clock.moment(end_us))

    def _account(self) -> Iterator[Reading]:
        for error, count in self._refused.values():
            yield error.of("heart-rate-series").refusal("record", None, count)
        if self._lost_beats:
            yield Refusal(
                "hrv.time",
                Reason.NO_TIME,
                "rr-interval-series",
                "No record tells when the heartbeats were.",
                None,
                self._lost_beats,
            )
        for (application, number), count in self._unknown.items():
            yield Refusal(
                f"record.developer[{application}][{number}]",
                Reason.UNKNOWN_KIND,
                None,
                "A developer field is not one that is understood.",
                None,
                count,
            )
        for what, count in self._others.items():
            yield OutOfScope("record", what, count)


def _is_rate(unit: str) -> bool:
    return unit.strip().casefold() in {"bpm", "beats/min", "/min"}


def _parts(values: Mapping[str, Value]) -> Iterator[Component]:
    for member, (kind, unit) in PARTS.items():
        value = values.get(member)
        if isinstance(value, int | Decimal):
            yield Component(kind, value, unit)
    speed = next((values[name] for name in _SPEEDS if name in values), None)
    if isinstance(speed, int | Decimal):
        yield Component("speed", speed, "m/s")
    if word("sport", values.get("sport")) in ON_FOOT:
        yield from _strides(values)


def _strides(values: Mapping[str, Value]) -> Iterator[Component]:
    """Yield steps and their rate; the file counts strides, of two steps each."""
    strides, cadence = values.get("total_cycles"), values.get("avg_cadence")
    if isinstance(strides, int):
        yield Component("steps", strides * 2, "{steps}")
    if isinstance(cadence, int):
        part = values.get("avg_fractional_cadence")
        whole = cadence + (part if isinstance(part, Decimal) else 0)
        yield Component("cadence", whole * 2, "{steps}/min")


def sport_code(sport: object, sub_sport: object) -> str:
    """Return the code of a sport; `other` for one without a code."""
    part = _SUB_SPORTS.get(word("sub_sport", sub_sport) or "")
    if part is not None:
        return part
    name = kebab(word("sport", sport) or "")
    code = _OTHER_NAMES.get(name, name)
    return code if code in _WORKOUTS else "other"
