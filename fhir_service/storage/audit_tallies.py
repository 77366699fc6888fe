"""How many rows lie in which hours: read from the tallies wherever they suffice."""

from collections.abc import Iterable
from dataclasses import replace
from typing import NamedTuple

from consent.audit.entry import OUTCOME_CODE, Outcome
from fhir_service.storage.audit_counting import EVERYBODY, HOUR_US
from fhir_service.storage.audit_filter import AuditFilter
from fhir_service.storage.audit_where import (
    Where,
    coded,
    hour_after,
    is_only_time,
    mark_of,
    organisations,
    wheres,
)
from fhir_service.storage.engine import Snapshot

_OUTCOMES = tuple(Outcome)


class Bucket(NamedTuple):
    """How many rows lie in a part of the time.

    Attributes:
        start_us: Its beginning.
        outcome: How they ended.
        events: Rows.
        released: Versions that left with them.

    """

    start_us: int
    outcome: Outcome
    events: int
    released: int


class Hour(NamedTuple):
    """An hour in which something was recorded, and between which rows it lies."""

    hour: int
    first_leaf: int
    last_leaf: int


class Tally(NamedTuple):
    """How many rows there are.

    Attributes:
        rows: Of the log.
        resources: AuditEvents that they make.

    """

    rows: int
    resources: int


def histogram(snapshot: Snapshot, asked: AuditFilter, *, width_us: int) -> list[Bucket]:
    """Return the rows by parts of the time of `width_us`, oldest first.

    Whole multiples of hours without a further filter are read from the tallies, but
    for what lies before the first whole hour and behind the last.
    """
    if width_us % HOUR_US == 0 and is_tallied(asked):
        edges, hours = parted(asked)
        parts = [_from_rows(snapshot, one, width_us) for one in edges]
        if hours is not None:
            parts.append(_from_tallies(snapshot, hours, width_us))
        return _added(parts)
    return _from_rows(snapshot, asked, width_us)


def parted(asked: AuditFilter) -> tuple[list[AuditFilter], AuditFilter | None]:
    """Return what lies outside whole hours, and the whole hours, if there are any.

    What the tallies do not tell lies outside them as a whole.
    """
    if not is_tallied(asked):
        return [asked], None
    since, until = asked.since_us, asked.until_us
    first = None if since is None else hour_after(since) * HOUR_US
    last = None if until is None else until // HOUR_US * HOUR_US
    if first is not None and last is not None and first >= last:
        return [asked], None
    edges = []
    if first != since:
        edges.append(replace(asked, until_us=first))
    if last != until:
        edges.append(replace(asked, since_us=last))
    return edges, replace(asked, since_us=first, until_us=last)


def is_tallied(asked: AuditFilter) -> bool:
    """Whether the tallies tell it: nothing else, and rows of one organisation only.

    A row of two organisations is in the tallies of both.
    """
    bare = replace(asked, interactions=(), outcomes=(), scope=None)
    return is_only_time(bare) and (asked.scope is None or len(asked.scope) == 1)


def tally(snapshot: Snapshot, hours: AuditFilter) -> Tally:
    """Return how many rows whole hours have, as `parted` gives them."""
    where = _of_hours(snapshot, hours)
    text, values = where.sql()
    [(rows, resources)] = snapshot.sql(
        f"SELECT SUM(r.events), SUM(r.resources){text}",
        values,
    )
    return Tally(int(rows or 0), int(resources or 0))


def _added(parts: Iterable[list[Bucket]]) -> list[Bucket]:
    """Return buckets of several parts of the time as those of all of it."""
    found: dict[tuple[int, Outcome], Bucket] = {}
    for bucket in (one for part in parts for one in part):
        at = bucket.start_us, bucket.outcome
        known = found.get(at)
        found[at] = bucket if known is None else _sum(known, bucket)
    return sorted(found.values(), key=_place)


def _sum(one: Bucket, other: Bucket) -> Bucket:
    return one._replace(
        events=one.events + other.events, released=one.released + other.released
    )


def _place(bucket: Bucket) -> tuple[int, int]:
    return bucket.start_us, OUTCOME_CODE[bucket.outcome]


def _from_rows(snapshot: Snapshot, asked: AuditFilter, width_us: int) -> list[Bucket]:
    part = f"r.time / {int(width_us)}"
    what = f"{part}, r.outcome, COUNT(*), SUM(r.released)"
    asking = [where.led(snapshot) for where in wheres(snapshot, asked)]
    return _added(_buckets(snapshot, one, what, part, width_us) for one in asking)


def _from_tallies(
    snapshot: Snapshot, asked: AuditFilter, width_us: int
) -> list[Bucket]:
    part = f"r.hour / {int(width_us // HOUR_US)}"
    what = f"{part}, r.outcome, SUM(r.events), SUM(r.released)"
    return _buckets(snapshot, _of_hours(snapshot, asked), what, part, width_us)


def _buckets(
    snapshot: Snapshot, where: Where, what: str, part: str, width_us: int
) -> list[Bucket]:
    text, values = where.sql()
    found = snapshot.sql(
        f"SELECT {what}{text} GROUP BY {part}, r.outcome ORDER BY {part}, r.outcome",
        values,
    )
    return [
        Bucket(int(at) * width_us, _OUTCOMES[outcome], int(events), int(released))
        for at, outcome, events, released in found
    ]


def _of_hours(snapshot: Snapshot, asked: AuditFilter) -> Where:
    """Return a question to the tallies of whole hours."""
    table = "audit_tally" if asked.scope is None else "audit_scope_tally"
    where = Where(mark_of(snapshot), table)
    if asked.scope is not None:
        numbers = organisations(snapshot, asked.scope)
        where.one_of("organisation_id", [EVERYBODY, *numbers])
    where.add("r.hour >= ?", (asked.since_us or 0) // HOUR_US)
    where.add("r.hour < ?", hour_after(asked.until_us))
    coded(where, asked)
    return where


def span(snapshot: Snapshot) -> tuple[int, int] | None:
    """Return between which hours rows were made; None for a log without any."""
    [(first, last)] = snapshot.sql("SELECT MIN(hour), MAX(hour) FROM audit_tally", ())
    if first is None:
        return None
    return int(first) * HOUR_US, (int(last) + 1) * HOUR_US


def hours(snapshot: Snapshot, first: int, last: int) -> list[Hour]:
    """Return the hours since 1970 with rows, from `first` to before `last`."""
    mark = mark_of(snapshot)
    rows = snapshot.sql(
        "SELECT hour, MIN(first_leaf), MAX(last_leaf) FROM audit_tally "  # noqa: S608 - fixed texts
        f"WHERE hour >= {mark} AND hour < {mark} GROUP BY hour ORDER BY hour",
        (first, last),
    )
    return [Hour(*map(int, row)) for row in rows]


def tallied(snapshot: Snapshot) -> int:
    """Return how many rows the tallies of all hours count."""
    [(found,)] = snapshot.sql("SELECT SUM(events) FROM audit_tally", ())
    return int(found or 0)
