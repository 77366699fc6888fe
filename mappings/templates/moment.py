"""When a measurement of a template was taken: an instant, an interval or a day.

Every format names an instant exactly; a local time needs a zone that somebody has
named, and the time of arrival stands in only where the template says so.
"""

from collections.abc import Callable, Mapping
from decimal import Decimal
from types import MappingProxyType
from typing import Any, NamedTuple

from mappings.kinds import Effective, Kind, ValueType
from mappings.measurement import Reason
from mappings.payload import (
    SECOND_US,
    Instant,
    Unreadable,
    epoch_ms,
    instant_of,
    zone_of,
)
from mappings.payload import after as later
from mappings.templates.number import quantity
from mappings.templates.scope import Compiling, Get, Message, short_text
from mappings.times import (
    Span,
    in_zone,
    local_day,
    local_instant,
    named_zone,
    written_at,
)

When = Callable[[Any, Message], Span]

_FIRST_US = 946_684_800 * SECOND_US
_LAST_US = 7_258_118_400 * SECOND_US

_EPOCHS = MappingProxyType(
    {
        "epoch-s": Decimal(SECOND_US),
        "epoch-ms": Decimal(1000),
        "epoch-us": Decimal(1),
        "epoch-ns": Decimal("0.001"),
    }
)
"""Microseconds in one unit of a count since 1970."""

DURATIONS_US = MappingProxyType(
    {
        "us": 1,
        "ms": 1000,
        "s": SECOND_US,
        "min": 60 * SECOND_US,
        "h": 3600 * SECOND_US,
    }
)
"""Microseconds in one unit of a length of time."""


class _Moment(NamedTuple):
    instant: Instant
    zone: str | None = None
    is_disputed: bool = False


_Read = Callable[[Any, Message, str | None], _Moment]
"""Reads a time, given the zone that the template finds."""


def _iso(value: Any, _message: Message, zone: str | None) -> _Moment:
    return _Moment(instant_of(value), zone if zone and zone_of(zone) else None)


def _local(value: Any, message: Message, zone: str | None) -> _Moment:
    known = named_zone(zone or message.zone)
    try:
        instant, is_disputed = local_instant(value, known)
    except OverflowError:
        raise _no_such_time() from None
    return _Moment(instant, known.key, is_disputed)


def _no_such_time() -> Unreadable:
    """Return the refusal of a time at an end of the calendar."""
    return Unreadable(Reason.MALFORMED, "The time does not exist.")


def _arrival(_value: Any, message: Message, _zone: str | None) -> _Moment:
    envelope = message.envelope
    if envelope is None:
        return _Moment(message.received)
    if envelope.get("retain") is True or envelope.get("retained") is True:
        raise Unreadable(
            Reason.NO_TIME, "A retained message repeats old values: it has no time."
        )
    return _Moment(instant_of(envelope.get("received_at")))


def _epoch(form: str) -> _Read:
    unit, is_ms = _EPOCHS[form], form == "epoch-ms"

    def read(value: Any, _message: Message, zone: str | None) -> _Moment:
        if is_ms and zone is None and type(value) is int:
            return _Moment(epoch_ms(value))
        if value is None or value == "":
            raise Unreadable(Reason.NO_TIME, "There is no time.")
        count = _count(value)
        us = int(count * unit)
        if not _FIRST_US <= us < _LAST_US:
            raise Unreadable(
                Reason.MALFORMED, f"The time is not a number of {form} since 1970."
            )
        known = None if zone is None else zone_of(zone)
        if known is not None:
            return _Moment(in_zone(us, known), zone)
        if is_ms and count == int(count):
            return _Moment(epoch_ms(int(count)))
        return _Moment(written_at(us))

    return read


def _count(value: Any) -> Decimal:
    try:
        return Decimal(quantity(value))
    except Unreadable:
        raise Unreadable(Reason.MALFORMED, "The time is not a number.") from None


_FORMATS: Mapping[str, _Read] = MappingProxyType(
    {
        "iso": _iso,
        "local": _local,
        "arrival": _arrival,
        **{form: _epoch(form) for form in _EPOCHS},
    }
)
"""Every format of a time; the schema's enumeration is held against it by a test."""


def when(compiling: Compiling, spec: Mapping[str, Any], pointer: str) -> When:
    """Return what tells when a measurement was taken."""
    zone = _zone(compiling, spec, pointer)
    if "day" in spec:
        return _day(compiling.get(spec["day"], f"{pointer}/day"), zone)
    read = _FORMATS[spec["format"]]
    get = {
        name: compiling.get(spec[name], f"{pointer}/{name}")
        for name in ("at", "start", "end", "duration")
        if name in spec
    }
    if "start" not in get and "end" not in get:
        return _instant(read, get.get("at", _nothing), zone)
    if "duration" in get:
        unit_us = DURATIONS_US[spec["duration_unit"]]
        return _lasting(read, get, zone, unit_us)
    return _interval(read, get, zone)


def _nothing(_item: Any, _message: Message) -> None:
    return None


def _zone(compiling: Compiling, spec: Mapping[str, Any], pointer: str) -> Get | None:
    if "zone" not in spec:
        return None
    get = compiling.get(spec["zone"], f"{pointer}/zone")
    return lambda item, message: short_text(get(item, message))


def _instant(read: _Read, get: Get, zone: Get | None) -> When:
    if zone is None:

        def at(item: Any, message: Message) -> Span:
            instant, name, is_disputed = read(get(item, message), message, None)
            return Span(instant, None, name, is_disputed)

        return at

    def at_zone(item: Any, message: Message) -> Span:
        found = read(get(item, message), message, zone(item, message))
        return Span(found.instant, None, found.zone, found.is_disputed)

    return at_zone


def _interval(read: _Read, get: Mapping[str, Get], zone: Get | None) -> When:
    def between(item: Any, message: Message) -> Span:
        name = None if zone is None else zone(item, message)
        start, end = (
            read(get[bound](item, message), message, name) for bound in ("start", "end")
        )
        is_disputed = start.is_disputed or end.is_disputed
        return Span(start.instant, end.instant, start.zone, is_disputed)

    return between


def _lasting(
    read: _Read, get: Mapping[str, Get], zone: Get | None, unit_us: int
) -> When:
    bound = "start" if "start" in get else "end"

    def lasting(item: Any, message: Message) -> Span:
        name = None if zone is None else zone(item, message)
        known, found, is_disputed = read(get[bound](item, message), message, name)
        us = _length(get["duration"](item, message), unit_us)
        clocks = None if read is _iso else found
        other = shifted(known, us if bound == "start" else -us, clocks)
        start, end = (known, other) if bound == "start" else (other, known)
        return Span(start, end, found, is_disputed)

    return lasting


def shifted(known: Instant, us: int, zone: str | None) -> Instant:
    """Return a moment that lies `us` after another, at its offset or in a zone.

    Raises:
        Unreadable: `malformed` at the ends of the calendar.

    """
    try:
        if zone is None:
            return later(known, us)
        return in_zone(known.us + us, named_zone(zone))
    except OverflowError:
        raise _no_such_time() from None


def _length(value: Any, unit_us: int) -> int:
    if value is None or value == "":
        raise Unreadable(Reason.NO_TIME, "There is no duration.")
    try:
        length = quantity(value)
    except Unreadable:
        raise Unreadable(Reason.MALFORMED, "The duration is not a number.") from None
    us = int(length * unit_us)
    if not 0 <= us <= _LAST_US - _FIRST_US:
        raise Unreadable(Reason.MALFORMED, "The duration is not one of a measurement.")
    return us


def _day(get: Get, zone: Get | None) -> When:
    def day(item: Any, message: Message) -> Span:
        named = None if zone is None else zone(item, message)
        known, found = named_zone(named or message.zone), get(item, message)
        if isinstance(found, list | dict):
            raise Unreadable(Reason.MALFORMED, "The text is not a day.")
        try:
            return local_day(found or None, known)
        except OverflowError:
            raise _no_such_time() from None

    return day


def check_time(
    compiling: Compiling, spec: Mapping[str, Any], kind: Kind, pointer: str
) -> None:
    """Record what makes a time unfit for a kind; a signal ends with its values."""
    is_instant = not {"start", "end", "day"} & spec.keys()
    if kind.value is ValueType.SAMPLES:
        return
    if is_instant and kind.effective is Effective.PERIOD:
        compiling.faults.add(
            pointer,
            f"{kind.name} needs an interval: `start` and `end`, a `duration`, or a "
            "`day`.",
        )


def check_moments(compiling: Compiling, spec: Mapping[str, Any], pointer: str) -> None:
    """Record what makes a time unfit for the elements of a list."""
    if "day" in spec or spec.get("format") == "arrival":
        compiling.faults.add(pointer, "Each stage has a time of its own.")
