"""Update: the next version, under the client's conditions, of the same patient."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from worlds import Clinic, World, actor, consent, furnish, observation, patient, permit
from writes import code, delete, place, post, put, send, without_id

OTHER = "client-chosen"


@pytest.fixture
def creating(world: World) -> Clinic:
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


@pytest.fixture
def stored(clinic):
    clinic.consented()
    return post(clinic, observation(clinic.patient)).json


@pytest.fixture
def stranger(clinic):
    """Return the client of an organisation that may see nothing of the patient."""
    made = clinic.world.create(
        {"resourceType": "Organization", "name": "Other"}, clinic.admin
    )
    return clinic.world.client(
        "stranger", "system/*.cruds", organization=f"Organization/{made['id']}"
    )


@pytest.mark.parametrize("match", ['W/"1"', '"1"', "*", 'W/"7", W/"1"'])
def test_an_update_of_the_version_that_is_named_is_stored(clinic, stored, match):
    answer = put(clinic, {**stored, "status": "amended"}, If_Match=match)

    assert (answer.status_code, answer.headers["ETag"]) == (200, 'W/"2"')
    base = f"http://localhost:8000/fhir/Observation/{stored['id']}"
    assert answer.headers["Content-Location"] == f"{base}/_history/2"
    assert "Location" not in answer.headers


@pytest.mark.parametrize(
    ("match", "status"),
    [
        ('W/"2"', 412),
        ('W/"x"', 412),
        ('W/""', 412),
        ('"*"', 412),
        ("1", 400),
        ("", 400),
        ("W/1", 400),
    ],
)
def test_an_update_of_another_version_is_refused(clinic, stored, match, status):
    answer = put(clinic, stored, If_Match=match)

    assert answer.status_code == status
    assert code(answer) == {412: "conflict", 400: "invalid"}[status]


@pytest.mark.parametrize("none_match", ["*", 'W/"1"', '"1"'])
def test_an_update_that_expects_nothing_finds_something(clinic, stored, none_match):
    answer = put(clinic, stored, If_None_Match=none_match)

    assert (answer.status_code, code(answer)) == (412, "conflict")


def test_an_update_that_expects_another_version_than_one_is_stored(clinic, stored):
    assert put(clinic, stored, If_None_Match='W/"2"').status_code == 200


@pytest.mark.parametrize("header", ["If_None_Exist", "If_Unmodified_Since"])
def test_a_condition_that_is_not_understood_is_refused(clinic, stored, header):
    answer = put(clinic, stored, **{header: "x"})

    assert (answer.status_code, code(answer)) == (400, "not-supported")


def test_of_two_updates_of_one_version_one_is_stored(clinic, stored):
    def write(status):
        return put(clinic, {**stored, "status": status}, If_Match='W/"1"')

    clinic.world.get("/fhir/metadata", {})  # The application is built once.
    for version in range(1, 6):
        with ThreadPoolExecutor(2) as pool:
            answers = list(
                pool.map(
                    lambda status, of=version: put(
                        clinic, {**stored, "status": status}, If_Match=f'W/"{of}"'
                    ),
                    ("amended", "corrected"),
                )
            )

        assert sorted(one.status_code for one in answers) == [200, 412]
    read = clinic.world.get(f"/fhir/Observation/{stored['id']}", clinic.ehr)
    assert read.headers["ETag"] == 'W/"6"'
    assert write("final").status_code == 412


def test_hidden_and_absent_are_updated_alike(clinic, stored, stranger):
    for headers in ({}, {"If_Match": 'W/"1"'}, {"If_None_Match": "*"}):
        hidden = put(clinic, stored, stranger, **headers)
        absent = put(clinic, {**stored, "id": "absent"}, stranger, **headers)

        assert hidden.status_code == 404
        assert without_id(hidden, stored["id"]) == without_id(absent, "absent")


def test_a_condition_on_what_is_hidden_says_nothing(clinic, stored, stranger):
    answers = [
        put(clinic, stored, stranger, If_Match=match) for match in ('W/"1"', 'W/"9"')
    ]

    first, second = (without_id(one, stored["id"]) for one in answers)
    assert first == second


def test_a_deleted_resource_comes_back_as_the_next_version(clinic, stored):
    delete(clinic, f"Observation/{stored['id']}")

    answer = put(clinic, stored)

    assert (answer.status_code, answer.headers["ETag"]) == (201, 'W/"3"')
    assert answer.headers["Location"].endswith(f"{stored['id']}/_history/3")
    read = clinic.world.get(f"/fhir/Observation/{stored['id']}", clinic.ehr)
    assert read.json == answer.json


def test_a_deleted_resource_is_not_any_version(clinic, stored):
    delete(clinic, f"Observation/{stored['id']}")

    assert put(clinic, stored, If_Match="*").status_code == 412
    assert put(clinic, stored, If_None_Match="*").status_code == 201


def test_who_may_only_update_brings_nothing_back(clinic, stored):
    editor = clinic.world.client(
        "editor", "system/Observation.ru", organization=clinic.organization
    )
    delete(clinic, f"Observation/{stored['id']}")

    assert put(clinic, stored, editor).status_code == 403


@pytest.mark.parametrize(
    ("preference", "body"),
    [
        ("return=minimal", None),
        ("return=representation", "Observation"),
        ("return=OperationOutcome", "OperationOutcome"),
    ],
)
def test_a_client_says_what_it_wants_back(clinic, stored, preference, body):
    answer = put(clinic, stored, Prefer=preference)

    assert answer.status_code == 200
    assert answer.headers["Preference-Applied"] == preference
    assert (answer.json["resourceType"] if answer.data else None) == body


def test_a_preference_that_is_none_changes_nothing(clinic, stored):
    answer = put(clinic, stored, Prefer="return=nothing, respond-async")

    assert answer.json["resourceType"] == "Observation"
    assert "Preference-Applied" not in answer.headers


@pytest.mark.parametrize("id_", ["other", None, 7])
def test_another_id_in_the_body_is_refused(clinic, stored, id_):
    answer = send(
        clinic, "PUT", f"/fhir/Observation/{stored['id']}", {**stored, "id": id_}
    )

    assert answer.status_code in {400, 422}


def test_a_list_does_not_come_to_belong_to_another_patient(clinic):
    clinic.consented()
    other = clinic.another_patient()
    clinic.consented(patient_id=other)
    made = post(
        clinic,
        {
            "resourceType": "List",
            "status": "current",
            "mode": "working",
            "subject": {"reference": f"Patient/{clinic.patient}"},
        },
    ).json

    answer = put(clinic, {**made, "subject": {"reference": f"Patient/{other}"}})

    assert (answer.status_code, code(answer)) == (422, "business-rule")


def test_an_update_creates_where_the_operator_allows_it(creating):
    creating.consented()

    answer = put(creating, {**observation(creating.patient), "id": OTHER})

    assert (answer.status_code, answer.headers["ETag"]) == (201, 'W/"1"')
    read = creating.world.get(f"/fhir/Observation/{OTHER}", creating.ehr)
    assert read.json == answer.json


def test_an_update_that_expects_a_version_creates_nothing(creating):
    creating.consented()

    answer = put(creating, {**observation(creating.patient), "id": OTHER}, If_Match="*")

    assert answer.status_code == 404


def test_an_update_that_expects_nothing_creates(creating):
    body = {**patient(creating.organization), "id": OTHER}

    made = put(creating, body, If_None_Match="*")
    again = put(creating, body, If_None_Match="*")

    assert (made.status_code, again.status_code) == (201, 412)


def test_an_update_does_not_create_without_the_right_to(creating):
    editor = creating.world.client(
        "editor", "system/*.u", organization=creating.organization
    )

    answer = put(creating, {**patient(creating.organization), "id": OTHER}, editor)

    assert answer.status_code == 403


def test_an_id_that_is_hidden_is_not_created(creating):
    creating.consented()
    put(creating, {**observation(creating.patient), "id": OTHER})
    stranger = creating.world.client("stranger", "system/*.cruds")
    theirs = creating.world.create(patient(), creating.admin)["id"]

    answer = put(creating, {**observation(theirs), "id": OTHER}, stranger)

    assert answer.status_code == 404


def test_ids_of_our_form_are_never_made_by_clients(creating):
    creating.consented()
    made = post(creating, observation(creating.patient)).json
    stranger = creating.world.client("stranger", "system/*.cruds")
    theirs = creating.world.create(patient(), creating.admin)["id"]
    free = "7zzzzzzzzzzzz"

    hidden = put(creating, {**observation(theirs), "id": made["id"]}, stranger)
    absent = put(creating, {**observation(theirs), "id": free}, stranger)

    assert hidden.status_code == 404
    assert without_id(hidden, made["id"]) == without_id(absent, free)


def test_a_consent_is_changed_by_the_custodian_alone(clinic, stranger):
    made = clinic.consented()

    answer = put(clinic, {**made, "status": "inactive"}, stranger)

    assert answer.status_code == 404


def test_a_consent_that_is_dated_back_is_kept_with_when_it_was_filed(clinic):
    made = clinic.consented()

    answer = put(clinic, {**made, "dateTime": "1999-01-01"})

    assert answer.json["dateTime"] == "1999-01-01"
    assert answer.json["meta"]["lastUpdated"] == "2026-11-20T12:00:00.000Z"


def test_a_consent_dated_in_the_future_is_stored(clinic):
    provision = permit(actor=actor(clinic.organization))

    answer = post(
        clinic, consent(clinic.patient, provision, dateTime="2031-01-01T00:00:00Z")
    )

    assert answer.status_code == 201


def test_nobody_writes_what_happened(clinic):
    event = {"resourceType": "AuditEvent", "id": "1"}

    for answer in (post(clinic, event), put(clinic, event)):
        assert (answer.status_code, code(answer)) == (400, "not-supported")
        assert place(answer) is None
