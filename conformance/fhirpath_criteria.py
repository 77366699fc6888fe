"""FHIRPath's functions that take a criterion, on compiled expressions.

https://hl7.org/fhirpath/N1/#filtering-and-projection
"""

from typing import Any

from conformance.fhirpath_code import Run, Truth
from conformance.fhirpath_nodes import Items, Scope
from conformance.fhirpath_syntax import Expression, External
from conformance.fhirpath_values import Item


def where(source: Run, criterion: Truth) -> Run:
    """Return the items for which a criterion holds."""
    return lambda item, scope: [
        found for found in source(item, scope) if criterion(found, scope)
    ]


def every(source: Run, criterion: Truth) -> Truth:
    """Return whether a criterion holds for every item."""

    def run(item: Item, scope: Scope) -> bool:
        return all(criterion(found, scope) for found in source(item, scope))

    return run


def repeat(source: Run, step: Run) -> Run:
    """Return what a step gives, and what it gives on that, and so on."""

    def run(item: Item, scope: Scope) -> Items:
        found: Items = []
        waiting = source(item, scope)
        while waiting:
            below = [new for old in waiting for new in step(old, scope)]
            found += below
            waiting = below
        return found

    return run


def choose(source: Run, condition: Truth, then: Run, otherwise: Run) -> Run:
    """Return one branch or the other, for the input as a whole."""

    def run(item: Item, scope: Scope) -> Items:
        focus = source(item, scope)
        chosen = then if condition(_collection(focus), scope) else otherwise
        return chosen(_collection(focus), scope)

    return run


class Collection(list[Item]):
    """The whole input of `iif`, where `empty()` and the like look at all of it."""

    __slots__ = ()


def url_of(extension: Any) -> Any:
    """Return the URL of an extension."""
    return extension.get("url") if isinstance(extension, dict) else None


def uses_context(tree: object) -> bool:
    """Return whether a tree, or one of several, asks for `%context`."""
    if isinstance(tree, tuple):
        return any(map(uses_context, tree))
    if isinstance(tree, External):
        return tree.name == "context"
    if isinstance(tree, Expression):
        return any(uses_context(getattr(tree, name)) for name in tree.__slots__)
    return False


def _collection(items: Items) -> Item:
    return items[0] if len(items) == 1 else Collection(items)


def this_items(item: Item, _scope: Scope) -> Items:
    """Return the focus itself."""
    return item if type(item) is Collection else [item]
