"""Which version of a source's record counts, where the record is always sent whole.

What an older version holds beside it is no news, however late it comes.
"""

from collections.abc import Sequence

from sqlalchemy import bindparam, insert, update

from fhir_service.storage.engine import Snapshot, Transaction
from fhir_service.storage.source_keys import of_keys
from fhir_service.storage.statement import Statement, columns_of
from fhir_service.storage.tables import source_whole

_COLUMNS = ("patient_key", "record", "version")
_INSERT = Statement(insert(source_whole).values(**columns_of(_COLUMNS)))
_UPDATE = Statement(
    update(source_whole)
    .where(
        source_whole.c.patient_key == bindparam("of"),
        source_whole.c.record == bindparam("at"),
    )
    .values(version=bindparam("new_version"))
)
_SELECT = (
    "SELECT record, version FROM source_whole "
    "WHERE patient_key = {p} AND record IN ({keys})"
)


def versions(
    snapshot: Snapshot, patient_key: int, records: Sequence[bytes]
) -> dict[bytes, int]:
    """Return record → version of those that came whole."""
    return {
        bytes(record): int(version)
        for record, version in of_keys(snapshot, _SELECT, patient_key, records)
    }


def keep(
    transaction: Transaction, patient_key: int, record: bytes, version: int
) -> None:
    """Record which version of a record came whole."""
    if not transaction.run(_UPDATE, of=patient_key, at=record, new_version=version):
        transaction.run(
            _INSERT, patient_key=patient_key, record=record, version=version
        )
