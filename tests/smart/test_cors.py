"""Calls from pages of other origins.

https://hl7.org/fhir/smart-app-launch/STU2.2/app-launch.html#considerations-for-cross-origin-resource-sharing-cors-support
"""

import pytest
import requests
from smart_flow import STANDALONE, code_of, tokens
from smart_service import TIMEOUT_S

REGISTERED = "https://app.example"
STRANGER = "https://stranger.example"
ALLOW = "Access-Control-Allow-Origin"
DISCOVERY = [
    "/fhir/.well-known/smart-configuration",
    "/.well-known/smart-configuration",
    "/.well-known/openid-configuration",
    "/auth/jwks",
    "/fhir/metadata",
]


def words(header):
    return {word.strip().lower() for word in header.split(",")}


@pytest.mark.parametrize("origin", [REGISTERED, STRANGER, "null"])
@pytest.mark.parametrize("path", DISCOVERY)
def test_discovery_is_open_to_every_origin(path, origin, service):
    answer = requests.get(
        f"{service.url}{path}", headers={"Origin": origin}, timeout=TIMEOUT_S
    )

    assert answer.status_code == 200
    assert answer.headers[ALLOW] in {origin, "*"}
    assert "Access-Control-Allow-Credentials" not in answer.headers


def test_a_registered_origin_gets_a_token(patient, apps):
    app = apps["public-app"]
    code, verifier = code_of(patient, app, STANDALONE)

    answer = app.post(
        "token",
        {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": app.redirect_uri,
            "code_verifier": verifier,
        },
        headers={"Origin": REGISTERED},
    )

    assert answer.status_code == 200
    assert answer.headers[ALLOW] in {REGISTERED, "*"}


def test_a_refusal_of_the_token_endpoint_can_be_read_too(apps):
    answer = apps["public-app"].post(
        "token",
        {"grant_type": "authorization_code", "code": "BAD_CODE"},
        headers={"Origin": REGISTERED},
    )

    assert answer.status_code == 400
    assert answer.headers[ALLOW] in {REGISTERED, "*"}


def test_a_page_reads_who_the_person_is(patient, apps, service, clinic):
    given = tokens(patient, apps["public-app"], STANDALONE)

    answer = service.get(
        f"Patient/{clinic.patient}",
        given["access_token"],
        headers={"Origin": REGISTERED},
    )

    assert answer.status_code == 200
    assert answer.headers[ALLOW] in {REGISTERED, "*"}
    assert {"location", "etag", "content-location"} <= words(
        answer.headers["Access-Control-Expose-Headers"]
    )


@pytest.mark.parametrize(
    "origin",
    [
        STRANGER,
        "null",
        "https://app.example.evil.example",
        "https://evilapp.example",
        "http://app.example",
        "https://app.example:8443",
        "https://sub.app.example",
    ],
)
def test_a_stranger_s_page_reads_nothing(origin, standalone, service, clinic, apps):
    read = service.get(
        f"Patient/{clinic.patient}",
        standalone["access_token"],
        headers={"Origin": origin},
    )
    asked = apps["public-app"].post(
        "token", {"grant_type": "authorization_code"}, headers={"Origin": origin}
    )

    assert ALLOW not in read.headers
    assert ALLOW not in asked.headers


@pytest.mark.parametrize("path", ["/fhir/Patient", "/fhir/Patient/1", "/auth/token"])
def test_a_preflight_allows_what_clients_send(path, apps, service):
    assert apps
    answer = requests.options(
        f"{service.url}{path}",
        headers={
            "Origin": REGISTERED,
            "Access-Control-Request-Method": "POST",
            "Access-Control-Request-Headers": "authorization,content-type",
        },
        timeout=TIMEOUT_S,
    )

    assert answer.status_code in {200, 204}
    assert answer.headers[ALLOW] in {REGISTERED, "*"}
    assert "post" in words(answer.headers["Access-Control-Allow-Methods"])
    assert {"authorization", "content-type", "accept", "prefer", "if-match"} <= words(
        answer.headers["Access-Control-Allow-Headers"]
    )


def test_an_answer_that_depends_on_the_origin_says_so(standalone, service, clinic):
    answer = service.get(
        f"Patient/{clinic.patient}",
        standalone["access_token"],
        headers={"Origin": REGISTERED},
    )

    assert answer.headers[ALLOW] == "*" or "origin" in words(answer.headers["Vary"])


@pytest.mark.parametrize("path", ["/login", "/", "/apps"])
def test_a_page_for_people_is_open_to_no_other_origin(path, apps, service):
    assert apps
    answer = requests.get(
        f"{service.url}{path}", headers={"Origin": REGISTERED}, timeout=TIMEOUT_S
    )

    assert ALLOW not in answer.headers


def test_the_authorization_endpoint_is_open_to_no_other_origin(apps, service):
    answer = requests.get(
        f"{service.url}/auth/authorize",
        params=apps["public-app"].asks("openid").parameters,
        headers={"Origin": REGISTERED},
        timeout=TIMEOUT_S,
        allow_redirects=False,
    )

    assert ALLOW not in answer.headers
