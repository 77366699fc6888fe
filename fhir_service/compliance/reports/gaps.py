"""Whether anything is missing in the log: hour by hour, and number by number.

The log has one writer's order: its rows are numbered without a gap, and the signed
head says how many there are. An hour without rows is silence; where the service was
there it has signed the same log again in it.
"""

from collections.abc import Iterator
from datetime import datetime
from typing import NamedTuple

from fhir_service.compliance import heartbeats
from fhir_service.compliance.reports.report import (
    Period,
    Report,
    heading,
    moment,
    table,
)
from fhir_service.compliance.rows import Reader
from fhir_service.compliance.zones import DAY_US, HOUR_US, SECOND_US
from fhir_service.storage import audit_log, audit_search, audit_tallies
from fhir_service.storage.audit_filter import AuditFilter
from fhir_service.storage.audit_index import decoded, indexed_up_to

MAX_HOURS = 24 * 366


class Silence(NamedTuple):
    """Hours one after the other in which nothing was recorded.

    Of `witnessed` hours there is a heartbeat: the service was there, and signed that
    the log had not grown. Of the others it is not known whether it ran.
    """

    since: datetime
    until: datetime
    hours: int
    witnessed: int
    unwitnessed: int


class Numbering(NamedTuple):
    """Whether the numbers of the rows agree."""

    signed_rows: int
    indexed_rows: int
    counted_rows: int
    agrees: bool


class Backwards(NamedTuple):
    """A row that was written before another and has a later time: a clock went back."""

    later: datetime
    earlier: datetime
    seconds: int
    first_row: int
    second_row: int


JITTER_US = 60_000_000
"""By how much rows around a full hour may be out of order: requests overlap."""


def report(reader: Reader, *, period: Period | None = None) -> Report:
    """Return the silences of a time and whether the numbering is whole.

    Read from the tallies: a few rows an hour, never the log.

    Args:
        reader: Of the officer.
        period: When; the last seven days where it is not said. At most a year.

    """
    now = reader.services.clock()
    asked = period or Period(now - 7 * DAY_US, now)
    until = now if asked.until_us is None else min(asked.until_us, now)
    earliest = until - MAX_HOURS * HOUR_US
    since = max(earliest, asked.since_us or earliest) // HOUR_US * HOUR_US
    return Report(
        heading=heading(
            reader, "Gaps of the log", about="the log", period=Period(since, until)
        ),
        tables=(
            table("numbering", Numbering, [_numbering(reader)]),
            table("silences", Silence, _silences(reader, since, until)),
            table("backwards", Backwards, _backwards(reader, since, until)),
        ),
        notes=(
            (
                "An hour without a row is `witnessed` where the service signed in it "
                "that the log had not grown; else it did not run, or could not write. "
                "A row that was taken out of the middle or off the end does not show "
                "as a gap: `fhir-service audit verify` and a checkpoint kept elsewhere "
                "show it."
            ),
        ),
        not_recorded=(
            (
                "Which process wrote a row: the rows of all processes have one order "
                "and one numbering, so that a gap of any of them is a gap of it."
            ),
        ),
    )


def _numbering(reader: Reader) -> Numbering:
    head = audit_log.head(reader.snapshot)
    signed = 0 if head is None else head.frontier.size
    indexed = indexed_up_to(reader.snapshot)
    counted = audit_tallies.tallied(reader.snapshot)
    return Numbering(
        signed_rows=signed,
        indexed_rows=indexed,
        counted_rows=counted,
        agrees=signed == indexed == counted,
    )


def _silences(reader: Reader, since: int, until: int) -> Iterator[Silence]:
    """Yield runs of hours without a row, of any organisation: only that is told."""
    asked = AuditFilter(since_us=since, until_us=-(-until // HOUR_US) * HOUR_US)
    buckets = audit_tallies.histogram(reader.snapshot, asked, width_us=HOUR_US)
    heard = sorted({one.start_us for one in buckets})
    before = since - HOUR_US
    for start in [*heard, until // HOUR_US * HOUR_US]:
        hours = (start - before) // HOUR_US - 1
        if hours > 0:
            yield _silence(reader, before // HOUR_US + 1, start // HOUR_US)
        before = max(before, start)


def _silence(reader: Reader, first: int, end: int) -> Silence:
    """Return the silence of the hours from `first` to before `end`."""
    seen = len(heartbeats.witnessed(reader.services, range(first, end)))
    return Silence(
        since=moment(reader, first * HOUR_US),
        until=moment(reader, end * HOUR_US),
        hours=end - first,
        witnessed=seen,
        unwitnessed=end - first - seen,
    )


def _backwards(reader: Reader, since: int, until: int) -> Iterator[Backwards]:
    """Yield where rows of a later hour lie before rows of an earlier one."""
    last = -1
    first, end = since // HOUR_US, until // HOUR_US + 1
    for one in audit_tallies.hours(reader.snapshot, first, end):
        if one.first_leaf < last:
            yield from _turned(reader, one.first_leaf, last)
        last = max(last, one.last_leaf)


def _turned(reader: Reader, first: int, second: int) -> Iterator[Backwards]:
    leaves = audit_search.leaves(reader.snapshot, (first, second))
    records = [decoded(leaves[index]) for index in (first, second) if index in leaves]
    times = [one.time_us for one in records if one is not None]
    if len(times) == len((first, second)) and times[0] - times[1] > JITTER_US:
        yield Backwards(
            later=moment(reader, times[0]),
            earlier=moment(reader, times[1]),
            seconds=(times[0] - times[1]) // SECOND_US,
            first_row=first,
            second_row=second,
        )
