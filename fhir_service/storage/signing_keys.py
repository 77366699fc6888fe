"""Keys that sign ID tokens: the private half sealed, the public half published.

All times are microseconds since 1970.

https://openid.net/specs/openid-connect-core-1_0.html#RotateSigKeys
"""

from dataclasses import dataclass

from sqlalchemy import (
    Column,
    LargeBinary,
    Table,
    Text,
    bindparam,
    delete,
    or_,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import insert

from fhir_service.storage.engine import Snapshot, Transaction
from fhir_service.storage.statement import Statement, columns_of
from fhir_service.storage.tables import Big, metadata

signing_key = Table(
    "signing_key",
    metadata,
    Column("kid", Text, primary_key=True),
    Column("public", Text, nullable=False, comment="JWK"),
    Column("private", LargeBinary, nullable=False, comment="JWK, sealed"),
    Column("created", Big, nullable=False),
    Column("begins", Big, nullable=False, comment="signs from then on"),
    Column("retired", Big, comment="when another took over"),
    sqlite_with_rowid=False,
)


@dataclass(frozen=True, kw_only=True, slots=True)
class SigningKey:
    """A pair of keys.

    Attributes:
        kid: Its name.
        public: The public half, as a JWK.
        private: The private half, as a JWK, sealed.
        created: When it was made.
        begins: From when on it signs.
        retired: From when on another signs; None where none is to yet.

    """

    kid: str
    public: str
    private: bytes
    created: int
    begins: int
    retired: int | None = None

    def signs(self, at: int) -> bool:
        """Whether it is the one that signs at that time."""
        return self.begins <= at and (self.retired is None or at < self.retired)


_NAMES = [column.name for column in signing_key.columns]

_KEYS = Statement(select(signing_key).order_by(signing_key.c.begins, signing_key.c.kid))
_ADD = Statement(insert(signing_key).values(**columns_of(_NAMES)))
_RETIRE = Statement(
    update(signing_key)
    .where(
        or_(signing_key.c.retired.is_(None), signing_key.c.retired > bindparam("at"))
    )
    .values(retired=bindparam("at"))
)
_FORGET = Statement(
    delete(signing_key).where(signing_key.c.retired <= bindparam("before"))
)


def all_keys(snapshot: Snapshot) -> list[SigningKey]:
    """Return every key that is kept, in the order in which they sign."""
    rows = snapshot.all(_KEYS)
    return [SigningKey(**dict(zip(_NAMES, row, strict=True))) for row in rows]


def succeed(transaction: Transaction, new: SigningKey) -> None:
    """Let `new` take over from every other key when it begins.

    One that was announced and has not begun by then never signs.
    """
    transaction.run(_RETIRE, at=new.begins)
    transaction.run(_ADD, **{name: getattr(new, name) for name in _NAMES})


def forget(transaction: Transaction, before: int) -> None:
    """Destroy the keys that another took over from by then."""
    transaction.run(_FORGET, before=before)
