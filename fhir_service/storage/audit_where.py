"""A question to the log's index in SQL: its conditions, and the one it begins with.

The rows of a value are found by its index, which has the value, the block of rows and
the row: newest first is its order, and a block is sorted where it is read. A question
begins with the condition that leaves the fewest rows as a rule; the others are looked
at in the rows themselves.
"""

from collections.abc import Iterable, Iterator, Sequence
from copy import copy
from dataclasses import replace
from typing import Any, NamedTuple

from sqlalchemy import bindparam, select

from consent.audit.entry import INTERACTION_CODE, OUTCOME_CODE
from fhir_service.storage.audit_counting import HOUR_US
from fhir_service.storage.audit_filter import AuditFilter
from fhir_service.storage.audit_index import EVERYBODYS, NameKind, block_of
from fhir_service.storage.audit_tables import audit_name, audit_subject
from fhir_service.storage.engine import Snapshot
from fhir_service.storage.statement import Statement

_FOREVER = 2**63 - 1

MANY = 20_000
"""Rows of a value that are counted before another column begins instead."""

MAX_PARTS = 64
"""Values that are asked for one after the other, each by its index."""

_NAMED: tuple[tuple[str, NameKind, str], ...] = (
    ("users", NameKind.USER, "user_id"),
    ("clients", NameKind.CLIENT, "client_id"),
    ("organisations", NameKind.ORGANISATION, "organisation_id"),
    ("types", NameKind.TYPE, "type_id"),
    ("reasons", NameKind.REASON, "reason_id"),
    ("addresses", NameKind.ADDRESS, "address_id"),
)

LEADS = (
    "subject_id",
    "user_id",
    "basis_id",
    "reason_id",
    "address_id",
    "client_id",
    "custodian_id",
    "type_id",
    "purpose_id",
    "organisation_id",
    "interaction",
    "outcome",
)
"""Columns with an index, the one first whose values have the fewest rows as a rule."""

REFUSED = frozenset({"user_id", "client_id", "address_id"})
"""Columns with an index of their own of what was denied or failed."""

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

_LEVELS = {
    "0": "r.outcome = 0",
    "4": "(r.outcome = 2 AND r.status < 500)",
    "8": "(r.outcome = 1 OR (r.outcome = 2 AND r.status >= 500))",
}
"""Codes of AuditEvent.outcome, as `consent.audit.audit_event` gives them."""


class _Condition(NamedTuple):
    """SQL with `?` for its values."""

    text: str
    values: tuple[Any, ...]


class Where:
    """Conditions of a question, and the column that it begins with.

    Attributes:
        is_empty: Nothing can be found.
        lead: The column by whose index rows are found; None reads the log backwards.

    """

    def __init__(self, mark: str, table: str = "audit_row") -> None:
        self.is_empty = False
        self.lead: str | None = None
        self._mark = mark
        self._source = _Condition(f"{table} r", ())
        self._index = "r.leaf_index"
        self._named: dict[str, tuple[Any, ...]] = {}
        self._others: list[_Condition] = []
        self._bounds: tuple[int, int] | None = None

    def copy(self) -> "Where":
        """Return the same, to be asked for more."""
        copied = copy(self)
        copied._named = dict(self._named)  # noqa: SLF001 - its own
        copied._others = list(self._others)  # noqa: SLF001 - its own
        return copied

    def add(self, condition: str, *values: Any) -> None:
        """Ask for something more."""
        self._others.append(_Condition(condition, values))

    def one_of(self, column: str, values: Iterable[Any]) -> None:
        """Ask for one of `values`; for none, nothing is found."""
        wanted = tuple(dict.fromkeys(values))
        known = self._named.get(column, wanted)
        self._named[column] = tuple(value for value in known if value in wanted)
        self.is_empty = self.is_empty or not self._named[column]

    def between(self, first: int, last: int) -> None:
        """Ask for rows of a stretch of the log, both ends included."""
        low, high = self._bounds or (first, last)
        self._bounds = max(low, first), min(high, last)
        self.is_empty = self.is_empty or self._bounds[0] > self._bounds[1]

    def begin_with(self, table: str, index: str, *values: Any) -> None:
        """Begin with rows of another table, which tells most.

        Args:
            table: SQL, with `?` for its values.
            index: Its column of the row's place.
            values: For the marks.

        """
        source = f"{table} JOIN audit_row r ON r.leaf_index = {index}"
        self._source, self._index = _Condition(source, values), index

    def led(self, snapshot: Snapshot) -> "Where":
        """Return the same, begun by the column that tells most, if there is one."""
        led = self.copy()
        if self._index == "r.leaf_index":
            led.lead = self._best(snapshot)
        return led

    def _best(self, snapshot: Snapshot) -> str | None:
        """Return the column whose values have the fewest rows.

        PostgreSQL, which knows how many there are, is left to choose by itself.
        """
        named = [one for one in LEADS if one in self._named]
        if len(named) < 2 or self._mark != "?":  # noqa: PLR2004 - nothing to choose
            return next(iter(named), None)
        return min(named, key=lambda column: self._rows(snapshot, column))

    def _rows(self, snapshot: Snapshot, column: str) -> int:
        """Return how many rows the values of a column have; `MANY` for any more."""
        conditions = [
            _member(f"r.{column}", self._named[column]),
            *_restricted(column),
            *self._refused(column),
            *self._blocks(),
        ]
        where = " AND ".join(one.text for one in conditions)
        [(found,)] = snapshot.sql(
            f"SELECT COUNT(*) FROM (SELECT 1 FROM audit_row r WHERE {where} "  # noqa: S608 - fixed texts
            f"LIMIT {MANY})",
            [value for one in conditions for value in one.values],
        )
        return int(found)

    def parts(self, snapshot: Snapshot) -> Iterator["Where"]:
        """Yield questions that have these rows together, each with an order of its own.

        A few values of a column are as many questions, whose newest rows its index
        finds; many are one, which reads the log backwards.
        """
        led = self.led(snapshot)
        values = () if led.lead is None else self._named[led.lead]
        if led.lead is None or len(values) > MAX_PARTS:
            yield self
            return
        for value in values:
            yield self.of(led.lead, value)

    def of(self, column: str, value: int) -> "Where":
        """Return the same for one value of a column, begun by it."""
        led = self.copy()
        led.one_of(column, (value,))
        led.lead = column
        return led

    @property
    def order(self) -> str:
        """Newest first, as that has it which finds the rows."""
        blocks = "" if self.lead is None else "r.block DESC, "
        return f" ORDER BY {blocks}{self._index} DESC"

    def sql(self) -> tuple[str, list[Any]]:
        """Return what follows the columns of a SELECT, and its values."""
        conditions = list(self._conditions())
        where = " AND ".join(one.text for one in conditions)
        text = f" FROM {self._source.text}" + (f" WHERE {where}" if where else "")
        values = [value for one in (self._source, *conditions) for value in one.values]
        return text.replace("?", self._mark), values

    def _conditions(self) -> Iterator[_Condition]:
        for column, values in self._named.items():
            name = f"{self._plus(column)}r.{column}"
            # PostgreSQL sees from the codes that an index of what was refused will do.
            is_code = column == "outcome"
            yield _coded(name, values) if is_code else _member(name, values)
            yield from _restricted(column)
        yield from self._refused(self.lead)
        if self._bounds is not None:
            yield _Condition(f"{self._index} BETWEEN ? AND ?", self._bounds)
        if self.lead is not None:
            yield from self._blocks()
        yield from self._others

    def _refused(self, column: str | None) -> Iterator[_Condition]:
        """Yield what SQLite wants to see to use an index of what was refused."""
        is_refused = min(self._named.get("outcome", (0,))) > 0
        if column in REFUSED and is_refused and self._mark == "?":
            yield _Condition("r.outcome > 0", ())

    def _blocks(self) -> Iterator[_Condition]:
        """Yield what bounds the blocks of rows, where the rows are bounded."""
        if self._bounds is not None:
            blocks = tuple(map(block_of, self._bounds))
            yield _Condition("r.block BETWEEN ? AND ?", blocks)

    def _plus(self, column: str) -> str:
        """Return what keeps SQLite, which does not count, from a poorer index."""
        is_free = self.lead is None and self._index == "r.leaf_index"
        return "" if is_free or column == self.lead or self._mark != "?" else "+"


def _member(name: str, values: tuple[Any, ...]) -> _Condition:
    if len(values) == 1:
        return _Condition(f"{name} = ?", values)
    return _Condition(f"{name} IN ({','.join('?' * len(values))})", values)


def _coded(name: str, codes: tuple[int, ...]) -> _Condition:
    if len(codes) == 1:
        return _Condition(f"{name} = {int(codes[0])}", ())
    return _Condition(f"{name} IN ({','.join(str(int(one)) for one in codes)})", ())


def _restricted(column: str) -> Iterator[_Condition]:
    """Yield what the index of a column is restricted to."""
    if column == "reason_id":
        yield _Condition("r.reason_id > 0", ())


def mark_of(snapshot: Snapshot) -> str:
    """Return what stands for a value in the database's SQL."""
    return "?" if snapshot.dialect == "sqlite" else "%s"


def wheres(snapshot: Snapshot, asked: AuditFilter) -> list[Where]:
    """Return what is asked for, as questions without a row in common."""
    where = _common(snapshot, asked)
    if not asked.patients:
        return [] if where.is_empty else [where]
    parts = _of_patients(where, subjects(snapshot, asked.patients))
    return [part for part in parts if not part.is_empty]


def newest(snapshot: Snapshot, asked: AuditFilter) -> Iterator[Where]:
    """Yield questions that have the rows together, each with an order of its own."""
    if asked.scope is not None and is_only_time(replace(asked, scope=None)):
        [*everything] = wheres(snapshot, replace(asked, scope=None))
        for where in everything:
            yield from _of_scopes(where, organisations(snapshot, asked.scope))
        return
    for where in wheres(snapshot, asked):
        yield from where.parts(snapshot)


def is_only_time(asked: AuditFilter) -> bool:
    """Whether nothing but a time is asked for."""
    return asked == AuditFilter(since_us=asked.since_us, until_us=asked.until_us)


def _of_scopes(where: Where, numbers: Sequence[int]) -> Iterator[Where]:
    """Yield the rows of officers, each organisation's by its own indexes."""
    yield where.of("custodian_id", EVERYBODYS)
    for number in numbers:
        yield where.of("custodian_id", number)
        yield where.of("organisation_id", number)
        further = where.copy()
        further.begin_with("audit_scope s", "s.leaf_index")
        further.add("s.organisation_id = ?", number)
        yield further


def _of_patients(where: Where, numbers: Sequence[int]) -> Iterator[Where]:
    """Yield the rows whose first patient is one of these, and those further on."""
    first = where.copy()
    first.one_of("subject_id", numbers)
    yield first
    if numbers:
        further = where.copy()
        marks = ",".join("?" * len(numbers))
        distinct = "DISTINCT " if len(numbers) > 1 else ""
        further.begin_with(
            f"(SELECT {distinct}q.leaf_index FROM audit_patient q "  # noqa: S608 - fixed texts
            f"WHERE q.subject_id IN ({marks})) p",
            "p.leaf_index",
            *numbers,
        )
        further.add(f"r.subject_id NOT IN ({marks})", *numbers)
        yield further


def _common(snapshot: Snapshot, asked: AuditFilter) -> Where:
    """Return everything that is asked for but the patients."""
    where = Where(mark_of(snapshot))
    where.is_empty = asked.is_nothing
    if asked.indexes:
        condition = _member("r.leaf_index", asked.indexes)
        where.add(condition.text, *condition.values)
    if asked.levels:
        levels = [_LEVELS[one] for one in asked.levels if one in _LEVELS]
        where.add(f"({' OR '.join(levels)})" if levels else "1 = 0")
    _of_unexplained(where, asked)
    of_time(snapshot, where, asked)
    coded(where, asked)
    for attribute, kind, column in _NAMED:
        texts = getattr(asked, attribute)
        if texts:
            where.one_of(column, _numbers(snapshot, kind, texts))
    for one in (asked, *asked.also):
        _of_agents(snapshot, where, one)
        _of_words(snapshot, where, one)
    if asked.scope is not None:
        _of_scope(where, organisations(snapshot, asked.scope))
    if asked.is_release is not None:
        where.add("r.released > 0" if asked.is_release else "r.released = 0")
    return where


def _of_unexplained(where: Where, asked: AuditFilter) -> None:
    """Ask for rows without an explanation; begin with them, for they are few."""
    if asked.is_unexplained and asked.patients:
        where.add(
            "EXISTS (SELECT 1 FROM audit_explanation x "
            "WHERE x.leaf_index = r.leaf_index AND x.code = 0)"
        )
    elif asked.is_unexplained:
        where.begin_with("audit_explanation x", "x.leaf_index")
        where.add("x.code = 0")


def of_time(snapshot: Snapshot, where: Where, asked: AuditFilter) -> None:
    """Ask for a time, exactly, between the rows where its hours lie."""
    if asked.since_us is None and asked.until_us is None:
        return
    mark = mark_of(snapshot)
    since, until = asked.since_us or 0, asked.until_us
    [(first, last)] = snapshot.sql(
        "SELECT MIN(first_leaf), MAX(last_leaf) FROM audit_tally "  # noqa: S608 - fixed texts
        f"WHERE hour >= {mark} AND hour < {mark}",
        (since // HOUR_US, hour_after(until)),
    )
    if first is None:
        where.is_empty = True
        return
    where.between(int(first), int(last))
    where.add("r.time >= ?", since)
    where.add("r.time < ?", _FOREVER if until is None else until)


def hour_after(until_us: int | None) -> int:
    """Return the first hour since 1970 that is not before a time; None is never."""
    return 2**31 - 1 if until_us is None else -(-until_us // HOUR_US)


def coded(where: Where, asked: AuditFilter) -> None:
    """Ask for what was done and how it ended."""
    if asked.interactions:
        codes = (INTERACTION_CODE[one] for one in asked.interactions)
        where.one_of("interaction", codes)
    if asked.outcomes:
        where.one_of("outcome", (OUTCOME_CODE[one] for one in asked.outcomes))


def _of_agents(snapshot: Snapshot, where: Where, asked: AuditFilter) -> None:
    """Ask for rows in which one of some names took part, in whatever role."""
    if not asked.agents:
        return
    found = {
        column: _numbers(snapshot, kind, asked.agents) for _, kind, column in _NAMED[:3]
    }
    parts = [_member(f"r.{column}", tuple(of)) for column, of in found.items() if of]
    if parts:
        text = " OR ".join(part.text for part in parts)
        where.add(f"({text})", *(value for part in parts for value in part.values))
    else:
        where.is_empty = True


def _numbers(snapshot: Snapshot, kind: NameKind, texts: Iterable[str]) -> list[int]:
    """Return the numbers of those names that the log knows."""
    found = (snapshot.one(_NAME, kind=int(kind), text=text) for text in texts)
    return [int(one[0]) for one in found if one is not None]


def organisations(snapshot: Snapshot, scope: Iterable[str]) -> list[int]:
    """Return the numbers of those organisations that the log knows."""
    return _numbers(snapshot, NameKind.ORGANISATION, scope)


def subjects(snapshot: Snapshot, pseudonyms: Iterable[bytes]) -> list[int]:
    """Return the numbers of those patients whom the log knows."""
    found = (snapshot.one(_SUBJECT, pseudonym=one) for one in pseudonyms)
    return [int(one[0]) for one in found if one is not None]


def _of_words(snapshot: Snapshot, where: Where, asked: AuditFilter) -> None:
    """Ask for names that are several in one: purposes, and versions of a consent."""
    if asked.purposes:
        wanted = set(asked.purposes)
        where.one_of(
            "purpose_id",
            [
                int(number)
                for number, text in snapshot.all(_NAMES_OF, kind=int(NameKind.PURPOSES))
                if wanted.intersection(text.split())
            ],
        )
    if asked.bases:
        where.one_of(
            "basis_id",
            [
                int(number)
                for number, text in snapshot.all(_NAMES_OF, kind=int(NameKind.BASIS))
                if any(_is_basis(text, one) for one in asked.bases)
            ],
        )


def _is_basis(text: str, asked: str) -> bool:
    return text == asked or (asked.endswith("/") and text.startswith(asked))


def _of_scope(where: Where, numbers: Sequence[int]) -> None:
    """Keep an officer to rows of her organisations, and of nobody's."""
    nobodys = f"r.custodian_id = {EVERYBODYS}"
    if not numbers:
        where.add(nobodys)
        return
    marks = ",".join("?" * len(numbers))
    where.add(
        f"({nobodys} OR r.custodian_id IN ({marks}) "  # noqa: S608 - fixed texts
        f"OR r.organisation_id IN ({marks}) OR EXISTS (SELECT 1 FROM audit_scope s "
        f"WHERE s.leaf_index = r.leaf_index AND s.organisation_id IN ({marks})))",
        *numbers,
        *numbers,
        *numbers,
    )
