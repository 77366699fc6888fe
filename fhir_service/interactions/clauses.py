"""One condition of a search as SQL, and as what is compared again with the resource.

https://hl7.org/fhir/R4/search.html
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Protocol

from conformance import fhir_json
from conformance.references import Reference
from conformance.search_parameters import extractor
from consent.references import Deployment
from fhir_service.interactions.plan import (
    Json,
    Scope,
    Verify,
    dates_of,
    is_date_of_observation,
)
from fhir_service.interactions.ranges import compared
from fhir_service.search.criteria import (
    Chain,
    CompositeValue,
    Condition,
    Criterion,
    DateValue,
    Has,
    Missing,
    TokenValue,
)
from fhir_service.search.matching import matches
from fhir_service.search.postings import (
    COMBINED,
    ROW_CODES,
    Posting,
    key_of,
    lookup,
    part_parameters,
    present,
)
from fhir_service.storage import conditions, resources, scan, types
from fhir_service.storage.engine import Snapshot
from fhir_service.storage.predicate import EVERYTHING, NOTHING, Clause
from fhir_service.storage.resources import Stored


class Finds(Protocol):
    """Runs the searches inside a search."""

    def rows(self, type_: str, asked: Sequence[Condition]) -> list[Stored]:
        """Return everything that is found."""

    def referring(self, has: Has) -> list[Stored]:
        """Return what refers, as far as it is needed to know to what."""

    def bodies(self, versions: Sequence[Stored]) -> list[bytes]:
        """Return the JSON of versions."""


_Read = Callable[[Scope, Criterion], tuple[Clause, list[Verify]]]


class Clauses:
    """Turns conditions into clauses, in one snapshot.

    Args:
        snapshot: Of decision and rows alike.
        place: Our bases, and the zone of dates without an offset.
        hash_of: Hashes a posting.
        finds: Runs what chains ask.

    """

    def __init__(
        self,
        snapshot: Snapshot,
        place: Deployment,
        hash_of: Callable[[Posting], int],
        finds: Finds,
    ) -> None:
        self._snapshot = snapshot
        self._place = place
        self._hash = hash_of
        self._finds = finds
        self._by_type: Mapping[str, _Read] = {
            "composite": self._composite,
            "date": self._dates,
            "number": self._quantities,
            "quantity": self._quantities,
            "reference": self._looked_up,
            "string": self._looked_up,
            "token": self._looked_up,
            "uri": self._looked_up,
        }

    def of(self, scope: Scope, condition: Condition) -> tuple[Clause, list[Verify]]:
        """Return a condition as a clause, and what is to be compared again."""
        if isinstance(condition, Chain):
            return self._chain(scope, condition), []
        if isinstance(condition, Has):
            return self._has(scope, condition), []
        if condition.modifier == "missing":
            return self._missing(scope, condition), []
        if condition.parameter.code == "_id":
            return self._ids(scope, condition), []
        if condition.parameter.code == "_lastUpdated":
            return _updated(scope, condition), []
        return self._by_type[condition.parameter.type](scope, condition)

    def _missing(self, scope: Scope, condition: Criterion) -> Clause:
        has = self.postings(scope, [present(condition.parameter.code)])
        if condition.parameter.code in ("_id", "_lastUpdated"):
            has = EVERYTHING
        wanted = [
            conditions.none_of(has) if value.is_missing else has
            for value in condition.values
            if isinstance(value, Missing)
        ]
        return EVERYTHING if EVERYTHING in wanted else conditions.any_of(wanted)

    def _looked_up(
        self, scope: Scope, condition: Criterion
    ) -> tuple[Clause, list[Verify]]:
        found = [
            lookup(condition.parameter, condition.modifier, value)
            for value in condition.values
        ]
        is_exact = all(one.is_exact for one in found)
        check = [] if is_exact else [self._verify(condition)]
        if condition.modifier == "not" and not is_exact:
            return EVERYTHING, check
        clauses = []
        if shared := [one.posting for one in found if not one.is_own]:
            clauses.append(self.postings(scope, shared))
        if own := [one.posting for one in found if one.is_own]:
            clauses.append(self._own(scope, own))
        either = conditions.any_of(clauses)
        if condition.modifier == "not":
            return conditions.none_of(either), check
        return either, check

    def _verify(self, condition: Criterion) -> Verify:
        place = self._place

        def check(resource: Json) -> bool:
            return matches(
                condition, resource, zone=place.zone, base_urls=place.own_bases
            )

        return check

    def postings(self, scope: Scope, asked: Iterable[Posting]) -> Clause:
        """Return that the row's index set has one of these postings."""
        dialect = self._snapshot.dialect
        hashes = sorted({self._hash(posting) for posting in asked})
        either = conditions.in_sets(hashes, scope.key, dialect)
        if scope.patient is not None:
            return either
        rows = scan.rare_in_sets(
            self._snapshot, types.number_of(scope.type), either, conditions.RARE
        )
        if rows is not None:
            return conditions.in_rows(rows, dialect)
        if dialect == "sqlite":
            # Found often: the page is filled in its order, no index of sets is used.
            return f"+{either[0]}", either[1]
        return either

    def _own(self, scope: Scope, asked: Iterable[Posting]) -> Clause:
        hashes = sorted({self._hash(posting) for posting in asked})
        return conditions.in_own(hashes, scope.key, self._snapshot.dialect)

    def _dates(self, scope: Scope, condition: Criterion) -> tuple[Clause, list[Verify]]:
        values = dates_of(condition)
        if is_date_of_observation(scope.type, condition):
            return _of_times(values), []
        key = key_of(condition.parameter.code)
        return conditions.dates(self._snapshot, key, values, scope.key), []

    def _quantities(
        self, scope: Scope, condition: Criterion
    ) -> tuple[Clause, list[Verify]]:
        code = condition.parameter.code
        keys = [key_of(one) for one in COMBINED.get(code, (code,))]
        asked = compared(self._snapshot, condition.values)
        if not asked:
            return NOTHING, []
        return conditions.quantities(self._snapshot, keys, asked, scope.key), []

    def _composite(
        self, scope: Scope, condition: Criterion
    ) -> tuple[Clause, list[Verify]]:
        """Return that each part is somewhere; that they are together is verified."""
        parts = part_parameters(scope.type, condition.parameter)
        alternatives = []
        for value in condition.values:
            assert isinstance(value, CompositeValue)  # noqa: S101 - narrows for mypy
            alternatives.append(
                conditions.all_of(
                    [
                        self.of(
                            scope,
                            Criterion(parameter=part, modifier=None, values=(one,)),
                        )[0]
                        for part, one in zip(parts, value.parts, strict=True)
                    ]
                )
            )
        return conditions.any_of(alternatives), [self._verify(condition)]

    def _ids(self, scope: Scope, condition: Criterion) -> Clause:
        number = types.number_of(scope.type)
        rows = [
            found[1]
            for value in condition.values
            if isinstance(value, TokenValue)
            and value.code is not None
            and not value.system
            and (found := resources.locate(self._snapshot, number, value.code))
        ]
        either = conditions.in_rows(rows, self._snapshot.dialect)
        if condition.modifier == "not":
            return conditions.none_of(either)
        return either if rows else NOTHING

    def _chain(self, scope: Scope, chain: Chain) -> Clause:
        code = chain.parameter.code
        named = [
            (code, "to", reference)
            for type_, condition in chain.targets
            for reference in self._references(type_, condition)
        ]
        if not named:
            return NOTHING
        if code in ROW_CODES:
            return self._own(scope, named)
        return self.postings(scope, named)

    def _references(self, type_: str, condition: Condition) -> list[str]:
        return [
            f"{type_}/{fhir_json.loads(body)['id']}"
            for body in self._finds.bodies(self._finds.rows(type_, [condition]))
        ]

    def _has(self, scope: Scope, has: Has) -> Clause:
        code = has.parameter.code
        find = extractor(
            has.type, code, zone=self._place.zone, base_urls=self._place.own_bases
        )
        ids = {
            value.id
            for body in self._finds.bodies(self._finds.referring(has))
            for value in find(fhir_json.loads_object(body))
            if isinstance(value, Reference) and value.type == scope.type and value.id
        }
        number = types.number_of(scope.type)
        rows = [
            found[1]
            for id_ in sorted(ids)
            if (found := resources.locate(self._snapshot, number, id_))
        ]
        return conditions.in_rows(rows, self._snapshot.dialect) if rows else NOTHING

    def any_of(self, type_: str, key: int | None, asked: Sequence[Criterion]) -> Clause:
        """Return that one of several looked-up conditions holds, as a clause."""
        dialect = self._snapshot.dialect
        found = [
            lookup(one.parameter, one.modifier, value)
            for one in asked
            for value in one.values
        ]
        shared = [self._hash(one.posting) for one in found if not one.is_own]
        own = [self._hash(one.posting) for one in found if one.is_own]
        clauses = []
        if shared:
            either = conditions.in_sets(shared, key, dialect)
            rows = scan.rare_in_sets(
                self._snapshot, types.number_of(type_), either, conditions.RARE
            )
            clauses.append(
                either if rows is None else conditions.in_rows(rows, dialect)
            )
        if own:
            clauses.append(conditions.in_own(own, key, dialect))
        return conditions.any_of(clauses)


def _updated(scope: Scope, condition: Criterion) -> Clause:
    values = dates_of(condition)
    if scope.by_resource:
        return conditions.any_of(
            [conditions.interval(one, "last_updated", "last_updated") for one in values]
        )
    return conditions.updated(values)


def overlapping(values: Sequence[DateValue]) -> Clause:
    """Return that the interval of a time-series entry compares."""
    return conditions.any_of(
        [conditions.interval(one, "start", "(start + duration)") for one in values]
    )


def _of_times(values: Sequence[DateValue]) -> Clause:
    """Return that the Observation's own time compares, whatever table is scanned."""
    text, bound = overlapping(values)
    own = f"x.patient_key = o.patient_key AND x.row = o.row AND {scan.DATED[0]}"
    return (
        f"EXISTS (SELECT 1 FROM observation_time x WHERE {own} AND {text})",  # noqa: S608 - fixed texts
        bound,
    )
