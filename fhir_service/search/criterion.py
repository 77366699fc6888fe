"""One parameter of a query: its name, its modifier, its alternatives.

https://hl7.org/fhir/R4/search.html#standard
"""

from dataclasses import replace
from functools import lru_cache
from typing import Final

from conformance.issues import FHIRError, IssueType
from conformance.search_parameters import SearchParameter, parameters
from fhir_service.search.asking import asker
from fhir_service.search.criteria import Criterion
from fhir_service.search.escaping import split
from fhir_service.search.reading import Reading
from fhir_service.search.reference import aimed

MAX_VALUES: Final = 500
"""Alternatives of one parameter; more is refused as too costly."""


def not_supported(name: str) -> FHIRError:
    """Return the refusal of a parameter, by name."""
    return FHIRError(
        IssueType.NOT_SUPPORTED, f"The parameter {name[:64]!r} is not supported here."
    )


@lru_cache(maxsize=1024)
def shared(types: tuple[str, ...], code: str) -> SearchParameter | None:
    """Return the parameter that all `types` have; None where none of them has it.

    Its targets are those that it has in any of the types.

    Raises:
        FHIRError: `not-supported`, naming it, where only some have it, where it is
            not the same in all, and where it cannot be searched.

    """
    found = [parameters(type_).get(code) for type_ in types]
    known = [parameter for parameter in found if parameter is not None]
    if not known:
        return None
    first = known[0]
    kinds = {(one.type, one.components) for one in known}
    refused = any(one.refusal for one in known) or first.type == "special"
    if len(known) < len(found) or len(kinds) > 1 or refused:
        raise not_supported(code)
    if len(known) == 1:
        return first
    targets = dict.fromkeys(target for one in known for target in one.targets)
    return replace(first, targets=tuple(targets))


def criterion(name: str, value: str, reading: Reading) -> Criterion | None:
    """Return what a parameter without a chain asks; None where it is unknown.

    Args:
        name: Code, and a modifier after a colon.
        value: Its alternatives, separated by commas.
        reading: What the reading depends on.

    Raises:
        FHIRError: `not-supported` for a parameter or a modifier that is not served,
            `invalid` for a value that cannot be read, `too-costly` for too many.

    """
    code, colon, modifier = name.partition(":")
    parameter = shared(reading.types, code)
    if parameter is None:
        return None
    named: str | None = modifier if colon else None
    narrowed = parameter
    if parameter.type == "reference":
        narrowed = aimed(parameter)
        if named in narrowed.targets:
            narrowed, named = aimed(parameter, named), None
    ask = asker(narrowed, named, reading)
    values = tuple(ask(text, narrowed, reading) for text in _alternatives(code, value))
    return Criterion(parameter=parameter, modifier=named, values=values)


def _alternatives(code: str, value: str) -> list[str]:
    parts = split(value, ",")
    if len(parts) > MAX_VALUES:
        raise too_many_values(code)
    if "" in parts:
        raise FHIRError(IssueType.INVALID, f"The parameter {code} has no value.")
    return parts


def too_many_values(code: str) -> FHIRError:
    """Return the refusal of a parameter with more alternatives than are served."""
    return FHIRError(
        IssueType.TOO_COSTLY, f"The parameter {code} has more than {MAX_VALUES} values."
    )
