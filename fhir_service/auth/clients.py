"""Programs that may ask for tokens: registered, given new keys, removed.

Each change and its audit leaf are one transaction; a change of keys or a removal ends
every token of the client at once.

https://hl7.org/fhir/smart-app-launch/STU2.2/client-confidential-asymmetric.html
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from conformance.issues import FHIRError, IssueType
from fhir_service.auth.events import AuthEvent, AuthEventKind
from fhir_service.auth.keys import canonical_jwks
from fhir_service.auth.scopes import parse_scope
from fhir_service.auth.services import AuthServices
from fhir_service.storage import registrations
from fhir_service.storage.engine import Transaction
from fhir_service.storage.registrations import Client


class ClientKind(StrEnum):
    """How a client gets its tokens."""

    BACKEND = "backend"


@dataclass(frozen=True, kw_only=True, slots=True)
class Registration:
    """What an operator says about a new client.

    Attributes:
        client_id: Its name in every protocol.
        name: Its name for people.
        jwks: Its public keys as a JWKS or a JWK.
        scopes: Scopes that it may be granted.
        purposes: v3-ActReason codes; without one, consent permits it nothing.
        organization: `Organization/id` behind it.
        sources: Device sources it may speak for.
        kind: How it gets its tokens.

    """

    client_id: str
    name: str
    jwks: bytes
    scopes: tuple[str, ...]
    purposes: tuple[str, ...] = ()
    organization: str | None = None
    sources: tuple[str, ...] = ()
    kind: ClientKind = ClientKind.BACKEND


_PATTERNS = {
    "client_id": re.compile(r"[A-Za-z0-9][A-Za-z0-9._~-]{0,63}"),
    "purpose": re.compile(r"[A-Z]{2,32}"),
    "organization": re.compile(r"Organization/[A-Za-z0-9.-]{1,64}"),
    "source": re.compile(r"[a-z0-9][a-z0-9-]{0,63}"),
}

_EXAMPLES = {
    "client_id": "letters, digits and ._~-, at most 64",
    "purpose": "a v3-ActReason code such as TREAT",
    "organization": "a reference such as Organization/clinic",
    "source": "a device source such as open-mhealth",
}

_NAME_LENGTH = 128


def register(services: AuthServices, registration: Registration) -> Client:
    """Store a new client and return it.

    Raises:
        FHIRError: `value` for what cannot be registered, `duplicate` for an id that
            is, or ever was, another client's.

    """
    now = services.clock()
    new = _checked(registration, now)

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
            such active client.

    """
    now, keys = services.clock(), canonical_jwks(jwks)
    return _change(
        services,
        client_id,
        AuthEventKind.CLIENT_ROTATED,
        now,
        lambda transaction: registrations.rotate_client(
            transaction, client_id, jwks=keys, now=now
        ),
    )


def remove(services: AuthServices, client_id: str) -> Client:
    """Close the client, end its tokens, and return it.

    Raises:
        FHIRError: `not-found` where there is no such active client.

    """
    now = services.clock()
    return _change(
        services,
        client_id,
        AuthEventKind.CLIENT_REMOVED,
        now,
        lambda transaction: registrations.remove_client(transaction, client_id, now),
    )


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


def _checked(registration: Registration, now: int) -> Client:
    _check("client_id", registration.client_id)
    for purpose in registration.purposes:
        _check("purpose", purpose)
    for source in registration.sources:
        _check("source", source)
    if registration.organization is not None:
        _check("organization", registration.organization)
    name = registration.name.strip()
    if not 1 <= len(name) <= _NAME_LENGTH or not name.isprintable():
        raise FHIRError(IssueType.VALUE, "A name is one line of 1 to 128 characters.")
    return Client(
        client_id=registration.client_id,
        name=name,
        kind=registration.kind.value,
        jwks=canonical_jwks(registration.jwks),
        scopes=_scopes(registration.scopes),
        purposes=tuple(dict.fromkeys(registration.purposes)),
        organization=registration.organization,
        sources=tuple(dict.fromkeys(registration.sources)),
        created=now,
    )


def _check(kind: str, value: str) -> None:
    if not _PATTERNS[kind].fullmatch(value):
        raise FHIRError(
            IssueType.VALUE, f"{value[:64]!r} is not {_EXAMPLES[kind]}.", kind
        )


def _scopes(values: tuple[str, ...]) -> str:
    words = [word for value in values for word in value.split()]
    for word in words:
        scope = parse_scope(word)
        if scope is None or scope.level != "system":
            raise FHIRError(
                IssueType.VALUE,
                f"{word[:128]!r} is not a scope such as system/Observation.rs.",
                "scope",
            )
    if not words:
        raise FHIRError(IssueType.VALUE, "A client has at least one scope.", "scope")
    return " ".join(dict.fromkeys(words))


def as_json(client: Client) -> dict[str, object]:
    """Return `client` as a listing shows it: everything but the keys' numbers."""
    return {
        "client_id": client.client_id,
        "name": client.name,
        "kind": client.kind,
        "active": client.removed is None,
        "scopes": client.scopes.split(),
        "purposes": list(client.purposes),
        "organization": client.organization,
        "sources": list(client.sources),
        "created": client.created,
        "rotated": client.rotated,
        "removed": client.removed,
    }
