"""Batches: what was written together, by whom, and which versions belong to it.

A version carries the number of its batch. Nothing is indexed by that number: jobs of
the writer follow each other, so the rows made by a batch lie between those made before
it and those made before the next one; versions after the first are listed.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from sqlalchemy import FromClause, and_, bindparam, insert, select

from fhir_service.storage import counters, resources
from fhir_service.storage.engine import Snapshot, Transaction
from fhir_service.storage.resources import RESOURCE_COLUMNS, Stored
from fhir_service.storage.statement import Statement, columns_of
from fhir_service.storage.tables import (
    batch_row,
    ingest_batch,
    resource,
    resource_history,
)

COLUMNS = (
    "batch_id",
    "source",
    "client_id",
    "received",
    "parser",
    "payload",
    "organization",
    "person",
    "after_row",
    "gateway",
)

_TOLD = tuple(name for name in COLUMNS if name != "after_row")

_LAST_ROW = 2**63 - 1


class Activity(StrEnum):
    """What a batch did to a resource; codes of v3-DataOperation."""

    CREATE = "CREATE"
    UPDATE = "UPDATE"
    DELETE = "DELETE"


class Part(NamedTuple):
    """The versions of a batch that are told of together.

    Attributes:
        batch_id: The batch.
        signature_id: What consent decides on; names the patient, too.
        activity: What was done.

    """

    batch_id: int
    signature_id: int
    activity: Activity


@dataclass(frozen=True, kw_only=True, slots=True)
class Batch:
    """What was written together.

    Attributes:
        id: Its number.
        source: The vendor's name; empty for what a client wrote.
        client_id: Who brought it.
        received_us: When, microseconds since 1970.
        parser: Name and version of what read it; empty where nothing had to.
        payload: Keyed hash of the raw payload, where it is known.
        organization: `Organization/id` behind the client.
        person: `Type/id` of the person behind the client.
        gateway: What brought it, such as a broker's name.

    """

    id: int
    source: str
    client_id: str
    received_us: int
    parser: str
    payload: bytes | None
    organization: str | None
    person: str | None
    gateway: str | None = None


_INSERT = Statement(insert(ingest_batch).values(**columns_of(COLUMNS)))
_READ = Statement(
    select(*(ingest_batch.c[name] for name in _TOLD)).where(
        ingest_batch.c.batch_id == bindparam("id")
    )
)


def add(  # noqa: PLR0913 - one argument a column
    transaction: Transaction,
    *,
    received_us: int,
    client_id: str,
    organization: str | None,
    source: str = "",
    parser: str = "",
    payload: bytes | None = None,
    person: str | None = None,
    after_row: int | None = None,
    gateway: str | None = None,
) -> int:
    """Record a batch; return its number.

    Args:
        transaction: Of all that the batch writes.
        received_us: When it came, microseconds since 1970.
        client_id: Who brought it.
        organization: `Organization/id` behind the client.
        source: The vendor's name, for a payload.
        parser: Name and version of what read the payload.
        payload: Keyed hash of the payload.
        person: `Type/id` of the person behind the client.
        after_row: The last row before those of the batch; None where none was made
            or reserved for it yet.
        gateway: What brought it.

    """
    number = counters.take(transaction, "batch")
    if after_row is None:
        after_row = counters.current(transaction, "row")
    transaction.run(
        _INSERT,
        batch_id=number,
        source=source,
        client_id=client_id,
        received=received_us,
        parser=parser,
        payload=payload,
        organization=organization,
        person=person,
        after_row=after_row,
        gateway=gateway,
    )
    return number


def read(snapshot: Snapshot, number: int) -> Batch | None:
    """Return a batch."""
    found = snapshot.one(_READ, id=number)
    if found is None:
        return None
    return Batch(
        id=found[0],
        source=found[1],
        client_id=found[2] or "",
        received_us=found[3],
        parser=found[4],
        payload=None if found[5] is None else bytes(found[5]),
        organization=found[6],
        person=found[7],
        gateway=found[8],
    )


def part_of(version: Stored) -> Part | None:
    """Return the part that a version belongs to; None where no batch wrote it."""
    return _part(
        version.batch_id,
        version.signature_id,
        version.version,
        deleted=bool(version.deleted),
    )


def _part(
    batch_id: int | None, signature_id: int, version: int, *, deleted: bool
) -> Part | None:
    if batch_id is None:
        return None
    first = Activity.CREATE if version == 1 else Activity.UPDATE
    return Part(batch_id, signature_id, Activity.DELETE if deleted else first)


_EARLIER = Statement(
    select(
        resource_history.c.batch_id,
        resource_history.c.signature_id,
        resource_history.c.version,
        resource_history.c.deleted,
    )
    .where(
        resource_history.c.patient_key == bindparam("patient_key"),
        resource_history.c.row == bindparam("key"),
    )
    .order_by(resource_history.c.version.desc())
)


def parts_of(snapshot: Snapshot, current: Stored) -> list[Part]:
    """Return the part of each version of a resource, newest first."""
    found = [part_of(current)]
    if current.version > 1:
        found += [
            _part(batch_id, signature_id, version, deleted=bool(deleted))
            for batch_id, signature_id, version, deleted in snapshot.all(
                _EARLIER, patient_key=current.patient_key, key=current.row
            )
        ]
    return [part for part in found if part is not None]


class Members(NamedTuple):
    """The versions of a part.

    Attributes:
        current: Those that nothing has replaced.
        earlier: The others.

    """

    current: list[Stored]
    earlier: list[Stored]


_NEXT = ingest_batch.alias("next_batch")
_RANGE = Statement(
    select(
        ingest_batch.c.after_row,
        select(_NEXT.c.after_row)
        .where(
            _NEXT.c.batch_id > ingest_batch.c.batch_id, _NEXT.c.after_row.is_not(None)
        )
        .order_by(_NEXT.c.batch_id)
        .limit(1)
        .scalar_subquery(),
    ).where(ingest_batch.c.batch_id == bindparam("id"))
)


def _made(table: FromClause) -> Statement:
    """Return first versions: they lie between two rows."""
    return Statement(
        select(*(table.c[name] for name in RESOURCE_COLUMNS)).where(
            table.c.patient_key == bindparam("patient_key"),
            table.c.row > bindparam("first"),
            table.c.row <= bindparam("last"),
            table.c.batch_id == bindparam("batch_id"),
            table.c.signature_id == bindparam("signature_id"),
            table.c.version == 1,
        )
    )


def _changed(table: FromClause) -> Statement:
    """Return versions after the first: they are listed.

    In no order: to keep one, SQLite would begin with all of the patient's history.
    """
    return Statement(
        select(*(table.c[name] for name in RESOURCE_COLUMNS))
        .select_from(
            batch_row.join(
                table,
                and_(
                    table.c.patient_key == batch_row.c.patient_key,
                    table.c.row == batch_row.c.row,
                    table.c.version == batch_row.c.version,
                ),
            )
        )
        .where(
            batch_row.c.patient_key == bindparam("patient_key"),
            batch_row.c.batch_id == bindparam("batch_id"),
            table.c.signature_id == bindparam("signature_id"),
            table.c.deleted == bindparam("deleted"),
        )
    )


_MADE = (_made(resource), _made(resource_history))
_CHANGED = (_changed(resource), _changed(resource_history))


def members(snapshot: Snapshot, patient_key: int, part: Part) -> Members:
    """Return the versions of a part, whoever may see them."""
    at = {
        "patient_key": patient_key,
        "batch_id": part.batch_id,
        "signature_id": part.signature_id,
    }
    if part.activity is Activity.CREATE:
        first, last = _range(snapshot, part.batch_id)
        found = [snapshot.all(one, first=first, last=last, **at) for one in _MADE]
    else:
        deleted = int(part.activity is Activity.DELETE)
        found = [snapshot.all(one, deleted=deleted, **at) for one in _CHANGED]
    return Members(
        *(
            sorted(map(resources.stored, rows), key=lambda one: (one.row, one.version))
            for rows in found
        )
    )


_STILL = Statement(
    select(*(resource.c[name] for name in RESOURCE_COLUMNS))
    .where(
        resource.c.patient_key == bindparam("patient_key"),
        resource.c.row > bindparam("first"),
        resource.c.row <= bindparam("last"),
        resource.c.type == bindparam("type"),
        resource.c.deleted == 0,
    )
    .order_by(resource.c.row)
)


def still_there(
    snapshot: Snapshot, patient_key: int, batch_id: int, type_id: int
) -> list[Stored]:
    """Return the current versions of what a batch made for a patient, of one type."""
    first, last = _range(snapshot, batch_id)
    rows = snapshot.all(
        _STILL, patient_key=patient_key, first=first, last=last, type=type_id
    )
    return [resources.stored(row) for row in rows]


def _range(snapshot: Snapshot, batch_id: int) -> tuple[int, int]:
    """Return the last row before those of a batch, and the last that can be its own."""
    found = snapshot.one(_RANGE, id=batch_id)
    first, last = found or (None, None)
    if first is None:
        return _LAST_ROW, _LAST_ROW
    return first, _LAST_ROW if last is None else last
