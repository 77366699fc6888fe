"""What has been stored already, by the source's own key: a replay is a no-op.

The content that counts is beside the key; those that it has replaced are kept too, for
a source that sends an older one again has nothing new to say.
"""

from collections.abc import Iterator, Sequence
from typing import Any

from sqlalchemy import bindparam, insert, update

from fhir_service.storage.engine import Snapshot, Transaction
from fhir_service.storage.statement import Statement, columns_of
from fhir_service.storage.tables import (
    source_content,
    source_key,
    source_record,
)

COLUMNS = ("patient_key", "key", "row", "content")
CONTENT_COLUMNS = ("patient_key", "key", "content")

_CHUNK = 200
_INSERT = Statement(insert(source_key).values(**columns_of(COLUMNS)))
_UPDATE = Statement(
    update(source_key)
    .where(
        source_key.c.patient_key == bindparam("of"),
        source_key.c.key == bindparam("at"),
    )
    .values(content=bindparam("new_content"))
)
RECORD_COLUMNS = ("patient_key", "record", "row")
_INSERT_RECORD = Statement(insert(source_record).values(**columns_of(RECORD_COLUMNS)))
_SELECT_RECORD = (
    "SELECT row FROM source_record WHERE patient_key = {p} AND record IN ({keys})"
)
_INSERT_CONTENT = Statement(
    insert(source_content).values(**columns_of(CONTENT_COLUMNS))
)
_SELECT = (
    "SELECT key, row, content FROM source_key "
    "WHERE patient_key = {p} AND key IN ({keys})"
)
_SELECT_CONTENT = (
    "SELECT key, content FROM source_content "
    "WHERE patient_key = {p} AND key IN ({keys})"
)


def known(
    snapshot: Snapshot, patient_key: int, keys: Sequence[bytes]
) -> dict[bytes, tuple[int, bytes]]:
    """Return key → (row, content digest) of those that are stored."""
    return {
        bytes(key): (row, bytes(content))
        for key, row, content in _of_keys(snapshot, _SELECT, patient_key, keys)
    }


def superseded(
    snapshot: Snapshot, patient_key: int, keys: Sequence[bytes]
) -> dict[bytes, set[bytes]]:
    """Return key → content digests that another has replaced."""
    found: dict[bytes, set[bytes]] = {}
    for key, content in _of_keys(snapshot, _SELECT_CONTENT, patient_key, keys):
        found.setdefault(bytes(key), set()).add(bytes(content))
    return found


def _of_keys(
    snapshot: Snapshot, template: str, patient_key: int, keys: Sequence[bytes]
) -> Iterator[tuple[Any, ...]]:
    mark = "?" if snapshot.dialect == "sqlite" else "%s"
    text = template.format(p=mark, keys=",".join([mark] * _CHUNK))
    for first in range(0, len(keys), _CHUNK):
        part = list(keys[first : first + _CHUNK])
        part += part[-1:] * (_CHUNK - len(part))
        yield from snapshot.sql(text, (patient_key, *part))


def add(
    transaction: Transaction, rows: Sequence[tuple[int, bytes, int, bytes]]
) -> None:
    """Record (patient_key, key, row, content digest)."""
    transaction.copy(_INSERT, "source_key", COLUMNS, rows)


def amend(
    transaction: Transaction, patient_key: int, key: bytes, content: bytes
) -> None:
    """Record that the source has sent another content under the same key."""
    transaction.run(_UPDATE, of=patient_key, at=key, new_content=content)


def add_records(
    transaction: Transaction, rows: Sequence[tuple[int, bytes, int]]
) -> None:
    """Record (patient_key, record, row) of what a record gives several of."""
    transaction.copy(_INSERT_RECORD, "source_record", RECORD_COLUMNS, rows)


def of_records(
    snapshot: Snapshot, patient_key: int, records: Sequence[bytes]
) -> set[int]:
    """Return the rows of what records gave."""
    return {
        int(row) for (row,) in _of_keys(snapshot, _SELECT_RECORD, patient_key, records)
    }


def supersede(
    transaction: Transaction, contents: Sequence[tuple[int, bytes, bytes]]
) -> None:
    """Record (patient_key, key, content digest) of contents that were replaced."""
    transaction.copy(_INSERT_CONTENT, "source_content", CONTENT_COLUMNS, contents)
