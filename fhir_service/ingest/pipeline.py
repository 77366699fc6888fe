"""Readings → Observations, in one transaction: attributed, decided, known again.

Each reading is accounted for exactly once. What a deliverer may not learn, it is told
as if it were not there: a patient of another organisation is an unknown one, wherever
collecting is not permitted.
"""

from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from typing import NamedTuple

from conformance import fhir_json
from fhir_service.access import Gate
from fhir_service.ingest.candidates import Candidate
from fhir_service.ingest.collecting import Collecting
from fhir_service.ingest.constants import Constants, Shapes
from fhir_service.ingest.delivery import Delivery
from fhir_service.ingest.device_metrics import DeviceMetrics
from fhir_service.ingest.observing import Known, Observing
from fhir_service.ingest.receipt import Fate, Item, Receipt
from fhir_service.ingest.recognition import DELETED, NOT_ITS_OWN, Recognition
from fhir_service.ingest.refused import NOT_KEPT, NOT_KEPT_DETAIL, Keeper
from fhir_service.ingest.resolve import Resolver, Unresolved, Wearer
from fhir_service.ingest.taken_back import NOT_IN_RECORD, TakenBack, as_measured
from fhir_service.ingest.unit_devices import UnitDevices
from fhir_service.ingest.wearers import NOT_NAMED
from fhir_service.storage import source_keys
from fhir_service.storage.engine import Transaction
from fhir_service.storage.patients import PatientState
from fhir_service.storage.repository import Repository
from fhir_service.storage.resources import Stored
from fhir_service.storage.tables import SHARED
from mappings.measurement import (
    Deletion,
    Measurement,
    OutOfScope,
    Reading,
    Reason,
    Refusal,
    Whole,
)
from mappings.normalise import MAX_SKEW_US, Normalised, normalise
from mappings.observation import (
    DERIVED_COMPONENTS,
    content_digest,
    content_key,
    derived,
    record_key,
)
from mappings.source_version import believed


class _Decided(NamedTuple):
    """A candidate, what it shares with others, and what consent says of it."""

    candidate: Candidate
    constants: Constants
    is_permitted: bool


class Change(NamedTuple):
    """What an Observation becomes.

    Attributes:
        candidate: What is stored; None where nothing is any more.
        old: The version before; None for a new one.

    """

    candidate: Candidate | None
    old: Stored | None


class Batch:
    """The work on one part of a payload, inside one transaction.

    Attributes:
        receipt: What became of each reading.
        patients: Ids of the patients concerned.
        keys: Their keys.
        has_unattributed: Whether something could not be attributed.
        changes: What was stored for the first time or as a next version.
        confirmed: Rows of everything that the payload says, stored before or now.

    """

    def __init__(
        self,
        transaction: Transaction,
        repository: Repository,
        gate: Gate,
        delivery: Delivery,
        refused: Keeper,
    ) -> None:
        self._transaction = transaction
        self._delivery = delivery
        self._repository = repository
        self._secret = repository.content_secret
        self._no_unit = repository.blind.source("no device", delivery.source)
        self._refused = refused
        self._collecting = Collecting(transaction, gate, delivery)
        self._resolver = Resolver(transaction, repository, delivery)
        self._shapes = Shapes(transaction, repository, gate, delivery)
        self._devices = UnitDevices(
            transaction, repository, gate, delivery, self._resolver
        )
        self._taken_back = TakenBack(
            transaction, self._resolver, delivery, self._no_unit
        )
        self._observing = Observing(
            transaction,
            repository,
            delivery,
            self._shapes,
            self._devices,
            DeviceMetrics(transaction, repository, gate, delivery, self._devices),
        )
        self.receipt = Receipt(source=delivery.source)
        self.patients: set[str] = set()
        self.keys: set[int] = set()
        self.has_unattributed = False
        self.changes: list[Change] = []
        self.confirmed: set[int] = set()

    @property
    def number(self) -> int | None:
        """Return the number of the batch, if something was written."""
        return self._observing.number

    @property
    def written(self) -> list[int]:
        """Return the `seq` of every version that was stored."""
        return self._observing.written

    def run(self, readings: Iterable[Reading]) -> None:
        """Account for all of `readings`, storing what may be stored."""
        by_patient: dict[int, list[_Decided]] = {}
        wholes: dict[Whole, Whole] = {}
        for reading in readings:
            if isinstance(reading, Measurement):
                self._measured(reading, by_patient)
            elif isinstance(reading, Whole):
                self._told_whole(reading, wholes)
            else:
                self._not_measured(reading)
        for key, decided in by_patient.items():
            for part in _once_each(decided):
                self._store(key, part)
        for whole in wholes.values():
            self._lacking(whole)
        self._observing.finish()

    def _believed(self, version: int | None) -> int | None:
        """Return the version of a record, unless that was yet to come."""
        return believed(version, self._delivery.received_us + MAX_SKEW_US)

    def _told_whole(self, whole: Whole, wholes: dict[Whole, Whole]) -> None:
        """Take a whole record; what tells of the same version is a part of it."""
        if self._believed(whole.version) is None:
            return
        version = whole._replace(position="", holds=())
        before = wholes.get(version)
        holds = () if before is None else before.holds
        wholes[version] = whole._replace(holds=(*holds, *whole.holds))

    def _not_measured(self, reading: Refusal | OutOfScope | Deletion) -> None:
        if isinstance(reading, Refusal):
            self._refuse_of(reading, self._owner)
        elif isinstance(reading, OutOfScope):
            self._out_of_scope(reading)
        else:
            self._deleted(reading)

    def _out_of_scope(self, reading: OutOfScope) -> None:
        self.receipt.add(
            Item(
                reading.position,
                Fate.OUT_OF_SCOPE,
                reading.what,
                records=reading.records,
            )
        )

    def _deleted(self, deletion: Deletion) -> None:
        held = self._taken_back.deleted(deletion)
        if not held:
            self._undeletable(deletion)
            return
        versions = [old for one in held for old in one.versions]
        for one in held:
            self._concerns(one.state)
        for old in versions:
            if not old.deleted:
                self._observing.delete(old)
        is_news = not all(old.deleted for old in versions)
        self.receipt.add(
            Item(
                deletion.position,
                Fate.DELETED if is_news else Fate.DUPLICATE,
                deletion.kind,
                None if is_news else DELETED,
                records=deletion.records,
            )
        )

    def _undeletable(self, deletion: Deletion) -> None:
        """Let a deletion wait for what it names."""
        wearer = self._taken_back.wearer(deletion)
        why: Unresolved = _UNKNOWN_ID
        if isinstance(wearer, Unresolved):
            why = wearer
        elif wearer.stranger is not None:
            why = wearer.stranger
        else:
            self._concerns(wearer.state)
        if deletion.records:
            self._refuse(_undeletable(deletion, why), _kept_under(wearer))

    def _lacking(self, whole: Whole) -> None:
        """Delete what older versions of a record held and this one does not.

        A part that is tried again looks whole, and a replay is of what was.
        """
        if not self._delivery.is_first:
            return
        for held in self._taken_back.not_held(whole):
            self._concerns(held.state)
            for old in held.versions:
                self._observing.delete(old)
                self.receipt.add(
                    Item(whole.position, Fate.DELETED, whole.kind, NOT_IN_RECORD)
                )

    def _concerns(self, state: PatientState) -> None:
        self.patients.add(state.id)
        self.keys.add(state.key)

    def withdraw(self, old: Stored) -> None:
        """Say of an Observation that its mapping was wrong."""
        self._observing.withdraw(old)
        self.changes.append(Change(None, old))

    @cached_property
    def _owner(self) -> Wearer | Unresolved:
        """Whose a part is that was not even read: of the one whom all of it is."""
        accounts = self._delivery.accounts
        named = next(iter(accounts)) if len(accounts) == 1 else None
        if len(accounts) > 1 or (named is None and not self._delivery.patient_id):
            return NOT_NAMED
        now_us = self._delivery.received_us
        return self._resolver.wearer(as_measured("$", named, now_us))

    def _refuse_of(
        self,
        refusal: Refusal,
        wearer: Wearer | Unresolved,
        measurement: Measurement | None = None,
    ) -> None:
        """Keep a refused part, as far as what it is meant to be may be collected."""
        if (
            isinstance(wearer, Unresolved)
            or wearer.stranger is not None
            or self._collecting.permits(wearer.state, refusal.kind, measurement)
        ):
            self._refuse(refusal, _kept_under(wearer))
            return
        self.receipt.add(
            Item(
                refusal.position,
                Fate.WITHHELD,
                refusal.kind,
                "consent",
                records=refusal.records,
            )
        )

    def _refuse(self, refusal: Refusal, patient_key: int) -> None:
        self.has_unattributed = self.has_unattributed or patient_key == SHARED
        is_kept = not refusal.records or self._refused.add(refusal, patient_key)
        self.receipt.add(
            Item(
                refusal.position,
                Fate.QUARANTINED,
                refusal.kind,
                refusal.reason.value if is_kept else NOT_KEPT,
                refusal.detail if is_kept else NOT_KEPT_DETAIL,
                refusal.records,
            )
        )

    def _measured(
        self, measurement: Measurement, by_patient: dict[int, list[_Decided]]
    ) -> None:
        """Attribute a measurement and decide on it.

        Whether it can be true is looked at first: it does not hang on the patient.
        """
        version = measurement.source_version
        if version is not None and self._believed(version) is None:
            measurement = measurement._replace(source_version=None)
        normalised = normalise(measurement, now_us=self._delivery.now_us)
        wearer = self._resolver.wearer(measurement)
        if isinstance(wearer, Wearer):
            self._concerns(wearer.state)
        if isinstance(normalised, Refusal):
            refusal = normalised._replace(payload=measurement)
            self._refuse_of(refusal, wearer, measurement)
            if normalised.reason is Reason.FUTURE and isinstance(wearer, Wearer):
                self._observing.ahead(wearer, measurement)
        elif isinstance(wearer, Unresolved):
            self._refuse(_unattributed(measurement, wearer), wearer.key)
        else:
            self._decide(normalised, wearer, by_patient)

    def _decide(
        self,
        normalised: Normalised,
        wearer: Wearer,
        by_patient: dict[int, list[_Decided]],
    ) -> None:
        measurement = normalised.measurement
        whole = self._decided(normalised, wearer, ())
        decided = by_patient.setdefault(wearer.state.key, [])
        sources: tuple[str, ...] = (whole.candidate.key.hex(),)
        if whole.is_permitted or wearer.stranger is None:
            decided.append(whole)
        else:
            self._refuse(_unattributed(measurement, wearer.stranger), SHARED)
            sources = ()
        if measurement.kind in DERIVED_COMPONENTS:
            for part in derived(measurement):
                alone = normalise(part, now_us=self._delivery.now_us)
                if isinstance(alone, Normalised):
                    decided.append(self._decided(alone, wearer, sources))

    def _decided(
        self, normalised: Normalised, wearer: Wearer, sources: tuple[str, ...]
    ) -> _Decided:
        measurement = normalised.measurement
        device, unit = self._devices.named(wearer, measurement.device)
        candidate = Candidate(
            normalised,
            wearer,
            device,
            content_key(measurement, self._unit_of(measurement, unit)),
            content_digest(measurement, self._secret),
            sources,
            self._record_of(measurement),
        )
        constants = self._shapes.of(candidate)
        return _Decided(candidate, constants, constants.permits(candidate))

    def _record_of(self, measurement: Measurement) -> bytes | None:
        record, mark, _ = (measurement.source_id or "").partition("#")
        return record_key(measurement.kind, record, self._no_unit) if mark else None

    def _unit_of(self, measurement: Measurement, unit: bytes) -> bytes:
        """Return the unit as a part of the key: none where the source has an id.

        A source that tells the device later than the reading means the same one.
        """
        return unit if measurement.source_id is None else self._no_unit

    def _store(self, key: int, decided: Sequence[_Decided]) -> None:
        known = source_keys.known(
            self._transaction, key, [one.candidate.key for one in decided]
        )
        rooted = self._rooted(decided, known)
        recognition = Recognition(
            self._transaction,
            key,
            known,
            [one.candidate for one in rooted if one.is_permitted],
            self._delivery,
            self._is_stale,
            self.number,
        )
        for candidate, constants, is_permitted in rooted:
            if is_permitted:
                self._account(candidate, *recognition.place(candidate, constants))
            else:
                self._account(candidate, Fate.WITHHELD, "consent")
        self.confirmed.update(recorded.row for recorded in known.values())
        self._observing.insert(key, list(recognition.fresh.values()), known)
        self.changes += [Change(one, None) for one, _ in recognition.fresh.values()]
        for correction in recognition.amended.values():
            self._observing.amend(key, correction, known)
            self.changes.append(Change(correction.candidate, correction.old))
        recognition.remember()

    def _is_stale(self, stored: Stored) -> bool:
        """Whether what is stored says itself that its time is not its own."""
        body = fhir_json.loads(self._repository.body(self._transaction, stored))
        tags = body.get("meta", {}).get("tag", ())
        return any(tag.get("code") in NOT_ITS_OWN for tag in tags)

    def _rooted(self, decided: Sequence[_Decided], known: Known) -> Sequence[_Decided]:
        """Return the same, where what was taken from a withheld one names none."""
        withheld = {
            one.candidate.key.hex()
            for one in decided
            if not one.is_permitted and one.candidate.key not in known
        }
        if not withheld:
            return decided
        return [
            self._alone(one)
            if one.is_permitted and withheld.intersection(one.candidate.sources)
            else one
            for one in decided
        ]

    def _alone(self, one: _Decided) -> _Decided:
        candidate = one.candidate._replace(sources=())
        return one._replace(candidate=candidate, constants=self._shapes.of(candidate))

    def _account(self, candidate: Candidate, fate: Fate, reason: str | None) -> None:
        measurement = candidate.normalised.measurement
        self.receipt.add(
            Item(
                measurement.position,
                fate,
                candidate.normalised.kind.name,
                reason,
                records=measurement.records,
                flags=_flags(candidate.normalised),
            )
        )


_UNKNOWN_ID = Unresolved(
    Reason.UNKNOWN_SOURCE_ID, "What the source has deleted is not known here."
)


def _undeletable(deletion: Deletion, why: Unresolved) -> Refusal:
    return Refusal(
        deletion.position,
        why.reason,
        deletion.kind,
        why.detail,
        deletion,
        deletion.records,
    )


def _flags(normalised: Normalised) -> tuple[str, ...]:
    """Return what the data says against itself, and what we say of it."""
    flags = normalised.measurement.flags
    is_implausible = normalised.implausible or any(
        part.implausible for part in normalised.parts
    )
    return (*flags, "implausible") if is_implausible else flags


def _once_each(decided: Sequence[_Decided]) -> Iterator[Sequence[_Decided]]:
    """Yield the same in runs in which nothing is told in two ways.

    So that what a payload corrects itself becomes a version and its next one.
    """
    run: list[_Decided] = []
    told: dict[bytes, bytes] = {}
    for one in decided:
        key, content = one.candidate.key, one.candidate.content
        if told.setdefault(key, content) != content:
            yield run
            run, told = [], {key: content}
        run.append(one)
    yield run


def _kept_under(wearer: Wearer | Unresolved) -> int:
    """Return whose data key a refused part is kept under."""
    if isinstance(wearer, Unresolved) or wearer.stranger is not None:
        return SHARED
    return wearer.state.key


def _unattributed(measurement: Measurement, why: Unresolved) -> Refusal:
    return Refusal(
        measurement.position,
        why.reason,
        measurement.kind,
        why.detail,
        measurement,
        measurement.records,
    )
