"""Dates: intervals of time, compared by their bounds.

A date is as long as it is precise; a Period that is open has no bound on that side.

https://hl7.org/fhir/R4/search.html#date
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

from conformance.date_range import DateRange, date_range
from conformance.issues import FHIRError
from conformance.search_parameters import SearchParameter
from fhir_service.search.criteria import DateValue
from fhir_service.search.prefix import prefixed
from fhir_service.search.reading import Reading, unreadable

_LONGEST: Final = 64
"""Characters of a date."""

_TENTH: Final = 10
"""`ap` widens by a tenth of the gap between the date and now (§3.1.1.4.3)."""


def ask(text: str, parameter: SearchParameter, reading: Reading) -> DateValue:
    """Return the comparison that a value writes.

    A space stands for the `+` that a client forgot to encode.

    Raises:
        FHIRError: `invalid` for what is no FHIR date, dateTime or instant.

    """
    prefix, moment = prefixed(text)
    expected = "a FHIR date, as in ge2026-01-31"
    if len(moment) > _LONGEST:
        raise unreadable(parameter, expected)
    try:
        start, end = date_range(moment.replace(" ", "+"), reading.zone)
    except FHIRError:
        raise unreadable(parameter, expected) from None
    wider = _gap(start, end, reading.now_us) // _TENTH if prefix == "ap" else 0
    return DateValue(prefix, start - wider, end + wider)


def _gap(start: int, end: int, now_us: int) -> int:
    return max(start - now_us, now_us - end, 0)


_HOLDS: Final[Mapping[str, Callable[[int, int, int, int], bool]]] = MappingProxyType(
    {
        "eq": lambda low, high, start, end: low >= start and high <= end,
        "ne": lambda low, high, start, end: low < start or high > end,
        "gt": lambda _, high, __, end: high > end,
        "lt": lambda low, _, start, __: low < start,
        "ge": lambda low, high, start, end: high > end or low >= start,
        "le": lambda low, high, start, end: low < start or high <= end,
        "sa": lambda low, _, __, end: low > end,
        "eb": lambda _, high, start, __: high < start,
        "ap": lambda low, high, start, end: low <= end and high >= start,
    }
)
"""Prefix → condition on a resource's interval and the interval that was asked."""


def holds(found: DateRange, asked: DateValue, _: str) -> bool:
    """Whether the interval of a resource satisfies the comparison."""
    return _HOLDS[asked.prefix](found.start_us, found.end_us, asked.start, asked.end)
