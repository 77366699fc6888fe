"""A page of what one or several types' plans find, in the order that was asked for.

Storage gives the orders of its indexes. Any other is made in memory, of no more than
`planner.CHAINED` resources; the page after a position is found by the values it holds.

https://hl7.org/fhir/R4/search.html#sort
"""

import heapq
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cmp_to_key
from typing import Any

from conformance import fhir_json
from fhir_service.access import Decided
from fhir_service.interactions.plan import Key, Plan, Sorted
from fhir_service.interactions.planner import Planner
from fhir_service.search.criteria import Criterion, SearchQuery
from fhir_service.search.sort import compared, sort_key
from fhir_service.storage.predicate import Clause
from fhir_service.storage.resources import Shown, Stored
from fhir_service.storage.scan import Order

Row = tuple[int, Shown | Stored]
"""Key of the order, and the version: all of it where something is included."""

Extra = Callable[[Planner, str, int | None], Clause]

_NATIVE = {("Observation", "date"): Order.START}


@dataclass(frozen=True, kw_only=True)
class Found:
    """What a page shows.

    Attributes:
        rows: The versions, in order.
        last: Where the next page begins; None where nothing follows.
        total: How many match, where it was asked for.
        asked_of: The view of the one patient whose data was asked for.

    """

    rows: Sequence[Row] = ()
    last: tuple[Any, ...] | None = None
    total: int | None = None
    asked_of: Decided | None = None


class Pages:
    """Finds the pages of one search.

    Args:
        planner: Of the request.
        query: What is asked.
        extra: A further condition on each type.

    """

    def __init__(
        self, planner: Planner, query: SearchQuery, extra: Extra | None
    ) -> None:
        self._planner = planner
        self._query = query
        self._sort = _native(query)
        self._in_memory = bool(query.sort) and self._sort is None
        self._plans = [
            plan for type_ in query.types if (plan := self._plan(type_, extra))
        ]

    def _plan(self, type_: str, extra: Extra | None) -> Plan | None:
        further = None
        if extra is not None:
            condition = extra

            def further(key: int | None) -> Clause:
                return condition(self._planner, type_, key)

        return self._planner.plan(
            type_, self._query.conditions, self._sort or self._updated(type_), further
        )

    def _updated(self, type_: str) -> Sorted | None:
        """Return the order that lets an index answer `_lastUpdated` alone."""
        codes = {
            one.parameter.code
            for one in self._query.conditions
            if isinstance(one, Criterion)
        }
        if "_lastUpdated" not in codes or codes & {"patient", "subject"}:
            return None
        if type_ == "Observation" and "date" in codes:
            return None
        return Sorted(Order.UPDATED, descending=False)

    def find(self, after: tuple[Any, ...] | None) -> Found:
        """Return the page after a position; the first where None."""
        count = self._query.count
        if self._query.summary == "count":
            count = 0
        rows, last = self._page(after, count) if count else ([], None)
        return Found(
            rows=rows,
            last=last,
            total=self._total(count),
            asked_of=next((one.decided for one in self._plans if one.decided), None),
        )

    def _page(
        self, after: tuple[Any, ...] | None, count: int
    ) -> tuple[list[Row], tuple[Any, ...] | None]:
        if self._in_memory:
            return self._sorted(after, count)
        if self._sort is not None and len(self._plans) > 1:
            return self._merged(after, count)
        return self._in_turn(after, count)

    def _in_turn(
        self, after: tuple[Any, ...] | None, count: int
    ) -> tuple[list[Row], tuple[Any, ...] | None]:
        """Return one type after the other, each in its own order."""
        find = self._planner.versions if self._query.includes else self._planner.shown
        number, *at = after or (0,)
        position: Key | None = (at[0], at[1]) if at else None
        found: list[tuple[int, Row]] = []
        for place, plan in enumerate(self._plans[number:], number):
            wanted = count + 1 - len(found)
            found += [(place, row) for row in find(plan, position, wanted)]
            if len(found) > count:
                break
            position = None
        return _cut(found, count)

    def _merged(
        self, after: tuple[Any, ...] | None, count: int
    ) -> tuple[list[Row], tuple[Any, ...] | None]:
        """Return several types in one order."""
        position: Key | None = None if after is None else (after[1], after[2])
        found = heapq.merge(
            *(
                self._planner.versions(plan, position, count + 1)
                for plan in self._plans
            ),
            key=lambda one: (one[0], one[1].row),
            reverse=self._sort is not None and self._sort.descending,
        )
        return _cut([(0, row) for row in found], count)

    def _total(self, count: int) -> int | None:
        if self._query.total in (None, "none") and count:
            return None
        return sum(self._planner.total(plan) for plan in self._plans)

    def _sorted(
        self, after: tuple[Any, ...] | None, count: int
    ) -> tuple[list[Row], tuple[Any, ...] | None]:
        keyed = sorted(self._keyed(), key=cmp_to_key(self._compare))
        if after is not None:
            keyed = [one for one in keyed if self._compare(one, _at(after)) > 0]
        shown = keyed[:count]
        rows = [(0, stored) for _, _, stored in shown]
        if len(keyed) <= count:
            return rows, None
        return rows, (*map(_written, shown[-1][0]), shown[-1][1])

    def _keyed(self) -> list[tuple[tuple[Any, ...], int, Any]]:
        found = [stored for plan in self._plans for stored in self._planner.all(plan)]
        place = self._planner.place
        keyed = []
        for stored, body in zip(found, self._planner.bodies(found), strict=True):
            resource = fhir_json.loads_object(body)
            keys = tuple(
                sort_key(key, resource, zone=place.zone, base_urls=place.own_bases)
                for key in self._query.sort
            )
            keyed.append((keys, stored.row, stored))
        return keyed

    def _compare(self, one: tuple[Any, ...], other: tuple[Any, ...]) -> int:
        found = compared(self._query.sort, one[0], other[0])
        return found or (one[1] > other[1]) - (one[1] < other[1])


def _cut(
    found: Sequence[tuple[int, Row]], count: int
) -> tuple[list[Row], tuple[Any, ...] | None]:
    """Return a page, and where the next one begins: plan, key and row."""
    shown = [row for _, row in found[:count]]
    if len(found) <= count:
        return shown, None
    key, stored = shown[-1]
    return shown, (found[count - 1][0], key, stored.row)


def _native(query: SearchQuery) -> Sorted | None:
    """Return the order that an index has; None for any other."""
    if len(query.sort) != 1:
        return None
    [key] = query.sort
    if key.parameter.code == "_lastUpdated":
        return Sorted(Order.UPDATED, key.descending)
    if len(query.types) == 1:
        order = _NATIVE.get((query.types[0], key.parameter.code))
        if order is not None:
            return Sorted(order, key.descending)
    return None


def _written(value: Any) -> list[str]:
    """Return a key as a token holds it: JSON would make a decimal a float."""
    return [type(value).__name__, str(value)]


_READ: dict[str, Callable[[str], Any]] = {
    "NoneType": lambda _: None,
    "int": int,
    "str": str,
    "Decimal": fhir_json.Number,
}


def _at(after: tuple[Any, ...]) -> tuple[tuple[Any, ...], int, None]:
    keys = tuple(_READ[name](text) for name, text in after[:-1])
    return keys, int(after[-1]), None
