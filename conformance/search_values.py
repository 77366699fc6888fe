"""What a search can find in a resource: typed values.

https://hl7.org/fhir/R4/search.html#ptypes
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import tzinfo
from decimal import Decimal
from typing import Any, NamedTuple

from conformance.date_range import DateRange
from conformance.references import Reference


class Token(NamedTuple):
    """A code in a system; or, with neither, a text that stands for one.

    Attributes:
        system: Namespace of the code; None where none is given.
        code: Code, identifier value, `true` or `false`.
        text: Display of the coding, or text of the concept or the identifier's type.
        types: System and code of each type of an identifier, for `:of-type`.

    """

    system: str | None
    code: str | None
    text: str | None = None
    types: tuple[tuple[str | None, str | None], ...] = ()


class String(NamedTuple):
    """A text that is searched by its beginning, without case or accents."""

    text: str


class Uri(NamedTuple):
    """A URI that is searched as it stands."""

    uri: str


class Number(NamedTuple):
    """A number and the interval that its precision implies.

    Attributes:
        value: As stated; None where only bounds are known.
        low: Lower bound, inclusive; None where it is open.
        high: Upper bound, exclusive (`100` ends before 100.5); None where open.

    """

    value: Decimal | None
    low: Decimal | None
    high: Decimal | None


class Quantity(NamedTuple):
    """A number with its unit; the bounds are those of `Number`.

    Attributes:
        value: As stated; None where only bounds are known (`<`, Range, samples).
        low: Lower bound, inclusive; None where it is open.
        high: Upper bound, exclusive; None where it is open.
        system: System of the unit's code.
        code: Coded unit.
        unit: Unit for people.

    """

    value: Decimal | None
    low: Decimal | None
    high: Decimal | None
    system: str | None
    code: str | None
    unit: str | None


class Composite(NamedTuple):
    """Values of one element's parts, in the order of the parameter's components."""

    values: tuple[Any, ...]


Value = Token | String | Uri | Number | Quantity | DateRange | Reference | Composite
Convert = Callable[[Any], list[Value]]


@dataclass(frozen=True, kw_only=True)
class Reader:
    """What the reading of elements depends on.

    Attributes:
        zone: Where dates without an offset are.
        base_urls: Base URLs under which this server is known.

    """

    zone: tzinfo
    base_urls: tuple[str, ...] = ()
