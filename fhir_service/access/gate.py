"""The one gate: what a grant may see of a patient, as a view for SQL.

Nobody else calls the consent engine. A decision is made once for each signature and
remembered until one of its inputs changes: the consents, the signatures, the
requester, or the clock passing a boundary. Whatever fails, denies.

docs/consent.md has the algorithm.
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
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from typing import Any

import structlog

from conformance import fhir_json
from conformance.classes import REFUSED, ResourceClass, anchors, class_of
from conformance.definitions import is_resource_type
from consent.audit.entry import Basis, BasisKind
from consent.capture import ENFORCED
from consent.codes import ACT_REASON
from consent.contents import walk
from consent.decision import Decision, DefaultPolicy, Reason
from consent.dependencies import dependencies
from consent.engine import PreparedRequest, prepare
from consent.explain import decide_resource
from consent.facets import Facets
from consent.formula import Formula, Row, evaluate
from consent.in_force import Policy, Subject, validity
from consent.inputs import Whose, digest
from consent.overlays import Overlay
from consent.policy_version import policy_version
from consent.provisions import ParsedConsent, read_bytes
from consent.references import local
from consent.request import AccessRequest
from fhir_service.access.decided import (
    ALWAYS,
    AT_ONCE,
    EVERYTHING,
    FAILED,
    NOBODYS,
    OF_SHARED,
    OUT_OF_SCOPE,
    Between,
    Decided,
    Timed,
    basis_of,
    hidden,
    merged,
    resting,
    while_called,
)
from fhir_service.access.requester import (
    authors_of,
    is_attested,
    is_custodian,
    reading,
)
from fhir_service.access.scoping import admits, covering
from fhir_service.auth.bearer import Grant
from fhir_service.auth.closure import Closure, Closures
from fhir_service.auth.scopes import COMPARTMENT, ITSELF, Filter, Filters
from fhir_service.auth.standing import standing_of
from fhir_service.logs import describe as describe_error
from fhir_service.storage import device_ties, patients, resources, types
from fhir_service.storage.binding import Binder, RowFacts
from fhir_service.storage.engine import Snapshot
from fhir_service.storage.patients import PatientState
from fhir_service.storage.predicate import View
from fhir_service.storage.repository import (
    Repository,
    category_codings,
)
from fhir_service.storage.resources import Stored
from fhir_service.storage.signatures import by_id as signature_by_id
from fhir_service.storage.tables import SHARED
from fhir_service.storage.views import Views

_log = structlog.get_logger()

REMEMBERED_DECISIONS = 16_384
REMEMBERED_CONSENTS = 4_096
REMEMBERED_VIEWS = 64
"""Requesters whose views over all patients are kept, for each type that they ask."""

PATIENTS_AT_ONCE = 1_000

MAX_HOPS = 3
"""Derived resources that name each other: a Slot, its Schedule."""
CONSENTS_OF_ONE_PATIENT = 10_000


@dataclass(kw_only=True, slots=True)
class _Met:
    """What was decided of patients whom somebody met; grows as more are.

    Attributes:
        changes: How often what decisions depend on had changed, of whichever patient.
        of: Patient → the decision, and when it holds.
        merged: The views of all of them as one, likewise.

    """

    changes: int
    of: dict[int, tuple[Between, Decided]] = field(default_factory=dict)
    merged: tuple[Between, View] | None = None


class Gate:
    """Decides, and remembers what it decided.

    Args:
        repository: Where the consents are.
        policy: What applies where no consent votes.
        clock: Microseconds since 1970.
        failed: Told `consent` when the engine fails, so that somebody is alerted.

    """

    def __init__(
        self,
        repository: Repository,
        policy: DefaultPolicy,
        clock: Callable[[], int],
        failed: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._repository = repository
        self._failed = failed
        self._policy = policy
        self._clock = clock
        self._consents: OrderedDict[tuple[int, int], tuple[ParsedConsent, ...]] = (
            OrderedDict()
        )
        self._prepared: OrderedDict[tuple[object, ...], Timed] = OrderedDict()
        self._decided: OrderedDict[tuple[object, ...], tuple[Timed, Decided]] = (
            OrderedDict()
        )
        self._of_all: OrderedDict[tuple[object, ...], _Met] = OrderedDict()
        self._closures = Closures(repository)
        self._guard = threading.Lock()

    def forget(self) -> None:
        """Forget everything: a lost transaction may have been looked into.

        Its versions are given again to other states.
        """
        with self._guard:
            for cache in self._caches():
                cache.clear()
        self._closures.forget()
        self._repository.signatures.forget()
        self._repository.index_sets.forget()

    def _caches(self) -> tuple["OrderedDict[Any, Any]", ...]:
        return (
            self._consents,
            self._prepared,
            self._decided,
            self._of_all,
        )

    def view(
        self, snapshot: Snapshot, grant: Grant, state: PatientState, type_: str
    ) -> Decided:
        """Return what the grant may see of the patient's resources of a type."""
        return self._viewed(snapshot, grant, state, type_)[1]

    def everybody(self, snapshot: Snapshot, grant: Grant, type_: str) -> View | Views:
        """Return what the grant may see of all patients' resources of a type.

        The same decisions as for each patient, made when they are asked for; kept
        until anything that any of them depends on has changed.
        """
        kind = class_of(type_)
        if kind is not ResourceClass.PATIENT_DATA:
            return EVERYTHING
        try:
            now = self._clock()
            closure = self._closures.of(snapshot, grant, now)
        except Exception as error:  # noqa: BLE001 - who is not known is nobody
            self._alert(error)
            return NOBODYS
        at = (
            type_,
            closure.names,
            grant.organization,
            grant.purposes,
            grant.individual_known,
            grant.patient if grant.scopes.confines(type_) else None,
            grant.patient if grant.is_attested else None,
        )
        met = self._met(patients.changes(snapshot), None if grant.user else at)
        known = met.merged
        if known is not None and known[0].holds(now) and known[1].is_all_or_nothing:
            return known[1]
        return Views(
            of=partial(self._views_of, snapshot, grant, type_, met),
            everybody=partial(self._view_of_all, snapshot, grant, type_, met),
        )

    def _met(self, changes: int, at: tuple[object, ...] | None) -> _Met:
        """Return what was decided since the last change of anything."""
        if at is None:  # Whom a person stands for changes as data does.
            return _Met(changes=changes)
        known = self._of_all.get(at)
        if known is None or known.changes != changes:
            known = _Met(changes=changes)
            self._remember(self._of_all, at, known, REMEMBERED_VIEWS)
        return known

    def _views_of(
        self,
        snapshot: Snapshot,
        grant: Grant,
        type_: str,
        met: _Met,
        keys: Collection[int],
    ) -> dict[int, View]:
        """Return the views of some patients; what belongs to nobody has none."""
        now, views = self._clock(), dict[int, View]()
        for key in keys:
            known = met.of.get(key)
            if known is not None and known[0].holds(now):
                views[key] = known[1].view
        unknown = [key for key in keys if key not in views and key != SHARED]
        states = patients.by_keys(snapshot, unknown) if unknown else ()
        for _, decided in self._meet(snapshot, grant, type_, met, states):
            views[decided.view.patient_key] = decided.view
        return views

    def _view_of_all(
        self, snapshot: Snapshot, grant: Grant, type_: str, met: _Met
    ) -> View:
        """Return the views of all patients as one."""
        known = met.merged
        if known is None or not known[0].holds(self._clock()):
            states = self._within(snapshot, grant, type_)
            known = merged(self._meet(snapshot, grant, type_, met, states))
            if grant.scopes.confines(type_):  # Others have rows, too.
                known = known[0], replace(known[1], whole=False)
            met.merged = known
        return known[1]

    def _meet(
        self,
        snapshot: Snapshot,
        grant: Grant,
        type_: str,
        met: _Met,
        states: Iterable[PatientState],
    ) -> Iterator[tuple[Between, Decided]]:
        """Yield the decision on each of some patients, and keep it."""
        now = self._clock()
        for state in states:
            known = met.of.get(state.key)
            if known is None or not known[0].holds(now):
                known = met.of[state.key] = self._viewed(snapshot, grant, state, type_)
            yield known

    def _within(
        self, snapshot: Snapshot, grant: Grant, type_: str
    ) -> Iterable[PatientState]:
        """Return the patients whom the scopes do not leave out."""
        if not grant.scopes.confines(type_):
            return self._states(snapshot)
        state = patients.by_id(
            snapshot, types.number_of("Patient"), grant.patient or ""
        )
        return () if state is None else (state,)

    @staticmethod
    def _states(snapshot: Snapshot) -> Iterator[PatientState]:
        after = SHARED
        while found := patients.after(snapshot, after, PATIENTS_AT_ONCE):
            yield from found
            after = found[-1].key

    def _viewed(
        self, snapshot: Snapshot, grant: Grant, state: PatientState, type_: str
    ) -> tuple[Between, Decided]:
        if grant.scopes.confines(type_) and state.id != grant.patient:
            return ALWAYS, hidden(state.key, (state.id,), OUT_OF_SCOPE)
        actions = reading(grant, state)
        try:
            closure = self._closure(snapshot, grant, state)
            stands = self._standing(snapshot, grant, state)
        except Exception as error:  # noqa: BLE001 - who is not known is nobody
            return self._failing(state, error)
        at = (
            state.key,
            state.signature_version,
            state.consent_epoch,
            state.organization,
            type_,
            actions,
            closure.names,
            grant.purposes,
            grant.individual_known,
            is_attested(grant, state),
            stands and stands.name,
        )
        known = self._decided.get(at)
        if (
            known is not None
            and known[0].holds(self._clock())
            and known[0].is_tied(snapshot)
        ):
            return known
        try:
            timed = self._prepare(
                snapshot,
                self._request(grant, closure, actions, state),
                state,
                custodian=is_custodian(grant, state),
                stands=stands,
            )
            timed = while_called(timed, closure)
            decided = self._decide(snapshot, timed.prepared, state, type_)
            decided = resting(decided, timed.rests_on)
        except Exception as error:  # noqa: BLE001 - whatever fails in the engine denies
            return self._failing(state, error)
        self._remember(self._decided, at, (timed, decided), REMEMBERED_DECISIONS)
        return timed, decided

    def _failing(
        self, state: PatientState, error: Exception
    ) -> tuple[Between, Decided]:
        """Hide everything of a patient, for this once."""
        self._alert(error)
        return AT_ONCE, hidden(state.key, (state.id,), FAILED)

    def _alert(self, error: Exception) -> None:
        _log.error("consent-failed", **describe_error(error))
        self._failed("consent")

    def reasons(
        self, snapshot: Snapshot, grant: Grant, stored: Stored
    ) -> tuple[Reason, ...]:
        """Return every reason for what consent says of reading a stored version.

        For people who ask why; what may be seen is told by `permits` alone.
        """
        state = self.state(snapshot, stored.patient_key)
        request = self._request(
            grant,
            self._closure(snapshot, grant, state),
            reading(grant, state),
            state,
        )
        prepared = self._prepare(
            snapshot,
            request,
            state,
            custodian=is_custodian(grant, state),
            stands=self._standing(snapshot, grant, state),
        ).prepared
        return self.decision(snapshot, prepared, stored).reasons

    def decision(
        self, snapshot: Snapshot, prepared: PreparedRequest, stored: Stored
    ) -> Decision:
        """Return what a prepared request is answered about one stored version."""
        return decide_resource(prepared, *self.facts(snapshot, prepared, stored))

    def facts(
        self, snapshot: Snapshot, prepared: PreparedRequest, stored: Stored
    ) -> tuple[Facets, Row]:
        """Return the signature of a version and what the consents ask of its row."""
        found = signature_by_id(snapshot, stored.signature_id)
        if found is None:
            raise LookupError("a version has no signature")
        facts = RowFacts(snapshot, self._repository, stored)
        followed = dependencies(
            ballot.consent for poll in prepared.polls for ballot in poll.ballots
        ).followed
        return found[1].facets, facts.row(followed)

    def of_row(self, snapshot: Snapshot, grant: Grant, stored: Stored) -> Decided:
        """Return the view that a stored version belongs to."""
        type_ = types.name_of(stored.type_id)
        kind = class_of(type_)
        if kind is not ResourceClass.PATIENT_DATA:
            return self._of_others(snapshot, grant, stored, kind)
        state = patients.by_key(snapshot, stored.patient_key)
        if state is None or not state.key:
            return hidden(stored.patient_key)
        return self.view(snapshot, grant, state, type_)

    def _of_others(
        self, snapshot: Snapshot, grant: Grant, stored: Stored, kind: ResourceClass
    ) -> Decided:
        """Return the view of what is nobody's own.

        A derived resource is visible only as far as everything that it names is.
        """
        if kind is ResourceClass.SHARED or self._names_only_visible(
            snapshot, grant, stored
        ):
            return OF_SHARED
        return hidden(stored.patient_key)

    def _names_only_visible(
        self, snapshot: Snapshot, grant: Grant, stored: Stored, hops: int = 0
    ) -> bool:
        if stored.deleted or hops == MAX_HOPS:
            return False
        body = fhir_json.loads(self._repository.body(snapshot, stored))
        bases = self._repository.deployment.own_bases
        if not any(one.local for one in anchors(body, bases)):
            return False
        named = {local(text, bases) for text in walk(body).references}
        return all(
            self._is_seen(snapshot, grant, reference, hops)
            for reference in named
            if reference is not None
        )

    def _is_seen(
        self, snapshot: Snapshot, grant: Grant, reference: str, hops: int
    ) -> bool:
        """Whether consent and class let the grant see what a reference names.

        A type that no scope covers may be named: scopes say which types are read. Of
        one that they cover in part, such as a category, only that part may.
        A derived resource that names a derived one is followed `MAX_HOPS` times and
        not released beyond.
        """
        type_, _, id_ = reference.partition("/")
        if not is_resource_type(type_) or type_ in REFUSED:
            return False
        if class_of(type_) is ResourceClass.SHARED:
            return True
        found = self._repository.read(snapshot, type_, id_)
        if found is None or found.deleted:
            return False
        if class_of(type_) is ResourceClass.DERIVED:
            return self._names_only_visible(snapshot, grant, found, hops + 1)
        filters = covering(grant, type_)
        if filters and not self._is_in_scope(snapshot, found, filters):
            return False
        decided = self.of_row(snapshot, grant, found)
        return self._is_in_view(snapshot, decided.view, found)

    def permits(
        self,
        snapshot: Snapshot,
        decided: Decided,
        stored: Stored,
        filters: tuple[Filters, ...],
    ) -> bool:
        """Whether the view holds this version, and a scope admits it."""
        return self._is_in_scope(snapshot, stored, filters) and self._is_in_view(
            snapshot, decided.view, stored
        )

    def _is_in_view(self, snapshot: Snapshot, view: View, stored: Stored) -> bool:
        if view.whole:
            return True
        for formula, ids in view.groups:
            if stored.signature_id in ids:
                return formula is True or self._holds(snapshot, formula, stored)
        return False

    def _holds(self, snapshot: Snapshot, formula: Formula, stored: Stored) -> bool:
        return RowFacts(snapshot, self._repository, stored).holds(formula)

    def _is_in_scope(
        self, snapshot: Snapshot, stored: Stored, filters: tuple[Filters, ...]
    ) -> bool:
        if any(not alternative for alternative in filters):
            return True
        body = fhir_json.loads(self._repository.body(snapshot, stored))
        itself = Filter(
            parameter=ITSELF, system=body["resourceType"], code=str(body["id"])
        )
        held = [
            tuple(one for one in alternative if one.parameter != COMPARTMENT)
            for alternative in filters
            if all(
                one.parameter != COMPARTMENT
                or self._is_about(snapshot, stored, one.code)
                for one in alternative
            )
        ]
        return (itself,) in held or admits(tuple(held), category_codings(body))

    def _is_about(
        self, snapshot: Snapshot, stored: Stored, id_: str, hops: int = 0
    ) -> bool:
        """Whether a version is about a patient, or names nobody else's data."""
        kind = class_of(types.name_of(stored.type_id))
        if kind is ResourceClass.PATIENT_DATA:
            state = patients.by_key(snapshot, stored.patient_key)
            return state is not None and state.id == id_
        if kind is ResourceClass.SHARED:
            return hops > 0
        if stored.deleted or hops == MAX_HOPS:
            return False
        body = fhir_json.loads(self._repository.body(snapshot, stored))
        found = [
            self._repository.read(snapshot, *name.split("/"))
            for text in walk(body).references
            if (name := local(text, self._repository.deployment.own_bases))
        ]
        return all(
            one is not None and self._is_about(snapshot, one, id_, hops + 1)
            for one in found
        )

    def collects(
        self, snapshot: Snapshot, grant: Grant, key: int, resource: Mapping[str, Any]
    ) -> bool:
        """Whether a resource from a device may be collected."""
        state = self.state(snapshot, key)
        repository = self._repository
        described = repository.told(snapshot, resource)
        return evaluate(
            self.collect_formula(snapshot, grant, state, described.facets),
            Row(
                reference=f"{resource['resourceType']}/{resource.get('id', '')}",
                start_us=described.start_us,
                end_us=described.end_us,
                mentions=described.mentions,
                authors=authors_of(grant),
                codings=described.codings,
            ),
        )

    def collect_formula(
        self, snapshot: Snapshot, grant: Grant, state: PatientState, facets: Facets
    ) -> Formula:
        """Return when a row with these facets may be collected."""
        request = self._request(
            grant, self._closure(snapshot, grant, state), ("collect",), state
        )
        prepared = self._prepare(
            snapshot, request, state, custodian=is_custodian(grant, state)
        ).prepared
        binder = Binder(snapshot, self._repository, state.key)
        return binder.linked(prepared.formula(facets))

    @staticmethod
    def state(snapshot: Snapshot, key: int) -> PatientState:
        """Return the patient of `key`.

        Raises:
            LookupError: where there is none; the caller has just written to it.

        """
        state = patients.by_key(snapshot, key)
        if state is None:
            raise LookupError("a resource belongs to no patient")
        return state

    @staticmethod
    def owner(snapshot: Snapshot, key: int) -> str | None:
        """Return the id of the patient of `key`; None for what is nobody's."""
        state = patients.by_key(snapshot, key)
        return state.id if state is not None and key != SHARED else None

    def _closure(
        self, snapshot: Snapshot, grant: Grant, state: PatientState
    ) -> Closure:
        """Return what a consent of the patient may call the grant."""
        return self.closure(snapshot, grant, state, self._clock())

    def ever(self, snapshot: Snapshot, names: frozenset[str]) -> frozenset[str]:
        """Return everything that who has these names may be called at any time.

        Raises:
            OverflowError: where that is more than is looked at.

        """
        return self._closures.ever(snapshot, names)

    def _request(
        self,
        grant: Grant,
        closure: Closure,
        actions: tuple[str, ...],
        state: PatientState,
    ) -> AccessRequest:
        return AccessRequest(
            actors=closure.names.certain,
            possible=closure.names.possible,
            individual_known=grant.individual_known,
            purposes=tuple((ACT_REASON, code) for code in grant.purposes),
            actions=actions,
            btg_attested=is_attested(grant, state),
            at_us=self._clock(),
        )

    def _prepare(
        self,
        snapshot: Snapshot,
        request: AccessRequest,
        state: PatientState,
        *,
        custodian: bool,
        stands: Overlay | None = None,
    ) -> Timed:
        """Return the request as this patient's consents see it.

        The custodian overlay is for the managing organization itself: what belongs to
        it as a part is not the custodian.
        """
        name = stands and stands.name
        at = (state.key, state.consent_epoch, custodian, name, request.context)
        known = self._prepared.get(at)
        if known is not None and known.holds(request.at_us) and known.is_tied(snapshot):
            return known
        found = self.consents(snapshot, state)
        prepared = self.prepared(
            snapshot, found, request, state, custodian=custodian, stands=stands
        )
        start_us, until_us = validity(found, request.at_us)
        timed = Timed(
            prepared=prepared,
            start_us=start_us,
            until_us=until_us,
            ties=device_ties.version(snapshot) if dependencies(found).devices else None,
            rests_on=Basis(
                BasisKind.INPUTS,
                self._digest(found, request, state, custodian=custodian, stands=stands),
            ),
        )
        self._remember(self._prepared, at, timed, REMEMBERED_DECISIONS)
        return timed

    def prepared(  # noqa: PLR0913 - a question, whose, and by what overlays
        self,
        snapshot: Snapshot,
        consents: Sequence[ParsedConsent],
        request: AccessRequest,
        state: PatientState,
        *,
        custodian: bool,
        stands: Overlay | None = None,
    ) -> PreparedRequest:
        """Return the request as these consents see it; nothing is remembered."""
        return prepare(
            consents,
            request,
            Subject(
                patient=f"Patient/{state.id}",
                topology=device_ties.around(snapshot, dependencies(consents).devices),
                managing_organization=state.organization if custodian else None,
                standing=stands,
            ),
            Policy(default=self._policy, enforced=ENFORCED),
        )

    def decided(
        self,
        snapshot: Snapshot,
        prepared: PreparedRequest,
        state: PatientState,
        type_: str,
    ) -> Decided:
        """Return the view of a prepared request; nothing is remembered."""
        return self._decide(snapshot, prepared, state, type_)

    def closure(
        self, snapshot: Snapshot, grant: Grant, state: PatientState, at_us: int
    ) -> Closure:
        """Return what a consent of the patient may call the grant at an instant."""
        closure = self._closures.of(snapshot, grant, at_us)
        return self._closures.towards(snapshot, closure, state, at_us)

    @cached_property
    def policy(self) -> str:
        """The version of the rules by which it decides."""
        return policy_version(self._policy, str(self._repository.deployment.zone))

    def _digest(
        self,
        consents: Sequence[ParsedConsent],
        request: AccessRequest,
        state: PatientState,
        *,
        custodian: bool,
        stands: Overlay | None,
    ) -> str:
        """Return the digest of everything that a decision rests on but the rows."""
        whose = Whose(
            patient=f"Patient/{state.id}",
            custodian=state.organization if custodian else None,
            standing=None if stands is None else stands.name,
        )
        return digest(consents, request, whose, self.policy)

    def _standing(
        self, snapshot: Snapshot, grant: Grant, state: PatientState
    ) -> Overlay | None:
        """Return what the person behind the request is to the patient, as of now."""
        return standing_of(self._repository, snapshot, grant, state, self._clock())

    def consents(
        self, snapshot: Snapshot, state: PatientState
    ) -> tuple[ParsedConsent, ...]:
        """Return the patient's consents, read as the engine decides on them."""
        at = (state.key, state.consent_epoch)
        known = self._consents.get(at)
        if known is None:
            known = tuple(self._read_consents(snapshot, state))
            self._tell_indeterminate(known)
            self._remember(self._consents, at, known, REMEMBERED_CONSENTS)
        return known

    def _tell_indeterminate(self, consents: tuple[ParsedConsent, ...]) -> None:
        """Alert somebody to active consents that deny since nobody can read them."""
        policy = Policy(default=self._policy, enforced=ENFORCED)
        count = sum(
            one.is_active and (one.root is None or not policy.enforces(one))
            for one in consents
        )
        if count:
            _log.warning("consent-indeterminate", count=count)
            self._failed("indeterminate")

    def _read_consents(
        self, snapshot: Snapshot, state: PatientState
    ) -> Iterable[ParsedConsent]:
        stored = resources.of_patient(
            snapshot,
            state.key,
            types.number_of("Consent"),
            after=0,
            count=CONSENTS_OF_ONE_PATIENT,
        )
        if len(stored) == CONSENTS_OF_ONE_PATIENT:
            raise OverflowError("one patient has more consents than are read")
        for one in stored:
            body = self._repository.body(snapshot, one)
            yield read_bytes(
                body,
                reference=f"Consent/{fhir_json.loads(body)['id']}",
                patient=f"Patient/{state.id}",
                deployment=self._repository.deployment,
            )

    def _decide(
        self,
        snapshot: Snapshot,
        prepared: PreparedRequest,
        state: PatientState,
        type_: str,
    ) -> Decided:
        number = types.number_of(type_)
        signatures = {
            one.id: one
            for one in self._repository.signatures.of(snapshot, state)
            if one.type_id == number
        }
        grouped = prepared.grouped({id_: one.facets for id_, one in signatures.items()})
        binder = Binder(snapshot, self._repository, state.key)
        groups: dict[Formula, list[int]] = {True: list(grouped.permitted)}
        for formula, ids in grouped.conditional:
            bound = binder.bound(formula)
            if bound is not False:
                groups.setdefault(bound, []).extend(ids)
        kept = tuple((formula, tuple(ids)) for formula, ids in groups.items() if ids)
        by_code: dict[int, set[int]] = {}
        for one in signatures.values():
            by_code.setdefault(one.code_key, set()).add(one.id)
        return Decided(
            view=View(
                patient_key=state.key,
                groups=kept,
                whole=bool(signatures) and len(groups[True]) == len(signatures),
            ),
            basis=basis_of(
                prepared, kept, {k: v.facets for k, v in signatures.items()}
            ),
            patients=(state.id,),
            by_code={code: frozenset(ids) for code, ids in by_code.items()},
            has_rows=bool(signatures),
            obliged=any(signatures[id_].facets.tags for _, ids in kept for id_ in ids),
        )

    def _remember(
        self, cache: "OrderedDict[Any, Any]", at: object, value: object, size: int
    ) -> None:
        with self._guard:
            cache[at] = value
            while len(cache) > size:
                cache.popitem(last=False)
