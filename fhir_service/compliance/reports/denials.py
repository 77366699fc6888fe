"""What was refused, by reason; what was permitted later; what looks misconfigured."""

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import NamedTuple

from consent.audit.entry import Outcome
from fhir_service.compliance.reports.report import (
    Period,
    Report,
    heading,
    moment,
    table,
)
from fhir_service.compliance.rows import Reader, Row
from fhir_service.storage.audit_filter import AuditFilter
from fhir_service.storage.audit_search import groups

DAY_US = 86_400_000_000
WEEK_US = 7 * DAY_US
MATCHED = 200
"""Refusals, the newest, for which a later permission is looked for."""

OFTEN = 10
"""Refusals of a client from which on one that never succeeded looks misconfigured."""


class ByReason(NamedTuple):
    """How often a reason refused."""

    reason: str
    refusals: int
    first: datetime
    last: datetime


class PermittedLater(NamedTuple):
    """A refusal, and what the same client got of the same patient after it."""

    refused: datetime
    reason: str
    permitted: datetime
    client: str
    who: str
    purposes_then: tuple[str, ...]
    purposes_later: tuple[str, ...]
    what: str
    refused_row: int
    permitted_row: int


class Suspect(NamedTuple):
    """A client that was refused often and got nothing."""

    client: str
    refusals: int
    reasons: tuple[str, ...]
    why: str


def report(
    reader: Reader,
    *,
    period: Period | None = None,
    within_us: int = DAY_US,
) -> Report:
    """Return what was refused in a time.

    The refusals of the time are read from the index of (outcome, row); for the newest
    `MATCHED` of them one look-up each finds what came later.

    Args:
        reader: Of the officer.
        period: When; the last seven days where it is not said.
        within_us: How much later a permission counts.

    """
    now = reader.services.clock()
    period = period or Period(now - WEEK_US, now + 1)
    asked = AuditFilter(
        outcomes=(Outcome.DENIED,), since_us=period.since_us, until_us=period.until_us
    )
    scoped = reader.scoped(asked)
    reasons = [
        ByReason(
            reason=one.name or "not said",
            refusals=one.events,
            first=moment(reader, one.first_us),
            last=moment(reader, one.last_us),
        )
        for one in groups(reader.snapshot, scoped, "reason")
    ]
    found = reader.find(asked, count=MATCHED)
    return Report(
        heading=heading(
            reader, "Refused accesses", about="what was refused", period=period
        ),
        tables=(
            table("reasons", ByReason, reasons),
            table("permitted later", PermittedLater, _later(reader, found, within_us)),
            table("suspects", Suspect, _suspects(reader, period)),
        ),
        notes=(
            f"Later permissions are looked for behind the newest {MATCHED} refusals.",
        ),
    )


def _later(
    reader: Reader, found: Iterable[Row], within_us: int
) -> Iterator[PermittedLater]:
    for row in found:
        record = row.record
        for subject in row.subjects[:1]:
            [*permitted] = reader.find(
                AuditFilter(
                    patients=(subject.pseudonym,),
                    clients=(record.client,),
                    outcomes=(Outcome.ALLOWED,),
                    is_release=True,
                    since_us=record.time_us,
                    until_us=record.time_us + within_us,
                ),
                count=1,
            )
            yield from (_match(reader, row, one) for one in permitted)


def _match(reader: Reader, refused: Row, permitted: Row) -> PermittedLater:
    record = refused.record
    return PermittedLater(
        refused=moment(reader, record.time_us),
        reason=record.reason,
        permitted=moment(reader, permitted.record.time_us),
        client=record.client,
        who=record.user,
        purposes_then=record.purposes,
        purposes_later=permitted.record.purposes,
        what=f"{record.interaction.value} {record.resource_type}".strip(),
        refused_row=refused.index,
        permitted_row=permitted.index,
    )


def _suspects(reader: Reader, period: Period) -> Iterator[Suspect]:
    """Yield clients that were refused often in the time and got nothing in it."""
    of_time = AuditFilter(since_us=period.since_us, until_us=period.until_us)
    refused = AuditFilter(
        since_us=period.since_us, until_us=period.until_us, outcomes=(Outcome.DENIED,)
    )
    for group in groups(reader.snapshot, reader.scoped(refused), "client"):
        if group.events < OFTEN or not group.name:
            continue
        got = AuditFilter(
            since_us=of_time.since_us,
            until_us=of_time.until_us,
            clients=(group.name,),
            is_release=True,
        )
        if reader.has(got):
            continue
        of_client = AuditFilter(
            since_us=period.since_us,
            until_us=period.until_us,
            outcomes=(Outcome.DENIED,),
            clients=(group.name,),
        )
        reasons = groups(reader.snapshot, reader.scoped(of_client), "reason")
        yield Suspect(
            client=group.name,
            refusals=group.events,
            reasons=tuple(f"{one.name} {one.events}" for one in reasons),
            why=f"refused {group.events} times in this time, and nothing was released",
        )
