import pytest

from mappings.hypnogram import MAX_STAGES, Segment, night
from mappings.measurement import Component, Reason
from mappings.payload import Unreadable

S = 1_000_000


def segment(start: int, end: int, code: str) -> Segment:
    return Segment(start * S, end * S, code)


def stages(*pairs: tuple[int, str]) -> tuple[Component, ...]:
    return tuple(Component("sleep-stage", code, offset_ms=ms) for ms, code in pairs)


def test_stages_hold_until_the_next_and_gaps_are_unknown():
    found = night(0, 100 * S, [segment(60, 90, "rem"), segment(10, 40, "light")])

    assert found.stages() == stages(
        (0, "unknown"),
        (10000, "light"),
        (40000, "unknown"),
        (60000, "rem"),
        (90000, "unknown"),
    )


def test_totals_are_lengths_and_awake_is_no_sleep():
    found = night(
        0,
        100 * S,
        [segment(0, 50, "light"), segment(50, 80, "awake"), segment(80, 100, "deep")],
    )

    assert found.totals() == (
        Component("sleep-duration", 70, "s"),
        Component("deep-sleep-duration", 20, "s"),
        Component("light-sleep-duration", 50, "s"),
        Component("awake-duration", 30, "s"),
    )


def test_of_two_that_overlap_the_later_holds():
    found = night(0, 100 * S, [segment(0, 60, "light"), segment(40, 100, "deep")])

    assert found.segments == [segment(0, 40, "light"), segment(40, 100, "deep")]


def test_short_segments_lie_over_the_others():
    found = night(
        0,
        100 * S,
        [segment(0, 60, "light"), segment(60, 100, "deep")],
        [segment(20, 30, "awake"), segment(55, 65, "awake")],
    )

    assert found.segments == [
        segment(0, 20, "light"),
        segment(20, 30, "awake"),
        segment(30, 55, "light"),
        segment(55, 65, "awake"),
        segment(65, 100, "deep"),
    ]


def test_a_night_without_segments_has_neither_stages_nor_totals():
    found = night(0, 100 * S, [])

    assert (found.stages(), found.totals()) == ((), ())


@pytest.mark.parametrize(
    ("total", "is_disputed"),
    [
        (Component("sleep-duration", 60, "min"), False),
        (Component("sleep-duration", 62, "min"), False),
        (Component("sleep-duration", 63, "min"), True),
        (Component("light-sleep-duration", 1, "h"), False),
        (Component("light-sleep-duration", 2, "h"), True),
        (Component("rem-sleep-duration", 9, "h"), False),
    ],
)
def test_a_total_may_miss_the_segments_by_two_minutes(total, is_disputed):
    found = night(0, 3600 * S, [segment(0, 3600, "light")])

    assert found.disputes([total]) is is_disputed


@pytest.mark.parametrize(
    ("segments", "reason"),
    [
        ([segment(50, 40, "light")], Reason.NEGATIVE_INTERVAL),
        ([segment(-1, 40, "light")], Reason.MALFORMED),
        ([segment(0, 500, "light")], Reason.MALFORMED),
        ([segment(0, 1, "light")] * (MAX_STAGES + 1), Reason.MALFORMED),
    ],
)
def test_segments_that_cannot_be_are_refused(segments, reason):
    with pytest.raises(Unreadable) as caught:
        night(0, 100 * S, segments)

    assert caught.value.reason is reason
