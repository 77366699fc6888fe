"""Whether anything belongs to a patient beside the Patient resource itself."""

from sqlalchemy import bindparam, select

from fhir_service.storage.engine import Snapshot
from fhir_service.storage.statement import Statement
from fhir_service.storage.tables import observation_time, record

_RECORD = Statement(
    select(record.c.row)
    .where(
        record.c.patient_key == bindparam("patient_key"),
        record.c.row != bindparam("own"),
    )
    .limit(1)
)
_OBSERVATION = Statement(
    select(observation_time.c.row)
    .where(observation_time.c.patient_key == bindparam("patient_key"))
    .limit(1)
)


def are_left(snapshot: Snapshot, patient_key: int, own: int) -> bool:
    """Whether a current resource of the patient is stored at another row than `own`."""
    return (
        snapshot.one(_RECORD, patient_key=patient_key, own=own) is not None
        or snapshot.one(_OBSERVATION, patient_key=patient_key) is not None
    )
