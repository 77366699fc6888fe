"""Primitive types: the JSON type, the text's pattern, and whether a day exists.

The patterns are FHIR's own, except where FHIR's admits what JSON and XML could not
both carry, or takes exponential time on hostile text; those are written anew here
and accept no more than FHIR's do.

https://hl7.org/fhir/R4/datatypes.html#primitive
"""

import re
from calendar import monthrange
from collections.abc import Callable
from decimal import Decimal
from functools import cache
from typing import Any

from conformance import definitions
from conformance.issues import IssueType
from conformance.narrative import narrative_problem
from conformance.validation_findings import Findings, error

ValueCheck = Callable[[Any], Findings]

MAX_STRING = 1024 * 1024
"""Characters of a string (§2.24.0.1)."""

_CHARACTER = r"\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff"
"""What XML can carry; FHIR's resources exist in both formats."""

_VISIBLE = r"[\x21-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]"

_OWN_PATTERNS = {
    "string": rf"(?=[ \t\n\r]*[^ \t\n\r])[{_CHARACTER}]{{1,{MAX_STRING}}}",
    "code": rf"{_VISIBLE}+(?:[ \t\n\r]{_VISIBLE}+)*",
    "uri": f"{_VISIBLE}+",
}

_AS_ITS_BASE = {"markdown": "string", "url": "uri", "canonical": "uri"}
"""Types that R4 gives no pattern that a text of their base would not have."""

_BOUNDS = {
    "integer": (-(2**31), 2**31 - 1),
    "unsignedInt": (0, 2**31 - 1),
    "positiveInt": (1, 2**31 - 1),
}

_WANTED = {
    "boolean": "true or false",
    "integer": "a JSON number without fraction or exponent",
    "decimal": "a JSON number",
}


def _wrong_json(name: str, value: Any) -> Findings:
    """Return what to say of a value whose JSON type is not the primitive's."""
    if value is None:
        return error(IssueType.STRUCTURE, "An element is left out rather than null.")
    if isinstance(value, list):
        return error(IssueType.STRUCTURE, "One value is expected, not an array.")
    if isinstance(value, dict):
        return error(IssueType.STRUCTURE, f"A {name} is expected, not an object.")
    wanted = _WANTED.get(definitions_system(name), "a JSON string")
    return error(IssueType.VALUE, f"A {name} is {wanted}.")


def definitions_system(name: str) -> str:
    """Return the FHIRPath type behind a primitive."""
    found = definitions.primitive(name)
    return "string" if found is None else found.system


def _boolean(value: Any) -> Findings:
    if value is True or value is False:
        return None
    return _wrong_json("boolean", value)


def _decimal(value: Any) -> Findings:
    if type(value) is int or (isinstance(value, Decimal) and value.is_finite()):
        return None
    return _wrong_json("decimal", value)


def _integer(name: str) -> ValueCheck:
    least, greatest = _BOUNDS[name]

    def check(value: Any) -> Findings:
        if type(value) is not int:
            return _wrong_json(name, value)
        if least <= value <= greatest:
            return None
        return error(
            IssueType.VALUE, f"A {name} is from {least} to {greatest}, both included."
        )

    return check


def _text(name: str, pattern: str) -> ValueCheck:
    fits = re.compile(pattern, re.ASCII).fullmatch

    def check(value: Any) -> Findings:
        if type(value) is str:
            if fits(value):
                return None
            return _misfit(name, value)
        return _wrong_json(name, value)

    return check


def _misfit(name: str, value: str) -> Findings:
    if not value:
        return error(IssueType.VALUE, "An element is left out rather than empty.")
    if len(value) > MAX_STRING:
        return error(IssueType.TOO_LONG, "A string has at most 1,048,576 characters.")
    return error(IssueType.VALUE, f"The text does not have the form of a {name}.")


_LAST_SAFE_DAY = "28"
"""Every month has it."""


def _dated(name: str, pattern: str) -> ValueCheck:
    check_text = _text(name, pattern)

    def check(value: Any) -> Findings:
        found = check_text(value)
        if found is not None or value[8:10] <= _LAST_SAFE_DAY:
            return found
        year, month, day = int(value[:4]), int(value[5:7]), int(value[8:10])
        if day <= monthrange(year, month)[1]:
            return None
        return error(IssueType.VALUE, "The month does not have that day.")

    return check


_BASE64 = re.compile(r"[0-9A-Za-z+/=\s]+", re.ASCII)
_BLANK = re.compile(r"\s+", re.ASCII)
_GROUPS = re.compile(r"(?:[0-9A-Za-z+/]{4})*(?:[0-9A-Za-z+/]{2}(?:==|[0-9A-Za-z+/]=))?")


def _base64(value: Any) -> Findings:
    if type(value) is not str:
        return _wrong_json("base64Binary", value)
    text = _BLANK.sub("", value)
    if text and _GROUPS.fullmatch(text):
        return None
    return error(IssueType.VALUE, "The text is not base64.")


def _xhtml(value: Any) -> Findings:
    if type(value) is not str:
        return _wrong_json("xhtml", value)
    problem = narrative_problem(value)
    return None if problem is None else error(IssueType.INVARIANT, problem)


_CHECKS: dict[str, ValueCheck] = {
    "boolean": _boolean,
    "decimal": _decimal,
    "base64Binary": _base64,
    "xhtml": _xhtml,
}

_DATED = frozenset({"date", "dateTime", "instant"})


def _pattern(name: str) -> str:
    found = definitions.primitive(name)
    assert found is not None  # noqa: S101 - asked of primitives only
    if name in _OWN_PATTERNS:
        return _OWN_PATTERNS[name]
    if found.base in {"string", "uri"} and found.name in {
        "markdown",
        "url",
        "canonical",
    }:
        return _OWN_PATTERNS[found.base]
    assert found.regex is not None  # noqa: S101 - every other primitive has one
    return found.regex


_NOT_A_LATE_DAY = r"(?!.{8}(?:29|3))"
"""In front of a date: no day that a month may lack."""


@cache
def quick_test(name: str) -> Callable[[str], object] | None:
    """Return a test of a text that tells at once that it is right.

    It is there for speed: who fails it is looked at by `value_check`. None where
    the type's JSON is no string, or takes more than a pattern.
    """
    if name in _CHECKS or name in _BOUNDS:
        return None
    late = _NOT_A_LATE_DAY if name in _DATED else ""
    return re.compile(f"{late}(?:{_pattern(name)})", re.ASCII).fullmatch


@cache
def value_check(name: str) -> ValueCheck:
    """Return the check of a primitive type's JSON value."""
    if name in _CHECKS:
        return _CHECKS[name]
    if name in _BOUNDS:
        return _integer(name)
    if name in _DATED:
        return _dated(name, _pattern(name))
    return _text(name, _pattern(name))
