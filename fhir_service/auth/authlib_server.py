"""Authlib's authorization server over our tables: what its grants ask of a server.

A server lives as long as one transaction. The client has proved itself before; what a
grant refuses is raised as our own refusal, with a word for the audit log.

https://docs.authlib.org/en/latest/oauth2/authorization-server/
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from authlib.oauth2.rfc6749 import (
    AuthorizationServer,
    ClientMixin,
    OAuth2Error,
    OAuth2Request,
)
from authlib.oauth2.rfc6749.requests import (
    BasicOAuth2Payload,
)

from fhir_service import logs
from fhir_service.auth import app_token
from fhir_service.auth.app_token import Holding
from fhir_service.auth.client_credentials import PURPOSE_OF_USE
from fhir_service.auth.registration import ClientKind
from fhir_service.auth.token_ask import Ask
from fhir_service.auth.token_message import TokenAnswer, token_answer
from fhir_service.errors import OAuthError
from fhir_service.storage.engine import Transaction
from fhir_service.storage.registrations import Client

logs.silence_libraries()  # Authlib writes the tokens that it issues to its own.

_REASONS: Mapping[str, str] = MappingProxyType(
    {
        "Missing 'code' in request.": "no-code",
        "Missing 'refresh_token' in request.": "no-refresh-token",
        "Invalid 'redirect_uri' in request.": "other-redirect-uri",
        "Missing 'code_verifier'": "no-verifier",
        "Invalid 'code_verifier'": "malformed-verifier",
        "Code challenge failed.": "wrong-verifier",
        "The authorization request had no 'code_challenge', "
        "but a 'code_verifier' was provided.": "verifier-without-challenge",
        "The client is not authorized to use 'grant_type=authorization_code'": "no-app",
        "The client is not authorized to use 'grant_type=refresh_token'": "no-app",
    }
)
"""Authlib's descriptions, and our words for the audit log: each has its test."""

_APP_GRANTS = frozenset({"authorization_code", "refresh_token"})


class AppClient(ClientMixin):  # type: ignore[misc]  # Authlib has no types
    """A client as Authlib sees it."""

    def __init__(self, client: Client) -> None:
        self.client = client

    def check_grant_type(self, grant_type: str) -> bool:
        """Whether the client may use the grant: apps alone act for people."""
        return self.client.kind == ClientKind.APP and grant_type in _APP_GRANTS


class FormRequest(OAuth2Request):  # type: ignore[misc]  # Authlib has no types
    """A request to the token endpoint as Authlib sees it."""

    def __init__(self, ask: Ask) -> None:
        # Whether http will do is for the deployment to know: not for Authlib.
        super().__init__("POST", f"https:{ask.services.token_url.partition(':')[2]}")
        self.payload = BasicOAuth2Payload(_with_words(ask.form))
        self.client = AppClient(ask.client)
        self.auth_method = ask.client.auth_method

    @property
    def form(self) -> Mapping[str, str]:
        """The parameters."""
        fields: Mapping[str, str] = self.payload.data
        return fields


def _with_words(form: Mapping[str, str]) -> dict[str, str]:
    """Return the parameters with each scope once and one space between them.

    What is granted is stored and told as it was asked, control characters and all; a
    scope of nothing but space counts as absent.
    """
    fields = dict(form)
    words = dict.fromkeys(fields.pop("scope", "").split())
    return fields | ({"scope": " ".join(words)} if words else {})


class TokenServer(AuthorizationServer):  # type: ignore[misc]  # Authlib has no types
    """What issues tokens in one transaction.

    Args:
        ask: What is asked.
        transaction: Where codes and tokens are.

    """

    def __init__(self, ask: Ask, transaction: Transaction) -> None:
        super().__init__()
        self.ask = ask
        self.transaction = transaction

    def create_oauth2_request(self, request: Ask) -> FormRequest:
        """Return the request in Authlib's terms."""
        return FormRequest(request)

    def authenticate_client(
        self, request: FormRequest, methods: object, endpoint: str = "token"
    ) -> AppClient:
        """Return the client, which has proved itself before."""
        del methods, endpoint
        client: AppClient = request.client
        return client

    def send_signal(self, name: str, *args: object, **kwargs: object) -> None:
        """Tell nobody."""

    def generate_token(  # noqa: PLR0913, PLR0917 - Authlib's signature
        self,
        grant_type: str,
        client: AppClient,
        user: Holding,
        scope: str,
        expires_in: int | None = None,
        include_refresh_token: bool = True,  # noqa: FBT001, FBT002 - as above
    ) -> dict[str, Any]:
        """Return what the client is answered for what it holds."""
        del grant_type, client, expires_in
        body = app_token.body(self.ask, self.transaction, user, scope)
        if include_refresh_token and user.lasts:
            body["refresh_token"] = app_token.new_refresh_token(
                self.ask, self.transaction, user
            )
        return body

    def save_token(self, token: Mapping[str, Any], request: FormRequest) -> None:
        """Store the access token; the refresh token is stored already."""
        app_token.store(self.ask, self.transaction, request.user, token["scope"])

    def handle_response(
        self, status: int, body: Mapping[str, Any], headers: object
    ) -> TokenAnswer:
        """Return the response with a token."""
        del status, headers
        return token_answer(body)

    def handle_error_response(self, request: FormRequest, error: OAuth2Error) -> None:
        """Refuse, in our words.

        Raises:
            TokenRefused: always.

        """
        del request
        reason = _REASONS.get(error.description, "refused-by-grant")
        raise self.ask.refused(OAuthError(error.error), reason) from None


def token_response(
    ask: Ask,
    transaction: Transaction,
    grant: type[Any],
    extensions: list[Callable[[Any], None]],
) -> TokenAnswer:
    """Return what one of Authlib's grants answers.

    Raises:
        TokenRefused: where it refuses; and for a purpose, which was settled when the
            person authorized the app.

    """
    if PURPOSE_OF_USE in ask.form:
        raise ask.refused(OAuthError.INVALID_REQUEST, "purpose-elsewhere")
    server = TokenServer(ask, transaction)
    server.register_grant(grant, extensions)
    answer: TokenAnswer = server.create_token_response(ask)
    return answer
