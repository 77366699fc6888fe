"""Type of a parameter and modifier → what reads a value.

A modifier that is in no row is refused by name.

https://hl7.org/fhir/R4/search.html#modifiers
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from conformance.issues import FHIRError, IssueType
from conformance.search_parameters import SearchParameter, element_types
from fhir_service.search import date, missing, number, quantity, string, uri
from fhir_service.search import reference as references
from fhir_service.search import token as tokens
from fhir_service.search.criteria import CompositeValue
from fhir_service.search.escaping import split
from fhir_service.search.postings import part_parameters
from fhir_service.search.reading import Ask, Reading, unreadable

MISSING: Final = "missing"
"""The modifier that every parameter has."""

MODIFIERS: Final[Mapping[tuple[str, str | None], Ask]] = MappingProxyType(
    {
        ("date", None): date.ask,
        ("number", None): number.ask,
        ("quantity", None): quantity.ask,
        ("reference", None): references.ask,
        ("reference", "identifier"): tokens.ask,
        ("string", None): string.ask,
        ("string", "contains"): string.ask,
        ("string", "exact"): string.ask_exact,
        ("token", None): tokens.ask,
        ("token", "not"): tokens.ask,
        ("token", "of-type"): tokens.ask_of_type,
        ("token", "text"): string.ask,
        ("uri", None): uri.ask,
    }
)
"""(type of the parameter, modifier) → what reads a value."""


def ask_composite(
    text: str, parameter: SearchParameter, reading: Reading
) -> CompositeValue:
    """Return one value for each component, which `$` separates.

    https://hl7.org/fhir/R4/search.html#combining

    Raises:
        FHIRError: `invalid` unless there is a value for each component.

    """
    parts = split(text, "$")
    components = part_parameters(reading.types[0], parameter)
    if len(parts) != len(components) or not all(parts):
        raise unreadable(parameter, f"{'$'.join(parameter.components)}, one of each")
    return CompositeValue(
        tuple(
            MODIFIERS[part.type, None](one, part, reading)
            for part, one in zip(components, parts, strict=True)
        )
    )


def asker(parameter: SearchParameter, modifier: str | None, reading: Reading) -> Ask:
    """Return what reads the values of a parameter with a modifier.

    Raises:
        FHIRError: `not-supported`, naming the modifier, where there is none.

    """
    if modifier == MISSING:
        return missing.ask
    if (parameter.type, modifier) == ("composite", None):
        return ask_composite
    ask = MODIFIERS.get((parameter.type, modifier))
    if ask is None or (modifier == "of-type" and not _names(parameter, reading)):
        raise FHIRError(
            IssueType.NOT_SUPPORTED,
            f"The modifier :{(modifier or '')[:32]} of {parameter.code} is not "
            "supported.",
        )
    return ask


def _names(parameter: SearchParameter, reading: Reading) -> bool:
    """Whether a token parameter looks at identifiers."""
    return all(
        "Identifier" in element_types(type_, parameter.code) for type_ in reading.types
    )
