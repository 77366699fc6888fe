"""FHIRPath's operators on compiled expressions, in three-valued logic.

https://hl7.org/fhirpath/N1/#operations
"""

from collections.abc import Callable, Mapping
from typing import Any

from conformance.fhirpath_code import Code, NotCompiled, Run, Truth, items_of, truth_of
from conformance.fhirpath_nodes import Items, Scope, type_of
from conformance.fhirpath_values import (
    ARITHMETIC,
    Item,
    Node,
    compare,
    distinct,
    equal,
    key_of,
    text_of,
    value_of,
)


def _and(left: Truth, right: Truth) -> Truth:
    def run(item: Item, scope: Scope) -> bool | None:
        first = left(item, scope)
        if first is False:
            return False
        second = right(item, scope)
        return second if first or second is False else None

    return run


def _or(left: Truth, right: Truth) -> Truth:
    def run(item: Item, scope: Scope) -> bool | None:
        first = left(item, scope)
        if first:
            return True
        second = right(item, scope)
        return second if first is False or second else None

    return run


def _xor(left: Truth, right: Truth) -> Truth:
    def run(item: Item, scope: Scope) -> bool | None:
        first, second = left(item, scope), right(item, scope)
        return None if first is None or second is None else first is not second

    return run


def negated(operand: Truth) -> Truth:
    """Return the opposite; what is not known stays so."""

    def run(item: Item, scope: Scope) -> bool | None:
        answer = operand(item, scope)
        return None if answer is None else not answer

    return run


def _implies(left: Truth, right: Truth) -> Truth:
    return _or(negated(left), right)


_LOGIC: Mapping[str, Callable[[Truth, Truth], Truth]] = {
    "and": _and,
    "or": _or,
    "xor": _xor,
    "implies": _implies,
}

_ORDER: Mapping[str, Callable[[int], bool]] = {
    "<": lambda sign: sign < 0,
    "<=": lambda sign: sign <= 0,
    ">": lambda sign: sign > 0,
    ">=": lambda sign: sign >= 0,
}


def _ordered(operator: str, left: Code, right: Code) -> Truth:
    first, second, holds = items_of(left), items_of(right), _ORDER[operator]

    def run(item: Item, scope: Scope) -> bool | None:
        a, b = first(item, scope), second(item, scope)
        if len(a) != 1 or len(b) != 1:
            return None
        sign = compare(
            a[0], b[0], left.type or type_of(a[0]), right.type or type_of(b[0])
        )
        return None if sign is None else holds(sign)

    return run


def _equals(left: Code, right: Code) -> Truth:
    first, second = items_of(left), items_of(right)

    def run(item: Item, scope: Scope) -> bool | None:
        a, b = first(item, scope), second(item, scope)
        if not a or not b:
            return None
        if len(a) != len(b):
            return False
        answers = [
            equal(x, y, left.type or type_of(x), right.type or type_of(y))
            for x, y in zip(a, b, strict=True)
        ]
        if False in answers:
            return False
        return None if None in answers else True

    return run


def _keys(code: Code) -> Callable[[Item, Scope], frozenset[Any]]:
    """Return the keys of a collection, computed once a scope where that is enough."""
    run = items_of(code)
    if not code.of_scope:
        return lambda item, scope: frozenset(map(key_of, run(item, scope)))
    memory_key = object()

    def keys(item: Item, scope: Scope) -> frozenset[Any]:
        if memory_key not in scope.memory:
            scope.memory[memory_key] = frozenset(map(key_of, run(item, scope)))
        found: frozenset[Any] = scope.memory[memory_key]
        return found

    return keys


def _in(needle: Code, haystack: Code) -> Truth:
    first, keys = items_of(needle), _keys(haystack)

    def run(item: Item, scope: Scope) -> bool | None:
        found = first(item, scope)
        if len(found) != 1:
            return None
        return key_of(found[0]) in keys(item, scope)

    return run


def union(left: Code, right: Code) -> Code:
    """Return the items of both sides without repeats."""
    first, second = tagged(left, right), tagged(right, left)
    return Code(
        items=lambda item, scope: distinct(first(item, scope) + second(item, scope)),
        type=left.type if left.type == right.type else None,
        of_scope=left.of_scope and right.of_scope,
    )


def tagged(code: Code, beside: Code) -> Run:
    """Return items that carry their type where the other side's type differs."""
    run, type_ = items_of(code), code.type
    if type_ is None or type_ == beside.type:
        return run
    return lambda item, scope: [
        found if type(found) is Node else Node(found, type_)
        for found in run(item, scope)
    ]


def _concatenated(left: Code, right: Code) -> Run:
    first, second = items_of(left), items_of(right)

    def run(item: Item, scope: Scope) -> Items:
        texts = [
            (text_of(value_of(found[0])) if found else "") or ""
            for found in (first(item, scope), second(item, scope))
        ]
        return ["".join(texts)]

    return run


def _arithmetic(operator: str, left: Code, right: Code) -> Run:
    first, second, operation = items_of(left), items_of(right), ARITHMETIC[operator]

    def run(item: Item, scope: Scope) -> Items:
        a, b = first(item, scope), second(item, scope)
        if len(a) != 1 or len(b) != 1:
            return []
        answer = operation(value_of(a[0]), value_of(b[0]))
        return [] if answer is None else [answer]

    return run


def _operand(code: Code) -> Truth:
    """Return the truth of an operand; a path that is no boolean asks for existence.

    `telecom or endpoint` would be empty where neither is there, and an invariant that
    is empty tells nothing; what is meant is that one of them exists.
    """
    if code.truth is not None or code.type == "boolean":
        return truth_of(code)
    run = items_of(code)
    return lambda item, scope: bool(run(item, scope))


def binary(operator: str, left: Code, right: Code) -> Code:
    """Return the code of an operator between two expressions."""
    of_scope = left.of_scope and right.of_scope
    if operator in _LOGIC:
        truth = _LOGIC[operator](_operand(left), _operand(right))
    elif operator in _ORDER:
        truth = _ordered(operator, left, right)
    elif operator in {"=", "!="}:
        truth = _equals(left, right)
        truth = truth if operator == "=" else negated(truth)
    elif operator in {"in", "contains"}:
        truth = _in(left, right) if operator == "in" else _in(right, left)
    else:
        return _collecting(operator, left, right)
    return Code(truth=truth, type="boolean", of_scope=of_scope)


def _collecting(operator: str, left: Code, right: Code) -> Code:
    of_scope = left.of_scope and right.of_scope
    if operator == "|":
        return union(left, right)
    if operator == "&":
        return Code(items=_concatenated(left, right), type="string", of_scope=of_scope)
    if operator in ARITHMETIC:
        return Code(items=_arithmetic(operator, left, right), of_scope=of_scope)
    raise NotCompiled(f"the operator {operator}")
