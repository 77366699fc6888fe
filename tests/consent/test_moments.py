from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from consent.moments import Interval, _whole_days, bounds, period

NEW_YORK = ZoneInfo("America/New_York")
SAO_PAULO = ZoneInfo("America/Sao_Paulo")
APIA = ZoneInfo("Pacific/Apia")
KOLKATA = ZoneInfo("Asia/Kolkata")


@pytest.fixture(autouse=True)
def _forgotten_days():
    """Work every day out anew: one remembered from another test proves nothing."""
    _whole_days.cache_clear()


def us(text):
    moment = datetime.fromisoformat(text) - datetime(1970, 1, 1, tzinfo=UTC)
    return moment // timedelta(microseconds=1)


@pytest.mark.parametrize(
    ("text", "first", "last"),
    [
        ("2026", "2026-01-01T00:00:00Z", "2026-12-31T23:59:59.999999Z"),
        ("2026-02", "2026-02-01T00:00:00Z", "2026-02-28T23:59:59.999999Z"),
        ("2024-02", "2024-02-01T00:00:00Z", "2024-02-29T23:59:59.999999Z"),
        ("2026-12", "2026-12-01T00:00:00Z", "2026-12-31T23:59:59.999999Z"),
        ("2026-03-10", "2026-03-10T00:00:00Z", "2026-03-10T23:59:59.999999Z"),
        ("2026-01-31", "2026-01-31T00:00:00Z", "2026-01-31T23:59:59.999999Z"),
        ("2026-04-30", "2026-04-30T00:00:00Z", "2026-04-30T23:59:59.999999Z"),
        ("2024-02-29", "2024-02-29T00:00:00Z", "2024-02-29T23:59:59.999999Z"),
        ("2100-02", "2100-02-01T00:00:00Z", "2100-02-28T23:59:59.999999Z"),
        ("2026-04", "2026-04-01T00:00:00Z", "2026-04-30T23:59:59.999999Z"),
        ("1969-12-31", "1969-12-31T00:00:00Z", "1969-12-31T23:59:59.999999Z"),
        ("9999-12-30", "9999-12-30T00:00:00Z", "9999-12-30T23:59:59.999999Z"),
        ("9999-12-31", "9999-12-31T00:00:00Z", "9999-12-31T23:59:59.999999Z"),
        ("9999-11", "9999-11-01T00:00:00Z", "9999-11-30T23:59:59.999999Z"),
        ("9999-12", "9999-12-01T00:00:00Z", "9999-12-31T23:59:59.999999Z"),
        ("9999", "9999-01-01T00:00:00Z", "9999-12-31T23:59:59.999999Z"),
        ("0001-01-01", "0001-01-01T00:00:00Z", "0001-01-01T23:59:59.999999Z"),
        *(
            (text, text, text)
            for text in (
                "2026-03-10T08:00:00Z",
                "2026-03-10T08:00:00.5+02:00",
                "2026-03-10T08:00:00-13:59",
                "0001-01-01T00:00:00+14:00",
                "9999-12-31T23:59:59.999999Z",
            )
        ),
        (
            "2026-03-10T08:00:00.123456789Z",
            "2026-03-10T08:00:00.123456Z",
            "2026-03-10T08:00:00.123456Z",
        ),
        ("2016-12-31T23:59:60Z", "2017-01-01T00:00:00Z", "2017-01-01T00:00:00Z"),
    ],
)
def test_a_partial_value_covers_all_of_it_and_an_instant_itself(text, first, last):
    assert bounds(text, UTC) == (us(first), us(last))


@pytest.mark.parametrize(
    "value",
    [
        "2026-02-30",
        "2026-13",
        "0000",
        "26",
        "2026-3-1",
        "2026-03-10T08:00:00",
        "2026-03-10T08:00Z",
        "2026-03-10T24:00:00Z",
        "2026-03-10T24:00:00+01:00",
        "2026-03-10T23:60:00Z",
        "2026-03-10 08:00:00Z",
        "20260310T080000Z",
        "2026-03-10T08:00:00+15:00",
        "2026-02-30T08:00:00Z",
        "٢٠٢٦",
        "2026\n",
        " 2026",
        "",
        "soon",
        2026,
        None,
        ["2026"],
        {},
    ],
)
def test_what_is_no_fhir_time_has_no_bounds(value):
    assert bounds(value, UTC) is None


@pytest.mark.parametrize(
    ("zone", "day", "first", "last"),
    [
        (
            NEW_YORK,
            "2026-03-08",
            "2026-03-08T00:00:00-05:00",
            "2026-03-08T23:59:59.999999-04:00",
        ),
        (
            NEW_YORK,
            "2026-11-01",
            "2026-11-01T00:00:00-04:00",
            "2026-11-01T23:59:59.999999-05:00",
        ),
        # At midnight clocks go to 01:00: the day starts with the change.
        (
            SAO_PAULO,
            "2018-11-04",
            "2018-11-04T03:00:00Z",
            "2018-11-05T01:59:59.999999Z",
        ),
        # At midnight clocks go back to 23:00: the day before lasts an hour longer.
        (
            SAO_PAULO,
            "2018-02-17",
            "2018-02-17T02:00:00Z",
            "2018-02-18T02:59:59.999999Z",
        ),
        # A year and a month start in winter time; the month ends in summer time.
        (
            NEW_YORK,
            "2026",
            "2026-01-01T00:00:00-05:00",
            "2026-12-31T23:59:59.999999-05:00",
        ),
        (
            NEW_YORK,
            "2026-03",
            "2026-03-01T00:00:00-05:00",
            "2026-03-31T23:59:59.999999-04:00",
        ),
        (
            KOLKATA,
            "2026-03-10",
            "2026-03-09T18:30:00Z",
            "2026-03-10T18:29:59.999999Z",
        ),
        # The zone went from the east of the date line to the west over midnight.
        (
            APIA,
            "2011-12-29",
            "2011-12-29T00:00:00-10:00",
            "2011-12-29T23:59:59.999999-10:00",
        ),
        (
            NEW_YORK,
            "9999-12-30",
            "9999-12-30T00:00:00-05:00",
            "9999-12-30T23:59:59.999999-05:00",
        ),
        (
            NEW_YORK,
            "9999-12-31",
            "9999-12-31T00:00:00-05:00",
            "9999-12-31T23:59:59.999999-05:00",
        ),
    ],
)
def test_a_day_is_a_day_of_the_deployments_zone(zone, day, first, last):
    epoch = datetime(1970, 1, 1, tzinfo=UTC)

    found = bounds(day, zone)

    assert found == tuple(
        (datetime.fromisoformat(text) - epoch) // timedelta(microseconds=1)
        for text in (first, last)
    )


def test_a_day_that_a_zone_left_out_does_not_end_before_it_starts():
    first, last = bounds("2011-12-30", APIA)

    assert first <= last


def test_a_period_is_inclusive_at_both_ends():
    found = period({"start": "2026", "end": "2026-06"}, UTC)

    assert found == Interval(
        us("2026-01-01T00:00:00Z"), us("2026-06-30T23:59:59.999999Z")
    )
    assert found.contains(found.start)
    assert found.contains(found.end)
    assert not found.contains(found.start - 1)
    assert not found.contains(found.end + 1)


def test_a_period_of_one_day_is_that_day():
    assert period({"start": "2026-01-01", "end": "2026-01-01"}, UTC) == Interval(
        *bounds("2026-01-01", UTC)
    )


def test_a_period_of_days_is_of_the_deployments_zone():
    found = period({"start": "2026-03-08", "end": "2026-11-01"}, NEW_YORK)

    assert found == Interval(
        us("2026-03-08T00:00:00-05:00"), us("2026-11-01T23:59:59.999999-05:00")
    )


def test_a_period_of_one_moment_is_that_moment():
    noon = "2026-03-10T12:00:00Z"

    assert period({"start": noon, "end": noon}, UTC) == Interval(us(noon), us(noon))


def test_a_missing_bound_is_open():
    assert period({"start": "2026"}, UTC) == Interval(us("2026-01-01T00:00:00Z"), None)
    assert period({"end": "2025"}, UTC) == Interval(
        None, us("2025-12-31T23:59:59.999999Z")
    )


@pytest.mark.parametrize(
    "value",
    [
        {},
        [],
        None,
        "2026",
        {"id": "x"},
        {"start": "soon"},
        {"end": None},
        {"start": "2030", "end": "2020"},
        {"start": "2026", "end": "soon"},
    ],
)
def test_a_period_that_is_empty_broken_or_inverted_is_none(value):
    assert period(value, UTC) is None


def test_a_long_text_is_refused_quickly():
    assert bounds("2" * 100_000, UTC) is None
    assert bounds("2026-03-10T08:00:00." + "1" * 100_000 + "Z", UTC) is None
