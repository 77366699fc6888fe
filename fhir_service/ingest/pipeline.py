"""Readings → Observations, in one transaction: attributed, decided, known again.

Each reading is accounted for exactly once. What is constant for a patient, a device
and a shape of resource (labels, signature, index keys) is worked out once from a
rendered resource and remembered; the rest is templates and integers.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from conformance import fhir_json
from consent import labels
from consent.facets import Facets
from consent.formula import Formula, Row, evaluate
from consent.signature import describe
from fhir_service.access import Gate
from fhir_service.ingest.delivery import Delivery
from fhir_service.ingest.receipt import Fate, Item, Receipt
from fhir_service.ingest.resolve import (
    Resolver,
    Unresolved,
    Wearer,
    device_reference,
)
from fhir_service.rest.instant import fhir_instant
from fhir_service.storage import (
    batches,
    concepts,
    counters,
    observations,
    resources,
    rows,
    signatures,
    source_keys,
    types,
)
from fhir_service.storage.engine import Transaction
from fhir_service.storage.observations import Entry
from fhir_service.storage.repository import (
    Repository,
    category_codings,
    codings_of,
)
from mappings.device import device_resource
from mappings.kinds import Coding, Effective
from mappings.measurement import (
    DeviceClue,
    Measurement,
    OutOfScope,
    Reading,
    Refusal,
)
from mappings.normalise import Normalised, normalise
from mappings.observation import content_digest, content_key, derived, render

CONTENT_KEY = "https://fhir-interop-service.org/fhir/sid/content-key"
"""Identifier system of a measurement whose source gives it no id."""

_SAMPLE = "1970-01-01T00:00:00.000Z"
_SAMPLE_SOURCE = "Observation/x"

Known = dict[bytes, tuple[int, bytes]]
"""Source key → row and content digest of what is stored."""


class Constants(NamedTuple):
    """What all Observations of one patient, device and shape have in common.

    Attributes:
        signature_id: What consent decides on; 0 until a row of it is stored, so that
            what is withheld leaves no trace.
        facets: What the signature stands for.
        code_key: Concept of `Observation.code`.
        category_key: Concept of the categories.
        codings: Codings that the signature does not hold.
        security: Labels, as the template takes them.
        collect: When the row may be collected, given its time.

    """

    signature_id: int
    facets: Facets
    code_key: int
    category_key: int
    codings: frozenset[tuple[str, str]]
    security: tuple[Coding, ...]
    collect: Formula


class Candidate(NamedTuple):
    """A measurement that may be stored, and what it is recognised by."""

    normalised: Normalised
    wearer: Wearer
    device: str | None
    key: bytes
    content: bytes
    sources: tuple[str, ...]


@dataclass(kw_only=True)
class Kept:
    """A refused part, to be put in quarantine with what it holds."""

    refusal: Refusal
    patient_key: int


class Batch:
    """The work on one part of a payload, inside one transaction."""

    def __init__(
        self,
        transaction: Transaction,
        repository: Repository,
        gate: Gate,
        delivery: Delivery,
    ) -> None:
        self._transaction = transaction
        self._repository = repository
        self._gate = gate
        self._delivery = delivery
        self._resolver = Resolver(transaction, repository, delivery)
        self._constants: dict[tuple[object, ...], Constants] = {}
        self._devices: dict[tuple[int, DeviceClue], str] = {}
        self._unstored: dict[str, tuple[int, int, DeviceClue]] = {}
        self._number = 0
        self.receipt = Receipt(source=delivery.source)
        self.quarantined: list[Kept] = []
        self.written: list[int] = []
        self.patients: set[str] = set()

    def run(self, readings: Iterable[Reading]) -> None:
        """Account for all of `readings`, storing what may be stored."""
        by_patient: dict[int, list[Candidate]] = {}
        for reading in readings:
            if isinstance(reading, Measurement):
                self._measured(reading, by_patient)
            elif isinstance(reading, Refusal):
                self._refuse(reading, 0)
            else:
                self._out_of_scope(reading)
        for key, candidates in by_patient.items():
            self._store(key, candidates)

    def _out_of_scope(self, reading: OutOfScope) -> None:
        self.receipt.add(
            Item(
                position=reading.position,
                fate=Fate.OUT_OF_SCOPE,
                kind=reading.what,
                records=reading.records,
            )
        )

    def _refuse(self, refusal: Refusal, patient_key: int) -> None:
        self.receipt.add(
            Item(
                position=refusal.position,
                fate=Fate.QUARANTINED,
                kind=refusal.kind,
                reason=refusal.reason.value,
                detail=refusal.detail,
                records=refusal.records,
            )
        )
        if refusal.records:
            self.quarantined.append(Kept(refusal=refusal, patient_key=patient_key))

    def _measured(
        self, measurement: Measurement, by_patient: dict[int, list[Candidate]]
    ) -> None:
        wearer = self._resolver.wearer(measurement)
        if isinstance(wearer, Unresolved):
            self._refuse(
                Refusal(
                    measurement.position,
                    wearer.reason,
                    measurement.kind,
                    wearer.detail,
                    measurement,
                    measurement.records,
                ),
                0,
            )
            return
        key = wearer.state.key
        self.patients.add(wearer.state.id)
        whole = self._candidate(measurement, wearer, ())
        if isinstance(whole, Refusal):
            self._refuse(whole, key)
            return
        candidates = by_patient.setdefault(key, [])
        candidates.append(whole)
        for part in derived(measurement):
            alone = self._candidate(part, wearer, (whole.key.hex(),))
            if isinstance(alone, Candidate):
                candidates.append(alone)

    def _candidate(
        self, measurement: Measurement, wearer: Wearer, sources: tuple[str, ...]
    ) -> Candidate | Refusal:
        normalised = normalise(measurement, now_us=self._delivery.received_us)
        if isinstance(normalised, Refusal):
            return normalised._replace(payload=measurement)
        device, unit = self._device(wearer, measurement.device)
        return Candidate(
            normalised,
            wearer,
            device,
            content_key(measurement, unit),
            content_digest(measurement),
            sources,
        )

    def _device(
        self, wearer: Wearer, clue: DeviceClue | None
    ) -> tuple[str | None, bytes]:
        """Return the Device's reference and the key that stands for its unit."""
        if clue is None:
            return None, self._delivery.source.encode()
        key = wearer.state.key
        unit, row = self._resolver.unit(key, clue)
        if wearer.device is not None:
            return wearer.device, unit
        reference = self._devices.get((key, clue))
        if reference is None:
            if row is None:
                row = self._resolver.reserve(key, clue)
                reference = f"Device/{rows.public_id(row)}"
                self._unstored[reference] = (key, row, clue)
            else:
                reference = device_reference(self._repository, self._transaction, row)
            self._devices[(key, clue)] = reference
        return reference, unit

    def _store(self, key: int, candidates: Sequence[Candidate]) -> None:
        known = source_keys.known(
            self._transaction, key, [candidate.key for candidate in candidates]
        )
        allowed = [self._may_collect(candidate) for candidate in candidates]
        kept = _rooted(candidates, allowed, known)
        last = {candidate.key: candidate.content for candidate in kept}
        fresh: dict[bytes, Candidate] = {}
        amended: dict[bytes, Candidate] = {}
        remaining = iter(kept)
        for candidate, may_collect in zip(candidates, allowed, strict=True):
            if may_collect:
                self._place(next(remaining), known, last, fresh, amended)
            else:
                self._account(candidate, Fate.WITHHELD, "consent")
        self._insert(key, list(fresh.values()), known)
        for candidate in amended.values():
            self._amend(key, candidate, known[candidate.key][0], known)

    def _place(
        self,
        candidate: Candidate,
        known: Known,
        last: dict[bytes, bytes],
        fresh: dict[bytes, Candidate],
        amended: dict[bytes, Candidate],
    ) -> None:
        """Put a candidate where it belongs, by what is stored under its key.

        Of several contents under a key of one payload the last one counts; where that
        is stored, the payload is a replay, and none of them changes anything.
        """
        at = candidate.key
        stored = known.get(at, (0, None))[1]
        seen = fresh.get(at) or amended.get(at)
        if stored == last[at] or (seen and seen.content == candidate.content):
            self._account(candidate, Fate.DUPLICATE)
        elif stored is None and seen is None:
            fresh[at] = candidate
            self._account(candidate, Fate.STORED)
        else:
            (fresh if at in fresh else amended)[at] = candidate
            self._account(candidate, Fate.AMENDED)

    def _account(
        self, candidate: Candidate, fate: Fate, reason: str | None = None
    ) -> None:
        measurement = candidate.normalised.measurement
        self.receipt.add(
            Item(
                position=measurement.position,
                fate=fate,
                kind=candidate.normalised.kind.name,
                reason=reason,
                records=measurement.records,
            )
        )

    def _may_collect(self, candidate: Candidate) -> bool:
        collect = self._of(candidate).collect
        if collect is True or collect is False:
            return collect
        measurement = candidate.normalised.measurement
        return evaluate(
            collect,
            Row(
                reference="",
                start_us=measurement.start_us,
                end_us=measurement.end_us,
                codings=self._of(candidate).codings,
            ),
        )

    def _of(self, candidate: Candidate) -> Constants:
        at = _alike(candidate)
        constants = self._constants.get(at)
        if constants is None:
            constants = self._constants[at] = self._derive(candidate)
        return constants

    def _signed(self, candidate: Candidate) -> Constants:
        """Return the constants of what is to be stored, with their signature."""
        constants = self._of(candidate)
        if not constants.signature_id:
            constants = self._constants[_alike(candidate)] = constants._replace(
                signature_id=signatures.intern(
                    self._transaction,
                    candidate.wearer.state.key,
                    types.number_of("Observation"),
                    constants.code_key,
                    constants.facets,
                )
            )
        return constants

    def _derive(self, candidate: Candidate) -> Constants:
        """Work out the constants from a resource of this shape."""
        if candidate.sources:
            candidate = candidate._replace(sources=(_SAMPLE_SOURCE,))
        bare = fhir_json.loads(self._render(candidate, "x", "1", _SAMPLE, (), "final"))
        found = labels.label(bare)
        security = tuple(
            Coding(coding["system"], coding["code"], coding.get("display", ""))
            for coding in labels.labelled(bare, found)["meta"].get("security", ())
        )
        resource = fhir_json.loads(
            self._render(candidate, "x", "1", _SAMPLE, security, "final")
        )
        state = candidate.wearer.state
        described = describe(
            resource, labels=found, deployment=self._repository.deployment
        )
        code_key = self._repository.concepts.intern(
            self._transaction, codings_of(resource["code"])
        )
        collect = self._gate.collect_formula(
            self._transaction, self._delivery.grant, state, described.facets
        )
        return Constants(
            0,
            described.facets,
            code_key,
            self._repository.concepts.intern(
                self._transaction, category_codings(resource)
            ),
            described.codings,
            security,
            collect,
        )

    def _render(  # noqa: PLR0913, PLR0917 - one argument a gap
        self,
        candidate: Candidate,
        id_: str,
        version: str,
        instant: str,
        security: tuple[Coding, ...],
        status: str,
    ) -> bytes:
        source_id = candidate.normalised.measurement.source_id
        return render(
            candidate.normalised,
            id=id_,
            version=version,
            last_updated=instant,
            subject=f"Patient/{candidate.wearer.state.id}",
            identifier_system=(
                CONTENT_KEY if source_id is None else self._delivery.identifier_system
            ),
            identifier_value=source_id or candidate.key.hex(),
            device=candidate.device,
            focus=candidate.wearer.room,
            status=status,
            derived_from=candidate.sources,
            security=security,
        )

    def _batch(self) -> int:
        if not self._number:
            delivery = self._delivery
            self._number = batches.add(
                self._transaction,
                source=delivery.source,
                client_id=delivery.grant.client_id,
                received_us=delivery.received_us,
                payload_sha256=delivery.payload_sha256,
                parser=delivery.parser,
            )
        return self._number

    def _insert(
        self,
        key: int,
        candidates: Sequence[Candidate],
        known: Known,
    ) -> None:
        if not candidates:
            return
        transaction, repository = self._transaction, self._repository
        made = repository.new_rows(transaction, len(candidates))
        rows_of = {
            one.key.hex(): row for one, row in zip(candidates, made, strict=True)
        }
        rows_of.update((one.hex(), row) for one, (row, _) in known.items())
        now_us = repository.clock()
        first = counters.take(transaction, "seq", len(candidates))
        shared = [self._signed(candidate) for candidate in candidates]
        ids = [rows.public_id(row) for row in made]
        instant = fhir_instant(now_us)
        bodies = repository.codec.encode_many(
            transaction,
            [
                (
                    key,
                    row,
                    1,
                    self._render(
                        _with_sources(candidate, rows_of),
                        id_,
                        "1",
                        instant,
                        constants.security,
                        "final",
                    ),
                )
                for candidate, constants, id_, row in zip(
                    candidates, shared, ids, made, strict=True
                )
            ],
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
                        body,
                    ),
                )
                for seq, (id_, row, constants, body) in enumerate(
                    zip(ids, made, shared, bodies, strict=True), first
                )
            ],
        )
        observations.add(
            transaction,
            [
                _entry(candidate, constants, key, row)
                for candidate, constants, row in zip(
                    candidates, shared, made, strict=True
                )
            ],
        )
        source_keys.add(
            transaction,
            [
                (key, candidate.key, row, candidate.content)
                for candidate, row in zip(candidates, made, strict=True)
            ],
        )
        self.written += range(first, first + len(candidates))
        for constants, row in zip(shared, made, strict=True):
            if constants.codings:
                concepts.add_row_codings(transaction, key, row, constants.codings)
        for device in {candidate.device for candidate in candidates}:
            self._ensure_device(device)

    def _ensure_device(self, reference: str | None) -> None:
        """Store the Device of a unit when its first measurement is stored."""
        if reference is None or reference not in self._unstored:
            return
        key, row, clue = self._unstored.pop(reference)
        repository = self._repository
        state = self._gate.state(self._transaction, key)
        written = repository.create_at(
            self._transaction,
            device_resource(
                clue,
                id=rows.public_id(row),
                version="1",
                last_updated=fhir_instant(repository.clock()),
                patient=f"Patient/{state.id}",
            ),
            row=row,
            patient_key=key,
            batch_id=self._batch(),
        )
        repository.register_unit(
            self._transaction, key, row, self._delivery.source, clue
        )
        self.written.append(written.stored.seq)

    def _amend(
        self,
        key: int,
        candidate: Candidate,
        row: int,
        known: Known,
    ) -> None:
        transaction, repository = self._transaction, self._repository
        old = resources.current(transaction, row)
        if old is None or old.deleted:
            return
        id_ = rows.public_id(row)
        rows_of = {one.hex(): at for one, (at, _) in known.items()}
        rendered = self._render(
            _with_sources(candidate, rows_of),
            id_,
            "1",
            fhir_instant(repository.clock()),
            (),
            "amended",
        )
        self._ensure_device(candidate.device)
        written = repository.update(
            transaction,
            old,
            fhir_json.loads(rendered),
            id_=id_,
            batch_id=self._batch(),
        )
        source_keys.amend(transaction, key, candidate.key, candidate.content)
        self.written.append(written.stored.seq)


def _alike(candidate: Candidate) -> tuple[object, ...]:
    """Return what decides on labels, signature and indexes of an Observation."""
    normalised, wearer = candidate.normalised, candidate.wearer
    measurement = normalised.measurement
    return (
        wearer.state.key,
        normalised.kind.name,
        candidate.device,
        wearer.room,
        measurement.self_reported,
        normalised.implausible,
        measurement.absent,
        bool(candidate.sources),
        None if normalised.unit else normalised.value,
        normalised.parts
        and frozenset(
            (part.kind.name, part.absent, None if part.unit else part.value)
            for part in normalised.parts
        ),
    )


def _with_sources(candidate: Candidate, rows_of: dict[str, int]) -> Candidate:
    """Return the candidate with its sources named by their public ids."""
    if not candidate.sources:
        return candidate
    return candidate._replace(
        sources=tuple(
            f"Observation/{rows.public_id(rows_of[source])}"
            for source in candidate.sources
            if source in rows_of
        )
    )


def _rooted(
    candidates: Sequence[Candidate], allowed: Sequence[bool], known: Known
) -> list[Candidate]:
    """Return what may be collected; what was taken from a withheld one names none."""
    withheld = {
        candidate.key.hex()
        for candidate, may_collect in zip(candidates, allowed, strict=True)
        if not may_collect and candidate.key not in known
    }
    return [
        candidate._replace(sources=())
        if withheld.intersection(candidate.sources)
        else candidate
        for candidate, may_collect in zip(candidates, allowed, strict=True)
        if may_collect
    ]


def _search_end(normalised: Normalised) -> int:
    """Return the last microsecond that the written time covers."""
    measurement = normalised.measurement
    text = measurement.start
    if measurement.end is not None and (
        measurement.end_us != measurement.start_us
        or normalised.kind.effective is Effective.PERIOD
    ):
        text = measurement.end
    return measurement.end_us + _width(text) - 1


def _width(text: str) -> int:
    """Return how many microseconds a dateTime with an offset covers."""
    fraction = text[20:].rstrip("Z").partition("+")[0].partition("-")[0]
    if len(text) <= 20 or text[19] != ".":  # noqa: PLR2004 - YYYY-MM-DDThh:mm:ss
        return 1_000_000
    return 10 ** (6 - len(fraction)) if len(fraction) < 6 else 1  # noqa: PLR2004 - digits of a microsecond


def _entry(candidate: Candidate, constants: Constants, key: int, row: int) -> Entry:
    measurement = candidate.normalised.measurement
    start = measurement.start_us
    return (
        key,
        constants.code_key,
        start,
        row,
        constants.signature_id,
        _search_end(candidate.normalised) - start,
        start,
        measurement.end_us,
        constants.category_key,
    )
