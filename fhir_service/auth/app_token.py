"""What an app is given for what a person authorized: tokens and launch context.

Whether the authorization still holds is asked of what is stored at this moment: the
person, the login that it was to end with, its own end.

https://hl7.org/fhir/smart-app-launch/STU2.2/app-launch.html#obtain-access-token
"""

from dataclasses import dataclass
from typing import Any

from conformance.fhir_json import loads_object
from fhir_service.auth import id_token, sessions, signing
from fhir_service.auth.events import AuthEventKind
from fhir_service.auth.token_ask import Ask
from fhir_service.auth.token_hash import new_token, token_hash
from fhir_service.auth.token_message import TokenRefused
from fhir_service.errors import OAuthError
from fhir_service.storage import accounts, authorizations
from fhir_service.storage.accounts import Account
from fhir_service.storage.authorizations import (
    AccessToken,
    Authorization,
    RefreshToken,
)
from fhir_service.storage.engine import Snapshot, Transaction

LASTING = frozenset({"offline_access", "online_access"})
"""The scopes that ask for a refresh token."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Holding:
    """What a code or a refresh token stands for.

    Attributes:
        authorization: What the person let the client do.
        account: The person.
        nonce: What the ID token repeats; None for nothing.

    """

    authorization: Authorization
    account: Account
    nonce: str | None = None

    @property
    def lasts(self) -> bool:
        """Whether it is renewed: emergency access is not."""
        scopes = set(self.authorization.scopes.split())
        return bool(LASTING & scopes) and self.authorization.break_glass_id is None


def holding(
    ask: Ask, snapshot: Snapshot, authorization_id: str, nonce: str | None = None
) -> Holding:
    """Return what the client holds, where it still does.

    Raises:
        TokenRefused: `invalid_grant` where it was another client's, or has ended.

    """
    authorization = authorizations.find(snapshot, authorization_id)
    if authorization is None:
        raise ask.refused(OAuthError.INVALID_GRANT, "authorization-ended")
    account = accounts.find_user(snapshot, authorization.user_id)
    if account is None:
        raise refused(ask, authorization, "user-removed")
    ended = _ended(ask, snapshot, authorization)
    if ended is not None:
        raise refused(ask, authorization, ended)
    return Holding(authorization=authorization, account=account, nonce=nonce)


def _ended(ask: Ask, snapshot: Snapshot, authorization: Authorization) -> str | None:
    """Return why the client cannot use the authorization; None where it can."""
    session = authorization.session
    if authorization.client_id != ask.client.client_id:
        return "other-client"
    if authorization.expires <= ask.now:
        return "authorization-expired"
    if session is not None and not sessions.holds(ask.services, snapshot, session):
        return "session-ended"
    return None


def refused(
    ask: Ask,
    authorization: Authorization,
    reason: str,
    error: OAuthError = OAuthError.INVALID_GRANT,
) -> TokenRefused:
    """Return the refusal of what was to use an authorization."""
    return ask.refused(
        error, reason, user_id=authorization.user_id, patient=authorization.patient
    )


def replayed(
    ask: Ask, transaction: Transaction, authorization_id: str, kind: AuthEventKind
) -> TokenRefused:
    """End all of an authorization of which something was used twice.

    One of the two who used it is a thief, and nobody knows which
    (RFC 6749 §4.1.2, RFC 9700 §4.14.2). Returns the refusal to raise.
    """
    authorization = authorizations.find(transaction, authorization_id)
    authorizations.end(transaction, authorization_id)
    return ask.refused(
        OAuthError.INVALID_GRANT,
        "used-before",
        user_id=None if authorization is None else authorization.user_id,
        patient=None if authorization is None else authorization.patient,
        kind=kind,
    )


def body(
    ask: Ask, transaction: Transaction, held: Holding, scope: str
) -> dict[str, Any]:
    """Return the members of the response but for a refresh token."""
    authorization = held.authorization
    answer: dict[str, Any] = loads_object(authorization.context.encode())
    if authorization.patient is not None:
        answer["patient"] = authorization.patient
    answer |= {
        "access_token": ask.access_token,
        "token_type": "bearer",
        "expires_in": (_expires(ask, authorization) - ask.now) // 1_000_000,
        "scope": scope,
    }
    words = scope.split()
    if id_token.OPENID in words:
        said = id_token.claims(
            ask.services, authorization, held.account, words, ask.now
        )
        if held.nonce is not None:
            said["nonce"] = held.nonce
        signer = signing.signer(ask.services, transaction, ask.now)
        answer["id_token"] = id_token.signed(said, signer)
    return answer


def _expires(ask: Ask, authorization: Authorization) -> int:
    return min(ask.now + ask.lifetime_s * 1_000_000, authorization.expires)


def store(ask: Ask, transaction: Transaction, held: Holding, scope: str) -> None:
    """Store the access token and tell the audit log of it."""
    authorization = held.authorization
    ask.grant(
        transaction,
        AccessToken(
            hash=token_hash(ask.access_token),
            client_id=authorization.client_id,
            scopes=scope,
            purposes=authorization.purposes,
            issued=ask.now,
            expires=_expires(ask, authorization),
            authorization_id=authorization.authorization_id,
            user_id=authorization.user_id,
            patient=authorization.patient,
            is_attested=authorization.break_glass_id is not None,
        ),
    )


def new_refresh_token(ask: Ask, transaction: Transaction, held: Holding) -> str:
    """Store a refresh token, which ends with the authorization, and return it."""
    token = new_token(ask.services.random)
    authorizations.add_refresh_token(
        transaction,
        RefreshToken(
            hash=token_hash(token),
            authorization_id=held.authorization.authorization_id,
            issued=ask.now,
            expires=held.authorization.expires,
        ),
    )
    return token
