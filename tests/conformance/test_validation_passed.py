"""What is remembered of a valid resource says nothing that a fresh look would not."""

from copy import deepcopy
from typing import Any

import pytest

from conformance import definitions, validation
from conformance.fhir_json import Number
from conformance.issues import Severity
from conformance.validation import validate
from conformance.validation_passed import REMEMBERED_FRAMES, Passed
from conformance.validation_profiles import profile

LOINC = "http://loinc.org"
VITAL_SIGNS = {
    "coding": [
        {
            "system": "http://terminology.hl7.org/CodeSystem/observation-category",
            "code": "vital-signs",
        }
    ]
}
PROFILES = sorted(
    url for url in definitions.profile_urls() if profile(url).type == "Observation"
)


def observation(*profiles: str) -> dict[str, Any]:
    return {
        "resourceType": "Observation",
        "id": "a",
        **({"meta": {"profile": list(profiles)}} if profiles else {}),
        "text": {
            "status": "generated",
            "div": '<div xmlns="http://www.w3.org/1999/xhtml">72</div>',
        },
        "identifier": [{"system": "https://bench.example/reading", "value": "a1"}],
        "status": "final",
        "category": [VITAL_SIGNS],
        "code": {"coding": [{"system": LOINC, "code": "8867-4"}]},
        "subject": {"reference": "Patient/1"},
        "effectiveDateTime": "2025-03-01T09:03:00Z",
        "issued": "2025-03-01T09:03:00.250Z",
        "valueQuantity": {
            "value": Number("72.50"),
            "unit": "/min",
            "system": "http://unitsofmeasure.org",
            "code": "/min",
        },
        "component": [
            {
                "code": {"coding": [{"system": LOINC, "code": "8480-6"}]},
                "valueQuantity": {
                    "value": 120,
                    "unit": "mmHg",
                    "system": "http://unitsofmeasure.org",
                    "code": "mm[Hg]",
                },
            }
        ],
    }


READINGS: dict[str, tuple[tuple[str | int, ...], tuple[Any, ...]]] = {
    "id": (("id",), ("b", "", "a b", "x" * 65, 1)),
    "effectiveDateTime": (
        ("effectiveDateTime",),
        (
            *("2024-02-29T23:59:59Z", "2025-02-29T09:03:00Z", "2025-13-01T09:03:00Z"),
            *("2025-03-01T25:03:00Z", "2025-03-01", "2025-03", "2025", "", " "),
            *(2025, None, {}, []),
        ),
    ),
    "issued": (
        ("issued",),
        ("2025-03-31T09:03:00.999Z", "2025-04-31T09:03:00.250Z", "2025-03-01", 5, ""),
    ),
    "identifier": (
        ("identifier", 0, "value"),
        ("b2", "", " ", "b\n2", 7, True, None, ["b2"], {"b": 2}),
    ),
    "value": (
        ("valueQuantity", "value"),
        (80, -1, Number("1E2"), Number("0.0"), "80", True, None, [80], {"value": 80}),
    ),
    "component": (
        ("component", 0, "valueQuantity", "value"),
        (80, Number("80.0"), "80", False, None, [], {}),
    ),
}
"""Reading → where it is, and what may stand there instead."""


def put(
    resource: dict[str, Any], path: tuple[str | int, ...], value: Any
) -> dict[str, Any]:
    """Return the resource with another value at a place."""
    changed = deepcopy(resource)
    element: Any = changed
    for step in path[:-1]:
        element = element[step]
    element[path[-1]] = value
    return changed


@pytest.mark.parametrize("canonical", PROFILES)
@pytest.mark.parametrize("name", READINGS)
def test_no_profile_asks_for_more_of_a_reading_than_its_form(canonical, name):
    passed, (path, values) = Passed(), READINGS[name]
    resource = observation(canonical)
    others = [put(resource, path, value) for value in values]

    frame = passed.frame(resource, ())
    alike = [other for other in others if passed.frame(other, ()) == frame]

    found = validation._issues(resource, ())
    assert alike
    assert all(validation._issues(other, ()) == found for other in alike)


@pytest.mark.parametrize("name", READINGS)
def test_a_reading_of_another_form_is_found_as_by_a_fresh_look(name):
    path, values = READINGS[name]
    validate(observation())
    for value in values:
        other = put(observation(), path, value)

        found = validate(other)

        assert found == validation._issues(other, ())


def test_a_reading_in_a_frame_that_was_valid_is_not_looked_at_again(monkeypatch):
    passed = Passed()
    monkeypatch.setattr(validation, "_passed", lambda: passed)
    validate(observation())
    other = put(observation(), ("valueQuantity", "value"), 80)
    monkeypatch.setattr(validation, "_issues", lambda *_: pytest.fail("looked at"))

    found = validate(other)

    assert [issue for issue in found if issue.severity is Severity.ERROR] == []


def test_what_is_wrong_is_not_remembered(monkeypatch):
    passed = Passed()
    monkeypatch.setattr(validation, "_passed", lambda: passed)
    wrong = {**observation(), "status": "wrong"}

    validate(wrong)

    frame = passed.frame(wrong, ())
    assert frame is not None
    assert passed.warnings(frame) is None
    assert [issue.expression for issue in validate(wrong)] == ["Observation.status"]


def test_another_profile_is_another_question():
    passed = Passed()

    frames = {passed.frame(observation(), (url,)) for url in PROFILES}

    assert len(frames) == len(PROFILES)


def test_what_contains_another_resource_is_looked_at_always():
    resource = {**observation(), "contained": [{"resourceType": "Device", "id": "d"}]}

    assert Passed().frame(resource, ()) is None


def test_no_more_frames_are_remembered_than_that():
    passed = Passed()

    for number in range(REMEMBERED_FRAMES + 1):
        passed.add(number.to_bytes(16), ())

    assert passed.warnings((0).to_bytes(16)) is None
    assert passed.warnings((1).to_bytes(16)) == ()
