"""Numbers: compared with the precision in which they are asked.

`eq` and `ne` take a number for the interval that its digits imply: `100` is
[99.5, 100.5). All others but `ap` take it for exact. A number of a resource is exact,
whatever its digits; a range of a resource has bounds.

https://hl7.org/fhir/R4/search.html#number
"""

import re
from collections.abc import Callable, Mapping
from decimal import Context, Decimal
from types import MappingProxyType
from typing import Final

from conformance.search_conversions import interval
from conformance.search_parameters import SearchParameter
from conformance.search_values import Number, Quantity
from fhir_service.search.criteria import NumberValue
from fhir_service.search.prefix import prefixed
from fhir_service.search.reading import Reading, unreadable

_NUMBER = re.compile(r"-?[0-9]{1,64}(?:\.[0-9]{1,64})?(?:[eE][+ -]?[0-9]{1,3})?")
"""As in JSON; a space stands for the `+` that a client forgot to encode."""

_LARGEST: Final = 300
"""Power of ten beyond which no number of a resource is compared."""

_EXACT = Context(prec=800)
"""Wide enough for the digits between the largest and the smallest number."""

_TENTH: Final = Decimal("0.1")
_LOWEST: Final = Decimal("-Infinity")
_HIGHEST: Final = Decimal("Infinity")


def ask(text: str, parameter: SearchParameter, _: Reading) -> NumberValue:
    """Return the comparison that a value writes.

    Raises:
        FHIRError: `invalid` for what is no number.

    """
    prefix, digits = prefixed(text)
    if not _NUMBER.fullmatch(digits):
        raise unreadable(parameter, "a number, as in ge98.6")
    value = Decimal(digits.replace(" ", "+"))
    if value and abs(value.adjusted()) > _LARGEST:
        raise unreadable(parameter, "a number of a size that can be compared")
    return NumberValue(prefix, value, *_bounds(prefix, value))


def _bounds(prefix: str, value: Decimal) -> tuple[Decimal, Decimal]:
    if prefix not in ("eq", "ne", "ap"):
        return value, value
    _, low, high = interval(value)
    assert low is not None  # noqa: S101 - narrows for mypy: it is no range
    assert high is not None  # noqa: S101 - likewise
    if prefix != "ap":
        return low, high
    tenth = _EXACT.multiply(value.copy_abs(), _TENTH)
    return (
        min(low, _EXACT.subtract(value, tenth)),
        max(high, _EXACT.add(value, tenth)),
    )


_HOLDS: Final[Mapping[str, Callable[[Decimal, Decimal, NumberValue], bool]]] = (
    MappingProxyType(
        {
            "eq": lambda low, high, asked: low >= asked.low and high < asked.high,
            "ne": lambda low, high, asked: low < asked.low or high >= asked.high,
            "gt": lambda _, high, asked: high > asked.value,
            "lt": lambda low, _, asked: low < asked.value,
            "ge": lambda _, high, asked: high >= asked.value,
            "le": lambda low, _, asked: low <= asked.value,
            "sa": lambda low, _, asked: low > asked.value,
            "eb": lambda _, high, asked: high < asked.value,
            "ap": lambda low, high, asked: high >= asked.low and low <= asked.high,
        }
    )
)
"""Prefix → condition on a resource's bounds."""


def bounds_of(found: Number | Quantity) -> tuple[Decimal, Decimal]:
    """Return a number as a point, a range by its bounds; infinite where open."""
    if found.value is not None:
        return found.value, found.value
    return (
        _LOWEST if found.low is None else found.low,
        _HIGHEST if found.high is None else found.high,
    )


def holds(found: Number | Quantity, asked: NumberValue, _: str) -> bool:
    """Whether the number of a resource satisfies the comparison."""
    return _HOLDS[asked.prefix](*bounds_of(found), asked)
