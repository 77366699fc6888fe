"""A night: one header, one row, and the events in it.

The start is the record's own identifier, milliseconds since 1970; `From` and `To` are
local and name two instants when the clocks change, so they are not read.

https://docs.sleep.urbandroid.org/devs/csv.html
"""

from collections.abc import Iterator, Mapping
from decimal import Decimal
from types import MappingProxyType
from typing import NamedTuple
from zoneinfo import ZoneInfo

from mappings.hypnogram import Night, Segment, night
from mappings.measurement import (
    Component,
    Measurement,
    OutOfScope,
    Reading,
    Reason,
    Refusal,
)
from mappings.payload import (
    HOUR_US,
    MINUTE_US,
    Instant,
    Unreadable,
    number_text,
    zone_of,
)
from mappings.payload import epoch_ms as moment_of
from mappings.times import Span, in_zone, reading

COLUMNS = 15
"""Columns before the actigraphy: `Id` to `Geo`."""

KEPT = ("Id", "Tz", "Hours", "Snore", "DeepSleep", "LenAdjust")
"""Columns that are read; `Comment` and `Geo` never leave the file."""

SHORTEST_US = 5 * MINUTE_US
"""A shorter recording was a test of the app, not a night."""

MANUAL = "-1.0"
"""`LenAdjust` of a night that a person entered; `-1` is minus one minute."""

STAGES: Mapping[str, str] = MappingProxyType(
    {"LIGHT": "light", "DEEP": "deep", "REM": "rem", "AWAKE": "awake"}
)
"""Event `LABEL_START` to `LABEL_END` → code of a sleep-stage."""

VALUES: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "LUX": ("illuminance", "lx"),
        "HR": ("heart-rate", "/min"),
        "SPO2": ("oxygen-saturation", "%"),
    }
)
"""Event with a value → kind and unit."""

NO_MEASUREMENT = frozenset({"DHA", "DEVICE", "RDI", "SNORING", "TALK", "LUCID_CUE"})
"""Events whose value is no measurement: states of the phone and of its algorithms."""

_MAX_HOURS = 7 * 24
_MAX_ID = 15
_EVENT_PARTS = 2


class Event(NamedTuple):
    """What a cell such as `LUX-1606462731883-9.0` says.

    Attributes:
        label: Its first part.
        us: When, microseconds since 1970-01-01T00:00:00Z.
        value: Its last part; empty where there is none.
        cell: The cell.

    """

    label: str
    us: int
    value: str
    cell: str


class Row(NamedTuple):
    """A row with its header.

    Attributes:
        cells: Column → cell, of those that are read.
        events: Cells that are events.
        is_tracked: Whether the phone recorded movement.
        position: Where in the file.

    """

    cells: Mapping[str, str]
    events: tuple[str, ...]
    is_tracked: bool
    position: str

    def payload(self, *events: str) -> dict[str, object]:
        """Return what a retry needs."""
        return {
            "record": dict(self.cells),
            "events": list(events or self.events),
            "tracked": self.is_tracked,
        }


def row_of(header: list[str], cells: list[str], position: str) -> Row:
    """Return a row under its header; comments and places are left behind."""
    named = dict(zip(header[:COLUMNS], cells[:COLUMNS], strict=False))
    rest = cells[COLUMNS:]
    events = tuple(cell for cell in rest if _label(cell))
    return Row(
        {name: named[name] for name in KEPT if name in named},
        events,
        bool(events) or len(rest) > 1,
        position,
    )


def _label(cell: str) -> str:
    """Return the label of an event; empty for a number, which is actigraphy."""
    label, _, rest = cell.partition("-")
    is_label = label.replace("_", "A").isalnum() and label[:1].isalpha()
    return label if is_label and rest[:1].isdigit() else ""


def readings(row: Row, zone: ZoneInfo | None) -> Iterator[Reading]:
    """Yield the night of a row and what its sensors saw."""
    try:
        id_, start, end, name = _times(row, zone)
    except Unreadable as error:
        yield error.of("sleep-session").refusal(row.position, row.payload())
        return
    events = list(_events(row))
    if "Hours" in row.cells:
        if end.us - start.us < SHORTEST_US:
            yield OutOfScope(row.position, "recording of less than five minutes")
            return
        yield _session(row, Span(start, end, name), id_, events)
    for event in events:
        yield from _measured(event, row, id_, name)


def _times(row: Row, zone: ZoneInfo | None) -> tuple[str, Instant, Instant, str | None]:
    """Return the identifier, start, end, and name of the zone.

    Raises:
        Unreadable: `no-time`, `malformed`, `invalid-value`.

    """
    id_, hours = row.cells.get("Id", ""), row.cells.get("Hours")
    if not id_.isdecimal() or len(id_) > _MAX_ID:
        raise Unreadable(Reason.NO_TIME, "The Id is no number of milliseconds.")
    utc = moment_of(int(id_))
    length = number_text(hours) if hours is not None else 0
    if not 0 <= length <= _MAX_HOURS:
        raise Unreadable(Reason.INVALID_VALUE, "The Hours are none of a night.")
    named = zone_of(row.cells.get("Tz", "")) or zone
    end_us = utc.us + int(length * HOUR_US)
    if named is None:
        return id_, utc, moment_of(end_us // 1000), None
    return id_, in_zone(utc.us, named), in_zone(end_us, named), named.key


def _events(row: Row) -> Iterator[Event]:
    for cell in row.events:
        label = _label(cell)
        rest = cell[len(label) + 1 :].split("-", 1)
        if rest[0].isdecimal() and len(rest[0]) <= _MAX_ID:
            value = rest[1] if len(rest) == _EVENT_PARTS else ""
            yield Event(label, int(rest[0]) * 1000, value, cell)


def _session(row: Row, span: Span, id_: str, events: list[Event]) -> Reading:
    try:
        parts = list(_totals(row.cells))
        found = _hypnogram(span, events)
    except Unreadable as error:
        return error.of("sleep-session").refusal(row.position, row.payload())
    adjusted = row.cells.get("LenAdjust", "0")
    is_entered = adjusted == MANUAL or not row.is_tracked
    return reading(
        "sleep-session",
        None,
        "",
        span,
        row.position,
        source_id=id_,
        components=(*parts, *found.stages()),
        self_reported=is_entered,
        method=None if is_entered else "movement of the phone",
        flags=("totals-disputed",) if adjusted not in ("0", MANUAL) else (),
    )


def _totals(cells: Mapping[str, str]) -> Iterator[Component]:
    """Yield the totals; a negative number says that there is none.

    Raises:
        Unreadable: `invalid-value` for what is no number.

    """
    hours = number_text(cells["Hours"])
    yield Component("sleep-duration", hours, "h")
    deep = number_text(cells.get("DeepSleep", "-1"))
    if 0 <= deep <= 1:
        yield Component("deep-sleep-duration", Decimal(hours) * Decimal(deep), "h")
    snore = number_text(cells.get("Snore", "-1"))
    if snore >= 0:
        yield Component("snoring-duration", snore, "s")


def _hypnogram(span: Span, events: list[Event]) -> Night:
    """Return the stages that the events start and end, those within the night."""
    end_us = (span.end or span.start).us
    begun: dict[str, int] = {}
    segments: list[Segment] = []
    for label, us, _, _ in events:
        name, _, edge = label.rpartition("_")
        code = STAGES.get(name)
        if code is None:
            continue
        if edge == "START":
            begun[code] = max(us, span.start.us)
        elif edge == "END" and code in begun:
            start_us = begun.pop(code)
            segments.append(Segment(start_us, max(start_us, us), code))
    segments += [
        Segment(us, max(us, end_us), code) for code, us in sorted(begun.items())
    ]
    inside = [
        one._replace(end_us=min(one.end_us, end_us))
        for one in segments
        if one.start_us < end_us
    ]
    return night(span.start.us, end_us, inside)


def _measured(event: Event, row: Row, id_: str, zone: str | None) -> Iterator[Reading]:
    """Yield what an event measured; the place of an unknown one is kept."""
    label, us, value, cell = event
    if label in VALUES:
        kind, unit = VALUES[label]
        try:
            yield _value(event, kind, unit, (id_, zone), row.position)
        except Unreadable as error:
            yield error.of(kind).refusal(row.position, _alone(row, cell))
    elif value and label not in NO_MEASUREMENT and us:
        detail = "The event is not one that is understood."
        yield Refusal(
            row.position, Reason.UNKNOWN_KIND, None, detail, _alone(row, cell)
        )


def _alone(row: Row, cell: str) -> dict[str, object]:
    """Return a row that is this event alone."""
    cells = {name: row.cells[name] for name in ("Id", "Tz") if name in row.cells}
    return {"record": cells, "events": [cell], "tracked": True}


def _value(
    event: Event, kind: str, unit: str, of: tuple[str, str | None], position: str
) -> Measurement:
    id_, zone = of
    time = moment_of(event.us // 1000)
    named = zone_of(zone) if zone else None
    if named is not None:
        time = in_zone(time.us, named)
    return reading(
        kind,
        number_text(event.value),
        unit,
        Span(time, None, zone),
        f"{position}.{event.label}",
        source_id=f"{id_}#{event.us // 1000}",
    )
