"""Resources as FHIRPath sees them: members, children, references.

Nothing here trusts the shape of what it is given.

https://hl7.org/fhir/R4/fhirpath.html
"""

import re
from collections.abc import Iterator, Mapping
from functools import cache, lru_cache
from typing import Any

from conformance import definitions
from conformance.definitions import Element
from conformance.fhirpath_values import Item, Node, value_of

Items = list[Item]


class Scope:
    """What an evaluation may see beside its focus.

    Attributes:
        resource: `%resource`, the resource that holds the focus.
        root: `%rootResource`, the resource that holds it where it is contained.
        context: `%context`, the focus that the whole expression started with.
        memory: Results that depend on the resource and the root alone.

    """

    __slots__ = ("_contained", "context", "memory", "resource", "root")

    def __init__(self, resource: Any, root: Any) -> None:
        self.resource = resource
        self.root = root
        self.context = resource
        self.memory: dict[object, Any] = {}
        self._contained: dict[str, Mapping[str, Any]] | None = None

    def within(self, contained: Any) -> "Scope":
        """Return the scope of a resource that the root contains."""
        scope = Scope(contained, self.root)
        scope._contained = self._contained_resources()
        return scope

    def contained(self, id_: str) -> Mapping[str, Any] | None:
        """Return what `#id` points at: the root for no id, None for nothing."""
        if not id_:
            return self.root if isinstance(self.root, dict) else None
        return self._contained_resources().get(id_)

    def _contained_resources(self) -> dict[str, Mapping[str, Any]]:
        """Return the contained resources by id, collected once for all scopes."""
        if self._contained is None:
            self._contained = {}
            found = self.root.get("contained") if isinstance(self.root, dict) else None
            for resource in found if isinstance(found, list) else ():
                id_ = resource.get("id") if isinstance(resource, dict) else None
                if isinstance(id_, str):
                    self._contained.setdefault(id_, resource)
        return self._contained


@cache
def _choice_suffixes() -> Mapping[str, str]:
    return {name[0].upper() + name[1:]: name for name in definitions.datatype_names()}


def _guessed(value: Mapping[str, Any], name: str) -> Iterator[Item]:
    """Yield what `name` gives where the type of `value` is not known."""
    for key in value:
        type_ = _choice_suffixes().get(key.removeprefix(name), None)
        if key == name or (type_ is not None and key.startswith(name)):
            yield from items_at(value, key, None if key == name else type_)


def items_at(value: Mapping[str, Any], key: str, type_: str | None) -> Iterator[Item]:
    """Yield the items of a JSON member, each with its type."""
    found, beside = value.get(key), value.get(f"_{key}")
    if not isinstance(found, list) and not isinstance(beside, list):
        found, beside = [found], [beside]
    found, beside = found or [], beside or []
    for index in range(max(len(found), len(beside))):
        item = found[index] if index < len(found) else None
        element = beside[index] if index < len(beside) else None
        if item is not None or element is not None:
            yield Node(item, type_, element)


def type_of(item: Item) -> str | None:
    """Return the type an item is known to have at run time."""
    if type(item) is Node and item.type not in {None, "Resource", "DomainResource"}:
        return item.type
    value = value_of(item)
    if isinstance(value, dict):
        found = value.get("resourceType")
        return found if isinstance(found, str) else None
    return _PYTHON_TYPES.get(type(value))


_PYTHON_TYPES: Mapping[type, str] = {bool: "boolean", int: "integer"}


@lru_cache(maxsize=4096)
def _element(type_: str, name: str) -> Element | None:
    if not definitions.is_known(type_) or definitions.primitive(type_) is not None:
        return None
    return definitions.elements(type_).get(name)


def member(item: Item, name: str) -> Items:
    """Return what a path step gives on an item whose type shows at run time."""
    value, type_ = value_of(item), type_of(item)
    if not isinstance(value, dict):
        beside = item.element if type(item) is Node else None
        return member(Node(beside, "Element"), name) if beside else []
    if type_ is None:
        return list(_guessed(value, name))
    element = _element(type_, name)
    if element is None:
        return []
    return [
        found
        for key, key_type in element.keys.items()
        for found in items_at(value, key, key_type)
    ]


def children(item: Item) -> Items:
    """Return all the items directly beneath an item."""
    value, type_ = value_of(item), type_of(item)
    if not isinstance(value, dict):
        value, type_ = item.element if type(item) is Node else None, "Element"
    if not isinstance(value, dict):
        return []
    keys = {key.removeprefix("_"): None for key in value if key != "resourceType"}
    known = _member_types(type_ or "")
    return [found for key in keys for found in items_at(value, key, known.get(key))]


@lru_cache(maxsize=4096)
def _member_types(type_: str) -> Mapping[str, str]:
    """Return JSON member → type, of a structure; nothing for what is not known."""
    if not definitions.is_known(type_) or definitions.primitive(type_) is not None:
        return {}
    return {
        key: key_type
        for element in definitions.elements(type_).values()
        for key, key_type in element.keys.items()
    }


def descendants(item: Item) -> Items:
    """Return all the items beneath an item, at any depth."""
    found: Items = []
    waiting = [item]
    while waiting:
        below = children(waiting.pop())
        found += below
        waiting += below
    return found


def has_value(items: Items) -> bool:
    """Return whether there is one item and it is a primitive with a value."""
    if len(items) != 1:
        return False
    value = value_of(items[0])
    return value is not None and not isinstance(value, dict)


_REFERENCE = re.compile(
    r"(?:^|/)([A-Z][A-Za-z]+)/[A-Za-z0-9\-.]{1,64}(?:/_history/[A-Za-z0-9\-.]{1,64})?$"
)


def referenced_type(text: str) -> str | None:
    """Return the resource type that a literal reference names, if it names one."""
    match = _REFERENCE.search(text)
    if match is None or not definitions.is_resource_type(match.group(1)):
        return None
    return match.group(1)


def resolved(item: Item, scope: Scope) -> Item:
    """Return a resource of the type that a reference names; None where unknown.

    Only what is contained is really there; of other resources the type is known,
    which is what `resolve() is Patient` asks.
    """
    value = value_of(item)
    text = value.get("reference") if isinstance(value, dict) else value
    if isinstance(text, str) and text.startswith("#"):
        return scope.contained(text[1:])
    type_ = referenced_type(text) if isinstance(text, str) else None
    if type_ is None and isinstance(value, dict):
        type_ = value.get("type")
    if type_ is None or not definitions.is_resource_type(type_):
        return None
    return {"resourceType": type_}
