"""What the index holds of a value, and what a question looks up: side by side.

A posting is a tuple of texts; storage keeps a keyed hash of it. Values that a hash
cannot answer (ranges) are entries of their own: dates, numbers, quantities.

https://hl7.org/fhir/R4/search.html#ptypes
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import KW_ONLY, dataclass, field
from decimal import Decimal
from functools import lru_cache
from hashlib import blake2b
from types import MappingProxyType
from typing import Any

from conformance.date_range import DateRange
from conformance.references import Reference
from conformance.search_parameters import SearchParameter, parameters
from conformance.search_values import Number, Quantity, String, Token, Uri
from fhir_service.search import criteria
from fhir_service.search.collation import normalised

Posting = tuple[str, ...]
"""The code of a parameter, the kind of the entry, and what was indexed."""

ROW_CODES = frozenset({"identifier", "derived-from", "has-member"})
"""Parameters whose values differ from row to row; all others are in index sets."""

OWN_INDEX = frozenset({("Observation", "date")})
"""Parameters that a table of their own answers."""

NOT_INDEXED = frozenset({"_id", "_lastUpdated"})
"""Parameters that columns of the resource answer."""

COMBINED: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {"combo-value-quantity": ("value-quantity", "component-value-quantity")}
)
"""Parameters that are the union of others, and not indexed again."""

CONTACTS = frozenset({"email", "phone", "telecom"})
"""Token parameters over contact points: compared without regard to case."""

PREFIX = 16
"""Characters of a string by whose beginnings it is found; what is asked beyond them
is compared with the resource."""

REMEMBERED = 16_384
"""Values whose postings are not made twice: codes and units come again and again."""

_MAX = 1.7976931348623157e308


@dataclass(slots=True)
class Entries:
    """What the index holds of one resource.

    Attributes:
        shared: Postings that rows alike have in common.
        own: Postings of this row alone.
        dates: (parameter, first microsecond, last microsecond).
        quantities: (parameter, (system, code, unit) or None, low, high).

    """

    shared: AbstractSet[Posting] = field(default_factory=frozenset)
    own: set[Posting] = field(default_factory=set)
    dates: set[tuple[int, int, int]] = field(default_factory=set)
    quantities: set[tuple[int, tuple[str, str, str] | None, float, float]] = field(
        default_factory=set
    )


@lru_cache(maxsize=4096)
def key_of(code: str) -> int:
    """Return the number by which the range indexes know a parameter."""
    return int.from_bytes(blake2b(code.encode(), digest_size=4).digest()) >> 1


def present(code: str) -> Posting:
    """Return the posting of a resource that has any value of the parameter."""
    return (code, "present")


def code_text(code: str, text: str) -> str:
    """Return a token's code as it is compared."""
    return text.casefold() if code in CONTACTS else text


def _token(code: str, value: Token) -> Iterator[Posting]:
    if value.code is not None:
        text = code_text(code, value.code)
        yield (code, "code", text)
        yield (code, "coding", value.system or "", text)
    if value.system:
        yield (code, "system", value.system)
    if value.text:
        yield from _prefixes(code, "text", value.text)


def _prefixes(code: str, kind: str, text: str) -> Iterator[Posting]:
    plain = normalised(text)[:PREFIX]
    for length in range(1, len(plain) + 1):
        yield (code, kind, plain[:length])


def _string(code: str, value: String) -> Iterator[Posting]:
    yield (code, "exact", value.text)
    yield from _prefixes(code, "begins", value.text)


def _uri(code: str, value: Uri) -> Iterator[Posting]:
    yield (code, "uri", value.uri)


def _reference(code: str, value: Reference) -> Iterator[Posting]:
    if value.id is not None:
        yield (code, "to", f"{value.type}/{value.id}")
        yield (code, "id", value.id)
    elif value.url is not None:
        yield (code, "url", value.url)
    if value.identifier is not None:
        system, text = value.identifier
        yield (code, "identifier", text or "")
        yield (code, "identifier-of", system or "", text or "")


def _identifier(code: str, value: Token) -> Iterator[Posting]:
    if value.code is not None:
        yield (code, "code", value.code)


_SHARED: Mapping[type, Callable[[str, Any], Iterator[Posting]]] = {
    Token: _token,
    String: _string,
    Uri: _uri,
    Reference: _reference,
}
_OWN: Mapping[type, Callable[[str, Any], Iterator[Posting]]] = {
    Token: _identifier,
    Reference: _reference,
}


def _float(value: Decimal | None, otherwise: float) -> float:
    if value is None:
        return otherwise
    return max(-_MAX, min(_MAX, float(value)))


def _bounds(value: Number | Quantity) -> tuple[float, float]:
    """Return a number as a point, a range as its bounds; `_MAX` where it is open."""
    if value.value is not None:
        exact = _float(value.value, 0.0)
        return exact, exact
    return _float(value.low, -_MAX), _float(value.high, _MAX)


def entries(type_: str, found: Mapping[str, Sequence[Any]]) -> Entries:
    """Return what the index holds of the values that were found in a resource."""
    shared: set[Posting] = set()
    made = Entries(shared=shared)
    for code, values in found.items():
        if code in NOT_INDEXED or not values:
            continue
        shared.add(present(code))
        if code in COMBINED or (type_, code) in OWN_INDEX:
            continue
        for value in values:
            _add(made, shared, code, value)
    return made


def _add(made: Entries, shared: set[Posting], code: str, value: Any) -> None:
    kind = type(value)
    if kind is DateRange:
        made.dates.add((key_of(code), value.start_us, value.end_us))
    elif kind is Quantity:
        unit = (value.system or "", value.code or "", value.unit or "")
        made.quantities.add((key_of(code), unit, *_bounds(value)))
    elif kind is Number:
        made.quantities.add((key_of(code), None, *_bounds(value)))
    elif kind in _SHARED:
        if code in ROW_CODES and kind in _OWN:
            made.own.update(_OWN[kind](code, value))
            if kind is Token and value.system:
                shared.add((code, "system", value.system))
        else:
            shared.update(_shared(code, value))


@lru_cache(maxsize=REMEMBERED)
def _shared(code: str, value: Any) -> tuple[Posting, ...]:
    return tuple(_SHARED[type(value)](code, value))


@dataclass(frozen=True, slots=True)
class Lookup:
    """How an alternative is looked up.

    Attributes:
        posting: What the index must hold.
        is_own: Whether it is looked for row by row, not in index sets.
        is_exact: Whether every row found matches; else it is compared again.

    """

    posting: Posting
    _: KW_ONLY
    is_own: bool = False
    is_exact: bool = True


def _ask_token(code: str, value: criteria.TokenValue) -> Lookup:
    own = code in ROW_CODES
    if value.code is None:
        return Lookup((code, "system", value.system or ""))
    text = code_text(code, value.code)
    if value.system is None:
        return Lookup((code, "code", text), is_own=own)
    if own:
        return Lookup((code, "code", text), is_own=own, is_exact=False)
    return Lookup((code, "coding", value.system, text), is_own=own)


def _ask_of_type(code: str, value: criteria.OfType) -> Lookup:
    return Lookup((code, "code", value.value), is_own=code in ROW_CODES, is_exact=False)


def _ask_reference(code: str, value: criteria.ReferenceValue) -> Lookup:
    own, exact = code in ROW_CODES, value.version is None
    if value.id is None:
        return Lookup((code, "url", value.url or ""), is_own=own, is_exact=exact)
    if value.type is None:
        return Lookup((code, "id", value.id), is_own=own, is_exact=exact)
    return Lookup((code, "to", f"{value.type}/{value.id}"), is_own=own, is_exact=exact)


def _ask_identifier(code: str, value: criteria.TokenValue) -> Lookup:
    own = code in ROW_CODES
    if value.code is None:
        return Lookup(present(code), is_exact=False)
    if value.system is None:
        return Lookup((code, "identifier", value.code), is_own=own)
    return Lookup((code, "identifier-of", value.system, value.code), is_own=own)


def _ask_uri(code: str, value: criteria.UriValue) -> Lookup:
    return Lookup((code, "uri", value.uri))


def _begins(code: str, kind: str, text: str) -> Lookup:
    plain = normalised(text)
    if not plain:
        return Lookup(present(code), is_exact=False)
    return Lookup((code, kind, plain[:PREFIX]), is_exact=len(plain) <= PREFIX)


_ASK: Mapping[tuple[str, str | None], Callable[[str, Any], Lookup]] = {
    ("token", None): _ask_token,
    ("token", "not"): _ask_token,
    ("token", "of-type"): _ask_of_type,
    ("token", "text"): lambda code, value: _begins(code, "text", value.text),
    ("reference", None): _ask_reference,
    ("reference", "identifier"): _ask_identifier,
    ("string", None): lambda code, value: _begins(code, "begins", value.text),
    ("string", "exact"): lambda code, value: Lookup((code, "exact", value.text)),
    ("string", "contains"): lambda code, _: Lookup(present(code), is_exact=False),
    ("uri", None): _ask_uri,
}


def lookup(parameter: SearchParameter, modifier: str | None, value: Any) -> Lookup:
    """Return how an alternative of a token, reference, string or URI is found.

    Raises:
        KeyError: for a parameter type that has no postings.

    """
    return _ASK[parameter.type, modifier](parameter.code, value)


def part_parameters(type_: str, parameter: SearchParameter) -> list[SearchParameter]:
    """Return the parameters of a composite's components.

    Raises:
        KeyError: where a component is no parameter of the type.

    """
    known = parameters(type_)
    return [known[code] for code in parameter.components]
