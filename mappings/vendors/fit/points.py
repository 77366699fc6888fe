"""Messages that are readings at one time: scales, cuffs, batteries, single values.

https://developer.garmin.com/fit/file-types/
"""

from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from functools import partial

from mappings.measurement import (
    Component,
    Measurement,
    OutOfScope,
    Reading,
    Reason,
    Refusal,
)
from mappings.payload import SECOND_US, Unreadable
from mappings.times import Span
from mappings.vendors.fit.decode import Message, Value
from mappings.vendors.fit.messages import (
    BATTERY,
    NOT_MEASURED,
    POINTS,
    PRESSURES,
    TIMES,
    WEARER,
    Member,
)
from mappings.vendors.fit.source import Source


def readings(source: Source, message: Message) -> Iterator[Reading]:
    """Yield the readings of a message of `POINTS`, and count its other members."""
    if message.name == "device_info":
        source = source._replace(device=source.told(message.values))
    count = _count(message)
    if not count:
        yield OutOfScope(message.position, "message without a value")
        return
    try:
        span = _span(source, message)
    except Unreadable as error:
        yield error.refusal(message.position, kept(source, message), count)
        return
    if message.name in WEARER and source.wearers > 1:
        yield Refusal(
            message.position,
            Reason.AMBIGUOUS_WEARER,
            None,
            "The file has profiles of several people.",
            kept(source, message),
            count,
        )
        return
    yield from _readings(source, message, span)


def _count(message: Message) -> int:
    values = message.values
    members = {*POINTS[message.name], *NOT_MEASURED.get(message.name, ())}
    has_status = values.get("battery_status") in BATTERY
    return len(members & values.keys()) + bool(_pressures(message)) + has_status


def _span(source: Source, message: Message) -> Span:
    time = message.values.get(TIMES.get(message.name, "timestamp"))
    return source.clock.span(source.clock.at(time))


def kept(source: Source, message: Message) -> dict[str, object]:
    """Return what a retry needs of a message."""
    return {
        "message": message.name,
        "values": {
            name: value
            for name, value in message.values.items()
            if not isinstance(value, tuple)
        },
        "offset_minutes": source.clock.offset,
        "identifier": source.identifier,
        "wearers": source.wearers,
    }


def _readings(source: Source, message: Message, span: Span) -> Iterator[Reading]:
    place, values = message.position, message.values
    mark = f"#{span.start.us // SECOND_US}"
    if message.name == "device_info":
        mark += f"-{values.get('device_index', 0)}"
    of_message = partial(source.reading, span=span, mark=mark)
    parts = _pressures(message)
    if parts:
        yield of_message("blood-pressure", None, "", position=place, components=parts)
    for name, member in POINTS[message.name].items():
        value = values.get(name)
        if isinstance(value, int | Decimal):
            yield _point(of_message, member, value, f"{place}.{name}")
        elif value is not None:
            detail = "The member is not a number."
            yield Refusal(f"{place}.{name}", Reason.INVALID_VALUE, member.kind, detail)
    status = values.get("battery_status")
    if isinstance(status, int) and status in BATTERY:
        yield of_message(*BATTERY[status], "", position=f"{place}.battery_status")
    for name in sorted(NOT_MEASURED.get(message.name, frozenset()) & values.keys()):
        yield OutOfScope(f"{place}.{name}", "the maker's grade or sum")


def _pressures(message: Message) -> tuple[Component, ...]:
    if message.name != "blood_pressure":
        return ()
    return tuple(
        Component(kind, value, "mm[Hg]")
        for member, kind in PRESSURES.items()
        if isinstance(value := message.values.get(member), int | Decimal)
    )


def _point(
    of_message: Callable[..., Measurement],
    member: Member,
    value: Decimal | int,
    position: str,
) -> Measurement:
    """Return the reading of a number; a sentinel has no value and says why."""
    is_absent = value < 0 or value == member.absent
    return of_message(
        member.kind,
        None if is_absent else value * member.factor,
        "" if is_absent else member.unit,
        position=position,
        method=member.method,
        absent="unknown" if is_absent else None,
    )


def again(payload: Mapping[str, object]) -> Message | None:
    """Return the message that `kept` kept; None for any other object."""
    name, values = payload.get("message"), payload.get("values")
    if (
        not isinstance(name, str)
        or name not in POINTS
        or not isinstance(values, Mapping)
    ):
        return None
    members: dict[str, Value] = {
        str(member): value
        for member, value in values.items()
        if isinstance(value, int | Decimal | str) and not isinstance(value, bool)
    }
    return Message(0, 0, name, members)
