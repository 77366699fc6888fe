"""What clients hold: authorizations of people, and the codes and tokens of each.

An authorization is what one person let one client do, for one patient at most. Its
codes, access tokens and refresh tokens end with it, in one transaction: there is no
cache, so that a revocation holds for the next request of every process. Secrets are
kept as SHA-256 hashes. All times are microseconds since 1970.

https://www.rfc-editor.org/rfc/rfc6749#section-1.3
"""

from dataclasses import dataclass

from sqlalchemy import (
    Column,
    Index,
    LargeBinary,
    SmallInteger,
    Table,
    Text,
    and_,
    bindparam,
    delete,
    or_,
    select,
    table,
    update,
)
from sqlalchemy import column as named
from sqlalchemy.dialects.postgresql import insert

from fhir_service.storage.accounts import account
from fhir_service.storage.engine import Snapshot, Transaction
from fhir_service.storage.statement import Statement, columns_of
from fhir_service.storage.tables import SHARED, Big, metadata, patient

authorization = Table(
    "authorization_grant",
    metadata,
    Column("authorization_id", Text, primary_key=True),
    Column("client_id", Text, nullable=False),
    Column("user_id", Text, nullable=False),
    Column("patient", Text, comment="id of the Patient in context"),
    Column("context", Text, nullable=False, comment="JSON: launch context"),
    Column("scopes", Text, nullable=False, comment="space-separated, as granted"),
    Column("purposes", Text, nullable=False, comment="space-separated v3-ActReason"),
    Column("session", LargeBinary, comment="login that it ends with; online_access"),
    Column("break_glass_id", Text, comment="the attestation that it rests on"),
    Column("authenticated", Big, nullable=False, comment="when the person logged in"),
    Column("created", Big, nullable=False),
    Column("expires", Big, nullable=False, comment="no token of it lasts longer"),
    sqlite_with_rowid=False,
)
Index(None, authorization.c.client_id)
Index(None, authorization.c.user_id)
Index(None, authorization.c.session)
Index(None, authorization.c.expires)

authorization_code = Table(
    "authorization_code",
    metadata,
    Column("hash", LargeBinary, primary_key=True, comment="SHA-256"),
    Column("authorization_id", Text, nullable=False),
    Column("redirect_uri", Text, nullable=False),
    Column("code_challenge", Text, comment="S256; null for a SMART 1.0 client"),
    Column("nonce", Text),
    Column("expires", Big, nullable=False),
    Column("used", Big),
    Column("forgotten", Big, nullable=False, comment="until when a replay is known"),
    sqlite_with_rowid=False,
)
Index(None, authorization_code.c.authorization_id)
Index(None, authorization_code.c.forgotten)

access_token = Table(
    "access_token",
    metadata,
    Column("hash", LargeBinary, primary_key=True, comment="SHA-256"),
    Column("client_id", Text, nullable=False),
    Column("authorization_id", Text, comment="null for a backend service"),
    Column("user_id", Text, comment="null for a backend service"),
    Column("patient", Text, comment="id of the Patient in context"),
    Column("scopes", Text, nullable=False),
    Column("purposes", Text, nullable=False),
    Column("is_attested", SmallInteger, nullable=False, comment="break-glass"),
    Column("issued", Big, nullable=False),
    Column("expires", Big, nullable=False),
    sqlite_with_rowid=False,
)
Index(None, access_token.c.expires)
Index(None, access_token.c.client_id)
Index(None, access_token.c.authorization_id)

refresh_token = Table(
    "refresh_token",
    metadata,
    Column("hash", LargeBinary, primary_key=True, comment="SHA-256"),
    Column("authorization_id", Text, nullable=False),
    Column("issued", Big, nullable=False),
    Column("expires", Big, nullable=False),
    Column("used", Big, comment="when it was exchanged; again is a theft"),
    sqlite_with_rowid=False,
)
Index(None, refresh_token.c.authorization_id)
Index(None, refresh_token.c.expires)


@dataclass(frozen=True, kw_only=True, slots=True)
class Authorization:
    """What one person let one client do.

    Attributes:
        authorization_id: Its name; no secret.
        client_id: The client.
        user_id: The person.
        patient: Id of the Patient in context; None for none.
        context: Further launch context, as JSON.
        scopes: What was granted, space-separated, as written.
        purposes: v3-ActReason codes.
        session: Hash of the login with which it ends; None where it outlasts it.
        break_glass_id: The attestation that it rests on; None for none.
        authenticated: When the person logged in.
        created: When it was granted.
        expires: When everything of it ends.

    """

    authorization_id: str
    client_id: str
    user_id: str
    patient: str | None
    context: str
    scopes: str
    purposes: tuple[str, ...]
    session: bytes | None
    break_glass_id: str | None
    authenticated: int
    created: int
    expires: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Code:
    """An authorization code.

    Attributes:
        hash: SHA-256 of it.
        authorization_id: What it stands for.
        redirect_uri: Where it was sent.
        code_challenge: S256 of the verifier; None for a SMART 1.0 client.
        nonce: For the ID token.
        expires: When it can no longer be exchanged.
        used: When it was exchanged; None while it was not.
        forgotten: Until when a second use is recognised.

    """

    hash: bytes
    authorization_id: str
    redirect_uri: str
    code_challenge: str | None
    nonce: str | None
    expires: int
    used: int | None
    forgotten: int


@dataclass(frozen=True, kw_only=True, slots=True)
class AccessToken:
    """An access token.

    Attributes:
        hash: SHA-256 of it.
        client_id: Who holds it.
        scopes: What it allows, space-separated, as written.
        purposes: v3-ActReason codes.
        issued: When it was issued.
        expires: When it ends.
        authorization_id: What it belongs to; None for a backend service.
        user_id: The person behind it; None for a backend service.
        patient: Id of the Patient in context.
        is_attested: Whether a break-glass claim was attested.

    """

    hash: bytes
    client_id: str
    scopes: str
    purposes: tuple[str, ...]
    issued: int
    expires: int
    authorization_id: str | None = None
    user_id: str | None = None
    patient: str | None = None
    is_attested: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class RefreshToken:
    """A refresh token.

    Attributes:
        hash: SHA-256 of it.
        authorization_id: What it belongs to.
        issued: When it was issued.
        expires: When it ends.
        used: When it was exchanged; None while it was not.

    """

    hash: bytes
    authorization_id: str
    issued: int
    expires: int
    used: int | None = None


def _names(of: Table) -> list[str]:
    return [column.name for column in of.columns]


def _adding(of: Table) -> Statement:
    return Statement(insert(of).values(**columns_of(_names(of))))


_client = table(
    "client",
    *(named(name) for name in ("client_id", "name", "organization", "sources")),
    named("removed"),
)
"""The part of a client that a token shows; its table is defined on top of this one."""

_TOKEN = Statement(
    select(
        _client.c.client_id,
        _client.c.name,
        access_token.c.scopes,
        access_token.c.purposes,
        _client.c.organization,
        _client.c.sources,
        access_token.c.expires,
        select(patient.c.topology_version)
        .where(patient.c.patient_key == SHARED)
        .scalar_subquery(),
        access_token.c.user_id,
        access_token.c.patient,
        access_token.c.is_attested,
        account.c.reference,
        account.c.organization,
        account.c.role,
    )
    .select_from(
        access_token.join(
            _client, access_token.c.client_id == _client.c.client_id
        ).outerjoin(
            account,
            and_(
                account.c.user_id == access_token.c.user_id,
                account.c.removed.is_(None),
            ),
        )
    )
    .where(
        access_token.c.hash == bindparam("hash"),
        _client.c.removed.is_(None),
        or_(access_token.c.user_id.is_(None), account.c.user_id.is_not(None)),
    )
)
_ISSUED = Statement(
    select(access_token).where(access_token.c.hash == bindparam("hash"))
)
_ADD_TOKEN = _adding(access_token)
_ADD_AUTHORIZATION = _adding(authorization)
_ADD_CODE = _adding(authorization_code)
_ADD_REFRESH = _adding(refresh_token)
_AUTHORIZATION = Statement(
    select(authorization).where(authorization.c.authorization_id == bindparam("id"))
)
_OF_USER = Statement(
    select(authorization)
    .where(authorization.c.user_id == bindparam("id"))
    .order_by(authorization.c.created, authorization.c.authorization_id)
)
_CODE = Statement(
    select(authorization_code).where(authorization_code.c.hash == bindparam("hash"))
)
_USE_CODE = Statement(
    update(authorization_code)
    .where(
        authorization_code.c.hash == bindparam("code"),
        authorization_code.c.used.is_(None),
    )
    .values(used=bindparam("now"))
)
_REFRESH = Statement(
    select(refresh_token).where(refresh_token.c.hash == bindparam("hash"))
)
_USE_REFRESH = Statement(
    update(refresh_token)
    .where(refresh_token.c.hash == bindparam("token"), refresh_token.c.used.is_(None))
    .values(used=bindparam("now"))
)
_END_TOKEN = Statement(
    delete(access_token).where(access_token.c.hash == bindparam("h"))
)
_END_TOKENS = Statement(
    delete(access_token).where(access_token.c.authorization_id == bindparam("id"))
)
_END_REFRESH = Statement(
    delete(refresh_token).where(refresh_token.c.authorization_id == bindparam("id"))
)
_SPEND_CODES = Statement(
    update(authorization_code)
    .where(
        authorization_code.c.authorization_id == bindparam("id"),
        authorization_code.c.used.is_(None),
    )
    .values(used=0)
)
_END = Statement(
    delete(authorization).where(authorization.c.authorization_id == bindparam("id"))
)
_END_CLIENT_TOKENS = Statement(
    delete(access_token).where(access_token.c.client_id == bindparam("id"))
)
_IDS_OF_CLIENT = Statement(
    select(authorization.c.authorization_id).where(
        authorization.c.client_id == bindparam("id")
    )
)
_IDS_OF_SESSION = Statement(
    select(authorization.c.authorization_id).where(
        authorization.c.session == bindparam("session")
    )
)


TokenRow = tuple[
    str,
    str,
    str,
    str,
    str | None,
    str,
    int,
    int | None,
    str | None,
    str | None,
    int,
    str | None,
    str | None,
    str | None,
]
"""client id, its name, scopes, purposes, organization, sources, expiry, the version of
how organizations hang together; user id, patient in context, whether attested, and the
user's reference, organization and role."""


def find_token(snapshot: Snapshot, token_hash: bytes) -> TokenRow | None:
    """Return what a token stands for; None where it, its client or user is gone.

    What belongs to client and user is of this moment, not of the issue.
    """
    return snapshot.one(_TOKEN, hash=token_hash)


def issued_token(snapshot: Snapshot, token_hash: bytes) -> AccessToken | None:
    """Return an access token as it was issued."""
    row = snapshot.one(_ISSUED, hash=token_hash)
    if row is None:
        return None
    values = dict(zip(_names(access_token), row, strict=True))
    values["purposes"] = tuple(values["purposes"].split())
    values["is_attested"] = bool(values["is_attested"])
    return AccessToken(**values)


def add_token(transaction: Transaction, new: AccessToken) -> None:
    """Store an access token by its hash."""
    values = {name: getattr(new, name) for name in _names(access_token)}
    values["purposes"] = " ".join(new.purposes)
    values["is_attested"] = int(new.is_attested)
    transaction.run(_ADD_TOKEN, **values)


def add(transaction: Transaction, new: Authorization) -> None:
    """Store what a person has let a client do."""
    values = {name: getattr(new, name) for name in _names(authorization)}
    values["purposes"] = " ".join(new.purposes)
    transaction.run(_ADD_AUTHORIZATION, **values)


def find(snapshot: Snapshot, authorization_id: str) -> Authorization | None:
    """Return an authorization; None once it was ended."""
    row = snapshot.one(_AUTHORIZATION, id=authorization_id)
    return None if row is None else _as_authorization(row)


def of_user(snapshot: Snapshot, user_id: str) -> list[Authorization]:
    """Return what a person lets clients do, oldest first."""
    return [_as_authorization(row) for row in snapshot.all(_OF_USER, id=user_id)]


def _as_authorization(row: tuple[object, ...]) -> Authorization:
    values = dict(zip(_names(authorization), row, strict=True))
    values["purposes"] = tuple(str(values["purposes"]).split())
    return Authorization(**values)  # type: ignore[arg-type]  # the columns' types


def add_code(transaction: Transaction, new: Code) -> None:
    """Store a code by its hash."""
    transaction.run(
        _ADD_CODE, **{name: getattr(new, name) for name in _names(authorization_code)}
    )


def find_code(snapshot: Snapshot, code_hash: bytes) -> Code | None:
    """Return a code, used and expired ones too, until it is forgotten."""
    row = snapshot.one(_CODE, hash=code_hash)
    if row is None:
        return None
    return Code(**dict(zip(_names(authorization_code), row, strict=True)))


def use_code(transaction: Transaction, code_hash: bytes, now: int) -> bool:
    """Use a code up; False where it was used before."""
    return transaction.run(_USE_CODE, code=code_hash, now=now) == 1


def add_refresh_token(transaction: Transaction, new: RefreshToken) -> None:
    """Store a refresh token by its hash."""
    transaction.run(
        _ADD_REFRESH, **{name: getattr(new, name) for name in _names(refresh_token)}
    )


def find_refresh_token(snapshot: Snapshot, token_hash: bytes) -> RefreshToken | None:
    """Return a refresh token, used and expired ones too, until it is purged."""
    row = snapshot.one(_REFRESH, hash=token_hash)
    if row is None:
        return None
    return RefreshToken(**dict(zip(_names(refresh_token), row, strict=True)))


def use_refresh_token(transaction: Transaction, token_hash: bytes, now: int) -> bool:
    """Use a refresh token up; False where it was used before."""
    return transaction.run(_USE_REFRESH, token=token_hash, now=now) == 1


def end_token(transaction: Transaction, token_hash: bytes) -> bool:
    """End one access token, such as that of a backend service."""
    return transaction.run(_END_TOKEN, h=token_hash) == 1


def end(transaction: Transaction, authorization_id: str) -> bool:
    """End an authorization with every code and token of it; False for none such.

    Its codes stay, used up, so that a replay is recognised as one.
    """
    transaction.run(_END_TOKENS, id=authorization_id)
    transaction.run(_END_REFRESH, id=authorization_id)
    transaction.run(_SPEND_CODES, id=authorization_id)
    return transaction.run(_END, id=authorization_id) == 1


def end_of_client(transaction: Transaction, client_id: str) -> None:
    """End everything that a client holds."""
    for (authorization_id,) in transaction.all(_IDS_OF_CLIENT, id=client_id):
        end(transaction, authorization_id)
    transaction.run(_END_CLIENT_TOKENS, id=client_id)


def end_of_user(transaction: Transaction, user_id: str) -> None:
    """End everything that a person has let clients do."""
    for one in of_user(transaction, user_id):
        end(transaction, one.authorization_id)


def end_of_session(transaction: Transaction, session: bytes) -> None:
    """End what was to last no longer than a login."""
    for (authorization_id,) in transaction.all(_IDS_OF_SESSION, session=session):
        end(transaction, authorization_id)
