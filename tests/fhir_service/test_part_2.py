"""Records of a 42 CFR Part 2 program: tagged, withheld, and what goes with them."""

import pytest
from worlds import (
    RESTING,
    actor,
    codes,
    consent,
    heart_rate,
    observation,
    permit,
    purposes,
)

from consent.part_2 import ATTESTED

ACT_CODE = "http://terminology.hl7.org/CodeSystem/v3-ActCode"
STATEMENT = "42 CFR part 2 prohibits unauthorized use or disclosure of these records."


@pytest.fixture
def program(clinic):
    """Return the clinic as one that is a Part 2 program."""
    clinic.world.update(
        {
            "resourceType": "Organization",
            "id": clinic.organization.removeprefix("Organization/"),
            "name": "Clinic",
            "meta": {"tag": [{"system": ACT_CODE, "code": "42CFRPart2"}]},
        },
        clinic.admin,
    )
    return clinic


def written(clinic, provision=None, **more):
    """Return a consent that has all that 42 CFR 2.31 asks for."""
    return consent(
        clinic.patient,
        provision
        or permit(
            actor=actor(clinic.organization),
            purpose=purposes("TREAT"),
            code=codes(RESTING, "8867-4"),
        ),
        **{
            "performer": [{"reference": f"Patient/{clinic.patient}"}],
            "organization": [{"reference": clinic.organization}],
            "sourceAttachment": {"url": "https://clinic.example/scan/1"},
            "policy": [{"uri": ATTESTED}],
            **more,
        },
    )


def security(resource):
    return [one["code"] for one in resource["meta"].get("security", ())]


def readable(clinic):
    return clinic.found(f"Observation?patient={clinic.patient}")


def test_what_a_program_writes_is_tagged_with_the_statement(program):
    made = program.world.create(observation(program.patient), program.admin)

    assert {"42CFRPart2", "NORDSCLCD", "part-2"} <= set(security(made))
    [notice] = [one for one in made["meta"]["security"] if one["code"] == "part-2"]
    assert notice["display"] == STATEMENT


def test_what_another_organization_writes_is_not_tagged(clinic):
    made = clinic.world.create(observation(clinic.patient), clinic.admin)

    assert "42CFRPart2" not in security(made)


def test_what_a_part_of_a_program_writes_is_tagged(program):
    ward = program.world.create(
        {
            "resourceType": "Organization",
            "name": "Ward",
            "partOf": {"reference": program.organization},
        },
        program.admin,
    )
    program.world.create(written(program), program.admin)
    reference = f"Organization/{ward['id']}"
    allowed = permit(actor=actor(reference), purpose=purposes("TREAT"))
    program.world.create(consent(program.patient, allowed), program.admin)
    nurse = program.world.client("nurse", "system/*.cruds", organization=reference)

    made = program.world.create(observation(program.patient), nurse)

    assert "42CFRPart2" in security(made)


def test_what_a_programs_devices_deliver_is_tagged(program):
    program.world.create(written(program), program.admin)

    receipt = program.deliver(heart_rate(1, "user-1"))

    assert receipt["stored"] == 1
    [found] = readable(program)
    assert {"42CFRPart2", "NORDSCLCD", "part-2", "N"} == set(security(found))


def test_an_update_keeps_the_tag(program):
    program.world.create(written(program), program.admin)
    made = program.world.create(observation(program.patient), program.admin)
    plain = program.world.create(
        {"resourceType": "Organization", "name": "Other"}, program.admin
    )
    reference = f"Organization/{plain['id']}"
    allowed = written(
        program,
        permit(actor=actor(reference), purpose=purposes("TREAT"), code=codes(RESTING)),
    )
    program.world.create(allowed, program.admin)
    other = program.world.client("other", "system/*.cruds", organization=reference)
    bare = {name: value for name, value in made.items() if name != "meta"}

    updated = program.world.update(bare, other)

    assert "42CFRPart2" in security(updated)


WITHOUT = {
    "discloser": {"organization": None},
    "signature": {"sourceAttachment": None},
    "signature of somebody": {"performer": None},
    "date": {"dateTime": None},
    "what only the paper holds": {"policy": [{"uri": "https://clinic.example/p"}]},
}


@pytest.mark.parametrize("name", WITHOUT)
def test_a_consent_that_lacks_an_element_opens_nothing(program, name):
    program.world.create(observation(program.patient), program.admin)
    elements = {**written(program), **WITHOUT[name]}
    incomplete = {key: value for key, value in elements.items() if value is not None}

    program.world.create(incomplete, program.admin)
    before = readable(program)
    program.world.create(written(program), program.admin)

    assert before == []
    assert len(readable(program)) == 1


@pytest.mark.parametrize("without", ["code", "purpose"])
def test_a_permit_says_what_and_what_for(program, without):
    program.world.create(observation(program.patient), program.admin)
    whole = written(program)
    provision = {
        name: value for name, value in whole["provision"].items() if name != without
    }

    program.world.create({**whole, "provision": provision}, program.admin)

    assert readable(program) == []


def test_an_incomplete_consent_still_denies(program):
    program.world.create(observation(program.patient), program.admin)
    program.world.create(written(program), program.admin)
    before = readable(program)

    program.world.create(consent(program.patient, {"type": "deny"}), program.admin)

    assert len(before) == 1
    assert readable(program) == []


def test_the_same_consent_opens_what_is_of_no_program(clinic):
    clinic.world.create(observation(clinic.patient), clinic.admin)

    clinic.consented()

    assert len(readable(clinic)) == 1


def test_a_read_tells_the_scope_of_the_consent_behind_it(program):
    made = program.world.create(observation(program.patient), program.admin)
    consented = program.world.create(written(program), program.admin)
    path = f"/fhir/Observation/{made['id']}"

    for answer in (
        program.world.get(path, program.ehr),
        program.world.get(f"{path}/_history/1", program.ehr),
    ):
        assert answer.headers["part-2-consent"] == (
            f'Consent/{consented["id"]}/_history/1; purpose="TREAT"; '
            'data="http://loinc.org|40443-4, http://loinc.org|8867-4"'
        )


def test_a_history_tells_the_scope_in_an_information(program):
    made = program.world.create(observation(program.patient), program.admin)
    consented = program.world.create(written(program), program.admin)

    bundle = program.search(f"Observation/{made['id']}/_history")

    [outcome] = [
        one["response"]["outcome"]
        for one in bundle["entry"]
        if "outcome" in one["response"]
    ]
    [issue] = outcome["issue"]
    assert issue["severity"] == "information"
    assert f"Consent/{consented['id']}/_history/1" in issue["diagnostics"]


@pytest.mark.parametrize(
    "query",
    [
        "Observation?patient={}",
        "Observation?_lastUpdated=gt2020-01-01",
        "Observation?patient={}&_include=Observation:subject",
        "Observation/$lastn?patient={}",
        "Patient/{}/Observation",
        "Patient/{}/$everything",
    ],
)
def test_a_page_tells_the_scope_in_an_information(program, query):
    program.world.create(observation(program.patient), program.admin)
    consented = program.world.create(written(program), program.admin)

    first, again = (program.search(query.format(program.patient)) for _ in range(2))

    for bundle in (first, again):
        [outcome] = [
            one["resource"]
            for one in bundle["entry"]
            if one["search"]["mode"] == "outcome"
        ]
        [issue] = outcome["issue"]
        assert issue["severity"] == "information"
        assert f"Consent/{consented['id']}/_history/1" in issue["diagnostics"]


def test_a_page_without_such_a_record_tells_nothing(clinic):
    clinic.world.create(observation(clinic.patient), clinic.admin)
    clinic.consented()

    bundle = clinic.search(f"Observation?patient={clinic.patient}")

    assert [one["search"]["mode"] for one in bundle["entry"]] == ["match"]


def test_a_read_inside_a_batch_tells_the_scope_beside_it(program):
    made = program.world.create(observation(program.patient), program.admin)
    consented = program.world.create(written(program), program.admin)
    asked = {"method": "GET", "url": f"Observation/{made['id']}"}
    batch = {"resourceType": "Bundle", "type": "batch", "entry": [{"request": asked}]}

    answer = program.world.send("POST", "/fhir", batch, program.ehr)

    [entry] = answer.json["entry"]
    [issue] = entry["response"]["outcome"]["issue"]
    assert entry["resource"] == made
    assert f"Consent/{consented['id']}/_history/1" in issue["diagnostics"]


def test_a_provenance_of_such_a_record_is_tagged(program):
    program.world.create(written(program), program.admin)
    program.deliver(heart_rate(1, "user-1"))

    [reading] = readable(program)
    [found] = program.found(f"Provenance?target=Observation/{reading['id']}")

    assert {"42CFRPart2", "NORDSCLCD", "part-2"} <= set(security(found))


def test_what_is_of_no_program_comes_without_a_scope(clinic):
    clinic.consented()
    made = clinic.world.create(observation(clinic.patient), clinic.admin)

    answer = clinic.world.get(f"/fhir/Observation/{made['id']}", clinic.ehr)

    assert "part-2-consent" not in answer.headers


def test_what_is_withheld_is_answered_without_a_scope_or_a_tag(program):
    made = program.world.create(observation(program.patient), program.admin)

    answer = program.world.get(f"/fhir/Observation/{made['id']}", program.ehr)

    assert answer.status_code == 404
    assert "part-2-consent" not in answer.headers
    assert b"42CFR" not in answer.data
