"""Parts of resources: every expectation is written by hand after R4's own pages."""

import json

import pytest
from worlds import observation

from conformance import fhir_json
from conformance.definitions import type_names
from conformance.issues import FHIRError
from fhir_service.rest.projection import (
    Projection,
    projected,
    projection,
    refuse_unknown_elements,
)

TAG = {
    "system": "http://terminology.hl7.org/CodeSystem/v3-ObservationValue",
    "code": "SUBSETTED",
}
RESTRICTED = {
    "system": "http://terminology.hl7.org/CodeSystem/v3-Confidentiality",
    "code": "R",
}
META = {"versionId": "3", "security": [RESTRICTED]}
MARKED = {**META, "tag": [TAG]}
TEXT = {
    "status": "generated",
    "div": '<div xmlns="http://www.w3.org/1999/xhtml">A</div>',
}
NOT_DONE = {"url": "https://clinic.example/not-done", "valueBoolean": True}
EXTENSION = [{"url": "https://clinic.example/more", "valueString": "x"}]

PATIENT = {
    "resourceType": "Patient",
    "id": "p",
    "meta": META,
    "language": "en",
    "text": TEXT,
    "extension": EXTENSION,
    "modifierExtension": [NOT_DONE],
    "identifier": [
        {
            "use": "usual",
            "system": "https://clinic.example/mrn",
            "value": "1",
            "extension": EXTENSION,
        }
    ],
    "active": True,
    "name": [{"family": "A", "_family": {"extension": EXTENSION}, "text": "A B"}],
    "telecom": [{"system": "phone", "value": "1", "rank": 1}],
    "gender": "female",
    "birthDate": "1970-01-01",
    "_birthDate": {"extension": EXTENSION},
    "deceasedBoolean": False,
    "address": [{"city": "C"}],
    "maritalStatus": {"text": "married"},
    "multipleBirthInteger": 2,
    "photo": [{"contentType": "image/png", "data": "AAAA"}],
    "contact": [{"name": {"family": "D"}}],
    "communication": [{"language": {"text": "English"}}],
    "generalPractitioner": [{"reference": "Practitioner/1"}],
    "managingOrganization": {"reference": "Organization/1"},
    "link": [{"other": {"reference": "Patient/2"}, "type": "seealso"}],
}
OBSERVATION = {
    "resourceType": "Observation",
    "id": "o",
    "meta": META,
    "text": TEXT,
    "contained": [{"resourceType": "Device", "id": "d"}],
    "identifier": [{"value": "1"}],
    "basedOn": [{"reference": "CarePlan/1"}],
    "partOf": [{"reference": "Procedure/1"}],
    "status": "final",
    "category": [{"text": "vital signs"}],
    "code": {"coding": [{"code": "85354-9", "userSelected": True}], "text": "BP"},
    "subject": {"reference": "Patient/p", "display": "A"},
    "encounter": {"reference": "Encounter/1"},
    "effectivePeriod": {"start": "2026-01-01", "end": "2026-01-02"},
    "issued": "2026-01-02T00:00:00Z",
    "performer": [{"reference": "Practitioner/1"}],
    "valueQuantity": {"value": "{value}", "unit": "mm[Hg]"},
    "dataAbsentReason": {"text": "none"},
    "interpretation": [{"text": "high"}],
    "note": [{"text": "n"}],
    "bodySite": {"text": "arm"},
    "method": {"text": "cuff"},
    "specimen": {"reference": "Specimen/1"},
    "device": {"reference": "#d"},
    "referenceRange": [{"text": "low"}],
    "hasMember": [{"reference": "Observation/1"}],
    "derivedFrom": [{"reference": "Observation/2"}],
    "component": [
        {
            "id": "c1",
            "code": {"text": "systolic"},
            "valueQuantity": {"value": "{value}"},
            "dataAbsentReason": {"text": "none"},
            "interpretation": [{"text": "high"}],
            "referenceRange": [{"text": "low"}],
        }
    ],
}
CONDITION = {
    "resourceType": "Condition",
    "id": "c",
    "meta": META,
    "clinicalStatus": {"text": "active"},
    "verificationStatus": {"text": "confirmed"},
    "category": [{"text": "problem"}],
    "severity": {"text": "mild"},
    "code": {"text": "asthma"},
    "bodySite": [{"text": "lung"}],
    "subject": {"reference": "Patient/p"},
    "onsetAge": {"value": 7, "unit": "a"},
    "abatementString": "slowly",
    "recordedDate": "2026-01-01",
    "recorder": {"reference": "Practitioner/1"},
    "asserter": {"reference": "Practitioner/1"},
    "stage": [{"summary": {"text": "I"}}],
    "evidence": [{"code": [{"text": "wheezing"}], "detail": [{"reference": "X/1"}]}],
    "note": [{"text": "n"}],
}
QUESTIONNAIRE = {
    "resourceType": "Questionnaire",
    "id": "q",
    "url": "https://clinic.example/q",
    "title": "Q",
    "status": "active",
    "description": "long",
    "contact": [{"name": "N", "telecom": [{"value": "1"}]}],
    "item": [{"linkId": "1", "type": "group"}],
}


def keys(resource):
    return set(resource) - {"resourceType", "id", "meta"}


def written(resource, value="120.50"):
    return json.dumps(resource).replace('"{value}"', value).encode()


def part(resource, summary=None, *elements):
    body = projected(written(resource), summary=summary, elements=elements)
    return fhir_json.loads(body)


def test_the_summary_of_a_patient():
    assert part(PATIENT, "true") == {
        "resourceType": "Patient",
        "id": "p",
        "meta": MARKED,
        "modifierExtension": [NOT_DONE],
        "identifier": [
            {"use": "usual", "system": "https://clinic.example/mrn", "value": "1"}
        ],
        "active": True,
        "name": [{"family": "A", "_family": {"extension": EXTENSION}, "text": "A B"}],
        "telecom": [{"system": "phone", "value": "1", "rank": 1}],
        "gender": "female",
        "birthDate": "1970-01-01",
        "_birthDate": {"extension": EXTENSION},
        "deceasedBoolean": False,
        "address": [{"city": "C"}],
        "managingOrganization": {"reference": "Organization/1"},
        "link": [{"other": {"reference": "Patient/2"}, "type": "seealso"}],
    }


def test_the_summary_of_an_observation():
    found = part(OBSERVATION, "true")

    assert keys(found) == {
        "identifier",
        "basedOn",
        "partOf",
        "status",
        "code",
        "subject",
        "encounter",
        "effectivePeriod",
        "issued",
        "performer",
        "valueQuantity",
        "hasMember",
        "derivedFrom",
        "component",
    }
    assert found["code"] == OBSERVATION["code"]
    assert [set(one) for one in found["component"]] == [{"id", "code", "valueQuantity"}]


def test_the_summary_of_a_condition():
    found = part(CONDITION, "true")

    assert keys(found) == {
        "clinicalStatus",
        "verificationStatus",
        "code",
        "bodySite",
        "subject",
        "onsetAge",
        "recordedDate",
        "recorder",
        "asserter",
    }


def test_the_summary_of_a_questionnaire_has_no_items():
    assert part(QUESTIONNAIRE, "true") == {
        "resourceType": "Questionnaire",
        "id": "q",
        "meta": {"tag": [TAG]},
        "url": "https://clinic.example/q",
        "title": "Q",
        "status": "active",
        "contact": [{"name": "N", "telecom": [{"value": "1"}]}],
    }


def test_an_attachment_in_a_summary_is_without_its_data():
    document = {
        "resourceType": "DocumentReference",
        "id": "d",
        "status": "current",
        "content": [
            {"attachment": {"contentType": "text/plain", "data": "AAAA", "size": 3}}
        ],
    }

    assert part(document, "true")["content"] == [
        {"attachment": {"contentType": "text/plain", "size": 3}}
    ]


def test_a_resource_within_a_bundle_is_summarised_after_its_own_type():
    entry = {"fullUrl": "urn:uuid:1", "resource": CONDITION}
    bundle = {"resourceType": "Bundle", "id": "b", "type": "collection"}

    found = part({**bundle, "entry": [entry]}, "true")

    assert "note" not in found["entry"][0]["resource"]
    assert found["entry"][0]["resource"]["code"] == {"text": "asthma"}


def test_a_mandatory_element_of_which_the_summary_leaves_nothing_stays_whole():
    absent = {"extension": [{"url": "https://clinic.example/absent"}]}

    found = part({**OBSERVATION, "code": absent}, "true")

    assert found["code"] == absent


def test_a_member_named_like_the_type_of_a_resource_is_an_element():
    scenario = {
        "resourceType": "ExampleScenario",
        "id": "e",
        "status": "draft",
        "instance": [{"resourceId": "1", "resourceType": "Patient"}],
    }

    assert "instance" not in part(scenario, "true")
    assert part(scenario, None, "instance")["instance"] == scenario["instance"]


def test_the_text_is_shown_with_what_is_mandatory():
    assert part(OBSERVATION, "text") == {
        "resourceType": "Observation",
        "id": "o",
        "meta": MARKED,
        "text": TEXT,
        "status": "final",
        "code": OBSERVATION["code"],
    }


def test_the_data_is_everything_but_the_text():
    found = part(PATIENT, "data")

    assert keys(PATIENT) - keys(found) == {"text"}
    assert found["meta"] == MARKED


@pytest.mark.parametrize("summary", [None, "false", "count"])
def test_what_is_whole_is_the_stored_bytes(summary):
    body = written(PATIENT)

    assert projected(body, summary=summary, elements=()) is body


def test_elements_are_shown_with_what_is_mandatory_or_changes_the_meaning():
    assert part(PATIENT, None, "name", "gender") == {
        "resourceType": "Patient",
        "id": "p",
        "meta": MARKED,
        "modifierExtension": [NOT_DONE],
        "active": True,
        "name": PATIENT["name"],
        "gender": "female",
        "deceasedBoolean": False,
        "link": PATIENT["link"],
    }


@pytest.mark.parametrize("name", ["value", "valueQuantity"])
def test_a_choice_is_named_with_or_without_its_type(name):
    found = part(OBSERVATION, None, name)

    assert keys(found) == {"status", "code", "valueQuantity"}


def test_the_sibling_of_a_primitive_element_goes_with_it():
    assert "_birthDate" in part(PATIENT, None, "birthDate")
    assert "_birthDate" not in part(PATIENT, None, "gender")


@pytest.mark.parametrize("summary", ["true", "text", "data"])
def test_labels_stay_whatever_is_left_out(summary):
    for found in (part(PATIENT, summary), part(PATIENT, None, "gender")):
        assert found["meta"]["security"] == [RESTRICTED]


def test_a_part_is_marked_once_and_other_tags_stay():
    other = {"system": "https://clinic.example", "code": "a"}
    resource = {**PATIENT, "meta": {**META, "tag": [other]}}

    once = projected(written(resource), summary="true", elements=())
    twice = projected(once, summary="true", elements=())

    assert fhir_json.loads(once)["meta"]["tag"] == [other, TAG]
    assert twice == once


@pytest.mark.parametrize("value", ["120.50", "1.0E2", "0.10000000000000000000001"])
def test_a_number_keeps_its_digits_in_every_part(value):
    for summary, elements in (("true", ()), ("data", ()), (None, ("value",))):
        body = projected(
            written(OBSERVATION, value), summary=summary, elements=elements
        )

        assert b'"valueQuantity":{"value":%b,' % value.encode() in body


@pytest.mark.parametrize("type_", type_names())
def test_every_type_has_a_summary(type_):
    resource = {"resourceType": type_, "id": "1", "meta": {"versionId": "1"}}

    assert part(resource, "true") == {
        **resource,
        "meta": {"versionId": "1", "tag": [TAG]},
    }


def test_parameters_say_which_part_is_asked_for():
    assert projection([("_summary", "true")]) == Projection(summary="true")
    assert projection([("_elements", "a,b"), ("_elements", "b, c")]) == Projection(
        elements=("a", "b", "c")
    )
    assert projection([("_summary", "false"), ("_elements", "a")]) == Projection(
        summary="false", elements=("a",)
    )
    assert projection([("code", "x")]) == Projection()


@pytest.mark.parametrize(
    "pairs",
    [
        [("_summary", "yes")],
        [("_summary", "")],
        [("_summary", "true"), ("_summary", "text")],
        [("_elements", "")],
        [("_elements", "a,,b")],
        [("_elements", "name.family")],
        [("_elements", "a b")],
        [("_elements", "a"), ("_summary", "true")],
    ],
)
def test_a_part_that_has_no_meaning_is_refused(pairs):
    with pytest.raises(FHIRError) as caught:
        projection(pairs)

    assert caught.value.type.value == "invalid"


def test_an_element_that_the_type_does_not_have_is_refused_by_name():
    refuse_unknown_elements(
        "Observation", Projection(elements=("value", "valueString"))
    )

    with pytest.raises(FHIRError, match="'birthDate'"):
        refuse_unknown_elements("Observation", Projection(elements=("birthDate",)))


def test_too_many_elements_are_refused():
    with pytest.raises(FHIRError) as caught:
        projection([("_elements", ",".join(["a"] * 201))])

    assert caught.value.type.value == "too-costly"


def test_a_read_may_ask_for_a_part(clinic):
    clinic.consented()
    made = clinic.world.create(
        observation(clinic.patient, note=[{"text": "n"}]), clinic.admin
    )
    path = f"/fhir/Observation/{made['id']}"

    summary = clinic.world.get(f"{path}?_summary=true", clinic.ehr)
    elements = clinic.world.get(f"{path}?_elements=subject", clinic.ehr)

    assert keys(summary.json) == {"status", "code", "subject", "valueInteger"}
    assert keys(elements.json) == {"status", "code", "subject"}
    assert summary.headers["ETag"] == 'W/"1"'
    assert summary.json["meta"]["security"] == made["meta"]["security"]


@pytest.mark.parametrize(
    "query", ["_summary=some", "_summary=count", "_elements=nonsense", "_elements="]
)
def test_a_part_that_has_no_meaning_is_400_whether_or_not_it_exists(clinic, query):
    for id_ in (clinic.patient, "absent"):
        answer = clinic.world.get(f"/fhir/Patient/{id_}?{query}", clinic.admin)

        assert answer.status_code == 400
        assert answer.json["issue"][0]["code"] == "invalid"
