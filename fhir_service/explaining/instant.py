"""What a decision rests on at an instant: as it is, or as it was filed by then.

For an instant that has passed every resource is taken in the version that was current
at it: what was filed later, about whatever time, was not known then.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from conformance import fhir_json
from consent.membership import Membership, Names, boundaries, memberships, spread
from consent.provisions import ParsedConsent, read_bytes
from fhir_service.access import Gate
from fhir_service.auth.bearer import Grant
from fhir_service.auth.closure import Closure, earliest, latest, of_teams, started
from fhir_service.storage import history, past, tallies, types
from fhir_service.storage.engine import Snapshot
from fhir_service.storage.history import NEWEST, Window
from fhir_service.storage.patients import PatientState
from fhir_service.storage.repository import Repository, managing_organization
from fhir_service.storage.resources import Stored
from fhir_service.storage.tallies import Rows

BELONGING = (
    "Group",
    "HealthcareService",
    "Organization",
    "Practitioner",
    "PractitionerRole",
)
"""Types that say who belongs to whom, whoever's the data is."""

Json = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Instant:
    """The stored resources as they are or were at an instant.

    Attributes:
        repository: Where they are.
        gate: What decides.
        snapshot: As of which they are read.
        at_us: The instant.
        is_past: Whether earlier versions are looked for.

    """

    repository: Repository
    gate: Gate
    snapshot: Snapshot
    at_us: int
    is_past: bool
    _counted: dict[tuple[str, ...], Mapping[int, int]] = field(
        default_factory=dict, compare=False, repr=False
    )

    def counts(self, rows: Rows) -> Mapping[int, int]:
        """Return signature → how many rows have it; the same rows are counted once."""
        text, values = rows.clause(self.snapshot)
        key = rows.table, text, repr(values)
        found = self._counted.get(key)
        if found is None:
            found = self._counted[key] = tallies.counts(self.snapshot, rows)
        return found

    def state(self, state: PatientState) -> PatientState:
        """Return the patient with who managed it at the instant."""
        if not self.is_past:
            return state
        stored = past.version_at(
            self.snapshot, types.number_of("Patient"), state.id, self.at_us
        )
        organization = (
            None if stored is None else managing_organization(self._body(stored))
        )
        return replace(state, organization=organization)

    def consents(self, state: PatientState) -> tuple[ParsedConsent, ...]:
        """Return the patient's consents in the versions of the instant."""
        if not self.is_past:
            return self.gate.consents(self.snapshot, state)
        return tuple(
            self._parsed(stored, state) for stored in self._of_patient(state, "Consent")
        )

    def closure(self, grant: Grant, state: PatientState) -> Closure:
        """Return what a consent of the patient may call the grant."""
        if not self.is_past:
            return self.gate.closure(self.snapshot, grant, state, self.at_us)
        closure = closed(
            started(grant), list(self._belonging()), self.repository, self.at_us
        )
        teams = of_teams(
            [self._body(one) for one in self._of_patient(state, "CareTeam")],
            self.repository.deployment,
        )
        if not teams:
            return closure
        start_us, until_us = boundaries(teams, self.at_us)
        return Closure(
            names=spread(closure.names, teams, self.at_us),
            start_us=latest(closure.start_us, start_us),
            until_us=earliest(closure.until_us, until_us),
        )

    def _of_patient(self, state: PatientState, type_: str) -> list[Stored]:
        return past.of_patient(
            self.snapshot, state.key, types.number_of(type_), self.at_us
        )

    def _belonging(self) -> Iterator[Json]:
        """Yield every resource that says who belongs to whom."""
        numbers = [types.number_of(type_) for type_ in BELONGING]
        window = Window(at=(self.at_us, self.at_us))
        for stored in history.newest_first(self.snapshot, numbers, window, NEWEST):
            if not stored.deleted:
                yield self._body(stored)

    def _body(self, stored: Stored) -> Json:
        return fhir_json.loads_object(self.repository.body(self.snapshot, stored))

    def _parsed(self, stored: Stored, state: PatientState) -> ParsedConsent:
        body = self.repository.body(self.snapshot, stored)
        return read_bytes(
            body,
            reference=f"Consent/{fhir_json.loads_object(body)['id']}",
            patient=f"Patient/{state.id}",
            deployment=self.repository.deployment,
        )


def closed(
    start: frozenset[str], found: list[Json], repository: Repository, at_us: int
) -> Closure:
    """Return every name that follows from those at the start.

    Only what a resource says that has such a name, or names somebody who has, counts:
    what is said of nobody whom we can name is not reached from anybody else.
    """
    said = [
        (
            f"{body['resourceType']}/{body['id']}",
            memberships(body, repository.deployment),
        )
        for body in found
    ]
    told: dict[Membership, None] = {}
    names = Names(start, frozenset())
    while True:
        known = names.certain | names.possible
        reached = dict.fromkeys(_reached(said, known))
        if reached.keys() <= told.keys():
            break
        told |= reached
        names = spread(Names(start, frozenset()), told, at_us)
    start_us, until_us = boundaries(told, at_us)
    return Closure(names=names, start_us=start_us, until_us=until_us)


def _reached(
    said: Iterable[tuple[str, list[Membership]]], known: frozenset[str]
) -> Iterator[Membership]:
    for name, told in said:
        if name in known or any(not known.isdisjoint(one.members) for one in told):
            yield from told
