"""What kinds of data are called, and what a consent would ask of each of them.

A kind that the service maps has a class, such as sleep; anything else has the display
of its code where that is known, else the code.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType
from typing import Any

from consent.facets import Facets
from consent.formula import Coding
from consent.labels import label
from consent.references import Deployment
from consent.signature import facets_of
from mappings import code_system
from mappings.kinds import Kind, kinds

_DAY = "2000-01-01"
"""Any day: the time of a row is no part of its signature, that it has one is."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Sort:
    """A kind of data.

    Attributes:
        name: For people.
        data_class: The class that it belongs to.
        facets: What a consent asks of it.

    """

    name: str
    data_class: str
    facets: Facets


@cache
def _displays() -> Mapping[Coding, str]:
    found = {
        (coding.system, coding.code): coding.display
        for kind in kinds().values()
        for coding in kind.codings
    }
    own = {
        (code_system.URL, code): concept.display
        for code, concept in code_system.CONCEPTS.items()
    }
    return MappingProxyType(own | found)


def display(coding: Coding) -> str | None:
    """Return what the system of a code calls it, where that is known here."""
    return _displays().get(coding)


def name_of(facets: Facets) -> str:
    """Return what people call data of a signature."""
    codes = sorted(facets.codes.principal)
    known = [name for name in map(display, codes) if name is not None]
    if known:
        return min(known, key=lambda name: (name.startswith("MDC_"), known.index(name)))
    return codes[0][1] if codes else facets.content.type


@cache
def _by_coding() -> Mapping[Coding, Kind]:
    found: dict[Coding, Kind] = {}
    for kind in kinds().values():
        for coding in kind.codings:
            found.setdefault((coding.system, coding.code), kind)
    return MappingProxyType(found)


def class_of_data(facets: Facets) -> str | None:
    """Return the class of the kind that a signature is of; None for no known kind."""
    if facets.content.type != "Observation":
        return None
    found = (_by_coding().get(coding) for coding in sorted(facets.codes.principal))
    kind = next((kind for kind in found if kind is not None), None)
    return None if kind is None else kind.data_class


@cache
def sorts(deployment: Deployment) -> tuple[Sort, ...]:
    """Return every kind of data that the service maps, as a consent sees it."""
    found = []
    for kind in kinds().values():
        facets = _facets(kind, deployment)
        found.append(
            Sort(name=name_of(facets), data_class=kind.data_class, facets=facets)
        )
    return tuple(found)


def _facets(kind: Kind, deployment: Deployment) -> Facets:
    resource: dict[str, Any] = {
        "resourceType": "Observation",
        "meta": {"profile": list(kind.profiles)},
        "category": [
            {"coding": [{"system": one.system, "code": one.code}]}
            for one in kind.categories
        ],
        "code": _concept(kind),
        "effectiveDateTime": _DAY,
        "component": [{"code": _concept(kinds()[name])} for name in kind.components],
    }
    return facets_of(resource, labels=label(resource), deployment=deployment)


def _concept(kind: Kind) -> dict[str, Any]:
    return {
        "coding": [{"system": one.system, "code": one.code} for one in kind.codings]
    }
