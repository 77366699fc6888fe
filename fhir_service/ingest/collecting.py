"""May a part that was refused be kept: only what consent lets the deliverer collect.

It is decided for a bare Observation of the kind that was meant, at its time where that
is known; where the kind is not known, only a permission of any kind will do.
"""

from typing import Any

from fhir_service.access import Gate
from fhir_service.ingest.delivery import Delivery
from fhir_service.storage.engine import Transaction
from fhir_service.storage.patients import PatientState
from mappings.kinds import kinds
from mappings.measurement import Measurement
from mappings.payload import Unreadable, instant
from mappings.template import concept


class Collecting:
    """Remembers, for one transaction, what of whom may be kept."""

    def __init__(
        self, transaction: Transaction, gate: Gate, delivery: Delivery
    ) -> None:
        self._transaction = transaction
        self._gate = gate
        self._delivery = delivery
        self._known: dict[tuple[int, str | None, str | None], bool] = {}

    def permits(
        self, state: PatientState, kind: str | None, measurement: Measurement | None
    ) -> bool:
        """Whether a part meant to be of a kind may be collected of a patient."""
        day = None if measurement is None else _day(measurement.start)
        at = (state.key, kind, day)
        if at not in self._known:
            self._known[at] = self._gate.collects(
                self._transaction,
                self._delivery.grant,
                state.key,
                _meant(state, kind, day),
            )
        return self._known[at]


def _day(start: str) -> str | None:
    """Return the day of a time; None for what is none."""
    try:
        return instant(start).text[:10]
    except Unreadable:
        return None


def _meant(state: PatientState, kind: str | None, day: str | None) -> dict[str, Any]:
    row = kinds().get(kind or "")
    resource: dict[str, Any] = {
        "resourceType": "Observation",
        "status": "final",
        "code": {"text": "not understood"} if row is None else concept(row.codings),
        "subject": {"reference": f"Patient/{state.id}"},
    }
    if row is not None and row.categories:
        resource["category"] = [concept([one]) for one in row.categories]
    if day is not None:
        resource["effectiveDateTime"] = day
    return resource
