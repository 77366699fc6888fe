"""Versions of resources: where they are, what they hold.

`directory` says which row an id names; `resource` holds the current version of each
row, `resource_history` the earlier ones. Bodies are opaque here.
"""

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from sqlalchemy import bindparam, delete, insert, select, update

from fhir_service.storage.engine import Snapshot, Transaction
from fhir_service.storage.statement import Statement, columns_of
from fhir_service.storage.tables import (
    batch_row,
    directory,
    record,
    resource,
    resource_history,
    token_index,
)

RESOURCE_COLUMNS = (
    "row",
    "type",
    "patient_key",
    "signature_id",
    "version",
    "seq",
    "last_updated",
    "deleted",
    "batch_id",
    "c_start",
    "c_end",
    "set_id",
    "body",
)
DIRECTORY_COLUMNS = ("type", "id", "patient_key", "row")


class Stored(NamedTuple):
    """One version of one resource.

    Attributes:
        row: Internal number; the same for all versions.
        type_id: Number of the resource type.
        patient_key: Whose it is; 0 for shared.
        signature_id: What consent decides on.
        version: Counts from 1.
        seq: Place in the order of commits.
        last_updated: Microseconds since 1970.
        deleted: 1 where this version says that the resource is gone, else 0.
        batch_id: The batch that wrote it.
        c_start: First microsecond of its consent time.
        c_end: Last microsecond of it.
        set_id: What search finds in it and in rows alike; 0 where nothing is indexed.
        body: Compressed, encrypted canonical JSON.

    """

    row: int
    type_id: int
    patient_key: int
    signature_id: int
    version: int
    seq: int
    last_updated: int
    deleted: int
    batch_id: int | None
    c_start: int
    c_end: int
    set_id: int
    body: bytes


class Shown(NamedTuple):
    """What a page needs of a version; attributes as in `Stored`."""

    row: int
    patient_key: int
    version: int
    seq: int
    body: bytes


_LOCATE = Statement(
    select(directory.c.patient_key, directory.c.row).where(
        directory.c.type == bindparam("type"), directory.c.id == bindparam("id")
    )
)
_CURRENT = Statement(
    select(*(resource.c[name] for name in RESOURCE_COLUMNS)).where(
        resource.c.row == bindparam("key")
    )
)
INSERT = Statement(insert(resource).values(**columns_of(RESOURCE_COLUMNS)))
INSERT_DIRECTORY = Statement(insert(directory).values(**columns_of(DIRECTORY_COLUMNS)))
_ARCHIVE = Statement(
    insert(resource_history).from_select(
        list(RESOURCE_COLUMNS),
        select(*(resource.c[name] for name in RESOURCE_COLUMNS)).where(
            resource.c.row == bindparam("key")
        ),
    )
)
_CHANGED = (
    "signature_id",
    "version",
    "seq",
    "last_updated",
    "deleted",
    "batch_id",
    "c_start",
    "c_end",
    "set_id",
    "body",
)
_REPLACE = Statement(
    update(resource)
    .where(resource.c.row == bindparam("key"))
    .values(**{name: bindparam(f"new_{name}") for name in _CHANGED})
)

_ADD_BATCH_ROW = Statement(
    insert(batch_row).values(
        **columns_of(("patient_key", "batch_id", "row", "version"))
    )
)


def locate(snapshot: Snapshot, type_id: int, id_: str) -> tuple[int, int] | None:
    """Return (patient_key, row) of the resource that has this id, deleted or not."""
    found = snapshot.one(_LOCATE, type=type_id, id=id_)
    return None if found is None else (found[0], found[1])


def current(snapshot: Snapshot, row: int) -> Stored | None:
    """Return the current version at `row`."""
    found = snapshot.one(_CURRENT, key=row)
    return None if found is None else stored(found)


def stored(columns: Sequence[Any]) -> Stored:
    """Return the version whose columns, in `RESOURCE_COLUMNS`, these are."""
    return _new(Stored, columns)


def shown(columns: Sequence[Any]) -> Shown:
    """Return what a page needs, of the columns in the order of `Shown`."""
    return _new(Shown, columns)


_new = tuple.__new__
"""Half the time of `Stored._make`, which counts the columns again for every row."""


def insert_one(transaction: Transaction, id_: str, version: Stored) -> None:
    """Store the first version of a resource."""
    insert_many(transaction, [(id_, version)])


def insert_many(
    transaction: Transaction, rows: Sequence[tuple[str, tuple[object, ...]]]
) -> None:
    """Store first versions: (id, columns in the order of `RESOURCE_COLUMNS`)."""
    transaction.copy(
        INSERT, "resource", RESOURCE_COLUMNS, [columns for _, columns in rows]
    )
    transaction.copy(
        INSERT_DIRECTORY,
        "directory",
        DIRECTORY_COLUMNS,
        [(columns[1], id_, columns[2], columns[0]) for id_, columns in rows],
    )


def replace(transaction: Transaction, version: Stored) -> None:
    """Move the current version to the history and put `version` in its place."""
    transaction.run(_ARCHIVE, key=version.row)
    transaction.run(
        _REPLACE,
        key=version.row,
        **{f"new_{name}": getattr(version, name) for name in _CHANGED},
    )
    if version.batch_id is not None:
        transaction.run(
            _ADD_BATCH_ROW,
            patient_key=version.patient_key,
            batch_id=version.batch_id,
            row=version.row,
            version=version.version,
        )


_RECORD_COLUMNS = (
    "patient_key",
    "type",
    "row",
    "signature_id",
    "c_start",
    "c_end",
    "set_id",
)
_ADD_RECORD = Statement(insert(record).values(**columns_of(_RECORD_COLUMNS)))
_REMOVE_RECORD = Statement(
    delete(record).where(
        record.c.patient_key == bindparam("patient_key"),
        record.c.type == bindparam("type"),
        record.c.row == bindparam("key"),
    )
)
_TOKEN_COLUMNS = ("patient_key", "type", "parameter", "token", "row")
_ADD_TOKEN = Statement(insert(token_index).values(**columns_of(_TOKEN_COLUMNS)))
_REMOVE_TOKENS = Statement(
    delete(token_index).where(
        token_index.c.patient_key == bindparam("patient_key"),
        token_index.c.type == bindparam("type"),
        token_index.c.row == bindparam("key"),
    )
)
_BY_TOKEN = Statement(
    select(token_index.c.patient_key, token_index.c.row).where(
        token_index.c.token == bindparam("token"),
        token_index.c.type == bindparam("type"),
        token_index.c.parameter == bindparam("parameter"),
    )
)
_OF_PATIENT = Statement(
    select(*(resource.c[name] for name in RESOURCE_COLUMNS))
    .select_from(record.join(resource, resource.c.row == record.c.row))
    .where(
        record.c.patient_key == bindparam("patient_key"),
        record.c.type == bindparam("type"),
        record.c.row > bindparam("after"),
    )
    .order_by(record.c.row)
    .limit(bindparam("count"))
)


def add_record(transaction: Transaction, version: Stored) -> None:
    """List `version` among its patient's resources of its type."""
    transaction.run(
        _ADD_RECORD,
        patient_key=version.patient_key,
        type=version.type_id,
        row=version.row,
        signature_id=version.signature_id,
        c_start=version.c_start,
        c_end=version.c_end,
        set_id=version.set_id,
    )


def add_tokens(
    transaction: Transaction, version: Stored, tokens: Iterable[tuple[str, bytes]]
) -> None:
    """Index `version` under (parameter, keyed hash)."""
    transaction.run_many(
        _ADD_TOKEN,
        [
            (version.patient_key, version.type_id, parameter, token, version.row)
            for parameter, token in sorted(set(tokens))
        ],
    )


def remove_indexes(transaction: Transaction, version: Stored) -> None:
    """Take `version` out of `record` and `token_index`."""
    at = {
        "patient_key": version.patient_key,
        "type": version.type_id,
        "key": version.row,
    }
    transaction.run(_REMOVE_RECORD, **at)
    transaction.run(_REMOVE_TOKENS, **at)


def by_token(
    snapshot: Snapshot, type_id: int, parameter: str, token: bytes
) -> list[tuple[int, int]]:
    """Return (patient_key, row) of what is indexed under the keyed hash."""
    rows = snapshot.all(_BY_TOKEN, type=type_id, parameter=parameter, token=token)
    return [(key, row) for key, row in rows]


def of_patient(
    snapshot: Snapshot, patient_key: int, type_id: int, *, after: int, count: int
) -> list[Stored]:
    """Return current resources of a type, by row, starting after `after`."""
    return [
        stored(columns)
        for columns in snapshot.all(
            _OF_PATIENT,
            patient_key=patient_key,
            type=type_id,
            after=after,
            count=count,
        )
    ]
