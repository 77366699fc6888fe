"""People who may log in, and their logins.

Passwords are kept as argon2id hashes, session secrets as SHA-256: a stolen copy of
these tables opens nothing. All times are microseconds since 1970.
"""

from dataclasses import dataclass

from sqlalchemy import (
    Column,
    Index,
    LargeBinary,
    SmallInteger,
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
from fhir_service.storage.tables import Big, metadata

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
    Column("language", Text, comment="of the pages; null: the browser's"),
    Column("may_break_glass", SmallInteger, nullable=False, comment="is in the group"),
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
        language: Of the pages; None for the browser's.
        may_break_glass: Whether the person belongs to those who may break the glass.
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
    language: str | None = None
    may_break_glass: bool = False
    removed: int | None = None


_ACCOUNT_COLUMNS = [column.name for column in account.columns]

_ACCOUNT = Statement(
    select(account).where(
        account.c.username == bindparam("username"), account.c.removed.is_(None)
    )
)
_USER = Statement(
    select(account).where(
        account.c.user_id == bindparam("id"), account.c.removed.is_(None)
    )
)
_NAME_OF = Statement(
    select(account.c.name, account.c.organization).where(
        account.c.user_id == bindparam("id")
    )
)
_ACCOUNTS = Statement(select(account).order_by(account.c.created, account.c.user_id))
_ADD_ACCOUNT = Statement(
    insert(account).values(**columns_of(_ACCOUNT_COLUMNS)).on_conflict_do_nothing()
)
_CHANGED = ("name", "reference", "organization", "password_hash", "language")
_CHANGE_ACCOUNT = Statement(
    update(account)
    .where(account.c.user_id == bindparam("id"), account.c.removed.is_(None))
    .values({name: bindparam(f"new_{name}") for name in (*_CHANGED, "may_break_glass")})
)
_REMOVE_ACCOUNT = Statement(
    update(account)
    .where(account.c.user_id == bindparam("id"), account.c.removed.is_(None))
    .values(removed=bindparam("now"))
)
_END_SESSIONS = Statement(
    delete(login_session).where(login_session.c.user_id == bindparam("id"))
)
_OTHER_SESSIONS = Statement(
    select(login_session.c.hash).where(
        login_session.c.user_id == bindparam("id"),
        login_session.c.hash != bindparam("kept"),
    )
)
_ADD_SESSION = Statement(
    insert(login_session).values(
        **columns_of([column.name for column in login_session.columns])
    )
)
_SESSION = Statement(
    select(account, login_session.c.seen, login_session.c.created)
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


def _as_account(row: tuple[object, ...]) -> Account:
    values = dict(zip(_ACCOUNT_COLUMNS, row, strict=True))
    values["may_break_glass"] = bool(values["may_break_glass"])
    return Account(**values)  # type: ignore[arg-type]  # the columns' types


def find_account(snapshot: Snapshot, username: str) -> Account | None:
    """Return the active account of a normalized user name."""
    row = snapshot.one(_ACCOUNT, username=username)
    return None if row is None else _as_account(row)


def find_user(snapshot: Snapshot, user_id: str) -> Account | None:
    """Return the active account of an id."""
    row = snapshot.one(_USER, id=user_id)
    return None if row is None else _as_account(row)


def name_of(snapshot: Snapshot, user_id: str) -> tuple[str, str | None] | None:
    """Return name and organization of a person, of one who was removed too."""
    return snapshot.one(_NAME_OF, id=user_id)


def all_accounts(snapshot: Snapshot) -> list[Account]:
    """Return every account, oldest first, removed ones too."""
    return [_as_account(row) for row in snapshot.all(_ACCOUNTS)]


def add_account(transaction: Transaction, new: Account) -> bool:
    """Store `new`; False where its user name was ever given."""
    values = {name: getattr(new, name) for name in _ACCOUNT_COLUMNS}
    values["may_break_glass"] = int(new.may_break_glass)
    return transaction.run(_ADD_ACCOUNT, **values) == 1


def change_account(transaction: Transaction, changed: Account) -> bool:
    """Store what may change of an account; False for no such active account."""
    values = {f"new_{name}": getattr(changed, name) for name in _CHANGED}
    return (
        transaction.run(
            _CHANGE_ACCOUNT,
            id=changed.user_id,
            new_may_break_glass=int(changed.may_break_glass),
            **values,
        )
        == 1
    )


def end_sessions(transaction: Transaction, user_id: str) -> None:
    """End every login of a person."""
    transaction.run(_END_SESSIONS, id=user_id)


def other_sessions(snapshot: Snapshot, user_id: str, kept: bytes) -> list[bytes]:
    """Return the hashes of a person's logins but one."""
    found = snapshot.all(_OTHER_SESSIONS, id=user_id, kept=kept)
    return [bytes(session_hash) for (session_hash,) in found]


def remove_account(transaction: Transaction, user_id: str, now: int) -> bool:
    """Close an account and end its sessions; False for no such active account."""
    found = transaction.run(_REMOVE_ACCOUNT, id=user_id, now=now) == 1
    end_sessions(transaction, user_id)
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
) -> tuple[Account, int, int] | None:
    """Return who is logged in, when last seen, since when; None once it has ended."""
    row = snapshot.one(_SESSION, hash=session_hash, now=now, idle_since=idle_since)
    return None if row is None else (_as_account(row[:-2]), row[-2], row[-1])


def touch_session(transaction: Transaction, session_hash: bytes, now: int) -> None:
    """Note that the session was used."""
    transaction.run(_TOUCH_SESSION, session=session_hash, now=now)


def end_session(transaction: Transaction, session_hash: bytes) -> bool:
    """Forget a session; False where there was none."""
    return transaction.run(_END_SESSION, session=session_hash) == 1
