"""Whose measurement it is, and which Device made it; by identifier, never a guess.

A pairing counts at the time of the measurement, so that each is looked at by its time;
what is asked of the database is asked once for each account or unit of a transaction.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any, NamedTuple

from conformance import fhir_json
from fhir_service.auth import local
from fhir_service.ingest.delivery import Delivery
from fhir_service.ingest.paired import Pairings, is_identified, pairings_of
from fhir_service.ingest.wearers import (
    DIFFERENT,
    NO_CLUE,
    NO_DEVICE,
    NO_USER,
    NOT_ASKED_FOR,
    NOT_NAMED,
    NOT_THEN,
    OF_ANOTHER,
    SEVERAL_IN_PAYLOAD,
    SEVERAL_USERS,
    SEVERAL_WEARERS,
    Claim,
    Unresolved,
    Wearer,
    fault_of,
)
from fhir_service.storage import (
    devices,
    patients,
    resources,
    rows,
    source_grants,
    types,
)
from fhir_service.storage.engine import Snapshot, Transaction
from fhir_service.storage.patients import PatientState
from fhir_service.storage.repository import Repository
from fhir_service.storage.source_grants import SourceGrant
from fhir_service.storage.tokens import identifier_token
from fhir_service.storage.units import unit_hash
from mappings.measurement import DeviceClue, Measurement

__all__ = ["Resolver", "Unresolved", "Wearer", "device_reference"]

_GONE = frozenset({"inactive", "entered-in-error"})
"""Device.status that ends a registration."""


class _Met(NamedTuple):
    """An account or unit that was met, and whose it was under which pairings."""

    pairings: Pairings
    answers: dict[int, Wearer | Unresolved]


class Resolver:
    """Remembers, for one transaction, who and what the payload names."""

    def __init__(
        self, transaction: Transaction, repository: Repository, delivery: Delivery
    ) -> None:
        self._transaction = transaction
        self._repository = repository
        self._delivery = delivery
        self._met: dict[tuple[str | None, DeviceClue | None], _Met] = {}
        self._units: dict[tuple[int, DeviceClue], tuple[bytes, int | None]] = {}

    def wearer(self, measurement: Measurement) -> Wearer | Unresolved:
        """Return whose measurement it is."""
        named, clue = measurement.patient, self._clue(measurement.device)
        met = self._met.get((named, clue))
        if met is None:
            met = self._met[(named, clue)] = self._meet(named, clue)
        bits = met.pairings.at(measurement.start_us)
        found = met.answers.get(bits)
        if found is None:
            found = self._resolve(named, clue, met.pairings, bits)
            met.answers[bits] = found
        return found

    def _clue(self, clue: DeviceClue | None) -> DeviceClue | None:
        """Return what is said of the unit, where that can tell whose it is."""
        if self._delivery.is_registered:
            return clue
        if clue is None or not self._pairs_units or not is_identified(clue):
            return None
        return clue

    @cached_property
    def _pairs_units(self) -> bool:
        return source_grants.pairs_units(self._transaction, self._delivery.source)

    def _meet(self, named: str | None, clue: DeviceClue | None) -> _Met:
        account = None if self._delivery.is_registered else named
        pairings = pairings_of(
            self._transaction, self._repository.blind, self._delivery, account, clue
        )
        return _Met(pairings, {})

    def of_account(self, named: str | None) -> Iterator[PatientState]:
        """Yield the deliverer's own patients with whom an account was ever paired."""
        if named is None or self._delivery.is_registered:
            return
        met = self._met.get((named, None))
        if met is None:
            met = self._met[(named, None)] = self._meet(named, None)
        yield from self._own_of(met.pairings.patients)

    def of_units(self, key: int) -> Iterator[PatientState]:
        """Yield those with whom a unit was ever paired that was a patient's, too."""
        if self._pairs_units:
            source = self._delivery.source
            keys = source_grants.sharing_units(self._transaction, source, key)
            yield from self._own_of(keys)

    def _own_of(self, keys: Iterable[int]) -> Iterator[PatientState]:
        for key in sorted(keys):
            state = patients.by_key(self._transaction, key)
            if state is None or self._by_id(state.id) is None:
                continue
            if self._is_own(state):
                yield state

    def _resolve(
        self,
        named: str | None,
        clue: DeviceClue | None,
        pairings: Pairings,
        bits: int,
    ) -> Wearer | Unresolved:
        claims = list(self._paired(pairings.under(bits)))
        if self._delivery.is_registered:
            if clue is None or not is_identified(clue):
                return NO_CLUE
            found = self._registrations(clue)
            claims += [one for one in found if one.state.key not in pairings.patients]
            return self._as_registered(claims)
        by_name = [] if named is None else self._named(named)
        claims += [
            Claim(state) for state in by_name if state.key not in pairings.patients
        ]
        if self._delivery.patient_id is not None:
            asked = self._asked(self._delivery.patient_id, claims, pairings)
            return asked if claims or not self._is_crowd(named) else self._other(asked)
        unknown = NOT_NAMED if named is None else NO_USER
        return self._settled(claims, unknown, SEVERAL_USERS)

    def _asked(
        self, asked: str, claims: Sequence[Claim], pairings: Pairings
    ) -> Wearer | Unresolved:
        """Return the patient whom the request names, unless the payload objects."""
        state = self._by_id(asked)
        if state is None:
            return NOT_ASKED_FOR
        told = NOT_ASKED_FOR
        mine = [one for one in claims if one.state.key == state.key]
        if not mine:
            fault = self._objection(state, claims, pairings)
            if fault is not None:
                return fault if self._is_own(state) else told
        return self._settled(mine or [Claim(state)], told, SEVERAL_USERS)

    def _is_crowd(self, named: str | None) -> bool:
        """Whether the payload tells of several users, of whom this is one."""
        return named is not None and len(self._delivery.accounts) > 1

    @staticmethod
    def _other(found: Wearer | Unresolved) -> Wearer | Unresolved:
        """Return the refusal of a user whom nobody knows, among several.

        The patient of the request can be one of them, and nobody tells which.
        """
        if isinstance(found, Wearer):
            return found.stranger or SEVERAL_IN_PAYLOAD
        return found

    def _objection(
        self, state: PatientState, claims: Sequence[Claim], pairings: Pairings
    ) -> Unresolved | None:
        """Return why a payload cannot be of a patient whom it does not name."""
        if any(self._is_own(one.state) for one in claims):
            return DIFFERENT
        return NOT_THEN if state.key in pairings.patients else None

    def _as_registered(self, claims: Sequence[Claim]) -> Wearer | Unresolved:
        found = self._settled(claims, NO_DEVICE, SEVERAL_WEARERS)
        if not isinstance(found, Wearer):
            return found
        if self._delivery.patient_id not in (None, found.state.id):
            return found.stranger or OF_ANOTHER
        return found

    def _settled(
        self, claims: Sequence[Claim], unknown: Unresolved, several: Unresolved
    ) -> Wearer | Unresolved:
        """Return the one wearer in the one place, or why there is none.

        The deliverer's own patients go first; of others it is told nothing.
        """
        own = [one for one in claims if self._is_own(one.state)]
        claims = own or claims
        if not claims:
            return unknown
        rooms = {one.room for one in claims if one.device or one.room}
        fault = fault_of(claims, rooms, several)
        if fault is not None:
            return fault if own else unknown
        state = claims[0].state
        return Wearer(
            state=state,
            device=next((one.device for one in claims if one.device), None),
            room=rooms.pop() if rooms else None,
            stranger=None if own else unknown,
        )

    def _is_own(self, state: PatientState) -> bool:
        """Whether the deliverer acts for the patient's custodian."""
        grant = self._delivery.grant
        return grant.client_id == local.COMMAND_LINE or (
            grant.organization is not None and grant.organization == state.organization
        )

    def _by_id(self, id_: str) -> PatientState | None:
        return patients.living(self._transaction, types.number_of("Patient"), id_)

    def _named(self, name: str) -> list[PatientState]:
        """Return the patients that the source's own name for a user can mean.

        An id of a Patient, or an identifier in the vendor's own system: an equal value
        in another system, such as a record number, is another thing.
        """
        direct = self._by_id(name.removeprefix("Patient/"))
        found = {} if direct is None else {direct.key: direct}
        system = self._delivery.identifier_system
        for key, _ in self._with_identifier("Patient", system, name):
            state = patients.by_key(self._transaction, key)
            if state is not None:
                found[key] = state
        return list(found.values())

    def _with_identifier(
        self, type_: str, system: str | None, value: str
    ) -> Iterable[tuple[int, int]]:
        token = identifier_token(self._repository.blind, system, value)
        number = types.number_of(type_)
        return resources.by_token(self._transaction, number, "identifier", token)

    def _paired(self, valid: Iterable[SourceGrant]) -> Iterator[Claim]:
        """Yield what pairings claim, as far as patient and Device are still here."""
        for grant in valid:
            state = patients.by_key(self._transaction, grant.patient_key)
            if state is None or self._by_id(state.id) is None:
                continue
            device = None
            if grant.device_row is not None:
                found = self._active(grant.device_row)
                if found is None:
                    continue
                device = f"Device/{found['id']}"
            yield Claim(state, device, grant.location, grant.is_told)

    def _registrations(self, clue: DeviceClue) -> Iterator[Claim]:
        """Yield the patients' active Devices with a sensor's identifier."""
        if clue.identifier is None:
            return
        for key, row in self._with_identifier("Device", clue.system, clue.identifier):
            state = patients.by_key(self._transaction, key)
            device = self._active(row)
            if state is not None and state.key and device is not None:
                room = (device.get("location") or {}).get("reference")
                yield Claim(state, f"Device/{device['id']}", room)

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


def device_reference(repository: Repository, transaction: Snapshot, row: int) -> str:
    """Return `Device/id` of the Device at `row`, or of the one to be stored there."""
    stored = resources.current(transaction, row)
    if stored is None:
        return f"Device/{rows.public_id(row)}"
    device = fhir_json.loads(repository.body(transaction, stored))
    return f"Device/{device['id']}"
