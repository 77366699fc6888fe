"""Who may enter: clients, their tokens, people, their logins, and rate buckets.

Whatever proves somebody's identity is stored as a SHA-256 hash (tokens, sessions,
assertion ids) or as an argon2id hash (passwords), so that a stolen copy of these tables
opens nothing. All times are microseconds since 1970. One file, although long, so that
everything that decides who may enter can be read in one place.
"""

from dataclasses import dataclass

from sqlalchemy import (
    Column,
    Index,
    LargeBinary,
    Table,
    Text,
    bindparam,
    delete,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import insert

from fhir_service.storage.engine import Snapshot, Transaction
from fhir_service.storage.statement import Statement, columns_of
from fhir_service.storage.tables import SHARED, Big, metadata, patient

PURGE_ROWS = 100
"""Expired rows that one write removes at most, so that none has to wait for long."""

client = Table(
    "client",
    metadata,
    Column("client_id", Text, primary_key=True),
    Column("name", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("jwks", Text, nullable=False, comment="public keys"),
    Column("scopes", Text, nullable=False, comment="space-separated"),
    Column("purposes", Text, nullable=False, comment="space-separated v3-ActReason"),
    Column("organization", Text, comment="Organization/id"),
    Column("sources", Text, nullable=False, comment="space-separated"),
    Column("created", Big, nullable=False),
    Column("rotated", Big),
    Column("removed", Big),
    comment="a removed client stays, so that its id is never given again",
    sqlite_with_rowid=False,
)

access_token = Table(
    "access_token",
    metadata,
    Column("hash", LargeBinary, primary_key=True, comment="SHA-256"),
    Column("client_id", Text, nullable=False),
    Column("scopes", Text, nullable=False),
    Column("purposes", Text, nullable=False),
    Column("issued", Big, nullable=False),
    Column("expires", Big, nullable=False),
    sqlite_with_rowid=False,
)
Index(None, access_token.c.expires)
Index(None, access_token.c.client_id)

client_assertion = Table(
    "client_assertion",
    metadata,
    Column("hash", LargeBinary, primary_key=True, comment="of client id and jti"),
    Column("expires", Big, nullable=False),
    comment="assertions seen, until they would expire by themselves",
    sqlite_with_rowid=False,
)
Index(None, client_assertion.c.expires)

account = Table(
    "account",
    metadata,
    Column("user_id", Text, primary_key=True),
    Column("username", Text, nullable=False, unique=True),
    Column("name", Text, nullable=False),
    Column("role", Text, nullable=False),
    Column("reference", Text, comment="the person's own FHIR resource"),
    Column("organization", Text, comment="Organization/id"),
    Column("password_hash", Text, nullable=False, comment="argon2id"),
    Column("created", Big, nullable=False),
    Column("removed", Big),
    sqlite_with_rowid=False,
)

login_session = Table(
    "login_session",
    metadata,
    Column("hash", LargeBinary, primary_key=True, comment="SHA-256"),
    Column("user_id", Text, nullable=False),
    Column("created", Big, nullable=False),
    Column("seen", Big, nullable=False),
    Column("expires", Big, nullable=False),
    sqlite_with_rowid=False,
)
Index(None, login_session.c.expires)
Index(None, login_session.c.user_id)

rate_bucket = Table(
    "rate_bucket",
    metadata,
    Column("key", LargeBinary, primary_key=True, comment="SHA-256"),
    Column("full_at", Big, nullable=False, comment="when it is full again"),
    sqlite_with_rowid=False,
)
Index(None, rate_bucket.c.full_at)


@dataclass(frozen=True, kw_only=True, slots=True)
class Client:
    """A program that may ask for tokens.

    Attributes:
        client_id: Its name in every protocol.
        name: Its name for people.
        kind: `backend`.
        jwks: Its public keys, as a JWKS.
        scopes: Scopes that it may be granted, space-separated.
        purposes: v3-ActReason codes it may act for; none: consent permits nothing.
        organization: The organization behind it, as `Organization/id`.
        sources: Device sources it may speak for.
        created: When it was registered.
        rotated: When its keys were last replaced.
        removed: When it was removed; None while it is active.

    """

    client_id: str
    name: str
    kind: str
    jwks: str
    scopes: str
    purposes: tuple[str, ...]
    organization: str | None
    sources: tuple[str, ...]
    created: int
    rotated: int | None = None
    removed: int | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Account:
    """A person who may log in.

    Attributes:
        user_id: Stable id, given by the service.
        username: What the person types, normalized.
        name: The name to show.
        role: Decides which pages there are.
        reference: The person's own FHIR resource, such as `Practitioner/7`.
        organization: The organization the person acts for.
        password_hash: argon2id.
        created: When the account was made.
        removed: When it was removed; None while it is active.

    """

    user_id: str
    username: str
    name: str
    role: str
    reference: str | None
    organization: str | None
    password_hash: str
    created: int
    removed: int | None = None


_CLIENT_COLUMNS = [column.name for column in client.columns]
_ACCOUNT_COLUMNS = [column.name for column in account.columns]

_CLIENT = Statement(select(client).where(client.c.client_id == bindparam("id")))
_CLIENTS = Statement(select(client).order_by(client.c.created, client.c.client_id))
_ADD_CLIENT = Statement(
    insert(client).values(**columns_of(_CLIENT_COLUMNS)).on_conflict_do_nothing()
)
_ROTATE_CLIENT = Statement(
    update(client)
    .where(client.c.client_id == bindparam("id"), client.c.removed.is_(None))
    .values(jwks=bindparam("new_jwks"), rotated=bindparam("now"))
)
_REMOVE_CLIENT = Statement(
    update(client)
    .where(client.c.client_id == bindparam("id"), client.c.removed.is_(None))
    .values(removed=bindparam("now"))
)
_REVOKE_CLIENT = Statement(
    delete(access_token).where(access_token.c.client_id == bindparam("id"))
)
_ADD_TOKEN = Statement(
    insert(access_token).values(
        **columns_of([column.name for column in access_token.columns])
    )
)
_TOKEN = Statement(
    select(
        client.c.client_id,
        client.c.name,
        access_token.c.scopes,
        access_token.c.purposes,
        client.c.organization,
        client.c.sources,
        access_token.c.expires,
        select(patient.c.topology_version)
        .where(patient.c.patient_key == SHARED)
        .scalar_subquery(),
    )
    .select_from(
        access_token.join(client, access_token.c.client_id == client.c.client_id)
    )
    .where(access_token.c.hash == bindparam("hash"), client.c.removed.is_(None))
)
_ADD_ASSERTION = Statement(
    insert(client_assertion)
    .values(hash=bindparam("hash"), expires=bindparam("expires"))
    .on_conflict_do_nothing()
)
_ACCOUNT = Statement(
    select(account).where(
        account.c.username == bindparam("username"), account.c.removed.is_(None)
    )
)
_ACCOUNTS = Statement(select(account).order_by(account.c.created, account.c.user_id))
_ADD_ACCOUNT = Statement(
    insert(account).values(**columns_of(_ACCOUNT_COLUMNS)).on_conflict_do_nothing()
)
_REMOVE_ACCOUNT = Statement(
    update(account)
    .where(account.c.user_id == bindparam("id"), account.c.removed.is_(None))
    .values(removed=bindparam("now"))
)
_END_SESSIONS = Statement(
    delete(login_session).where(login_session.c.user_id == bindparam("id"))
)
_ADD_SESSION = Statement(
    insert(login_session).values(
        **columns_of([column.name for column in login_session.columns])
    )
)
_SESSION = Statement(
    select(account, login_session.c.seen)
    .select_from(
        login_session.join(account, login_session.c.user_id == account.c.user_id)
    )
    .where(
        login_session.c.hash == bindparam("hash"),
        login_session.c.expires > bindparam("now"),
        login_session.c.seen > bindparam("idle_since"),
        account.c.removed.is_(None),
    )
)
_TOUCH_SESSION = Statement(
    update(login_session)
    .where(
        login_session.c.hash == bindparam("session"),
        login_session.c.seen < bindparam("now"),
    )
    .values(seen=bindparam("now"))
)
_END_SESSION = Statement(
    delete(login_session).where(login_session.c.hash == bindparam("session"))
)
_BUCKET = Statement(
    select(rate_bucket.c.full_at).where(rate_bucket.c.key == bindparam("key"))
)
_FILL_BUCKET = Statement(
    delete(rate_bucket).where(rate_bucket.c.key == bindparam("bucket"))
)


def _set_bucket() -> Statement:
    row = insert(rate_bucket).values(**columns_of(["key", "full_at"]))
    return Statement(
        row.on_conflict_do_update(
            index_elements=[rate_bucket.c.key], set_={"full_at": row.excluded.full_at}
        )
    )


_SET_BUCKET = _set_bucket()


def _purge(table: Table, expiry: Column[int]) -> Statement:
    [key] = table.primary_key.columns
    expired = select(key).where(expiry <= bindparam("now")).limit(PURGE_ROWS)
    return Statement(delete(table).where(key.in_(expired)))


_PURGES = tuple(
    _purge(table, table.c[expiry])
    for table, expiry in (
        (access_token, "expires"),
        (client_assertion, "expires"),
        (login_session, "expires"),
        (rate_bucket, "full_at"),
    )
)


def _as_client(row: tuple[object, ...]) -> Client:
    values = dict(zip(_CLIENT_COLUMNS, row, strict=True))
    for name in ("purposes", "sources"):
        values[name] = tuple(str(values[name]).split())
    return Client(**values)  # type: ignore[arg-type]  # the columns' types


def _as_account(row: tuple[object, ...]) -> Account:
    return Account(**dict(zip(_ACCOUNT_COLUMNS, row, strict=True)))  # type: ignore[arg-type]  # the columns' types


def find_client(snapshot: Snapshot, client_id: str) -> Client | None:
    """Return the client of that id, removed ones too."""
    row = snapshot.one(_CLIENT, id=client_id)
    return None if row is None else _as_client(row)


def all_clients(snapshot: Snapshot) -> list[Client]:
    """Return every client, oldest first, removed ones too."""
    return [_as_client(row) for row in snapshot.all(_CLIENTS)]


def add_client(transaction: Transaction, new: Client) -> bool:
    """Register `new`; False where its id was ever given."""
    values = {name: getattr(new, name) for name in _CLIENT_COLUMNS}
    values |= {name: " ".join(values[name]) for name in ("purposes", "sources")}
    return transaction.run(_ADD_CLIENT, **values) == 1


def rotate_client(
    transaction: Transaction, client_id: str, jwks: str, now: int
) -> bool:
    """Replace the keys and end all tokens; False for no such active client."""
    found = transaction.run(_ROTATE_CLIENT, id=client_id, new_jwks=jwks, now=now) == 1
    transaction.run(_REVOKE_CLIENT, id=client_id)
    return found


def remove_client(transaction: Transaction, client_id: str, now: int) -> bool:
    """Close the client and end all its tokens; False for no such active client."""
    found = transaction.run(_REMOVE_CLIENT, id=client_id, now=now) == 1
    transaction.run(_REVOKE_CLIENT, id=client_id)
    return found


def add_token(  # noqa: PLR0913 - one argument a column
    transaction: Transaction,
    *,
    token_hash: bytes,
    client_id: str,
    scopes: str,
    purposes: tuple[str, ...],
    issued: int,
    expires: int,
) -> None:
    """Store an access token by its hash."""
    transaction.run(
        _ADD_TOKEN,
        hash=token_hash,
        client_id=client_id,
        scopes=scopes,
        purposes=" ".join(purposes),
        issued=issued,
        expires=expires,
    )


TokenRow = tuple[str, str, str, str, str | None, str, int, int | None]
"""client id, its name, scopes, purposes, organization, sources, expiry, and the
version of how organizations hang together."""


def find_token(snapshot: Snapshot, token_hash: bytes) -> TokenRow | None:
    """Return what a token stands for; None where it or its client is gone.

    Organization and sources are the client's own of this moment, not of the issue.
    """
    return snapshot.one(_TOKEN, hash=token_hash)


def use_assertion(transaction: Transaction, digest: bytes, expires: int) -> bool:
    """Remember an assertion until `expires`; False where it was used before."""
    return transaction.run(_ADD_ASSERTION, hash=digest, expires=expires) == 1


def find_account(snapshot: Snapshot, username: str) -> Account | None:
    """Return the active account of a normalized user name."""
    row = snapshot.one(_ACCOUNT, username=username)
    return None if row is None else _as_account(row)


def all_accounts(snapshot: Snapshot) -> list[Account]:
    """Return every account, oldest first, removed ones too."""
    return [_as_account(row) for row in snapshot.all(_ACCOUNTS)]


def add_account(transaction: Transaction, new: Account) -> bool:
    """Store `new`; False where its user name was ever given."""
    values = {name: getattr(new, name) for name in _ACCOUNT_COLUMNS}
    return transaction.run(_ADD_ACCOUNT, **values) == 1


def remove_account(transaction: Transaction, user_id: str, now: int) -> bool:
    """Close an account and end its sessions; False for no such active account."""
    found = transaction.run(_REMOVE_ACCOUNT, id=user_id, now=now) == 1
    transaction.run(_END_SESSIONS, id=user_id)
    return found


def add_session(
    transaction: Transaction,
    session_hash: bytes,
    *,
    user_id: str,
    now: int,
    expires: int,
) -> None:
    """Store a login by the hash of its secret."""
    transaction.run(
        _ADD_SESSION,
        hash=session_hash,
        user_id=user_id,
        created=now,
        seen=now,
        expires=expires,
    )


def find_session(
    snapshot: Snapshot, session_hash: bytes, *, now: int, idle_since: int
) -> tuple[Account, int] | None:
    """Return who is logged in and when last seen; None once it has ended."""
    row = snapshot.one(_SESSION, hash=session_hash, now=now, idle_since=idle_since)
    return None if row is None else (_as_account(row[:-1]), row[-1])


def touch_session(transaction: Transaction, session_hash: bytes, now: int) -> None:
    """Note that the session was used."""
    transaction.run(_TOUCH_SESSION, session=session_hash, now=now)


def end_session(transaction: Transaction, session_hash: bytes) -> bool:
    """Forget a session; False where there was none."""
    return transaction.run(_END_SESSION, session=session_hash) == 1


def bucket_full_at(snapshot: Snapshot, key: bytes) -> int | None:
    """Return when a bucket is full again; None for one that is full."""
    row = snapshot.one(_BUCKET, key=key)
    return None if row is None else row[0]


def set_bucket(transaction: Transaction, key: bytes, full_at: int) -> None:
    """Store when a bucket is full again."""
    transaction.run(_SET_BUCKET, key=key, full_at=full_at)


def fill_bucket(transaction: Transaction, key: bytes) -> None:
    """Forget what was taken from a bucket."""
    transaction.run(_FILL_BUCKET, bucket=key)


def purge_expired(transaction: Transaction, now: int) -> None:
    """Remove some of what time has ended; every grant and login calls it."""
    for purge in _PURGES:
        transaction.run(purge, now=now)
