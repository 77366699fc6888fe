"""Which resources belong to the compartment of a patient, and of others.

Read from `definitions/compartments.json`: for each compartment the types that can be
in it, with the search parameters that link them. Membership is not attribution: a
resource may be in the compartments of several patients, and consent looks at
`classes.attribution` alone.

https://hl7.org/fhir/R4/compartmentdefinition.html
"""

from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from types import MappingProxyType
from typing import Any

from conformance.fhir_json import loads_object
from conformance.issues import FHIRError, IssueType
from conformance.references import Reference
from conformance.search_parameters import extractor


@cache
def _table() -> dict[str, dict[str, list[str]]]:
    file = files("conformance").joinpath("definitions", "compartments.json")
    table: dict[str, dict[str, list[str]]]
    table = loads_object(file.read_bytes())["compartments"]
    return table


@cache
def compartments() -> tuple[str, ...]:
    """Return the types that have a compartment, such as `Patient`."""
    return tuple(_table())


def url(compartment: str) -> str:
    """Return the canonical of a compartment's definition."""
    id_ = f"{compartment[0].lower()}{compartment[1:]}"
    return f"http://hl7.org/fhir/CompartmentDefinition/{id_}"


@cache
def members(compartment: str) -> Mapping[str, tuple[str, ...]]:
    """Return type → search parameters that put a resource into a compartment.

    A resource is in its own compartment; that is not a parameter and not listed.

    Raises:
        FHIRError: `not-supported` for a type that has no compartment.

    """
    if compartment not in _table():
        raise FHIRError(
            IssueType.NOT_SUPPORTED, f"There is no {compartment[:64]} compartment."
        )
    return MappingProxyType(
        {type_: tuple(codes) for type_, codes in _table()[compartment].items()}
    )


def owners_of(
    compartment: str, resource: dict[str, Any], base_urls: tuple[str, ...] = ()
) -> tuple[str, ...]:
    """Return whose compartments hold a resource: `Type/id`, each once, in order.

    References to other servers, by identifier and to contained resources name
    nobody here.

    Raises:
        FHIRError: `not-supported` for a type that has no compartment; `structure`
            where an element has not the shape of its type.

    """
    type_ = str(resource.get("resourceType"))
    found: dict[str, None] = {}
    if type_ == compartment and "id" in resource:
        found[f"{type_}/{resource['id']}"] = None
    for code in members(compartment).get(type_, ()):
        for value in extractor(type_, code, base_urls=base_urls)(resource):
            if isinstance(value, Reference) and value.id and value.type == compartment:
                found[f"{value.type}/{value.id}"] = None
    return tuple(found)


def patients_of(
    resource: dict[str, Any], base_urls: tuple[str, ...] = ()
) -> tuple[str, ...]:
    """Return the patients in whose compartment a resource is, as `Patient/id`.

    Raises:
        FHIRError: `structure` where an element has not the shape of its type.

    """
    return owners_of("Patient", resource, base_urls)
