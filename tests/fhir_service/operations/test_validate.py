"""$validate: what is wrong, what was not looked at, and nothing of what is hidden."""

import json

import pytest
from outcomes import outcome_of
from worlds import consent, observation, permit, same_for

CORE = "http://hl7.org/fhir/us/core/StructureDefinition"
HEART_RATE = f"{CORE}/us-core-heart-rate"


def vital(patient, **more):
    """Return an Observation that meets US Core's heart rate profile."""
    category = {
        "system": "http://terminology.hl7.org/CodeSystem/observation-category",
        "code": "vital-signs",
    }
    return {
        "resourceType": "Observation",
        "status": "final",
        "category": [{"coding": [category]}],
        "code": {"coding": [{"system": "http://loinc.org", "code": "8867-4"}]},
        "subject": {"reference": f"Patient/{patient}"},
        "effectiveDateTime": "2026-11-02T09:00:00Z",
        "valueQuantity": {
            "value": 61,
            "unit": "beats/minute",
            "system": "http://unitsofmeasure.org",
            "code": "/min",
        },
        **more,
    }


def without(resource, name):
    return {key: value for key, value in resource.items() if key != name}


def parameters(resource=None, **values):
    listed = [] if resource is None else [{"name": "resource", "resource": resource}]
    elements = {"mode": "valueCode", "profile": "valueUri"}
    listed += [{"name": name, elements[name]: given} for name, given in values.items()]
    return {"resourceType": "Parameters", "parameter": listed}


def told(clinic, path, body, headers=None):
    """Return severity, code and place of every issue; the operation has run."""
    answer = clinic.world.send("POST", f"/fhir/{path}", body, headers or clinic.ehr)
    assert answer.status_code == 200, answer.get_data(as_text=True)
    return [
        (issue["severity"], issue["code"], *issue.get("expression", []))
        for issue in outcome_of(answer)
    ]


def wrong(clinic, path, body, headers=None):
    """Return the errors."""
    return [issue for issue in told(clinic, path, body, headers) if issue[0] == "error"]


NARRATIVE = {
    "status": "generated",
    "div": '<div xmlns="http://www.w3.org/1999/xhtml">A patient</div>',
}


def test_where_nothing_is_wrong_the_first_issue_says_so(clinic):
    told_well = {"resourceType": "Patient", "text": NARRATIVE}

    assert told(clinic, "Patient/$validate", told_well) == [
        ("information", "informational"),
        ("information", "not-supported"),
    ]


def test_a_warning_is_told_and_is_no_error(clinic):
    silent = {"resourceType": "Patient"}

    assert told(clinic, "Patient/$validate", silent) == [
        ("information", "informational"),
        ("warning", "invariant", "Patient"),
        ("information", "not-supported"),
    ]


def test_what_is_not_looked_at_is_told(clinic):
    answer = clinic.world.send(
        "POST", "/fhir/Patient/$validate", {"resourceType": "Patient"}, clinic.ehr
    )

    limits = outcome_of(answer)[-1]["diagnostics"]
    assert "Whether a reference resolves" in limits
    assert "http://hl7.org/fhir/ValueSet/mimetypes" in limits


def test_a_value_set_of_the_profile_that_is_not_listed_is_told(clinic):
    url = f"{CORE}/us-core-documentreference"
    path = f"/fhir/DocumentReference/$validate?profile={url}"

    answer = clinic.world.send(
        "POST", path, {"resourceType": "DocumentReference"}, clinic.ehr
    )

    limits = [
        issue["diagnostics"]
        for issue in outcome_of(answer)
        if issue["severity"] == "information"
    ]
    value_set = "http://hl7.org/fhir/us/core/ValueSet/us-core-documentreference-type"
    assert f"Not checked for {url}: codes of {value_set}." in limits


def test_every_error_is_told_with_its_place(clinic):
    bad = {
        "resourceType": "Patient",
        "birthDate": "yesterday",
        "gender": "x",
        "nick": "y",
    }

    assert sorted(wrong(clinic, "Patient/$validate", bad)) == [
        ("error", "code-invalid", "Patient.gender"),
        ("error", "structure", "Patient.nick"),
        ("error", "value", "Patient.birthDate"),
    ]


@pytest.mark.parametrize("way", ["query", "parameters", "claim"])
def test_a_profile_is_asked_about_in_every_way(clinic, way):
    lacking = without(vital(clinic.patient), "effectiveDateTime")
    path, body = {
        "query": (f"Observation/$validate?profile={HEART_RATE}", lacking),
        "parameters": (
            "Observation/$validate",
            parameters(lacking, profile=HEART_RATE),
        ),
        "claim": (
            "Observation/$validate",
            {**lacking, "meta": {"profile": [HEART_RATE]}},
        ),
    }[way]

    found = wrong(clinic, path, body)

    assert ("error", "required", "Observation.effective") in found


def test_a_resource_that_meets_its_profile_has_nothing_wrong(clinic):
    body = parameters(vital(clinic.patient), profile=HEART_RATE)

    assert wrong(clinic, "Observation/$validate", body) == []


def test_a_profile_that_is_not_known_is_an_error_that_names_it(clinic):
    path = "/fhir/Patient/$validate?profile=https://example.org/none"

    answer = clinic.world.send("POST", path, {"resourceType": "Patient"}, clinic.ehr)

    first = outcome_of(answer)[0]
    assert answer.status_code == 200
    assert (first["severity"], first["code"]) == ("error", "not-found")
    assert "https://example.org/none" in first["diagnostics"]


def test_a_profile_that_cannot_be_checked_is_not_passed(clinic):
    path = f"DocumentReference/$validate?profile={CORE}/us-core-adi-documentreference"
    body = {"resourceType": "DocumentReference"}

    assert ("error", "not-supported") in wrong(clinic, path, body)


def test_a_profile_of_another_type_is_an_error(clinic):
    path = f"Patient/$validate?profile={HEART_RATE}"

    found = wrong(clinic, path, {"resourceType": "Patient"})

    assert found == [("error", "value", "Patient.meta.profile")]


def test_validation_stores_nothing(clinic):
    before = clinic.search("Observation?_summary=count", clinic.admin)["total"]

    told(clinic, "Observation/$validate?mode=create", vital(clinic.patient))

    after = clinic.search("Observation?_summary=count", clinic.admin)["total"]
    assert (before, after) == (0, 0)


def refused_consent(clinic):
    label = {
        "system": "http://terminology.hl7.org/CodeSystem/v3-Confidentiality",
        "code": "SECRET",
    }
    return consent(clinic.patient, permit(securityLabel=[label]))


def test_what_is_valid_and_not_honoured_is_an_error_of_a_write_alone(clinic):
    body = refused_consent(clinic)

    place = "Consent.provision.securityLabel[0]"
    assert wrong(clinic, "Consent/$validate", body) == []
    assert wrong(clinic, "Consent/$validate?mode=create", body) == [
        ("error", "not-supported", place)
    ]
    refused = clinic.world.send("POST", "/fhir/Consent", body, clinic.admin)
    assert refused.json["issue"][0]["expression"] == [place]


def test_a_type_that_is_not_written_cannot_be_created(clinic):
    event = {"resourceType": "AuditEvent"}

    found = wrong(clinic, "AuditEvent/$validate?mode=create", event)

    assert found[0] == ("error", "not-supported")


def test_an_update_is_of_the_resource_that_is_addressed(clinic):
    named = {"resourceType": "Patient", "id": "other"}
    path = f"Patient/{clinic.patient}/$validate"

    assert wrong(clinic, path, parameters(named, mode="update")) == [
        ("error", "invalid", "Patient.id")
    ]
    assert wrong(clinic, path, parameters({**named, "id": clinic.patient})) == []


def test_an_update_without_an_id_is_refused(clinic):
    body = parameters({"resourceType": "Patient"}, mode="update")

    found = wrong(clinic, "Patient/$validate", body)

    assert found == [("error", "required", "Patient.id")]


def test_whether_a_type_is_deleted_is_told_of_a_resource(clinic):
    kept = clinic.consented()

    patient = wrong(clinic, f"Patient/{clinic.patient}/$validate?mode=delete", b"")
    consents = wrong(clinic, f"Consent/{kept['id']}/$validate?mode=delete", b"")

    assert patient == []
    assert consents == [("error", "not-supported")]


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_the_stored_resource_is_validated_where_none_is_sent(clinic, method):
    clinic.consented()
    made = clinic.world.create(
        without(vital(clinic.patient), "effectiveDateTime")
        | {"code": observation(clinic.patient)["code"]},
        clinic.admin,
    )
    path = f"/fhir/Observation/{made['id']}/$validate?profile={HEART_RATE}"

    answer = clinic.world.http.open(path, method=method, headers=clinic.ehr)

    assert answer.status_code == 200
    places = [
        place for issue in outcome_of(answer) for place in issue.get("expression", [])
    ]
    assert "Observation.effective" in places


@pytest.mark.parametrize("mode", ["", "?mode=update", "?mode=delete"])
def test_what_is_hidden_is_answered_like_what_is_absent(clinic, mode):
    hidden = clinic.world.create(observation(clinic.patient), clinic.admin)["id"]
    stranger = clinic.world.client("stranger", "system/*.rs")

    answers = [
        same_for(clinic.world.get(f"/fhir/Observation/{id_}/$validate{mode}", stranger))
        for id_ in (hidden, "absent")
    ]

    assert answers[0][0] == 404
    assert answers[0][2].replace(hidden.encode(), b"absent") == answers[1][2]


def test_what_is_sent_is_not_compared_with_what_is_stored(clinic):
    hidden = clinic.world.create(observation(clinic.patient), clinic.admin)["id"]
    stranger = clinic.world.client("stranger", "system/*.rs")

    found = [
        told(
            clinic,
            f"Observation/{id_}/$validate",
            parameters({**vital("x"), "id": id_}, mode="update"),
            stranger,
        )
        for id_ in (hidden, "absent")
    ]

    assert found[0] == found[1]


@pytest.mark.parametrize(
    ("scopes", "of_type", "of_instance"),
    [
        ("system/Patient.c", 200, 403),
        ("system/Patient.u", 200, 403),
        ("system/Patient.r", 200, 200),
        ("system/Patient.ds", 403, 403),
        ("system/Observation.cruds", 403, 403),
    ],
)
def test_the_scope_decides_who_validates(clinic, scopes, of_type, of_instance):
    headers = clinic.world.client("validator", scopes)
    body = {"resourceType": "Patient", "id": "x"}

    statuses = [
        clinic.world.send("POST", f"/fhir/{path}", body, headers).status_code
        for path in ("Patient/$validate", "Patient/x/$validate")
    ]

    assert statuses == [of_type, of_instance]


BODY = {"resourceType": "Patient"}


@pytest.mark.parametrize(
    ("path", "body", "status", "code"),
    [
        ("Patient/$validate?mode=guess", BODY, 400, "invalid"),
        ("Patient/$validate?mode=profile", BODY, 400, "not-supported"),
        ("Patient/$validate?mode=delete", BODY, 400, "invalid"),
        ("Patient/$validate?mode=create&mode=create", BODY, 400, "invalid"),
        ("Patient/$validate?usageContext=x", BODY, 400, "invalid"),
        ("Patient/$validate?resource=x", BODY, 400, "invalid"),
        ("Patient/$validate", b"", 422, "required"),
        ("Patient/$validate", parameters(), 422, "required"),
        ("Patient/$validate", parameters(parameters(BODY)), 400, "invalid"),
        ("Patient/$validate", {"resourceType": "Group"}, 400, "invalid"),
        ("Patient/$validate", {}, 400, "invalid"),
        ("Patient/$validate", b"[]", 400, "structure"),
        ("Patient/$validate", b'{"a":1,"a":2}', 400, "structure"),
        ("Nonsense/$validate", {"resourceType": "Nonsense"}, 400, "not-supported"),
    ],
)
def test_a_call_that_cannot_be_understood_is_refused(clinic, path, body, status, code):
    answer = clinic.world.send("POST", f"/fhir/{path}", body, clinic.ehr)

    assert answer.status_code == status
    assert outcome_of(answer)[0]["code"] == code


@pytest.mark.parametrize(
    "listed",
    [
        [{"name": "usageContext", "valueCode": "x"}],
        [{"name": "mode", "valueString": "create"}],
        [{"name": "mode", "valueCode": 1}],
        [{"name": "mode", "valueCode": "create", "valueUri": "x"}],
        [{"name": "mode"}],
        [{"name": 1}],
        [{}],
        ["mode"],
        "mode",
        [{"name": "resource", "resource": "x"}],
        [{"name": "resource", "resource": BODY}] * 2,
        [{"name": "mode", "valueCode": "create"}] * 2,
    ],
    ids=json.dumps,
)
def test_an_input_that_the_operation_does_not_have_is_refused(clinic, listed):
    body = {"resourceType": "Parameters", "parameter": listed}

    answer = clinic.world.send("POST", "/fhir/Patient/$validate", body, clinic.ehr)

    assert answer.status_code == 400
    assert outcome_of(answer)[0]["code"] == "invalid"


def test_a_body_of_another_format_is_refused(clinic):
    answer = clinic.world.send(
        "POST", "/fhir/Patient/$validate", b"<Patient/>", clinic.ehr, "application/xml"
    )

    assert answer.status_code == 415


def test_a_call_is_audited_as_an_operation(clinic):
    told(clinic, "Patient/$validate", BODY)

    last = clinic.world.audited()[-1]
    assert (last.interaction, last.resource_type) == ("operation", "Patient")
