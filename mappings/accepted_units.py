"""The units in which a kind may come, with its ranges in each.

A unit that the kind keeps stays; a sibling's unit makes another kind of it; what
else converts exactly is converted; every other unit is refused.
"""

from collections.abc import Mapping
from decimal import Decimal
from fractions import Fraction
from types import MappingProxyType
from typing import NamedTuple

from mappings import units
from mappings.kinds import Effective, Kind, Range, ValueType, kinds


class AcceptedUnit(NamedTuple):
    """What happens to a value that comes in one unit.

    Attributes:
        kind: The kind, or its sibling.
        unit: UCUM code in which it is stored.
        conversion: From the source's unit; None where the digits stay.
        possible: In `unit`.
        plausible: In `unit`.
        microseconds: Length of `unit` for a kind that is a duration within its own
            period; else 0.

    """

    kind: Kind
    unit: str
    conversion: units.Conversion | None
    possible: Range
    plausible: Range
    microseconds: int


_DURATION_UNITS = MappingProxyType({"min": 60_000_000, "h": 3_600_000_000})


def _in_unit(bounds: Range, kind: Kind, unit: str) -> Range:
    """Return `bounds` in a unit that the kind keeps, to nine places."""
    exact = units.conversion(kind.unit, unit)
    if exact is None:
        return bounds
    low, high = (
        (Fraction(bound) * exact.multiplier + exact.summand) / exact.divisor
        for bound in bounds
    )
    places = Decimal(10) ** 9
    return Range(
        Decimal(round(low * 10**9)) / places, Decimal(round(high * 10**9)) / places
    )


def _unit(kind: Kind, unit: str, conversion: units.Conversion | None) -> AcceptedUnit:
    if kind.possible is None or kind.plausible is None:
        raise ValueError(f"{kind.name} has a unit and no ranges")
    is_duration = kind.effective is Effective.PERIOD
    return AcceptedUnit(
        kind,
        unit,
        conversion,
        _in_unit(kind.possible, kind, unit),
        _in_unit(kind.plausible, kind, unit),
        _DURATION_UNITS.get(unit, 0) if is_duration else 0,
    )


def _own_units(kind: Kind) -> dict[str, AcceptedUnit]:
    """Return what happens in each unit that can be read as the kind's own."""
    own = _unit(kind, kind.unit, None)
    converted = {
        source: _unit(kind, kind.unit, exact)
        for (source, target), exact in units.CONVERSIONS.items()
        if target == kind.unit
    }
    return (
        converted
        | {unit: _unit(kind, unit, None) for unit in kind.units_kept}
        | dict.fromkeys(kind.units_renamed, own)
        | {kind.unit: own}
    )


def accepted_units(kind: Kind) -> Mapping[str, AcceptedUnit]:
    """Return what happens to a value of the kind in each unit it may come in."""
    if kind.value is not ValueType.QUANTITY:
        return MappingProxyType({})
    siblings: dict[str, AcceptedUnit] = {}
    for unit, name in kind.siblings.items():
        siblings[unit] = _own_units(kinds()[name])[unit]
    return MappingProxyType(siblings | _own_units(kind))
