"""What a token may touch: SMART's scope grammar, v1 and v2.

A scope that is not understood to the last character grants nothing. Only levels that
the service enforces are kept; `patient/` and `user/` need a compartment and a person.

https://hl7.org/fhir/smart-app-launch/STU2.2/scopes-and-launch-context.html
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType

MAX_LENGTH = 8192
"""Characters of a whole scope parameter; thirty types with filters need half."""

MAX_SCOPES = 128
"""Scopes in one request."""

LEVELS = frozenset({"system"})
"""The levels that the service enforces."""

LETTERS = "cruds"
"""create, read, update, delete, search: always in this order (§Scopes for FHIR)."""

V1 = MappingProxyType({"read": "rs", "write": "cud", "*": "cruds"})

INTERACTIONS: Mapping[str, str] = MappingProxyType(
    {
        "create": "c",
        "read": "r",
        "vread": "r",
        "history-instance": "r",
        "update": "u",
        "patch": "u",
        "delete": "d",
        "search-type": "s",
        "search-system": "s",
        "history-type": "s",
        "history-system": "s",
    }
)
"""FHIR's type-restful-interaction codes and the letter that each needs."""

FILTER_PARAMETERS = frozenset({"category"})
"""Search parameters that a scope may filter by."""

_SCOPE = re.compile(
    r"(?P<level>[a-z]{1,16})/(?P<type>[A-Z][A-Za-z]{0,63}|\*)"
    r"\.(?:(?P<v1>read|write|\*)|(?P<v2>c?r?u?d?s?))(?:\?(?P<query>.+))?"
)
_FILTER = re.compile(
    r"(?P<parameter>[a-z][a-zA-Z_-]{0,63})"
    r"=(?P<system>[a-z][a-z0-9+.-]{0,15}:[A-Za-z0-9._~:/?#@!$()*+;=-]{1,255})"
    r"\|(?P<code>[A-Za-z0-9._-]{1,128})"
)


@dataclass(frozen=True, kw_only=True, slots=True, order=True)
class Filter:
    """A search parameter that a released resource must match.

    Attributes:
        parameter: Name of the search parameter, such as `category`.
        system: Code system, exact.
        code: Code within it.

    """

    parameter: str
    system: str
    code: str

    def __str__(self) -> str:
        return f"{self.parameter}={self.system}|{self.code}"


Filters = tuple[Filter, ...]
"""Filters that must all match; none means every resource of the type."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Scope:
    """One resource scope.

    Attributes:
        level: `patient`, `user` or `system`.
        type: FHIR type, or `*` for every type.
        letters: In-order subset of `cruds`.
        filters: What a resource must match besides.
        text: The scope as it was written.

    """

    level: str
    type: str
    letters: str
    filters: Filters
    text: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Scopes:
    """What a set of scopes allows together.

    Attributes:
        items: The scopes that are understood and enforced, in their order.
        table: (type, letter) → alternative filters; those of a named type include
            those of `*`.

    """

    items: tuple[Scope, ...]
    table: Mapping[tuple[str, str], tuple[Filters, ...]]

    def allows(self, type_: str, interaction: str) -> tuple[Filters, ...] | None:
        """Return the alternative filters under which `interaction` is allowed.

        A resource must meet all filters of at least one alternative; an alternative
        without filters admits every resource of the type. None: not allowed.
        """
        letter = INTERACTIONS.get(interaction)
        if letter is None:
            return None
        return self.table.get((type_, letter)) or self.table.get(("*", letter))

    def __str__(self) -> str:
        return " ".join(scope.text for scope in self.items)


def parse_scope(text: str) -> Scope | None:
    """Return the resource scope that `text` spells; None for anything else."""
    match = _SCOPE.fullmatch(text)
    if match is None:
        return None
    v1, query = match["v1"], match["query"]
    letters = V1[v1] if v1 else match["v2"]
    filters = _filters(query) if query else ()
    if not letters or filters is None or (v1 and query):
        return None
    return Scope(
        level=match["level"],
        type=match["type"],
        letters=letters,
        filters=filters,
        text=text,
    )


def _filters(query: str) -> Filters | None:
    filters = set()
    for part in query.split("&"):
        match = _FILTER.fullmatch(part)
        if match is None or match["parameter"] not in FILTER_PARAMETERS:
            return None
        filters.add(Filter(**match.groupdict()))
    return tuple(sorted(filters))


@lru_cache(maxsize=1024)
def parse_scopes(text: str) -> Scopes:
    """Return what the space-separated scopes of `text` allow.

    What is not a resource scope of a level that the service enforces is left out.
    """
    if len(text) > MAX_LENGTH or text.count(" ") >= MAX_SCOPES:
        return Scopes(items=(), table=MappingProxyType({}))
    parsed = (parse_scope(word) for word in text.split(" "))
    return _of(scope for scope in parsed if scope and scope.level in LEVELS)


def _of(scopes: Iterable[Scope]) -> Scopes:
    items = tuple(dict.fromkeys(scopes))
    table: dict[tuple[str, str], tuple[Filters, ...]] = {}
    for scope in items:
        for letter in scope.letters:
            key = (scope.type, letter)
            table[key] = (*table.get(key, ()), scope.filters)
    merged = {
        (type_, letter): _widest((*alternatives, *table.get(("*", letter), ())))
        for (type_, letter), alternatives in table.items()
    }
    return Scopes(items=items, table=MappingProxyType(merged))


def _widest(alternatives: tuple[Filters, ...]) -> tuple[Filters, ...]:
    """Return `alternatives` without those that a wider one includes."""
    distinct = tuple(dict.fromkeys(alternatives))
    return tuple(
        filters
        for filters in distinct
        if not any(set(other) < set(filters) for other in distinct)
    )


@lru_cache(maxsize=1024)
def granted(requested: str, registered: str) -> Scopes:
    """Return the part of `requested` that lies within `registered`.

    A scope that is wholly within keeps its spelling; one that is only partly within
    is narrowed, in v1's spelling where v1 was asked and has a word for it.
    """
    limits = parse_scopes(registered).items
    found: list[Scope] = []
    for scope in parse_scopes(requested).items:
        parts = [part for limit in limits if (part := _common(scope, limit))]
        whole = next((part for part in parts if part == scope), None)
        found.extend([whole] if whole else parts)
    return _of(found)


def _common(asked: Scope, limit: Scope) -> Scope | None:
    letters = "".join(letter for letter in asked.letters if letter in limit.letters)
    if asked.level != limit.level or not letters:
        return None
    if "*" not in (asked.type, limit.type) and asked.type != limit.type:
        return None
    type_ = limit.type if asked.type == "*" else asked.type
    filters = tuple(sorted({*asked.filters, *limit.filters}))
    if (type_, letters, filters) == (asked.type, asked.letters, asked.filters):
        return asked
    text = _text(asked, type_, letters, filters)
    return Scope(
        level=asked.level, type=type_, letters=letters, filters=filters, text=text
    )


def _text(asked: Scope, type_: str, letters: str, filters: Filters) -> str:
    words = {value: word for word, value in V1.items()}
    v1 = asked.text.rpartition(".")[2] in V1 and not filters
    suffix = words.get(letters, letters) if v1 else letters
    query = f"?{'&'.join(map(str, filters))}" if filters else ""
    return f"{asked.level}/{type_}.{suffix}{query}"
