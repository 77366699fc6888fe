"""Series of a day or within it, as the former Web API gave them.

https://dev.fitbit.com/build/reference/web-api/intraday/
"""

from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import groupby
from types import MappingProxyType
from typing import Any, NamedTuple

from mappings.measurement import OutOfScope, Reading, Reason
from mappings.payload import MINUTE_US, SECOND_US, Instant, Unreadable, instant
from mappings.series import Point, heart_rate, heart_rate_signals
from mappings.times import Span, in_zone, reading
from mappings.vendors.fitbit.activities import unknown, zones
from mappings.vendors.fitbit.clock import Clock
from mappings.vendors.fitbit.numbers import measured, size_of
from mappings.vendors.fitbit.tables import (
    DAILY,
    INTRADAY,
    OUT_OF_SCOPE,
    ZERO_MAY_BE_MISSING,
    Quantity,
)

Json = Mapping[str, Any]

SERIES = "activities-"
WITHIN_A_DAY = "-intraday"

_GRAINS = MappingProxyType({"second": SECOND_US, "minute": MINUTE_US})
_MAX_INTERVAL = 60
_CLOCK = 8
"""Characters of `14:27:00`."""


class Series(NamedTuple):
    """A series of a file.

    Attributes:
        name: Its member, such as `activities-steps`.
        position: Where in the payload.
        clock: Clock of the person.

    """

    name: str
    position: str
    clock: Clock

    @property
    def resource(self) -> str:
        """Return what it is a series of, such as `steps`."""
        return self.name.removeprefix(SERIES).removesuffix(WITHIN_A_DAY)


def daily(
    series: Series, items: Sequence[Any], *, has_intraday: bool
) -> Iterator[Reading]:
    """Yield a series with one value a day."""
    for index, item in enumerate(items):
        place = f"{series.position}[{index}]"
        if isinstance(item, Mapping) and "value" not in item and has_intraday:
            continue
        try:
            yield from _of_day(series, item, place)
        except Unreadable as error:
            what = DAILY.get(series.resource)
            refused = error.of(what.kind) if what else error
            yield refused.refusal(place, {series.name: [item]})


def _of_day(series: Series, item: object, place: str) -> Iterator[Reading]:
    if not isinstance(item, Mapping):
        raise Unreadable(Reason.MALFORMED, "A value of a day is a JSON object.")
    resource = series.resource
    if resource.startswith(("tracker/", "tracker-")):
        yield OutOfScope(place, "the tracker's share of a day")
    elif resource == "heart":
        yield from _hearts(item, series.clock, place)
    elif resource in DAILY:
        span = series.clock.day(item.get("dateTime"))
        yield measured(DAILY[resource], item.get("value"), span, place)
    else:
        raise Unreadable(Reason.UNKNOWN_KIND, "The series is not one of those known.")


def _hearts(item: Json, clock: Clock, place: str) -> Iterator[Reading]:
    """Yield what a day's heart rate is made of, in either of its two shapes."""
    value, span = item.get("value"), clock.day(item.get("dateTime"))
    if isinstance(value, Mapping):
        item, place = value, f"{place}.value"
        rate = value.get("restingHeartRate")
        if rate is not None:
            yield measured(DAILY["restingHeartRate"], rate, span, place)
    elif value is not None:
        yield OutOfScope(f"{place}.value", "mean of the values within the day")
    if item.get("heartRateZones"):
        yield from zones(item["heartRateZones"], span, f"{place}.heartRateZones")
    if item.get("customHeartRateZones"):
        yield OutOfScope(place, OUT_OF_SCOPE["customHeartRateZones"])


class Within(NamedTuple):
    """A series within a day.

    Attributes:
        series: The series.
        what: What its values are.
        midnight: The day.
        grain_us: Length of an interval.
        kept: What a retry needs beside a value.

    """

    series: Series
    what: Quantity
    midnight: Span
    grain_us: int
    kept: Json

    def payload(self, point: object) -> dict[str, object]:
        """Return a file with one value, so that it can be tried again."""
        name = self.series.name
        return {**self.kept, name: {**self.kept[name], "dataset": [point]}}

    def position(self, index: int) -> str:
        """Return the place of a value."""
        return f"{self.series.position}.dataset[{index}]"


def intraday(series: Series, body: object, day: object) -> Iterator[Reading]:
    """Yield a series within a day; zeros that may be no data are only counted."""
    what = INTRADAY.get(series.resource)
    kept = {f"{SERIES}{series.resource}": [{"dateTime": day}], series.name: body}
    if what is None:
        yield unknown(series.position, kept)._replace(records=max(1, _size(body)))
        return
    try:
        points, grain_us = _dataset(body)
        series = series._replace(clock=series.clock.in_order())
        within = Within(series, what, series.clock.day(day), grain_us, kept)
    except Unreadable as error:
        count = max(1, _size(body))
        yield error.of(what.kind).refusal(series.position, kept, count)
        return
    if not points:
        yield OutOfScope(f"{series.position}.dataset", "series without a value")
    elif what.kind == "heart-rate" and grain_us < MINUTE_US:
        yield from _signals(within, points)
    else:
        yield from _points(within, points)


def _size(body: object) -> int:
    dataset = body.get("dataset") if isinstance(body, Mapping) else None
    return len(dataset) if isinstance(dataset, list) else 0


def _dataset(body: object) -> tuple[list[Any], int]:
    """Return the points of a series, and the length of its interval."""
    if not isinstance(body, Mapping) or not isinstance(body.get("dataset"), list):
        raise Unreadable(Reason.MALFORMED, "The series has no dataset.")
    grain = _GRAINS.get(str(body.get("datasetType", "minute")))
    count = body.get("datasetInterval", 1)
    if grain is None or type(count) is not int or not 0 < count <= _MAX_INTERVAL:
        raise Unreadable(Reason.MALFORMED, "The interval of the series is not known.")
    return body["dataset"], grain * count


def _points(within: Within, points: list[Any]) -> Iterator[Reading]:
    what = within.what
    for is_zero, group in groupby(
        enumerate(points), lambda pair: _is_zero(pair[1], what)
    ):
        run = list(group)
        if is_zero:
            place = within.position(run[0][0])
            yield OutOfScope(place, "interval without movement or data", len(run))
            continue
        for index, point in run:
            place = within.position(index)
            try:
                span = _when(within, point)
                yield measured(what, point["value"], span, place)
            except Unreadable as error:
                yield error.of(what.kind).refusal(place, within.payload(point))


def _when(within: Within, point: Any) -> Span:
    """Return the moment of a heart rate, else the interval of a value."""
    start = _time(within, point)
    if within.what.kind == "heart-rate":
        return start
    return within.series.clock.lasting(start, within.grain_us)


def _is_zero(point: object, what: Quantity) -> bool:
    value = point.get("value") if isinstance(point, Mapping) else None
    return what.kind in ZERO_MAY_BE_MISSING and (
        value == "0" or (value == 0 and not isinstance(value, bool | str))
    )


def _time(within: Within, point: object) -> Span:
    """Return the time of a point, on the day of its series.

    Raises:
        Unreadable: `malformed`, `no-time`.

    """
    if not isinstance(point, Mapping) or "value" not in point:
        raise Unreadable(Reason.MALFORMED, "A value has a time and a value.")
    time = point.get("time")
    if not isinstance(time, str):
        raise Unreadable(Reason.NO_TIME, "A value has no time.")
    midnight, end, zone, _ = within.midnight
    second_us = _second_us(time) if len(time) == _CLOCK else None
    offset = midnight.text[19:]
    if second_us is None or end is None or end.text[19:] != offset:
        return within.series.clock.at(f"{midnight.text[:10]}T{time}")
    text = f"{midnight.text[:10]}T{time}{offset}"
    return Span(Instant(text, midnight.us + second_us), None, zone)


@lru_cache(maxsize=2048)
def _second_us(time: str) -> int | None:
    """Return a time of the day such as `14:27:00` in microseconds; else None."""
    try:
        return instant(f"2000-01-01T{time}Z").us - _NEW_YEAR_US
    except Unreadable:
        return None


_NEW_YEAR_US = instant("2000-01-01T00:00:00Z").us


def _signals(within: Within, points: list[Any]) -> Iterator[Reading]:
    """Yield heart rates every few seconds as one signal an hour."""
    found: list[Point] = []
    is_disputed = False
    for index, point in enumerate(points):
        place = within.position(index)
        try:
            time = _time(within, point)
            rate = heart_rate(size_of(point["value"]))
        except Unreadable as error:
            refused = error.of("heart-rate-series")
            yield refused.refusal(place, within.payload(point))
            continue
        if rate is None:
            yield OutOfScope(place, "interval without a heart rate")
        else:
            found.append(Point(time.start.us, rate))
            is_disputed |= time.is_disputed
    series = within.series
    flags = ("zone-disputed",) if is_disputed else ()
    place = f"{series.position}.dataset"
    yield from heart_signals(found, series.clock, place, flags=flags)


def heart_signals(
    points: list[Point], clock: Clock, position: str, **more: Any
) -> Iterator[Reading]:
    """Yield heart rates as one signal an hour, at the clock's offset."""
    zone = clock.zone
    counted = len(points) - len(dict(points))
    for signal in heart_rate_signals(points, SECOND_US):
        start, end = (
            in_zone(us, zone) if zone else None
            for us in (signal.start_us, signal.end_us)
        )
        if start is None or end is None:
            raise Unreadable(Reason.NO_OFFSET, "The times are local.")
        yield reading(
            "heart-rate-series",
            signal.samples,
            "/min",
            Span(start, end, zone.key if zone else None),
            position,
            components=signal.statistics,
            records=signal.size,
            **more,
        )
    if counted:
        yield OutOfScope(position, "heart rate of a time that came twice", counted)
