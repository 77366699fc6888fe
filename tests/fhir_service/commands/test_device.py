import csv
import io
import json

import pytest

from consent.audit.entry import Interaction, decode
from fhir_service.commands.device import lines
from fhir_service.deployment import opened
from fhir_service.ingest.device_health import DAY_US, facts
from fhir_service.ingest.health_listing import DeviceHealth
from fhir_service.storage import audit_log, device_states
from fhir_service.storage.device_states import Aspect, DeviceState

NOW = 1_795_176_000_000_000


def last_audited(settings):
    with opened(settings) as deployment, deployment.database.read() as snapshot:
        *_, (_, leaf, _) = audit_log.entries(snapshot)
        return decode(leaf, unseal=deployment.services.seal.unsealer(snapshot))


def patients_heard(settings):
    """Return how many devices are known of how many patients."""
    with opened(settings) as deployment, deployment.database.read() as snapshot:
        found = list(device_states.every(snapshot))
    return len(found), len({state.patient_key for state in found})


def test_all_devices_are_listed_by_patient(filled_on_either, fhir_service):
    devices, patients = patients_heard(filled_on_either)

    result = fhir_service(filled_on_either, "device", "health", "--json")

    told = json.loads(result.stdout)
    heard = [
        one for person in told for one in person["devices"] if "lastReading" in one
    ]
    assert result.exit_code == 0
    assert devices
    assert len(heard) == devices
    assert len(told) >= patients
    assert {one["facts"][0]["fact"] for one in heard} == {"silent"}


def test_the_devices_of_one_patient_are_listed_and_audited(filled, fhir_service):
    everybody = json.loads(fhir_service(filled, "device", "health", "--json").stdout)
    person = everybody[0]["patient"]

    result = fhir_service(filled, "device", "health", "--patient", person, "--json")

    told = json.loads(result.stdout)
    audited = last_audited(filled)
    assert [one["device"] for one in told["devices"]] == [
        one["device"] for one in everybody[0]["devices"]
    ]
    assert audited.interaction is Interaction.SEARCH
    assert audited.request == f"device health {person}"
    assert len(audited.disclosed) == len(told["devices"])


def test_an_unknown_patient_is_told(filled, fhir_service):
    result = fhir_service(filled, "device", "health", "--patient", "nobody")

    assert result.exit_code == 1
    assert result.stderr == "fhir-service: There is no Patient/nobody here.\n"


def test_people_are_told_in_a_line_for_each_device_and_fact():
    state = DeviceState(
        patient_key=1,
        row=2,
        source="x",
        last_taken=NOW - 2 * DAY_US,
        last_received=NOW - 2 * DAY_US,
        battery=Aspect(12, NOW - 2 * DAY_US, NOW - 3 * DAY_US),
    )
    heard = DeviceHealth(
        reference="Device/a", name="Watch", state=state, facts=facts(state, NOW)
    )
    unheard = DeviceHealth(reference="Device/b", name="", state=None, facts=())

    assert list(lines("p", [heard, unheard], NOW)) == [
        "Patient/p",
        "  Device/a  Watch  last reading 2 d ago",
        "    silent since 2 d ago",
        "    battery-low since 3 d ago (battery 12 %)",
        "  Device/b  no name  no reading",
    ]


@pytest.fixture
def person(filled, fhir_service):
    everybody = json.loads(fhir_service(filled, "device", "health", "--json").stdout)
    return everybody[0]["patient"]


def test_days_with_data_are_a_table(filled, person, fhir_service):
    result = fhir_service(
        filled,
        "days-with-data",
        person,
        "--start",
        "2026-03-01",
        "--zone",
        "Europe/Vienna",
    )

    rows = list(csv.DictReader(io.StringIO(result.stdout)))
    held = {row["date"] for row in rows if row["measurements"] != "0"}
    assert result.exit_code == 0
    assert len({row["date"] for row in rows}) == 30
    assert held
    assert held <= {f"2026-03-{day:02}" for day in range(10, 17)}
    audited = last_audited(filled)
    assert audited.interaction is Interaction.READ
    assert audited.request == f"days-with-data {person} 2026-03-01 2026-03-30"


def test_days_with_data_are_json_for_programs(filled, person, fhir_service):
    arguments = ("--start", "2026-03-01", "--end", "2026-03-02", "--zone", "UTC")

    result = fhir_service(filled, "days-with-data", person, *arguments, "--json")

    told = json.loads(result.stdout)
    assert told["patient"] == person
    assert [window["length"] for window in told["windows"]] == [2]


def test_days_need_a_zone(filled, person, fhir_service):
    result = fhir_service(filled, "days-with-data", person, "--start", "2026-03-01")

    assert result.exit_code == 1
    assert "zone=Area/City" in result.stderr
