"""What the reading of a value depends on, and how a value is refused.

https://hl7.org/fhir/R4/search.html
"""

from collections.abc import Callable
from datetime import tzinfo
from typing import NamedTuple

from conformance.issues import FHIRError, IssueType
from conformance.search_parameters import SearchParameter
from fhir_service.search.criteria import Value


class Reading(NamedTuple):
    """What the reading of values depends on beside the parameter.

    Attributes:
        types: The resource types that are searched together.
        base_urls: Base URLs under which this server is known.
        zone: Where dates without an offset are.
        now_us: Microseconds since 1970; `ap` compares dates with it.

    """

    types: tuple[str, ...]
    base_urls: tuple[str, ...]
    zone: tzinfo
    now_us: int


Ask = Callable[[str, SearchParameter, Reading], Value]
"""Reads one alternative: the text with its escapes, the parameter, the rest."""


def unreadable(parameter: SearchParameter, expected: str) -> FHIRError:
    """Return the refusal of a value: `invalid`, with what is expected of it."""
    return FHIRError(
        IssueType.INVALID, f"The value of {parameter.code} is not {expected}."
    )
