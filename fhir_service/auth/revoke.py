"""Revocation: a client gives back what it holds.

A token of a person's authorization takes everything of that with it, at once and for
every process: whoever gives one back is done with the other, and a copy of either is
worth nothing. Whether a token was known is not told.

https://www.rfc-editor.org/rfc/rfc7009
"""

from dataclasses import dataclass, replace

from fhir_service.auth.client_authentication import Proof, confirm, prove
from fhir_service.auth.events import AuthEvent, AuthEventKind
from fhir_service.auth.services import AuthServices
from fhir_service.auth.token_hash import token_hash, token_id
from fhir_service.auth.token_message import (
    TokenAnswer,
    TokenRefused,
    TokenRequest,
    read_form,
    refusal_answer,
    refusal_event,
    token_answer,
)
from fhir_service.auth.token_state import token_of
from fhir_service.storage import authorizations
from fhir_service.storage.engine import Transaction


@dataclass(frozen=True, kw_only=True, slots=True)
class _Found:
    """Whose a token is.

    Attributes:
        client_id: The client that holds it.
        authorization_id: What ends with it; None for a backend service.
        user_id: The person behind it.
        patient: Id of the Patient in context.

    """

    client_id: str
    authorization_id: str | None = None
    user_id: str | None = None
    patient: str | None = None


def answer(services: AuthServices, request: TokenRequest) -> TokenAnswer:
    """Return the response to `request`; whatever it does, it is audited first."""
    now = services.clock()
    try:
        form = read_form(request)
        token = token_of(form)
        proof = prove(services, form, request, now)
    except TokenRefused as refused:
        event = _refusal_event(refused, request, now)
        services.database.log([services.audit.leaf(event)]).result()
        return refusal_answer(refused)
    return services.database.write(
        lambda transaction: _revoked(services, transaction, proof, token, request, now)
    )


def _revoked(  # noqa: PLR0913, PLR0917 - one transaction's parts
    services: AuthServices,
    transaction: Transaction,
    proof: Proof,
    token: str,
    request: TokenRequest,
    now: int,
) -> TokenAnswer:
    try:
        confirm(services, transaction, proof, request, now)
    except TokenRefused as refused:
        event = _refusal_event(refused, request, now)
        transaction.audit(services.audit.leaf(event))
        return refusal_answer(refused)
    hashed = token_hash(token)
    found = _find(transaction, hashed)
    if found is not None:
        is_own = found.client_id == proof.client.client_id
        if is_own:
            _end(transaction, found, hashed)
        event = _event(proof, found, hashed, request, now)
        transaction.audit(services.audit.leaf(event))
    return token_answer({})


def _refusal_event(refused: TokenRefused, request: TokenRequest, now: int) -> AuthEvent:
    event = refusal_event(refused, request, now)
    return replace(event, kind=AuthEventKind.REVOCATION_REFUSED)


def _find(transaction: Transaction, hashed: bytes) -> _Found | None:
    """Return whose an access or refresh token is, whichever the client called it."""
    issued = authorizations.issued_token(transaction, hashed)
    if issued is not None:
        return _Found(
            client_id=issued.client_id,
            authorization_id=issued.authorization_id,
            user_id=issued.user_id,
            patient=issued.patient,
        )
    refresh = authorizations.find_refresh_token(transaction, hashed)
    if refresh is None:
        return None
    found = authorizations.find(transaction, refresh.authorization_id)
    if found is None:
        return None
    return _Found(
        client_id=found.client_id,
        authorization_id=found.authorization_id,
        user_id=found.user_id,
        patient=found.patient,
    )


def _end(transaction: Transaction, found: _Found, hashed: bytes) -> None:
    if found.authorization_id is None:
        authorizations.end_token(transaction, hashed)
    else:
        authorizations.end(transaction, found.authorization_id)


def _event(
    proof: Proof, found: _Found, hashed: bytes, request: TokenRequest, now: int
) -> AuthEvent:
    client_id = proof.client.client_id
    is_own = found.client_id == client_id
    return AuthEvent(
        kind=AuthEventKind.TOKEN_REVOKED
        if is_own
        else AuthEventKind.REVOCATION_REFUSED,
        at=now,
        client_id=client_id,
        proven=True,
        user_id=found.user_id,
        address=request.address,
        reason=None if is_own else "other-client",
        token_id=token_id(hashed),
        patient=found.patient,
    )
