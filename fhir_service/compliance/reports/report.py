"""The shape of every report: what it is of, tables, and what must be said beside them.

A table's columns are the fields of its lines; a value is a text, a number, a moment
with its offset, or several texts.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, NamedTuple

from conformance.issues import FHIRError, IssueType
from fhir_service.auth.local import patient as patient_named
from fhir_service.compliance.rows import Reader, Row
from fhir_service.compliance.zones import at, zone_of
from fhir_service.storage import audit_log
from fhir_service.storage.patients import PatientState

MAX_ROWS = 10_000
"""Rows of the log that one report reads; a longer one says where it stopped."""

Line = tuple[Any, ...]
"""A NamedTuple: one line of a table."""


@dataclass(frozen=True, kw_only=True)
class Heading:
    """What a report is of, so that it can be read without the service.

    Attributes:
        title: What it is.
        about: Whom or what it is about, such as `Patient/1`.
        asked: What was asked for: the period and the options.
        zone: IANA name of the zone of its times.
        made: When it was made.
        log_size: Rows of the log of which it was made; a checkpoint of this size
            vouches for them.

    """

    title: str
    about: str
    asked: str
    zone: str
    made: datetime
    log_size: int


@dataclass(frozen=True, kw_only=True)
class Table:
    """A table of a report.

    Attributes:
        name: What its lines are, in the plural.
        columns: Names of the columns.
        lines: One value a column each.

    """

    name: str
    columns: tuple[str, ...]
    lines: tuple[Line, ...]

    def rows(self) -> Iterator[dict[str, Any]]:
        """Yield the lines by column."""
        for line in self.lines:
            yield dict(zip(self.columns, line, strict=True))


@dataclass(frozen=True, kw_only=True)
class Report:
    """An answer.

    Attributes:
        heading: What it is of.
        tables: The answer.
        notes: What must be known of it: rules, limits, what is uncertain.
        not_recorded: What was asked and is not recorded here, and why not.
        is_complete: Whether nothing was left out for its length.

    """

    heading: Heading
    tables: tuple[Table, ...]
    notes: tuple[str, ...] = ()
    not_recorded: tuple[str, ...] = ()
    is_complete: bool = True

    def table(self, name: str) -> Table:
        """Return a table by its name."""
        return next(one for one in self.tables if one.name == name)

    def rows(self) -> Iterator[dict[str, Any]]:
        """Yield every line of every table, with the table's name."""
        for table in self.tables:
            for row in table.rows():
                yield {"table": table.name, **row}


class Period(NamedTuple):
    """Since when and until before when; microseconds since 1970, None is open."""

    since_us: int | None = None
    until_us: int | None = None


ALWAYS = Period()


def table(name: str, kind: type[Any], lines: Iterable[Line]) -> Table:
    """Return a table whose columns are the fields of a NamedTuple."""
    return Table(name=name, columns=tuple(kind._fields), lines=tuple(lines))


def heading(
    reader: Reader,
    title: str,
    *,
    about: str,
    period: Period = ALWAYS,
    **asked: object,
) -> Heading:
    """Return what a report is of.

    Args:
        reader: Whose snapshot it is made of.
        title: What it is.
        about: Whom or what it is about.
        period: The time that was asked for.
        asked: The other options, by their names.

    """
    head = audit_log.head(reader.snapshot)
    bounds = {"since": period.since_us, "until": period.until_us}
    told = [
        f"{name} {moment(reader, us).isoformat()}"
        for name, us in bounds.items()
        if us is not None
    ]
    told += [
        f"{name.replace('_', ' ')} {value}"
        for name, value in asked.items()
        if value is not None and value != ""
    ]
    return Heading(
        title=title,
        about=about,
        asked="; ".join(told) or "everything",
        zone=reader.officer.zone,
        made=moment(reader, reader.services.clock()),
        log_size=0 if head is None else head.frontier.size,
    )


def moment(reader: Reader, us: int) -> datetime:
    """Return an instant in the officer's zone, with its offset.

    Raises:
        FHIRError: `value` for a zone that is none.

    """
    return at(us, zone_of(reader.officer.zone))


def moment_or_none(reader: Reader, us: int | None) -> datetime | None:
    """Return an instant in the officer's zone; None for none."""
    return None if us is None else moment(reader, us)


def patient(reader: Reader, id_: str) -> PatientState:
    """Return a patient of the officer's.

    Raises:
        FHIRError: `not-found` for one who is absent, or another organisation's.

    """
    state = patient_named(reader.snapshot, id_)
    if not reader.officer.is_over(state.organization):
        named = state.id
        raise FHIRError(IssueType.NOT_FOUND, f"There is no Patient/{named} here.")
    return state


def cut_at(reader: Reader, report: Report, oldest_us: int | None) -> Report:
    """Return a report that says how far back it reaches, where it was too long.

    Args:
        reader: Whose zone the time is told in.
        report: What was made of the newest.
        oldest_us: The time of the oldest that was read; None where nothing was cut.

    """
    if oldest_us is None:
        return report
    reached = moment(reader, oldest_us).isoformat()
    note = f"Cut for its length: it reaches back to {reached}. Ask for a shorter time."
    return replace(report, notes=(note, *report.notes), is_complete=False)


def oldest(found: Sequence[Row], count: int) -> int | None:
    """Return the time of the last of `count` rows, newest first; None if all are in."""
    return None if len(found) <= count else found[count - 1].record.time_us
