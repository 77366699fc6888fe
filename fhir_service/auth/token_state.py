"""What a token is at this moment: everything of an active one, or that it is not.

An access token is active exactly where the FHIR door takes it: the same function
decides. Whatever is not active is described alike. A refresh token has no `token_type`,
so that nobody takes it for one that opens anything.

https://www.rfc-editor.org/rfc/rfc7662#section-2.2
https://hl7.org/fhir/smart-app-launch/STU2.2/token-introspection.html
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from conformance.fhir_json import loads_object
from fhir_service.auth import id_token, sessions
from fhir_service.auth.bearer import AuthenticationError, authenticate
from fhir_service.auth.services import AuthServices
from fhir_service.auth.token_hash import token_hash
from fhir_service.auth.token_message import TokenRefused
from fhir_service.errors import OAuthError
from fhir_service.storage import accounts, authorizations, registrations
from fhir_service.storage.authorizations import (
    AccessToken,
    Authorization,
    RefreshToken,
)
from fhir_service.storage.engine import Snapshot

INACTIVE: Mapping[str, Any] = MappingProxyType({"active": False})
"""All that is said of a token that is not active, whyever."""

_IDENTITY = ("iss", "sub", "fhirUser")
"""Claims of the ID token that are told of an access token too."""


def token_of(form: Mapping[str, str]) -> str:
    """Return the token that a request is about.

    Raises:
        TokenRefused: `invalid_request` where it names none.

    """
    if "token" not in form:
        raise TokenRefused(OAuthError.INVALID_REQUEST, "no-token")
    return form["token"]


def active_token(snapshot: Snapshot, token: str, now: int) -> AccessToken | None:
    """Return an access token where the FHIR door takes it."""
    issued = authorizations.issued_token(snapshot, token_hash(token))
    if issued is None:
        return None
    try:
        authenticate(snapshot, f"Bearer {token}", now)
    except AuthenticationError:
        return None
    return issued


def describe(
    services: AuthServices, snapshot: Snapshot, token: str, now: int
) -> Mapping[str, Any]:
    """Return the members of the response about a token."""
    issued = active_token(snapshot, token, now)
    if issued is not None:
        return _of_access(services, snapshot, issued, now)
    refresh = authorizations.find_refresh_token(snapshot, token_hash(token))
    if refresh is not None and refresh.used is None and refresh.expires > now:
        return _of_refresh(services, snapshot, refresh, now)
    return INACTIVE


def _of_access(
    services: AuthServices, snapshot: Snapshot, issued: AccessToken, now: int
) -> Mapping[str, Any]:
    said: Mapping[str, Any] | None = {"iss": services.public_url}
    if issued.authorization_id is not None:
        found = authorizations.find(snapshot, issued.authorization_id)
        said = _of_person(services, snapshot, found, issued.scopes, now)
    if said is None:
        return INACTIVE
    return {
        **said,
        "active": True,
        "token_type": "bearer",
        **_members(issued.client_id, issued.scopes, issued.purposes),
        **_times(issued.issued, issued.expires),
    }


def _of_refresh(
    services: AuthServices, snapshot: Snapshot, refresh: RefreshToken, now: int
) -> Mapping[str, Any]:
    found = authorizations.find(snapshot, refresh.authorization_id)
    if found is None or not _holds(services, snapshot, found, now):
        return INACTIVE
    said = _of_person(services, snapshot, found, found.scopes, now)
    if said is None:
        return INACTIVE
    return {
        **said,
        "active": True,
        **_members(found.client_id, found.scopes, found.purposes),
        **_times(refresh.issued, refresh.expires),
    }


def _holds(
    services: AuthServices, snapshot: Snapshot, found: Authorization, now: int
) -> bool:
    """Whether a refresh token of an authorization could be exchanged."""
    client = registrations.find_client(snapshot, found.client_id)
    if client is None or client.removed is not None or found.expires <= now:
        return False
    return found.session is None or sessions.holds(services, snapshot, found.session)


def _of_person(
    services: AuthServices,
    snapshot: Snapshot,
    found: Authorization | None,
    scopes: str,
    now: int,
) -> Mapping[str, Any] | None:
    """Return who stands behind the token and its launch context; None: nobody now."""
    account = None if found is None else accounts.find_user(snapshot, found.user_id)
    if found is None or account is None:
        return None
    said: dict[str, Any] = loads_object(found.context.encode())
    if found.patient is not None:
        said["patient"] = found.patient
    claims = id_token.claims(services, found, account, scopes.split(), now)
    return said | {name: claims[name] for name in _IDENTITY if name in claims}


def _members(
    client_id: str, scopes: str, purposes: tuple[str, ...]
) -> Mapping[str, str]:
    members = {"client_id": client_id, "scope": scopes}
    if purposes:
        members["purpose_of_use"] = " ".join(purposes)
    return members


def _times(issued: int, expires: int) -> Mapping[str, int]:
    return {"iat": issued // 1_000_000, "exp": expires // 1_000_000}
