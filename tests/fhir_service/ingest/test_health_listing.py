"""Who is told what of a patient's devices."""

from datetime import timedelta

import pytest
from watch import battery, deliver, heart
from worlds import START, actions, actor, classes, codes, purposes

from consent.audit.entry import Interaction

MDC = "urn:iso:std:iso:11073:10101"


def asked(clinic, headers=None, patient=None):
    answer = clinic.world.get(
        f"/device-data/health?patient={patient or clinic.patient}",
        headers or clinic.ehr,
    )
    assert answer.status_code == 200, answer.get_data(as_text=True)
    return answer.json


def told(minutes):
    moment = START + timedelta(minutes=minutes)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.000Z")


def permitted_but(clinic, **denied):
    """Permit everything but that some may be read."""
    return clinic.consented(
        actor=actor(clinic.organization),
        purpose=purposes("TREAT"),
        provision=[{"type": "deny", "action": actions("access"), **denied}],
    )


def test_the_health_of_a_device_is_told_with_its_evidence(either):
    either.consented()
    deliver(either, heart(0), heart(2), battery(15, 1), minutes=30)
    [device] = either.found(f"Device?patient={either.patient}")

    listed = asked(either)

    assert listed == {
        "patient": f"Patient/{either.patient}",
        "at": told(30),
        "devices": [
            {
                "device": f"Device/{device['id']}",
                "name": "Watch",
                "source": "test",
                "lastReading": told(2),
                "lastDelivery": told(30),
                "usualGapSeconds": 60,
                "battery": {"what": "battery", "value": 15, "unit": "%", "at": told(1)},
                "facts": [
                    {
                        "fact": "battery-low",
                        "since": told(1),
                        "evidence": [
                            {
                                "what": "battery",
                                "value": 15,
                                "unit": "%",
                                "at": told(1),
                            }
                        ],
                    }
                ],
            }
        ],
    }


def test_a_registered_device_that_was_never_heard_is_listed_without_facts(clinic):
    clinic.consented()
    made = clinic.world.create(
        {
            "resourceType": "Device",
            "deviceName": [{"name": "Door", "type": "user-friendly-name"}],
            "patient": {"reference": f"Patient/{clinic.patient}"},
        },
        clinic.admin,
    )

    listed = asked(clinic)

    assert listed["devices"] == [
        {"device": f"Device/{made['id']}", "name": "Door", "facts": []}
    ]


def test_a_device_falls_silent_as_time_goes_by(clinic):
    clinic.consented()
    deliver(clinic, heart(0), minutes=0)

    clinic.world.clock.pass_s(25 * 3600)

    [device] = asked(clinic)["devices"]
    assert [fact["fact"] for fact in device["facts"]] == ["silent"]
    assert device["facts"][0]["since"] == told(0)


@pytest.mark.parametrize(
    ("query", "status", "code"),
    [
        ("", 422, "required"),
        ("?patient=a&patient=b", 400, "invalid"),
        ("?patient=Device/a", 400, "invalid"),
        ("?patient=a&status=active", 400, "invalid"),
    ],
)
def test_one_patient_is_named(clinic, query, status, code):
    answer = clinic.world.get(f"/device-data/health{query}", clinic.ehr)

    assert answer.status_code == status
    assert answer.json["issue"][0]["code"] == code


@pytest.mark.parametrize("scopes", ["system/Observation.rs", "system/Device.r"])
def test_the_scope_of_searching_devices_is_needed(clinic, scopes):
    clinic.consented()
    headers = clinic.world.client("other", scopes, organization=clinic.organization)

    answer = clinic.world.get(f"/device-data/health?patient={clinic.patient}", headers)

    assert answer.status_code == 403


def test_a_patient_scope_opens_the_devices_of_the_patient_in_context_alone(clinic):
    clinic.consented()
    other = clinic.another_patient()
    clinic.consented(patient_id=other)
    deliver(clinic, battery(15, 0), minutes=0)
    deliver(clinic, battery(15, 1), minutes=1, patient_id=other)
    made = clinic.world.create(
        {"resourceType": "Practitioner"},
        clinic.world.client("people", "system/Practitioner.c"),
    )
    headers = clinic.world.person(
        "clinician",
        "patient/Device.rs",
        reference=f"Practitioner/{made['id']}",
        organization=clinic.organization,
        patient=clinic.patient,
    )

    own, others = asked(clinic, headers), asked(clinic, headers, other)

    assert len(own["devices"]) == 1
    assert others["devices"] == []


def test_a_patient_without_consent_is_as_one_who_is_not_here(clinic):
    made = clinic.consented()
    deliver(clinic, battery(15, 0), minutes=0)
    clinic.world.update({**made, "status": "inactive"}, clinic.admin)

    hidden, absent = asked(clinic), asked(clinic, patient="nobody")

    assert hidden["devices"] == absent["devices"] == []


def test_a_device_that_may_not_be_seen_is_not_listed(clinic):
    permitted_but(clinic, **{"class": classes("Device")})
    deliver(clinic, battery(15, 0), minutes=0)

    assert asked(clinic)["devices"] == []


def test_a_withheld_level_of_a_battery_makes_no_fact(clinic):
    permitted_but(clinic, code=codes("67996", system=MDC))
    deliver(clinic, heart(0), battery(3, 5), minutes=30)

    [device] = asked(clinic)["devices"]

    assert "battery" not in device
    assert device["facts"] == []
    assert device["lastReading"] == told(0)
    assert "lastDelivery" not in device


def test_withheld_readings_do_not_tell_when_a_device_was_heard(clinic):
    permitted_but(clinic, code=codes("8867-4"))
    deliver(clinic, battery(50, 0), heart(60), minutes=61)
    deliver(clinic, heart(2 * 24 * 60), minutes=2 * 24 * 60)

    [device] = asked(clinic)["devices"]

    assert device["lastReading"] == told(0)
    assert [fact["fact"] for fact in device["facts"]] == ["silent"]
    assert device["battery"]["value"] == 50


def test_where_all_readings_are_withheld_nothing_is_told_of_them(clinic):
    permitted_but(clinic, **{"class": classes("Observation")})
    deliver(clinic, battery(3, 0), heart(60), minutes=61)

    [device] = asked(clinic)["devices"]

    assert sorted(device) == ["device", "facts", "name"]
    assert device["facts"] == []


def test_a_listing_is_audited_as_a_search_of_the_patients_devices(clinic):
    clinic.consented()
    deliver(clinic, battery(15, 0), minutes=0)

    asked(clinic)

    [row] = [
        one
        for one in clinic.world.audited()
        if "/device-data/health" in (one.request or "")
    ]
    services = clinic.world.deployment.services
    assert row.interaction is Interaction.SEARCH
    assert row.resource_type == "Device"
    assert row.patients == (services.pseudonym(clinic.patient),)
    assert len(row.disclosed) == 1
    assert row.basis
