"""What goes into the authorization endpoint and what comes out.

What a refusal was for is told to the audit log; the app learns the word of RFC 6749 or
OpenID Connect for it, and the same sentence whatever the reason. `iss` stands in every
response, so that an app notices a mix-up of servers (RFC 9207).

https://www.rfc-editor.org/rfc/rfc6749#section-4.1
https://www.rfc-editor.org/rfc/rfc9207
https://openid.net/specs/openid-connect-core-1_0.html#AuthError
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from urllib.parse import parse_qsl, quote, urlencode

MAX_BODY = 32_768
"""Bytes of a form or a query; the longest scopes fit in half of it."""

MAX_FIELDS = 64

MAX_LENGTHS: Mapping[str, int] = MappingProxyType(
    {
        "scope": 8192,
        "state": 2048,
        "redirect_uri": 2048,
        "aud": 2048,
        "launch": 512,
        "nonce": 512,
        "client_id": 64,
        "code_challenge": 128,
    }
)
"""Characters of a parameter."""

OTHER_LENGTH = 1024
"""Characters of every other parameter that is looked at."""

_PRINTABLE = re.compile(r"[\x20-\x7e]*")
"""RFC 6749 appendix A: no parameter that is looked at has other characters."""


class AuthorizeError(StrEnum):
    """Error codes of an authorization response; none of them is an HTTP status."""

    INVALID_REQUEST = "invalid_request"
    ACCESS_DENIED = "access_denied"
    UNSUPPORTED_RESPONSE_TYPE = "unsupported_response_type"
    INVALID_SCOPE = "invalid_scope"
    LOGIN_REQUIRED = "login_required"
    CONSENT_REQUIRED = "consent_required"
    INTERACTION_REQUIRED = "interaction_required"
    REQUEST_NOT_SUPPORTED = "request_not_supported"
    REQUEST_URI_NOT_SUPPORTED = "request_uri_not_supported"
    TEMPORARILY_UNAVAILABLE = "temporarily_unavailable"


SAID: Mapping[AuthorizeError, str] = MappingProxyType(
    {
        AuthorizeError.INVALID_REQUEST: "The request is not a well-formed one.",
        AuthorizeError.ACCESS_DENIED: "The request was denied.",
        AuthorizeError.UNSUPPORTED_RESPONSE_TYPE: "The response type is code.",
        AuthorizeError.INVALID_SCOPE: "No scope that was asked for can be granted.",
        AuthorizeError.LOGIN_REQUIRED: "Nobody is logged in.",
        AuthorizeError.CONSENT_REQUIRED: "The person has to be asked.",
        AuthorizeError.INTERACTION_REQUIRED: "The person has to choose a patient.",
        AuthorizeError.REQUEST_NOT_SUPPORTED: "Request objects are not served.",
        AuthorizeError.REQUEST_URI_NOT_SUPPORTED: "Request objects are not served.",
        AuthorizeError.TEMPORARILY_UNAVAILABLE: "Too many requests; try again later.",
    }
)
"""What an app's developer is told; the same for every reason behind the error."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Parameters:
    """The parameters of an authorization request, as they came.

    Attributes:
        values: Name → value; one without a value counts as absent (§3.1), of one that
            is repeated none is taken.
        repeated: Names that came more than once.

    """

    values: Mapping[str, str]
    repeated: frozenset[str]

    def get(self, name: str) -> str | None:
        """Return a value that may be looked at, or None."""
        value = self.values.get(name)
        return value if value is not None and is_sound(name, value) else None


def is_sound(name: str, value: str) -> bool:
    """Whether a value is as short and as printable as it has to be."""
    longest = MAX_LENGTHS.get(name, OTHER_LENGTH)
    return len(value) <= longest and _PRINTABLE.fullmatch(value) is not None


class NoRedirect(Exception):  # noqa: N818 - named as the event it becomes
    """A request that gets a page, since it is not known where to send the browser.

    Args:
        reason: The word that the audit log learns.
        client_id: The client that was named, where its name is well-formed.

    """

    def __init__(self, reason: str, client_id: str | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.client_id = client_id


class AuthorizeRefused(Exception):  # noqa: N818 - named as the event it becomes
    """A request that is answered by an error at the app's redirect URI.

    Args:
        error: The word that the app learns.
        reason: The word that the audit log learns.

    """

    def __init__(self, error: AuthorizeError, reason: str) -> None:
        super().__init__(reason)
        self.error = error
        self.reason = reason


def read_parameters(query: bytes, body: bytes | None) -> Parameters:
    """Return the parameters of a query and of a form together.

    Raises:
        NoRedirect: for what cannot be read.

    """
    if body is None or len(query) > MAX_BODY:
        raise NoRedirect("oversized")
    pairs = [*_pairs(query), *_pairs(body)]
    names = [name for name, _ in pairs]
    repeated = frozenset(name for name in names if names.count(name) > 1)
    values = {name: value for name, value in pairs if value and name not in repeated}
    return Parameters(values=MappingProxyType(values), repeated=repeated)


def _pairs(form: bytes) -> list[tuple[str, str]]:
    try:
        return parse_qsl(
            form.decode("ascii"),
            keep_blank_values=True,
            errors="strict",
            max_num_fields=MAX_FIELDS,
        )
    except ValueError:
        raise NoRedirect("malformed") from None


def response_url(redirect_uri: str, **parameters: str | None) -> str:
    """Return where the browser goes, the response's parameters in its query.

    Those that are None are left out; a query that the URI has stays as it is (§3.1.2).
    """
    given = {name: value for name, value in parameters.items() if value is not None}
    joint = "&" if "?" in redirect_uri else "?"
    return f"{redirect_uri}{joint}{urlencode(given, quote_via=quote, safe='')}"


def error_url(
    redirect_uri: str, error: AuthorizeError, *, state: str | None, issuer: str
) -> str:
    """Return where the browser goes with an error (§4.1.2.1)."""
    return response_url(
        redirect_uri,
        error=error.value,
        error_description=SAID[error],
        state=state,
        iss=issuer,
    )
