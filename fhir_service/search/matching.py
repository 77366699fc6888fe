"""Whether one resource meets one condition, in memory.

It says what storage's indexes say, from the resource alone: where an index finds too
much, this decides.

https://hl7.org/fhir/R4/search.html
"""

from collections.abc import Callable, Mapping
from datetime import tzinfo
from types import MappingProxyType
from typing import Any, Final

from conformance.search_parameters import Composite, extractor
from fhir_service.search import criteria, date, number, quantity, string, uri
from fhir_service.search import reference as references
from fhir_service.search import token as tokens
from fhir_service.search.criteria import Criterion, Missing

Holds = Callable[[Any, Any, str], bool]
"""Compares a value of a resource with one that is asked; the code of the parameter."""

_WITHOUT: Final[Mapping[type, Holds]] = MappingProxyType(
    {
        criteria.DateValue: date.holds,
        criteria.NumberValue: number.holds,
        criteria.QuantityValue: quantity.holds,
        criteria.ReferenceValue: references.holds,
        criteria.Text: string.holds,
        criteria.TokenValue: tokens.holds,
        criteria.UriValue: uri.holds,
    }
)
"""Type of what is asked without a modifier → its comparison."""


def _composite(found: Composite, asked: criteria.CompositeValue, code: str) -> bool:
    return all(
        _WITHOUT[type(part)](value, part, code)
        for value, part in zip(found.values, asked.parts, strict=True)
    )


_HOLDS: Final[Mapping[tuple[str, str | None], Holds]] = MappingProxyType(
    {
        ("composite", None): _composite,
        ("date", None): date.holds,
        ("number", None): number.holds,
        ("quantity", None): quantity.holds,
        ("reference", None): references.holds,
        ("reference", "identifier"): references.holds_identifier,
        ("string", None): string.holds,
        ("string", "contains"): string.holds_contains,
        ("string", "exact"): string.holds_exact,
        ("token", None): tokens.holds,
        ("token", "not"): tokens.holds,
        ("token", "of-type"): tokens.holds_of_type,
        ("token", "text"): tokens.holds_text,
        ("uri", None): uri.holds,
    }
)


def matches(
    criterion: Criterion,
    resource: dict[str, Any],
    *,
    zone: tzinfo,
    base_urls: tuple[str, ...],
) -> bool:
    """Whether any value of a resource is one that a parameter asks for.

    With `:not`, whether none is: a resource without a value matches (§3.1.1.4.5).

    Args:
        criterion: What is asked; its parameter is one of the resource's type.
        resource: The resource.
        zone: Zone of dates without an offset.
        base_urls: Base URLs under which this server is known.

    Raises:
        FHIRError: `structure` where an element has not the shape of its type.

    """
    code, modifier = criterion.parameter.code, criterion.modifier
    find = extractor(resource["resourceType"], code, zone=zone, base_urls=base_urls)
    found = find(resource)
    if modifier == "missing":
        return Missing(is_missing=not found) in criterion.values
    holds = _HOLDS[criterion.parameter.type, modifier]
    is_met = any(
        holds(value, asked, code) for value in found for asked in criterion.values
    )
    return is_met is not (modifier == "not")
