"""Keyed digests of what is derived from the log, a stretch of rows at a time.

Whoever can write the database, and has not the deployment's key, could otherwise take a
row out of the index or call it explained, and a question would not find what the log
still proves. A digest is compared in a hundredth of the time in which a row of the
index is made anew from the log.
"""

from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Sequence
from enum import IntEnum
from struct import Struct
from struct import error as StructError  # noqa: N812 - named like an exception
from typing import Any, NamedTuple

from sqlalchemy import bindparam, insert, select

from fhir_service.storage.audit_tables import audit_name, audit_seal, audit_subject
from fhir_service.storage.engine import Snapshot, Transaction
from fhir_service.storage.statement import Statement, columns_of

Digest = Callable[[bytes], bytes]
"""Bytes → their keyed digest."""

Rows = Sequence[Sequence[Any]]


class Sealed(IntEnum):
    """What a seal is of; stored numbers."""

    INDEX = 1
    EXPLANATIONS = 2


class Seal(NamedTuple):
    """A digest of what is derived from a stretch of the log.

    Attributes:
        first: The first row.
        before: The one after the last.
        name_id: The last name that the index knew then.
        subject_id: The last patient whom it knew then.
        digest: Keyed, of all that.

    """

    first: int
    before: int
    name_id: int
    subject_id: int
    digest: bytes


class Derived(NamedTuple):
    """What is derived from leaves that follow one another.

    Attributes:
        rows: Of the index, in the order of `ROW_COLUMNS`.
        patients: (subject, row) behind the first of each row.
        scopes: (organisation, row) beside those of the row.
        leaves: (row, hash of the leaf), as it was when it was indexed.

    """

    rows: Rows
    patients: Rows
    scopes: Rows
    leaves: Rows

    def part(self, first: int, before: int) -> "Derived":
        """Return what is derived from fewer leaves; all of it is in their order."""
        return Derived(
            between(self.rows, 0, first, before),
            between(self.patients, 1, first, before),
            between(self.scopes, 1, first, before),
            between(self.leaves, 0, first, before),
        )

    def sealed(self, seal: Seal, names: Rows, subjects: Rows) -> bytes:
        """Return what a digest is of.

        Args:
            seal: Of the stretch.
            names: That came with it.
            subjects: That came with it.

        """
        further = (sorted(map(tuple, one)) for one in (self.patients, self.scopes))
        parts = (self.rows, *further, self.leaves, names, subjects)
        return packed(Sealed.INDEX, seal[:4], parts)


BEGIN = Seal(0, 0, 0, 0, b"")

_COLUMNS = ("kind", *Seal._fields)
_ADD = Statement(insert(audit_seal).values(**columns_of(_COLUMNS)))
_OF = Statement(
    select(*(audit_seal.c[name] for name in Seal._fields))
    .where(
        audit_seal.c.kind == bindparam("kind"),
        audit_seal.c.first >= bindparam("at"),
    )
    .order_by(audit_seal.c.first)
    .limit(bindparam("count"))
)
_LAST = Statement(
    select(*(audit_seal.c[name] for name in Seal._fields))
    .where(audit_seal.c.kind == bindparam("kind"))
    .order_by(audit_seal.c.first.desc())
    .limit(1)
)
_NAMES = Statement(
    select(audit_name.c.name_id, audit_name.c.kind, audit_name.c.text)
    .where(
        audit_name.c.name_id > bindparam("after"),
        audit_name.c.name_id <= bindparam("last"),
    )
    .order_by(audit_name.c.name_id)
)
_SUBJECTS = Statement(
    select(
        audit_subject.c.subject_id,
        audit_subject.c.organisation_id,
        audit_subject.c.pseudonym,
    )
    .where(
        audit_subject.c.subject_id > bindparam("after"),
        audit_subject.c.subject_id <= bindparam("last"),
    )
    .order_by(audit_subject.c.subject_id)
)
UNREADABLE = (TypeError, ValueError, OverflowError, AttributeError, StructError)
"""What values raise that the service cannot have written."""

PAGE = 50
"""Seals that are compared together."""


def put(transaction: Transaction, kind: Sealed, seal: Seal) -> None:
    """Store a seal."""
    transaction.run(_ADD, kind=int(kind), **seal._asdict())


def last(snapshot: Snapshot, kind: Sealed) -> Seal:
    """Return the seal of the last stretch; `BEGIN` before the first."""
    found = snapshot.one(_LAST, kind=int(kind))
    return BEGIN if found is None else _seal(found)


def pages(snapshot: Snapshot, kind: Sealed) -> Iterator[list[Seal]]:
    """Yield every seal in the order of the log, some at a time."""
    at = 0
    while found := snapshot.all(_OF, kind=int(kind), at=at, count=PAGE):
        page = [_seal(row) for row in found]
        yield page
        at = page[-1].first + 1


def _seal(row: Sequence[Any]) -> Seal:
    """Return a stored seal, whatever it holds: one that was altered fits nothing."""
    return Seal(*row)


def names(snapshot: Snapshot, after: Seal, upto: Seal) -> Rows:
    """Return the names that came between two seals."""
    if after.name_id == upto.name_id:
        return ()
    return snapshot.all(_NAMES, after=after.name_id, last=upto.name_id)


def subjects(snapshot: Snapshot, after: Seal, upto: Seal) -> Rows:
    """Return the patients who came between two seals."""
    if after.subject_id == upto.subject_id:
        return ()
    return snapshot.all(_SUBJECTS, after=after.subject_id, last=upto.subject_id)


def between(rows: Rows, column: int, first: int, before: int) -> Rows:
    """Return the part of ordered rows with a number from `first` to `before`."""
    return rows[
        bisect_left(rows, first, key=lambda row: int(row[column])) : bisect_left(
            rows, before, key=lambda row: int(row[column])
        )
    ]


def packed(kind: Sealed, bounds: Sequence[int], parts: Iterable[Rows]) -> bytes:
    """Return what a digest is of: numbers as 8 bytes each, texts with their length.

    Args:
        kind: What is sealed.
        bounds: First row, row after the last, last name, last patient.
        parts: Rows of several tables, each in its order.

    """
    pieces = [_numbers(5).pack(kind, *bounds)]
    for rows in parts:
        pieces.append(_numbers(1).pack(len(rows)))
        pieces += map(_row, rows)
    return b"".join(pieces)


def _row(row: Sequence[Any]) -> bytes:
    """Return a row's bytes; only the last of it may be no number."""
    if isinstance(row[-1], int):
        return _numbers(len(row)).pack(*row)
    text = row[-1].encode() if isinstance(row[-1], str) else bytes(row[-1])
    return _numbers(len(row)).pack(*row[:-1], len(text)) + text


_STRUCTS = {count: Struct(f">{count}q") for count in range(1, 24)}


def _numbers(count: int) -> Struct:
    return _STRUCTS[count]
