"""The Device that a measurement names: the unit's own, stored with its first one.

A Device that consent does not let the deliverer collect is not stored, and what it
has measured names none; the unit is still a part of the measurement's key.
"""

from fhir_service.access import Gate
from fhir_service.ingest.delivery import Delivery
from fhir_service.ingest.resolve import Resolver, Wearer, device_reference
from fhir_service.rest.instant import fhir_instant
from fhir_service.storage import programs, rows
from fhir_service.storage.engine import Transaction
from fhir_service.storage.patients import PatientState
from fhir_service.storage.repository import Repository
from mappings.device import device_resource
from mappings.measurement import DeviceClue


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
        self._unstored: dict[str, tuple[PatientState, int, DeviceClue]] = {}

    def named(
        self, wearer: Wearer, clue: DeviceClue | None
    ) -> tuple[str | None, bytes]:
        """Return the Device's reference and the key that stands for its unit."""
        if clue is None:
            return None, self._source
        key = wearer.state.key
        unit, row = self._resolver.unit(key, clue)
        if wearer.device is not None:
            return wearer.device, unit
        at = (key, clue)
        if at not in self._named:
            self._named[at] = (
                self._reserved(wearer.state, clue)
                if row is None
                else device_reference(self._repository, self._transaction, row)
            )
        return self._named[at], unit

    def _reserved(self, state: PatientState, clue: DeviceClue) -> str | None:
        """Return the reference of a Device to be stored, if it may be collected."""
        row = self._resolver.reserve(state.key, clue)
        may_collect = self._gate.collects(
            self._transaction,
            self._delivery.grant,
            state.key,
            self._resource(state, row, clue),
        )
        if not may_collect:
            return None
        reference = f"Device/{rows.public_id(row)}"
        self._unstored[reference] = (state, row, clue)
        return reference

    def _resource(
        self, state: PatientState, row: int, clue: DeviceClue
    ) -> dict[str, object]:
        return device_resource(
            clue,
            id=rows.public_id(row),
            version="1",
            last_updated=fhir_instant(self._repository.clock()),
            patient=f"Patient/{state.id}",
        )

    def store(self, reference: str | None, batch_id: int) -> int | None:
        """Store the Device of a unit with its first measurement; return its `seq`."""
        if reference is None or reference not in self._unstored:
            return None
        state, row, clue = self._unstored.pop(reference)
        written = self._repository.create_at(
            self._transaction,
            programs.as_written(
                self._repository,
                self._transaction,
                self._delivery.grant.organization,
                self._resource(state, row, clue),
            ),
            row=row,
            patient_key=state.key,
            batch_id=batch_id,
        )
        self._repository.register_unit(
            self._transaction, state.key, row, self._delivery.source, clue
        )
        return written.stored.seq
