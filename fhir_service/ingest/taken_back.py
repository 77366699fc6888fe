"""What its source has taken back: whose it is, and what of it is stored.

A deletion names a record and no time. An account or a unit may have been another
patient's when the record was measured: whoever was ever paired with it is looked at,
as far as the deliverer acts for the patient's custodian. Where the source names no
account, a unit is one that the patient of the request has had.
"""

from collections.abc import Iterable
from typing import NamedTuple, TypeGuard

from fhir_service.ingest.delivery import Delivery
from fhir_service.ingest.resolve import Resolver, Unresolved, Wearer
from fhir_service.storage import resources, source_keys, source_wholes
from fhir_service.storage.engine import Transaction
from fhir_service.storage.patients import PatientState
from fhir_service.storage.resources import Stored
from mappings.kinds import kinds
from mappings.measurement import Deletion, Measurement, Whole
from mappings.observation import content_key, record_key
from mappings.source_version import is_newer

NOT_IN_RECORD = "not-in-record"
"""Reason of what is deleted since a newer version of its record lacks it."""


class Held(NamedTuple):
    """What is stored of a record for one patient; deleted versions too."""

    state: PatientState
    versions: tuple[Stored, ...]


class TakenBack:
    """Finds what deletions and whole records leave no place for.

    Args:
        transaction: In which it is looked for.
        resolver: Knows whose things are.
        delivery: Who has told it.
        no_unit: The key of what the source itself gives an identifier.

    """

    def __init__(
        self,
        transaction: Transaction,
        resolver: Resolver,
        delivery: Delivery,
        no_unit: bytes,
    ) -> None:
        self._transaction = transaction
        self._resolver = resolver
        self._delivery = delivery
        self._no_unit = no_unit

    def wearer(self, told: Deletion | Whole) -> Wearer | Unresolved:
        """Return whose it would be if it were measured now."""
        return self._resolver.wearer(
            as_measured(told.position, told.patient, self._now)
        )

    @property
    def _now(self) -> int:
        return self._delivery.received_us

    def deleted(self, deletion: Deletion) -> list[Held]:
        """Return what came of a record that the source has deleted, by patient."""
        held = [self._held(one, deletion) for one in self._accounts(deletion)]
        found = [one for one in held if one.versions]
        wearer = self.wearer(deletion)
        if found or deletion.patient is not None or not _is_own(wearer):
            return found
        sharing = self._resolver.of_units(wearer.state.key)
        held = [self._held(one, deletion) for one in sharing]
        return [one for one in held if one.versions]

    def _accounts(self, told: Deletion | Whole) -> Iterable[PatientState]:
        """Return who may have worn it: the wearer of now, and those of before.

        Where the request names a patient, those only whose account was once that
        patient's, too: as with what is measured, one of the two names is wrong.
        """
        wearer, asked = self.wearer(told), self._delivery.patient_id
        found = {one.key: one for one in self._resolver.of_account(told.patient)}
        if asked is not None and all(one.id != asked for one in found.values()):
            found = {}
        if _is_own(wearer):
            found = {wearer.state.key: wearer.state, **found}
        return found.values()

    def _held(self, state: PatientState, deletion: Deletion) -> Held:
        """Return the Observations of a patient that came of a deleted record.

        Asked by every kind, for a deletion need not name one; each is a hash. What
        one record gives several of is found by the record.
        """
        names = kinds() if deletion.kind is None else (deletion.kind,)
        id_ = deletion.source_id
        keys = [
            self._key(name, source_id)
            for name in names
            for source_id in (id_, f"{id_}#{name}")
        ]
        found = source_keys.known(self._transaction, state.key, keys)
        records = [record_key(name, id_, self._no_unit) for name in names]
        several = source_keys.of_records(self._transaction, state.key, records)
        rows_of = {recorded.row for recorded in found.values()} | several
        return Held(state, self._current(rows_of))

    def not_held(self, whole: Whole) -> list[Held]:
        """Return what older versions of a record have given and this one lacks.

        It is noted which version came whole, where anything of the record is stored.
        """
        held = [self._lacking(one, whole) for one in self._accounts(whole)]
        return [one for one in held if one.versions]

    def _lacking(self, state: PatientState, whole: Whole) -> Held:
        transaction, key = self._transaction, state.key
        record = record_key(whole.kind, whole.record, self._no_unit)
        stored = source_keys.of_records(transaction, key, [record])
        before = source_wholes.versions(transaction, key, [record]).get(record)
        if not stored or not (before is None or is_newer(whole.version, before)):
            return Held(state, ())
        source_wholes.keep(transaction, key, record, whole.version)
        if before is None:
            return Held(state, ())
        holds = [self._key(whole.kind, source_id) for source_id in whole.holds]
        known = source_keys.known(transaction, key, holds)
        rest = stored - {recorded.row for recorded in known.values()}
        current = self._current(rest)
        return Held(state, tuple(one for one in current if not one.deleted))

    def _key(self, kind: str, source_id: str) -> bytes:
        bare = as_measured("", None, self._now)
        measured = bare._replace(kind=kind, source_id=source_id)
        return content_key(measured, self._no_unit)

    def _current(self, rows_of: set[int]) -> tuple[Stored, ...]:
        found = (resources.current(self._transaction, row) for row in sorted(rows_of))
        return tuple(one for one in found if one is not None)


def _is_own(wearer: Wearer | Unresolved) -> TypeGuard[Wearer]:
    """Whether it is a patient for whose custodian the deliverer acts."""
    return isinstance(wearer, Wearer) and wearer.stranger is None


def as_measured(position: str, patient: str | None, at_us: int) -> Measurement:
    """Return a measurement of nothing, to find whose something is."""
    return Measurement(
        kind="",
        value=None,
        unit="",
        start="",
        start_us=at_us,
        end=None,
        end_us=at_us,
        position=position,
        patient=patient,
    )
