"""Groups and teams in consents: who is a member is asked anew with every request."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from worlds import (
    World,
    actions,
    actor,
    consent,
    furnish,
    heart_rate,
    observation,
    permit,
    reopened_world,
)

from fhir_service.auth import closure

CLIENT_SYSTEM = "https://fhir-interop-service.org/fhir/sid/client"


def client_of(client_id):
    return {"entity": {"identifier": {"system": CLIENT_SYSTEM, "value": client_id}}}


def reference(made):
    return f"{made['resourceType']}/{made['id']}"


def organization(clinic, **more):
    made = clinic.world.create(
        {"resourceType": "Organization", "name": "Laboratory", **more}, clinic.admin
    )
    return reference(made)


def practitioner(clinic):
    made = clinic.world.create({"resourceType": "Practitioner"}, clinic.admin)
    return {"entity": {"reference": reference(made)}}


def group(clinic, *members, **more):
    """Return a stored Group of a practitioner and others."""
    resource = {
        "resourceType": "Group",
        "type": "practitioner",
        "actual": True,
        "member": [practitioner(clinic), *members],
        **more,
    }
    return clinic.world.create(resource, clinic.admin)


def team(clinic, *members, patient=None, **more):
    """Return a stored CareTeam."""
    resource = {
        "resourceType": "CareTeam",
        "status": "active",
        "subject": {"reference": f"Patient/{patient or clinic.patient}"},
        "participant": [{"member": {"reference": member}} for member in members],
        **more,
    }
    return clinic.world.create(resource, clinic.admin)


def permitted(clinic, *actors):
    """Permit the clinic and others everything."""
    named = [entry for one in (clinic.organization, *actors) for entry in actor(one)]
    clinic.world.create(consent(clinic.patient, permit(actor=named)), clinic.admin)


@pytest.fixture
def laboratory(clinic):
    return organization(clinic)


@pytest.fixture
def reader(clinic, laboratory):
    """Return a client of another organisation; the patient has one Observation."""
    clinic.world.create(observation(clinic.patient), clinic.admin)
    return clinic.world.client("reader", "system/*.cruds", organization=laboratory)


def seen(clinic, headers, world=None):
    """Return how many Observations are found, for one patient and among all."""
    world = world or clinic.world
    totals = {
        world.get(f"/fhir/Observation?{query}_total=accurate", headers).json["total"]
        for query in ("", f"patient={clinic.patient}&")
    }
    [total] = totals
    return total


def test_a_permit_for_a_group_is_one_for_its_members_alone(clinic, reader, laboratory):
    made = group(clinic, client_of("reader"))
    sibling = clinic.world.client("sibling", "system/*.rs", organization=laboratory)

    permitted(clinic, reference(made))

    assert (seen(clinic, reader), seen(clinic, sibling)) == (1, 0)


def test_an_organization_is_a_member_by_its_identifier(clinic):
    number = {"system": "urn:npi", "value": "1"}
    other = organization(clinic, identifier=[number])
    member = clinic.world.client("member", "system/*.rs", organization=other)
    clinic.world.create(observation(clinic.patient), clinic.admin)

    permitted(clinic, reference(group(clinic, {"entity": {"identifier": number}})))

    assert seen(clinic, member) == 1


def test_a_permit_may_name_the_identifier_of_an_organization(clinic):
    number = {"system": "urn:npi", "value": "1"}
    other = organization(clinic, identifier=[number])
    member = clinic.world.client("member", "system/*.rs", organization=other)
    clinic.world.create(observation(clinic.patient), clinic.admin)
    named = {**actor("Organization/x")[0], "reference": {"identifier": number}}

    clinic.world.create(consent(clinic.patient, permit(actor=[named])), clinic.admin)

    assert seen(clinic, member) == 1


def test_who_is_a_member_no_more_sees_nothing_at_the_next_request(clinic, reader):
    made = group(clinic, client_of("reader"))
    permitted(clinic, reference(made))
    before = seen(clinic, reader)

    clinic.world.update({**made, "member": made["member"][:1]}, clinic.admin)

    assert (before, seen(clinic, reader)) == (1, 0)


@pytest.mark.parametrize(
    "change", [{"active": False}, {"member": "inactive"}, "deleted"]
)
def test_a_group_or_a_member_that_is_inactive_or_gone_opens_nothing(
    clinic, reader, change
):
    made = group(clinic, client_of("reader"))
    permitted(clinic, reference(made))
    before = seen(clinic, reader)

    if change == "deleted":
        path = f"/fhir/{reference(made)}"
        answer = clinic.world.send("DELETE", path, b"", clinic.admin)
        assert answer.status_code == 204
    elif "member" in change:
        first, second = made["member"]
        ended = {**made, "member": [first, {**second, "inactive": True}]}
        clinic.world.update(ended, clinic.admin)
    else:
        clinic.world.update({**made, **change}, clinic.admin)

    assert (before, seen(clinic, reader)) == (1, 0)


def test_membership_begins_and_ends_with_its_period(clinic, reader):
    bounds = {"start": "2026-11-21T00:00:00Z", "end": "2026-11-22T00:00:00Z"}
    made = group(clinic, {**client_of("reader"), "period": bounds})
    permitted(clinic, reference(made))
    found = []

    for moment in (
        datetime(2026, 11, 20, 23, 59, 59, 999_999, tzinfo=UTC),
        datetime(2026, 11, 21, tzinfo=UTC),
        datetime(2026, 11, 22, tzinfo=UTC),
        datetime(2026, 11, 22, 0, 0, 0, 1, tzinfo=UTC),
        datetime(2026, 11, 21, tzinfo=UTC),
    ):
        clinic.world.clock.go(moment)
        found.append(seen(clinic, reader))

    assert found == [0, 1, 1, 0, 1]


def test_a_care_team_begins_and_ends_with_its_period(clinic, reader, laboratory):
    made = team(clinic, laboratory, period={"start": "2026-11-21", "end": "2026-11-21"})
    permitted(clinic, reference(made))
    found = []

    for day in (20, 21, 22, 21):
        clinic.world.clock.go(datetime(2026, 11, day, 12, tzinfo=UTC))
        found.append(seen(clinic, reader))

    assert found == [0, 1, 0, 1]


def test_groups_of_groups_are_followed_and_a_cycle_ends(clinic, reader):
    inner = group(clinic, client_of("reader"))
    outer = group(clinic, {"entity": {"reference": reference(inner)}})
    cycle = {"entity": {"reference": reference(outer)}}

    clinic.world.update({**inner, "member": [*inner["member"], cycle]}, clinic.admin)
    permitted(clinic, reference(outer))

    assert seen(clinic, reader) == 1


def test_a_permit_for_a_care_team_is_one_for_its_organizations(
    clinic, reader, laboratory
):
    made = team(clinic, laboratory)
    permitted(clinic, reference(made))
    before = seen(clinic, reader)

    clinic.world.update({**made, "status": "inactive"}, clinic.admin)

    assert (before, seen(clinic, reader)) == (1, 0)


def test_a_care_team_inside_a_care_team_brings_its_members(clinic, reader, laboratory):
    inner = team(clinic, laboratory)
    outer = team(clinic, reference(inner))

    permitted(clinic, reference(outer))

    assert seen(clinic, reader) == 1


def test_who_a_participant_acts_for_is_no_member(clinic, reader, laboratory):
    person = practitioner(clinic)["entity"]
    acting = {"member": person, "onBehalfOf": {"reference": laboratory}}

    permitted(clinic, reference(team(clinic, participant=[acting])))

    assert seen(clinic, reader) == 0


def test_a_care_team_stands_for_its_members_towards_its_own_patient_alone(
    clinic, reader, laboratory
):
    other = clinic.another_patient()

    permitted(clinic, reference(team(clinic, laboratory, patient=other)))

    assert seen(clinic, reader) == 0


def test_a_team_whose_status_is_not_told_permits_nobody(clinic, reader, laboratory):
    made = team(clinic, laboratory)
    permitted(clinic, reference(made))
    before = seen(clinic, reader)

    unsaid = {name: value for name, value in made.items() if name != "status"}
    clinic.world.update(unsaid, clinic.admin)

    assert (before, seen(clinic, reader)) == (1, 0)


def test_a_deny_of_a_care_team_hides_from_its_members(clinic, reader, laboratory):
    permitted(clinic, laboratory)
    before = seen(clinic, reader)

    denied = {"type": "deny", "actor": actor(reference(team(clinic, laboratory)))}
    clinic.world.create(consent(clinic.patient, denied), clinic.admin)

    assert (before, seen(clinic, reader)) == (1, 0)


def test_a_deny_of_a_group_hides_from_its_members_alone(clinic, reader, laboratory):
    sibling = clinic.world.client("sibling", "system/*.rs", organization=laboratory)
    permitted(clinic, laboratory)
    made = group(clinic, client_of("reader"))

    denied = {"type": "deny", "actor": actor(reference(made))}
    clinic.world.create(consent(clinic.patient, denied), clinic.admin)

    assert (seen(clinic, reader), seen(clinic, sibling)) == (0, 1)


def test_a_service_is_not_permitted_by_whoever_provides_it(clinic, reader, laboratory):
    number = {"system": "urn:service", "value": "1"}
    clinic.world.create(
        {
            "resourceType": "HealthcareService",
            "identifier": [number],
            "providedBy": {"reference": laboratory},
        },
        clinic.admin,
    )
    named = {**actor("Organization/x")[0], "reference": {"identifier": number}}

    clinic.world.create(consent(clinic.patient, permit(actor=[named])), clinic.admin)

    assert seen(clinic, reader) == 0


def test_a_role_at_an_organization_is_not_the_organizations(clinic, reader, laboratory):
    made = clinic.world.create(
        {
            "resourceType": "PractitionerRole",
            "practitioner": practitioner(clinic)["entity"],
            "organization": {"reference": laboratory},
        },
        clinic.admin,
    )

    permitted(clinic, reference(made))

    assert seen(clinic, reader) == 0


@pytest.mark.parametrize("limit", ["MAX_NAMES", "MAX_TEAMS", "MAX_CONTAINERS"])
def test_what_cannot_be_found_out_opens_nothing(
    clinic, reader, laboratory, monkeypatch, limit
):
    permitted(clinic, reference(team(clinic, laboratory)), laboratory)
    group(clinic, client_of("reader"))
    before = seen(clinic, reader)

    clinic.world.deployment.services.gate.forget()
    monkeypatch.setattr(closure, limit, int(limit == "MAX_TEAMS"))

    assert (before, seen(clinic, reader)) == (1, 0)


def test_a_change_of_members_holds_at_once_in_another_process(clinic, reader):
    made = group(clinic, client_of("reader"))
    permitted(clinic, reference(made))

    with reopened_world(clinic.world.data) as other:
        before = seen(clinic, reader, other)
        clinic.world.update({**made, "member": made["member"][:1]}, clinic.admin)
        after = seen(clinic, reader, other)

    assert (before, after) == (1, 0)


def test_a_change_of_a_care_team_holds_at_once_in_another_process(
    clinic, reader, laboratory
):
    made = team(clinic, laboratory)
    permitted(clinic, reference(made))

    with reopened_world(clinic.world.data) as other:
        before = seen(clinic, reader, other)
        clinic.world.update({**made, "status": "suspended"}, clinic.admin)
        after = seen(clinic, reader, other)

    assert (before, after) == (1, 0)


def test_a_group_may_collect(clinic):
    made = group(clinic, client_of("gateway"))
    before = clinic.deliver(heart_rate(1, "user-1"))
    named = permit(actor=actor(reference(made)), action=actions("collect"))

    clinic.world.create(consent(clinic.patient, named), clinic.admin)

    assert (before["withheld"], before["stored"]) == (1, 0)
    assert clinic.deliver(heart_rate(2, "user-1"))["stored"] == 1


# Nobody moves himself.


def refused(answer, type_):
    issue = answer.json["issue"][0]
    return (answer.status_code, issue["code"], issue["expression"]) == (
        422,
        "business-rule",
        [type_],
    )


def put(clinic, resource, headers):
    return clinic.world.send("PUT", f"/fhir/{reference(resource)}", resource, headers)


@pytest.fixture
def others(clinic, laboratory):
    """Return members that belong to the laboratory, each in its own way."""
    number = {"system": "urn:npi", "value": "7"}
    part = {"reference": laboratory}
    organization(clinic, partOf=part, identifier=[number])
    person = practitioner(clinic)["entity"]
    clinic.world.create(
        {
            "resourceType": "PractitionerRole",
            "practitioner": person,
            "organization": part,
        },
        clinic.admin,
    )
    staff = group(clinic, {"entity": person})
    clinic.world.client("sibling", "system/*.rs", organization=laboratory)
    return {
        "itself": client_of("reader"),
        "its sibling": client_of("sibling"),
        "its part": {"entity": {"identifier": number}},
        "its person": {"entity": person},
        "a group of its persons": {"entity": {"reference": reference(staff)}},
    }


WHO = ("itself", "its sibling", "its part", "its person", "a group of its persons")


@pytest.mark.parametrize("who", WHO)
def test_a_client_brings_nobody_of_its_own_into_a_group(clinic, reader, others, who):
    made = group(clinic)
    permitted(clinic, reference(made))

    answer = put(clinic, {**made, "member": [*made["member"], others[who]]}, reader)

    assert refused(answer, "Group")
    assert seen(clinic, reader) == 0


@pytest.mark.parametrize("who", WHO)
def test_a_client_takes_nobody_of_its_own_out_of_a_group(clinic, reader, others, who):
    made = group(clinic, others[who])

    answer = put(clinic, {**made, "member": made["member"][:1]}, reader)
    deleted = clinic.world.send("DELETE", f"/fhir/{reference(made)}", b"", reader)

    assert refused(answer, "Group")
    assert refused(deleted, "Group")


def test_a_client_changes_the_membership_of_others(clinic, reader):
    made = group(clinic, client_of("reader"))

    more = {**made, "member": [*made["member"], practitioner(clinic)]}

    assert put(clinic, more, reader).status_code == 200


def test_a_patch_or_a_transaction_moves_nobody_either(clinic, reader):
    made = group(clinic)
    added = {"op": "add", "path": "/member/-", "value": client_of("reader")}
    bigger = {**made, "member": [*made["member"], client_of("reader")]}
    request = {"method": "PUT", "url": reference(made)}
    bundle = {
        "resourceType": "Bundle",
        "type": "transaction",
        "entry": [{"resource": bigger, "request": request}],
    }

    patched = clinic.world.send(
        "PATCH",
        f"/fhir/{reference(made)}",
        [added],
        reader,
        "application/json-patch+json",
    )
    posted = clinic.world.send("POST", "/fhir", bundle, reader)

    assert refused(patched, "Group")
    assert posted.status_code == 422
    assert clinic.world.get(f"/fhir/{reference(made)}", reader).json == made


@pytest.fixture
def creating(world):
    """Return a clinic at which an update creates what does not exist."""
    deployment = world.deployment
    services = replace(deployment.services, update_creates=True)
    return furnish(
        World(
            data=world.data,
            deployment=replace(deployment, services=services),
            clock=world.clock,
        )
    )


def test_a_client_makes_no_group_of_its_own_under_a_name_that_it_chooses(creating):
    laboratory = organization(creating)
    reader = creating.world.client("reader", "system/*.cruds", organization=laboratory)
    made = {
        "resourceType": "Group",
        "id": "mine",
        "type": "practitioner",
        "actual": True,
        "member": [practitioner(creating), client_of("reader")],
    }

    own = put(creating, made, reader)
    others = put(creating, made, creating.admin)

    assert refused(own, "Group")
    assert others.status_code == 201


def test_only_the_custodian_of_a_patient_joins_her_care_team(clinic, laboratory):
    made = team(clinic, laboratory)
    permitted(clinic, laboratory)
    reader = clinic.world.client("reader", "system/*.cruds", organization=laboratory)
    own = {"participant": [{"member": {"reference": clinic.organization}}]}

    left = put(clinic, {**made, "participant": own["participant"]}, reader)
    joined = put(clinic, {**made, **own}, clinic.admin)

    assert refused(left, "CareTeam")
    assert joined.status_code == 200


def test_an_organization_takes_no_identifier_by_its_own_client(
    clinic, reader, laboratory
):
    made = clinic.world.get(f"/fhir/{laboratory}", reader).json
    taken = {**made, "identifier": [{"system": "urn:npi", "value": "9"}]}

    assert refused(put(clinic, taken, reader), "Organization")
    assert put(clinic, {**made, "alias": ["Lab"]}, reader).status_code == 200
    assert put(clinic, taken, clinic.admin).status_code == 200


def test_an_organization_takes_no_identifier_by_a_client_of_its_part(clinic):
    whole = clinic.world.create(
        {"resourceType": "Organization", "name": "Whole"}, clinic.admin
    )
    part = organization(clinic, partOf={"reference": reference(whole)})
    reader = clinic.world.client("reader", "system/*.cruds", organization=part)
    taken = {**whole, "identifier": [{"system": "urn:npi", "value": "9"}]}

    answer = put(clinic, taken, reader)

    assert refused(answer, "Organization")


def test_a_client_gives_its_people_roles_at_its_own_places_alone(
    clinic, reader, laboratory, others
):
    role = {
        "resourceType": "PractitionerRole",
        "practitioner": others["its person"]["entity"],
        "organization": {"reference": laboratory},
    }
    made = clinic.world.create(role, reader)
    elsewhere = {**made, "organization": {"reference": clinic.organization}}

    moved = put(clinic, elsewhere, reader)
    ended = put(clinic, {**made, "active": False}, reader)

    assert refused(moved, "PractitionerRole")
    assert ended.status_code == 200
