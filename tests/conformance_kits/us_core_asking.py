"""What is asked for a resource by a parameter, and which resources must be found.

It re-checks what it finds as a client does, and shares nothing with the service.
https://hl7.org/fhir/us/core/STU7/general-requirements.html
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from us_core_elements import at
from us_core_matrix import Group

Json = dict[str, Any]

SECOND = timedelta(seconds=1)
DAY = timedelta(days=1)

_NAME = ("family", "given", "text", "prefix", "suffix")
_ADDRESS = ("city", "state", "postalCode", "country", "line", "text")


def _parts(element: Json, names: Sequence[str]) -> list[str]:
    return [text for name in names for text in at(element, name)]


_READERS: Mapping[str, Callable[[Any], list[str]]] = {
    "Reference": lambda one: [one["reference"].rpartition("/")[2]],
    "CodeableConcept": lambda one: [coding["code"] for coding in one["coding"]],
    "Coding": lambda one: [one["code"]],
    "Identifier": lambda one: [one["value"]],
    "HumanName": lambda one: _parts(one, _NAME),
    "Address": lambda one: _parts(one, _ADDRESS),
}
_TEXTS = ("HumanName", "Address", "string")
_SYSTEMS: Mapping[str, Callable[[Json], list[Json]]] = {
    "CodeableConcept": lambda one: list(one["coding"]),
    "Coding": lambda one: [one],
    "Identifier": lambda one: [one],
}


def is_date(group: Group, name: str) -> bool:
    """Whether a parameter takes comparators."""
    return bool(group.definitions[name]["comparators"])


def elements(group: Group, name: str, resource: Json) -> list[Any]:
    """Return the elements of a resource that a parameter looks at."""
    paths = group.definitions[name]["paths"]
    return [one for path in paths for one in at(resource, path)]


def values(group: Group, name: str, resource: Json) -> list[str]:
    """Return the values by which a resource is found, dates aside."""
    reader = _READERS.get(group.definitions[name]["type"], lambda one: [one])
    return [text for one in elements(group, name, resource) for text in reader(one)]


def with_systems(group: Group, name: str, resource: Json) -> list[str]:
    """Return the values of a token with their systems; nothing for other types."""
    reader = _SYSTEMS.get(group.definitions[name]["type"])
    if reader is None:
        return []
    return [
        f"{one['system']}|{one.get('code', one.get('value'))}"
        for element in elements(group, name, resource)
        for one in reader(element)
    ]


@dataclass(frozen=True, kw_only=True)
class Asked:
    """One parameter with a value, and what a resource must be to be found by it."""

    name: str
    value: str
    finds: Callable[[Json], bool]


def asked(group: Group, name: str, resource: Json) -> Asked:
    """Ask for a resource by its own first value."""
    if is_date(group, name):
        [element, *_] = elements(group, name, resource)
        comparator = "eq" if isinstance(element, str) else "ge"
        return compared(group, name, resource, comparator)
    [value, *_] = values(group, name, resource)
    is_text = group.definitions[name]["type"] in _TEXTS

    def finds(other: Json) -> bool:
        found = values(group, name, other)
        if is_text:
            return any(one.casefold().startswith(value.casefold()) for one in found)
        return value in found

    return Asked(name=name, value=value, finds=finds)


# Dates

Interval = tuple[datetime, datetime]
"""From the first instant to the one after the last."""


def interval(element: Any) -> Interval:
    """Read a dateTime or a Period that has both ends."""
    if isinstance(element, dict):
        return interval(element["start"])[0], interval(element["end"])[1]
    start = datetime.fromisoformat(element)
    if len(element) == len("2026-11-20"):
        return start.astimezone(), start.astimezone() + DAY
    return start, start + (SECOND / 1000 if "." in element else SECOND)


_FINDS: Mapping[str, Callable[[Interval, Interval], bool]] = {
    "eq": lambda it, asked: asked[0] <= it[0] and it[1] <= asked[1],
    "gt": lambda it, asked: it[1] > asked[1],
    "lt": lambda it, asked: it[0] < asked[0],
    "ge": lambda it, asked: it[1] > asked[1] or it[0] >= asked[0],
    "le": lambda it, asked: it[0] < asked[0] or it[1] <= asked[1],
}
AROUND = {"gt": -DAY, "ge": -DAY, "lt": DAY, "le": DAY}
"""Comparator → how far from a resource's own time a client asks with it."""


def compared(group: Group, name: str, resource: Json, comparator: str) -> Asked:
    """Ask for a resource by its own date, or by one a day before or after it."""
    [element, *_] = elements(group, name, resource)
    value = element
    if comparator != "eq":
        side = 1 if comparator in ("lt", "le") else 0
        moment = interval(element)[side] + AROUND[comparator]
        value = moment.isoformat(timespec="seconds")
    searched = interval(value)

    def finds(other: Json) -> bool:
        return any(
            _FINDS[comparator](interval(one), searched)
            for one in elements(group, name, other)
        )

    prefix = "" if comparator == "eq" else comparator
    return Asked(name=name, value=prefix + value, finds=finds)
