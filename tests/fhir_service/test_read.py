"""Read: the current version of one resource, if the view holds it."""

import pytest
from worlds import codes, observation, same_for


def test_a_read_is_the_stored_bytes_with_its_version(clinic):
    clinic.consented()
    made = clinic.world.create(observation(clinic.patient), clinic.admin)

    answer = clinic.world.get(f"/fhir/Observation/{made['id']}", clinic.ehr)

    assert answer.json == made
    assert answer.headers["ETag"] == 'W/"1"'
    assert answer.headers["Last-Modified"] == "Fri, 20 Nov 2026 12:00:00 GMT"
    assert answer.headers["Content-Type"].startswith("application/fhir+json")


def test_an_id_is_of_its_type_alone(clinic):
    clinic.consented()
    made = clinic.world.create(observation(clinic.patient), clinic.admin)

    for path in (f"Patient/{made['id']}", f"Observation/{clinic.patient}"):
        assert clinic.world.get(f"/fhir/{path}", clinic.ehr).status_code == 404


@pytest.mark.parametrize(
    "type_", ["Observation", "Condition", "Nonsense", "Provenance"]
)
def test_what_is_absent_is_404_whatever_its_type(clinic, type_):
    answer = clinic.world.get(f"/fhir/{type_}/1", clinic.ehr)

    assert answer.status_code == 404
    assert answer.json["issue"][0]["code"] == "not-found"


def test_what_is_hidden_and_what_is_absent_answer_alike(clinic):
    clinic.consented(provision=[{"type": "deny", "code": codes("40443-4")}])
    hidden = clinic.world.create(observation(clinic.patient), clinic.admin)["id"]
    absent = "z" * len(hidden)

    one = same_for(clinic.world.get(f"/fhir/Observation/{hidden}", clinic.ehr))
    other = same_for(clinic.world.get(f"/fhir/Observation/{absent}", clinic.ehr))

    assert one[0] == 404
    assert (one[0], one[1], one[2].replace(hidden.encode(), absent.encode())) == other


def test_a_condition_on_what_is_hidden_tells_nothing(clinic):
    hidden = clinic.world.create(observation(clinic.patient), clinic.admin)["id"]
    plain = same_for(clinic.world.get(f"/fhir/Observation/{hidden}", clinic.ehr))

    for name, value in (
        ("If-None-Match", 'W/"1"'),
        ("If-Modified-Since", "Fri, 20 Nov 2026 12:00:00 GMT"),
    ):
        path = f"/fhir/Observation/{hidden}"
        answer = clinic.world.get(path, clinic.ehr, **{name: value})

        assert same_for(answer) == plain


def test_shared_resources_need_a_scope_alone(clinic):
    stranger = clinic.world.client("stranger", "system/Organization.r", purposes=())
    patients = clinic.world.client("patients", "system/Patient.r")
    path = f"/fhir/{clinic.organization}"

    assert clinic.world.get(path, stranger).status_code == 200
    assert clinic.world.get(path, patients).status_code == 403


@pytest.mark.parametrize(
    "authorization",
    [
        "",
        "Bearer",
        "Bearer ",
        "Bearer unknown",
        "Basic dXNlcjpwYXNz",
        "Bearer token-of-ehr extra",
        "Bearer " + "a" * 5000,
        "token-of-ehr",
    ],
)
def test_without_a_good_token_there_is_nothing(clinic, authorization):
    answer = clinic.world.get(
        f"/fhir/Patient/{clinic.patient}", {"Authorization": authorization}
    )

    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")


def test_a_token_ends_when_it_said_it_would(clinic):
    clinic.world.clock.pass_s(10_000 * 3600)

    answer = clinic.world.get(f"/fhir/Patient/{clinic.patient}", clinic.ehr)

    assert answer.status_code == 401


def test_the_code_system_that_we_publish_is_read_by_anybody(clinic):
    answer = clinic.world.get("/fhir/CodeSystem/measurement", {})

    assert answer.json["resourceType"] == "CodeSystem"
