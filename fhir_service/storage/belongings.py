"""What belongs to a patient beside the Patient resource itself."""

from sqlalchemy import bindparam, select

from fhir_service.storage import resources
from fhir_service.storage.conditions import all_of, text_of
from fhir_service.storage.engine import Snapshot
from fhir_service.storage.predicate import View, clause
from fhir_service.storage.resources import RESOURCE_COLUMNS, Stored
from fhir_service.storage.statement import Statement
from fhir_service.storage.tables import resource

_CURRENT = (
    resource.c.patient_key == bindparam("patient_key"),
    resource.c.row != bindparam("own"),
    resource.c.deleted == 0,
)
_TYPES = Statement(select(resource.c.type).where(*_CURRENT).distinct())
_OF_TYPE = Statement(
    select(*(resource.c[name] for name in RESOURCE_COLUMNS)).where(
        *_CURRENT, resource.c.type == bindparam("of")
    )
)


def types_of(snapshot: Snapshot, patient_key: int, own: int) -> list[int]:
    """Return the types of what is stored at other rows than `own`, by number."""
    rows = snapshot.all(_TYPES, patient_key=patient_key, own=own)
    return sorted(row[0] for row in rows)


def of_type(
    snapshot: Snapshot, patient_key: int, own: int, type_id: int
) -> list[Stored]:
    """Return the current versions of a type at other rows than `own`."""
    rows = snapshot.all(_OF_TYPE, patient_key=patient_key, own=own, of=type_id)
    return [resources.stored(row) for row in rows]


def is_any_in(snapshot: Snapshot, view: View, own: int, type_id: int) -> bool:
    """Whether a view holds a current resource of a type at another row than `own`."""
    text, values = all_of(
        [
            ("o.patient_key = ?", (view.patient_key,)),
            ("o.type = ?", (type_id,)),
            ("o.row <> ?", (own,)),
            ("o.deleted = 0", ()),
            clause(view, snapshot.dialect),
        ]
    )
    sql = f"SELECT 1 FROM resource o WHERE {text} LIMIT 1"  # noqa: S608 - fixed texts
    return bool(snapshot.sql(text_of(sql, snapshot.dialect), values))
