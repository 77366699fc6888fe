"""Which Device resource stands for a physical unit of a patient."""

from sqlalchemy import bindparam, delete, insert, select

from fhir_service.storage.engine import Snapshot, Transaction
from fhir_service.storage.statement import Statement, columns_of
from fhir_service.storage.tables import device_unit

_FIND = Statement(
    select(device_unit.c.row).where(
        device_unit.c.patient_key == bindparam("patient_key"),
        device_unit.c.unit == bindparam("unit"),
    )
)
_UNITS = Statement(
    select(device_unit.c.unit).where(
        device_unit.c.patient_key == bindparam("patient_key")
    )
)
_INSERT = Statement(
    insert(device_unit).values(**columns_of(["patient_key", "unit", "row"]))
)
_REMOVE = Statement(
    delete(device_unit).where(
        device_unit.c.patient_key == bindparam("of"),
        device_unit.c.unit == bindparam("at"),
        device_unit.c.row == bindparam("key"),
    )
)


def row_of_unit(snapshot: Snapshot, patient_key: int, unit: bytes) -> int | None:
    """Return the row of the Device of this unit and patient."""
    found = snapshot.one(_FIND, patient_key=patient_key, unit=unit)
    return None if found is None else int(found[0])


def units_of(snapshot: Snapshot, patient_key: int) -> list[bytes]:
    """Return the units of a patient, by what stands for them."""
    return [bytes(unit) for (unit,) in snapshot.all(_UNITS, patient_key=patient_key)]


def add_unit(transaction: Transaction, patient_key: int, unit: bytes, row: int) -> None:
    """Record which Device stands for the unit, unless one does already."""
    if row_of_unit(transaction, patient_key, unit) is None:
        transaction.run(_INSERT, patient_key=patient_key, unit=unit, row=row)


def remove_unit(
    transaction: Transaction, patient_key: int, unit: bytes, row: int
) -> None:
    """Record that the Device at `row` does not stand for the unit any more."""
    transaction.run(_REMOVE, of=patient_key, at=unit, key=row)
