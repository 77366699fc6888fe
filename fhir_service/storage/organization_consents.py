"""The current consents of an organisation's patients, a page at a time."""

from sqlalchemy import bindparam, select

from fhir_service.storage.engine import Snapshot
from fhir_service.storage.resources import RESOURCE_COLUMNS, Stored, stored
from fhir_service.storage.statement import Statement
from fhir_service.storage.tables import patient, record, resource

_PAGE = Statement(
    select(*(resource.c[name] for name in RESOURCE_COLUMNS))
    .select_from(
        patient.join(record, record.c.patient_key == patient.c.patient_key).join(
            resource, resource.c.row == record.c.row
        )
    )
    .where(
        patient.c.organization == bindparam("organization"),
        record.c.type == bindparam("type"),
        resource.c.row > bindparam("after"),
        resource.c.deleted == 0,
    )
    .order_by(resource.c.row)
    .limit(bindparam("count"))
)


def page(
    snapshot: Snapshot, organization: str, type_id: int, *, after: int, count: int
) -> list[Stored]:
    """Return resources of a type of an organisation's patients, by row.

    Args:
        snapshot: Where to look.
        organization: `Organization/id` that manages the patients.
        type_id: Number of the type.
        after: Row after which the page begins; 0 for the first page.
        count: Resources at most.

    """
    found = snapshot.all(
        _PAGE, organization=organization, type=type_id, after=after, count=count
    )
    return [stored(row) for row in found]
