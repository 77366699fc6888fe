"""A query string → what it asks, checked and typed, without SQL and without a view.

A parameter that is not known is refused under strict handling and reported under
lenient. Whatever would leave out a condition that was understood in part (a chain, a
modifier, a value) is refused always: an answer is never wider than its question.

https://hl7.org/fhir/R4/search.html
"""

from collections.abc import Sequence
from datetime import tzinfo
from functools import lru_cache
from typing import Final, NamedTuple

from conformance.classes import class_of
from conformance.issues import FHIRError, IssueType
from conformance.search_parameters import resource_types
from fhir_service.rest.parameters import MAX_PARAMETERS
from fhir_service.search import include, results
from fhir_service.search.chain import condition, is_joined, leaves
from fhir_service.search.criteria import (
    CompositeValue,
    Condition,
    DateValue,
    Include,
    NumberValue,
    Pair,
    QuantityValue,
    SearchQuery,
    Value,
)
from fhir_service.search.criterion import MAX_VALUES, not_supported, too_many_values
from fhir_service.search.escaping import refuse_control
from fhir_service.search.reading import Reading

MAX_COMPARISONS: Final = 20
"""Dates, numbers and quantities of a search; each is work for every row looked at."""

MAX_JOINS: Final = 10
"""Chains and `_has` of a search; each is a search of its own."""

REMEMBERED: Final = 4096
"""Conditions that are not read twice: codes and days come again and again."""

_LONGEST: Final = 256
"""Characters of a condition that is remembered."""

QUERIES: Final = 1024
"""Whole queries that are not read twice: systems ask again what they asked."""

_LONGEST_QUERY: Final = 512
"""Characters of a query that is remembered."""

REFUSED: Final = frozenset(
    {"_contained", "_containedType", "_content", "_filter", "_list", "_query", "_text"}
)
"""Parameters of the standard that are not served; to ignore them would mislead."""

_NO_OPERATION: Final = frozenset({("_contained", "false")})
"""What asks for what is done anyway."""

_COMPARED: Final = (DateValue, NumberValue, QuantityValue)


def parse(  # noqa: PLR0913 - all that the reading of a query depends on
    types: tuple[str, ...],
    pairs: Sequence[Pair],
    *,
    base_urls: tuple[str, ...],
    zone: tzinfo,
    now_us: int,
    strict: bool,
) -> SearchQuery:
    """Return the search that `pairs` ask of `types`.

    Args:
        types: The resource types that are searched.
        pairs: Decoded names and values, in their order.
        base_urls: Base URLs under which this server is known.
        zone: Zone of dates without an offset.
        now_us: Microseconds since 1970; `ap` compares dates with it.
        strict: Whether `Prefer: handling=strict` was sent.

    Raises:
        FHIRError: `not-supported` for a modifier, a chain or a known parameter that
            is not served (and any unknown one under strict handling), `invalid` for a
            value that cannot be read, `too-costly` for too much.

    """
    if len(pairs) > MAX_PARAMETERS:
        raise FHIRError(IssueType.TOO_COSTLY, "The search has too many parameters.")
    given = tuple(pairs)
    if _is_remembered(given):
        return _remembered_query(Reading(types, base_urls, zone, 0), given, strict)
    return _query(Reading(types, base_urls, zone, now_us), given, strict)


def _is_remembered(pairs: tuple[Pair, ...]) -> bool:
    """Whether a query is short, and means the same at any time: `ap` does not."""
    return sum(
        len(name) + len(value) for name, value in pairs
    ) <= _LONGEST_QUERY and not any("ap" in value for _, value in pairs)


def _query(
    reading: Reading,
    pairs: tuple[Pair, ...],
    strict: bool,  # noqa: FBT001 - a cache's key
) -> SearchQuery:
    draft = _Draft(reading._replace(types=_types(reading.types, pairs)), strict)
    for name, value in pairs:
        draft.take(name, value)
    return draft.query()


_remembered_query = lru_cache(maxsize=QUERIES)(_query)


def _types(types: tuple[str, ...], pairs: Sequence[Pair]) -> tuple[str, ...]:
    """Return the types that `_type` leaves of those that can be searched.

    Raises:
        FHIRError: `not-supported` where only one type is searched, or one cannot be
            stored; `invalid` for a type that does not exist or is not searched here.

    """
    asked = [value for name, value in pairs if name == "_type"]
    if not asked:
        return types
    if len(types) == 1:
        raise not_supported("_type")
    listed = [set(value.split(",")) for value in asked]
    for type_ in sorted(set().union(*listed)):
        if type_ not in resource_types():
            raise FHIRError(IssueType.INVALID, f"{type_[:64]!r} is no resource type.")
        class_of(type_)
        if type_ not in types:
            raise FHIRError(IssueType.INVALID, f"{type_} is not searched here.")
    found = tuple(type_ for type_ in types if all(type_ in one for one in listed))
    if not found:
        raise FHIRError(IssueType.INVALID, "The values of _type exclude each other.")
    return found


class _Read(NamedTuple):
    """A condition, and what of it is counted.

    Attributes:
        condition: What is asked; None where the parameter is unknown.
        values: Code and number of alternatives of each criterion.
        comparisons: Dates, numbers and quantities among them.

    """

    condition: Condition | None
    values: tuple[tuple[str, int], ...]
    comparisons: int


def _read(name: str, value: str, reading: Reading) -> _Read:
    if name.partition(":")[0] in REFUSED:
        raise not_supported(name)
    found = condition(name, value, reading)
    criteria = () if found is None else tuple(leaves(found))
    return _Read(
        found,
        tuple((one.parameter.code, len(one.values)) for one in criteria),
        sum(_comparisons(value) for one in criteria for value in one.values),
    )


def _comparisons(value: Value) -> int:
    if isinstance(value, CompositeValue):
        return sum(map(_comparisons, value.parts))
    return isinstance(value, _COMPARED)


_remembered = lru_cache(maxsize=REMEMBERED)(_read)


class _Draft:
    """A query that is being read.

    Args:
        reading: What the reading of values depends on.
        strict: Whether unknown parameters are refused.

    """

    def __init__(self, reading: Reading, strict: bool) -> None:  # noqa: FBT001 - private
        self._reading = reading
        self._timeless = Reading(reading.types, reading.base_urls, reading.zone, 0)
        self._strict = strict
        self._shape = results.Shape(reading.types)
        self._conditions: list[Condition] = []
        self._joins = 0
        self._comparisons = 0
        self._values: dict[str, int] = {}
        self._includes: list[Include] = []
        self._applied: list[Pair] = []
        self._ignored: list[str] = []

    def take(self, name: str, value: str) -> None:
        refuse_control(name)
        refuse_control(value)
        head = name.partition(":")[0]
        if head in results.NAMES:
            self._shape.take(name, value)
        elif head in include.NAMES:
            self._includes.append(include.include(name, value))
        elif name != "_type" and (name, value) not in _NO_OPERATION:
            read = self._read(name, value)
            if read.condition is None:
                self._unknown(name)
                return
            self._conditions.append(read.condition)
            self._count(read)
        self._applied.append((name, value))

    def _read(self, name: str, value: str) -> _Read:
        if is_joined(name):
            self._joins += 1
            if self._joins > MAX_JOINS:
                raise FHIRError(
                    IssueType.TOO_COSTLY,
                    f"A search has at most {MAX_JOINS} chains and _has.",
                )
        if "ap" in value:
            return _read(name, value, self._reading)
        if len(name) + len(value) > _LONGEST:
            return _read(name, value, self._timeless)
        return _remembered(name, value, self._timeless)

    def _unknown(self, name: str) -> None:
        if self._strict:
            raise not_supported(name)
        self._ignored.append(name[:64])

    def _count(self, read: _Read) -> None:
        for code, number in read.values:
            self._values[code] = self._values.get(code, 0) + number
            if self._values[code] > MAX_VALUES:
                raise too_many_values(code)
        self._comparisons += read.comparisons
        if self._comparisons > MAX_COMPARISONS:
            raise FHIRError(
                IssueType.TOO_COSTLY,
                f"A search has at most {MAX_COMPARISONS} dates, numbers and "
                "quantities.",
            )

    def query(self) -> SearchQuery:
        return SearchQuery(
            types=self._reading.types,
            conditions=tuple(self._conditions),
            includes=tuple(self._includes),
            applied=tuple(self._applied),
            ignored=tuple(self._ignored),
            **self._shape.fields(),
        )
