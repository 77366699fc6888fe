"""Current resources of one type, whoever's, in the order of a page.

Observations are scanned in the order of their rows or of their times; all other types
through `record`, which has few rows. Keyset paging: a page begins after a position.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from fhir_service.storage.conditions import text_of
from fhir_service.storage.engine import Snapshot
from fhir_service.storage.predicate import EVERYTHING, Clause
from fhir_service.storage.resources import RESOURCE_COLUMNS, Stored, stored
from fhir_service.storage.tokens import UNDATED


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
        where: What is asked, and what consent permits.
        after: (key of the order, row) of the last entry of the page before.

    """

    type_id: int
    is_series: bool
    order: Order = Order.ROW
    descending: bool = False
    patient_key: int | None = None
    where: Clause = EVERYTHING
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


def _after(scan: Scan) -> tuple[str, list[object]]:
    if scan.after is None:
        return "", []
    key, row = scan.after
    compare = "<" if scan.descending else ">"
    if scan.order is Order.ROW:
        return f" AND row {compare} ?", [row]
    column = scan.table.key
    return (
        f" AND {column} {compare}= ? AND ({column} {compare} ? OR row {compare} ?)",
        [key, key, row],
    )


def versions(snapshot: Snapshot, scan: Scan, count: int) -> list[tuple[int, Stored]]:
    """Return up to `count` of (key of the order, version), in order."""
    text, values = _where(scan)
    after, more = _after(scan)
    way = "DESC" if scan.descending else "ASC"
    order = "row" if scan.order is Order.ROW else f"{scan.table.key} {way}, row"
    sql = (
        f"SELECT p.k, {_COLUMNS} FROM (SELECT {scan.table.key} AS k, row FROM "  # noqa: S608 - fixed texts
        f"{scan.table.name} o WHERE {text}{after} ORDER BY {order} {way} LIMIT ?) p "
        f"JOIN resource r ON r.row = p.row ORDER BY p.k {way}, p.row {way}"
    )
    found = snapshot.sql(text_of(sql, snapshot.dialect), [*values, *more, count])
    return [(columns[0], stored(columns[1:])) for columns in found]


def total(snapshot: Snapshot, scan: Scan) -> int:
    """Return how many there are."""
    text, values = _where(scan)
    sql = f"SELECT COUNT(*) FROM {scan.table.name} o WHERE {text}"  # noqa: S608 - fixed texts
    return int(snapshot.sql(text_of(sql, snapshot.dialect), values)[0][0])


def samples(snapshot: Snapshot, scan: Scan, count: int) -> list[Stored]:
    """Return one version of each index set that the scan finds, up to `count`."""
    text, values = _where(scan)
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
