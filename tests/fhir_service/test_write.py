"""Create and update: whole or not at all, with our labels, never widened."""

import pytest
from worlds import actor, consent, heart_rate, observation, patient, permit

from conformance import fhir_json

CONFIDENTIALITY = "http://terminology.hl7.org/CodeSystem/v3-Confidentiality"


def post(clinic, resource, **headers):
    return clinic.world.send(
        "POST",
        f"/fhir/{resource['resourceType']}",
        resource,
        {**clinic.admin, **headers},
    )


def put(clinic, resource, **headers):
    return clinic.world.send(
        "PUT",
        f"/fhir/{resource['resourceType']}/{resource['id']}",
        resource,
        {**clinic.admin, **headers},
    )


def test_a_created_resource_is_where_its_location_says(clinic):
    answer = post(clinic, patient(clinic.organization))

    assert answer.status_code == 201
    assert answer.headers["ETag"] == 'W/"1"'
    assert answer.headers["Last-Modified"] == "Fri, 20 Nov 2026 12:00:00 GMT"
    location = answer.headers["Location"].removesuffix("/_history/1")
    path = location.removeprefix("http://localhost:8000")
    read = clinic.world.get(path, clinic.ehr)
    assert read.get_data() == answer.get_data()
    assert read.headers["ETag"] == 'W/"1"'


def test_what_a_client_says_of_version_and_time_is_replaced(clinic):
    resource = patient(clinic.organization)
    resource["id"] = "their-own"
    resource["meta"] = {"versionId": "77", "lastUpdated": "1999-01-01T00:00:00Z"}

    made = post(clinic, resource).json

    assert made["id"] != "their-own"
    assert made["meta"]["versionId"] == "1"
    assert made["meta"]["lastUpdated"] == "2026-11-20T12:00:00.000Z"


def test_a_client_may_raise_a_label_and_never_lower_it(clinic):
    clinic.consented()
    for code, expected in (("R", "R"), ("U", "N")):
        resource = observation(
            clinic.patient,
            meta={"security": [{"system": CONFIDENTIALITY, "code": code}]},
        )

        made = post(clinic, resource).json

        assert [one["code"] for one in made["meta"]["security"]] == [expected]


def test_digits_of_a_decimal_are_kept(clinic):
    clinic.consented()
    text = fhir_json.dumps(observation(clinic.patient)).decode()
    body = text.replace(
        '"valueInteger":1', '"valueQuantity":{"value":72.500,"unit":"x"}'
    )

    made = clinic.world.send("POST", "/fhir/Observation", body.encode(), clinic.admin)

    assert '"value":72.500,' in made.get_data(as_text=True)


def test_return_minimal_answers_without_a_body(clinic):
    answer = post(clinic, patient(), Prefer="return=minimal")

    assert (answer.status_code, answer.get_data()) == (201, b"")
    assert answer.headers["ETag"] == 'W/"1"'


@pytest.mark.parametrize(
    ("change", "status", "place"),
    [
        ({"status": "bogus"}, 422, "Observation.status"),
        ({"status": None}, 400, None),
        ({"hitherto": 1}, 400, "Observation.hitherto"),
        ({"valueInteger": "1"}, 422, "Observation.value"),
        ({"valueBoolean": True}, 400, None),
        ({"component": []}, 400, None),
        ({"effectiveDateTime": "2026-02-30"}, 422, "Observation.effective"),
        ({"effectiveDateTime": "2026-01-01T10:00:00"}, 422, None),
        ({"resourceType": "Patient"}, 400, "resourceType"),
        ({"subject": {"reference": "Patient/nobody"}}, 422, "Observation.subject"),
        ({"subject": {"reference": "Group/1"}}, 422, None),
        ({"subject": {"reference": "https://elsewhere.example/Patient/1"}}, 422, None),
    ],
)
def test_a_bad_resource_is_refused_with_the_place(clinic, change, status, place):
    resource = {**observation(clinic.patient), **change}

    answer = clinic.world.send("POST", "/fhir/Observation", resource, clinic.admin)

    assert answer.status_code in {status, 400, 422}
    assert answer.json["resourceType"] == "OperationOutcome"
    places = [
        one for issue in answer.json["issue"] for one in issue.get("expression", [])
    ]
    assert place is None or place in places


def test_several_faults_are_told_at_once(clinic):
    resource = observation(clinic.patient, status="bogus", effectiveDateTime="x")

    answer = post(clinic, resource)

    assert len(answer.json["issue"]) == 2


@pytest.mark.parametrize("type_", ["AuditEvent", "Subscription", "Bundle", "Nonsense"])
def test_an_unsupported_type_is_not_written(clinic, type_):
    answer = post(clinic, {"resourceType": type_})

    assert answer.status_code == 400
    assert answer.json["issue"][0]["code"] == "not-supported"


@pytest.mark.parametrize("content_type", ["text/plain", "application/xml", ""])
def test_another_content_type_is_not_written(clinic, content_type):
    answer = clinic.world.send(
        "POST", "/fhir/Patient", patient(), clinic.admin, content_type
    )

    assert answer.status_code == 415


def test_device_data_is_written_with_a_consent_to_collect_alone(clinic):
    device = {
        "resourceType": "Device",
        "patient": {"reference": f"Patient/{clinic.patient}"},
    }
    answer = post(clinic, device)
    assert answer.status_code == 403
    assert answer.json["issue"][0]["code"] == "suppressed"

    clinic.consented()
    made = post(clinic, device).json

    measured = observation(clinic.patient, device={"reference": f"Device/{made['id']}"})
    assert post(clinic, measured).status_code == 201


def test_an_update_is_the_next_version(clinic):
    clinic.consented()
    made = post(clinic, observation(clinic.patient)).json

    answer = put(clinic, {**made, "status": "amended"}, **{"If-Match": 'W/"1"'})

    assert answer.status_code == 200
    assert answer.headers["ETag"] == 'W/"2"'
    read = clinic.world.get(f"/fhir/Observation/{made['id']}", clinic.ehr)
    assert read.json == answer.json


def test_a_resource_does_not_move_to_another_patient(clinic):
    clinic.consented()
    made = post(clinic, observation(clinic.patient)).json
    other = clinic.another_patient()
    clinic.consented(patient_id=other)

    answer = put(clinic, {**made, "subject": {"reference": f"Patient/{other}"}})

    assert answer.status_code == 422
    assert answer.json["issue"][0]["code"] == "business-rule"


def test_a_consent_does_not_move_to_another_patient(clinic):
    made = clinic.consented()
    other = clinic.another_patient()

    answer = put(clinic, {**made, "patient": {"reference": f"Patient/{other}"}})

    assert answer.status_code == 422


def test_the_id_in_the_body_is_that_of_the_url(clinic):
    clinic.consented()
    made = post(clinic, observation(clinic.patient)).json

    answer = clinic.world.send(
        "PUT", f"/fhir/Observation/{made['id']}", {**made, "id": "other"}, clinic.admin
    )

    assert answer.status_code == 400


def test_an_update_creates_nothing(clinic):
    answer = put(clinic, {**patient(), "id": "their-own"})

    assert answer.status_code == 404


@pytest.mark.parametrize(
    ("method", "header", "value"),
    [
        ("POST", "If-Match", 'W/"1"'),
        ("POST", "If-None-Match", "*"),
        ("PUT", "If-None-Exist", "identifier=1"),
        ("PUT", "If-Unmodified-Since", "Fri, 20 Nov 2026 12:00:00 GMT"),
    ],
)
def test_a_condition_that_is_not_understood_is_refused(clinic, method, header, value):
    made = post(clinic, patient(clinic.organization)).json
    path = "/fhir/Patient" + (f"/{made['id']}" if method == "PUT" else "")

    answer = clinic.world.send(method, path, made, {**clinic.admin, header: value})

    assert answer.status_code == 400
    assert answer.json["issue"][0]["code"] == "not-supported"


def test_a_scope_of_one_category_writes_that_category_alone(clinic):
    system = "http://terminology.hl7.org/CodeSystem/observation-category"
    narrow = clinic.world.client(
        "narrow",
        f"system/Observation.crus?category={system}|exam",
        organization=clinic.organization,
    )
    clinic.consented()

    def of(category):
        return observation(
            clinic.patient,
            category=[{"coding": [{"system": system, "code": category}]}],
        )

    made = clinic.world.create(of("exam"), narrow)
    for method, path, body in (
        ("POST", "/fhir/Observation", of("survey")),
        ("POST", "/fhir/Observation", observation(clinic.patient)),
        ("PUT", f"/fhir/Observation/{made['id']}", {**of("survey"), "id": made["id"]}),
    ):
        answer = clinic.world.send(method, path, body, narrow)

        assert answer.status_code == 403


def test_a_client_without_the_right_writes_nothing(clinic):
    for method, path in (("POST", "/fhir/Patient"), ("PUT", "/fhir/Patient/1")):
        answer = clinic.world.send(method, path, patient(), clinic.ehr)

        assert answer.status_code == 403


def test_a_refused_write_takes_no_number_and_leaves_no_row(clinic):
    first = clinic.consented()
    post(clinic, observation(clinic.patient, status="bogus"))
    post(clinic, observation("nobody"))

    second = clinic.consented()

    numbers = [list(one.written) for one in clinic.world.audited()[-4:]]
    assert first["id"] < second["id"]
    assert numbers[1:3] == [[], []]
    assert numbers[3][0] == numbers[0][0] + 1


def test_a_consent_with_another_patient_in_the_token_is_written_for_its_patient(clinic):
    provision = permit(actor=actor(clinic.organization))

    answer = post(clinic, consent("nobody", provision))

    assert answer.status_code == 422


def test_a_device_reading_may_not_come_in_by_the_back_door(clinic):
    clinic.consented()
    clinic.deliver(heart_rate(1, "user-1"))
    [found] = clinic.found(f"Observation?patient={clinic.patient}")
    [stored] = clinic.found(f"Consent?patient={clinic.patient}")
    clinic.world.update({**stored, "status": "inactive"}, clinic.admin)
    copy = {name: value for name, value in found.items() if name != "id"}
    copy["device"] = {"reference": "Device/1"}

    assert post(clinic, copy).status_code == 403
