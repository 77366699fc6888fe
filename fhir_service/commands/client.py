"""`fhir-service client add|list|rotate|remove`.

A private key is written once, for its owner alone, and never shown.

https://hl7.org/fhir/smart-app-launch/STU2.2/client-confidential-asymmetric.html
"""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import click

from conformance.fhir_json import pretty
from conformance.issues import FHIRError, IssueType
from fhir_service.auth import clients, keys
from fhir_service.auth.services import AuthServices
from fhir_service.storage import registrations

T = TypeVar("T")

KEY_ID_BYTES = 8


@dataclass(frozen=True, kw_only=True, slots=True)
class KeySource:
    """Where the client's public key comes from: exactly one of the two.

    Attributes:
        jwks: A file with a JWKS or a JWK.
        directory: Where to write a freshly generated private key.
        algorithm: What the generated key is for.

    """

    jwks: Path | None = None
    directory: Path | None = None
    algorithm: str = "ES384"


def add(  # noqa: PLR0913 - one argument an option of the command
    services: AuthServices,
    *,
    client_id: str,
    name: str | None,
    scopes: Sequence[str],
    purposes: Sequence[str],
    organization: str | None,
    sources: Sequence[str],
    key: KeySource,
) -> None:
    """Register a client and say under which id.

    Raises:
        FHIRError: `value` or `duplicate`, as `clients.register`.

    """

    def register(jwks: bytes) -> registrations.Client:
        registration = clients.Registration(
            client_id=client_id,
            name=name or client_id,
            jwks=jwks,
            scopes=tuple(scopes),
            purposes=tuple(purposes),
            organization=organization,
            sources=tuple(sources),
        )
        return clients.register(services, registration)

    client = _with_keys(services, client_id, key, register)
    click.echo(f"Client {client.client_id} is registered.")
    if not client.purposes:
        click.echo("It has no purpose of use, so consent permits it nothing.")


def listing(services: AuthServices, *, as_json: bool) -> None:
    """Print every client, removed ones too."""
    with services.database.read() as snapshot:
        rows = [
            clients.as_json(client) for client in registrations.all_clients(snapshot)
        ]
    if as_json:
        click.echo(pretty(rows).decode())
        return
    for row in rows:
        state = "active" if row["active"] else "removed"
        purposes = ",".join(map(str, _list(row["purposes"]))) or "-"
        scopes = " ".join(map(str, _list(row["scopes"])))
        click.echo(
            f"{row['client_id']}  {state}  {purposes}  "
            f"{row['organization'] or '-'}  {scopes}"
        )


def rotate(services: AuthServices, *, client_id: str, key: KeySource) -> None:
    """Replace a client's keys; its tokens end at once.

    Raises:
        FHIRError: `value` or `not-found`, as `clients.rotate`.

    """
    _with_keys(
        services, client_id, key, lambda jwks: clients.rotate(services, client_id, jwks)
    )
    click.echo(f"Client {client_id} has new keys; its earlier tokens have ended.")


def remove(services: AuthServices, *, client_id: str) -> None:
    """Close a client; its tokens end at once.

    Raises:
        FHIRError: `not-found` where there is no such active client.

    """
    clients.remove(services, client_id)
    click.echo(f"Client {client_id} is removed; its tokens have ended.")


def _list(value: object) -> list[object]:
    return value if isinstance(value, list) else []


def _with_keys(
    services: AuthServices, client_id: str, key: KeySource, use: Callable[[bytes], T]
) -> T:
    """Call `use` with the public keys; a private key stays only if that succeeds."""
    if (key.jwks is None) == (key.directory is None):
        raise FHIRError(IssueType.VALUE, "Give either a JWKS or a key directory.")
    if key.directory is None:
        return use(_read(key.jwks))
    pair = keys.generate(key.algorithm, services.random(KEY_ID_BYTES).hex())
    path = _write_private(key.directory, client_id, pair)
    try:
        result = use(pair.public)
    except BaseException:
        path.unlink()
        raise
    click.echo(f"The private key is in {path}.")
    return result


def _read(path: Path | None) -> bytes:
    try:
        return Path(path or "").read_bytes()
    except OSError as error:
        raise FHIRError(
            IssueType.VALUE, f"The JWKS file cannot be read: {error.strerror}."
        ) from None


def _write_private(directory: Path, client_id: str, pair: keys.KeyPair) -> Path:
    """Write the private key for its owner alone; never over another one.

    The key's id is part of the name, so that a new key does not replace the old one
    before the service knows it.
    """
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = directory / f"{Path(client_id).name}.{pair.key_id}.jwk.json"
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(pair.private)
    return path
