"""Who the person is, signed for the app that asked: the ID token.

`sub` is the account's own id: it stays when a name changes, and tells nothing.

https://openid.net/specs/openid-connect-core-1_0.html#IDToken
https://hl7.org/fhir/smart-app-launch/STU2.2/scopes-and-launch-context.html#scopes-for-requesting-identity-data
"""

from collections.abc import Collection
from typing import Any

from joserfc import jwt

from fhir_service.auth.services import AuthServices
from fhir_service.auth.signing import ALGORITHM, ID_TOKEN_LIFETIME_S, Signer
from fhir_service.storage.accounts import Account
from fhir_service.storage.authorizations import Authorization

OPENID = "openid"
"""The scope that asks for an ID token."""

FHIR_USER_SCOPES = frozenset({"fhirUser", "profile"})
"""The scopes that ask for the person's own resource in it."""


def claims(
    services: AuthServices,
    authorization: Authorization,
    account: Account,
    scopes: Collection[str],
    now: int,
) -> dict[str, Any]:
    """Return what the token says of the person; the nonce is the code's to add."""
    now_s = now // 1_000_000
    said: dict[str, Any] = {
        "iss": services.public_url,
        "sub": account.user_id,
        "aud": authorization.client_id,
        "iat": now_s,
        "exp": now_s + ID_TOKEN_LIFETIME_S,
        "auth_time": authorization.authenticated // 1_000_000,
    }
    if account.reference is not None and FHIR_USER_SCOPES & set(scopes):
        said["fhirUser"] = f"{services.fhir_url}/{account.reference}"
    return said


def signed(said: dict[str, Any], signer: Signer) -> str:
    """Return the token that says so."""
    header = {"alg": ALGORITHM, "kid": signer.kid, "typ": "JWT"}
    return jwt.encode(header, said, signer.key, algorithms=[ALGORITHM])
