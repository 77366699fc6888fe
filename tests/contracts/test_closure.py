"""What a requester is called, on each database, also with a person behind it."""

from dataclasses import replace

import pytest
from worlds import actor, consent, furnish, observation, permit, reopened_world

from consent.membership import CLIENT_SYSTEM
from fhir_service.auth import local
from fhir_service.auth.closure import Closures

NUMBER = {"system": "urn:npi", "value": "1"}
NPI = "urn:npi|1"


@pytest.fixture
def clinic(any_world):
    return furnish(any_world)


@pytest.fixture
def laboratory(clinic):
    """Return an organisation that is a part of another one, and the other one."""
    whole = stored(clinic, "Organization", name="Whole", identifier=[NUMBER])
    part = {"reference": whole}
    return stored(clinic, "Organization", name="Part", partOf=part), whole


def stored(clinic, type_, **elements):
    made = clinic.world.create({"resourceType": type_, **elements}, clinic.admin)
    return f"{type_}/{made['id']}"


def to(reference):
    return {"reference": reference}


@pytest.fixture
def doctor(clinic):
    return stored(clinic, "Practitioner", identifier=[{**NUMBER, "value": "dr"}])


def role_of(clinic, doctor, **more):
    return stored(clinic, "PractitionerRole", practitioner=to(doctor), **more)


def grant_of(clinic, client_id="ehr", user=None):
    with clinic.world.deployment.database.read() as snapshot:
        grant = local.registered(snapshot, client_id)
    return replace(grant, user=user, individual_known=user is not None)


def called(clinic, grant):
    """Return the names of a grant towards the patient, certain and possible ones."""
    deployment = clinic.world.deployment
    gate = deployment.services.gate
    with deployment.database.read() as snapshot:
        stored = deployment.services.repository.read(
            snapshot, "Patient", clinic.patient
        )
        state = gate.state(snapshot, stored.patient_key)
        closures = Closures(deployment.services.repository)
        now = clinic.world.clock()
        found = closures.towards(
            snapshot, closures.of(snapshot, grant, now), state, now
        )
    return set(found.names.certain), set(found.names.possible)


def test_a_backend_service_is_its_client_its_organization_and_those_above(
    clinic, laboratory
):
    part, whole = laboratory
    clinic.world.client("reader", "system/*.rs", organization=part)

    certain, possible = called(clinic, grant_of(clinic, "reader"))

    assert certain == {f"{CLIENT_SYSTEM}|reader", part, whole, NPI}
    assert possible == set()


def test_a_client_without_an_organization_is_itself(clinic):
    clinic.world.client("nobody", "system/*.rs")

    certain, possible = called(clinic, grant_of(clinic, "nobody"))

    assert certain == {f"{CLIENT_SYSTEM}|nobody"}
    assert possible == set()


def test_a_person_has_her_roles_their_places_and_her_groups(clinic, laboratory, doctor):
    part, whole = laboratory
    service = stored(clinic, "HealthcareService", name="Cardiology")
    role = role_of(
        clinic, doctor, organization=to(part), healthcareService=[to(service)]
    )
    group = stored(
        clinic,
        "Group",
        type="practitioner",
        actual=True,
        member=[{"entity": to(role)}],
    )
    team = stored(
        clinic,
        "CareTeam",
        status="active",
        subject=to(f"Patient/{clinic.patient}"),
        participant=[{"member": to(doctor)}],
    )

    certain, possible = called(clinic, grant_of(clinic, user=doctor))

    backend, _ = called(clinic, grant_of(clinic))
    assert certain - backend == {
        doctor,
        role,
        part,
        whole,
        NPI,
        service,
        group,
        team,
    }
    assert possible == {"urn:npi|dr"}


@pytest.mark.parametrize(
    "ended", [{"active": False}, {"period": {"end": "2026-11-19"}}]
)
def test_a_role_that_has_ended_brings_nothing(clinic, laboratory, doctor, ended):
    part, _ = laboratory
    role_of(clinic, doctor, organization=to(part), **ended)

    certain, _ = called(clinic, grant_of(clinic, user=doctor))

    backend, _ = called(clinic, grant_of(clinic))
    assert certain - backend == {doctor}


def test_roles_of_others_at_the_same_place_are_theirs(clinic, laboratory, doctor):
    part, _ = laboratory
    other = stored(clinic, "Practitioner")
    role_of(clinic, other, organization=to(part))
    clinic.world.client("reader", "system/*.rs", organization=part)

    certain, possible = called(clinic, grant_of(clinic, "reader", doctor))

    assert not {name for name in certain | possible if "Role" in name}


def test_a_service_is_possible_for_those_of_its_provider(clinic, laboratory):
    part, whole = laboratory
    service = stored(
        clinic,
        "HealthcareService",
        providedBy=to(whole),
        identifier=[{**NUMBER, "value": "service"}],
    )
    clinic.world.client("reader", "system/*.rs", organization=part)

    _, possible = called(clinic, grant_of(clinic, "reader"))

    assert possible == {service, "urn:npi|service"}


def test_nested_groups_end_at_a_cycle(clinic, doctor):
    world = clinic.world
    inner = world.create(
        {
            "resourceType": "Group",
            "type": "practitioner",
            "actual": True,
            "member": [{"entity": to(doctor)}],
        },
        clinic.admin,
    )
    outer = stored(
        clinic,
        "Group",
        type="practitioner",
        actual=True,
        member=[{"entity": to(f"Group/{inner['id']}")}],
    )
    inner["member"].append({"entity": to(outer)})
    world.update(inner, clinic.admin)

    certain, _ = called(clinic, grant_of(clinic, user=doctor))

    assert {f"Group/{inner['id']}", outer} <= certain


def test_a_team_of_another_patient_inside_a_team_may_be_anybodys(clinic):
    other = clinic.another_patient()
    inner = stored(
        clinic,
        "CareTeam",
        status="active",
        subject=to(f"Patient/{other}"),
        participant=[{"member": to(clinic.organization)}],
    )
    outer = stored(
        clinic,
        "CareTeam",
        status="active",
        subject=to(f"Patient/{clinic.patient}"),
        participant=[{"member": to(inner)}],
    )

    certain, possible = called(clinic, grant_of(clinic))

    assert possible == {outer}
    assert inner not in certain


def seen(clinic, grant):
    """Return how many Observations of the patient the grant may see."""
    services = clinic.world.deployment.services
    with clinic.world.deployment.database.read() as snapshot:
        made = services.repository.read(snapshot, "Patient", clinic.patient)
        state = services.gate.state(snapshot, made.patient_key)
        view = services.gate.view(snapshot, grant, state, "Observation").view
    return sum(len(ids) for _, ids in view.groups)


def test_a_deny_of_a_team_reaches_its_members_and_spares_other_persons(clinic, doctor):
    team = stored(
        clinic,
        "CareTeam",
        status="active",
        subject=to(f"Patient/{clinic.patient}"),
        participant=[{"member": to(doctor)}],
    )
    other = stored(clinic, "Practitioner")
    clinic.world.create(observation(clinic.patient), clinic.admin)
    denied = permit(provision=[{"type": "deny", "actor": actor(team)}])

    clinic.world.create(consent(clinic.patient, denied), clinic.admin)

    assert seen(clinic, grant_of(clinic, user=doctor)) == 0
    assert seen(clinic, grant_of(clinic, user=other)) == 1
    assert seen(clinic, grant_of(clinic)) == 0


def test_a_permit_for_a_role_is_one_for_who_has_it(clinic, doctor):
    role = role_of(clinic, doctor)
    clinic.world.create(observation(clinic.patient), clinic.admin)

    clinic.world.create(
        consent(clinic.patient, permit(actor=actor(role))), clinic.admin
    )

    assert seen(clinic, grant_of(clinic, user=doctor)) == 1
    assert seen(clinic, grant_of(clinic)) == 0


def test_a_deny_reckons_with_what_a_person_may_be_acting_as(clinic, laboratory, doctor):
    part, _ = laboratory
    clinic.world.client("reader", "system/*.rs", organization=part)
    clinic.world.create(observation(clinic.patient), clinic.admin)
    number = {**NUMBER, "value": "service"}
    named = {**actor("Organization/x")[0], "reference": {"identifier": number}}
    denied = permit(provision=[{"type": "deny", "actor": [named]}])
    clinic.world.create(consent(clinic.patient, denied), clinic.admin)
    before = seen(clinic, grant_of(clinic, "reader", doctor))

    stored(clinic, "HealthcareService", providedBy=to(part), identifier=[number])

    assert before == 1
    assert seen(clinic, grant_of(clinic, "reader", doctor)) == 0
    assert seen(clinic, grant_of(clinic, user=doctor)) == 1


def test_a_write_sees_who_belongs_where_by_itself(clinic, doctor):
    """The version that came with the token is that of another snapshot."""
    services = clinic.world.deployment.services
    grant = replace(grant_of(clinic, user=doctor), topology=1)
    role = {"resourceType": "PractitionerRole", "practitioner": to(doctor)}
    now = clinic.world.clock()

    def work(transaction):
        closures = Closures(services.repository)
        before = closures.of(transaction, grant, now)
        made = services.repository.create(transaction, role, patient_key=0)
        after = closures.of(transaction, grant, now)
        return made.id, before.names.certain, after.names.certain

    id_, before, after = clinic.world.deployment.database.write(work)

    assert after - before == {f"PractitionerRole/{id_}"}


def test_every_instance_knows_at_once_who_belongs_where(clinic):
    world = clinic.world
    group = {
        "resourceType": "Group",
        "type": "practitioner",
        "actual": True,
        "member": [
            {"entity": to(stored(clinic, "Practitioner"))},
            {"entity": {"identifier": {"system": CLIENT_SYSTEM, "value": "reader"}}},
        ],
    }
    reader = world.client("reader", "system/*.rs")
    made = world.create(group, clinic.admin)
    world.create(observation(clinic.patient), clinic.admin)
    named = actor(f"Group/{made['id']}")
    world.create(consent(clinic.patient, permit(actor=named)), clinic.admin)
    url = world.deployment.database.url.render_as_string(hide_password=False)
    path = f"/fhir/Observation?patient={clinic.patient}&_total=accurate"

    with reopened_world(world.data, url) as other:
        before = other.get(path, reader).json["total"]
        world.update({**made, "member": made["member"][:1]}, clinic.admin)
        after = other.get(path, reader).json["total"]

    assert (before, after) == (1, 0)


def test_only_a_change_of_who_belongs_where_is_looked_at_again(clinic, laboratory):
    """What is remembered is the same object until its version is another one."""
    part, _ = laboratory
    clinic.world.client("reader", "system/*.rs", organization=part)
    deployment = clinic.world.deployment
    closures = Closures(deployment.services.repository)

    def found():
        with deployment.database.read() as snapshot:
            grant = local.registered(snapshot, "reader")
            return closures.of(snapshot, grant, clinic.world.clock())

    first = found()
    clinic.world.create(observation(clinic.patient), clinic.admin)
    again = found()
    stored(
        clinic,
        "HealthcareService",
        providedBy=to(part),
    )
    changed = found()

    assert again is first
    assert changed.names.possible != first.names.possible
