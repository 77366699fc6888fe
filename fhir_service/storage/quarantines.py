"""What could not be understood, kept until a retry understands it."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import bindparam, func, insert, or_, select, update

from fhir_service.storage import counters
from fhir_service.storage.engine import Snapshot, Transaction
from fhir_service.storage.registrations import client
from fhir_service.storage.statement import Statement, columns_of
from fhir_service.storage.tables import patient, quarantine

COLUMNS = (
    "quarantine_id",
    "digest",
    "patient_key",
    "source",
    "client_id",
    "reason",
    "kind",
    "position",
    "detail",
    "records",
    "received",
    "retries",
    "payload",
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Quarantined:
    """One part of a payload that was not understood.

    Attributes:
        id: Its number.
        patient_key: Under whose data key the payload is encrypted; 0 where unknown.
        source: The vendor's name.
        client_id: Who delivered it; None for a file.
        reason: Code of `mappings.measurement.Reason`.
        kind: What it was meant to be, where that is known.
        position: Where it was in its payload.
        detail: A sentence without values.
        records: How many measurements it stands for.
        received: When, microseconds since 1970.
        retries: How often it was tried again.
        payload: The encrypted part of the payload.

    """

    id: int
    patient_key: int
    source: str
    client_id: str | None
    reason: str
    kind: str | None
    position: str
    detail: str
    records: int
    received: int
    retries: int
    payload: bytes


_READ = (
    quarantine.c.quarantine_id,
    quarantine.c.patient_key,
    quarantine.c.source,
    quarantine.c.client_id,
    quarantine.c.reason,
    quarantine.c.kind,
    quarantine.c.position,
    quarantine.c.detail,
    quarantine.c.records,
    quarantine.c.received,
    quarantine.c.retries,
    quarantine.c.payload,
)
_WAITING = (
    select(*_READ)
    .where(
        quarantine.c.resolved.is_(None),
        quarantine.c.quarantine_id > bindparam("after"),
    )
    .order_by(quarantine.c.quarantine_id)
    .limit(bindparam("count"))
)
_PENDING = Statement(_WAITING)
_PENDING_OF = Statement(_WAITING.where(quarantine.c.source == bindparam("of")))
_CHUNK = 200
_HELD = "SELECT digest FROM quarantine WHERE resolved IS NULL AND digest IN ({digests})"
_INSERT = Statement(insert(quarantine).values(**columns_of(COLUMNS)))
_RETRIED = Statement(
    update(quarantine)
    .where(quarantine.c.quarantine_id == bindparam("id"))
    .values(
        retries=quarantine.c.retries + 1,
        reason=bindparam("new_reason"),
        kind=bindparam("new_kind"),
        detail=bindparam("new_detail"),
    )
)
_RESOLVED = Statement(
    update(quarantine)
    .where(quarantine.c.quarantine_id == bindparam("id"))
    .values(
        retries=quarantine.c.retries + 1,
        resolved=bindparam("at"),
        digest=bindparam("freed"),
        payload=bindparam("nothing"),
    )
)
_COUNTS = Statement(
    select(
        quarantine.c.source,
        quarantine.c.reason,
        func.sum(quarantine.c.records),
    )
    .where(quarantine.c.resolved.is_(None))
    .group_by(quarantine.c.source, quarantine.c.reason)
    .order_by(quarantine.c.source, quarantine.c.reason)
)
_COUNTS_WITHIN = Statement(
    select(
        quarantine.c.source,
        quarantine.c.reason,
        func.sum(quarantine.c.records),
    )
    .where(
        quarantine.c.resolved.is_(None),
        or_(
            quarantine.c.patient_key.in_(
                select(patient.c.patient_key).where(
                    patient.c.organization == bindparam("organization")
                )
            ),
            quarantine.c.client_id.in_(
                select(client.c.client_id).where(
                    client.c.organization == bindparam("organization")
                )
            ),
        ),
    )
    .group_by(quarantine.c.source, quarantine.c.reason)
    .order_by(quarantine.c.source, quarantine.c.reason)
)
_PARTS = (
    select(func.count())
    .select_from(quarantine)
    .where(
        quarantine.c.resolved.is_(None),
    )
)
_ALL_PARTS = Statement(_PARTS)
_PARTS_OF = Statement(_PARTS.where(quarantine.c.source == bindparam("of")))


def held(snapshot: Snapshot, digests: Sequence[bytes]) -> set[bytes]:
    """Return those of `digests` whose part waits here already."""
    mark = "?" if snapshot.dialect == "sqlite" else "%s"
    text = _HELD.format(digests=",".join([mark] * _CHUNK))
    found: set[bytes] = set()
    for first in range(0, len(digests), _CHUNK):
        part = list(digests[first : first + _CHUNK])
        part += part[-1:] * (_CHUNK - len(part))
        found.update(bytes(digest) for (digest,) in snapshot.sql(text, part))
    return found


def add(transaction: Transaction, parts: Sequence[Mapping[str, object]]) -> None:
    """Keep parts; each has `COLUMNS` but `quarantine_id` and `retries`."""
    if not parts:
        return
    first = counters.take(transaction, "quarantine", len(parts))
    transaction.copy(
        _INSERT,
        "quarantine",
        COLUMNS,
        [
            tuple(
                {**values, "quarantine_id": id_, "retries": 0}[name] for name in COLUMNS
            )
            for id_, values in enumerate(parts, first)
        ],
    )


def pending(
    snapshot: Snapshot, *, after: int = 0, count: int, source: str | None = None
) -> list[Quarantined]:
    """Return what waits, oldest first, starting after number `after`."""
    if source is None:
        rows = snapshot.all(_PENDING, after=after, count=count)
    else:
        rows = snapshot.all(_PENDING_OF, after=after, count=count, of=source)
    return [
        Quarantined(
            id=row[0],
            patient_key=row[1],
            source=row[2],
            client_id=row[3],
            reason=row[4],
            kind=row[5],
            position=row[6],
            detail=row[7],
            records=row[8],
            received=row[9],
            retries=row[10],
            payload=bytes(row[11]),
        )
        for row in rows
    ]


def retried(
    transaction: Transaction, id_: int, *, reason: str, kind: str | None, detail: str
) -> None:
    """Record that a retry did not understand the part either, and why not."""
    transaction.run(
        _RETRIED, id=id_, new_reason=reason, new_kind=kind, new_detail=detail
    )


def resolved(transaction: Transaction, id_: int, at_us: int) -> None:
    """Record that a retry understood the part; what it held is erased here.

    It is a resource now, or it must not be kept. Its digest is given up: the same part
    may come again and not be understood again.
    """
    freed = hashlib.blake2b(b"resolved %d" % id_, digest_size=16).digest()
    transaction.run(_RESOLVED, id=id_, at=at_us, freed=freed, nothing=b"")


def counts(snapshot: Snapshot) -> list[tuple[str, str, int]]:
    """Return (source, reason, measurements) of what waits."""
    return [(source, reason, int(n)) for source, reason, n in snapshot.all(_COUNTS)]


def counts_within(snapshot: Snapshot, organization: str) -> list[tuple[str, str, int]]:
    """Return the same of an organisation's patients, and of its clients."""
    rows = snapshot.all(_COUNTS_WITHIN, organization=organization)
    return [(source, reason, int(n)) for source, reason, n in rows]


def waiting(snapshot: Snapshot, source: str | None = None) -> int:
    """Return how many parts wait, of a source or of all."""
    if source is None:
        found = snapshot.all(_ALL_PARTS)
    else:
        found = snapshot.all(_PARTS_OF, of=source)
    count: int = found[0][0]
    return count
