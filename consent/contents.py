"""Every reference and every coding that a resource holds, in one walk.

Tolerant of any shape: it reads stored resources as well as what a client sent.

https://hl7.org/fhir/R4/datatypes.html#Coding
"""

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from consent.formula import Coding

PartialCoding = tuple[str | None, str | None]
"""System and code, as far as given."""


class Contents(NamedTuple):
    """What the walk found.

    Attributes:
        references: Every `reference` text, contained resources, extensions and meta
            included.
        codings: Every complete coding outside meta.

    """

    references: list[str]
    codings: list[Coding]


def walk(resource: Mapping[str, Any]) -> Contents:
    """Return all references and codings of the resource."""
    contents = Contents([], [])
    _collect([{**resource, "meta": None}], contents)
    if "meta" in resource:
        _collect([resource["meta"]], Contents(contents.references, []))
    return contents


def _collect(nodes: list[Any], contents: Contents) -> None:
    """Visit `nodes` and all below them, which are appended to the list meanwhile."""
    append = nodes.append
    for node in nodes:
        if type(node) is dict:
            if "code" in node:
                contents.codings.extend(_coding(node))
            if "reference" in node and type(node["reference"]) is str:
                contents.references.append(node["reference"])
            children: Iterable[Any] = node.values()
        else:
            children = node if type(node) is list else ()
        for child in children:
            if type(child) is dict or type(child) is list:
                append(child)


def _coding(node: dict[str, Any]) -> tuple[Coding, ...]:
    """Return the node if it is a Coding; a Quantity has a value or a unit as well."""
    system, code = node.get("system"), node["code"]
    if type(code) is not str or type(system) is not str:
        return ()
    return () if "value" in node or "unit" in node else ((system, code),)


def concept_codings(concept: object) -> list[Coding]:
    """Return the complete codings of a CodeableConcept."""
    return complete(partial_codings(concept))


def complete(codings: Iterable[PartialCoding]) -> list[Coding]:
    """Return the codings that have a system and a code."""
    return [
        (system, code)
        for system, code in codings
        if system is not None and code is not None
    ]


def partial_codings(concept: object) -> list[PartialCoding]:
    """Return system and code of every coding of a CodeableConcept, as far as given."""
    codings = concept.get("coding") if isinstance(concept, dict) else None
    if not isinstance(codings, list):
        return []
    return [coding_parts(coding) for coding in codings]


def coding_parts(coding: object) -> PartialCoding:
    """Return system and code of a Coding, as far as given."""
    if not isinstance(coding, dict):
        return None, None
    system, code = coding.get("system"), coding.get("code")
    return (
        system if isinstance(system, str) and system else None,
        code if isinstance(code, str) and code else None,
    )
