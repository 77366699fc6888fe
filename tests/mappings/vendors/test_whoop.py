from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from conformance.fhir_json import Number, dumps, loads
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
from mappings.vendors.whoop import parse as module
from mappings.vendors.whoop.parse import parse

NOW = datetime(2026, 6, 1, tzinfo=UTC)
NOW_US = 1_780_272_000_000_000
SAMPLES = Path(__file__).parents[3].parent / "shared" / "data" / "payloads" / "whoop"
SCHEMA = loads((Path(module.__file__).parent / "payload.schema.json").read_bytes())

BAND = DeviceClue(manufacturer="WHOOP", name="WHOOP")
WORKOUT = {
    "id": "ecfc6a15-4661-442f-a9a4-f160dd7afae8",
    "user_id": 9012,
    "start": "2026-01-14T09:00:00.000Z",
    "end": "2026-01-14T09:30:00.000Z",
    "timezone_offset": "-05:00",
    "sport_name": "running",
    "score_state": "SCORED",
    "score": {
        "strain": Number("8.2463"),
        "average_heart_rate": 123,
        "max_heart_rate": 146,
        "kilojoule": Number("418.4"),
        "distance_meter": Number("1772.77035916"),
        "altitude_gain_meter": Number("46.64384460449"),
        "altitude_change_meter": Number("-0.781372010707855"),
        "percent_recorded": 100,
        "zone_durations": {"zone_zero_milli": 300000},
    },
}


def sample(name: str) -> object:
    path = SAMPLES / name
    if not path.exists():
        pytest.skip("the sample payloads are not here")
    return loads(path.read_bytes())


def readings(payload: object) -> list[object]:
    return list(parse(loads(dumps(payload)), received_at=NOW))


def values(found: list[object]) -> list[object]:
    return [(r.kind, str(r.value)) for r in found if isinstance(r, Measurement)]


def stored(found: list[object]) -> dict[str, str]:
    results = [normalise(r, now_us=NOW_US) for r in found if isinstance(r, Measurement)]
    assert all(isinstance(one, Normalised) for one in results)
    return {one.kind.name: f"{one.value} {one.unit}" for one in results}


def test_a_cycle_in_progress_holds_to_its_last_update_and_says_so():
    found = readings(sample("mirobody-cycles.json"))

    assert [(r.kind, str(r.value), r.unit, r.method) for r in found] == [
        (
            "whoop-strain",
            "7.680429",
            "{score}",
            "cycle in progress, to its last update",
        ),
        ("active-energy", "5505.9243", "kJ", "whole cycle, rest included"),
        ("heart-rate-maximum", "152", "/min", "cycle in progress, to its last update"),
        ("heart-rate-mean", "78", "/min", "cycle in progress, to its last update"),
    ]
    assert {(r.start, r.end, r.source_id, r.patient) for r in found} == {
        (
            "2026-01-14T01:15:26.770-08:00",
            "2026-01-14T20:33:34.720-08:00",
            "1254758410",
            "99900001",
        )
    }
    assert stored(found)["active-energy"] == "1315.94749 kcal"


def test_a_cycle_that_has_ended_ends_when_it_ended():
    cycle = sample("mirobody-cycles.json")["input"]["data"][0]

    found = readings(cycle | {"end": "2026-01-15T09:00:00.000Z"})

    assert {(r.end, r.method) for r in found} == {
        ("2026-01-15T01:00:00.000-08:00", None),
        ("2026-01-15T01:00:00.000-08:00", "whole cycle, rest included"),
    }


def test_a_recovery_alone_was_recorded_after_it_was_measured():
    found = readings(sample("mirobody-recoveries.json"))

    assert values(found) == [
        ("whoop-recovery-score", "90.0"),
        ("hrv-rmssd", "43.195698"),
        ("oxygen-saturation", "96.333336"),
        ("wrist-temperature", "34.14417"),
        ("resting-heart-rate", "64.0"),
    ]
    assert {(r.start, r.end, r.flags, r.source_id) for r in found} == {
        (
            "2026-01-15T04:33:34.635Z",
            None,
            ("recorded-later",),
            "00000000-0000-0000-0000-000000000002#recovery",
        )
    }
    assert len(stored(found)) == 5


def test_a_recovery_beside_its_sleep_has_the_times_of_the_sleep():
    sleep = sample("mirobody-sleeps.json")["input"]["data"][0]
    recovery = sample("mirobody-recoveries.json")["input"]["data"][0]

    found = readings({"sleeps": [sleep], "recoveries": [recovery]})

    [rate] = [r for r in found if getattr(r, "kind", "") == "resting-heart-rate"]
    assert (rate.start, rate.end, rate.flags) == (
        "2026-01-14T01:15:26.770-08:00",
        "2026-01-14T08:40:57.820-08:00",
        (),
    )


def test_a_recovery_while_calibrating_says_so():
    recovery = sample("mirobody-recoveries.json")["input"]["data"][0]
    score = {"user_calibrating": True, "recovery_score": 44}

    [reading] = readings(recovery | {"score": score})

    assert reading.method == "WHOOP recovery, wearer still calibrating"


def test_a_night_is_one_session_and_a_respiratory_rate():
    found = readings(sample("mirobody-sleeps.json"))

    assert found[0] == Measurement(
        kind="sleep-session",
        value=None,
        unit="",
        start="2026-01-14T01:15:26.770-08:00",
        start_us=1768382126770000,
        end="2026-01-14T08:40:57.820-08:00",
        end_us=1768408857820000,
        position="$.input.data[0]",
        source_id="00000000-0000-0000-0000-000000000002",
        device=BAND,
        components=(
            Component("sleep-duration", 25735870, "ms"),
            Component("time-in-bed", 26731050, "ms"),
            Component("awake-duration", 995180, "ms"),
            Component("light-sleep-duration", 12574270, "ms"),
            Component("deep-sleep-duration", 5642190, "ms"),
            Component("rem-sleep-duration", 7519410, "ms"),
            Component("restless-periods", 9, "{#}"),
            Component("sleep-cycles", 4, "{#}"),
            Component("sleep-efficiency", Number("96.72943"), "%"),
            Component("whoop-sleep-performance", Number("81.0"), "{score}"),
            Component("whoop-sleep-consistency", Number("0.0"), "{score}"),
            Component("nap", "false"),
        ),
        records=10,
        patient="99900001",
        source_version=1768451614635000,
    )
    assert values(found[1:]) == [("respiratory-rate", "17.167969")]
    assert [r.what for r in found if isinstance(r, OutOfScope)] == [
        "sleep need",
        "time without data",
    ]
    assert stored(found)["respiratory-rate"] == "17.167969 /min"


@pytest.mark.parametrize(
    "name",
    ["mirobody-cycles.json", "mirobody-recoveries.json", "mirobody-sleeps.json"],
)
def test_each_expected_value_of_the_samples_is_there(name):
    payload = sample(name)
    checks = payload["expected"]["value_checks"]
    expected = {c["expected"] for c in checks if c["field"] == "value"}

    found = [r for r in readings(payload) if isinstance(r, Measurement)]

    parts = [part for reading in found for part in reading.components]
    assert expected <= {one.value for one in (*found, *parts)}


def test_a_workout_keeps_its_totals_in_one_observation():
    found = readings({"records": [WORKOUT]})

    assert found[0] == Measurement(
        kind="workout",
        value="running",
        unit="",
        start="2026-01-14T04:00:00.000-05:00",
        start_us=1768381200000000,
        end="2026-01-14T04:30:00.000-05:00",
        end_us=1768383000000000,
        position="$.records[0]",
        source_id="ecfc6a15-4661-442f-a9a4-f160dd7afae8",
        device=BAND,
        components=(
            Component("active-energy", Number("418.4"), "kJ"),
            Component("heart-rate-mean", 123, "/min"),
            Component("heart-rate-maximum", 146, "/min"),
            Component("distance", Number("1772.77035916"), "m"),
            Component("elevation-gain", Number("46.64384460449"), "m"),
        ),
        records=5,
        patient="9012",
    )
    assert values(found[1:]) == [("whoop-strain", "8.2463")]
    assert [r.what for r in found[2:]] == [
        "net change of altitude",
        "share of the workout that was recorded",
        "heart-rate zones of WHOOP's own definition",
    ]
    assert set(stored(found)) == {"workout", "whoop-strain"}


@pytest.mark.parametrize(
    ("name", "ours"),
    [
        ("Weightlifting", "traditional-strength-training"),
        ("Yoga", "yoga"),
        ("x", "other"),
    ],
)
def test_a_sport_has_our_name(name, ours):
    [workout, *_] = readings(WORKOUT | {"sport_name": name})

    assert workout.value == ours


@pytest.mark.parametrize(
    ("state", "absent"), [("PENDING_SCORE", "temp-unknown"), ("UNSCORABLE", "unknown")]
)
@pytest.mark.parametrize(
    ("marks", "kind"),
    [
        ({"nap": False}, "sleep-session"),
        ({"sleep_id": "s", "cycle_id": 1}, "whoop-recovery-score"),
        ({}, "whoop-strain"),
    ],
)
def test_a_score_that_is_not_there_is_absent_with_its_reason(
    state, absent, marks, kind
):
    record = {
        "id": "r",
        "start": "2026-01-14T09:00:00Z",
        "end": "2026-01-14T10:00:00Z",
        "created_at": "2026-01-14T10:00:00Z",
        "score_state": state,
        **marks,
    }

    found = readings(record)

    assert [
        (r.kind, r.value, r.absent) for r in found if isinstance(r, Measurement)
    ] == [(kind, None, absent)]
    assert len(stored(found)) == 1


@pytest.mark.parametrize(
    ("type_", "source_id"),
    [
        ("sleep.deleted", "abc"),
        ("workout.deleted", "abc"),
        ("recovery.deleted", "abc#recovery"),
    ],
)
def test_a_notification_of_a_deletion_deletes(type_, source_id):
    body = {"user_id": 7, "id": "abc", "type": type_, "trace_id": "t"}

    assert readings(body) == [Deletion("$", source_id, patient="7")]


def test_any_other_notification_holds_no_data():
    body = {"user_id": 7, "id": "abc", "type": "sleep.updated", "trace_id": "t"}

    assert readings(body) == [OutOfScope("$", "notification")]


def test_a_profile_is_never_stored():
    body = {"height_meter": 2, "weight_kilogram": 70, "max_heart_rate": 190}

    assert readings(body) == [OutOfScope("$", "profile")]


def test_an_unknown_number_is_refused_and_the_rest_is_kept():
    score = WORKOUT["score"] | {"stress_monitor": 3}

    found = readings({"workouts": [WORKOUT | {"score": score}]})

    [refusal] = [r for r in found if isinstance(r, Refusal)]
    assert (refusal.position, refusal.reason) == (
        "$.workouts[0].score.?",
        Reason.UNKNOWN_KIND,
    )
    assert len(stored(found)) == 2
    assert readings(refusal.payload) == [refusal._replace(payload=refusal.payload)]


def test_a_value_that_is_no_number_is_refused_alone_and_can_be_tried_again():
    sleep = sample("mirobody-sleeps.json")["input"]["data"][0]
    score = sleep["score"] | {"respiratory_rate": "17"}

    found = readings([sleep | {"score": score}])

    [refusal] = [r for r in found if isinstance(r, Refusal)]
    assert (refusal.kind, refusal.reason) == ("respiratory-rate", Reason.INVALID_VALUE)
    refusal.payload["sleeps"][0]["score"]["respiratory_rate"] = 17
    assert values(readings(refusal.payload)) == [("respiratory-rate", "17")]


def test_a_part_that_is_no_number_refuses_the_whole_night():
    sleep = sample("mirobody-sleeps.json")["input"]["data"][0]
    stages = sleep["score"]["stage_summary"] | {"disturbance_count": "9"}
    score = sleep["score"] | {"stage_summary": stages}

    [refusal, *_] = readings(sleep | {"score": score})

    assert (refusal.reason, refusal.kind, refusal.records) == (
        Reason.INVALID_VALUE,
        "restless-periods",
        11,
    )


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"start": "2026-01-14T09:00:00"}, Reason.NO_OFFSET),
        ({"start": None}, Reason.NO_TIME),
        ({"end": "9999-12-31T23:59:59Z"}, Reason.MALFORMED),
        ({"timezone_offset": "west"}, Reason.MALFORMED),
    ],
)
def test_a_time_that_is_none_refuses_the_record(change, reason):
    [refusal, *_] = readings(WORKOUT | change)

    assert (refusal.reason, refusal.records) == (reason, 6)


@pytest.mark.parametrize("payload", [None, 3, "x", [[]], {"x": 1}])
def test_what_is_no_record_is_refused(payload):
    [refusal] = readings(payload)

    assert refusal.reason in {Reason.MALFORMED, Reason.UNKNOWN_KIND}


def test_a_scored_record_without_a_score_is_counted():
    [reading] = readings({k: v for k, v in WORKOUT.items() if k != "score"})

    assert reading == OutOfScope("$.score", "record without a score")


@pytest.mark.parametrize("payload", [WORKOUT, {"records": [WORKOUT]}])
def test_the_schema_takes_what_is_read(payload):
    assert list(Draft202012Validator(SCHEMA).iter_errors(payload)) == []


KEYS = st.sampled_from(
    [
        "records",
        "score",
        "nap",
        "start",
        "end",
        "score_state",
        "sleep_id",
        "cycle_id",
        "id",
        "type",
        "stage_summary",
        "strain",
        "timezone_offset",
        "trace_id",
        "input",
        "data",
        "data_type",
        "sport_name",
    ]
)
LEAVES = st.none() | st.booleans() | st.integers() | st.text(max_size=5)
JSON = st.deferred(
    lambda: (
        LEAVES | st.lists(JSON, max_size=3) | st.dictionaries(KEYS, JSON, max_size=5)
    )
)


@given(JSON)
def test_any_json_is_read_or_refused_and_never_raises(payload):
    found = list(parse(payload, received_at=NOW))

    assert all(reading.records >= 1 for reading in found)
    for reading in found:
        if isinstance(reading, Measurement):
            normalise(reading, now_us=NOW_US)


@pytest.mark.parametrize(
    ("record", "kind"),
    [
        ({"score_state": "SCORED", "start": None}, "whoop-strain"),
        (
            {"sleep_id": "s", "cycle_id": 1, "created_at": None},
            "whoop-recovery-score",
        ),
        ({"nap": True, "start": None, "end": None}, "sleep-session"),
    ],
)
def test_a_record_without_a_time_is_refused_by_its_kind(record, kind):
    refusal, *_ = readings(record)

    assert (refusal.reason, refusal.kind) == (Reason.NO_TIME, kind)


def test_a_time_with_its_own_offset_keeps_it():
    start = "2026-01-14T09:00:00+02:00"

    workout, *_ = readings(WORKOUT | {"start": start})

    assert workout.start == start
