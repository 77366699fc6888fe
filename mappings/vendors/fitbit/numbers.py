"""Numbers that may be written as texts, and what is made of a zero."""

from decimal import Decimal
from typing import Any

from mappings.measurement import Measurement
from mappings.payload import number, number_text
from mappings.times import Span, reading
from mappings.vendors.fitbit.tables import ZERO_MAY_BE_MISSING, Quantity


def size_of(value: object) -> Decimal | int:
    """Return a number, which may be written as a text.

    Raises:
        Unreadable: `invalid-value` for anything else.

    """
    return number_text(value) if isinstance(value, str) and value else number(value)


def measured(
    what: Quantity, value: object, span: Span, position: str, **more: Any
) -> Measurement:
    """Return the reading of a number; a 0 that may stand for no data has no value.

    Raises:
        Unreadable: `invalid-value` for what is no number.

    """
    size = size_of(value)
    more.setdefault("method", what.method)
    if not size and what.kind in ZERO_MAY_BE_MISSING:
        return reading(what.kind, None, "", span, position, absent="unknown", **more)
    return reading(what.kind, size, what.unit, span, position, **more)
