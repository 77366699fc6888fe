"""Rows of the log by time, person, client, patient, action, outcome, purpose, basis.

Newest first, in the order of the log itself, which a clock that goes back does not
change; bounds of time are exact all the same.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from sqlalchemy import bindparam, select

from fhir_service.storage.audit_filter import AuditFilter
from fhir_service.storage.audit_index import NameKind
from fhir_service.storage.audit_tables import audit_name
from fhir_service.storage.audit_tallies import parted, tally
from fhir_service.storage.audit_where import (
    Where,
    mark_of,
    newest,
    organisations,
    subjects,
    wheres,
)
from fhir_service.storage.conditions import members, text_of
from fhir_service.storage.engine import Snapshot
from fhir_service.storage.leaves import stored
from fhir_service.storage.statement import Statement
from fhir_service.storage.tables import audit_entry

LEAVES = 500
"""Rows that are read together."""


class Group(NamedTuple):
    """How many rows have a name in common."""

    name: str
    events: int
    released: int
    first_us: int
    last_us: int


GROUPS: Mapping[str, str] = {
    "user": "user_id",
    "client": "client_id",
    "organisation": "organisation_id",
    "type": "type_id",
    "reason": "reason_id",
    "basis": "basis_id",
    "purpose": "purpose_id",
    "address": "address_id",
}
"""By what rows can be grouped."""

_NAMES_OF = Statement(
    select(audit_name.c.text).where(audit_name.c.kind == bindparam("kind"))
)
_LEAF = Statement(
    select(audit_entry.c.leaf).where(audit_entry.c.leaf_index == bindparam("at"))
)


def find(
    snapshot: Snapshot, asked: AuditFilter, *, count: int, before: int | None = None
) -> list[int]:
    """Return leaf indexes, newest first, below `before`; `count` at most."""
    found: set[int] = set()
    for where in newest(snapshot, asked):
        if before is not None:
            where.between(0, before - 1)
        if not where.is_empty:
            text, values = where.sql()
            sql = f"SELECT r.leaf_index{text}{where.order} LIMIT {int(count)}"
            found.update(int(index) for (index,) in snapshot.sql(sql, values))
    return sorted(found, reverse=True)[:count]


def exists(snapshot: Snapshot, asked: AuditFilter) -> bool:
    """Whether there is any such row; the first that is met will do."""
    for where in wheres(snapshot, asked):
        text, values = where.led(snapshot).sql()
        if snapshot.sql(f"SELECT 1{text} LIMIT 1", values):
            return True
    return False


def count(snapshot: Snapshot, asked: AuditFilter) -> int:
    """Return how many rows there are."""
    edges, hours = parted(asked)
    whole = 0 if hours is None else tally(snapshot, hours).rows
    return whole + sum(
        _summed(snapshot, where, "COUNT(*)", ())
        for edge in edges
        for where in wheres(snapshot, edge)
    )


def count_events(snapshot: Snapshot, asked: AuditFilter) -> int:
    """Return how many AuditEvents the rows make: one for each patient to be seen."""
    edges, hours = parted(asked)
    whole = 0 if hours is None else tally(snapshot, hours).resources
    made, values = _made(snapshot, asked)
    return whole + sum(
        _summed(snapshot, where, f"SUM({made})", values)
        for edge in edges
        for where in wheres(snapshot, edge)
    )


def _summed(snapshot: Snapshot, where: Where, what: str, values: Sequence[Any]) -> int:
    text, more = where.led(snapshot).sql()
    [(found,)] = snapshot.sql(f"SELECT {what}{text}", [*values, *more])
    return int(found or 0)


def _made(snapshot: Snapshot, asked: AuditFilter) -> tuple[str, list[Any]]:
    """Return SQL for the AuditEvents of a row, and its values.

    A row that tells of no patient, or of none who is to be seen, makes one that names
    none; where patients are asked for, it makes none.
    """
    about, values = _seen(snapshot, asked)
    first = (
        "CASE WHEN EXISTS (SELECT 1 FROM audit_subject t "  # noqa: S608 - fixed texts
        f"WHERE t.subject_id = r.subject_id{about}) THEN 1 ELSE 0 END"
    )
    further = (
        "CASE WHEN r.patients > 1 THEN (SELECT COUNT(*) FROM audit_patient q "  # noqa: S608 - fixed texts
        "JOIN audit_subject t ON t.subject_id = q.subject_id "
        f"WHERE q.leaf_index = r.leaf_index{about}) ELSE 0 END"
    )
    made = f"({first} + {further})"
    if asked.patients:
        return made, [*values, *values]
    made = f"CASE WHEN {made} > 0 THEN {made} ELSE 1 END"
    return f"CASE WHEN r.patients > 1 THEN {made} ELSE 1 END", values * 4


def _seen(snapshot: Snapshot, asked: AuditFilter) -> tuple[str, list[Any]]:
    """Return the condition on `audit_subject t` that a patient is to be seen."""
    text, values = "", list[Any]()
    if asked.scope is not None:
        text += _among("t.organisation_id", organisations(snapshot, asked.scope))
        values += organisations(snapshot, asked.scope)
    if asked.patients:
        text += _among("t.subject_id", subjects(snapshot, asked.patients))
        values += subjects(snapshot, asked.patients)
    return text.replace("?", mark_of(snapshot)), values


def _among(column: str, numbers: Sequence[int]) -> str:
    if not numbers:
        return " AND 1 = 0"
    return f" AND {column} IN ({','.join('?' * len(numbers))})"


def groups(
    snapshot: Snapshot, asked: AuditFilter, by: str, *, count: int = 100
) -> list[Group]:
    """Return how many rows each name has, the most frequent first.

    Args:
        snapshot: Of what is asked.
        asked: Which rows.
        by: A key of `GROUPS`.
        count: Names at most.

    """
    found: dict[str, Group] = {}
    for where in wheres(snapshot, asked):
        for group in _groups(snapshot, where.led(snapshot), GROUPS[by]):
            known = found.get(group.name)
            found[group.name] = group if known is None else _sum(known, group)
    ordered = sorted(found.values(), key=lambda group: (-group.events, group.name))
    return ordered[:count]


def _groups(snapshot: Snapshot, where: Where, column: str) -> Iterable[Group]:
    text, values = where.sql()
    sql = (
        "SELECT COALESCE(n.text, ''), g.events, g.released, g.first, g.last FROM ("  # noqa: S608 - fixed texts
        f"SELECT r.{column} AS name_id, COUNT(*) AS events, "
        "SUM(r.released) AS released, MIN(r.time) AS first, MAX(r.time) AS last"
        f"{text} GROUP BY r.{column}) g "
        "LEFT JOIN audit_name n ON n.name_id = g.name_id"
    )
    for name, events, released, first, last in snapshot.sql(sql, values):
        yield Group(str(name), int(events), int(released), int(first), int(last))


def _sum(one: Group, other: Group) -> Group:
    return Group(
        one.name,
        one.events + other.events,
        one.released + other.released,
        min(one.first_us, other.first_us),
        max(one.last_us, other.last_us),
    )


def leaf(snapshot: Snapshot, index: int) -> bytes | None:
    """Return the stored bytes of a row."""
    found = snapshot.one(_LEAF, at=index)
    return None if found is None else stored(found[0])


def leaves(snapshot: Snapshot, indexes: Sequence[int]) -> dict[int, bytes]:
    """Return the stored bytes of rows, by their indexes, in the order of those."""
    found: dict[int, bytes] = {}
    for first in range(0, len(indexes), LEAVES):
        part = indexes[first : first + LEAVES]
        which, values = members("leaf_index", part, snapshot.dialect)
        sql = f"SELECT leaf_index, leaf FROM audit_entry WHERE {which}"  # noqa: S608 - fixed texts
        rows = snapshot.sql(text_of(sql, snapshot.dialect), values)
        found |= {int(index): stored(body) for index, body in rows}
    return {index: found[index] for index in indexes if index in found}


def names(snapshot: Snapshot, kind: NameKind) -> list[str]:
    """Return every name of a kind that the log holds."""
    return sorted(str(text) for (text,) in snapshot.all(_NAMES_OF, kind=int(kind)))
