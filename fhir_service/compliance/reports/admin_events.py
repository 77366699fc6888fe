"""Who read the log, exported, or changed rules, keys, clients or people."""

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import NamedTuple

from consent.audit.entry import Interaction
from fhir_service.compliance.reports.releases import person_words
from fhir_service.compliance.reports.report import (
    ALWAYS,
    MAX_ROWS,
    Period,
    Report,
    cut_at,
    heading,
    moment,
    oldest,
    table,
)
from fhir_service.compliance.rows import Reader, Row
from fhir_service.storage.audit_filter import AuditFilter

ADMIN = tuple(
    map(
        Interaction,
        (
            *("audit-read", "export", "config", "key-rotation", "user-change"),
            *("register", "revoke", "erasure", "retention", "start", "stop"),
        ),
    )
)
"""What is looked for, whether this version records it or not."""


class AdminEvent(NamedTuple):
    """One event."""

    when: datetime
    kind: str
    who: str
    client: str
    organisation: str
    address: str
    asked: str
    outcome: str
    patients: tuple[str, ...]
    row: int


def report(
    reader: Reader,
    *,
    period: Period = ALWAYS,
    kinds: Iterable[Interaction] = ADMIN,
) -> Report:
    """Return what administrators and officers did, newest first.

    Read from the index of (interaction, row).
    """
    asked = AuditFilter(
        interactions=tuple(kinds), since_us=period.since_us, until_us=period.until_us
    )
    found = reader.find(asked, count=MAX_ROWS + 1)
    rows = found[:MAX_ROWS]
    made = Report(
        heading=heading(
            reader, "Administration", about="readings, exports, changes", period=period
        ),
        tables=(table("events", AdminEvent, _lines(reader, rows)),),
        notes=("This reading is itself in the log.",),
        not_recorded=(
            (
                "Changes of settings other than the rules of consent: they are made "
                "in the environment of the process."
            ),
        ),
    )
    return cut_at(reader, made, oldest(found, MAX_ROWS))


def _lines(reader: Reader, rows: Iterable[Row]) -> Iterator[AdminEvent]:
    for row in rows:
        record = row.record
        yield AdminEvent(
            when=moment(reader, record.time_us),
            kind=record.interaction.value,
            who=person_words(reader, record.user),
            client=record.client,
            organisation=record.organisation,
            address=record.address,
            asked=record.request or "",
            outcome=record.outcome.value,
            patients=tuple(
                f"Patient/{one.id}" for one in row.subjects if one.id is not None
            ),
            row=row.index,
        )
