"""Whose measurement it is, and which Device made it; by identifier, never a guess."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from conformance import fhir_json
from fhir_service.auth import local
from fhir_service.ingest.delivery import Delivery
from fhir_service.storage import devices, patients, resources, rows, types
from fhir_service.storage.engine import Transaction
from fhir_service.storage.patients import PatientState
from fhir_service.storage.repository import Repository
from fhir_service.storage.tokens import identifier_token
from fhir_service.storage.units import unit_hash
from mappings.measurement import DeviceClue, Measurement, Reason

_GONE = frozenset({"inactive", "entered-in-error"})
"""Device.status that ends a registration."""


@dataclass(frozen=True, slots=True)
class Unresolved:
    """Why a measurement cannot be attributed."""

    reason: Reason
    detail: str


_NOT_NAMED = Unresolved(
    Reason.UNKNOWN_PATIENT, "Neither request nor payload names a patient."
)
_NOT_ASKED_FOR = Unresolved(
    Reason.UNKNOWN_PATIENT, "The patient named by the request is not here."
)
_NO_USER = Unresolved(Reason.UNKNOWN_PATIENT, "The payload's user is no patient here.")
_SEVERAL_USERS = Unresolved(
    Reason.AMBIGUOUS_WEARER, "The payload's user is several patients."
)
_DIFFERENT = Unresolved(
    Reason.AMBIGUOUS_WEARER, "Request and payload name different patients."
)
_NO_CLUE = Unresolved(Reason.UNKNOWN_DEVICE, "The payload names no device.")
_NO_DEVICE = Unresolved(
    Reason.UNKNOWN_DEVICE, "No registered Device has this identifier."
)
_SEVERAL_WEARERS = Unresolved(
    Reason.AMBIGUOUS_WEARER, "Devices of several patients have this identifier."
)
_SEVERAL_ROOMS = Unresolved(
    Reason.AMBIGUOUS_WEARER, "Devices in several rooms have this identifier."
)
_OF_ANOTHER = Unresolved(
    Reason.UNKNOWN_PATIENT, "The device is registered for another patient."
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Wearer:
    """Whose measurement it is, and where it was taken.

    Attributes:
        state: The patient.
        device: The registered Device, as `Device/id`, where the source needs one.
        room: `Location/id` of a sensor in a room.
        stranger: What the deliverer is told where collecting is not permitted: the
            answer for a patient who is not here. None for the patient's custodian.

    """

    state: PatientState
    device: str | None = None
    room: str | None = None
    stranger: Unresolved | None = None


class _Registered(NamedTuple):
    """A Device that stands for a sensor."""

    state: PatientState
    reference: str
    room: str | None


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
            return _NOT_NAMED
        candidates = self._own_first(self._named(named))
        if len(candidates) == 1:
            return self._wearer(candidates[0], _NO_USER)
        if candidates and self._is_own(candidates[0]):
            return _SEVERAL_USERS
        return _NO_USER

    def _asked(self, asked: str, named: str | None) -> Wearer | Unresolved:
        state = self._by_id(asked)
        if state is None:
            return _NOT_ASKED_FOR
        others = self._named(named) if named is not None else []
        own = [other for other in others if self._is_own(other)]
        if own and state.key not in {other.key for other in others}:
            return _DIFFERENT if self._is_own(state) else _NOT_ASKED_FOR
        return self._wearer(state, _NOT_ASKED_FOR)

    def _wearer(self, state: PatientState, stranger: Unresolved) -> Wearer:
        return Wearer(state=state, stranger=None if self._is_own(state) else stranger)

    def _is_own(self, state: PatientState) -> bool:
        """Whether the deliverer acts for the patient's custodian."""
        grant = self._delivery.grant
        return grant.client_id == local.COMMAND_LINE or (
            grant.organization is not None and grant.organization == state.organization
        )

    def _own_first(self, found: list[PatientState]) -> list[PatientState]:
        """Return the deliverer's own patients, or all where none is its own."""
        return [state for state in found if self._is_own(state)] or found

    def _by_id(self, id_: str) -> PatientState | None:
        state = patients.by_id(self._transaction, types.number_of("Patient"), id_)
        if state is None:
            return None
        stored = self._repository.read(self._transaction, "Patient", id_)
        return None if stored is None or stored.deleted else state

    def _named(self, name: str) -> list[PatientState]:
        """Return the patients that the source's own name for a user can mean.

        An id of a Patient, or an identifier in the vendor's own system: an equal value
        in another system, such as a record number, is another thing.
        """
        direct = self._by_id(name.removeprefix("Patient/"))
        found = {} if direct is None else {direct.key: direct}
        system = self._delivery.identifier_system
        token = identifier_token(self._repository.blind, system, name)
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
            return _NO_CLUE
        found = self._registrations(clue)
        own = [one for one in found if self._is_own(one.state)]
        found = own or found
        if not found:
            return _NO_DEVICE
        fault = self._fault(found)
        if fault is not None:
            return fault if own else _NO_DEVICE
        state, reference, room = found[0]
        return Wearer(
            state=state,
            device=reference,
            room=room,
            stranger=None if own else _NO_DEVICE,
        )

    def _fault(self, found: list[_Registered]) -> Unresolved | None:
        """Return why registrations do not tell one patient and one room."""
        if len({one.state.key for one in found}) > 1:
            return _SEVERAL_WEARERS
        if len({one.room for one in found}) > 1:
            return _SEVERAL_ROOMS
        if self._delivery.patient_id not in (None, found[0].state.id):
            return _OF_ANOTHER
        return None

    def _registrations(self, clue: DeviceClue) -> list[_Registered]:
        """Return the patients' active Devices with a sensor's identifier."""
        token = identifier_token(
            self._repository.blind, clue.system, clue.identifier or ""
        )
        found = []
        for key, row in resources.by_token(
            self._transaction, types.number_of("Device"), "identifier", token
        ):
            state = patients.by_key(self._transaction, key)
            device = self._active(row)
            if state is not None and state.key and device is not None:
                room = (device.get("location") or {}).get("reference")
                found.append(_Registered(state, f"Device/{device['id']}", room))
        return found

    def _active(self, row: int) -> Mapping[str, Any] | None:
        stored = resources.current(self._transaction, row)
        if stored is None or stored.deleted:
            return None
        device: Mapping[str, Any] = fhir_json.loads(
            self._repository.body(self._transaction, stored)
        )
        return None if device.get("status") in _GONE else device

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
