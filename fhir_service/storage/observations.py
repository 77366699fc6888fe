"""The time-series index: pages and counts of Observations by patient, code and date.

Both indexes cover the question and the consent predicate, ascend, and are read
backwards for the newest first. Intervals are bounded by the longest of their series,
so that a date range is a range of the index.

https://hl7.org/fhir/R4/observation.html#search
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import bindparam, delete, insert, select, update

from fhir_service.search.criteria import DateValue
from fhir_service.storage.conditions import any_of, interval, lower, text_of, upper
from fhir_service.storage.engine import Snapshot, Transaction
from fhir_service.storage.predicate import EVERYTHING, Clause
from fhir_service.storage.resources import (
    RESOURCE_COLUMNS,
    Shown,
    Stored,
    shown,
    stored,
)
from fhir_service.storage.statement import Statement, columns_of
from fhir_service.storage.tables import (
    coding,
    concept_coding,
    observation_code,
    observation_time,
    series,
)
from fhir_service.storage.tokens import UNDATED

CODE_COLUMNS = (
    "patient_key",
    "code_key",
    "start",
    "row",
    "signature_id",
    "duration",
    "c_start",
    "c_end",
    "set_id",
)
TIME_COLUMNS = (*CODE_COLUMNS[:1], *CODE_COLUMNS[2:])

Entry = tuple[int, int, int, int, int, int, int, int, int]
"""Values of `CODE_COLUMNS`."""

_ADD_CODE = Statement(insert(observation_code).values(**columns_of(CODE_COLUMNS)))
_ADD_TIME = Statement(insert(observation_time).values(**columns_of(TIME_COLUMNS)))
_REMOVE_CODE = Statement(
    delete(observation_code).where(
        observation_code.c.patient_key == bindparam("patient_key"),
        observation_code.c.code_key == bindparam("code_key"),
        observation_code.c.start == bindparam("at"),
        observation_code.c.row == bindparam("key"),
    )
)
_REMOVE_TIME = Statement(
    delete(observation_time).where(
        observation_time.c.patient_key == bindparam("patient_key"),
        observation_time.c.start == bindparam("at"),
        observation_time.c.row == bindparam("key"),
    )
)
_SERIES = Statement(
    select(series.c.code_key, series.c.longest).where(
        series.c.patient_key == bindparam("patient_key")
    )
)
_ADD_SERIES = Statement(
    insert(series).values(**columns_of(["patient_key", "code_key", "longest"]))
)
_GROW_SERIES = Statement(
    update(series)
    .where(
        series.c.patient_key == bindparam("of"), series.c.code_key == bindparam("code")
    )
    .values(longest=bindparam("new_longest"))
)


def add(transaction: Transaction, entries: Sequence[Entry]) -> None:
    """Index Observations; each entry has the values of `CODE_COLUMNS`."""
    transaction.copy(_ADD_CODE, "observation_code", CODE_COLUMNS, entries)
    transaction.copy(
        _ADD_TIME,
        "observation_time",
        TIME_COLUMNS,
        [(entry[0], *entry[2:]) for entry in entries],
    )
    _grow(transaction, entries)


def _grow(transaction: Transaction, entries: Iterable[Entry]) -> None:
    longest: dict[tuple[int, int], int] = {}
    for entry in entries:
        of = (entry[0], entry[1])
        if entry[5] > longest.get(of, -1):
            longest[of] = entry[5]
    for patient_key in {key for key, _ in longest}:
        known = lengths(transaction, patient_key)
        for (key, code_key), duration in longest.items():
            if key != patient_key:
                continue
            if code_key not in known:
                transaction.run(
                    _ADD_SERIES, patient_key=key, code_key=code_key, longest=duration
                )
            elif duration > known[code_key]:
                transaction.run(
                    _GROW_SERIES, of=key, code=code_key, new_longest=duration
                )


def remove(transaction: Transaction, entry: Entry) -> None:
    """Take an Observation out of the index."""
    at = {"patient_key": entry[0], "at": entry[2], "key": entry[3]}
    transaction.run(_REMOVE_CODE, code_key=entry[1], **at)
    transaction.run(_REMOVE_TIME, **at)


def lengths(snapshot: Snapshot, patient_key: int) -> dict[int, int]:
    """Return code key → longest duration of what the patient has, in microseconds."""
    rows = snapshot.all(_SERIES, patient_key=patient_key)
    return {code_key: longest for code_key, longest in rows}  # noqa: C416 - rows are sequences, not pairs, on PostgreSQL


_OF_CODE = (
    select(series.c.code_key, series.c.longest)
    .select_from(
        coding.join(
            concept_coding, concept_coding.c.coding_id == coding.c.coding_id
        ).join(series, series.c.code_key == concept_coding.c.concept_id)
    )
    .where(
        series.c.patient_key == bindparam("patient_key"),
        coding.c.code == bindparam("code"),
    )
)
_SERIES_WITH_CODE = Statement(_OF_CODE)
_SERIES_WITH_CODING = Statement(_OF_CODE.where(coding.c.system == bindparam("system")))


def lengths_of_code(
    snapshot: Snapshot, patient_key: int, system: str | None, code: str
) -> dict[int, int]:
    """Return the same for the series that have a coding; any system where None."""
    if system is None:
        rows = snapshot.all(_SERIES_WITH_CODE, patient_key=patient_key, code=code)
    else:
        rows = snapshot.all(
            _SERIES_WITH_CODING, patient_key=patient_key, code=code, system=system
        )
    return {code_key: longest for code_key, longest in rows}  # noqa: C416 - rows are sequences, not pairs, on PostgreSQL


@dataclass(frozen=True, kw_only=True, slots=True)
class Question:
    """What a page of Observations is asked for, in storage's words.

    Attributes:
        patient_key: Whose.
        series: Any of these series of codes, with the longest duration of each; None
            for all that the patient has.
        dates: ANDed alternatives of comparisons with the effective time.
        where: What else is asked, and what consent permits.
        descending: Newest first.
        after: (start, row) of the last entry of the page before.

    """

    patient_key: int
    series: Mapping[int, int] | None = None
    dates: tuple[tuple[DateValue, ...], ...] = ()
    where: Clause = EVERYTHING
    descending: bool = True
    after: tuple[int, int] | None = None


_END = "(start + duration)"


class _Where:
    """Conditions and their parameters, in step."""

    def __init__(self) -> None:
        self.texts: list[str] = []
        self.values: list[object] = []

    def add(self, text: str, *values: object) -> None:
        self.texts.append(text)
        self.values.extend(values)

    def text(self) -> str:
        return " AND ".join(self.texts)


def _dates(where: _Where, question: Question, longest: int) -> None:
    if question.dates:
        where.add("start > ?", UNDATED)
    for alternatives in question.dates:
        text, values = any_of([interval(one, "start", _END) for one in alternatives])
        where.add(text, *values)
        if (bound := lower(alternatives)) is not None:
            where.add("start >= ?", bound - longest)
        if (bound := upper(alternatives)) is not None:
            where.add("start <= ?", bound)


def _conditions(question: Question, code_key: int | None, longest: int) -> _Where:
    where = _Where()
    where.add("patient_key = ?", question.patient_key)
    if code_key is not None:
        where.add("code_key = ?", code_key)
    _dates(where, question, longest)
    text, values = question.where
    if text:
        where.add(text, *values)
    return where


def _branches(
    snapshot: Snapshot, question: Question
) -> list[tuple[str, int | None, int]]:
    """Return (table, code key, longest duration) of each series to be read."""
    if question.series is None:
        known = lengths(snapshot, question.patient_key)
        longest = max(known.values(), default=0)
        return [("observation_time", None, longest)] if known else []
    return [
        ("observation_code", key, longest) for key, longest in question.series.items()
    ]


_SHOWN = ", ".join(["p.start", *(f"r.{name}" for name in Shown._fields)])
_WHOLE = ", ".join(["p.start", *(f"r.{name}" for name in RESOURCE_COLUMNS)])


def page(snapshot: Snapshot, question: Question, count: int) -> list[tuple[int, Shown]]:
    """Return up to `count` of (start, what a page needs), in order.

    The columns of a whole version cost as much again as finding it.
    """
    return [
        (found[0], shown(found[1:]))
        for found in _selected(snapshot, question, count, _SHOWN)
    ]


def versions(
    snapshot: Snapshot, question: Question, count: int
) -> list[tuple[int, Stored]]:
    """Return up to `count` of (start, version), in order."""
    return [
        (found[0], stored(found[1:]))
        for found in _selected(snapshot, question, count, _WHOLE)
    ]


def _selected(
    snapshot: Snapshot, question: Question, count: int, columns: str
) -> list[tuple[Any, ...]]:
    wheres = [
        (table, _after(_conditions(question, code_key, longest), question))
        for table, code_key, longest in _branches(snapshot, question)
    ]
    if not wheres:
        return []
    direction = "DESC" if question.descending else "ASC"
    if len(wheres) == 1:
        table, where = wheres[0]
        sql = (
            f"SELECT {columns} FROM (SELECT * FROM {table} o "  # noqa: S608 - fixed texts
            f"WHERE {where.text()}) p JOIN resource r ON r.row = p.row "
            f"ORDER BY p.start {direction}, p.row {direction} LIMIT ?"
        )
        values = [*where.values, count]
    else:
        sql, values = _merged(wheres, direction, count, columns)
    return snapshot.sql(text_of(sql, snapshot.dialect), values)


def by_series(snapshot: Snapshot, question: Question) -> list[Question]:
    """Return the question of each series alone."""
    series = question.series
    if series is None:
        series = lengths(snapshot, question.patient_key)
    return [
        replace(question, series={key: longest})
        for key, longest in sorted(series.items())
    ]


MAX_BRANCHES = 100
"""Series in one statement; SQLite joins at most 500."""


def latest(
    snapshot: Snapshot, question: Question, count: int
) -> list[tuple[int, Stored]]:
    """Return the newest `count` of (start, version) of each series."""
    if snapshot.dialect == "postgresql":
        return _latest_of_each(snapshot, question, count)
    branches = [
        _newest_of(number, _conditions(one, code_key, longest), table, count)
        for number, one in enumerate(by_series(snapshot, question))
        for table, code_key, longest in _branches(snapshot, one)
    ]
    found: list[tuple[int, Stored]] = []
    for first in range(0, len(branches), MAX_BRANCHES):
        chunk = branches[first : first + MAX_BRANCHES]
        sql = (
            f"SELECT {_WHOLE} FROM ({' UNION ALL '.join(text for text, _ in chunk)}) p "  # noqa: S608 - fixed texts
            "JOIN resource r ON r.row = p.row "
            "ORDER BY p.n, p.start DESC, p.row DESC"
        )
        rows = snapshot.sql(
            text_of(sql, snapshot.dialect), [one for _, of in chunk for one in of]
        )
        found += [(columns[0], stored(columns[1:])) for columns in rows]
    return found


def _latest_of_each(
    snapshot: Snapshot, question: Question, count: int
) -> list[tuple[int, Stored]]:
    """Return the same by one branch for all series: PostgreSQL plans each of many."""
    series = question.series
    if series is None:
        series = lengths(snapshot, question.patient_key)
    where = _conditions(question, None, max(series.values(), default=0))
    sql = (
        f"SELECT {_WHOLE} FROM unnest(?::int[]) WITH ORDINALITY AS s (code_key, n) "  # noqa: S608 - fixed texts
        "CROSS JOIN LATERAL (SELECT start, row FROM observation_code o "
        f"WHERE o.code_key = s.code_key AND {where.text()} "
        "ORDER BY start DESC, row DESC LIMIT ?) p "
        "JOIN resource r ON r.row = p.row ORDER BY s.n, p.start DESC, p.row DESC"
    )
    rows = snapshot.sql(
        text_of(sql, snapshot.dialect), [sorted(series), *where.values, count]
    )
    return [(columns[0], stored(columns[1:])) for columns in rows]


def _newest_of(
    number: int, where: _Where, table: str, count: int
) -> tuple[str, list[object]]:
    text = (
        f"SELECT * FROM (SELECT {number} AS n, start, row FROM {table} o "  # noqa: S608 - fixed texts
        f"WHERE {where.text()} ORDER BY start DESC, row DESC LIMIT ?) b{number}"
    )
    return text, [*where.values, count]


def _after(where: _Where, question: Question) -> _Where:
    if question.after is not None:
        start, row = question.after
        compare = "<" if question.descending else ">"
        where.add(
            f"start {compare}= ? AND (start {compare} ? OR row {compare} ?)",
            start,
            start,
            row,
        )
    return where


def _merged(
    wheres: Sequence[tuple[str, _Where]], direction: str, count: int, columns: str
) -> tuple[str, list[object]]:
    """Return a page over several series, each read no further than a page."""
    order = f"ORDER BY start {direction}, row {direction}"
    parts, values = [], []
    for number, (table, where) in enumerate(wheres):
        parts.append(
            f"SELECT * FROM (SELECT start, row FROM {table} o "  # noqa: S608 - fixed texts
            f"WHERE {where.text()} {order} LIMIT ?) b{number}"
        )
        values += [*where.values, count]
    sql = (
        f"SELECT {columns} FROM (SELECT * FROM ({' UNION ALL '.join(parts)}) b "  # noqa: S608 - fixed texts
        f"{order} LIMIT ?) p JOIN resource r ON r.row = p.row "
        f"ORDER BY p.start {direction}, p.row {direction}"
    )
    return sql, [*values, count]


def total(snapshot: Snapshot, question: Question) -> int:
    """Return how many Observations the view holds for this question."""
    found = 0
    for table, code_key, longest in _branches(snapshot, question):
        where = _conditions(question, code_key, longest)
        sql = f"SELECT COUNT(*) FROM {table} o WHERE {where.text()}"  # noqa: S608 - fixed texts
        found += snapshot.sql(text_of(sql, snapshot.dialect), where.values)[0][0]
    return found
