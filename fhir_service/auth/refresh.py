"""A refresh token, exchanged once for new tokens of the same authorization.

https://www.rfc-editor.org/rfc/rfc6749#section-6
https://www.rfc-editor.org/rfc/rfc9700#section-4.14.2
"""

from dataclasses import dataclass

from authlib.oauth2.rfc6749.grants import (
    RefreshTokenGrant,
)

from fhir_service.auth.app_token import Holding, holding, refused, replayed
from fhir_service.auth.authlib_server import AppClient, token_response
from fhir_service.auth.events import AuthEventKind
from fhir_service.auth.scopes import granted, parse_scope
from fhir_service.auth.token_ask import Ask
from fhir_service.auth.token_hash import token_hash
from fhir_service.auth.token_message import TokenAnswer
from fhir_service.errors import OAuthError
from fhir_service.storage import authorizations
from fhir_service.storage.authorizations import RefreshToken
from fhir_service.storage.engine import Transaction


@dataclass(frozen=True, kw_only=True, slots=True)
class _HeldToken:
    """A refresh token as Authlib sees it."""

    token: RefreshToken
    held: Holding

    def check_client(self, client: AppClient) -> bool:
        return self.held.authorization.client_id == client.client.client_id

    def get_scope(self) -> str:
        return self.held.authorization.scopes


class RefreshGrant(RefreshTokenGrant):  # type: ignore[misc]  # Authlib has no types
    """The grant over our tables."""

    INCLUDE_NEW_REFRESH_TOKEN = True

    def authenticate_refresh_token(self, refresh_token: str) -> _HeldToken:
        """Return the token, where this client can still exchange it.

        Raises:
            TokenRefused: `invalid_grant` where not; one that was used before ends
                everything of its authorization.

        """
        return _held(self.server.ask, self.server.transaction, refresh_token)

    def _validate_token_scope(self, token: _HeldToken) -> None:
        """Compare scopes by what they allow; Authlib compares words.

        Raises:
            TokenRefused: `invalid_scope` for what was not granted.

        """
        scope = self.request.payload.scope
        if scope and not is_within(scope, token.get_scope()):
            raise refused(
                self.server.ask,
                token.held.authorization,
                "wider-scope",
                OAuthError.INVALID_SCOPE,
            )

    def authenticate_user(self, refresh_token: _HeldToken) -> Holding:
        """Return who stands behind the token, and what was authorized."""
        return refresh_token.held

    def revoke_old_credential(self, refresh_token: _HeldToken) -> None:
        """Use the token up; nobody else can have, in this transaction."""
        authorizations.use_refresh_token(
            self.server.transaction, refresh_token.token.hash, self.server.ask.now
        )


def _held(ask: Ask, transaction: Transaction, text: str) -> _HeldToken:
    token = authorizations.find_refresh_token(transaction, token_hash(text))
    if token is None:
        raise ask.refused(OAuthError.INVALID_GRANT, "unknown-refresh-token")
    if token.used is not None:
        raise replayed(
            ask, transaction, token.authorization_id, AuthEventKind.REFRESH_REPLAYED
        )
    held = holding(ask, transaction, token.authorization_id)
    if token.expires <= ask.now:
        raise refused(ask, held.authorization, "expired-refresh-token")
    return _HeldToken(token=token, held=held)


def is_within(scope: str, limit: str) -> bool:
    """Whether each scope of a list lies wholly within another list."""
    words = frozenset(limit.split())
    return all(word in words or _is_narrower(word, limit) for word in scope.split())


def _is_narrower(word: str, limit: str) -> bool:
    asked = parse_scope(word)
    return asked is not None and granted(word, limit) == (asked,)


def refresh(ask: Ask, transaction: Transaction) -> TokenAnswer:
    """Return new tokens for a refresh token.

    Raises:
        TokenRefused: where there are none for this client.

    """
    return token_response(ask, transaction, RefreshGrant, [])
