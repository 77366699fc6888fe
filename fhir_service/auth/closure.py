"""Everything a Consent may call the requester, at one instant, in one snapshot.

The client, its organization and those above it; the person behind the request with
her roles, their organizations and services; the groups of all these; and towards the
consents of one patient, the care teams of that patient. It is kept until one of these
resources changes or the clock passes the bound of a membership. What cannot be found
out is an error, and an error denies.

docs/consent.md has the rules.
"""

import threading
from collections import OrderedDict
from collections.abc import (
    Callable,
    Collection,
    Iterable,
    Iterator,
    Mapping,
    Sequence,
)
from dataclasses import dataclass
from typing import Any, TypeVar

from conformance import fhir_json
from consent.membership import (
    Membership,
    Names,
    boundaries,
    follow,
    memberships,
    spread,
)
from consent.references import Deployment, type_of
from fhir_service.auth.bearer import Grant
from fhir_service.search.postings import Posting
from fhir_service.storage import naming, patients, resources, types
from fhir_service.storage.engine import Snapshot, Transaction
from fhir_service.storage.patients import PatientState
from fhir_service.storage.repository import Repository
from fhir_service.storage.resources import Stored
from fhir_service.storage.tables import SHARED

MAX_NAMES = 50_000
"""Names of one requester; beyond, nothing is released to it."""

MAX_CONTAINERS = 10_000
"""Resources that name the same requesters, of one type."""

MAX_TEAMS = 1_000
"""Care teams of one patient."""

REMEMBERED_CLOSURES = 4_096
REMEMBERED_TOWARDS = 32_768

_NAMED_BY: Mapping[str, str] = {
    "Group": "member",
    "HealthcareService": "organization",
    "PractitionerRole": "practitioner",
}
"""Type → the search parameter by which its resources name who belongs to them."""

_READ = frozenset({"Group", "HealthcareService", "Organization", "Practitioner"}) | {
    "PractitionerRole"
}
"""Types of which the resource itself is read: for what is above it, and identifiers."""

_Grow = Callable[[Names, Iterable[Membership]], Names]


@dataclass(frozen=True, kw_only=True, slots=True)
class Closure:
    """What the requester is called, and between which instants.

    Attributes:
        names: What a permit, and what a deny may mean.
        start_us: From when it holds; None for always.
        until_us: Until before when; None for ever.

    """

    names: Names
    start_us: int | None = None
    until_us: int | None = None

    def holds(self, at_us: int) -> bool:
        """Whether it is that of this instant."""
        return (self.start_us is None or self.start_us <= at_us) and (
            self.until_us is None or at_us < self.until_us
        )


Known = TypeVar("Known", Closure, list[Membership])


class Closures:
    """Finds out what requesters are called, and remembers it.

    Args:
        repository: Where the resources are.

    """

    def __init__(self, repository: Repository) -> None:
        self._repository = repository
        self._known: OrderedDict[object, Closure] = OrderedDict()
        self._towards: OrderedDict[object, Closure] = OrderedDict()
        self._teams: OrderedDict[object, list[Membership]] = OrderedDict()
        self._guard = threading.Lock()

    def forget(self) -> None:
        """Forget everything: a lost transaction may have been looked into."""
        with self._guard:
            self._known.clear()
            self._towards.clear()
            self._teams.clear()

    def of(self, snapshot: Snapshot, grant: Grant, at_us: int) -> Closure:
        """Return what the grant is called, whoever's the data is.

        Raises:
            OverflowError: where more belongs to it than is looked at.

        """
        start = Names(started(grant), grant.possible)
        at = (start, _version(snapshot, grant))
        known = self._known.get(at)
        if known is None or not known.holds(at_us):
            known = self.closed(snapshot, start, at_us)
            self._remember(self._known, at, known, REMEMBERED_CLOSURES)
        return known

    def towards(
        self, snapshot: Snapshot, closure: Closure, state: PatientState, at_us: int
    ) -> Closure:
        """Return the same with the care teams of one patient.

        A care team stands for its members towards its own subject alone.

        Raises:
            OverflowError: where the patient has more care teams than are looked at.

        """
        at = (closure.names, state.key, state.topology_version)
        known = self._towards.get(at)
        if known is None or not known.holds(at_us):
            known = self._with_teams(snapshot, closure, state, at_us)
            self._remember(self._towards, at, known, REMEMBERED_TOWARDS)
        return known

    def closed(self, snapshot: Snapshot, start: Names, at_us: int) -> Closure:
        """Return every name that follows from those at the start, at one instant.

        Raises:
            OverflowError: where there are more than are looked at.

        """
        names, told = self._grown(
            snapshot, start, lambda from_, told: spread(from_, told, at_us)
        )
        start_us, until_us = boundaries(told, at_us)
        return Closure(names=names, start_us=start_us, until_us=until_us)

    def ever(self, snapshot: Snapshot, start: frozenset[str]) -> frozenset[str]:
        """Return every name that follows at any time, certainly or not.

        Raises:
            OverflowError: as `closed`.

        """
        names, _ = self._grown(snapshot, Names(start, frozenset()), follow)
        return names.certain | names.possible

    def _grown(
        self, snapshot: Snapshot, start: Names, grow: _Grow
    ) -> tuple[Names, set[Membership]]:
        """Return the names, and all that was read of them, once no more follow."""
        told: set[Membership] = set()
        names, asked = start, set[str]()
        while new := (names.certain | names.possible) - asked:
            asked |= new
            if len(asked) > MAX_NAMES:
                raise OverflowError("a requester has more names than are looked at")
            told.update(self._told(snapshot, new))
            names = grow(start, told)
        return names, told

    def _told(self, snapshot: Snapshot, new: Collection[str]) -> Iterator[Membership]:
        """Yield what is stored about some names, and about who is called so."""
        place = self._repository.deployment
        for stored in (*self._named(snapshot, new), *self._naming(snapshot, new)):
            yield from memberships(self._body(snapshot, stored), place)

    def _named(self, snapshot: Snapshot, new: Iterable[str]) -> Iterator[Stored]:
        for name in new:
            type_, _, id_ = name.partition("/")
            if type_ in _READ:
                stored = self._repository.read(snapshot, type_, id_)
                if stored is not None and not stored.deleted:
                    yield stored

    def _naming(self, snapshot: Snapshot, new: Collection[str]) -> Iterator[Stored]:
        hash_of = self._repository.index_sets.hash_once
        for type_, parameter in _NAMED_BY.items():
            hashes = sorted({hash_of(_posting(parameter, name)) for name in new})
            found = naming.naming(
                snapshot, types.number_of(type_), hashes, MAX_CONTAINERS + 1
            )
            if len(found) > MAX_CONTAINERS:
                raise OverflowError("more resources name a requester than are read")
            yield from found

    def _body(self, snapshot: Snapshot, stored: Stored) -> dict[str, Any]:
        return fhir_json.loads_object(self._repository.body(snapshot, stored))

    def _with_teams(
        self, snapshot: Snapshot, closure: Closure, state: PatientState, at_us: int
    ) -> Closure:
        told = self._of_teams(snapshot, state)
        if not told:
            return closure
        start_us, until_us = boundaries(told, at_us)
        return Closure(
            names=spread(closure.names, told, at_us),
            start_us=latest(closure.start_us, start_us),
            until_us=earliest(closure.until_us, until_us),
        )

    def _of_teams(self, snapshot: Snapshot, state: PatientState) -> list[Membership]:
        """Return who is in the care teams of a patient, whoever asks."""
        at = (state.key, state.topology_version)
        known = self._teams.get(at)
        if known is None:
            known = self._read_teams(snapshot, state)
            self._remember(self._teams, at, known, REMEMBERED_CLOSURES)
        return known

    def _read_teams(self, snapshot: Snapshot, state: PatientState) -> list[Membership]:
        number = types.number_of("CareTeam")
        found = resources.of_patient(
            snapshot, state.key, number, after=0, count=MAX_TEAMS
        )
        if len(found) == MAX_TEAMS:
            raise OverflowError("one patient has more care teams than are read")
        bodies = [self._body(snapshot, stored) for stored in found]
        return of_teams(bodies, self._repository.deployment)

    def _remember(
        self, cache: OrderedDict[object, Known], at: object, known: Known, size: int
    ) -> None:
        with self._guard:
            cache[at] = known
            while len(cache) > size:
                cache.popitem(last=False)


def started(grant: Grant) -> frozenset[str]:
    """Return the names that the grant has by itself."""
    return grant.actors if grant.user is None else grant.actors | {grant.user}


def _version(snapshot: Snapshot, grant: Grant) -> int:
    """Return what is another one once any resource that this rests on has changed.

    A write sees what it has changed itself, and what has been since its token was
    looked at.

    Raises:
        LookupError: where the database has not been made.

    """
    if grant.topology is not None and not isinstance(snapshot, Transaction):
        return grant.topology
    return topology_now(snapshot)


def topology_now(snapshot: Snapshot) -> int:
    """Return what is another number once anybody belongs to something else.

    Raises:
        LookupError: where the database has not been made.

    """
    shared = patients.by_key(snapshot, SHARED)
    if shared is None:
        raise LookupError("what belongs to no patient has no row")
    return shared.topology_version


def _posting(parameter: str, name: str) -> Posting:
    """Return what search has indexed of a reference to `name`."""
    system, bar, value = name.partition("|")
    if bar:
        return (parameter, "identifier-of", system, value)
    return (parameter, "to", name)


def of_teams(teams: Sequence[Mapping[str, Any]], place: Deployment) -> list[Membership]:
    """Return who is in the care teams of one patient.

    A team of another patient inside one of them may be anybody's.
    """
    own = {f"CareTeam/{team['id']}" for team in teams}
    return [_opened(one, own) for team in teams for one in memberships(team, place)]


def _opened(one: Membership, own: Collection[str]) -> Membership:
    """Return a membership of a team that is not read as one of nobody we can name."""
    teams = {name for name in one.members if type_of(name) == "CareTeam"}
    if teams <= set(own):
        return one
    return Membership(
        members=frozenset(), name=one.name, during=one.during, is_certain=False
    )


def latest(one: int | None, other: int | None) -> int | None:
    """Return the later of two instants from when something holds."""
    return max((us for us in (one, other) if us is not None), default=None)


def earliest(one: int | None, other: int | None) -> int | None:
    """Return the earlier of two instants until when something holds."""
    return min((us for us in (one, other) if us is not None), default=None)
