from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conformance.fhir_json import Number, dumps, loads, loads_foreign
from mappings.code_system import WORKOUTS
from mappings.kinds import kinds
from mappings.measurement import (
    Component,
    Deletion,
    DeviceClue,
    Measurement,
    OutOfScope,
    Reason,
    Refusal,
    Whole,
)
from mappings.normalise import Normalised, normalise
from mappings.vendors.health_connect import exercises, forwarder, records, values
from mappings.vendors.health_connect.parse import parse

NOW = datetime(2026, 1, 1, tzinfo=UTC)
NOW_US = 1767225600000000
SAMPLES = (
    Path(__file__).parents[3].parent / "shared" / "data" / "payloads" / "health-connect"
)
START, END = "2025-03-29T22:00:00Z", "2025-03-30T06:00:00Z"
START_US, END_US = 1743285600000000, 1743314400000000


def readings(payload: object, zone: str | None = None) -> list[object]:
    return list(parse(loads(dumps(payload)), received_at=NOW, zone=zone))


def one(payload: object, zone: str | None = None) -> object:
    [reading] = readings(payload, zone)
    return reading


def record(type_: str, **fields: object) -> dict[str, object]:
    times = {} if "time" in fields else {"startTime": START, "endTime": END}
    return {"recordType": type_, **times, **fields}


@pytest.mark.skipif(not SAMPLES.is_dir(), reason="the stored samples are not here")
def test_the_stored_record_has_its_energy_and_an_unknown_offset():
    name = "rn-health-connect-readRecords-example.json"
    payload = loads_foreign((SAMPLES / name).read_bytes())

    [reading] = parse(payload, received_at=NOW)

    assert [path.name for path in SAMPLES.iterdir()] == [name]
    assert reading == Measurement(
        kind="active-energy",
        value=15000,
        unit="kcal",
        start="2023-01-09T12:00:00.405Z",
        start_us=1673265600405000,
        end="2023-01-09T23:53:15.405Z",
        end_us=1673308395405000,
        position="$.records[0].energy",
        source_id="239a8cfd-990d-42fc-bffc-c494b829e8e1",
        source_version=1673989583335000,
    )
    assert normalise(reading, now_us=NOW_US).implausible


def test_small_calories_are_a_thousandth_of_a_kilocalorie():
    reading = one(record("ActiveCaloriesBurned", energy={"inCalories": 15000}))

    result = normalise(reading, now_us=NOW_US)

    assert (reading.value, reading.unit) == (15000, "cal")
    assert (result.value, result.unit) == ("15.000", "kcal")


@pytest.mark.parametrize(
    ("sent", "expected"),
    [
        (record("Steps", count=93), ("steps", 93, "{steps}")),
        (record("WheelchairPushes", count=9), ("wheelchair-pushes", 9, "{#}")),
        (
            record("Distance", distance={"inMeters": Number("12.50")}),
            ("distance", Number("12.50"), "m"),
        ),
        (
            record("Distance", distance={"value": 2, "unit": "miles"}),
            ("distance", 2, "[mi_i]"),
        ),
        (record("FloorsClimbed", floors=3), ("flights-climbed", 3, "{flights}")),
        (
            record("ElevationGained", elevation={"inMeters": 4}),
            ("elevation-gain", 4, "m"),
        ),
        (
            record("TotalCaloriesBurned", energy={"inKilocalories": 1900}),
            ("total-energy", 1900, "kcal"),
        ),
        (
            record("RestingHeartRate", time=START, beatsPerMinute=55),
            ("resting-heart-rate", 55, "/min"),
        ),
        (
            record(
                "HeartRateVariabilityRmssd",
                time=START,
                heartRateVariabilityMillis=Number("38.20"),
            ),
            ("hrv-rmssd", Number("38.20"), "ms"),
        ),
        (
            record("OxygenSaturation", time=START, percentage=98),
            ("oxygen-saturation", 98, "%"),
        ),
        (
            record("BodyFat", time=START, percentage=18),
            ("body-fat-percentage", 18, "%"),
        ),
        (
            record("RespiratoryRate", time=START, rate=13),
            ("respiratory-rate", 13, "/min"),
        ),
        (
            record("Weight", time=START, weight={"inKilograms": Number("72.50")}),
            ("body-weight", Number("72.50"), "kg"),
        ),
        (record("Height", time=START, height={"inMeters": 2}), ("body-height", 2, "m")),
        (
            record("BodyTemperature", time=START, temperature={"inCelsius": 37}),
            ("body-temperature", 37, "Cel"),
        ),
        (
            record("BloodGlucose", time=START, level={"inMillimolesPerLiter": 5}),
            ("glucose", 5, "mmol/L"),
        ),
        (
            record(
                "BloodGlucose",
                time=START,
                specimenSource=1,
                level={"inMillimolesPerLiter": 5, "inMilligramsPerDeciliter": 90},
            ),
            ("glucose-interstitial", 90, "mg/dL"),
        ),
        (
            record(
                "BasalMetabolicRate",
                time=START,
                basalMetabolicRate={"inWatts": 80, "inKilocaloriesPerDay": 1652},
            ),
            ("basal-metabolic-rate", 1652, "kcal/d"),
        ),
        (
            record("Vo2Max", time=START, vo2MillilitersPerMinuteKilogram=48),
            ("vo2-max", 48, "mL/kg/min"),
        ),
        (
            record("MindfulnessSession", mindfulnessSessionType=1),
            ("mindful-duration", 28800, "s"),
        ),
        (
            record("ActivityIntensity", activityIntensityType=1),
            ("vigorous-activity-duration", 28800, "s"),
        ),
    ],
)
def test_each_type_is_its_kind_and_can_be_stored(sent, expected):
    reading = one(sent)

    assert (reading.kind, reading.value, reading.unit) == expected
    assert isinstance(normalise(reading, now_us=NOW_US), Normalised)


@pytest.mark.parametrize(
    "offset", ["+02:00", {"id": "+02:00", "totalSeconds": 7200}, {"id": "+02:00"}]
)
def test_the_offset_beside_an_instant_is_that_of_the_time(offset):
    reading = one(record("RestingHeartRate", time=START, zoneOffset=offset, rate=1))

    assert reading.detail == "The member is not one that is understood."
    sent = record("RestingHeartRate", time=START, zoneOffset=offset, beatsPerMinute=55)
    assert one(sent).start == "2025-03-30T00:00:00+02:00"


def test_an_offset_that_no_clock_has_is_disputed_and_the_instant_stays():
    sent = record("RestingHeartRate", time=START, beatsPerMinute=55)
    sent["zoneOffset"] = {"totalSeconds": 90000}

    reading = one(sent)

    assert (reading.start, reading.flags) == (START, ("zone-disputed",))


def test_utc_of_unknown_offset_is_z_and_known_utc_is_not():
    unknown = one(record("RestingHeartRate", time=START, beatsPerMinute=55))
    known = one(
        record("RestingHeartRate", time=START, zoneOffset="Z", beatsPerMinute=55)
    )

    assert (unknown.start, known.start) == (START, "2025-03-29T22:00:00+00:00")


def test_a_named_zone_writes_the_offset_of_each_end():
    reading = one(record("Steps", count=9), "Europe/Berlin")

    assert (reading.start, reading.end, reading.zone) == (
        "2025-03-29T23:00:00+01:00",
        "2025-03-30T08:00:00+02:00",
        "Europe/Berlin",
    )


def test_a_local_time_without_offset_is_refused():
    sent = record("RestingHeartRate", time="2025-03-29T22:00:00", beatsPerMinute=55)

    assert one(sent).reason is Reason.NO_OFFSET
    assert one(sent, "Europe/Berlin").start == "2025-03-29T22:00:00+01:00"


def test_each_sample_of_a_heart_rate_has_its_own_time_and_identifier():
    sent = record(
        "HeartRate",
        startZoneOffset="+01:00",
        metadata={
            "id": "r1",
            "device": {"manufacturer": "Google", "model": "Pixel Watch", "type": 1},
            "dataOrigin": "com.example",
        },
        samples=[
            {"time": START, "beatsPerMinute": 61},
            {"time": "soon", "beatsPerMinute": 62},
            {"time": END, "beatsPerMinute": "63"},
        ],
    )

    first, second, third = readings(sent)

    assert first == Measurement(
        kind="heart-rate",
        value=61,
        unit="/min",
        start="2025-03-29T23:00:00+01:00",
        start_us=START_US,
        end=None,
        end_us=START_US,
        position="$.samples[0]",
        source_id=f"r1#{START_US // 1000}",
        device=DeviceClue(manufacturer="Google", model="Pixel Watch"),
    )
    assert (second.reason, second.position) == (Reason.MALFORMED, "$.samples[1]")
    assert (third.reason, third.kind) == (Reason.INVALID_VALUE, "heart-rate")
    [again] = readings(third.payload)
    assert (again.reason, again.kind) == (third.reason, third.kind)


def test_a_blood_pressure_is_a_panel_whose_missing_part_says_so():
    reading = one(
        record("BloodPressure", time=START, systolic={"inMillimetersOfMercury": 120})
    )

    assert (reading.kind, reading.value, reading.components) == (
        "blood-pressure",
        None,
        (
            Component("systolic-blood-pressure", 120, "mm[Hg]"),
            Component("diastolic-blood-pressure", None, absent="unknown"),
        ),
    )


def stage(start: str, end: str, code: object) -> dict[str, object]:
    return {"startTime": start, "endTime": end, "stage": code}


MIDNIGHT, TWO = "2025-03-30T00:00:00Z", "2025-03-30T02:00:00Z"


def test_a_night_is_one_session_with_totals_and_stages():
    sent = record(
        "SleepSession",
        title="Name of a person",
        stages=[
            stage(START, MIDNIGHT, 4),
            stage(MIDNIGHT, TWO, 7),
            stage(TWO, END, 5),
        ],
    )

    reading = one(sent)

    assert (reading.kind, reading.start, reading.end) == ("sleep-session", START, END)
    assert reading.components == (
        Component("sleep-duration", 21600, "s"),
        Component("deep-sleep-duration", 14400, "s"),
        Component("light-sleep-duration", 7200, "s"),
        Component("awake-duration", 7200, "s"),
        Component("sleep-stage", "light", offset_ms=0),
        Component("sleep-stage", "awake", offset_ms=7200000),
        Component("sleep-stage", "deep", offset_ms=14400000),
    )
    assert isinstance(normalise(reading, now_us=NOW_US), Normalised)


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        (0, "unknown"),
        (1, "awake"),
        (2, "asleep"),
        (3, "out-of-bed"),
        (4, "light"),
        (5, "deep"),
        (6, "rem"),
        (7, "awake"),
    ],
)
def test_each_stage_has_its_code(code, expected):
    reading = one(record("SleepSession", stages=[stage(START, END, code)]))

    assert Component("sleep-stage", expected, offset_ms=0) in reading.components


def test_a_session_without_stages_was_all_sleep_and_says_so():
    reading = one(record("SleepSession"))

    assert reading.components == (Component("sleep-duration", 28800, "s"),)
    assert reading.method == "length of the session, which has no stages"


def test_of_two_versions_of_a_night_the_later_comes_last():
    partial = record(
        "SleepSession",
        metadata={"id": "n1", "lastModifiedTime": "2025-03-30T03:00:00Z"},
        endTime=TWO,
    )
    whole = record(
        "SleepSession",
        metadata={"id": "n1", "lastModifiedTime": "2025-03-30T07:00:00Z"},
    )

    found = readings([whole, partial])

    assert [(night.position, night.source_id, night.end) for night in found] == [
        ("$[1]", "n1", TWO),
        ("$[0]", "n1", END),
    ]


def test_a_skin_temperature_is_a_difference_in_kelvin_with_its_baseline():
    sent = record(
        "SkinTemperature",
        baseline={"inCelsius": Number("33.1")},
        deltas=[
            {"time": START, "delta": {"inCelsius": Number("0.2")}},
            {"time": MIDNIGHT, "delta": {"inCelsius": Number("-0.1")}},
        ],
    )

    found = readings(sent)

    assert [(r.kind, r.value, r.unit, r.start, r.end) for r in found] == [
        ("skin-temperature-deviation", Number("0.2"), "K", START, MIDNIGHT),
        ("skin-temperature-deviation", Number("-0.1"), "K", MIDNIGHT, END),
    ]
    assert found[0].components == (
        Component("skin-temperature-baseline", Number("33.1"), "Cel"),
    )
    assert isinstance(normalise(found[0], now_us=NOW_US), Normalised)


def test_an_exercise_is_a_workout_without_texts_and_routes():
    sent = record(
        "ExerciseSession",
        exerciseType=56,
        notes="private",
        exerciseRoute={"route": [{"latitude": 10}]},
        metadata={"recordingMethod": 3},
    )

    reading = one(sent)

    assert (reading.kind, reading.value, reading.self_reported) == (
        "workout",
        "running",
        True,
    )
    assert reading.components == (Component("workout-duration", 28800, "s"),)


def test_changes_bring_records_and_deletions():
    changes = {
        "upsertionChanges": [{"record": record("Steps", count=9)}],
        "deletionChanges": [{"recordId": "gone"}, {}],
        "nextChangesToken": "t",
    }

    stored, deleted, refused = readings(changes)

    assert (stored.kind, stored.position) == (
        "steps",
        "$.upsertionChanges[0].count",
    )
    assert deleted == Deletion("$.deletionChanges[0]", "gone")
    assert refused.reason is Reason.MALFORMED


@pytest.mark.parametrize(
    "sent",
    [
        {"startTime": START, "endTime": END, "count": 9},
        {"time": START, "percentage": 98},
        {"time": START, "mass": {"inKilograms": 3}},
        record("Novel", value=1),
        record("CyclingPedalingCadence", samples=[]),
        record("BloodGlucose", time=START, specimenSource=5, level={"x": 1}),
        record("ExerciseSession", exerciseType=999),
    ],
)
def test_what_cannot_be_told_is_refused_as_unknown(sent):
    assert one(sent).reason is Reason.UNKNOWN_KIND


def test_a_new_member_is_refused_alone_and_the_rest_is_kept():
    sent = record("Steps", count=9, stumbles=2, label="x")

    stored, refused = readings(sent)

    assert (stored.kind, stored.value) == ("steps", 9)
    assert (refused.position, refused.reason) == ("$.stumbles", Reason.UNKNOWN_KIND)
    assert [r.reason for r in readings(refused.payload)] == [Reason.UNKNOWN_KIND]


@pytest.mark.parametrize("type_", records.OUT_OF_SCOPE)
def test_private_types_are_never_stored(type_):
    assert isinstance(one(record(f"{type_}Record", volume=1)), OutOfScope)


def test_a_forwarder_drops_identifier_and_offset():
    body = {
        "timestamp": END,
        "app_version": "1",
        "steps": [{"count": 9, "start_time": START, "end_time": END}],
        "heart_rate": [{"bpm": 61, "time": START}],
        "active_calories": [{"calories": 312, "start_time": START, "end_time": END}],
        "blood_pressure": [{"systolic": 118, "diastolic": 76, "time": START}],
        "sleep": [
            {
                "session_end_time": END,
                "duration_seconds": 28800,
                "stages": [
                    {"stage": "deep", "start_time": START, "end_time": END},
                ],
            }
        ],
        "skin_temperature": [
            {"time": START, "delta_celsius": Number("0.1"), "baseline_celsius": 33}
        ],
        "exercise": [
            {
                "type": "running",
                "title": "Name",
                "start_time": START,
                "end_time": END,
                "distance_meters": 5420,
            }
        ],
        "hydration": [{"liters": 1, "start_time": START, "end_time": END}],
        "bmi": [{"value": 22}],
        "novel": [{"value": 22}],
    }

    found = readings(body)

    assert [
        (r.kind, r.start, r.source_id) for r in found if isinstance(r, Measurement)
    ] == [
        ("steps", START, None),
        ("heart-rate", START, None),
        ("active-energy", START, None),
        ("blood-pressure", START, None),
        ("sleep-session", START, None),
        ("skin-temperature-deviation", START, None),
        ("workout", START, None),
    ]
    assert all(
        isinstance(normalise(r, now_us=NOW_US), Normalised)
        for r in found
        if isinstance(r, Measurement)
    )
    assert [r for r in found if isinstance(r, OutOfScope)] == [
        OutOfScope("$.hydration[0]", "drink"),
        OutOfScope("$.bmi", "index that the forwarder computed"),
    ]
    [refused] = [r for r in found if isinstance(r, Refusal)]
    assert (refused.position, refused.reason) == ("$.?", Reason.UNKNOWN_KIND)


def test_what_a_test_button_sends_is_never_stored():
    body = {"test": True, "steps": [{"count": 1}, {"count": 2}]}

    assert one(body) == OutOfScope("$.steps", "data of a test", 2)


def test_every_name_of_the_tables_exists():
    quantities = (*records.QUANTITIES.values(), *records.SAMPLES.values())
    named = {what.kind for what in quantities}
    named |= {kind for kind, _ in records.SPECIMENS.values()}
    named |= {*records.INTENSITIES.values(), *values.KINDS.values()}
    codes = {exercises.exercise(number) for number in range(84)} - {None}

    assert named <= kinds().keys()
    assert codes <= set(WORKOUTS)
    assert set(records.STAGES.values()) <= kinds()["sleep-stage"].values.keys()
    assert {exercises.exercise(n) for n in forwarder.EXERCISES.values()} <= codes


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.sampled_from([START, END, "x", "Steps", "HeartRate", "SleepSession"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    "records",
                    "recordType",
                    "metadata",
                    "time",
                    "startTime",
                    "endTime",
                    "zoneOffset",
                    "samples",
                    "stages",
                    "steps",
                    "deletionChanges",
                    "energy",
                    "count",
                    "novel",
                ]
            ),
            inner,
            max_size=5,
        )
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


MODIFIED, MODIFIED_US = "2025-03-30T07:00:00.5Z", 1743318000500000


@pytest.mark.parametrize(
    ("metadata", "version"),
    [
        ({"lastModifiedTime": MODIFIED, "clientRecordVersion": 4}, MODIFIED_US),
        ({"clientRecordVersion": 4}, 4),
        ({"clientRecordVersion": 0}, None),
        ({"lastModifiedTime": "yesterday"}, None),
        ({}, None),
    ],
)
def test_a_record_tells_its_version(metadata, version):
    reading = one(record("Steps", count=7, metadata=metadata))

    assert reading.source_version == version


def beats(*times, **metadata):
    samples = [{"time": time, "beatsPerMinute": 60} for time in times]
    return record("HeartRate", samples=samples, metadata=metadata)


def test_a_record_of_samples_is_whole():
    found = readings(beats(START, END, id="r", lastModifiedTime=MODIFIED))

    *_, last = found
    assert [one.source_version for one in found[:-1]] == [MODIFIED_US] * 2
    assert last == Whole(
        position="$",
        kind="heart-rate",
        record="r",
        version=MODIFIED_US,
        holds=(f"r#{START_US // 1000}", f"r#{END_US // 1000}"),
    )


def test_deviations_of_a_temperature_are_whole():
    delta = {"time": START, "delta": {"inCelsius": 1}}
    payload = record(
        "SkinTemperature",
        deltas=[delta],
        metadata={"id": "r", "lastModifiedTime": MODIFIED},
    )

    *_, last = readings(payload)

    assert last.kind == "skin-temperature-deviation"
    assert last.holds == (f"r#{START_US // 1000}",)


@pytest.mark.parametrize(
    "payload",
    [
        beats(START, id="r"),
        beats(START, lastModifiedTime=MODIFIED),
        beats(START, None, id="r", lastModifiedTime=MODIFIED),
    ],
    ids=["no version", "no identifier", "a sample that is none"],
)
def test_what_may_not_be_all_of_a_record_is_not_whole(payload):
    assert not any(isinstance(found, Whole) for found in readings(payload))
