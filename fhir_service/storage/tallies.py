"""How many rows views hold, signature by signature; for people who ask why.

Not for requests: every row of the patient is counted.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from fhir_service.storage import types
from fhir_service.storage.conditions import all_of, none_of, text_of
from fhir_service.storage.engine import Snapshot
from fhir_service.storage.predicate import Clause, View, clause


@dataclass(frozen=True, kw_only=True, slots=True)
class Rows:
    """The current resources of one type of one patient.

    Attributes:
        patient_key: Whose.
        type: The resource type.
        seen: Views that hold them all; those that one of them hides are left out.

    """

    patient_key: int
    type: str
    seen: tuple[View, ...] = ()

    def within(self, view: View) -> "Rows":
        """Return those of them that a view holds."""
        return Rows(
            patient_key=self.patient_key, type=self.type, seen=(*self.seen, view)
        )

    @property
    def table(self) -> str:
        """The index that has them all: time series have one of their own."""
        return "observation_time" if self.type == "Observation" else "record"

    def clause(self, snapshot: Snapshot) -> Clause:
        """Return the condition on the index, whose alias is `o`."""
        own: list[Clause] = [("o.patient_key = ?", (self.patient_key,))]
        if self.table == "record":
            own.append(("o.type = ?", (types.number_of(self.type),)))
        return all_of([*own, *(clause(one, snapshot.dialect) for one in self.seen)])


@dataclass(frozen=True, kw_only=True, slots=True)
class Examples:
    """The newest rows of a signature, as a view sees them.

    Attributes:
        held: The newest that the view holds; None where it holds none.
        hidden: The newest that it hides, likewise.

    """

    held: int | None
    hidden: int | None


def counts(snapshot: Snapshot, rows: Rows) -> Mapping[int, int]:
    """Return signature → how many rows have it."""
    text, values = rows.clause(snapshot)
    sql = (
        f"SELECT o.signature_id, COUNT(*) FROM {rows.table} o "  # noqa: S608 - fixed texts
        f"WHERE {text} GROUP BY o.signature_id"
    )
    found = snapshot.sql(text_of(sql, snapshot.dialect), values)
    return MappingProxyType(dict(found))


def examples(snapshot: Snapshot, rows: Rows, signature_id: int, view: View) -> Examples:
    """Return the newest rows of a signature that a view holds and hides."""
    held = clause(view, snapshot.dialect)
    one: Clause = ("o.signature_id = ?", (signature_id,))
    around = [rows.clause(snapshot), one]
    return Examples(
        held=_newest(snapshot, rows.table, all_of([*around, held])),
        hidden=_newest(snapshot, rows.table, all_of([*around, none_of(held)])),
    )


def _newest(snapshot: Snapshot, table: str, condition: Clause) -> int | None:
    text, values = condition
    sql = (
        f"SELECT o.row FROM {table} o WHERE {text} "  # noqa: S608 - fixed texts
        "ORDER BY o.c_start DESC, o.row DESC LIMIT 1"
    )
    found = snapshot.sql(text_of(sql, snapshot.dialect), values)
    return found[0][0] if found else None
