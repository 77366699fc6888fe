from datetime import UTC, datetime
from pathlib import Path

import pytest

from conformance.fhir_json import Number, dumps, loads
from mappings.measurement import Component, Measurement, OutOfScope, Reason, Refusal
from mappings.vendors.open_mhealth.parse import parse

NOW = datetime(2026, 1, 1, tzinfo=UTC)
SAMPLES = (
    Path(__file__).parents[3].parent / "shared" / "data" / "payloads" / "openmhealth"
)

MOMENT = {"date_time": "2020-02-05T07:25:00-08:00"}
HOUR = {
    "time_interval": {
        "start_date_time": "2020-02-05T06:00:00+01:00",
        "end_date_time": "2020-02-05T07:00:00+01:00",
    }
}
DAY = {
    "time_interval": {
        "start_date_time": "2020-02-05T06:00:00+01:00",
        "end_date_time": "2020-02-06T06:00:00+01:00",
    }
}


def readings(payload: object) -> list[object]:
    return list(parse(loads(dumps(payload)), received_at=NOW))


def heart_rate(value: object = 67, unit: str = "beats/min", **more: object) -> object:
    return {
        "heart_rate": {"value": value, "unit": unit},
        "effective_time_frame": MOMENT,
    } | more


def data_point(body: object, name: str = "heart-rate", **header: object) -> object:
    schema = {"namespace": "omh", "name": name, "version": "2.0"}
    return {"header": {"schema_id": schema} | header, "body": body}


def refused(payload: object) -> tuple[Reason, str | None]:
    [refusal] = readings(payload)
    assert isinstance(refusal, Refusal)
    assert loads(dumps(refusal.payload)) == loads(dumps(payload))
    return refusal.reason, refusal.kind


def kind_of(payload: object) -> str:
    [reading] = readings(payload)
    assert isinstance(reading, Measurement)
    return reading.kind


def test_a_heart_rate_keeps_its_digits_its_offset_and_its_identifier():
    body = heart_rate(Number("67.50"))
    header = {
        "id": "123e4567-e89b-12d3-a456-426655440000",
        "user_id": "user-7",
        "acquisition_provenance": {"source_name": "An app", "modality": "sensed"},
    }

    [reading] = readings([data_point(body, **header)])

    assert reading == Measurement(
        kind="heart-rate",
        value=Number("67.50"),
        unit="/min",
        start="2020-02-05T07:25:00-08:00",
        start_us=1580916300000000,
        end=None,
        end_us=1580916300000000,
        position="$[0].body",
        source_id="123e4567-e89b-12d3-a456-426655440000",
        patient="user-7",
    )
    assert str(reading.value) == "67.50"


def test_the_identifier_of_the_source_wins_over_that_of_the_data_point():
    provenance = {"source_data_point_id": "1493623920"}
    point = data_point(heart_rate(), id="relayed", acquisition_provenance=provenance)

    [reading] = readings(point)

    assert reading.source_id == "1493623920"


def test_an_ieee_header_names_the_point_by_uuid_and_the_modality_beside_it():
    [reading] = readings(data_point(heart_rate(), uuid="u-1", modality="self-reported"))

    assert (reading.source_id, reading.self_reported) == ("u-1", True)


def test_a_self_reported_value_says_so():
    provenance = {"modality": "self-reported"}

    [reading] = readings(data_point(heart_rate(), acquisition_provenance=provenance))

    assert reading.self_reported


def test_each_body_of_a_series_has_its_own_place_and_identifier():
    series = data_point([heart_rate(61), heart_rate(62)], id="series")

    found = [(r.position, r.source_id, r.value) for r in readings(series)]

    assert found == [
        ("$.body[0]", "series#0", 61),
        ("$.body[1]", "series#1", 62),
    ]


@pytest.mark.parametrize(
    ("interval", "start", "end"),
    [
        (
            {
                "start_date_time": "2016-02-05T21:35:00Z",
                "duration": {"value": 9, "unit": "h"},
            },
            "2016-02-05T21:35:00Z",
            "2016-02-06T06:35:00Z",
        ),
        (
            {
                "end_date_time": "2016-02-06T06:35:00+05:30",
                "duration": {"value": Number("0.5"), "unit": "min"},
            },
            "2016-02-06T06:34:30+05:30",
            "2016-02-06T06:35:00+05:30",
        ),
        (
            {
                "start_date_time": "2013-02-05T07:25:00Z",
                "duration": {"value": Number("10.2"), "unit": "d"},
            },
            "2013-02-05T07:25:00Z",
            "2013-02-15T12:13:00Z",
        ),
    ],
)
def test_an_interval_may_be_told_by_its_length(interval, start, end):
    frame = {"time_interval": interval}

    [reading] = readings(heart_rate(effective_time_frame=frame))

    assert (reading.start, reading.end) == (start, end)


@pytest.mark.parametrize(
    ("frame", "reason"),
    [
        ({"date_time": "2020-02-05T07:25:00"}, Reason.NO_OFFSET),
        ({"date_time": "2020-02-05"}, Reason.NO_TIME),
        ({"date_time": "soon"}, Reason.MALFORMED),
        ({"date_time": 1580916300}, Reason.MALFORMED),
        ({}, Reason.NO_TIME),
        (None, Reason.NO_TIME),
        (
            {"time_interval": {"date": "2013-02-05", "part_of_day": "morning"}},
            Reason.NO_TIME,
        ),
        (
            {"time_interval": {"start_date_time": "2013-02-05T07:25:00Z"}},
            Reason.NO_TIME,
        ),
        (
            {
                "time_interval": {
                    "start_date_time": "2013-02-05T07:25:00Z",
                    "duration": {"value": 1, "unit": "Mo"},
                }
            },
            Reason.UNKNOWN_UNIT,
        ),
        (
            {
                "time_interval": {
                    "start_date_time": "2013-02-05T07:25:00Z",
                    "duration": {"value": -1, "unit": "h"},
                }
            },
            Reason.INVALID_VALUE,
        ),
        (
            {
                "time_interval": {
                    "start_date_time": "2013-02-05T07:25:00Z",
                    "end_date_time": "2013-02-05T07:24:59Z",
                }
            },
            Reason.NEGATIVE_INTERVAL,
        ),
    ],
)
def test_a_time_that_cannot_be_known_is_refused_by_name(frame, reason):
    body = heart_rate(effective_time_frame=frame)

    assert refused(body) == (reason, "heart-rate")


@pytest.mark.parametrize(
    ("quantity", "reason"),
    [
        ({"value": "67", "unit": "beats/min"}, Reason.INVALID_VALUE),
        ({"value": True, "unit": "beats/min"}, Reason.INVALID_VALUE),
        ({"unit": "beats/min"}, Reason.INVALID_VALUE),
        ({"value": 67}, Reason.NO_UNIT),
        ({"value": 67, "unit": "bpm"}, Reason.UNKNOWN_UNIT),
        ({"value": 67, "unit": ["beats/min"]}, Reason.UNKNOWN_UNIT),
        (67, Reason.MALFORMED),
    ],
)
def test_a_value_that_its_schema_forbids_is_refused_by_name(quantity, reason):
    body = heart_rate() | {"heart_rate": quantity}

    assert refused(body) == (reason, "heart-rate")


@pytest.mark.parametrize(
    ("statistic", "frame", "kind"),
    [
        ("minimum", DAY, "heart-rate-minimum-24h"),
        ("average", DAY, "heart-rate-mean-24h"),
        ("maximum", DAY, "heart-rate-maximum-24h"),
        ("minimum", HOUR, "heart-rate-minimum"),
        ("average", HOUR, "heart-rate-mean"),
        ("maximum", HOUR, "heart-rate-maximum"),
    ],
)
def test_a_statistic_changes_the_kind(statistic, frame, kind):
    body = heart_rate(descriptive_statistic=statistic, effective_time_frame=frame)

    assert kind_of(body) == kind


@pytest.mark.parametrize("statistic", ["median", "variance", "20th percentile", 7])
def test_a_statistic_without_a_code_is_never_stored_as_the_plain_measure(statistic):
    body = heart_rate(descriptive_statistic=statistic)

    assert refused(body) == (Reason.UNKNOWN_KIND, "heart-rate")


def test_a_heart_rate_at_rest_is_a_resting_heart_rate():
    body = heart_rate(temporal_relationship_to_physical_activity="at rest")

    assert kind_of(body) == "resting-heart-rate"


def test_a_heart_rate_on_waking_is_a_heart_rate():
    assert kind_of(heart_rate(temporal_relationship_to_sleep="on waking")) == (
        "heart-rate"
    )


@pytest.mark.parametrize(
    ("word", "unit"), [("m/s", "m/s"), ("km/h", "km/h"), ("mph", "[mi_i]/h")]
)
def test_a_speed_is_in_each_unit_of_its_schema(word, unit):
    body = {"speed": {"value": 5, "unit": word}, "effective_time_frame": MOMENT}

    [reading] = parse(body, received_at=NOW)

    assert (reading.kind, reading.value, reading.unit) == ("speed", 5, unit)


@pytest.mark.parametrize(
    ("specimen", "kind"),
    [
        (None, "glucose"),
        ("whole blood", "glucose"),
        ("capillary blood", "glucose-capillary"),
        ("interstitial fluid", "glucose-interstitial"),
    ],
)
def test_glucose_is_of_its_specimen(specimen, kind):
    body = {
        "blood_glucose": {"value": 95, "unit": "mg/dL"},
        "effective_time_frame": MOMENT,
        "specimen_source": specimen,
    }

    assert kind_of(body) == kind


def test_glucose_of_a_specimen_without_a_code_is_refused():
    body = {
        "blood_glucose": {"value": 95, "unit": "mg/dL"},
        "effective_time_frame": MOMENT,
        "specimen_source": "tears",
    }

    assert refused(body) == (Reason.UNKNOWN_KIND, "glucose")


def test_the_weighting_of_a_sound_level_is_its_method():
    body = {
        "ambient_sound": {"value": 42, "unit": "dBA"},
        "effective_time_frame": MOMENT,
    }

    [reading] = readings(body)

    assert (reading.kind, reading.unit, reading.method) == (
        "noise-level",
        "dB[SPL]",
        "A-weighted",
    )


def test_a_blood_pressure_that_lacks_a_half_says_so():
    body = {
        "systolic_blood_pressure": {"value": 121, "unit": "mmHg"},
        "effective_time_frame": MOMENT,
    }

    [reading] = readings(body)

    assert reading.components == (
        Component("systolic-blood-pressure", 121, "mm[Hg]"),
        Component("diastolic-blood-pressure", None, absent="unknown"),
    )


def test_an_average_blood_pressure_is_not_a_blood_pressure():
    body = {
        "systolic_blood_pressure": {"value": 121, "unit": "mmHg"},
        "effective_time_frame": HOUR,
        "descriptive_statistic": "average",
    }

    assert refused(body) == (Reason.UNKNOWN_KIND, "blood-pressure")


def test_steps_of_an_activity_are_steps_and_more_is_a_workout():
    steps = {"base_movement_quantity": {"value": 512, "unit": "steps"}}
    walk = {"activity_name": "walking", "effective_time_frame": HOUR} | steps
    run = walk | {
        "activity_name": "HKWorkoutActivityTypeRunning",
        "distance": {"value": Number("1.50"), "unit": "mi"},
        "duration": {"value": 3600, "unit": "sec"},
    }

    [counted], [workout] = readings(walk), readings(run)

    assert (counted.kind, counted.value, counted.unit) == ("steps", 512, "{steps}")
    assert (workout.kind, workout.value) == ("workout", "running")
    assert workout.components == (
        Component("workout-duration", 3600, "s"),
        Component("distance", Number("1.50"), "[mi_i]"),
        Component("steps", 512, "{steps}"),
    )


def test_an_activity_without_a_code_is_refused():
    body = {
        "activity_name": "levitating",
        "kcal_burned": {"value": 1, "unit": "kcal"},
        "effective_time_frame": HOUR,
    }

    assert refused(body) == (Reason.UNKNOWN_KIND, "workout")


def test_good_points_around_a_bad_one_are_kept():
    found = readings([heart_rate(61), 7, heart_rate("x"), heart_rate(62)])

    assert [type(reading) for reading in found] == [
        Measurement,
        Refusal,
        Refusal,
        Measurement,
    ]
    assert [reading.position for reading in found] == ["$[0]", "$[1]", "$[2]", "$[3]"]


def test_a_schema_without_a_kind_is_refused_and_kept_for_a_retry():
    point = data_point({"mood": "calm", "effective_time_frame": MOMENT}, "mood")

    assert refused(point) == (Reason.UNKNOWN_KIND, None)


def test_the_named_schema_decides_not_the_members():
    point = data_point(heart_rate(), "respiratory-rate")

    assert refused(point) == (Reason.MALFORMED, "respiratory-rate")


def test_a_refusal_of_a_series_can_be_tried_again_alone():
    series = data_point([heart_rate(61), heart_rate("x")], id="series")

    refusal = readings(series)[1]

    assert refusal.payload == {
        "header": {
            **series["header"],
            "acquisition_provenance": {"source_data_point_id": "series#1"},
        },
        "body": heart_rate("x"),
    }


def test_an_identifier_of_absurd_length_is_no_identifier():
    [reading] = readings(data_point(heart_rate(), id="x" * 201, user_id=7))

    assert (reading.source_id, reading.patient) == (None, None)


def test_each_sample_of_a_correlation_is_accounted_for():
    sample = {
        "quantity_type": "HKQuantityTypeIdentifierStepCount",
        "count": 500,
        "effective_time_frame": HOUR,
    }
    body = {
        "correlation_type": "HKCorrelationTypeIdentifierFood",
        "quantity_samples": [sample, {"correlation_type": "nested"}, 7],
        "effective_time_frame": HOUR,
    }

    found = readings(body)

    assert [type(reading) for reading in found] == [Measurement, Refusal, Refusal]
    assert (found[0].kind, found[0].unit) == ("steps", "{steps}")


def test_a_refusal_never_repeats_a_value():
    [refusal] = readings(heart_rate("my-secret-value"))

    assert "secret" not in refusal.detail


# Expected of each stored sample: kinds, reasons and what is out of scope.
EXPECTED = {
    "granola__hk-category-sample__1.0__shouldPass__with-metadata": ["sleep-session"],
    "granola__hk-correlation__1.0__shouldPass__with-both-samples": [
        "out of scope: nutrition",
        "sleep-session",
    ],
    "granola__hk-quantity-sample__1.0__shouldFail__invalid-quantity-type": [
        "refused: unknown-kind"
    ],
    "granola__hk-workout__1.0__shouldFail__invalid-duration-unit": [
        "refused: unknown-unit"
    ],
    "ieee__ambient-sound__1.0__shouldPass__valid-ambient-sound": ["noise-level"],
    # A word alone: neither what it is of nor when.
    "ieee__body-posture__1.0__shouldPass__valid-posture": ["refused: malformed"],
    "ieee__time-interval__1.0__shouldPass__start-time-duration": [
        "out of scope: time interval without a measurement"
    ],
    "omh__ambient-temperature__1.0__shouldPass__valid-temperature": [
        "room-temperature"
    ],
    # No verified code for a minimum of glucose.
    "omh__blood-glucose__4.0__shouldPass__with-everything": ["refused: unknown-kind"],
    "omh__blood-pressure__4.0__shouldFail__invalid-unit": ["refused: unknown-unit"],
    "omh__blood-pressure__4.0__shouldPass__with-posture-and-location": [
        "blood-pressure"
    ],
    "omh__body-fat-percentage__2.0__shouldFail__invalid-unit": [
        "refused: unknown-unit"
    ],
    "omh__body-temperature__4.0__shouldPass__basal-temperature": ["body-temperature"],
    "omh__body-weight__3.0__shouldPass__body-weight-only": ["body-weight"],
    "omh__calories-burned__2.0__shouldFail__with-date-time": ["refused: no-time"],
    # A date and a part of the day.
    "omh__data-point__1.0__shouldPass__valid-data-point": ["refused: no-time"],
    "omh__geoposition__1.0__shouldPass__valid-geoposition": [
        "out of scope: geoposition"
    ],
    "omh__header__1.2__shouldPass__with-source-data-point-id": [
        "out of scope: header without a body"
    ],
    "omh__heart-rate__2.0__shouldPass__with-descriptive-statistic": [
        "heart-rate-minimum-24h"
    ],
    "omh__heart-rate__2.0__shouldPass__with-temporal-relationship-to-sleep": [
        "heart-rate"
    ],
    "omh__medication-adherence-percent__2.0__shouldFail"
    "__missing-med-adherence-percent": ["refused: unknown-kind"],
    "omh__minutes-moderate-activity__1.0__shouldPass__with-time-frame": [
        "moderate-activity-duration"
    ],
    "omh__oxygen-saturation__2.0__shouldPass__saturation-only": ["oxygen-saturation"],
    "omh__oxygen-saturation__2.0__shouldPass__with-oxygen": ["oxygen-saturation"],
    "omh__respiratory-rate__2.0__shouldPass__respiratory-rate-only": [
        "respiratory-rate"
    ],
    "omh__rr-interval__1.0__shouldFail__invalid-rr-interval": ["refused: unknown-unit"],
    "omh__sleep-duration__2.0__shouldPass__valid-sleep-duration": ["sleep-duration"],
    "omh__sleep-episode__1.1__shouldPass__valid-sleep-episode": ["sleep-session"],
    "omh__step-count__3.0__shouldFail__invalid-unit-step-count": [
        "refused: invalid-value"
    ],
    "omh__step-count__3.0__shouldPass__valid-step-count": ["steps"],
    "omh__time-frame__1.0__shouldPass__time-interval": [
        "out of scope: time frame without a measurement"
    ],
    "omh__total-sleep-time__1.0__shouldFail__with-date-time": ["refused: no-time"],
}


def told(reading: object) -> str:
    if isinstance(reading, Measurement):
        return reading.kind
    if isinstance(reading, OutOfScope):
        return f"out of scope: {reading.what}"
    return f"refused: {reading.reason}"


@pytest.mark.skipif(not SAMPLES.is_dir(), reason="the stored samples are not here")
def test_every_stored_sample_is_accounted_for():
    found = {
        path.stem: [
            told(reading)
            for reading in parse(loads(path.read_bytes()), received_at=NOW)
        ]
        for path in SAMPLES.iterdir()
    }

    assert found == EXPECTED


@pytest.mark.skipif(not SAMPLES.is_dir(), reason="the stored samples are not here")
def test_no_stand_in_of_a_person_or_place_reaches_a_reading():
    measured = [
        reading
        for path in SAMPLES.iterdir()
        for reading in parse(loads(path.read_bytes()), received_at=NOW)
        if not isinstance(reading, Refusal)
    ]

    text = repr(measured)

    assert not [word for word in ("10.1234", "140.98", "Tenormin") if word in text]


@pytest.mark.skipif(not SAMPLES.is_dir(), reason="the stored samples are not here")
def test_a_sleep_episode_keeps_all_that_it_tells():
    name = "omh__sleep-episode__1.1__shouldPass__valid-sleep-episode.json"

    [reading] = parse(loads((SAMPLES / name).read_bytes()), received_at=NOW)

    assert (reading.start, reading.end) == (
        "2016-02-05T21:35:00Z",
        "2016-02-06T06:35:00Z",
    )
    assert reading.components == (
        Component("sleep-duration", Number("8.5"), "h"),
        Component("sleep-latency", Number("17.5"), "min"),
        Component("wake-after-sleep-onset", 30, "min"),
        Component("latency-to-arising", Number("5.2"), "min"),
        Component("sleep-efficiency", Number("94.4"), "%"),
        Component("awakenings", 1, "{#}"),
        Component("main-sleep", "true"),
    )


def test_two_refused_bodies_of_one_point_keep_their_own_identifiers():
    point = {
        "header": {"id": "X", "schema_id": {"name": "heart-rate"}},
        "body": [{"heart_rate": {"value": 60}}, {"heart_rate": {"value": 61}}],
    }

    refused = list(parse(point, received_at=NOW))
    again = [next(iter(parse(one.payload, received_at=NOW))) for one in refused]

    kept = [one.payload["header"]["acquisition_provenance"] for one in again]
    assert [one["source_data_point_id"] for one in kept] == ["X#0", "X#1"]
