"""Proofs about the log, from the hashes beside its rows and those of whole subtrees.

A wrong hash makes a proof that does not verify, never a wrong proof that does; so the
tiles need no protection of their own.

https://www.rfc-editor.org/rfc/rfc9162#section-2.1.3
"""

from collections.abc import Callable

from sqlalchemy import bindparam, insert, select

from consent.audit import merkle
from consent.audit.merkle import TILE_HEIGHT
from fhir_service.storage.audit_tables import audit_tile
from fhir_service.storage.engine import Snapshot, Transaction
from fhir_service.storage.statement import Statement, columns_of
from fhir_service.storage.tables import audit_entry

_TILE = 1 << TILE_HEIGHT

_HASHES = Statement(
    select(audit_entry.c.leaf_index, audit_entry.c.leaf_hash).where(
        audit_entry.c.leaf_index >= bindparam("first"),
        audit_entry.c.leaf_index < bindparam("last"),
    )
)
_TILES = Statement(
    select(audit_tile.c.number, audit_tile.c.hash).where(
        audit_tile.c.level == bindparam("level"),
        audit_tile.c.number >= bindparam("first"),
        audit_tile.c.number < bindparam("last"),
    )
)
_COLUMNS = ("level", "number", "hash")
_ADD = Statement(insert(audit_tile).values(**columns_of(_COLUMNS)))


def add_tiles(transaction: Transaction, old: int, new: int) -> None:
    """Store the hashes of subtrees that leaves `old` to `new` have completed."""
    hash_of = subtrees(transaction)
    level = TILE_HEIGHT
    while new >> level:
        first, last = old >> level, new >> level
        transaction.run_many(
            _ADD,
            [(level, number, hash_of(level, number)) for number in range(first, last)],
        )
        level += TILE_HEIGHT


def inclusion(snapshot: Snapshot, index: int, size: int) -> list[bytes]:
    """Return the path from row `index` to the root of the first `size` rows.

    Raises:
        ProofError: where there is no such row.

    """
    return merkle.inclusion_proof(index, size, subtrees(snapshot))


def consistency(snapshot: Snapshot, old: int, new: int) -> list[bytes]:
    """Return what shows that the first `new` rows begin with the first `old`.

    Raises:
        ProofError: for `old` 0, and where `old` is above `new`.

    """
    return merkle.consistency_proof(old, new, subtrees(snapshot))


def subtrees(snapshot: Snapshot) -> Callable[[int, int], bytes]:
    """Return the hashes of subtrees, each page of them read once."""
    leaves = _Pages(lambda first, last: snapshot.all(_HASHES, first=first, last=last))
    tiles: dict[int, _Pages] = {}

    def leaf(index: int) -> bytes:
        found = leaves.at(index)
        if found is None:
            raise merkle.ProofError(f"The log has no row {index}.")
        return found

    def stored(level: int, number: int) -> bytes | None:
        pages = tiles.get(level)
        if pages is None:
            pages = tiles[level] = _Pages(
                lambda first, last: snapshot.all(
                    _TILES, level=level, first=first, last=last
                )
            )
        return pages.at(number)

    return merkle.from_leaves(leaf, stored)


class _Pages:
    """Hashes by number, a tile's width at a time."""

    def __init__(self, read: Callable[[int, int], list[tuple[int, bytes]]]) -> None:
        self._read = read
        self._pages: dict[int, dict[int, bytes]] = {}

    def at(self, number: int) -> bytes | None:
        page = number >> TILE_HEIGHT
        if page not in self._pages:
            first = page << TILE_HEIGHT
            self._pages[page] = {
                int(one): bytes(hashed)
                for one, hashed in self._read(first, first + _TILE)
            }
        return self._pages[page].get(number)
