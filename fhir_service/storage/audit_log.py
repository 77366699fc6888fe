"""The append-only log at the end of every write transaction.

Leaves are appended to the RFC 9162 Merkle tree whose frontier the head row holds; the
head carries a checkpoint signed for exactly this size, so that a row altered, removed
or inserted by hand no longer agrees with it. The head is read afresh each time: other
processes append too, one after the other under the lock.

https://www.rfc-editor.org/rfc/rfc9162
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from sqlalchemy import bindparam, insert, select, update

from consent.audit.merkle import Frontier, leaf_hash
from fhir_service.storage.engine import Snapshot, Transaction
from fhir_service.storage.statement import Statement, columns_of
from fhir_service.storage.tables import audit_entry, audit_head

Sign = Callable[[int, bytes], str]
"""(size, root) → the signed checkpoint note."""

_HEAD = Statement(select(audit_head.c.frontier, audit_head.c.note))
_FIRST_HEAD = Statement(
    insert(audit_head).values(**columns_of(["id", "frontier", "note"]))
)
_SET_HEAD = Statement(
    update(audit_head).values(frontier=bindparam("f"), note=bindparam("n"))
)
_INSERT = Statement(
    insert(audit_entry).values(**columns_of(["leaf_index", "leaf", "leaf_hash"]))
)
_ENTRIES = Statement(
    select(audit_entry.c.leaf_index, audit_entry.c.leaf, audit_entry.c.leaf_hash)
    .where(audit_entry.c.leaf_index >= bindparam("first"))
    .order_by(audit_entry.c.leaf_index)
    .limit(bindparam("count"))
)

PAGE = 512
"""Rows that are read together: few enough to stay in a processor's cache."""

LOWEST = -(2**63)
"""The least index that a row can have; those of the log begin with 0."""


@dataclass(frozen=True, slots=True)
class Head:
    """The tree as the log itself claims it: its frontier and its signed note."""

    frontier: Frontier
    note: str


class AuditTail:
    """Appends leaves and signs the new head, inside the caller's transaction."""

    def __init__(self, sign: Sign) -> None:
        self._sign = sign

    def append(self, transaction: Transaction, leaves: Sequence[bytes]) -> None:
        """Write `leaves` after the last one and sign the new head."""
        found = transaction.one(_HEAD)
        frontier = Frontier() if found is None else Frontier.from_bytes(bytes(found[0]))
        hashes = [leaf_hash(leaf) for leaf in leaves]
        indexes = range(frontier.size, frontier.size + len(leaves))
        frontier.grow(hashes)
        transaction.run_many(_INSERT, list(zip(indexes, leaves, hashes, strict=True)))
        note = self._sign(frontier.size, frontier.root())
        if found is None:
            transaction.run(_FIRST_HEAD, id=1, frontier=frontier.to_bytes(), note=note)
        else:
            transaction.run(_SET_HEAD, f=frontier.to_bytes(), n=note)


def head(snapshot: Snapshot) -> Head | None:
    """Return the current head; None for a log without entries."""
    found = snapshot.one(_HEAD)
    if found is None:
        return None
    return Head(Frontier.from_bytes(bytes(found[0])), found[1])


def entries(
    snapshot: Snapshot, first: int = LOWEST
) -> Iterator[tuple[int, bytes, bytes]]:
    """Yield (index, leaf, stored leaf hash) in order, from `first` on.

    As they are stored, whatever that is: a row written by hand may hold no bytes.
    """
    while True:
        page = snapshot.all(_ENTRIES, first=first, count=PAGE)
        if not page:
            return
        yield from page
        first = page[-1][0] + 1
