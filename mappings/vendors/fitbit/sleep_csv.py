"""The sleep CSV: a line `Sleep`, a header, a row for each sleep.

Numbers have thousands commas or are `N/A`; dates are written in two ways.

https://github.com/sleepdiary/core/tree/main/src/Fitbit
"""

import csv
from collections.abc import Iterator, Mapping
from decimal import Decimal

from mappings.measurement import Component, Measurement, Reading, Reason, Refusal
from mappings.payload import MINUTE_US, Unreadable, number_text
from mappings.times import Span, reading
from mappings.vendors.fitbit.clock import Clock
from mappings.vendors.fitbit.tables import COLUMNS

START, END = "Start Time", "End Time"
_ABSENT = frozenset({"", "N/A"})
_FIRST_ROW = 3
_TITLE = "Sleep"
_MAX_CELLS = 100


def rows(text: str, clock: Clock) -> Iterator[Reading]:
    """Yield the nights of a file; what is no row of it is refused."""
    lines = csv.reader(text.splitlines())
    try:
        title, header = next(lines, []), next(lines, [])
        if title != [_TITLE] or not {START, END} <= set(header):
            detail = "The file is neither JSON nor a sleep CSV of Fitbit."
            yield Refusal("$", Reason.MALFORMED, None, detail)
            return
        for index, cells in enumerate(lines, _FIRST_ROW):
            if any(cells):
                named = dict(zip(header, cells[:_MAX_CELLS], strict=False))
                yield row(named, clock, f"Line[{index}]")
    except csv.Error:
        yield Refusal("$", Reason.MALFORMED, None, "The file is no CSV.")


def row(cells: Mapping[str, object], clock: Clock, position: str) -> Reading:
    """Return the night of a row, or why it is none."""
    try:
        return _night(cells, clock, position)
    except Unreadable as error:
        return error.of("sleep-session").refusal(position, {"csv": dict(cells)})


def _night(cells: Mapping[str, object], clock: Clock, position: str) -> Measurement:
    span = clock.between(cells.get(START), cells.get(END))
    parts = tuple(_parts(cells))
    if not parts:
        raise Unreadable(Reason.INVALID_VALUE, "The row has no values.")
    flags = ("totals-disputed",) if _exceeds(parts, span) else ()
    return reading(
        "sleep-session", None, "", span, position, components=parts, flags=flags
    )


def _parts(cells: Mapping[str, object]) -> Iterator[Component]:
    for column, (kind, unit, _) in COLUMNS.items():
        cell = cells.get(column)
        if isinstance(cell, str) and cell not in _ABSENT:
            yield Component(kind, number_text(cell.replace(",", "")), unit)


def _exceeds(parts: tuple[Component, ...], span: Span) -> bool:
    """Whether more minutes are counted than lie between start and end."""
    length = (span.end or span.start).us - span.start.us
    return any(
        isinstance(part.value, int | Decimal)
        and part.unit == "min"
        and part.value * MINUTE_US > length + MINUTE_US
        for part in parts
    )
