"""Versions of resources, newest first: of one resource, or of a whole type.

The current version is in one table and the earlier ones in another; a version that
is replaced moves and keeps its place in every order used here. So pages by place
neither repeat nor lose what was there when the first was read.
"""

import heapq
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

from sqlalchemy import (
    ColumnElement,
    FromClause,
    bindparam,
    exists,
    func,
    or_,
    select,
    tuple_,
)

from fhir_service.storage import resources
from fhir_service.storage.engine import Snapshot
from fhir_service.storage.resources import RESOURCE_COLUMNS, Stored
from fhir_service.storage.statement import Statement
from fhir_service.storage.tables import resource, resource_history

CHUNK = 64
"""Versions that are fetched first from each table; the next fetches double it."""

LARGEST_CHUNK = 1024

_END = 2**62
"""Beyond every time and row."""

_LAST_VERSION = 2**31 - 1
"""Beyond every version."""


def is_version(text: str) -> bool:
    """Whether a text is a number that a version can have."""
    return text.isascii() and text.isdigit() and len(text) < len(str(_LAST_VERSION))


class Place(NamedTuple):
    """Where a version stands in the order of a type: later ones are greater."""

    last_updated: int
    row: int
    version: int


_EVER = (-_END, _END)

NEWEST = Place(_END, _END, _LAST_VERSION)
"""Beyond every version."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Window:
    """Which versions are asked for.

    Attributes:
        since: First microsecond in which a version may have been written.
        at: First and last microsecond of a time at which a version was current;
            None where that is not asked.

    """

    since: int = -_END
    at: tuple[int, int] | None = None

    def holds(self, version: Stored, ended: int | None) -> bool:
        """Whether a version is asked for.

        Args:
            version: The version.
            ended: When the next one was written; None where there is none.

        """
        at_start, at_end = self.at or _EVER
        return self.since <= version.last_updated <= at_end and (
            ended is None or ended > at_start
        )

    @property
    def last(self) -> Place:
        """The place before which everything in the window stands."""
        at_end = (self.at or _EVER)[1]
        return Place(at_end, _END, _LAST_VERSION)


def place_of(version: Stored) -> Place:
    """Return where a version stands."""
    return Place(version.last_updated, version.row, version.version)


def _ended(table: FromClause) -> ColumnElement[bool]:
    """Whether a version had been replaced when the time that is asked began."""
    following = (resource.alias("next_current"), resource_history.alias("next_earlier"))
    return or_(
        *(
            exists().where(
                later.c.row == table.c.row,
                later.c.version == table.c.version + 1,
                later.c.last_updated <= bindparam("at_start"),
            )
            for later in following
        )
    )


def _of_type(table: FromClause, *conditions: ColumnElement[bool]) -> Statement:
    return Statement(
        select(*(table.c[name] for name in RESOURCE_COLUMNS))
        .where(
            table.c.type == bindparam("type"),
            tuple_(table.c.last_updated, table.c.row, table.c.version)
            < tuple_(bindparam("time"), bindparam("row"), bindparam("version")),
            table.c.last_updated >= bindparam("since"),
            *conditions,
        )
        .order_by(
            table.c.last_updated.desc(), table.c.row.desc(), table.c.version.desc()
        )
        .limit(bindparam("count"))
    )


# What is current now was current at every moment since it was written.
_CURRENT = _of_type(resource)
_WRITTEN = (_CURRENT, _of_type(resource_history))
_CURRENT_AT = (_CURRENT, _of_type(resource_history, ~_ended(resource_history)))
_EARLIER = Statement(
    select(*(resource_history.c[name] for name in RESOURCE_COLUMNS))
    .where(
        resource_history.c.patient_key == bindparam("patient_key"),
        resource_history.c.row == bindparam("row"),
        resource_history.c.version < bindparam("version"),
    )
    .order_by(resource_history.c.version.desc())
    .limit(bindparam("count"))
)
_NEXT_TYPE = Statement(
    select(func.min(resource.c.type)).where(resource.c.type > bindparam("after"))
)


def version_of(
    snapshot: Snapshot, type_id: int, id_: str, version: int
) -> Stored | None:
    """Return one version of a resource, current or earlier."""
    found = next(_versions(snapshot, type_id, id_, version + 1, 1), None)
    return found if found is not None and found.version == version else None


def versions(snapshot: Snapshot, type_id: int, id_: str) -> Iterator[Stored]:
    """Yield every version of a resource, newest first."""
    return _versions(snapshot, type_id, id_, _LAST_VERSION, CHUNK)


def _versions(
    snapshot: Snapshot, type_id: int, id_: str, before: int, count: int
) -> Iterator[Stored]:
    at = resources.locate(snapshot, type_id, id_)
    stored = None if at is None else resources.current(snapshot, at[1])
    if stored is None:
        return
    if stored.version < before:
        yield stored
        before = stored.version
    yield from _earlier(snapshot, stored, before, count)


def _earlier(
    snapshot: Snapshot, stored: Stored, before: int, count: int
) -> Iterator[Stored]:
    while True:
        rows = snapshot.all(
            _EARLIER,
            patient_key=stored.patient_key,
            row=stored.row,
            version=before,
            count=count,
        )
        yield from map(resources.stored, rows)
        if len(rows) < count:
            return
        before = resources.stored(rows[-1]).version


def judged(snapshot: Snapshot, stored: Stored) -> Stored:
    """Return the version by which it is told whether `stored` may be seen.

    A version that says that the resource is gone holds nothing that could be decided
    on; it may be seen where the version that it ended may.
    """
    if not stored.deleted:
        return stored
    return next(_earlier(snapshot, stored, stored.version, 1), stored)


def type_ids(snapshot: Snapshot) -> Iterator[int]:
    """Yield the numbers of the types of which anything was ever stored."""
    found = snapshot.one(_NEXT_TYPE, after=0)
    while found is not None and found[0] is not None:
        yield found[0]
        found = snapshot.one(_NEXT_TYPE, after=found[0])


def newest_first(
    snapshot: Snapshot, type_ids: Iterable[int], window: Window, before: Place
) -> Iterator[Stored]:
    """Yield versions of some types, newest first, from before a place on."""
    statements = _WRITTEN if window.at is None else _CURRENT_AT
    streams = (
        _stream(snapshot, statement, type_id, window, min(before, window.last))
        for type_id in type_ids
        for statement in statements
    )
    return heapq.merge(*streams, key=place_of, reverse=True)


def _stream(
    snapshot: Snapshot,
    statement: Statement,
    type_id: int,
    window: Window,
    before: Place,
) -> Iterator[Stored]:
    count = CHUNK
    while True:
        rows = snapshot.all(
            statement,
            type=type_id,
            time=before.last_updated,
            row=before.row,
            version=before.version,
            since=window.since,
            at_start=(window.at or _EVER)[0],
            count=count,
        )
        yield from map(resources.stored, rows)
        if len(rows) < count:
            return
        before = place_of(resources.stored(rows[-1]))
        count = min(2 * count, LARGEST_CHUNK)
