"""What ties those who asked to patients: the best of all that is stored.

What is read is kept for as long as the snapshot is, so that the rows of one person
about one patient cost what the first of them costs.
"""

from collections.abc import Iterator
from typing import NamedTuple

from conformance import fhir_json
from consent.audit.entry import AuditRecord, BasisKind
from consent.codes import BREAK_GLASS
from consent.membership import CLIENT_SYSTEM
from consent.membership import Names as Called
from consent.outline import provisions
from consent.references import type_of
from fhir_service.auth.closure import Closure, Closures
from fhir_service.compliance import legible
from fhir_service.compliance.explanation_codes import Code
from fhir_service.compliance.ties import TYPES, Names, Tie, permit, ties
from fhir_service.exchange import Services
from fhir_service.storage import (
    break_glass,
    explanations,
    history,
    mentions,
    patients,
    resources,
    types,
)
from fhir_service.storage.engine import Snapshot
from fhir_service.storage.pseudonyms import Known
from fhir_service.storage.resources import Stored

OPERATIONS = frozenset({"TREAT", "HOPERAT", "HPAYMT"})
"""Purposes for which systems of the patient's organization ask."""

PERSONAL = frozenset({"Patient", "Practitioner", "PractitionerRole", "RelatedPerson"})
"""Types of what is one person, or one person's role."""

Found = tuple[Code, str]
"""An explanation and its evidence."""

_NOTHING: Found = (Code.UNEXPLAINED, "")


class _Who(NamedTuple):
    user: str
    client: str
    organisation: str


class Relations:
    """Finds ties in one snapshot.

    Args:
        services: Of the deployment.
        closures: Finds what somebody is called.
        snapshot: Where everything is read.

    """

    def __init__(
        self, services: Services, closures: Closures, snapshot: Snapshot
    ) -> None:
        self._repository = services.repository
        self._closures = closures
        self._snapshot = snapshot
        self._closed: dict[str, list[Closure]] = {}
        self._ties: dict[tuple[Names, int], tuple[Tie, ...]] = {}
        self._custodians: dict[int, str | None] = {}
        self._hashes: dict[Names, set[int]] = {}

    def best(self, record: AuditRecord, known: Known) -> Found:
        """Return the best explanation of an access to one patient."""
        who = _Who(record.user, record.client, record.organisation)
        names = self._names(who, record.time_us)
        found = [
            *self._own(who, known),
            *self._emergencies(record, known),
            *((tie.code, tie.evidence) for tie in self._ground(record, names, known)),
            *(
                (tie.code, tie.evidence)
                for tie in self._tied(names, known)
                if tie.during.contains(record.time_us)
            ),
            *self._operations(record, known),
        ]
        return min(found, default=_NOTHING, key=lambda one: one[0])

    def _own(self, who: _Who, known: Known) -> Iterator[Found]:
        if who.user == f"Patient/{known.id}":
            yield Code.OWN, who.user
        if who.user.startswith("RelatedPerson/"):
            number = types.number_of("RelatedPerson")
            id_ = who.user.removeprefix("RelatedPerson/")
            place = resources.locate(self._snapshot, number, id_)
            if place is not None and place[0] == known.key:
                yield Code.OWN, who.user

    def _emergencies(self, record: AuditRecord, known: Known) -> Iterator[Found]:
        if BREAK_GLASS[1] not in record.purposes:
            return
        for told in break_glass.of_patient(self._snapshot, known.key):
            is_hers = record.user in (told.use.user_id, told.reference)
            if is_hers and told.use.started <= record.time_us <= told.use.expires:
                yield Code.BREAK_GLASS, f"emergency {told.use.break_glass_id}"

    def _operations(self, record: AuditRecord, known: Known) -> Iterator[Found]:
        is_system = bool(record.client) and not record.user
        if not (is_system and OPERATIONS.issuperset(record.purposes)):
            return
        custodian = self._custodian(known.key)
        if custodian is not None and record.organisation == custodian:
            yield Code.OPERATIONS, record.organisation

    def _custodian(self, key: int) -> str | None:
        if key not in self._custodians:
            state = patients.by_key(self._snapshot, key)
            self._custodians[key] = None if state is None else state.organization
        return self._custodians[key]

    def _ground(self, record: AuditRecord, names: Names, known: Known) -> Iterator[Tie]:
        """Yield the provisions that the decision itself rested on."""
        number, place = types.number_of("Consent"), self._repository.deployment
        for basis in record.basis:
            id_, _, version = basis.name.partition("/_history/")
            if basis.kind is not BasisKind.CONSENT or not history.is_version(version):
                continue
            stored = history.version_of(self._snapshot, number, id_, int(version))
            if stored is None or stored.deleted or stored.patient_key != known.key:
                continue
            consent = self._read(stored)
            if consent is None:
                continue
            for provision in provisions(consent):
                if f"{basis.path}.".startswith(f"{provision.path}."):
                    yield from permit(consent, provision, names, place)

    def _tied(self, names: Names, known: Known) -> tuple[Tie, ...]:
        at = (names, known.key)
        if at not in self._ties:
            self._ties[at] = tuple(self._told(names, known))
        return self._ties[at]

    def _told(self, names: Names, known: Known) -> Iterator[Tie]:
        snapshot, hashes = self._snapshot, self._hashes_of(names)
        numbers = [types.number_of(one) for one in TYPES]
        for row in explanations.naming(snapshot, known.key, numbers, hashes):
            stored = resources.current(snapshot, row)
            told = None if stored is None or stored.deleted else self._read(stored)
            if told is not None:
                yield from ties(told, names, self._repository.deployment)

    def _hashes_of(self, names: Names) -> set[int]:
        """Return by what the mention index knows somebody."""
        if names not in self._hashes:
            blind, called = self._repository.blind, names.personal | names.collective
            self._hashes[names] = {mentions.hash_of(blind, one) for one in called}
        return self._hashes[names]

    def _read(self, stored: Stored) -> dict[str, object] | None:
        found = legible.body(self._repository, self._snapshot, stored)
        return None if found is None else fhir_json.loads_object(found)

    def _names(self, who: _Who, at_us: int) -> Names:
        """Return what somebody was called; of a system, its organization's names."""
        called = self._called(who.user, at_us) if "/" in who.user else frozenset()
        personal = frozenset(one for one in called if type_of(one) in PERSONAL)
        behind = self._called(who.organisation, at_us) if who.organisation else called
        collective = (called | behind | {f"{CLIENT_SYSTEM}|{who.client}"}) - personal
        if not who.user:
            personal = collective
        return Names(personal=personal, collective=collective)

    def _called(self, name: str, at_us: int) -> frozenset[str]:
        known = self._closed.setdefault(name, [])
        for one in known:
            if one.holds(at_us):
                return one.names.certain
        start = Called(frozenset({name}), frozenset())
        try:
            closed = self._closures.closed(self._snapshot, start, at_us)
        except (OverflowError, *legible.UNREADABLE):
            closed = Closure(names=start)
        known.append(closed)
        return closed.names.certain
