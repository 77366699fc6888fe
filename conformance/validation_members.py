"""Checks of JSON members, put together from checks of values.

https://hl7.org/fhir/R4/json.html
"""

import re
from typing import Any

from conformance.definitions import Element
from conformance.fhirpath_nodes import Scope
from conformance.issues import IssueType
from conformance.validation_findings import (
    Check,
    Findings,
    MemberCheck,
    error,
    joined,
    under,
)

_NAME = re.compile(r"_?[A-Za-z][A-Za-z0-9]{0,63}", re.ASCII)


def single(name: str, check: Check) -> MemberCheck:
    """Return the check of a member that holds one value."""

    def run(value: Any, _holder: dict[str, Any], scope: Scope) -> Findings:
        found = check(value, scope)
        return None if found is None else under(name, found)

    return run


def array(element: Element, check: Check) -> MemberCheck:
    """Return the check of a member that holds an array of values."""
    name, least, most = element.name, element.min, element.max

    def run(value: Any, _holder: dict[str, Any], scope: Scope) -> Findings:
        if type(value) is not list:
            return error(IssueType.STRUCTURE, "An array is expected.", name)
        if not value:
            return error(
                IssueType.STRUCTURE, "An array is left out rather than empty.", name
            )
        found: Findings = None
        for index, item in enumerate(value):
            problems = check(item, scope)
            if problems is not None:
                found = joined(found, under(f"{name}[{index}]", problems))
        if len(value) < least or (most is not None and len(value) > most):
            found = joined(found, error(IssueType.REQUIRED, _count(element), name))
        return found

    return run


def _count(element: Element) -> str:
    most = "*" if element.max is None else element.max
    return f"The element has {element.min}..{most} values."


def primitive_array(element: Element, key: str, check: Check) -> MemberCheck:
    """Return the check of an array whose nulls stand for values in its sibling."""
    run = array(element, check)
    beside_key = f"_{key}"
    name = element.name

    def with_nulls(value: Any, holder: dict[str, Any], scope: Scope) -> Findings:
        beside = holder.get(beside_key)
        if type(beside) is not list or type(value) is not list:
            return run(value, holder, scope)
        if len(beside) != len(value):
            return error(
                IssueType.STRUCTURE, f"{key} and {beside_key} differ in length.", name
            )
        found: Findings = None
        for index, (item, extra) in enumerate(zip(value, beside, strict=True)):
            if item is None and extra is not None:
                continue
            problems = check(item, scope)
            if problems is not None:
                found = joined(found, under(f"{name}[{index}]", problems))
        return found

    return with_nulls


def sibling(element: Element, key: str, check: Check) -> MemberCheck:
    """Return the check of a `_name` member: ids and extensions of a primitive."""
    name = element.name
    if element.is_array:
        return _beside_array(element, key, check)

    def run(value: Any, holder: dict[str, Any], scope: Scope) -> Findings:
        if key in holder and _is_only_id(value):
            return None
        found = check(value, scope)
        return None if found is None else under(name, found)

    return run


def _is_only_id(value: Any) -> bool:
    """Return whether an object has an id alone, which suffices beside a value."""
    return type(value) is dict and len(value) == 1 and type(value.get("id")) is str


def _beside_array(element: Element, key: str, check: Check) -> MemberCheck:
    name = element.name

    def at(item: Any, plain: Any, scope: Scope) -> Findings:
        if item is None and plain is None:
            return error(IssueType.STRUCTURE, "A null stands for nothing.")
        if item is None or (plain is not None and _is_only_id(item)):
            return None
        return check(item, scope)

    def run(value: Any, holder: dict[str, Any], scope: Scope) -> Findings:
        if type(value) is not list or not value:
            return error(IssueType.STRUCTURE, "A filled array is expected.", name)
        plain = holder.get(key)
        beside = plain if type(plain) is list else []
        found: Findings = None
        for index, item in enumerate(value):
            other = beside[index] if index < len(beside) else None
            problems = at(item, other, scope)
            if problems is not None:
                found = joined(found, under(f"{name}[{index}]", problems))
        return found

    return run


def exclusive(element: Element, type_: str, run: MemberCheck) -> MemberCheck:
    """Return a check that also refuses a second type of the same choice."""
    others = frozenset(
        name
        for key, other in element.keys.items()
        if other != type_
        for name in (key, f"_{key}")
    )
    name = element.name

    def check(value: Any, holder: dict[str, Any], scope: Scope) -> Findings:
        found = run(value, holder, scope)
        if others.isdisjoint(holder):
            return found
        text = f"Only one type of {name}[x] may be present."
        return joined(found, error(IssueType.STRUCTURE, text, name))

    return check


def unknown(name: str) -> MemberCheck:
    """Return the refusal of a member that R4 does not define."""
    path = name if _NAME.fullmatch(name) else ""
    return lambda _value, _holder, _scope: error(
        IssueType.STRUCTURE, "The element is not defined here.", path
    )


def unsupported(name: str) -> MemberCheck:
    """Return the refusal of a modifier that nobody here understands."""
    text = f"{name} changes the meaning in a way that this service does not know."
    return lambda _value, _holder, _scope: error(IssueType.NOT_SUPPORTED, text, name)
