"""How many rows a view holds, signature by signature; for people who ask why.

Not for requests: every row of the patient is counted.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from sqlalchemy import bindparam, func, select

from fhir_service.storage.engine import Snapshot
from fhir_service.storage.predicate import Clause, View, clause
from fhir_service.storage.statement import DialectName, Statement
from fhir_service.storage.tables import observation_time, record

_TABLES = ("record", "observation_time")
_COUNTS = tuple(
    Statement(
        select(table.c.signature_id, func.count())
        .where(table.c.patient_key == bindparam("key"))
        .group_by(table.c.signature_id)
    )
    for table in (record, observation_time)
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Tally:
    """The rows of one signature.

    Attributes:
        rows: How many there are.
        permitted: How many of them the view holds.
        examples: The newest row that the view holds, and the newest that it hides.

    """

    rows: int
    permitted: int
    examples: tuple[int, ...]


def of_patient(snapshot: Snapshot, patient_key: int) -> Mapping[int, int]:
    """Return signature → current resources that have it."""
    found: dict[int, int] = {}
    for statement in _COUNTS:
        for signature_id, count in snapshot.all(statement, key=patient_key):
            found[signature_id] = found.get(signature_id, 0) + count
    return MappingProxyType(found)


def of_signature(snapshot: Snapshot, view: View, signature_id: int, rows: int) -> Tally:
    """Return what the view holds of the rows of one signature."""
    within = clause(_part(view, signature_id), snapshot.dialect)
    permitted = sum(_count(snapshot, view, signature_id, within, t) for t in _TABLES)
    hidden: Clause = (f"NOT {within[0]}", within[1]) if within[0] else ("1 = 0", ())
    sides = [within] if permitted else []
    sides += [hidden] if permitted < rows else []
    examples = [
        row
        for side in sides
        for table in _TABLES
        for row in _newest(snapshot, view, signature_id, side, table)
    ]
    return Tally(rows=rows, permitted=permitted, examples=tuple(examples))


def _part(view: View, signature_id: int) -> View:
    """Return the part of the view that governs one signature."""
    if view.whole:
        return view
    return View(
        patient_key=view.patient_key,
        groups=tuple(
            (formula, (signature_id,))
            for formula, ids in view.groups
            if signature_id in ids
        ),
        whole=False,
    )


def _where(
    view: View, signature_id: int, within: Clause, dialect: DialectName
) -> Clause:
    text, values = within
    condition = f" AND {text}" if text else ""
    sql = f"WHERE patient_key = ? AND signature_id = ?{condition}"
    bound = (view.patient_key, signature_id, *values)
    return (sql if dialect == "sqlite" else sql.replace("?", "%s")), bound


def _count(
    snapshot: Snapshot, view: View, signature_id: int, within: Clause, table: str
) -> int:
    where, values = _where(view, signature_id, within, snapshot.dialect)
    [[count]] = snapshot.sql(f"SELECT COUNT(*) FROM {table} {where}", values)  # noqa: S608 - fixed texts
    return int(count)


def _newest(
    snapshot: Snapshot, view: View, signature_id: int, within: Clause, table: str
) -> list[int]:
    where, values = _where(view, signature_id, within, snapshot.dialect)
    rows = snapshot.sql(
        f"SELECT row FROM {table} {where} ORDER BY c_start DESC, row DESC LIMIT 1",  # noqa: S608 - fixed texts
        values,
    )
    return [row for [row] in rows]
