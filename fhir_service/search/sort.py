"""The order of resources by the values of a parameter, in memory.

A resource with several values has its lowest where the order ascends, its highest
where it descends; one without any comes last. A period is placed by its start, as the
time series is.

https://hl7.org/fhir/R4/search.html#sort
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import tzinfo
from decimal import Context, Decimal
from types import MappingProxyType
from typing import Any, Final

from conformance.search_parameters import (
    DateRange,
    Number,
    Quantity,
    Reference,
    String,
    Token,
    Uri,
    extractor,
)
from fhir_service.search.collation import normalised
from fhir_service.search.criteria import SortKey
from fhir_service.search.units import DIGITS, UCUM
from mappings.units import DIMENSIONS, conversion

_EXACT = Context(prec=DIGITS)

Key = int | str | Decimal
"""What two values of one parameter are compared by."""


def _date(found: DateRange, _: bool) -> Key:  # noqa: FBT001 - a row of a table
    return found.start_us


def _number(found: Number | Quantity, descending: bool) -> Decimal | None:  # noqa: FBT001 - likewise
    if found.value is not None:
        return Decimal(found.value)
    low, high = found.low, found.high
    return (
        (low if high is None else high)
        if descending
        else (high if low is None else low)
    )


_STANDARD: Final[Mapping[str, str]] = MappingProxyType(
    {unit: next(iter(units)) for units in DIMENSIONS.values() for unit in units}
)
"""Unit → the unit in which its dimension is compared."""


def _quantity(found: Quantity, descending: bool) -> Key | None:  # noqa: FBT001 - likewise
    number = _number(found, descending)
    if number is None or found.system != UCUM or found.code is None:
        return number
    step = conversion(found.code, _STANDARD.get(found.code, found.code))
    if step is None:
        return number
    scaled = _EXACT.fma(number, Decimal(step.multiplier), Decimal(step.summand))
    return _EXACT.divide(scaled, Decimal(step.divisor))


def _reference(found: Reference, _: bool) -> Key | None:  # noqa: FBT001 - likewise
    return found.local or found.url or (found.identifier or (None, None))[1]


_KEYS: Final[Mapping[type, Callable[[Any, bool], Key | None]]] = MappingProxyType(
    {
        DateRange: _date,
        Number: _number,
        Quantity: _quantity,
        Reference: _reference,
        String: lambda found, _: normalised(found.text),
        Token: lambda found, _: found.code or normalised(found.text or "") or None,
        Uri: lambda found, _: found.uri,
    }
)


def sort_key(
    key: SortKey,
    resource: dict[str, Any],
    *,
    zone: tzinfo,
    base_urls: tuple[str, ...],
) -> Key | None:
    """Return by what a resource is placed; None where it has no value.

    Args:
        key: One key of `_sort`, of a parameter that is not composite.
        resource: The resource.
        zone: Zone of dates without an offset.
        base_urls: Base URLs under which this server is known.

    Raises:
        FHIRError: `structure` where an element has not the shape of its type.

    """
    find = extractor(
        resource["resourceType"], key.parameter.code, zone=zone, base_urls=base_urls
    )
    found = [_KEYS[type(value)](value, key.descending) for value in find(resource)]
    known = [one for one in found if one is not None]
    if not known:
        return None
    choose: Callable[..., Key] = max if key.descending else min
    return choose(known)


def compared(
    sort: Sequence[SortKey], one: Sequence[Key | None], other: Sequence[Key | None]
) -> int:
    """Return -1, 0 or 1: whether the first is placed before the second.

    Args:
        sort: The keys of `_sort`.
        one: What `sort_key` says of a resource for each.
        other: What it says of another.

    """
    for key, first, second in zip(sort, one, other, strict=True):
        found = _one(first, second, key.descending)
        if found:
            return found
    return 0


def _one(first: Any, second: Any, descending: bool) -> int:  # noqa: FBT001 - private
    if first == second:
        return 0
    if first is None or second is None:
        return 1 if first is None else -1
    return 1 if (first > second) is not descending else -1
