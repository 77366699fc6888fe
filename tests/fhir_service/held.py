"""What clients hold, for tests that ask about it or give it back."""

import json
import secrets
from dataclasses import dataclass, field
from typing import Any

from fhir_service.auth import clients
from fhir_service.auth.services import AuthServices
from fhir_service.auth.token_hash import token_hash
from fhir_service.storage import authorizations
from fhir_service.storage.accounts import Account
from fhir_service.storage.authorizations import (
    AccessToken,
    Authorization,
    RefreshToken,
)
from fhir_service.storage.engine import Transaction
from fhir_service.storage.registrations import Client

HOUR_US = 3_600_000_000
SCOPES = "launch openid fhirUser offline_access patient/*.rs"
CONTEXT = {
    "need_patient_banner": True,
    "smart_style_url": "https://fhir.test/pages/smart-style.json",
    "encounter": "enc-1",
    "intent": "reconcile-medications",
}


def app(services: AuthServices, client_id: str = "growth", **changes: Any) -> Client:
    """Register an app; a public one unless a change says otherwise."""
    values: dict[str, Any] = {
        "client_id": client_id,
        "name": client_id.title(),
        "kind": clients.ClientKind.APP,
        "auth_method": clients.AuthMethod.NONE,
        "scopes": ("launch openid fhirUser offline_access patient/*.rs",),
        "purposes": ("PATRQT",),
        "redirect_uris": ("https://app.test/cb",),
    }
    return clients.register(services, clients.Registration(**values | changes))


@dataclass(kw_only=True)
class Held:
    """An authorization with its tokens, as text."""

    authorization_id: str
    access: str = field(default_factory=lambda: secrets.token_urlsafe(32))
    refresh: str = field(default_factory=lambda: secrets.token_urlsafe(32))


def hold(
    services: AuthServices, client_id: str, account: Account, **changes: Any
) -> Held:
    """Let a person's authorization exist, with an access and a refresh token."""
    now, held = services.clock(), Held(authorization_id=secrets.token_hex(8))
    values: dict[str, Any] = {
        "authorization_id": held.authorization_id,
        "client_id": client_id,
        "user_id": account.user_id,
        "patient": "pat-1",
        "context": json.dumps(CONTEXT),
        "scopes": SCOPES,
        "purposes": ("TREAT", "HOPERAT"),
        "session": None,
        "break_glass_id": None,
        "authenticated": now,
        "created": now,
        "expires": now + HOUR_US,
    }
    authorization = Authorization(**values | changes)

    def work(transaction: Transaction) -> None:
        authorizations.add(transaction, authorization)
        authorizations.add_token(transaction, _access(authorization, held, now))
        authorizations.add_refresh_token(
            transaction,
            RefreshToken(
                hash=token_hash(held.refresh),
                authorization_id=held.authorization_id,
                issued=now,
                expires=authorization.expires,
            ),
        )

    services.database.write(work)
    return held


def _access(authorization: Authorization, held: Held, now: int) -> AccessToken:
    return AccessToken(
        hash=token_hash(held.access),
        client_id=authorization.client_id,
        scopes=authorization.scopes,
        purposes=authorization.purposes,
        issued=now,
        expires=now + 300_000_000,
        authorization_id=held.authorization_id,
        user_id=authorization.user_id,
        patient=authorization.patient,
    )


def backend_token(services: AuthServices, client_id: str, scopes: str) -> str:
    """Give a backend service a token and return it."""
    token, now = secrets.token_urlsafe(32), services.clock()
    services.database.write(
        lambda transaction: authorizations.add_token(
            transaction,
            AccessToken(
                hash=token_hash(token),
                client_id=client_id,
                scopes=scopes,
                purposes=(),
                issued=now,
                expires=now + 300_000_000,
            ),
        )
    )
    return token
