"""The token endpoint: a code becomes a token, once, for whoever asked for it.

https://hl7.org/fhir/smart-app-launch/STU2.2/app-launch.html#obtain-access-token
https://www.rfc-editor.org/rfc/rfc6749#section-5
"""

import re

import pytest
import requests
from smart_app import basic, challenge_of
from smart_flow import STANDALONE, code_of, tokens
from smart_service import TIMEOUT_S

CLIENTS = ["public-app", "secret-app", "key-app", "rsa-app"]


def error(answer):
    assert answer.headers["Content-Type"].startswith("application/json")
    assert answer.headers["Cache-Control"] == "no-store"
    assert "access_token" not in answer.json()
    return answer.status_code, answer.json()["error"]


@pytest.mark.parametrize("client", CLIENTS)
def test_each_kind_of_app_gets_its_token(client, patient, apps, clinic):
    code, verifier = code_of(patient, apps[client], STANDALONE)

    answer = apps[client].exchange(code, verifier)

    assert answer.status_code == 200
    body = answer.json()
    for name in ("access_token", "token_type", "scope", "refresh_token", "id_token"):
        assert isinstance(body[name], str)
        assert body[name]
    assert body["token_type"].lower() == "bearer"
    assert body["patient"] == clinic.patient
    assert isinstance(body["expires_in"], int)
    assert not isinstance(body["expires_in"], bool)
    assert 60 <= body["expires_in"] <= 3600


def test_the_response_is_kept_by_no_cache(patient, apps):
    code, verifier = code_of(patient, apps["secret-app"], STANDALONE)

    answer = apps["secret-app"].exchange(code, verifier)

    assert answer.headers["Content-Type"].startswith("application/json")
    assert "no-store" in answer.headers["Cache-Control"]
    assert "no-cache" in answer.headers["Pragma"]


def test_a_token_is_of_the_characters_of_a_bearer_token(standalone):
    for name in ("access_token", "refresh_token"):
        assert re.fullmatch(r"[A-Za-z0-9._~+/-]{43,}=*", standalone[name])


def test_the_context_is_told_beside_the_token(standalone, clinic):
    assert standalone["patient"] == clinic.patient
    assert isinstance(standalone["need_patient_banner"], bool)
    assert "fhirContext" not in standalone
    assert "encounter" not in standalone


def test_the_token_reads_and_no_token_does_not(standalone, service, clinic):
    path = f"Patient/{clinic.patient}"

    assert service.get(path, standalone["access_token"]).status_code == 200
    refused = service.get(path)
    assert refused.status_code == 401
    assert refused.headers["WWW-Authenticate"].startswith("Bearer")
    assert refused.json()["resourceType"] == "OperationOutcome"


@pytest.mark.parametrize(
    "token", ["made-up", "x" * 43, " ", "a b"], ids=["word", "long", "blank", "two"]
)
def test_a_token_that_is_none_is_401(token, service, clinic):
    answer = service.get(f"Patient/{clinic.patient}", token)

    assert answer.status_code == 401
    assert "Patient" not in answer.text


@pytest.mark.parametrize("case", ["absent", "blank", "wrong", "challenge"])
@pytest.mark.parametrize("client", ["secret-app", "public-app", "key-app"])
def test_a_verifier_that_is_not_the_challenge_s_is_refused(case, client, patient, apps):
    code, verifier = code_of(patient, apps[client], "openid")
    sent = {
        "absent": None,
        "blank": "",
        "wrong": "w" * len(verifier),
        "challenge": challenge_of(verifier),
    }

    status, word = error(apps[client].exchange(code, sent[case]))

    assert status == 400
    assert word in {"invalid_grant", "invalid_request"}


def test_a_verifier_where_there_was_no_challenge_is_refused(patient, apps):
    app = apps["old-app"]
    asked = app.asks("openid", code_challenge=None, code_challenge_method=None)
    code = patient.authorize(app, asked).code

    status, word = error(app.exchange(code, "v" * 64))

    assert status == 400
    assert word in {"invalid_grant", "invalid_request"}


@pytest.mark.parametrize("client", CLIENTS)
def test_a_code_that_was_never_given_is_400(client, apps):
    assert error(apps[client].exchange("BAD_CODE", "v" * 64)) == (400, "invalid_grant")


def test_an_unknown_client_is_told_so_by_basic(patient, apps, service):
    app = apps["secret-app"]
    code, verifier = code_of(patient, app, "openid")

    answer = requests.post(
        f"{service.url}/auth/token",
        data={
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": app.redirect_uri,
            "code_verifier": verifier,
        },
        headers=basic("nobody", "guessed"),
        timeout=TIMEOUT_S,
    )

    assert error(answer) == (401, "invalid_client")
    assert answer.headers["WWW-Authenticate"].startswith("Basic")


def proofless(app, **more):
    return requests.post(
        f"{app.service.url}/auth/token",
        data={"redirect_uri": app.redirect_uri, **more},
        timeout=TIMEOUT_S,
    )


@pytest.mark.parametrize("client", ["secret-app", "key-app"])
def test_a_confidential_client_must_prove_itself(client, patient, apps):
    code, verifier = code_of(patient, apps[client], "openid")

    answer = proofless(
        apps[client],
        grant_type="authorization_code",
        client_id=client,
        code=code,
        code_verifier=verifier,
    )

    assert error(answer)[1] == "invalid_client"
    assert answer.status_code in {400, 401}


def test_a_secret_in_the_form_is_no_proof(patient, apps):
    app = apps["secret-app"]
    code, verifier = code_of(patient, app, "openid")

    answer = proofless(
        app,
        grant_type="authorization_code",
        client_id=app.client_id,
        client_secret=app.secret,
        code=code,
        code_verifier=verifier,
    )

    assert answer.status_code in {400, 401}
    assert "access_token" not in answer.json()


def test_a_wrong_secret_is_no_proof(patient, apps, service):
    app = apps["secret-app"]
    code, verifier = code_of(patient, app, "openid")

    answer = requests.post(
        f"{service.url}/auth/token",
        data={
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": app.redirect_uri,
            "code_verifier": verifier,
        },
        headers=basic(app.client_id, f"{app.secret}x"),
        timeout=TIMEOUT_S,
    )

    assert error(answer) == (401, "invalid_client")


def test_two_proofs_at_once_are_refused(patient, apps, service):
    app, keyed = apps["secret-app"], apps["key-app"]
    code, verifier = code_of(patient, app, "openid")
    _, assertion = keyed.proof()

    answer = requests.post(
        f"{service.url}/auth/token",
        data={
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": app.redirect_uri,
            "code_verifier": verifier,
            **assertion,
        },
        headers=basic(app.client_id, app.secret),
        timeout=TIMEOUT_S,
    )

    assert answer.status_code in {400, 401}
    assert "access_token" not in answer.json()


def test_a_code_is_another_client_s_to_no_use(patient, apps):
    code, verifier = code_of(patient, apps["secret-app"], "openid")

    assert error(apps["other-app"].exchange(code, verifier)) == (400, "invalid_grant")


def test_a_code_holds_for_its_redirect_uri_alone(patient, apps):
    app = apps["secret-app"]
    for uri in ("https://app.example/other", ""):
        code, verifier = code_of(patient, app, "openid")

        status, word = error(app.exchange(code, verifier, redirect_uri=uri))

        assert status == 400
        assert word in {"invalid_grant", "invalid_request"}


def test_a_replayed_code_ends_what_came_of_it(patient, apps, service, clinic):
    app = apps["secret-app"]
    code, verifier = code_of(patient, app, STANDALONE)
    first = app.exchange(code, verifier).json()
    path = f"Patient/{clinic.patient}"
    assert service.get(path, first["access_token"]).status_code == 200

    assert error(app.exchange(code, verifier)) == (400, "invalid_grant")

    assert service.get(path, first["access_token"]).status_code == 401
    assert error(app.refresh(first["refresh_token"])) == (400, "invalid_grant")


def test_a_replayed_assertion_is_refused(patient, apps, service):
    app = apps["key-app"]
    _, proof = app.proof()

    def exchange():
        code, verifier = code_of(patient, app, "openid")
        return requests.post(
            f"{service.url}/auth/token",
            data={
                "grant_type": "authorization_code",
                "code": code,
                "redirect_uri": app.redirect_uri,
                "code_verifier": verifier,
                **proof,
            },
            timeout=TIMEOUT_S,
        )

    assert exchange().status_code == 200
    assert error(exchange()) == (400, "invalid_client")


@pytest.mark.parametrize(
    "grant_type",
    ["password", "implicit", "urn:ietf:params:oauth:grant-type:jwt-bearer", "made-up"],
)
def test_a_grant_type_that_is_not_served_is_400(grant_type, apps):
    answer = apps["secret-app"].post("token", {"grant_type": grant_type})

    assert error(answer) == (400, "unsupported_grant_type")


@pytest.mark.parametrize("client", CLIENTS)
def test_an_app_gets_no_token_for_itself(client, apps):
    form = {"grant_type": "client_credentials", "scope": "patient/*.rs"}

    status, word = error(apps[client].post("token", form))

    assert status == 400
    assert word in {"unauthorized_client", "invalid_client", "invalid_scope"}


@pytest.mark.parametrize("name", ["code", "grant_type", "redirect_uri"])
def test_a_repeated_parameter_is_refused(name, patient, apps, service):
    app = apps["public-app"]
    code, verifier = code_of(patient, app, "openid")
    pairs = [
        ("grant_type", "authorization_code"),
        ("code", code),
        ("redirect_uri", app.redirect_uri),
        ("code_verifier", verifier),
        ("client_id", app.client_id),
    ]

    answer = requests.post(
        f"{service.url}/auth/token",
        data=[*pairs, *[pair for pair in pairs if pair[0] == name]],
        timeout=TIMEOUT_S,
    )

    assert error(answer) == (400, "invalid_request")


def test_parameters_in_the_url_are_refused(service):
    answer = requests.post(
        f"{service.url}/auth/token?client_id=public-app",
        data={"grant_type": "authorization_code", "code": "x"},
        timeout=TIMEOUT_S,
    )

    assert error(answer) == (400, "invalid_request")


def test_the_token_endpoint_is_not_asked_by_get(service):
    assert requests.get(f"{service.url}/auth/token", timeout=TIMEOUT_S).status_code in {
        404,
        405,
    }


def test_an_app_is_not_found_out_by_other_words(apps, service):
    """What differs between no such client and a wrong secret would tell."""
    assert apps["secret-app"].secret
    unknown, known = (
        requests.post(
            f"{service.url}/auth/token",
            data={"grant_type": "authorization_code", "code": "x"},
            headers=basic(client_id, "guessed"),
            timeout=TIMEOUT_S,
        )
        for client_id in ("nobody", "secret-app")
    )

    assert unknown.status_code == known.status_code
    assert unknown.json() == known.json()


def test_a_token_lives_as_long_as_the_client_s_registration_says(patient, add_app):
    app = add_app("brief-app", "--auth", "none", "--token-lifetime", "90")

    answer = tokens(patient, app, "openid")

    assert answer["expires_in"] == 90
