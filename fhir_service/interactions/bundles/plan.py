"""In which order the entries of a transaction are done, and which cannot be done.

Deletions come first, then what is created, then what is changed, then what is read
(§3.1.0.11.2). Within one of these, what others belong to or are judged by comes before
them: organizations, patients, devices, consents. The order of the entries themselves
means nothing, so references may lead in circles.

https://hl7.org/fhir/R4/http.html#trules
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from conformance.classes import DERIVED, SHARED
from conformance.definitions import is_resource_type
from conformance.issues import FHIRError, IssueType
from fhir_service.interactions.bundles.entries import CONDITIONS, Entry
from fhir_service.interactions.conditional import condition_of

_FORMS: Mapping[str, str] = {
    "POST": "Type",
    "PUT": "Type/id or Type?query",
    "PATCH": "Type/id or Type?query",
    "DELETE": "Type/id or Type?query",
}
"""What writes in a transaction → the URLs that it takes."""

_UNDERSTOOD: Mapping[str, frozenset[str]] = {
    "POST": frozenset({"if-none-exist"}),
    "PUT": frozenset({"if-match", "if-none-match"}),
    "PATCH": frozenset({"if-match"}),
    "DELETE": frozenset({"if-match"}),
}
"""What writes in a transaction → the conditions that it heeds."""

_OF_NAMED = frozenset({"if-none-match"})
"""Conditions that only what is addressed by its id heeds."""

MAX_READS = 100
"""Entries that read, of a transaction that writes: meanwhile others cannot write."""


def refuse_unwritten(entries: Sequence[Entry]) -> None:
    """Refuse what no transaction can write: by its URL, its condition, or twice.

    Raises:
        FHIRError: `not-supported` for another URL or condition, `invalid` where two
            entries write the same resource, `too-costly` beyond `MAX_READS`.

    """
    reads = sum(not entry.writes for entry in entries)
    if MAX_READS < reads < len(entries):
        raise FHIRError(
            IssueType.TOO_COSTLY,
            f"A transaction that writes has at most {MAX_READS} entries that read.",
            "Bundle.entry",
        )
    seen: set[tuple[str, ...]] = set()
    for entry in entries:
        if not entry.writes:
            continue
        _refuse_form(entry)
        for identity in _identities(entry):
            if identity in seen:
                raise written_twice(entry)
            seen.add(identity)


def written_twice(entry: Entry) -> FHIRError:
    """Return the error for a resource that two entries write (§3.1.0.11.2)."""
    return FHIRError(
        IssueType.INVALID, "Two entries write the same resource.", entry.place
    )


def _refuse_form(entry: Entry) -> None:
    target = entry.target
    named, is_search = target.id is not None, bool(target.query)
    fits = not (named or is_search) if entry.method == "POST" else named != is_search
    depth = target.path.count("/")
    if not fits or depth > 1 or not is_resource_type(target.type):
        raise FHIRError(
            IssueType.NOT_SUPPORTED,
            f"In a transaction a {entry.method} goes to {_FORMS[entry.method]}.",
            f"{entry.place}.request.url",
        )
    understood = _UNDERSTOOD[entry.method] - (_OF_NAMED if is_search else frozenset())
    for header in entry.conditions.keys() - understood:
        element = next(name for name, one in CONDITIONS.items() if one == header)
        raise FHIRError(
            IssueType.NOT_SUPPORTED,
            f"A {entry.method} under {element} is not supported.",
            f"{entry.place}.request.{element}",
        )


def _identities(entry: Entry) -> Iterator[tuple[str, ...]]:
    """Yield what an entry says of what it writes."""
    target = entry.target
    if target.id is not None:
        yield target.type, target.id
    query = condition(entry)
    if query is not None:
        yield target.type, "?", query


def condition(entry: Entry) -> str | None:
    """Return the query that decides which resource an entry writes, if one does."""
    if_none_exist = entry.conditions.get("if-none-exist")
    if if_none_exist is not None:
        return condition_of(if_none_exist, entry.target.type)
    return entry.target.query or None


PHASES: Mapping[str, int] = {
    "DELETE": 0,
    "POST": 1,
    "PUT": 2,
    "PATCH": 2,
    "GET": 3,
    "HEAD": 3,
}
"""Method → when it is done."""

_FIRST = {"Patient": 1, "Device": 2, "DeviceMetric": 3, "Consent": 4}
_PATIENT_DATA, _DERIVED = 5, 6


def _rank(type_: str) -> int:
    """Return when a type is written: a lower one never needs a higher one there."""
    if type_ in SHARED:
        return 0
    return _FIRST.get(type_, _DERIVED if type_ in DERIVED else _PATIENT_DATA)


def ordered(
    entries: Sequence[Entry], needs: Mapping[int, Sequence[int]]
) -> list[Entry]:
    """Return the entries in the order in which they are done.

    Args:
        entries: In any order.
        needs: Index of an entry → those of the entries that it refers to.

    """
    groups: dict[tuple[int, int], list[int]] = {}
    known = {entry.index: entry for entry in entries}
    for entry in entries:
        group = PHASES[entry.method], _rank(entry.target.type)
        groups.setdefault(group, []).append(entry.index)
    return [
        known[index]
        for _, indexes in sorted(groups.items())
        for index in _what_is_needed_first(indexes, needs)
    ]


def _what_is_needed_first(
    indexes: Sequence[int], needs: Mapping[int, Sequence[int]]
) -> list[int]:
    """Return indexes, each after what it needs; a circle is broken where it closes."""
    left = {index: iter(needs.get(index, ())) for index in indexes}
    seen: set[int] = set()
    placed: list[int] = []
    for first in indexes:
        path = [] if first in seen else [first]
        seen.add(first)
        while path:
            needed = _next_of(left[path[-1]], left, seen)
            if needed is None:
                placed.append(path.pop())
            else:
                seen.add(needed)
                path.append(needed)
    return placed


def _next_of(
    needed: Iterator[int], members: Mapping[int, Any], seen: set[int]
) -> int | None:
    return next((one for one in needed if one in members and one not in seen), None)
