"""How clients prove themselves at the token endpoint; whatever the database."""

import base64
import hashlib
import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from joserfc.jwk import RSAKey

from fhir_service.auth.keys import ClientKey, KeysUnavailable, client_keys
from fhir_service.auth.rate_limit import RateLimit
from fhir_service.auth.registration import AuthMethod
from fhir_service.auth.services import AuthServices, RateLimits
from fhir_service.storage import registrations

Audit = Any
Authorizer = Any
Post = Callable[..., Any]
Sign = Any

SECRET = "of-the-example-portal_" + "x" * 21
ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
JWKS_URI = "https://app.test/jwks.json"


@pytest.fixture
def database_url(sqlite_url: str) -> str:
    return sqlite_url


def basic(client_id: str, secret: str) -> dict[str, str]:
    text = base64.b64encode(f"{client_id}:{secret}".encode()).decode()
    return {"Authorization": f"Basic {text}"}


@pytest.fixture
def post(http: FlaskClient) -> Post:
    """Ask for new tokens; who may not, learns so before the token is looked at."""

    def send(
        token: str | None = None, headers: dict[str, str] | None = None, **fields: str
    ) -> Any:
        data = {"grant_type": "refresh_token", "refresh_token": token or "none"}
        data |= fields
        return http.post("/auth/token", data=data, headers=headers or {})

    return send


@pytest.fixture
def token(authorizer: Authorizer) -> str:
    text: str = authorizer.refresh_token(authorizer.authorize())
    return text


def assert_challenged(response: Any, audit: Audit, reason: str) -> None:
    assert response.status_code == 401
    assert response.headers["WWW-Authenticate"] == 'Basic realm="fhir"'
    assert response.get_json() == {
        "error": "invalid_client",
        "error_description": "The client did not prove its identity.",
    }
    assert response.headers["Cache-Control"] == "no-store"
    assert audit.last == ("token-refused", reason)


def assert_refused(
    response: Any, audit: Audit, reason: str, error: str = "invalid_client"
) -> None:
    assert response.status_code == 400
    assert response.get_json()["error"] == error
    assert "WWW-Authenticate" not in response.headers
    assert audit.last == ("token-refused", reason)


def test_a_secret_in_a_basic_header_proves_a_client(
    post: Post, token: str, audit: Audit
) -> None:
    assert post(token, basic("portal", SECRET)).status_code == 200
    assert (audit.events[-1].client_id, audit.events[-1].proven) == ("portal", True)


def test_the_client_id_may_stand_in_the_form_too(post: Post, token: str) -> None:
    response = post(token, basic("portal", SECRET), client_id="portal")

    assert response.status_code == 200


@pytest.mark.parametrize("scheme", ["basic", "BASIC", "Basic "])
def test_the_scheme_is_read_as_http_reads_it(
    post: Post, token: str, scheme: str
) -> None:
    encoded = basic("portal", SECRET)["Authorization"].removeprefix("Basic ")

    response = post(token, {"Authorization": f"{scheme} {encoded}"})

    assert response.status_code == 200


ODD = "50%+2B:a/b c"
"""A secret that reads otherwise once it is decoded: ours have none of these."""


@pytest.mark.parametrize("sent", [ODD, "50%25%2B2B%3Aa%2Fb+c"])
def test_a_secret_may_be_sent_as_it_is_and_as_rfc_6749_encodes_it(
    post: Post,
    authorizer: Authorizer,
    portal: registrations.Client,
    services: AuthServices,
    sent: str,
) -> None:
    odd = replace(
        portal, client_id="odd~1", secret_hash=hashlib.sha256(ODD.encode()).digest()
    )
    services.database.write(lambda writing: registrations.add_client(writing, odd))
    holder = replace(authorizer, client_id="odd~1")
    token = holder.refresh_token(holder.authorize())
    client_id = "odd~1" if sent == ODD else "odd%7E1"

    assert post(token, basic(client_id, sent), client_id="odd~1").status_code == 200


@pytest.mark.parametrize(
    "case",
    [
        ("portal", SECRET + "x", "wrong-secret"),
        ("portal", SECRET[:-1], "wrong-secret"),
        ("portal", "", "wrong-secret"),
        ("portal", "%00", "wrong-secret"),
        ("Portal", SECRET, "unknown-client"),
        ("nobody", SECRET, "unknown-client"),
        ("", SECRET, "unknown-client"),
        ("a\x00b", SECRET, "unknown-client"),
        ("a%00b", SECRET, "unknown-client"),
        ("n" * 129, SECRET, "unknown-client"),
        ("ehr", SECRET, "other-method"),
    ],
)
def test_wrong_credentials_are_challenged_alike(
    post: Post, audit: Audit, sign: Sign, token: str, case: tuple[str, str, str]
) -> None:
    client_id, secret, reason = case
    assert sign.algorithm == "RS384"  # "ehr" is registered

    assert_challenged(post(token, basic(client_id, secret)), audit, reason)


@pytest.mark.parametrize(
    ("header", "reason"),
    [
        ("", "other-method"),
        ("Basic", "unknown-client"),
        ("Basic ????", "malformed"),
        ("Basic cG9ydGFs", "wrong-secret"),
        ("Basic cG9ydGFsOg", "malformed"),
        ("Basic /////w==", "malformed"),
        ("Basic " + "QUFB" * 600, "other-method"),
        ("Bearer cG9ydGFsOng=", "other-method"),
        ("Digest username=portal", "other-method"),
    ],
)
def test_a_header_that_is_no_credentials_is_challenged(
    post: Post, token: str, audit: Audit, header: str, reason: str
) -> None:
    assert_challenged(post(token, {"Authorization": header}), audit, reason)


def test_the_client_of_header_and_form_is_one(
    post: Post, token: str, audit: Audit
) -> None:
    response = post(token, basic("portal", SECRET), client_id="other")

    assert_challenged(response, audit, "client-id-mismatch")


def test_a_removed_client_is_unknown(
    post: Post, token: str, services: AuthServices, audit: Audit
) -> None:
    services.database.write(
        lambda writing: registrations.remove_client(writing, "portal", 1)
    )

    assert_challenged(post(token, basic("portal", SECRET)), audit, "unknown-client")


def test_a_secret_in_the_form_is_refused(post: Post, token: str, audit: Audit) -> None:
    response = post(token, client_id="portal", client_secret=SECRET)

    assert_refused(response, audit, "other-method")


@pytest.mark.parametrize(
    "fields",
    [
        {"client_secret": SECRET},
        {"client_assertion_type": ASSERTION_TYPE},
        {"client_assertion": "e30.e30.AA"},
    ],
)
def test_two_methods_at_once_are_refused(
    post: Post, token: str, audit: Audit, fields: dict[str, str]
) -> None:
    response = post(token, basic("portal", SECRET), **fields)

    assert_refused(response, audit, "several-methods", "invalid_request")


def test_a_confidential_client_is_not_taken_by_its_name(
    post: Post, token: str, audit: Audit
) -> None:
    assert_refused(post(token, client_id="portal"), audit, "other-method")
    assert_refused(post(token), audit, "no-credentials")


@pytest.fixture
def phone(register_app: Callable[..., Any], authorizer: Authorizer) -> Authorizer:
    """A public app."""
    register_app(client_id="phone", auth_method=AuthMethod.NONE, secret=None)
    return replace(authorizer, client_id="phone")


def test_a_public_client_says_its_name(post: Post, phone: Authorizer) -> None:
    token = phone.refresh_token(phone.authorize())

    assert post(token, client_id="phone").status_code == 200


def test_a_public_client_that_sends_a_secret_is_refused(
    post: Post, phone: Authorizer, audit: Audit
) -> None:
    token = phone.refresh_token(phone.authorize())

    in_form = post(token, client_id="phone", client_secret=SECRET)
    assert_refused(in_form, audit, "other-method")
    in_header = post(token, basic("phone", "x"))
    assert_challenged(in_header, audit, "other-method")
    empty = post(token, basic("phone", ""))
    assert_challenged(empty, audit, "other-method")
    assert post(token, client_id="phone").status_code == 200


@pytest.mark.parametrize("client_id", ["nobody", "a\x00b", "n" * 129])
def test_an_unknown_public_client_is_refused(
    post: Post, audit: Audit, client_id: str
) -> None:
    assert_refused(post(client_id=client_id), audit, "unknown-client")


def test_a_stranger_cannot_use_up_a_public_clients_requests(
    services: AuthServices,
    make_app: Callable[[AuthServices], Flask],
    phone: Authorizer,
) -> None:
    limits = RateLimits(token_client=RateLimit(burst=2, interval_us=60_000_000))
    http = make_app(replace(services, limits=limits)).test_client()
    token = phone.refresh_token(phone.authorize())

    def ask(address: str, token: str) -> int:
        data = {"grant_type": "refresh_token", "client_id": "phone"}
        response = http.post(
            "/auth/token",
            data=data | {"refresh_token": token},
            environ_base={"REMOTE_ADDR": address},
        )
        status: int = response.status_code
        return status

    assert [ask("192.0.2.1", "wrong") for _ in range(3)] == [400, 400, 429]
    assert ask("192.0.2.2", token) == 200


@pytest.fixture
def asymmetric(
    register_app: Callable[..., Any],
    authorizer: Authorizer,
    public_jwks: Callable[..., bytes],
    rsa_key: RSAKey,
) -> Authorizer:
    """An app with a key."""
    register_app(
        client_id="keyed",
        auth_method=AuthMethod.KEY,
        secret=None,
        jwks=public_jwks(rsa_key),
    )
    return replace(authorizer, client_id="keyed")


def keyed(sign: Sign, header: dict[str, Any] | None = None) -> dict[str, str]:
    return {
        "client_assertion_type": ASSERTION_TYPE,
        "client_assertion": sign(header, iss="keyed", sub="keyed"),
    }


def test_an_assertion_proves_an_app_without_its_client_id(
    post: Post, asymmetric: Authorizer, sign: Sign, audit: Audit
) -> None:
    token = asymmetric.refresh_token(asymmetric.authorize())
    fields = keyed(sign)

    assert post(token, **fields).status_code == 200
    assert_refused(post(token, **fields), audit, "replayed")


def test_an_app_with_a_key_is_not_taken_by_its_name(
    post: Post, asymmetric: Authorizer, audit: Audit
) -> None:
    token = asymmetric.refresh_token(asymmetric.authorize())

    assert_refused(post(token, client_id="keyed"), audit, "other-method")
    assert_refused(
        post(token, client_id="keyed", client_secret=SECRET), audit, "other-method"
    )


def test_an_assertion_of_a_client_with_a_secret_is_refused(
    post: Post, token: str, sign: Sign, audit: Audit
) -> None:
    assertion = sign(iss="portal", sub="portal")

    response = post(
        token, client_assertion_type=ASSERTION_TYPE, client_assertion=assertion
    )

    assert_refused(response, audit, "other-method")


class Published:
    """Keys at an address."""

    def __init__(self, jwks: bytes) -> None:
        self.jwks = jwks
        self.asked: list[tuple[str, str | None]] = []

    def keys(self, uri: str, kid: str | None) -> tuple[ClientKey, ...]:
        self.asked.append((uri, kid))
        if not self.jwks:
            raise KeysUnavailable("jwks-unavailable")
        return client_keys(self.jwks.decode())


@pytest.fixture
def published(public_jwks: Callable[..., bytes], rsa_key: RSAKey) -> Published:
    return Published(public_jwks(rsa_key))


@pytest.fixture
def post_published(
    register_app: Callable[..., Any],
    services: AuthServices,
    make_app: Callable[[AuthServices], Flask],
    published: Published,
    sign: Sign,
) -> Callable[..., Any]:
    """Ask as a client whose keys are at an address."""
    register_app(
        client_id="keyed", auth_method=AuthMethod.KEY, secret=None, jwks_uri=JWKS_URI
    )
    http = make_app(replace(services, fetcher=published)).test_client()

    def send(header: dict[str, Any] | None = None, **changes: Any) -> Any:
        assertion = sign(header, **{"iss": "keyed", "sub": "keyed"} | changes)
        data = {
            "grant_type": "refresh_token",
            "refresh_token": "unknown",
            "client_assertion_type": ASSERTION_TYPE,
            "client_assertion": assertion,
        }
        return http.post("/auth/token", data=data)

    return send


@pytest.mark.parametrize("header", [None, {"jku": JWKS_URI}])
def test_published_keys_are_fetched_from_where_the_client_registered(
    post_published: Callable[..., Any],
    published: Published,
    audit: Audit,
    header: dict[str, Any] | None,
) -> None:
    response = post_published(header)

    assert_refused(response, audit, "unknown-refresh-token", "invalid_grant")
    assert published.asked == [(JWKS_URI, "rsa-1")]


@pytest.mark.parametrize(
    ("header", "changes"),
    [
        ({"jku": "https://evil.test/jwks.json"}, {}),
        ({"jku": JWKS_URI + "#"}, {}),
        ({"typ": "at+jwt"}, {}),
        ({}, {"aud": "https://evil.test"}),
        ({}, {"exp": 1}),
        ({}, {"iss": "another"}),
    ],
)
def test_nothing_is_fetched_for_what_is_wrong_without_it(
    post_published: Callable[..., Any],
    published: Published,
    sign: Sign,
    header: dict[str, Any],
    changes: dict[str, Any],
) -> None:
    assert sign.algorithm == "RS384"

    response = post_published(header, **changes)

    assert response.get_json()["error"] == "invalid_client"
    assert published.asked == []


def test_keys_that_cannot_be_had_prove_nothing(
    post_published: Callable[..., Any], published: Published, audit: Audit
) -> None:
    published.jwks = b""

    assert_refused(post_published(), audit, "jwks-unavailable")


def test_a_key_that_was_published_no_longer_proves_nothing(
    post_published: Callable[..., Any], published: Published, audit: Audit
) -> None:
    other = RSAKey.generate_key(2048, parameters={"kid": "rsa-2"})
    published.jwks = json.dumps({"keys": [other.as_dict(private=False)]}).encode()

    assert_refused(post_published(), audit, "unknown-kid")


def test_without_a_fetcher_published_keys_prove_nothing(
    post: Post,
    register_app: Callable[..., Any],
    sign: Sign,
    audit: Audit,
) -> None:
    register_app(
        client_id="keyed", auth_method=AuthMethod.KEY, secret=None, jwks_uri=JWKS_URI
    )

    assert_refused(post(**keyed(sign)), audit, "keys-are-not-fetched")


def test_a_jku_is_no_good_to_a_client_with_keys_here(
    post: Post, asymmetric: Authorizer, sign: Sign, audit: Audit
) -> None:
    assert asymmetric.client_id == "keyed"

    assert_refused(post(**keyed(sign, {"jku": JWKS_URI})), audit, "foreign-key")
