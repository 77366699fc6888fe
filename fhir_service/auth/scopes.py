"""What a token may touch: SMART's scope grammar, v1 and v2.

A scope that is not understood to the last character grants nothing. A `patient/` scope
is held to one patient by a filter of its own, beside those that it spells, so that it
stands wherever a scope's filters stand.

https://hl7.org/fhir/smart-app-launch/STU2.2/scopes-and-launch-context.html
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from types import MappingProxyType

from conformance.classes import ResourceClass, class_of
from conformance.definitions import is_resource_type
from conformance.issues import FHIRError

MAX_LENGTH = 8192
"""Characters of a whole scope parameter; thirty types with filters need half."""

MAX_SCOPES = 128
"""Scopes in one request."""

LEVELS = frozenset({"patient", "user", "system"})
"""The levels of a resource scope (§Scopes for requesting FHIR Resources)."""

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

COMPARTMENT = "_compartment"
"""Names the filter of a `patient/` scope: what is about one patient."""

FHIR_USER = "fhirUser"
"""The scope that lets a client read the person's own resource."""

ITSELF = "_itself"
"""Names the filter of `fhirUser`: one resource alone."""

READING = "rs"
"""What `patient/` scopes allow of types that are nobody's own."""

DECIDING = frozenset(
    {
        "Consent",
        "Group",
        "HealthcareService",
        "Organization",
        "Practitioner",
        "PractitionerRole",
        "RelatedPerson",
    }
)
"""Types that decide who may see what: no person's scope writes them.

Whoever could would permit herself. They are filed by systems that are trusted to.
"""

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

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True, kw_only=True)
class Scopes:
    """What a set of scopes allows together.

    Attributes:
        items: The scopes that are understood, in their order.
        patient: Id of the Patient to whom `patient/` scopes are held; None: they
            allow nothing.
        user: The person's own resource, where `fhirUser` was granted.

    """

    items: tuple[Scope, ...]
    patient: str | None = None
    user: str | None = None
    _known: dict[tuple[str, str], tuple[Filters, ...] | None] = field(
        default_factory=dict, compare=False, repr=False
    )

    def allows(self, type_: str, interaction: str) -> tuple[Filters, ...] | None:
        """Return the alternative filters under which `interaction` is allowed.

        A resource must meet all filters of at least one alternative; an alternative
        without filters admits every resource of the type. None: not allowed.
        """
        letter = INTERACTIONS.get(interaction)
        if letter is None:
            return None
        at = (type_, letter)
        if at in self._known:
            return self._known[at]
        found = self._alternatives(type_, letter)
        if is_resource_type(type_):  # Else a stranger could fill the memory.
            self._known[at] = found
        return found

    def confines(self, type_: str) -> bool:
        """Whether nothing of a type is open but what is about the patient in context.

        So it is with every type that no other scope covers: what names a resource
        must not tell of another patient's.
        """
        return self.patient is not None and not any(
            scope.level != "patient" and scope.type in {type_, "*"}
            for scope in self.items
        )

    def _alternatives(self, type_: str, letter: str) -> tuple[Filters, ...] | None:
        found = [
            filters
            for scope in self.items
            if scope.type in {type_, "*"} and letter in scope.letters
            for filters in self._held(scope, type_, letter)
        ]
        if self.user is not None and letter == "r":
            own, _, id_ = self.user.partition("/")
            if own == type_:
                found.append((Filter(parameter=ITSELF, system=own, code=id_),))
        return _widest(tuple(found)) or None

    def _held(self, scope: Scope, type_: str, letter: str) -> tuple[Filters, ...]:
        if scope.level in _OF_PERSON and type_ in DECIDING and letter not in READING:
            return ()
        if scope.level != "patient":
            return (scope.filters,)
        if self.patient is None or not is_resource_type(type_):
            return ()
        if _class_of(type_) is ResourceClass.PATIENT_DATA or letter in READING:
            return (_within_patient(scope.filters, type_, self.patient),)
        return ()

    def __str__(self) -> str:
        return " ".join(map(str, self.items))


def _class_of(type_: str) -> ResourceClass | None:
    """Return whose a type is; None for one that is refused."""
    try:
        return class_of(type_)
    except FHIRError:
        return None


def _within_patient(filters: Filters, type_: str, patient: str) -> Filters:
    if _class_of(type_) is ResourceClass.SHARED:
        return filters
    held = Filter(parameter=COMPARTMENT, system="Patient", code=patient)
    return tuple(sorted({*filters, held}))


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
def read_scopes(text: str) -> tuple[Scope, ...]:
    """Return the resource scopes of a space-separated list, each once.

    What is no resource scope, or is not understood, is left out.
    """
    if len(text) > MAX_LENGTH or text.count(" ") >= MAX_SCOPES:
        return ()
    parsed = (parse_scope(word) for word in text.split(" "))
    return _distinct(scope for scope in parsed if scope and scope.level in LEVELS)


@lru_cache(maxsize=4096)
def parse_scopes(
    text: str,
    *,
    of_person: bool = False,
    patient: str | None = None,
    user: str | None = None,
) -> Scopes:
    """Return what the scopes of `text` allow whoever holds them.

    Args:
        text: As granted, space-separated.
        of_person: Whether a person granted them: `patient/` and `user/` scopes hold
            for her client, `system/` scopes for a client that acts by itself.
        patient: Id of the Patient in context.
        user: The person's own resource, as `Type/id`.

    """
    levels = _OF_PERSON if of_person else _OF_CLIENT
    return Scopes(
        items=tuple(scope for scope in read_scopes(text) if scope.level in levels),
        patient=patient if of_person else None,
        user=user if of_person and FHIR_USER in text.split(" ") else None,
    )


_OF_PERSON = frozenset({"patient", "user"})
_OF_CLIENT = frozenset({"system"})


def _distinct(scopes: Iterable[Scope]) -> tuple[Scope, ...]:
    return tuple(dict.fromkeys(scopes))


def _widest(alternatives: tuple[Filters, ...]) -> tuple[Filters, ...]:
    """Return `alternatives` without those that a wider one includes."""
    distinct = tuple(dict.fromkeys(alternatives))
    return tuple(
        filters
        for filters in distinct
        if not any(set(other) < set(filters) for other in distinct)
    )


@lru_cache(maxsize=1024)
def granted(requested: str, registered: str) -> tuple[Scope, ...]:
    """Return the part of `requested` that lies within `registered`.

    A scope that is wholly within keeps its spelling; one that is only partly within
    is narrowed, in v1's spelling where v1 was asked and has a word for it.
    """
    limits = read_scopes(registered)
    found: list[Scope] = []
    for scope in read_scopes(requested):
        parts = [part for limit in limits if (part := _common(scope, limit))]
        whole = next((part for part in parts if part == scope), None)
        found.extend([whole] if whole else parts)
    return _distinct(found)


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
