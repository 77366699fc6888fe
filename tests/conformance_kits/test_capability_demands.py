"""What US Core and IPA demand of the CapabilityStatement, asked of the service itself.

What the statement says beside is held against the tables of the service elsewhere.

https://hl7.org/fhir/us/core/STU7/CapabilityStatement-us-core-server.html and
https://hl7.org/fhir/uv/ipa/STU1/CapabilityStatement-ipa-server.html
"""

import pytest
from us_core_served import of_group
from worlds import furnish, make_template, opened_world

US_CORE = "http://hl7.org/fhir/us/core/"
IPA = "http://hl7.org/fhir/uv/ipa/"

PROFILED = (
    "Device",
    "Encounter",
    "Observation",
    "Organization",
    "Patient",
    "Practitioner",
    "PractitionerRole",
    "Provenance",
    "QuestionnaireResponse",
    "RelatedPerson",
)
"""Types of which a profile of US Core or IPA is declared."""

IPA_DEMANDS = {
    "Observation": {"category", "code", "date", "patient", "status"},
    "Patient": {"_id", "birthdate", "family", "gender", "given", "identifier", "name"},
    "Practitioner": {"_id", "identifier", "name"},
    "PractitionerRole": {"_id", "practitioner", "specialty"},
}
"""Type with an IPA profile → its search parameters, of SHALL and SHOULD."""

BARE = {
    "Device": {},
    "Encounter": {
        "status": "finished",
        "class": {
            "system": "http://terminology.hl7.org/CodeSystem/v3-ActCode",
            "code": "AMB",
        },
    },
    "Observation": {"status": "final", "code": {"text": "something"}},
    "Organization": {"name": "A"},
    "Patient": {},
    "Practitioner": {},
    "PractitionerRole": {"code": [{"coding": [{"version": "1"}]}]},
    "Provenance": {
        "target": [{"reference": "Patient/1"}],
        "recorded": "2026-10-05T08:00:00Z",
        "agent": [{"who": {"reference": "Practitioner/1"}}],
    },
    "QuestionnaireResponse": {"status": "completed"},
    "RelatedPerson": {"patient": {"reference": "Patient/1"}},
}
"""Type → the least that R4 allows, and that no declared profile does."""

REFERRING_TO_NOTHING = {("Practitioner", "_include")}
"""Types that have no reference parameter, and the parameter that is none there."""

DEMANDING_NOTHING = {
    f"{IPA}StructureDefinition/ipa-practitionerrole": "all its elements are optional",
}
"""Declared profiles that every resource of their type meets, and why."""


@pytest.fixture(scope="module")
def clinic(tmp_path_factory):
    folder = tmp_path_factory.mktemp("capabilities")
    with opened_world(folder, make_template(folder)) as world:
        yield furnish(world)


@pytest.fixture(scope="module")
def statement(clinic):
    return clinic.world.http.get("/fhir/metadata").json


@pytest.fixture(scope="module")
def told(statement):
    return {one["type"]: one for one in statement["rest"][0]["resource"]}


def names(told):
    return {one["name"] for one in told.get("searchParam", ())}


def profiles(told):
    return {url.partition("|")[0] for url in told.get("supportedProfile", ())}


# The statement


def test_the_statement_is_read_without_a_token(clinic):
    answer = clinic.world.http.get("/fhir/metadata")

    assert answer.status_code == 200
    assert answer.content_type.startswith("application/fhir+json")
    assert answer.json["resourceType"] == "CapabilityStatement"


def test_the_statement_names_json(statement):
    assert {"json", "application/json", "application/fhir+json"} & {
        *statement["format"]
    }


# What may be claimed


def test_us_cores_patient_and_another_profile_are_supported(told):
    declared = {
        url for one in told.values() for url in profiles(one) if url.startswith(US_CORE)
    }

    patient = f"{US_CORE}StructureDefinition/us-core-patient"
    assert patient in profiles(told["Patient"])
    assert len(declared - {patient}) >= 1


def test_a_profile_is_declared_of_these_types_alone(told):
    assert {
        type_
        for type_, one in told.items()
        if any(url.startswith((US_CORE, IPA)) for url in profiles(one))
    } == set(PROFILED)


@pytest.mark.parametrize("type_", IPA_DEMANDS)
def test_what_ipa_demands_of_a_type_is_declared(told, type_):
    profile = f"{IPA}StructureDefinition/ipa-{type_.lower()}"
    codes = {one["code"] for one in told[type_]["interaction"]}

    assert profile in profiles(told[type_])
    assert codes >= {"read", "search-type"}
    assert names(told[type_]) >= IPA_DEMANDS[type_]
    assert "Provenance:target" in told[type_]["searchRevInclude"]


@pytest.mark.parametrize("type_", PROFILED)
def test_what_is_declared_of_a_type_includes_the_profiles_that_demand_it(told, type_):
    declared = profiles(told[type_])

    ipa = {url for url in declared if url.startswith(IPA)}
    assert bool(ipa) is (type_ in IPA_DEMANDS)
    assert all("|" not in url for url in told[type_]["supportedProfile"])


# Whether it is true


def errors(clinic, type_, resource):
    answer = clinic.world.send(
        "POST", f"/fhir/{type_}/$validate", resource, clinic.admin
    )
    assert answer.status_code == 200
    return [one for one in answer.json["issue"] if one["severity"] == "error"]


@pytest.mark.parametrize("type_", PROFILED)
def test_a_profile_that_is_declared_is_held_to(clinic, told, type_):
    bare = {"resourceType": type_, **BARE[type_]}
    assert errors(clinic, type_, bare) == []

    passed = {
        url
        for url in profiles(told[type_])
        if not errors(clinic, type_, {**bare, "meta": {"profile": [url]}})
    }

    assert passed == profiles(told[type_]) & set(DEMANDING_NOTHING)


@pytest.mark.parametrize("type_", PROFILED)
def test_a_search_parameter_that_is_declared_is_answered(clinic, told, type_):
    refused = {
        name
        for name in names(told[type_])
        if clinic.world.get(
            f"/fhir/{type_}?{name}:missing=true&_count=1",
            clinic.ehr,
            Prefer="handling=strict",
        ).status_code
        != 200
    }

    assert refused == set()


@pytest.mark.parametrize("type_", PROFILED)
@pytest.mark.parametrize(
    ("parameter", "element"),
    [("_include", "searchInclude"), ("_revinclude", "searchRevInclude")],
)
def test_an_include_that_is_declared_is_answered(
    clinic, told, type_, parameter, element
):
    declared = told[type_].get(element, [])

    refused = {
        value
        for value in declared
        if clinic.world.get(
            f"/fhir/{type_}?{parameter}={value}&_count=1", clinic.ehr
        ).status_code
        != 200
    }

    assert bool(declared) is ((type_, parameter) not in REFERRING_TO_NOTHING)
    assert refused == set()


@of_group
def test_versions_that_are_declared_are_read(seeded, group):
    [resource, *_] = seeded.of[group.profile]
    place = f"{group.type}/{resource['id']}/_history"

    version = seeded.get(f"{place}/{resource['meta']['versionId']}")
    history = seeded.get(place)

    assert version == resource
    assert [entry["resource"] for entry in history["entry"]] == [resource]
