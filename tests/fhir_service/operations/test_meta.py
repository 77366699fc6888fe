"""$meta: what a read shows of it, of one resource alone."""

import pytest
from outcomes import outcome_of
from worlds import observation, same_for


def test_the_meta_of_a_resource_is_that_of_a_read(clinic):
    clinic.consented()
    labelled = observation(clinic.patient, meta={"tag": [{"code": "reviewed"}]})
    made = clinic.world.create(labelled, clinic.admin)
    read = clinic.world.get(f"/fhir/Observation/{made['id']}", clinic.ehr).json

    answer = clinic.world.get(f"/fhir/Observation/{made['id']}/$meta", clinic.ehr)

    assert answer.json == {
        "resourceType": "Parameters",
        "parameter": [{"name": "return", "valueMeta": read["meta"]}],
    }
    assert read["meta"]["tag"] == [{"code": "reviewed"}]
    assert read["meta"]["versionId"] == "1"


def test_it_may_be_asked_by_post(clinic):
    path = f"/fhir/Patient/{clinic.patient}/$meta"
    body = {"resourceType": "Parameters"}

    posted = [
        clinic.world.http.post(path, headers=clinic.admin),
        clinic.world.send("POST", path, body, clinic.admin),
    ]

    got = clinic.world.get(path, clinic.admin)
    assert [answer.json for answer in posted] == [got.json, got.json]


def test_what_is_hidden_is_answered_like_what_is_absent(clinic):
    hidden = clinic.world.create(observation(clinic.patient), clinic.admin)["id"]
    stranger = clinic.world.client("stranger", "system/*.rs")

    answers = [
        same_for(clinic.world.get(f"/fhir/Observation/{id_}/$meta", stranger))
        for id_ in (hidden, "absent")
    ]

    assert answers[0][0] == 404
    assert answers[0][2].replace(hidden.encode(), b"absent") == answers[1][2]


def test_what_was_deleted_is_gone(clinic):
    other = clinic.another_patient("user-2")
    clinic.world.http.delete(f"/fhir/Patient/{other}", headers=clinic.admin)

    answer = clinic.world.get(f"/fhir/Patient/{other}/$meta", clinic.admin)

    assert answer.status_code == 410


def test_a_rendered_provenance_has_its_meta(clinic):
    clinic.consented()
    [provenance] = clinic.found(f"Provenance?target=Patient/{clinic.patient}")

    path = f"/fhir/Provenance/{provenance['id']}/$meta"
    answer = clinic.world.get(path, clinic.ehr)

    [returned] = answer.json["parameter"]
    assert returned["valueMeta"] == provenance["meta"]


def test_the_published_code_system_is_answered_too(clinic):
    published = clinic.world.get("/fhir/CodeSystem/measurement", {}).json

    answer = clinic.world.get("/fhir/CodeSystem/measurement/$meta", clinic.ehr)

    returned = [one["valueMeta"] for one in answer.json.get("parameter", [])]
    assert answer.status_code == 200
    assert returned == [published[name] for name in ("meta",) if name in published]


def test_reading_is_what_the_scope_must_allow(clinic):
    writer = clinic.world.client("writer", "system/Patient.cuds")

    for path in (f"Patient/{clinic.patient}/$meta", "CodeSystem/measurement/$meta"):
        assert clinic.world.get(f"/fhir/{path}", writer).status_code == 403


def test_the_audit_says_what_was_disclosed(clinic):
    clinic.world.get(f"/fhir/Patient/{clinic.patient}/$meta", clinic.admin)

    last = clinic.world.audited()[-1]
    assert (last.interaction, last.resource_type) == ("operation", "Patient")
    assert len(last.disclosed) == 1


@pytest.mark.parametrize("path", ["$meta", "Patient/$meta"])
def test_over_many_resources_it_is_refused_with_the_reason(clinic, path):
    answer = clinic.world.get(f"/fhir/{path}", clinic.admin)

    [issue] = outcome_of(answer)
    assert (answer.status_code, issue["code"]) == (400, "not-supported")
    assert "hidden" in issue["diagnostics"]


@pytest.mark.parametrize("name", ["$meta-add", "$meta-delete"])
def test_labels_are_not_changed_by_an_operation(clinic, name):
    path = f"/fhir/Patient/{clinic.patient}/{name}"

    answer = clinic.world.send(
        "POST", path, {"resourceType": "Parameters"}, clinic.admin
    )

    [issue] = outcome_of(answer)
    assert (answer.status_code, issue["code"]) == (400, "not-supported")
    assert name in issue["diagnostics"]


@pytest.mark.parametrize("query", ["?x=1", "?_summary=true", "?profile=x"])
def test_a_parameter_that_it_does_not_have_is_refused(clinic, query):
    path = f"/fhir/Patient/{clinic.patient}/$meta{query}"

    answer = clinic.world.get(path, clinic.admin)

    assert (answer.status_code, outcome_of(answer)[0]["code"]) == (400, "invalid")


def test_a_resource_that_it_does_not_take_is_refused(clinic):
    path = f"/fhir/Patient/{clinic.patient}/$meta"

    answer = clinic.world.send("POST", path, {"resourceType": "Patient"}, clinic.admin)

    assert (answer.status_code, outcome_of(answer)[0]["code"]) == (400, "invalid")
