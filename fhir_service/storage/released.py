"""What versions are, without their bodies: kind, time, batch; of one patient at a time.

For reports: bounded by what one patient has, never by the log or by the store.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from fhir_service.storage.batches import Batch
from fhir_service.storage.conditions import members, text_of
from fhir_service.storage.engine import Snapshot


class Released(NamedTuple):
    """One version, as a report tells of it.

    Attributes:
        seq: Its place in the order of commits.
        type_id: Number of its type.
        row: Its row.
        version: Counts from 1.
        signature_id: What consent decides on.
        c_start: First microsecond of its time.
        c_end: Last microsecond of it.
        batch_id: The batch that wrote it.

    """

    seq: int
    type_id: int
    row: int
    version: int
    signature_id: int
    c_start: int
    c_end: int
    batch_id: int | None


_COLUMNS = ", ".join(
    f"r.{name}"
    for name in (
        "seq",
        "type",
        "row",
        "version",
        "signature_id",
        "c_start",
        "c_end",
        "batch_id",
    )
)
PATIENTS = 100
"""Patients who are looked up together."""

_CURRENT = (
    "record o JOIN resource r ON r.row = o.row",
    "observation_time o JOIN resource r ON r.row = o.row",
)
_SOURCES = (
    *((source, "o") for source in _CURRENT),
    ("resource_history r", "r"),
)


def by_seq(
    snapshot: Snapshot, patient_key: int, seqs: Iterable[int]
) -> dict[int, Released]:
    """Return those of some versions that are a patient's and are not a deletion."""
    return of_patients(snapshot, {patient_key: set(seqs)})[patient_key]


def of_patients(
    snapshot: Snapshot, wanted: Mapping[int, Collection[int]]
) -> dict[int, dict[int, Released]]:
    """Return the same of several patients: key → seq → version.

    Args:
        snapshot: Where they are.
        wanted: Key of a patient → versions.

    """
    found: dict[int, dict[int, Released]] = {key: {} for key in wanted}
    keys = sorted(wanted)
    for first in range(0, len(keys), PATIENTS):
        part = keys[first : first + PATIENTS]
        missing = {seq for key in part for seq in wanted[key]}
        for source, own in _SOURCES:
            if not missing:
                break
            for key, *version in _some(snapshot, source, own, (part, missing)):
                one = Released._make(version)
                if one.seq in wanted[key]:
                    found[key][one.seq] = one
                missing.discard(one.seq)
    return found


def _some(
    snapshot: Snapshot,
    source: str,
    own: str,
    wanted: tuple[Collection[int], Collection[int]],
) -> list[tuple[Any, ...]]:
    """Return versions that one source has, each behind the key of its patient."""
    keys, seqs = wanted
    whose, values = members(f"{own}.patient_key", keys, snapshot.dialect)
    which, more = members("r.seq", sorted(seqs), snapshot.dialect)
    sql = (
        f"SELECT {own}.patient_key, {_COLUMNS} FROM {source} "  # noqa: S608 - fixed texts
        f"WHERE {whose} AND {which}"
    )
    return snapshot.sql(text_of(sql, snapshot.dialect), (*values, *more))


def current_of(
    snapshot: Snapshot, patient_key: int, rows: Iterable[int]
) -> dict[int, Released]:
    """Return row → current version, of those of a patient that are not deleted."""
    which, values = members("r.row", sorted(set(rows)), snapshot.dialect)
    sql = (
        f"SELECT {_COLUMNS} FROM resource r "  # noqa: S608 - fixed texts
        f"WHERE {which} AND r.patient_key = ? AND r.deleted = 0"
    )
    found = snapshot.sql(text_of(sql, snapshot.dialect), (*values, patient_key))
    return {one.row: one for one in map(Released._make, found)}


class BatchPart(NamedTuple):
    """How many current versions of a patient a batch wrote, of one signature."""

    batch_id: int
    signature_id: int
    versions: int
    first_us: int
    last_us: int


def by_batch(
    snapshot: Snapshot, patient_key: int, signature_ids: Collection[int]
) -> list[BatchPart]:
    """Return what batches wrote of a patient's current rows of some signatures."""
    found: list[BatchPart] = []
    which, values = members("o.signature_id", signature_ids, snapshot.dialect)
    for source in _CURRENT:
        sql = (
            "SELECT r.batch_id, o.signature_id, COUNT(*), MIN(o.c_start), MAX(o.c_end) "  # noqa: S608 - fixed texts
            f"FROM {source} WHERE o.patient_key = ? AND {which} "
            "AND r.batch_id IS NOT NULL GROUP BY r.batch_id, o.signature_id"
        )
        rows = snapshot.sql(text_of(sql, snapshot.dialect), (patient_key, *values))
        found += [BatchPart(*map(int, row)) for row in rows]
    return sorted(found)


def has_others(snapshot: Snapshot, patient_key: int, without: Collection[int]) -> bool:
    """Whether a patient has a current resource of a type that is not left out."""
    timed = "SELECT 1 FROM observation_time WHERE patient_key = ? LIMIT 1"
    if snapshot.sql(text_of(timed, snapshot.dialect), (patient_key,)):
        return True
    marks = ",".join("?" * len(without))
    sql = (
        f"SELECT 1 FROM record WHERE patient_key = ? AND type NOT IN ({marks}) LIMIT 1"  # noqa: S608 - fixed texts
    )
    return bool(snapshot.sql(text_of(sql, snapshot.dialect), (patient_key, *without)))


def rows_of_type(snapshot: Snapshot, patient_key: int, type_id: int) -> list[int]:
    """Return the rows that a patient has or had of a type, in their order."""
    found: set[int] = set()
    for table in ("record", "resource_history"):
        sql = f"SELECT r.row FROM {table} r WHERE r.patient_key = ? AND r.type = ?"  # noqa: S608 - fixed texts
        rows = snapshot.sql(text_of(sql, snapshot.dialect), (patient_key, type_id))
        found.update(int(row) for (row,) in rows)
    return sorted(found)


_DELIVERY = (
    "batch_id, source, COALESCE(client_id, ''), received, parser, payload, "
    "organization, person, gateway"
)


def deliveries(
    snapshot: Snapshot, source: str, between: range, last: int
) -> tuple[list[Batch], int]:
    """Return a vendor's deliveries among the newest, and when the oldest of these was.

    Args:
        snapshot: Where they are.
        source: The vendor's name.
        between: When they came, microseconds since 1970.
        last: How many batches are looked at, whoever's.

    """
    dialect = snapshot.dialect
    [(newest,)] = snapshot.sql("SELECT MAX(batch_id) FROM ingest_batch", ())
    first = int(newest or 0) - last
    oldest = snapshot.sql(
        text_of(
            "SELECT received FROM ingest_batch WHERE batch_id > ? "
            "ORDER BY batch_id LIMIT 1",
            dialect,
        ),
        (first,),
    )
    sql = (
        f"SELECT {_DELIVERY} FROM ingest_batch "  # noqa: S608 - fixed texts
        "WHERE batch_id > ? AND source = ? AND received >= ? AND received < ? "
        "ORDER BY batch_id"
    )
    rows = snapshot.sql(
        text_of(sql, dialect), (first, source, between.start, between.stop)
    )
    reached = int(oldest[0][0]) if oldest and first > 0 else 0
    return [_delivery(row) for row in rows], reached


def _delivery(row: Sequence[Any]) -> Batch:
    return Batch(
        id=row[0],
        source=row[1],
        client_id=row[2],
        received_us=row[3],
        parser=row[4],
        payload=None if row[5] is None else bytes(row[5]),
        organization=row[6],
        person=row[7],
        gateway=row[8],
    )
