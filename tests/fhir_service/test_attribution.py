"""Whose a resource is: said by itself, of this server, of one patient."""

import pytest
from worlds import actions, actor, consent, observation, patient, permit, purposes
from writes import code, place, post, put

from conformance.classes import DERIVED, PATIENT_DATA, SHARED
from fhir_service.interactions.attribution import MAX_ANCHORS
from fhir_service.interactions.received import NOT_WRITTEN, WRITABLE


@pytest.fixture
def people(clinic):
    """Return two patients whose data the clinic may see, and one whose it may not."""
    other = clinic.another_patient()
    clinic.consented()
    clinic.consented(patient_id=other)
    return clinic.patient, other, clinic.another_patient()


def binary(reference=None):
    named = {} if reference is None else {"securityContext": {"reference": reference}}
    return {"resourceType": "Binary", "contentType": "text/plain", **named}


def listing(*references):
    entries = [{"item": {"reference": one}} for one in references]
    return {
        "resourceType": "List",
        "status": "current",
        "mode": "working",
        **({"entry": entries} if entries else {}),
    }


def key_of(clinic, type_, id_):
    with clinic.world.deployment.database.read() as snapshot:
        repository = clinic.world.deployment.services.repository
        return repository.read(snapshot, type_, id_).patient_key


def test_every_type_that_can_be_stored_is_written_but_those_named():
    assert WRITABLE | NOT_WRITTEN.keys() == {*PATIENT_DATA, *SHARED, *DERIVED}
    assert {"AuditEvent", "Subscription"} == NOT_WRITTEN.keys()


@pytest.mark.parametrize(
    "resource",
    [
        {"resourceType": "Basic", "code": {"text": "x"}},
        {"resourceType": "Device"},
        {"resourceType": "Task", "status": "draft", "intent": "plan"},
        {
            "resourceType": "Appointment",
            "status": "proposed",
            "participant": [{"status": "accepted", "type": [{"text": "x"}]}],
        },
    ],
)
def test_what_names_no_patient_is_nobodys_and_refused(clinic, resource):
    answer = post(clinic, resource)

    element = PATIENT_DATA[resource["resourceType"]].replace("*", "")
    assert (answer.status_code, code(answer)) == (422, "business-rule")
    assert place(answer) == f"{resource['resourceType']}.{element}"


@pytest.mark.parametrize(
    "reference",
    [
        "Patient/absent",
        "https://elsewhere.example/fhir/Patient/1",
        "Patient/absent/_history/1",
        "urn:uuid:6c5c1d3e-0000-4000-8000-000000000000",
    ],
)
def test_a_subject_that_is_no_patient_of_ours_is_refused(clinic, reference):
    answer = post(clinic, {**observation("x"), "subject": {"reference": reference}})

    assert (answer.status_code, place(answer)) == (422, "Observation.subject")


@pytest.mark.parametrize("form", ["{base}/Patient/{id}", "Patient/{id}/_history/1"])
def test_a_subject_may_be_named_in_every_form_of_ours(clinic, people, form):
    reference = form.format(base="http://localhost:8000/fhir", id=people[0])

    answer = post(clinic, {**observation("x"), "subject": {"reference": reference}})

    assert answer.status_code == 201
    key = key_of(clinic, "Observation", answer.json["id"])
    assert key == key_of(clinic, "Patient", people[0])


def test_two_patients_in_one_appointment_are_not_guessed_between(clinic, people):
    participants = [
        {"actor": {"reference": f"Patient/{one}"}, "status": "accepted"}
        for one in people[:2]
    ]

    answer = post(
        clinic,
        {
            "resourceType": "Appointment",
            "status": "proposed",
            "participant": participants,
        },
    )

    assert (answer.status_code, code(answer)) == (422, "business-rule")


def test_references_to_hidden_and_absent_are_kept_alike(clinic, people):
    hidden = post(clinic, observation(people[2])).json["id"]
    for reference in (f"Observation/{hidden}", "Observation/absent"):
        body = {**observation(people[0]), "derivedFrom": [{"reference": reference}]}

        assert post(clinic, body).status_code == 201


def test_what_is_about_one_patient_is_that_patients(clinic, people):
    seen = post(clinic, observation(people[0])).json["id"]
    organization = clinic.organization

    answers = [
        post(clinic, binary(f"Patient/{people[0]}")),
        post(clinic, listing(f"Observation/{seen}", organization)),
    ]

    key = key_of(clinic, "Patient", people[0])
    for answer in answers:
        made = answer.json
        assert key_of(clinic, made["resourceType"], made["id"]) == key


def test_what_is_about_several_patients_is_no_single_ones(clinic, people):
    members = [{"entity": {"reference": f"Patient/{one}"}} for one in people[:2]]
    group = {
        "resourceType": "Group",
        "type": "person",
        "actual": True,
        "member": members,
    }

    made = post(clinic, group).json

    assert key_of(clinic, "Group", made["id"]) == 0


def test_a_device_metric_is_of_the_patient_of_its_device(clinic, people):
    device = post(
        clinic,
        {
            "resourceType": "Device",
            "patient": {"reference": f"Patient/{people[0]}"},
        },
    ).json
    metric = {
        "resourceType": "DeviceMetric",
        "type": {"text": "x"},
        "category": "measurement",
    }

    made = post(
        clinic, {**metric, "source": {"reference": f"Device/{device['id']}"}}
    ).json
    nobodys = post(clinic, metric)

    key = key_of(clinic, "Patient", people[0])
    assert key_of(clinic, "DeviceMetric", made["id"]) == key
    assert (nobodys.status_code, place(nobodys)) == (422, "DeviceMetric.source")


def test_what_says_nothing_of_whose_it_is_is_refused(clinic):
    nothing = post(clinic, binary())
    empty = post(clinic, listing())

    assert (nothing.status_code, place(nothing)) == (422, "Binary.securityContext")
    assert (empty.status_code, code(empty)) == (422, "business-rule")


def test_what_is_about_hidden_and_absent_is_refused_alike(clinic, people):
    hidden = post(clinic, observation(people[2])).json["id"]
    seen = post(clinic, observation(people[0])).json["id"]

    def refused(*references):
        return post(clinic, listing(f"Observation/{seen}", *references))

    answers = [
        refused(f"Observation/{hidden}"),
        refused("Observation/absent"),
        refused("Bundle/1"),
    ]

    assert {one.status_code for one in answers} == {422}
    first, *others = (one.json["issue"] for one in answers)
    assert all(one == first for one in others)


def test_what_a_client_may_not_read_it_may_not_build_on(clinic, people):
    writer = clinic.world.client(
        "writer", "system/Binary.c", organization=clinic.organization
    )

    known = post(clinic, binary(f"Patient/{people[0]}"), writer)
    absent = post(clinic, binary("Patient/absent"), writer)

    assert known.status_code == absent.status_code == 422
    assert known.json["issue"] == absent.json["issue"]


def test_a_resource_is_not_about_endless_others(clinic):
    references = [f"Observation/{number}" for number in range(MAX_ANCHORS + 1)]

    answer = post(clinic, listing(*references))

    assert (answer.status_code, code(answer)) == (400, "too-costly")


@pytest.mark.parametrize("owner", ["Observation", "Patient", "List", "Medication"])
def test_another_patients_data_is_not_contained(clinic, people, owner):
    inner = {**observation(people[1]), "id": "inner"}
    used = {"extension": [{"url": "https://clinic.example/x"}]}
    used["extension"][0]["valueReference"] = {"reference": "#inner"}
    outer = {
        "Observation": observation(people[0]),
        "Patient": patient(clinic.organization),
        "List": listing(f"Patient/{people[0]}"),
        "Medication": {"resourceType": "Medication"},
    }[owner]

    answer = post(clinic, {**outer, **used, "contained": [inner]})

    assert (answer.status_code, code(answer)) == (422, "business-rule")
    assert place(answer) == f"{owner}.contained[0]"


def test_the_patients_own_data_may_be_contained(clinic, people):
    inner = {**observation(people[0]), "id": "inner"}
    outer = {**observation(people[0]), "hasMember": [{"reference": "#inner"}]}

    answer = post(clinic, {**outer, "contained": [inner]})

    assert answer.status_code == 201


@pytest.fixture
def stranger(clinic):
    """Return an organisation that has no part in the patients, and its client."""
    made = clinic.world.create(
        {"resourceType": "Organization", "name": "Other"}, clinic.admin
    )
    reference = f"Organization/{made['id']}"
    return reference, clinic.world.client(
        "stranger", "system/*.cruds", organization=reference
    )


def device_of(patient_id):
    return {
        "resourceType": "Device",
        "patient": {"reference": f"Patient/{patient_id}"},
    }


@pytest.mark.parametrize("make", [observation, device_of])
def test_a_stranger_is_not_told_by_a_create_who_is_here(clinic, stranger, make):
    here = post(clinic, make(clinic.patient), stranger[1])
    absent = post(clinic, make("absent"), stranger[1])

    assert here.status_code == absent.status_code == 422
    assert here.json["issue"] == absent.json["issue"]


def test_who_may_see_the_patient_files_for_it(clinic, stranger):
    other, headers = stranger
    clinic.world.create(
        consent(clinic.patient, permit(actor=actor(other), purpose=purposes("TREAT"))),
        clinic.admin,
    )

    assert post(clinic, observation(clinic.patient), headers).status_code == 201


def test_who_may_collect_files_devices_and_no_records(clinic, stranger):
    other, headers = stranger
    provision = permit(actor=actor(other), action=actions("collect"))
    clinic.world.create(consent(clinic.patient, provision), clinic.admin)

    device = post(clinic, device_of(clinic.patient), headers)
    record = post(clinic, observation(clinic.patient), headers)

    assert (device.status_code, record.status_code) == (201, 422)


def test_a_stranger_is_not_told_by_an_update_who_is_here(clinic, stranger):
    other, headers = stranger
    hidden = clinic.another_patient()
    clinic.world.create(
        consent(clinic.patient, permit(actor=actor(other), purpose=purposes("TREAT"))),
        clinic.admin,
    )
    made = post(clinic, observation(clinic.patient), headers).json

    answers = [
        put(clinic, {**made, "subject": {"reference": f"Patient/{one}"}}, headers)
        for one in (hidden, "absent")
    ]

    assert [one.status_code for one in answers] == [422, 422]
    first, second = (one.json["issue"] for one in answers)
    assert first == second
