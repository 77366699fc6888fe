"""Programs that may ask for tokens: registered, given new keys, removed.

Each change and its audit leaf are one transaction; new keys, a new secret or a removal
end every token of the client at once.

https://hl7.org/fhir/smart-app-launch/STU2.2/client-confidential-asymmetric.html
"""

from collections.abc import Callable
from dataclasses import dataclass

from conformance.issues import FHIRError, IssueType
from fhir_service.auth.events import AuthEvent, AuthEventKind
from fhir_service.auth.keys import canonical_jwks
from fhir_service.auth.registration import (
    AuthMethod,
    ClientKind,
    Registration,
    checked,
    optional_address,
    secret_hash,
)
from fhir_service.auth.services import AuthServices
from fhir_service.auth.token_hash import new_token
from fhir_service.storage import launches, registrations
from fhir_service.storage.engine import Transaction
from fhir_service.storage.registrations import Client

__all__ = [
    "AuthMethod",
    "ClientKind",
    "Registration",
    "as_json",
    "new_secret",
    "register",
    "remove",
    "rotate",
    "rotate_secret",
    "rotate_uri",
]


def new_secret(services: AuthServices) -> str:
    """Return a secret for a client: 256 random bits, to be shown once."""
    return new_token(services.random)


def register(services: AuthServices, registration: Registration) -> Client:
    """Store a new client and return it.

    Raises:
        FHIRError: `value` for what cannot be registered, `duplicate` for an id that
            is, or ever was, another client's.

    """
    now = services.clock()
    new = checked(registration, now)
    _check_jwks_uri(services, new.jwks_uri)

    def work(transaction: Transaction) -> Client:
        if not registrations.add_client(transaction, new):
            raise FHIRError(IssueType.DUPLICATE, "This client id was given before.")
        _audit(services, transaction, AuthEventKind.CLIENT_ADDED, new, now)
        return new

    return services.database.write(work)


def rotate(services: AuthServices, client_id: str, jwks: bytes) -> Client:
    """Replace the client's keys, end its tokens, and return it.

    Raises:
        FHIRError: `value` for keys that cannot be used, `not-found` where there is no
            such active client, `business-rule` where it has no keys.

    """
    return _prove_by(
        services, client_id, AuthMethod.KEY, _Proof(jwks=canonical_jwks(jwks))
    )


def rotate_uri(services: AuthServices, client_id: str, jwks_uri: str) -> Client:
    """Let the client's keys be those at an address, end its tokens, and return it.

    Raises:
        FHIRError: as `rotate`.

    """
    _check_jwks_uri(services, jwks_uri)
    proof = _Proof(jwks_uri=optional_address(jwks_uri, "jwks_uri"))
    return _prove_by(services, client_id, AuthMethod.KEY, proof)


def rotate_secret(services: AuthServices, client_id: str, secret: str) -> Client:
    """Replace the client's secret, end its tokens, and return it.

    Raises:
        FHIRError: `value` for a secret that was not made by `new_secret`, `not-found`
            where there is no such active client, `business-rule` where it has none.

    """
    proof = _Proof(secret_hash=secret_hash(secret))
    return _prove_by(services, client_id, AuthMethod.SECRET, proof)


def _check_jwks_uri(services: AuthServices, uri: str | None) -> None:
    """Refuse keys over plain http, but on a machine that tries the service out."""
    if uri is not None and not uri.startswith("https:") and not services.plain_cookies:
        raise FHIRError(IssueType.VALUE, "Keys are fetched over https.", "jwks_uri")


@dataclass(frozen=True, kw_only=True, slots=True)
class _Proof:
    """What a client proves itself by from now on: one of the three."""

    jwks: str = ""
    jwks_uri: str | None = None
    secret_hash: bytes | None = None


def _prove_by(
    services: AuthServices, client_id: str, method: AuthMethod, proof: _Proof
) -> Client:
    now = services.clock()

    def change(transaction: Transaction) -> bool:
        client = registrations.find_client(transaction, client_id)
        if client is not None and client.auth_method != method:
            raise FHIRError(
                IssueType.BUSINESS_RULE,
                f"The client proves itself by {client.auth_method}.",
            )
        return registrations.rotate_client(
            transaction,
            client_id,
            jwks=proof.jwks,
            jwks_uri=proof.jwks_uri,
            secret_hash=proof.secret_hash,
            now=now,
        )

    return _change(services, client_id, AuthEventKind.CLIENT_ROTATED, now, change)


def remove(services: AuthServices, client_id: str) -> Client:
    """Close the client, end its tokens, and return it.

    Raises:
        FHIRError: `not-found` where there is no such active client.

    """
    now = services.clock()

    def change(transaction: Transaction) -> bool:
        launches.forget_choices_about(transaction, client_id)
        return registrations.remove_client(transaction, client_id, now)

    return _change(services, client_id, AuthEventKind.CLIENT_REMOVED, now, change)


def _change(
    services: AuthServices,
    client_id: str,
    kind: AuthEventKind,
    now: int,
    change: Callable[[Transaction], bool],
) -> Client:
    def work(transaction: Transaction) -> Client:
        changed = change(transaction)
        client = registrations.find_client(transaction, client_id)
        if not changed or client is None:
            raise FHIRError(IssueType.NOT_FOUND, "There is no such active client.")
        _audit(services, transaction, kind, client, now)
        return client

    return services.database.write(work)


def _audit(
    services: AuthServices,
    transaction: Transaction,
    kind: AuthEventKind,
    client: Client,
    now: int,
) -> None:
    event = AuthEvent(
        kind=kind,
        at=now,
        client_id=client.client_id,
        scopes=client.scopes,
        purposes=client.purposes,
    )
    transaction.audit(services.audit.leaf(event))


def as_json(client: Client) -> dict[str, object]:
    """Return `client` as a listing shows it: everything but keys and secrets."""
    return {
        "client_id": client.client_id,
        "name": client.name,
        "kind": client.kind,
        "active": client.removed is None,
        "scopes": client.scopes.split(),
        "purposes": list(client.purposes),
        "organization": client.organization,
        "sources": list(client.sources),
        "auth_method": client.auth_method,
        "jwks_uri": client.jwks_uri,
        "redirect_uris": list(client.redirect_uris),
        "launch_uri": client.launch_uri,
        "origins": list(client.origins),
        "needs_pkce": client.needs_pkce,
        "token_lifetime_s": client.token_lifetime_s,
        "refresh_lifetime_s": client.refresh_lifetime_s,
        "created": client.created,
        "rotated": client.rotated,
        "removed": client.removed,
    }
