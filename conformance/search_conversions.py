"""Elements of FHIR types → the typed values that a search can find.

A table names the conversion for each type of search parameter and of element. The
rules are those of R4's search page, section by section.

https://hl7.org/fhir/R4/search.html#ptypes
"""

import re
from collections.abc import Callable, Mapping
from decimal import Context, Decimal
from functools import lru_cache, partial
from itertools import chain
from typing import Any, Final

from conformance.date_range import (
    parsed_date,
    period_range,
    timing_range,
)
from conformance.fhir_json import Number as Text
from conformance.references import Reference, canonical_of, reference_in, reference_of
from conformance.search_values import (
    Convert,
    Number,
    Quantity,
    Reader,
    String,
    Token,
    Uri,
    Value,
)

CURRENCY: Final = "urn:iso:std:iso:4217"
SPECIAL_VALUES: Final = "http://terminology.hl7.org/CodeSystem/special-values"

_EXACT = Context(prec=400)
"""Wide enough for the sum of any two numbers that `fhir_json` reads."""

_SAMPLE = re.compile(r"-?[0-9]*\.?[0-9]+")

_new = tuple.__new__
"""Three times as fast as a NamedTuple's own constructor, whose work it does."""


def _concept(concept: dict[str, Any]) -> list[Value]:
    tokens: list[Value] = []
    for coding in concept.get("coding", ()):
        get = coding.get
        value = get("system"), get("code"), get("display"), ()
        tokens.append(_new(Token, value))
    if "text" in concept:
        tokens.append(_new(Token, (None, None, concept["text"], ())))
    return tokens


def _coding(coding: dict[str, Any]) -> list[Value]:
    get = coding.get
    return [_new(Token, (get("system"), get("code"), get("display"), ()))]


def _identifier(identifier: dict[str, Any]) -> list[Value]:
    get = identifier.get
    if "type" not in identifier:
        return [_new(Token, (get("system"), get("value"), None, ()))]
    type_ = identifier["type"]
    types = [(item.get("system"), item.get("code")) for item in type_.get("coding", ())]
    return [Token(get("system"), get("value"), type_.get("text"), tuple(types))]


def _contact_point(contact: dict[str, Any]) -> list[Value]:
    return [Token(contact.get("use"), contact["value"])] if "value" in contact else []


def _text_token(text: str) -> list[Value]:
    return [_new(Token, (None, text, None, ()))]


def boolean_token(*, value: bool) -> Token:
    """Return the token of a boolean."""
    return Token(SPECIAL_VALUES, "true" if value else "false")


def _boolean(value: object) -> list[Value]:
    return [boolean_token(value=value is True)]


def _string(text: str) -> list[Value]:
    return [String(text)]


_NAME_PARTS = (("family", "text"), ("given", "prefix", "suffix"))
_ADDRESS_PARTS = (
    ("city", "district", "state", "postalCode", "country", "text"),
    ("line",),
)


def _parts(
    element: dict[str, Any], names: tuple[tuple[str, ...], tuple[str, ...]]
) -> list[Value]:
    single = [element[name] for name in names[0] if name in element]
    several = chain.from_iterable(element.get(name, ()) for name in names[1])
    return [String(text) for text in (*single, *several) if text is not None]


def _human_name(name: dict[str, Any]) -> list[Value]:
    return _parts(name, _NAME_PARTS)


def _address(address: dict[str, Any]) -> list[Value]:
    return _parts(address, _ADDRESS_PARTS)


def _date(reader: Reader, text: str) -> list[Value]:
    return [parsed_date(text, reader.zone)]


def _period(reader: Reader, period: dict[str, Any]) -> list[Value]:
    found = period_range(period, reader.zone)
    return [found] if found else []


def _timing(reader: Reader, timing: dict[str, Any]) -> list[Value]:
    found = timing_range(timing, reader.zone)
    return [found] if found else []


def _reference(reader: Reader, element: dict[str, Any]) -> list[Value]:
    found = reference_in(element, reader.base_urls)
    return [found] if found else []


def _uri_reference(reader: Reader, text: str) -> list[Value]:
    return [reference_of(text, reader.base_urls)]


def _canonical(reader: Reader, text: str) -> list[Value]:
    return [canonical_of(text, reader.base_urls)]


def _resource(resource: dict[str, Any]) -> list[Value]:
    return [Reference(resource["resourceType"], resource.get("id"))]


@lru_cache(maxsize=8192)
def _interval(text: str) -> Number:
    value = Decimal(text)
    _, digits, exponent = value.as_tuple()
    last = int(exponent)
    if last > 0 and len(digits) == 1:
        last -= 1  # The page's own example: `1e2` is [95, 105), not [50, 150).
    half = Decimal((0, (5,), last - 1))
    return Number(value, _EXACT.subtract(value, half), _EXACT.add(value, half))


def interval(number: Decimal | int) -> Number:
    """Return a number with the bounds that its precision implies.

    `100` lies in [99.5, 100.5), `100.00` in [99.995, 100.005), `1e2` in [95, 105)
    (search.html#number).
    """
    return _interval(number.text if type(number) is Text else str(number))


def _number(value: Decimal | int) -> list[Value]:
    return [interval(value)]


_COMPARATORS: Final[Mapping[str, Callable[[Number], Number]]] = {
    "<": lambda number: Number(None, None, number.value),
    "<=": lambda number: Number(None, None, number.high),
    ">": lambda number: Number(None, number.value, None),
    ">=": lambda number: Number(None, number.low, None),
}


def _quantity(quantity: dict[str, Any]) -> list[Value]:
    if "value" not in quantity:
        return []
    number = interval(quantity["value"])
    if "comparator" in quantity:
        number = _COMPARATORS[quantity["comparator"]](number)
    get = quantity.get
    value = *number, get("system"), get("code"), get("unit")
    return [_new(Quantity, value)]


def _money(money: dict[str, Any]) -> list[Value]:
    if "value" not in money:
        return []
    return [Quantity(*interval(money["value"]), CURRENCY, money.get("currency"), None)]


def _bounds(element: dict[str, Any]) -> Number | None:
    low, high = element.get("low", {}), element.get("high", {})
    if "value" not in low and "value" not in high:
        return None
    return Number(
        None,
        interval(low["value"]).low if "value" in low else None,
        interval(high["value"]).high if "value" in high else None,
    )


def _range(element: dict[str, Any]) -> list[Value]:
    bounds = _bounds(element)
    if bounds is None:
        return []
    unit = (element.get("low") or element["high"]).get
    return [Quantity(*bounds, unit("system"), unit("code"), unit("unit"))]


def _range_number(element: dict[str, Any]) -> list[Value]:
    bounds = _bounds(element)
    return [bounds] if bounds else []


def _sampled_data(samples: dict[str, Any]) -> list[Value]:
    words = samples.get("data", "").split()
    numbers = [Decimal(word) for word in words if _SAMPLE.fullmatch(word)]
    origin, factor = samples["origin"], Decimal(samples.get("factor", 1))
    if not numbers or "value" not in origin:
        return []
    ends = [
        _EXACT.fma(factor, number, Decimal(origin["value"]))
        for number in (min(numbers), max(numbers))
    ]
    low = None if "L" in words else interval(min(ends)).low
    high = None if "U" in words else interval(max(ends)).high
    get = origin.get
    return [Quantity(None, low, high, get("system"), get("code"), get("unit"))]


def _uri(text: str) -> list[Value]:
    return [Uri(text)]


_CONVERSIONS: Final[Mapping[str, Mapping[str, Convert]]] = {
    "token": {
        "CodeableConcept": _concept,
        "Coding": _coding,
        "ContactPoint": _contact_point,
        "Identifier": _identifier,
        "boolean": _boolean,
        **dict.fromkeys(
            ("id", "string", "markdown", "uri", "url", "canonical", "oid", "uuid"),
            _text_token,
        ),
    },
    "string": {
        "Address": _address,
        "HumanName": _human_name,
        "markdown": _string,
        "string": _string,
    },
    "quantity": {
        "Money": _money,
        "Range": _range,
        "SampledData": _sampled_data,
        **dict.fromkeys(
            ("Quantity", "Age", "Count", "Distance", "Duration"), _quantity
        ),
    },
    "reference": {"Resource": _resource},
    "number": {
        "Range": _range_number,
        **dict.fromkeys(("decimal", "integer", "positiveInt", "unsignedInt"), _number),
    },
    "uri": dict.fromkeys(("uri", "url", "canonical", "oid", "uuid"), _uri),
}

_READINGS: Final[Mapping[str, Mapping[str, Callable[[Reader, Any], list[Value]]]]] = {
    "date": {
        "Period": _period,
        "Timing": _timing,
        **dict.fromkeys(("date", "dateTime", "instant"), _date),
    },
    "reference": {
        "Reference": _reference,
        "canonical": _canonical,
        **dict.fromkeys(("uri", "url", "oid", "uuid"), _uri_reference),
    },
}
"""Conversions that depend on the reader."""


def conversion(
    parameter_type: str, branch: Mapping[str, Any], reader: Reader
) -> Convert:
    """Return what makes values of the elements that a branch of a parameter names.

    Args:
        parameter_type: Type of the search parameter.
        branch: Element type, and what the expression says of its code or target.
        reader: What reading depends on.

    """
    type_ = branch["type"]
    if type_ == "code":
        return partial(_code, branch.get("system"))
    if type_ in _CONVERSIONS.get(parameter_type, ()):
        return _CONVERSIONS[parameter_type][type_]
    convert = partial(_READINGS[parameter_type][type_], reader)
    return _aimed(branch["target"], convert) if "target" in branch else convert


def _code(system: str | None, code: str) -> list[Value]:
    return [_new(Token, (system, code, None, ()))]


def _aimed(target: str, convert: Convert) -> Convert:
    return lambda element: [item for item in convert(element) if item[0] == target]
