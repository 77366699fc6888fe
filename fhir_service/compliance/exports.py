"""What leaves the console as a file: a table for people, events for programs.

A cell that a spreadsheet would take for a formula gets an apostrophe in front.

https://owasp.org/www-community/attacks/CSV_Injection
https://www.rfc-editor.org/rfc/rfc4180
"""

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from datetime import tzinfo
from typing import Any

from conformance.issues import FHIRError, IssueType
from consent.audit.entry import Basis
from fhir_service.compliance.audit_events import events
from fhir_service.compliance.rows import Reader, Row
from fhir_service.compliance.zones import shown
from fhir_service.storage import audit_log
from fhir_service.storage.audit_filter import AuditFilter

MAX_ROWS = 10_000
"""Rows of one file."""

MAX_PROVED = 1_000
"""Rows of one proof."""

COLUMNS = (
    "row",
    "time",
    "person",
    "client",
    "organisation",
    "address",
    "action",
    "outcome",
    "status",
    "type",
    "purposes",
    "patients",
    "further patients",
    "basis",
    "reason",
    "versions disclosed",
    "versions written",
    "request id",
)

_FORMULA = ("=", "+", "-", "@", "\t", "\r")
_MARK = "\ufeff"
"""By which a spreadsheet knows UTF-8."""


def rows_of(reader: Reader, asked: AuditFilter, most: int = MAX_ROWS) -> list[Row]:
    """Return every row of a question.

    Raises:
        FHIRError: `too-costly` for more than `most`.

    """
    found = reader.find(asked, count=most + 1)
    if len(found) > most:
        raise FHIRError(
            IssueType.TOO_COSTLY,
            f"A file holds at most {most} rows; ask for a shorter time.",
        )
    return found


def table(reader: Reader, found: Sequence[Row], query: str, zone: tzinfo) -> str:
    """Return rows as CSV; its first line says zone, filter and checkpoint.

    Args:
        reader: Whose snapshot it is.
        found: The rows.
        query: What was asked.
        zone: Of the times.

    """
    text = io.StringIO()
    writer = csv.writer(text)
    head = audit_log.head(reader.snapshot)
    size = 0 if head is None else head.frontier.size
    root = "" if head is None else head.frontier.root().hex()
    writer.writerow(
        map(
            cell,
            (
                *("zone", str(zone), "filter", query or "none"),
                *("checkpoint", f"{size} rows", root),
            ),
        )
    )
    writer.writerow(COLUMNS)
    for row in found:
        writer.writerow(map(cell, _cells(row, zone)))
    return _MARK + text.getvalue()


def cell(value: object) -> str:
    """Return a cell that no spreadsheet reckons with."""
    text = str(value)
    return f"'{text}" if text.startswith(_FORMULA) else text


def basis_words(grounds: Iterable[Basis]) -> str:
    """Return what a decision rested on, but for digests."""
    return "; ".join(
        " ".join(part for part in (one.kind.value, one.name, one.path) if part)
        for one in grounds
        if one.kind.value != "inputs"
    )


def _cells(row: Row, zone: tzinfo) -> Iterator[object]:
    record = row.record
    yield from (row.index, shown(record.time_us, zone))
    yield from (record.user, record.client, record.organisation, record.address)
    yield from (record.interaction.value, record.outcome.value, record.status)
    yield from (record.resource_type, " ".join(record.purposes))
    yield " ".join(one.id or one.pseudonym.hex() for one in row.subjects)
    yield from (row.others, basis_words(record.basis), record.reason)
    yield from (len(record.disclosed), len(record.written), record.request_id)


def bundle(reader: Reader, found: Iterable[Row]) -> dict[str, Any]:
    """Return rows as a Bundle of AuditEvents."""
    base = reader.services.base_url
    return {
        "resourceType": "Bundle",
        "type": "collection",
        "entry": [
            {"fullUrl": f"{base}/AuditEvent/{event['id']}", "resource": event}
            for row in found
            for event in events(reader, row)
        ],
    }
