"""Candidates → rows: Observations, their indexes and keys, and their Devices."""

from collections.abc import Sequence
from typing import NamedTuple

from conformance import fhir_json
from fhir_service.ingest.candidates import (
    Candidate,
    Written,
    index_entry,
    own_postings,
    quantities,
    rendered,
    with_sources,
)
from fhir_service.ingest.constants import Constants, Shapes
from fhir_service.ingest.delivery import Delivery
from fhir_service.ingest.device_metrics import DeviceMetrics
from fhir_service.ingest.device_notes import DeviceNotes
from fhir_service.ingest.resolve import Wearer
from fhir_service.ingest.unit_devices import UnitDevices
from fhir_service.rest.instant import fhir_instant
from fhir_service.storage import (
    batches,
    concepts,
    counters,
    device_states,
    mentions,
    observations,
    programs,
    resources,
    rows,
    source_keys,
    types,
)
from fhir_service.storage.engine import Transaction
from fhir_service.storage.repository import Repository
from fhir_service.storage.resources import Stored
from fhir_service.storage.source_keys import Recorded
from mappings.measurement import Measurement
from mappings.normalise import MAX_SKEW_US

Known = dict[bytes, Recorded]
"""Source key → what is stored under it."""

Shaped = tuple[Candidate, Constants]
"""A candidate that consent permits, and what it shares with others."""


class Amended(NamedTuple):
    """A correction, the version that it follows, and the newest of the source's."""

    candidate: Candidate
    old: Stored
    version: int | None


class Observing:
    """Writes what was decided on, in one transaction and under one batch."""

    def __init__(  # noqa: PLR0913, PLR0917 - the parts that meet here
        self,
        transaction: Transaction,
        repository: Repository,
        delivery: Delivery,
        shapes: Shapes,
        devices: UnitDevices,
        metrics: DeviceMetrics,
    ) -> None:
        self._transaction = transaction
        self._repository = repository
        self._delivery = delivery
        self._shapes = shapes
        self._devices = devices
        self._metrics = metrics
        self._notes = DeviceNotes(delivery)
        self._number = 0
        self._after_row = counters.current(transaction, "row")
        self.written: list[int] = []

    @property
    def number(self) -> int | None:
        """Return the number of the batch, once something is written."""
        return self._number or None

    def _batch(self) -> int:
        if not self._number:
            delivery = self._delivery
            self._number = batches.add(
                self._transaction,
                source=delivery.source,
                parser=delivery.parser,
                payload=self._payload(),
                client_id=delivery.grant.client_id,
                organization=delivery.grant.organization,
                received_us=delivery.received_us,
                after_row=self._after_row,
                gateway=delivery.gateway,
            )
        return self._number

    def _payload(self) -> bytes | None:
        """Return the payload's hash under our key: an open one could be guessed."""
        digest = self._delivery.payload_sha256
        if digest is None:
            return None
        return self._repository.blind.source("payload", digest.hex())

    def insert(self, key: int, fresh: Sequence[Shaped], known: Known) -> None:
        """Store the first versions of a patient's Observations."""
        if not fresh:
            return
        transaction = self._transaction
        made = self._repository.new_rows(transaction, len(fresh))
        for _, constants in fresh:
            self._shapes.sign(constants, key)
        self._insert_resources(key, fresh, made, known)
        observations.add(
            transaction,
            [
                index_entry(
                    candidate,
                    row,
                    signature_id=constants.signature_id,
                    code=constants.code_key,
                    set_id=constants.set_id,
                )
                for (candidate, constants), row in zip(fresh, made, strict=True)
            ],
        )
        source_keys.add(
            transaction,
            [
                (key, candidate.key, row, candidate.content, candidate.version)
                for (candidate, _), row in zip(fresh, made, strict=True)
            ],
        )
        source_keys.add_records(
            transaction,
            [
                (key, record, row)
                for (candidate, _), row in zip(fresh, made, strict=True)
                if (record := candidate.record) is not None
            ],
        )
        for (_, constants), row in zip(fresh, made, strict=True):
            if constants.codings:
                concepts.add_row_codings(transaction, key, row, constants.codings)
        for reference in dict.fromkeys(candidate.device for candidate, _ in fresh):
            self._store_device(reference)
        self._notes.stored(key, [candidate for candidate, _ in fresh])

    def _insert_resources(
        self, key: int, fresh: Sequence[Shaped], made: Sequence[int], known: Known
    ) -> None:
        transaction, repository = self._transaction, self._repository
        now_us = repository.clock()
        now = fhir_instant(now_us)
        first = counters.take(transaction, "seq", len(fresh))
        ids = [rows.public_id(row) for row in made]
        named = self._named(fresh, made, known)
        self._index(key, fresh, named, made)
        texts = [
            rendered(
                candidate,
                self._delivery,
                Written(id_, "1", now, constants.security, "final"),
            )
            for candidate, (_, constants), id_ in zip(named, fresh, ids, strict=True)
        ]
        bodies = repository.codec.encode_many(
            transaction,
            [(key, row, 1, text) for row, text in zip(made, texts, strict=True)],
        )
        batch, type_id = self._batch(), types.number_of("Observation")
        resources.insert_many(
            transaction,
            [
                (
                    id_,
                    (
                        row,
                        type_id,
                        key,
                        constants.signature_id,
                        1,
                        seq,
                        now_us,
                        0,
                        batch,
                        candidate.normalised.measurement.start_us,
                        candidate.normalised.measurement.end_us,
                        constants.set_id,
                        body,
                    ),
                )
                for seq, (id_, row, (candidate, constants), body) in enumerate(
                    zip(ids, made, fresh, bodies, strict=True), first
                )
            ],
        )
        self.written += range(first, first + len(fresh))

    @staticmethod
    def _named(
        fresh: Sequence[Shaped], made: Sequence[int], known: Known
    ) -> list[Candidate]:
        """Return the candidates, each naming its sources by their ids."""
        rows_of: dict[str, int] = {}
        if any(candidate.sources for candidate, _ in fresh):
            rows_of = {
                candidate.key.hex(): row
                for (candidate, _), row in zip(fresh, made, strict=True)
            } | _rows_of(known)
        return [with_sources(candidate, rows_of) for candidate, _ in fresh]

    def _index(
        self,
        key: int,
        fresh: Sequence[Shaped],
        named: Sequence[Candidate],
        made: Sequence[int],
    ) -> None:
        """Index what differs from row to row."""
        index_sets = self._repository.index_sets
        hash_of = index_sets.hash_once
        index_sets.add_many(
            self._transaction,
            [
                (key, hash_of(posting), row)
                for candidate, row in zip(named, made, strict=True)
                for posting in own_postings(candidate)
            ],
            [
                entry
                for candidate, (_, constants), row in zip(
                    named, fresh, made, strict=True
                )
                for entry in set(quantities(candidate, row, constants.units))
            ],
        )
        mentions.add(
            self._transaction,
            [
                entry
                for candidate, (_, constants), row in zip(
                    named, fresh, made, strict=True
                )
                if candidate.sources or constants.mentions
                for entry in mentions.rows_of(
                    self._repository.blind,
                    key,
                    row,
                    constants.mentions.union(candidate.sources),
                )
            ],
        )

    def _store_device(self, reference: str | None) -> None:
        written = self._devices.store(reference, self._batch())
        if written is not None:
            self.written.append(written)

    def amend(self, key: int, correction: Amended, known: Known) -> None:
        """Store the next version of an Observation that the source has corrected."""
        candidate, old, version = correction
        transaction, repository = self._transaction, self._repository
        id_ = rows.public_id(old.row)
        text = rendered(
            with_sources(candidate, _rows_of(known)),
            self._delivery,
            Written(id_, "1", fhir_instant(repository.clock()), (), "amended"),
        )
        self._store_device(candidate.device)
        amended = programs.as_amended(
            repository,
            transaction,
            self._delivery.grant.organization,
            fhir_json.loads(repository.body(transaction, old)),
            fhir_json.loads(text),
        )
        written = repository.update(
            transaction, old, amended, id_=id_, batch_id=self._batch()
        )
        source_keys.amend(transaction, key, candidate.key, candidate.content, version)
        self.written.append(written.stored.seq)
        self._notes.stored(key, [candidate])

    def ahead(self, wearer: Wearer, measurement: Measurement) -> None:
        """Note a reading that was refused since it is of a time to come.

        What has begun, such as the total of today, says nothing of a clock.
        """
        start_us = measurement.start_us
        if start_us - self._delivery.received_us <= MAX_SKEW_US:
            return
        reference = self._devices.collected(wearer, measurement.device)
        if reference is not None:
            self._notes.ahead(wearer.state.key, reference, start_us)

    def finish(self) -> None:
        """Add what the readings tell of their Devices to what is known of these."""
        for reference, note in self._notes.of.items():
            if note.clue is not None:
                written = self._devices.renew(
                    reference, note.clue, note.versions_at, self._batch()
                )
                if written is not None:
                    self.written.append(written)
            if note.calibrations:
                self.written += self._metrics.keep(reference, note, self._batch())
        device_states.note(
            self._transaction, list(self._notes.states(self._devices.row_of))
        )

    def delete(self, old: Stored) -> None:
        """Store the version that says that the source has deleted an Observation."""
        written = self._repository.delete(
            self._transaction,
            old,
            id_=rows.public_id(old.row),
            batch_id=self._batch(),
        )
        self.written.append(written.stored.seq)

    def withdraw(self, old: Stored) -> None:
        """Store the version that says that an Observation never held.

        Its mapping was wrong; `entered-in-error` is FHIR's word for it.
        """
        transaction, repository = self._transaction, self._repository
        before = fhir_json.loads(repository.body(transaction, old))
        written = repository.update(
            transaction,
            old,
            {**before, "status": "entered-in-error"},
            id_=rows.public_id(old.row),
            batch_id=self._batch(),
        )
        self.written.append(written.stored.seq)


def _rows_of(known: Known) -> dict[str, int]:
    return {key.hex(): recorded.row for key, recorded in known.items()}
