"""What versions are, without their bodies: kind, time, batch; of one patient at a time.

For reports: bounded by what one patient has, never by the log or by the store.
"""

from collections.abc import Collection, Iterable
from typing import NamedTuple

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
    missing, found = set(seqs), dict[int, Released]()
    for source, own in _SOURCES:
        if not missing:
            break
        which, values = members("r.seq", sorted(missing), snapshot.dialect)
        sql = f"SELECT {_COLUMNS} FROM {source} WHERE {own}.patient_key = ? AND {which}"  # noqa: S608 - fixed texts
        rows = snapshot.sql(text_of(sql, snapshot.dialect), (patient_key, *values))
        found |= {one.seq: one for one in map(Released._make, rows)}
        missing -= found.keys()
    return found


def current_at(snapshot: Snapshot, patient_key: int, row: int) -> Released | None:
    """Return the version of a patient's row that is current; None for a deleted one."""
    sql = (
        f"SELECT {_COLUMNS} FROM resource r "  # noqa: S608 - fixed texts
        "WHERE r.row = ? AND r.patient_key = ? AND r.deleted = 0"
    )
    rows = snapshot.sql(text_of(sql, snapshot.dialect), (row, patient_key))
    return next(map(Released._make, rows), None)


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
        sql = f"SELECT row FROM {table} WHERE patient_key = ? AND type = ?"  # noqa: S608 - fixed texts
        rows = snapshot.sql(text_of(sql, snapshot.dialect), (patient_key, type_id))
        found.update(int(row) for (row,) in rows)
    return sorted(found)
