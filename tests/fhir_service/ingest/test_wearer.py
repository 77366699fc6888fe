"""Whose a measurement is: by identifier, never by a value that happens to be equal."""

from dataclasses import replace

import pytest
from worlds import APP_USER, actions, actor, codes, heart_rate, patient, purposes

from mappings.vendors.zigbee2mqtt.device import ZIGBEE_ADDRESS

ADDRESS = "00:15:8D:00:01:02:03:04"
TOPIC = "zigbee2mqtt/0x00158d0001020304"


def message():
    payload = {"temperature": 20.5, "last_seen": "2026-11-19T10:00:00+01:00"}
    return {"topic": TOPIC, "payload": payload}


def person(clinic, system, value):
    identifier = {"identifier": [{"system": system, "value": value}]}
    made = clinic.world.create(
        {**patient(clinic.organization), **identifier}, clinic.admin
    )
    clinic.consented(patient_id=made["id"])
    return made["id"]


def sensor(clinic, **more):
    return clinic.world.create(
        {
            "resourceType": "Device",
            "identifier": [{"system": ZIGBEE_ADDRESS, "value": ADDRESS}],
            "status": "active",
            "patient": {"reference": f"Patient/{clinic.patient}"},
            **more,
        },
        clinic.admin,
    )


def room(clinic, name):
    made = clinic.world.create(
        {"resourceType": "Location", "status": "active", "name": name}, clinic.admin
    )
    return {"reference": f"Location/{made['id']}"}


def told(receipt):
    """Return a receipt's places and reasons."""
    return [
        (item["outcome"], item.get("reason"), item.get("detail"))
        for item in receipt["items"]
    ]


@pytest.mark.parametrize("system", ["urn:oid:1.2.3", f"{APP_USER}-user"])
def test_an_equal_value_in_another_system_is_nobodys_name(clinic, system):
    person(clinic, system, "4711")

    receipt = clinic.deliver(heart_rate(1, "4711"))

    assert receipt["items"][0]["reason"] == "unknown-patient"


def test_a_record_number_does_not_stand_against_the_patient_that_is_asked_for(clinic):
    clinic.consented()
    person(clinic, "urn:oid:1.2.3", "4711")

    receipt = clinic.world.deliver(
        "open-mhealth",
        [heart_rate(1, "4711")],
        clinic.gateway,
        f"?patient={clinic.patient}",
    )

    assert receipt["stored"] == 1


@pytest.mark.parametrize("form", ["{}", "Patient/{}"])
def test_a_patients_id_is_a_name_for_the_patient(clinic, form):
    clinic.consented()

    receipt = clinic.deliver(heart_rate(1, form.format(clinic.patient)))

    assert receipt["stored"] == 1


def test_an_identifier_in_the_vendors_system_is_a_name_for_the_patient(either):
    either.consented()

    receipt = either.deliver(heart_rate(1, "user-1"))

    assert receipt["stored"] == 1


def test_a_sensor_in_two_rooms_of_one_patient_is_not_guessed(clinic):
    clinic.consented()
    sensor(clinic, location=room(clinic, "one"))
    sensor(clinic, location=room(clinic, "two"))

    receipt = clinic.deliver(message(), source="zigbee2mqtt")

    assert receipt["items"][0]["reason"] == "ambiguous-wearer"


def test_a_sensor_that_is_registered_twice_for_one_room_is_understood(clinic):
    clinic.consented()
    same = room(clinic, "one")
    sensor(clinic, location=same)
    sensor(clinic, location=same)

    receipt = clinic.deliver(message(), source="zigbee2mqtt")

    assert receipt["stored"] == 1


# Of another organisation


@pytest.mark.parametrize("value", [60, -5])
def test_another_organisations_gateway_is_not_told_who_is_a_patient(
    clinic, stranger, value
):
    clinic.consented()

    known = stranger.deliver(heart_rate(1, "user-1", value=value))
    unknown = stranger.deliver(heart_rate(1, "nobody", value=value))

    assert known == unknown


@pytest.mark.parametrize("user", ["user-1", "user-2", "nobody"])
def test_a_patient_named_by_a_request_is_not_told_either(clinic, stranger, user):
    clinic.another_patient("user-2")

    answers = [
        stranger.world.deliver(
            "open-mhealth", [heart_rate(1, user)], stranger.gateway, f"?patient={id_}"
        )
        for id_ in (clinic.patient, "not-here")
    ]

    assert answers[0] == answers[1]
    assert answers[0]["items"][0]["reason"] == "unknown-patient"


def test_several_patients_of_another_organisation_are_none(clinic, stranger):
    clinic.another_patient("user-1")

    known = stranger.deliver(heart_rate(1, "user-1"))
    unknown = stranger.deliver(heart_rate(1, "nobody"))

    assert known == unknown


def test_a_sensor_of_another_organisations_patient_is_not_registered(clinic, stranger):
    clinic.consented()
    unknown = stranger.deliver(message(), source="zigbee2mqtt")
    sensor(clinic, location=room(clinic, "one"))

    known = stranger.deliver(message(), source="zigbee2mqtt")

    assert known == unknown
    assert known["items"][0]["reason"] == "unknown-device"


def test_a_patient_of_two_organisations_is_the_gateways_own(clinic, stranger):
    clinic.consented()
    made = stranger.world.create(
        patient(stranger.organization, "user-1"), stranger.admin
    )

    ours = clinic.deliver(heart_rate(1, "user-1"))
    theirs = stranger.deliver(heart_rate(1, "user-1"))

    assert (ours["stored"], theirs["withheld"]) == (1, 1)
    assert len(clinic.found(f"Observation?patient={clinic.patient}")) == 1
    assert made["id"] != clinic.patient


def test_another_organisation_stores_what_the_patient_permits_it(clinic, stranger):
    replace(clinic, organization="Organization/b").consented(
        actor=actor("Organization/b"),
        purpose=purposes("TREAT"),
        action=actions("collect"),
        provision=[{"type": "deny", "code": codes("59408-5")}],
    )

    receipt = stranger.deliver(heart_rate(1, "user-1"))

    assert told(receipt) == [("stored", None, None)]


def test_the_patients_own_organisation_is_told_that_consent_withholds(clinic):
    receipt = clinic.deliver(heart_rate(1, "user-1"))

    assert (receipt["withheld"], receipt["quarantined"]) == (1, 0)
