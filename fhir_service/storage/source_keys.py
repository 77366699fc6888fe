"""What has been stored already, by the source's own key: a replay is a no-op.

The content that counts is beside the key, and which version of its record told it;
contents that it has replaced are kept too, for a source that sends an older one again
has nothing new to say.
"""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from sqlalchemy import bindparam, insert, update

from fhir_service.storage.engine import Snapshot, Transaction
from fhir_service.storage.statement import Statement, columns_of
from fhir_service.storage.tables import (
    source_content,
    source_key,
    source_record,
)

COLUMNS = ("patient_key", "key", "row", "content", "version")
CONTENT_COLUMNS = ("patient_key", "key", "content")

_CHUNK = 200
_INSERT = Statement(insert(source_key).values(**columns_of(COLUMNS)))
_UPDATE = Statement(
    update(source_key)
    .where(
        source_key.c.patient_key == bindparam("of"),
        source_key.c.key == bindparam("at"),
    )
    .values(content=bindparam("new_content"), version=bindparam("new_version"))
)
_RENEW = Statement(
    update(source_key)
    .where(
        source_key.c.patient_key == bindparam("of"),
        source_key.c.key == bindparam("at"),
    )
    .values(version=bindparam("new_version"))
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
    "SELECT key, row, content, version FROM source_key "
    "WHERE patient_key = {p} AND key IN ({keys})"
)
_SELECT_CONTENT = (
    "SELECT key, content FROM source_content "
    "WHERE patient_key = {p} AND key IN ({keys})"
)


class Recorded(NamedTuple):
    """What is stored under a source's key.

    Attributes:
        row: Where.
        content: Digest of what counts.
        version: Of the source's record, the newest that told it; None where no source
            has said one.

    """

    row: int
    content: bytes
    version: int | None


def known(
    snapshot: Snapshot, patient_key: int, keys: Sequence[bytes]
) -> dict[bytes, Recorded]:
    """Return what is stored, by its key."""
    return {
        bytes(key): Recorded(row, bytes(content), version)
        for key, row, content, version in of_keys(snapshot, _SELECT, patient_key, keys)
    }


def superseded(
    snapshot: Snapshot, patient_key: int, keys: Sequence[bytes]
) -> dict[bytes, set[bytes]]:
    """Return key → content digests that another has replaced."""
    found: dict[bytes, set[bytes]] = {}
    for key, content in of_keys(snapshot, _SELECT_CONTENT, patient_key, keys):
        found.setdefault(bytes(key), set()).add(bytes(content))
    return found


def of_keys(
    snapshot: Snapshot, template: str, patient_key: int, keys: Sequence[bytes]
) -> Iterator[tuple[Any, ...]]:
    """Yield the rows of a question about a patient's keys, asked in chunks."""
    mark = "?" if snapshot.dialect == "sqlite" else "%s"
    text = template.format(p=mark, keys=",".join([mark] * _CHUNK))
    for first in range(0, len(keys), _CHUNK):
        part = list(keys[first : first + _CHUNK])
        part += part[-1:] * (_CHUNK - len(part))
        yield from snapshot.sql(text, (patient_key, *part))


def add(
    transaction: Transaction,
    rows: Sequence[tuple[int, bytes, int, bytes, int | None]],
) -> None:
    """Record (patient_key, key, row, content digest, version)."""
    transaction.copy(_INSERT, "source_key", COLUMNS, rows)


def amend(
    transaction: Transaction,
    patient_key: int,
    key: bytes,
    content: bytes,
    version: int | None = None,
) -> None:
    """Record that the source has sent another content under the same key."""
    transaction.run(
        _UPDATE, of=patient_key, at=key, new_content=content, new_version=version
    )


def renew(transaction: Transaction, patient_key: int, key: bytes, version: int) -> None:
    """Record that a newer version of the source's record tells the same."""
    transaction.run(_RENEW, of=patient_key, at=key, new_version=version)


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
        int(row) for (row,) in of_keys(snapshot, _SELECT_RECORD, patient_key, records)
    }


def supersede(
    transaction: Transaction, contents: Sequence[tuple[int, bytes, bytes]]
) -> None:
    """Record (patient_key, key, content digest) of contents that were replaced."""
    transaction.copy(_INSERT_CONTENT, "source_content", CONTENT_COLUMNS, contents)
