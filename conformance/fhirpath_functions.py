"""FHIRPath's functions on whole collections: items in, items out.

https://hl7.org/fhirpath/N1/#functions
https://hl7.org/fhir/R4/fhirpath.html#functions
"""

import re
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any, NamedTuple

from conformance.fhirpath_nodes import Items, children, descendants, has_value
from conformance.fhirpath_values import (
    distinct,
    integer_of,
    key_of,
    text_of,
    value_of,
)
from conformance.narrative import narrative_problem


def _string(items: Items) -> str | None:
    value = value_of(items[0]) if len(items) == 1 else None
    return value if isinstance(value, str) else None


def _integer(items: Items) -> int | None:
    value = value_of(items[0]) if len(items) == 1 else None
    return value if isinstance(value, int) else None


def _optional(value: Any) -> Items:
    return [] if value is None else [value]


def _on_strings(operation: Callable[..., Any]) -> Callable[[Items, list[Items]], Items]:
    """Return a function that is empty where one of its strings is not there."""

    def run(items: Items, arguments: list[Items]) -> Items:
        texts = [_string(items), *(_string(argument) for argument in arguments)]
        if any(text is None for text in texts):
            return []
        return _optional(operation(*texts))

    return run


@cache
def _pattern(regex: str) -> re.Pattern[str]:
    return re.compile(regex, re.ASCII | re.DOTALL)


def _matches(text: str, regex: str) -> bool:
    return _pattern(regex).fullmatch(text) is not None


def _replace_matches(text: str, regex: str, substitution: str) -> str:
    return _pattern(regex).sub(substitution.replace("$", "\\"), text)


def _substring(items: Items, arguments: list[Items]) -> Items:
    text, start = _string(items), _integer(arguments[0])
    if text is None or start is None or not 0 <= start < len(text):
        return []
    length = _integer(arguments[1]) if len(arguments) > 1 else None
    return [text[start:] if length is None else text[start : start + max(length, 0)]]


def _skip(items: Items, arguments: list[Items]) -> Items:
    return items[max(_integer(arguments[0]) or 0, 0) :]


def _take(items: Items, arguments: list[Items]) -> Items:
    return items[: max(_integer(arguments[0]) or 0, 0)]


def _intersect(items: Items, arguments: list[Items]) -> Items:
    others = {key_of(item) for item in arguments[0]}
    return [item for item in distinct(items) if key_of(item) in others]


def _exclude(items: Items, arguments: list[Items]) -> Items:
    others = {key_of(item) for item in arguments[0]}
    return [item for item in items if key_of(item) not in others]


def _subset_of(items: Items, arguments: list[Items]) -> Items:
    others = {key_of(item) for item in arguments[0]}
    return [all(key_of(item) in others for item in items)]


def _to_string(items: Items) -> Items:
    return _optional(text_of(value_of(items[0]))) if len(items) == 1 else []


def _to_integer(items: Items) -> Items:
    return _optional(integer_of(value_of(items[0]))) if len(items) == 1 else []


def _html_checks(items: Items) -> Items:
    text = _string(items)
    return [] if text is None else [narrative_problem(text) is None]


class Function(NamedTuple):
    """A function that needs its collections only.

    Attributes:
        run: The items and the arguments' items → items.
        arguments: Least and greatest number of arguments.
        result: Type of the result; `""` that of the items, None unknown.

    """

    run: Callable[[Items, list[Items]], Items]
    arguments: tuple[int, int]
    result: str | None


FUNCTIONS: Mapping[str, Function] = {
    "count": Function(lambda items, _: [len(items)], (0, 0), "integer"),
    "hasValue": Function(lambda items, _: [has_value(items)], (0, 0), "boolean"),
    "isDistinct": Function(
        lambda items, _: [len(distinct(items)) == len(items)], (0, 0), "boolean"
    ),
    "allTrue": Function(
        lambda items, _: [all(value_of(item) is True for item in items)],
        (0, 0),
        "boolean",
    ),
    "htmlChecks": Function(lambda items, _: _html_checks(items), (0, 0), "boolean"),
    "distinct": Function(lambda items, _: distinct(items), (0, 0), ""),
    "first": Function(lambda items, _: items[:1], (0, 0), ""),
    "last": Function(lambda items, _: items[-1:], (0, 0), ""),
    "tail": Function(lambda items, _: items[1:], (0, 0), ""),
    "skip": Function(_skip, (1, 1), ""),
    "take": Function(_take, (1, 1), ""),
    "intersect": Function(_intersect, (1, 1), ""),
    "exclude": Function(_exclude, (1, 1), ""),
    "subsetOf": Function(_subset_of, (1, 1), "boolean"),
    "children": Function(
        lambda items, _: [below for item in items for below in children(item)],
        (0, 0),
        None,
    ),
    "descendants": Function(
        lambda items, _: [below for item in items for below in descendants(item)],
        (0, 0),
        None,
    ),
    "toString": Function(lambda items, _: _to_string(items), (0, 0), "string"),
    "toInteger": Function(lambda items, _: _to_integer(items), (0, 0), "integer"),
    "length": Function(_on_strings(len), (0, 0), "integer"),
    "startsWith": Function(_on_strings(str.startswith), (1, 1), "boolean"),
    "endsWith": Function(_on_strings(str.endswith), (1, 1), "boolean"),
    "contains": Function(_on_strings(str.__contains__), (1, 1), "boolean"),
    "indexOf": Function(_on_strings(str.find), (1, 1), "integer"),
    "lower": Function(_on_strings(str.lower), (0, 0), "string"),
    "upper": Function(_on_strings(str.upper), (0, 0), "string"),
    "matches": Function(_on_strings(_matches), (1, 1), "boolean"),
    "replace": Function(_on_strings(str.replace), (2, 2), "string"),
    "replaceMatches": Function(_on_strings(_replace_matches), (2, 2), "string"),
    "substring": Function(_substring, (1, 2), "string"),
}
"""Functions without a criterion; those with one are the compiler's."""
