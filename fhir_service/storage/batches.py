"""Ingest batches: what a Provenance will say of the rows that carry their number."""

from sqlalchemy import bindparam, insert, select

from fhir_service.storage import counters
from fhir_service.storage.engine import Snapshot, Transaction
from fhir_service.storage.statement import Statement, columns_of
from fhir_service.storage.tables import ingest_batch

COLUMNS = (
    "batch_id",
    "source",
    "client_id",
    "received",
    "payload_sha256",
    "parser",
)
_INSERT = Statement(insert(ingest_batch).values(**columns_of(COLUMNS)))
_READ = Statement(
    select(*(ingest_batch.c[name] for name in COLUMNS)).where(
        ingest_batch.c.batch_id == bindparam("id")
    )
)


def add(  # noqa: PLR0913 - one argument a column
    transaction: Transaction,
    *,
    source: str,
    client_id: str,
    received_us: int,
    payload_sha256: bytes | None,
    parser: str,
) -> int:
    """Record a batch; return its number."""
    number = counters.take(transaction, "batch")
    transaction.run(
        _INSERT,
        batch_id=number,
        source=source,
        client_id=client_id,
        received=received_us,
        payload_sha256=payload_sha256,
        parser=parser,
    )
    return number


def read(snapshot: Snapshot, number: int) -> tuple[object, ...] | None:
    """Return the values of `COLUMNS` of a batch."""
    return snapshot.one(_READ, id=number)
