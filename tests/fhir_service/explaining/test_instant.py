"""What a decision rests on at an instant, out of history, as the gate has it of now."""

import pytest

from fhir_service.explaining.change import unregistered
from fhir_service.explaining.instant import Instant
from fhir_service.storage import patients, types

HOUR_S = 3600


@pytest.fixture
def people(clinic):
    """Return a clinic with a whole, its parts, people, groups and a care team."""
    world, admin = clinic.world, clinic.admin
    make = {"resourceType": "Organization", "name": "W"}
    whole = world.create(make, admin)
    within = {"reference": f"Organization/{whole['id']}"}
    part = world.create({**make, "name": "P", "partOf": within}, admin)
    doctor = world.create(
        {
            "resourceType": "Practitioner",
            "identifier": [{"system": "https://id.example", "value": "dr"}],
        },
        admin,
    )
    doctors = {"reference": f"Practitioner/{doctor['id']}"}
    role = world.create(
        {
            "resourceType": "PractitionerRole",
            "practitioner": doctors,
            "organization": {"reference": f"Organization/{part['id']}"},
            "period": {"end": "2026-12-31"},
        },
        admin,
    )
    group = world.create(
        {
            "resourceType": "Group",
            "type": "practitioner",
            "actual": True,
            "member": [{"entity": doctors}],
        },
        admin,
    )
    team = world.create(
        {
            "resourceType": "CareTeam",
            "status": "active",
            "subject": {"reference": f"Patient/{clinic.patient}"},
            "participant": [{"member": doctors}],
        },
        admin,
    )
    world.clock.pass_s(1)
    return clinic, {
        "whole": f"Organization/{whole['id']}",
        "part": f"Organization/{part['id']}",
        "doctor": f"Practitioner/{doctor['id']}",
        "role": f"PractitionerRole/{role['id']}",
        "group": f"Group/{group['id']}",
        "team": f"CareTeam/{team['id']}",
    }


def closure(clinic, actors, at_us, *, is_past):
    services = clinic.world.deployment.services
    with services.database.read() as snapshot:
        instant = Instant(
            repository=services.repository,
            gate=services.gate,
            snapshot=snapshot,
            at_us=at_us,
            is_past=is_past,
        )
        state = patients.by_id(snapshot, types.number_of("Patient"), clinic.patient)
        return instant.closure(unregistered(frozenset(actors)), state)


@pytest.mark.parametrize("name", ["whole", "part", "doctor", "role", "group", None])
def test_history_tells_the_same_closure_as_the_gate_has_now(people, name):
    clinic, named = people
    actors = [] if name is None else [named[name]]
    now = clinic.world.clock()

    of_now = closure(clinic, actors, now, is_past=False)
    of_history = closure(clinic, actors, now, is_past=True)

    assert of_history == of_now


def test_somebody_has_all_names_that_follow(people):
    clinic, named = people

    found = closure(clinic, [named["doctor"]], clinic.world.clock(), is_past=True)

    assert {*named.values()} <= found.names.certain
    assert found.until_us is not None


def test_a_member_who_was_removed_was_one_before(people):
    clinic, named = people
    world = clinic.world
    before = world.clock()
    world.clock.pass_s(HOUR_S)
    group = world.get(f"/fhir/{named['group']}", clinic.admin).json
    group["member"][0]["inactive"] = True
    world.update(group, clinic.admin)
    path = f"/fhir/{named['role']}"
    assert world.http.delete(path, headers=clinic.admin).status_code == 204
    world.clock.pass_s(HOUR_S)

    then, now = (
        closure(clinic, [named["doctor"]], at, is_past=True).names.certain
        for at in (before, world.clock())
    )

    assert {named["group"], named["role"], named["whole"]} <= then
    assert now.isdisjoint({named["group"], named["role"], named["whole"]})
    assert named["team"] in now


def test_a_patient_of_whom_nothing_was_filed_yet_had_no_custodian(clinic):
    services = clinic.world.deployment.services
    with services.database.read() as snapshot:
        state = patients.by_id(snapshot, types.number_of("Patient"), clinic.patient)
        instant = Instant(
            repository=services.repository,
            gate=services.gate,
            snapshot=snapshot,
            at_us=clinic.world.clock() - HOUR_S * 1_000_000,
            is_past=True,
        )

        then = instant.state(state)

        assert state.organization == clinic.organization
        assert then.organization is None
        assert instant.consents(then) == ()
