"""JSON Patch: applied to the current version, held to what an update is held to."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from worlds import observation, patient
from writes import code, delete, patch, place, post, without_id

from conformance import fhir_json
from conformance.issues import FHIRError, IssueType
from fhir_service.interactions.json_patch import (
    MAX_COPIES,
    MAX_OPERATIONS,
    MEMBERS,
    operations_of,
    patched,
)

AMENDED = [{"op": "replace", "path": "/status", "value": "amended"}]


@pytest.fixture
def stored(clinic):
    clinic.consented()
    return post(clinic, observation(clinic.patient)).json


def test_a_patch_is_the_next_version(clinic, stored):
    answer = patch(clinic, f"Observation/{stored['id']}", AMENDED)

    assert (answer.status_code, answer.headers["ETag"]) == (200, 'W/"2"')
    expected = {**stored, "status": "amended"}
    expected["meta"] = {**stored["meta"], "versionId": "2"}
    assert answer.json == expected
    read = clinic.world.get(f"/fhir/Observation/{stored['id']}", clinic.ehr)
    assert read.json == expected


def test_digits_are_kept_in_what_is_added_and_in_what_stays(clinic):
    clinic.consented()
    body = fhir_json.dumps(observation(clinic.patient)).replace(
        b'"valueInteger":1', b'"valueQuantity":{"value":72.500,"unit":"x"}'
    )
    made = clinic.world.send("POST", "/fhir/Observation", body, clinic.admin).json
    path = f"Observation/{made['id']}"

    answer = patch(
        clinic,
        path,
        b'[{"op":"test","path":"/valueQuantity/value","value":72.5},'
        b'{"op":"add","path":"/referenceRange","value":[{"low":{"value":60.00}}]}]',
    )

    text = answer.get_data(as_text=True)
    assert '"value":72.500,' in text
    assert '"low":{"value":60.00}' in text


def test_every_operation_of_the_standard_is_applied():
    body = b'{"a":[1,2],"b":{"c":1.50}}'
    operations = [
        {"op": "test", "path": "/a/0", "value": 1},
        {"op": "add", "path": "/a/-", "value": 3},
        {"op": "remove", "path": "/a/0"},
        {"op": "replace", "path": "/a/0", "value": 9},
        {"op": "move", "from": "/b/c", "path": "/d"},
        {"op": "copy", "from": "/d", "path": "/e"},
    ]

    result = patched(body, operations)

    assert {one["op"] for one in operations} == set(MEMBERS)
    assert fhir_json.dumps(result) == b'{"a":[9,3],"b":{},"d":1.50,"e":1.50}'


@pytest.mark.parametrize(
    ("operations", "status", "issue"),
    [
        (b"", 400, "structure"),
        (b"{", 400, "structure"),
        (b"[]", 400, "invalid"),
        (b"{}", 400, "invalid"),
        (b"null", 400, "invalid"),
        (b"[7]", 400, "invalid"),
        (b'[{"op":"explode","path":"/status"}]', 400, "invalid"),
        (b'[{"op":["add"],"path":"/status","value":1}]', 400, "invalid"),
        (b'[{"op":"add","path":"/status"}]', 400, "invalid"),
        (b'[{"op":"add","path":7,"value":1}]', 400, "invalid"),
        (b'[{"op":"move","path":"/a","from":{}}]', 400, "invalid"),
        (b'[{"op":"add","op":"add","path":"/a","value":1}]', 400, "structure"),
        (b'[{"op":"add","path":"/a","value":NaN}]', 400, "structure"),
        (b'[{"op":"remove","path":""}]', 422, "processing"),
        (b'[{"op":"remove","path":"/absent"}]', 422, "processing"),
        (b'[{"op":"remove","path":"status"}]', 422, "processing"),
        (b'[{"op":"remove","path":"/~9"}]', 422, "processing"),
        (b'[{"op":"add","path":"/code/coding/7","value":{}}]', 422, "processing"),
        (b'[{"op":"add","path":"/code/coding/x","value":{}}]', 422, "processing"),
        (b'[{"op":"add","path":"/status/x","value":1}]', 422, "processing"),
        (b'[{"op":"replace","path":"/code/coding/-","value":1}]', 400, "invalid"),
        (b'[{"op":"move","from":"/code","path":"/code/coding/0"}]', 422, "processing"),
        (b'[{"op":"copy","from":"/absent","path":"/note"}]', 422, "processing"),
        (b'[{"op":"test","path":"/status","value":"amended"}]', 422, "processing"),
        (b'[{"op":"test","path":"/absent","value":1}]', 422, "processing"),
        (b'[{"op":"replace","path":"","value":7}]', 400, "invalid"),
    ],
)
def test_a_patch_that_cannot_be_applied_changes_nothing(
    clinic, stored, operations, status, issue
):
    path = f"Observation/{stored['id']}"

    answer = patch(clinic, path, operations)

    assert (answer.status_code, code(answer)) == (status, issue)
    assert clinic.world.get(f"/fhir/{path}", clinic.ehr).json == stored


def test_the_operations_are_applied_together_or_not_at_all(clinic, stored):
    path = f"Observation/{stored['id']}"
    failing = {"op": "test", "path": "/status", "value": "final"}

    answer = patch(clinic, path, [*AMENDED, failing])

    assert answer.status_code == 422
    assert clinic.world.get(f"/fhir/{path}", clinic.ehr).json == stored


@pytest.mark.parametrize(
    ("operation", "status", "element"),
    [
        ({"op": "replace", "path": "/status", "value": "bogus"}, 422, "status"),
        ({"op": "add", "path": "/hitherto", "value": 1}, 422, "hitherto"),
        ({"op": "remove", "path": "/code"}, 422, "code"),
        ({"op": "replace", "path": "/id", "value": "other"}, 400, "id"),
        ({"op": "remove", "path": "/subject"}, 422, "subject"),
    ],
)
def test_what_a_patch_leaves_is_held_to_what_an_update_is(
    clinic, stored, operation, status, element
):
    answer = patch(clinic, f"Observation/{stored['id']}", [operation])

    assert answer.status_code == status
    assert place(answer) == f"Observation.{element}"


def test_a_patch_changes_no_type(clinic, stored):
    operation = {"op": "replace", "path": "/resourceType", "value": "Patient"}

    answer = patch(clinic, f"Observation/{stored['id']}", [operation])

    assert (answer.status_code, code(answer)) == (400, "invalid")


def test_a_patch_moves_nothing_to_another_patient(clinic, stored):
    other = clinic.another_patient()
    clinic.consented(patient_id=other)
    operation = {"op": "replace", "path": "/subject/reference"}

    answer = patch(
        clinic,
        f"Observation/{stored['id']}",
        [{**operation, "value": f"Patient/{other}"}],
    )

    assert (answer.status_code, code(answer)) == (422, "business-rule")


def test_a_patch_does_not_choose_version_and_time(clinic, stored):
    meta = {"versionId": "77", "lastUpdated": "1999-01-01T00:00:00Z"}

    answer = patch(
        clinic,
        f"Observation/{stored['id']}",
        [{"op": "add", "path": "/meta", "value": meta}],
    )

    assert answer.json["meta"]["versionId"] == "2"
    assert answer.json["meta"]["lastUpdated"] == "2026-11-20T12:00:00.000Z"


def test_a_patch_of_another_version_is_refused(clinic, stored):
    answer = patch(clinic, f"Observation/{stored['id']}", AMENDED, If_Match='W/"2"')

    assert answer.status_code == 412


@pytest.mark.parametrize(
    ("content_type", "status"),
    [
        ("application/merge-patch+json", 415),
        ("application/xml-patch+xml", 415),
        ("text/plain", 415),
        ("", 415),
        ("application/fhir+json", 400),
        ("application/json", 400),
    ],
)
def test_another_kind_of_patch_is_refused(clinic, stored, content_type, status):
    answer = clinic.world.send(
        "PATCH",
        f"/fhir/Observation/{stored['id']}",
        {"resourceType": "Parameters"},
        clinic.admin,
        content_type,
    )

    assert (answer.status_code, code(answer)) == (status, "not-supported")


def test_hidden_and_absent_are_patched_alike(clinic, stored):
    stranger = clinic.world.client("stranger", "system/*.cruds")
    tests = (AMENDED, [{"op": "test", "path": "/status", "value": "final"}])
    for operations in tests:
        hidden = patch(clinic, f"Observation/{stored['id']}", operations, stranger)
        absent = patch(clinic, "Observation/absent", operations, stranger)

        assert hidden.status_code == 404
        assert without_id(hidden, stored["id"]) == without_id(absent, "absent")


def test_who_may_not_read_asks_nothing_by_a_patch(clinic, stored):
    writer = clinic.world.client(
        "writer", "system/Observation.u", organization=clinic.organization
    )

    answer = patch(clinic, f"Observation/{stored['id']}", AMENDED, writer)

    assert answer.status_code == 403


def test_a_deleted_resource_is_not_patched(clinic, stored):
    delete(clinic, f"Observation/{stored['id']}")

    answer = patch(clinic, f"Observation/{stored['id']}", AMENDED)

    assert (answer.status_code, code(answer)) == (410, "deleted")


def test_a_consent_is_withdrawn_by_a_patch(clinic, stored):
    [made] = clinic.found(f"Consent?patient={clinic.patient}")

    answer = patch(
        clinic,
        f"Consent/{made['id']}",
        [{"op": "replace", "path": "/status", "value": "inactive"}],
    )

    assert answer.status_code == 200
    read = clinic.world.get(f"/fhir/Observation/{stored['id']}", clinic.ehr)
    assert read.status_code == 404


def test_a_patch_hands_no_patient_over_but_for_the_custodian(clinic, stored):
    del stored
    operation = {
        "op": "replace",
        "path": "/managingOrganization/reference",
        "value": "Organization/other",
    }
    stranger = clinic.world.client("stranger", "system/*.cruds")

    refused = patch(clinic, f"Patient/{clinic.patient}", [operation], stranger)
    given = patch(clinic, f"Patient/{clinic.patient}", [operation])

    assert (refused.status_code, given.status_code) == (404, 200)


def test_too_many_operations_are_refused():
    one = {"op": "test", "path": "/a", "value": 1}

    operations_of(fhir_json.dumps([one] * MAX_OPERATIONS))
    with pytest.raises(FHIRError, match="at most"):
        operations_of(fhir_json.dumps([one] * (MAX_OPERATIONS + 1)))


def test_copies_do_not_pile_up():
    copies = [{"op": "copy", "from": "", "path": f"/{n}"} for n in range(MAX_COPIES)]
    body = fhir_json.dumps({"text": "x" * 1000})

    operations_of(fhir_json.dumps(copies))
    with pytest.raises(FHIRError, match="too long"):
        patched(body, copies)
    with pytest.raises(FHIRError, match="at most"):
        operations_of(fhir_json.dumps([*copies, *copies]))


def test_a_patch_of_a_type_that_nobody_writes_is_refused(clinic):
    answer = patch(clinic, "AuditEvent/1", AMENDED)

    assert (answer.status_code, code(answer)) == (400, "not-supported")


def test_a_patch_without_a_body_comes_back_without_one(clinic):
    made = post(clinic, patient(clinic.organization)).json

    answer = patch(
        clinic,
        f"Patient/{made['id']}",
        [{"op": "replace", "path": "/active", "value": False}],
        Prefer="return=minimal",
    )

    assert (answer.status_code, answer.get_data()) == (200, b"")


POINTERS = st.sampled_from(
    ("", "/", "/a", "/a/0", "/a/-", "/a/01", "/a/-1", "/b/c", "/~", "/a/9", "x", "/b//")
)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.text("ab/~0é", max_size=2),
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(st.text("ab/~", max_size=2), inner)
    ),
    max_leaves=4,
)
OPERATIONS = st.lists(
    st.fixed_dictionaries(
        {"op": st.sampled_from(sorted(MEMBERS)), "path": POINTERS, "from": POINTERS},
        optional={"value": VALUES},
    ),
    min_size=1,
    max_size=5,
)


@given(operations=OPERATIONS)
def test_whatever_a_patch_says_it_is_applied_or_refused(operations):
    body = b'{"a":[1,{"b":2.50}],"b":{"c":"d"}}'
    refused = None
    result: object = {}
    try:
        result = patched(body, operations_of(fhir_json.dumps(operations)))
    except FHIRError as error:
        refused = error.type

    assert refused in {None, IssueType.INVALID, IssueType.PROCESSING}
    assert isinstance(result, dict)


def test_a_scope_of_one_category_patches_that_category_alone(clinic):
    system = "http://terminology.hl7.org/CodeSystem/observation-category"
    narrow = clinic.world.client(
        "narrow",
        f"system/Observation.crus?category={system}|exam",
        organization=clinic.organization,
    )
    clinic.consented()

    def of(category):
        coding = {"system": system, "code": category}
        return observation(clinic.patient, category=[{"coding": [coding]}])

    other = post(clinic, of("survey")).json
    own = post(clinic, of("exam")).json
    leaving = [
        {"op": "replace", "path": "/category/0/coding/0/code", "value": "survey"}
    ]

    assert (
        patch(clinic, f"Observation/{other['id']}", AMENDED, narrow).status_code == 404
    )
    assert patch(clinic, f"Observation/{own['id']}", leaving, narrow).status_code == 403
    assert patch(clinic, f"Observation/{own['id']}", AMENDED, narrow).status_code == 200
