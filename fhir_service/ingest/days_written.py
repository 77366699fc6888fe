"""A report of days with data, as JSON and as CSV.

In CSV, a text that a spreadsheet would take for a formula has an apostrophe before it.

https://owasp.org/www-community/attacks/CSV_Injection and
https://www.rfc-editor.org/rfc/rfc4180
"""

import csv
import io
from collections.abc import Iterator, Sequence
from typing import Any
from zoneinfo import ZoneInfo

from fhir_service.ingest.days_report import (
    HEART_RATE_MINUTES,
    STEP_HOURS,
    Held,
    LocalDay,
    Report,
)
from fhir_service.storage.day_counts import HOUR_US
from mappings.times import in_zone

COLUMNS = (
    "date",
    "window",
    "hours",
    "valid",
    "heart_rate_minutes",
    "step_hours",
    "kind",
    "data_class",
    "device",
    "measurements",
    "first",
    "last",
)

_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")
"""What a spreadsheet takes for the beginning of a formula."""

_NOTHING = Held("", "", "", 0, 0, 0)

_BASIS = (
    "The project's choice: minutes with a heart rate, or hours with steps, after "
    "ActiWearCheck (doi:10.2196/46149)."
)


def as_json(
    patient: str, zone: ZoneInfo, report: Report, notices: Sequence[str] = ()
) -> dict[str, Any]:
    """Return a report for programs."""
    told: dict[str, Any] = {
        "patient": f"Patient/{patient}",
        "zone": zone.key,
        "start": report.days[0].on.isoformat(),
        "end": report.days[-1].on.isoformat(),
        "validDay": {
            "heartRateMinutes": HEART_RATE_MINUTES,
            "stepHours": STEP_HOURS,
            "basis": _BASIS,
        },
        "windows": [_window_json(window, zone) for window in report.windows],
    }
    if notices:
        told["notices"] = list(notices)
    return told


def _window_json(days: Sequence[LocalDay], zone: ZoneInfo) -> dict[str, Any]:
    return {
        "start": days[0].on.isoformat(),
        "end": days[-1].on.isoformat(),
        "length": len(days),
        "daysWithData": sum(1 for day in days if day.held),
        "validDays": sum(1 for day in days if day.is_valid),
        "days": [_day_json(day, zone) for day in days],
    }


def _day_json(day: LocalDay, zone: ZoneInfo) -> dict[str, Any]:
    return {
        "date": day.on.isoformat(),
        "start": _local(day.start_us, zone),
        "end": _local(day.end_us, zone),
        "valid": day.is_valid,
        "heartRateMinutes": day.heart_rate_minutes,
        "stepHours": day.step_hours,
        "measurements": sum(one.measurements for one in day.held),
        "data": [_held_json(one, zone) for one in day.held],
    }


def _held_json(one: Held, zone: ZoneInfo) -> dict[str, Any]:
    told = {
        "kind": one.kind,
        "dataClass": one.data_class,
        "device": one.device,
        "measurements": one.measurements,
        "first": _local(one.first_us, zone),
        "last": _local(one.last_us, zone),
    }
    return {name: value for name, value in told.items() if value != ""}


def as_csv(zone: ZoneInfo, report: Report) -> str:
    """Return a report as a table: a row a day, kind and device, or an empty day."""
    sink = io.StringIO()
    writer = csv.writer(sink)
    writer.writerow(COLUMNS)
    for number, window in enumerate(report.windows, 1):
        for day in window:
            writer.writerows(map(_safe, _rows(number, day, zone)))
    return sink.getvalue()


def _rows(number: int, day: LocalDay, zone: ZoneInfo) -> Iterator[tuple[str, ...]]:
    hours = (day.end_us - day.start_us) / HOUR_US
    for one in day.held or (_NOTHING,):
        yield (
            day.on.isoformat(),
            str(number),
            f"{hours:g}",
            "yes" if day.is_valid else "no",
            str(day.heart_rate_minutes),
            str(day.step_hours),
            one.kind,
            one.data_class,
            one.device,
            str(one.measurements),
            _local(one.first_us, zone) if one.measurements else "",
            _local(one.last_us, zone) if one.measurements else "",
        )


def _local(us: int, zone: ZoneInfo) -> str:
    return in_zone(us, zone).text


def _safe(row: Sequence[str]) -> list[str]:
    return [f"'{cell}" if cell.startswith(_FORMULA) else cell for cell in row]
