"""$versions: R4 and nothing else, told to anybody."""

import pytest
from outcomes import outcome_of

PARAMETERS = {
    "resourceType": "Parameters",
    "parameter": [
        {"name": "version", "valueCode": "4.0"},
        {"name": "default", "valueCode": "4.0"},
    ],
}
PLAIN = {"versions": ["4.0"], "default": "4.0"}


@pytest.mark.parametrize(
    ("accept", "media", "told"),
    [
        ("application/fhir+json", "application/fhir+json", PARAMETERS),
        ("*/*", "application/fhir+json", PARAMETERS),
        (
            "application/fhir+json, application/json",
            "application/fhir+json",
            PARAMETERS,
        ),
        ("application/json", "application/json", PLAIN),
        ("Application/JSON;q=0.9", "application/json", PLAIN),
    ],
)
def test_the_version_is_told_in_the_format_that_is_accepted(
    clinic, accept, media, told
):
    answer = clinic.world.get("/fhir/$versions", {}, Accept=accept)

    assert (answer.status_code, answer.mimetype) == (200, media)
    assert answer.json == told


def test_it_may_be_asked_by_post(clinic):
    assert clinic.world.http.post("/fhir/$versions").json == PARAMETERS


def test_the_default_is_the_version_of_the_capability_statement(clinic):
    statement = clinic.world.get("/fhir/metadata", {}).json

    assert statement["fhirVersion"] == "4.0.1"
    assert [one["name"] for one in statement["rest"][0]["operation"]] == ["versions"]


def test_a_format_that_is_not_written_is_refused(clinic):
    answer = clinic.world.get("/fhir/$versions", {}, Accept="application/fhir+xml")

    assert answer.status_code == 406


def test_a_parameter_is_refused(clinic):
    answer = clinic.world.get("/fhir/$versions?default=3.0", {})

    assert (answer.status_code, outcome_of(answer)[0]["code"]) == (400, "invalid")
