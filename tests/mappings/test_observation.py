import json
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conformance.fhir_json import Number, dumps, loads
from mappings.kinds import Coding, Effective, ValueType, kinds
from mappings.measurement import Component, DeviceClue, Measurement, Samples
from mappings.normalise import ABSENT_REASONS, Normalised, normalise
from mappings.observation import content_digest, content_key, derived, render

SECRET = b"of the service"
START_US = 1_767_603_600_000_000  # 2026-01-05T09:00:00Z
END_US = START_US + 8 * 3_600_000_000
NOW_US = START_US + 24 * 3_600_000_000

IDENTIFIERS = "https://fhir-interop-service.org/fhir/sid/content-key"
RESTRICTED = Coding(
    "http://terminology.hl7.org/CodeSystem/v3-Confidentiality", "R", "restricted"
)
ALL = list(kinds().values())


def named(kind):
    return kind.name


def measurement(kind="heart-rate", value=72, unit="/min", **changes):
    return Measurement(
        kind=kind,
        value=value,
        unit=unit,
        start="2026-01-05T10:00:00+01:00",
        start_us=START_US,
        end=None,
        end_us=START_US,
        position="$",
    )._replace(**changes)


def interval(kind, value, unit, **changes):
    return measurement(
        kind, value, unit, end="2026-01-05T18:00:00+01:00", end_us=END_US, **changes
    )


def usual(kind):
    return kind.plausible.low + 1


def unusual(kind):
    """Return a possible value outside the plausible range."""
    if kind.possible.high > kind.plausible.high:
        return kind.possible.high
    return kind.possible.low


def example_value(kind, *, plausible=True):
    """Return a value and a unit that the kind stores."""
    if kind.value is ValueType.QUANTITY:
        return usual(kind) if plausible else unusual(kind), kind.unit
    if kind.value is ValueType.SAMPLES:
        return Samples(Decimal("2.50"), (1, Decimal("1.50"), "E")), kind.unit
    names = {
        ValueType.CODE: next(iter(kind.values), None),
        ValueType.BOOLEAN: "true",
        ValueType.STRING: 'V1.2 "beta"',
        ValueType.NONE: None,
    }
    return names[kind.value], ""


def example_parts(kind):
    parts = (Component(name, *example_value(kinds()[name])) for name in kind.components)
    return tuple(
        part._replace(offset_ms=60_000) if part.kind == "sleep-stage" else part
        for part in parts
    )


def example(kind, **changes):
    value, unit = example_value(kind)
    return interval(kind.name, value, unit, components=example_parts(kind), **changes)


def normalised(value):
    result = normalise(value, now_us=NOW_US)
    assert isinstance(result, Normalised), result
    return result


def rendered(value, **changes):
    arguments = {
        "id": "0abcdefghjkmn",
        "version": "1",
        "last_updated": "2026-01-06T08:00:00.123Z",
        "subject": "Patient/0abcdefghjkmp",
        "identifier_system": IDENTIFIERS,
        "identifier_value": "00112233445566778899aabbccddeeff",
    } | changes
    return render(normalised(value), **arguments)


def resource(value, **changes):
    return json.loads(rendered(value, **changes), parse_float=Number)


KEPT_UNITS = {
    "[degF]": Number("98.60"),
    "[in_i]": 70,
    "[lb_av]": Number("154.0"),
    "g": 70_000,
    "h": Number("7.5"),
}

VARIATIONS = {
    "plain": ({}, {}),
    "device": ({}, {"device": "Device/1", "version": "7", "status": "amended"}),
    "labelled": ({}, {"security": (RESTRICTED,)}),
    "room": ({}, {"focus": "Location/1", "device": "Device/1"}),
    "self-reported": ({"self_reported": True}, {}),
    "entered": ({"self_reported": True}, {"performer": "RelatedPerson/1"}),
    "zone": ({"zone": "Europe/Berlin"}, {}),
    "method": ({"method": 'the "new" one\n\u2028'}, {}),
    "derived": ({}, {"derived_from": ("Observation/1", "Observation/2")}),
    "everything": (
        {"self_reported": True, "zone": "America/Argentina/Buenos_Aires"},
        {
            "device": "Device/1",
            "focus": "Location/1",
            "security": (RESTRICTED,),
            "derived_from": ("Observation/1",),
        },
    ),
}


@pytest.mark.parametrize("variation", VARIATIONS)
@pytest.mark.parametrize("kind", ALL, ids=named)
def test_every_kind_is_valid_in_every_variation(kind, variation, faults):
    of_measurement, of_render = VARIATIONS[variation]

    observation = loads(rendered(example(kind, **of_measurement), **of_render))

    assert faults(observation) == []


@pytest.mark.parametrize("kind", ALL, ids=named)
def test_every_kind_meets_the_profiles_that_it_claims(kind, faults):
    observation = loads(rendered(example(kind), device="Device/1"))

    claimed = observation["meta"].get("profile", [])
    assert claimed == list(kind.profiles)
    known = [url for url in claimed if "physical-activity" not in url]
    assert faults(observation, known) == []


@pytest.mark.parametrize(
    "kind", [kind for kind in ALL if kind.effective is Effective.EITHER], ids=named
)
def test_an_instant_is_a_date_time(kind, faults):
    moment = example(kind)._replace(end=None, end_us=START_US, zone="Europe/Berlin")

    observation = loads(rendered(moment))

    assert faults(observation) == []
    assert observation["effectiveDateTime"] == "2026-01-05T10:00:00+01:00"
    assert "effectivePeriod" not in observation


@pytest.mark.parametrize(
    "kind", [kind for kind in ALL if kind.records_absence], ids=named
)
@pytest.mark.parametrize("reason", ["temp-unknown", "not-performed"])
def test_a_missing_value_has_its_reason(kind, reason, faults):
    missing = interval(kind.name, None, "", absent=reason)

    observation = loads(rendered(missing))

    assert faults(observation) == []
    assert observation["dataAbsentReason"]["coding"][0]["code"] == reason
    assert not [element for element in observation if element.startswith("value")]


@pytest.mark.parametrize("reason", ABSENT_REASONS)
def test_every_reason_has_its_display(reason):
    observation = resource(measurement(value=None, unit="", absent=reason))

    assert observation["dataAbsentReason"] == {
        "coding": [
            {
                "system": "http://terminology.hl7.org/CodeSystem/data-absent-reason",
                "code": reason,
                "display": ABSENT_REASONS[reason],
            }
        ]
    }


@pytest.mark.parametrize(
    "kind",
    [
        kind
        for kind in ALL
        if kind.possible is not None and kind.possible != kind.plausible
    ],
    ids=named,
)
def test_an_implausible_value_says_so(kind, faults):
    value, unit = example_value(kind, plausible=False)

    observation = loads(rendered(interval(kind.name, value, unit)))

    assert faults(observation) == []
    [interpretation] = observation["interpretation"]
    assert interpretation["coding"] == [
        {
            "system": "http://hl7.org/fhir/uv/pocd/CodeSystem/measurement-status",
            "code": "questionable",
        }
    ]


@pytest.mark.parametrize("kind", ALL, ids=named)
def test_every_unit_that_a_kind_keeps_is_valid(kind, faults):
    for unit in kind.units_kept:
        observation = loads(rendered(interval(kind.name, KEPT_UNITS[unit], unit)))

        assert faults(observation, observation["meta"].get("profile", [])) == []
        assert observation["valueQuantity"]["code"] == unit


@pytest.mark.parametrize("variation", VARIATIONS)
@pytest.mark.parametrize("kind", ALL, ids=named)
def test_the_text_is_canonical(kind, variation):
    of_measurement, of_render = VARIATIONS[variation]

    text = rendered(example(kind, **of_measurement), **of_render)

    assert dumps(loads(text)) == text


def test_a_heart_rate():
    observation = resource(
        measurement(value=Number("72.50"), zone="Europe/Berlin"),
        device="Device/0abcdefghjkmq",
        security=(RESTRICTED,),
    )

    assert observation == {
        "resourceType": "Observation",
        "id": "0abcdefghjkmn",
        "meta": {
            "versionId": "1",
            "lastUpdated": "2026-01-06T08:00:00.123Z",
            "profile": [
                "http://hl7.org/fhir/StructureDefinition/heartrate",
                "http://hl7.org/fhir/us/core/StructureDefinition/us-core-heart-rate",
            ],
            "security": [RESTRICTED._asdict()],
        },
        "identifier": [
            {"system": IDENTIFIERS, "value": "00112233445566778899aabbccddeeff"}
        ],
        "status": "final",
        "category": [
            {
                "coding": [
                    {
                        "system": "http://terminology.hl7.org/CodeSystem/"
                        "observation-category",
                        "code": "vital-signs",
                        "display": "Vital Signs",
                    }
                ]
            }
        ],
        "code": {
            "coding": [
                {
                    "system": "http://loinc.org",
                    "code": "8867-4",
                    "display": "Heart rate",
                }
            ]
        },
        "subject": {"reference": "Patient/0abcdefghjkmp"},
        "effectiveDateTime": "2026-01-05T10:00:00+01:00",
        "_effectiveDateTime": {
            "extension": [
                {
                    "url": "http://hl7.org/fhir/StructureDefinition/tz-code",
                    "valueCode": "Europe/Berlin",
                }
            ]
        },
        "issued": "2026-01-06T08:00:00.123Z",
        "valueQuantity": {
            "value": Decimal("72.50"),
            "unit": "beats/minute",
            "system": "http://unitsofmeasure.org",
            "code": "/min",
        },
        "device": {"reference": "Device/0abcdefghjkmq"},
    }


def test_the_elements_stand_in_the_order_of_the_specification():
    observation = resource(
        example(
            kinds()["sleep-session"], self_reported=True, method="m", zone="Etc/UTC"
        ),
        device="Device/1",
        focus="Location/1",
        derived_from=("Observation/1",),
    )

    assert list(observation) == [
        "resourceType",
        "id",
        "meta",
        "identifier",
        "status",
        "category",
        "code",
        "subject",
        "focus",
        "effectivePeriod",
        "issued",
        "performer",
        "method",
        "device",
        "derivedFrom",
        "component",
    ]


def test_a_night_keeps_its_totals_and_its_stages():
    night = interval(
        "sleep-session",
        None,
        "",
        zone="America/New_York",
        components=(
            Component("sleep-duration", Number("7.25"), "h"),
            Component("main-sleep", "true"),
            Component("sleep-efficiency", None, absent="temp-unknown"),
            Component("sleep-stage", "light", offset_ms=0),
            Component("sleep-stage", "rem", offset_ms=5_400_000),
        ),
    )

    observation = resource(night)

    assert observation["effectivePeriod"] == {
        "start": "2026-01-05T10:00:00+01:00",
        "_start": {
            "extension": [
                {
                    "url": "http://hl7.org/fhir/StructureDefinition/tz-code",
                    "valueCode": "America/New_York",
                }
            ]
        },
        "end": "2026-01-05T18:00:00+01:00",
    }
    duration, main, efficiency, light, rem = observation["component"]
    assert duration["code"]["coding"][0]["code"] == "93832-4"
    assert duration["valueQuantity"] == {
        "value": Decimal("7.25"),
        "unit": "h",
        "system": "http://unitsofmeasure.org",
        "code": "h",
    }
    assert main["valueBoolean"] is True
    assert efficiency["dataAbsentReason"]["coding"][0]["code"] == "temp-unknown"
    assert light["extension"] == [
        {
            "url": "http://hl7.org/fhir/StructureDefinition/observation-timeOffset",
            "valueInteger": 0,
        }
    ]
    assert rem["extension"][0]["valueInteger"] == 5_400_000
    assert [c["code"] for c in rem["valueCodeableConcept"]["coding"]] == [
        "89129007",
        "sleep-stage-rem",
    ]


def test_a_blood_pressure_with_one_part_says_that_the_other_is_unknown(faults):
    half = measurement(
        "blood-pressure",
        None,
        "",
        components=(Component("systolic-blood-pressure", 120, "mm[Hg]"),),
    )

    observation = loads(rendered(half))

    assert faults(observation, observation["meta"]["profile"]) == []
    assert "valueQuantity" not in observation
    systolic, diastolic = observation["component"]
    assert systolic["valueQuantity"]["value"] == 120
    assert diastolic["dataAbsentReason"]["coding"][0]["code"] == "unknown"


def test_who_reports_about_themselves_is_the_performer():
    observation = resource(measurement(self_reported=True))

    assert observation["performer"] == [{"reference": "Patient/0abcdefghjkmp"}]
    assert "performer" not in resource(measurement())


def test_an_oxygen_uptake_is_an_estimate_unless_the_source_says_how():
    assert resource(measurement("vo2-max", 41, "mL/kg/min"))["method"] == {
        "text": "estimated"
    }
    assert resource(measurement("vo2-max", 41, "mL/kg/min", method="CPET"))[
        "method"
    ] == {"text": "CPET"}


def test_an_interval_without_length_is_an_instant():
    moment = measurement(end="2026-01-05T10:00:00+01:00")

    assert "effectiveDateTime" in resource(moment)


@given(identifier=st.text(), method=st.text(), zone=st.text())
def test_no_text_of_a_source_breaks_out_of_its_string(identifier, method, zone):
    observation = resource(
        measurement(method=method or "m", zone=zone), identifier_value=identifier
    )

    assert observation["identifier"][0]["value"] == identifier
    assert observation["method"]["text"] == (method or "m")
    assert observation["_effectiveDateTime"]["extension"][0]["valueCode"] == zone


@given(
    st.decimals(
        min_value=1, max_value=400, allow_nan=False, allow_infinity=False, places=8
    ),
    st.integers(0, 8),
)
def test_every_decimal_leaves_with_its_digits(value, places):
    text = format(round(value, places), "f")

    body = rendered(measurement(value=Number(text)))

    assert f'"value":{text},'.encode() in body


def test_a_night_also_yields_its_sleep_duration():
    night = interval(
        "sleep-session",
        None,
        "",
        source_id="night-1",
        components=(
            Component("time-in-bed", 480, "min"),
            Component("sleep-duration", Number("450.0"), "min"),
        ),
    )

    assert derived(night) == (
        interval(
            "sleep-duration", Number("450.0"), "min", source_id="night-1#sleep-duration"
        )._replace(records=0),
    )
    assert derived(night._replace(components=())) == ()
    assert derived(measurement()) == ()


DEVICE_KEY = bytes(range(32))


def test_a_corrected_value_has_the_same_key_and_another_digest():
    first, second = measurement(value=72), measurement(value=73)

    assert content_key(first, DEVICE_KEY) == content_key(second, DEVICE_KEY)
    assert content_digest(first, SECRET) != content_digest(second, SECRET)
    assert len(content_key(first, DEVICE_KEY)) == 16
    assert len(content_digest(first, SECRET)) == 8


def test_a_repeat_has_the_same_key_and_digest():
    night = example(kinds()["sleep-session"])
    repeat = night._replace(position="$[9]", records=3, device=DeviceClue(model="x"))

    assert content_key(night, DEVICE_KEY) == content_key(repeat, DEVICE_KEY)
    assert content_digest(night, SECRET) == content_digest(repeat, SECRET)


@pytest.mark.parametrize(
    "changes",
    [
        {"kind": "resting-heart-rate"},
        {"start_us": START_US - 1},
        {"end_us": START_US + 1},
        {"source_id": "1"},
        {"source_id": ""},
    ],
)
def test_another_measurement_has_another_key(changes):
    other = measurement()._replace(**changes)

    assert content_key(measurement(), DEVICE_KEY) != content_key(other, DEVICE_KEY)
    assert content_key(measurement(), DEVICE_KEY) != content_key(
        measurement(), DEVICE_KEY[:-1]
    )


def test_with_an_identifier_of_the_source_the_time_may_be_corrected():
    first = measurement(source_id="1")
    moved = first._replace(start="2026-01-05T10:00:01+01:00", start_us=START_US + 10**6)

    assert content_key(first, DEVICE_KEY) == content_key(moved, DEVICE_KEY)
    assert content_digest(first, SECRET) != content_digest(moved, SECRET)


@pytest.mark.parametrize(
    "changes",
    [
        {"value": Number("72.0")},
        {"unit": "/s"},
        {"start": "2026-01-05T09:00:01Z", "start_us": START_US + 1_000_000},
        {"end": "2026-01-05T09:00:00Z"},
        {"method": "m"},
        {"absent": "unknown"},
        {"self_reported": True},
        {"zone": "Etc/UTC"},
        {"components": (Component("steps", 1, "{steps}"),)},
    ],
)
def test_whatever_a_source_corrects_changes_the_digest(changes):
    other = measurement()._replace(**changes)

    assert content_digest(measurement(), SECRET) != content_digest(other, SECRET)
