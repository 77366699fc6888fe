"""Who saw anything of one patient, for what purpose, and what allowed it.

A person's accesses stand one by one; a program that asks again and again stands as one
line a day and kind of request, with how often it asked and how much it read.
"""

from collections.abc import Iterable, Iterator
from datetime import date, datetime
from typing import NamedTuple

from consent.audit.entry import AuditRecord, Interaction, Outcome
from fhir_service.compliance.reports.releases import (
    described,
    grounds_of,
    organization_words,
    person_words,
    versions_of,
)
from fhir_service.compliance.reports.report import (
    ALWAYS,
    MAX_ROWS,
    Period,
    Report,
    cut_at,
    heading,
    moment,
    oldest,
    patient,
    table,
)
from fhir_service.compliance.rows import Reader, Row
from fhir_service.storage import accounts
from fhir_service.storage.audit_filter import AuditFilter
from fhir_service.storage.patients import PatientState
from fhir_service.storage.released import Released

SEEING = tuple(
    map(
        Interaction,
        (
            *("read", "vread", "history", "search", "operation", "export", "delivery"),
            *("batch", "transaction", "break-glass", "consent-decision", "audit-read"),
        ),
    )
)
"""What shows something to somebody; writes are in the record's own history."""


class Access(NamedTuple):
    """An access of a person, or the like accesses of a program on one day."""

    first: datetime
    last: datetime
    times: int
    who: str
    role: str
    organisation: str
    client: str
    purposes: tuple[str, ...]
    what: str
    result: str
    versions: int
    allowed_by: tuple[str, ...]
    reason: str
    in_words: str
    rows: tuple[int, ...]


MAX_NAMED_ROWS = 50


def report(reader: Reader, patient_id: str, *, period: Period = ALWAYS) -> Report:
    """Return who saw anything of a patient.

    Raises:
        FHIRError: `not-found` for a patient who is not the officer's.

    """
    state = patient(reader, patient_id)
    asked = AuditFilter(
        patients=(reader.pseudonym(state.id),),
        interactions=SEEING,
        since_us=period.since_us,
        until_us=period.until_us,
    )
    found = reader.find(asked, count=MAX_ROWS + 1)
    rows = found[:MAX_ROWS][::-1]
    made = Report(
        heading=heading(
            reader, "Access report", about=f"Patient/{state.id}", period=period
        ),
        tables=(table("accesses", Access, list(_lines(reader, state, rows))),),
        notes=(
            (
                "Times are when it was answered. A program's like requests of one day "
                "are one line."
            ),
        ),
    )
    return cut_at(reader, made, oldest(found, MAX_ROWS))


def _lines(reader: Reader, state: PatientState, rows: list[Row]) -> Iterator[Access]:
    versions = described(reader, state, rows)
    groups: dict[tuple[object, ...], list[Row]] = {}
    for row in rows:
        groups.setdefault(_group(reader, row), []).append(row)
    for group in groups.values():
        yield _line(
            reader, group, [one for row in group for one in versions_of(row, versions)]
        )


def _group(reader: Reader, row: Row) -> tuple[object, ...]:
    """Return what a row has in common with others that are told with it."""
    record = row.record
    if record.user:
        return (row.index,)
    day: date = moment(reader, record.time_us).date()
    return (
        day,
        record.client,
        record.organisation,
        record.purposes,
        record.interaction,
        record.resource_type,
        record.outcome,
        record.reason,
        grounds_of(record),
    )


def _line(reader: Reader, group: list[Row], versions: Iterable[Released]) -> Access:
    record, seen = group[0].record, list(versions)
    account = accounts.find_user(reader.snapshot, record.user) if record.user else None
    organisation = organization_words(reader, record.organisation)[0]
    return Access(
        first=moment(reader, record.time_us),
        last=moment(reader, group[-1].record.time_us),
        times=len(group),
        who=person_words(reader, record.user) or f"program {record.client}",
        role="" if account is None else account.role,
        organisation=organisation or record.organisation,
        client=record.client,
        purposes=record.purposes,
        what=f"{record.interaction.value} {record.resource_type}".strip(),
        result=record.outcome.value,
        versions=len(seen),
        allowed_by=grounds_of(record),
        reason=record.reason,
        in_words=_in_words(record, len(group), len(seen)),
        rows=tuple(row.index for row in group[:MAX_NAMED_ROWS]),
    )


_ENDED = {
    Outcome.ALLOWED: "was answered",
    Outcome.DENIED: "was refused",
    Outcome.ERROR: "failed",
}


def _in_words(record: AuditRecord, times: int, versions: int) -> str:
    """Return a sentence for the patient."""
    who = record.user or f"The program {record.client}"
    often = "asked once" if times == 1 else f"asked {times} times"
    purpose = ", ".join(record.purposes) or "no stated purpose"
    read = "nothing was read" if not versions else f"{versions} items were read"
    return f"{who} {often} for {purpose}; it {_ENDED[record.outcome]}, {read}."
