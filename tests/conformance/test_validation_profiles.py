"""Profiles: claimed, named by the caller, or implied by a vital sign's code."""

from copy import deepcopy
from typing import Any

import pytest

from conformance import definitions
from conformance.codes import LOINC, UCUM, VITAL_SIGN_PROFILES
from conformance.fhir_json import Number
from conformance.issues import IssueType, Severity
from conformance.validation import implied_profiles, not_checked, validate
from conformance.validation_profiles import profile

R4 = "http://hl7.org/fhir/StructureDefinition/"
US_CORE = "http://hl7.org/fhir/us/core/StructureDefinition/us-core-"


def vital_sign(code: str, unit: str, *profiles: str) -> dict[str, Any]:
    return {
        "resourceType": "Observation",
        "meta": {"profile": list(profiles)} if profiles else {"versionId": "1"},
        "status": "final",
        "category": [
            {
                "coding": [
                    {
                        "system": (
                            "http://terminology.hl7.org/CodeSystem/observation-category"
                        ),
                        "code": "vital-signs",
                    }
                ]
            }
        ],
        "code": {"coding": [{"system": LOINC, "code": code}]},
        "subject": {"reference": "Patient/1"},
        "effectiveDateTime": "2026-01-05T10:00:00Z",
        "performer": [{"reference": "Patient/1"}],
        "valueQuantity": {
            "value": Number("72.50"),
            "unit": unit,
            "system": UCUM,
            "code": unit,
        },
    }


def blood_pressure(*profiles: str) -> dict[str, Any]:
    resource = vital_sign("85354-9", "mm[Hg]", *profiles)
    quantity = resource.pop("valueQuantity")
    resource["component"] = [
        {
            "code": {"coding": [{"system": LOINC, "code": code}]},
            "valueQuantity": quantity,
        }
        for code in ("8480-6", "8462-4")
    ]
    return resource


def pulse_oximetry(*profiles: str) -> dict[str, Any]:
    resource = vital_sign("2708-6", "%", *profiles)
    resource["code"]["coding"].append({"system": LOINC, "code": "59408-5"})
    return resource


def errors(resource: Any, **options: Any) -> list[tuple[IssueType, str | None]]:
    return [
        (issue.type, issue.expression)
        for issue in validate(resource, **options)
        if issue.severity is Severity.ERROR
    ]


VITAL_SIGNS = {
    "heartrate": vital_sign("8867-4", "/min", R4 + "heartrate"),
    "resprate": vital_sign("9279-1", "/min", R4 + "resprate"),
    "oxygensat": vital_sign("2708-6", "%", R4 + "oxygensat"),
    "bodytemp": vital_sign("8310-5", "Cel", R4 + "bodytemp"),
    "bodyweight": vital_sign("29463-7", "kg", R4 + "bodyweight"),
    "bodyheight": vital_sign("8302-2", "cm", R4 + "bodyheight"),
    "bmi": vital_sign("39156-5", "kg/m2", R4 + "bmi"),
    "bp": blood_pressure(R4 + "bp"),
    "US Core heart rate": vital_sign("8867-4", "/min", US_CORE + "heart-rate"),
    "US Core respiratory rate": vital_sign(
        "9279-1", "/min", US_CORE + "respiratory-rate"
    ),
    "US Core pulse oximetry": pulse_oximetry(US_CORE + "pulse-oximetry"),
    "US Core temperature": vital_sign("8310-5", "Cel", US_CORE + "body-temperature"),
    "US Core weight": vital_sign("29463-7", "kg", US_CORE + "body-weight"),
    "US Core height": vital_sign("8302-2", "cm", US_CORE + "body-height"),
    "US Core BMI": vital_sign("39156-5", "kg/m2", US_CORE + "bmi"),
    "US Core blood pressure": blood_pressure(US_CORE + "blood-pressure"),
}


@pytest.mark.parametrize("name", VITAL_SIGNS)
def test_a_vital_sign_meets_its_profile(name: str) -> None:
    assert errors(VITAL_SIGNS[name]) == []


@pytest.mark.parametrize("name", VITAL_SIGNS)
def test_a_vital_sign_in_another_unit_does_not(name: str) -> None:
    resource = deepcopy(VITAL_SIGNS[name])
    holder = resource.get("component", [resource])[0]
    holder["valueQuantity"]["code"] = "[nmi_i]"

    found = errors(resource)

    assert found
    assert {expression for _, expression in found} <= {
        "Observation.value.code",
        "Observation.value",
        "Observation.component[0].value.code",
        "Observation.component[0].value",
        "Observation.component[1].value.code",
        "Observation.component[1].value",
    }


@pytest.mark.parametrize("name", VITAL_SIGNS)
def test_a_vital_sign_of_another_code_does_not(name: str) -> None:
    resource = deepcopy(VITAL_SIGNS[name])
    resource["code"] = {"coding": [{"system": LOINC, "code": "55423-8"}]}

    found = errors(resource)

    assert {expression for _, expression in found} <= {
        "Observation.code",
        "Observation.code.coding",
    }
    assert found


def test_a_blood_pressure_needs_both_components() -> None:
    resource = blood_pressure(R4 + "bp")
    del resource["component"][1]

    assert (IssueType.REQUIRED, "Observation.component") in errors(resource)


def test_a_component_says_its_value_or_why_there_is_none() -> None:
    resource = blood_pressure(R4 + "bp")
    del resource["component"][0]["valueQuantity"]

    assert (IssueType.INVARIANT, "Observation.component[0]") in errors(resource)


def test_a_vital_sign_may_say_why_it_has_no_value() -> None:
    resource = vital_sign("8867-4", "/min", R4 + "heartrate")
    del resource["valueQuantity"]
    without = deepcopy(resource)
    resource["dataAbsentReason"] = {"text": "off the wrist"}

    assert errors(resource) == []
    assert errors(without) == [(IssueType.INVARIANT, "Observation")]


@pytest.mark.parametrize(("code", "canonical"), VITAL_SIGN_PROFILES.items())
def test_the_code_of_a_vital_sign_implies_its_profile(
    code: str, canonical: str
) -> None:
    resource = vital_sign(code, "/min")
    del resource["subject"]

    assert implied_profiles(resource) == [canonical]
    assert (IssueType.REQUIRED, "Observation.subject") in errors(resource)
    assert profile(canonical).not_checked is None


def test_another_code_implies_nothing() -> None:
    assert implied_profiles(vital_sign("55423-8", "{steps}")) == []
    assert implied_profiles({"resourceType": "Patient"}) == []


def test_us_core_vital_signs_in_general_do_not_take_the_place_of_a_heart_rate() -> None:
    resource = vital_sign("8867-4", "/min", US_CORE + "vital-signs")
    resource["valueQuantity"]["code"] = "/s"

    assert errors(resource) == [(IssueType.VALUE, "Observation.value.code")]


def test_us_core_pulse_oximetry_may_give_a_flow_that_r4_has_no_unit_for() -> None:
    flow = {
        "code": {"coding": [{"system": LOINC, "code": "3151-8"}]},
        "valueQuantity": {
            "value": 6,
            "unit": "L/min",
            "system": UCUM,
            "code": "L/min",
        },
    }
    us_core = pulse_oximetry(US_CORE + "pulse-oximetry") | {"component": [flow]}
    r4 = pulse_oximetry(R4 + "oxygensat") | {"component": [flow]}

    assert errors(us_core) == []
    assert errors(r4) == [(IssueType.CODE_INVALID, "Observation.component[0].value")]


def test_a_profile_may_be_named_by_the_caller() -> None:
    steps = vital_sign("55423-8", "{steps}")

    assert errors(steps) == []
    assert errors(steps, profiles=[R4 + "heartrate"])


@pytest.mark.parametrize(
    "canonical",
    [
        "https://x.example/StructureDefinition/wearable",
        US_CORE + "heart-rate|1.0.0",
        US_CORE + "adi-documentreference",
    ],
)
def test_a_profile_that_is_not_known_is_said_not_to_be_checked(canonical: str) -> None:
    resource = vital_sign("55423-8", "{steps}", canonical)

    found = [issue for issue in validate(resource) if "dom-6" not in issue.diagnostics]

    assert [(issue.severity, issue.expression) for issue in found] == [
        (Severity.WARNING, "Observation.meta.profile")
    ]
    assert "not checked" in found[0].diagnostics


def test_a_version_selects_what_is_checked() -> None:
    resource = vital_sign("8867-4", "/min")
    resource["effectiveDateTime"] = "2026-01-0"[:7]

    found = {
        version: errors(resource, profiles=[f"{US_CORE}heart-rate|{version}"])
        for version in ("8.0.0", "7.0.0", "6.1.0")
    }

    broken = [(IssueType.INVARIANT, "Observation.effective")]
    assert found == {"8.0.0": broken, "7.0.0": broken, "6.1.0": broken}


PATIENT = {
    "resourceType": "Patient",
    "meta": {"profile": [US_CORE + "patient"]},
    "identifier": [{"system": "https://ehr.example/mrn", "value": "1"}],
    "name": [{"family": "Example"}],
    "gender": "unknown",
}


def test_a_patient_meets_us_core() -> None:
    assert errors(PATIENT) == []


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"name": [{"use": "official"}]}, "Patient.name[0]"),
        ({"identifier": [{"value": "1"}]}, "Patient.identifier[0].system"),
        ({"name": None}, "Patient.name"),
        (
            {"extension": [{"url": US_CORE + "race", "valueString": "x"}]},
            "Patient.extension[0].value",
        ),
        (
            {
                "extension": [
                    {
                        "url": US_CORE + "race",
                        "extension": [{"url": "detailed", "valueString": "x"}],
                    }
                ]
            },
            "Patient.extension[0].extension",
        ),
    ],
)
def test_a_patient_that_us_core_refuses(change: dict[str, Any], expected: str) -> None:
    resource = {
        key: value for key, value in (PATIENT | change).items() if value is not None
    }

    assert expected in {expression for _, expression in errors(resource)}


def test_profiles_are_checked_of_what_a_bundle_carries_and_what_is_contained() -> None:
    wrong = vital_sign("8867-4", "/s", R4 + "heartrate")
    bundle = {
        "resourceType": "Bundle",
        "type": "collection",
        "entry": [{"fullUrl": "urn:uuid:0b5f7b3e-7c53-4b9d-9f5e-1d8f7f1d9a10"}],
    }
    bundle["entry"][0]["resource"] = wrong
    holder = {
        "resourceType": "List",
        "status": "current",
        "mode": "working",
        "contained": [wrong | {"id": "a", "meta": {"profile": [R4 + "heartrate"]}}],
        "entry": [{"item": {"reference": "#a"}}],
    }

    assert errors(bundle) == [
        (IssueType.VALUE, "Bundle.entry[0].resource.value.code"),
    ]
    assert errors(holder) == [(IssueType.VALUE, "List.contained[0].value.code")]


def test_every_profile_is_checked_but_the_one_that_is_said_not_to_be() -> None:
    unchecked = {
        url
        for url in definitions.profile_urls()
        if profile(url).not_checked is not None
    }

    assert unchecked == {US_CORE + "adi-documentreference"}


def test_what_is_not_checked_is_listed() -> None:
    listed = "\n".join(not_checked())

    assert "http://hl7.org/fhir/ValueSet/mimetypes" in listed
    assert US_CORE + "adi-documentreference" in listed
    assert "Invariant" not in listed
