"""Comparisons with quantities in the units that the index holds.

The index keeps each number in its own unit. A question is converted to every unit of
its dimension that occurs, exactly, so that kilograms find grams.

https://hl7.org/fhir/R4/search.html#quantity
"""

from collections.abc import Iterable, Sequence

from fhir_service.search.criteria import NumberValue, QuantityValue, Value
from fhir_service.search.units import scaled
from fhir_service.storage import index_sets
from fhir_service.storage.conditions import Compared
from fhir_service.storage.engine import Snapshot
from fhir_service.storage.index_sets import NUMBER


def compared(snapshot: Snapshot, values: Sequence[Value]) -> list[Compared]:
    """Return the comparisons, each in one unit of the index."""
    found: list[Compared] = []
    for value in values:
        if isinstance(value, NumberValue):
            found.append(_plain(value, NUMBER))
        elif isinstance(value, QuantityValue):
            found += _in_units(snapshot, value)
    return found


def _plain(number: NumberValue, unit_id: int | None) -> Compared:
    return Compared(number.prefix, number.value, number.low, number.high, unit_id)


def _in_units(snapshot: Snapshot, value: QuantityValue) -> Iterable[Compared]:
    if value.code is None and value.system is None:
        yield _plain(value.number, None)
        return
    for unit_id, unit in index_sets.units(snapshot):
        number = scaled(value, unit)
        if number is not None:
            yield _plain(number, unit_id)
