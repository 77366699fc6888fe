"""Token introspection (RFC 7662), as SMART profiles it.

https://hl7.org/fhir/smart-app-launch/STU2.2/token-introspection.html
"""

import json
import time

import pytest
import requests
from joserfc import jws
from smart_app import basic
from smart_flow import STANDALONE, tokens
from smart_service import TIMEOUT_S

CONTEXT = (
    "patient",
    "encounter",
    "intent",
    "need_patient_banner",
    "smart_style_url",
)


def claims_of(id_token):
    return json.loads(jws.extract_compact(id_token.encode()).payload)


@pytest.fixture(scope="module")
def ask(service):
    """Return what sends a token with a caller's headers."""

    def send(token, headers, **more):
        return requests.post(
            f"{service.url}/auth/introspect",
            data={"token": token, **more},
            headers={"Accept": "application/json", **headers},
            timeout=TIMEOUT_S,
        )

    return send


def bearer(token):
    return {"Authorization": f"Bearer {token}"}


@pytest.fixture(scope="module")
def watcher(service):
    """Return the headers of a backend client that may introspect."""
    words = ("--key-dir", str(service.deployed.keys))
    service.add_client("watcher", "introspect", *words)
    return bearer(service.deployed.token("watcher", "introspect"))


def test_an_active_token_is_told_as_it_was_given(ask, watcher, patient, apps, clinic):
    given = tokens(patient, apps["secret-app"], STANDALONE)
    claims = claims_of(given["id_token"])
    expected_end = time.time() + given["expires_in"]

    answer = ask(given["access_token"], watcher)

    assert answer.status_code == 200
    assert answer.headers["Content-Type"].startswith("application/json")
    told = answer.json()
    assert told["active"] is True
    assert told["client_id"] == "secret-app"
    assert sorted(told["scope"].split()) == sorted(given["scope"].split())
    assert isinstance(told["exp"], int)
    assert abs(told["exp"] - expected_end) <= 2
    assert told["patient"] == given["patient"] == clinic.patient
    assert (told["iss"], told["sub"]) == (claims["iss"], claims["sub"])
    assert told["fhirUser"] == claims["fhirUser"]


def test_every_parameter_of_the_context_is_told(ask, watcher, launched):
    told = ask(launched["access_token"], watcher).json()

    for name in CONTEXT:
        assert told[name] == launched[name]


def test_a_token_of_a_backend_client_is_told(ask, watcher, service):
    words = ("--key-dir", str(service.deployed.keys))
    service.add_client("watched", "system/Patient.rs", *words)
    token = service.deployed.token("watched", "system/Patient.rs")

    told = ask(token, watcher).json()

    assert told["active"] is True
    assert told["client_id"] == "watched"
    assert told["scope"] == "system/Patient.rs"
    assert "patient" not in told


@pytest.mark.parametrize("token", ["invalid_token_value", "", "x" * 5000])
def test_of_a_token_that_is_none_nothing_more_is_told(token, ask, watcher):
    answer = ask(token, watcher)

    assert answer.status_code in ({200} if token else {200, 400})
    if answer.status_code == 200:
        assert answer.json() == {"active": False}


def test_a_revoked_token_is_not_active(ask, watcher, patient, apps):
    given = tokens(patient, apps["secret-app"], STANDALONE)
    apps["secret-app"].revoke(given["refresh_token"])

    assert ask(given["access_token"], watcher).json() == {"active": False}


def test_a_token_with_the_scope_may_introspect_those_of_other_clients(
    ask, standalone, patient, apps
):
    caller = tokens(patient, apps["other-app"], "introspect openid")

    told = ask(standalone["access_token"], bearer(caller["access_token"])).json()

    assert told["active"] is True
    assert told["client_id"] == "secret-app"


def test_a_token_without_the_scope_may_not(ask, standalone, patient, apps):
    caller = tokens(patient, apps["other-app"], "patient/*.rs")

    answer = ask(standalone["access_token"], bearer(caller["access_token"]))

    assert answer.status_code in {401, 403}
    assert "active" not in answer.json()


@pytest.mark.parametrize(
    "headers",
    [{}, bearer("made-up"), basic("nobody", "guessed")],
    ids=["nobody", "bearer", "basic"],
)
def test_a_stranger_learns_nothing(headers, ask, standalone):
    answer = ask(standalone["access_token"], headers)

    assert answer.status_code == 401
    assert "WWW-Authenticate" in answer.headers
    assert "active" not in answer.text


def test_tokens_are_not_introspected_by_url(service, standalone, watcher):
    answer = requests.get(
        f"{service.url}/auth/introspect",
        params={"token": standalone["access_token"]},
        headers=watcher,
        timeout=TIMEOUT_S,
    )

    assert answer.status_code in {404, 405}


def test_what_a_narrower_refresh_gave_is_told(ask, watcher, patient, apps):
    app = apps["secret-app"]
    given = tokens(patient, app, "offline_access patient/Patient.rs patient/Device.rs")
    less = app.refresh(given["refresh_token"], scope="patient/Patient.rs").json()

    told = ask(less["access_token"], watcher).json()

    assert told["scope"] == "patient/Patient.rs"
