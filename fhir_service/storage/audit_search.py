"""Rows of the log by time, person, client, patient, action, outcome, purpose, basis.

Newest first, in the order of the log itself, which a clock that goes back does not
change; bounds of time are exact all the same. Every question starts from the most
telling filter, whose index follows the log.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from sqlalchemy import bindparam, select

from consent.audit.entry import (
    INTERACTION_CODE,
    OUTCOME_CODE,
    Interaction,
    Outcome,
)
from fhir_service.storage.audit_index import HOUR_US, NameKind
from fhir_service.storage.audit_tables import audit_name, audit_subject
from fhir_service.storage.engine import Snapshot
from fhir_service.storage.leaves import stored
from fhir_service.storage.statement import Statement
from fhir_service.storage.tables import audit_entry

_INTERACTIONS = tuple(Interaction)
_OUTCOMES = tuple(Outcome)
_FOREVER = 2**63 - 1


@dataclass(frozen=True, kw_only=True, slots=True)
class AuditFilter:
    """What rows are asked for; an empty tuple asks for any.

    Attributes:
        since_us: Not before, microseconds since 1970.
        until_us: Before.
        patients: Pseudonyms of which one is concerned.
        users: People.
        clients: Clients.
        organisations: `Organization/id` behind the clients.
        interactions: What was done.
        outcomes: How it ended.
        types: FHIR types.
        purposes: Codes of which one was claimed.
        reasons: Words for why it was refused.
        bases: `consent ID/_history/2`, `overlay custodian` and so on; what ends with
            `/` stands for every version.
        addresses: Network addresses.
        agents: Names of people, clients or organisations; one of them took part.
        levels: Codes of AuditEvent.outcome: 0 done, 4 refused as wrong, 8 denied or
            failed.
        indexes: Numbers of rows.
        is_nothing: Nothing is asked for.
        is_release: Whether something left, or was refused to; None for any.
        is_unexplained: Only rows without an explanation.
        scope: Organisations whose officer asks; None for all of the log.
        also: Further agents, purposes or bases, each of which holds as well.

    """

    since_us: int | None = None
    until_us: int | None = None
    patients: tuple[bytes, ...] = ()
    users: tuple[str, ...] = ()
    clients: tuple[str, ...] = ()
    organisations: tuple[str, ...] = ()
    interactions: tuple[Interaction, ...] = ()
    outcomes: tuple[Outcome, ...] = ()
    types: tuple[str, ...] = ()
    purposes: tuple[str, ...] = ()
    reasons: tuple[str, ...] = ()
    bases: tuple[str, ...] = ()
    addresses: tuple[str, ...] = ()
    agents: tuple[str, ...] = ()
    levels: tuple[str, ...] = ()
    indexes: tuple[int, ...] = ()
    is_nothing: bool = False
    is_release: bool | None = None
    is_unexplained: bool = False
    scope: tuple[str, ...] | None = None
    also: "tuple[AuditFilter, ...]" = ()


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


class Group(NamedTuple):
    """How many rows have a name in common."""

    name: str
    events: int
    released: int
    first_us: int
    last_us: int


_NAMED: tuple[tuple[str, NameKind, str], ...] = (
    ("users", NameKind.USER, "user_id"),
    ("clients", NameKind.CLIENT, "client_id"),
    ("organisations", NameKind.ORGANISATION, "organisation_id"),
    ("types", NameKind.TYPE, "type_id"),
    ("reasons", NameKind.REASON, "reason_id"),
    ("addresses", NameKind.ADDRESS, "address_id"),
)
GROUPS: Mapping[str, str] = {
    "user": "user_id",
    "client": "client_id",
    "organisation": "organisation_id",
    "type": "type_id",
    "reason": "reason_id",
    "basis": "basis_id",
    "purpose": "purpose_id",
    "address": "address_id",
}
"""By what rows can be grouped."""

_NAME = Statement(
    select(audit_name.c.name_id).where(
        audit_name.c.kind == bindparam("kind"), audit_name.c.text == bindparam("text")
    )
)
_NAMES_OF = Statement(
    select(audit_name.c.name_id, audit_name.c.text).where(
        audit_name.c.kind == bindparam("kind")
    )
)
_SUBJECT = Statement(
    select(audit_subject.c.subject_id).where(
        audit_subject.c.pseudonym == bindparam("pseudonym")
    )
)
_LEAF = Statement(
    select(audit_entry.c.leaf).where(audit_entry.c.leaf_index == bindparam("at"))
)

_LEVELS: Mapping[str, str] = {
    "0": "r.outcome = 0",
    "4": "(r.outcome = 2 AND r.status < 500)",
    "8": "(r.outcome = 1 OR (r.outcome = 2 AND r.status >= 500))",
}
"""Codes of AuditEvent.outcome, as `consent.audit.audit_event` gives them."""


class _Where:
    """A question in SQL: what stands in FROM, the conditions, their values."""

    def __init__(self, mark: str) -> None:
        self.mark = mark
        self.source = "audit_row r"
        self.index = "r.leaf_index"
        self.conditions: list[str] = []
        self.values: list[Any] = []
        self.is_empty = False

    def add(self, condition: str, *values: Any) -> None:
        self.conditions.append(condition.replace("?", self.mark))
        self.values += values

    def one_of(self, column: str, values: Sequence[Any]) -> None:
        """Ask for one of `values`; for none, nothing is found."""
        if not values:
            self.is_empty = True
        elif len(values) == 1:
            self.add(f"{column} = ?", values[0])
        else:
            self.add(f"{column} IN ({','.join('?' * len(values))})", *values)

    @property
    def text(self) -> str:
        where = f" WHERE {' AND '.join(self.conditions)}" if self.conditions else ""
        return f" FROM {self.source}{where}"


def find(
    snapshot: Snapshot, asked: AuditFilter, *, count: int, before: int | None = None
) -> list[int]:
    """Return leaf indexes, newest first, below `before`; `count` at most."""
    if asked.scope is not None and _is_open(asked):
        return _newest_of_scope(snapshot, asked, count, before)
    where = _where(snapshot, asked)
    if where.is_empty:
        return []
    if before is not None:
        where.add(f"{where.index} < ?", before)
    text = (
        f"SELECT {where.index}{where.text} "
        f"ORDER BY {where.index} DESC LIMIT {int(count)}"
    )
    rows = snapshot.sql(text, where.values)
    return list(dict.fromkeys(int(index) for (index,) in rows))


def _is_open(asked: AuditFilter) -> bool:
    """Whether nothing but a time is asked for: the scope tells most then."""
    time = AuditFilter(
        since_us=asked.since_us, until_us=asked.until_us, scope=asked.scope
    )
    return asked == time


def _newest_of_scope(
    snapshot: Snapshot, asked: AuditFilter, count: int, before: int | None
) -> list[int]:
    """Return rows of a scope, each organisation's by its own index, newest first."""
    found: set[int] = set()
    for number in _scope_numbers(snapshot, asked.scope or ()):
        where = _Where(_mark_of(snapshot))
        where.source = "audit_scope s JOIN audit_row r ON r.leaf_index = s.leaf_index"
        where.index = "s.leaf_index"
        where.add("s.organisation_id = ?", number)
        _of_time(snapshot, where, asked)
        if where.is_empty:
            return []
        if before is not None:
            where.add("s.leaf_index < ?", before)
        text = (
            f"SELECT s.leaf_index{where.text} "
            f"ORDER BY s.leaf_index DESC LIMIT {int(count)}"
        )
        found.update(int(index) for (index,) in snapshot.sql(text, where.values))
    return sorted(found, reverse=True)[:count]


def count(snapshot: Snapshot, asked: AuditFilter) -> int:
    """Return how many rows there are."""
    where = _where(snapshot, asked)
    if where.is_empty:
        return 0
    distinct = f"DISTINCT {where.index}" if len(asked.patients) > 1 else "*"
    [(found,)] = snapshot.sql(f"SELECT COUNT({distinct}){where.text}", where.values)
    return int(found)


def count_events(snapshot: Snapshot, asked: AuditFilter) -> int:
    """Return how many AuditEvents the rows make: one for each patient to be seen."""
    where = _where(snapshot, asked)
    if where.is_empty:
        return 0
    about, values = _patients_seen(snapshot, asked)
    per_row = f"SELECT (SELECT COUNT(*) FROM audit_patient q WHERE {about}) AS n"  # noqa: S608 - fixed texts
    text = per_row.replace("r.leaf_index", where.index) + where.text
    [(rows, events)] = snapshot.sql(
        f"SELECT COUNT(*), SUM(CASE WHEN n > 0 THEN n ELSE {_alone(asked)} END) "  # noqa: S608 - fixed texts
        f"FROM ({text}) counted",
        [*values, *where.values],
    )
    return int(events or 0) if rows else 0


def _alone(asked: AuditFilter) -> int:
    """Return how many events a row has that names no patient to be seen."""
    return 0 if asked.patients else 1


def _patients_seen(snapshot: Snapshot, asked: AuditFilter) -> tuple[str, list[Any]]:
    mark = _mark_of(snapshot)
    text, values = "q.leaf_index = r.leaf_index", list[Any]()
    if asked.scope is not None:
        known = [_number(snapshot, NameKind.ORGANISATION, one) for one in asked.scope]
        numbers = [one for one in known if one is not None] or [-1]
        marks = ",".join([mark] * len(numbers))
        text += (
            " AND EXISTS (SELECT 1 FROM audit_subject t WHERE "  # noqa: S608 - fixed texts
            f"t.subject_id = q.subject_id AND t.organisation_id IN ({marks}))"
        )
        values += numbers
    if asked.patients:
        found = [snapshot.one(_SUBJECT, pseudonym=one) for one in asked.patients]
        ids = [int(one[0]) for one in found if one is not None] or [-1]
        text += f" AND q.subject_id IN ({','.join([mark] * len(ids))})"
        values += ids
    return text, values


def histogram(snapshot: Snapshot, asked: AuditFilter, *, width_us: int) -> list[Bucket]:
    """Return the rows by parts of the time of `width_us`, oldest first.

    Whole multiples of hours without a further filter are read from the tallies, but
    for what lies before the first whole hour and behind the last.
    """
    if width_us % HOUR_US == 0 and _is_only_time(asked):
        edges, hours = _parted(asked)
        parts = [_from_rows(snapshot, one, width_us) for one in edges]
        if hours is not None:
            parts.append(_from_tallies(snapshot, hours, width_us))
        return _added(parts)
    return _from_rows(snapshot, asked, width_us)


def _parted(asked: AuditFilter) -> tuple[list[AuditFilter], AuditFilter | None]:
    """Return what lies outside whole hours, and the whole hours, if there are any."""
    since, until = asked.since_us, asked.until_us
    first = None if since is None else _ceil(since) * HOUR_US
    last = None if until is None else until // HOUR_US * HOUR_US
    if first is not None and last is not None and first >= last:
        return [asked], None
    edges = []
    if first != since:
        edges.append(replace(asked, until_us=first))
    if last != until:
        edges.append(replace(asked, since_us=last))
    return edges, replace(asked, since_us=first, until_us=last)


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
    where = _where(snapshot, asked)
    if where.is_empty:
        return []
    part = f"r.time / {int(width_us)}"
    text = (
        f"SELECT {part}, r.outcome, COUNT(*), SUM(r.released){where.text} "
        f"GROUP BY {part}, r.outcome ORDER BY {part}, r.outcome"
    )
    return [
        Bucket(int(at) * width_us, _OUTCOMES[outcome], int(events), int(released))
        for at, outcome, events, released in snapshot.sql(text, where.values)
    ]


def groups(
    snapshot: Snapshot, asked: AuditFilter, by: str, *, count: int = 100
) -> list[Group]:
    """Return how many rows each name has, the most frequent first.

    Args:
        snapshot: Of what is asked.
        asked: Which rows.
        by: A key of `GROUPS`.
        count: Names at most.

    """
    where = _where(snapshot, asked)
    if where.is_empty:
        return []
    column = GROUPS[by]
    text = (
        "SELECT COALESCE(n.text, ''), g.events, g.released, g.first, g.last FROM ("  # noqa: S608 - fixed texts
        f"SELECT r.{column} AS name_id, COUNT(*) AS events, "
        "SUM(r.released) AS released, MIN(r.time) AS first, MAX(r.time) AS last"
        f"{where.text} GROUP BY r.{column}) g "
        "LEFT JOIN audit_name n ON n.name_id = g.name_id "
        f"ORDER BY g.events DESC, g.name_id LIMIT {int(count)}"
    )
    return [
        Group(str(name), int(events), int(released), int(first), int(last))
        for name, events, released, first, last in snapshot.sql(text, where.values)
    ]


def span(snapshot: Snapshot) -> tuple[int, int] | None:
    """Return between which hours rows were made; None for a log without any."""
    [(first, last)] = snapshot.sql("SELECT MIN(hour), MAX(hour) FROM audit_tally", ())
    if first is None:
        return None
    return int(first) * HOUR_US, (int(last) + 1) * HOUR_US


class Hour(NamedTuple):
    """An hour in which something was recorded, and between which rows it lies."""

    hour: int
    first_leaf: int
    last_leaf: int


def hours(snapshot: Snapshot, first: int, last: int) -> list[Hour]:
    """Return the hours since 1970 with rows, from `first` to before `last`."""
    mark = _mark_of(snapshot)
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


def leaf(snapshot: Snapshot, index: int) -> bytes | None:
    """Return the stored bytes of a row."""
    found = snapshot.one(_LEAF, at=index)
    return None if found is None else stored(found[0])


def leaves(snapshot: Snapshot, indexes: Sequence[int]) -> dict[int, bytes]:
    """Return the stored bytes of rows, by their indexes."""
    found = ((index, leaf(snapshot, index)) for index in indexes)
    return {index: body for index, body in found if body is not None}


def names(snapshot: Snapshot, kind: NameKind) -> list[str]:
    """Return every name of a kind that the log holds."""
    return sorted(str(text) for _, text in snapshot.all(_NAMES_OF, kind=int(kind)))


def _is_only_time(asked: AuditFilter) -> bool:
    bare = AuditFilter(
        since_us=asked.since_us,
        until_us=asked.until_us,
        interactions=asked.interactions,
        outcomes=asked.outcomes,
        scope=asked.scope,
    )
    # A row of two organisations is in the tallies of both.
    is_of_one = asked.scope is None or len(asked.scope) == 1
    return asked == bare and is_of_one


def _from_tallies(
    snapshot: Snapshot, asked: AuditFilter, width_us: int
) -> list[Bucket]:
    hours = width_us // HOUR_US
    where = _Where(_mark_of(snapshot))
    where.source = "audit_tally"
    if asked.scope is not None:
        where.source = "audit_scope_tally"
        where.one_of("organisation_id", _scope_numbers(snapshot, asked.scope))
    where.add("hour >= ?", (asked.since_us or 0) // HOUR_US)
    where.add("hour < ?", _ceil(asked.until_us))
    _coded(where, asked, "")
    part = f"hour / {int(hours)}"
    text = (
        f"SELECT {part}, outcome, SUM(events), SUM(released){where.text} "
        f"GROUP BY {part}, outcome ORDER BY {part}, outcome"
    )
    return [
        Bucket(int(at) * width_us, _OUTCOMES[outcome], int(events), int(released))
        for at, outcome, events, released in snapshot.sql(text, where.values)
    ]


def _ceil(until_us: int | None) -> int:
    return 2**31 - 1 if until_us is None else -(-until_us // HOUR_US)


def _mark_of(snapshot: Snapshot) -> str:
    return "?" if snapshot.dialect == "sqlite" else "%s"


def _coded(where: _Where, asked: AuditFilter, prefix: str) -> None:
    if asked.interactions:
        codes = [INTERACTION_CODE[one] for one in asked.interactions]
        where.one_of(f"{prefix}interaction", codes)
    if asked.outcomes:
        codes = [OUTCOME_CODE[one] for one in asked.outcomes]
        where.one_of(f"{prefix}outcome", codes)


def _where(snapshot: Snapshot, asked: AuditFilter) -> _Where:
    where = _Where(_mark_of(snapshot))
    where.is_empty = asked.is_nothing
    if asked.indexes:
        where.one_of("r.leaf_index", asked.indexes)
    if asked.levels:
        levels = [_LEVELS[one] for one in asked.levels if one in _LEVELS]
        where.add(f"({' OR '.join(levels)})" if levels else "1 = 0")
    _of_unexplained(where, asked)
    _of_patients(snapshot, where, asked)
    _of_time(snapshot, where, asked)
    _coded(where, asked, "r.")
    for attribute, kind, column in _NAMED:
        texts = getattr(asked, attribute)
        if texts:
            found = (_number(snapshot, kind, text) for text in texts)
            where.one_of(f"r.{column}", [one for one in found if one is not None])
    for one in (asked, *asked.also):
        _of_agents(snapshot, where, one)
        _of_words(snapshot, where, one)
    _of_scope(snapshot, where, asked)
    if asked.is_release is not None:
        where.add("r.released > 0" if asked.is_release else "r.released = 0")
    return where


def _of_patients(snapshot: Snapshot, where: _Where, asked: AuditFilter) -> None:
    """Begin with the rows of patients, where some are asked for."""
    if not asked.patients:
        return
    found = [snapshot.one(_SUBJECT, pseudonym=one) for one in asked.patients]
    where.source = "audit_patient p JOIN audit_row r ON r.leaf_index = p.leaf_index"
    where.index = "p.leaf_index"
    where.one_of("p.subject_id", [int(one[0]) for one in found if one is not None])


def _of_unexplained(where: _Where, asked: AuditFilter) -> None:
    """Ask for rows without an explanation; begin with them, for they are few."""
    if not asked.is_unexplained:
        return
    if asked.patients:
        where.add(
            "EXISTS (SELECT 1 FROM audit_explanation x "
            "WHERE x.leaf_index = r.leaf_index AND x.code = 0)"
        )
        return
    where.source = "audit_explanation x JOIN audit_row r ON r.leaf_index = x.leaf_index"
    where.index = "x.leaf_index"
    where.add("x.code = 0")


def _of_time(snapshot: Snapshot, where: _Where, asked: AuditFilter) -> None:
    """Ask for a time, exactly, between the rows where its hours lie."""
    if asked.since_us is None and asked.until_us is None:
        return
    mark = where.mark
    since, until = asked.since_us or 0, asked.until_us
    [(first, last)] = snapshot.sql(
        "SELECT MIN(first_leaf), MAX(last_leaf) FROM audit_tally "  # noqa: S608 - fixed texts
        f"WHERE hour >= {mark} AND hour < {mark}",
        (since // HOUR_US, _ceil(until)),
    )
    if first is None:
        where.is_empty = True
        return
    where.add(f"{where.index} BETWEEN ? AND ?", int(first), int(last))
    where.add("r.time >= ?", since)
    where.add("r.time < ?", _FOREVER if until is None else until)


def _of_agents(snapshot: Snapshot, where: _Where, asked: AuditFilter) -> None:
    """Ask for rows in which one of some names took part, in whatever role."""
    if not asked.agents:
        return
    parts, values = [], []
    for _, kind, column in _NAMED[:3]:
        found = (_number(snapshot, kind, text) for text in asked.agents)
        for number in found:
            if number is not None:
                parts.append(f"r.{column} = ?")
                values.append(number)
    if parts:
        where.add(f"({' OR '.join(parts)})", *values)
    else:
        where.is_empty = True


def _number(snapshot: Snapshot, kind: NameKind, text: str) -> int | None:
    found = snapshot.one(_NAME, kind=int(kind), text=text)
    return None if found is None else int(found[0])


def _of_words(snapshot: Snapshot, where: _Where, asked: AuditFilter) -> None:
    """Ask for names that are several in one: purposes, and versions of a consent."""
    if asked.purposes:
        wanted = set(asked.purposes)
        where.one_of(
            "r.purpose_id",
            [
                int(number)
                for number, text in snapshot.all(_NAMES_OF, kind=int(NameKind.PURPOSES))
                if wanted.intersection(text.split())
            ],
        )
    if asked.bases:
        where.one_of(
            "r.basis_id",
            [
                int(number)
                for number, text in snapshot.all(_NAMES_OF, kind=int(NameKind.BASIS))
                if any(_is_basis(text, one) for one in asked.bases)
            ],
        )


def _is_basis(text: str, asked: str) -> bool:
    return text == asked or (asked.endswith("/") and text.startswith(asked))


def _scope_numbers(snapshot: Snapshot, scope: Sequence[str]) -> list[int]:
    """Return the numbers of organisations, and that of what concerns nobody."""
    numbers = (_number(snapshot, NameKind.ORGANISATION, one) for one in scope)
    return [0, *(number for number in numbers if number is not None)]


def _of_scope(snapshot: Snapshot, where: _Where, asked: AuditFilter) -> None:
    """Keep an officer to rows of her organisations, and of nobody's."""
    if asked.scope is None:
        return
    known = _scope_numbers(snapshot, asked.scope)
    where.add(
        "EXISTS (SELECT 1 FROM audit_scope s WHERE s.leaf_index = "  # noqa: S608 - fixed texts
        f"{where.index} AND s.organisation_id IN ({','.join('?' * len(known))}))",
        *known,
    )
