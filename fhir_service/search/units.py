"""A comparison in one unit, told in another of the same dimension, exactly.

https://hl7.org/fhir/R4/search.html#quantity
"""

from decimal import Decimal, localcontext
from functools import lru_cache

from fhir_service.search.criteria import NumberValue, QuantityValue
from mappings.units import Conversion, conversion

UCUM = "http://unitsofmeasure.org"

DIGITS = 60
"""Of a converted bound: far more than the index keeps."""

Unit = tuple[str, str, str]
"""System, code and unit for people; empty where there is none."""


@lru_cache(maxsize=4096)
def scaled(asked: QuantityValue, unit: Unit) -> NumberValue | None:
    """Return the comparison in another unit; None where the units do not compare."""
    system, code, text = unit
    if asked.system is None:
        return asked.number if asked.code in (None, code, text) else None
    if asked.code is None or asked.code == code:
        return asked.number if asked.system == system else None
    if not system == asked.system == UCUM:
        return None
    found = conversion(asked.code, code)
    return None if found is None else _converted(asked.number, found)


def _converted(number: NumberValue, by: Conversion) -> NumberValue:
    with localcontext() as context:
        context.prec = DIGITS

        def convert(value: Decimal) -> Decimal:
            return (value * by.multiplier + by.summand) / by.divisor

        return NumberValue(
            number.prefix,
            convert(number.value),
            convert(number.low),
            convert(number.high),
        )
