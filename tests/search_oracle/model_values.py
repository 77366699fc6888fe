"""Numbers, quantities and dates, and the prefixes that compare them.

https://hl7.org/fhir/R4/search.html#prefix
"""

import calendar
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any

from model_paths import split, unescaped

UCUM = "http://unitsofmeasure.org"
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
FOREVER = 10**30
"""Microseconds, further than any time."""

_PREFIXED = re.compile(r"(eq|ne|gt|lt|ge|le|sa|eb|ap)?(.*)", re.DOTALL)


def prefixed(value: str) -> tuple[str, str]:
    """Return the prefix, `eq` without one, and the rest."""
    prefix, rest = _PREFIXED.fullmatch(value).groups()
    return prefix or "eq", rest


# Numbers


@dataclass(frozen=True, kw_only=True)
class Number:
    """A number that is searched for: its value and half of its last digit."""

    value: Fraction
    half: Fraction

    def scaled(self, by: Callable[[Fraction], Fraction]) -> "Limits":
        margin = max(abs(self.value) / 10, self.half)
        return Limits(
            value=by(self.value),
            precise=(by(self.value - self.half), by(self.value + self.half)),
            near=(by(self.value - margin), by(self.value + margin)),
        )


@dataclass(frozen=True, kw_only=True)
class Limits:
    value: Fraction
    precise: tuple[Fraction, Fraction]
    near: tuple[Fraction, Fraction]


def number(text: str) -> Number:
    """Read a number with the precision in which it is written."""
    decimal = Decimal(text)
    return Number(
        value=Fraction(decimal),
        half=Fraction(10) ** int(decimal.as_tuple().exponent) / 2,
    )


NUMBER_TESTS: dict[str, Callable[[Fraction, Limits], bool]] = {
    "eq": lambda it, asked: asked.precise[0] <= it < asked.precise[1],
    "ne": lambda it, asked: not asked.precise[0] <= it < asked.precise[1],
    "gt": lambda it, asked: it > asked.value,
    "sa": lambda it, asked: it > asked.value,
    "lt": lambda it, asked: it < asked.value,
    "eb": lambda it, asked: it < asked.value,
    "ge": lambda it, asked: it >= asked.value,
    "le": lambda it, asked: it <= asked.value,
    "ap": lambda it, asked: asked.near[0] <= it <= asked.near[1],
}


def is_number(found: Any, asked: str) -> bool:
    prefix, text = prefixed(asked)
    limits = number(text).scaled(lambda value: value)
    return NUMBER_TESTS[prefix](Fraction(Decimal(str(found))), limits)


# Quantities

_UNITS: dict[str, tuple[str, Fraction, Fraction]] = {
    "g": ("mass", Fraction(1), Fraction(0)),
    "kg": ("mass", Fraction(1000), Fraction(0)),
    "[lb_av]": ("mass", Fraction("453.59237"), Fraction(0)),
    "K": ("temperature", Fraction(1), Fraction(0)),
    "Cel": ("temperature", Fraction(1), Fraction("273.15")),
    "[degF]": ("temperature", Fraction(5, 9), Fraction("459.67") * Fraction(5, 9)),
    "mm[Hg]": ("pressure", Fraction("133.322"), Fraction(0)),
    "kPa": ("pressure", Fraction(1000), Fraction(0)),
    "s": ("time", Fraction(1), Fraction(0)),
    "min": ("time", Fraction(60), Fraction(0)),
    "h": ("time", Fraction(3600), Fraction(0)),
    "m": ("length", Fraction(1), Fraction(0)),
    "cm": ("length", Fraction(1, 100), Fraction(0)),
    "/min": ("frequency", Fraction(1), Fraction(0)),
    "%": ("fraction", Fraction(1), Fraction(0)),
}
"""UCUM code: dimension, factor and offset to one unit of it (ucum.org/ucum)."""


def to_base(code: str) -> Callable[[Fraction], Fraction]:
    _, factor, offset = _UNITS[code]
    return lambda value: value * factor + offset


def dimension(element: Any) -> str | None:
    """Return what a stored quantity measures."""
    if element.get("system") == UCUM and element.get("code") in _UNITS:
        return _UNITS[element["code"]][0]
    return None


def _same(value: Fraction) -> Fraction:
    return value


def is_quantity(found: Any, asked: str) -> bool:
    """Tell whether a stored quantity is `v`, `v|system|code` or `v||code`."""
    text, *unit = split(asked, "|")
    prefix, digits = prefixed(text)
    system, code = (unescaped(one) for one in unit or ("", ""))
    value = Fraction(Decimal(str(found["value"])))
    if code and system == UCUM and found.get("system") == UCUM:
        if dimension(found) != _UNITS[code][0]:
            return False
        scale, value = to_base(code), to_base(found["code"])(value)
    elif not _has_unit(found, system, code):
        return False
    else:
        scale = _same
    return NUMBER_TESTS[prefix](value, number(digits).scaled(scale))


def _has_unit(found: Any, system: str, code: str) -> bool:
    if system:
        return (found.get("system"), found.get("code")) == (system, code)
    return not code or code in (found.get("code"), found.get("unit"))


# Dates


@dataclass(frozen=True, kw_only=True)
class Interval:
    """A time with the width of its precision: first and last microsecond."""

    start: int
    end: int


_DATE = re.compile(
    r"(\d{4})(?:-(\d\d)(?:-(\d\d)(?:T(\d\d):(\d\d)(?::(\d\d)(\.\d+)?)?"
    r"(Z|[+-]\d\d:\d\d)?)?)?)?"
)


def interval(text: str) -> Interval:
    """Read a date or a time; one without an offset is UTC's."""
    year, month, day, hour, minute, second, fraction, zone = _DATE.fullmatch(
        text
    ).groups()
    start = datetime(
        *(int(one) for one in (year, month or 1, day or 1)),
        *(int(one) for one in (hour or 0, minute or 0, second or 0)),
        tzinfo=UTC,
    )
    start_us = (start - EPOCH) // timedelta(microseconds=1) - _offset_us(zone)
    start_us += int(Fraction(fraction or "0") * 1_000_000)
    if hour is None:
        days = 1 if day else _days(int(year), month)
        width_us = days * 86_400_000_000
    elif fraction is not None:
        width_us = 10 ** (7 - len(fraction))
    else:
        width_us = 1_000_000 if second else 60_000_000
    return Interval(start=start_us, end=start_us + width_us - 1)


def _days(year: int, month: str | None) -> int:
    if month is None:
        return 366 if calendar.isleap(year) else 365
    return calendar.monthrange(year, int(month))[1]


def _offset_us(zone: str | None) -> int:
    if zone in (None, "Z"):
        return 0
    minutes = int(zone[1:3]) * 60 + int(zone[4:])
    return minutes * 60_000_000 * (-1 if zone[0] == "-" else 1)


def stored_interval(element: Any) -> Interval:
    """Read a stored date or Period; a Period that is open has no end."""
    if isinstance(element, str):
        return interval(element)
    start, end = element.get("start"), element.get("end")
    return Interval(
        start=interval(start).start if start else -FOREVER,
        end=interval(end).end if end else FOREVER,
    )


def _around(asked: Interval, now_us: int) -> Interval:
    gap = max(asked.start - now_us, now_us - asked.end, 0)
    return Interval(start=asked.start - gap // 10, end=asked.end + gap // 10)


def _is_within(it: Interval, asked: Interval) -> bool:
    return asked.start <= it.start and it.end <= asked.end


DATE_TESTS: dict[str, Callable[[Interval, Interval], bool]] = {
    "eq": _is_within,
    "ne": lambda it, asked: not _is_within(it, asked),
    "gt": lambda it, asked: it.end > asked.end,
    "lt": lambda it, asked: it.start < asked.start,
    "ge": lambda it, asked: it.end > asked.end or it.start >= asked.start,
    "le": lambda it, asked: it.start < asked.start or it.end <= asked.end,
    "sa": lambda it, asked: it.start > asked.end,
    "eb": lambda it, asked: it.end < asked.start,
    "ap": lambda it, asked: it.start <= asked.end and it.end >= asked.start,
}


def is_date(found: Any, asked: str, now_us: int) -> bool:
    prefix, text = prefixed(asked)
    searched = interval(text)
    if prefix == "ap":
        searched = _around(searched, now_us)
    return DATE_TESTS[prefix](stored_interval(found), searched)
