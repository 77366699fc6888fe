from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conformance.fhir_json import Number, dumps, loads, loads_foreign
from mappings.code_system import WORKOUTS
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
from mappings.vendors.google_health import exercises, types
from mappings.vendors.google_health.parse import parse

NOW = datetime(2026, 12, 1, tzinfo=UTC)
NOW_US = 1796083200000000
SAMPLES = (
    Path(__file__).parents[3].parent / "shared" / "data" / "payloads" / "google-health"
)
INTERVAL = {
    "startTime": "2026-02-23T04:00:00Z",
    "startUtcOffset": "-18000s",
    "endTime": "2026-02-23T12:00:00Z",
    "endUtcOffset": "-18000s",
}
LOCAL = ("2026-02-22T23:00:00-05:00", "2026-02-23T07:00:00-05:00")
SAMPLE = {"physicalTime": "2026-02-23T04:00:00Z", "utcOffset": "-18000s"}
DAY = {"year": 2026, "month": 3, "day": 29}


def readings(payload: object, zone: str | None = None) -> list[object]:
    return list(parse(loads(dumps(payload)), received_at=NOW, zone=zone))


def one(payload: object, zone: str | None = None) -> object:
    [reading] = readings(payload, zone)
    return reading


@pytest.mark.skipif(not SAMPLES.is_dir(), reason="the stored samples are not here")
def test_the_stored_exercise_is_a_walk_in_metres_at_its_offset():
    name = "exercise-datapoints-list.json"

    [reading] = parse(loads_foreign((SAMPLES / name).read_bytes()), received_at=NOW)

    assert reading == Measurement(
        kind="workout",
        value="walking",
        unit="",
        start="2026-02-23T08:10:00-05:00",
        start_us=1771852200000000,
        end="2026-02-23T08:25:00-05:00",
        end_us=1771853100000000,
        position="$.dataPoints[0].exercise",
        source_id="1000000000000000002",
        components=(
            Component("workout-duration", 900, "s"),
            Component("distance", 1609344, "mm"),
            Component("active-energy", 16, "kcal"),
            Component("steps", 2038, "{steps}"),
        ),
        self_reported=True,
        patient="1000000000000000001",
        source_version=1771895962450466,
    )
    [_, distance, _, _] = normalise(reading, now_us=NOW_US).parts
    assert (distance.value, distance.unit) == ("1609.344", "m")


@pytest.mark.skipif(not SAMPLES.is_dir(), reason="the stored samples are not here")
def test_every_stored_sample_is_accounted_for():
    found = {
        path.name: [
            reading.kind if isinstance(reading, Measurement) else reading.what
            for reading in parse(loads_foreign(path.read_bytes()), received_at=NOW)
        ]
        for path in SAMPLES.iterdir()
    }

    assert found == {
        "exercise-datapoints-list.json": ["workout"],
        "subscribers-list.json": ["subscriber list"],
    }


@pytest.mark.parametrize(
    ("point", "expected"),
    [
        ({"steps": {"count": "93"}}, ("steps", 93, "{steps}")),
        ({"floors": {"count": "2"}}, ("flights-climbed", 2, "{flights}")),
        ({"distance": {"millimeters": "1500"}}, ("distance", 1500, "mm")),
        ({"altitude": {"gainMillimeters": "900"}}, ("elevation-gain", 900, "mm")),
        ({"activeEnergyBurned": {"kcal": 31}}, ("active-energy", 31, "kcal")),
        ({"basalEnergyBurned": {"kcal": 31}}, ("basal-energy", 31, "kcal")),
        ({"sedentaryPeriod": {}}, ("sedentary-duration", 28800, "s")),
        (
            {"activityLevel": {"activityLevelType": "VERY_ACTIVE"}},
            ("vigorous-activity-duration", 28800, "s"),
        ),
        (
            {"timeInHeartRateZone": {"heartRateZoneType": "PEAK"}},
            ("heart-rate-zone-maximum-duration", 28800, "s"),
        ),
        (
            {
                "activeMinutes": {
                    "activeMinutesByActivityLevel": [
                        {"activityLevel": "LIGHT", "activeMinutes": "30"}
                    ]
                }
            },
            ("light-activity-duration", 30, "min"),
        ),
    ],
)
def test_each_interval_is_its_kind_at_its_offset(point, expected):
    [(name, data)] = point.items()

    reading = one({name: {**data, "interval": INTERVAL}})

    assert (reading.kind, reading.value, reading.unit) == expected
    assert (reading.start, reading.end) == LOCAL
    assert isinstance(normalise(reading, now_us=NOW_US), Normalised)


@pytest.mark.parametrize(
    ("point", "expected"),
    [
        ({"heartRate": {"beatsPerMinute": "61"}}, [("heart-rate", 61, "/min")]),
        (
            {
                "heartRateVariability": {
                    "rootMeanSquareOfSuccessiveDifferencesMilliseconds": 38,
                    "standardDeviationMilliseconds": 51,
                }
            },
            [("hrv-rmssd", 38, "ms"), ("hrv-sdnn", 51, "ms")],
        ),
        ({"oxygenSaturation": {"percentage": 97}}, [("oxygen-saturation", 97, "%")]),
        ({"weight": {"weightGrams": 72500}}, [("body-weight", 72500, "g")]),
        ({"height": {"heightMillimeters": "1780"}}, [("body-height", 1780, "mm")]),
        ({"bodyFat": {"percentage": 18}}, [("body-fat-percentage", 18, "%")]),
        (
            {"coreBodyTemperature": {"temperatureCelsius": 37}},
            [("body-temperature", 37, "Cel")],
        ),
        ({"vo2Max": {"vo2Max": 44}}, [("vo2-max", 44, "mL/kg/min")]),
        ({"runVo2Max": {"runVo2Max": 45}}, [("vo2-max", 45, "mL/kg/min")]),
        (
            {
                "respiratoryRateSleepSummary": {
                    "fullSleepStats": {"breathsPerMinute": 14}
                }
            },
            [("respiratory-rate", 14, "/min")],
        ),
        (
            {
                "bloodGlucose": {
                    "bloodGlucoseMilligramsPerDeciliter": 92,
                    "specimen": "CAPILLARY_BLOOD",
                }
            },
            [("glucose-capillary", 92, "mg/dL")],
        ),
    ],
)
def test_each_sample_is_its_kind_at_its_offset(point, expected):
    [(name, data)] = point.items()

    found = readings({name: {**data, "sampleTime": SAMPLE}})

    assert [(r.kind, r.value, r.unit) for r in found] == expected
    assert {r.start for r in found} == {LOCAL[0]}
    assert all(isinstance(normalise(r, now_us=NOW_US), Normalised) for r in found)


@pytest.mark.parametrize(
    ("point", "kind"),
    [
        ({"dailyRestingHeartRate": {"beatsPerMinute": "55"}}, "resting-heart-rate"),
        (
            {
                "dailyHeartRateVariability": {
                    "averageHeartRateVariabilityMilliseconds": 38
                }
            },
            "hrv-rmssd",
        ),
        (
            {"dailyOxygenSaturation": {"averagePercentage": 96}},
            "oxygen-saturation-mean",
        ),
        ({"dailyRespiratoryRate": {"breathsPerMinute": 14}}, "respiratory-rate-mean"),
        ({"dailyVo2Max": {"vo2Max": 44}}, "vo2-max"),
    ],
)
def test_a_day_is_one_of_the_persons_calendar(point, kind):
    [(name, data)] = point.items()
    sent = {name: {**data, "date": DAY}}

    reading = one(sent, "Europe/Berlin")

    assert (reading.kind, reading.start, reading.end, reading.zone) == (
        kind,
        "2026-03-29T00:00:00+01:00",
        "2026-03-30T00:00:00+02:00",
        "Europe/Berlin",
    )
    assert one(sent).reason is Reason.NO_OFFSET


def test_a_nightly_temperature_is_a_difference_from_its_baseline():
    sent = {
        "dailySleepTemperatureDerivations": {
            "date": DAY,
            "nightlyTemperatureCelsius": Number("33.45"),
            "baselineTemperatureCelsius": Number("33.1"),
            "relativeNightlyStddev30dCelsius": Number("0.2"),
        }
    }

    reading = one(sent, "Europe/Berlin")

    assert (reading.kind, reading.value, reading.unit) == (
        "skin-temperature-deviation",
        Decimal("0.35"),
        "K",
    )
    assert reading.components == (
        Component("skin-temperature-baseline", Number("33.1"), "Cel"),
        Component("skin-temperature", Number("33.45"), "Cel"),
    )


def stage(start: str, end: str, name: str) -> dict[str, object]:
    return {
        **INTERVAL,
        "startTime": f"2026-02-23T{start}:00Z",
        "endTime": f"2026-02-23T{end}:00Z",
        "type": name,
    }


def test_a_sleep_has_googles_totals_and_the_stages():
    sent = {
        "name": "users/u1/dataTypes/sleep/dataPoints/p1",
        "sleep": {
            "interval": INTERVAL,
            "type": "STAGES",
            "stages": [
                stage("04:00", "08:00", "DEEP"),
                stage("08:00", "12:00", "LIGHT"),
            ],
            "outOfBedSegments": [stage("06:00", "06:30", "")],
            "summary": {
                "minutesAsleep": "450",
                "minutesInSleepPeriod": "480",
                "stagesSummary": [{"type": "DEEP", "minutes": "210", "count": "1"}],
            },
            "metadata": {"nap": False},
        },
    }

    reading = one(sent)

    assert reading.components == (
        Component("sleep-duration", 450, "min"),
        Component("time-in-bed", 480, "min"),
        Component("deep-sleep-duration", 210, "min"),
        Component("nap", "false"),
        Component("sleep-stage", "deep", offset_ms=0),
        Component("sleep-stage", "out-of-bed", offset_ms=7200000),
        Component("sleep-stage", "deep", offset_ms=9000000),
        Component("sleep-stage", "light", offset_ms=14400000),
    )
    assert (reading.source_id, reading.patient, reading.method, reading.flags) == (
        "p1",
        "u1",
        "sleep stages",
        (),
    )


def test_totals_that_miss_the_stages_are_kept_and_flagged():
    sent = {
        "sleep": {
            "interval": INTERVAL,
            "stages": [stage("04:00", "12:00", "LIGHT")],
            "summary": {"minutesAsleep": "300"},
        }
    }

    reading = one(sent)

    assert reading.components[0] == Component("sleep-duration", 300, "min")
    assert reading.flags == ("totals-disputed",)


def test_an_electrocardiogram_keeps_its_samples():
    sent = {
        "electrocardiogram": {
            "interval": {**INTERVAL, "endTime": INTERVAL["startTime"]},
            "samplingFrequencyHertz": 250,
            "millivoltsScalingFactor": 1000,
            "waveformSamples": [1, -2, 3],
            "resultClassification": "NORMAL_SINUS_RHYTHM",
            "beatsPerMinuteAvg": "61",
        }
    }

    reading = one(sent)

    assert reading.components == (
        Component("ecg-lead-i", Samples(4, (1, -2, 3), Decimal("0.001")), "mV"),
        Component("ecg-classification", "sinus-rhythm"),
        Component("heart-rate-mean", 61, "/min"),
    )
    assert (reading.start, reading.end) == (
        LOCAL[0],
        "2026-02-22T23:00:00.012-05:00",
    )
    assert isinstance(normalise(reading, now_us=NOW_US), Normalised)


def test_a_sum_over_a_whole_day_is_a_daily_kind():
    civil = {
        "civilStartTime": {"date": DAY},
        "civilEndTime": {"date": {**DAY, "day": 30}},
    }
    physical = {"startTime": "2026-02-23T04:00:00Z", "endTime": "2026-02-23T05:00:00Z"}
    sent = {
        "rollupDataPoints": [
            {**civil, "steps": {"countSum": "9000"}, "weight": {"weightGramsAvg": 1}},
            {**physical, "steps": {"countSum": "90"}},
        ]
    }

    day, mean, hour = readings(sent, "Europe/Berlin")

    assert (day.kind, day.value, day.start) == (
        "steps-24h",
        9000,
        "2026-03-29T00:00:00+01:00",
    )
    assert mean == OutOfScope("$.rollupDataPoints[0].?", "statistic over data points")
    assert (hour.kind, hour.value) == ("steps", 90)


def test_the_battery_of_a_paired_device_is_told_of_that_device():
    sent = {
        "pairedDevices": [
            {
                "name": "users/u1/pairedDevices/123",
                "batteryLevel": 70,
                "deviceVersion": "Charge 6",
                "lastSyncTime": "2026-02-23T04:00:00Z",
                "macAddress": "AABBCCDDEEFF",
            }
        ]
    }

    reading = one(sent)

    assert (reading.kind, reading.value, reading.start, reading.patient) == (
        "battery-level",
        70,
        "2026-02-23T04:00:00Z",
        "u1",
    )
    assert reading.device == DeviceClue(identifier="123", model="Charge 6")


@pytest.mark.parametrize(
    ("operation", "what"),
    [
        ("UPSERT", "notification without values"),
        ("DELETE", "notification of a deletion"),
    ],
)
def test_a_notification_holds_no_values_whatever_its_times(operation, what):
    notice = {
        "data": {
            "version": "1",
            "healthUserId": "u1",
            "operation": operation,
            "dataType": "steps",
            "intervals": [
                {"physicalTimeInterval": {"startTime": "2026-03-0B01:29:00Z"}}
            ],
        }
    }

    assert one(notice) == OutOfScope("$", what)


def test_a_malformed_time_is_refused_and_the_other_points_are_kept():
    bad = {"heartRate": {"beatsPerMinute": "61", "sampleTime": {**SAMPLE}}}
    bad["heartRate"]["sampleTime"]["physicalTime"] = "2026-03-0B01:29:00Z"
    good = {"heartRate": {"beatsPerMinute": "62", "sampleTime": SAMPLE}}

    refused, stored = readings({"dataPoints": [bad, good]})

    assert (refused.reason, refused.kind) == (Reason.MALFORMED, "heart-rate")
    assert stored.value == 62
    assert one(refused.payload).reason is Reason.MALFORMED


@pytest.mark.parametrize(
    ("sent", "position"),
    [
        ({"mood": {"valence": 1}}, "$.?"),
        ({"exercise": {"interval": INTERVAL, "exerciseType": "NOVEL"}}, "$.exercise"),
        (
            {"irregularRhythmNotification": {"interval": INTERVAL}},
            "$.?",
        ),
    ],
)
def test_what_is_not_known_is_refused_and_kept(sent, position):
    refused = one(sent)

    assert (refused.reason, refused.position) == (Reason.UNKNOWN_KIND, position)
    assert one(refused.payload).reason is Reason.UNKNOWN_KIND


def test_a_new_member_is_refused_alone_and_texts_are_dropped():
    sent = {
        "weight": {
            "sampleTime": SAMPLE,
            "weightGrams": 72500,
            "notes": "private",
            "waterGrams": 40000,
        }
    }

    stored, refused = readings(sent)

    assert stored.kind == "body-weight"
    assert (refused.position, refused.reason) == (
        "$.weight.waterGrams",
        Reason.UNKNOWN_KIND,
    )
    assert "private" not in repr(refused)
    assert [r.reason for r in readings(refused.payload)] == [Reason.UNKNOWN_KIND]


def test_every_name_of_the_tables_exists():
    tables = (types.INTERVALS, types.SAMPLES, types.DAYS)
    named = {v.kind for table in tables for group in table.values() for v in group}
    named |= {kind for _, group in types.LENGTHS.values() for kind in group.values()}
    named |= {kind for kind, _ in types.WORKOUT_TOTALS.values()}
    named |= {*types.LEVELS.values(), *types.SPECIMENS.values(), *types.ZONES.values()}
    named |= {*types.SLEEP_TOTALS.values(), *types.STAGE_TOTALS.values()}
    named |= {kind for value, day in types.SUMS.values() for kind in (value.kind, day)}

    assert named <= kinds().keys()
    assert set(exercises.EXERCISES.values()) <= set(WORKOUTS)
    assert set(types.STAGES.values()) <= kinds()["sleep-stage"].values.keys()
    assert set(types.RHYTHMS.values()) <= kinds()["ecg-classification"].values.keys()


NAMES = [
    "dataPoints",
    "rollupDataPoints",
    "pairedDevices",
    "name",
    "dataSource",
    "sleep",
    "exercise",
    "steps",
    "interval",
    "startTime",
    "endTime",
    "count",
    "novel",
    "data",
]
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.sampled_from(["2026-02-23T04:00:00Z", "x", "WALKING", "900s"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(NAMES), inner, max_size=5)
    ),
    max_leaves=12,
)


@given(JSON)
def test_any_json_is_accounted_for(payload):
    found = list(parse(payload, received_at=NOW, zone="Europe/Berlin"))

    assert found
    assert all(reading.records >= 1 for reading in found)
    assert all(
        dumps(reading.payload) for reading in found if isinstance(reading, Refusal)
    )
