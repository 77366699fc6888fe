"""Conditional writes: what the client may see decides, once and for sure."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from worlds import APP_USER, observation, patient
from writes import code, delete, patch, place, post, send

from conformance.issues import FHIRError
from fhir_service.interactions.conditional import SHAPING, condition_of, criteria

SYSTEM = "https://clinic.example/numbers"
OFF = [{"op": "replace", "path": "/active", "value": False}]
EMPTY = ("", "?", "identifier=", "identifier=%20", "_format=json", "identifier=,")


def person(clinic, value="1", **more):
    return {
        **patient(clinic.organization),
        "identifier": [{"system": SYSTEM, "value": value}],
        **more,
    }


def named(value="1"):
    return f"identifier={SYSTEM}|{value}"


def count(clinic, value="1"):
    return len(clinic.found(f"Patient?identifier={SYSTEM}|{value}"))


@pytest.fixture
def stranger(clinic):
    made = clinic.world.create(
        {"resourceType": "Organization", "name": "Other"}, clinic.admin
    )
    return clinic.world.client(
        "stranger", "system/*.cruds", organization=f"Organization/{made['id']}"
    )


@pytest.mark.parametrize("form", ["{}", "?{}", "Patient?{}"])
def test_a_conditional_create_stores_once(clinic, form):
    condition = form.format(named())

    first = post(clinic, person(clinic), If_None_Exist=condition)
    second = post(clinic, person(clinic), If_None_Exist=condition)

    assert (first.status_code, second.status_code) == (201, 200)
    assert second.json == first.json
    assert second.headers["ETag"] == 'W/"1"'
    assert "Location" not in second.headers
    assert count(clinic) == 1


def test_what_a_conditional_create_found_was_disclosed(clinic):
    post(clinic, person(clinic))
    first = clinic.world.audited()[-1]
    post(clinic, person(clinic), If_None_Exist=named())

    last = clinic.world.audited()[-1]

    assert (list(last.written), last.disclosed) == ([], first.written)
    assert last.patients == first.patients


def test_a_conditional_create_of_several_is_refused(clinic):
    for _ in range(2):
        post(clinic, person(clinic))

    answer = post(clinic, person(clinic), If_None_Exist=named())

    assert (answer.status_code, code(answer)) == (412, "multiple-matches")
    assert count(clinic) == 2


@pytest.mark.parametrize("condition", EMPTY)
def test_a_condition_that_all_would_meet_is_refused(clinic, condition):
    path = f"Patient?{condition.removeprefix('?')}"
    answers = [
        post(clinic, person(clinic), If_None_Exist=condition),
        send(clinic, "PUT", f"/fhir/{path}", person(clinic)),
        patch(clinic, path, OFF),
        delete(clinic, path),
    ]

    assert [(one.status_code, code(one)) for one in answers] == [(400, "invalid")] * 4


@pytest.mark.parametrize("condition", ["nonsense=1", "identifier:below=1", "_count=1"])
def test_a_condition_that_is_not_understood_is_refused(clinic, condition):
    post(clinic, person(clinic))
    path = f"Patient?{named()}&{condition}"
    answers = [
        post(clinic, person(clinic), If_None_Exist=f"{named()}&{condition}"),
        send(clinic, "PUT", f"/fhir/{path}", person(clinic)),
        patch(clinic, path, OFF),
        delete(clinic, path),
    ]

    assert [one.status_code for one in answers] == [400] * 4
    assert count(clinic) == 1


@pytest.mark.parametrize("name", sorted(SHAPING))
def test_what_shapes_a_page_is_no_condition(name):
    with pytest.raises(FHIRError, match="does not take"):
        criteria(f"{name}=1&identifier=1")


def test_how_the_answer_looks_is_no_condition():
    assert criteria("_format=json&identifier=a%7Cb&_pretty=true") == "identifier=a%7Cb"


def test_a_condition_keeps_a_question_mark_of_its_own():
    assert condition_of("url=http://x.example?a", "Patient") == "url=http://x.example?a"
    assert condition_of("Observation?code=1", "Patient") == "Observation?code=1"


def test_a_hidden_match_is_none(clinic, stranger):
    post(clinic, person(clinic))
    path = f"Patient?{named()}"

    assert delete(clinic, path, stranger).status_code == 404
    assert patch(clinic, path, OFF, stranger).status_code == 404
    made = post(clinic, person(clinic), stranger, If_None_Exist=named())
    assert made.status_code == 201


def test_a_conditional_delete_of_hidden_and_absent_is_the_same(clinic, stranger):
    post(clinic, person(clinic))

    hidden = delete(clinic, f"Patient?{named()}", stranger)
    absent = delete(clinic, f"Patient?{named('2')}", stranger)

    assert hidden.json["issue"] == absent.json["issue"]


def test_a_hidden_double_makes_no_second_match(clinic):
    clinic.consented()
    hidden = clinic.another_patient()
    post(clinic, {**observation(hidden), "identifier": [{"value": "7"}]})
    seen = post(
        clinic, {**observation(clinic.patient), "identifier": [{"value": "7"}]}
    ).json

    answer = delete(clinic, "Observation?identifier=7")

    assert answer.status_code == 204
    read = clinic.world.get(f"/fhir/Observation/{seen['id']}", clinic.ehr)
    assert read.status_code == 410


@pytest.mark.parametrize("given", [True, False])
def test_a_conditional_update_changes_the_match(clinic, given):
    made = post(clinic, person(clinic)).json
    body = person(clinic, active=False, **({"id": made["id"]} if given else {}))

    answer = send(clinic, "PUT", f"/fhir/Patient?{named()}", body)

    assert (answer.status_code, answer.headers["ETag"]) == (200, 'W/"2"')
    assert (answer.json["id"], answer.json["active"]) == (made["id"], False)


def test_a_conditional_update_of_another_id_is_refused(clinic):
    post(clinic, person(clinic))

    answer = send(
        clinic, "PUT", f"/fhir/Patient?{named()}", person(clinic, id="another")
    )

    assert (answer.status_code, place(answer)) == (400, "Patient.id")


def test_a_conditional_update_without_a_match_creates(clinic):
    answer = send(clinic, "PUT", f"/fhir/Patient?{named()}", person(clinic))

    assert (answer.status_code, count(clinic)) == (201, 1)
    assert answer.headers["Location"].endswith(f"{answer.json['id']}/_history/1")


def test_a_conditional_update_gives_no_id_of_the_clients(clinic):
    answer = send(
        clinic, "PUT", f"/fhir/Patient?{named()}", person(clinic, id="chosen")
    )

    assert (answer.status_code, code(answer)) == (409, "conflict")
    assert count(clinic) == 0


def test_a_conditional_update_of_several_is_refused(clinic):
    for _ in range(2):
        post(clinic, person(clinic))

    answer = send(clinic, "PUT", f"/fhir/Patient?{named()}", person(clinic))

    assert (answer.status_code, code(answer)) == (412, "multiple-matches")


def test_a_conditional_update_holds_to_the_version(clinic):
    post(clinic, person(clinic))
    path = f"/fhir/Patient?{named()}"

    stale = send(clinic, "PUT", path, person(clinic), If_Match='W/"2"')
    none = send(
        clinic, "PUT", f"/fhir/Patient?{named('2')}", person(clinic, "2"), If_Match="*"
    )

    assert (stale.status_code, none.status_code) == (412, 404)


def test_a_conditional_patch_changes_the_match(clinic):
    made = post(clinic, person(clinic)).json

    answer = patch(clinic, f"Patient?{named()}", OFF)

    assert (answer.status_code, answer.json["id"]) == (200, made["id"])
    assert answer.json["active"] is False


def test_a_conditional_patch_of_none_or_several_is_refused(clinic):
    none = patch(clinic, f"Patient?{named()}", OFF)
    for _ in range(2):
        post(clinic, person(clinic))

    several = patch(clinic, f"Patient?{named()}", OFF)

    assert (none.status_code, code(none)) == (404, "not-found")
    assert (several.status_code, code(several)) == (412, "multiple-matches")


def test_a_conditional_delete_deletes_the_match(clinic):
    made = post(clinic, person(clinic)).json

    answer = delete(clinic, f"Patient?{named()}")

    assert (answer.status_code, answer.headers["ETag"]) == (204, 'W/"2"')
    read = clinic.world.get(f"/fhir/Patient/{made['id']}", clinic.ehr)
    assert read.status_code == 410


def test_a_conditional_delete_of_several_deletes_none(clinic):
    for _ in range(2):
        post(clinic, person(clinic))

    answer = delete(clinic, f"Patient?{named()}")

    assert (answer.status_code, code(answer)) == (412, "multiple-matches")
    assert count(clinic) == 2


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
def test_a_condition_needs_the_right_to_search(clinic, method):
    writer = clinic.world.client(
        "writer", "system/*.crud", organization=clinic.organization
    )
    path, headers = f"/fhir/Patient?{named()}", dict(writer)
    if method == "POST":
        path, headers["If-None-Exist"] = "/fhir/Patient", named()

    answer = clinic.world.send(method, path, person(clinic), headers)

    assert answer.status_code == 403


def test_of_two_conditional_creates_at_once_one_stores(clinic):
    clinic.world.get("/fhir/metadata", {})  # The application is built once.

    with ThreadPoolExecutor(2) as pool:
        answers = list(
            pool.map(
                lambda _: post(clinic, person(clinic), If_None_Exist=named()), range(2)
            )
        )

    assert sorted(one.status_code for one in answers) == [200, 201]
    assert count(clinic) == 1


def test_a_double_of_a_hidden_identifier_is_no_conflict(clinic, stranger):
    answer = post(clinic, patient(None, "user-1"), stranger)

    assert clinic.found(f"Patient?identifier={APP_USER}|user-1")
    assert answer.status_code == 201
