"""Current resources of one type, whoever's, in the order of a page.

Observations are scanned in the order of their rows or of their times; all other types
through `record`, which has few rows. Keyset paging: a page begins after a position.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any, NamedTuple

from fhir_service.storage.conditions import all_of, members, text_of
from fhir_service.storage.engine import Snapshot
from fhir_service.storage.predicate import EVERYTHING, Clause, clause
from fhir_service.storage.resources import RESOURCE_COLUMNS, Stored, stored
from fhir_service.storage.tokens import UNDATED
from fhir_service.storage.views import Views
from fhir_service.storage.walk import Candidate, Place, walked


class Order(StrEnum):
    """What a page is in the order of; rows break ties."""

    ROW = "row"
    UPDATED = "updated"
    START = "start"


class _Table(NamedTuple):
    name: str
    key: str
    always: str


_TABLES: Mapping[tuple[bool, Order], _Table] = {
    (True, Order.ROW): _Table("resource", "0", "type = ? AND deleted = 0"),
    (True, Order.UPDATED): _Table(
        "resource", "last_updated", "type = ? AND deleted = 0"
    ),
    (True, Order.START): _Table("observation_time", "start", ""),
    (False, Order.ROW): _Table("record", "0", "type = ?"),
    (False, Order.UPDATED): _Table(
        "resource", "last_updated", "type = ? AND deleted = 0"
    ),
}
"""(whether Observations are asked for, order) → what is scanned."""

_JOINED = "(SELECT t.*, u.last_updated FROM {} t JOIN resource u ON u.row = t.row)"
_OF_PATIENT: Mapping[bool, _Table] = {
    True: _Table(_JOINED.format("observation_time"), "last_updated", ""),
    False: _Table(_JOINED.format("record"), "last_updated", "type = ?"),
}
"""The same for one patient in the order of updates, which no index has."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Scan:
    """What is asked of one type.

    Attributes:
        type_id: Number of the type.
        is_series: Whether it is Observation.
        order: Of the page.
        descending: Whether it is reversed.
        patient_key: Whose; None for everybody's.
        where: What is asked, and what consent permits where there are no views.
        views: What consent permits of everybody's.
        low: No key of the order that is asked for is below it.
        high: Nor above it.
        after: (key of the order, row) of the last entry of the page before.

    """

    type_id: int
    is_series: bool
    order: Order = Order.ROW
    descending: bool = False
    patient_key: int | None = None
    where: Clause = EVERYTHING
    views: Views | None = None
    low: int | None = None
    high: int | None = None
    after: tuple[int, int] | None = None

    @property
    def table(self) -> _Table:
        """What is scanned."""
        if self.patient_key is not None and self.order is Order.UPDATED:
            return _OF_PATIENT[self.is_series]
        return _TABLES[self.is_series, self.order]


_COLUMNS = ", ".join(f"r.{name}" for name in RESOURCE_COLUMNS)


def _where(scan: Scan) -> tuple[str, list[object]]:
    texts: list[str] = []
    values: list[object] = []
    if scan.table.always:
        texts.append(scan.table.always)
        values.append(scan.type_id)
    if scan.patient_key is not None:
        texts.append("patient_key = ?")
        values.append(scan.patient_key)
    if scan.where[0]:
        texts.append(scan.where[0])
        values.extend(scan.where[1])
    return " AND ".join(texts) or "1 = 1", values


def _range(scan: Scan) -> tuple[str, list[object]]:
    """Return the range of the index: what was asked for, after the page before."""
    if scan.order is Order.ROW:
        return _after_row(scan)
    column, low, high = scan.table.key, scan.low, scan.high
    text, values = "", list[object]()
    if scan.after is not None:
        key, row = scan.after
        compare = "<" if scan.descending else ">"
        text = f" AND ({column} {compare} ? OR row {compare} ?)"
        values = [key, row]
        # What was shown before is in the range that was asked for.
        low, high = (low, key) if scan.descending else (key, high)
    for bound, compare in ((low, ">="), (high, "<=")):
        if bound is not None:
            text += f" AND {column} {compare} ?"
            values.append(bound)
    return text, values


def _after_row(scan: Scan) -> tuple[str, list[object]]:
    if scan.after is None:
        return "", []
    return f" AND row {'<' if scan.descending else '>'} ?", [scan.after[1]]


def _selected(scan: Scan, columns: str, count: int) -> tuple[str, list[object]]:
    """Return what finds some columns of up to `count` rows, in order."""
    text, values = _where(scan)
    within, more = _range(scan)
    way = "DESC" if scan.descending else "ASC"
    order = "row" if scan.order is Order.ROW else f"{scan.table.key} {way}, row"
    sql = (
        f"SELECT {scan.table.key} AS k, {columns} FROM {scan.table.name} o "  # noqa: S608 - fixed texts
        f"WHERE {text}{within} ORDER BY {order} {way} LIMIT ?"
    )
    return sql, [*values, *more, count]


def versions(snapshot: Snapshot, scan: Scan, count: int) -> list[tuple[int, Stored]]:
    """Return up to `count` of (key of the order, version), in order."""
    if scan.views is not None:
        return _at(snapshot, _places(snapshot, scan, scan.views, count))
    places, values = _selected(scan, "row", count)
    way = "DESC" if scan.descending else "ASC"
    sql = (
        f"SELECT p.k, {_COLUMNS} FROM ({places}) p "  # noqa: S608 - fixed texts
        f"JOIN resource r ON r.row = p.row ORDER BY p.k {way}, p.row {way}"
    )
    found = snapshot.sql(text_of(sql, snapshot.dialect), values)
    return [(columns[0], stored(columns[1:])) for columns in found]


def _places(snapshot: Snapshot, scan: Scan, views: Views, count: int) -> list[Place]:
    """Return where up to `count` are that may be seen, in order."""

    def stretch(after: Place | None, length: int) -> list[Candidate]:
        part = replace(scan, after=after or scan.after)
        sql, values = _selected(part, "row, patient_key, signature_id", length)
        found: list[Any] = snapshot.sql(text_of(sql, snapshot.dialect), values)
        return found

    places, given_up = walked(snapshot, views, count, stretch)
    if given_up is not None:
        rest = replace(_seen_through(snapshot, scan), after=given_up)
        sql, values = _selected(rest, "row", count - len(places))
        found = snapshot.sql(text_of(sql, snapshot.dialect), values)
        places += [(key, row) for key, row in found]
    return places


def _at(snapshot: Snapshot, places: Sequence[Place]) -> list[tuple[int, Stored]]:
    """Return what is at some places, in their order."""
    text, values = members("r.row", [row for _, row in places], snapshot.dialect)
    sql = f"SELECT {_COLUMNS} FROM resource r WHERE {text}"  # noqa: S608 - fixed texts
    found = snapshot.sql(text_of(sql, snapshot.dialect), values)
    of = {columns[0]: stored(columns) for columns in found}
    return [(key, of[row]) for key, row in places]


def _seen_through(snapshot: Snapshot, scan: Scan) -> Scan:
    """Return the same with the views of everybody in its condition."""
    if scan.views is None:
        return scan
    permitted = clause(scan.views.everybody(), snapshot.dialect)
    return replace(scan, where=all_of([scan.where, permitted]), views=None)


def total(snapshot: Snapshot, scan: Scan) -> int:
    """Return how many there are."""
    text, values = _where(_seen_through(snapshot, scan))
    sql = f"SELECT COUNT(*) FROM {scan.table.name} o WHERE {text}"  # noqa: S608 - fixed texts
    return int(snapshot.sql(text_of(sql, snapshot.dialect), values)[0][0])


def samples(snapshot: Snapshot, scan: Scan, count: int) -> list[Stored]:
    """Return one version of each index set that the scan finds, up to `count`."""
    text, values = _where(_seen_through(snapshot, scan))
    sql = (
        f"SELECT {_COLUMNS} FROM (SELECT MIN(row) AS row FROM {scan.table.name} o "  # noqa: S608 - fixed texts
        f"WHERE {text} GROUP BY set_id LIMIT ?) p JOIN resource r ON r.row = p.row"
    )
    found = snapshot.sql(text_of(sql, snapshot.dialect), [*values, count])
    return [stored(columns) for columns in found]


DATED: Clause = (f"start > {UNDATED}", ())
"""What any comparison with a date asks first."""

NOT_DATED: Clause = (f"start <= {UNDATED}", ())
"""What has no time."""


def rare_in_sets(
    snapshot: Snapshot, type_id: int, posting: Clause, limit: int
) -> Sequence[int] | None:
    """Return the rows of a type whose set has a posting; None for more than `limit`."""
    text, values = posting
    sql = f"SELECT row FROM resource WHERE type = ? AND {text} LIMIT ?"  # noqa: S608 - fixed texts
    found = snapshot.sql(text_of(sql, snapshot.dialect), [type_id, *values, limit + 1])
    return None if len(found) > limit else [row for (row,) in found]
