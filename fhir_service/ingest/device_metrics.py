"""The DeviceMetrics of a delivery: one a Device and kind, as its calibration stands.

Stored and changed only where consent lets the deliverer collect both the Device and
the metric.
"""

from collections.abc import Iterator

from conformance import fhir_json
from fhir_service.access import Gate
from fhir_service.ingest.delivery import Delivery
from fhir_service.ingest.device_notes import Note
from fhir_service.ingest.unit_devices import Known, Resource, UnitDevices
from fhir_service.rest.instant import fhir_instant
from fhir_service.storage import device_states, devices, programs, resources, rows
from fhir_service.storage.engine import Transaction
from fhir_service.storage.repository import Repository
from mappings.device_metric import metric_resource, with_calibration


class DeviceMetrics:
    """Keeps the metrics of what one transaction has met."""

    def __init__(
        self,
        transaction: Transaction,
        repository: Repository,
        gate: Gate,
        delivery: Delivery,
        units: UnitDevices,
    ) -> None:
        self._transaction = transaction
        self._repository = repository
        self._gate = gate
        self._delivery = delivery
        self._units = units

    def keep(self, reference: str, note: Note, batch_id: int) -> Iterator[int]:
        """Store what readings tell of calibration; yield the `seq` of what is new.

        What comes after newer readings of the Device is not news.
        """
        known = self._units.known(reference)
        if known is None:
            return
        key, row = known.stored.patient_key, known.stored.row
        state = device_states.of_device(self._transaction, key, row)
        before = None if state is None else state.last_taken
        for kind, (at_us, calibration) in sorted(note.calibrations.items()):
            if before is None or at_us >= before:
                seq = self._put(reference, known, kind, calibration, batch_id)
                if seq is not None:
                    yield seq

    def _put(
        self, reference: str, known: Known, kind: str, calibration: str, batch_id: int
    ) -> int | None:
        key = known.stored.patient_key
        unit = self._repository.blind.unit("metric", str(known.stored.row), kind)
        row = devices.row_of_unit(self._transaction, key, unit)
        if row is not None:
            return self._change(row, known, calibration, batch_id)
        [row] = self._repository.new_rows(self._transaction, 1)
        metric = metric_resource(
            kind,
            id=rows.public_id(row),
            version="1",
            last_updated=fhir_instant(self._repository.clock()),
            device=reference,
            calibration=calibration,
        )
        if not self._may_collect(known, metric):
            return None
        devices.add_unit(self._transaction, key, unit, row)
        written = self._repository.create_at(
            self._transaction,
            programs.as_written(
                self._repository,
                self._transaction,
                self._delivery.grant.organization,
                metric,
            ),
            row=row,
            patient_key=key,
            batch_id=batch_id,
        )
        return written.stored.seq

    def _change(
        self, row: int, known: Known, calibration: str, batch_id: int
    ) -> int | None:
        """Store another state of a metric; not of one that was deleted."""
        stored = resources.current(self._transaction, row)
        if stored is None or stored.deleted:
            return None
        body = self._repository.body(self._transaction, stored)
        metric: Resource = fhir_json.loads(body)
        changed = with_calibration(metric, calibration)
        if changed is None or not self._may_collect(known, changed):
            return None
        written = self._repository.update(
            self._transaction,
            stored,
            programs.as_amended(
                self._repository,
                self._transaction,
                self._delivery.grant.organization,
                metric,
                changed,
            ),
            id_=str(metric["id"]),
            batch_id=batch_id,
        )
        return written.stored.seq

    def _may_collect(self, known: Known, metric: Resource) -> bool:
        key, grant = known.stored.patient_key, self._delivery.grant
        return all(
            self._gate.collects(self._transaction, grant, key, one)
            for one in (known.device, metric)
        )
