from datetime import UTC

import pytest

from consent.references import Deployment, attribution, is_foreign, local, target

BASES = ("https://fhir.example.org/r4", "https://old.example.org/fhir/")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Practitioner/dr", "Practitioner/dr"),
        ("Practitioner/dr/_history/2", "Practitioner/dr"),
        ("https://fhir.example.org/r4/Practitioner/dr", "Practitioner/dr"),
        ("https://fhir.example.org/r4/Practitioner/dr/_history/7", "Practitioner/dr"),
        ("https://old.example.org/fhir/Device/a-b.c", "Device/a-b.c"),
        ("https://fhir.example.org/r4", None),
        ("https://fhir.example.org/r4/", None),
        ("https://fhir.example.org/r4x/Practitioner/dr", None),
        ("https://fhir.example.org/r4/Practitioner/dr/extra", None),
        ("https://else.example.org/Practitioner/dr", None),
        ("practitioner/dr", None),
        ("Practitioner/dr ", None),
        ("Practitioner/", None),
        ("Practitioner/" + "x" * 65, None),
        ("#contained", None),
        ("urn:uuid:8a4c", None),
        ("", None),
        (None, None),
        (["Practitioner/dr"], None),
    ],
)
def test_a_reference_of_ours_has_one_spelling(text, expected):
    assert local(text, BASES) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("https://else.example.org/Practitioner/dr", True),
        ("HTTP://else.example.org/Practitioner/dr", True),
        ("https://fhir.example.org/r4/Practitioner/dr", False),
        ("Practitioner/dr", False),
        ("urn:uuid:8a4c", False),
        ("#contained", False),
        (None, False),
    ],
)
def test_only_an_absolute_reference_elsewhere_is_foreign(text, expected):
    assert is_foreign(text, BASES) is expected


def test_a_reference_element_points_where_its_text_does():
    assert target({"reference": "Patient/p1/_history/3"}, BASES) == "Patient/p1"
    assert target({"display": "somebody"}, BASES) is None
    assert target("Patient/p1", BASES) is None
    assert target(None, BASES) is None


@pytest.mark.parametrize(
    ("resource", "expected"),
    [
        ({"subject": {"reference": "Patient/p1"}}, "Patient/p1"),
        ({"subject": {"reference": f"{BASES[0]}/Patient/p1"}}, "Patient/p1"),
        ({"patient": {"reference": "Patient/p1"}}, "Patient/p1"),
        ({"subject": {"reference": "Device/ring"}}, None),
        (
            {
                "subject": {"reference": "Group/g"},
                "patient": {"reference": "Patient/p1"},
            },
            None,
        ),
        ({"subject": {"identifier": {"value": "1"}}}, None),
        ({"subject": {"reference": "https://else/Patient/p1"}}, None),
        ({"focus": [{"reference": "Patient/p1"}]}, None),
        ({"performer": [{"reference": "Patient/p1"}]}, None),
        ({}, None),
        ({"resourceType": "Patient", "id": "p1"}, "Patient/p1"),
        ({"resourceType": "Patient"}, None),
    ],
)
def test_a_resource_belongs_to_its_subject_if_that_is_a_patient(resource, expected):
    assert attribution({"resourceType": "Observation", **resource}, BASES) == expected


def test_a_deployment_without_bases_knows_relative_references_only():
    deployment = Deployment(zone=UTC)

    assert local("Patient/p1", deployment.own_bases) == "Patient/p1"
    assert is_foreign("https://fhir.example.org/r4/Patient/p1", deployment.own_bases)
