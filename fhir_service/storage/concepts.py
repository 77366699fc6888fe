"""Codings and sets of codings, interned as small integers.

The set of codings of a CodeableConcept is one `concept`; a search for a coding
resolves to the concepts that hold it. Concepts are few (hundreds) and never change,
so a process remembers them all; what a transaction adds is remembered only once it
is durable.
"""

import hashlib
import json
from collections.abc import Iterable

from sqlalchemy import bindparam, delete, insert, select

from fhir_service.storage import counters, patients
from fhir_service.storage.engine import Snapshot, Transaction
from fhir_service.storage.statement import Statement, columns_of
from fhir_service.storage.tables import (
    coding,
    concept,
    concept_coding,
    patient_coding,
    row_coding,
)

Coding = tuple[str, str]
"""System and code; an absent system is the empty string."""

_CODING = Statement(
    select(coding.c.coding_id).where(
        coding.c.system == bindparam("system"), coding.c.code == bindparam("code")
    )
)
_CONCEPTS_OF_CODE = Statement(
    select(concept_coding.c.concept_id)
    .join(coding, coding.c.coding_id == concept_coding.c.coding_id)
    .where(coding.c.code == bindparam("code"))
)
_CONCEPTS_OF_CODING = Statement(
    select(concept_coding.c.concept_id)
    .join(coding, coding.c.coding_id == concept_coding.c.coding_id)
    .where(coding.c.code == bindparam("code"), coding.c.system == bindparam("system"))
)
_CONCEPT = Statement(
    select(concept.c.concept_id).where(concept.c.digest == bindparam("digest"))
)
_ADD_CODING = Statement(
    insert(coding).values(**columns_of(["coding_id", "system", "code"]))
)
_ADD_CONCEPT = Statement(insert(concept).values(**columns_of(["concept_id", "digest"])))
_ADD_MEMBER = Statement(
    insert(concept_coding).values(**columns_of(["coding_id", "concept_id"]))
)

NO_CONCEPT = 0
"""The key of a resource that has no coding there."""


class Concepts:
    """The interned sets of codings of one database."""

    def __init__(self) -> None:
        self._keys: dict[frozenset[Coding], int] = {}

    def intern(self, transaction: Transaction, codings: Iterable[Coding]) -> int:
        """Return the key of this set of codings, adding it where it is new."""
        members = frozenset(codings)
        if not members:
            return NO_CONCEPT
        key = self._keys.get(members)
        if key is None:
            key = _find_or_add(transaction, members)
            transaction.after_commit(lambda: self._keys.__setitem__(members, key))
        return key

    @staticmethod
    def matching(snapshot: Snapshot, system: str | None, code: str) -> frozenset[int]:
        """Return the concepts that hold `system|code`; any system where None."""
        if system is None:
            rows = snapshot.all(_CONCEPTS_OF_CODE, code=code)
        else:
            rows = snapshot.all(_CONCEPTS_OF_CODING, system=system, code=code)
        return frozenset(concept_id for (concept_id,) in rows)


def _find_or_add(transaction: Transaction, members: frozenset[Coding]) -> int:
    ordered = sorted(members)
    digest = hashlib.blake2b(
        json.dumps(ordered, ensure_ascii=False).encode(), digest_size=16
    ).digest()
    found = transaction.one(_CONCEPT, digest=digest)
    if found is not None:
        known: int = found[0]
        return known
    key = counters.take(transaction, "concept")
    transaction.run(_ADD_CONCEPT, concept_id=key, digest=digest)
    for system, code in ordered:
        transaction.run(
            _ADD_MEMBER,
            coding_id=coding_id(transaction, system, code),
            concept_id=key,
        )
    return key


def coding_id(transaction: Transaction, system: str, code: str) -> int:
    """Return the number of this coding, adding it where it is new."""
    found = transaction.one(_CODING, system=system, code=code)
    if found is not None:
        known: int = found[0]
        return known
    key = counters.take(transaction, "coding")
    transaction.run(_ADD_CODING, coding_id=key, system=system, code=code)
    return key


_ADD_ROW_CODING = Statement(
    insert(row_coding).values(**columns_of(["patient_key", "coding_id", "row"]))
)
_REMOVE_ROW_CODING = Statement(
    delete(row_coding).where(
        row_coding.c.patient_key == bindparam("patient_key"),
        row_coding.c.coding_id == bindparam("coding_id"),
        row_coding.c.row == bindparam("key"),
    )
)
_ADD_PATIENT_CODING = Statement(
    insert(patient_coding).values(**columns_of(["patient_key", "coding_id"]))
)
_HAS_PATIENT_CODING = Statement(
    select(patient_coding.c.coding_id).where(
        patient_coding.c.patient_key == bindparam("patient_key"),
        patient_coding.c.coding_id == bindparam("coding_id"),
    )
)
_CODINGS_OF_PATIENT = Statement(
    select(coding.c.system, coding.c.code, coding.c.coding_id)
    .select_from(
        patient_coding.join(coding, coding.c.coding_id == patient_coding.c.coding_id)
    )
    .where(patient_coding.c.patient_key == bindparam("patient_key"))
)


def add_row_codings(
    transaction: Transaction, patient_key: int, row: int, codings: Iterable[Coding]
) -> None:
    """Index a row under the codings that its signature does not hold.

    A coding that is new for the patient counts as a new signature: decisions that
    took it for absent must be taken again.
    """
    for system, code in sorted(set(codings)):
        number = coding_id(transaction, system, code)
        transaction.run(
            _ADD_ROW_CODING, patient_key=patient_key, coding_id=number, row=row
        )
        at = {"patient_key": patient_key, "coding_id": number}
        if transaction.one(_HAS_PATIENT_CODING, **at) is None:
            transaction.run(_ADD_PATIENT_CODING, **at)
            patients.signatures_changed(transaction, patient_key)


def remove_row_codings(
    transaction: Transaction, patient_key: int, row: int, codings: Iterable[Coding]
) -> None:
    """Take a row out of the index of other codings."""
    for system, code in sorted(set(codings)):
        number = coding_id(transaction, system, code)
        transaction.run(
            _REMOVE_ROW_CODING, patient_key=patient_key, coding_id=number, key=row
        )


def other_codings(snapshot: Snapshot, patient_key: int) -> dict[Coding, int]:
    """Return the codings that rows of the patient hold beside their signatures."""
    rows = snapshot.all(_CODINGS_OF_PATIENT, patient_key=patient_key)
    return {(system, code): number for system, code, number in rows}
