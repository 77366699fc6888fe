"""The checks of RFC 6749 and RFC 7636 on an authorization request, by Authlib.

Authlib finds the grant of the response type, wants the redirect URI registered and
the code challenge well-formed. `plain`, which Authlib knows, is
struck out here. What SMART asks beyond stands in `authorize_checks`.

https://docs.authlib.org/en/latest/specs/rfc6749.html
https://www.rfc-editor.org/rfc/rfc7636#section-4.3
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, ClassVar

from authlib.oauth2.rfc6749 import AuthorizationServer, OAuth2Error, OAuth2Request
from authlib.oauth2.rfc6749.grants import AuthorizationCodeGrant
from authlib.oauth2.rfc6749.requests import BasicOAuth2Payload
from authlib.oauth2.rfc7636 import CodeChallenge

from fhir_service.auth.authlib_server import AppClient
from fhir_service.auth.authorize_message import (
    AuthorizeError,
    AuthorizeRefused,
    Parameters,
)
from fhir_service.auth.redirect_uris import is_redirect_uri
from fhir_service.storage.registrations import Client

_ERRORS: Mapping[str, AuthorizeError] = MappingProxyType(
    {error.value: error for error in AuthorizeError}
)

_ANYWHERE = "https://localhost/auth/authorize"
"""Authlib wants to see https; whether it is, the door and its proxy see to."""


class _App(AppClient):
    def check_redirect_uri(self, redirect_uri: str) -> bool:
        return is_redirect_uri(self.client, redirect_uri)

    def get_default_redirect_uri(self) -> None:
        """There is none: an app says where it waits."""

    def check_response_type(self, response_type: str) -> bool:
        return response_type == "code"

    def get_allowed_scope(self, scope: str) -> str:
        """Return all: what can be granted depends on the person."""
        return scope


class _S256(CodeChallenge):  # type: ignore[misc]  # Authlib has no types
    DEFAULT_CODE_CHALLENGE_METHOD = None
    SUPPORTED_CODE_CHALLENGE_METHOD: ClassVar = ["S256"]


class _Request(OAuth2Request):  # type: ignore[misc]  # Authlib has no types
    def __init__(self, parameters: Parameters) -> None:
        super().__init__("GET", _ANYWHERE)
        self.payload = BasicOAuth2Payload(dict(parameters.values))


class _Server(AuthorizationServer):  # type: ignore[misc]  # Authlib has no types
    def __init__(self, client: Client) -> None:
        super().__init__()
        self._app = _App(client)
        self.register_grant(AuthorizationCodeGrant, [_S256(required=client.needs_pkce)])

    def query_client(self, _client_id: str) -> _App:
        return self._app

    def create_oauth2_request(self, request: Any) -> Any:
        return request


def check_code_request(client: Client, parameters: Parameters) -> None:
    """Check what RFC 6749 §4.1.1 and RFC 7636 §4.3 ask of a request for a code.

    Raises:
        AuthorizeRefused: with the word of the RFC.

    """
    try:
        _Server(client).get_consent_grant(_Request(parameters))
    except OAuth2Error as error:
        raise AuthorizeRefused(
            _ERRORS.get(error.error, AuthorizeError.INVALID_REQUEST),
            error.error.replace("_", "-"),
        ) from None
