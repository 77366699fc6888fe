"""Accesses for which no explanation is known: what is left for people to look at."""

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import NamedTuple

from fhir_service.compliance.progress import progress
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


class Unexplained(NamedTuple):
    """An access without an explanation."""

    when: datetime
    who: str
    client: str
    organisation: str
    purposes: tuple[str, ...]
    what: str
    patients: tuple[str, ...]
    row: int


def report(reader: Reader, *, period: Period = ALWAYS) -> Report:
    """Return the accesses of a time that nothing explains, newest first.

    Read from the index of explanations by (code, row). Where explanations are behind,
    it says how far they have come, and is not complete.
    """
    asked = AuditFilter(
        is_unexplained=True, since_us=period.since_us, until_us=period.until_us
    )
    found = reader.find(asked, count=MAX_ROWS + 1)
    rows = found[:MAX_ROWS]
    reached = progress(reader.snapshot)
    made = Report(
        heading=heading(reader, "Unexplained accesses", about="the log", period=period),
        tables=(table("accesses", Unexplained, _lines(reader, rows)),),
        notes=(reached.words,),
        is_complete=reached.is_explained,
    )
    return cut_at(reader, made, oldest(found, MAX_ROWS))


def _lines(reader: Reader, rows: Iterable[Row]) -> Iterator[Unexplained]:
    for row in rows:
        record = row.record
        yield Unexplained(
            when=moment(reader, record.time_us),
            who=person_words(reader, record.user),
            client=record.client,
            organisation=record.organisation,
            purposes=record.purposes,
            what=f"{record.interaction.value} {record.resource_type}".strip(),
            patients=tuple(
                f"Patient/{one.id}" for one in row.subjects if one.id is not None
            ),
            row=row.index,
        )
