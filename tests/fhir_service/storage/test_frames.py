"""What is remembered by a frame is what a fresh look at the resource would tell."""

from copy import deepcopy
from datetime import UTC
from typing import Any

import pytest

from conformance.fhir_json import Number
from conformance.search_parameters import extract_all
from consent import labels
from consent.references import Deployment
from consent.signature import describe
from fhir_service.search.postings import entries
from fhir_service.storage.describing import Describer
from fhir_service.storage.frames import frame_of

SECRET = b"0123456789abcdef"
PLACE = Deployment(own_bases=("https://clinic.example/fhir",), zone=UTC)
LOINC = "http://loinc.org"
UCUM = "http://unitsofmeasure.org"


def quantity(value: Any) -> dict[str, Any]:
    return {"value": value, "unit": "mmHg", "system": UCUM, "code": "mm[Hg]"}


def blood_pressure() -> dict[str, Any]:
    return {
        "resourceType": "Observation",
        "id": "a",
        "meta": {"versionId": "1", "lastUpdated": "2025-03-01T09:03:00.250Z"},
        "identifier": [{"system": "https://clinic.example/reading", "value": "a1"}],
        "status": "final",
        "code": {
            "coding": [{"system": LOINC, "code": "85354-9", "display": "Pressure"}],
            "text": "Pressure",
        },
        "subject": {"reference": "Patient/1"},
        "effectiveDateTime": "2025-03-01T09:03:00Z",
        "issued": "2025-03-01T09:03:00.250Z",
        "device": {"reference": "Device/1"},
        "derivedFrom": [{"reference": "Observation/0"}],
        "valueQuantity": quantity(Number("93.0")),
        "component": [
            {
                "code": {"coding": [{"system": LOINC, "code": "8480-6"}]},
                "valueQuantity": quantity(120),
            },
            {
                "code": {"coding": [{"system": LOINC, "code": "8462-4"}]},
                "valueQuantity": quantity(80),
            },
        ],
    }


def changed(*path: str | int, to: Any) -> dict[str, Any]:
    """Return the resource with another value at a place; without it for None."""
    resource = deepcopy(blood_pressure())
    element: Any = resource
    for step in path[:-1]:
        element = element[step]
    if to is None:
        del element[path[-1]]
    else:
        element[path[-1]] = to
    return resource


SAME_FRAME = {
    "another id": changed("id", to="b"),
    "the next version": changed("meta", "versionId", to="2"),
    "a later version": changed("meta", "lastUpdated", to="2026-01-01T00:00:00.000Z"),
    "another identifier": changed("identifier", 0, "value", to="b2"),
    "another time": changed("effectiveDateTime", to="1999-12-31T23:59:59Z"),
    "a time that is none": changed("effectiveDateTime", to="2025-02-31T09:03:00Z"),
    "another instant": changed("issued", to="2025-04-01T10:04:00.000Z"),
    "another value": changed("valueQuantity", "value", to=Number("1E2")),
    "another component": changed("component", 1, "valueQuantity", "value", to=81),
}

OTHER_FRAMES = {
    "no identifier": changed("identifier", to=None),
    "an identifier of another system": changed("identifier", 0, "system", to="urn:x"),
    "an identifier that is assigned": changed(
        "identifier", 0, "assigner", to={"reference": "Organization/1"}
    ),
    "no value": changed("valueQuantity", "value", to=None),
    "a unit as a coding": changed("valueQuantity", "unit", to="Torr"),
    "a value less than": changed("valueQuantity", "comparator", to="<"),
    "no component": changed("component", to=None),
    "a component without a value": changed("component", 0, "valueQuantity", to=None),
    "another code": changed("code", "coding", 0, "code", to="8480-6"),
    "another patient": changed("subject", "reference", to="Patient/2"),
    "another device": changed("device", "reference", to="Device/2"),
    "another source": changed("derivedFrom", 0, "reference", to="Observation/9"),
    "a label": changed(
        "meta",
        "security",
        to=[
            {
                "system": "http://terminology.hl7.org/CodeSystem/v3-Confidentiality",
                "code": "V",
            }
        ],
    ),
    "a day": changed("effectiveDateTime", to="2025-03-01"),
    "no time": changed("effectiveDateTime", to=None),
}


def told(describer: Describer, resource: dict[str, Any]) -> tuple[Any, ...]:
    frame = describer.frame(resource)
    found = describer.label(frame, resource)
    described = describer.describe(frame, resource, found)
    searched = describer.entries(frame, resource)
    return (found, described, *searched_for(searched))


def searched_for(found: Any) -> tuple[Any, ...]:
    return set(found.shared), found.own, found.dates, found.quantities


def fresh(resource: dict[str, Any]) -> tuple[Any, ...]:
    found = labels.label(resource)
    extract = extract_all("Observation", zone=UTC, base_urls=PLACE.own_bases)
    return (
        found,
        describe(resource, labels=found, deployment=PLACE),
        *searched_for(entries("Observation", extract(resource))),
    )


@pytest.fixture
def describer() -> Describer:
    """Return a describer that has seen the resource."""
    made = Describer(labels.label, PLACE, SECRET)
    told(made, blood_pressure())
    return made


@pytest.mark.parametrize("what", SAME_FRAME)
def test_another_reading_is_of_the_same_frame(what):
    whole = frame_of(blood_pressure(), SECRET)

    assert frame_of(SAME_FRAME[what], SECRET) == whole


@pytest.mark.parametrize("what", OTHER_FRAMES)
def test_whatever_else_differs_is_another_frame(what):
    whole = frame_of(blood_pressure(), SECRET)

    assert frame_of(OTHER_FRAMES[what], SECRET) != whole


READABLE = {
    what: resource
    for what, resource in {**SAME_FRAME, **OTHER_FRAMES}.items()
    if what != "a time that is none"
}


@pytest.mark.parametrize("what", READABLE)
def test_what_is_told_is_what_a_fresh_look_tells(what, describer):
    resource = READABLE[what]

    assert told(describer, resource) == fresh(resource)
    assert told(describer, resource) == fresh(resource)


def test_another_type_has_no_frame():
    assert frame_of({"resourceType": "Patient", "id": "a"}, SECRET) is None


def test_samples_could_be_taken_for_a_reading_and_have_no_frame():
    sampled = changed("component", 0, "valueSampledData", to={"data": "1 2"})

    assert frame_of(sampled, SECRET) is None
