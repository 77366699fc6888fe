"""What goes into the token endpoint and what comes out.

What a refusal was for is told to the audit log; the client learns RFC 6749's word for
it, and the same sentence whatever the reason.

https://www.rfc-editor.org/rfc/rfc6749#section-5
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any
from urllib.parse import parse_qsl

from conformance.fhir_json import dumps
from fhir_service.auth.bearer import REALM
from fhir_service.auth.events import AuthEvent, AuthEventKind
from fhir_service.errors import OAUTH_STATUS, OAuthError, oauth_error

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
        OAuthError.INVALID_GRANT: "The code or token does not hold, for this client.",
        OAuthError.UNAUTHORIZED_CLIENT: "The client may not use this grant type.",
        OAuthError.UNSUPPORTED_GRANT_TYPE: "This grant type is not supported.",
        OAuthError.INVALID_SCOPE: "What was asked for cannot be granted.",
        OAuthError.INVALID_TOKEN: "The access token is unknown, expired or revoked.",
        OAuthError.INSUFFICIENT_SCOPE: "The token or client may not do this.",
        OAuthError.TEMPORARILY_UNAVAILABLE: "Not now; try again later.",
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
        authorization: The header.
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


@dataclass(frozen=True, kw_only=True, slots=True)
class About:
    """Whom a refusal concerns, as far as that is known.

    Attributes:
        client_id: The client, proven or claimed.
        proven: Whether the client proved to be that.
        user_id: The person whose authorization it was to use.
        patient: Id of the Patient in context of that.

    """

    client_id: str | None = None
    proven: bool = False
    user_id: str | None = None
    patient: str | None = None


class TokenRefused(Exception):  # noqa: N818 - named as the event it becomes
    """No token.

    Args:
        error: The word that the client learns.
        reason: The word that the audit log learns.
        about: Whom it concerns.
        kind: What happened; a replay is more than a refusal.
        wait_us: Microseconds until it makes sense to try again.
        challenged: Whether the client used HTTP authentication, and is told of it.

    """

    def __init__(  # noqa: PLR0913 - what a refusal may tell; two of it always
        self,
        error: OAuthError,
        reason: str,
        *,
        about: About = About(),
        kind: AuthEventKind = AuthEventKind.TOKEN_REFUSED,
        wait_us: int = 0,
        challenged: bool = False,
    ) -> None:
        super().__init__(reason)
        self.error = error
        self.reason = reason
        self.about = about
        self.kind = kind
        self.wait_us = wait_us
        self.challenged = challenged


def read_form(request: TokenRequest) -> Mapping[str, str]:
    """Return the parameters; one without a value counts as absent (§3.2).

    Raises:
        TokenRefused: `invalid_request` for what is not one form.

    """
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


def refusal_event(refused: TokenRefused, request: TokenRequest, now: int) -> AuthEvent:
    """Return what the audit log learns of a refusal."""
    about = refused.about
    return AuthEvent(
        kind=refused.kind,
        at=now,
        client_id=about.client_id,
        proven=about.proven,
        user_id=about.user_id,
        address=request.address,
        reason=refused.reason,
        patient=about.patient,
    )


def token_answer(body: Mapping[str, Any]) -> TokenAnswer:
    """Return the response that carries a token (§5.1)."""
    return TokenAnswer(status=200, headers=_HEADERS, body=dumps(body))


def refusal_answer(refused: TokenRefused) -> TokenAnswer:
    """Return the response that says why there is none (§5.2)."""
    body = dumps(oauth_error(refused.error, _SAID[refused.error]))
    status, headers = OAUTH_STATUS[refused.error], dict(_HEADERS)
    if refused.challenged:
        status = 401
        headers["WWW-Authenticate"] = f'Basic realm="{REALM}"'
    if refused.wait_us:
        status = 429
        headers["Retry-After"] = str(-(-refused.wait_us // 1_000_000))
    return TokenAnswer(status=status, headers=headers, body=body)
