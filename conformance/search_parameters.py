"""The search parameters of each resource type, and what they find in a resource.

Read from `definitions/search_parameters.json`, where the expressions are compiled
to paths (`build_search_parameters`). What is built here is built once per type and
reader. A parameter that could not be compiled is refused by name, never ignored.

https://hl7.org/fhir/R4/searchparameter-registry.html
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, tzinfo
from functools import cache
from importlib.resources import files
from types import MappingProxyType
from typing import Any, Final

from conformance.date_range import DateRange, date_range
from conformance.fhir_json import loads_object
from conformance.issues import FHIRError, IssueType
from conformance.references import Reference, reference_of
from conformance.search_extraction import (
    Extract,
    ExtractAll,
    extractor_of,
    extractor_of_all,
)
from conformance.search_values import (
    Composite,
    Number,
    Quantity,
    Reader,
    String,
    Token,
    Uri,
    Value,
)

__all__ = [
    "Composite",
    "DateRange",
    "Number",
    "Quantity",
    "Reference",
    "SearchParameter",
    "String",
    "Token",
    "Uri",
    "Value",
    "date_range",
    "element_types",
    "extract_all",
    "extractor",
    "not_compiled",
    "parameters",
    "reference_of",
    "resource_types",
]

_ABSTRACT: Final = ("Resource", "DomainResource")
_NOT_DOMAIN: Final = frozenset({"Binary", "Bundle", "Parameters"})
"""Types that derive from Resource alone, without narrative."""


@dataclass(frozen=True, kw_only=True, slots=True)
class SearchParameter:
    """One parameter of one resource type.

    Attributes:
        code: Name in a query.
        type: `token`, `reference`, `date`, `string`, `quantity`, `number`, `uri`,
            `composite` or `special`.
        url: Canonical of its definition.
        expression: FHIRPath, as far as it concerns the type.
        targets: Types that a reference may point at.
        components: Codes of a composite's components, in order.
        refusal: Why it cannot be searched; None where it can.

    """

    code: str
    type: str
    url: str
    expression: str | None
    targets: tuple[str, ...]
    components: tuple[str, ...]
    refusal: str | None


@cache
def _table() -> dict[str, dict[str, dict[str, Any]]]:
    file = files("conformance").joinpath("definitions", "search_parameters.json")
    types: dict[str, dict[str, dict[str, Any]]]
    types = loads_object(file.read_bytes())["types"]
    return types


@cache
def resource_types() -> frozenset[str]:
    """Return every resource type of the release, the abstract ones left out."""
    return frozenset(_table()).difference(_ABSTRACT)


@cache
def _records(type_: str) -> dict[str, dict[str, Any]]:
    if type_ not in resource_types():
        raise FHIRError(IssueType.NOT_SUPPORTED, f"{type_[:64]} is no resource type.")
    bases = _ABSTRACT[:1] if type_ in _NOT_DOMAIN else _ABSTRACT
    return {
        code: record
        for name in (*bases, type_)
        for code, record in _table()[name].items()
    }


@cache
def parameters(type_: str) -> Mapping[str, SearchParameter]:
    """Return the search parameters of a resource type by code, `_id` among them.

    Raises:
        FHIRError: `not-supported` for what is no resource type.

    """
    return MappingProxyType(
        {
            code: SearchParameter(
                code=code,
                type=record["type"],
                url=record["url"],
                expression=record.get("expression"),
                targets=tuple(record.get("target", ())),
                components=tuple(record.get("component", ())),
                refusal=record.get("refused"),
            )
            for code, record in sorted(_records(type_).items())
        }
    )


@cache
def element_types(type_: str, code: str) -> frozenset[str]:
    """Return the types of the elements that a parameter looks at.

    Raises:
        FHIRError: `not-supported` for what is no resource type.

    """
    branches = _records(type_).get(code, {}).get("branches", ())
    return frozenset(branch["type"] for branch in branches if "type" in branch)


@cache
def not_compiled() -> tuple[tuple[str, str, str], ...]:
    """Return type, code and reason of every parameter that cannot be searched."""
    return tuple(
        (type_, code, record["refused"])
        for type_, codes in _table().items()
        for code, record in codes.items()
        if "refused" in record
    )


def extractor(
    type_: str,
    code: str,
    *,
    zone: tzinfo = UTC,
    base_urls: tuple[str, ...] = (),
) -> Extract:
    """Return what finds the values of one search parameter in a resource.

    Args:
        type_: Resource type.
        code: Name of the parameter.
        zone: Where dates without an offset are.
        base_urls: Base URLs under which this server is known.

    Raises:
        FHIRError: `not-supported` for a parameter that is unknown or not compiled.

    """
    return _extractor(type_, code, Reader(zone=zone, base_urls=base_urls))


@cache
def _extractor(type_: str, code: str, reader: Reader) -> Extract:
    record = _records(type_).get(code)
    if record is None or "refused" in record:
        raise FHIRError(
            IssueType.NOT_SUPPORTED,
            f"The search parameter {type_}.{code[:64]} is not supported.",
        )
    return extractor_of(record, reader)


def extract_all(
    type_: str, *, zone: tzinfo = UTC, base_urls: tuple[str, ...] = ()
) -> ExtractAll:
    """Return what finds the values of all search parameters in a resource.

    The answer holds the codes that have values; the lists are not to be changed.
    Parameters that are not compiled are left out, as `not_compiled` says.

    Raises:
        FHIRError: `not-supported` for what is no resource type.

    """
    return _extract_all(type_, Reader(zone=zone, base_urls=base_urls))


@cache
def _extract_all(type_: str, reader: Reader) -> ExtractAll:
    records = _records(type_)
    compiled = {c: item for c, item in records.items() if "refused" not in item}
    return extractor_of_all(compiled, reader)
