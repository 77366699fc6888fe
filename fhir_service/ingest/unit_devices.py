"""The Device that a measurement names: the unit's own, stored with its first one.

A Device that consent does not let the deliverer collect is not stored, and what it
has measured names none; the unit is still a part of the measurement's key. Another
firmware or software of a unit is a new version of its Device, once.
"""

from typing import Any, NamedTuple

from conformance import fhir_json
from fhir_service.access import Gate
from fhir_service.ingest.delivery import Delivery
from fhir_service.ingest.resolve import Resolver, Wearer
from fhir_service.rest.instant import fhir_instant
from fhir_service.storage import (
    device_states,
    devices,
    programs,
    resources,
    rows,
    types,
    units,
)
from fhir_service.storage.engine import Transaction
from fhir_service.storage.patients import PatientState
from fhir_service.storage.repository import Repository
from fhir_service.storage.resources import Stored
from mappings.device import device_resource, is_device, other_clues, with_versions
from mappings.measurement import DeviceClue

Resource = dict[str, Any]


class _Unstored(NamedTuple):
    """A unit whose first measurement under this clue is not stored yet.

    Attributes:
        state: Whose it is.
        row: Where its Device is, or is to be stored.
        clue: What the payload says of it.

    """

    state: PatientState
    row: int
    clue: DeviceClue


class Known(NamedTuple):
    """A Device that is stored.

    Attributes:
        stored: Its current version.
        device: The same as a resource.

    """

    stored: Stored
    device: Resource


class UnitDevices:
    """Remembers, for one transaction, the Devices of the units that it meets."""

    def __init__(
        self,
        transaction: Transaction,
        repository: Repository,
        gate: Gate,
        delivery: Delivery,
        resolver: Resolver,
    ) -> None:
        self._transaction = transaction
        self._repository = repository
        self._gate = gate
        self._delivery = delivery
        self._resolver = resolver
        self._source = repository.blind.source("no device", delivery.source)
        self._named: dict[tuple[int, DeviceClue], str | None] = {}
        self._of_unit: dict[tuple[int, bytes], str | None] = {}
        self._known: dict[str, Known | None] = {}
        self._unstored: dict[str, _Unstored] = {}
        self._unregistered: dict[str | None, _Unstored] = {}

    def named(
        self, wearer: Wearer, clue: DeviceClue | None
    ) -> tuple[str | None, bytes]:
        """Return the Device's reference and the key that stands for its unit.

        A clue that tells sources apart and says nothing of a device has a key of its
        own and no Device.
        """
        if clue is None:
            return None, self._source
        key = wearer.state.key
        unit, row = self._resolver.unit(key, clue)
        if wearer.device is not None:
            return wearer.device, unit
        at = (key, clue)
        if at not in self._named:
            self._named[at] = (
                self._reference(wearer.state, unit, row, clue)
                if is_device(clue)
                else None
            )
        return self._named[at], unit

    def _reference(
        self, state: PatientState, unit: bytes, row: int | None, clue: DeviceClue
    ) -> str | None:
        """Return the one Device of a unit, whatever its versions are meanwhile."""
        at = (state.key, unit)
        if at not in self._of_unit:
            if row is None:
                row = self._known_otherwise(state, clue)
            self._of_unit[at] = (
                self._reserved(state, clue) if row is None else self._stored_at(row)
            )
        return self._of_unit[at]

    def _known_otherwise(self, state: PatientState, clue: DeviceClue) -> int | None:
        """Return the row of a Device that another of its marks leads to."""
        for other in other_clues(clue):
            unit = units.unit_hash(self._repository.blind, "", other)
            row = devices.row_of_unit(self._transaction, state.key, unit)
            if row is not None:
                self._unregistered[self._stored_at(row)] = _Unstored(state, row, clue)
                return row
        return None

    def _stored_at(self, row: int) -> str:
        stored = resources.current(self._transaction, row)
        if stored is None:
            return f"Device/{rows.public_id(row)}"
        known = self._read(stored)
        reference = f"Device/{known.device['id']}"
        self._known[reference] = None if stored.deleted else known
        return reference

    def _read(self, stored: Stored) -> Known:
        body = self._repository.body(self._transaction, stored)
        return Known(stored, fhir_json.loads(body))

    def _reserved(self, state: PatientState, clue: DeviceClue) -> str | None:
        """Return the reference of a Device to be stored, if it may be collected."""
        row = self._resolver.reserve(state.key, clue)
        unstored = _Unstored(state, row, clue)
        if not self._may_collect(state.key, self._resource(unstored)):
            return None
        reference = f"Device/{rows.public_id(row)}"
        self._unstored[reference] = unstored
        return reference

    def _may_collect(self, key: int, device: Resource) -> bool:
        grant = self._delivery.grant
        return self._gate.collects(self._transaction, grant, key, device)

    def _resource(self, unstored: _Unstored) -> Resource:
        return device_resource(
            unstored.clue,
            id=rows.public_id(unstored.row),
            version="1",
            last_updated=fhir_instant(self._repository.clock()),
            patient=f"Patient/{unstored.state.id}",
        )

    def store(self, reference: str | None, batch_id: int) -> int | None:
        """Store the Device of a unit with its first measurement; return its `seq`."""
        if reference in self._unregistered:
            self._register(self._unregistered.pop(reference))
        if reference is None or reference not in self._unstored:
            return None
        unstored = self._unstored.pop(reference)
        key, row = unstored.state.key, unstored.row
        written = self._repository.create_at(
            self._transaction,
            programs.as_written(
                self._repository,
                self._transaction,
                self._delivery.grant.organization,
                self._resource(unstored),
            ),
            row=row,
            patient_key=key,
            batch_id=batch_id,
        )
        self._register(unstored)
        self._known[reference] = self._read(written.stored)
        return written.stored.seq

    def _register(self, one: _Unstored) -> None:
        self._repository.register_unit(
            self._transaction, one.state.key, one.row, self._delivery.source, one.clue
        )

    def known(self, reference: str) -> Known | None:
        """Return the current version of a Device that is stored; None where it is not.

        One that is registered has the id that its client chose.
        """
        if reference not in self._known:
            id_ = reference.removeprefix("Device/")
            found = self._repository.read(self._transaction, "Device", id_)
            is_there = found is not None and not found.deleted
            self._known[reference] = (
                self._read(found) if found is not None and is_there else None
            )
        return self._known[reference]

    def row_of(self, reference: str) -> int | None:
        """Return the row of a Device that is stored."""
        if reference in self._known:
            known = self._known[reference]
            return None if known is None else known.stored.row
        id_, number = reference.removeprefix("Device/"), types.number_of("Device")
        at = resources.locate(self._transaction, number, id_)
        return None if at is None else at[1]

    def collected(self, wearer: Wearer, clue: DeviceClue | None) -> str | None:
        """Return the Device of a refused reading, if there is one to say it of."""
        reference, _ = self.named(wearer, clue)
        if reference is None or reference in self._unstored:
            return None
        known = self.known(reference)
        if known is None or not self._may_collect(wearer.state.key, known.device):
            return None
        return reference

    def renew(
        self, reference: str, clue: DeviceClue, at_us: int, batch_id: int
    ) -> int | None:
        """Store the versions that a unit has now; return the `seq`, if they are news.

        Args:
            reference: The Device.
            clue: What the newest reading says of its versions.
            at_us: When that was taken: an older one does not undo a newer one's.
            batch_id: Of what the delivery writes.

        """
        known = self.known(reference)
        changed = None if known is None else with_versions(known.device, clue)
        if known is None or changed is None or self._is_old(known.stored, at_us):
            return None
        if not self._may_collect(known.stored.patient_key, changed):
            return None
        written = self._repository.update(
            self._transaction,
            known.stored,
            programs.as_amended(
                self._repository,
                self._transaction,
                self._delivery.grant.organization,
                known.device,
                changed,
            ),
            id_=str(known.device["id"]),
            batch_id=batch_id,
        )
        self._known[reference] = self._read(written.stored)
        return written.stored.seq

    def _is_old(self, stored: Stored, at_us: int) -> bool:
        key, row = stored.patient_key, stored.row
        state = device_states.of_device(self._transaction, key, row)
        return state is not None and (state.versions_at or at_us) > at_us
