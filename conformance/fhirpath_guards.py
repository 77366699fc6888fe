"""Which elements an invariant needs before it can fail.

Most invariants cannot fail on most resources: `obs-6` not without a
`dataAbsentReason`, `dom-2` not without `contained`. Telling so from the syntax tree
spares their evaluation.

https://hl7.org/fhirpath/N1/#boolean-logic
"""

from collections.abc import Iterator
from enum import Enum
from functools import cache

from conformance.fhirpath_syntax import Binary, Call, Expression, Literal, Member, parse


class _Known(Enum):
    """What an expression gives where one element is absent."""

    TRUE = "true"
    FALSE = "false"
    EMPTY = "empty"
    OPEN = "open"


_TRUTHS = {True: _Known.TRUE, False: _Known.FALSE}

_OF_EMPTY = {
    "empty": _Known.TRUE,
    "exists": _Known.FALSE,
    "all": _Known.TRUE,
    "hasValue": _Known.FALSE,
    "isDistinct": _Known.TRUE,
    "count": _Known.OPEN,
    "iif": _Known.OPEN,
    "combine": _Known.OPEN,
    "union": _Known.OPEN,
    "allTrue": _Known.TRUE,
    "subsetOf": _Known.TRUE,
}
"""Functions that give something for an empty input; the others give nothing."""

_NOT = {
    _Known.TRUE: _Known.FALSE,
    _Known.FALSE: _Known.TRUE,
    _Known.EMPTY: _Known.EMPTY,
    _Known.OPEN: _Known.OPEN,
}


def _call(tree: Call, absent: str) -> _Known:
    if tree.source is None:
        return _Known.OPEN
    source = _without(tree.source, absent)
    if tree.name == "not":
        return _NOT[source]
    if source is _Known.EMPTY:
        return _OF_EMPTY.get(tree.name, _Known.EMPTY)
    return _Known.OPEN


def _or(left: _Known, right: _Known) -> _Known:
    if _Known.TRUE in {left, right}:
        return _Known.TRUE
    if _Known.OPEN in {left, right}:
        return _Known.OPEN
    return _Known.EMPTY if _Known.EMPTY in {left, right} else _Known.FALSE


def _binary(tree: Binary, absent: str) -> _Known:
    left, right = _without(tree.left, absent), _without(tree.right, absent)
    if tree.operator == "or":
        return _or(left, right)
    if tree.operator == "implies":
        return _or(_NOT[left], right)
    if tree.operator == "and":
        return _NOT[_or(_NOT[left], _NOT[right])]
    if tree.operator in {"=", "!=", "<", "<=", ">", ">=", "xor"}:
        return _Known.EMPTY if _Known.EMPTY in {left, right} else _Known.OPEN
    if tree.operator == "in" and left is _Known.EMPTY:
        return _Known.EMPTY
    return _Known.OPEN


def _without(tree: Expression, absent: str) -> _Known:
    """Return what is known of a tree's result where the focus lacks an element."""
    if isinstance(tree, Literal) and isinstance(tree.value, bool):
        return _TRUTHS[tree.value]
    if isinstance(tree, Member):
        if tree.source is None:
            return _Known.EMPTY if tree.name == absent else _Known.OPEN
        return _EMPTY_OR_OPEN[_without(tree.source, absent) is _Known.EMPTY]
    if isinstance(tree, Call):
        return _call(tree, absent)
    return _binary(tree, absent) if isinstance(tree, Binary) else _Known.OPEN


_EMPTY_OR_OPEN = {True: _Known.EMPTY, False: _Known.OPEN}


def _first_steps(tree: object) -> Iterator[str]:
    """Yield the names with which paths begin."""
    if isinstance(tree, Member) and tree.source is None:
        yield tree.name
    elif isinstance(tree, tuple):
        for part in tree:
            yield from _first_steps(part)
    elif isinstance(tree, Expression):
        for name in tree.__slots__:
            yield from _first_steps(getattr(tree, name))


@cache
def guards(expression: str) -> frozenset[str]:
    """Return elements each of which must be there for an invariant to fail."""
    tree = parse(expression)
    return frozenset(
        name
        for name in _first_steps(tree)
        if _without(tree, name) in {_Known.TRUE, _Known.EMPTY}
    )
