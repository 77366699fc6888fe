"""Second factors: the sealed secret of an authenticator, and its recovery codes.

https://www.rfc-editor.org/rfc/rfc6238
"""

from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import (
    Column,
    LargeBinary,
    PrimaryKeyConstraint,
    Table,
    Text,
    bindparam,
    delete,
    func,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import insert

from fhir_service.storage.engine import Snapshot, Transaction
from fhir_service.storage.statement import Statement, columns_of
from fhir_service.storage.tables import Big, metadata

second_factor = Table(
    "second_factor",
    metadata,
    Column("user_id", Text, primary_key=True),
    Column("secret", LargeBinary, nullable=False, comment="sealed"),
    Column("confirmed", Big, comment="null until a first code was right"),
    Column("last_step", Big, nullable=False, comment="no code is taken twice"),
    sqlite_with_rowid=False,
)

recovery_code = Table(
    "recovery_code",
    metadata,
    Column("user_id", Text, nullable=False),
    Column("hash", LargeBinary, nullable=False, comment="SHA-256"),
    PrimaryKeyConstraint("user_id", "hash"),
    comment="each opens one login without the authenticator, and is gone",
    sqlite_with_rowid=False,
)


@dataclass(frozen=True, kw_only=True, slots=True)
class SecondFactor:
    """The authenticator of a person.

    Attributes:
        user_id: The person.
        secret: Sealed.
        confirmed: When a first code was right; None until then, and it guards nothing.
        last_step: Number of the time step of the newest code that was taken.

    """

    user_id: str
    secret: bytes
    confirmed: int | None
    last_step: int


_FACTOR = Statement(
    select(second_factor).where(second_factor.c.user_id == bindparam("id"))
)
_REMOVE = Statement(
    delete(second_factor).where(second_factor.c.user_id == bindparam("id"))
)
_ADD = Statement(
    insert(second_factor).values(
        **columns_of([column.name for column in second_factor.columns])
    )
)
_CONFIRM = Statement(
    update(second_factor)
    .where(
        second_factor.c.user_id == bindparam("id"), second_factor.c.confirmed.is_(None)
    )
    .values(confirmed=bindparam("now"))
)
_TAKE_STEP = Statement(
    update(second_factor)
    .where(
        second_factor.c.user_id == bindparam("id"),
        second_factor.c.last_step < bindparam("step"),
    )
    .values(last_step=bindparam("step"))
)
_ADD_CODE = Statement(
    insert(recovery_code)
    .values(**columns_of(["user_id", "hash"]))
    .on_conflict_do_nothing()
)
_REMOVE_CODES = Statement(
    delete(recovery_code).where(recovery_code.c.user_id == bindparam("id"))
)
_USE_CODE = Statement(
    delete(recovery_code).where(
        recovery_code.c.user_id == bindparam("id"),
        recovery_code.c.hash == bindparam("code"),
    )
)
_CODES_LEFT = Statement(
    select(func.count())
    .select_from(recovery_code)
    .where(recovery_code.c.user_id == bindparam("id"))
)


def find(snapshot: Snapshot, user_id: str) -> SecondFactor | None:
    """Return a person's second factor, one that is not confirmed yet too."""
    row = snapshot.one(_FACTOR, id=user_id)
    if row is None:
        return None
    id_, secret, confirmed_at, last_step = row
    return SecondFactor(
        user_id=id_, secret=bytes(secret), confirmed=confirmed_at, last_step=last_step
    )


def confirmed(snapshot: Snapshot, user_id: str) -> SecondFactor | None:
    """Return the second factor that guards a person's logins; None for none."""
    found = find(snapshot, user_id)
    return None if found is None or found.confirmed is None else found


def replace(transaction: Transaction, user_id: str, secret: bytes) -> None:
    """Store a sealed secret that is yet to be confirmed, in place of any other."""
    remove(transaction, user_id)
    transaction.run(_ADD, user_id=user_id, secret=secret, confirmed=None, last_step=0)


def confirm(transaction: Transaction, user_id: str, now: int) -> bool:
    """Say that a first code was right; False where that was said before."""
    return transaction.run(_CONFIRM, id=user_id, now=now) == 1


def take_step(transaction: Transaction, user_id: str, step: int) -> bool:
    """Use up the code of a time step; False where it, or a later one, was used."""
    return transaction.run(_TAKE_STEP, id=user_id, step=step) == 1


def remove(transaction: Transaction, user_id: str) -> bool:
    """Remove a second factor with its recovery codes; False where there was none."""
    transaction.run(_REMOVE_CODES, id=user_id)
    return transaction.run(_REMOVE, id=user_id) == 1


def add_codes(transaction: Transaction, user_id: str, hashes: Iterable[bytes]) -> None:
    """Store recovery codes by their hashes."""
    for one in hashes:
        transaction.run(_ADD_CODE, user_id=user_id, hash=one)


def use_code(transaction: Transaction, user_id: str, code_hash: bytes) -> bool:
    """Use up a recovery code; False where there is no such code."""
    return transaction.run(_USE_CODE, id=user_id, code=code_hash) == 1


def codes_left(snapshot: Snapshot, user_id: str) -> int:
    """Return how many recovery codes are not used yet."""
    row = snapshot.one(_CODES_LEFT, id=user_id)
    return 0 if row is None else int(row[0])
