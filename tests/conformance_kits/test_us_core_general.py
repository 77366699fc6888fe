"""What US Core demands of a server whatever the profile.

https://hl7.org/fhir/us/core/STU7/general-requirements.html
https://hl7.org/fhir/us/core/STU7/scopes.html
"""

import pytest
from us_core_observations import CATEGORY, US_CORE_CATEGORY, concept, observed
from us_core_people import CORE, TERMINOLOGY

CONDITION = f"{TERMINOLOGY}condition-category"
CONCERN = "http://hl7.org/fhir/us/core/CodeSystem/condition-category"
ABSENT = "http://hl7.org/fhir/StructureDefinition/data-absent-reason"
UNKNOWN = (f"{TERMINOLOGY}data-absent-reason", "unknown")

CODE = {"text": "something"}
MEDICATION = {"medicationCodeableConcept": CODE}
ORDER = {"status": "active", "intent": "order"}

OF_A_PATIENT = {
    "AllergyIntolerance": (
        "patient",
        {
            "code": CODE,
            "clinicalStatus": concept(
                (f"{TERMINOLOGY}allergyintolerance-clinical", "active")
            ),
        },
    ),
    "CarePlan": ("subject", {"status": "active", "intent": "plan"}),
    "CareTeam": ("subject", {"status": "active"}),
    "Condition": ("subject", {"code": CODE}),
    "Coverage": ("beneficiary", {"status": "active", "payor": [{"display": "A"}]}),
    "Device": ("patient", {"type": CODE}),
    "DiagnosticReport": ("subject", {"status": "final", "code": CODE}),
    "DocumentReference": (
        "subject",
        {"status": "current", "content": [{"attachment": {"title": "A"}}]},
    ),
    "Encounter": (
        "subject",
        {
            "status": "finished",
            "class": {"system": f"{TERMINOLOGY}v3-ActCode", "code": "AMB"},
        },
    ),
    "Goal": ("subject", {"lifecycleStatus": "active", "description": CODE}),
    "Immunization": (
        "patient",
        {
            "status": "completed",
            "vaccineCode": CODE,
            "occurrenceDateTime": "2026-10-05",
        },
    ),
    "MedicationDispense": ("subject", {"status": "completed", **MEDICATION}),
    "MedicationRequest": ("subject", {**ORDER, **MEDICATION}),
    "Observation": ("subject", {"status": "final", "code": CODE}),
    "Procedure": ("subject", {"status": "completed", "code": CODE}),
    "QuestionnaireResponse": ("subject", {"status": "completed"}),
    "RelatedPerson": ("patient", {"active": True}),
    "ServiceRequest": ("subject", {**ORDER, "code": CODE}),
}
"""Type that US Core wants Provenance of → element of the patient, what it needs."""

SCOPED = (
    *OF_A_PATIENT,
    *("Organization", "Patient", "Practitioner", "PractitionerRole", "Provenance"),
    "Specimen",
)
"""Types whose scopes US Core demands (§Resource Level Scopes)."""

GRANULAR = {
    f"{type_}-{code}": (type_, system, code)
    for type_, system, code in (
        ("Condition", CONCERN, "health-concern"),
        ("Condition", CONDITION, "encounter-diagnosis"),
        ("Condition", CONDITION, "problem-list-item"),
        ("Observation", US_CORE_CATEGORY, "sdoh"),
        ("Observation", CATEGORY, "social-history"),
        ("Observation", CATEGORY, "laboratory"),
        ("Observation", CATEGORY, "survey"),
        ("Observation", CATEGORY, "vital-signs"),
    )
}
"""Scopes by category that US Core demands (§Granular Scopes)."""


def filed(seeded, type_, **more):
    """Write a resource of a type for the patient who has nothing else."""
    name, needed = OF_A_PATIENT[type_]
    about = {name: {"reference": f"Patient/{seeded.clinic.patient}"}}
    resource = {"resourceType": type_, **needed, **about, **more}
    return seeded.clinic.world.create(resource, seeded.clinic.admin)


@pytest.mark.parametrize("type_", OF_A_PATIENT)
def test_a_resource_of_every_type_has_its_provenance(seeded, type_):
    made = filed(seeded, type_)

    query = f"{type_}?_id={made['id']}&_revinclude=Provenance:target"
    entries = seeded.get(query)["entry"]

    [told] = [one["resource"] for one in entries if one["search"]["mode"] == "include"]
    assert told["target"] == [{"reference": f"{type_}/{made['id']}"}]
    assert {one["who"]["reference"] for one in told["agent"]} == {
        seeded.clinic.organization
    }


@pytest.mark.parametrize("type_", SCOPED)
def test_a_scope_of_one_type_reads_and_searches_that_type_alone(seeded, type_):
    world, organization = seeded.clinic.world, seeded.clinic.organization
    client = world.client(
        f"of-{type_}", f"system/{type_}.rs", organization=organization
    )
    other = "Location"

    assert world.get(f"/fhir/{type_}?_count=1", client).status_code == 200
    assert world.get(f"/fhir/{other}?_count=1", client).status_code == 403


@pytest.fixture(scope="session")
def diagnosed(seeded):
    for type_, system, code in GRANULAR.values():
        if type_ == "Condition":
            filed(seeded, type_, category=[concept((system, code))])
    return seeded


@pytest.mark.parametrize(
    ("type_", "system", "code"), GRANULAR.values(), ids=GRANULAR.keys()
)
def test_a_scope_of_one_category_finds_that_category_alone(
    diagnosed, type_, system, code
):
    clinic = diagnosed.clinic
    client = clinic.world.client(
        f"of-{type_}-{code}",
        f"system/{type_}.rs?category={system}|{code}",
        organization=clinic.organization,
    )

    found = clinic.all_found(f"{type_}?_count=20", client)

    wanted = clinic.all_found(f"{type_}?category={system}|{code}&_count=20")
    every = clinic.all_found(f"{type_}?_count=100")
    assert {one["id"] for one in found} == {one["id"] for one in wanted}
    assert 0 < len(found) < len(every)


def test_a_search_needs_no_status_and_hides_none(seeded):
    statuses = ("registered", "cancelled", "entered-in-error", "unknown")
    code = {"coding": [{"system": "urn:statuses", "code": "a"}]}
    for status in statuses:
        filed(seeded, "Observation", status=status, code=code)

    query = f"Observation?patient={seeded.clinic.patient}&code=urn:statuses|a"
    without = seeded.clinic.all_found(query)
    named = seeded.clinic.all_found(f"{query}&status={','.join(statuses)}")

    assert sorted(one["status"] for one in without) == sorted(statuses)
    assert {one["id"] for one in named} == {one["id"] for one in without}


def test_a_required_status_that_is_missing_is_not_stored(seeded):
    clinic = seeded.clinic
    resource = observed(concept(UNKNOWN), concept((CATEGORY, "exam")))
    del resource["status"]
    about = {"reference": f"Patient/{clinic.patient}"}

    answer = clinic.world.send(
        "POST", "/fhir/Observation", {**resource, "subject": about}, clinic.admin
    )

    assert answer.status_code == 422
    assert answer.json["issue"][0]["expression"] == ["Observation.status"]


def test_a_mandatory_element_may_say_that_it_is_not_known(seeded):
    clinic = seeded.clinic
    reason = {"url": ABSENT, "valueCode": "unknown"}
    person = {
        "resourceType": "Patient",
        "meta": {"profile": [f"{CORE}us-core-patient"]},
        "identifier": [{"system": "urn:x", "value": "nameless"}],
        "name": [{"extension": [reason]}],
        "gender": "unknown",
        "managingOrganization": {"reference": clinic.organization},
    }
    observation = {
        **observed(concept(UNKNOWN), concept((CATEGORY, "exam")), valueBoolean=True),
        "meta": {"profile": [f"{CORE}us-core-simple-observation"]},
        "subject": {"reference": f"Patient/{clinic.patient}"},
    }

    nameless = clinic.world.create(person, clinic.admin)
    uncoded = clinic.world.create(observation, clinic.admin)

    assert seeded.get(f"Patient/{nameless['id']}")["name"] == person["name"]
    read = seeded.get(f"Observation/{uncoded['id']}")
    assert read["code"] == concept(UNKNOWN)


def test_a_medication_that_is_referred_to_is_included(seeded):
    clinic = seeded.clinic
    drug = clinic.world.create({"resourceType": "Medication"}, clinic.admin)
    reference = f"Medication/{drug['id']}"
    about = {"reference": f"Patient/{clinic.patient}"}
    order = {
        "resourceType": "MedicationRequest",
        **ORDER,
        "subject": about,
        "medicationReference": {"reference": reference},
    }
    clinic.world.create(order, clinic.admin)

    entries = seeded.get(
        f"MedicationRequest?patient={clinic.patient}&medication={reference}"
        "&_include=MedicationRequest:medication"
    )["entry"]

    modes = {one["resource"]["resourceType"]: one["search"]["mode"] for one in entries}
    assert modes == {"MedicationRequest": "match", "Medication": "include"}


def test_what_last_updated_detects_is_documented(seeded):
    statement = seeded.get("metadata")

    undocumented = [
        one["type"]
        for one in statement["rest"][0]["resource"]
        for parameter in one["searchParam"]
        if parameter["name"] == "_lastUpdated" and not parameter.get("documentation")
    ]

    assert undocumented == []
