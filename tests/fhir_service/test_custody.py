"""Who may file a consent, hand a patient over, and stand for whom."""

import shutil

import pytest
from worlds import (
    actor,
    consent,
    heart_rate,
    patient,
    permit,
    purposes,
    settings_of,
)

from fhir_service.deployment import SchemaError, open_deployment


def organization(clinic, name, **more):
    """Return the reference of another organisation."""
    made = clinic.world.create(
        {"resourceType": "Organization", "name": name, **more}, clinic.admin
    )
    return f"Organization/{made['id']}"


@pytest.fixture
def stranger(clinic):
    """Return an organisation without any part in the patient, and its client."""
    other = organization(clinic, "Other")
    return other, clinic.world.client("other", "system/*.cruds", organization=other)


def test_nobody_permits_himself(clinic, stranger):
    other, headers = stranger
    resource = consent(clinic.patient, permit(actor=actor(other)))

    answer = clinic.world.send("POST", "/fhir/Consent", resource, headers)
    absent = clinic.world.send(
        "POST",
        "/fhir/Consent",
        {**resource, "patient": {"reference": "Patient/no"}},
        headers,
    )

    assert answer.status_code == absent.status_code == 422
    assert answer.json["issue"] == absent.json["issue"]


def test_a_client_without_organization_or_purpose_files_no_consent(clinic):
    resource = consent(clinic.patient, permit(actor=actor(clinic.organization)))
    nobody = clinic.world.client("nobody", "system/Consent.c")
    aimless = clinic.world.client(
        "aimless", "system/Consent.c", organization=clinic.organization, purposes=()
    )

    for headers in (nobody, aimless):
        answer = clinic.world.send("POST", "/fhir/Consent", resource, headers)
        assert answer.status_code == 422


def test_only_the_custodian_hands_a_patient_over(clinic, stranger):
    other, headers = stranger
    clinic.world.create(
        consent(clinic.patient, permit(actor=actor(other), purpose=purposes("TREAT"))),
        clinic.admin,
    )
    path = f"/fhir/Patient/{clinic.patient}"
    body = {**patient(other, "user-1"), "id": clinic.patient}

    taken = clinic.world.send("PUT", path, body, headers)
    given = clinic.world.send("PUT", path, body, clinic.admin)

    assert taken.status_code == 422
    assert taken.json["issue"][0]["expression"] == ["Patient.managingOrganization"]
    assert given.status_code == 200


def test_an_organization_does_not_become_a_part_of_another(clinic, stranger):
    other, headers = stranger
    id_ = other.removeprefix("Organization/")
    body = {
        "resourceType": "Organization",
        "id": id_,
        "name": "Other",
        "partOf": {"reference": clinic.organization},
    }

    answer = clinic.world.send("PUT", f"/fhir/Organization/{id_}", body, headers)

    assert answer.status_code == 400
    assert answer.json["issue"][0]["expression"] == ["Organization.partOf"]


def test_a_deny_of_the_whole_meets_its_part(clinic):
    clinic.consented()
    clinic.deliver(heart_rate(1, "user-1"))
    whole = organization(clinic, "Whole")
    part = organization(clinic, "Part", partOf={"reference": whole})
    reader = clinic.world.client("part", "system/*.rs", organization=part)
    query = f"Observation?patient={clinic.patient}&code=8867-4"
    permitted = consent(
        clinic.patient, permit(actor=actor(part), purpose=purposes("TREAT"))
    )
    clinic.world.create(permitted, clinic.admin)
    before = clinic.found(query, reader)

    clinic.world.create(
        consent(clinic.patient, {"type": "deny", "actor": actor(whole)}), clinic.admin
    )

    assert len(before) == 1
    assert clinic.found(query, reader) == []


def test_a_part_of_the_custodian_is_not_the_custodian(clinic):
    part = organization(clinic, "Ward", partOf={"reference": clinic.organization})
    reader = clinic.world.client("ward", "system/*.rs", organization=part)

    answer = clinic.world.get(f"/fhir/Patient/{clinic.patient}", reader)

    assert answer.status_code == 404


def test_keys_of_another_deployment_open_nothing(clinic, tmp_path):
    data = clinic.world.data
    shutil.copytree(data, tmp_path / "copy")
    shutil.rmtree(tmp_path / "copy" / "keys")

    with pytest.raises(SchemaError):
        open_deployment(settings_of(tmp_path / "copy"))


def test_a_pretty_answer_holds_the_same(clinic):
    clinic.consented()
    clinic.deliver(heart_rate(1, "user-1", value=72))
    query = f"/fhir/Observation?patient={clinic.patient}"

    plain = clinic.world.get(query, clinic.ehr)
    pretty = clinic.world.get(f"{query}&_pretty=true", clinic.ehr)

    assert b"\n" in pretty.data
    assert b"\n" not in plain.data
    assert pretty.json["entry"] == plain.json["entry"]
