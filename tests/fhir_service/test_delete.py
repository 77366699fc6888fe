"""Delete: gone for those who saw it, unknown to those who did not."""

import pytest
from worlds import actor, consent, observation, patient, permit, purposes
from writes import code, delete, place, post, without_id

PATIENT_STAYS = "A Patient to whom resources belong is not deleted."


@pytest.fixture
def stored(clinic):
    clinic.consented()
    return post(clinic, observation(clinic.patient)).json


def test_what_is_deleted_is_gone(clinic, stored):
    path = f"Observation/{stored['id']}"

    answer = delete(clinic, path)

    assert (answer.status_code, answer.get_data()) == (204, b"")
    assert answer.headers["ETag"] == 'W/"2"'
    assert "Content-Type" not in answer.headers
    read = clinic.world.get(f"/fhir/{path}", clinic.ehr)
    assert (read.status_code, code(read)) == (410, "deleted")
    assert clinic.found(f"Observation?patient={clinic.patient}") == []


def test_what_is_deleted_twice_is_deleted_once(clinic, stored):
    path = f"Observation/{stored['id']}"

    first, second = delete(clinic, path), delete(clinic, path)

    assert second.status_code == 204
    assert second.headers["ETag"] == first.headers["ETag"]
    *_, before, after = clinic.world.audited()
    assert (len(before.written), len(after.written)) == (1, 0)


def test_what_names_others_is_deleted_and_comes_back_like_any_other(clinic):
    clinic.consented()
    made = post(
        clinic,
        {
            "resourceType": "List",
            "status": "current",
            "mode": "working",
            "subject": {"reference": f"Patient/{clinic.patient}"},
        },
    ).json
    path = f"List/{made['id']}"

    statuses = [delete(clinic, path).status_code for _ in range(2)]
    back = clinic.world.send("PUT", f"/fhir/{path}", made, clinic.admin)

    assert (statuses, back.status_code) == ([204, 204], 201)


def test_hidden_and_absent_are_deleted_alike(clinic, stored):
    stranger = clinic.world.client("stranger", "system/*.cruds")
    for headers in ({}, {"If_Match": 'W/"1"'}, {"Prefer": "return=OperationOutcome"}):
        hidden = delete(clinic, f"Observation/{stored['id']}", stranger, **headers)
        absent = delete(clinic, "Observation/absent", stranger, **headers)

        assert hidden.status_code == 404
        assert without_id(hidden, stored["id"]) == without_id(absent, "absent")
    read = clinic.world.get(f"/fhir/Observation/{stored['id']}", clinic.ehr)
    assert read.status_code == 200


def test_what_was_deleted_is_unknown_to_whom_it_was_hidden_from(clinic, stored):
    stranger = clinic.world.client("stranger", "system/*.cruds")
    delete(clinic, f"Observation/{stored['id']}")

    again = delete(clinic, f"Observation/{stored['id']}", stranger)
    absent = delete(clinic, "Observation/absent", stranger)

    assert without_id(again, stored["id"]) == without_id(absent, "absent")


def test_a_delete_of_another_version_is_refused(clinic, stored):
    path = f"Observation/{stored['id']}"

    assert delete(clinic, path, If_Match='W/"2"').status_code == 412
    assert delete(clinic, path, If_Match='W/"1"').status_code == 204


def test_a_delete_tells_its_outcome_where_that_is_preferred(clinic, stored):
    answer = delete(
        clinic, f"Observation/{stored['id']}", Prefer="return=OperationOutcome"
    )

    assert (answer.status_code, answer.json["resourceType"]) == (
        200,
        "OperationOutcome",
    )


def test_who_may_not_delete_deletes_nothing(clinic, stored):
    editor = clinic.world.client(
        "editor", "system/*.crus", organization=clinic.organization
    )

    assert delete(clinic, f"Observation/{stored['id']}", editor).status_code == 403


def test_a_consent_is_never_deleted(clinic):
    made = clinic.consented()
    for path in (f"Consent/{made['id']}", "Consent/absent", "Consent?_id=1"):
        answer = delete(clinic, path)

        assert (answer.status_code, code(answer)) == (405, "not-supported")
        assert "inactive" in answer.json["issue"][0]["diagnostics"]


def test_what_happened_is_never_deleted(clinic):
    answer = delete(clinic, "AuditEvent/1")

    assert (answer.status_code, code(answer)) == (405, "not-supported")


def test_a_patient_is_deleted_while_nothing_belongs_to_it(clinic):
    made = post(clinic, patient(clinic.organization)).json

    answer = delete(clinic, f"Patient/{made['id']}")

    assert answer.status_code == 204
    read = clinic.world.get(f"/fhir/Patient/{made['id']}", clinic.ehr)
    assert read.status_code == 410


def test_a_patient_stays_whatever_is_seen_to_belong_to_it(clinic):
    with_consent, with_data = clinic.another_patient(), clinic.another_patient()
    clinic.consented(patient_id=with_consent)
    clinic.consented(patient_id=with_data)
    post(clinic, observation(with_data))

    answers = [delete(clinic, f"Patient/{one}") for one in (with_consent, with_data)]

    assert [one.status_code for one in answers] == [409, 409]
    told = [one.json["issue"] for one in answers]
    assert told[0] == told[1]
    assert told[0][0]["diagnostics"] == PATIENT_STAYS


def test_what_is_hidden_does_not_keep_a_patient_and_stays_hidden(clinic):
    with_hidden, alone = clinic.another_patient(), clinic.another_patient()
    made = post(clinic, observation(with_hidden)).json

    answers = [delete(clinic, f"Patient/{one}") for one in (with_hidden, alone)]

    assert [one.status_code for one in answers] == [204, 204]
    read = clinic.world.get(f"/fhir/Observation/{made['id']}", clinic.ehr)
    assert read.status_code == 404


def test_a_patient_goes_although_what_is_left_is_hidden(clinic):
    person = clinic.another_patient()
    flag = {
        "resourceType": "Flag",
        "status": "active",
        "code": {"text": "x"},
        "subject": {"reference": f"Patient/{person}"},
    }
    made = clinic.world.create(flag, clinic.admin)
    hidden = delete(clinic, f"Flag/{made['id']}")
    gone = delete(clinic, f"Patient/{person}")

    # Without a consent the custodian itself does not see the Flag.
    assert (hidden.status_code, gone.status_code) == (404, 204)


def test_only_the_custodian_deletes_a_patient(clinic):
    other = clinic.world.create(
        {"resourceType": "Organization", "name": "Other"}, clinic.admin
    )
    reference = f"Organization/{other['id']}"
    headers = clinic.world.client("other", "system/*.cruds", organization=reference)
    clinic.world.create(
        consent(
            clinic.patient, permit(actor=actor(reference), purpose=purposes("TREAT"))
        ),
        clinic.admin,
    )

    answer = delete(clinic, f"Patient/{clinic.patient}", headers)

    assert (answer.status_code, code(answer)) == (422, "business-rule")


def test_nothing_is_filed_for_a_patient_who_was_deleted(clinic):
    made = post(clinic, patient(clinic.organization)).json
    delete(clinic, f"Patient/{made['id']}")

    gone = post(clinic, observation(made["id"]))
    absent = post(clinic, observation("absent"))

    assert gone.status_code == 422
    assert gone.json["issue"] == absent.json["issue"]


def test_a_part_of_an_organization_is_not_deleted(clinic):
    part = clinic.world.create(
        {
            "resourceType": "Organization",
            "name": "Ward",
            "partOf": {"reference": clinic.organization},
        },
        clinic.admin,
    )

    answer = delete(clinic, f"Organization/{part['id']}")

    assert (answer.status_code, code(answer)) == (409, "conflict")
    assert place(answer) == "Organization.partOf"


def test_an_organization_does_not_come_back_as_a_part(clinic):
    made = clinic.world.create(
        {"resourceType": "Organization", "name": "Own"}, clinic.admin
    )
    delete(clinic, f"Organization/{made['id']}")
    back = {**made, "partOf": {"reference": clinic.organization}}

    answer = clinic.world.send(
        "PUT", f"/fhir/Organization/{made['id']}", back, clinic.admin
    )

    assert (answer.status_code, place(answer)) == (400, "Organization.partOf")


@pytest.mark.parametrize("path", ["Nonsense/1", "Bundle/1", "Parameters/1"])
def test_what_is_never_stored_is_not_deleted(clinic, path):
    answer = delete(clinic, path)

    assert (answer.status_code, code(answer)) == (400, "not-supported")
