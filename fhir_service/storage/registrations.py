"""Registered clients: who may ask for tokens, how it proves itself, what for.

A removed client stays, so that its id is never given again. Secrets are kept as
SHA-256 hashes: they have 256 random bits, so there is nothing to guess.

https://www.rfc-editor.org/rfc/rfc6749#section-2
"""

from dataclasses import dataclass

from sqlalchemy import (
    Column,
    Index,
    Integer,
    LargeBinary,
    PrimaryKeyConstraint,
    SmallInteger,
    Table,
    Text,
    bindparam,
    delete,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import insert

from fhir_service.storage import authorizations
from fhir_service.storage.engine import Snapshot, Transaction
from fhir_service.storage.statement import Statement, columns_of
from fhir_service.storage.tables import Big, metadata

client = Table(
    "client",
    metadata,
    Column("client_id", Text, primary_key=True),
    Column("name", Text, nullable=False),
    Column("kind", Text, nullable=False, comment="backend or app"),
    Column("auth_method", Text, nullable=False, comment="RFC 7591's name"),
    Column("jwks", Text, nullable=False, comment="public keys; empty for none"),
    Column("jwks_uri", Text, comment="where its public keys are"),
    Column("secret_hash", LargeBinary, comment="SHA-256"),
    Column("scopes", Text, nullable=False, comment="space-separated"),
    Column("purposes", Text, nullable=False, comment="space-separated v3-ActReason"),
    Column("organization", Text, comment="Organization/id"),
    Column("sources", Text, nullable=False, comment="space-separated"),
    Column("redirect_uris", Text, nullable=False, comment="space-separated"),
    Column("launch_uri", Text, comment="where an EHR launch begins"),
    Column("origins", Text, nullable=False, comment="space-separated, for CORS"),
    Column("needs_pkce", SmallInteger, nullable=False, comment="0 for SMART 1.0"),
    Column("token_lifetime_s", Integer, comment="null: the deployment's"),
    Column("refresh_lifetime_s", Integer, comment="null: the deployment's"),
    Column("created", Big, nullable=False),
    Column("rotated", Big),
    Column("removed", Big),
    comment="a removed client stays, so that its id is never given again",
    sqlite_with_rowid=False,
)

client_origin = Table(
    "client_origin",
    metadata,
    Column("origin", Text, nullable=False, comment="scheme, host and port"),
    Column("client_id", Text, nullable=False),
    PrimaryKeyConstraint("origin", "client_id"),
    comment="origins of active clients, to answer CORS by one indexed read",
    sqlite_with_rowid=False,
)
Index(None, client_origin.c.client_id)

client_assertion = Table(
    "client_assertion",
    metadata,
    Column("hash", LargeBinary, primary_key=True, comment="of client id and jti"),
    Column("expires", Big, nullable=False),
    comment="assertions seen, until they would expire by themselves",
    sqlite_with_rowid=False,
)
Index(None, client_assertion.c.expires)


@dataclass(frozen=True, kw_only=True, slots=True)
class Client:
    """A program that may ask for tokens.

    Attributes:
        client_id: Its name in every protocol.
        name: Its name for people.
        kind: `backend` or `app`.
        auth_method: `private_key_jwt`, `client_secret_basic` or `none`.
        jwks: Its public keys, as a JWKS; empty where it has none here.
        jwks_uri: Where its public keys are published; None where they are not.
        secret_hash: SHA-256 of its secret; None where it has none.
        scopes: Scopes that it may be granted, space-separated.
        purposes: v3-ActReason codes it may act for; none: consent permits nothing.
        organization: The organization behind it, as `Organization/id`.
        sources: Device sources it may speak for.
        redirect_uris: Where an authorization response may go, exact.
        launch_uri: Where an EHR launch begins; None where it has no such launch.
        origins: Origins from which browsers may call for it.
        needs_pkce: Whether an authorization request needs a code challenge.
        token_lifetime_s: Of its access tokens; None for the deployment's.
        refresh_lifetime_s: Of its refresh tokens; None for the deployment's.
        created: When it was registered.
        rotated: When its keys or secret were last replaced.
        removed: When it was removed; None while it is active.

    """

    client_id: str
    name: str
    kind: str
    scopes: str
    purposes: tuple[str, ...]
    organization: str | None
    sources: tuple[str, ...]
    created: int
    auth_method: str = "private_key_jwt"
    jwks: str = ""
    jwks_uri: str | None = None
    secret_hash: bytes | None = None
    redirect_uris: tuple[str, ...] = ()
    launch_uri: str | None = None
    origins: tuple[str, ...] = ()
    needs_pkce: bool = True
    token_lifetime_s: int | None = None
    refresh_lifetime_s: int | None = None
    rotated: int | None = None
    removed: int | None = None


_COLUMNS = [column.name for column in client.columns]
_LISTS = ("purposes", "sources", "redirect_uris", "origins")

_CLIENT = Statement(select(client).where(client.c.client_id == bindparam("id")))
_CLIENTS = Statement(select(client).order_by(client.c.created, client.c.client_id))
_ADD_CLIENT = Statement(
    insert(client).values(**columns_of(_COLUMNS)).on_conflict_do_nothing()
)
_ADD_ORIGIN = Statement(
    insert(client_origin)
    .values(**columns_of(["origin", "client_id"]))
    .on_conflict_do_nothing()
)
_REMOVE_ORIGINS = Statement(
    delete(client_origin).where(client_origin.c.client_id == bindparam("id"))
)
_ORIGIN = Statement(
    select(client_origin.c.client_id)
    .where(client_origin.c.origin == bindparam("origin"))
    .limit(1)
)
_ROTATE_CLIENT = Statement(
    update(client)
    .where(client.c.client_id == bindparam("id"), client.c.removed.is_(None))
    .values(
        jwks=bindparam("new_jwks"),
        jwks_uri=bindparam("new_jwks_uri"),
        secret_hash=bindparam("new_secret_hash"),
        rotated=bindparam("now"),
    )
)
_REMOVE_CLIENT = Statement(
    update(client)
    .where(client.c.client_id == bindparam("id"), client.c.removed.is_(None))
    .values(removed=bindparam("now"))
)
_ADD_ASSERTION = Statement(
    insert(client_assertion)
    .values(hash=bindparam("hash"), expires=bindparam("expires"))
    .on_conflict_do_nothing()
)


def _as_client(row: tuple[object, ...]) -> Client:
    values = dict(zip(_COLUMNS, row, strict=True))
    for name in _LISTS:
        values[name] = tuple(str(values[name]).split())
    values["needs_pkce"] = bool(values["needs_pkce"])
    return Client(**values)  # type: ignore[arg-type]  # the columns' types


def find_client(snapshot: Snapshot, client_id: str) -> Client | None:
    """Return the client of that id, removed ones too."""
    row = snapshot.one(_CLIENT, id=client_id)
    return None if row is None else _as_client(row)


def all_clients(snapshot: Snapshot) -> list[Client]:
    """Return every client, oldest first, removed ones too."""
    return [_as_client(row) for row in snapshot.all(_CLIENTS)]


def add_client(transaction: Transaction, new: Client) -> bool:
    """Register `new`; False where its id was ever given."""
    values = {name: getattr(new, name) for name in _COLUMNS}
    values |= {name: " ".join(values[name]) for name in _LISTS}
    values["needs_pkce"] = int(new.needs_pkce)
    if transaction.run(_ADD_CLIENT, **values) != 1:
        return False
    for origin in new.origins:
        transaction.run(_ADD_ORIGIN, origin=origin, client_id=new.client_id)
    return True


def rotate_client(  # noqa: PLR0913 - what a client may prove itself by
    transaction: Transaction,
    client_id: str,
    *,
    jwks: str = "",
    jwks_uri: str | None = None,
    secret_hash: bytes | None = None,
    now: int,
) -> bool:
    """Replace keys or secret, end all grants; False for no such active client."""
    values = {
        "new_jwks": jwks,
        "new_jwks_uri": jwks_uri,
        "new_secret_hash": secret_hash,
    }
    found = transaction.run(_ROTATE_CLIENT, id=client_id, now=now, **values) == 1
    authorizations.end_of_client(transaction, client_id)
    return found


def remove_client(transaction: Transaction, client_id: str, now: int) -> bool:
    """Close the client and end all its grants; False for no such active client."""
    found = transaction.run(_REMOVE_CLIENT, id=client_id, now=now) == 1
    transaction.run(_REMOVE_ORIGINS, id=client_id)
    authorizations.end_of_client(transaction, client_id)
    return found


def is_origin(snapshot: Snapshot, origin: str) -> bool:
    """Whether an active client registered this origin."""
    return snapshot.one(_ORIGIN, origin=origin) is not None


def use_assertion(transaction: Transaction, digest: bytes, expires: int) -> bool:
    """Remember an assertion until `expires`; False where it was used before."""
    return transaction.run(_ADD_ASSERTION, hash=digest, expires=expires) == 1
