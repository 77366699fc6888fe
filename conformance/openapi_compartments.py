"""How a search in a compartment looks over HTTP.

https://hl7.org/fhir/R4/compartmentdefinition.html and
https://hl7.org/fhir/R4/http.html#vsearch
"""

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any, Final

from conformance.compartments import compartments, members, url
from conformance.openapi_forms import ASKING, PAGE, Form
from conformance.openapi_parameters import SEARCH, Json

ANY_MEMBER: Final = "*"
"""In a path: of every type that the compartment holds."""

_SEARCH: Final[Mapping[str, Any]] = MappingProxyType(
    {
        "of": "search-type",
        "letters": "s",
        "scope_of": "*",
        "answers": PAGE,
        "refusals": ASKING,
    }
)

COMPARTMENT_FORMS: Final = (
    Form(
        **_SEARCH,
        name="search-compartment",
        method="get",
        path="/{type}/{id}/{member}",
        summary=(
            "Search what the compartment of a {type} holds, by the search parameters "
            "of that type"
        ),
        parameters=("id", "member-of-{type}", *SEARCH, "prefer"),
    ),
    Form(
        **_SEARCH,
        name="search-compartment-by-form",
        method="post",
        path="/{type}/{id}/{member}/_search",
        summary="Search what the compartment of a {type} holds, by a form",
        parameters=("id", "member-of-{type}", "prefer"),
        body="search-form",
    ),
)
"""Of each type that has a compartment."""


def with_compartment(rest: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the types whose compartments the entry `rest` of a statement declares."""
    declared = rest.get("compartment", ())
    return tuple(type_ for type_ in compartments() if url(type_) in declared)


def member_parameters(types: Iterable[str], served: Iterable[str]) -> Json:
    """Return for each compartment the parameter that chooses what is searched.

    Args:
        types: Types that have a compartment.
        served: Types of which anything is served at all.

    """
    known = frozenset(served)
    return {
        f"member-of-{type_}": {
            "name": "member",
            "in": "path",
            "required": True,
            "description": f"Type of what is searched; `{ANY_MEMBER}` for every one.",
            "schema": {"enum": [*sorted(known & set(members(type_))), ANY_MEMBER]},
        }
        for type_ in types
    }
