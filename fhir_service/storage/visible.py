"""Which rows of a patient a view holds, all of them at once; not for requests."""

from fhir_service.storage.conditions import all_of, text_of
from fhir_service.storage.engine import Snapshot
from fhir_service.storage.predicate import View, clause

_TABLES = ("resource", "record", "observation_time")
"""The tables whose rows a request may be answered from; `resource` has every row."""


def rows(snapshot: Snapshot, view: View, type_id: int) -> frozenset[int]:
    """Return the current rows of a type that the view holds.

    Raises:
        LookupError: where an index holds a row that the resources do not, or its
            columns say something else than theirs.

    """
    every, *indexes = (_rows(snapshot, view, type_id, table) for table in _TABLES)
    if frozenset().union(*indexes) != every:
        raise LookupError("the index and the resources show different rows")
    return every


def _rows(snapshot: Snapshot, view: View, type_id: int, table: str) -> frozenset[int]:
    own = "o.row IN (SELECT row FROM resource WHERE type = ? AND deleted = 0)"
    text, values = all_of(
        [
            ("o.patient_key = ?", (view.patient_key,)),
            (own, (type_id,)),
            clause(view, snapshot.dialect),
        ]
    )
    found = snapshot.sql(
        text_of(f"SELECT o.row FROM {table} o WHERE {text}", snapshot.dialect),  # noqa: S608 - fixed texts
        values,
    )
    return frozenset(row for (row,) in found)
