"""The values of an element, and what a profile's facts ask of one of them.

https://hl7.org/fhir/R4/elementdefinition.html
"""

from collections.abc import Callable, Sequence
from typing import Any

from conformance.definitions import Element
from conformance.issues import IssueType
from conformance.validation_findings import Check, Findings, error
from conformance.validation_slices import matches_pattern

Item = tuple[int | None, Any, str]
"""Index in an array, JSON value, type."""

Items = Callable[[dict[str, Any]], list[Item]]


def _single_item(name: str, type_: str) -> Items:
    def items(node: dict[str, Any]) -> list[Item]:
        value = node.get(name)
        if value is not None:
            return [(None, value, type_)]
        return [(None, None, type_)] if f"_{name}" in node else []

    return items


def _array_items(name: str, type_: str) -> Items:
    def items(node: dict[str, Any]) -> list[Item]:
        value = node.get(name)
        if type(value) is not list:
            return []
        return [(index, item, type_) for index, item in enumerate(value)]

    return items


def _choice_items(element: Element) -> Items:
    keys = [(key, f"_{key}", type_) for key, type_ in element.keys.items()]

    def items(node: dict[str, Any]) -> list[Item]:
        for key, beside, type_ in keys:
            if key in node or beside in node:
                return [(None, node.get(key), type_)]
        return []

    return items


def items_of_element(element: Element) -> Items:
    """Return a function from an object to the values of one of its elements."""
    if len(element.keys) > 1:
        return _choice_items(element)
    [(key, type_)] = element.keys.items()
    return (_array_items if element.is_array else _single_item)(key, type_)


def type_check(types: Sequence[str], name: str) -> Callable[[str], Findings]:
    """Return a check that a choice has one of some types."""
    allowed = frozenset(types)
    text = f"{name}[x] may only be {', '.join(sorted(allowed))} in this profile."

    def check(type_: str) -> Findings:
        return None if type_ in allowed else error(IssueType.STRUCTURE, text)

    return check


def fixed_check(fixed: Any) -> Check:
    """Return a check that a value is exactly what the profile fixes."""
    text = "The value is fixed by the profile, and is another."
    return lambda value, _scope: (
        None if value is None or value == fixed else error(IssueType.VALUE, text)
    )


def pattern_check(pattern: Any) -> Check:
    """Return a check that a value has all that a pattern has."""
    text = "The value does not have what the profile's pattern asks for."
    return lambda value, _scope: (
        None
        if value is None or matches_pattern(pattern, value)
        else error(IssueType.VALUE, text)
    )
