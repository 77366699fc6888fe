"""How one type is searched: what storage is asked, and what is compared again.

https://hl7.org/fhir/R4/search.html
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from conformance.classes import PATIENT_DATA
from fhir_service.access import Decided
from fhir_service.auth.scopes import Filters
from fhir_service.search.criteria import (
    Condition,
    Criterion,
    DateValue,
    ReferenceValue,
    TokenValue,
)
from fhir_service.storage.conditions import all_of, lower, upper
from fhir_service.storage.observations import Question
from fhir_service.storage.patients import PatientState
from fhir_service.storage.predicate import Clause
from fhir_service.storage.scan import Order, Scan

Json = dict[str, Any]
Verify = Callable[[Json], bool]
Key = tuple[int, int]
"""Key of the order and row: where a page ends."""


@dataclass(frozen=True, kw_only=True)
class Plan:
    """How one type is searched.

    Attributes:
        type: The type.
        source: What storage is asked, without a position.
        verify: Compared with each resource that storage finds.
        is_judged: Whether the gate is asked about each of them, too.
        filters: Of the scopes that allow the search.
        decided: The view of the one patient asked for, where there is one.

    """

    type: str
    source: Question | Scan
    verify: tuple[Verify, ...]
    is_judged: bool
    filters: tuple[Filters, ...]
    decided: Decided | None

    @property
    def is_exact(self) -> bool:
        """Whether what storage finds is what was asked."""
        return not self.verify and not self.is_judged

    def of(self, source: Question) -> "Plan":
        """Return the same plan over a part of its source."""
        return replace(self, source=source)


@dataclass(frozen=True, kw_only=True)
class Scope:
    """What one type's conditions are read in.

    Attributes:
        type: The type.
        patient: The one patient asked for.
        by_time: Whether the time-series index is scanned.
        by_resource: Whether the table of resources itself is.

    """

    type: str
    patient: PatientState | None
    by_time: bool
    by_resource: bool

    @property
    def key(self) -> int | None:
        """The key of that patient."""
        return None if self.patient is None else self.patient.key


@dataclass(frozen=True, slots=True)
class Sorted:
    """The order that storage itself can give."""

    order: Order
    descending: bool


_NEWEST = Sorted(Order.START, descending=True)
_AS_STORED = Sorted(Order.ROW, descending=False)


def natural(scope: Scope) -> Sorted:
    """Return the order of a page that asks for none."""
    return _NEWEST if scope.by_time else _AS_STORED


def is_code(condition: Condition) -> bool:
    """Whether it is a plain `code`, which names series of Observations."""
    return (
        isinstance(condition, Criterion)
        and condition.parameter.code == "code"
        and condition.modifier is None
        and all(
            isinstance(value, TokenValue) and value.code is not None
            for value in condition.values
        )
    )


def is_date_of_observation(type_: str, condition: Criterion) -> bool:
    """Whether it asks for the date that the time-series index has."""
    return type_ == "Observation" and condition.parameter.code == "date"


def is_date(condition: Condition) -> bool:
    """Whether it is a comparison with the time of an Observation."""
    return (
        isinstance(condition, Criterion)
        and condition.parameter.code == "date"
        and condition.modifier is None
    )


def dates_of(condition: Condition) -> tuple[DateValue, ...]:
    """Return the comparisons with dates that a condition consists of."""
    assert isinstance(condition, Criterion)  # noqa: S101 - narrows for mypy
    return tuple(value for value in condition.values if isinstance(value, DateValue))


def patients_of(
    type_: str, asked: Sequence[Condition]
) -> tuple[frozenset[str], list[Condition]]:
    """Return the ids of patients that must all be the one, and what else is asked."""
    ids: set[str] = set()
    rest: list[Condition] = []
    for condition in asked:
        id_ = _patient_id(type_, condition)
        if id_ is None:
            rest.append(condition)
        else:
            ids.add(id_)
    return frozenset(ids), rest


def _patient_id(type_: str, condition: Condition) -> str | None:
    """Return the id of the one patient whose data a condition asks for."""
    path = PATIENT_DATA.get(type_)
    if path is None or not isinstance(condition, Criterion) or condition.modifier:
        return None
    if condition.parameter.code not in ("patient", path) or len(condition.values) > 1:
        return None
    value = condition.values[0]
    if isinstance(value, ReferenceValue) and value.type == "Patient":
        return value.id if value.version is None else None
    return None


def is_oldest_first(source: Question | Scan) -> bool:
    """Whether a page is in the order of time, the oldest first."""
    by_time = isinstance(source, Question) or source.order is Order.START
    return by_time and not source.descending


def where(source: Question | Scan, clause: Clause) -> Question | Scan:
    """Return the same with one condition more."""
    return replace(source, where=all_of([source.where, clause]))


_KEYS: Mapping[Order, str] = {Order.UPDATED: "_lastUpdated", Order.START: "date"}
"""Order → the search parameter that asks for its key."""


def bounded(plan: Plan, asked: Sequence[Condition]) -> Plan:
    """Return the same plan over no more of its index than what is asked can be in."""
    if not isinstance(plan.source, Scan):
        return plan
    source, code = plan.source, _KEYS.get(plan.source.order)
    values = [
        dates_of(one)
        for one in asked
        if isinstance(one, Criterion)
        and one.parameter.code == code
        and one.modifier is None
    ]
    lows = [low for one in values if (low := lower(one)) is not None]
    highs = [high for one in values if (high := upper(one)) is not None]
    if source.order is Order.START:  # What began long before may last until then.
        lows = []
    low, high = max(lows, default=None), min(highs, default=None)
    return replace(plan, source=replace(source, low=low, high=high))
