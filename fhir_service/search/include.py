"""`_include` and `_revinclude`: `Source:parameter` or `Source:parameter:Target`.

Wildcards are refused by name: nobody could say what they bring.

https://hl7.org/fhir/R4/search.html#include
"""

from typing import Final

from conformance.issues import FHIRError, IssueType
from conformance.search_parameters import parameters
from fhir_service.search.chain import is_stored
from fhir_service.search.criteria import Include

NAMES: Final = frozenset({"_include", "_revinclude"})

_ITERATE: Final = frozenset({"iterate", "recurse"})
"""`:recurse` is what `:iterate` was called before R4."""

_PARTS: Final = (2, 3)


def include(name: str, value: str) -> Include:
    """Return what is to be included.

    Args:
        name: `_include` or `_revinclude`, with `:iterate` or without.
        value: Source, parameter and target.

    Raises:
        FHIRError: `not-supported` for wildcards and other modifiers, `invalid` for a
            source, a parameter or a target that does not exist.

    """
    which, colon, modifier = name.partition(":")
    if colon and modifier not in _ITERATE:
        raise FHIRError(
            IssueType.NOT_SUPPORTED,
            f"The modifier :{modifier[:32]} of {which} is not supported.",
        )
    parts = value.split(":")
    if "*" in parts:
        raise FHIRError(
            IssueType.NOT_SUPPORTED, f"{which} with a wildcard (*) is not supported."
        )
    if len(parts) not in _PARTS or not is_stored(parts[0]):
        raise _unknown(which, value)
    source, code, target = (*parts, None)[:3]
    parameter = parameters(source or "").get(code or "")
    if parameter is None or parameter.type != "reference" or parameter.refusal:
        raise _unknown(which, value)
    if target is not None and target not in parameter.targets:
        raise _unknown(which, value)
    return Include(
        source=str(source),
        parameter=parameter.code,
        target=target,
        is_reverse=which == "_revinclude",
        iterate=bool(colon),
    )


def _unknown(which: str, value: str) -> FHIRError:
    return FHIRError(
        IssueType.INVALID,
        f"{which}={value[:128]!r} names no reference: write Source:parameter:Target.",
    )
