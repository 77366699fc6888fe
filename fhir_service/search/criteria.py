"""A search as it was asked: typed values, without SQL and without a view.

`fhir_service.search.parse` makes these of a query string; storage turns them into
conditions, and `fhir_service.search.matching` answers them for one resource.

https://hl7.org/fhir/R4/search.html
"""

from dataclasses import dataclass
from decimal import Decimal

from conformance.search_parameters import SearchParameter

Pair = tuple[str, str]
"""A decoded name and its value."""


@dataclass(frozen=True, slots=True)
class TokenValue:
    """`system|code`, `code`, `|code` or `system|` (§3.1.1.4.10).

    Attributes:
        system: None where any will do; empty for "no system".
        code: None where any will do (`system|`).

    """

    system: str | None
    code: str | None


@dataclass(frozen=True, slots=True)
class OfType:
    """`system|code|value` of `identifier:of-type`: the identifier's type and value."""

    system: str
    code: str
    value: str


@dataclass(frozen=True, slots=True)
class Missing:
    """`:missing=true` asks for resources without a value, `false` for those with."""

    is_missing: bool


@dataclass(frozen=True, slots=True)
class Text:
    """A string; for `:text` on a token, what its text or display begins with."""

    text: str


@dataclass(frozen=True, slots=True)
class UriValue:
    """A URI, compared as it stands."""

    uri: str


@dataclass(frozen=True, slots=True)
class ReferenceValue:
    """What a reference must point at.

    Attributes:
        type: Resource type; None where the value is an id alone.
        id: Logical id on this server; None where `url` says it.
        url: Absolute URL on another server, `urn:`, or canonical.
        version: Version of the resource or the canonical, where it was given.

    """

    type: str | None
    id: str | None
    url: str | None = None
    version: str | None = None


@dataclass(frozen=True, slots=True)
class DateValue:
    """A comparison with an interval of time.

    Attributes:
        prefix: One of FHIR's nine comparators.
        start: First microsecond since 1970 of what was written; for `ap` widened.
        end: Last microsecond of it.

    """

    prefix: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class NumberValue:
    """A comparison with a number (§3.1.1.4.6).

    Attributes:
        prefix: One of FHIR's nine comparators.
        value: As written.
        low: Lower bound that its precision (`eq`, `ne`) or `ap` implies, inclusive.
        high: Upper bound, exclusive; inclusive for `ap`.

    """

    prefix: str
    value: Decimal
    low: Decimal
    high: Decimal


@dataclass(frozen=True, slots=True)
class QuantityValue:
    """A comparison with a quantity (§3.1.1.4.11).

    Attributes:
        number: The comparison.
        system: System of the unit; None where any will do (`5.4||mg`).
        code: Code, or human unit where no system is given; None for any unit.

    """

    number: NumberValue
    system: str | None
    code: str | None


@dataclass(frozen=True, slots=True)
class CompositeValue:
    """One value for each component, in order."""

    parts: tuple["Value", ...]


Value = (
    TokenValue
    | OfType
    | Missing
    | Text
    | UriValue
    | ReferenceValue
    | DateValue
    | NumberValue
    | QuantityValue
    | CompositeValue
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Criterion:
    """One repetition of one parameter; its values are alternatives.

    Attributes:
        parameter: The parameter, as the definitions have it.
        modifier: `missing`, `exact`, `contains`, `not`, `text`, `identifier`,
            `of-type`; None for none. A type modifier (`subject:Patient`) is in the
            values, which then all have that type. With `identifier` on a reference
            the values are TokenValues.
        values: At least one.

    """

    parameter: SearchParameter
    modifier: str | None
    values: tuple[Value, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Chain:
    """`subject:Patient.name=peter`: what a reference points at meets a condition.

    Attributes:
        parameter: The reference parameter.
        targets: (type, condition on it): any of them; one where the type was named.

    """

    parameter: SearchParameter
    targets: tuple[tuple[str, "Condition"], ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Has:
    """`_has:Observation:patient:code=1234-5`: something refers to it.

    Attributes:
        type: Type of what refers.
        parameter: Its reference parameter.
        condition: What it must meet.

    """

    type: str
    parameter: SearchParameter
    condition: "Condition"


Condition = Criterion | Chain | Has


@dataclass(frozen=True, kw_only=True, slots=True)
class Include:
    """One `_include` or `_revinclude`.

    Attributes:
        source: Type whose resources refer.
        parameter: Code of the reference parameter.
        target: Type that is followed; None for any.
        is_reverse: Whether it is a `_revinclude`.
        iterate: Whether it is applied to included resources too.

    """

    source: str
    parameter: str
    target: str | None
    is_reverse: bool
    iterate: bool


@dataclass(frozen=True, slots=True)
class SortKey:
    """One key of `_sort`."""

    parameter: SearchParameter
    descending: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class SearchQuery:
    """What a search asks for.

    Attributes:
        types: The types searched; one but for a search of the whole system.
        conditions: All must hold.
        includes: In their order.
        sort: In their order; empty for the server's order.
        count: Entries on a page; 0 asks for the total alone.
        total: `none`, `estimate` or `accurate`; None where it was not said.
        summary: `true`, `text`, `data`, `count` or `false`; None where not said.
        elements: Top-level elements asked for by `_elements`; empty for all.
        applied: The pairs that were understood, in their order, for `self`.
        ignored: Names of parameters that were not understood (lenient handling).

    """

    types: tuple[str, ...]
    conditions: tuple[Condition, ...] = ()
    includes: tuple[Include, ...] = ()
    sort: tuple[SortKey, ...] = ()
    count: int = 50
    total: str | None = None
    summary: str | None = None
    elements: tuple[str, ...] = ()
    applied: tuple[Pair, ...] = ()
    ignored: tuple[str, ...] = ()
