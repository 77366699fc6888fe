"""Compiled FHIRPath: closures, what is known of their types, and path steps.

https://hl7.org/fhirpath/N1/#path-selection
"""

from collections.abc import Callable, Mapping
from functools import cache, lru_cache
from typing import Any, NamedTuple

from conformance import definitions
from conformance.definitions import Element
from conformance.fhirpath_nodes import Items, Scope, items_at, member, type_of
from conformance.fhirpath_syntax import Expression
from conformance.fhirpath_values import Item, Node, value_of

Run = Callable[[Item, Scope], Items]
Truth = Callable[[Item, Scope], bool | None]


class NotCompiled(ValueError):  # noqa: N818 - an answer the validator reports
    """Why an expression cannot be compiled."""


class Code(NamedTuple):
    """A compiled expression: as items, as a truth, or both.

    Attributes:
        items: Focus → items; None where only the truth was compiled.
        truth: Focus → true, false or None; None where only items were compiled.
        type: Type of every item; None where items carry it or nobody knows.
        of_scope: Whether the result depends on the scope alone.

    """

    items: Run | None = None
    truth: Truth | None = None
    type: str | None = None
    of_scope: bool = False


ABSTRACT = frozenset({"Resource", "DomainResource"})


def _true_of(items: Items) -> bool | None:
    """Return the truth of a collection: itself if boolean, else that it exists."""
    if not items:
        return None
    if len(items) == 1:
        value = value_of(items[0])
        return value if isinstance(value, bool) else True
    return True


def items_of(code: Code) -> Run:
    """Return the form that gives items."""
    if code.items is not None:
        return code.items
    truth = truth_of(code)

    def run(item: Item, scope: Scope) -> Items:
        answer = truth(item, scope)
        return [] if answer is None else [answer]

    return run


def truth_of(code: Code) -> Truth:
    """Return the form that gives true, false or None."""
    if code.truth is not None:
        return code.truth
    run = code.items
    assert run is not None  # noqa: S101 - a Code has one form or the other
    return lambda item, scope: _true_of(run(item, scope))


def constant(value: Any, type_: str | None) -> Code:
    """Return the code of a value that never changes; nothing for None."""
    items = [] if value is None else [value]
    return Code(items=lambda _item, _scope: items, type=type_, of_scope=True)


def _complex_step(key: str) -> Run:
    def run(item: Item, _scope: Scope) -> Items:
        found = item.get(key)
        if found is None:
            return []
        return found if type(found) is list else [found]

    return run


def _primitive_step(key: str, type_: str) -> Run:
    beside_key = f"_{key}"

    def run(item: Item, _scope: Scope) -> Items:
        found = item.get(key)
        if beside_key in item:
            return list(items_at(item, key, type_))
        if found is None:
            return []
        return found if type(found) is list else [found]

    return run


def _choice_step(keys: Mapping[str, str]) -> Run:
    known = tuple((key, f"_{key}", type_) for key, type_ in keys.items())

    def run(item: Item, _scope: Scope) -> Items:
        return [
            found
            for key, beside, type_ in known
            if key in item or beside in item
            for found in items_at(item, key, type_)
        ]

    return run


def _dynamic_step(name: str) -> Run:
    return lambda item, _scope: member(item, name)


def _element_step(element: Element) -> Code:
    if len(element.keys) > 1:
        return Code(items=_choice_step(element.keys))
    [(key, type_)] = element.keys.items()
    if definitions.primitive(type_) is not None:
        return Code(items=_primitive_step(key, type_), type=type_)
    return Code(items=_complex_step(key), type=type_)


def element_of(type_: str | None, name: str) -> Element | None:
    """Return the element that `name` is on every instance of a static type."""
    if type_ is None or definitions.primitive(type_) is not None:
        return None
    if type_ in ABSTRACT:
        type_ = "DomainResource"
    return definitions.elements(type_).get(name)


def step_code(type_: str | None, name: str) -> Code:
    """Return the code of a path step on a focus of a static type."""
    element = element_of(type_, name)
    if element is not None:
        return _element_step(element)
    if type_ is None or type_ in ABSTRACT or definitions.primitive(type_) is not None:
        return Code(items=_dynamic_step(name))
    return constant(None, None)._replace(of_scope=False)


def chain(source: Code, step: Code) -> Code:
    """Return `source.step`: the step on every item of the source."""
    first, then = items_of(source), items_of(step)

    def run(item: Item, scope: Scope) -> Items:
        found = first(item, scope)
        if not found:
            return found
        if len(found) == 1:
            return then(found[0], scope)
        return [below for above in found for below in then(above, scope)]

    return Code(items=run, type=step.type, of_scope=source.of_scope)


@cache
def memory_key_of(_tree: Expression) -> object:
    """Return what a tree's result is remembered under, the same for equal trees."""
    return object()


def memoised(run: Run, memory_key: object) -> Run:
    """Return code that is run once a scope, being about nothing else."""

    def memoised(item: Item, scope: Scope) -> Items:
        found = scope.memory.get(memory_key)
        if found is None:
            found = scope.memory[memory_key] = run(item, scope)
        return found

    return memoised


def presence(element: Element) -> Truth:
    """Return whether an element has a value, without collecting it."""
    keys = [
        name
        for key, type_ in element.keys.items()
        for name in (
            (key,) if definitions.primitive(type_) is None else (key, f"_{key}")
        )
    ]
    if len(keys) == 1:
        [key] = keys
        return lambda item, _scope: bool(
            key in item and item[key] is not None and item[key] != []
        )
    names = frozenset(keys)

    def run(item: Item, _scope: Scope) -> bool:
        for key in item:
            if key in names and item[key] is not None and item[key] != []:
                return True
        return False

    return run


@lru_cache(maxsize=4096)
def fits(type_: str, wanted: str) -> bool:
    """Return whether a type is another or specialises it."""
    return definitions.is_a(type_, wanted)


def item_is(item: Item, static: str | None, wanted: str) -> bool:
    """Return whether an item is of a type, as far as its type is known."""
    type_ = static if static is not None and static not in ABSTRACT else type_of(item)
    return type_ is not None and fits(type_, wanted)


def untagged(item: Item) -> Item:
    """Return an item of a known type as plain JSON, unless it has extensions."""
    if type(item) is Node and (item.element is None or isinstance(item.value, dict)):
        return item.value
    return item
