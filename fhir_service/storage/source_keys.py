"""What has been stored already, by the source's own key: a replay is a no-op."""

from collections.abc import Sequence

from sqlalchemy import bindparam, insert, update

from fhir_service.storage.engine import Snapshot, Transaction
from fhir_service.storage.statement import Statement, columns_of
from fhir_service.storage.tables import source_key

COLUMNS = ("patient_key", "key", "row", "content")

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
_SELECT = (
    "SELECT key, row, content FROM source_key "
    "WHERE patient_key = {p} AND key IN ({keys})"
)


def known(
    snapshot: Snapshot, patient_key: int, keys: Sequence[bytes]
) -> dict[bytes, tuple[int, bytes]]:
    """Return key → (row, content digest) of those that are stored."""
    mark = "?" if snapshot.dialect == "sqlite" else "%s"
    text = _SELECT.format(p=mark, keys=",".join([mark] * _CHUNK))
    found: dict[bytes, tuple[int, bytes]] = {}
    for first in range(0, len(keys), _CHUNK):
        part = list(keys[first : first + _CHUNK])
        part += part[-1:] * (_CHUNK - len(part))
        for key, row, content in snapshot.sql(text, (patient_key, *part)):
            found[bytes(key)] = (row, bytes(content))
    return found


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
