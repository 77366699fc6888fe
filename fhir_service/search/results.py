"""Parameters that shape the answer and restrict nothing: `_sort`, `_count` and so on.

https://hl7.org/fhir/R4/search.html#modifyingresults
"""

from collections.abc import Callable, Mapping
from functools import lru_cache
from types import MappingProxyType
from typing import Any, Final

from conformance.issues import FHIRError, IssueType
from fhir_service.rest.projection import projection, refuse_unknown_elements
from fhir_service.search.criteria import SortKey
from fhir_service.search.criterion import not_supported, shared

DEFAULT_COUNT: Final = 50
MAX_COUNT: Final = 1000
"""Entries of a page; who asks for more gets as many."""

MAX_SORT: Final = 10
"""Keys of one `_sort`."""

_DIGITS: Final = 9
"""Of `_count`."""

_TOTALS: Final = frozenset({"none", "estimate", "accurate"})

_UNSORTED: Final = frozenset({"composite", "special"})
"""Types of parameters by which nothing can be sorted."""


def _count(_: tuple[str, ...], value: str) -> int:
    if not (value.isascii() and value.isdigit() and len(value) <= _DIGITS):
        raise FHIRError(IssueType.INVALID, "_count is a whole number, 0 or more.")
    return min(int(value), MAX_COUNT)


def _total(_: tuple[str, ...], value: str) -> str:
    if value not in _TOTALS:
        raise FHIRError(IssueType.INVALID, "_total is none, estimate or accurate.")
    return value


def _summary(_: tuple[str, ...], value: str) -> str | None:
    return projection([("_summary", value)]).summary


def _elements(types: tuple[str, ...], value: str) -> tuple[str, ...]:
    asked = projection([("_elements", value)])
    for type_ in types:
        refuse_unknown_elements(type_, asked)
    return asked.elements


@lru_cache(maxsize=1024)
def _sort(types: tuple[str, ...], value: str) -> tuple[SortKey, ...]:
    codes = value.split(",")
    if len(codes) > MAX_SORT:
        raise FHIRError(
            IssueType.TOO_COSTLY, f"A search is sorted by at most {MAX_SORT} keys."
        )
    return tuple(_sort_key(types, code) for code in codes)


def _sort_key(types: tuple[str, ...], text: str) -> SortKey:
    code = text.removeprefix("-")
    if not code:
        raise FHIRError(IssueType.INVALID, "_sort has an empty key.")
    parameter = shared(types, code)
    if parameter is None or parameter.type in _UNSORTED:
        raise FHIRError(
            IssueType.NOT_SUPPORTED, f"Sorting by {code[:64]!r} is not supported."
        )
    return SortKey(parameter, text != code)


def _nothing(_: tuple[str, ...], value: str) -> str:
    """Leave it to content negotiation, which has read it already."""
    return value


_READ: Final[Mapping[str, Callable[[tuple[str, ...], str], Any]]] = MappingProxyType(
    {
        "_count": _count,
        "_elements": _elements,
        "_format": _nothing,
        "_pretty": _nothing,
        "_sort": _sort,
        "_summary": _summary,
        "_total": _total,
    }
)

_NEGOTIATED: Final = frozenset({"_format", "_pretty"})

NAMES: Final = frozenset(_READ)


class Shape:
    """What the parameters of a query say about the answer.

    Args:
        types: The types that are searched.

    """

    def __init__(self, types: tuple[str, ...]) -> None:
        self._types = types
        self.said: dict[str, Any] = {}

    def take(self, name: str, value: str) -> None:
        """Read a parameter.

        Raises:
            FHIRError: `not-supported` for a modifier and for a key of `_sort` that is
                not served, `invalid` for a value that has no meaning or differs from
                an earlier one.

        """
        if name not in _READ:
            raise not_supported(name)
        found = _READ[name](self._types, value)
        if name in _NEGOTIATED:
            return
        field = name.removeprefix("_")
        if self.said.setdefault(field, found) != found:
            raise FHIRError(IssueType.INVALID, f"{name} is given twice.")

    def fields(self) -> dict[str, Any]:
        """Return the fields of the query, by name.

        Raises:
            FHIRError: `invalid` where a summary and elements are asked for together.

        """
        if self.said.get("elements") and self.said.get("summary", "false") != "false":
            raise FHIRError(
                IssueType.INVALID, "_summary and _elements are not asked for together."
            )
        return self.said
