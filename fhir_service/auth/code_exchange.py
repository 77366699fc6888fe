"""An authorization code, exchanged once for what the person authorized.

https://www.rfc-editor.org/rfc/rfc6749#section-4.1.3
https://www.rfc-editor.org/rfc/rfc7636#section-4.6
"""

from dataclasses import dataclass

from authlib.oauth2.rfc6749.grants import (
    AuthorizationCodeGrant,
)
from authlib.oauth2.rfc7636 import (
    CodeChallenge,
)

from fhir_service.auth.app_token import Holding, holding, refused, replayed
from fhir_service.auth.authlib_server import AppClient, token_response
from fhir_service.auth.events import AuthEventKind
from fhir_service.auth.token_ask import Ask
from fhir_service.auth.token_hash import token_hash
from fhir_service.auth.token_message import TokenAnswer
from fhir_service.errors import OAuthError
from fhir_service.storage import authorizations
from fhir_service.storage.authorizations import Code
from fhir_service.storage.engine import Transaction


@dataclass(frozen=True, kw_only=True, slots=True)
class _HeldCode:
    """A code as Authlib sees it."""

    code: Code
    held: Holding

    def get_redirect_uri(self) -> str:
        return self.code.redirect_uri

    def get_scope(self) -> str:
        return self.held.authorization.scopes

    @property
    def code_challenge(self) -> str | None:
        return self.code.code_challenge


class S256(CodeChallenge):  # type: ignore[misc]  # Authlib has no types
    """PKCE by S256 alone; `plain` is what a thief of a challenge would use."""

    DEFAULT_CODE_CHALLENGE_METHOD = "S256"
    SUPPORTED_CODE_CHALLENGE_METHOD = ("S256",)

    def get_authorization_code_challenge_method(
        self, authorization_code: object
    ) -> str:
        """Return the one method."""
        del authorization_code
        return "S256"


class CodeGrant(AuthorizationCodeGrant):  # type: ignore[misc]  # Authlib has no types
    """The grant over our tables."""

    def query_authorization_code(self, code: str, client: AppClient) -> _HeldCode:
        """Return the code, where this client can still exchange it.

        Raises:
            TokenRefused: `invalid_grant` where not; one that was used before ends
                everything that it was used for.

        """
        del client
        ask, transaction = self.server.ask, self.server.transaction
        return _held(ask, transaction, code)

    def authenticate_user(self, authorization_code: _HeldCode) -> Holding:
        """Return who stands behind the code, and what was authorized."""
        return authorization_code.held

    def delete_authorization_code(self, authorization_code: _HeldCode) -> None:
        """Use the code up; nobody else can have, in this transaction."""
        authorizations.use_code(
            self.server.transaction, authorization_code.code.hash, self.server.ask.now
        )


def _held(ask: Ask, transaction: Transaction, text: str) -> _HeldCode:
    code = authorizations.find_code(transaction, token_hash(text))
    if code is None:
        raise ask.refused(OAuthError.INVALID_GRANT, "unknown-code")
    if code.used:  # 0 is what an authorization that ended leaves of its codes.
        raise replayed(
            ask, transaction, code.authorization_id, AuthEventKind.CODE_REPLAYED
        )
    held = holding(ask, transaction, code.authorization_id, code.nonce)
    if code.expires <= ask.now:
        raise refused(ask, held.authorization, "expired-code")
    if ask.client.needs_pkce and code.code_challenge is None:
        raise refused(ask, held.authorization, "no-challenge")
    return _HeldCode(code=code, held=held)


def exchange_code(ask: Ask, transaction: Transaction) -> TokenAnswer:
    """Return the tokens that a code stands for.

    Raises:
        TokenRefused: where there are none for this client.

    """
    challenge = S256(required=ask.client.needs_pkce)
    return token_response(ask, transaction, CodeGrant, [challenge])
