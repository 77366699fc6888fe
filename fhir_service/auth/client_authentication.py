"""How a client proves who it is: with a key, with a secret, or not at all.

A client uses the method that it registered, and no other. An unknown client costs as
much as a wrong secret. What an assertion proves is used up, and the client is read
again, in the transaction that acts on it.

https://www.rfc-editor.org/rfc/rfc6749#section-2.3
https://hl7.org/fhir/smart-app-launch/STU2.2/client-confidential-asymmetric.html
"""

import base64
import hmac
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from urllib.parse import unquote_plus

from fhir_service.auth import backend_services, rate_limit
from fhir_service.auth.backend_services import Assertion, AssertionRefused
from fhir_service.auth.keys import ClientKey, KeysUnavailable, client_keys
from fhir_service.auth.registration import AuthMethod
from fhir_service.auth.services import AuthServices
from fhir_service.auth.token_hash import token_hash
from fhir_service.auth.token_message import About, TokenRefused, TokenRequest
from fhir_service.errors import OAuthError
from fhir_service.storage import rate_buckets, registrations
from fhir_service.storage.engine import Transaction
from fhir_service.storage.registrations import Client

MAX_CREDENTIALS = 2048
"""Characters of a Basic header; ids have 64 and secrets 43."""

_NO_SECRET = bytes(32)
"""What a secret is compared with where there is no client to compare it with."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Proof:
    """A client that has proved itself.

    Attributes:
        client: The client, as it was then.
        assertion: What it proved itself by, to be used up; None where it was no key.

    """

    client: Client
    assertion: Assertion | None = None


_Prove = Callable[[AuthServices, Mapping[str, str], TokenRequest, int], Proof]


def prove(
    services: AuthServices, form: Mapping[str, str], request: TokenRequest, now: int
) -> Proof:
    """Return the client that the request comes from.

    Raises:
        TokenRefused: where it did not prove itself; not yet audited.

    """
    return _METHODS[_method(form, request)](services, form, request, now)


def confirm(
    services: AuthServices,
    transaction: Transaction,
    proof: Proof,
    request: TokenRequest,
    now: int,
) -> None:
    """Use the proof up, then one of the client's requests.

    The client is read again: it may have been changed since it proved itself.

    Raises:
        TokenRefused: where the proof does not hold any more, or it asks too often.

    """
    client, assertion = proof.client, proof.assertion
    about = About(client_id=client.client_id, proven=True)
    if registrations.find_client(transaction, client.client_id) != client:
        raise TokenRefused(OAuthError.INVALID_CLIENT, "client-changed", about=about)
    if assertion is not None:
        expires = assertion.ends_s * 1_000_000
        if not registrations.use_assertion(transaction, assertion.digest, expires):
            raise TokenRefused(OAuthError.INVALID_CLIENT, "replayed", about=about)
    key = rate_limit.key("token", client.client_id, *_place(client, request))
    full_at, wait_us = rate_limit.spend(
        services.limits.token_client, rate_buckets.bucket_full_at(transaction, key), now
    )
    if wait_us:
        raise TokenRefused(
            OAuthError.TEMPORARILY_UNAVAILABLE,
            "throttled",
            about=about,
            wait_us=wait_us,
        )
    rate_buckets.set_bucket(transaction, key, full_at)


def _place(client: Client, request: TokenRequest) -> tuple[str, ...]:
    """Count a client that proves nothing by place, so that nobody locks it out."""
    if client.auth_method == AuthMethod.NONE:
        return (rate_limit.place(request.address or ""),)
    return ()


def _method(form: Mapping[str, str], request: TokenRequest) -> AuthMethod:
    """Return the one method that the request uses.

    More than one is an invalid request (RFC 6749 §5.2).
    """
    if form.get("client_assertion_type") not in {None, backend_services.ASSERTION_TYPE}:
        raise TokenRefused(OAuthError.INVALID_REQUEST, "unknown-assertion-type")
    used = [
        request.authorization is not None,
        "client_secret" in form,
        "client_assertion" in form or "client_assertion_type" in form,
    ]
    if sum(used) > 1:
        raise TokenRefused(OAuthError.INVALID_REQUEST, "several-methods")
    if used[0]:
        return AuthMethod.SECRET
    if used[1]:  # client_secret_post is not offered: bodies are logged more often.
        raise TokenRefused(OAuthError.INVALID_CLIENT, "other-method")
    return AuthMethod.KEY if used[2] else AuthMethod.NONE


def _by_key(
    services: AuthServices, form: Mapping[str, str], _request: TokenRequest, now: int
) -> Proof:
    assertion = _assertion(form)
    about = About(client_id=assertion.client_id)
    client = _registered(services, assertion.client_id, AuthMethod.KEY)
    try:
        backend_services.check(
            assertion,
            audience=services.token_url,
            now_us=now,
            jwks_uri=client.jwks_uri,
        )
        backend_services.verify(assertion, _keys(services, client, assertion))
    except (AssertionRefused, KeysUnavailable) as refused:
        raise TokenRefused(
            OAuthError.INVALID_CLIENT, refused.reason, about=about
        ) from None
    return Proof(client=client, assertion=assertion)


def _assertion(form: Mapping[str, str]) -> Assertion:
    if not {"client_assertion", "client_assertion_type"} <= form.keys():
        raise TokenRefused(OAuthError.INVALID_CLIENT, "no-assertion")
    try:
        assertion = backend_services.read(form["client_assertion"])
    except AssertionRefused as refused:
        raise TokenRefused(OAuthError.INVALID_CLIENT, refused.reason) from None
    if form.get("client_id", assertion.client_id) != assertion.client_id:
        raise TokenRefused(OAuthError.INVALID_CLIENT, "client-id-mismatch")
    return assertion


def _keys(
    services: AuthServices, client: Client, assertion: Assertion
) -> tuple[ClientKey, ...]:
    if client.jwks_uri is not None:
        return services.fetcher.keys(client.jwks_uri, assertion.key_id)
    return client_keys(client.jwks)


def _by_secret(
    services: AuthServices, form: Mapping[str, str], request: TokenRequest, _now: int
) -> Proof:
    """Check a Basic header, as clients send it and as RFC 6749 §2.3.1 encodes it."""
    sent = _credentials(request.authorization or "")
    decoded = (unquote_plus(sent[0]), unquote_plus(sent[1]))
    refused = TokenRefused(OAuthError.INVALID_CLIENT, "malformed", challenged=True)
    for client_id, secret in dict.fromkeys((sent, decoded)):
        if form.get("client_id", client_id) != client_id:
            refused = _wrong_secret(client_id, "client-id-mismatch")
            continue
        try:
            return Proof(client=_holder(services, client_id, secret))
        except TokenRefused as error:
            refused = error
    raise refused


def _credentials(header: str) -> tuple[str, str]:
    scheme, _, encoded = header.partition(" ")
    if scheme.lower() != "basic" or len(encoded) > MAX_CREDENTIALS:
        raise TokenRefused(OAuthError.INVALID_CLIENT, "other-method", challenged=True)
    try:
        text = base64.b64decode(encoded.strip(" "), validate=True).decode()
    except ValueError:
        raise TokenRefused(
            OAuthError.INVALID_CLIENT, "malformed", challenged=True
        ) from None
    client_id, _, secret = text.partition(":")
    return client_id, secret


def _holder(services: AuthServices, client_id: str, secret: str) -> Client:
    """Return the client of that secret; who does not exist costs the same."""
    try:
        client = _registered(services, client_id, AuthMethod.SECRET)
    except TokenRefused as refused:
        hmac.compare_digest(token_hash(secret), _NO_SECRET)
        raise _wrong_secret(client_id, refused.reason) from None
    if not hmac.compare_digest(token_hash(secret), client.secret_hash or _NO_SECRET):
        raise _wrong_secret(client_id, "wrong-secret")
    return client


def _wrong_secret(client_id: str, reason: str) -> TokenRefused:
    return TokenRefused(
        OAuthError.INVALID_CLIENT,
        reason,
        about=About(client_id=_named(client_id)),
        challenged=True,
    )


def _by_name(
    services: AuthServices, form: Mapping[str, str], _request: TokenRequest, _now: int
) -> Proof:
    """Take a public client's word; what it holds was bound to it by a challenge."""
    if "client_id" not in form:
        raise TokenRefused(OAuthError.INVALID_CLIENT, "no-credentials")
    return Proof(client=_registered(services, form["client_id"], AuthMethod.NONE))


_METHODS: Mapping[AuthMethod, _Prove] = MappingProxyType(
    {
        AuthMethod.KEY: _by_key,
        AuthMethod.SECRET: _by_secret,
        AuthMethod.NONE: _by_name,
    }
)


def _registered(services: AuthServices, client_id: str, method: AuthMethod) -> Client:
    """Return the active client that registered `method`."""
    name = _named(client_id)
    with services.database.read() as snapshot:
        client = None if name is None else registrations.find_client(snapshot, name)
    about = About(client_id=name)
    if client is None or client.removed is not None:
        raise TokenRefused(OAuthError.INVALID_CLIENT, "unknown-client", about=about)
    if client.auth_method != method:
        raise TokenRefused(OAuthError.INVALID_CLIENT, "other-method", about=about)
    return client


def _named(client_id: str) -> str | None:
    """Return what can be a client's id; None for what no client was ever called."""
    return client_id if client_id.isprintable() and len(client_id) <= 128 else None  # noqa: PLR2004 - twice the longest id
