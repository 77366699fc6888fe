"""Whose consents hang on what a resource refers to.

A consent may select what another resource refers to. When that resource changes, the
patient's decisions are taken again. What was named once stays named.
"""

from collections.abc import Iterable

from sqlalchemy import bindparam, select
from sqlalchemy.dialects.postgresql import insert

from fhir_service.storage import patients
from fhir_service.storage.blind_index import BlindIndex
from fhir_service.storage.engine import Transaction
from fhir_service.storage.mentions import hash_of
from fhir_service.storage.statement import Statement, columns_of
from fhir_service.storage.tables import consent_named

_ADD = Statement(
    insert(consent_named)
    .values(**columns_of(["hash", "patient_key"]))
    .on_conflict_do_nothing()
)
_NAMING = Statement(
    select(consent_named.c.patient_key).where(consent_named.c.hash == bindparam("of"))
)


def add(
    transaction: Transaction,
    blind: BlindIndex,
    patient_key: int,
    references: Iterable[str],
) -> None:
    """Record what a consent of the patient names."""
    for reference in sorted(references):
        hashed = hash_of(blind, reference)
        transaction.run(_ADD, hash=hashed, patient_key=patient_key)


def changed(transaction: Transaction, blind: BlindIndex, reference: str) -> None:
    """Say that a resource refers to something else than before."""
    for (patient_key,) in transaction.all(_NAMING, of=hash_of(blind, reference)):
        patients.consent_changed(transaction, patient_key)
