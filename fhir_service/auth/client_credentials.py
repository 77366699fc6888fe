"""The grant of a backend service: an assertion in, a short-lived opaque token out.

Single use of the assertion, rate, token and audit leaf are one transaction. Authlib's
grant is not used here: it writes tokens to its debug log, and its assertion reader
takes what `backend_services` refuses.

https://hl7.org/fhir/smart-app-launch/STU2.2/backend-services.html
"""

from collections.abc import Mapping

from fhir_service.auth import backend_services, rate_limit
from fhir_service.auth.backend_services import Assertion, AssertionRefused
from fhir_service.auth.events import AuthEvent, AuthEventKind
from fhir_service.auth.keys import client_keys
from fhir_service.auth.scopes import granted
from fhir_service.auth.services import AuthServices
from fhir_service.auth.token_hash import new_token, token_hash, token_id
from fhir_service.auth.token_message import (
    TokenAnswer,
    TokenRefused,
    TokenRequest,
    granted_answer,
    refusal_answer,
    refusal_event,
)
from fhir_service.errors import OAuthError
from fhir_service.storage import authorizations, expiry, rate_buckets, registrations
from fhir_service.storage.authorizations import AccessToken
from fhir_service.storage.engine import Transaction
from fhir_service.storage.registrations import Client


def client_credentials(
    services: AuthServices, form: Mapping[str, str], request: TokenRequest, now: int
) -> TokenAnswer:
    """Return a token for the client that signed the assertion, or a refusal.

    Raises:
        TokenRefused: where the client did not prove itself; not yet audited.

    """
    assertion = _assertion(form, request)
    client = _proven(services, assertion, now)
    token = new_token(services.random)

    def issue(transaction: Transaction) -> TokenAnswer:
        expiry.purge_expired(transaction, now)
        try:
            _spend(services, transaction, client, assertion, now)
            scope = _scope(client, form)
        except TokenRefused as refused:
            event = refusal_event(refused, request, now)
            transaction.audit(services.audit.leaf(event))
            return refusal_answer(refused)
        _store(services, transaction, client, token, scope, now)
        event = _grant_event(client, token, scope, request, now)
        transaction.audit(services.audit.leaf(event))
        return granted_answer(token, scope, services.token_lifetime_s)

    return services.database.write(issue)


def _assertion(form: Mapping[str, str], request: TokenRequest) -> Assertion:
    kind = form.get("client_assertion_type")
    if kind not in (None, backend_services.ASSERTION_TYPE):
        raise TokenRefused(OAuthError.INVALID_REQUEST, "unknown-assertion-type")
    if request.authorization or "client_secret" in form:
        raise TokenRefused(OAuthError.INVALID_CLIENT, "other-method")
    if kind is None or "client_assertion" not in form:
        raise TokenRefused(OAuthError.INVALID_CLIENT, "no-assertion")
    try:
        assertion = backend_services.read(form["client_assertion"])
    except AssertionRefused as refused:
        raise TokenRefused(OAuthError.INVALID_CLIENT, refused.reason) from None
    if form.get("client_id", assertion.client_id) != assertion.client_id:
        raise TokenRefused(OAuthError.INVALID_CLIENT, "client-id-mismatch")
    return assertion


def _proven(services: AuthServices, assertion: Assertion, now: int) -> Client:
    client_id = assertion.client_id
    with services.database.read() as snapshot:
        client = registrations.find_client(snapshot, client_id)
    if client is None or client.removed is not None:
        raise TokenRefused(
            OAuthError.INVALID_CLIENT, "unknown-client", client_id=client_id
        )
    try:
        backend_services.verify(
            assertion,
            client_keys(client.jwks),
            audience=services.token_url,
            now_us=now,
        )
    except AssertionRefused as refused:
        raise TokenRefused(
            OAuthError.INVALID_CLIENT, refused.reason, client_id=client_id
        ) from None
    return client


def _spend(
    services: AuthServices,
    transaction: Transaction,
    client: Client,
    assertion: Assertion,
    now: int,
) -> None:
    """Use the assertion up, then one of the client's requests.

    The client is read again: it may have been removed since it was proven.
    """
    if registrations.find_client(transaction, client.client_id) != client:
        raise _refused(client, OAuthError.INVALID_CLIENT, "client-changed")
    expires = assertion.ends_s * 1_000_000
    if not registrations.use_assertion(transaction, assertion.digest, expires):
        raise _refused(client, OAuthError.INVALID_CLIENT, "replayed")
    key = rate_limit.key("token", client.client_id)
    full_at, wait_us = rate_limit.spend(
        services.limits.token_client, rate_buckets.bucket_full_at(transaction, key), now
    )
    if wait_us:
        raise _refused(client, OAuthError.TEMPORARILY_UNAVAILABLE, "throttled", wait_us)
    rate_buckets.set_bucket(transaction, key, full_at)


def _scope(client: Client, form: Mapping[str, str]) -> str:
    scope = " ".join(map(str, granted(form.get("scope", ""), client.scopes)))
    if not scope:
        raise _refused(client, OAuthError.INVALID_SCOPE, "no-scope")
    return scope


def _refused(
    client: Client, error: OAuthError, reason: str, wait_us: int = 0
) -> TokenRefused:
    return TokenRefused(
        error, reason, client_id=client.client_id, proven=True, wait_us=wait_us
    )


def _store(  # noqa: PLR0913, PLR0917 - what one row is made of
    services: AuthServices,
    transaction: Transaction,
    client: Client,
    token: str,
    scope: str,
    now: int,
) -> None:
    authorizations.add_token(
        transaction,
        AccessToken(
            hash=token_hash(token),
            client_id=client.client_id,
            scopes=scope,
            purposes=client.purposes,
            issued=now,
            expires=now + services.token_lifetime_s * 1_000_000,
        ),
    )


def _grant_event(
    client: Client, token: str, scope: str, request: TokenRequest, now: int
) -> AuthEvent:
    return AuthEvent(
        kind=AuthEventKind.TOKEN_GRANTED,
        at=now,
        client_id=client.client_id,
        proven=True,
        address=request.address,
        token_id=token_id(token_hash(token)),
        scopes=scope,
        purposes=client.purposes,
    )
