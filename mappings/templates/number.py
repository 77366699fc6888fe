"""Numbers and words as sensors write them.

A text that writes a number as JSON would is that number. A scale is an exact fraction;
the result has the precision of the source.
"""

from collections.abc import Callable, Mapping
from decimal import Decimal
from fractions import Fraction
from typing import Any

from conformance.fhir_json import Number
from mappings import units
from mappings.measurement import Reason
from mappings.payload import Unreadable, number, number_text

NULL = "null"
"""In `absent`: where there is no value."""

ReadNumber = Callable[[Any], Decimal | int]
ReadCode = Callable[[Any], str]


def word(value: Any) -> str:
    """Return a scalar as templates write it: `true`, `-1`, `open`, `null`."""
    if value is None or value == "":
        return NULL
    if type(value) is bool:
        return "true" if value else "false"
    if type(value) is str:
        return value
    return str(value) if isinstance(value, int | Decimal) else ""


def quantity(value: Any) -> Decimal | int:
    """Return a number, its digits kept, also of a text that writes one.

    Raises:
        Unreadable: `invalid-value`.

    """
    if type(value) is int or type(value) is Number:
        return value
    return number_text(value) if type(value) is str else number(value)


def scaled(factor: Fraction) -> ReadNumber:
    """Return what reads a number and multiplies it, exactly."""
    exact = units.Conversion(factor.numerator, 0, factor.denominator)

    def read(value: Any) -> Decimal | int:
        try:
            return units.convert(Decimal(quantity(value)), exact)
        except ValueError:
            raise Unreadable(
                Reason.INVALID_VALUE, "The value is not a number of usual size."
            ) from None

    return read


def coded(codes: Mapping[str, str] | None) -> ReadCode:
    """Return what reads a code: that of the source's word, or the word itself."""

    def read(value: Any) -> str:
        text = word(value)
        code = text if codes is None else codes.get(text)
        if code is None:
            raise Unreadable(
                Reason.INVALID_VALUE, "The template has no code for the value."
            )
        return code

    return read
