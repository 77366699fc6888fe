"""The order in which `_sort` asks for what is found.

https://hl7.org/fhir/R4/search.html#sort
"""

from decimal import Decimal
from fractions import Fraction
from functools import cmp_to_key
from typing import Any

from model import Model
from model_paths import Json
from model_table import PARAMETERS, Parameter
from model_text import folded, strings, tokens
from model_values import dimension, stored_interval, to_base


def order(model: Model, resources: list[Json], keys: str) -> list[Json]:
    """Return resources by `_sort`: ascending by the lowest, descending by the highest.

    What has no value for a key comes last, in either direction.
    R4 leaves open where a Period is: here it is where it starts, in either direction.
    """

    def compare(one: Json, other: Json) -> int:
        for key in keys.split(","):
            came = _compare(rank(model, one, key), rank(model, other, key), key)
            if came:
                return came
        return 0

    return sorted(resources, key=cmp_to_key(compare))


def ranks(model: Model, resource: Json, keys: str) -> list[Any]:
    """Return what places a resource, the same for those whose order is open."""
    return [rank(model, resource, key) for key in keys.split(",")]


def rank(model: Model, resource: Json, key: str) -> Any:
    """Return the value that a key of `_sort` places a resource by."""
    parameter = PARAMETERS[resource["resourceType"]][key.removeprefix("-")]
    values = [
        value
        for element in model.elements(resource, parameter)
        for value in _values(element, parameter)
    ]
    if not values:
        return None
    return max(values) if key.startswith("-") else min(values)


def _compare(one: Any, other: Any, key: str) -> int:
    if one is None or other is None:
        return (one is None) - (other is None)
    came = (one > other) - (one < other)
    return -came if key.startswith("-") else came


def _values(element: Any, parameter: Parameter) -> list[Any]:
    match parameter.kind:
        case "string":
            return [folded(one) for one in strings(element, parameter.of)]
        case "token":
            found = tokens(element, parameter.of, parameter.system)
            return [one.code for one in found if one.code is not None]
        case "date":
            return [stored_interval(element).start]
        case "number":
            return [Fraction(Decimal(str(element)))]
        case "quantity":
            value = Fraction(Decimal(str(element["value"])))
            known = dimension(element) is not None
            return [to_base(element["code"])(value) if known else value]
        case _:
            return [element]
