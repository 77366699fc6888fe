"""What the service says about itself, and what it is given."""

import threading
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import requests
from click.testing import CliRunner
from flask import Flask
from flask.testing import FlaskClient
from joserfc.jwk import RSAKey
from werkzeug.serving import make_server

from fhir_service.auth import signing
from fhir_service.auth.scopes import parse_scope
from fhir_service.auth.services import AuthServices
from fhir_service.auth.supported_scopes import (
    GRANULAR,
    US_CORE_TYPES,
    WORDS,
    scopes_supported,
)
from fhir_service.auth.token import GRANT_TYPES
from fhir_service.cli import main
from fhir_service.commands import rotate_keys
from fhir_service.deployment import SCOPES
from fhir_service.interactions.received import WRITABLE

on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
"""For what does not depend on the database."""

Audit = Any

ANYTHING = ("application/fhir+json", "text/html", "*/*", "application/json", "x")

SMART = {
    "issuer": "https://fhir.test",
    "jwks_uri": "https://fhir.test/auth/jwks",
    "authorization_endpoint": "https://fhir.test/auth/authorize",
    "token_endpoint": "https://fhir.test/auth/token",
    "introspection_endpoint": "https://fhir.test/auth/introspect",
    "revocation_endpoint": "https://fhir.test/auth/revoke",
    "management_endpoint": "https://fhir.test/apps",
    "token_endpoint_auth_methods_supported": [
        "private_key_jwt",
        "client_secret_basic",
        "none",
    ],
    "token_endpoint_auth_signing_alg_values_supported": ["RS384", "ES384"],
    "grant_types_supported": [
        "client_credentials",
        "authorization_code",
        "refresh_token",
    ],
    "response_types_supported": ["code"],
    "code_challenge_methods_supported": ["S256"],
    "scopes_supported": ["system/*.rs"],
    "capabilities": [
        "launch-standalone",
        "launch-ehr",
        "authorize-post",
        "client-public",
        "client-confidential-symmetric",
        "client-confidential-asymmetric",
        "sso-openid-connect",
        "context-banner",
        "context-style",
        "context-ehr-patient",
        "context-ehr-encounter",
        "context-standalone-patient",
        "permission-offline",
        "permission-online",
        "permission-patient",
        "permission-user",
        "permission-v1",
        "permission-v2",
    ],
}

OPENID = {
    "issuer": "https://fhir.test",
    "jwks_uri": "https://fhir.test/auth/jwks",
    "authorization_endpoint": "https://fhir.test/auth/authorize",
    "token_endpoint": "https://fhir.test/auth/token",
    "introspection_endpoint": "https://fhir.test/auth/introspect",
    "revocation_endpoint": "https://fhir.test/auth/revoke",
    "scopes_supported": ["system/*.rs"],
    "claims_supported": [
        "iss",
        "sub",
        "aud",
        "exp",
        "iat",
        "auth_time",
        "nonce",
        "fhirUser",
    ],
    "response_types_supported": ["code"],
    "response_modes_supported": ["query"],
    "grant_types_supported": SMART["grant_types_supported"],
    "prompt_values_supported": ["consent", "login", "none"],
    "subject_types_supported": ["public"],
    "id_token_signing_alg_values_supported": ["RS256"],
    "code_challenge_methods_supported": ["S256"],
    "token_endpoint_auth_methods_supported": [
        "private_key_jwt",
        "client_secret_basic",
        "none",
    ],
    "token_endpoint_auth_signing_alg_values_supported": ["RS384", "ES384"],
    "introspection_endpoint_auth_methods_supported": [
        "private_key_jwt",
        "client_secret_basic",
        "Bearer",
    ],
    "introspection_endpoint_auth_signing_alg_values_supported": ["RS384", "ES384"],
    "revocation_endpoint_auth_methods_supported": [
        "private_key_jwt",
        "client_secret_basic",
        "none",
    ],
    "revocation_endpoint_auth_signing_alg_values_supported": ["RS384", "ES384"],
    "authorization_response_iss_parameter_supported": True,
    "claims_parameter_supported": False,
    "request_parameter_supported": False,
    "request_uri_parameter_supported": False,
}


@on_sqlite
@pytest.mark.parametrize("accept", ANYTHING)
@pytest.mark.parametrize(
    ("path", "document"),
    [
        ("/.well-known/smart-configuration", SMART),
        ("/fhir/.well-known/smart-configuration", SMART),
        ("/.well-known/openid-configuration", OPENID),
        ("/.well-known/oauth-authorization-server", OPENID),
    ],
)
def test_discovery_lists_what_works_and_nothing_else(
    http: FlaskClient, path: str, document: dict[str, Any], accept: str
) -> None:
    response = http.get(path, headers={"Accept": accept})

    assert response.status_code == 200
    assert response.headers["Content-Type"] == "application/json"
    assert response.headers["Access-Control-Allow-Origin"] == "*"
    assert response.get_json() == document


@on_sqlite
def test_every_endpoint_for_programs_answers(http: FlaskClient) -> None:
    for name, url in SMART.items():
        if name in {"token_endpoint", "introspection_endpoint", "revocation_endpoint"}:
            path = str(url).removeprefix("https://fhir.test")

            assert http.post(path, data={}).status_code in {400, 401}
            assert http.get(path).status_code == 405


@on_sqlite
def test_every_grant_type_listed_is_served(
    http: FlaskClient, token_form: Callable[..., dict[str, str]]
) -> None:
    for grant_type in GRANT_TYPES:
        response = http.post("/auth/token", data=token_form("x", grant_type=grant_type))

        assert response.get_json()["error"] != "unsupported_grant_type"


def test_every_scope_listed_is_one() -> None:
    for scope in SCOPES:
        assert scope in WORDS or parse_scope(scope) is not None


def test_the_scopes_of_us_core_are_listed_for_every_level() -> None:
    types = {"Condition", "Observation", "Patient"}

    listed = scopes_supported(types)

    for level in ("patient", "user", "system"):
        assert f"{level}/*.rs" in listed
        assert f"{level}/Patient.rs" in listed
        assert (
            f"{level}/Observation.rs?category="
            "http://terminology.hl7.org/CodeSystem/observation-category|vital-signs"
        ) in listed
        assert (
            f"{level}/Condition.rs?category="
            "http://hl7.org/fhir/us/core/CodeSystem/condition-category|health-concern"
        ) in listed
        assert f"{level}/Device.rs" not in listed
        assert not any("DocumentReference" in scope for scope in listed)
    assert len(listed) == len(set(listed))


def test_every_type_of_us_core_that_is_served_has_its_scopes() -> None:
    types = {type_ for type_ in US_CORE_TYPES if type_ in WRITABLE}

    assert {
        f"{level}/{type_}.rs"
        for level in ("patient", "user", "system")
        for type_ in types
    } <= set(SCOPES)
    assert all(f"user/{part}" in SCOPES for part in GRANULAR)


def test_the_keys_of_id_tokens_are_published(http: FlaskClient) -> None:
    response = http.get("/auth/jwks")

    [key] = response.get_json()["keys"]
    assert response.headers["Content-Type"] == "application/json"
    assert response.headers["Cache-Control"] == "public, max-age=300"
    assert response.headers["Access-Control-Allow-Origin"] == "*"
    assert (key["kty"], key["alg"], key["use"]) == ("RSA", "RS256", "sig")
    assert not {"d", "p", "q", "dp", "dq", "qi"} & key.keys()
    assert RSAKey.import_key(key).kid == key["kid"]


@on_sqlite
def test_a_key_that_takes_over_is_published_beside_the_earlier_one(
    services: AuthServices,
    http: FlaskClient,
    audit: Audit,
    capsys: pytest.CaptureFixture[str],
) -> None:
    [before] = http.get("/auth/jwks").get_json()["keys"]

    rotate_keys.id_token(services)

    said = capsys.readouterr().out
    kids = {key["kid"] for key in http.get("/auth/jwks").get_json()["keys"]}
    signer = services.database.write(
        lambda transaction: signing.signer(services, transaction, services.clock())
    )
    assert kids == {before["kid"], signer.kid}
    assert signer.kid in said
    assert signer.kid != before["kid"]
    assert audit.last == ("signing-key-rotated", None)


def test_the_command_line_is_told_which_keys_to_rotate() -> None:
    result = CliRunner().invoke(main, ["rotate-keys"])

    assert result.exit_code == 2
    assert "--id-token" in result.output


@on_sqlite
@pytest.mark.parametrize(
    "url", ["", "fhir.test", "ftp://fhir.test", "https://", "https://fhir.test/"]
)
def test_a_public_url_is_absolute(services: AuthServices, url: str) -> None:
    with pytest.raises(ValueError, match="public_url"):
        replace(services, public_url=url)


@on_sqlite
@pytest.mark.parametrize(
    ("url", "plain"),
    [
        ("http://localhost:8000", True),
        ("http://127.0.0.1:8000", True),
        ("http://[::1]:8000", True),
        ("https://localhost:8000", False),
        ("https://fhir.test", False),
        ("http://fhir.test", False),
        ("http://192.0.2.1", False),
        ("http://localhost.evil.test", False),
    ],
)
def test_cookies_are_plain_on_this_machine_alone(
    services: AuthServices,
    url: str,
    plain: bool,  # noqa: FBT001 - a case of the test
) -> None:
    assert replace(services, public_url=url).plain_cookies is plain


@on_sqlite
def test_a_token_is_given_over_real_http(
    services: AuthServices,
    make_app: Callable[[AuthServices], Flask],
    sign: Any,
    token_form: Callable[..., dict[str, str]],
) -> None:
    server = make_server("127.0.0.1", 0, make_app(services), threaded=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    base = f"http://127.0.0.1:{server.server_port}"
    try:
        found = requests.get(f"{base}/.well-known/smart-configuration", timeout=10)
        reply = requests.post(f"{base}/auth/token", data=token_form(sign()), timeout=10)
    finally:
        server.shutdown()
        server.server_close()

    assert found.headers["Content-Type"] == "application/json"
    assert (reply.status_code, reply.json()["expires_in"]) == (200, 300)
