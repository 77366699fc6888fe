"""`fhir-service client add|list|rotate|remove`.

A private key is written once, for its owner alone, and never shown; a secret is shown
once, and kept as a hash.

https://hl7.org/fhir/smart-app-launch/STU2.2/client-confidential-asymmetric.html
"""

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
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


METHODS = {
    "key": clients.AuthMethod.KEY,
    "secret": clients.AuthMethod.SECRET,
    "none": clients.AuthMethod.NONE,
}
"""What the command line calls the ways in which a client proves who it is."""


@dataclass(frozen=True, kw_only=True, slots=True)
class KeySource:
    """Where the client's public keys come from: exactly one of the three.

    Attributes:
        jwks: A file with a JWKS or a JWK.
        directory: Where to write a freshly generated private key.
        algorithm: What the generated key is for.
        uri: Where the client publishes its JWKS.

    """

    jwks: Path | None = None
    directory: Path | None = None
    algorithm: str = "ES384"
    uri: str | None = None

    @property
    def given(self) -> int:
        """How many places are named."""
        return sum(place is not None for place in (self.jwks, self.directory, self.uri))


@dataclass(frozen=True, kw_only=True, slots=True)
class AppOptions:
    """What is said of an app beyond what is said of every client.

    Attributes:
        kind: `backend` or `app`.
        auth: A word of `METHODS`.
        redirect_uris: Where an authorization response may go.
        launch_uri: Where an EHR launch begins.
        origins: From where browsers may call; none: those of the redirect URIs.
        without_pkce: Whether it may come without a code challenge.
        token_lifetime_s: Of its access tokens.
        refresh_lifetime_s: Of its refresh tokens.

    """

    kind: str = "backend"
    auth: str = "key"
    redirect_uris: Sequence[str] = ()
    launch_uri: str | None = None
    origins: Sequence[str] = ()
    without_pkce: bool = False
    token_lifetime_s: int | None = None
    refresh_lifetime_s: int | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Proof:
    """What a client proves itself by: one of the three, or nothing."""

    jwks: bytes = b""
    jwks_uri: str | None = None
    secret: str | None = field(default=None, repr=False)


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
    app: AppOptions | None = None,
    as_json: bool = False,
) -> None:
    """Register a client and say under which id.

    Raises:
        FHIRError: `value` or `duplicate`, as `clients.register`.

    """
    asked = app or AppOptions()
    method = METHODS[asked.auth]

    def register(proof: Proof) -> registrations.Client:
        registration = clients.Registration(
            client_id=client_id,
            name=name or client_id,
            scopes=tuple(scopes),
            purposes=tuple(purposes),
            organization=organization,
            sources=tuple(sources),
            kind=clients.ClientKind(asked.kind),
            auth_method=method,
            redirect_uris=tuple(asked.redirect_uris),
            launch_uri=asked.launch_uri,
            origins=tuple(asked.origins) or None,
            needs_pkce=not asked.without_pkce,
            token_lifetime_s=asked.token_lifetime_s,
            refresh_lifetime_s=asked.refresh_lifetime_s,
            jwks=proof.jwks,
            jwks_uri=proof.jwks_uri,
            secret=proof.secret,
        )
        return clients.register(services, registration)

    client, told = _proven(services, client_id, method, key, register)
    if as_json:
        click.echo(pretty({"client_id": client_id, **told}).decode())
        return
    _say(told)
    click.echo(f"Client {client.client_id} is registered.")
    if not client.purposes:
        click.echo(_WITHOUT_PURPOSE[client.kind])


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


def rotate(
    services: AuthServices, *, client_id: str, key: KeySource, secret: bool = False
) -> None:
    """Replace a client's keys or secret; its tokens end at once.

    Raises:
        FHIRError: `value`, `not-found` or `business-rule`, as `clients.rotate`.

    """
    method = clients.AuthMethod.SECRET if secret else clients.AuthMethod.KEY

    def change(proof: Proof) -> registrations.Client:
        if proof.secret is not None:
            return clients.rotate_secret(services, client_id, proof.secret)
        if proof.jwks_uri is not None:
            return clients.rotate_uri(services, client_id, proof.jwks_uri)
        return clients.rotate(services, client_id, proof.jwks)

    _, told = _proven(services, client_id, method, key, change)
    _say(told)
    what = "a new secret" if secret else "new keys"
    click.echo(f"Client {client_id} has {what}; its earlier tokens have ended.")


def remove(services: AuthServices, *, client_id: str) -> None:
    """Close a client; its tokens end at once.

    Raises:
        FHIRError: `not-found` where there is no such active client.

    """
    clients.remove(services, client_id)
    click.echo(f"Client {client_id} is removed; its tokens have ended.")


def _list(value: object) -> list[object]:
    return value if isinstance(value, list) else []


def _say(told: Mapping[str, str]) -> None:
    for member, value in told.items():
        click.echo(_SENTENCES[member].format(value))


_WITHOUT_PURPOSE = {
    "backend": "It has no purpose of use, so consent permits it nothing.",
    "app": "It has no purpose of use, so consent permits it to patients alone.",
}

_SENTENCES = {
    "secret": "Its secret, which is not shown again, is {}",
    "private_key": "The private key is in {}.",
}


def _proven(
    services: AuthServices,
    client_id: str,
    method: clients.AuthMethod,
    key: KeySource,
    use: Callable[[Proof], T],
) -> tuple[T, dict[str, str]]:
    """Call `use` with what a client proves itself by; return what to tell its owner."""
    if method is not clients.AuthMethod.KEY and key.given:
        raise FHIRError(IssueType.VALUE, "A client without keys is given none.")
    if method is clients.AuthMethod.NONE:
        return use(Proof()), {}
    if method is clients.AuthMethod.SECRET:
        secret = clients.new_secret(services)
        return use(Proof(secret=secret)), {"secret": secret}
    return _with_keys(services, client_id, key, use)


def _with_keys(
    services: AuthServices, client_id: str, key: KeySource, use: Callable[[Proof], T]
) -> tuple[T, dict[str, str]]:
    """Call `use` with the public keys; a private key stays only if that succeeds."""
    if key.given != 1:
        raise FHIRError(
            IssueType.VALUE, "Give either a JWKS, its address or a key directory."
        )
    if key.uri is not None:
        return use(Proof(jwks_uri=key.uri)), {}
    if key.directory is None:
        return use(Proof(jwks=_read(key.jwks))), {}
    pair = keys.generate(key.algorithm, services.random(KEY_ID_BYTES).hex())
    path = _write_private(key.directory, client_id, pair)
    try:
        result = use(Proof(jwks=pair.public))
    except BaseException:
        path.unlink()
        raise
    return result, {"private_key": str(path)}


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
