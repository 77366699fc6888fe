from collections import Counter
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from conformance.fhir_json import Number, dumps, loads
from mappings.measurement import (
    Component,
    DeviceClue,
    Measurement,
    OutOfScope,
    Reason,
    Refusal,
)
from mappings.normalise import Normalised, normalise
from mappings.vendors.withings import parse as module
from mappings.vendors.withings.measures import keep
from mappings.vendors.withings.parse import parse

NOW = datetime(2026, 6, 1, tzinfo=UTC)
NOW_US = 1_780_272_000_000_000
SAMPLES = Path(__file__).parents[3].parent / "shared" / "data" / "payloads" / "withings"
SCHEMA = loads((Path(module.__file__).parent / "payload.schema.json").read_bytes())

SCALE = DeviceClue("unit-1", manufacturer="Withings", model="Body+")
GROUP = {
    "grpid": 12,
    "attrib": 0,
    "date": 1736928000,
    "created": 1736928001,
    "modified": 1736928001,
    "category": 1,
    "deviceid": "unit-1",
    "model": "Body+",
    "measures": [{"value": 65750, "type": 1, "unit": -3}],
    "comment": "Patient01 after a run",
}
NIGHT = {
    "id": 9,
    "timezone": "Europe/Madrid",
    "startdate": 1736978400,
    "enddate": 1737003600,
    "date": "2025-01-16",
    "data": {"total_sleep_time": 24000, "sleep_efficiency": Number("0.95")},
}
HOUR = 3600


def sample(name: str) -> object:
    path = SAMPLES / name
    if not path.exists():
        pytest.skip("the sample payloads are not here")
    return loads(path.read_bytes())


def readings(payload: object, zone: str | None = None) -> list[object]:
    return list(parse(loads(dumps(payload)), received_at=NOW, zone=zone))


def groups(*found: object, **body: object) -> object:
    return {"status": 0, "body": {"measuregrps": list(found), **body}}


def series(*found: object) -> object:
    return {"status": 0, "body": {"series": list(found)}}


def measure(type_: int, value: object, unit: object = 0, **more: object) -> object:
    return GROUP | {"measures": [{"type": type_, "value": value, "unit": unit, **more}]}


def measured(found: list[object]) -> list[Measurement]:
    return [r for r in found if isinstance(r, Measurement)]


def stored(found: list[object]) -> list[tuple[str, str]]:
    results = [normalise(r, now_us=NOW_US) for r in measured(found)]
    assert all(isinstance(one, Normalised) for one in results)
    return [(one.kind.name, f"{one.value} {one.unit}") for one in results]


def test_a_weight_keeps_the_precision_that_withings_reports():
    [reading] = readings(groups(GROUP, timezone="Europe/Madrid"))

    assert reading == Measurement(
        kind="body-weight",
        value=Decimal("65.750"),
        unit="kg",
        start="2025-01-15T09:00:00+01:00",
        start_us=1736928000000000,
        end=None,
        end_us=1736928000000000,
        position="$.body.measuregrps[0].measures[0]",
        source_id="12",
        device=SCALE,
        zone="Europe/Madrid",
        source_version=1736928001000000,
    )
    assert stored([reading]) == [("body-weight", "65.750 kg")]


def test_the_groups_of_a_scale_and_a_cuff_are_read():
    found = readings(sample("shimmer-withings-body-measures.json"))

    assert [(r.kind, str(r.value), r.unit, r.start) for r in measured(found)] == [
        ("heart-rate", "41", "/min", "2015-05-30T23:06:23-07:00"),
        ("body-weight", "74.126", "kg", "2015-05-30T23:06:23-07:00"),
        ("blood-pressure", "None", "", "2015-05-30T23:06:23-07:00"),
        ("body-weight", "74.128", "kg", "2015-04-20T10:13:56-07:00"),
        ("heart-rate", "51", "/min", "2015-03-02T08:28:55-08:00"),
        ("heart-rate", "47", "/min", "2015-02-26T13:57:17-08:00"),
        ("body-height", "1.930", "m", "2015-02-23T11:24:49-08:00"),
        ("body-temperature", "37", "Cel", "2015-02-23T11:24:49-08:00"),
    ]
    assert [r.self_reported for r in measured(found)] == [False] * 4 + [True] * 4
    assert ("body-height", "193.0 cm") in stored(found)
    assert [r for r in found if isinstance(r, OutOfScope)] == [
        OutOfScope(f"$.body.measuregrps[{at}].measures[{n}]", "unused type of measure")
        for at, n in ((0, 3), (2, 1), (3, 1))
    ]


def test_two_pressures_of_one_group_are_one_blood_pressure():
    cuff = [
        {"value": 68, "type": 9, "unit": 0},
        {"value": 104, "type": 10, "unit": 0},
    ]

    [pressure] = readings([GROUP | {"measures": cuff}])

    assert (pressure.kind, pressure.records, pressure.components) == (
        "blood-pressure",
        2,
        (
            Component("systolic-blood-pressure", 104, "mm[Hg]"),
            Component("diastolic-blood-pressure", 68, "mm[Hg]"),
        ),
    )


def test_a_goal_is_counted_and_never_stored():
    assert readings(sample("shimmer-withings-body-measures-only-goal.json")) == [
        OutOfScope("$.body.measuregrps[0]", "goal")
    ]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("aiowithings-goals.json", OutOfScope("$.body.goals", "goal")),
        ("aiowithings-goals_1.json", OutOfScope("$.body.goals", "goal")),
        (
            "aiowithings-notify_list.json",
            OutOfScope("$.body.profiles", "notification settings"),
        ),
        (
            "aiowithings-notify_subscribe.json",
            OutOfScope("$.body", "answer without data"),
        ),
    ],
)
def test_goals_and_notification_answers_give_no_measurement(name, expected):
    assert readings(sample(name)) == [expected]


def test_a_group_that_comes_twice_has_one_identity():
    found = readings(sample("aiowithings-measurement.json"))

    assert [(str(r.value), r.source_id, r.start) for r in measured(found)] == [
        ("118.003", "4815757309", "2023-09-02T12:39:11+02:00")
    ] * 2


def test_a_scale_that_measures_the_body_is_read_whole():
    found = readings(sample("aiowithings-measurement_list_2.json"))

    total = sum(r.records for r in found)
    assert total == 433
    assert not [r for r in found if isinstance(r, Refusal)]
    assert Counter(r.kind for r in measured(found)) == {
        "body-weight": 17,
        "lean-body-mass": 14,
        "body-fat-mass": 14,
        "body-fat-percentage": 14,
        "muscle-mass": 14,
        "body-water-mass": 14,
        "bone-mass": 14,
        "extracellular-water-mass": 13,
        "intracellular-water-mass": 14,
        "visceral-fat-index": 14,
        "basal-metabolic-rate": 14,
        "heart-rate": 8,
        "electrodermal-activity": 7,
        "ecg-classification": 5,
        "pulse-wave-velocity": 2,
        "vascular-age": 2,
    }
    assert len(stored(found)) == len(measured(found))
    assert {r.start[-1] for r in measured(found)} == {"Z"}


def test_without_a_zone_in_the_answer_the_one_that_is_named_holds():
    found = readings(sample("aiowithings-measurement_list_2.json"), "Europe/Amsterdam")

    assert measured(found)[0].start == "2023-12-25T18:04:23+01:00"


def test_a_measure_that_is_twice_in_a_group_is_stored_once():
    body = {"type": 5, "value": 7680, "unit": -2, "position": 7}

    [reading] = readings([GROUP | {"measures": [body, body]}])

    assert (reading.kind, str(reading.value), reading.records) == (
        "lean-body-mass",
        "76.80",
        2,
    )


def test_two_values_of_one_kind_in_a_group_have_two_identities():
    first, second = (
        {"type": 11, "value": 60, "unit": 0},
        {"type": 11, "value": 61, "unit": 0},
    )

    found = readings([GROUP | {"measures": [first, second]}])

    assert [(r.value, r.source_id) for r in found] == [(60, "12"), (61, "12#1")]


@pytest.mark.parametrize("attrib", [1, 3, None, "0"])
def test_a_measure_of_nobody_knows_whom_is_refused(attrib):
    group = GROUP | {"attrib": attrib}

    [refusal] = readings(groups(group))

    assert (refusal.reason, refusal.records) == (Reason.AMBIGUOUS_WEARER, 1)
    assert readings(refusal.payload)[0].reason == Reason.AMBIGUOUS_WEARER


@pytest.mark.parametrize("attrib", [2, 4])
def test_what_the_person_entered_says_so(attrib):
    [reading] = readings(groups(GROUP | {"attrib": attrib}))

    assert reading.self_reported


def test_a_correction_has_the_identity_of_what_it_corrects():
    before, after = (
        measure(1, 65750, -3),
        measure(1, 65800, -3) | {"modified": 1736930000},
    )

    found = readings(groups(before, after))

    assert [(r.source_id, str(r.value)) for r in found] == [
        ("12", "65.750"),
        ("12", "65.800"),
    ]


@pytest.mark.parametrize("modified", [10**25, -1, 0, 5, "1736928001", None])
def test_a_time_of_change_that_cannot_be_is_no_version(modified):
    [found] = readings(groups(measure(1, 65750, -3) | {"modified": modified}))

    assert found.source_version is None


@pytest.mark.parametrize(
    ("result", "classification"),
    [
        (0, "no-atrial-fibrillation"),
        (1, "atrial-fibrillation"),
        (8, "inconclusive"),
        (9, "no-atrial-fibrillation"),
    ],
)
def test_a_search_for_atrial_fibrillation_has_a_result(result, classification):
    [reading] = readings(groups(measure(130, result)))

    assert (reading.kind, reading.value, reading.method) == (
        "ecg-classification",
        classification,
        "atrial fibrillation result, type 130",
    )


def test_a_search_in_the_light_of_the_pulse_is_no_electrocardiogram():
    both = GROUP | {
        "measures": [{"type": type_, "value": 0, "unit": 0} for type_ in (139, 130)]
    }

    found = readings(groups(both))

    assert [(r.kind, r.value, r.method, r.records) for r in found] == [
        (
            "ppg-classification",
            "no-atrial-fibrillation",
            "atrial fibrillation result, type 139",
            1,
        ),
        (
            "ecg-classification",
            "no-atrial-fibrillation",
            "atrial fibrillation result, type 130",
            1,
        ),
    ]
    assert all(isinstance(normalise(r, now_us=NOW_US), Normalised) for r in found)


def test_values_that_came_about_otherwise_are_not_the_same_measure():
    one = Measurement("heart-rate", 60, "/min", "", 0, None, 0, "$", "7", method="a")
    seen = {}

    keep(one, seen)
    keep(one._replace(method="b"), seen)
    keep(one, seen)

    assert seen == {
        "heart-rate": one._replace(records=2),
        "heart-rate#1": one._replace(method="b", source_id="7#1"),
    }


@pytest.mark.parametrize(
    ("group", "reason"),
    [
        (measure(12, 21), Reason.UNKNOWN_KIND),
        (measure(999, 21), Reason.UNKNOWN_KIND),
        (measure(130, 99), Reason.INVALID_VALUE),
        (measure(1, "65"), Reason.INVALID_VALUE),
        (measure(1, 65, 99), Reason.INVALID_VALUE),
        (measure(1, 10**15), Reason.INVALID_VALUE),
        (measure(10, "104"), Reason.INVALID_VALUE),
        (GROUP | {"measures": [3]}, Reason.MALFORMED),
        (GROUP | {"measures": 3}, Reason.MALFORMED),
        (GROUP | {"date": None}, Reason.NO_TIME),
        (GROUP | {"date": 1736928000000}, Reason.MALFORMED),
    ],
)
def test_what_cannot_be_read_is_refused_and_can_be_tried_again(group, reason):
    [refusal] = readings(groups(group, timezone="Europe/Madrid"))

    assert refusal.reason == reason
    [again] = readings(refusal.payload)
    assert (again.reason, again.detail) == (reason, refusal.detail)


@pytest.mark.parametrize(("type_", "position"), [(173, 2), (168, 6), (197, None)])
def test_a_part_of_the_body_is_never_stored(type_, position):
    [reading] = readings(groups(measure(type_, 1, position=position)))

    assert isinstance(reading, OutOfScope)


def test_a_day_of_another_service_is_flagged():
    found = readings(sample("aiowithings-activity.json"))

    assert [(r.kind, str(r.value), r.unit) for r in found[:16]] == [
        ("steps-24h", "1209", "/d"),
        ("distance", "1028.559", "m"),
        ("flights-climbed", "0", "{flights}"),
        ("light-activity-duration", "1864", "s"),
        ("moderate-activity-duration", "292", "s"),
        ("vigorous-activity-duration", "0", "s"),
        ("physical-activity-duration", "292", "s"),
        ("active-energy", "85.497", "kcal"),
        ("energy-24h", "2303.788", "kcal/d"),
        ("heart-rate-mean-24h", "80", "/min"),
        ("heart-rate-minimum-24h", "70", "/min"),
        ("heart-rate-maximum-24h", "80", "/min"),
        ("heart-rate-zone-light-duration", "100", "s"),
        ("heart-rate-zone-moderate-duration", "200", "s"),
        ("heart-rate-zone-intense-duration", "300", "s"),
        ("heart-rate-zone-maximum-duration", "400", "s"),
    ]
    assert {(r.start, r.end, r.flags, r.device) for r in found[:16]} == {
        (
            "2023-10-20T00:00:00+02:00",
            "2023-10-21T00:00:00+02:00",
            ("relayed",),
            DeviceClue(model="GoogleFit tracker"),
        )
    }
    assert len(stored(found)) == 25


@pytest.mark.parametrize(
    ("day", "start", "end"),
    [
        ("2025-03-30", "2025-03-30T00:00:00+01:00", "2025-03-31T00:00:00+02:00"),
        ("2025-10-26", "2025-10-26T00:00:00+02:00", "2025-10-27T00:00:00+01:00"),
    ],
)
def test_a_day_has_the_hours_that_its_zone_gives_it(day, start, end):
    activity = {"date": day, "timezone": "Europe/Madrid", "steps": 7}

    [reading] = readings([activity])

    assert (reading.start, reading.end, reading.flags) == (start, end, ())


@pytest.mark.parametrize("zone", [None, "Nowhere/Here"])
def test_a_day_without_a_zone_is_refused(zone):
    activity = {"date": "2025-03-30", "timezone": zone, "steps": 7}

    [refusal] = readings([activity])

    assert refusal.reason == Reason.NO_OFFSET


def test_the_course_of_a_day_has_intervals():
    found = readings(sample("shimmer-withings-intraday-activity.json"))

    steps = [r for r in measured(found) if r.kind == "steps"]
    assert [(r.value, r.start, r.end) for r in steps] == [
        (21, "2015-06-20T00:04:00Z", "2015-06-20T00:05:00Z"),
        (47, "2015-06-20T00:29:00Z", "2015-06-20T00:30:00Z"),
        (20, "2015-06-20T00:30:00Z", "2015-06-20T00:31:00Z"),
        (74, "2015-06-20T00:41:00Z", "2015-06-20T00:42:00Z"),
    ]
    assert [r for r in found if isinstance(r, OutOfScope)] == [
        OutOfScope(f"$.body.series.{second}", "stretch without a value")
        for second in ("1434758700", "1434760260")
    ]
    assert Counter(r.kind for r in measured(found)) == {
        "steps": 4,
        "distance": 4,
        "flights-climbed": 4,
        "active-energy": 4,
    }
    assert len(stored(found)) == 16


def test_a_heart_rate_in_the_course_of_a_day_is_of_its_moment():
    point = {"duration": 60, "heart_rate": 71, "sdnn1": 40, "model": "ScanWatch"}

    found = readings({"body": {"series": {"1736928000": point}}}, "Europe/Madrid")

    assert [(r.kind, r.value, r.start, r.end, r.method) for r in found] == [
        ("heart-rate", 71, "2025-01-15T09:00:00+01:00", None, None),
        ("hrv-sdnn", 40, "2025-01-15T09:00:00+01:00", None, "one minute"),
    ]


@pytest.mark.parametrize(
    ("second", "point", "reason"),
    [
        ("1736928000", {"steps": 5}, Reason.NO_TIME),
        ("1736928000", {"steps": 5, "duration": "60"}, Reason.MALFORMED),
        ("soon", {"steps": 5, "duration": 60}, Reason.MALFORMED),
        ("1736928000", 5, Reason.MALFORMED),
        ("1736928000", {"steps": "5", "duration": 60}, Reason.INVALID_VALUE),
    ],
)
def test_a_stretch_of_a_day_that_cannot_be_read_is_refused(second, point, reason):
    [refusal] = readings({"body": {"series": {second: point}}})

    assert refusal.reason == reason
    assert readings(refusal.payload) == [refusal]


def test_stretches_of_sleep_are_one_session_in_the_order_of_time():
    found = readings(sample("shimmer-withings-sleep-measures.json"))

    assert found == [
        Measurement(
            kind="sleep-session",
            value=None,
            unit="",
            start="2014-12-02T20:00:00Z",
            start_us=1417550400000000,
            end="2014-12-02T21:00:00Z",
            end_us=1417554000000000,
            position="$.body.series[0]",
            components=(
                Component("sleep-stage", "awake", offset_ms=0),
                Component("sleep-stage", "light", offset_ms=960_000),
                Component("sleep-stage", "rem", offset_ms=1_980_000),
            ),
            records=3,
        )
    ]
    assert len(stored(found)) == 1


def test_stretches_out_of_order_are_put_in_order_and_gaps_are_unknown():
    at = 1736978400
    first = {"startdate": at, "enddate": at + HOUR, "state": 1}
    second = {"startdate": at + 4500, "enddate": at + 5400, "state": 5}

    [session] = readings(series(second, first))

    assert [(one.value, one.offset_ms) for one in session.components] == [
        ("light", 0),
        ("unknown", 3_600_000),
        ("asleep", 4_500_000),
    ]


def test_stretches_far_apart_are_two_sessions():
    at = 1736978400
    first = {"startdate": at, "enddate": at + HOUR, "state": 1}
    second = {"startdate": at + 3 * HOUR, "enddate": at + 4 * HOUR, "state": 2}

    found = readings(series(first, second))

    assert [(r.start, r.end) for r in found] == [
        ("2025-01-15T22:00:00Z", "2025-01-15T23:00:00Z"),
        ("2025-01-16T01:00:00Z", "2025-01-16T02:00:00Z"),
    ]


def test_values_within_a_stretch_are_of_their_second():
    at = 1736978400
    stretch = {
        "startdate": at,
        "enddate": at + HOUR,
        "state": 1,
        "hr": {str(at): 50, str(at + 60): "x"},
        "snoring": {str(at): 0, str(at + 60): 0},
        "novelty": 3,
    }

    rate, refusal, snoring, unknown, session = readings(series(stretch))

    assert (rate.kind, rate.value, rate.start) == (
        "heart-rate",
        50,
        "2025-01-15T22:00:00Z",
    )
    assert (refusal.kind, refusal.reason) == ("heart-rate", Reason.INVALID_VALUE)
    assert snoring == OutOfScope(
        "$.body.series[0].snoring", "course of snoring", records=2
    )
    assert unknown.reason == Reason.UNKNOWN_KIND
    assert session.kind == "sleep-session"
    assert readings(refusal.payload) == [refusal]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"state": 6}, Reason.INVALID_VALUE),
        ({"enddate": 1736978399}, Reason.NEGATIVE_INTERVAL),
        ({"enddate": None}, Reason.NO_TIME),
    ],
)
def test_a_stretch_that_cannot_be_read_is_refused(change, reason):
    stretch = {"startdate": 1736978400, "enddate": 1736982000, "state": 1}

    [refusal] = readings(series(stretch | change))

    assert (refusal.reason, refusal.kind) == (reason, "sleep-session")


def test_nights_are_sessions_with_their_totals():
    found = readings(sample("shimmer-withings-sleep-summary.json"))

    assert found[0] == Measurement(
        kind="sleep-session",
        value=None,
        unit="",
        start="2017-09-02T00:15:00+01:00",
        start_us=1504307700000000,
        end="2017-09-02T03:25:00+01:00",
        end_us=1504319100000000,
        position="$.body.series[0]",
        source_id="123",
        source_version=1504477126000000,
        components=(
            Component("sleep-duration", 11160, "s"),
            Component("light-sleep-duration", 3360, "s"),
            Component("deep-sleep-duration", 7800, "s"),
            Component("awake-duration", 0, "s"),
            Component("awakenings", 4, "{#}"),
            Component("sleep-latency", 240, "s"),
        ),
        zone="Europe/London",
        records=5,
    )
    assert [r.source_id for r in found] == ["123", "124"]
    assert len(stored(found)) == 2


def test_a_night_keeps_its_own_total_and_says_what_it_left_aside():
    data = NIGHT["data"] | {
        "asleepduration": 23000,
        "lightsleepduration": 1,
        "deepsleepduration": 1,
        "hr_average": 55,
        "rr_average": 14,
        "breathing_disturbances_intensity": 4,
    }

    found = readings(series(NIGHT | {"data": data}))

    session, *beside = measured(found)
    assert [p for p in session.components if p.kind == "sleep-duration"] == [
        Component("sleep-duration", 24000, "s")
    ]
    assert [(r.kind, r.value, r.source_id) for r in beside] == [
        ("heart-rate-mean", 55, "9"),
        ("respiratory-rate-mean", 14, "9"),
    ]
    assert [r.what for r in found if isinstance(r, OutOfScope)] == [
        "index of the maker",
        "the same under an older name",
    ]
    efficiency = normalise(session, now_us=NOW_US).parts[-1]
    assert (efficiency.value, efficiency.unit) == ("95", "%")


def test_a_workout_is_one_observation():
    workout = {
        "id": 5,
        "category": 2,
        "attrib": 0,
        "timezone": "Europe/Madrid",
        "startdate": 1736928000,
        "enddate": 1736929800,
        "data": {
            "calories": 210,
            "hr_average": 140,
            "pause_duration": 0,
            "steps": None,
        },
    }

    session, absent, pauses = readings(series(workout))

    assert (session.kind, session.value, session.source_id, session.components) == (
        "workout",
        "running",
        "5",
        (
            Component("active-energy", 210, "kcal"),
            Component("heart-rate-mean", 140, "/min"),
        ),
    )
    assert {absent.what, pauses.what} == {"property without a value", "pauses"}


def test_a_battery_of_a_word_is_low_or_not_when_the_device_was_last_used():
    found = readings(sample("aiowithings-device.json"))

    assert found[0] == Measurement(
        kind="battery-low",
        value="false",
        unit="",
        start="2023-09-05T00:39:39+02:00",
        start_us=1693867179000000,
        end=None,
        end_us=1693867179000000,
        position="$.body.devices[0].battery",
        device=DeviceClue(
            "0000000000000000000000000000000000abc001",
            manufacturer="Withings",
            model="Body+",
            specialization="scale",
        ),
        zone="Europe/Amsterdam",
    )
    assert [type(r) for r in found[1:]] == [Refusal, OutOfScope, Refusal, Refusal]
    assert {r.reason for r in found if isinstance(r, Refusal)} == {Reason.NO_TIME}


@pytest.mark.parametrize(("word", "value"), [("low", "true"), ("medium", "false")])
def test_a_battery_word_has_a_meaning(word, value):
    device = {"deviceid": "d", "battery": word, "last_session_date": 1736928000}

    [reading] = readings({"body": {"devices": [device]}})

    assert reading.value == value


@pytest.mark.parametrize(
    ("payload", "expected"),
    [
        ({"userid": 7, "appli": 1}, OutOfScope("$", "notification")),
        ({"status": 503, "body": {}}, OutOfScope("$", "answer that reports an error")),
    ],
)
def test_a_notification_and_an_error_hold_no_data(payload, expected):
    assert readings(payload) == [expected]


@pytest.mark.parametrize(
    "payload",
    [None, 3, [3], [{}], {"x": 1}, {"body": {"measuregrps": 3}}, {"body": {"x": 1}}],
)
def test_what_is_no_answer_is_refused(payload):
    [refusal] = readings(payload)

    assert refusal.reason in {Reason.MALFORMED, Reason.UNKNOWN_KIND}


def test_a_name_that_no_table_has_is_in_no_position():
    course = {"Jane Roe 1970": {"steps": 5, "duration": 60}}
    stretch = {
        "state": 1,
        "startdate": 1736928000,
        "enddate": 1736928600,
        "hr": {"Jane Roe": 50},
        "Jane Roe": {"1736928000": 1},
    }
    body = {"timezone": "UTC"}

    [of_course] = readings({"status": 0, "body": body | {"series": course}})
    of_night = readings({"status": 0, "body": body | {"series": [stretch]}})

    assert of_course.position == "$.body.series.?"
    assert [r.position for r in of_night if isinstance(r, Refusal)] == [
        "$.body.series[0].hr.?",
        "$.body.series[0].?",
    ]


def test_an_unknown_number_of_a_day_is_refused_and_the_rest_kept():
    day = {"date": "2025-01-15", "timezone": "UTC", "steps": 1, "aura": 2, "mood": "x"}

    steps, refusal = readings([day])

    assert (steps.kind, refusal.position, refusal.reason) == (
        "steps-24h",
        "$[0].?",
        Reason.UNKNOWN_KIND,
    )


@pytest.mark.parametrize("path", sorted(SAMPLES.glob("*.json")), ids=lambda p: p.name)
def test_every_sample_is_taken_by_the_schema_and_gives_nothing_private(path):
    payload = loads(path.read_bytes())

    assert list(Draft202012Validator(SCHEMA).iter_errors(payload)) == []
    kept = repr(measured(readings(payload)))
    words = ("walk", "subscription", "callbackurl", "10.1234", "Patient01", "user001")
    assert not [word for word in words if word in kept]


def test_a_comment_reaches_no_measurement():
    assert "Patient01" not in repr(readings(groups(GROUP)))


NAMES = [
    "status",
    "body",
    "timezone",
    "measuregrps",
    "activities",
    "series",
    "devices",
    "measures",
    "value",
    "type",
    "unit",
    "attrib",
    "date",
    "steps",
    "startdate",
    "enddate",
    "state",
    "data",
    "hr",
    "battery",
    "category",
    "duration",
    "total_sleep_time",
    "asleepduration",
    "1736928000",
]
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(0, 12)
    | st.just(1736928000)
    | st.text(max_size=5)
    | st.sampled_from(["Europe/Madrid", "2025-01-15", "9999-12-31", "high"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(NAMES), inner, max_size=6)
    ),
    max_leaves=25,
)


@given(JSON, st.sampled_from([None, "Europe/Madrid"]))
def test_any_json_is_read_or_refused_and_never_raises(payload, zone):
    found = list(parse(payload, received_at=NOW, zone=zone))

    assert all(reading.records >= 1 for reading in found)
    for reading in measured(found):
        normalise(reading, now_us=NOW_US)


@given(
    st.fixed_dictionaries(
        {"startdate": st.just(1736928000), "enddate": st.just(1736931600)},
        optional={"state": JSON, "data": JSON, "hr": JSON, "category": JSON},
    )
)
def test_any_series_is_read_or_refused_and_never_raises(record):
    found = list(parse({"body": {"series": [record]}}, received_at=NOW))

    assert all(reading.records >= 1 for reading in found)


@given(st.dictionaries(st.sampled_from(sorted(GROUP)), JSON))
def test_any_group_is_read_or_refused_and_never_raises(change):
    found = list(parse(groups(GROUP | change), received_at=NOW))

    assert all(reading.records >= 1 for reading in found)


WORKOUT = {
    "id": 5,
    "category": 16,
    "startdate": 1736928000,
    "enddate": 1736929800,
    "data": {"calories": 210},
}


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"attrib": 1}, Reason.AMBIGUOUS_WEARER),
        ({"startdate": None}, Reason.NO_TIME),
        ({"data": {"calories": "210"}}, Reason.INVALID_VALUE),
    ],
)
def test_a_workout_that_cannot_be_read_is_refused(change, reason):
    [refusal] = readings(series(WORKOUT | change))

    assert (refusal.reason, refusal.kind) in {
        (reason, "workout"),
        (reason, "active-energy"),
    }
    assert readings(refusal.payload) == [refusal]


def test_a_workout_without_totals_is_counted():
    assert readings(series(WORKOUT | {"data": {}})) == [
        OutOfScope("$.body.series[0]", "workout without totals")
    ]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"enddate": None}, Reason.NO_TIME),
        ({"data": {"total_sleep_time": "24000"}}, Reason.INVALID_VALUE),
    ],
)
def test_a_night_that_cannot_be_read_is_refused(change, reason):
    [refusal] = readings(series(NIGHT | change))

    assert refusal.reason == reason
    assert readings(refusal.payload) == [refusal]


def test_answers_may_come_in_a_list():
    found = readings([groups(GROUP), {"userid": 7, "appli": 1}])

    assert [type(one) for one in found] == [Measurement, OutOfScope]
    assert found[0].position == "$[0].body.measuregrps[0].measures[0]"
