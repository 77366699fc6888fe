"""Files of Google Takeout: lists of `{dateTime, value}`.

A file of bare values tells what they are by its name alone. Whether the times of values
within a day are local is disputed, and said so; a day's value has the day's date.

https://support.google.com/fitbit/answer/14236615
"""

from collections.abc import Iterator, Mapping
from typing import Any

from mappings.measurement import Measurement, OutOfScope, Reading, Reason
from mappings.payload import MINUTE_US, Unreadable
from mappings.series import Point, heart_rate
from mappings.times import Span, reading
from mappings.vendors.fitbit.clock import Clock
from mappings.vendors.fitbit.numbers import measured, size_of
from mappings.vendors.fitbit.series import heart_signals
from mappings.vendors.fitbit.tables import (
    TAKEOUT,
    TAKEOUT_DAYS,
    TAKEOUT_OBJECTS,
    Quantity,
)

Json = Mapping[str, Any]

_RESTING = Quantity("resting-heart-rate", "/min", "Fitbit's estimate for the day")
_ERRORS = frozenset({"date", "error"})


def values(
    items: list[Any], name: str | None, clock: Clock, position: str
) -> Iterator[Reading]:
    """Yield the values of a file.

    Args:
        items: Its elements.
        name: Name of the file without its date, such as `steps`; None where it is not
            known.
        clock: Clock of the person.
        position: Where in the payload.

    """
    points: list[Point] = []
    clock = clock.in_order()
    for index, item in enumerate(items):
        place = f"{position}[{index}]"
        try:
            if _is_rate(item):
                yield from _rate(item, clock, place, points)
            else:
                yield _value(item, name, clock, place)
        except Unreadable as error:
            yield error.refusal(place, {"takeout": name, "values": [item]})
    yield from heart_signals(points, clock, position, flags=("zone-disputed",))


def _is_rate(item: object) -> bool:
    value = item.get("value") if isinstance(item, Mapping) else None
    return isinstance(value, Mapping) and "bpm" in value


def _rate(
    item: Json, clock: Clock, place: str, points: list[Point]
) -> Iterator[Reading]:
    """Take a heart rate; without confidence it is a placeholder."""
    value = item["value"]
    try:
        time = clock.at(item.get("dateTime"))
        rate = heart_rate(value["bpm"])
    except Unreadable as error:
        raise error.of("heart-rate-series") from None
    if rate is None or value.get("confidence") == 0:
        yield OutOfScope(place, "heart rate without confidence")
    else:
        points.append(Point(time.start.us, rate))


def _value(item: object, name: str | None, clock: Clock, place: str) -> Reading:
    if not isinstance(item, Mapping) or "value" not in item:
        raise Unreadable(Reason.MALFORMED, "A value has a time and a value.")
    value = item["value"]
    if isinstance(value, Mapping):
        return _object(item, value, clock, place)
    what = TAKEOUT.get(name or "")
    if what is None:
        detail = "Only the name of its file would tell what the value is."
        raise Unreadable(Reason.UNKNOWN_KIND, detail)
    try:
        return _bare(value, what, _span(item, name, clock), place)
    except Unreadable as error:
        raise error.of(what.kind) from None


def _span(item: Json, name: str | None, clock: Clock) -> Span:
    if name in TAKEOUT_DAYS:
        return clock.day(_day_of(item.get("dateTime")))
    start = clock.at(item.get("dateTime"))
    return clock.lasting(start, MINUTE_US)._replace(is_disputed=True)


def _bare(value: object, what: Quantity, span: Span, place: str) -> Measurement:
    if not what.unit:
        raise Unreadable(Reason.NO_UNIT, "The file does not tell the unit.")
    return measured(what, value, span, place)


def _object(item: Json, value: Json, clock: Clock, place: str) -> Reading:
    """Return the reading of a value that is an object."""
    if set(value) >= {"value", *_ERRORS}:
        return _resting(item, value, clock, place)
    for member, what in TAKEOUT_OBJECTS.items():
        if value.get(member) is not None:
            span = clock.day(_day_of(item.get("dateTime")))
            return measured(what, value[member], span, f"{place}.value.{member}")
    raise Unreadable(Reason.UNKNOWN_KIND, "The value is not one that is understood.")


def _resting(item: Json, value: Json, clock: Clock, place: str) -> Reading:
    """Return a day's resting heart rate; 0 is Fitbit's word for none."""
    position = f"{place}.value.value"
    given = value.get("date")
    day = _day_of(item.get("dateTime") if given is None else given)
    try:
        span, rate = clock.day(day), size_of(value["value"])
    except Unreadable as error:
        raise error.of(_RESTING.kind) from None
    if not rate:
        return reading(_RESTING.kind, None, "", span, position, absent="unknown")
    return measured(_RESTING, value["value"], span, position)


def _day_of(text: object) -> object:
    """Return the date of `MM/DD/YY HH:MM:SS`."""
    return text.partition(" ")[0] if isinstance(text, str) else text
