"""Dense heart rates: one signal an hour, with its statistics beside it.

A heart rate every second is no list of spot heart rates. The values are kept, at the
grain that their source declares, under a code of our own; a gap is `E`.

https://hl7.org/fhir/R4/datatypes.html#SampledData
"""

from collections.abc import Iterable, Iterator, Sequence
from decimal import ROUND_HALF_EVEN, Decimal
from itertools import groupby, pairwise
from math import gcd
from typing import NamedTuple

from mappings.measurement import Component, Reason, Samples
from mappings.payload import HOUR_US, Unreadable, number

MAX_RATE = 400
"""Beats a minute; more is no heart rate, as kinds.csv says."""

_TENTH = Decimal("0.1")


class Point(NamedTuple):
    """One value of a signal.

    Attributes:
        us: When, microseconds since 1970-01-01T00:00:00Z.
        value: What, as its source wrote it.

    """

    us: int
    value: Decimal | int


class Signal(NamedTuple):
    """The values of an hour.

    Attributes:
        hour_us: Start of the hour of UTC, which does not change when values come late.
        start_us: When the first value was taken.
        end_us: One period after the last.
        samples: The values.
        statistics: Lowest, mean and highest; the mean to a tenth.
        size: How many values there are.

    """

    hour_us: int
    start_us: int
    end_us: int
    samples: Samples
    statistics: tuple[Component, ...]
    size: int


def heart_rate(value: object) -> Decimal | int | None:
    """Return a heart rate; None for null, 0 and less, which stand for no rate.

    Raises:
        Unreadable: `invalid-value` for what is no number, `impossible` above
            `MAX_RATE`.

    """
    rate = 0 if value is None else number(value)
    if rate > MAX_RATE:
        raise Unreadable(
            Reason.IMPOSSIBLE,
            "The value is outside what a heart rate can be.",
            "heart-rate-series",
        )
    return rate if rate > 0 else None


def heart_rate_signals(points: Iterable[Point], grain_us: int) -> Iterator[Signal]:
    """Yield the signal of each hour; of two values at one time the later counts.

    Args:
        points: The values, in any order, at whole milliseconds.
        grain_us: Distance in time that the source declares; one that divides all
            distances is taken where the values do not keep to it.

    """
    at = dict(points)
    ordered = [Point(us, at[us]) for us in sorted(at)]
    for hour, group in groupby(ordered, lambda point: point.us // HOUR_US):
        yield _signal(hour * HOUR_US, list(group), grain_us)


def _signal(hour_us: int, points: Sequence[Point], grain_us: int) -> Signal:
    period_us = gcd(grain_us, *(b.us - a.us for a, b in pairwise(points)))
    first, last = points[0].us, points[-1].us
    at = dict(points)
    data = tuple(at.get(us, "E") for us in range(first, last + 1, period_us))
    values = [point.value for point in points]
    return Signal(
        hour_us,
        first,
        last + period_us,
        Samples(period_us // 1000, data),
        heart_rate_statistics(values),
        len(points),
    )


def heart_rate_statistics(
    values: Sequence[Decimal | int],
) -> tuple[Component, Component, Component]:
    """Return the lowest, the mean and the highest of some heart rates."""
    mean = Decimal(sum(values)) / len(values)
    return (
        Component("heart-rate-minimum", min(values), "/min"),
        Component("heart-rate-mean", mean.quantize(_TENTH, ROUND_HALF_EVEN), "/min"),
        Component("heart-rate-maximum", max(values), "/min"),
    )
