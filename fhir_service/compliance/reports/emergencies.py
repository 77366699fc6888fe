"""Emergency accesses that nobody has reviewed, who is to, and what reviews said.

https://profiles.ihe.net/ITI/PCF/volume-1.html
"""

from collections.abc import Iterator
from datetime import datetime
from typing import NamedTuple

from consent.audit.entry import Interaction
from fhir_service.auth.break_glass_reviews import Verdict
from fhir_service.auth.users import Role
from fhir_service.compliance.reports.releases import person_words
from fhir_service.compliance.reports.report import (
    ALWAYS,
    Period,
    Report,
    heading,
    moment,
    table,
)
from fhir_service.compliance.rows import Reader
from fhir_service.compliance.zones import HOUR_US
from fhir_service.storage import accounts, break_glass
from fhir_service.storage.audit_filter import AuditFilter
from fhir_service.storage.break_glass import Told

MAX_WAITING = 1_000


class Waiting(NamedTuple):
    """An emergency access that nobody has reviewed."""

    started: datetime
    age_hours: int
    who: str
    patient: str
    organisation: str
    reason: str
    patient_was_told: bool
    reviewers: tuple[str, ...]
    id: str


class Reviewed(NamedTuple):
    """A review."""

    when: datetime
    verdict: str
    reviewer: str
    patients: tuple[str, ...]
    row: int


def report(reader: Reader, *, period: Period = ALWAYS) -> Report:
    """Return what waits for a review, oldest first, and the reviews of a time.

    What waits is read from its own index, the reviews by (reason) in the log; what was
    written in the emergency is not shown here.
    """
    found, total = _waiting(reader)
    reviewers = _reviewers(reader)
    return Report(
        heading=heading(
            reader, "Emergency accesses", about=f"{total} to review", period=period
        ),
        tables=(
            table("waiting", Waiting, [_line(reader, one, reviewers) for one in found]),
            table("reviewed", Reviewed, _reviewed(reader, period)),
        ),
        is_complete=total == len(found),
    )


def _waiting(reader: Reader) -> tuple[list[Told], int]:
    organizations = reader.officer.organizations
    scopes: tuple[str | None, ...] = (None,) if organizations is None else organizations
    parts = [break_glass.to_review(reader.snapshot, one, MAX_WAITING) for one in scopes]
    found = [told for part, _ in parts for told in part]
    return found, sum(total for _, total in parts)


def _reviewers(reader: Reader) -> list[tuple[str, str | None]]:
    """Return name and organisation of who may review."""
    return [
        (f"{one.name} ({one.user_id})", one.organization)
        for one in accounts.all_accounts(reader.snapshot)
        if one.role == Role.COMPLIANCE_OFFICER
        and one.removed is None
        and (one.organization is None or reader.officer.is_over(one.organization))
    ]


def _line(
    reader: Reader, told: Told, reviewers: list[tuple[str, str | None]]
) -> Waiting:
    use = told.use
    custodian = reader.services.pseudonyms.custodian(
        reader.snapshot, reader.pseudonym(use.patient)
    )
    return Waiting(
        started=moment(reader, use.started),
        age_hours=(reader.services.clock() - use.started) // HOUR_US,
        who=f"{told.name} ({use.user_id})",
        patient=f"Patient/{use.patient}",
        organisation=use.organization or "",
        reason=use.reason,
        patient_was_told=use.noticed is not None,
        reviewers=tuple(
            name for name, house in reviewers if house in {None, custodian}
        ),
        id=use.break_glass_id,
    )


def _reviewed(reader: Reader, period: Period) -> Iterator[Reviewed]:
    asked = AuditFilter(
        interactions=(Interaction.USER_CHANGE,),
        reasons=tuple(Verdict),
        since_us=period.since_us,
        until_us=period.until_us,
    )
    for row in reader.find(asked, count=MAX_WAITING):
        yield Reviewed(
            when=moment(reader, row.record.time_us),
            verdict=row.record.reason,
            reviewer=person_words(reader, row.record.user),
            patients=tuple(
                f"Patient/{one.id}" for one in row.subjects if one.id is not None
            ),
            row=row.index,
        )
