"""A part of a resource: `_summary` and `_elements`, after FHIR's own flags.

What is kept is compiled once a type: names of JSON members, and for each what is kept
of its value. Labels and everything that changes the meaning of what is left stay:
`id`, `meta`, mandatory and modifier elements. A part is marked as one (SUBSETTED).

https://hl7.org/fhir/R4/search.html#summary and
https://hl7.org/fhir/R4/search.html#elements
"""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple

from conformance import fhir_json
from conformance.definitions import Element, elements, is_known, primitive
from conformance.issues import FHIRError, IssueType

SUMMARIES = frozenset({"true", "text", "data", "count", "false"})
"""Values of `_summary` (§3.1.1.5.9)."""

MAX_ELEMENTS = 200
"""Names in `_elements`."""

SUBSETTED = {
    "system": "http://terminology.hl7.org/CodeSystem/v3-ObservationValue",
    "code": "SUBSETTED",
}

_WHOLE = frozenset({"Extension", "Meta", "Narrative"})
"""Types of which nothing is left out: a part of them would say something else."""

_HEAD = ("resourceType", "id")

_NAME = re.compile(r"[a-zA-Z][A-Za-z0-9]{0,63}")

_REMEMBERED = 2048

Pair = tuple[str, str]


@dataclass(frozen=True, kw_only=True, slots=True)
class Projection:
    """Which part of a resource is asked for.

    Attributes:
        summary: Value of `_summary`; None where it was not given.
        elements: Names in `_elements`; none for all.

    """

    summary: str | None = None
    elements: tuple[str, ...] = ()

    def of(self, body: bytes) -> bytes:
        """Return the part of a resource."""
        return projected(body, summary=self.summary, elements=self.elements)


def projection(pairs: Iterable[Pair]) -> Projection:
    """Return what `_summary` and `_elements` among some parameters ask for.

    Raises:
        FHIRError: `invalid` for a value that has no meaning, or two that differ.

    """
    summaries = {value for name, value in pairs if name == "_summary"}
    if len(summaries) > 1 or not summaries <= SUMMARIES:
        raise FHIRError(
            IssueType.INVALID, "_summary is one of true, text, data, count and false."
        )
    names = [
        name for key, value in pairs if key == "_elements" for name in _names(value)
    ]
    if len(names) > MAX_ELEMENTS:
        raise FHIRError(IssueType.TOO_COSTLY, "_elements names too many elements.")
    if names and summaries - {"false"}:
        raise FHIRError(
            IssueType.INVALID, "_summary and _elements are not asked for together."
        )
    return Projection(
        summary=next(iter(summaries), None), elements=tuple(dict.fromkeys(names))
    )


def _names(value: str) -> list[str]:
    names = [name.strip() for name in value.split(",")]
    if not all(_NAME.fullmatch(name) for name in names):
        raise FHIRError(
            IssueType.INVALID, "_elements names elements of the resource, as id,status."
        )
    return names


def refuse_unknown_elements(type_: str, asked: Projection) -> None:
    """Refuse a name in `_elements` that the type does not have.

    Raises:
        FHIRError: `invalid`, naming it.

    """
    known = elements(type_)
    members = {key for element in known.values() for key in element.keys}
    for name in asked.elements:
        if name not in known and name not in members:
            raise FHIRError(
                IssueType.INVALID, f"_elements: a {type_} has no element {name!r}."
            )


def projected(body: bytes, *, summary: str | None, elements: tuple[str, ...]) -> bytes:
    """Return the part of a resource that `_summary` or `_elements` leaves.

    A number keeps its digits. Where both are given, what is left satisfies both.

    Args:
        body: The resource.
        summary: A value of `_summary`; `count` leaves the resource as it is, for it
            leaves out whole entries.
        elements: Names of elements on top, with or without the type of a choice.

    """
    shortened = summary in _WANTED
    if not shortened and not elements:
        return body
    resource: dict[str, Any] = fhir_json.loads(body)
    type_ = resource["resourceType"]
    if summary is not None and shortened:
        resource = _part(resource, _summary(type_, summary))
    if elements:
        resource = _part(resource, _elements(type_, frozenset(elements)))
    return fhir_json.dumps(_marked(resource))


class _Kept(NamedTuple):
    """What is kept of the value of a member.

    Attributes:
        structure: Whose summary is kept; None for all of the value.
        is_mandatory: Whether all is kept where the summary would be empty.

    """

    structure: str | None
    is_mandatory: bool


_ALL = _Kept(None, is_mandatory=True)


@lru_cache(_REMEMBERED)
def _summary(structure: str, summary: str) -> Mapping[str, _Kept]:
    """Return what a summary keeps of a resource, or of a part of one."""
    wanted = _WANTED[summary]
    return {
        key: _Kept(_inside(type_) if summary == "true" else None, element.min > 0)
        for element in elements(structure).values()
        if wanted(element)
        for key, type_ in element.keys.items()
    }


def _inside(type_: str) -> str | None:
    is_leaf = type_ in _WHOLE or primitive(type_) is not None or not is_known(type_)
    return None if is_leaf else type_


@lru_cache(_REMEMBERED)
def _elements(structure: str, names: frozenset[str]) -> Mapping[str, _Kept]:
    return {
        key: _ALL
        for element in elements(structure).values()
        for key in element.keys
        if _is_needed(element) or not names.isdisjoint({element.name, key})
    }


def _is_needed(element: Element) -> bool:
    return element.min > 0 or element.is_modifier or element.name in {"id", "meta"}


_WANTED: Mapping[str, Callable[[Element], bool]] = {
    "true": lambda element: element.is_summary or _is_needed(element),
    "text": lambda element: element.name == "text" or _is_needed(element),
    "data": lambda element: element.types != ("Narrative",),
}
"""Value of `_summary` → which elements on top of a resource it keeps."""


def _part(value: dict[str, Any], kept: Mapping[str, _Kept]) -> dict[str, Any]:
    """Return the kept members; what nothing is left of is left out."""
    found: dict[str, Any] = {}
    for name, item in value.items():
        how = _ALL if name == "resourceType" else kept.get(name.removeprefix("_"))
        if how is None:
            continue
        part = item if how.structure is None else _parts(item, how.structure)
        if part not in ({}, []):
            found[name] = part
        elif how.is_mandatory:
            found[name] = item
    return found


def _parts(item: Any, structure: str) -> Any:
    if isinstance(item, list):
        return [part for one in item if (part := _parts(one, structure)) != {}]
    if structure == "Resource":
        structure = item["resourceType"]
    return _part(item, _summary(structure, "true"))


def _marked(resource: dict[str, Any]) -> dict[str, Any]:
    """Return the resource with the tag that says that it is a part."""
    meta = dict(resource.get("meta") or {})
    tags = list(meta.get("tag", ()))
    if not any(_is_subsetted(tag) for tag in tags):
        meta["tag"] = [*tags, SUBSETTED]
    head = {name: resource.get(name) for name in _HEAD if name in resource}
    return {**head, "meta": meta, **{k: v for k, v in resource.items() if k != "meta"}}


def _is_subsetted(tag: Mapping[str, Any]) -> bool:
    return all(tag.get(name) == value for name, value in SUBSETTED.items())
