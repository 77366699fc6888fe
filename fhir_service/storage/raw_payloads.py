"""Raw payloads, encrypted and for a time, so that a mapping fix can be replayed.

A payload of one patient is under that patient's key; one of several or of nobody known
is under the key of shared data and is erased with the first of them.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import (
    Column,
    Index,
    LargeBinary,
    PrimaryKeyConstraint,
    Table,
    Text,
    bindparam,
    delete,
    insert,
    select,
    update,
)

from fhir_service.storage import counters
from fhir_service.storage.engine import Snapshot, Transaction
from fhir_service.storage.statement import Statement, columns_of
from fhir_service.storage.tables import Big, ingest_batch, metadata

raw_payload = Table(
    "raw_payload",
    metadata,
    Column("payload_id", Big, primary_key=True, autoincrement=False),
    Column("patient_key", Big, nullable=False, comment="whose key seals it"),
    Column("source", Text, nullable=False),
    Column("parser", Text, nullable=False, comment="name and version"),
    Column("client_id", Text),
    Column("patient", Text, comment="id of the Patient that the request named"),
    Column("zone", Text, comment="IANA name that the request gave"),
    Column("gateway", Text, comment="what brought it, such as a broker's name"),
    Column("received", Big, nullable=False),
    Column("expires", Big, nullable=False),
    Column("size", Big, nullable=False, comment="bytes before sealing"),
    Column("body", LargeBinary, nullable=False, comment="sealed"),
)
Index(None, raw_payload.c.expires)
Index(None, raw_payload.c.source, raw_payload.c.received)

raw_payload_patient = Table(
    "raw_payload_patient",
    metadata,
    Column("patient_key", Big, nullable=False),
    Column("payload_id", Big, nullable=False),
    PrimaryKeyConstraint("patient_key", "payload_id"),
    sqlite_with_rowid=False,
)
Index(None, raw_payload_patient.c.payload_id)


@dataclass(frozen=True, kw_only=True, slots=True)
class RawPayload:
    """A payload as it came, still sealed.

    Attributes:
        id: Its number; they follow the order in which payloads came.
        patient_key: Whose key seals it; 0 for several patients or nobody known.
        source: The vendor's name.
        parser: Name and version of what read it.
        client_id: Who delivered it.
        patient: Id of the Patient that the request named.
        zone: IANA name that the request gave.
        gateway: What brought it.
        received_us: When, microseconds since 1970.
        size: Bytes before sealing.
        body: The sealed bytes.

    """

    id: int
    patient_key: int
    source: str
    parser: str
    client_id: str | None
    patient: str | None
    zone: str | None
    gateway: str | None
    received_us: int
    size: int
    body: bytes


_COLUMNS = (
    "payload_id",
    "patient_key",
    "source",
    "parser",
    "client_id",
    "patient",
    "zone",
    "gateway",
    "received",
    "size",
    "body",
)
_INSERT = Statement(insert(raw_payload).values(**columns_of([*_COLUMNS, "expires"])))
_LINK_COLUMNS = ("patient_key", "payload_id")
_LINK = Statement(insert(raw_payload_patient).values(**columns_of(_LINK_COLUMNS)))
_OF_BATCH = Statement(
    update(ingest_batch)
    .where(ingest_batch.c.batch_id == bindparam("at"))
    .values(payload_id=bindparam("of"))
)
_SINCE = (
    select(*(raw_payload.c[name] for name in _COLUMNS))
    .where(
        raw_payload.c.payload_id > bindparam("after"),
        raw_payload.c.received >= bindparam("since"),
        raw_payload.c.expires > bindparam("now"),
    )
    .order_by(raw_payload.c.payload_id)
    .limit(bindparam("count"))
)
_SINCE_ALL = Statement(_SINCE)
_SINCE_OF = Statement(_SINCE.where(raw_payload.c.source == bindparam("of")))
_BATCHES = Statement(
    select(ingest_batch.c.batch_id)
    .where(
        ingest_batch.c.payload_id == bindparam("of"),
        ingest_batch.c.received >= bindparam("since"),
    )
    .order_by(ingest_batch.c.batch_id)
)
_ENDED = select(raw_payload.c.payload_id).where(
    raw_payload.c.expires <= bindparam("now")
)
_UNLINK_ENDED = Statement(
    delete(raw_payload_patient).where(
        raw_payload_patient.c.payload_id.in_(_ENDED.limit(bindparam("count")))
    )
)
_DELETE_ENDED = Statement(
    delete(raw_payload).where(
        raw_payload.c.payload_id.in_(_ENDED.limit(bindparam("count")))
    )
)


def take_number(transaction: Transaction) -> int:
    """Return the number of a payload that is about to be kept."""
    return counters.take(transaction, "payload")


def add(transaction: Transaction, payload: RawPayload, *, expires_us: int) -> None:
    """Keep a payload until `expires_us`."""
    values = {
        "payload_id": payload.id,
        "received": payload.received_us,
        "expires": expires_us,
    }
    named = {name for name in _COLUMNS if name not in values}
    transaction.run(
        _INSERT, **values, **{name: getattr(payload, name) for name in named}
    )


def link(
    transaction: Transaction,
    number: int,
    *,
    patient_keys: Iterable[int],
    batches: Iterable[int],
) -> None:
    """Record whose data a payload holds, and which batches came of it."""
    transaction.copy(
        _LINK,
        "raw_payload_patient",
        _LINK_COLUMNS,
        [(key, number) for key in sorted(patient_keys)],
    )
    for batch in batches:
        transaction.run(_OF_BATCH, at=batch, of=number)


def since(  # noqa: PLR0913 - one argument a bound
    snapshot: Snapshot,
    *,
    since_us: int,
    now_us: int,
    after: int = 0,
    count: int,
    source: str | None = None,
) -> list[RawPayload]:
    """Return payloads received from `since_us` on, in the order of their coming."""
    bounds = {"after": after, "since": since_us, "now": now_us, "count": count}
    found = (
        snapshot.all(_SINCE_ALL, **bounds)
        if source is None
        else snapshot.all(_SINCE_OF, **bounds, of=source)
    )
    return [
        RawPayload(
            **dict(
                zip(
                    ("id", *_COLUMNS[1:8], "received_us", "size", "body"),
                    (*row[:10], bytes(row[10])),
                    strict=True,
                )
            )
        )
        for row in found
    ]


def batches_of(snapshot: Snapshot, payload: RawPayload) -> list[int]:
    """Return the batches that came of a payload."""
    rows = snapshot.all(_BATCHES, of=payload.id, since=payload.received_us)
    return [number for (number,) in rows]


def purge(transaction: Transaction, now_us: int, *, count: int = 100) -> None:
    """Erase payloads whose time is over, at most `count` of them."""
    transaction.run(_UNLINK_ENDED, now=now_us, count=count)
    transaction.run(_DELETE_ENDED, now=now_us, count=count)
