"""What was stored at an instant that has passed, and versions by their `seq`.

For people who ask why, not for requests: every version of a patient may be looked at.
"""

from collections.abc import Iterable, Sequence

from sqlalchemy import bindparam, select

from fhir_service.storage import resources
from fhir_service.storage.conditions import members, text_of
from fhir_service.storage.engine import Snapshot
from fhir_service.storage.resources import RESOURCE_COLUMNS, Stored
from fhir_service.storage.statement import Statement
from fhir_service.storage.tables import resource_history

_EARLIER = Statement(
    select(*(resource_history.c[name] for name in RESOURCE_COLUMNS))
    .where(
        resource_history.c.patient_key == bindparam("patient_key"),
        resource_history.c.type == bindparam("type"),
        resource_history.c.last_updated <= bindparam("at"),
    )
    .order_by(resource_history.c.row, resource_history.c.version)
)

_COLUMNS = ", ".join(f"r.{name}" for name in RESOURCE_COLUMNS)
_INDEXED = tuple(
    f"{table} o JOIN resource r ON r.row = o.row"
    for table in ("record", "observation_time")
)
"""Current versions of one patient, by the indexes that begin with the patient."""

_HISTORY = "resource_history r"
_DELETED = "resource r"
"""What is deleted is in no index; the whole table is looked through."""


def of_patient(
    snapshot: Snapshot, patient_key: int, type_id: int, at_us: int
) -> list[Stored]:
    """Return a patient's resources of a type as they were at an instant, by row."""
    found = {
        stored.row: stored
        for stored in map(
            resources.stored,
            snapshot.all(_EARLIER, patient_key=patient_key, type=type_id, at=at_us),
        )
    }
    now = [resources.current(snapshot, row) for row in found]
    now += _current(snapshot, patient_key, type_id)
    for stored in now:
        if stored is not None and stored.last_updated <= at_us:
            found[stored.row] = stored
    return [stored for _, stored in sorted(found.items()) if not stored.deleted]


def _current(snapshot: Snapshot, patient_key: int, type_id: int) -> list[Stored]:
    sql = (
        f"SELECT {_COLUMNS} FROM {_INDEXED[0]} "  # noqa: S608 - fixed texts
        "WHERE o.patient_key = ? AND o.type = ?"
    )
    rows = snapshot.sql(text_of(sql, snapshot.dialect), (patient_key, type_id))
    return [resources.stored(row) for row in rows]


def version_at(snapshot: Snapshot, type_id: int, id_: str, at_us: int) -> Stored | None:
    """Return a resource as it was at an instant; None where it was not there."""
    place = resources.locate(snapshot, type_id, id_)
    if place is None:
        return None
    key, row = place
    rows = snapshot.all(_EARLIER, patient_key=key, type=type_id, at=at_us)
    versions = [one for one in map(resources.stored, rows) if one.row == row]
    now = resources.current(snapshot, row)
    if now is not None and now.last_updated <= at_us:
        versions.append(now)
    last = max(versions, key=lambda one: one.version, default=None)
    return None if last is None or last.deleted else last


def by_seq(
    snapshot: Snapshot, patient_key: int, seqs: Iterable[int]
) -> dict[int, Stored]:
    """Return those of some versions that are of one patient: `seq` → version."""
    missing, found = set(seqs), dict[int, Stored]()
    for source in (*_INDEXED, _HISTORY, _DELETED):
        if missing:
            found |= _versions(snapshot, source, patient_key, sorted(missing))
            missing -= found.keys()
    return found


def anybodys(snapshot: Snapshot, seqs: Iterable[int]) -> dict[int, Stored]:
    """Return some versions, whoever's they are; every version is looked through."""
    wanted, found = sorted(set(seqs)), dict[int, Stored]()
    for source in (_HISTORY, _DELETED) if wanted else ():
        found |= _versions(snapshot, source, None, wanted)
    return found


def _versions(
    snapshot: Snapshot, source: str, patient_key: int | None, seqs: Sequence[int]
) -> dict[int, Stored]:
    which, values = members("r.seq", seqs, snapshot.dialect)
    own = "r" if source in (_HISTORY, _DELETED) else "o"
    whose = "" if patient_key is None else f"{own}.patient_key = ? AND "
    sql = f"SELECT {_COLUMNS} FROM {source} WHERE {whose}{which}"  # noqa: S608 - fixed texts
    bound = values if patient_key is None else (patient_key, *values)
    rows = snapshot.sql(text_of(sql, snapshot.dialect), bound)
    return {stored.seq: stored for stored in map(resources.stored, rows)}


def signatures_at(snapshot: Snapshot, patient_key: int, at_us: int) -> frozenset[int]:
    """Return the signatures that any version of a patient's had by an instant."""
    found: set[int] = set()
    for source in (*_INDEXED, _HISTORY):
        own = "r" if source == _HISTORY else "o"
        sql = (
            f"SELECT DISTINCT r.signature_id FROM {source} "  # noqa: S608 - fixed texts
            f"WHERE {own}.patient_key = ? AND r.last_updated <= ?"
        )
        rows = snapshot.sql(text_of(sql, snapshot.dialect), (patient_key, at_us))
        found.update(id_ for [id_] in rows)
    return frozenset(found)


def changed(
    snapshot: Snapshot, patient_key: int, type_ids: Sequence[int], between: range
) -> list[int]:
    """Return when versions of a patient's resources of some types were written.

    Args:
        snapshot: Where to look.
        patient_key: Whose.
        type_ids: Numbers of the types.
        between: The instants that are looked at, in microseconds since 1970.

    """
    which, values = members("r.type", type_ids, snapshot.dialect)
    found: set[int] = set()
    for source in (*_INDEXED, _HISTORY):
        own = "r" if source == _HISTORY else "o"
        sql = (
            f"SELECT r.last_updated FROM {source} "  # noqa: S608 - fixed texts
            f"WHERE {own}.patient_key = ? AND {which} "
            "AND r.last_updated >= ? AND r.last_updated < ?"
        )
        bound = (patient_key, *values, between.start, between.stop)
        rows = snapshot.sql(text_of(sql, snapshot.dialect), bound)
        found.update(moment for [moment] in rows)
    return sorted(found)
