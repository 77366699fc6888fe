from collections import Counter
from datetime import UTC, datetime
from decimal import Decimal
from io import BytesIO
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conformance.fhir_json import Number
from conformance.issues import FHIRError
from mappings.kinds import kinds
from mappings.measurement import (
    Component,
    DeviceClue,
    Measurement,
    OutOfScope,
    Reason,
    Refusal,
    Samples,
)
from mappings.normalise import Normalised, normalise
from mappings.vendors.garmin_connect import (
    activities,
    members,
    nights,
    points,
    weighings,
)
from mappings.vendors.garmin_connect.parse import parse, parse_file

NOW = datetime(2026, 2, 1, tzinfo=UTC)
NOW_US = 1_795_000_000_000_000
SAMPLES = (
    Path(__file__).parents[3].parent
    / "shared"
    / "data"
    / "payloads"
    / "garmin-connect-unofficial"
)
SEEN = sorted(SAMPLES.glob("*.json"))
REDACTED = (
    "10.1234",
    "20.9876",
    "140.9876",
    "120000000",
    "240000000",
    "Patient",
    "user001",
    "1000001",
    "100000002",
    "City Name",
    "https://",
)

needs_samples = pytest.mark.skipif(
    not SEEN, reason="the sample payloads are not beside this checkout"
)

DAY = {
    "userProfilePK": 1,
    "calendarDate": "2026-01-05",
    "startTimestampGMT": "2026-01-05T06:00:00.0",
    "endTimestampGMT": "2026-01-06T06:00:00.0",
    "startTimestampLocal": "2026-01-05T00:00:00.0",
    "endTimestampLocal": "2026-01-06T00:00:00.0",
}
START_MS = 1_767_592_800_000


def readings(sent, zone=None):
    return list(parse(sent, received_at=NOW, zone=zone))


def measured(sent, zone=None):
    return [r for r in readings(sent, zone) if isinstance(r, Measurement)]


def seen(name):
    return list(parse_file(SAMPLES / name, received_at=NOW))


def weighing(**more):
    return {
        "dateWeightList": [
            {
                "samplePk": 17,
                "date": 1_749_975_276_000,
                "timestampGMT": 1_749_996_876_000,
                "calendarDate": "2025-06-15",
                "sourceType": "INDEX_SCALE",
            }
            | more
        ]
    }


def test_a_weighing_is_in_kilograms_at_the_offset_of_its_pair():
    [reading] = readings(weighing(weight=Number("59720.0")))

    assert reading == Measurement(
        kind="body-weight",
        value=Decimal("59.7200"),
        unit="kg",
        start="2025-06-15T08:14:36-06:00",
        start_us=1_749_996_876_000_000,
        end=None,
        end_us=1_749_996_876_000_000,
        position="$.dateWeightList[0].weight",
        source_id="17",
    )


def test_a_weighing_that_a_person_entered_says_so():
    [reading] = readings(weighing(weight=59_720, sourceType="MANUAL"))

    assert reading.self_reported


def test_a_pair_that_cannot_be_is_flagged_and_the_instant_kept():
    [reading] = readings(weighing(weight=59_720, date=1_749_975_276_001))

    assert (reading.start, reading.flags) == (
        "2025-06-15T14:14:36Z",
        ("zone-disputed",),
    )


def test_without_a_local_half_the_offset_is_not_known():
    sent = weighing(weight=59_720, date=None)

    [bare], [zoned] = readings(sent), readings(sent, zone="America/Denver")

    assert bare.start == "2025-06-15T14:14:36Z"
    assert zoned.start == "2025-06-15T08:14:36-06:00"


def test_a_difference_is_no_measurement_and_null_is_none():
    found = readings(weighing(weightDelta=200, bmi=None, bodyFat=None))

    assert found == [
        OutOfScope("$.dateWeightList[0].weightDelta", "derived from other weighings"),
        OutOfScope("$.dateWeightList[0]", "property without a value", 2),
    ]


def test_a_new_number_is_refused_and_can_be_tried_again():
    weight, refusal = readings(weighing(weight=59_720, glow=7))
    [again] = readings(refusal.payload)

    assert weight.kind == "body-weight"
    assert refusal.reason is Reason.UNKNOWN_KIND
    assert again == refusal


def test_a_number_written_as_text_is_refused_by_its_kind():
    [refusal] = readings(weighing(weight="59720"))

    assert (refusal.reason, refusal.kind) == (Reason.INVALID_VALUE, "body-weight")


def test_two_minute_heart_rates_are_a_signal_with_gaps_and_no_spot_rates():
    values = [[START_MS, 91], [START_MS + 120_000, None], [START_MS + 240_000, 72]]

    found = readings({**DAY, "heartRateValues": values})

    assert found == [
        OutOfScope("$.heartRateValues", "property without a value", 1),
        Measurement(
            kind="heart-rate-series",
            value=Samples(120_000, (91, "E", 72)),
            unit="/min",
            start="2026-01-05T00:00:00-06:00",
            start_us=START_MS * 1000,
            end="2026-01-05T00:06:00-06:00",
            end_us=(START_MS + 360_000) * 1000,
            position="$.heartRateValues",
            source_id="heart-rate#1767592800",
            components=(
                Component("heart-rate-minimum", 72, "/min"),
                Component("heart-rate-mean", Decimal("81.5"), "/min"),
                Component("heart-rate-maximum", 91, "/min"),
            ),
            records=2,
        ),
    ]


@pytest.mark.parametrize(
    "row", [7, [START_MS], ["soon", 61], [None, 61], [START_MS, "61"], [START_MS, 999]]
)
def test_a_point_that_is_none_is_refused_alone(row):
    values = [row, [START_MS, 61]]

    refusal, signal = readings({**DAY, "heartRateValues": values})

    assert (refusal.kind, signal.value.data) == ("heart-rate-series", (61,))
    assert refusal.payload["heartRateValues"] == [row]


def test_negative_stress_is_no_stress_and_says_so_once_for_neighbours():
    values = [[START_MS, -1], [START_MS + 180_000, -2], [START_MS + 360_000, 25]]

    present, absent = readings({**DAY, "stressValuesArray": values})

    assert (present.value, present.source_id) == (25, "stress#1767593160")
    assert (absent.absent, absent.start, absent.end, absent.records) == (
        "unknown",
        "2026-01-05T00:00:00-06:00",
        "2026-01-05T00:06:00-06:00",
        2,
    )


def test_the_level_of_the_body_battery_is_the_third_of_its_point():
    values = [[START_MS, "MEASURED", 44, 2]]

    [reading] = readings({**DAY, "bodyBatteryValuesArray": values})

    assert (reading.kind, reading.value) == ("garmin-body-battery", 44)


def test_a_day_of_changing_clocks_has_two_offsets():
    day = DAY | {
        "startTimestampGMT": "2026-03-28T23:00:00.0",
        "endTimestampGMT": "2026-03-29T22:00:00.0",
        "startTimestampLocal": "2026-03-29T00:00:00.0",
        "endTimestampLocal": "2026-03-30T00:00:00.0",
    }

    [reading] = readings({**day, "heartRateValues": [], "restingHeartRate": 49})

    assert (reading.start, reading.end) == (
        "2026-03-29T00:00:00+01:00",
        "2026-03-30T00:00:00+02:00",
    )


def test_stress_minutes_that_miss_their_total_are_flagged():
    day = {
        "wellnessStartTimeGmt": "2025-06-13T22:00:00.0",
        "wellnessEndTimeGmt": "2025-06-14T22:00:00.0",
        "wellnessStartTimeLocal": "2025-06-14T00:00:00.0",
        "wellnessEndTimeLocal": "2025-06-15T00:00:00.0",
        "lowStressDuration": 60,
        "mediumStressDuration": 60,
        "highStressDuration": 60,
        "totalSteps": 5,
    }

    right = {r.kind: r.flags for r in measured(day | {"stressDuration": 180})}
    wrong = {r.kind: r.flags for r in measured(day | {"stressDuration": 120})}

    assert set(right.values()) == {()}
    assert wrong == {
        "steps-24h": (),
        "stress-low-duration": ("totals-disputed",),
        "stress-medium-duration": ("totals-disputed",),
        "stress-high-duration": ("totals-disputed",),
    }


NIGHT = {
    "id": 1_751_863_648_000,
    "sleepStartTimestampGMT": 1_751_863_648_000,
    "sleepEndTimestampGMT": 1_751_888_248_000,
    "sleepStartTimestampLocal": 1_751_842_048_000,
    "sleepEndTimestampLocal": 1_751_866_648_000,
    "sleepTimeSeconds": 24_180,
    "deepSleepSeconds": 5280,
    "lightSleepSeconds": 13_440,
    "remSleepSeconds": 5460,
}


def test_a_night_whose_stages_miss_its_total_is_flagged():
    [right] = measured({"dailySleepDTO": NIGHT})
    [wrong] = measured({"dailySleepDTO": NIGHT | {"sleepTimeSeconds": 24_600}})

    assert (right.flags, wrong.flags) == ((), ("totals-disputed",))


def test_undocumented_levels_are_refused_and_the_session_kept():
    session, refusal = readings({"dailySleepDTO": NIGHT, "sleepLevels": [{}, {}]})

    assert session.kind == "sleep-session"
    assert (refusal.reason, refusal.records) == (Reason.UNKNOWN_KIND, 2)


@pytest.mark.parametrize("night", [7, NIGHT | {"awakeCount": "one"}])
def test_a_night_that_cannot_be_read_is_refused(night):
    [refusal] = readings({"dailySleepDTO": night})

    assert refusal.kind == "sleep-session"


@pytest.mark.parametrize(
    ("word", "code"),
    [
        ("trail_running", "running"),
        ("yoga", "yoga"),
        ("quidditch", "other"),
        (None, "other"),
    ],
)
def test_an_activity_has_a_code_of_ours(word, code):
    entry = {
        "activityId": 1,
        "activityType": {"typeKey": word},
        "startTimeGMT": "2026-01-08 14:10:21",
        "startTimeLocal": "2026-01-08 08:10:21",
        "duration": 60,
        "manualActivity": True,
    }

    [reading] = measured([entry])

    assert (reading.value, reading.end, reading.self_reported) == (
        code,
        "2026-01-08T08:11:21-06:00",
        True,
    )


def test_an_activity_without_a_duration_is_refused():
    [refusal] = readings([{"activityId": 1, "startTimeGMT": "2026-01-08 14:10:21"}])

    assert (refusal.reason, refusal.kind) == (Reason.INVALID_VALUE, "workout")


def test_an_event_that_drains_the_body_battery_is_a_positive_loss():
    told = {
        "eventStartTimeGmt": "2023-07-19T21:30:00.000",
        "timezoneOffset": -25_200_000,
        "durationInMilliseconds": 3_600_000,
        "bodyBatteryImpact": -9,
    }

    [reading] = measured([{"event": told}])

    assert (reading.kind, reading.value, reading.start, reading.end) == (
        "garmin-body-battery-drained",
        9,
        "2023-07-19T14:30:00-07:00",
        "2023-07-19T15:30:00-07:00",
    )


@pytest.mark.parametrize("offset", [1, 60_000_000, "x"])
def test_an_event_whose_offset_cannot_be_is_flagged(offset):
    told = {
        "eventStartTimeGmt": "2023-07-19T21:30:00.000",
        "timezoneOffset": offset,
        "durationInMilliseconds": 3_600_000,
    }

    [reading] = measured([{"event": told, "averageStress": 15}])

    assert (reading.start, reading.flags) == (
        "2023-07-19T21:30:00Z",
        ("zone-disputed",),
    )


def test_an_event_without_an_offset_is_at_an_unknown_one():
    told = {
        "eventStartTimeGmt": "2023-07-19T21:30:00.000",
        "durationInMilliseconds": 3_600_000,
    }

    [reading] = measured([{"event": told, "averageStress": 15}])
    [refusal] = readings([{"event": told | {"durationInMilliseconds": None}}])

    assert (reading.start, reading.flags) == ("2023-07-19T21:30:00Z", ())
    assert refusal.reason is Reason.NO_TIME


def test_a_reading_of_rmssd_without_a_value_is_counted():
    entry = {"hrvValue": None, "readingTimeGMT": "2023-07-20T05:29:48.0"}

    [reading] = readings({"hrvReadings": [entry]})

    assert reading.what == "property without a value"


def test_readiness_without_a_score_stores_nothing():
    entry = {"score": None, "timestamp": START_MS, "timestampLocal": START_MS}

    assert readings([entry | {"level": "LOW"}]) == [
        OutOfScope("$[0]", "factor of the score", 1)
    ]


def test_a_sentinel_has_no_value_and_says_so():
    reading, *_ = measured({**DAY, "stressValuesArray": [], "avgStressLevel": -1})

    assert (reading.kind, reading.value, reading.absent) == (
        "garmin-stress-level-mean",
        None,
        "unknown",
    )


@pytest.mark.parametrize("payload", [None, [], [None]])
def test_an_empty_answer_is_counted_and_no_fault(payload):
    assert [r.what for r in readings(payload)] == ["answer without data"]


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        (7, Reason.MALFORMED),
        (["x"], Reason.MALFORMED),
        ({"glow": 7}, Reason.UNKNOWN_KIND),
        ({"hrvReadings": [7]}, Reason.MALFORMED),
        ({"dateWeightList": [7]}, Reason.MALFORMED),
        ({"event": 7}, Reason.MALFORMED),
        ({"heartRateValues": []}, Reason.NO_TIME),
    ],
)
def test_what_is_no_answer_is_refused(payload, reason):
    [refusal] = readings(payload)

    assert refusal.reason is reason


def test_a_file_that_is_no_json_is_refused():
    [refusal] = parse_file(BytesIO(b"<html>"), received_at=NOW)

    assert (refusal.reason, refusal.position) == (Reason.MALFORMED, "$")


def test_a_file_that_is_too_long_is_refused(monkeypatch):
    monkeypatch.setattr("mappings.vendors.garmin_connect.parse.MAX_BYTES", 3)

    [refusal] = parse_file(BytesIO(b"[   ]"), received_at=NOW)

    assert refusal.reason is Reason.MALFORMED


def test_an_unknown_zone_is_refused():
    with pytest.raises(FHIRError):
        parse_file(BytesIO(b"[]"), received_at=NOW, zone="Mars/Olympus")


# What was seen.


@needs_samples
def test_the_night_that_was_seen_is_one_session_with_its_totals():
    session, *_ = seen("sleep-2025-07-07.json")

    assert (session.start, session.end, session.source_id, session.flags) == (
        "2025-07-06T22:47:28-06:00",
        "2025-07-07T05:37:28-06:00",
        "1751863648000",
        (),
    )
    assert session.components == (
        Component("sleep-duration", 24_180, "s"),
        Component("deep-sleep-duration", 5280, "s"),
        Component("light-sleep-duration", 13_440, "s"),
        Component("rem-sleep-duration", 5460, "s"),
        Component("awake-duration", 420, "s"),
        Component("awakenings", 1, "{#}"),
        Component("oxygen-saturation-mean", Decimal("93.0"), "%"),
        Component("oxygen-saturation-minimum", 86, "%"),
        Component("respiratory-rate-mean", Decimal("13.0"), "/min"),
        Component("respiratory-rate-minimum", Decimal("9.0"), "/min"),
        Component("respiratory-rate-maximum", Decimal("17.0"), "/min"),
        Component("garmin-sleep-score", 83, "{score}"),
        Component("skin-temperature-deviation", Decimal("-0.4"), "K"),
    )


@needs_samples
def test_a_date_without_data_that_was_seen_stores_nothing():
    assert seen("sleep-2030-01-01-no-data.json") == [
        OutOfScope("$", "date without data")
    ]


@needs_samples
def test_the_heart_rates_that_were_seen_are_signals_with_gaps():
    found = seen("heart-rate-2026-01-07.json")
    signals = [r for r in found if r.position == "$.heartRateValues"]

    of_day = {r.kind: r.value for r in found if isinstance(r, Measurement)}
    assert of_day["heart-rate-maximum-24h"] == 115
    assert of_day["resting-heart-rate"] == 52
    assert signals[0] == OutOfScope("$.heartRateValues", "property without a value", 3)
    assert sum(r.records for r in signals) == 710
    assert any("E" in signal.value.data for signal in signals[1:])


@needs_samples
def test_the_rmssd_that_was_seen_has_its_mean_its_highest_and_its_series():
    found = [r for r in seen("hrv-2023-07-20.json") if isinstance(r, Measurement)]

    assert [(r.kind, r.value, r.start, r.method) for r in found[:3]] == [
        ("hrv-rmssd", 42, "2023-07-19T23:25:00-06:00", "mean of the night"),
        ("hrv-rmssd-maximum", 66, "2023-07-19T23:25:00-06:00", "five minutes"),
        ("hrv-rmssd", 54, "2023-07-19T23:29:48-06:00", "five minutes"),
    ]
    assert len(found) == 83


@needs_samples
def test_each_weighing_that_was_seen_is_stored_once():
    found = [
        r for r in seen("weight-range-2025-06.json") if r.position.endswith(".weight")
    ]

    assert [(str(r.value), r.source_id, r.self_reported) for r in found] == [
        ("59.7200", "1749996902851", False),
        ("59.5000", "1749948744411", True),
        ("59.1300", "1749909217098", False),
        ("59.1890", "1749307692871", False),
        ("58.7000", "1748709464191", False),
    ]


@needs_samples
def test_the_run_that_was_seen_is_a_workout_of_a_device_without_names():
    workout, uptake, *_ = seen("activity-list.json")

    assert (workout.value, workout.start, workout.device) == (
        "running",
        "2026-01-08T08:10:21-06:00",
        DeviceClue(identifier="3900000021", manufacturer="Garmin"),
    )
    assert (uptake.kind, str(uptake.value), uptake.method) == (
        "vo2-max",
        "45.0",
        "estimated",
    )


@needs_samples
@pytest.mark.parametrize(
    ("name", "counts"),
    [
        ("activity-list.json", (11, 0, 44)),
        ("body-battery-2023-07-19-empty.json", (0, 0, 1)),
        ("body-battery-2023-07-20.json", (9, 0, 0)),
        ("heart-rate-2026-01-05.json", (697, 0, 4)),
        ("heart-rate-2026-01-07.json", (710, 0, 4)),
        ("hrv-2023-07-20.json", (83, 0, 2)),
        ("sleep-2021-07-20.json", (10, 0, 6)),
        ("sleep-2025-07-07.json", (15, 0, 11)),
        ("sleep-2030-01-01-no-data.json", (0, 0, 1)),
        ("stress-2023-07-20.json", (23, 0, 0)),
        ("stress-2025-12-18-incomplete.json", (796, 0, 0)),
        ("summary-2025-06-14.json", (25, 0, 47)),
        ("training-readiness-2025-07-07.json", (5, 0, 145)),
        ("weight-2025-06-15.json", (6, 0, 5)),
        ("weight-range-2025-06.json", (25, 0, 27)),
        ("weight-range-empty.json", (0, 0, 3)),
    ],
)
def test_every_answer_that_was_seen_is_accounted_for(name, counts):
    found = Counter()
    for reading in seen(name):
        found[type(reading)] += reading.records

    assert (found[Measurement], found[Refusal], found[OutOfScope]) == counts


@needs_samples
@pytest.mark.parametrize("path", SEEN, ids=lambda path: path.name)
def test_what_was_seen_can_be_stored_and_tells_nothing_private(path):
    found = [r for r in parse_file(path, received_at=NOW) if isinstance(r, Measurement)]
    told = repr([r._replace(start_us=0, end_us=0, source_id=None) for r in found])

    assert not [r for r in found if isinstance(normalise(r, now_us=NOW_US), Refusal)]
    assert not [word for word in REDACTED if word in told]
    assert {r.patient for r in found} <= {None}


# Tables and totality.


def test_every_kind_and_unit_of_the_tables_can_be_stored():
    tables = (members.SUMMARY, nights.QUANTITIES, weighings.QUANTITIES)
    quantities = [quantity for table in tables for quantity in table.values()]
    quantities += [array.quantity for array in points.ARRAYS.values()]
    at = "2020-01-01T00:00:00Z"

    wrong = [
        (kind, unit)
        for kind, unit, *_ in quantities
        if getattr(
            normalise(Measurement(kind, 50, unit, at, 0, at, 0, "$"), now_us=NOW_US),
            "reason",
            None,
        )
        in {Reason.UNKNOWN_UNIT, Reason.NO_UNIT, Reason.UNKNOWN_KIND}
    ]

    assert wrong == []


def test_every_part_of_a_session_is_one_of_its_components():
    parts = {kind for kind, _ in nights.PARTS.values()}
    done = {kind for kind, _ in activities.PARTS.values()}

    assert parts | {"garmin-sleep-score", "skin-temperature-deviation"} <= set(
        kinds()["sleep-session"].components
    )
    assert done <= set(kinds()["workout"].components)


def test_no_member_is_both_stored_and_out_of_scope():
    assert not members.SUMMARY.keys() & members.SUMMARY_OUT_OF_SCOPE.keys()


NAMES = sorted(
    {
        *DAY,
        *NIGHT,
        *members.SUMMARY,
        *weighings.QUANTITIES,
        *activities.PARTS,
        *points.ARRAYS,
        "allWeightMetrics",
        "averageStress",
        "dailySleepDTO",
        "dailyWeightSummaries",
        "date",
        "dateWeightList",
        "durationInMilliseconds",
        "event",
        "eventStartTimeGmt",
        "heartRateValues",
        "hrvReadings",
        "hrvSummary",
        "hrvValue",
        "previousDateWeight",
        "readingTimeGMT",
        "score",
        "sleepScores",
        "startTimeGMT",
        "timestamp",
        "timestampGMT",
        "timestampLocal",
        "timezoneOffset",
        "wellnessEndTimeGmt",
        "wellnessStartTimeGmt",
    }
)
LEAVES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.integers(START_MS, START_MS + 90_000_000),
    st.decimals(allow_nan=False, allow_infinity=False).map(lambda d: Number(str(d))),
    st.text(max_size=6),
    st.sampled_from(["2026-01-05T06:00:00.0", "2026-01-05 06:00:00", "MANUAL"]),
)
JSON = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(st.sampled_from(NAMES), inner, max_size=5),
    ),
    max_leaves=20,
)


@given(
    st.one_of(
        JSON,
        st.dictionaries(st.sampled_from(NAMES), JSON, max_size=6).map(
            lambda more: {**DAY, **more}
        ),
    )
)
def test_any_json_is_accounted_for_and_nothing_is_raised(payload):
    found = readings(payload)

    assert all(reading.records >= 1 for reading in found)
    assert all(
        isinstance(normalise(r, now_us=NOW_US), Normalised | Refusal)
        for r in found
        if isinstance(r, Measurement)
    )
