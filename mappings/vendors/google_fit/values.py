"""What a point's values are.

https://developers.google.com/fit/datatypes
"""

from collections.abc import Iterator, Mapping

from mappings.measurement import Component, Reading, Reason
from mappings.payload import SECOND_US, Unreadable
from mappings.times import Span
from mappings.vendors.google_fit.points import Point
from mappings.vendors.google_fit.types import (
    PANEL,
    SPECIMEN_INDEX,
    SPECIMENS,
    TYPES,
    Value,
)


def known(table: Mapping[int, str], code: object, what: str) -> str:
    """Return the code of a number.

    Raises:
        Unreadable: `unknown-kind` for a number that is in no table.

    """
    found = table.get(code) if type(code) is int else None
    if found is None:
        raise Unreadable(Reason.UNKNOWN_KIND, f"The number of the {what} is not known.")
    return found


def values(point: Point, type_: str) -> Iterator[Reading]:
    """Yield the numbers of a point.

    Raises:
        Unreadable: `invalid-value` where there is none, and as `Point.span`.

    """
    span = point.span()
    found = [(value, point.value(value.place)) for value in TYPES[type_]]
    if all(given is None for _, given in found):
        raise Unreadable(Reason.INVALID_VALUE, "The point has no value.")
    for value, given in found:
        if given is not None:
            yield point.reading(_at_rest(value, point), given, value.unit, span)


def _at_rest(value: Value, point: Point) -> str:
    """Return the kind; a stream of its own holds the resting heart rate."""
    if value.kind == "heart-rate" and "resting_heart_rate" in point.stream:
        return "resting-heart-rate"
    return value.kind


def blood_pressure(point: Point) -> Reading:
    """Return the panel; a part that is missing says so.

    Raises:
        Unreadable: `invalid-value` where there is neither part.

    """
    found = [(value, point.value(value.place)) for value in PANEL]
    if all(given is None for _, given in found):
        raise Unreadable(Reason.INVALID_VALUE, "The point has no value.")
    parts = tuple(
        Component(value.kind, None, absent="unknown")
        if given is None
        else Component(value.kind, given, value.unit)
        for value, given in found
    )
    return point.reading("blood-pressure", None, "", point.span(), components=parts)


def glucose(point: Point) -> Reading:
    """Return the glucose of its specimen.

    Raises:
        Unreadable: `unknown-kind` for a specimen without a code, `invalid-value`.

    """
    source = point.value(SPECIMEN_INDEX) or 0
    kind = SPECIMENS.get(source) if type(source) is int else None
    value = point.value(0)
    if kind is None:
        raise Unreadable(Reason.UNKNOWN_KIND, "The specimen has no code.")
    if value is None:
        raise Unreadable(Reason.INVALID_VALUE, "The point has no value.")
    return point.reading(kind, value, "mmol/L", point.span())


def interval(span: Span) -> Span:
    """Return an interval, also where both times are one."""
    return span if span.end is not None else span._replace(end=span.start)


def length(span: Span) -> Component:
    """Return how long an exercise was, in whole seconds."""
    return Component("workout-duration", _whole_seconds(span), "s")


def slept(span: Span) -> Component:
    """Return how long a sleep without stages was, in whole seconds."""
    return Component("sleep-duration", _whole_seconds(span), "s")


def _whole_seconds(span: Span) -> int:
    return ((span.end or span.start).us - span.start.us) // SECOND_US
