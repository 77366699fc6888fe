"""The checks on an authorization request, in the order that keeps browsers safe.

First who asks and where the answer goes: what is wrong there is told on a page, since
the browser must not be sent anywhere. Everything else is told to the app.

https://hl7.org/fhir/smart-app-launch/STU2.2/app-launch.html#obtain-authorization-code
https://www.rfc-editor.org/rfc/rfc9700#section-4.1
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from consent.codes import PURPOSES
from fhir_service.auth import scopes
from fhir_service.auth.authorize_grant_type import check_code_request
from fhir_service.auth.authorize_message import (
    AuthorizeError,
    AuthorizeRefused,
    NoRedirect,
    Parameters,
    is_sound,
)
from fhir_service.auth.grantable import LAUNCH
from fhir_service.auth.redirect_uris import is_redirect_uri
from fhir_service.storage.registrations import Client

PROMPTS = frozenset({"none", "login", "consent"})

_CLIENT_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._~-]{0,63}")
_SECONDS = re.compile(r"[0-9]{1,9}")
_SCOPES = re.compile(r"[\x21\x23-\x5b\x5d-\x7e]+(?: [\x21\x23-\x5b\x5d-\x7e]+)*")
"""RFC 6749 §3.3."""

LOOKED_AT = (
    "response_type",
    "response_mode",
    "client_id",
    "redirect_uri",
    "scope",
    "state",
    "aud",
    "launch",
    "nonce",
    "prompt",
    "max_age",
    "code_challenge",
    "code_challenge_method",
    "purpose_of_use",
)
"""The parameters that mean something here; others are ignored (RFC 6749 §3.1)."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Asked:
    """A well-formed authorization request of a registered app.

    Attributes:
        client_id: The app.
        redirect_uri: Where the answer goes.
        state: To be given back as it is.
        scope: Scopes, space-separated, each once.
        code_challenge: S256 of a verifier; None for a SMART 1.0 client.
        nonce: For the ID token.
        launch: The value of an EHR launch.
        prompt: `none`, `login`, `consent`.
        max_age_s: How old the login may be.
        purposes: v3-ActReason codes; none: all that are possible.

    """

    client_id: str
    redirect_uri: str
    state: str
    scope: str
    code_challenge: str | None
    nonce: str | None
    launch: str | None
    prompt: tuple[str, ...]
    max_age_s: int | None
    purposes: tuple[str, ...]


def check_return(
    parameters: Parameters, find: Callable[[str], Client | None]
) -> tuple[Client, str]:
    """Return the app and where its answer goes.

    Raises:
        NoRedirect: where that is not known for certain.

    """
    client_id = parameters.get("client_id")
    if client_id is None or not _CLIENT_ID.fullmatch(client_id):
        raise NoRedirect("no-client")
    client = find(client_id)
    if client is None or client.removed is not None or client.kind != "app":
        raise NoRedirect("unknown-client", client_id)
    uri = parameters.get("redirect_uri")
    if uri is None or not is_redirect_uri(client, uri):
        raise NoRedirect("unknown-redirect-uri", client_id)
    return client, uri


def check_request(
    client: Client, redirect_uri: str, parameters: Parameters, fhir_url: str
) -> Asked:
    """Return what the app asks.

    Raises:
        AuthorizeRefused: for what is not allowed, or not served.

    """
    for check in _CHECKS:
        check(parameters)
    check_code_request(client, parameters)
    _check_challenge(client, parameters)
    _check_audience(client, parameters, fhir_url)
    scope = _scope(parameters)
    return Asked(
        client_id=client.client_id,
        redirect_uri=redirect_uri,
        state=parameters.values["state"],
        scope=scope,
        code_challenge=parameters.get("code_challenge"),
        nonce=parameters.get("nonce"),
        launch=_launch(parameters, client, scope),
        prompt=_prompt(parameters),
        max_age_s=_max_age(parameters),
        purposes=_purposes(parameters),
    )


def _invalid(reason: str) -> AuthorizeRefused:
    return AuthorizeRefused(AuthorizeError.INVALID_REQUEST, reason)


def _check_once(parameters: Parameters) -> None:
    if parameters.repeated:
        raise _invalid("repeated-parameter")


def _check_sound(parameters: Parameters) -> None:
    for name in LOOKED_AT:
        if not is_sound(name, parameters.values.get(name, "")):
            raise _invalid(f"unsound-{name.replace('_', '-')}")


_NOT_SERVED: Mapping[str, AuthorizeError] = MappingProxyType(
    {
        "request": AuthorizeError.REQUEST_NOT_SUPPORTED,
        "request_uri": AuthorizeError.REQUEST_URI_NOT_SUPPORTED,
    }
)


def _check_served(parameters: Parameters) -> None:
    for name, error in _NOT_SERVED.items():
        if name in parameters.values:
            raise AuthorizeRefused(error, "request-object")


def _check_response_type(parameters: Parameters) -> None:
    if "response_type" not in parameters.values:
        raise _invalid("no-response-type")


def _check_response_mode(parameters: Parameters) -> None:
    if parameters.get("response_mode") not in {None, "query"}:
        raise _invalid("response-mode")


def _check_state(parameters: Parameters) -> None:
    if "state" not in parameters.values:
        raise _invalid("no-state")


_CHECKS = (
    _check_once,
    _check_sound,
    _check_served,
    _check_response_type,
    _check_response_mode,
    _check_state,
)


def _check_challenge(client: Client, parameters: Parameters) -> None:
    """Want S256; a challenge without a method would be `plain` (RFC 7636 §4.3)."""
    challenge = parameters.get("code_challenge")
    if challenge is None and client.needs_pkce:
        raise _invalid("no-code-challenge")
    if challenge is not None and parameters.get("code_challenge_method") != "S256":
        raise _invalid("code-challenge-method")


def _check_audience(client: Client, parameters: Parameters, fhir_url: str) -> None:
    audience = parameters.get("aud")
    if audience is None and not client.needs_pkce:
        return
    if audience is None or audience.removesuffix("/") != fhir_url:
        raise _invalid("audience")


def _scope(parameters: Parameters) -> str:
    text = " ".join((parameters.get("scope") or "").split())
    words = tuple(dict.fromkeys(text.split(" ")))
    if not _SCOPES.fullmatch(text) or len(words) > scopes.MAX_SCOPES:
        raise AuthorizeRefused(AuthorizeError.INVALID_SCOPE, "malformed-scope")
    return " ".join(words)


def _launch(parameters: Parameters, client: Client, scope: str) -> str | None:
    """Return the launch value; it needs the scope that says what it is for."""
    launch = parameters.get("launch")
    if launch is not None and LAUNCH not in scope.split():
        raise _invalid("launch-without-scope")
    if launch is not None and LAUNCH not in client.scopes.split():
        raise AuthorizeRefused(AuthorizeError.INVALID_SCOPE, "launch-not-registered")
    return launch


def _prompt(parameters: Parameters) -> tuple[str, ...]:
    prompt = tuple((parameters.get("prompt") or "").split())
    if not set(prompt) <= PROMPTS or ("none" in prompt and len(prompt) > 1):
        raise _invalid("prompt")
    return prompt


def _max_age(parameters: Parameters) -> int | None:
    text = parameters.get("max_age")
    if text is None:
        return None
    if not _SECONDS.fullmatch(text):
        raise _invalid("max-age")
    return int(text)


def _purposes(parameters: Parameters) -> tuple[str, ...]:
    codes = tuple(dict.fromkeys((parameters.get("purpose_of_use") or "").split()))
    if any(code not in PURPOSES for code in codes):
        raise AuthorizeRefused(AuthorizeError.INVALID_SCOPE, "unknown-purpose")
    return codes
