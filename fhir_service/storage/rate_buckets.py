"""Rate buckets: one number each, which says when the bucket is full again."""

from sqlalchemy import Column, Index, LargeBinary, Table, bindparam, delete, select
from sqlalchemy.dialects.postgresql import insert

from fhir_service.storage.engine import Snapshot, Transaction
from fhir_service.storage.statement import Statement, columns_of
from fhir_service.storage.tables import Big, metadata

rate_bucket = Table(
    "rate_bucket",
    metadata,
    Column("key", LargeBinary, primary_key=True, comment="SHA-256"),
    Column("full_at", Big, nullable=False, comment="when it is full again"),
    sqlite_with_rowid=False,
)
Index(None, rate_bucket.c.full_at)

_BUCKET = Statement(
    select(rate_bucket.c.full_at).where(rate_bucket.c.key == bindparam("key"))
)
_FILL_BUCKET = Statement(
    delete(rate_bucket).where(rate_bucket.c.key == bindparam("bucket"))
)


def _set_bucket() -> Statement:
    row = insert(rate_bucket).values(**columns_of(["key", "full_at"]))
    return Statement(
        row.on_conflict_do_update(
            index_elements=[rate_bucket.c.key], set_={"full_at": row.excluded.full_at}
        )
    )


_SET_BUCKET = _set_bucket()


def bucket_full_at(snapshot: Snapshot, key: bytes) -> int | None:
    """Return when a bucket is full again; None for one that is full."""
    row = snapshot.one(_BUCKET, key=key)
    return None if row is None else row[0]


def set_bucket(transaction: Transaction, key: bytes, full_at: int) -> None:
    """Store when a bucket is full again."""
    transaction.run(_SET_BUCKET, key=key, full_at=full_at)


def fill_bucket(transaction: Transaction, key: bytes) -> None:
    """Forget what was taken from a bucket."""
    transaction.run(_FILL_BUCKET, bucket=key)
