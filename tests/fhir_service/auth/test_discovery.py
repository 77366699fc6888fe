"""What the service says about itself, and what it is given."""

import threading
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import requests
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.serving import make_server

from fhir_service.auth.services import AuthServices
from fhir_service.auth.token import GRANT_TYPES

on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
"""For what does not depend on the database."""


@on_sqlite
@pytest.mark.parametrize("prefix", ["", "/fhir"])
def test_discovery_lists_what_works_and_nothing_else(
    http: FlaskClient, prefix: str
) -> None:
    response = http.get(f"{prefix}/.well-known/smart-configuration")

    assert response.status_code == 200
    assert response.headers["Content-Type"] == "application/json"
    assert response.headers["Access-Control-Allow-Origin"] == "*"
    assert response.get_json() == {
        "token_endpoint": "https://fhir.test/auth/token",
        "token_endpoint_auth_methods_supported": ["private_key_jwt"],
        "token_endpoint_auth_signing_alg_values_supported": ["RS384", "ES384"],
        "grant_types_supported": ["client_credentials"],
        "scopes_supported": ["system/*.rs"],
        "capabilities": [
            "client-confidential-asymmetric",
            "permission-v1",
            "permission-v2",
        ],
    }


@on_sqlite
def test_every_grant_type_listed_is_served(
    http: FlaskClient, token_form: Callable[..., dict[str, str]]
) -> None:
    for grant_type in GRANT_TYPES:
        response = http.post("/auth/token", data=token_form("x", grant_type=grant_type))

        assert response.get_json()["error"] != "unsupported_grant_type"


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
