from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conformance.fhir_json import Number, dumps, loads, loads_foreign
from mappings import code_system
from mappings.kinds import kinds
from mappings.measurement import (
    Component,
    Deletion,
    DeviceClue,
    Measurement,
    OutOfScope,
    Reason,
    Refusal,
)
from mappings.normalise import Normalised, normalise
from mappings.vendors.google_fit import types
from mappings.vendors.google_fit.parse import parse

NOW = datetime(2026, 1, 1, tzinfo=UTC)
NOW_US = 1767225600000000
SAMPLES = (
    Path(__file__).parents[3].parent / "shared" / "data" / "payloads" / "googlefit"
)
START = 1436275800000000000
HOUR = 3600 * 10**9


def point(type_: str, *values: object, hours: int = 1, start: int = START) -> object:
    return {
        "dataTypeName": f"com.google.{type_}",
        "startTimeNanos": str(start),
        "endTimeNanos": str(start + hours * HOUR),
        "value": [
            {"intVal": value} if type(value) is int else {"fpVal": value}
            for value in values
        ],
    }


def data_set(*points: object, stream: str = "raw:com.google.x:app:") -> object:
    return {"dataSourceId": stream, "point": list(points)}


def readings(payload: object, zone: str | None = None) -> list[object]:
    return list(parse(loads(dumps(payload)), received_at=NOW, zone=zone))


def one(payload: object, zone: str | None = None) -> object:
    [reading] = readings(payload, zone)
    return reading


EXPECTED = {
    "fit-on-fhir-Expected-DeviceContent": ["mapping template"],
    "fit-on-fhir-Samples-dataSources": ["list of data sources"],
    "fit-on-fhir-Samples-devicecontent": ["mapping template"],
    "fit-on-fhir-Samples-fhirmapping": ["mapping template"],
    "fit-on-fhir-TestInput-CalculatedFunctionContentTemplate": ["mapping template"],
    "fit-on-fhir-TestInput-DataSource": ["data source"],
    "shimmer-googlefit-merge-activity-segments": [
        ("workout", "walking", "2015-01-01T22:21:57Z", "2015-01-01T23:29:49Z", False),
        (
            "workout",
            "mixed-cardio",
            "2015-01-05T00:27:29.151Z",
            "2015-01-05T00:30:41.151Z",
            False,
        ),
        ("workout", "running", "2015-07-07T13:30:00Z", "2015-07-07T14:00:00Z", True),
    ],
    "shimmer-googlefit-merge-activity-segments-only-sleep": [
        ("sleep-session", None, "2015-07-07T13:30:00Z", "2015-07-07T14:00:00Z", True)
    ],
    "shimmer-googlefit-merge-heart-rate": [
        ("heart-rate", 54, "2015-01-30T15:37:48.186Z", None, False),
        (
            "heart-rate",
            Number("58.0"),
            "2015-07-10T14:34:32.914Z",
            "2015-07-10T14:34:33.915Z",
            False,
        ),
    ],
    "shimmer-googlefit-merge-speed": [
        ("speed", Number("0.75"), "2017-10-04T13:55:56Z", None, False),
        ("speed", Number("2.25"), "2017-10-04T14:05:53Z", None, False),
    ],
    "shimmer-googlefit-merge-step-deltas": [
        (
            "steps",
            4146,
            "2015-02-02T22:49:39.811Z",
            "2015-02-02T23:25:20.811Z",
            False,
        ),
        ("steps", 0, "2015-07-10T20:00:00Z", "2015-07-10T20:30:00Z", True),
        (
            "steps",
            17,
            "2015-07-10T21:58:17.687316406Z",
            "2015-07-10T21:59:17.687316406Z",
            False,
        ),
        (
            "steps",
            184,
            "2015-07-10T22:05:21.162Z",
            "2015-07-10T22:07:18.006058105Z",
            True,
        ),
    ],
    "shimmer-googlefit-merge-weight": [
        (
            "body-weight",
            Number("72.0999984741211"),
            "2015-02-13T00:00:00Z",
            None,
            False,
        ),
        ("body-weight", 72, "2015-02-17T16:57:13.313Z", None, False),
        (
            "body-weight",
            Number("75.75070190429688"),
            "2015-07-08T03:17:00Z",
            "2015-07-08T03:17:10.02Z",
            True,
        ),
    ],
}


def told(reading: object) -> object:
    if isinstance(reading, OutOfScope):
        return reading.what
    return (
        reading.kind,
        reading.value,
        reading.start,
        reading.end,
        reading.self_reported,
    )


@pytest.mark.skipif(not SAMPLES.is_dir(), reason="the stored samples are not here")
def test_every_stored_sample_is_accounted_for_and_can_be_stored():
    found = {
        path.stem: list(parse(loads_foreign(path.read_bytes()), received_at=NOW))
        for path in SAMPLES.iterdir()
    }

    assert {name: [told(r) for r in group] for name, group in found.items()} == EXPECTED
    assert all(
        isinstance(normalise(r, now_us=NOW_US), Normalised)
        for group in found.values()
        for r in group
        if isinstance(r, Measurement)
    )


def test_a_stream_names_its_device_and_who_entered_a_value():
    name = "derived:com.google.step_count.cumulative:com.google.android.gms:"
    sent = point("step_count.delta", 9)
    sent["originDataSourceId"] = (
        f"{name}samsung:Galaxy Nexus:32b1bd9e:soft_step_counter"
    )

    reading = one(data_set(sent, stream="derived:com.google.step_count.delta:merged"))

    assert reading == Measurement(
        kind="steps",
        value=9,
        unit="{steps}",
        start="2015-07-07T13:30:00Z",
        start_us=1436275800000000,
        end="2015-07-07T14:30:00Z",
        end_us=1436279400000000,
        position="$.point[0]",
        device=DeviceClue("32b1bd9e", manufacturer="samsung", model="Galaxy Nexus"),
    )


def test_a_merged_point_and_its_raw_one_have_one_key():
    stream = "raw:com.google.weight:app:Withings:WS-50:1:scale"
    raw = data_set(point("weight", 72, hours=0), stream=stream)
    merged = point("weight", 72, hours=0) | {"originDataSourceId": stream}

    first, second = readings([raw, data_set(merged, stream="derived:x:merged")])

    assert first._replace(position="") == second._replace(position="")


@pytest.mark.parametrize(
    ("sent", "expected"),
    [
        (point("heart_rate.bpm", 61, hours=0), ("heart-rate", 61, "/min")),
        (point("distance.delta", 500), ("distance", 500, "m")),
        (point("calories.expended", 80), ("total-energy", 80, "kcal")),
        (point("active_minutes", 30), ("activity-duration", 30, "min")),
        (point("height", 2, hours=0), ("body-height", 2, "m")),
        (
            point("body.fat.percentage", 18, hours=0),
            ("body-fat-percentage", 18, "%"),
        ),
        (
            point("body.temperature", 37, hours=0),
            ("body-temperature", 37, "Cel"),
        ),
        (
            point("oxygen_saturation", 97, hours=0),
            ("oxygen-saturation", 97, "%"),
        ),
        (
            point("blood_glucose", 5, 1, 1, 1, 2, hours=0),
            ("glucose-capillary", 5, "mmol/L"),
        ),
    ],
)
def test_each_type_is_its_kind_and_can_be_stored(sent, expected):
    reading = one(data_set(sent))

    assert (reading.kind, reading.value, reading.unit) == expected
    assert isinstance(normalise(reading, now_us=NOW_US), Normalised)


def test_a_stream_of_its_own_is_the_resting_heart_rate():
    stream = (
        "derived:com.google.heart_rate.bpm:com.google.android.gms:"
        "resting_heart_rate<-merge_heart_rate_bpm"
    )

    reading = one(data_set(point("heart_rate.bpm", 55, hours=0), stream=stream))

    assert reading.kind == "resting-heart-rate"


def test_a_summary_has_mean_highest_and_lowest():
    found = readings(data_set(point("heart_rate.summary", 70, 90, 60)))

    assert [(r.kind, r.value) for r in found] == [
        ("heart-rate-mean", 70),
        ("heart-rate-maximum", 90),
        ("heart-rate-minimum", 60),
    ]


def test_a_blood_pressure_is_a_panel():
    reading = one(data_set(point("blood_pressure", 120, 80, hours=0)))

    assert reading.components == (
        Component("systolic-blood-pressure", 120, "mm[Hg]"),
        Component("diastolic-blood-pressure", 80, "mm[Hg]"),
    )


def test_segments_of_sleep_are_one_night_until_a_long_pause():
    segments = [
        point("sleep.segment", 5, start=START + HOUR),
        point("sleep.segment", 4),
        point("activity.segment", 112, start=START + 2 * HOUR),
        point("sleep.segment", 6, start=START + 9 * HOUR),
    ]

    first, second = readings(data_set(*segments), "Europe/Berlin")

    assert (first.records, first.start, first.end) == (
        3,
        "2015-07-07T15:30:00+02:00",
        "2015-07-07T18:30:00+02:00",
    )
    assert first.components == (
        Component("sleep-duration", 7200, "s"),
        Component("deep-sleep-duration", 3600, "s"),
        Component("light-sleep-duration", 3600, "s"),
        Component("awake-duration", 3600, "s"),
        Component("sleep-stage", "light", offset_ms=0),
        Component("sleep-stage", "deep", offset_ms=3600000),
        Component("sleep-stage", "awake", offset_ms=7200000),
    )
    assert (second.records, second.start) == (1, "2015-07-08T00:30:00+02:00")


def test_a_deleted_session_is_a_deletion():
    sessions = {
        "session": [
            {
                "id": "s1",
                "name": "Name of a person",
                "startTimeMillis": "1436275800000",
                "endTimeMillis": "1436277600000",
                "activityType": 8,
            }
        ],
        "deletedSession": [{"id": "s2"}],
    }

    stored, deleted = readings(sessions)

    assert (stored.kind, stored.value, stored.source_id) == ("workout", "running", "s1")
    assert deleted == Deletion("$.deletedSession[0]", "s2")


@pytest.mark.parametrize(
    ("sent", "what"),
    [
        (point("activity.segment", 3), "standing still"),
        (point("location.sample", 10, 20), "geoposition"),
        (point("step_count.cumulative", 9000), "running total of steps"),
    ],
)
def test_what_is_never_stored_is_counted(sent, what):
    assert one(data_set(sent)) == OutOfScope("$.point[0]", what)


@pytest.mark.parametrize(
    ("sent", "reason"),
    [
        (point("novel", 1), Reason.UNKNOWN_KIND),
        (point("activity.segment", 999), Reason.UNKNOWN_KIND),
        (point("weight"), Reason.INVALID_VALUE),
        (point("weight", 72, start=1436275800), Reason.MALFORMED),
        ({"dataTypeName": "com.google.weight", "value": []}, Reason.NO_TIME),
        (point("sleep.segment", 4, hours=-1), Reason.NEGATIVE_INTERVAL),
    ],
)
def test_a_broken_point_is_refused_and_can_be_tried_again(sent, reason):
    refused, stored = readings(data_set(sent, point("weight", 72, hours=0)))

    assert refused.reason is reason
    assert stored.value == 72
    assert one(refused.payload).reason is reason


def test_every_name_of_the_tables_exists():
    named = {value.kind for group in types.TYPES.values() for value in group}
    stages = {*types.SLEEP_ACTIVITIES.values(), *types.SLEEP_SEGMENTS.values()}

    assert named <= kinds().keys()
    assert set(types.WORKOUTS.values()) <= set(code_system.WORKOUTS)
    assert stages <= kinds()["sleep-stage"].values.keys()
    assert not types.TYPES.keys() & types.OUT_OF_SCOPE.keys()


NAMES = [
    "bucket",
    "dataset",
    "point",
    "session",
    "deletedSession",
    "dataSourceId",
    "dataTypeName",
    "startTimeNanos",
    "endTimeNanos",
    "value",
    "intVal",
    "activityType",
]
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.sampled_from(
        [str(START), "x", "com.google.weight", "com.google.sleep.segment"]
    ),
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
