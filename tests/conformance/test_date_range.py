from datetime import UTC, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conformance.date_range import (
    EARLIEST_US,
    LATEST_US,
    DateRange,
    date_range,
    parsed_date,
    period_range,
    timing_range,
)
from conformance.issues import FHIRError, IssueType

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)
NEW_YORK = ZoneInfo("America/New_York")


def us(text):
    return (datetime.fromisoformat(text) - EPOCH) // MICROSECOND


@pytest.mark.parametrize(
    ("text", "first", "last", "precision"),
    [
        (
            "2026",
            "2026-01-01T00:00:00+00:00",
            "2026-12-31T23:59:59.999999+00:00",
            "year",
        ),
        (
            "2024-02",
            "2024-02-01T00:00:00+00:00",
            "2024-02-29T23:59:59.999999+00:00",
            "month",
        ),
        (
            "2026-11-20",
            "2026-11-20T00:00:00+00:00",
            "2026-11-20T23:59:59.999999+00:00",
            "day",
        ),
        (
            "2026-11-20T08:15+01:00",
            "2026-11-20T07:15:00+00:00",
            "2026-11-20T07:15:59.999999+00:00",
            "minute",
        ),
        (
            "2026-11-20T08:15:30-05:00",
            "2026-11-20T13:15:30+00:00",
            "2026-11-20T13:15:30.999999+00:00",
            "second",
        ),
        (
            "2026-11-20T08:15:30.12Z",
            "2026-11-20T08:15:30.120000+00:00",
            "2026-11-20T08:15:30.129999+00:00",
            "fraction",
        ),
        (
            "2026-11-20T08:15:30.123456789Z",
            "2026-11-20T08:15:30.123456+00:00",
            "2026-11-20T08:15:30.123456+00:00",
            "fraction",
        ),
        (
            "2016-12-31T23:59:60Z",
            "2017-01-01T00:00:00+00:00",
            "2017-01-01T00:00:00.999999+00:00",
            "second",
        ),
        (
            "9999-12-31",
            "9999-12-31T00:00:00+00:00",
            "9999-12-31T23:59:59.999999+00:00",
            "day",
        ),
    ],
)
def test_a_date_is_as_long_as_its_precision(text, first, last, precision):
    assert parsed_date(text, UTC) == DateRange(us(first), us(last), precision)


@pytest.mark.parametrize(
    ("text", "first", "last"),
    [
        ("2026-11-20", "2026-11-20T00:00:00-05:00", "2026-11-20T23:59:59.999999-05:00"),
        ("2026-11-01", "2026-11-01T00:00:00-04:00", "2026-11-01T23:59:59.999999-05:00"),
        ("2026-03-08", "2026-03-08T00:00:00-05:00", "2026-03-08T23:59:59.999999-04:00"),
        ("2026", "2026-01-01T00:00:00-05:00", "2026-12-31T23:59:59.999999-05:00"),
        # The hour from 01:00 comes twice: without an offset it is both.
        (
            "2026-11-01T01:30:00",
            "2026-11-01T01:30:00-04:00",
            "2026-11-01T01:30:00.999999-05:00",
        ),
        # An offset that is given is not the zone's to change.
        (
            "2026-11-20T08:00:00Z",
            "2026-11-20T08:00:00+00:00",
            "2026-11-20T08:00:00.999999+00:00",
        ),
    ],
)
def test_a_date_without_an_offset_is_in_the_readers_zone(text, first, last):
    assert date_range(text, NEW_YORK) == (us(first), us(last))


NO_DATES = [
    *("26", "2026-", "2026-1", "2026-13", "2026-00", "2026-02-30", "0000", "10000"),
    *("0000-01-01", "-2026", "eq2026", "2026-W47-5", "20261120", "1795162500000"),
    *("2026-11-20T", "2026-11-20Z", "2026-11-20T08Z", "2026-11-20T8:15:00Z"),
    *("2026-11-20T24:00:00Z", "2026-11-20T23:60:00Z", "2026-11-20T23:59:61Z"),
    *("2026-11-20T081530Z", "2026-11-20T08:15:30+01", "2026-11-20T08:15:30+15:00"),
    *("2026-11-20T08:15:30-14:30", "2026-11-20T08:15:30.Z", "2026-11-20T08:15:30,5Z"),
    *("2026-11-20t08:15:30Z", "2026-11-20T08:15:30z", "2026-11-20 08:15:30Z"),
    *("\N{ARABIC-INDIC DIGIT TWO}026", "2026-11-2\N{ARABIC-INDIC DIGIT ZERO}"),
    *("2026-11-20T08:15:30.\N{ARABIC-INDIC DIGIT ONE}Z", "", "T", " 2026"),
]


@pytest.mark.parametrize(
    "text",
    [
        *NO_DATES,
        "2" * 100_000,
        "2026-11-20T08:15:30." + "1" * 100_000 + "Z",
    ],
)
def test_what_is_no_date_is_refused(text):
    with pytest.raises(FHIRError) as refused:
        date_range(text, UTC)

    assert refused.value.type is IssueType.VALUE


offsets = st.integers(-14 * 60, 14 * 60).map(
    lambda minutes: timezone(timedelta(minutes=minutes))
)


@given(st.datetimes(timezones=offsets))
def test_an_instant_of_microseconds_starts_where_it_ends(moment):
    text = moment.isoformat(timespec="microseconds")
    exact = (moment - EPOCH) // MICROSECOND

    assert date_range(text, NEW_YORK) == (exact, exact)


@given(st.datetimes(timezones=offsets))
def test_no_date_is_beyond_an_open_interval(moment):
    start_us, end_us = date_range(moment.isoformat(timespec="seconds"), UTC)

    assert EARLIEST_US <= start_us <= end_us <= LATEST_US


@given(st.dates(), st.sampled_from([UTC, NEW_YORK, ZoneInfo("Pacific/Apia")]))
def test_a_day_lies_in_its_month_and_its_year(day, zone):
    text = day.isoformat()
    ranges = [date_range(text[:length], zone) for length in (4, 7, 10)]

    assert ranges[0][0] <= ranges[1][0] <= ranges[2][0]
    assert ranges[2][1] <= ranges[1][1] <= ranges[0][1]


@pytest.mark.parametrize(
    ("period", "expected"),
    [
        ({}, None),
        (
            {"start": "2026", "end": "2026-02"},
            (us("2026-01-01T00:00:00Z"), us("2026-02-28T23:59:59.999999Z"), "period"),
        ),
        ({"start": "2026"}, (us("2026-01-01T00:00:00Z"), LATEST_US, "period")),
        ({"end": "2026"}, (EARLIEST_US, us("2026-12-31T23:59:59.999999Z"), "period")),
    ],
)
def test_a_periods_missing_end_is_open(period, expected):
    assert period_range(period, UTC) == expected


@pytest.mark.parametrize(
    ("timing", "expected"),
    [
        ({"repeat": {"frequency": 2, "period": 1, "periodUnit": "d"}}, None),
        (
            {"event": ["2026-03-01", "2026-01-01"]},
            (us("2026-01-01T00:00:00Z"), us("2026-03-01T23:59:59.999999Z"), "period"),
        ),
        (
            {"repeat": {"boundsPeriod": {"start": "2026-01-31", "end": "2026-03-24"}}},
            (us("2026-01-31T00:00:00Z"), us("2026-03-24T23:59:59.999999Z"), "period"),
        ),
    ],
)
def test_a_timing_is_its_outer_limits(timing, expected):
    assert timing_range(timing, UTC) == expected
