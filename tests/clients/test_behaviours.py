"""What third-party clients jointly demand of a server, asked of the served instance.

Each was seen in a client that fails without it: SMART's sample apps, its Python and
JavaScript clients, smart-fetch, bulk-data-client, fhirpy and fhir-kit-client.
"""

import pytest
import requests
from worlds import LOINC, RESTING, STEPS


def ask(practice, path, *, method="GET", token=None, **more):
    headers = {
        "Authorization": f"Bearer {token or practice.token}",
        **more.pop("headers", {}),
    }
    return requests.request(
        method, f"{practice.base}/{path}", headers=headers, timeout=20, **more
    )


def ids(answer):
    assert answer.status_code == 200, answer.text
    return [one["resource"]["id"] for one in answer.json().get("entry", ())]


@pytest.mark.parametrize(
    "path",
    [
        "fhir/metadata",
        "fhir/.well-known/smart-configuration",
        ".well-known/smart-configuration",
    ],
)
def test_what_a_client_must_know_first_is_read_without_a_token(path, practice):
    answer = requests.get(f"{practice.service.url}/{path}", timeout=20)

    assert answer.status_code == 200
    assert answer.json()


@pytest.mark.parametrize("path", ["metadata", "Patient", "Observation"])
def test_options_are_told_without_a_token(path, practice):
    answer = requests.options(f"{practice.base}/{path}", timeout=20)

    assert answer.status_code in {200, 204}
    assert "GET" in answer.headers["Allow"]


@pytest.mark.parametrize(
    "accept",
    [
        "application/fhir+json",
        "application/json",
        "application/json+fhir",
        "*/*",
        "application/json+fhir, application/json;q=0.9, */*;q=0.1",
    ],
)
def test_every_name_of_json_is_accepted(accept, practice):
    path = f"Patient/{practice.patient}"

    answer = ask(practice, path, headers={"Accept": accept})

    assert answer.status_code == 200
    assert answer.headers["Content-Type"].startswith("application/fhir+json")


@pytest.mark.parametrize("type_", ["application/fhir+json", "application/json"])
def test_every_name_of_json_may_be_sent(type_, practice):
    answer = ask(
        practice,
        "Patient",
        method="POST",
        json=practice.person(f"sent-as-{type_}"),
        headers={"Content-Type": f"{type_}; charset=UTF-8"},
    )

    assert answer.status_code == 201


def test_a_search_by_post_takes_parameters_from_the_url_and_the_form(practice):
    answer = ask(
        practice,
        f"Observation/_search?patient={practice.patient}&_count=100",
        method="POST",
        data={"code": f"{LOINC}|{STEPS}", "_sort": "-date"},
    )

    steps = [id_ for id_ in practice.observations[4::5]]  # noqa: C416 - the fifths
    assert ids(answer) == steps


@pytest.mark.parametrize(
    ("code", "count"),
    [
        (STEPS, 5),
        (f"{LOINC}|{STEPS}", 5),
        (f"{STEPS},{LOINC}|{RESTING}", 25),
        (f"|{STEPS}", 0),
        (f"{LOINC}|", 25),
        (f"http://other.example|{STEPS}", 0),
        (f"{STEPS},nonsense", 5),
    ],
)
def test_codes_are_asked_for_in_every_way(code, count, practice):
    query = {"patient": practice.patient, "code": code, "_count": "100"}

    answer = ask(practice, "Observation", params=query)

    assert len(ids(answer)) == count


def test_the_next_page_is_absolute_and_on_the_public_base(practice):
    query = {"patient": practice.patient, "_count": "10"}

    answer = ask(
        practice, "Observation", params=query, headers={"Host": "evil.example"}
    )

    links = {link["relation"]: link["url"] for link in answer.json()["link"]}
    assert links["next"].startswith(f"{practice.base}/")
    assert links["self"].startswith(f"{practice.base}/Observation?")


def test_last_updated_is_a_declared_search_parameter_of_every_type(practice):
    statement = ask(practice, "metadata").json()

    silent = [
        resource["type"]
        for resource in statement["rest"][0]["resource"]
        if any(one["code"] == "search-type" for one in resource.get("interaction", ()))
        and "_lastUpdated" not in {one["name"] for one in resource["searchParam"]}
    ]
    assert silent == []


def test_the_endpoints_of_authorization_stand_in_the_capability_statement(practice):
    [rest] = ask(practice, "metadata").json()["rest"]

    [uris] = [
        extension
        for extension in rest["security"]["extension"]
        if extension["url"].endswith("/StructureDefinition/oauth-uris")
    ]
    found = {one["url"]: one["valueUri"] for one in uris["extension"]}
    assert found["token"] == f"{practice.service.url}/auth/token"


def test_every_version_is_told_in_the_body_and_the_header(practice):
    made = ask(practice, "Patient", method="POST", json=practice.person("versioned"))
    path = f"Patient/{made.json()['id']}"
    updated = ask(practice, path, method="PUT", json={**made.json(), "active": False})
    read = ask(practice, path)

    for answer, version in ((made, "1"), (updated, "2"), (read, "2")):
        assert answer.json()["meta"]["versionId"] == version
        assert answer.json()["meta"]["lastUpdated"]
        assert answer.headers["ETag"] == f'W/"{version}"'
        assert answer.headers["Last-Modified"]
    found = ask(practice, "Patient", params={"_id": made.json()["id"]}).json()
    assert found["entry"][0]["resource"]["meta"] == read.json()["meta"]


def test_a_version_that_is_held_is_not_sent_again(practice):
    path = f"Patient/{practice.patient}"
    first = ask(practice, path)

    again = ask(practice, path, headers={"If-None-Match": first.headers["ETag"]})

    assert (again.status_code, again.content) == (304, b"")


def test_what_is_absent_or_forbidden_is_told_by_an_outcome(practice):
    service = practice.service
    service.register("reader", "system/Observation.rs", practice.organization)
    reader = service.token("reader", "system/Observation.rs")
    asked = {
        401: ask(practice, "Patient/nobody", token="made-up"),  # noqa: S106 - no token
        403: ask(practice, f"Patient/{practice.patient}", token=reader),
        404: ask(practice, "Patient/nobody"),
    }

    for status, answer in asked.items():
        assert answer.status_code == status
        assert answer.json()["resourceType"] == "OperationOutcome"
        assert answer.headers["Content-Type"].startswith("application/fhir+json")
    assert asked[401].headers["WWW-Authenticate"].startswith("Bearer")


def test_long_answers_are_compressed_for_who_takes_them(practice):
    query = {"patient": practice.patient, "_count": "20"}

    packed = ask(practice, "Observation", params=query)
    plain = ask(
        practice, "Observation", params=query, headers={"Accept-Encoding": "identity"}
    )

    assert packed.headers["Content-Encoding"] == "gzip"
    assert "Content-Encoding" not in plain.headers
    assert packed.json()["entry"] == plain.json()["entry"]
