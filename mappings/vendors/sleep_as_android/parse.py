"""Exports of Sleep as Android to readings.

https://docs.sleep.urbandroid.org/devs/csv.html
"""

import csv
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, BinaryIO
from zoneinfo import ZoneInfo

from mappings.accounted import accounted
from mappings.measurement import OutOfScope, Reading, Reason, Refusal
from mappings.payload import zone_of
from mappings.vendors.sleep_as_android.archive import opened
from mappings.vendors.sleep_as_android.record import KEPT, Row, readings, row_of

_ID = "Id"


def parse(
    payload: object,
    *,
    received_at: datetime,  # noqa: ARG001 - every source's parser takes it
    zone: str | None = None,
) -> Iterator[Reading]:
    """Yield the readings of a refusal's payload, to try it again.

    Args:
        payload: `{record, events, tracked}` as a refusal has it.
        received_at: When the export arrived; a record has its own time.
        zone: Zone of the person where a record names none.

    """
    at = None if zone is None else zone_of(zone)
    record = payload.get("record") if isinstance(payload, Mapping) else None
    if not isinstance(payload, Mapping) or not isinstance(record, Mapping):
        detail = "A record of Sleep as Android comes in a file."
        yield Refusal("$", Reason.MALFORMED, None, detail, payload)
        return
    given: Any = payload.get("events")
    events = given if isinstance(given, list) else []
    found = readings(
        Row(
            {key: record[key] for key in KEPT if isinstance(record.get(key), str)},
            tuple(event for event in events if isinstance(event, str)),
            payload.get("tracked") is True,
            "$",
        ),
        at,
    )
    yield from accounted(found, "record without a value")


def parse_file(
    payload: Path | BinaryIO,
    *,
    received_at: datetime,  # noqa: ARG001 - every source's parser takes it
    zone: str | None = None,
    progress: Callable[[int], None] = lambda _: None,
) -> Iterator[Reading]:
    """Yield the readings of an export.

    Args:
        payload: Path or binary stream of the zip, or of sleep-export.csv.
        received_at: When the export arrived; a record has its own time.
        zone: Zone of the person where a record names none.
        progress: Told how many bytes of the file were read.

    Raises:
        FHIRError: `structure` for a file that is no export, `too-long` for a bomb.

    """
    export = opened(payload)
    progress(export.size)
    at = None if zone is None else zone_of(zone)
    yield from accounted(_rows(export.text, at), "export without a record")
    for name, what in export.others:
        yield OutOfScope(name, what)


def _rows(text: str, zone: ZoneInfo | None) -> Iterator[Reading]:
    """Yield the readings of each row; a header stands before each record."""
    lines = csv.reader(text.splitlines(keepends=True))
    header: list[str] | None = None
    try:
        for number, cells in enumerate(lines, 1):
            if cells and cells[0] == _ID:
                header = cells
            elif any(cells):
                yield from _row(header, cells, f"Line[{number}]", zone)
    except csv.Error:
        yield Refusal("$", Reason.MALFORMED, None, "The file is no CSV.")


def _row(
    header: list[str] | None, cells: list[str], position: str, zone: ZoneInfo | None
) -> Iterator[Reading]:
    if header is None:
        detail = "The row has no header before it."
        yield Refusal(position, Reason.MALFORMED, None, detail)
    elif not cells[0]:
        yield OutOfScope(position, "noise levels without a unit")
    else:
        yield from readings(row_of(header, cells, position), zone)
