"""Parts of the calendar in an officer's zone, where days are not all as long."""

from datetime import UTC, datetime
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest

from conformance.issues import FHIRError
from fhir_service.compliance import zones
from fhir_service.compliance.zones import HOUR_US

ZURICH, KOLKATA = ZoneInfo("Europe/Zurich"), ZoneInfo("Asia/Kolkata")


def us(*parts):
    return int(datetime(*parts, tzinfo=UTC).timestamp()) * 1_000_000


def hours(since, until, unit, zone):
    found = zones.parts(since, until, unit, zone)
    return [(after - start) / HOUR_US for start, after in found]


@pytest.mark.parametrize(
    ("since", "until", "unit", "expected"),
    [
        (us(2026, 3, 27, 23), us(2026, 3, 30, 22), "day", [24, 23, 24]),
        (us(2026, 10, 23, 22), us(2026, 10, 26, 23), "day", [24, 25, 24]),
        (us(2026, 1, 31, 23), us(2026, 4, 30, 22), "month", [672, 743, 720]),
        (us(2023, 12, 31, 23), us(2025, 12, 31, 23), "year", [8784, 8760]),
        (us(2026, 10, 25, 0), us(2026, 10, 25, 3), "hour", [1, 1, 1]),
    ],
)
def test_a_part_is_as_long_as_in_the_zone(since, until, unit, expected):
    assert hours(since, until, unit, ZURICH) == expected


def test_parts_follow_each_other_without_a_gap():
    found = list(zones.parts(us(2026, 1, 1), us(2027, 1, 1), "day", ZURICH))

    assert all(after == start for (_, after), (start, _) in pairwise(found))


def test_an_hour_of_a_zone_begins_where_its_clock_says():
    start = zones.begins(us(2026, 11, 20, 12), "hour", KOLKATA)

    assert zones.shown(start, KOLKATA) == "2026-11-20 17:00:00+05:30"


@pytest.mark.parametrize(
    ("text", "since", "until"),
    [
        ("2026", us(2025, 12, 31, 23), us(2026, 12, 31, 23)),
        ("2026-11", us(2026, 10, 31, 23), us(2026, 11, 30, 23)),
        ("2026-11-20", us(2026, 11, 19, 23), us(2026, 11, 20, 23)),
        ("2026-07-20T08:15", us(2026, 7, 20, 6, 15), us(2026, 7, 20, 6, 16)),
        ("2026-07-20 08:15:30", us(2026, 7, 20, 6, 15, 30), us(2026, 7, 20, 6, 15, 31)),
        ("2026-10-25T02:30+01:00", us(2026, 10, 25, 1, 30), us(2026, 10, 25, 1, 31)),
        ("0001", 0, 0),
    ],
)
def test_what_is_typed_is_as_long_as_its_precision(text, since, until):
    assert zones.typed(text, ZURICH) == (since, until)


@pytest.mark.parametrize("unit", list(zones.UNITS))
@pytest.mark.parametrize("at", [us(2026, 11, 20, 12, 34), us(2026, 10, 25, 1, 30)])
def test_a_part_is_typed_as_it_is_told(unit, at):
    start = zones.begins(at, unit, ZURICH)
    told = zones.period_of(start, unit, ZURICH)

    assert zones.typed(told["since"], ZURICH)[0] == start
    assert zones.typed(told["until"], ZURICH)[1] == zones.follows(start, unit, ZURICH)


@pytest.mark.parametrize("text", ["", "now", "2026-02-30", "2026-11-20T24:00", "1e9"])
def test_what_is_no_time_is_refused(text):
    with pytest.raises(FHIRError):
        zones.typed(text, ZURICH)


@pytest.mark.parametrize(
    "name", ["", "Mars/Olympus", "../UTC", "/etc/localtime", "a" * 65]
)
def test_what_is_no_zone_is_refused(name):
    with pytest.raises(FHIRError):
        zones.zone_of(name)
