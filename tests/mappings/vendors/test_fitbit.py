from collections import Counter
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conformance.fhir_json import Number, dumps, loads
from mappings.code_system import WORKOUTS
from mappings.kinds import kinds
from mappings.measurement import (
    Component,
    Measurement,
    OutOfScope,
    Reason,
    Refusal,
    Samples,
)
from mappings.normalise import Normalised, normalise
from mappings.vendors.fitbit import tables
from mappings.vendors.fitbit.parse import parse, parse_file

NOW = datetime(2026, 1, 1, tzinfo=UTC)
NOW_US = 1767225600000000
PAYLOADS = Path(__file__).parents[3].parent / "shared" / "data" / "payloads"
SAMPLES = [*PAYLOADS.glob("fitbit/*"), *PAYLOADS.glob("fitbit-takeout/*")]
BERLIN = "Europe/Berlin"
STORED = pytest.mark.skipif(not SAMPLES, reason="the stored samples are not here")


def readings(payload: object, zone: str | None = BERLIN) -> list[object]:
    return list(parse(loads(dumps(payload)), received_at=NOW, zone=zone))


def one(payload: object, zone: str | None = BERLIN) -> object:
    [reading] = readings(payload, zone)
    return reading


def stored(name: str, zone: str | None = BERLIN) -> list[object]:
    [path] = [path for path in SAMPLES if path.name == name]
    return list(parse_file(path, received_at=NOW, zone=zone))


def told(reading: object) -> str:
    if isinstance(reading, Measurement):
        return reading.kind
    return reading.what if isinstance(reading, OutOfScope) else str(reading.reason)


@STORED
def test_every_stored_sample_is_accounted_for_and_can_be_stored():
    found = {path.name: stored(path.name) for path in SAMPLES}

    day = Counter(
        {
            "active-energy": 1,
            "basal-energy": 1,
            "total-energy": 1,
            "distance": 1,
            "light-activity-duration": 1,
            "moderate-activity-duration": 1,
            "vigorous-activity-duration": 1,
            "sedentary-duration": 1,
            "steps-24h": 1,
            "workout": 1,
            "activity score": 1,
            "energy above the estimate at rest": 1,
        }
    )
    assert {name: Counter(map(told, group)) for name, group in found.items()} == {
        "shimmer-fitbit-activities-date-multiple-in-activities-list.json": day
        + Counter({"part of the day's distance": 9, "goals": 1, "no-time": 2}),
        "shimmer-fitbit-activities-date-single-in-activities-list.json": day
        + Counter({"part of the day's distance": 7}),
        "shimmer-fitbit-activities-heart-1d-1m-intraday.json": Counter(
            {
                "heart-rate": 5,
                "heart-rate-zone-moderate-duration": 1,
                "heart-rate-zone-intense-duration": 1,
                "heart-rate-zone-maximum-duration": 1,
                "mean of the values within the day": 1,
                "time outside the zones of heart rate": 1,
            }
        ),
        "shimmer-fitbit-activities-steps-1d-1m-intraday.json": Counter(
            {
                "steps-24h": 1,
                "steps": 2,
                "interval without movement or data": 1,
            }
        ),
        "shimmer-fitbit-sleep-date-empty-sleep-list.json": Counter(
            {"list without a log": 1, "sum over the day's sleep logs": 3}
        ),
        "shimmer-fitbit-sleep-date.json": Counter(
            {"sleep-session": 2, "sum over the day's sleep logs": 3}
        ),
        "sleepdiary-fitbit-sleep-export.csv": Counter(
            {"negative-interval": 3, "sleep-session": 1}
        ),
        "fitout-resting_heart_rate-2024-03-01.json": Counter({"resting-heart-rate": 2}),
    }
    assert all(
        isinstance(normalise(r, now_us=NOW_US), Normalised)
        for group in found.values()
        for r in group
        if isinstance(r, Measurement)
    )


@STORED
def test_without_a_zone_no_stored_local_time_becomes_an_instant():
    found = [reading for path in SAMPLES for reading in stored(path.name, None)]

    assert not [r for r in found if isinstance(r, Measurement)]
    assert {r.reason for r in found if isinstance(r, Refusal)} == {
        Reason.NO_OFFSET,
        Reason.NO_TIME,
        Reason.NEGATIVE_INTERVAL,
    }


@STORED
def test_the_stored_run_is_in_kilometres():
    [run, *_] = stored(
        "shimmer-fitbit-activities-date-multiple-in-activities-list.json"
    )

    assert run == Measurement(
        kind="workout",
        value="running",
        unit="",
        start="2015-06-23T11:55:00+02:00",
        start_us=1435053300000000,
        end="2015-06-23T12:19:00+02:00",
        end_us=1435054740000000,
        position="$.activities[0]",
        source_id="253202765",
        components=(
            Component("workout-duration", 1440, "s"),
            Component("distance", Number("6.43738"), "km"),
            Component("steps", 6761, "{steps}"),
            Component("active-energy", 150, "kcal"),
        ),
        zone=BERLIN,
        source_version=1435095697000000,
    )
    [_, distance, _, _] = normalise(run, now_us=NOW_US).parts
    assert (distance.value, distance.unit) == ("6437.38", "m")


@STORED
def test_the_stored_night_excludes_awake_and_keeps_its_efficiency():
    _, night, *_ = stored("shimmer-fitbit-sleep-date.json")

    assert (night.start, night.end, night.source_id, night.method, night.flags) == (
        "2016-12-13T01:16:00+01:00",
        "2016-12-13T03:14:00+01:00",
        "13211507000",
        "Fitbit classic sleep",
        (),
    )
    assert night.components[:9] == (
        Component("sleep-duration", 112, "min"),
        Component("time-in-bed", 118, "min"),
        Component("awake-duration", 6, "min"),
        Component("sleep-latency", 0, "min"),
        Component("latency-to-arising", 0, "min"),
        Component("sleep-efficiency", 95, "%"),
        Component("restless-duration", 6, "min"),
        Component("restless-periods", 3, "{#}"),
        Component("main-sleep", "true"),
    )
    assert [part.value for part in night.components[9:]] == [
        "asleep",
        "awake",
        "asleep",
        "awake",
        "asleep",
        "awake",
        "asleep",
    ]


@STORED
def test_the_stored_row_that_can_be_true_is_kept_and_flagged():
    *refused, night = stored("sleepdiary-fitbit-sleep-export.csv")

    assert [(r.position, r.payload["csv"]["Start Time"]) for r in refused] == [
        ("Line[3]", "2010-10-13 11:12PM"),
        ("Line[4]", "2010-10-12 10:11PM"),
        ("Line[5]", "11-10-2010 9:10 pm"),
    ]
    assert (night.start, night.end, night.flags) == (
        "2010-10-10T20:09:00+02:00",
        "2010-10-11T07:08:00+02:00",
        ("totals-disputed",),
    )
    assert night.components == (
        Component("sleep-duration", 5000, "min"),
        Component("time-in-bed", 5000, "min"),
        Component("awake-duration", 500, "min"),
        Component("rem-sleep-duration", 1000, "min"),
        Component("light-sleep-duration", 3000, "min"),
        Component("awakenings", 300, "{#}"),
    )


@STORED
def test_the_stored_resting_heart_rate_is_of_a_local_day():
    first, _ = stored("fitout-resting_heart_rate-2024-03-01.json")

    assert (first.kind, str(first.value), first.start, first.end) == (
        "resting-heart-rate",
        "54.01231098175049",
        "2024-03-01T00:00:00+01:00",
        "2024-03-02T00:00:00+01:00",
    )


def test_short_awakenings_lie_over_the_stages():
    log = {
        "logId": 7,
        "startTime": "2024-01-01T22:00:00.000",
        "endTime": "2024-01-01T23:00:00.000",
        "type": "stages",
        "minutesAsleep": 58,
        "levels": {
            "data": [
                {
                    "dateTime": "2024-01-01T22:00:00.000",
                    "level": "light",
                    "seconds": 3600,
                }
            ],
            "shortData": [
                {"dateTime": "2024-01-01T22:30:00.000", "level": "wake", "seconds": 120}
            ],
            "summary": {"light": {"minutes": 58, "count": 1}},
        },
    }

    night = one({"sleep": [log]})

    assert night.components == (
        Component("sleep-duration", 58, "min"),
        Component("light-sleep-duration", 58, "min"),
        Component("sleep-stage", "light", offset_ms=0),
        Component("sleep-stage", "awake", offset_ms=1800000),
        Component("sleep-stage", "light", offset_ms=1920000),
    )
    assert night.flags == ()


def test_totals_that_miss_the_levels_are_kept_and_flagged():
    log = {
        "startTime": "2024-01-01T22:00:00",
        "endTime": "2024-01-01T23:00:00",
        "minutesAsleep": 30,
        "levels": {
            "data": [
                {"dateTime": "2024-01-01T22:00:00", "level": "asleep", "seconds": 3600}
            ]
        },
    }

    night = one([{**log, "dateOfSleep": "2024-01-01"}])

    assert night.flags == ("totals-disputed",)
    assert night.components[0] == Component("sleep-duration", 30, "min")


def segment(time: str, level: str, seconds: int) -> object:
    return {"dateTime": time, "level": level, "seconds": seconds}


def test_the_stages_of_an_hour_that_comes_twice_follow_one_another():
    sent = {
        "logId": 1,
        "startTime": "2024-10-27T00:00:00.000",
        "endTime": "2024-10-27T06:00:00.000",
        "type": "stages",
        "levels": {
            "data": [
                segment("2024-10-27T00:00:00.000", "light", 7200),
                segment("2024-10-27T02:00:00.000", "deep", 3600),
                segment("2024-10-27T02:00:00.000", "rem", 3600),
                segment("2024-10-27T03:00:00.000", "light", 10800),
            ]
        },
    }

    night = one({"sleep": [sent]}, BERLIN)

    hours = [part.offset_ms for part in night.components if part.offset_ms is not None]
    assert hours == [0, 7_200_000, 10_800_000, 14_400_000]
    assert night.flags == ("zone-disputed",)


def test_a_night_that_ends_in_the_second_pass_of_an_hour_ends_when_it_is_over():
    sent = {
        "logId": 1,
        "startTime": "2024-10-27T00:00:00.000",
        "endTime": "2024-10-27T02:30:00.000",
        "duration": 12_600_000,
        "minutesAsleep": 210,
        "levels": {"data": [segment("2024-10-27T00:00:00.000", "light", 12600)]},
    }

    night = one({"sleep": [sent]}, BERLIN)

    assert (night.end, night.flags) == ("2024-10-27T02:30:00+01:00", ("zone-disputed",))


def test_a_minute_that_comes_again_is_of_the_second_pass_of_the_hour():
    times = ("01:59:00", "02:30:00", "02:30:00", "02:31:00", "03:10:00")
    sent = {
        "activities-heart": [{"dateTime": "2024-10-27"}],
        "activities-heart-intraday": {
            "dataset": [{"time": time, "value": 60} for time in times],
            "datasetInterval": 1,
            "datasetType": "minute",
        },
    }

    found = readings(sent, BERLIN)

    assert [(r.start, r.flags) for r in found] == [
        ("2024-10-27T01:59:00+02:00", ()),
        ("2024-10-27T02:30:00+02:00", ("zone-disputed",)),
        ("2024-10-27T02:30:00+01:00", ("zone-disputed",)),
        ("2024-10-27T02:31:00+01:00", ("zone-disputed",)),
        ("2024-10-27T03:10:00+01:00", ()),
    ]


def test_an_hour_that_the_clocks_show_twice_is_disputed():
    log = {
        "logId": 7,
        "startTime": "2024-10-27T02:30:00",
        "endTime": "2024-10-27T08:00:00",
        "minutesAsleep": 300,
    }

    night = one({"sleep": [log]})

    assert (night.start, night.end, night.flags) == (
        "2024-10-27T02:30:00+02:00",
        "2024-10-27T08:00:00+01:00",
        ("zone-disputed",),
    )


def test_a_day_without_steps_has_no_value_and_not_zero():
    reading = one({"activities-steps": [{"dateTime": "2024-01-01", "value": "0"}]})

    assert (reading.kind, reading.value, reading.absent) == (
        "steps-24h",
        None,
        "unknown",
    )


def test_a_run_of_zeros_within_a_day_is_counted_once():
    dataset = [
        {"time": "00:00:00", "value": 0},
        {"time": "00:01:00", "value": 0},
        {"time": "00:02:00", "value": 9},
    ]
    body = {
        "activities-steps": [{"dateTime": "2024-01-01"}],
        "activities-steps-intraday": {
            "dataset": dataset,
            "datasetInterval": 1,
            "datasetType": "minute",
        },
    }

    zeros, steps = readings(body)

    assert (zeros.records, zeros.position) == (
        2,
        "$.activities-steps-intraday.dataset[0]",
    )
    assert (steps.value, steps.start, steps.end) == (
        9,
        "2024-01-01T00:02:00+01:00",
        "2024-01-01T00:03:00+01:00",
    )


def test_a_series_without_a_zone_is_refused_with_all_its_values():
    body = {
        "activities-heart": [{"dateTime": "2024-01-01"}],
        "activities-heart-intraday": {
            "dataset": [{"time": "00:00:00", "value": 61}] * 3
        },
    }

    refused = one(body, None)

    assert (refused.reason, refused.kind, refused.records) == (
        Reason.NO_OFFSET,
        "heart-rate",
        3,
    )
    assert [r.kind for r in readings(refused.payload)] == ["heart-rate"] * 3


def test_heart_rates_of_takeout_are_one_signal_an_hour_with_a_disputed_zone():
    values = [
        {"dateTime": f"02/05/24 10:00:{second:02}", "value": value}
        for second, value in [
            (0, {"bpm": 60, "confidence": 2}),
            (5, {"bpm": 62, "confidence": 3}),
            (10, {"bpm": 70, "confidence": 0}),
            (15, {"bpm": 64, "confidence": 3}),
        ]
    ]

    unsure, signal = readings(values)

    assert unsure == OutOfScope("$[2]", "heart rate without confidence")
    assert (signal.kind, signal.value, signal.records, signal.flags) == (
        "heart-rate-series",
        Samples(1000, (60, *"EEEE", 62, *"EEEEEEEEE", 64)),
        3,
        ("zone-disputed",),
    )
    assert signal.start == "2024-02-05T10:00:00+01:00"


def test_heart_rates_every_few_seconds_are_one_signal_an_hour():
    body = {
        "activities-heart": [{"dateTime": "2024-01-01"}],
        "activities-heart-intraday": {
            "dataset": [
                {"time": "10:00:00", "value": 60},
                {"time": "10:00:02", "value": 0},
                {"time": "10:00:04", "value": 64},
            ],
            "datasetInterval": 1,
            "datasetType": "second",
        },
    }

    gap, signal = readings(body)

    assert gap.what == "interval without a heart rate"
    assert (signal.kind, signal.value, signal.start, signal.end, signal.records) == (
        "heart-rate-series",
        Samples(1000, (60, "E", "E", "E", 64)),
        "2024-01-01T10:00:00+01:00",
        "2024-01-01T10:00:05+01:00",
        2,
    )


def test_on_a_day_of_23_hours_each_value_has_the_offset_of_its_time():
    body = {
        "activities-heart": [{"dateTime": "2024-03-31"}],
        "activities-heart-intraday": {
            "dataset": [
                {"time": "01:59:00", "value": 60},
                {"time": "02:30:00", "value": 61},
                {"time": "03:00:00", "value": 62},
            ]
        },
    }

    before, skipped, after = readings(body)

    assert (before.start, after.start) == (
        "2024-03-31T01:59:00+01:00",
        "2024-03-31T03:00:00+02:00",
    )
    assert skipped.reason is Reason.MALFORMED


def test_bare_values_are_told_by_the_name_of_their_file(tmp_path):
    path = tmp_path / "steps-2024-03-01.json"
    path.write_bytes(b'[{"dateTime": "03/01/24 09:00:00", "value": "12"}]')

    [steps] = parse_file(path, received_at=NOW, zone=BERLIN)
    [refused] = parse_file(BytesIO(path.read_bytes()), received_at=NOW, zone=BERLIN)

    assert (steps.kind, steps.value, steps.start, steps.end, steps.flags) == (
        "steps",
        12,
        "2024-03-01T09:00:00+01:00",
        "2024-03-01T09:01:00+01:00",
        ("zone-disputed",),
    )
    assert refused.reason is Reason.UNKNOWN_KIND


@pytest.mark.parametrize("name", ["distance", "altitude"])
def test_a_takeout_value_whose_unit_is_not_told_is_refused(name):
    values = [{"dateTime": "03/01/24 09:00:00", "value": "12"}]

    refused = one({"takeout": name, "values": values})

    assert refused.reason is Reason.NO_UNIT
    assert one(refused.payload).reason is Reason.NO_UNIT


def test_a_takeout_weight_is_refused_and_one_of_the_api_is_metric():
    log = {"logId": 1, "weight": 70, "time": "10:00:00"}

    refused = one([{**log, "date": "03/01/24"}])
    stored_ = one({"weight": [{**log, "date": "2024-03-01"}]})

    assert (refused.reason, refused.kind) == (Reason.NO_UNIT, "body-weight")
    assert (stored_.kind, stored_.value, stored_.unit, stored_.source_id) == (
        "body-weight",
        70,
        "kg",
        "1",
    )


def test_no_resting_heart_rate_is_absent():
    value = {"date": None, "value": 0, "error": 0}

    reading = one([{"dateTime": "03/01/24 00:00:00", "value": value}])

    assert (reading.value, reading.absent, reading.start) == (
        None,
        "unknown",
        "2024-03-01T00:00:00+01:00",
    )


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"hrv": [{"value": {"dailyRmssd": 38}}]}, ("hrv-rmssd", 38, "ms")),
        (
            {"br": [{"value": {"breathingRate": 14}}]},
            ("respiratory-rate-mean", 14, "/min"),
        ),
        (
            {"spo2": [{"value": {"avg": 96}}]},
            ("oxygen-saturation-mean", 96, "%"),
        ),
        (
            {"tempSkin": [{"value": {"nightlyRelative": -1}}]},
            ("skin-temperature-deviation", -1, "K"),
        ),
    ],
)
def test_nightly_values_are_of_their_day(body, expected):
    [(name, [item])] = body.items()

    reading = one({name: [{**item, "dateTime": "2024-03-31"}]})

    assert (reading.kind, reading.value, reading.unit) == expected
    assert (reading.start, reading.end) == (
        "2024-03-31T00:00:00+01:00",
        "2024-04-01T00:00:00+02:00",
    )
    assert isinstance(normalise(reading, now_us=NOW_US), Normalised)


def test_a_summary_whose_day_is_not_told_is_refused_until_somebody_tells_it():
    body = {"summary": {"steps": 9}}

    assert one(body).reason is Reason.NO_TIME
    assert one({**body, "date": "2024-03-31"}).value == 9


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"Body\nDate,Weight\n", Reason.MALFORMED),
        (b"{", Reason.MALFORMED),
        (b"\x00\xff", Reason.MALFORMED),
    ],
)
def test_another_file_is_refused(data, reason):
    [refused] = parse_file(BytesIO(data), received_at=NOW, zone=BERLIN)

    assert refused.reason is reason


def test_an_empty_file_is_accounted_for():
    [reading] = parse_file(BytesIO(b"[]"), received_at=NOW)

    assert reading == OutOfScope("$", "file without a value")


def test_an_unknown_member_is_refused_and_kept():
    refused = one({"novel": [1]})

    assert (refused.reason, refused.position) == (Reason.UNKNOWN_KIND, "$.?")
    assert one(refused.payload).reason is Reason.UNKNOWN_KIND


def test_every_name_of_the_tables_exists():
    groups = (
        tables.DAILY,
        tables.INTRADAY,
        tables.SLEEP_TOTALS,
        tables.COLUMNS,
        tables.TAKEOUT,
        tables.TAKEOUT_OBJECTS,
        *tables.NIGHTLY.values(),
    )
    named = {what.kind for group in groups for what in group.values()}
    named |= {*tables.ZONES.values(), *tables.LEVEL_TOTALS.values()}

    assert named | tables.ZERO_MAY_BE_MISSING <= kinds().keys()
    assert set(tables.ACTIVITIES.values()) <= set(WORKOUTS)
    assert set(tables.LEVELS.values()) <= kinds()["sleep-stage"].values.keys()


NAMES = [
    "activities",
    "activities-steps",
    "activities-steps-intraday",
    "activities-heart",
    "sleep",
    "weight",
    "summary",
    "distances",
    "levels",
    "dataset",
    "dateTime",
    "startTime",
    "endTime",
    "value",
    "values",
    "csv",
    "hrv",
    "logId",
]
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.sampled_from(["2024-01-01", "2024-01-01T22:00:00", "03/01/24 09:00:00", "x"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(NAMES), inner, max_size=5)
    ),
    max_leaves=12,
)


@given(JSON)
def test_any_json_is_accounted_for(payload):
    found = list(parse(payload, received_at=NOW, zone=BERLIN))

    assert found
    assert all(reading.records >= 1 for reading in found)
    assert all(
        dumps(reading.payload) for reading in found if isinstance(reading, Refusal)
    )


@given(st.binary(max_size=200))
def test_any_file_is_accounted_for(data):
    assert list(parse_file(BytesIO(data), received_at=NOW, zone=BERLIN))
