"""What makes a JSON text unacceptable, and where in it.

The limits are tested on bytes, in steps whose cost does not depend on what an
attacker writes; the place of a fault is only sought once there is one.

https://hl7.org/fhir/R4/json.html
"""

import json
import re
from collections.abc import Iterator
from decimal import Decimal, InvalidOperation
from itertools import accumulate
from typing import Any, Final

from conformance.issues import FHIRError, IssueType

MAX_DEPTH: Final = 64
"""Levels of nesting; the deepest R4 example has fewer than 20."""

MAX_ITEMS: Final = 100_000
"""Items of one array; an array must have fewer."""

MAX_NUMBER_LENGTH: Final = 64
"""Characters of one number; more is a bomb, not a measurement."""

MAX_EXPONENT: Final = 308
"""Power of ten at which a number becomes infinite, or zero, for most readers."""

RESERVED: Final = frozenset({"__proto__", "constructor", "prototype"})
"""Members that no format has, and that poison objects in JavaScript."""

_RESERVED_PARTS: Final = (b"proto", b"constructor")
"""Bytes without which no member can have a reserved name, escapes aside."""

_MINUS_ZERO: Final = re.compile(rb"-0[\s,}\]]")

_ZEROS: Final = bytes(48 if 48 <= byte < 58 else byte for byte in range(256))  # noqa: PLR2004 - ASCII digits
_LONG_ZEROS: Final = b"0" * (MAX_NUMBER_LENGTH + 1)
_LEVELS: Final = bytes.maketrans(b"[{]}", b"\x01\x01\xff\xff")
_NOT_BRACKETS: Final = bytes(set(range(256)) - set(b"[]{}"))
_NOT_STRUCTURE: Final = bytes(set(range(256)) - set(b"[]{},"))
_CHUNK: Final = 65_536

_ESCAPE: Final = re.compile(rb"\\.", re.DOTALL)

_FINE: Final = re.compile(
    rb"(?:[^\\]++"
    rb'|\\["\\/nrt]'
    rb"|\\u000[9aAdD]"
    rb"|\\u(?!00[01]|[dD][89a-fA-F])[0-9A-Fa-f]{4}"
    rb"|\\u[dD][89abAB][0-9A-Fa-f]{2}\\u[dD][c-fC-F][0-9A-Fa-f]{2})*+"
)
"""Everything up to an escape that is malformed, a lone surrogate or a control."""

_BAD_ESCAPES: Final = {
    re.compile(rb"\\u[dD][89a-fA-F]"): "A surrogate without its pair",
    re.compile(rb"\\u00[01]|\\[bf]"): "A control character",
}

_INNERMOST: Final = re.compile(rb"\[,*+\]|\{,*+\}")
_TOKEN: Final = re.compile(
    rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"?|-?Infinity|NaN|-?[0-9][0-9.eE+-]*+|[\[\]{},]',
    re.DOTALL,
)


def _at(data: bytes, offset: int) -> str:
    before = data[:offset]
    line = before.count(b"\n") + 1
    column = len(before[before.rfind(b"\n") + 1 :].decode("utf-8", "replace")) + 1
    return f"at line {line}, column {column}"


def text_of(data: bytes) -> str:
    """Return the characters of `data`.

    Raises:
        FHIRError: `structure` for an empty body, for another encoding than UTF-8,
            for a byte order mark (RFC 8259, §8.1).

    """
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        raise _encoding_fault(data, error.start) from None
    if text[:1] in ("\ufeff", "\0") or text[1:2] == "\0":
        raise _encoding_fault(data, 0)
    if not text or text.isspace():
        raise FHIRError(IssueType.STRUCTURE, "The body is empty.")
    return text


def _encoding_fault(data: bytes, offset: int) -> FHIRError:
    if data.startswith(b"\xef\xbb\xbf"):
        return FHIRError(
            IssueType.STRUCTURE, "The body starts with a byte order mark, at byte 0."
        )
    if data.startswith((b"\xff\xfe", b"\xfe\xff")) or b"\0" in data[:4]:
        return FHIRError(
            IssueType.STRUCTURE, "The body is UTF-16 or UTF-32, from byte 0, not UTF-8."
        )
    return FHIRError(IssueType.STRUCTURE, f"The body is not UTF-8 at byte {offset}.")


def refuse_bombs(data: bytes, max_depth: int) -> None:
    """Refuse what would take too long or too much memory to read.

    Raises:
        FHIRError: `too-long` for nesting deeper than `max_depth`, for an array of
            `MAX_ITEMS`, for a number of more than `MAX_NUMBER_LENGTH` digits.

    """
    deep = data.count(b"{") + data.count(b"[") > max_depth
    long = len(data) > MAX_ITEMS and data.count(b",") >= MAX_ITEMS - 1
    if deep or long:
        outside = _outside_strings(data)
        if deep and _is_deeper(outside, max_depth):
            raise FHIRError(
                IssueType.TOO_LONG,
                f"The JSON nests deeper than {max_depth} levels, "
                f"{_at(data, _deep_offset(data, max_depth))}.",
            )
        if long and _has_long_array(outside):
            raise FHIRError(
                IssueType.TOO_LONG,
                f"An array has {MAX_ITEMS} items or more, "
                f"{_at(data, _long_offset(data))}.",
            )
    if _LONG_ZEROS in data.translate(_ZEROS) and (fault := number_fault(data)):
        raise fault


def _outside_strings(data: bytes) -> bytes:
    """Return `data` without its strings."""
    plain = _ESCAPE.sub(b"", data) if b"\\" in data else data
    return b"".join(plain.split(b'"')[::2])


def _is_deeper(outside: bytes, max_depth: int) -> bool:
    steps = memoryview(outside.translate(_LEVELS, _NOT_BRACKETS)).cast("b")
    depth = 0
    for start in range(0, len(steps), _CHUNK):
        depths = list(accumulate(steps[start : start + _CHUNK], initial=depth))
        if max(depths) > max_depth:
            return True
        depth = depths[-1]
    return False


def _has_long_array(outside: bytes) -> bool:
    """Tell whether an array is too long, by folding containers from the inside."""
    long = b"," * (MAX_ITEMS - 1)
    structure, before = outside.translate(None, _NOT_STRUCTURE), b""
    structure = structure.replace(b"[]", b"").replace(b"{}", b"")
    while long not in structure and structure != before:
        before, structure = structure, _INNERMOST.sub(b"", structure)
    return long in structure


def _tokens(data: bytes) -> Iterator[tuple[int, bytes]]:
    for match in _TOKEN.finditer(data):
        yield match.start(), match.group()


def _deep_offset(data: bytes, max_depth: int) -> int:
    depth = 0
    for offset, token in _tokens(data):
        depth += (token in b"[{") - (token in b"]}")
        if depth > max_depth:
            return offset
    raise AssertionError("no bracket is that deep")


def _long_offset(data: bytes) -> int:
    commas = [0]
    for offset, token in _tokens(data):
        if token in b"[{":
            commas.append(0)
        elif token in b"]}":
            commas.pop()
        elif token == b",":
            commas[-1] += 1
            if commas[-1] == MAX_ITEMS - 1:
                return offset
    raise AssertionError("no array is that long")


def refuse_escapes(data: bytes) -> None:
    """Refuse escaped characters that a FHIR string cannot hold.

    Control characters other than tab, line feed and carriage return
    (datatypes.html#string), and surrogates that are not a pair.

    Raises:
        FHIRError: `structure`, with line and column.

    """
    fine = _FINE.match(data)
    offset = fine.end() if fine else 0
    for escape, what in _BAD_ESCAPES.items():
        if escape.match(data, offset):
            raise FHIRError(
                IssueType.STRUCTURE, f"{what} is escaped {_at(data, offset)}."
            )


_ANY_ESCAPE: Final = re.compile(rb"\\(?:u[0-9a-fA-F]{4}|.)", re.DOTALL)
_CONTROL: Final = re.compile(rb"\\(?:u00(?:0[0-8bceBCE]|0[fF]|1[0-9a-fA-F])|[bf])")


def without_controls(data: bytes) -> bytes:
    """Return JSON in which escaped control characters have become U+FFFD."""
    if b"\\" not in data:
        return data
    return _ANY_ESCAPE.sub(
        lambda escape: b"\\ufffd" if _CONTROL.fullmatch(escape[0]) else escape[0],
        data,
    )


def needs_care(data: bytes) -> bool:
    """Tell whether names and integers need a second look."""
    return (
        b"\\" in data
        or any(part in data for part in _RESERVED_PARTS)
        or _MINUS_ZERO.search(data) is not None
        or data == b"-0"
    )


def malformed(error: json.JSONDecodeError) -> FHIRError:
    """Say where the grammar of JSON is broken."""
    return FHIRError(
        IssueType.STRUCTURE,
        f"Malformed JSON at line {error.lineno}, column {error.colno}: {error.msg}.",
    )


def is_too_long(number: str) -> bool:
    """Tell whether a number has more characters than a measurement needs."""
    return len(number.removeprefix("-")) > MAX_NUMBER_LENGTH


def is_out_of_range(number: str) -> bool:
    """Tell whether most readers would see infinity, or zero for a small number."""
    try:
        return not -MAX_EXPONENT < Decimal(number).adjusted() <= MAX_EXPONENT
    except InvalidOperation:
        return True


def _number_faults(data: bytes) -> Iterator[FHIRError]:
    for offset, token in _tokens(data):
        if token[0] in b"NI" or token[:2] == b"-I":
            message = f"{token.decode()} is not a JSON number"
            yield FHIRError(IssueType.STRUCTURE, f"{message}, {_at(data, offset)}.")
        elif token[0] in b"-0123456789":
            yield from _digit_faults(data, offset, token.decode())


def _digit_faults(data: bytes, offset: int, number: str) -> Iterator[FHIRError]:
    if is_too_long(number):
        message = f"A number has more than {MAX_NUMBER_LENGTH} characters"
        yield FHIRError(IssueType.TOO_LONG, f"{message}, {_at(data, offset)}.")
    elif is_out_of_range(number):
        message = "A number is too large or too small for most readers"
        yield FHIRError(IssueType.STRUCTURE, f"{message}, {_at(data, offset)}.")


def number_fault(data: bytes) -> FHIRError | None:
    """Return the first number that is none, is too long or out of range."""
    return next(_number_faults(data), None)


class _Pairs(list[tuple[str, Any]]):
    """The members of an object, repeated ones among them."""


_pairs_of = json.JSONDecoder(object_pairs_hook=_Pairs).decode


def _objects(value: Any, path: str) -> Iterator[tuple[str, _Pairs]]:
    if isinstance(value, _Pairs):
        yield path, value
        for key, item in value:
            yield from _objects(item, f"{path}.{key[:64]}")
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _objects(item, f"{path}[{index}]")


def _root(value: Any) -> str:
    types = [item for key, item in value if key == "resourceType"] if value else []
    return types[0][:64] if types and isinstance(types[0], str) else "$"


def member_fault(text: str) -> FHIRError:
    """Return the first member that is there twice, or whose name is reserved."""
    value = _pairs_of(text)
    root = _root(value) if isinstance(value, _Pairs) else "$"
    for path, members in _objects(value, root):
        seen: set[str] = set()
        for key, _ in members:
            if key in seen or key in RESERVED:
                what = "appears twice" if key in seen else "is refused"
                return FHIRError(
                    IssueType.STRUCTURE,
                    f"The member {key[:64]!r} {what}, in {path}.",
                    None if root == "$" else path,
                )
            seen.add(key)
    raise AssertionError("no member is at fault")
