"""Templates that map a sensor nobody has written code for.

Every version is kept, so that it can be told what read a payload; at most one version
of a name is in force.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import (
    Column,
    Integer,
    LargeBinary,
    PrimaryKeyConstraint,
    Table,
    Text,
    bindparam,
    func,
    insert,
    select,
    update,
)

from fhir_service.storage.engine import Snapshot, Transaction
from fhir_service.storage.statement import Statement, columns_of
from fhir_service.storage.tables import Big, metadata

mapping_template = Table(
    "mapping_template",
    metadata,
    Column("name", Text, nullable=False, comment="the source's name"),
    Column("version", Integer, nullable=False),
    Column("sha256", LargeBinary, nullable=False, comment="of the body"),
    Column("body", Text, nullable=False, comment="JSON"),
    Column("made", Big, nullable=False),
    Column("made_by", Text, nullable=False),
    Column("ended", Big, comment="when another version or nothing followed"),
    PrimaryKeyConstraint("name", "version"),
    sqlite_with_rowid=False,
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Stored:
    """One version of a template; two of one hash are equal.

    Attributes:
        name: The source's name.
        version: Counted from 1.
        sha256: Of the body.
        body: JSON.
        made: When, microseconds since 1970.
        made_by: Who added it.
        ended: When it ended; None while it is in force.

    """

    name: str
    version: int
    sha256: bytes
    body: str = field(compare=False)
    made: int = field(compare=False)
    made_by: str = field(compare=False)
    ended: int | None = field(default=None, compare=False)


_COLUMNS = ("name", "version", "sha256", "body", "made", "made_by", "ended")
_READ = select(*(mapping_template.c[name] for name in _COLUMNS))
_ACTIVE = Statement(
    _READ.where(
        mapping_template.c.name == bindparam("of"),
        mapping_template.c.ended.is_(None),
    )
)
_ALL = Statement(_READ.order_by(mapping_template.c.name, mapping_template.c.version))
_LAST = Statement(
    select(func.max(mapping_template.c.version)).where(
        mapping_template.c.name == bindparam("of")
    )
)
_INSERT = Statement(insert(mapping_template).values(**columns_of(_COLUMNS)))
_END = Statement(
    update(mapping_template)
    .where(
        mapping_template.c.name == bindparam("of"),
        mapping_template.c.ended.is_(None),
    )
    .values(ended=bindparam("at"))
)


def active(snapshot: Snapshot, name: str) -> Stored | None:
    """Return the version of a template that is in force."""
    rows = snapshot.all(_ACTIVE, of=name)
    return _stored(rows[0]) if rows else None


def every(snapshot: Snapshot) -> list[Stored]:
    """Return every version of every template, by name and version."""
    return [_stored(row) for row in snapshot.all(_ALL)]


def add(  # noqa: PLR0913 - one argument a column
    transaction: Transaction,
    *,
    name: str,
    sha256: bytes,
    body: str,
    made: int,
    made_by: str,
) -> Stored:
    """Put a version in force in place of the one that was; return it."""
    [(last,)] = transaction.all(_LAST, of=name)
    end(transaction, name, made)
    stored = Stored(
        name=name,
        version=(last or 0) + 1,
        sha256=sha256,
        body=body,
        made=made,
        made_by=made_by,
    )
    transaction.run(_INSERT, **{column: getattr(stored, column) for column in _COLUMNS})
    return stored


def end(transaction: Transaction, name: str, at_us: int) -> bool:
    """End the version that is in force; return whether there was one."""
    return transaction.run(_END, of=name, at=at_us) > 0


def _stored(row: Sequence[Any]) -> Stored:
    values = dict(zip(_COLUMNS, row, strict=True))
    return Stored(**{**values, "sha256": bytes(values["sha256"])})
