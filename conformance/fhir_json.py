"""JSON in and out: every decimal's digits kept, every bomb refused.

A FHIR decimal's precision is part of its meaning, so `72.50` must leave as
`72.50` and `1.0E2` as `1.0E2`: a number with a fraction or an exponent is read as
`Number`, a `Decimal` that remembers its text. Integers are Python integers.

https://hl7.org/fhir/R4/json.html
"""

import json
import re
from collections.abc import Iterable
from decimal import Decimal
from typing import Any

from conformance.issues import FHIRError, IssueType

MAX_DEPTH = 64
"""Levels of nesting; the deepest R4 example has fewer than 20."""

MAX_NUMBER_LENGTH = 64
"""Characters of one number; more is a bomb, not a measurement."""

_LONG_NUMBER = re.compile(rb"[0-9]{%d}" % MAX_NUMBER_LENGTH)


class Number(Decimal):
    """A decimal that leaves with the characters it came with."""

    __slots__ = ("text",)

    text: str

    def __new__(cls, text: str) -> "Number":
        number = super().__new__(cls, text)
        number.text = text
        return number

    def __str__(self) -> str:
        return self.text


def _refuse_constant(name: str) -> Any:
    raise FHIRError(IssueType.STRUCTURE, f"{name} is not a JSON number.")


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        seen: set[str] = set()
        for key, _ in pairs:
            if key in seen:
                raise FHIRError(
                    IssueType.STRUCTURE, f"The member {key[:64]!r} appears twice."
                )
            seen.add(key)
    return members


_decoder = json.JSONDecoder(
    parse_float=Number, parse_constant=_refuse_constant, object_pairs_hook=_unique
)


def _depth(text: str) -> int:
    """Return the deepest nesting outside strings, without recursion."""
    depth = deepest = 0
    in_string = escaped = False
    for character in text:
        if in_string:
            if escaped:
                escaped = False
            elif character == "\\":
                escaped = True
            elif character == '"':
                in_string = False
        elif character == '"':
            in_string = True
        elif character in "{[":
            depth += 1
            deepest = max(deepest, depth)
        elif character in "}]":
            depth -= 1
    return deepest


def loads(data: bytes, *, max_depth: int = MAX_DEPTH) -> Any:
    """Return the value that `data` holds.

    Raises:
        FHIRError: `structure` for what is not one UTF-8 JSON text, for a member that
            appears twice, for NaN and Infinity; `too-long` for excessive nesting
            or numbers.

    """
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise FHIRError(
            IssueType.STRUCTURE, f"The body is not UTF-8 at byte {error.start}."
        ) from None
    if data.count(b"{") + data.count(b"[") > max_depth and _depth(text) > max_depth:
        raise FHIRError(
            IssueType.TOO_LONG, f"The JSON nests deeper than {max_depth} levels."
        )
    if _LONG_NUMBER.search(data) and _has_long_number(text):
        raise FHIRError(IssueType.TOO_LONG, "A number has too many digits.")
    try:
        return _decoder.decode(text)
    except json.JSONDecodeError as error:
        raise FHIRError(
            IssueType.STRUCTURE,
            f"Malformed JSON at line {error.lineno}, column {error.colno}: "
            f"{error.msg}.",
        ) from None
    except (RecursionError, ValueError) as error:
        raise FHIRError(IssueType.STRUCTURE, "The JSON cannot be read.") from error


def _has_long_number(text: str) -> bool:
    outside_strings = re.sub(r'"(?:[^"\\]|\\.)*"', "", text)
    return re.search(rf"[0-9]{{{MAX_NUMBER_LENGTH}}}", outside_strings) is not None


_encode_string = json.encoder.encode_basestring


def _write(value: Any, write: Any) -> None:  # noqa: C901, PLR0912 - one branch a JSON type, in order of frequency
    if isinstance(value, str):
        write(_encode_string(value))
    elif isinstance(value, dict):
        separator = "{"
        for key, member in value.items():
            write(f"{separator}{_encode_string(key)}:")
            _write(member, write)
            separator = ","
        write("}" if value else "{}")
    elif isinstance(value, list | tuple):
        separator = "["
        for item in value:
            write(separator)
            _write(item, write)
            separator = ","
        write("]" if value else "[]")
    elif value is True:
        write("true")
    elif value is False:
        write("false")
    elif value is None:
        write("null")
    elif isinstance(value, int):
        write(int.__repr__(value))
    elif isinstance(value, Decimal):
        write(_decimal_text(value))
    else:
        raise TypeError(f"{type(value).__name__} is not a FHIR JSON value")


def _decimal_text(value: Decimal) -> str:
    if isinstance(value, Number):
        return value.text
    if not value.is_finite():
        raise ValueError("a FHIR decimal is finite")
    return format(value, "f")


def dumps(value: Any) -> bytes:
    """Return `value` as compact UTF-8 JSON, members in their order.

    Raises:
        TypeError: for a value JSON has no form for, `float` among them.

    """
    parts: list[str] = []
    _write(value, parts.append)
    return "".join(parts).encode("utf-8")


def pretty(value: Any) -> bytes:
    """Return `value` as indented JSON for people."""
    return "\n".join(_lines(value, "")).encode("utf-8")


def _lines(value: Any, indent: str) -> Iterable[str]:
    if isinstance(value, dict) and value:
        yield from _block(
            [(f"{_encode_string(key)}: ", item) for key, item in value.items()],
            "{}",
            indent,
        )
    elif isinstance(value, list) and value:
        yield from _block([("", item) for item in value], "[]", indent)
    else:
        yield dumps(value).decode("utf-8")


def _block(
    members: list[tuple[str, Any]], brackets: str, indent: str
) -> Iterable[str]:
    inner = indent + "  "
    yield brackets[0]
    last = len(members) - 1
    for index, (label, item) in enumerate(members):
        lines = list(_lines(item, inner))
        lines[-1] += "," if index < last else ""
        yield f"{inner}{label}{lines[0]}"
        yield from lines[1:]
    yield f"{indent}{brackets[1]}"
