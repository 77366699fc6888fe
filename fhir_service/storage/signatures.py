"""Signatures: the interned tuples by which consent decides about many rows at once.

A signature never changes; a patient gets new ones. Those of a patient at a given
`signature_version` are remembered by the process.
"""

import threading
from collections import OrderedDict
from dataclasses import dataclass

from sqlalchemy import bindparam, insert, select

from consent.facets import Facets, digest, from_json, to_json
from fhir_service.storage import counters, patients
from fhir_service.storage.engine import Snapshot, Transaction
from fhir_service.storage.patients import PatientState
from fhir_service.storage.remembered import Remembered
from fhir_service.storage.statement import Statement, columns_of
from fhir_service.storage.tables import signature

REMEMBERED_PATIENTS = 4096
REMEMBERED_SIGNATURES = 16_384


@dataclass(frozen=True, kw_only=True, slots=True)
class Signature:
    """A signature of one patient.

    Attributes:
        id: Its interned number, as rows carry it.
        type_id: The resource type's number.
        code_key: The concept of the principal codings; 0 where there are none.
        facets: What a consent can ask about.

    """

    id: int
    type_id: int
    code_key: int
    facets: Facets


_OF_PATIENT = Statement(
    select(
        signature.c.signature_id,
        signature.c.type,
        signature.c.code_key,
        signature.c.facets,
    )
    .where(signature.c.patient_key == bindparam("key"))
    .order_by(signature.c.signature_id)
)
_BY_DIGEST = Statement(
    select(signature.c.signature_id).where(
        signature.c.patient_key == bindparam("key"),
        signature.c.digest == bindparam("digest"),
    )
)
_BY_ID = Statement(
    select(
        signature.c.patient_key,
        signature.c.type,
        signature.c.code_key,
        signature.c.facets,
    ).where(signature.c.signature_id == bindparam("id"))
)
_INSERT = Statement(
    insert(signature).values(
        **columns_of(
            ["signature_id", "patient_key", "type", "code_key", "digest", "facets"]
        )
    )
)


class Signatures:
    """The signatures of one database."""

    def __init__(self) -> None:
        self._interned: Remembered[tuple[int, int, int, Facets], int]
        self._interned = Remembered(REMEMBERED_SIGNATURES)
        self._known: OrderedDict[tuple[int, int], tuple[Signature, ...]] = OrderedDict()
        self._guard = threading.Lock()

    def of(self, snapshot: Snapshot, state: PatientState) -> tuple[Signature, ...]:
        """Return every signature of the patient, as of this snapshot."""
        at = (state.key, state.signature_version)
        known = self._known.get(at)
        if known is None:
            known = tuple(
                Signature(
                    id=id_,
                    type_id=type_id,
                    code_key=code_key,
                    facets=from_json(bytes(facets)),
                )
                for id_, type_id, code_key, facets in snapshot.all(
                    _OF_PATIENT, key=state.key
                )
            )
            self._remember(at, known)
        return known

    def intern(
        self,
        transaction: Transaction,
        key: int,
        type_id: int,
        code_key: int,
        facets: Facets,
    ) -> int:
        """Return the number of this signature, adding it where it is new.

        One that is durable is remembered: a signature never changes.
        """
        return self._interned.of(
            transaction,
            (key, type_id, code_key, facets),
            lambda: _intern(transaction, key, type_id, code_key, facets),
        )

    def forget(self) -> None:
        """Forget every signature that was remembered."""
        with self._guard:
            self._known.clear()
        self._interned.forget()

    def _remember(self, at: tuple[int, int], known: tuple[Signature, ...]) -> None:
        with self._guard:
            self._known[at] = known
            while len(self._known) > REMEMBERED_PATIENTS:
                self._known.popitem(last=False)


def by_id(snapshot: Snapshot, id_: int) -> tuple[int, Signature] | None:
    """Return (patient_key, signature)."""
    found = snapshot.one(_BY_ID, id=id_)
    if found is None:
        return None
    key, type_id, code_key, facets = found
    return key, Signature(
        id=id_, type_id=type_id, code_key=code_key, facets=from_json(bytes(facets))
    )


def _intern(
    transaction: Transaction, key: int, type_id: int, code_key: int, facets: Facets
) -> int:
    written = to_json(facets)
    hashed = digest(code_key.to_bytes(8) + written)
    found = transaction.one(_BY_DIGEST, key=key, digest=hashed)
    if found is not None:
        known: int = found[0]
        return known
    id_ = counters.take(transaction, "signature")
    transaction.run(
        _INSERT,
        signature_id=id_,
        patient_key=key,
        type=type_id,
        code_key=code_key,
        digest=hashed,
        facets=written,
    )
    patients.signatures_changed(transaction, key)
    return id_
