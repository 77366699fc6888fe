"""What a consent says of links between resources holds at once, on each database.

Every test asks before the change as well, so that the decision is a remembered one.
"""

from dataclasses import replace

import pytest
from worlds import (
    actions,
    actor,
    codes,
    consent,
    furnish,
    observation,
    permit,
    purposes,
)

CONFIDENTIALITY = "http://terminology.hl7.org/CodeSystem/v3-Confidentiality"


@pytest.fixture
def clinic(any_world):
    """Return a clinic whose administration sees everything, for operations."""
    furnished = furnish(any_world)
    administration = any_world.client(
        "administration",
        "system/*.cruds",
        organization=furnished.organization,
        purposes=("HOPERAT",),
    )
    everything = permit(purpose=purposes("HOPERAT"))
    any_world.create(consent(furnished.patient, everything), furnished.admin)
    return replace(furnished, admin=administration)


def to(reference):
    return {"reference": reference}


def data(meaning, reference):
    return [{"meaning": meaning, "reference": to(reference)}]


def stored(clinic, resource):
    made = clinic.world.create(resource, clinic.admin)
    return f"{made['resourceType']}/{made['id']}"


def measured(clinic, **more):
    return stored(clinic, observation(clinic.patient, **more))


def encounter(clinic):
    act = "http://terminology.hl7.org/CodeSystem/v3-ActCode"
    return stored(
        clinic,
        {
            "resourceType": "Encounter",
            "status": "finished",
            "class": {"system": act, "code": "AMB"},
            "subject": to(f"Patient/{clinic.patient}"),
        },
    )


def careplan(clinic, *activities, id_=None):
    resource = {
        "resourceType": "CarePlan",
        "status": "active",
        "intent": "plan",
        "subject": to(f"Patient/{clinic.patient}"),
        "supportingInfo": [to(reference) for reference in activities],
    }
    if id_ is not None:
        return {**resource, "id": id_}
    return resource


def device(clinic, **more):
    whose = to(f"Patient/{clinic.patient}")
    return {"resourceType": "Device", "patient": whose, **more}


def denied(clinic, **provision):
    """Permit everything but what a nested provision denies."""
    return clinic.consented(provision=[{"type": "deny", **provision}])


def seen(clinic):
    """Return the Observations that are found, counted, and read one by one."""
    query = f"Observation?patient={clinic.patient}"
    found = {f"Observation/{one['id']}" for one in clinic.found(query)}
    everybodys = {f"Observation/{one['id']}" for one in clinic.found("Observation")}
    assert clinic.search(f"{query}&_summary=count")["total"] == len(found)
    assert everybodys == found
    for reference in found:
        assert clinic.world.get(f"/fhir/{reference}", clinic.ehr).status_code == 200
    return found


def hidden(clinic, reference):
    return clinic.world.get(f"/fhir/{reference}", clinic.ehr).status_code == 404


def test_what_is_recorded_in_a_denied_encounter_is_withheld(clinic):
    visit = encounter(clinic)
    denied(clinic, data=data("related", visit))
    other = measured(clinic, code="55423-8")
    within = measured(clinic, encounter=to(visit))

    assert seen(clinic) == {other}
    assert hidden(clinic, within)
    assert hidden(clinic, visit)


def test_a_mention_that_is_added_or_taken_away_counts_for_the_next_request(clinic):
    visit, another = encounter(clinic), encounter(clinic)
    denied(clinic, data=data("related", visit))
    free, bound = (measured(clinic, encounter=to(one)) for one in (another, visit))
    before = seen(clinic)

    for reference, now in ((free, visit), (bound, another)):
        id_ = reference.partition("/")[2]
        clinic.world.update(
            {**observation(clinic.patient, encounter=to(now)), "id": id_}, clinic.admin
        )

    assert before == {free}
    assert seen(clinic) == {bound}


def test_an_earlier_version_is_judged_by_what_it_said(clinic):
    visit, another = encounter(clinic), encounter(clinic)
    denied(clinic, data=data("related", visit))
    reference = measured(clinic, encounter=to(visit))
    id_ = reference.partition("/")[2]
    moved = observation(clinic.patient, encounter=to(another))
    clinic.world.update({**moved, "id": id_}, clinic.admin)

    statuses = [
        clinic.world.get(
            f"/fhir/{reference}/_history/{version}", clinic.ehr
        ).status_code
        for version in (1, 2)
    ]

    assert statuses == [404, 200]


def test_what_a_named_resource_refers_to_follows_its_changes(clinic):
    first, second = measured(clinic), measured(clinic, code="55423-8")
    plan = clinic.world.create(careplan(clinic, first), clinic.admin)
    denied(clinic, data=data("related", f"CarePlan/{plan['id']}"))
    before = seen(clinic)

    clinic.world.update(careplan(clinic, second, id_=plan["id"]), clinic.admin)

    assert before == {second}
    assert seen(clinic) == {first}


def test_what_a_deleted_resource_referred_to_is_no_longer_named(clinic):
    reference = measured(clinic)
    plan = clinic.world.create(careplan(clinic, reference), clinic.admin)
    denied(clinic, data=data("related", f"CarePlan/{plan['id']}"))
    before = seen(clinic)

    clinic.world.send("DELETE", f"/fhir/CarePlan/{plan['id']}", b"", clinic.admin)

    assert before == set()
    assert seen(clinic) == {reference}


def test_a_metric_that_is_moved_to_a_denied_device_is_withheld(clinic):
    clinic.consented()
    ring, watch = (stored(clinic, device(clinic)) for _ in range(2))
    metric = {
        "resourceType": "DeviceMetric",
        "type": {"text": "pulse"},
        "category": "measurement",
    }
    made = clinic.world.create({**metric, "source": to(watch)}, clinic.admin)
    by_metric = measured(clinic, device=to(f"DeviceMetric/{made['id']}"))
    denied(clinic, data=data("authoredby", ring))
    before = seen(clinic)

    clinic.world.update({**metric, "id": made["id"], "source": to(ring)}, clinic.admin)

    assert before == {by_metric}
    assert seen(clinic) == set()
    assert hidden(clinic, by_metric)


def test_a_device_that_turns_out_to_be_the_denied_one_is_withheld(clinic):
    number = {"system": "https://clinic.example/serial", "value": "7"}
    clinic.consented()
    ring = stored(clinic, device(clinic, identifier=[number]))
    again = clinic.world.create(device(clinic), clinic.admin)
    by_again = measured(clinic, device=to(f"Device/{again['id']}"))
    denied(clinic, data=data("authoredby", ring))
    before = seen(clinic)

    clinic.world.update(
        device(clinic, id=again["id"], identifier=[number]), clinic.admin
    )

    assert before == {by_again}
    assert seen(clinic) == set()


@pytest.mark.parametrize("maker", ["manufacturer", "udiCarrier"])
def test_a_serial_number_is_the_thing_only_with_its_maker(clinic, maker):
    makers = {
        "manufacturer": ("Ring Inc", "Watch Inc"),
        "udiCarrier": ([{"deviceIdentifier": "1"}], [{"deviceIdentifier": "2"}]),
    }
    one, other = makers[maker]
    clinic.consented()
    ring, again, watch = (
        stored(clinic, device(clinic, serialNumber="7", **{maker: value}))
        for value in (one, one, other)
    )
    measured(clinic, device=to(again))
    by_watch = measured(clinic, device=to(watch))

    denied(clinic, data=data("authoredby", ring))

    assert seen(clinic) == {by_watch}


def test_whom_a_provenance_names_is_an_author_from_then_on(clinic):
    ann = stored(clinic, {"resourceType": "Practitioner"})
    denied(clinic, data=data("authoredby", ann))
    first, second = measured(clinic), measured(clinic)
    before = seen(clinic)
    provenance = {
        "resourceType": "Provenance",
        "target": [to(first)],
        "recorded": "2026-11-20T12:00:00Z",
        "agent": [{"who": to(ann)}],
    }

    made = clinic.world.create(provenance, clinic.admin)
    named = seen(clinic)
    moved = {**provenance, "id": made["id"], "target": [to(second)]}
    clinic.world.update(moved, clinic.admin)

    assert before == {first, second}
    assert named == {second}
    assert seen(clinic) == {first}


def test_the_organization_behind_a_client_is_an_author_of_what_it_wrote(clinic):
    elsewhere = stored(clinic, {"resourceType": "Organization", "name": "Lab"})
    laboratory = clinic.world.client("lab", "system/*.cr", organization=elsewhere)
    theirs_too = consent(clinic.patient, permit(actor=actor(elsewhere)))
    clinic.world.create(theirs_too, clinic.admin)
    own = measured(clinic)
    theirs = clinic.world.create(observation(clinic.patient), laboratory)

    denied(clinic, data=data("authoredby", elsewhere))

    assert seen(clinic) == {own}
    assert hidden(clinic, f"Observation/{theirs['id']}")


def test_the_organization_of_a_performer_stays_that_of_the_time(clinic):
    ward = stored(clinic, {"resourceType": "Organization", "name": "Ward"})
    bob = stored(clinic, {"resourceType": "Practitioner"})
    role = {"resourceType": "PractitionerRole", "practitioner": to(bob)}
    made = clinic.world.create({**role, "organization": to(ward)}, clinic.admin)
    before = measured(clinic, performer=[to(bob)])
    denied(clinic, data=data("authoredby", ward))
    clinic.world.update({**role, "id": made["id"]}, clinic.admin)
    after = measured(clinic, performer=[to(bob)])

    id_ = after.partition("/")[2]
    same = observation(clinic.patient, performer=[to(bob)], id=id_)
    clinic.world.update({**same, "status": "amended"}, clinic.admin)

    assert seen(clinic) == {after}
    assert hidden(clinic, before)


def test_labels_are_ceiling_and_floor(clinic):
    label = {"system": CONFIDENTIALITY, "code": "R"}
    normal = measured(clinic, code="40443-4")
    restricted = measured(clinic, code="40443-4", meta={"security": [label]})

    denied(clinic, securityLabel=[label])

    assert seen(clinic) == {normal}
    assert hidden(clinic, restricted)


def test_three_levels_decide(clinic):
    label = {"system": CONFIDENTIALITY, "code": "R"}
    steps, pulse = (
        measured(clinic, code=code, meta={"security": [label]})
        for code in ("55423-8", "40443-4")
    )
    here = actor(clinic.organization)

    clinic.consented(
        provision=[
            {
                "type": "deny",
                "securityLabel": [label],
                "provision": [
                    permit(
                        actor=here,
                        securityLabel=[label],
                        provision=[{"type": "deny", "code": codes("55423-8")}],
                    )
                ],
            }
        ]
    )

    assert seen(clinic) == {pulse}
    assert hidden(clinic, steps)


def test_a_denied_device_collects_no_more(clinic):
    organization = clinic.organization
    writer = clinic.world.client("writer", "system/*.c", organization=organization)
    ring, watch = (stored(clinic, device(clinic)) for _ in range(2))

    denied(clinic, data=data("authoredby", ring), action=actions("collect"))
    statuses = [
        clinic.world.send(
            "POST",
            "/fhir/Observation",
            observation(clinic.patient, device=to(reference)),
            writer,
        ).status_code
        for reference in (ring, watch)
    ]

    assert statuses == [403, 201]
