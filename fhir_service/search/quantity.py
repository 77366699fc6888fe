"""Quantities: a number, and a unit that is compared within its dimension.

`5.4|http://unitsofmeasure.org|mg` finds grams too, `5.4||mg` the code or the text of
a unit as it is written, `5.4` the number in any unit.

https://hl7.org/fhir/R4/search.html#quantity
"""

from typing import Final

from conformance.search_parameters import SearchParameter
from conformance.search_values import Quantity
from fhir_service.search import number
from fhir_service.search.criteria import QuantityValue
from fhir_service.search.escaping import split, unescape
from fhir_service.search.reading import Reading, unreadable
from fhir_service.search.units import scaled

_PARTS: Final = 3
"""Of a quantity with its unit."""


def ask(text: str, parameter: SearchParameter, reading: Reading) -> QuantityValue:
    """Return the comparison that a value writes.

    Raises:
        FHIRError: `invalid` for what is no quantity.

    """
    digits, *unit = split(text, "|")
    if unit and len(unit) != _PARTS - 1:
        raise unreadable(parameter, "a quantity, as 5.4 or 5.4|system|code")
    system, code = (unescape(part) or None for part in unit or ("", ""))
    return QuantityValue(number.ask(digits, parameter, reading), system, code)


def holds(found: Quantity, asked: QuantityValue, code: str) -> bool:
    """Whether the quantity of a resource satisfies the comparison."""
    unit = found.system or "", found.code or "", found.unit or ""
    compared = scaled(asked, unit)
    return compared is not None and number.holds(found, compared, code)
