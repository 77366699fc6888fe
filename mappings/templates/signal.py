"""Signals of a template: a list of values at a constant distance in time.

A list is found, and how far its values lie apart; null and what the template calls a
gap are gaps.

https://hl7.org/fhir/R4/datatypes.html#SampledData
"""

from collections.abc import Callable, Mapping
from decimal import Decimal
from fractions import Fraction
from typing import Any

from mappings.measurement import Reason, Samples
from mappings.payload import Unreadable
from mappings.templates.moment import DURATIONS_US
from mappings.templates.number import NULL, ReadNumber, quantity, word
from mappings.templates.scope import Compiling, Get, Message

_GAP = "E"


def signal(
    compiling: Compiling, spec: Mapping[str, Any], read: ReadNumber, pointer: str
) -> Get:
    """Return what finds the values of a signal; None where there is none.

    Args:
        compiling: Where faults go.
        spec: The measurement or component, its `value` and its `signal`.
        read: Makes a number of one of the values.
        pointer: To it.

    """
    told = spec.get("signal", _UNTOLD)
    values = compiling.get(spec["value"], f"{pointer}/value")
    period = period_us(compiling, told, "period", f"{pointer}/signal")
    gaps = frozenset({NULL, *told.get("gaps", ())})

    def get(item: Any, message: Message) -> Samples | None:
        found = values(item, message)
        if found is None or found == "":
            return None
        if not isinstance(found, list):
            raise Unreadable(Reason.MALFORMED, "A signal is a list of numbers.")
        data = tuple([_GAP if word(one) in gaps else read(one) for one in found])
        if all(one is _GAP for one in data):
            return None
        return Samples(_milliseconds(period(item, message)), data)

    return get


_UNTOLD: Mapping[str, Any] = {"period": {"constant": 1}, "period_unit": "s"}
"""Of a signal that a template forgets; a fault says so."""


def period_us(
    compiling: Compiling, spec: Mapping[str, Any], name: str, pointer: str
) -> Callable[[Any, Message], Fraction]:
    """Return what finds a distance in time: microseconds, above 0.

    It need not be a whole number: of 512 values a second each takes 1953.125.
    """
    get = compiling.get(spec[name], f"{pointer}/{name}")
    unit_us = DURATIONS_US[spec[f"{name}_unit"]]

    def find(item: Any, message: Message) -> Fraction:
        try:
            found = Fraction(quantity(get(item, message))) * unit_us
        except Unreadable:
            found = Fraction(0)
        if not _LEAST_US <= found <= DURATIONS_US["h"]:
            detail = f"The {name} is not one of more than 0 and at most an hour."
            raise Unreadable(Reason.MALFORMED, detail)
        return found

    return find


_LEAST_US = Fraction(1, 1000)
"""A nanosecond: nothing that is worn or stands in a room measures more often."""


def _milliseconds(us: Fraction) -> Decimal | int:
    """Return a period in milliseconds, with all of its digits."""
    ms = us / 1000
    if ms.denominator == 1:
        return ms.numerator
    return Decimal(ms.numerator) / ms.denominator
