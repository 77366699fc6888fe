"""References that a row holds beside its signature, by keyed hash.

Encounters, members, focus, contained resources, extensions: whatever a consent may
name that the signature does not tell.
"""

from collections.abc import Iterable, Sequence

from sqlalchemy import bindparam, delete, insert

from fhir_service.storage.blind_index import BlindIndex
from fhir_service.storage.engine import Transaction
from fhir_service.storage.statement import Statement, columns_of
from fhir_service.storage.tables import SHARED, row_mention

MentionRow = tuple[int, int, int]
"""Values of `patient_key`, `hash` and `row`."""

_PREFIX = "mention"

_ADD = Statement(
    insert(row_mention).values(**columns_of(["patient_key", "hash", "row"]))
)
_REMOVE = Statement(
    delete(row_mention).where(
        row_mention.c.patient_key == bindparam("of"),
        row_mention.c.hash == bindparam("at"),
        row_mention.c.row == bindparam("key"),
    )
)


def hash_of(blind: BlindIndex, reference: str) -> int:
    """Return the keyed hash by which the index knows `Type/id`."""
    return blind.posting((_PREFIX, reference))


def rows_of(
    blind: BlindIndex, patient_key: int, row: int, mentions: Iterable[str]
) -> list[MentionRow]:
    """Return what the index holds about a row; nothing of what is nobody's."""
    if patient_key == SHARED:
        return []
    hashes = sorted({hash_of(blind, reference) for reference in mentions})
    return [(patient_key, hashed, row) for hashed in hashes]


def add(transaction: Transaction, rows: Sequence[MentionRow]) -> None:
    """Index rows under what they refer to."""
    transaction.run_many(_ADD, rows)


def remove(transaction: Transaction, rows: Iterable[MentionRow]) -> None:
    """Take rows out of the index."""
    for patient_key, hashed, row in rows:
        transaction.run(_REMOVE, of=patient_key, at=hashed, key=row)
