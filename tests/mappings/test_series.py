from decimal import Decimal

import pytest

from mappings.measurement import Component, Reason, Samples
from mappings.payload import Unreadable
from mappings.series import Point, Signal, heart_rate, heart_rate_signals

SECOND = 1_000_000
HOUR = 3600 * SECOND


def test_a_second_without_a_value_is_a_gap():
    points = [Point(0, 60), Point(SECOND, 61), Point(3 * SECOND, 64)]

    [signal] = heart_rate_signals(points, SECOND)

    assert signal == Signal(
        hour_us=0,
        start_us=0,
        end_us=4 * SECOND,
        samples=Samples(1000, (60, 61, "E", 64)),
        statistics=(
            Component("heart-rate-minimum", 60, "/min"),
            Component("heart-rate-mean", Decimal("61.7"), "/min"),
            Component("heart-rate-maximum", 64, "/min"),
        ),
        size=3,
    )


def test_each_hour_is_a_signal_of_its_own_whatever_the_order():
    points = [Point(HOUR, 70), Point(HOUR - 2 * SECOND, 60), Point(HOUR + SECOND, 71)]

    signals = list(heart_rate_signals(points, SECOND))

    assert [(s.hour_us, s.start_us, s.end_us, s.samples.data) for s in signals] == [
        (0, HOUR - 2 * SECOND, HOUR - SECOND, (60,)),
        (HOUR, HOUR, HOUR + 2 * SECOND, (70, 71)),
    ]


def test_values_that_miss_the_declared_grain_keep_their_times():
    points = [Point(0, 60), Point(10 * SECOND, 61), Point(25 * SECOND, 62)]

    [signal] = heart_rate_signals(points, 15 * SECOND)

    assert signal.samples == Samples(5000, (60, "E", 61, "E", "E", 62))


def test_of_two_values_at_one_time_the_later_counts():
    [signal] = heart_rate_signals([Point(0, 60), Point(0, 62)], SECOND)

    assert signal.samples.data == (62,)


@pytest.mark.parametrize("value", [None, 0, -1, Decimal("-0.5")])
def test_null_and_zero_and_less_stand_for_no_rate(value):
    assert heart_rate(value) is None


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (401, Reason.IMPOSSIBLE),
        ("61", Reason.INVALID_VALUE),
        (True, Reason.INVALID_VALUE),
    ],
)
def test_what_is_no_heart_rate_is_refused(value, reason):
    with pytest.raises(Unreadable) as error:
        heart_rate(value)

    assert error.value.reason is reason
