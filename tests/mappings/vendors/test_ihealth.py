from datetime import UTC, datetime
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
from mappings.vendors.ihealth import parse as module
from mappings.vendors.ihealth.parse import parse

NOW = datetime(2026, 6, 1, tzinfo=UTC)
NOW_US = 1_780_272_000_000_000
SAMPLES = Path(__file__).parents[3].parent / "shared" / "data" / "payloads" / "ihealth"
SCHEMA = loads((Path(module.__file__).parent / "payload.schema.json").read_bytes())

IHEALTH = DeviceClue(manufacturer="iHealth", name="iHealth")
PRESSURE = {
    "DataID": "p",
    "DataSource": "FromDevice",
    "HP": 120,
    "LP": 80,
    "HR": 61,
    "MDate": 1736931600,
    "TimeZone": "+0100",
    "Note": "Patient01",
}
NIGHT = {
    "DataID": "n",
    "HoursSlept": 345,
    "Awaken": 2,
    "SleepEfficiency": 90,
    "FallSleep": 0,
    "StartTime": 1736978400,
    "EndTime": 1737003600,
    "TimeZone": 1,
}


def sample(name: str) -> object:
    path = SAMPLES / name
    if not path.exists():
        pytest.skip("the sample payloads are not here")
    return loads(path.read_bytes())


def readings(payload: object) -> list[object]:
    return list(parse(loads(dumps(payload)), received_at=NOW))


def measured(found: list[object]) -> list[Measurement]:
    return [r for r in found if isinstance(r, Measurement)]


def stored(found: list[object]) -> list[tuple[str, str]]:
    results = [normalise(r, now_us=NOW_US) for r in measured(found)]
    assert all(isinstance(one, Normalised) for one in results)
    return [(one.kind.name, f"{one.value} {one.unit}") for one in results]


def summary(name: str) -> list[tuple[str, str, str, bool]]:
    found = measured(readings(sample(name)))
    return [(r.kind, str(r.value), r.start, r.self_reported) for r in found]


def test_a_blood_pressure_keeps_the_wall_clock_and_gets_its_offset():
    found = readings(sample("shimmer-ihealth-bp.json"))

    assert found[0] == Measurement(
        kind="blood-pressure",
        value=None,
        unit="",
        start="2015-09-17T12:04:23-08:00",
        start_us=1442520263000000,
        end=None,
        end_us=1442520263000000,
        position="$.BPDataList[0]",
        source_id="c62b84d9d4b7480a8ff2aef1465aa454",
        device=IHEALTH,
        components=(
            Component("systolic-blood-pressure", 120, "mm[Hg]"),
            Component("diastolic-blood-pressure", 90, "mm[Hg]"),
        ),
        records=2,
    )
    assert [(r.kind, r.value, r.start, r.self_reported) for r in measured(found)] == [
        ("blood-pressure", None, "2015-09-17T12:04:23-08:00", False),
        ("heart-rate", 100, "2015-09-17T12:04:23-08:00", False),
        ("blood-pressure", None, "2015-09-17T14:07:45-06:00", True),
        ("heart-rate", 75, "2015-09-17T14:07:45-06:00", True),
    ]
    assert len(stored(found)) == 4


def test_glucose_is_capillary_and_in_the_unit_of_its_list():
    assert summary("shimmer-ihealth-glucose.json") == [
        ("glucose-capillary", "60", "2015-09-17T12:03:27-08:00", False),
        ("glucose-capillary", "70", "2015-09-24T14:44:40-06:00", True),
    ]
    assert stored(readings(sample("shimmer-ihealth-glucose.json"))) == [
        ("glucose-capillary", "60 mg/dL"),
        ("glucose-capillary", "70 mg/dL"),
    ]


def test_glucose_in_moles_is_stored_in_moles():
    record = {"BG": Number("5.4"), "MDate": 1736931600, "TimeZone": "+0100"}

    found = readings({"BGDataList": [record], "BGUnit": 1})

    assert stored(found) == [("glucose-moles", "5.4 mmol/L")]


def test_a_saturation_may_come_without_a_heart_rate():
    found = readings(sample("shimmer-ihealth-spo2-no-heart-rate.json"))

    assert [(r.kind, r.value) for r in measured(found)] == [("oxygen-saturation", 99)]
    assert found[1] == OutOfScope("$.BODataList[0].HR", "property without a value")


def test_saturations_and_heart_rates_are_read():
    assert summary("shimmer-ihealth-spo2.json") == [
        ("oxygen-saturation", "99", "2015-09-23T15:46:00-06:00", False),
        ("heart-rate", "80", "2015-09-23T15:46:00-06:00", False),
        ("oxygen-saturation", "90", "2015-09-24T15:03:00-06:00", True),
        ("heart-rate", "65", "2015-09-24T15:03:00-06:00", True),
    ]


def test_a_weight_keeps_its_digits_and_water_without_a_unit_is_refused():
    found = readings(sample("shimmer-ihealth-weight.json"))

    assert stored(found) == [
        ("body-mass-index", "22.56052563257619 kg/m2"),
        ("body-fat-percentage", "10 %"),
        ("body-weight", "77.5643875134944 kg"),
        ("body-mass-index", "22.56052398681641 kg/m2"),
        ("body-weight", "77.56438446044922 kg"),
    ]
    [refusal] = [r for r in found if isinstance(r, Refusal)]
    assert (refusal.position, refusal.reason, refusal.kind) == (
        "$.WeightDataList[0].WaterValue",
        Reason.NO_UNIT,
        "body-water-percentage",
    )
    assert readings(refusal.payload) == [refusal]


@pytest.mark.parametrize(
    ("unit", "expected"), [(0, "70.00 kg"), (1, "70.00 [lb_av]"), (2, "444.521 kg")]
)
def test_a_weight_is_in_the_unit_of_its_list(unit, expected):
    record = {
        "WeightValue": Number("70.00"),
        "MDate": 1736931600,
        "TimeZone": "+0100",
    }

    found = readings({"WeightDataList": [record], "WeightUnit": unit})

    assert stored(found)[0][1][:4] == expected[:4]
    assert stored(found)[0][1].split()[1] == expected.split()[1]


def test_a_day_of_activity_is_its_local_day():
    found = readings(sample("shimmer-ihealth-activity.json"))

    assert [(r.kind, str(r.value), r.start, r.end) for r in measured(found)] == [
        (kind, value, f"{day}T00:00:00{offset}", f"{after}T00:00:00{offset}")
        for day, after, offset, values in (
            ("2015-11-16", "2015-11-17", "+05:00", ("1571", "0.01743", "21")),
            ("2015-11-18", "2015-11-19", "+00:00", ("713", "0", "4398")),
        )
        for kind, value in zip(
            ("active-energy", "distance", "steps"), values, strict=True
        )
    ]
    assert stored(found)[:3] == [
        ("active-energy", "1571 kcal"),
        ("distance", "17.43 m"),
        ("steps", "21 {steps}"),
    ]


def test_hours_slept_are_minutes():
    found = readings(sample("shimmer-ihealth-sleep.json"))

    assert [
        (r.start, r.end, [(p.kind, p.value, p.unit) for p in r.components])
        for r in measured(found)
    ] == [
        (
            start,
            end,
            [
                ("sleep-duration", slept, "min"),
                ("awakenings", times, "{#}"),
                ("sleep-efficiency", percent, "%"),
            ],
        )
        for start, end, slept, times, percent in (
            ("2015-11-15T01:51:00-07:00", "2015-11-15T09:16:00-07:00", 345, 13, 77),
            ("2015-11-15T13:51:00+01:00", "2015-11-15T17:16:00+01:00", 195, 2, 95),
            ("2015-11-16T00:27:00-07:00", "2015-11-16T07:12:00-07:00", 355, 0, 87),
        )
    ]
    assert [r.self_reported for r in measured(found)] == [False, False, True]
    assert len(stored(found)) == 3


def test_a_sport_is_a_workout():
    record = {
        "DataID": "s",
        "SportName": "Swimming",
        "Calories": Number("221.5"),
        "SportStartTime": 1736931600,
        "SportEndTime": 1736933400,
        "TimeZone": -8,
    }

    found = readings({"SPORTDataList": [record]})

    assert found == [
        Measurement(
            kind="workout",
            value="swimming",
            unit="",
            start="2025-01-15T09:00:00-08:00",
            start_us=1736960400000000,
            end="2025-01-15T09:30:00-08:00",
            end_us=1736962200000000,
            position="$.SPORTDataList[0]",
            source_id="s",
            device=IHEALTH,
            components=(Component("active-energy", Number("221.5"), "kcal"),),
        )
    ]


@pytest.mark.parametrize("name", ["activity", "bp", "sport", "weight"])
def test_an_empty_list_gives_nothing(name):
    assert readings(sample(f"shimmer-ihealth-{name}-empty.json")) == []


@pytest.mark.parametrize(
    ("member", "list_", "kind"),
    [
        ("BO", "BODataList", "oxygen-saturation"),
        ("BG", "BGDataList", "glucose-capillary"),
        ("WeightValue", "WeightDataList", "body-weight"),
    ],
)
def test_a_zero_of_which_a_record_is_made_is_absent(member, list_, kind):
    record = {member: 0, "MDate": 1736931600, "TimeZone": "+0100"}

    [reading] = readings({list_: [record]})

    assert (reading.kind, reading.value, reading.absent) == (kind, None, "unknown")
    assert len(stored([reading])) == 1


def test_a_pressure_of_zero_is_an_absent_part():
    [pressure, *_] = readings({"BPDataList": [PRESSURE | {"LP": 0}], "BPUnit": 0})

    assert pressure.components == (
        Component("systolic-blood-pressure", 120, "mm[Hg]"),
        Component("diastolic-blood-pressure", None, absent="unknown"),
    )


def test_a_pressure_in_kilopascals_is_converted():
    record = PRESSURE | {"HP": Number("16.0"), "LP": Number("10.7")}

    [pressure, *_] = readings({"BPDataList": [record], "BPUnit": 1})

    parts = normalise(pressure, now_us=NOW_US).parts
    assert [(part.value[:3], part.unit) for part in parts] == [
        ("120", "mm[Hg]"),
        ("80.", "mm[Hg]"),
    ]


@pytest.mark.parametrize("unit", [{}, {"BPUnit": 7}, {"BPUnit": "0"}])
def test_a_pressure_without_a_known_unit_is_refused_and_its_heart_rate_kept(unit):
    refusal, rate, note = readings({"BPDataList": [PRESSURE], **unit})

    assert (refusal.reason, refusal.kind, refusal.records) == (
        Reason.NO_UNIT,
        "blood-pressure",
        2,
    )
    assert (rate.kind, rate.value) == ("heart-rate", 61)
    assert note == OutOfScope("$.BPDataList[0].Note", "note")
    assert readings(refusal.payload) == [refusal]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"TimeZone": None}, Reason.NO_OFFSET),
        ({"TimeZone": "Europe/Madrid"}, Reason.NO_OFFSET),
        ({"TimeZone": "+1900"}, Reason.NO_OFFSET),
        ({"TimeZone": 20}, Reason.NO_OFFSET),
        ({"MDate": None}, Reason.NO_TIME),
        ({"MDate": 1736931600000}, Reason.MALFORMED),
    ],
)
def test_a_record_without_a_time_is_refused_whole(change, reason):
    payload = {"BPUnit": 0, "BPDataList": [PRESSURE | change]}

    [refusal] = readings(payload)

    assert (refusal.reason, refusal.records) == (reason, 3)
    assert readings(refusal.payload) == [refusal]


def test_a_value_that_is_no_number_is_refused_and_tried_again_alone():
    found = readings({"BPUnit": 0, "BPDataList": [PRESSURE | {"HR": "61"}]})

    [refusal] = [r for r in found if isinstance(r, Refusal)]
    assert (refusal.kind, refusal.reason) == ("heart-rate", Reason.INVALID_VALUE)
    assert readings(refusal.payload) == [refusal]


def test_a_part_of_a_night_that_is_no_number_refuses_its_totals():
    found = readings({"SRDataList": [NIGHT | {"Awaken": "2"}]})

    [refusal] = [r for r in found if isinstance(r, Refusal)]
    assert (refusal.kind, refusal.records) == ("awakenings", 3)


def test_a_time_to_fall_asleep_has_no_published_unit():
    found = readings({"SRDataList": [NIGHT | {"FallSleep": 12}]})

    assert [(r.reason, r.kind) for r in found if isinstance(r, Refusal)] == [
        (Reason.NO_UNIT, "sleep-latency")
    ]


def test_an_account_serves_to_find_the_patient():
    [reading, *_] = readings({"SRDataList": [NIGHT | {"UserID": "u-1"}]})

    assert reading.patient == "u-1"


def test_an_unknown_number_and_an_unknown_list_are_refused():
    found = readings(
        {"SRDataList": [NIGHT | {"Dreams": 3, "Mood": "good"}], "FoodDataList": []}
    )

    assert [(r.position, r.reason) for r in found if isinstance(r, Refusal)] == [
        ("$.SRDataList[0].?", Reason.UNKNOWN_KIND),
        ("$.?", Reason.UNKNOWN_KIND),
    ]


@pytest.mark.parametrize(
    "payload", [None, 3, [3], {"x": []}, {"BPDataList": 3}, {"BPDataList": [3]}]
)
def test_what_is_no_answer_is_refused(payload):
    [refusal] = readings(payload)

    assert refusal.reason in {Reason.MALFORMED, Reason.UNKNOWN_KIND}


@pytest.mark.parametrize("path", sorted(SAMPLES.glob("*.json")), ids=lambda p: p.name)
def test_every_sample_is_taken_by_the_schema_and_gives_nothing_private(path):
    payload = loads(path.read_bytes())

    assert list(Draft202012Validator(SCHEMA).iter_errors(payload)) == []
    kept = repr(measured(readings(payload)))
    words = ("Great", "Satch", "Best sleep", "up and up", "look at me", "Such")
    assert not [word for word in words if word in kept]


NAMES = [
    "BPDataList",
    "BGDataList",
    "WeightDataList",
    "BODataList",
    "ARDataList",
    "SRDataList",
    "SPORTDataList",
    "BPUnit",
    "WeightUnit",
    "MDate",
    "TimeZone",
    "HP",
    "LP",
    "HR",
    "BO",
    "Steps",
    "WaterValue",
    "HoursSlept",
    "StartTime",
    "EndTime",
    "SportName",
    "SportStartTime",
    "SportEndTime",
    "Calories",
    "DataID",
]
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(0, 2)
    | st.just(1736928000)
    | st.text(max_size=5)
    | st.just("+0100"),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(NAMES), inner, max_size=6)
    ),
    max_leaves=25,
)


@given(JSON)
def test_any_json_is_read_or_refused_and_never_raises(payload):
    found = list(parse(payload, received_at=NOW))

    assert all(reading.records >= 1 for reading in found)


@given(
    st.sampled_from(NAMES[:7]),
    st.dictionaries(st.sampled_from(NAMES[7:]), JSON),
)
def test_any_record_is_read_or_refused_and_never_raises(name, change):
    times = {n: 1736928000 for n in NAMES if n.endswith(("Date", "Time"))}
    record = times | {"TimeZone": "+0100"} | change

    found = list(parse({name: [record]}, received_at=NOW))

    assert all(reading.records >= 1 for reading in found)
    for reading in measured(found):
        normalise(reading, now_us=NOW_US)


def test_a_sport_whose_energy_is_no_number_is_refused():
    record = {
        "SportName": "Swimming",
        "Calories": "221",
        "SportStartTime": 1736931600,
        "SportEndTime": 1736933400,
        "TimeZone": "-0800",
    }

    [refusal] = readings({"SPORTDataList": [record]})

    assert (refusal.reason, refusal.kind) == (Reason.INVALID_VALUE, "active-energy")
    assert readings(refusal.payload) == [refusal]
