"""A Device is stored where it may be collected, and named where it is stored."""

from worlds import actions, actor, classes, purposes

from fhir_service.auth import local
from fhir_service.ingest.files import import_file
from fhir_service.ingest.receipt import Fate
from fhir_service.storage import devices, patients, types
from fhir_service.storage.units import unit_hash
from mappings.measurement import DeviceClue

WATCH = (
    "&lt;&lt;HKDevice: 0x1&gt;, name:Watch, manufacturer:Maker, model:Model, "
    "hardware:Hardware1,1, software:1.0&gt;"
)


def export(folder, *rates):
    """Return an export of Apple Health with these heart rates, a minute apart."""
    records = "".join(
        f'<Record type="HKQuantityTypeIdentifierHeartRate" sourceName="W" '
        f'unit="count/min" device="{WATCH}" creationDate="{at}" startDate="{at}" '
        f'endDate="{at}" value="{rate}"/>'
        for number, rate in enumerate(rates)
        for at in (f"2026-09-01 10:{number:02}:00 +0200",)
    )
    path = folder / "export.xml"
    path.write_text(
        f'<?xml version="1.0"?><HealthData locale="en_US">{records}</HealthData>'
    )
    return path


def imported(clinic, path):
    return import_file(
        clinic.world.deployment.services,
        "apple-health",
        path,
        patient_id=clinic.patient,
        grant=local.operator(clinic.organization),
    )


def without_devices(clinic):
    """Deny collecting Devices, within what is permitted."""
    return clinic.consented(
        actor=actor(clinic.organization),
        purpose=purposes("TREAT"),
        provision=[
            {
                "type": "deny",
                "action": actions("collect"),
                "class": classes("Device"),
            }
        ],
    )


def test_a_device_that_may_not_be_collected_is_neither_stored_nor_named(
    either, tmp_path
):
    without_devices(either)

    receipt = imported(either, export(tmp_path, 60, 61))

    assert receipt.counts == {Fate.STORED: 2}
    found = either.found(f"Observation?patient={either.patient}")
    assert [one for one in found if "device" in one] == []
    assert either.found(f"Device?patient={either.patient}") == []


def test_a_measurement_stays_the_same_when_its_device_may_be_collected(
    clinic, tmp_path
):
    denial = without_devices(clinic)
    imported(clinic, export(tmp_path, 60))
    clinic.world.update({**denial, "status": "inactive"}, clinic.admin)
    clinic.consented()

    receipt = imported(clinic, export(tmp_path, 60, 61))

    assert receipt.counts == {Fate.DUPLICATE: 1, Fate.STORED: 1}
    [device] = clinic.found(f"Device?patient={clinic.patient}")
    named = [
        one["device"]["reference"]
        for one in clinic.found(f"Observation?patient={clinic.patient}")
        if "device" in one
    ]
    assert named == [f"Device/{device['id']}"]


def test_two_apps_with_one_interval_are_two_readings_and_no_device(clinic, tmp_path):
    clinic.consented()
    at = "2026-09-01 10:00:00 +0200"
    record = (
        '<Record type="HKQuantityTypeIdentifierHeartRate" sourceName="{}" '
        f'unit="count/min" creationDate="{at}" startDate="{at}" endDate="{at}" '
        'value="{}"/>'
    )
    records = record.format("Jane Roe", 60) + record.format("Diary", 61)
    path = tmp_path / "export.xml"
    path.write_text(f'<HealthData locale="en_US">{records}</HealthData>')

    first, second = imported(clinic, path), imported(clinic, path)

    assert first.counts == {Fate.STORED: 2}
    assert second.counts == {Fate.DUPLICATE: 2}
    found = clinic.found(f"Observation?patient={clinic.patient}")
    assert sorted(one["valueQuantity"]["value"] for one in found) == [60, 61]
    assert [one for one in found if "device" in one or "Jane" in str(one)] == []
    assert clinic.found(f"Device?patient={clinic.patient}") == []


def test_a_device_whose_identifier_was_wrong_no_longer_stands_for_that_unit(clinic):
    clinic.consented()
    device = clinic.world.create(
        {
            "resourceType": "Device",
            "identifier": [{"system": "urn:ietf:rfc:3986", "value": "urn:uuid:1"}],
            "patient": {"reference": f"Patient/{clinic.patient}"},
        },
        clinic.admin,
    )

    device["identifier"][0]["value"] = "urn:uuid:2"
    clinic.world.update(device, clinic.admin)

    deployment = clinic.world.deployment
    blind = deployment.services.repository.blind
    number = types.number_of("Patient")
    with deployment.database.read() as snapshot:
        key = patients.by_id(snapshot, number, clinic.patient).key
        found = [
            devices.row_of_unit(
                snapshot,
                key,
                unit_hash(blind, "", DeviceClue(value, "urn:ietf:rfc:3986")),
            )
            for value in ("urn:uuid:1", "urn:uuid:2")
        ]
    assert found[0] is None
    assert found[1] is not None
