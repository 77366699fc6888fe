"""Assertions and requests that get no token; whatever the database."""

import base64
import hashlib
import hmac
import json
import string
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from flask.testing import FlaskClient
from joserfc.jwk import ECKey, RSAKey

from fhir_service.auth.token_message import MAX_BODY
from fhir_service.errors import OAUTH_STATUS, OAuthError

AUDIENCE = "https://fhir.test/auth/token"

FORM = "application/x-www-form-urlencoded"

ALPHABET = string.ascii_uppercase + string.ascii_lowercase + string.digits + "-_"
"""Of base64url: the last character of a signature has bits that mean nothing."""

Sign = Any
Ask = Callable[..., Any]
Audit = Any


@pytest.fixture
def database_url(sqlite_url: str) -> str:
    return sqlite_url


@pytest.fixture
def ask_anew(ask: Ask, sign: Sign) -> Ask:
    """Ask with a fresh assertion of the example client."""
    return lambda **changes: ask(sign(), **changes)


def encoded(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).rstrip(b"=").decode()


def assert_refused(response: Any, audit: Audit, reason: str) -> None:
    assert response.status_code == OAUTH_STATUS[OAuthError.INVALID_CLIENT]
    assert response.get_json() == {
        "error": "invalid_client",
        "error_description": "The client did not prove its identity.",
    }
    assert response.headers["Cache-Control"] == "no-store"
    assert audit.last == ("token-refused", reason)


@pytest.mark.parametrize(
    ("header", "reason"),
    [
        ({"alg": "HS256"}, "wrong-alg"),
        ({"alg": "RS256"}, "wrong-alg"),
        ({"alg": "PS384"}, "wrong-alg"),
        ({"typ": "at+jwt"}, "wrong-typ"),
        ({"typ": "dpop+jwt"}, "wrong-typ"),
        ({"typ": ""}, "wrong-typ"),
        ({"typ": ["JWT"]}, "wrong-typ"),
        ({"alg": ["RS384"]}, "wrong-alg"),
        ({"alg": ""}, "wrong-alg"),
        ({"kid": "another"}, "unknown-kid"),
        ({"kid": ""}, "unknown-kid"),
        ({"kid": "RSA-1"}, "unknown-kid"),
        ({"kid": "rsa-1 "}, "unknown-kid"),
        ({"kid": "../../../dev/null"}, "unknown-kid"),
        ({"kid": "rsa-1' OR '1'='1"}, "unknown-kid"),
        ({"kid": "https://evil.test/key"}, "unknown-kid"),
        ({"kid": "rsa-1%00"}, "unknown-kid"),
        ({"kid": ["rsa-1"]}, "unknown-kid"),
        ({"kid": {"rsa-1": 1}}, "unknown-kid"),
        ({"kid": 1}, "unknown-kid"),
        ({"kid": None}, "unknown-kid"),
        ({"jwk": {"kty": "oct", "k": "AAAA"}}, "foreign-key"),
        ({"jku": "https://evil.test/jwks"}, "foreign-key"),
        ({"x5u": "https://evil.test/x5"}, "foreign-key"),
        ({"x5c": ["AAAA"]}, "foreign-key"),
        ({"crit": ["exp"], "exp": 1}, "foreign-key"),
        ({"crit": ["b64"], "b64": True}, "foreign-key"),
    ],
)
def test_a_header_that_changes_the_rules_is_refused(
    ask: Ask, sign: Sign, audit: Audit, header: dict[str, Any], reason: str
) -> None:
    payload = json.dumps(sign.claims()).encode()
    protected = {"alg": "RS384", "kid": "rsa-1", "typ": "JWT"} | header
    named = {name: value for name, value in protected.items() if value is not None}
    text = f"{encoded(json.dumps(named).encode())}.{encoded(payload)}"
    signature = sign.signed(payload).rpartition(".")[2]

    response = ask(f"{text}.{signature}")

    assert_refused(response, audit, reason)


def test_alg_none_is_refused(ask: Ask, sign: Sign, audit: Audit) -> None:
    payload = encoded(json.dumps(sign.claims()).encode())
    for name in ("none", "None", "nOnE"):
        header = encoded(json.dumps({"alg": name, "kid": "rsa-1"}).encode())

        response = ask(f"{header}.{payload}.AA")

        assert_refused(response, audit, "wrong-alg")
        assert_refused(ask(f"{header}.{payload}."), audit, "malformed")


@pytest.mark.parametrize("name", ["HS256", "HS384"])
def test_a_mac_with_the_public_key_is_refused(
    ask: Ask, sign: Sign, audit: Audit, rsa_key: RSAKey, name: str
) -> None:
    header = encoded(json.dumps({"alg": name, "kid": "rsa-1"}).encode())
    text = f"{header}.{encoded(json.dumps(sign.claims()).encode())}"
    digest = hashlib.sha256 if name == "HS256" else hashlib.sha384
    mac = hmac.digest(rsa_key.as_pem(private=False), text.encode(), digest)

    response = ask(f"{text}.{encoded(mac)}")

    assert_refused(response, audit, "wrong-alg")


def test_es384_with_the_id_of_an_rsa_key_is_refused(
    ask: Ask, sign: Sign, audit: Audit, ec_key: ECKey
) -> None:
    text = replace(sign, key=ec_key, algorithm="ES384")({"kid": "rsa-1"})

    assert_refused(ask(text), audit, "wrong-alg")


def test_another_key_of_the_same_id_is_refused(
    ask: Ask, sign: Sign, audit: Audit
) -> None:
    stranger = RSAKey.generate_key(2048, parameters={"kid": "rsa-1"})

    assert_refused(ask(replace(sign, key=stranger)()), audit, "bad-signature")


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"iss": None}, "no-iss"),
        ({"sub": None}, "no-sub"),
        ({"jti": None}, "no-jti"),
        ({"jti": ""}, "no-jti"),
        ({"jti": "j" * 257}, "no-jti"),
        ({"jti": 7}, "no-jti"),
        ({"jti": "a\nb"}, "bad-jti"),
        ({"sub": ["ehr"]}, "no-sub"),
        ({"sub": "nobody", "iss": "nobody"}, "unknown-client"),
        ({"iss": "https://ehr.test"}, "iss-is-not-sub"),
        ({"iss": "ehr/"}, "iss-is-not-sub"),
        ({"aud": None}, "wrong-aud"),
        ({"aud": "https://evil.test/auth/token"}, "wrong-aud"),
        ({"aud": "https://fhir.test"}, "wrong-aud"),
        ({"aud": AUDIENCE + "/"}, "wrong-aud"),
        ({"aud": AUDIENCE[:-1]}, "wrong-aud"),
        ({"aud": [AUDIENCE, "https://evil.test"]}, "wrong-aud"),
        ({"aud": ["https://evil.test", AUDIENCE]}, "wrong-aud"),
        ({"aud": [AUDIENCE, AUDIENCE]}, "wrong-aud"),
        ({"aud": [[AUDIENCE]]}, "wrong-aud"),
        ({"aud": AUDIENCE.upper()}, "wrong-aud"),
        ({"aud": []}, "wrong-aud"),
        ({"aud": {"url": AUDIENCE}}, "wrong-aud"),
        ({"exp": None}, "no-exp"),
        ({"exp": 1}, "expired"),
        ({"exp": "1790000300"}, "bad-exp"),
        ({"exp": True}, "bad-exp"),
        ({"exp": [1790000300]}, "bad-exp"),
        ({"exp": 1790000000 + 311}, "exp-too-far"),
        ({"exp": 1790000000 - 10}, "expired"),
        ({"exp": 1e308}, "exp-too-far"),
        ({"exp": -1e308}, "expired"),
        ({"exp": 1790000000 + 310.5}, "exp-too-far"),
        ({"exp": "NaN"}, "bad-exp"),
        ({"exp": {"value": 1790000300}}, "bad-exp"),
        ({"exp": 1790000000 + 86400}, "exp-too-far"),
        ({"iat": 1790000000 + 60}, "issued-in-future"),
        ({"iat": "yesterday"}, "bad-iat"),
        ({"iat": True}, "bad-iat"),
        ({"iat": 1e308}, "issued-in-future"),
        ({"nbf": False}, "bad-nbf"),
        ({"nbf": "1790000000"}, "bad-nbf"),
        ({"nbf": 1790000000 + 60}, "not-yet-valid"),
        ({"nbf": 1e300}, "not-yet-valid"),
    ],
)
def test_a_claim_that_is_not_right_is_refused(
    ask: Ask, sign: Sign, audit: Audit, changes: dict[str, Any], reason: str
) -> None:
    response = ask(sign(**changes))

    assert_refused(response, audit, reason)


@pytest.mark.parametrize(
    "changes",
    [
        {"aud": [AUDIENCE]},
        {"iat": 1790000000, "nbf": 1790000000},
        {"iat": 1790000000 + 9},
        {"exp": 1790000000 + 310},
        {"exp": 1790000000 + 12.5},
        {"exp": 1790000000 - 9},
    ],
)
def test_clocks_may_differ_a_little(
    ask: Ask, sign: Sign, changes: dict[str, Any]
) -> None:
    assert ask(sign(**changes)).status_code == 200


@pytest.mark.parametrize("name", ["alg", "kid", "typ"])
def test_a_header_member_given_twice_is_refused(
    ask: Ask, sign: Sign, audit: Audit, name: str
) -> None:
    header = {"alg": "RS384", "kid": "rsa-1", "typ": "JWT"}
    twice = f'{json.dumps(header)[:-1]}, "{name}": "{header[name]}"}}'
    payload = json.dumps(sign.claims()).encode()
    signature = sign.signed(payload).rpartition(".")[2]

    response = ask(f"{encoded(twice.encode())}.{encoded(payload)}.{signature}")

    assert_refused(response, audit, "malformed")


@pytest.mark.parametrize("name", ["exp", "sub", "jti", "scope", "aud"])
def test_a_claim_given_twice_is_refused(
    ask: Ask, sign: Sign, audit: Audit, name: str
) -> None:
    payload = json.dumps(sign.claims(scope="a"))
    twice = f'{payload[:-1]}, "{name}": {json.dumps(sign.claims(scope="a")[name])}}}'

    assert_refused(ask(sign.signed(twice.encode())), audit, "malformed")


@pytest.mark.parametrize(
    "payload",
    [
        b"[]",
        b'"text"',
        b"null",
        b"{",
        b"\xff",
        b"",
        b'{"exp": NaN}',
        b'{"exp": Infinity}',
        b'{"exp": 1e99999999999999999999999}',
        b'{"a":' * 40 + b"1" + b"}" * 40,
        b"\xef\xbb\xbf{}",
    ],
)
def test_a_payload_that_is_no_plain_object_is_refused(
    ask: Ask, audit: Audit, payload: bytes
) -> None:
    header = encoded(b'{"alg":"RS384","kid":"rsa-1"}')

    response = ask(f"{header}.{encoded(payload)}.AAAA")

    assert_refused(response, audit, "malformed")
    assert audit.events[-1].client_id is None


@pytest.mark.parametrize(
    "spoil",
    [
        lambda text: text + "A",
        lambda text: text + "=",
        lambda text: text + "\n",
        lambda text: " " + text,
        lambda text: text + ".",
        lambda text: text + ".AAAA.AAAA",
        lambda text: text.rpartition(".")[0],
        lambda text: text.rpartition(".")[0] + ".AAAAA",
        lambda text: text.replace("-", "+").replace("_", "/") + "+",
        lambda text: text[:-1] + chr(ord(text[-1]) + 1),
        lambda text: "é" + text[1:],
    ],
)
def test_a_spoilt_assertion_is_refused(
    ask: Ask, sign: Sign, audit: Audit, spoil: Callable[[str], str]
) -> None:
    response = ask(spoil(sign()))

    assert response.get_json()["error"] == "invalid_client"
    assert audit.last[1] in {"malformed", "bad-signature"}


def test_a_signature_has_one_spelling(ask: Ask, sign: Sign, audit: Audit) -> None:
    text = sign()
    respelt = text[:-1] + ALPHABET[ALPHABET.index(text[-1]) ^ 1]

    assert_refused(ask(respelt), audit, "malformed")


def test_a_changed_payload_is_refused(ask: Ask, sign: Sign, audit: Audit) -> None:
    header, _, signature = sign().split(".")
    payload = encoded(json.dumps(sign.claims(jti="other")).encode())

    assert_refused(ask(f"{header}.{payload}.{signature}"), audit, "bad-signature")


def test_an_oversized_assertion_is_refused(ask: Ask, sign: Sign, audit: Audit) -> None:
    assert_refused(ask(sign(filler="x" * 8000)), audit, "oversized")


@pytest.mark.parametrize(
    "scope",
    [None, "", " ", "openid", "system/Device.rs", "patient/*.rs", "system/Patient.s"],
)
def test_no_scope_within_reach_is_an_invalid_scope(
    ask: Ask, sign: Sign, audit: Audit, scope: str | None
) -> None:
    response = ask(sign(), scope=scope)

    assert response.status_code == 400
    assert response.get_json()["error"] == "invalid_scope"
    assert audit.last == ("token-refused", "no-scope")
    assert audit.events[-1].proven


@pytest.mark.parametrize(
    ("changes", "error", "reason"),
    [
        ({"grant_type": None}, "invalid_request", "no-grant-type"),
        ({"grant_type": ""}, "invalid_request", "no-grant-type"),
        ({"grant_type": "password"}, "unsupported_grant_type", "unknown-grant-type"),
        ({"grant_type": "implicit"}, "unsupported_grant_type", "unknown-grant-type"),
        (
            {"client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:x"},
            "invalid_request",
            "unknown-assertion-type",
        ),
        ({"client_assertion_type": None}, "invalid_client", "no-assertion"),
        ({"client_assertion": None}, "invalid_client", "no-assertion"),
        ({"client_id": "other"}, "invalid_client", "client-id-mismatch"),
        ({"client_secret": "s"}, "invalid_request", "several-methods"),
    ],
)
def test_each_wrong_request_has_its_oauth_error(
    ask_anew: Ask, audit: Audit, changes: dict[str, str | None], error: str, reason: str
) -> None:
    response = ask_anew(**changes)

    assert response.status_code == OAUTH_STATUS[OAuthError(error)]
    assert response.get_json()["error"] == error
    assert response.headers["Cache-Control"] == "no-store"
    assert response.headers["Pragma"] == "no-cache"
    assert audit.last == ("token-refused", reason)


def test_an_assertion_and_a_header_at_once_are_refused(
    http: FlaskClient, sign: Sign, token_form: Callable[..., Any], audit: Audit
) -> None:
    response = http.post("/auth/token", data=token_form(sign()), auth=("ehr", "x"))

    assert response.status_code == 400
    assert response.get_json()["error"] == "invalid_request"
    assert audit.last == ("token-refused", "several-methods")


@pytest.mark.parametrize(
    ("content_type", "body", "reason"),
    [
        ("application/json", b'{"grant_type": "client_credentials"}', "not-a-form"),
        ("text/plain", b"grant_type=client_credentials", "not-a-form"),
        ("multipart/form-data; boundary=x", b"--x--", "not-a-form"),
        ("", b"", "not-a-form"),
        (FORM, b"", "no-grant-type"),
        (FORM, b"grant_type=%FF", "malformed"),
        (FORM, b"grant_type=\xff", "malformed"),
        (FORM, b"a=1&" * 40, "malformed"),
        (FORM, b"scope=a&scope=b", "repeated-parameter"),
        (FORM, b"scope=" + b"x" * MAX_BODY, "oversized"),
    ],
)
def test_what_is_no_form_is_an_invalid_request(
    http: FlaskClient, audit: Audit, content_type: str, body: bytes, reason: str
) -> None:
    response = http.post("/auth/token", data=body, content_type=content_type)

    assert response.status_code == 400
    assert response.get_json()["error"] == "invalid_request"
    assert audit.last == ("token-refused", reason)


def test_a_parameter_in_the_url_is_refused(
    http: FlaskClient, sign: Sign, token_form: Callable[..., Any], audit: Audit
) -> None:
    response = http.post("/auth/token?scope=x", data=token_form(sign()))

    assert response.get_json()["error"] == "invalid_request"
    assert audit.last == ("token-refused", "not-a-form")
