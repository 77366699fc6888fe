"""Writes on both databases: races settled, belongings found, nothing half done."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from worlds import furnish, observation, patient

SYSTEM = "https://clinic.example/numbers"


@pytest.fixture
def clinic(any_world):
    any_world.get("/fhir/metadata", {})  # The application is built once.
    return furnish(any_world)


def at_once(*requests):
    with ThreadPoolExecutor(len(requests)) as pool:
        return list(pool.map(lambda request: request(), requests))


def test_of_updates_of_one_version_exactly_one_is_stored(clinic):
    clinic.consented()
    made = clinic.world.create(observation(clinic.patient), clinic.admin)
    path = f"/fhir/Observation/{made['id']}"

    def update(status):
        headers = {**clinic.admin, "If-Match": 'W/"1"'}
        return clinic.world.send("PUT", path, {**made, "status": status}, headers)

    def patch():
        operation = {"op": "replace", "path": "/status", "value": "cancelled"}
        headers = {**clinic.admin, "If-Match": 'W/"1"'}
        return clinic.world.send(
            "PATCH", path, [operation], headers, "application/json-patch+json"
        )

    def delete():
        headers = {**clinic.admin, "If-Match": 'W/"1"'}
        return clinic.world.http.delete(path, headers=headers)

    answers = at_once(
        lambda: update("amended"), lambda: update("corrected"), patch, delete
    )

    statuses = sorted(one.status_code for one in answers)
    assert statuses[0] in {200, 204}
    # Who comes after a deletion is told that; a stale version is told that.
    assert statuses[1:] == [412] * 3


def test_of_conditional_creates_exactly_one_is_stored(clinic):
    body = {
        **patient(clinic.organization),
        "identifier": [{"system": SYSTEM, "value": "7"}],
    }
    headers = {**clinic.admin, "If-None-Exist": f"identifier={SYSTEM}|7"}

    answers = at_once(
        *[lambda: clinic.world.send("POST", "/fhir/Patient", body, headers)] * 4
    )

    assert sorted(one.status_code for one in answers) == [200, 200, 200, 201]
    assert len({one.json["id"] for one in answers}) == 1


@pytest.mark.parametrize("type_", ["Observation", "Flag"])
def test_a_patient_stays_while_something_of_it_is_seen(clinic, type_):
    person = clinic.another_patient()
    body = {
        "Observation": observation(person),
        "Flag": {
            "resourceType": "Flag",
            "status": "active",
            "code": {"text": "x"},
            "subject": {"reference": f"Patient/{person}"},
        },
    }[type_]
    path, headers = f"/fhir/Patient/{person}", clinic.admin
    clinic.world.create(body, headers)
    clinic.consented(patient_id=person)

    refused = clinic.world.http.delete(path, headers=headers)

    assert refused.status_code == 409
    other = clinic.another_patient()
    gone = clinic.world.http.delete(f"/fhir/Patient/{other}", headers=headers)
    assert gone.status_code == 204
