"""The token endpoint: a proof of identity in, a short-lived opaque token out.

Token, single use of the assertion, rate and audit leaf are one transaction. What a
refusal was for is told to the audit log; the client learns RFC 6749's word for it.
Authlib's grant is not used here: it writes tokens to its debug log, and its assertion
reader takes what `backend_services` refuses.

https://hl7.org/fhir/smart-app-launch/STU2.2/backend-services.html
https://www.rfc-editor.org/rfc/rfc6749#section-3.2
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from urllib.parse import parse_qsl

from conformance.fhir_json import dumps
from fhir_service.auth import backend_services, rate_limit
from fhir_service.auth.backend_services import Assertion, AssertionRefused
from fhir_service.auth.events import AuthEvent, AuthEventKind
from fhir_service.auth.keys import client_keys
from fhir_service.auth.scopes import granted
from fhir_service.auth.services import AuthServices
from fhir_service.auth.token_hash import new_token, token_hash, token_id
from fhir_service.errors import OAUTH_STATUS, OAuthError, oauth_error
from fhir_service.storage import accounts
from fhir_service.storage.accounts import Client
from fhir_service.storage.engine import Transaction

MAX_BODY = 32_768
"""Bytes; the longest assertion and the longest scopes fit in half of it."""

MAX_FIELDS = 32

_HEADERS: Mapping[str, str] = MappingProxyType(
    {
        "Content-Type": "application/json",
        "Cache-Control": "no-store",
        "Pragma": "no-cache",
    }
)

_SAID: Mapping[OAuthError, str] = MappingProxyType(
    {
        OAuthError.INVALID_REQUEST: "The request is not a well-formed token request.",
        OAuthError.INVALID_CLIENT: "The client did not prove its identity.",
        OAuthError.UNSUPPORTED_GRANT_TYPE: "This grant type is not supported.",
        OAuthError.INVALID_SCOPE: "No scope that was asked for can be granted.",
        OAuthError.TEMPORARILY_UNAVAILABLE: "Too many requests; try again later.",
    }
)
"""What a client's developer is told; the same for every reason behind the error."""


@dataclass(frozen=True, kw_only=True, slots=True)
class TokenRequest:
    """A request to the token endpoint.

    Attributes:
        content_type: The media type, without parameters.
        body: The form; None where it is longer than `MAX_BODY`.
        query: The query of the URL, which must be empty.
        authorization: The header; other ways to authenticate are not served.
        address: Where it came from, for the audit log.

    """

    content_type: str
    body: bytes | None
    query: bytes = b""
    authorization: str | None = None
    address: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class TokenAnswer:
    """A response of the token endpoint.

    Attributes:
        status: HTTP status.
        headers: Every header it needs.
        body: JSON.

    """

    status: int
    headers: Mapping[str, str]
    body: bytes


class TokenRefused(Exception):  # noqa: N818 - named as the event it becomes
    """No token.

    Args:
        error: The word that the client learns.
        reason: The word that the audit log learns.
        client_id: The client, proven or claimed.
        proven: Whether the client proved to be that.
        wait_us: Microseconds until it makes sense to try again.

    """

    def __init__(
        self,
        error: OAuthError,
        reason: str,
        *,
        client_id: str | None = None,
        proven: bool = False,
        wait_us: int = 0,
    ) -> None:
        super().__init__(reason)
        self.error = error
        self.reason = reason
        self.client_id = client_id
        self.proven = proven
        self.wait_us = wait_us


def answer(services: AuthServices, request: TokenRequest) -> TokenAnswer:
    """Return the response to `request`; whatever it is, it is audited first."""
    now = services.clock()
    try:
        form = _form(request)
        return _grant(form)(services, form, request, now)
    except TokenRefused as refused:
        leaf = services.audit.leaf(_refusal_event(refused, request, now))
        services.database.log([leaf]).result()
        return _refusal(refused)


def _form(request: TokenRequest) -> Mapping[str, str]:
    """Return the parameters; one without a value counts as absent (§3.2)."""
    if request.body is None:
        raise TokenRefused(OAuthError.INVALID_REQUEST, "oversized")
    if request.query or request.content_type != "application/x-www-form-urlencoded":
        raise TokenRefused(OAuthError.INVALID_REQUEST, "not-a-form")
    try:
        pairs = parse_qsl(
            request.body.decode("ascii"), errors="strict", max_num_fields=MAX_FIELDS
        )
    except ValueError:
        raise TokenRefused(OAuthError.INVALID_REQUEST, "malformed") from None
    form = dict(pairs)
    if len(form) != len(pairs):
        raise TokenRefused(OAuthError.INVALID_REQUEST, "repeated-parameter")
    return form


def _client_credentials(
    services: AuthServices, form: Mapping[str, str], request: TokenRequest, now: int
) -> TokenAnswer:
    assertion = _assertion(form, request)
    client = _proven(services, assertion, now)
    token = new_token(services.random)

    def issue(transaction: Transaction) -> TokenAnswer:
        accounts.purge_expired(transaction, now)
        try:
            _spend(services, transaction, client, assertion, now)
            scope = _scope(client, form)
        except TokenRefused as refused:
            event = _refusal_event(refused, request, now)
            transaction.audit(services.audit.leaf(event))
            return _refusal(refused)
        _store(services, transaction, client, token, scope, now)
        event = _grant_event(client, token, scope, request, now)
        transaction.audit(services.audit.leaf(event))
        return _granted(token, scope, services.token_lifetime_s)

    return services.database.write(issue)


_Grant = Callable[
    [AuthServices, Mapping[str, str], TokenRequest, int],
    TokenAnswer,
]

_GRANTS: Mapping[str, _Grant] = MappingProxyType(
    {"client_credentials": _client_credentials}
)


def _grant(form: Mapping[str, str]) -> _Grant:
    if "grant_type" not in form:
        raise TokenRefused(OAuthError.INVALID_REQUEST, "no-grant-type")
    grant = _GRANTS.get(form["grant_type"])
    if grant is None:
        raise TokenRefused(OAuthError.UNSUPPORTED_GRANT_TYPE, "unknown-grant-type")
    return grant


GRANT_TYPES = tuple(_GRANTS)
"""The grant types that the endpoint serves."""


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
        client = accounts.find_client(snapshot, client_id)
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
    if accounts.find_client(transaction, client.client_id) != client:
        raise _refused(client, OAuthError.INVALID_CLIENT, "client-changed")
    expires = assertion.ends_s * 1_000_000
    if not accounts.use_assertion(transaction, assertion.digest, expires):
        raise _refused(client, OAuthError.INVALID_CLIENT, "replayed")
    key = rate_limit.key("token", client.client_id)
    full_at, wait_us = rate_limit.spend(
        services.limits.token_client, accounts.bucket_full_at(transaction, key), now
    )
    if wait_us:
        raise _refused(client, OAuthError.TEMPORARILY_UNAVAILABLE, "throttled", wait_us)
    accounts.set_bucket(transaction, key, full_at)


def _scope(client: Client, form: Mapping[str, str]) -> str:
    scope = str(granted(form.get("scope", ""), client.scopes))
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
    accounts.add_token(
        transaction,
        token_hash=token_hash(token),
        client_id=client.client_id,
        scopes=scope,
        purposes=client.purposes,
        issued=now,
        expires=now + services.token_lifetime_s * 1_000_000,
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


def _refusal_event(refused: TokenRefused, request: TokenRequest, now: int) -> AuthEvent:
    return AuthEvent(
        kind=AuthEventKind.TOKEN_REFUSED,
        at=now,
        client_id=refused.client_id,
        proven=refused.proven,
        address=request.address,
        reason=refused.reason,
    )


def _granted(token: str, scope: str, lifetime_s: int) -> TokenAnswer:
    body = {
        "access_token": token,
        "token_type": "bearer",
        "expires_in": lifetime_s,
        "scope": scope,
    }
    return TokenAnswer(status=200, headers=_HEADERS, body=dumps(body))


def _refusal(refused: TokenRefused) -> TokenAnswer:
    body = dumps(oauth_error(refused.error, _SAID[refused.error]))
    status, headers = OAUTH_STATUS[refused.error], dict(_HEADERS)
    if refused.wait_us:
        status = 429
        headers["Retry-After"] = str(-(-refused.wait_us // 1_000_000))
    if status == 401:  # noqa: PLR2004 - RFC 9110 §15.5.2: a challenge comes with it
        headers["WWW-Authenticate"] = 'private_key_jwt realm="token"'
    return TokenAnswer(status=status, headers=headers, body=body)
