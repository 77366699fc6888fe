"""Patients as storage knows them: a small key, a wrapped data key, and versions.

The versions say which cached decisions still hold: `consent_epoch` grows with every
change of a Consent, `signature_version` with every new signature,
`topology_version` with every change of how devices hang together.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from sqlalchemy import bindparam, insert, select, update

from fhir_service.storage import counters
from fhir_service.storage.conditions import members, text_of
from fhir_service.storage.engine import Snapshot, Transaction
from fhir_service.storage.statement import Statement, columns_of
from fhir_service.storage.tables import SHARED, counter, directory, patient, resource

_COLUMNS = (
    patient.c.patient_key,
    patient.c.id,
    patient.c.organization,
    patient.c.consent_epoch,
    patient.c.signature_version,
    patient.c.topology_version,
)


@dataclass(frozen=True, kw_only=True, slots=True)
class PatientState:
    """What a decision about a patient depends on, in one snapshot.

    Attributes:
        key: The small integer that stands for the patient in every table.
        id: The FHIR id of the Patient.
        organization: `Patient.managingOrganization` as `Organization/id`, or None.
        consent_epoch: Grows with every change of a Consent of this patient.
        signature_version: Grows with every new signature.
        topology_version: Grows with every change between devices.

    """

    key: int
    id: str
    organization: str | None
    consent_epoch: int
    signature_version: int
    topology_version: int


CHANGES = "patient-change"
"""Counter that grows whenever a decision about any patient may have changed."""

_CHANGES = Statement(select(counter.c.value).where(counter.c.name == CHANGES))
_BY_KEY = Statement(select(*_COLUMNS).where(patient.c.patient_key == bindparam("key")))
_BY_ID = Statement(
    select(*_COLUMNS)
    .select_from(
        directory.join(patient, directory.c.patient_key == patient.c.patient_key)
    )
    .where(directory.c.type == bindparam("type"), directory.c.id == bindparam("id"))
)
_LIVING = Statement(
    select(*_COLUMNS)
    .select_from(
        directory.join(patient, directory.c.patient_key == patient.c.patient_key).join(
            resource, resource.c.row == directory.c.row
        )
    )
    .where(
        directory.c.type == bindparam("type"),
        directory.c.id == bindparam("id"),
        resource.c.deleted == 0,
    )
)
_ALL = Statement(
    select(*_COLUMNS)
    .where(patient.c.patient_key > bindparam("after"))
    .order_by(patient.c.patient_key)
    .limit(bindparam("count"))
)
_DATA_KEY = Statement(
    select(patient.c.data_key).where(patient.c.patient_key == bindparam("key"))
)
_INSERT = Statement(
    insert(patient).values(
        **columns_of(
            [
                "patient_key",
                "id",
                "data_key",
                "organization",
                "consent_epoch",
                "signature_version",
                "topology_version",
            ]
        )
    )
)
_SET_ORGANIZATION = Statement(
    update(patient)
    .where(patient.c.patient_key == bindparam("key"))
    .values(organization=bindparam("value"))
)


def _bump(column: str) -> Statement:
    return Statement(
        update(patient)
        .where(patient.c.patient_key == bindparam("key"))
        .values({column: patient.c[column] + 1})
    )


_BUMP = {
    column: _bump(column)
    for column in ("consent_epoch", "signature_version", "topology_version")
}


def _state(row: tuple[int, str, str | None, int, int, int]) -> PatientState:
    key, id_, organization, epoch, signatures, topology = row
    return PatientState(
        key=key,
        id=id_,
        organization=organization,
        consent_epoch=epoch,
        signature_version=signatures,
        topology_version=topology,
    )


def by_key(snapshot: Snapshot, key: int) -> PatientState | None:
    """Return the patient of `key`."""
    row = snapshot.one(_BY_KEY, key=key)
    return None if row is None else _state(row)


def by_id(snapshot: Snapshot, type_id: int, id_: str) -> PatientState | None:
    """Return the patient whose Patient resource has `id_`; deleted ones too."""
    row = snapshot.one(_BY_ID, type=type_id, id=id_)
    return None if row is None else _state(row)


def living(snapshot: Snapshot, type_id: int, id_: str) -> PatientState | None:
    """Return the patient whose Patient resource has `id_`; None for a deleted one."""
    row = snapshot.one(_LIVING, type=type_id, id=id_)
    return None if row is None else _state(row)


def after(snapshot: Snapshot, key: int, count: int) -> list[PatientState]:
    """Return up to `count` patients whose key is greater than `key`, in order."""
    rows = snapshot.all(_ALL, after=key, count=count)
    return [_state(row) for row in rows]


_WHERE = f"SELECT {', '.join(one.name for one in _COLUMNS)} FROM patient WHERE "  # noqa: S608 - fixed texts


def by_keys(snapshot: Snapshot, keys: Iterable[int]) -> list[PatientState]:
    """Return the patients of these keys, in no particular order."""
    dialect = snapshot.dialect
    text, values = members("patient_key", keys, dialect)
    return [
        _state(row) for row in snapshot.sql(text_of(_WHERE + text, dialect), values)
    ]


def changes(snapshot: Snapshot) -> int:
    """Return how often what decisions depend on has changed, for whichever patient."""
    if isinstance(snapshot, Transaction):
        return counters.current(snapshot, CHANGES)
    found = snapshot.one(_CHANGES)
    return 0 if found is None else int(found[0])


def data_key(snapshot: Snapshot, key: int) -> bytes | None:
    """Return the wrapped data key of `key`; None where it was destroyed."""
    row = snapshot.one(_DATA_KEY, key=key)
    return None if row is None else bytes(row[0])


def create(
    transaction: Transaction,
    id_: str,
    organization: str | None,
    new_data_key: Callable[[int], bytes],
) -> int:
    """Add a patient; return the new key."""
    key = counters.take(transaction, "patient")
    _insert(transaction, key, id_, organization, new_data_key(key))
    return key


def create_shared(
    transaction: Transaction, new_data_key: Callable[[int], bytes]
) -> None:
    """Add the row that stands for what belongs to no patient, where it is missing."""
    if by_key(transaction, SHARED) is None:
        _insert(transaction, SHARED, "", None, new_data_key(SHARED))


def _insert(
    transaction: Transaction,
    key: int,
    id_: str,
    organization: str | None,
    wrapped: bytes,
) -> None:
    counters.take(transaction, CHANGES)
    transaction.run(
        _INSERT,
        patient_key=key,
        id=id_,
        data_key=wrapped,
        organization=organization,
        consent_epoch=0,
        signature_version=0,
        topology_version=0,
    )


def set_organization(transaction: Transaction, key: int, value: str | None) -> None:
    """Record the managing organisation."""
    counters.take(transaction, CHANGES)
    transaction.run(_SET_ORGANIZATION, key=key, value=value)


def consent_changed(transaction: Transaction, key: int) -> None:
    """Make every cached decision about this patient unreachable."""
    counters.take(transaction, CHANGES)
    transaction.run(_BUMP["consent_epoch"], key=key)


def signatures_changed(transaction: Transaction, key: int) -> None:
    """Say that a new signature exists."""
    counters.take(transaction, CHANGES)
    transaction.run(_BUMP["signature_version"], key=key)


def topology_changed(transaction: Transaction, key: int) -> None:
    """Say that a device was added or hangs together differently."""
    counters.take(transaction, CHANGES)
    transaction.run(_BUMP["topology_version"], key=key)
