"""JSON in and out: every decimal's digits kept, every bomb refused.

A FHIR decimal's precision is part of its meaning, so `72.50` must leave as
`72.50` and `1.0E2` as `1.0E2`: a number with a fraction or an exponent is read as
`Number`, a `Decimal` that remembers its text. Integers are Python integers, but
for `-0`, which is a `Number` too.

What is refused, and how the place of a fault is found, is in `fhir_json_faults`.

https://hl7.org/fhir/R4/json.html
"""

import json
from collections.abc import Callable, Mapping
from decimal import Decimal
from functools import lru_cache
from typing import Any, Self

from conformance import fhir_json_faults as faults
from conformance.fhir_json_faults import (
    MAX_DEPTH,
    MAX_EXPONENT,
    MAX_ITEMS,
    MAX_NUMBER_LENGTH,
)
from conformance.issues import FHIRError, IssueType

__all__ = [
    "MAX_DEPTH",
    "MAX_EXPONENT",
    "MAX_ITEMS",
    "MAX_NUMBER_LENGTH",
    "Number",
    "dumps",
    "loads",
    "loads_object",
    "pretty",
]


class Number(Decimal):
    """A decimal that leaves with the characters it came with."""

    __slots__ = ("text",)

    text: str

    def __new__(cls, text: str) -> Self:
        """Return the decimal that `text`, a JSON number, writes."""
        number = super().__new__(cls, text)
        number.text = text
        return number

    def __str__(self) -> str:
        return self.text


class _NumberError(ValueError):
    """A number that is none, is too long, or is beyond what others can hold."""


class _MemberError(ValueError):
    """An object has two members of one name, or one of a reserved name."""


@lru_cache(maxsize=4096)
def _number(text: str) -> Number:
    if faults.is_too_long(text) or faults.is_out_of_range(text):
        raise _NumberError
    return Number(text)


def _integer(text: str) -> int | Number:
    return Number(text) if text == "-0" else int(text)


def _constant(_: str) -> Any:
    raise _NumberError


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise _MemberError
    return members


def _unique_and_plain(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = _unique(pairs)
    if not faults.RESERVED.isdisjoint(members):
        raise _MemberError
    return members


_decode = json.JSONDecoder(
    parse_float=_number, parse_constant=_constant, object_pairs_hook=_unique
).decode

_decode_carefully = json.JSONDecoder(
    parse_float=_number,
    parse_int=_integer,
    parse_constant=_constant,
    object_pairs_hook=_unique_and_plain,
).decode


def _unreadable() -> FHIRError:
    return FHIRError(IssueType.TOO_LONG, "The JSON is too deep or long to be read.")


def loads(data: bytes, *, max_depth: int = MAX_DEPTH) -> Any:
    """Return the value that `data` holds.

    Raises:
        FHIRError: `structure` for what is not one UTF-8 JSON text, for a member that
            appears twice or is named `__proto__`, for NaN, Infinity and numbers that
            overflow, for control characters and lone surrogates; `too-long` for
            excessive nesting, arrays or numbers. The message gives the place.

    """
    text = faults.text_of(data)
    faults.refuse_bombs(data, max_depth)
    if b"\\" in data:
        faults.refuse_escapes(data)
    decode = _decode_carefully if faults.needs_care(data) else _decode
    try:
        return decode(text)
    except json.JSONDecodeError as error:
        raise faults.malformed(error) from None
    except _NumberError:
        raise faults.number_fault(data) or _unreadable() from None
    except _MemberError:
        raise faults.member_fault(text) from None
    except RecursionError:
        raise _unreadable() from None


def loads_foreign(data: bytes, *, max_depth: int = MAX_DEPTH) -> Any:
    r"""Return the value of JSON that is not FHIR, such as a device's payload.

    An escaped control character, such as the `\u0000` at the end of a firmware's
    name, becomes U+FFFD: no FHIR string could hold it.

    Raises:
        FHIRError: as `loads`, control characters apart.

    """
    return loads(faults.without_controls(data), max_depth=max_depth)


def loads_object(data: bytes, *, max_depth: int = MAX_DEPTH) -> dict[str, Any]:
    """Return the JSON object that `data` holds.

    Raises:
        FHIRError: as `loads`; `structure` for an array, a string, a number, null.

    """
    value = loads(data, max_depth=max_depth)
    if not isinstance(value, dict):
        raise FHIRError(IssueType.STRUCTURE, "The body is not a JSON object.")
    return value


_quoted = json.encoder.encode_basestring


def _object_text(value: Mapping[str, Any]) -> str:
    members = [
        f"{_quoted(key)}:{_WRITERS.get(type(item), _text_of_subtype)(item)}"
        for key, item in value.items()
    ]
    return f"{{{','.join(members)}}}"


def _array_text(value: list[Any] | tuple[Any, ...]) -> str:
    items = [_WRITERS.get(type(item), _text_of_subtype)(item) for item in value]
    return f"[{','.join(items)}]"


def _decimal_text(value: Decimal) -> str:
    if not value.is_finite():
        raise ValueError("a FHIR decimal is finite")
    return format(value, "f")


_WRITERS: dict[type, Callable[[Any], str]] = {
    str: _quoted,
    dict: _object_text,
    list: _array_text,
    Number: lambda value: value.text,
    int: int.__repr__,
    bool: lambda value: "true" if value else "false",
    type(None): lambda _: "null",
    Decimal: _decimal_text,
    tuple: _array_text,
}

_SUPERTYPES: tuple[type, ...] = (str, Mapping, list, tuple, int, Decimal)
"""What the values of other types are written as: an enum's member as its string."""


def _text_of_subtype(value: Any) -> str:
    for supertype in _SUPERTYPES:
        if isinstance(value, supertype):
            plain = dict if supertype is Mapping else supertype
            return _WRITERS[plain](value)
    raise TypeError(f"{type(value).__name__} is not a FHIR JSON value")


def dumps(value: Any) -> bytes:
    """Return `value` as compact UTF-8 JSON, members in their order.

    Raises:
        TypeError: for a value JSON has no form for, `float` among them.

    """
    return _WRITERS.get(type(value), _text_of_subtype)(value).encode()


def pretty(value: Any) -> bytes:
    """Return `value` as indented JSON for people."""
    return _pretty(value, "\n").encode()


def _pretty(value: Any, newline: str) -> str:
    inner = newline + "  "
    if isinstance(value, Mapping) and value:
        items = [
            f"{inner}{_quoted(key)}: {_pretty(item, inner)}"
            for key, item in value.items()
        ]
        return f"{{{','.join(items)}{newline}}}"
    if isinstance(value, list | tuple) and value:
        items = [f"{inner}{_pretty(item, inner)}" for item in value]
        return f"[{','.join(items)}{newline}]"
    return _WRITERS.get(type(value), _text_of_subtype)(value)
