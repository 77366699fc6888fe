"""What was deleted or erased, and what keeps a date here: as far as it is recorded."""

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
from fhir_service.compliance.zones import DAY_US
from fhir_service.storage.audit_filter import AuditFilter

ENDING = tuple(map(Interaction, ("delete", "erasure", "retention")))
"""What is looked for, whether this version records it or not."""


class Ended(NamedTuple):
    """A deletion or an erasure."""

    when: datetime
    kind: str
    what: str
    who: str
    client: str
    outcome: str
    patients: tuple[str, ...]
    versions: int
    row: int


class Kept(NamedTuple):
    """How long something is kept by rule."""

    what: str
    days: int
    note: str


def report(reader: Reader, *, period: Period = ALWAYS) -> Report:
    """Return what was ended in a time, newest first, and what this service keeps.

    Read from the index of (interaction, row).
    """
    asked = AuditFilter(
        interactions=ENDING, since_us=period.since_us, until_us=period.until_us
    )
    found = reader.find(asked, count=MAX_ROWS + 1)
    rows = found[:MAX_ROWS]
    made = Report(
        heading=heading(
            reader, "Retention and erasure", about="what was ended", period=period
        ),
        tables=(
            table("ended", Ended, _lines(reader, rows)),
            table("kept", Kept, _kept(reader)),
        ),
        notes=(
            (
                "A deletion here is a version that says so: earlier versions stay "
                "until they are erased. `audit prove` proves any of these rows."
            ),
        ),
        not_recorded=(
            "Retention dates and what is past them: resources have none here.",
            "Legal holds: none can be set here.",
            "Erasure of a patient's key: no command of this service does it.",
        ),
    )
    return cut_at(reader, made, oldest(found, MAX_ROWS))


def _kept(reader: Reader) -> Iterator[Kept]:
    lifetime = reader.services.raw_lifetime_us
    yield Kept(
        what="raw payloads of devices",
        days=lifetime // DAY_US,
        note="deleted when due" if lifetime else "not kept at all",
    )


def _lines(reader: Reader, rows: Iterable[Row]) -> Iterator[Ended]:
    for row in rows:
        record = row.record
        yield Ended(
            when=moment(reader, record.time_us),
            kind=record.interaction.value,
            what=record.resource_type,
            who=person_words(reader, record.user),
            client=record.client,
            outcome=record.outcome.value,
            patients=tuple(
                f"Patient/{one.id}" for one in row.subjects if one.id is not None
            ),
            versions=len(record.written),
            row=row.index,
        )
