"""Index every stored resource anew, after the indexes have changed their shape.

Resources and their history stay as they are. An interrupted run is begun again: the
database says that its index is current only once all of it is.
"""

from collections.abc import Callable

from sqlalchemy import Table, bindparam, delete, select, update

from fhir_service.storage import facts
from fhir_service.storage.engine import Database, Transaction
from fhir_service.storage.repository import Repository
from fhir_service.storage.resources import RESOURCE_COLUMNS, Stored, stored
from fhir_service.storage.statement import Statement
from fhir_service.storage.tables import (
    date_index,
    index_set,
    observation_code,
    observation_time,
    quantity_index,
    quantity_unit,
    record,
    resource,
    resource_history,
    row_mention,
    row_posting,
    series,
    set_posting,
)

INDEX = "index"
"""Name of the fact that says which shape the index has."""

INDEX_VERSION = "3"

AT_ONCE = 500

_CLEARED: tuple[Table, ...] = (
    date_index,
    index_set,
    observation_code,
    observation_time,
    quantity_index,
    quantity_unit,
    record,
    row_mention,
    row_posting,
    series,
    set_posting,
)
_CLEAR = tuple(Statement(delete(table)) for table in _CLEARED)
_COLUMNS = [resource.c[name] for name in RESOURCE_COLUMNS]
_NEXT = Statement(
    select(*_COLUMNS)
    .where(resource.c.row > bindparam("after"))
    .order_by(resource.c.row)
    .limit(bindparam("count"))
)
_PLACED = ("c_start", "c_end", "set_id", "signature_id")
_PLACE = Statement(
    update(resource)
    .where(resource.c.row == bindparam("key"))
    .values(**{name: bindparam(f"new_{name}") for name in _PLACED})
)
_PAST = Statement(
    select(*(resource_history.c[name] for name in RESOURCE_COLUMNS))
    .where(resource_history.c.row == bindparam("key"))
    .order_by(resource_history.c.version)
)
_PLACE_PAST = Statement(
    update(resource_history)
    .where(
        resource_history.c.patient_key == bindparam("whose"),
        resource_history.c.row == bindparam("key"),
        resource_history.c.version == bindparam("at"),
    )
    .values(c_start=bindparam("new_start"), c_end=bindparam("new_end"))
)


def is_current(database: Database) -> bool:
    """Whether the index has the shape that this program reads."""
    return database.write(
        lambda transaction: facts.agree(transaction, INDEX, INDEX_VERSION)
    )


def reindex(
    database: Database,
    repository: Repository,
    told: Callable[[int], None] = lambda _: None,
) -> int:
    """Index everything; return how many resources there are.

    Args:
        database: Whose.
        repository: Of the same database.
        told: Called with the number of resources after each part.

    """
    database.write(_clear)
    repository.index_sets.forget()
    after, done = 0, 0
    while True:
        found = database.write(
            lambda transaction, after=after: _some(transaction, repository, after)  # type: ignore[misc]  # the default binds the loop's value
        )
        if not found:
            break
        after, done = found[-1], done + len(found)
        told(done)
    database.write(lambda transaction: facts.put(transaction, INDEX, INDEX_VERSION))
    return done


def _clear(transaction: Transaction) -> None:
    for statement in _CLEAR:
        transaction.run(statement)


def _some(transaction: Transaction, repository: Repository, after: int) -> list[int]:
    """Index the next resources; return their rows."""
    rows = transaction.all(_NEXT, after=after, count=AT_ONCE)
    for columns in rows:
        version = stored(columns)
        if not version.deleted:
            _place(transaction, repository.reindex(transaction, version))
        if version.version > 1:
            _place_past(transaction, repository, version.row)
    return [columns[0] for columns in rows]


def _place(transaction: Transaction, version: Stored) -> None:
    transaction.run(
        _PLACE,
        key=version.row,
        **{f"new_{name}": getattr(version, name) for name in _PLACED},
    )


def _place_past(transaction: Transaction, repository: Repository, row: int) -> None:
    for columns in transaction.all(_PAST, key=row):
        version = stored(columns)
        if not version.deleted:
            start, end = repository.consent_time(transaction, version)
            transaction.run(
                _PLACE_PAST,
                whose=version.patient_key,
                key=row,
                at=version.version,
                new_start=start,
                new_end=end,
            )
