from datetime import datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest

from conformance.fhir_json import Number, loads
from mappings import payload
from mappings.measurement import Reason
from mappings.payload import Unreadable


def microseconds_of(text: str) -> int:
    return payload.microseconds(datetime.fromisoformat(text))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2020-02-05T07:25:00-08:00", "2020-02-05T07:25:00-08:00"),
        ("2013-02-05T07:25:00Z", "2013-02-05T07:25:00Z"),
        ("2013-02-05t07:25:00z", "2013-02-05T07:25:00Z"),
        ("2013-02-05T07:25:00.120Z", "2013-02-05T07:25:00.120Z"),
        ("2024-01-01 01:01:36 +0200", "2024-01-01T01:01:36+02:00"),
        ("2024-01-01T01:01:36+02", "2024-01-01T01:01:36+02:00"),
        ("2024-01-01T01:01+02:00", "2024-01-01T01:01:00+02:00"),
        ("2024-01-01T01:01:36-00:00", "2024-01-01T01:01:36-00:00"),
    ],
)
def test_a_time_keeps_its_offset_and_its_precision(text, expected):
    instant = payload.instant(text)

    assert instant == (expected, microseconds_of(expected.replace("Z", "+00:00")))


def test_a_fraction_finer_than_a_microsecond_keeps_its_digits():
    instant = payload.instant("2024-01-01T00:00:00.123456789Z")

    assert instant.text == "2024-01-01T00:00:00.123456789Z"
    assert instant.us == microseconds_of("2024-01-01T00:00:00.123456+00:00")


def test_a_leap_second_is_the_second_after():
    leap = payload.instant("2016-12-31T23:59:60Z")

    assert leap.text == "2016-12-31T23:59:60Z"
    assert leap.us == microseconds_of("2017-01-01T00:00:00+00:00")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("2024-01-01T01:01:36", Reason.NO_OFFSET),
        ("2024-01-01 01:01", Reason.NO_OFFSET),
        ("2024-01-01", Reason.NO_TIME),
        ("2024", Reason.NO_TIME),
        ("2024-02-30T00:00:00Z", Reason.MALFORMED),
        ("2024-01-01T24:00:00Z", Reason.MALFORMED),
        ("2024-01-01T00:00:00+14:01", Reason.MALFORMED),
        ("2024-01-01T00:00:00+01:60", Reason.MALFORMED),
        ("0000-01-01T00:00:00Z", Reason.MALFORMED),
        ("20240101T000000Z", Reason.MALFORMED),
        ("2024-W01-1T00:00:00Z", Reason.MALFORMED),
        ("yesterday", Reason.MALFORMED),
        ("", Reason.MALFORMED),
    ],
)
def test_what_is_no_time_is_refused_by_name(text, reason):
    with pytest.raises(Unreadable) as refused:
        payload.instant(text)

    assert refused.value.reason is reason


def test_a_refusal_of_a_time_never_repeats_the_text():
    with pytest.raises(Unreadable) as refused:
        payload.instant("secret")

    assert "secret" not in refused.value.detail


@pytest.mark.parametrize(
    ("value", "reason"),
    [(None, Reason.NO_TIME), (1577836800, Reason.MALFORMED), ({}, Reason.MALFORMED)],
)
def test_a_time_is_a_text(value, reason):
    with pytest.raises(Unreadable) as refused:
        payload.instant_of(value)

    assert refused.value.reason is reason


def test_epoch_milliseconds_become_utc_with_three_digits():
    instant = payload.epoch_ms(1736928000007)

    assert instant == ("2025-01-15T08:00:00.007Z", 1736928000007000)


@pytest.mark.parametrize("number", [1736928000, 0, -1, 10**18])
def test_epoch_seconds_are_not_taken_for_milliseconds(number):
    with pytest.raises(Unreadable) as refused:
        payload.epoch_ms(number)

    assert refused.value.reason is Reason.MALFORMED


def test_a_moment_is_written_at_any_offset():
    us = microseconds_of("2024-01-01T00:00:00.250+00:00")

    assert payload.at_offset(us, -210).text == "2023-12-31T20:30:00.25-03:30"
    assert payload.at_offset(us, 345).text == "2024-01-01T05:45:00.25+05:45"


@pytest.mark.parametrize(
    ("text", "minutes"),
    [
        ("2024-01-01T00:00:00Z", 0),
        ("2024-01-01T00:00:00-03:30", -210),
        ("2024-01-01T00:00:00+05:45", 345),
    ],
)
def test_the_offset_of_a_text_is_read_back(text, minutes):
    assert payload.offset_minutes(text) == minutes


def test_a_moment_after_another_keeps_its_offset():
    start = payload.instant("2016-02-05T21:35:00Z")

    assert payload.after(start, 9 * payload.HOUR_US) == payload.instant(
        "2016-02-06T06:35:00Z"
    )


def test_a_zone_gives_the_offset_of_its_season():
    zone = payload.zone_of("Europe/Amsterdam")

    assert zone == ZoneInfo("Europe/Amsterdam")
    winter = microseconds_of("2024-01-01T00:00:00+00:00")
    summer = microseconds_of("2024-07-01T00:00:00+00:00")
    assert payload.zone_offset_minutes(zone, winter) == 60
    assert payload.zone_offset_minutes(zone, summer) == 120


@pytest.mark.parametrize(
    ("text", "minutes"),
    [
        ("2024-03-31T00:59:59.999999+00:00", 60),
        ("2024-03-31T01:00:00+00:00", 120),
        ("2024-10-27T00:59:59+00:00", 120),
        ("2024-10-27T01:00:00+00:00", 60),
    ],
)
def test_a_zone_changes_its_offset_to_the_microsecond(text, minutes):
    zone = ZoneInfo("Europe/Amsterdam")

    assert payload.zone_offset_minutes(zone, microseconds_of(text)) == minutes


def test_a_zone_that_changed_within_a_minute_is_exact():
    # Liberia went from -00:44:30 to +00:00 at 00:44:30 UTC.
    change = microseconds_of("1972-01-07T00:44:30+00:00")
    zone = ZoneInfo("Africa/Monrovia")

    assert payload.zone_offset_minutes(zone, change) == 0
    assert payload.zone_offset_minutes(zone, change - 1) is None


def test_a_local_mean_time_has_no_offset_that_fhir_can_write():
    us = microseconds_of("1900-01-01T00:00:00+00:00")

    assert payload.zone_offset_minutes(ZoneInfo("Europe/Paris"), us) is None


@pytest.mark.parametrize("name", ["", "Nowhere/Land", "../etc/passwd", "/etc/passwd"])
def test_a_name_that_is_no_zone_is_none(name):
    assert payload.zone_of(name) is None


@pytest.mark.parametrize(
    "name", ["localtime", "Factory", "posix/Europe/Paris", "right/Europe/Paris"]
)
def test_a_zone_of_the_machine_or_a_file_of_its_folder_is_none(name):
    assert payload.zone_of(name) is None


def test_a_json_number_keeps_its_digits():
    [value] = loads(b"[72.50]")

    assert str(payload.number(value)) == "72.50"


@pytest.mark.parametrize("value", ["6000", True, None, 1.5, [], Decimal("NaN")])
def test_what_is_no_json_number_is_an_invalid_value(value):
    with pytest.raises(Unreadable) as refused:
        payload.number(value)

    assert refused.value.reason is Reason.INVALID_VALUE


def test_a_number_with_an_absurd_exponent_is_an_invalid_value():
    with pytest.raises(Unreadable) as refused:
        payload.number(Number("1e99999999"))

    assert refused.value.reason is Reason.INVALID_VALUE


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("74", 74),
        ("0", 0),
        ("0.12", Number("0.12")),
        ("48.74499999999999", Number("48.74499999999999")),
        ("72.50", Number("72.50")),
        ("-3", Number("-3")),
        ("1e-05", Number("1e-05")),
    ],
)
def test_a_number_in_a_text_keeps_its_digits(text, expected):
    value = payload.number_text(text)

    assert value == expected
    assert str(value) == text


@pytest.mark.parametrize(
    "text", ["", "007", "+1", "1,5", "1.", ".5", "NaN", "٣", "1e999", "9" * 65, " 1"]
)
def test_a_text_that_json_would_not_write_is_no_number(text):
    with pytest.raises(Unreadable) as refused:
        payload.number_text(text)

    assert refused.value.reason is Reason.INVALID_VALUE


@pytest.mark.parametrize("words", ["TaiChi", "tai chi", "tai_chi", " Tai Chi "])
def test_words_in_any_writing_become_one_code(words):
    assert payload.kebab(words) == "tai-chi"


def test_a_length_in_seconds_is_exact():
    assert payload.seconds(90_000_000) == 90
    assert str(payload.seconds(1_250_000)) == "1.25"
