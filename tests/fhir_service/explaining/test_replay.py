"""A decision of the past is made again, the same to the byte, and compared."""

import json
from dataclasses import replace

import pytest
from worlds import (
    STEPS,
    actor,
    codes,
    consent,
    furnish,
    heart_rate,
    observation,
    opened_world,
    permit,
)

from conformance.issues import FHIRError
from consent.audit.entry import BasisKind, Interaction, encode
from consent.inputs import canonical
from fhir_service.explaining.asking import Place
from fhir_service.explaining.replay import replay


@pytest.fixture
def told(clinic):
    """Return a clinic with six heart rates, and one record of steps withheld."""
    clinic.world.clock.pass_s(1)
    clinic.consented(provision=[{"type": "deny", "code": codes(STEPS)}])
    clinic.deliver(*[heart_rate(number, "user-1") for number in range(6)])
    clinic.world.create(observation(clinic.patient, STEPS), clinic.admin)
    clinic.world.clock.pass_s(1)
    return clinic


def replayed(world, entry=None):
    services = world.deployment.services
    entry = str(len(world.audited()) - 1) if entry is None else entry
    with services.database.read() as snapshot:
        place = Place(
            repository=services.repository,
            gate=services.gate,
            snapshot=snapshot,
            now_us=services.clock(),
        )
        unseal = services.seal.unsealer(snapshot)
        return replay(place, entry, unseal, services.pseudonym).told


def forge(world, change):
    """Write another row to the log, as a program that is at fault might."""
    database, services = world.deployment.database, world.deployment.services
    record = change(world.audited()[-1])
    with database.read() as snapshot:
        leaf = encode(record, seal=services.seal.sealer(snapshot, 0))
    database.log([leaf]).result()


def test_a_search_is_reproduced_with_every_version_that_left(told):
    found = told.found(f"Observation?patient={told.patient}")

    made = replayed(told.world)

    assert (made["result"], made["differences"]) == ("reproduced", [])
    [patient] = made["patients"]
    assert [one["resource"] for one in patient["disclosed"]] == sorted(
        f"Observation/{one['id']}/_history/1" for one in found
    )
    assert {one["decision"] for one in patient["disclosed"]} == {"permit"}
    [version] = patient["inputs"]["consents"]
    assert {
        (reason["name"], reason["path"])
        for one in patient["disclosed"]
        for reason in one["because"]
    } == {(version, "provision")}


def test_the_log_has_the_digest_of_the_inputs(told):
    told.found(f"Observation?patient={told.patient}")

    row = told.world.audited()[-1]

    made = replayed(told.world)["patients"][0]
    assert [basis.name for basis in row.basis if basis.kind is BasisKind.INPUTS] == [
        made["inputsDigest"]
    ]


def test_it_is_the_same_bytes_each_time_whatever_is_filed_since(told):
    told.found(f"Observation?patient={told.patient}")
    index = str(len(told.world.audited()) - 1)
    first = canonical(replayed(told.world, index))
    world = told.world
    world.clock.pass_s(3600)

    [stored] = told.found(f"Consent?patient={told.patient}", told.admin)
    world.update({**stored, "status": "inactive"}, told.admin)
    denied = consent(told.patient, {"type": "deny"})
    world.create(denied, told.admin)
    [seen, *_] = told.found(f"Observation?patient={told.patient}", told.admin) or [None]
    person = world.get(f"/fhir/Patient/{told.patient}", told.admin).json
    world.update({**person, "active": False}, told.admin)
    world.clock.pass_s(3600)

    assert seen is None
    assert canonical(replayed(told.world, index)) == first
    assert json.loads(first)["result"] == "reproduced"


def test_a_version_that_was_replaced_or_deleted_since_is_still_replayed(told):
    world = told.world
    made = world.create(observation(told.patient), told.admin)
    world.clock.pass_s(1)
    world.get(f"/fhir/Observation/{made['id']}", told.ehr)
    index = str(len(world.audited()) - 1)
    world.clock.pass_s(1)
    world.update({**made, "status": "amended"}, told.admin)
    answer = world.http.delete(f"/fhir/Observation/{made['id']}", headers=told.admin)
    assert answer.status_code == 204

    found = replayed(world, index)

    [one] = found["patients"][0]["disclosed"]
    assert one["resource"] == f"Observation/{made['id']}/_history/1"
    assert found["result"] == "reproduced"


def test_a_denied_read_is_reproduced_with_what_denied_it(told):
    [steps] = [
        one
        for one in told.world.audited()
        if one.interaction == "create" and one.resource_type == "Observation"
    ]
    assert steps.written
    with told.world.deployment.database.read() as snapshot:
        [[id_]] = snapshot.sql(
            "SELECT d.id FROM directory d JOIN resource r ON r.row = d.row"
            " WHERE r.seq = ?",
            (steps.written[0],),
        )
    assert told.world.get(f"/fhir/Observation/{id_}", told.ehr).status_code == 404

    found = replayed(told.world)

    assert found["result"] == "reproduced"
    assert found["recorded"]["basis"]
    assert found["patients"][0]["disclosed"] == []


def test_a_request_id_names_the_row(told):
    told.found(f"Observation?patient={told.patient}")
    row = told.world.audited()[-1]

    assert replayed(told.world, row.request_id) == replayed(told.world)


def test_the_closure_of_the_time_is_taken_from_history(told):
    world = told.world
    whole = world.create({"resourceType": "Organization", "name": "W"}, told.admin)
    part = world.create(
        {
            "resourceType": "Organization",
            "name": "P",
            "partOf": {"reference": f"Organization/{whole['id']}"},
        },
        told.admin,
    )
    named = permit(actor=actor(f"Organization/{whole['id']}"))
    world.create(consent(told.patient, named), told.admin)
    headers = world.client(
        "part", "system/*.rs", organization=f"Organization/{part['id']}"
    )
    world.clock.pass_s(1)
    assert told.found(f"Observation?patient={told.patient}", headers)

    found = replayed(world)

    assert found["result"] == "reproduced"
    inputs = found["patients"][0]["inputs"]
    assert f"Organization/{whole['id']}" in inputs["actors"]
    assert inputs["custodian"] is None


def test_a_consent_filed_while_the_request_waited_is_found_by_the_digest(told):
    world = told.world
    world.clock.pass_s(1)
    started = world.clock()
    world.clock.pass_s(2)
    world.create(consent(told.patient, permit()), told.admin)
    world.clock.pass_s(1)
    told.found(f"Observation?patient={told.patient}")

    forge(world, lambda row: replace(row, time_us=started))

    found = replayed(world)
    assert len(found["patients"][0]["inputs"]["consents"]) == 2
    assert found["result"] == "reproduced"


def test_what_should_not_have_left_is_named(told):
    [one, *_] = [
        row.written
        for row in told.world.audited()
        if row.interaction == "create" and row.resource_type == "Observation"
    ]
    told.found(f"Observation?patient={told.patient}")

    forge(
        told.world, lambda row: replace(row, disclosed=(*row.disclosed, *one, 999_999))
    )

    found = replayed(told.world)
    assert found["result"] == "different"
    withheld, missing = found["differences"]
    assert withheld.endswith("was disclosed, and the replay withholds it")
    assert missing == "the disclosed version 999999 is not stored any more"


def test_other_inputs_than_those_of_the_log_are_named(told):
    told.found(f"Observation?patient={told.patient}")

    def change(row):
        basis = tuple(
            one._replace(name="0" * 32) if one.kind is BasisKind.INPUTS else one
            for one in row.basis
        )
        return replace(row, basis=basis)

    forge(told.world, change)

    assert replayed(told.world)["differences"] == [
        "what the decision rested on is not what history tells"
    ]


def test_a_ground_that_is_not_found_is_named(told):
    told.found(f"Observation?patient={told.patient}")

    def change(row):
        [first, *others] = row.basis
        return replace(
            row, basis=(first._replace(path="provision.provision[7]"), *others)
        )

    forge(told.world, change)

    [difference] = replayed(told.world)["differences"]
    assert "provision.provision[7], the replay does not" in difference


def test_what_belongs_to_nobody_was_released_by_scope_alone(told):
    name = told.organization
    told.world.get(f"/fhir/{name}", told.ehr)

    found = replayed(told.world)

    assert found["byScopeAlone"] == [f"{name}/_history/1"]
    assert found["result"] == "reproduced"


@pytest.mark.parametrize("entry", ["99999", "nothing", "9" * 30])
def test_a_row_that_is_not_there_is_not_found(told, entry):
    with pytest.raises(FHIRError, match="no such row"):
        replayed(told.world, entry)


def test_a_row_of_no_reading_is_refused(told):
    with pytest.raises(FHIRError, match="of no decision"):
        replayed(told.world)


def test_it_is_reproduced_on_postgresql(tmp_path, template, migrated_postgres_url):
    with opened_world(tmp_path, template, database_url=migrated_postgres_url) as world:
        clinic = furnish(world)
        clinic.consented()
        made = world.create(observation(clinic.patient), clinic.admin)
        world.clock.pass_s(1)
        world.get(f"/fhir/Observation/{made['id']}", clinic.ehr)
        index = str(len(world.audited()) - 1)
        first = canonical(replayed(world, index))
        world.clock.pass_s(1)
        world.update({**made, "status": "amended"}, clinic.admin)

        again = canonical(replayed(world, index))

    assert again == first
    assert json.loads(again)["result"] == "reproduced"


def test_rules_that_have_changed_since_are_named(told):
    forge(
        told.world,
        lambda row: replace(
            row, interaction=Interaction.CONFIG, request="policy engine=0; was engine=9"
        ),
    )
    told.found(f"Observation?patient={told.patient}")

    found = replayed(told.world)

    assert found["entry"]["policy"] == "engine=0"
    [difference] = found["differences"]
    assert difference.startswith("the rules were 'engine=0', and are ")


def test_another_configuration_is_no_change_of_the_rules(told):
    forge(
        told.world,
        lambda row: replace(row, interaction=Interaction.CONFIG, request="zone UTC"),
    )
    told.found(f"Observation?patient={told.patient}")

    assert replayed(told.world)["result"] == "reproduced"


def test_a_patient_who_is_not_stored_any_more_is_said(told):
    told.found(f"Observation?patient={told.patient}")
    forge(told.world, lambda row: replace(row, patients=(b"x" * 16,)))

    with pytest.raises(FHIRError, match="not stored any more"):
        replayed(told.world)


def test_a_search_of_many_patients_is_replayed_for_each(told):
    world = told.world
    other = told.another_patient("user-2")
    told.consented(patient_id=other)
    world.create(observation(other), told.admin)
    world.clock.pass_s(1)
    found = told.found("Observation")

    made = replayed(world)

    assert len(found) == 7
    assert made["result"] == "reproduced"
    assert sorted(len(one["disclosed"]) for one in made["patients"]) == [1, 6]


def test_a_provenance_is_listed_and_not_replayed(told):
    [one] = told.found(f"Observation?patient={told.patient}&_count=1")[:1]
    target = {"reference": f"Observation/{one['id']}"}
    made = told.world.create(
        {
            "resourceType": "Provenance",
            "target": [target],
            "recorded": "2026-11-20T12:00:00Z",
            "agent": [{"who": {"reference": told.organization}}],
        },
        told.admin,
    )
    told.world.clock.pass_s(1)
    answer = told.world.get(f"/fhir/Provenance/{made['id']}", told.ehr)
    assert answer.status_code == 200

    found = replayed(told.world)

    assert found["byWhatTheyName"] == [f"Provenance/{made['id']}/_history/1"]
    assert found["result"] == "reproduced"


def test_a_version_of_a_patient_whom_the_row_does_not_name_is_said(told):
    other = told.another_patient("user-2")
    told.consented(patient_id=other)
    told.world.create(observation(other), told.admin)
    [seq] = told.world.audited()[-1].written
    told.found(f"Observation?patient={told.patient}")
    forge(told.world, lambda row: replace(row, disclosed=(*row.disclosed, seq)))

    [difference] = replayed(told.world)["differences"]

    assert difference.endswith("was disclosed, and the row names no such patient")
