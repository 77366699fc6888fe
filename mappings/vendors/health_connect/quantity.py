"""A number with its unit, as a bridge prints it.

https://developer.android.com/reference/kotlin/androidx/health/connect/client/units/package-summary
"""

from collections.abc import Mapping
from decimal import Decimal

from mappings.measurement import Reason
from mappings.payload import Unreadable, number
from mappings.vendors.health_connect.records import Units


def quantity(value: object, units: Units | str) -> tuple[Decimal | int, str]:
    """Return a number and its UCUM unit.

    Raises:
        Unreadable: `no-unit`, `unknown-unit` or `invalid-value`.

    """
    if isinstance(units, str):
        return number(value), units
    if not isinstance(value, Mapping):
        raise Unreadable(Reason.NO_UNIT, "The value has no unit.")
    if "value" in value:
        word = value.get("unit")
        unit = units.get(word) if isinstance(word, str) else None
        if unit is not None:
            return number(value["value"]), unit
    for name, unit in units.items():
        if value.get(name) is not None:
            return number(value[name]), unit
    raise Unreadable(
        Reason.UNKNOWN_UNIT, "The unit is not one in which the type is given."
    )
