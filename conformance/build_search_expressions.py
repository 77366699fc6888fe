"""A search parameter's expression → the paths of the elements that it names.

R4's search parameters use a small part of FHIRPath: paths, `as`, `ofType`, `where`
with one equality or `resolve() is`, an index, unions. With the StructureDefinitions
at hand each becomes a few JSON paths whose types are known. Anything else is
refused with a reason.

https://hl7.org/fhir/R4/search.html#2.21.1.2.1 and
http://hl7.org/fhirpath/N1/
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from conformance.build_packages import Package

_BASE = ("Resource", "DomainResource")
_INLINE = frozenset({"BackboneElement", "Element"})
_SEGMENT = re.compile(
    r"""\s*\.?\s*(?:
        (?:as|ofType)\(\s*(?P<type>[A-Za-z.]+)\s*\)
      | where\(\s*resolve\(\)\s+is\s+(?P<target>[A-Za-z]+)\s*\)
      | where\(\s*(?P<key>[A-Za-z]+)\s*=\s*'(?P<value>[^']*)'\s*\)
      | \[(?P<index>[0-9]+)\]
      | (?P<name>%?[A-Za-z][A-Za-z0-9]*)(?!\()
      )\s*""",
    re.VERBOSE,
)
_AS = re.compile(r"\(\s*(?P<path>[^()]+?)\s+as\s+(?P<type>[A-Za-z]+)\s*\)")
_PRESENT = re.compile(r"(?P<path>[A-Za-z.]+)\.exists\(\) and (?P=path) != false")


class ExpressionError(ValueError):
    """An expression that the compiler does not know; its text is the reason."""


@dataclass(frozen=True, kw_only=True)
class Place:
    """Elements that an expression has reached.

    Attributes:
        steps: JSON members from the resource, or from the composite's element:
            `name`, `name*` for an array, `?key=value` keeps the objects with that
            member, `#0` keeps the item of that index.
        type: Type name of the elements.
        structure: StructureDefinition that describes their children.
        path: Path of the elements in that StructureDefinition.
        system: Code system of a code whose required binding names but one.
        target: Type that references must point at.
        root: The steps start at the resource, within a composite.
        present: The value is whether the elements exist and are not false.

    """

    steps: tuple[str, ...]
    type: str
    structure: str
    path: str
    system: str | None = None
    target: str | None = None
    root: bool = False
    present: bool = False


class Elements:
    """The elements of a release, by structure and path."""

    def __init__(self, package: Package) -> None:
        self._structures: dict[str, dict[str, Mapping[str, Any]]] = {}
        self._value_sets = {item["url"]: item for item in package.of_type("ValueSet")}
        self.resource_types: list[str] = []
        for definition in package.of_type("StructureDefinition"):
            if _is_type(definition):
                self._add(definition)

    def _add(self, definition: Mapping[str, Any]) -> None:
        self._structures[definition["type"]] = {
            element["path"]: element for element in definition["snapshot"]["element"]
        }
        if definition["kind"] == "resource" and not definition["abstract"]:
            self.resource_types.append(definition["type"])

    def root(self, type_: str) -> Place:
        """Return the place of a resource of `type_`."""
        return Place(steps=(), type=type_, structure=type_, path=type_)

    def children(self, place: Place, name: str) -> Iterator[Place]:
        """Yield what `name` reaches from `place`: a choice yields one per type."""
        elements = self._structures.get(place.structure, {})
        plain = elements.get(f"{place.path}.{name}")
        choice = elements.get(f"{place.path}.{name}[x]")
        if plain is not None:
            yield from self._reached(place, name, plain)
        elif choice is not None:
            for type_ in choice["type"]:
                code = type_["code"]
                member = name + code[0].upper() + code[1:]
                yield from self._reached(place, member, {**choice, "type": [type_]})

    def _reached(
        self, place: Place, member: str, element: Mapping[str, Any]
    ) -> Iterator[Place]:
        step = member + ("" if element["max"] in {"0", "1"} else "*")
        path, structure = element["path"], place.structure
        if "contentReference" in element:
            path, type_ = element["contentReference"].removeprefix("#"), "Element"
        else:
            type_ = _type_code(element)
        if type_ not in _INLINE:
            path = structure = type_
        yield replace(
            place,
            steps=(*place.steps, step),
            type=type_,
            structure=structure,
            path=path,
            system=self._system(element) if type_ == "code" else None,
        )

    def _system(self, element: Mapping[str, Any]) -> str | None:
        binding = element.get("binding", {})
        if binding.get("strength") != "required":
            return None
        url = binding.get("valueSet", "").partition("|")[0]
        includes = self._value_sets.get(url, {}).get("compose", {}).get("include", [])
        systems = {item.get("system") for item in includes}
        return systems.pop() if len(systems) == 1 else None


def _is_type(definition: Mapping[str, Any]) -> bool:
    return (
        definition.get("derivation") != "constraint"
        and definition["kind"] in {"resource", "complex-type"}
        and "snapshot" in definition
    )


def _type_code(element: Mapping[str, Any]) -> str:
    code: str = element["type"][0]["code"]
    if code.startswith("http://hl7.org/fhirpath/System."):
        return "id" if element["path"].endswith(".id") else "uri"
    return code


def terms(expression: str) -> list[str]:
    """Return the branches of a union, outside parentheses and quotes."""
    found, depth, quoted, start = [], 0, False, 0
    for position, character in enumerate(expression):
        quoted ^= character == "'"
        depth += 0 if quoted else (character == "(") - (character == ")")
        if character == "|" and not depth and not quoted:
            found.append(expression[start:position].strip())
            start = position + 1
    return [*found, expression[start:].strip()]


def concerns(term: str, type_: str) -> bool:
    """Tell whether a branch starts at resources of `type_`."""
    first = re.match(r"\(?\s*([A-Za-z]+)", term)
    name = first.group(1) if first else ""
    return name in {type_, *_BASE} or name[:1].islower()


def places(elements: Elements, type_: str, expression: str) -> list[Place]:
    """Return what an expression reaches in resources of `type_`.

    Raises:
        ExpressionError: where the expression is beyond this compiler.

    """
    found: list[Place] = []
    for term in terms(expression):
        if concerns(term, type_):
            found += _term(elements, elements.root(type_), term)
    return found


def places_within(elements: Elements, start: Place, expression: str) -> list[Place]:
    """Return what a composite's component reaches from the composite's element.

    Raises:
        ExpressionError: where the expression is beyond this compiler.

    """
    origin = replace(start, steps=())
    found: list[Place] = []
    for term in terms(expression):
        found += _term(elements, origin, term)
    return found


def _term(elements: Elements, start: Place, term: str) -> list[Place]:
    if present := _PRESENT.fullmatch(term):
        reached = _term(elements, start, present["path"])
        return [replace(place, present=True) for place in reached]
    if parenthesised := _AS.match(term):
        path, rest = parenthesised["path"], term[parenthesised.end() :]
        return _walk(elements, start, f"{path}.as({parenthesised['type']}){rest}")
    return _walk(elements, start, term)


def _walk(elements: Elements, start: Place, text: str) -> list[Place]:
    reached, position = [start], 0
    while position < len(text):
        segment = _SEGMENT.match(text, position)
        if segment is None:
            raise ExpressionError(f"not understood at {text[position:]!r}")
        if position or not _is_start(segment["name"], start):
            reached = list(_step(elements, reached, segment))
        elif segment["name"] == "%resource":
            reached = [replace(elements.root(_resource(start)), root=True)]
        if not reached:
            raise ExpressionError(f"{text!r} names no element")
        position = segment.end()
    return reached


def _is_start(name: str | None, start: Place) -> bool:
    return name in {start.type, "%resource", *_BASE}


def _resource(place: Place) -> str:
    return place.path.partition(".")[0]


def _step(
    elements: Elements, reached: Iterable[Place], segment: re.Match[str]
) -> Iterator[Place]:
    for place in reached:
        if segment["name"]:
            yield from elements.children(place, segment["name"])
        elif segment["type"]:
            if place.type.lower() == segment["type"].lower():
                yield place
        elif segment["target"]:
            yield replace(place, target=segment["target"])
        elif segment["index"]:
            yield replace(place, steps=(*place.steps, f"#{segment['index']}"))
        else:
            step = f"?{segment['key']}={segment['value']}"
            yield replace(place, steps=(*place.steps, step))
