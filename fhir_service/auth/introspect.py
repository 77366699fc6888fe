"""Introspection: what a token is, told to whoever may know.

A client that registered the scope `introspect` may ask about every token, and so may
whoever holds a token with that scope; every other holder may ask about that one token.

https://www.rfc-editor.org/rfc/rfc7662
https://hl7.org/fhir/smart-app-launch/STU2.2/token-introspection.html
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType

from fhir_service.auth.bearer import REALM
from fhir_service.auth.client_authentication import Proof, confirm, prove
from fhir_service.auth.events import AuthEvent, AuthEventKind
from fhir_service.auth.grantable import INTROSPECT
from fhir_service.auth.registration import AuthMethod
from fhir_service.auth.services import AuthServices
from fhir_service.auth.token_hash import token_hash, token_id
from fhir_service.auth.token_message import (
    About,
    TokenAnswer,
    TokenRefused,
    TokenRequest,
    read_form,
    refusal_answer,
    refusal_event,
    token_answer,
)
from fhir_service.auth.token_state import active_token, describe, token_of
from fhir_service.errors import OAuthError
from fhir_service.storage.authorizations import AccessToken
from fhir_service.storage.engine import Snapshot, Transaction

_BEARER = "bearer "
_CREDENTIALS = frozenset({"client_secret", "client_assertion", "client_assertion_type"})

_CHALLENGES: Mapping[OAuthError, tuple[int, str]] = MappingProxyType(
    {
        OAuthError.INVALID_CLIENT: (
            401,
            f'Bearer realm="{REALM}", Basic realm="{REALM}"',
        ),
        OAuthError.INVALID_TOKEN: (
            401,
            f'Bearer realm="{REALM}", error="invalid_token"',
        ),
        OAuthError.INSUFFICIENT_SCOPE: (
            403,
            f'Bearer realm="{REALM}", error="insufficient_scope"',
        ),
    }
)
"""What is said to whoever may not ask: status and challenge (RFC 7662 §2.3)."""


@dataclass(frozen=True, kw_only=True, slots=True)
class _Caller:
    """Who asks: a client that proved itself, or the holder of a token.

    Attributes:
        client_id: The client.
        may_ask: Whether it may ask about tokens of others.
        proof: By what it proved itself; None for a token.
        own: Its token; empty for none.
        user_id: The person behind that token.

    """

    client_id: str
    may_ask: bool
    proof: Proof | None = None
    own: str = field(default="", repr=False)
    user_id: str | None = None


def answer(services: AuthServices, request: TokenRequest) -> TokenAnswer:
    """Return the response to `request`; whatever it is, it is audited first."""
    now = services.clock()
    try:
        form = read_form(request)
        token = token_of(form)
        caller = _caller(services, form, request, now)
    except TokenRefused as refused:
        event = _refusal_event(refused, request, now)
        services.database.log([services.audit.leaf(event)]).result()
        return _refusal(refused)
    return services.database.write(
        lambda transaction: _told(services, transaction, caller, token, request, now)
    )


def _told(  # noqa: PLR0913, PLR0917 - one transaction's parts
    services: AuthServices,
    transaction: Transaction,
    caller: _Caller,
    asked: str,
    request: TokenRequest,
    now: int,
) -> TokenAnswer:
    try:
        if caller.proof is not None:
            confirm(services, transaction, caller.proof, request, now)
        else:
            _own_token(transaction, caller.own, now)
        _refuse_strangers(caller, asked)
    except TokenRefused as refused:
        event = _refusal_event(refused, request, now)
        transaction.audit(services.audit.leaf(event))
        return _refusal(refused)
    said = describe(services, transaction, asked, now)
    event = AuthEvent(
        kind=AuthEventKind.TOKEN_INTROSPECTED,
        at=now,
        client_id=caller.client_id,
        proven=True,
        user_id=caller.user_id,
        address=request.address,
        token_id=token_id(token_hash(asked)),
        patient=said.get("patient"),
    )
    transaction.audit(services.audit.leaf(event))
    return token_answer(said)


def _refuse_strangers(caller: _Caller, asked: str) -> None:
    if caller.may_ask or asked == caller.own:
        return
    about = About(client_id=caller.client_id, proven=True, user_id=caller.user_id)
    raise TokenRefused(OAuthError.INSUFFICIENT_SCOPE, "another-token", about=about)


def _refusal_event(refused: TokenRefused, request: TokenRequest, now: int) -> AuthEvent:
    event = refusal_event(refused, request, now)
    return replace(event, kind=AuthEventKind.INTROSPECTION_REFUSED)


def _refusal(refused: TokenRefused) -> TokenAnswer:
    reply = refusal_answer(refused)
    if refused.error not in _CHALLENGES:
        return reply
    status, challenge = _CHALLENGES[refused.error]
    headers = {**reply.headers, "WWW-Authenticate": challenge}
    return TokenAnswer(status=status, headers=headers, body=reply.body)


def _caller(
    services: AuthServices, form: Mapping[str, str], request: TokenRequest, now: int
) -> _Caller:
    if (request.authorization or "")[: len(_BEARER)].lower() == _BEARER:
        if _CREDENTIALS & form.keys():
            raise TokenRefused(OAuthError.INVALID_REQUEST, "several-methods")
        return _holder(services, str(request.authorization), now)
    proof = prove(services, form, request, now)
    client = proof.client
    if client.auth_method == AuthMethod.NONE:
        about = About(client_id=client.client_id)
        raise TokenRefused(OAuthError.INVALID_CLIENT, "public-client", about=about)
    return _Caller(
        client_id=client.client_id,
        may_ask=INTROSPECT in client.scopes.split(),
        proof=proof,
    )


def _holder(services: AuthServices, authorization: str, now: int) -> _Caller:
    own = authorization[len(_BEARER) :].strip(" ")
    with services.database.read() as snapshot:
        issued = _own_token(snapshot, own, now)
    return _Caller(
        client_id=issued.client_id,
        may_ask=INTROSPECT in issued.scopes.split(),
        own=own,
        user_id=issued.user_id,
    )


def _own_token(snapshot: Snapshot, own: str, now: int) -> AccessToken:
    issued = active_token(snapshot, own, now)
    if issued is None:
        raise TokenRefused(OAuthError.INVALID_TOKEN, "inactive-token")
    return issued
