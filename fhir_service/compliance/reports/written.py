"""A report as a file: CSV for a spreadsheet, JSON, FHIR Parameters.

A cell that a spreadsheet would run is neutralised (ASVS 1.2.10): what begins with
`=`, `+`, `-`, `@`, a tab or a carriage return gets an apostrophe before it. Numbers are
numbers.

https://owasp.org/www-community/attacks/CSV_Injection
"""

import csv
import io
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from datetime import datetime
from typing import Any

from consent.audit.entry import neutralise
from fhir_service.compliance.reports.report import Report, Table

_RUN = ("=", "+", "-", "@", "\t", "\r")
_MAX_CELL = 32_000
"""Characters of a cell; a spreadsheet takes 32,767."""

Json = dict[str, Any]


def to_csv(report: Report) -> str:
    """Return the report as CSV: first what it is of, then each table."""
    sink = io.StringIO()
    writer = csv.writer(sink, lineterminator="\r\n")
    for row in _csv_rows(report):
        writer.writerow([cell(value) for value in row])
    return sink.getvalue()


def cell(value: object) -> str:
    """Return a value as a cell that a spreadsheet shows and does not run."""
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    text = str(plain(value))
    is_run = text.startswith(_RUN) or text.lstrip().startswith(_RUN)
    shown = neutralise(text, _MAX_CELL)
    return f"'{shown}" if is_run else shown


def plain(value: object) -> Any:
    """Return a value as JSON has it; several texts as one, nothing as no text."""
    if value is None:
        return ""
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, tuple):
        return "; ".join(str(plain(one)) for one in value)
    return value


def _csv_rows(report: Report) -> Iterator[Iterable[object]]:
    head = report.heading
    yield (head.title, head.about)
    yield (
        f"zone {head.zone}",
        f"filter {head.asked}",
        f"checkpoint size {head.log_size}",
        f"made {head.made.isoformat()}",
        f"complete {plain(report.is_complete)}",
    )
    for note in report.notes:
        yield ("note", note)
    for note in report.not_recorded:
        yield ("not recorded here", note)
    for one in report.tables:
        yield ()
        yield (one.name,)
        yield one.columns
        yield from one.lines


def to_json(report: Report) -> Json:
    """Return the report for programs."""
    return {
        "heading": {name: plain(one) for name, one in asdict(report.heading).items()},
        "complete": report.is_complete,
        "notes": list(report.notes),
        "notRecordedHere": list(report.not_recorded),
        "tables": {one.name: list(_json_rows(one)) for one in report.tables},
    }


def _json_rows(table: Table) -> Iterator[Json]:
    for row in table.rows():
        yield {name: _json(value) for name, value in row.items()}


def _json(value: object) -> Any:
    if isinstance(value, tuple):
        return [_json(one) for one in value]
    return value.isoformat() if isinstance(value, datetime) else value


def to_parameters(report: Report) -> Json:
    """Return the report as a Parameters resource.

    https://hl7.org/fhir/R4/parameters.html
    """
    return {"resourceType": "Parameters", "parameter": list(_parameters(report))}


def _parameters(report: Report) -> Iterator[Json]:
    head = report.heading
    yield {"name": "title", "valueString": head.title}
    yield {"name": "about", "valueString": head.about}
    yield {"name": "filter", "valueString": head.asked}
    yield {"name": "zone", "valueString": head.zone}
    yield {"name": "made", "valueInstant": head.made.isoformat()}
    yield {"name": "checkpointSize", "valueString": str(head.log_size)}
    yield {"name": "complete", "valueBoolean": report.is_complete}
    for note in report.notes:
        yield {"name": "note", "valueString": note}
    for note in report.not_recorded:
        yield {"name": "notRecordedHere", "valueString": note}
    for one in report.tables:
        for row in one.rows():
            parts = [part for name, value in row.items() for part in _part(name, value)]
            yield {"name": _named(one.name), "part": parts}


def _part(name: str, value: object) -> Iterator[Json]:
    """Yield the values of a column; nothing for an empty one."""
    for element, kind in _ELEMENTS:
        if isinstance(value, kind):
            text = plain(value) if isinstance(value, datetime) else value
            if text != "":
                yield {"name": _named(name), element: text}
            return
    if isinstance(value, tuple):
        for one in value:
            yield from _part(name, one)


_ELEMENTS: tuple[tuple[str, type], ...] = (
    ("valueBoolean", bool),
    ("valueInteger", int),
    ("valueInstant", datetime),
    ("valueString", str),
)


def _named(name: str) -> str:
    """Return a name of ours as FHIR writes names."""
    first, *rest = name.replace(" ", "_").split("_")
    return first + "".join(part.capitalize() for part in rest)
