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
    Samples,
)
from mappings.normalise import Normalised, normalise
from mappings.vendors.oura import parse as module
from mappings.vendors.oura.parse import parse

NOW = datetime(2026, 6, 1, tzinfo=UTC)
NOW_US = 1_780_272_000_000_000
SAMPLES = Path(__file__).parents[3].parent / "shared" / "data" / "payloads" / "oura"
NAMES = [
    "mirobody-daily_activity.json",
    "mirobody-heartrate.json",
    "mirobody-sleep.json",
]
SCHEMA = loads((Path(module.__file__).parent / "payload.schema.json").read_bytes())

RING = DeviceClue(manufacturer="Oura", name="Oura Ring")
NIGHT = {
    "id": "night",
    "type": "long_sleep",
    "day": "2025-01-16",
    "bedtime_start": "2025-01-15T23:00:00+01:00",
    "bedtime_end": "2025-01-15T23:30:00+01:00",
    "total_sleep_duration": 1200,
    "time_in_bed": 1800,
    "awake_time": 600,
    "deep_sleep_duration": 300,
    "light_sleep_duration": 600,
    "rem_sleep_duration": 300,
    "sleep_phase_5_min": "422134",
}
DAY = {
    "id": "day",
    "day": "2025-01-15",
    "timestamp": "2025-01-15T00:00:00+01:00",
}
AS_DAY = (
    "2025-01-15T00:00:00+01:00",
    "2025-01-16T00:00:00+01:00",
)


def sample(name: str) -> object:
    path = SAMPLES / name
    if not path.exists():
        pytest.skip("the sample payloads are not here")
    return loads(path.read_bytes())


def readings(payload: object, zone: str | None = None) -> list[object]:
    return list(parse(loads(dumps(payload)), received_at=NOW, zone=zone))


def as_type(type_: str, *records: object) -> object:
    return {"data_type": type_, "data": list(records)}


def values(found: list[object]) -> list[object]:
    return [(r.kind, str(r.value), r.unit) for r in found if isinstance(r, Measurement)]


def stored(found: list[object]) -> dict[str, str]:
    results = [normalise(r, now_us=NOW_US) for r in found if isinstance(r, Measurement)]
    assert all(isinstance(one, Normalised) for one in results)
    return {one.kind.name: f"{one.value} {one.unit}" for one in results}


def test_a_night_is_one_session_and_what_was_measured_in_it():
    found = readings(sample("mirobody-sleep.json"))

    assert found[0] == Measurement(
        kind="sleep-session",
        value=None,
        unit="",
        start="2026-03-06T23:15:00.000+08:00",
        start_us=1772810100000000,
        end="2026-03-07T07:30:00.000+08:00",
        end_us=1772839800000000,
        position="$.input.data[0]",
        source_id="00000000-0000-0000-0000-000000000001",
        device=RING,
        components=(
            Component("sleep-duration", 27000, "s"),
            Component("time-in-bed", 29700, "s"),
            Component("awake-duration", 1800, "s"),
            Component("deep-sleep-duration", 5400, "s"),
            Component("light-sleep-duration", 12600, "s"),
            Component("rem-sleep-duration", 7200, "s"),
            Component("sleep-latency", 480, "s"),
            Component("sleep-efficiency", 91, "%"),
            Component("restless-periods", 6, "{#}"),
        ),
        method="Oura sleep staging",
        records=9,
        flags=("totals-disputed",),
    )
    assert values(found[1:]) == [
        ("heart-rate-mean", "58.5", "/min"),
        ("heart-rate-minimum", "48", "/min"),
        ("hrv-rmssd", "42.3", "ms"),
        ("respiratory-rate", "15.2", "/min"),
        ("skin-temperature-deviation", "-0.15", "K"),
    ]
    assert {(r.start, r.end) for r in found} == {(found[0].start, found[0].end)}
    assert len(stored(found)) == 6


def test_a_day_of_activity_starts_at_four_in_the_morning():
    found = readings(sample("mirobody-daily_activity.json"))

    assert {
        (r.start, r.end, r.source_id) for r in found if isinstance(r, Measurement)
    } == {
        (
            "2026-03-06T04:00:00.000+08:00",
            "2026-03-07T04:00:00+08:00",
            "46fef946-ebac-4b4f-89a9-9bec9b95b814",
        )
    }
    assert stored(found) == {
        "oura-activity-score": "94 {score}",
        "steps-24h": "2561 /d",
        "active-energy": "91 kcal",
        "energy-24h": "1806 kcal/d",
        "vigorous-activity-duration": "0.00 min",
        "moderate-activity-duration": "14.00 min",
        "light-activity-duration": "44.00 min",
        "sedentary-duration": "284.00 min",
        "rest-and-sleep-duration": "888.00 min",
    }


def test_a_heart_rate_is_a_spot_heart_rate_in_utc():
    found = readings(sample("mirobody-heartrate.json"))

    assert [(r.kind, r.value, r.unit, r.start, r.end) for r in found] == [
        ("heart-rate", 84, "/min", "2026-03-06T08:13:27.000Z", None),
        ("heart-rate", 72, "/min", "2026-03-06T02:30:00.000Z", None),
        ("heart-rate", 95, "/min", "2026-03-06T14:45:12.000Z", None),
    ]
    assert stored(found) == {"heart-rate": "95 /min"}


@pytest.mark.parametrize("name", NAMES)
def test_each_expected_value_of_the_samples_is_there(name):
    payload = sample(name)
    checks = payload["expected"]["value_checks"]
    expected = {c["expected"] for c in checks if c["field"] == "value"}
    expected -= {1876}  # the distance worked out from the energy

    found = [r for r in readings(payload) if isinstance(r, Measurement)]

    parts = [part for reading in found for part in reading.components]
    assert expected <= {one.value for one in (*found, *parts)}


@pytest.mark.parametrize("name", NAMES)
def test_no_rmssd_is_stored_as_sdnn_and_nothing_is_refused(name):
    found = readings(sample(name))

    assert {r.position for r in found if not isinstance(r, Measurement)} <= {
        "$.input.data[0].equivalent_walking_distance"
    }
    assert "hrv-sdnn" not in stored(found)


def test_the_hypnogram_becomes_stages_where_they_change():
    [session] = readings(NIGHT)

    stages = [part for part in session.components if part.kind == "sleep-stage"]
    assert stages == [
        Component("sleep-stage", "awake", offset_ms=0),
        Component("sleep-stage", "light", offset_ms=300_000),
        Component("sleep-stage", "deep", offset_ms=900_000),
        Component("sleep-stage", "rem", offset_ms=1_200_000),
        Component("sleep-stage", "awake", offset_ms=1_500_000),
    ]
    assert (session.flags, session.records) == ((), 7)


@pytest.mark.parametrize(
    "change",
    [
        {"total_sleep_duration": 1261},
        {"sleep_phase_5_min": "111111", "deep_sleep_duration": 300},
    ],
)
def test_totals_that_disagree_are_kept_and_flagged(change):
    [session] = readings(NIGHT | change)

    assert session.flags == ("totals-disputed",)
    assert Component("deep-sleep-duration", 300, "s") in session.components


def test_the_finer_hypnogram_wins():
    finer = {"sleep_phase_30_sec": "4" * 10 + "1" * 50, "sleep_algorithm_version": "v2"}

    session, coarser = readings(NIGHT | finer)

    stages = [p for p in session.components if p.kind == "sleep-stage"]
    assert [(one.value, one.offset_ms) for one in stages] == [
        ("awake", 0),
        ("deep", 300_000),
    ]
    assert session.method == "Oura sleep staging v2"
    assert coarser == OutOfScope("$.sleep_phase_5_min", "coarser hypnogram")


def test_a_late_nap_is_a_nap():
    [session] = readings(NIGHT | {"type": "late_nap"})

    assert Component("nap", "true") in session.components


def test_signals_of_a_night_keep_their_gaps():
    signal = {
        "interval": 300,
        "items": [None, 52, Number("53.0")],
        "timestamp": "2025-01-15T23:00:00.000+01:00",
    }
    empty = {**signal, "items": [None, None]}

    _, rates, hrv = readings(NIGHT | {"heart_rate": signal, "hrv": empty})

    assert rates == Measurement(
        kind="heart-rate-series",
        value=Samples(300_000, ("E", 52, Number("53.0"))),
        unit="/min",
        start="2025-01-15T23:00:00.000+01:00",
        start_us=1736978400000000,
        end="2025-01-15T23:15:00+01:00",
        end_us=1736979300000000,
        position="$.heart_rate",
        source_id="night",
        device=RING,
    )
    assert hrv == OutOfScope("$.hrv", "property without a value")
    assert isinstance(normalise(rates, now_us=NOW_US), Normalised)


@pytest.mark.parametrize(
    "signal",
    [3, {"items": [1]}, {"interval": 0, "items": [1]}, {"interval": 1, "items": ["x"]}],
)
def test_a_signal_that_is_none_is_refused_and_the_night_kept(signal):
    session, refusal = readings(NIGHT | {"heart_rate": signal})

    assert session.kind == "sleep-session"
    assert (refusal.kind, refusal.position) == ("heart-rate-series", "$.heart_rate")


def test_a_low_battery_is_said_at_the_end_of_the_night():
    _, battery = readings(NIGHT | {"low_battery_alert": True})

    assert (battery.kind, battery.value, battery.start, battery.end) == (
        "battery-low",
        "true",
        "2025-01-15T23:30:00+01:00",
        None,
    )


def test_the_ring_is_named_where_the_record_names_it():
    [session] = readings(NIGHT | {"ring_id": "ring-1"})

    assert session.device == RING._replace(identifier="ring-1")


@pytest.mark.parametrize(
    ("type_", "members", "expected"),
    [
        ("daily_sleep", {"score": 82}, [("oura-sleep-score", "82", "{score}")]),
        (
            "daily_readiness",
            {"score": 71, "temperature_deviation": Number("-0.20")},
            [
                ("oura-readiness-score", "71", "{score}"),
                ("skin-temperature-deviation", "-0.20", "K"),
            ],
        ),
        (
            "daily_spo2",
            {
                "spo2_percentage": {"average": Number("96.8")},
                "breathing_disturbance_index": 3,
            },
            [
                ("breathing-disturbance-index", "3", "{events}/h"),
                ("oxygen-saturation-mean", "96.8", "%"),
            ],
        ),
        (
            "daily_stress",
            {"stress_high": 900, "recovery_high": 60, "day_summary": "normal"},
            [("stress-high-duration", "900", "s")],
        ),
        (
            "daily_cardiovascular_age",
            {"vascular_age": 41},
            [("vascular-age", "41", "a")],
        ),
    ],
)
def test_a_summary_is_of_its_day(type_, members, expected):
    found = readings(as_type(type_, DAY | members))

    assert values(found) == expected
    assert {(r.start, r.end) for r in found if isinstance(r, Measurement)} == {AS_DAY}
    assert len(stored(found)) == len(expected)


def test_a_summary_without_an_offset_is_refused_until_a_zone_is_named():
    summary = as_type("daily_stress", {"day": "2025-03-30", "stress_high": 900})

    [refusal] = readings(summary)
    [reading] = readings(refusal.payload, "Europe/Madrid")

    assert refusal.reason == Reason.NO_OFFSET
    assert (reading.start, reading.end) == (
        "2025-03-30T00:00:00+01:00",
        "2025-03-31T00:00:00+02:00",
    )


def test_a_zone_tells_where_a_day_of_activity_ends_when_clocks_change():
    activity = {
        "id": "a",
        "timestamp": "2025-03-29T04:00:00+01:00",
        "day": "2025-03-29",
        "steps": 1,
    }

    [reading] = readings(as_type("daily_activity", activity), "Europe/Madrid")

    assert (reading.start, reading.end) == (
        "2025-03-29T04:00:00+01:00",
        "2025-03-30T04:00:00+02:00",
    )


def test_the_time_worn_is_what_the_ring_was_worn_for():
    activity = {
        "timestamp": "2025-01-15T04:00:00+01:00",
        "high_activity_time": 60,
        "medium_activity_time": 120,
        "low_activity_time": 180,
        "sedentary_time": 240,
        "resting_time": 300,
        "non_wear_time": 85500,
    }

    found = readings(as_type("daily_activity", activity))

    assert stored(found)["device-wear-duration"] == "15.00 min"


def test_the_battery_of_the_ring_is_a_level_and_whether_it_charges():
    row = {
        "level": 63,
        "charging": False,
        "in_charger": False,
        "timestamp": "2025-01-15T09:00:00.000+01:00",
        "timestamp_unix": 1736928000000,
    }

    found = readings({"data": [row]})

    assert values(found) == [
        ("battery-level", "63", "%"),
        ("battery-charging", "false", ""),
    ]
    assert len(stored(found)) == 2


def test_a_workout_is_one_observation():
    workout = {
        "id": "w",
        "activity": "cycling",
        "calories": Number("212.5"),
        "distance": 8000,
        "intensity": "moderate",
        "source": "manual",
        "start_datetime": "2025-01-15T09:00:00+01:00",
        "end_datetime": "2025-01-15T09:30:00+01:00",
    }

    [reading] = readings({"data": [workout]})

    assert (reading.kind, reading.value, reading.self_reported) == (
        "workout",
        "cycling",
        True,
    )
    assert reading.components == (
        Component("active-energy", Number("212.5"), "kcal"),
        Component("distance", 8000, "m"),
    )
    assert stored([reading]) == {"workout": "cycling "}


def test_a_meditation_is_mindful_time():
    session = {
        "id": "s",
        "type": "meditation",
        "mood": "good",
        "start_datetime": "2025-01-15T09:00:00+01:00",
        "end_datetime": "2025-01-15T09:10:00+01:00",
    }

    found = readings(as_type("session", session))

    assert found == [
        Measurement(
            kind="mindful-duration",
            value=600,
            unit="s",
            start="2025-01-15T09:00:00+01:00",
            start_us=1736928000000000,
            end="2025-01-15T09:10:00+01:00",
            end_us=1736928600000000,
            position="$.data[0]",
            source_id="s",
            device=RING,
        ),
        OutOfScope("$.data[0].mood", "mood"),
    ]


def test_a_rest_is_out_of_scope():
    session = {
        "type": "rest",
        "start_datetime": "2025-01-15T09:00:00+01:00",
        "end_datetime": "2025-01-15T09:10:00+01:00",
    }

    assert readings(as_type("session", session)) == [
        OutOfScope("$.data[0]", "session of rest")
    ]


@pytest.mark.parametrize(
    ("record", "kinds"),
    [
        ({"vo2_max": 41, "timestamp": "2025-01-15T09:00:00+01:00"}, ["vo2-max"]),
        (DAY | {"score": 1, "contributors": {"deep_sleep": 1}}, ["oura-sleep-score"]),
        (
            DAY | {"score": 1, "contributors": {"resting_heart_rate": 1}},
            ["oura-readiness-score"],
        ),
    ],
)
def test_a_record_without_a_type_is_told_by_its_members(record, kinds):
    found = readings({"data": [record]})

    assert [r.kind for r in found if isinstance(r, Measurement)] == kinds


@pytest.mark.parametrize(
    ("record", "what"),
    [
        ({"hardware_type": "gen3", "firmware_version": "2.1"}, "ring configuration"),
        ({"biological_sex": "female", "email": "ab@c.example"}, "profile"),
        ({"tag_type_code": "tag_generic_alcohol"}, "tag"),
        ({"optimal_bedtime": {}}, "recommended bedtime"),
    ],
)
def test_what_is_never_stored_is_counted(record, what):
    assert readings({"data": [record]}) == [OutOfScope("$.data[0]", what)]


def test_a_night_that_its_wearer_rejected_is_a_deletion():
    assert readings(as_type("sleep", NIGHT | {"type": "rest"})) == [
        Deletion("$.data[0]", "night")
    ]


def test_a_temperature_that_is_told_twice_is_stored_once():
    temperatures = {
        "temperature_delta": Number("0.1"),
        "temperature_deviation": Number("0.2"),
    }

    found = readings(as_type("sleep", NIGHT | temperatures))

    assert values(found)[1:] == [("skin-temperature-deviation", "0.2", "K")]
    assert [r for r in found if isinstance(r, OutOfScope)] == [
        OutOfScope(
            "$.data[0].temperature_delta",
            "older name of temperature_deviation beside it",
        )
    ]


def test_a_temperature_under_its_older_name_is_stored():
    found = readings(as_type("sleep", NIGHT | {"temperature_delta": Number("0.1")}))

    assert values(found)[1:] == [("skin-temperature-deviation", "0.1", "K")]


def test_a_distance_worked_out_from_the_energy_is_none():
    record = DAY | {"equivalent_walking_distance": 8000}

    assert readings(as_type("daily_activity", record)) == [
        OutOfScope(
            "$.data[0].equivalent_walking_distance",
            "distance worked out from the energy",
        )
    ]


def test_a_deleted_night_is_a_deletion():
    assert readings(as_type("sleep", {"id": "n", "type": "deleted"})) == [
        Deletion("$.data[0]", "n")
    ]


@pytest.mark.parametrize(
    ("event", "expected"),
    [
        ("delete", Deletion("$", "n", patient="u")),
        ("update", OutOfScope("$", "notification")),
    ],
)
def test_a_notification_deletes_or_holds_no_data(event, expected):
    body = {"event_type": event, "data_type": "sleep", "object_id": "n", "user_id": "u"}

    assert readings(body) == [expected]


def test_a_missing_value_is_no_zero():
    found = readings(NIGHT | {"average_hrv": None, "latency": None})

    assert [r for r in found if isinstance(r, OutOfScope)] == [
        OutOfScope("$.average_hrv", "property without a value"),
        OutOfScope("$.latency", "property without a value"),
    ]


def test_an_unknown_number_is_refused_and_tried_again_without_the_night():
    _, refusal = readings(NIGHT | {"oxygen_debt": 4, "app_theme": "dark"})

    assert (refusal.position, refusal.reason) == ("$.?", Reason.UNKNOWN_KIND)
    [again] = readings(refusal.payload)
    assert isinstance(again, Refusal)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"bedtime_end": None}, Reason.NO_TIME),
        ({"bedtime_start": "2025-01-15T23:00:00"}, Reason.NO_OFFSET),
        ({"bedtime_start": "9999-12-31T23:59:59Z"}, Reason.MALFORMED),
        ({"sleep_phase_5_min": "429"}, Reason.INVALID_VALUE),
        ({"latency": "5"}, Reason.INVALID_VALUE),
    ],
)
def test_a_night_that_cannot_be_read_is_refused_whole(change, reason):
    [refusal] = readings(NIGHT | change)

    assert (refusal.reason, refusal.kind is not None) == (reason, True)
    assert refusal.payload["data"] == [NIGHT | change]


@pytest.mark.parametrize("payload", [None, 3, [[]], {"x": 1}, {"data": [1]}])
def test_what_is_no_record_is_refused(payload):
    [refusal] = readings(payload)

    assert refusal.reason in {Reason.MALFORMED, Reason.UNKNOWN_KIND}


@pytest.mark.parametrize("payload", [NIGHT, as_type("daily_sleep", DAY), [NIGHT]])
def test_the_schema_takes_what_is_read(payload):
    assert list(Draft202012Validator(SCHEMA).iter_errors(payload)) == []


TYPES = "sleep daily_activity daily_spo2 heartrate session workout ring_battery_level"
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.text(max_size=5)
    | st.sampled_from([*TYPES.split(), "2025-01-15T09:00:00Z", "9999-12-31T23:00:00Z"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    "data",
                    "data_type",
                    "id",
                    "type",
                    "day",
                    "timestamp",
                    "bedtime_start",
                    "bedtime_end",
                    "bpm",
                    "heart_rate",
                    "interval",
                    "items",
                    "hrv",
                    "sleep_phase_5_min",
                    "score",
                    "contributors",
                    "spo2_percentage",
                    "average",
                    "start_datetime",
                    "end_datetime",
                    "activity",
                    "level",
                    "charging",
                    "non_wear_time",
                    "steps",
                    "latency",
                    "event_type",
                    "object_id",
                ]
            ),
            inner,
            max_size=6,
        )
    ),
    max_leaves=25,
)


@given(JSON, st.sampled_from([None, "Europe/Madrid"]))
def test_any_json_is_read_or_refused_and_never_raises(payload, zone):
    found = list(parse(payload, received_at=NOW, zone=zone))

    assert all(reading.records >= 1 for reading in found)
    for reading in found:
        if isinstance(reading, Measurement):
            normalise(reading, now_us=NOW_US)


@given(
    st.dictionaries(
        st.sampled_from(sorted({*NIGHT, "heart_rate", "average_hrv", "ring_id"})), JSON
    )
)
def test_any_night_is_read_or_refused_and_never_raises(change):
    found = list(parse(NIGHT | change, received_at=NOW))

    assert found


@pytest.mark.parametrize(
    ("type_", "record", "kind"),
    [
        ("daily_activity", {"steps": 7, "timestamp": None}, None),
        ("ring_battery_level", {"level": 60, "timestamp": None}, None),
        ("workout", {"calories": 7, "start_datetime": None}, "workout"),
        ("session", {"type": "breathing", "start_datetime": None}, None),
        ("heartrate", {"bpm": 7, "source": "rest", "timestamp": None}, "heart-rate"),
    ],
)
def test_a_record_without_a_time_is_refused(type_, record, kind):
    [refusal] = readings(as_type(type_, record))

    assert (refusal.reason, refusal.kind) == (Reason.NO_TIME, kind)
    assert readings(refusal.payload) == [refusal]


def test_a_workout_without_totals_is_counted():
    workout = {
        "activity": "yoga",
        "start_datetime": "2025-01-15T09:00:00+01:00",
        "end_datetime": "2025-01-15T09:10:00+01:00",
    }

    assert readings(as_type("workout", workout)) == [
        OutOfScope("$.data[0]", "workout without totals")
    ]


def test_signals_of_a_session_are_kept():
    session = {
        "type": "rest",
        "start_datetime": "2025-01-15T09:00:00+01:00",
        "end_datetime": "2025-01-15T09:10:00+01:00",
        "heart_rate_variability": {
            "interval": Number("5.0"),
            "items": [40, 41],
            "timestamp": "2025-01-15T09:00:00+01:00",
        },
        "heart_rate": None,
    }

    _, rate, variability = readings(as_type("session", session))

    assert rate == OutOfScope("$.data[0].heart_rate", "property without a value")
    assert (variability.kind, variability.value) == (
        "hrv-rmssd-series",
        Samples(5000, (40, 41)),
    )


@pytest.mark.parametrize(
    ("alert", "expected"),
    [
        (None, OutOfScope("$.low_battery_alert", "property without a value")),
        ("no", Reason.INVALID_VALUE),
    ],
)
def test_an_alert_that_is_no_truth_value_is_not_stored(alert, expected):
    _, found = readings(NIGHT | {"low_battery_alert": alert})

    assert expected in (found, getattr(found, "reason", None))


def test_time_not_worn_without_the_times_worn_says_nothing():
    activity = {"timestamp": "2025-01-15T04:00:00+01:00", "non_wear_time": 60}

    assert readings(as_type("daily_activity", activity)) == [
        OutOfScope("$.data[0].non_wear_time", "property without a value")
    ]
