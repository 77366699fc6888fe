"""What FHIRPath's operators do with FHIR's values.

None is FHIRPath's empty collection: the answer is not known.

https://hl7.org/fhirpath/N1/#operations
"""

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, NamedTuple

Item = Any
"""A JSON value, or a `Node`."""


class Node:
    """A value that must remember its type, or a primitive with extensions.

    Attributes:
        value: The JSON value; None for a primitive that has only extensions.
        type: Type name, or None where it is not known.
        element: The `_name` sibling of a primitive, or None.

    """

    __slots__ = ("element", "type", "value")

    def __init__(
        self, value: Any, type_: str | None, element: Mapping[str, Any] | None = None
    ) -> None:
        self.value = value
        self.type = type_
        self.element = element


def value_of(item: Item) -> Any:
    """Return the JSON value of an item."""
    return item.value if type(item) is Node else item


class _Moment(NamedTuple):
    """A date or time as far as it is given.

    Attributes:
        parts: Year, month, day, hour, minute, second with fraction; in UTC where
            the text has an offset.
        has_offset: Whether the text has an offset.

    """

    parts: tuple[Any, ...]
    has_offset: bool


_DATE_TIME = re.compile(
    r"(\d{4})(?:-(\d\d)(?:-(\d\d)(?:T(\d\d):(\d\d):(\d\d(?:\.\d+)?)"
    r"(Z|[+-]\d\d:\d\d)?)?)?)?",
    re.ASCII,
)
_TIME = re.compile(r"(\d\d):(\d\d):(\d\d(?:\.\d+)?)", re.ASCII)

_FARTHEST_OFFSET = timedelta(hours=14)
"""No place on earth is farther from UTC."""


def _moment(text: str) -> _Moment | None:
    match = _DATE_TIME.fullmatch(text)
    if match is None:
        match = _TIME.fullmatch(text)
        if match is None:
            return None
        hour, minute, second = match.groups()
        return _Moment((int(hour), int(minute), Decimal(second)), has_offset=False)
    *numbers, second, offset = match.groups()
    parts: tuple[Any, ...] = tuple(int(part) for part in numbers if part is not None)
    if second is None:
        return _Moment(parts, has_offset=False)
    if offset is None:
        return _Moment((*parts, Decimal(second)), has_offset=False)
    minutes = 0 if offset == "Z" else int(offset[1:3]) * 60 + int(offset[4:6])
    return _shifted(
        (*parts, Decimal(second)),
        timedelta(minutes=minutes if offset[0] == "-" else -minutes),
    )


def _shifted(parts: tuple[Any, ...], by: timedelta) -> _Moment | None:
    year, month, date, hour, minute, second = parts
    try:
        moment = datetime(year, month, date, hour, minute, tzinfo=UTC) + by
    except (ValueError, OverflowError):
        return None
    day = (moment.year, moment.month, moment.day)
    return _Moment((*day, moment.hour, moment.minute, second), has_offset=True)


def _compare_parts(first: tuple[Any, ...], second: tuple[Any, ...]) -> int | None:
    for a, b in zip(first, second, strict=False):
        if a != b:
            return -1 if a < b else 1
    return 0 if len(first) == len(second) else None


def compare_moments(left: str, right: str) -> int | None:
    """Return the sign of `left - right`; None where precision does not tell.

    A date and a time with offset are told apart only where no offset that a place
    on earth has could turn the answer.
    """
    first, second = _moment(left), _moment(right)
    if first is None or second is None:
        return None
    if first.has_offset == second.has_offset:
        return _compare_parts(first.parts, second.parts)
    if second.has_offset:
        sign = compare_moments(right, left)
        return None if sign is None else -sign
    signs = set()
    for by in (_FARTHEST_OFFSET, -_FARTHEST_OFFSET):
        moved = _shifted(first.parts, by)
        signs.add(None if moved is None else _compare_parts(moved.parts, second.parts))
    return signs.pop() if len(signs) == 1 else None


def _compare_quantities(
    left: Mapping[str, Any], right: Mapping[str, Any]
) -> int | None:
    unit = ("system", "code") if "code" in left and "code" in right else ("unit",)
    if any(left.get(key) != right.get(key) for key in unit):
        return None
    if "value" not in left or "value" not in right:
        return None
    return _sign(left["value"], right["value"])


def _sign(left: Any, right: Any) -> int:
    return int(left > right) - int(left < right)


_MOMENT_TYPES = frozenset({"date", "dateTime", "instant", "time"})


def _is_number(value: Any) -> bool:
    return isinstance(value, int | Decimal) and not isinstance(value, bool)


def compare(
    left: Item, right: Item, left_type: str | None, right_type: str | None
) -> int | None:
    """Return the sign of `left - right`; None where they cannot be compared."""
    first, second = value_of(left), value_of(right)
    if type(first) is int and type(second) is int:
        return _sign(first, second)
    if _is_number(first) and _is_number(second):
        return _sign(first, second)
    if isinstance(first, str) and isinstance(second, str):
        if left_type in _MOMENT_TYPES or right_type in _MOMENT_TYPES:
            return compare_moments(first, second)
        return _sign(first, second)
    if isinstance(first, dict) and isinstance(second, dict):
        return _compare_quantities(first, second)
    return None


def equal(
    left: Item, right: Item, left_type: str | None, right_type: str | None
) -> bool | None:
    """Return whether two items are equal; None where precision does not tell."""
    first, second = value_of(left), value_of(right)
    if isinstance(first, bool) is not isinstance(second, bool):
        return False
    if (
        isinstance(first, str)
        and isinstance(second, str)
        and first != second
        and (left_type in _MOMENT_TYPES and right_type in _MOMENT_TYPES)
    ):
        sign = compare_moments(first, second)
        return None if sign is None else sign == 0
    return bool(first == second)


def key_of(item: Item) -> Any:
    """Return something hashable that is equal exactly where the values are."""
    return _frozen(value_of(item))


def _frozen(value: Any) -> Any:
    if isinstance(value, dict):
        return frozenset((key, _frozen(member)) for key, member in value.items())
    if isinstance(value, list):
        return tuple(_frozen(member) for member in value)
    return (type(value) is bool, value)


def distinct(items: list[Item]) -> list[Item]:
    """Return the items without repeats, in their order."""
    if len(items) <= 1:
        return items
    seen: dict[Any, Item] = {}
    for item in items:
        seen.setdefault(key_of(item), item)
    return list(seen.values())


def text_of(value: Any) -> str | None:
    """Return what `toString()` gives for a primitive; None for anything else."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str | int | Decimal):
        return str(value)
    return None


_SIGNED = re.compile(r"[+-]?[0-9]{1,18}", re.ASCII)


def integer_of(value: Any) -> int | None:
    """Return what `toInteger()` gives; None where the value is not one."""
    if isinstance(value, int):
        return int(value)
    if isinstance(value, str) and _SIGNED.fullmatch(value):
        return int(value)
    return None


def _decimal(value: int | Decimal) -> Decimal:
    return value if isinstance(value, Decimal) else Decimal(value)


def _add(left: Any, right: Any) -> Any:
    if isinstance(left, str) and isinstance(right, str):
        return left + right
    return left + right if _is_number(left) and _is_number(right) else None


def _numeric(operation: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    def run(left: Any, right: Any) -> Any:
        if not _is_number(left) or not _is_number(right):
            return None
        return operation(left, right)

    return run


def _by(operation: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    def run(left: Any, right: Any) -> Any:
        return None if right == 0 else operation(left, right)

    return _numeric(run)


def _modulo(left: Any, right: Any) -> Any:
    return left - right * int(_decimal(left) / _decimal(right))


ARITHMETIC: Mapping[str, Callable[[Any, Any], Any]] = {
    "+": _add,
    "-": _numeric(lambda left, right: left - right),
    "*": _numeric(lambda left, right: left * right),
    "/": _by(lambda left, right: _decimal(left) / _decimal(right)),
    "div": _by(lambda left, right: int(_decimal(left) / _decimal(right))),
    "mod": _by(
        lambda left, right: left - right * int(_decimal(left) / _decimal(right))
    ),
}
"""Operators on two numbers; None where they do not apply (§6.6)."""
