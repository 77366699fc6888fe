from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest

from mappings.measurement import Reason
from mappings.payload import Instant, Unreadable
from mappings.times import (
    Order,
    Span,
    day_at,
    epoch_s,
    local_day,
    local_instant,
    named_zone,
    reading,
)

BERLIN = ZoneInfo("Europe/Berlin")


@pytest.mark.parametrize(
    ("value", "offset", "text"),
    [
        (1735689600, None, "2025-01-01T00:00:00Z"),
        (1735689600, -300, "2024-12-31T19:00:00-05:00"),
        (Decimal("1735689600.25"), 0, "2025-01-01T00:00:00.25+00:00"),
    ],
)
def test_seconds_since_1970_are_a_moment(value, offset, text):
    assert epoch_s(value, offset).text == text


@pytest.mark.parametrize("value", [1735689600000, 12, -1, "1735689600", True])
def test_a_number_that_counts_something_else_is_no_time(value):
    with pytest.raises(Unreadable) as caught:
        epoch_s(value)

    assert caught.value.reason is Reason.MALFORMED


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("2024-03-31T01:59:59", "2024-03-31T01:59:59+01:00"),
        ("2024-03-31 03:00", "2024-03-31T03:00:00+02:00"),
        ("2024-10-27T03:00:00.5", "2024-10-27T03:00:00.5+01:00"),
    ],
)
def test_a_local_time_has_the_offset_of_its_night(text, written):
    moment, is_disputed = local_instant(text, BERLIN)

    assert moment.text == written
    assert not is_disputed


def settled(order: Order, text: str) -> tuple[str, bool]:
    moment, is_disputed = local_instant(text, BERLIN)
    span = order.settled(Span(moment, is_disputed=is_disputed), BERLIN)
    return span.start.text, span.is_disputed


def test_a_list_in_order_is_in_the_second_pass_once_its_times_have_gone_back():
    order = Order()

    found = [
        settled(order, f"2024-10-27T{time}")
        for time in ("02:10:00", "02:50:00", "02:05:00", "02:50:00.5", "03:00:00")
    ]

    assert found == [
        ("2024-10-27T02:10:00+02:00", True),
        ("2024-10-27T02:50:00+02:00", True),
        ("2024-10-27T02:05:00+01:00", True),
        ("2024-10-27T02:50:00.5+01:00", True),
        ("2024-10-27T03:00:00+01:00", False),
    ]


def test_what_has_been_passed_is_never_gone_back_to():
    order = Order()
    order.passed(1729989000000000 + 1)

    assert settled(order, "2024-10-27T02:30:00") == ("2024-10-27T02:30:00+01:00", True)


def test_a_time_that_the_clocks_show_once_is_itself_even_out_of_order():
    order = Order()
    order.passed(1729989000000000)

    assert settled(order, "2024-10-27T01:00:00") == ("2024-10-27T01:00:00+02:00", False)


def test_an_hour_that_comes_twice_is_disputed():
    moment, is_disputed = local_instant("2024-10-27T02:30:00", BERLIN)

    assert moment == Instant("2024-10-27T02:30:00+02:00", 1729989000000000)
    assert is_disputed


@pytest.mark.parametrize("text", ["2024-03-31T02:30:00", "2024-02-30T10:00:00", "noon"])
def test_a_local_time_that_no_clock_shows_is_refused(text):
    with pytest.raises(Unreadable) as caught:
        local_instant(text, BERLIN)

    assert caught.value.reason is Reason.MALFORMED


@pytest.mark.parametrize(
    ("day", "hours"), [("2024-03-31", 23), ("2024-10-27", 25), ("2024-06-01", 24)]
)
def test_a_day_is_as_long_as_its_clocks_say(day, hours):
    span = local_day(day, BERLIN)

    assert span.end is not None
    assert span.end.us - span.start.us == hours * 3_600_000_000
    assert span.zone == "Europe/Berlin"


def test_a_day_at_an_offset_begins_at_its_midnight():
    span = day_at("2025-01-01", -480)

    assert span.start.text == "2025-01-01T00:00:00-08:00"
    assert span.end is not None
    assert span.end.text == "2025-01-02T00:00:00-08:00"


@pytest.mark.parametrize("day", ["2025-1-1", "2025-02-30", 20250101, "2025-01-01T00"])
def test_what_is_no_day_is_refused(day):
    with pytest.raises(Unreadable) as caught:
        local_day(day, BERLIN)

    assert caught.value.reason is Reason.MALFORMED


@pytest.mark.parametrize("name", [None, "", "Nowhere/City", 3])
def test_a_local_time_without_a_zone_has_no_offset(name):
    with pytest.raises(Unreadable) as caught:
        named_zone(name)

    assert caught.value.reason is Reason.NO_OFFSET


def test_a_disputed_time_is_flagged_in_its_reading():
    moment, is_disputed = local_instant("2024-10-27T02:30:00", BERLIN)

    made = reading(
        "heart-rate",
        61,
        "/min",
        day_at("2024-10-27", 120)._replace(
            start=moment, end=None, is_disputed=is_disputed
        ),
        "$",
    )

    assert made.flags == ("zone-disputed",)
    assert (made.start_us, made.end_us, made.end) == (moment.us, moment.us, None)
