"""A Device follows its unit: new firmware, a serial number from another source."""

from dataclasses import replace

import pytest
from watch import WATCH, deliver, heart, measured
from worlds import actions, classes

from fhir_service.auth import local
from mappings.measurement import DeviceClue

MDC = "urn:iso:std:iso:11073:10101"
SOFTWARE, FIRMWARE = "531975", "531976"

UDI = "(01)00844588003288(17)141120(10)7654321D(21)10987654d321"


def told(**versions):
    """Return the watch with these versions."""
    return WATCH._replace(**versions)


def devices(clinic):
    return clinic.found(f"Device?patient={clinic.patient}")


def versions(device):
    return {
        one["type"]["coding"][0]["code"]: one["value"]
        for one in device.get("version", ())
    }


def history(clinic, device):
    """Return the versions of each stored version, the newest first."""
    answer = clinic.world.get(f"/fhir/Device/{device['id']}/_history", clinic.ehr)
    return [versions(one["resource"]) for one in answer.json["entry"]]


def test_a_firmware_seen_later_is_a_new_version_of_the_device(either):
    either.consented()
    deliver(either, heart(0, device=told(firmware="1.0", software="A")), minutes=0)

    deliver(either, heart(1, device=told(firmware="1.1")), minutes=1)

    [device] = devices(either)
    assert device["meta"]["versionId"] == "2"
    assert device["patient"] == {"reference": f"Patient/{either.patient}"}
    assert history(either, device) == [
        {SOFTWARE: "A", FIRMWARE: "1.1"},
        {SOFTWARE: "A", FIRMWARE: "1.0"},
    ]
    assert {one["device"]["reference"] for one in either.found("Observation")} == {
        f"Device/{device['id']}"
    }


def test_a_firmware_is_stored_once_and_not_with_each_delivery(clinic):
    clinic.consented()
    for minute in range(3):
        reading = heart(minute, device=told(firmware="1.0"))
        deliver(clinic, reading, minutes=minute)

    [device] = devices(clinic)
    assert device["meta"]["versionId"] == "1"


def test_an_older_reading_does_not_bring_an_older_firmware_back(either):
    either.consented()
    deliver(either, heart(10, device=told(firmware="2.0")), minutes=10)

    deliver(either, heart(5, device=told(firmware="1.0")), minutes=11)

    [device] = devices(either)
    assert history(either, device) == [{FIRMWARE: "2.0"}]


def test_of_one_delivery_the_newest_reading_tells_the_firmware(either):
    either.consented()

    deliver(
        either,
        heart(0, device=told(firmware="1.0")),
        heart(9, device=told(firmware="3.0")),
        heart(5, device=told(firmware="2.0")),
        minutes=10,
    )

    [device] = devices(either)
    assert versions(device) == {FIRMWARE: "3.0"}


def test_a_delivery_that_tells_no_firmware_leaves_it(clinic):
    clinic.consented()
    deliver(clinic, heart(0, device=told(firmware="1.0")), minutes=0)

    deliver(clinic, heart(1), minutes=1)

    [device] = devices(clinic)
    assert history(clinic, device) == [{FIRMWARE: "1.0"}]


def test_a_firmware_that_is_a_reading_of_its_own_counts(clinic):
    clinic.consented()
    deliver(clinic, heart(0, device=told(firmware="1.0")), minutes=0)

    deliver(clinic, measured("firmware-version", "1.5", "", 1), minutes=1)

    [device] = devices(clinic)
    assert history(clinic, device) == [{FIRMWARE: "1.5"}, {FIRMWARE: "1.0"}]


def test_a_firmware_is_not_stored_once_the_device_may_not_be_collected(either):
    consent = either.consented()
    deliver(either, heart(0, device=told(firmware="1.0")), minutes=0)
    denial = {
        "type": "deny",
        "action": actions("collect"),
        "class": classes("Device"),
    }
    provision = {**consent["provision"], "provision": [denial]}
    either.world.update({**consent, "provision": provision}, either.admin)

    deliver(either, heart(1, device=told(firmware="2.0")), minutes=1)

    [device] = devices(either)
    assert history(either, device) == [{FIRMWARE: "1.0"}]


def test_a_new_firmware_brings_no_deleted_device_back(clinic):
    clinic.consented()
    unit = DeviceClue(manufacturer="Maker", model="One")
    deliver(clinic, heart(0, device=unit._replace(firmware="1.0")), minutes=0)
    [device] = devices(clinic)
    clinic.world.http.delete(f"/fhir/Device/{device['id']}", headers=clinic.admin)

    deliver(clinic, heart(1, device=unit._replace(firmware="2.0")), minutes=1)

    assert devices(clinic) == []


def test_a_new_firmware_is_in_the_provenance_of_its_delivery(clinic):
    clinic.consented()
    deliver(clinic, heart(0, device=told(firmware="1.0")), minutes=0)

    deliver(clinic, heart(1, device=told(firmware="1.1")), minutes=1)

    delivery = clinic.world.audited()[-1]
    assert len(delivery.written) == 2
    [device] = devices(clinic)
    provenances = clinic.found(f"Provenance?target=Device/{device['id']}")
    activities = {one["activity"]["coding"][0]["code"] for one in provenances}
    assert activities == {"CREATE", "UPDATE"}


# Which unit it is


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (
            DeviceClue(manufacturer="Maker", serial="S-1", model="One"),
            DeviceClue(manufacturer="Maker", serial="S-1", model="1"),
        ),
        (DeviceClue(udi=UDI), DeviceClue(udi=UDI, model="Monitor")),
        (
            DeviceClue(identifier="7", system="urn:example:unit", udi=UDI),
            DeviceClue(udi=UDI),
        ),
        (
            DeviceClue(udi=UDI),
            DeviceClue(identifier="7", system="urn:example:unit", udi=UDI),
        ),
        (
            DeviceClue(manufacturer="Maker", serial="S-1"),
            DeviceClue(
                identifier="7",
                system="urn:example:unit",
                manufacturer="Maker",
                serial="S-1",
            ),
        ),
    ],
)
def test_a_unit_is_known_again_when_another_source_tells_it(either, first, second):
    either.consented()
    deliver(either, heart(0, device=first), minutes=0, source="one")

    deliver(either, heart(1, device=second), minutes=1, source="two")

    [device] = devices(either)
    found = either.found("Observation")
    assert [one["device"]["reference"] for one in found] == [
        f"Device/{device['id']}"
    ] * 2


@pytest.mark.parametrize(
    "clue",
    [
        DeviceClue(manufacturer="Maker", model="One"),
        DeviceClue(manufacturer="Maker", model="One", serial="0000"),
        DeviceClue(manufacturer="Maker", model="One", serial="Unknown"),
        DeviceClue(model="One", serial="S-1"),
        DeviceClue(manufacturer="Maker", model="One", udi="(01)00844588003288"),
    ],
)
def test_a_model_alone_is_another_unit_for_another_source(either, clue):
    either.consented()
    deliver(either, heart(0, device=clue), minutes=0, source="one")

    deliver(either, heart(1, device=clue), minutes=1, source="two")

    assert len(devices(either)) == 2


def test_a_registered_device_is_known_by_its_serial_number(either):
    either.consented()
    made = either.world.create(
        {
            "resourceType": "Device",
            "manufacturer": "Maker",
            "serialNumber": "S-1",
            "patient": {"reference": f"Patient/{either.patient}"},
        },
        either.admin,
    )
    clue = DeviceClue(manufacturer="maker", serial="s-1", firmware="1.0")

    deliver(either, heart(0, device=clue), minutes=0)

    [device] = devices(either)
    assert device["id"] == made["id"]
    assert versions(device) == {FIRMWARE: "1.0"}


def test_a_device_is_found_by_its_udi(either):
    either.consented()
    deliver(either, heart(0, device=DeviceClue(udi=UDI)), minutes=0)

    found = either.found(f"Device?udi-carrier={UDI[:18]}")

    assert [one["udiCarrier"] for one in found] == [[{"carrierHRF": UDI}]]
    assert either.found("Device?udi-carrier=(01)1") == []


def test_a_serial_number_stands_in_no_index_as_it_is(clinic):
    clinic.consented()
    clue = DeviceClue(manufacturer="Maker", serial="CANARY-5512", udi=UDI)
    deliver(clinic, heart(0, device=clue), minutes=0)

    clinic.world.deployment.database.close()
    stored = b"".join(
        path.read_bytes() for path in clinic.world.data.rglob("*") if path.is_file()
    )

    assert b"CANARY-5512" not in stored
    assert UDI.encode() not in stored


def test_the_patient_of_a_device_is_set_once(clinic):
    clinic.consented()
    deliver(clinic, heart(0), minutes=0)
    other = clinic.another_patient()
    [device] = devices(clinic)

    answer = clinic.world.send(
        "PUT",
        f"/fhir/Device/{device['id']}",
        {**device, "patient": {"reference": f"Patient/{other}"}},
        clinic.admin,
    )

    assert answer.status_code == 422


def test_a_stranger_changes_no_device_that_it_may_not_collect(either):
    either.consented()
    deliver(either, heart(0, device=told(firmware="1.0")), minutes=0)
    stranger = replace(local.operator("Organization/b"), client_id="strange")

    deliver(either, heart(1, device=told(firmware="6.6")), minutes=1, grant=stranger)

    [device] = devices(either)
    assert history(either, device) == [{FIRMWARE: "1.0"}]
