"""A member of a body that holds a value with its unit.

https://w3id.org/ieee/ieee-1752-schema/unit-value.json
"""

from collections.abc import Mapping
from decimal import Decimal

from mappings.measurement import Component, Reason
from mappings.payload import Unreadable, number


def unit_value(
    body: Mapping[str, object], member: str, units: Mapping[str, str], kind: str
) -> tuple[Decimal | int, str, str]:
    """Return value, UCUM unit and the source's word for the unit.

    Raises:
        Unreadable: `malformed`, `invalid-value`, `no-unit`, `unknown-unit`.

    """
    quantity = body.get(member)
    if not isinstance(quantity, dict):
        raise Unreadable(
            Reason.MALFORMED, f"{member} is not a value with a unit.", kind
        )
    value = quantity.get("value")
    if type(value) is not int:
        value = _number(value, member, kind)
    word = quantity.get("unit")
    if word is None:
        raise Unreadable(Reason.NO_UNIT, f"{member} has no unit.", kind)
    unit = units.get(word) if isinstance(word, str) else None
    if unit is None:
        raise Unreadable(
            Reason.UNKNOWN_UNIT,
            f"The unit of {member} is not one that its schema admits.",
            kind,
        )
    return value, unit, str(word)


def _number(value: object, member: str, kind: str) -> Decimal | int:
    try:
        return number(value)
    except Unreadable as error:
        detail = f"The value of {member} is not a number."
        raise Unreadable(error.reason, detail, kind) from None


def components(
    body: Mapping[str, object],
    parts: Mapping[str, tuple[str, Mapping[str, str]]],
) -> tuple[Component, ...]:
    """Return a component for each of the `parts` that the body has, in their order.

    Raises:
        Unreadable: as `unit_value`.

    """
    found = []
    for member, (kind, units) in parts.items():
        if member in body:
            value, unit, _ = unit_value(body, member, units, kind)
            found.append(Component(kind, value, unit))
    return tuple(found)
