"""Revocation: by the app (RFC 7009), by the person, by the operator; at once.

https://www.rfc-editor.org/rfc/rfc7009
"""

import pytest
import requests
from html_page import Page
from smart_flow import STANDALONE, tokens
from smart_service import TIMEOUT_S

KINDS = ["access_token", "refresh_token"]


def is_dead(app, service, clinic, given):
    read = service.get(f"Patient/{clinic.patient}", given["access_token"])
    refreshed = app.refresh(given["refresh_token"])
    return (read.status_code, refreshed.status_code) == (401, 400)


@pytest.mark.parametrize("hint", [None, "access_token", "refresh_token", "made-up"])
@pytest.mark.parametrize("kind", KINDS)
def test_a_revoked_token_takes_the_other_along(kind, hint, patient, apps, clinic):
    app = apps["secret-app"]
    given = tokens(patient, app, STANDALONE)
    more = {} if hint is None else {"token_type_hint": hint}

    answer = app.revoke(given[kind], **more)

    assert answer.status_code == 200
    assert is_dead(app, clinic.service, clinic, given)


@pytest.mark.parametrize("client", ["public-app", "key-app"])
def test_each_kind_of_app_may_revoke(client, patient, apps, service, clinic):
    given = tokens(patient, apps[client], STANDALONE)

    assert apps[client].revoke(given["refresh_token"]).status_code == 200

    assert is_dead(apps[client], service, clinic, given)


@pytest.mark.parametrize("kind", KINDS)
def test_another_client_s_token_is_not_revoked(kind, standalone, apps, service, clinic):
    answer = apps["other-app"].revoke(standalone[kind])

    assert answer.status_code in {200, 400}
    read = service.get(f"Patient/{clinic.patient}", standalone["access_token"])
    assert read.status_code == 200


def test_a_token_that_is_none_is_revoked_like_any(apps):
    assert apps["secret-app"].revoke("made-up").status_code == 200


def test_who_does_not_prove_herself_revokes_nothing(standalone, service, clinic):
    answer = requests.post(
        f"{service.url}/auth/revoke",
        data={"token": standalone["refresh_token"], "client_id": "secret-app"},
        timeout=TIMEOUT_S,
    )

    assert answer.status_code in {400, 401}
    assert answer.json()["error"] == "invalid_client"
    read = service.get(f"Patient/{clinic.patient}", standalone["access_token"])
    assert read.status_code == 200


def test_what_names_no_token_is_no_request(apps):
    answer = apps["secret-app"].post("revoke", {})

    assert answer.status_code == 400
    assert answer.json()["error"] == "invalid_request"


def test_one_authorization_ends_and_another_stays(patient, apps, service, clinic):
    app = apps["secret-app"]
    first, second = (tokens(patient, app, STANDALONE) for _ in range(2))

    app.revoke(first["refresh_token"])

    read = service.get(f"Patient/{clinic.patient}", second["access_token"])
    assert read.status_code == 200


def test_a_person_sees_the_apps_that_she_let_in_and_ends_one(
    patient, add_app, service, clinic
):
    app = add_app("listed-app", "--auth", "secret", "--name", "Listed app")
    given = tokens(patient, app, STANDALONE)
    page = patient.open("/apps")
    assert isinstance(page, Page)
    assert "Listed app" in page.text
    [form] = [
        one
        for one in page.forms
        if "listed-app" in {field.value for field in one.fields}
    ]

    patient.send(form, form.filled())

    assert is_dead(app, service, clinic, given)
    again = patient.open("/apps")
    assert "Listed app" not in again.text


def test_a_backend_client_s_token_is_revoked(service):
    words = ("--key-dir", str(service.deployed.keys))
    service.add_client("revoker", "system/Patient.rs", *words)
    token = service.deployed.token("revoker", "system/Patient.rs")

    answer = requests.post(
        f"{service.url}/auth/revoke",
        data={
            "token": token,
            "client_assertion_type": (
                "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
            ),
            "client_assertion": service.deployed.assertion("revoker"),
        },
        timeout=TIMEOUT_S,
    )

    assert answer.status_code == 200
    assert service.get("Patient", token).status_code == 401
