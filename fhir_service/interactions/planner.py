"""From what is asked to what storage finds: plans are made and run.

The view that scopes and consents leave is part of the plan's SQL, so it stands before
count, sort and page. What an index cannot answer alone is compared again with the
resource, row by row.

https://hl7.org/fhir/R4/search.html
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from conformance import fhir_json
from conformance.classes import ResourceClass, class_of
from conformance.issues import FHIRError, IssueType
from fhir_service.access import Decided, Gate
from fhir_service.auth.bearer import Grant, require
from fhir_service.auth.scopes import COMPARTMENT, Filter, Filters
from fhir_service.exchange import Services
from fhir_service.interactions.clauses import Clauses, overlapping
from fhir_service.interactions.plan import (
    Key,
    Plan,
    Scope,
    Sorted,
    Verify,
    bounded,
    dates_of,
    is_code,
    is_date,
    is_oldest_first,
    natural,
    patients_of,
    where,
)
from fhir_service.search.criteria import (
    Condition,
    Criterion,
    DateValue,
    Has,
    TokenValue,
)
from fhir_service.search.postings import ROW_CODES
from fhir_service.storage import conditions, observations, patients, scan, types
from fhir_service.storage.body import Item
from fhir_service.storage.engine import Snapshot
from fhir_service.storage.observations import Question
from fhir_service.storage.patients import PatientState
from fhir_service.storage.predicate import EVERYTHING, NOTHING, Clause, View, clause
from fhir_service.storage.resources import Shown, Stored
from fhir_service.storage.scan import Order, Scan
from fhir_service.storage.tokens import UNDATED
from fhir_service.storage.views import Views

CHAINED = 10_000
"""Resources that a chain, or what is compared row by row, may have to look at."""

AT_ONCE = 200
"""Rows read in one go where each is compared again."""


class Planner:
    """Plans and runs searches of one request in one snapshot.

    Args:
        services: What interactions need.
        snapshot: Of decision and rows alike.
        grant: Who asks.

    """

    def __init__(self, services: Services, snapshot: Snapshot, grant: Grant) -> None:
        self._repository = services.repository
        self._gate: Gate = services.gate
        self._snapshot = snapshot
        self._grant = grant
        self.place = services.repository.deployment
        self._clauses = Clauses(
            snapshot, self.place, services.repository.index_sets.hash_of, self
        )

    def plan(
        self,
        type_: str,
        asked: Sequence[Condition],
        sort: Sorted | None = None,
        extra: Callable[[int | None], Clause] | None = None,
    ) -> Plan | None:
        """Return how `type_` is searched; None where nothing can be found.

        Args:
            type_: The type.
            asked: All must hold.
            sort: The order, where it was asked for and storage can give it.
            extra: A further condition, given the key of the one patient.

        Raises:
            FHIRError: `forbidden` where no scope covers the type, `too-costly` where
                a chain finds too much.

        """
        filters = require(self._grant, type_, "search-type")
        ids, rest = patients_of(type_, asked)
        if class_of(type_) is ResourceClass.PATIENT_DATA:
            ids |= self._confined(type_)
        patient = self._state(ids)
        if ids and patient is None:
            return None
        scope = self._scope(type_, patient, rest, sort)
        clauses: list[Clause] = [self._scoped(filters, scope)]
        verify: list[Verify] = []
        series: Mapping[int, int] | None = None
        dates: list[tuple[DateValue, ...]] = []
        for condition in rest:
            if is_code(condition) and scope.patient is not None and scope.by_time:
                series = self._series(scope.patient, condition, series)
            elif scope.by_time and is_date(condition):
                dates.append(dates_of(condition))
            else:
                one, check = self._clauses.of(scope, condition)
                clauses.append(one)
                verify.extend(check)
        if extra is not None:
            clauses.append(extra(scope.key))
        plan = self._planned(scope, clauses, verify, series, dates, filters, sort)
        return plan and bounded(plan, rest)

    def _planned(  # noqa: PLR0913, PLR0917 - the parts of a plan
        self,
        scope: Scope,
        clauses: list[Clause],
        verify: list[Verify],
        series: Mapping[int, int] | None,
        dates: Sequence[tuple[DateValue, ...]],
        filters: tuple[Filters, ...],
        sort: Sorted | None,
    ) -> Plan | None:
        decided, view = self._view(scope, series)
        if isinstance(view, View):
            if not view.whole and view.is_empty:
                return None
            clauses.append(clause(view, self._snapshot.dialect))
        if any(text == NOTHING[0] for text, _ in clauses):
            return None
        source = self._source(scope, clauses, series, dates, sort)
        if isinstance(view, Views):
            assert isinstance(source, Scan)  # noqa: S101 - else nobody is named
            source = replace(source, views=view)
        return Plan(
            type=scope.type,
            source=source,
            verify=tuple(verify),
            is_judged=class_of(scope.type) is ResourceClass.DERIVED,
            filters=filters,
            decided=decided,
        )

    def _source(
        self,
        scope: Scope,
        clauses: list[Clause],
        series: Mapping[int, int] | None,
        dates: Sequence[tuple[DateValue, ...]],
        sort: Sorted | None,
    ) -> Question | Scan:
        is_series = scope.type == "Observation"
        if scope.patient is not None and scope.by_time:
            return Question(
                patient_key=scope.patient.key,
                series=series,
                dates=tuple(dates),
                where=conditions.all_of(clauses),
                descending=sort is None or sort.descending,
            )
        if dates:
            clauses.append(scan.DATED)
            clauses += [overlapping(values) for values in dates]
        order = sort or natural(scope)
        return Scan(
            type_id=types.number_of(scope.type),
            is_series=is_series,
            order=order.order,
            descending=order.descending,
            patient_key=scope.key,
            where=conditions.all_of(clauses),
        )

    def _scope(
        self,
        type_: str,
        patient: PatientState | None,
        asked: Sequence[Condition],
        sort: Sorted | None,
    ) -> Scope:
        by_updated = sort is not None and sort.order is Order.UPDATED
        by_time = (
            type_ == "Observation"
            and not by_updated
            and (
                patient is not None
                or any(is_date(one) for one in asked)
                or (sort is not None and sort.order is Order.START)
            )
        )
        scanned = type_ == "Observation" or by_updated
        return Scope(
            type=type_,
            patient=patient,
            by_time=by_time,
            by_resource=scanned and not by_time and not (by_updated and patient),
        )

    def _confined(self, type_: str) -> frozenset[str]:
        """Return the one patient whose data the scopes leave; empty for no limit."""
        if self._grant.patient is None or not self._grant.scopes.confines(type_):
            return frozenset()
        return frozenset({self._grant.patient})

    def _state(self, ids: frozenset[str]) -> PatientState | None:
        """Return the one patient that is asked for; none where two differ."""
        if len(ids) != 1:
            return None
        [id_] = ids
        return patients.by_id(self._snapshot, types.number_of("Patient"), id_)

    def _view(
        self, scope: Scope, series: Mapping[int, int] | None
    ) -> tuple[Decided | None, View | Views]:
        if scope.patient is None or class_of(scope.type) is not (
            ResourceClass.PATIENT_DATA
        ):
            return None, self._gate.everybody(self._snapshot, self._grant, scope.type)
        decided = self._gate.view(
            self._snapshot, self._grant, scope.patient, scope.type
        )
        if series is not None:
            return decided, decided.of_codes(series)
        return decided, decided.view

    def _scoped(self, filters: tuple[Filters, ...], scope: Scope) -> Clause:
        """Return what filtered scopes leave, where every scope is filtered.

        Raises:
            FHIRError: `not-supported` for a filter that the type does not know.

        """
        alternatives = [
            conditions.all_of([self._filtered(scope, one) for one in alternative])
            for alternative in filters
        ]
        if EVERYTHING in alternatives:
            return EVERYTHING
        return conditions.any_of([one for one in alternatives if one != NOTHING])

    def _filtered(self, scope: Scope, one: Filter) -> Clause:
        """Return one filter of a scope as a clause."""
        if one.parameter != COMPARTMENT:
            posting = (one.parameter, "coding", one.system, one.code)
            return self._clauses.postings(scope, [posting])
        if class_of(scope.type) is not ResourceClass.PATIENT_DATA:
            return EVERYTHING  # Each row is judged by what it names.
        state = self._state(frozenset({one.code}))
        if state is None:
            return NOTHING
        if scope.key == state.key:
            return EVERYTHING
        return "o.patient_key = ?", (state.key,)

    def _series(
        self,
        patient: PatientState,
        condition: Condition,
        known: Mapping[int, int] | None,
    ) -> Mapping[int, int]:
        """Return the series of codes that a repetition of `code` leaves."""
        assert isinstance(condition, Criterion)  # noqa: S101 - narrows for mypy
        found: dict[int, int] = {}
        for value in condition.values:
            assert isinstance(value, TokenValue)  # noqa: S101 - likewise
            assert value.code is not None  # noqa: S101 - likewise
            found |= observations.lengths_of_code(
                self._snapshot, patient.key, value.system, value.code
            )
        if known is None:
            return found
        return {key: length for key, length in known.items() if key in found}

    def any_of(self, type_: str, key: int | None, asked: Sequence[Criterion]) -> Clause:
        """Return that one of several looked-up conditions holds, as a clause."""
        return self._clauses.any_of(type_, key, asked)

    def clause(self, type_: str, key: int | None, condition: Condition) -> Clause:
        """Return one condition that an index answers, as a clause."""
        del key
        return self._clauses.of(
            Scope(type=type_, patient=None, by_time=False, by_resource=False),
            condition,
        )[0]

    @staticmethod
    def all_of(clauses: Iterable[Clause]) -> Clause:
        """Return that all hold; nothing where one of them cannot."""
        found = list(clauses)
        return NOTHING if NOTHING in found else conditions.all_of(found)

    def rows(self, type_: str, asked: Sequence[Condition]) -> list[Stored]:
        """Return everything that is found, in no particular order.

        Raises:
            FHIRError: `too-costly` for more than `CHAINED`.

        """
        plan = self.plan(type_, asked)
        return [] if plan is None else self.all(plan)

    def all(self, plan: Plan) -> list[Stored]:
        """Return everything that a plan finds, in its order.

        Raises:
            FHIRError: `too-costly` for more than `CHAINED`.

        """
        return _not_too_many(
            [version for _, version in self.versions(plan, None, CHAINED + 1)]
        )

    def versions(
        self, plan: Plan, after: Key | None, count: int
    ) -> list[tuple[int, Stored]]:
        """Return up to `count` of (key of the order, version) after a position.

        Raises:
            FHIRError: `too-costly` where too many have to be compared again.

        """
        if plan.is_exact:
            return self._fetch(plan.source, after, count)
        found: list[tuple[int, Stored]] = []
        # What may not be seen counts for nothing: no limit is reached by it.
        for number, one in enumerate(self._seen(plan, after), 1):
            if number > CHAINED:
                raise _too_costly()
            if self._holds(plan, one[1]):
                found.append(one)
            if len(found) == count:
                break
        return found

    def _seen(self, plan: Plan, after: Key | None) -> Iterator[tuple[int, Stored]]:
        """Give what storage finds and may be seen, in order."""
        while True:
            chunk = self._fetch(plan.source, after, AT_ONCE)
            yield from (one for one in chunk if self._may_see(plan, one[1]))
            if len(chunk) < AT_ONCE:
                return
            after = (chunk[-1][0], chunk[-1][1].row)

    def shown(
        self, plan: Plan, after: Key | None, count: int
    ) -> Sequence[tuple[int, Shown | Stored]]:
        """Return the same as `versions`, with no more than a page needs of them."""
        source = plan.source
        if (
            isinstance(source, Question)
            and plan.is_exact
            and not is_oldest_first(source)
        ):
            return observations.page(
                self._snapshot, replace(source, after=after), count
            )
        return self.versions(plan, after, count)

    def _fetch(
        self, source: Question | Scan, after: Key | None, count: int
    ) -> list[tuple[int, Stored]]:
        if not is_oldest_first(source):
            return self._read(source, after, count)
        # The index has what has no time before all others; it is shown after them.
        found: list[tuple[int, Stored]] = []
        is_among_undated = after is not None and after[0] == UNDATED
        if not is_among_undated:
            found = self._read(where(source, scan.DATED), after, count)
        if len(found) < count:
            undated = where(source, scan.NOT_DATED)
            at = after if is_among_undated else None
            found += self._read(undated, at, count - len(found))
        return found

    def _read(
        self, source: Question | Scan, after: Key | None, count: int
    ) -> list[tuple[int, Stored]]:
        if isinstance(source, Question):
            question = replace(source, after=after)
            return observations.versions(self._snapshot, question, count)
        return scan.versions(self._snapshot, replace(source, after=after), count)

    def _holds(self, plan: Plan, stored: Stored) -> bool:
        if not plan.verify:
            return True
        resource = fhir_json.loads_object(self._repository.body(self._snapshot, stored))
        return all(check(resource) for check in plan.verify)

    def _may_see(self, plan: Plan, stored: Stored) -> bool:
        if not plan.is_judged:
            return True
        decided = self._gate.of_row(self._snapshot, self._grant, stored)
        return self._gate.permits(self._snapshot, decided, stored, plan.filters)

    def total(self, plan: Plan) -> int:
        """Return how many are found, exactly.

        Raises:
            FHIRError: `too-costly` where too many have to be compared again.

        """
        if not plan.is_exact:
            return len(self.all(plan))
        if isinstance(plan.source, Question):
            return observations.total(self._snapshot, plan.source)
        return scan.total(self._snapshot, plan.source)

    def bodies(self, versions: Sequence[Shown | Stored]) -> list[bytes]:
        """Return the JSON of versions."""
        return self._repository.codec.decode_many(self._snapshot, _items(versions))

    def identity(self, versions: Sequence[Shown | Stored]) -> bytes:
        """Return what tells these stored versions from all others."""
        return self._repository.codec.identity(_items(versions))

    def referring(self, has: Has) -> list[Stored]:
        """Return what refers; one of each index set where all in a set refer alike."""
        plan = self.plan(has.type, [has.condition])
        if plan is None:
            return []
        if (
            has.parameter.code in ROW_CODES
            or not plan.is_exact
            or not isinstance(plan.source, Scan)
        ):
            return self.all(plan)
        found = scan.samples(self._snapshot, plan.source, CHAINED + 1)
        return _not_too_many(found)


def _items(versions: Sequence[Shown | Stored]) -> list[Item]:
    return [(one.patient_key, one.row, one.version, one.body) for one in versions]


def _not_too_many(found: list[Stored]) -> list[Stored]:
    if len(found) > CHAINED:
        raise _too_costly()
    return found


def _too_costly() -> FHIRError:
    return FHIRError(
        IssueType.TOO_COSTLY,
        f"More than {CHAINED} resources would have to be looked at one by one; name a "
        "patient, or narrow the search.",
    )
