"""Arrays of points: `[[milliseconds, value], …]`, of which some have no value.

https://connect.garmin.com/
"""

from collections.abc import Iterator, Mapping
from itertools import pairwise
from types import MappingProxyType
from typing import Any, NamedTuple

from mappings.measurement import Measurement, OutOfScope, Reading, Reason
from mappings.payload import SECOND_US, Instant, Unreadable, number, offset_minutes
from mappings.series import Point, heart_rate, heart_rate_signals
from mappings.times import Span
from mappings.vendors.garmin_connect.body import (
    NO_VALUE,
    Body,
    Quantity,
    microseconds_of,
)
from mappings.vendors.garmin_connect.members import BATTERY, STRESS

HEART_RATES = "heartRateValues"

_HEART_RATE_GRAIN_S = 120
_GRAIN_US = 180 * SECOND_US


class Array(NamedTuple):
    """What the points of a member are.

    Attributes:
        quantity: What their values are.
        column: Where in a point the value is.
        name: Starts the identifier of a point, so that an answer that repeats it,
            such as that of a sleep within a day, names it alike.

    """

    quantity: Quantity
    column: int
    name: str


ARRAYS: Mapping[str, Array] = MappingProxyType(
    {
        "stressValuesArray": Array(STRESS, 1, "stress"),
        "bodyBatteryValuesArray": Array(BATTERY, 2, "body-battery"),
    }
)
"""Members whose points are readings of their own."""


def heart_rates(body: Body, span: Span) -> Iterator[Reading]:
    """Yield the heart rates of a day as one signal an hour; null is a gap."""
    place = f"{body.position}.{HEART_RATES}"
    rates: list[Point] = []
    gaps = 0
    for row in _rows(body.fields.get(HEART_RATES)):
        try:
            us, value = _pair(row, 1)
            rate = heart_rate(value)
        except Unreadable as error:
            yield error.of("heart-rate-series").refusal(
                place, body.kept(**{HEART_RATES: [row]})
            )
            continue
        if rate is None:
            gaps += 1
        else:
            rates.append(Point(us, rate))
    if gaps:
        yield OutOfScope(place, NO_VALUE, gaps)
    for signal in heart_rate_signals(rates, _HEART_RATE_GRAIN_S * SECOND_US):
        yield body.reading(
            "heart-rate-series",
            signal.samples,
            "/min",
            _between(body, span, signal.start_us, signal.end_us),
            place,
            source_id=f"heart-rate#{signal.hour_us // SECOND_US}",
            components=signal.statistics,
            records=signal.size,
        )


def arrays(body: Body, span: Span) -> Iterator[Reading]:
    """Yield the points of stress and Body Battery."""
    for member in ARRAYS:
        yield from _array(body, span, member)


def _array(body: Body, span: Span, member: str) -> Iterator[Reading]:
    array = ARRAYS[member]
    empty: list[int] = []
    for row in _rows(body.fields.get(member)):
        try:
            us, value = _pair(row, array.column)
            if value is None or (type(value) is not str and number(value) < 0):
                empty.append(us)
            else:
                yield _present(body, span, member, us, value)
        except Unreadable as error:
            kept = body.kept(**{member: [row]})
            place = f"{body.position}.{member}"
            yield error.of(array.quantity.kind).refusal(place, kept)
    yield from _absent(body, span, member, sorted(empty))


def _present(body: Body, span: Span, member: str, us: int, value: Any) -> Reading:
    (kind, unit, _, method), _, name = ARRAYS[member]
    time = _near(body, span, us)
    return Measurement(
        kind,
        value if type(value) is int else number(value),
        unit,
        time.text,
        us,
        None,
        us,
        f"{body.position}.{member}",
        f"{name}#{us // SECOND_US}",
        body.device,
        (),
        method,
        None,
        body.self_reported,
        None,
        1,
        None,
        ("zone-disputed",) if span.is_disputed else (),
    )


def _absent(body: Body, span: Span, member: str, empty: list[int]) -> Iterator[Reading]:
    """Yield one reading of each stretch of points without a value."""
    array = ARRAYS[member]
    runs: list[list[int]] = [[us] for us in empty[:1]]
    for one, next_ in pairwise(empty):
        if next_ - one > _GRAIN_US:
            runs.append([])
        runs[-1].append(next_)
    for run in runs:
        yield body.reading(
            array.quantity.kind,
            None,
            "",
            _between(body, span, run[0], run[-1] + _GRAIN_US),
            f"{body.position}.{member}",
            source_id=f"{array.name}#{run[0] // SECOND_US}",
            absent="unknown",
            records=len(run),
        )


def _rows(given: object) -> list[Any]:
    return given if isinstance(given, list) else []


def _pair(row: object, index: int) -> tuple[int, Any]:
    """Return time and value of a point.

    Raises:
        Unreadable: `malformed`, `no-time`.

    """
    if not isinstance(row, list) or len(row) <= index:
        raise Unreadable(Reason.MALFORMED, "A point is a list of time and value.")
    us = microseconds_of(row[0])
    return us - us % SECOND_US, row[index]


def _between(body: Body, span: Span, start_us: int, end_us: int) -> Span:
    return Span(_near(body, span, start_us), _near(body, span, end_us))


def _near(body: Body, span: Span, us: int) -> Instant:
    """Return a moment at the offset that the answer's span has.

    A day whose two ends differ in offset has a change of clocks at an hour that is
    not told: the offset of its start holds until its end.
    """
    text = span.start.text
    if span.end is not None and us >= span.end.us:
        text = span.end.text
    return body.moment(us, None if text[-1] == "Z" else offset_minutes(text))
