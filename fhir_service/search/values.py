"""What a search value means: tokens, references, dates; escaping, prefixes.

https://hl7.org/fhir/R4/search.html
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import tzinfo
from functools import lru_cache

from conformance.issues import FHIRError, IssueType
from conformance.search_parameters import date_range

REMEMBERED = 4096
"""Values that are not read twice: codes and days come again and again."""

MAX_ALTERNATIVES = 500
"""Comma-separated values of one parameter; more is refused as too costly."""

PREFIXES = ("eq", "ne", "gt", "lt", "ge", "le", "sa", "eb", "ap")


@dataclass(frozen=True, slots=True)
class Token:
    """`system|code`, `code` (any system: None), `|code` (no system: empty)."""

    system: str | None
    code: str

    def matches(self, coding: tuple[str, str]) -> bool:
        """Whether this (system, code) is meant."""
        return coding[1] == self.code and self.system in (None, coding[0])


@dataclass(frozen=True, slots=True)
class DateCriterion:
    """A comparison with an interval of time.

    Attributes:
        prefix: One of FHIR's nine comparators.
        start: First microsecond of what was written.
        end: Last microsecond of what was written.

    """

    prefix: str
    start: int
    end: int

    def holds(self, moment: int) -> bool:
        """Whether a single instant satisfies the comparison."""
        return self.covers(moment, moment)

    def covers(self, low: int, high: int) -> bool:
        """Whether the interval of a resource satisfies the comparison."""
        return _COVERS[self.prefix](low, high, self.start, self.end)


_COVERS: Mapping[str, Callable[[int, int, int, int], bool]] = {
    "eq": lambda low, high, start, end: low >= start and high <= end,
    "ne": lambda low, high, start, end: low < start or high > end,
    "gt": lambda _, high, __, end: high > end,
    "lt": lambda low, _, start, __: low < start,
    "ge": lambda low, high, start, end: high > end or low >= start,
    "le": lambda low, high, start, end: low < start or high <= end,
    "sa": lambda low, _, __, end: low > end,
    "eb": lambda _, high, start, __: high < start,
    "ap": lambda low, high, start, end: low <= end and high >= start,
}
"""Prefix → condition on a resource's interval and the interval that was asked."""


def split(value: str, parameter: str) -> list[str]:
    """Return the alternatives of a comma-separated value, escapes resolved later.

    Raises:
        FHIRError: `too-costly` for too many, `invalid` for an empty one.

    """
    parts: list[str] = []
    part: list[str] = []
    escaped = False
    for character in value:
        if escaped:
            part.append("\\" + character)
            escaped = False
        elif character == "\\":
            escaped = True
        elif character == ",":
            parts.append("".join(part))
            part = []
        else:
            part.append(character)
    parts.append("".join(part) + ("\\" if escaped else ""))
    if len(parts) > MAX_ALTERNATIVES:
        raise FHIRError(
            IssueType.TOO_COSTLY,
            f"The parameter {parameter} has more than {MAX_ALTERNATIVES} values.",
        )
    if "" in parts:
        raise FHIRError(IssueType.INVALID, f"The parameter {parameter} has no value.")
    return parts


def unescape(value: str) -> str:
    r"""Resolve `\,`, `\|`, `\$` and `\\` (§3.1.1.4.0.1)."""
    return re.sub(r"\\([\\,|$])", r"\1", value)


@lru_cache(maxsize=REMEMBERED)
def token(value: str, parameter: str) -> Token:
    """Return the token that `invalid` writes.

    Raises:
        FHIRError: `invalid` where no code is given; `not-supported` for `system|`.

    """
    system, bar, code = _partition(value)
    if not bar:
        return Token(None, unescape(value))
    if not code:
        raise FHIRError(
            IssueType.NOT_SUPPORTED,
            f"{parameter} by system alone (system|) is not supported.",
        )
    return Token(unescape(system), unescape(code))


def _partition(value: str) -> tuple[str, str, str]:
    escaped = False
    for index, character in enumerate(value):
        if escaped:
            escaped = False
        elif character == "\\":
            escaped = True
        elif character == "|":
            return value[:index], "|", value[index + 1 :]
    return value, "", ""


@lru_cache(maxsize=REMEMBERED)
def date(value: str, parameter: str, zone: tzinfo) -> DateCriterion:
    """Return the comparison that `invalid` writes; `eq` without a prefix.

    Raises:
        FHIRError: `invalid` for what is no FHIR date, dateTime or instant.

    """
    prefix, text = ("eq", value)
    if value[:2] in PREFIXES:
        prefix, text = value[:2], value[2:]
    try:
        start, end = date_range(text.replace(" ", "+"), zone)
    except (FHIRError, ValueError):
        raise FHIRError(
            IssueType.INVALID,
            f"The value of {parameter} is not a FHIR date, as in ge2026-01-31.",
        ) from None
    return DateCriterion(prefix, start, end)


_REFERENCE = re.compile(
    r"(?:(?P<type>[A-Z][A-Za-z]{1,63})/)?(?P<id>[A-Za-z0-9.-]{1,64})"
)


def patient_reference(value: str, parameter: str, base_url: str) -> str:
    """Return the id of the Patient that `invalid` names.

    Raises:
        FHIRError: `invalid` where it does not name exactly one Patient of this server:
            the answer must never be wider than the question.

    """
    text = unescape(value)
    text = text.removeprefix(f"{base_url}/")
    found = _REFERENCE.fullmatch(text)
    if found is None or found["type"] not in (None, "Patient"):
        raise FHIRError(
            IssueType.INVALID,
            f"The parameter {parameter} must name one Patient, as Patient/id or id.",
        )
    return found["id"]
