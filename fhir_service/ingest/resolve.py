"""Whose measurement it is, and which Device made it; by identifier, never a guess."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from conformance import fhir_json
from fhir_service.ingest.delivery import Delivery
from fhir_service.storage import devices, patients, resources, rows, types
from fhir_service.storage.engine import Transaction
from fhir_service.storage.patients import PatientState
from fhir_service.storage.repository import Repository
from fhir_service.storage.resources import Stored
from fhir_service.storage.tokens import identifier_token
from fhir_service.storage.units import unit_hash
from mappings.measurement import DeviceClue, Measurement, Reason

_GONE = frozenset({"inactive", "entered-in-error"})
"""Device.status that ends a registration."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Wearer:
    """Whose measurement it is, and where it was taken.

    Attributes:
        state: The patient.
        device: The registered Device, as `Device/id`, where the source needs one.
        room: `Location/id` of a sensor in a room.

    """

    state: PatientState
    device: str | None = None
    room: str | None = None


@dataclass(frozen=True, slots=True)
class Unresolved:
    """Why a measurement cannot be attributed."""

    reason: Reason
    detail: str


class Resolver:
    """Remembers, for one transaction, who and what the payload names."""

    def __init__(
        self, transaction: Transaction, repository: Repository, delivery: Delivery
    ) -> None:
        self._transaction = transaction
        self._repository = repository
        self._delivery = delivery
        self._wearers: dict[
            tuple[str | None, DeviceClue | None], Wearer | Unresolved
        ] = {}
        self._units: dict[tuple[int, DeviceClue], tuple[bytes, int | None]] = {}

    def wearer(self, measurement: Measurement) -> Wearer | Unresolved:
        """Return whose measurement it is."""
        clue = measurement.device if self._delivery.is_registered else None
        at = (measurement.patient, clue)
        found = self._wearers.get(at)
        if found is None:
            found = self._wearers[at] = self._resolve(*at)
        return found

    def _resolve(
        self, named: str | None, clue: DeviceClue | None
    ) -> Wearer | Unresolved:
        if self._delivery.is_registered:
            return self._registered(clue)
        asked = self._delivery.patient_id
        if asked is not None:
            return self._asked(asked, named)
        if named is None:
            return Unresolved(
                Reason.UNKNOWN_PATIENT, "Neither request nor payload names a patient."
            )
        candidates = self._named(named)
        if len(candidates) == 1:
            return Wearer(state=candidates[0])
        if candidates:
            return Unresolved(
                Reason.AMBIGUOUS_WEARER, "The payload's user is several patients."
            )
        return Unresolved(
            Reason.UNKNOWN_PATIENT, "The payload's user is no patient here."
        )

    def _asked(self, asked: str, named: str | None) -> Wearer | Unresolved:
        state = self._by_id(asked)
        if state is None:
            return Unresolved(
                Reason.UNKNOWN_PATIENT, "The patient named by the request is not here."
            )
        others = self._named(named) if named is not None else []
        if others and state.key not in {other.key for other in others}:
            return Unresolved(
                Reason.AMBIGUOUS_WEARER,
                "Request and payload name different patients.",
            )
        return Wearer(state=state)

    def _by_id(self, id_: str) -> PatientState | None:
        state = patients.by_id(self._transaction, types.number_of("Patient"), id_)
        if state is None:
            return None
        stored = self._repository.read(self._transaction, "Patient", id_)
        return None if stored is None or stored.deleted else state

    def _named(self, name: str) -> list[PatientState]:
        """Return the patients that the source's own name for a user can mean."""
        direct = self._by_id(name.removeprefix("Patient/"))
        found = {} if direct is None else {direct.key: direct}
        token = identifier_token(self._repository.blind, None, name)
        number = types.number_of("Patient")
        for key, _ in resources.by_token(
            self._transaction, number, "identifier", token
        ):
            state = patients.by_key(self._transaction, key)
            if state is not None:
                found[key] = state
        return list(found.values())

    def _registered(self, clue: DeviceClue | None) -> Wearer | Unresolved:
        if clue is None or clue.identifier is None:
            return Unresolved(Reason.UNKNOWN_DEVICE, "The payload names no device.")
        number = types.number_of("Device")
        token = identifier_token(self._repository.blind, clue.system, clue.identifier)
        found = [
            (stored, device)
            for _, row in resources.by_token(
                self._transaction, number, "identifier", token
            )
            for stored, device in self._device(row)
        ]
        if not found:
            return Unresolved(
                Reason.UNKNOWN_DEVICE, "No registered Device has this identifier."
            )
        if len({stored.patient_key for stored, _ in found}) > 1:
            return Unresolved(
                Reason.AMBIGUOUS_WEARER,
                "Devices of several patients have this identifier.",
            )
        stored, device = found[0]
        state = patients.by_key(self._transaction, stored.patient_key)
        asked = self._delivery.patient_id
        if state is None or not state.key or asked not in (None, state.id):
            return Unresolved(
                Reason.UNKNOWN_PATIENT, "The device is not registered for a patient."
            )
        return Wearer(
            state=state,
            device=f"Device/{device['id']}",
            room=(device.get("location") or {}).get("reference"),
        )

    def _device(self, row: int) -> list[tuple[Stored, Mapping[str, Any]]]:
        stored = resources.current(self._transaction, row)
        if stored is None or stored.deleted:
            return []
        device = fhir_json.loads(self._repository.body(self._transaction, stored))
        return [] if device.get("status") in _GONE else [(stored, device)]

    def unit(self, key: int, clue: DeviceClue) -> tuple[bytes, int | None]:
        """Return the unit's hash and the row of its Device, if there is one."""
        found = self._units.get((key, clue))
        if found is None:
            hashed = unit_hash(self._repository.blind, self._delivery.source, clue)
            row = devices.row_of_unit(self._transaction, key, hashed)
            found = self._units[(key, clue)] = (hashed, row)
        return found

    def reserve(self, key: int, clue: DeviceClue) -> int:
        """Return a row for the Device of a unit that has none yet."""
        hashed, row = self.unit(key, clue)
        if row is None:
            [row] = self._repository.new_rows(self._transaction, 1)
            self._units[(key, clue)] = (hashed, row)
        return row


def device_reference(repository: Repository, transaction: Transaction, row: int) -> str:
    """Return `Device/id` of the Device at `row`, or of the one to be stored there."""
    stored = resources.current(transaction, row)
    if stored is None:
        return f"Device/{rows.public_id(row)}"
    device = fhir_json.loads(repository.body(transaction, stored))
    return f"Device/{device['id']}"
