"""The time-series index: pages and counts of Observations by patient, code and date.

Both indexes cover the question and the consent predicate, ascend, and are read
backwards for the newest first. Intervals are bounded by the longest of their series,
so that a date range is a range of the index.

https://hl7.org/fhir/R4/observation.html#search
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import bindparam, delete, insert, select, update

from fhir_service.search.values import DateCriterion
from fhir_service.storage.engine import Snapshot, Transaction
from fhir_service.storage.statement import DialectName, Statement, array, columns_of
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
    "category_key",
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
        category_keys: For each `category`, any of these concepts.
        dates: ANDed alternatives of comparisons with the effective time.
        updated: The same for lastUpdated.
        permitted: The consent predicate and its parameters; empty text for none.
        descending: Newest first.
        after: (start, row) of the last entry of the page before.

    """

    patient_key: int
    series: Mapping[int, int] | None = None
    category_keys: tuple[frozenset[int], ...] = ()
    dates: tuple[tuple[DateCriterion, ...], ...] = ()
    updated: tuple[tuple[DateCriterion, ...], ...] = ()
    permitted: tuple[str, tuple[object, ...]] = ("", ())
    descending: bool = True
    after: tuple[int, int] | None = None


_END = "(start + duration)"
_INTERVAL = {
    "eq": ("(start >= ? AND {end} <= ?)", "se"),
    "ne": ("(start < ? OR {end} > ?)", "se"),
    "gt": ("({end} > ?)", "e"),
    "lt": ("(start < ?)", "s"),
    "ge": ("({end} > ? OR start >= ?)", "es"),
    "le": ("(start < ? OR {end} <= ?)", "se"),
    "sa": ("(start > ?)", "e"),
    "eb": ("({end} < ?)", "s"),
    "ap": ("(start <= ? AND {end} >= ?)", "es"),
}
"""Prefix → condition on the resource's interval, and which bounds it takes."""

_LOWER = {"eq": "s", "gt": "e", "ge": "s", "sa": "e", "ap": "s"}
_UPPER = {"eq": "e", "lt": "s", "le": "e", "eb": "s", "ap": "e"}
"""Prefix → bound that `start` cannot pass (the lower one less the longest)."""


def _bound(criterion: DateCriterion, letter: str) -> int:
    return criterion.start if letter == "s" else criterion.end


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


def _any_of(
    alternatives: Sequence[DateCriterion], end: str, start: str = "start"
) -> tuple[str, list[object]]:
    texts: list[str] = []
    values: list[object] = []
    for criterion in alternatives:
        text, letters = _INTERVAL[criterion.prefix]
        texts.append(text.format(end=end).replace("start", start))
        values.extend(_bound(criterion, letter) for letter in letters)
    return f"({' OR '.join(texts)})", values


def _dates(where: _Where, question: Question, longest: int) -> None:
    if question.dates:
        where.add("start > ?", UNDATED)
    for alternatives in question.dates:
        text, values = _any_of(alternatives, _END)
        where.add(text, *values)
        lower = [
            _bound(criterion, _LOWER[criterion.prefix]) - longest
            for criterion in alternatives
            if criterion.prefix in _LOWER
        ]
        if len(lower) == len(alternatives):
            where.add("start >= ?", min(lower))
        upper = [
            _bound(criterion, _UPPER[criterion.prefix])
            for criterion in alternatives
            if criterion.prefix in _UPPER
        ]
        if len(upper) == len(alternatives):
            where.add("start <= ?", max(upper))


def _conditions(
    question: Question, dialect: DialectName, code_key: int | None, longest: int
) -> _Where:
    where = _Where()
    where.add("patient_key = ?", question.patient_key)
    if code_key is not None:
        where.add("code_key = ?", code_key)
    _dates(where, question, longest)
    for keys in question.category_keys:
        where.add(*_member("category_key", sorted(keys), dialect))
    text, values = question.permitted
    if text:
        where.add(text, *values)
    for alternatives in question.updated:
        text, bounds = _any_of(alternatives, "last_updated", "last_updated")
        where.add(
            f"EXISTS (SELECT 1 FROM resource u WHERE u.row = o.row AND {text})",  # noqa: S608 - fixed texts
            *bounds,
        )
    return where


def _member(
    column: str, values: Sequence[int], dialect: DialectName
) -> tuple[str, object]:
    if dialect == "sqlite":
        text = f"{column} IN (SELECT value FROM json_each(?))"  # noqa: S608 - fixed texts
    else:
        text = f"{column} = ANY(?)"
    return text, array(values, dialect)


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


def _text(sql: str, dialect: DialectName) -> str:
    return sql if dialect == "sqlite" else sql.replace("?", "%s")


_COLUMNS = "p.start, p.row, r.seq, r.version, r.body"


def page(
    snapshot: Snapshot, question: Question, count: int
) -> list[tuple[int, int, int, int, bytes]]:
    """Return up to `count` of (start, row, seq, version, body), in order."""
    wheres = [
        (
            table,
            _after(
                _conditions(question, snapshot.dialect, code_key, longest), question
            ),
        )
        for table, code_key, longest in _branches(snapshot, question)
    ]
    if not wheres:
        return []
    direction = "DESC" if question.descending else "ASC"
    if len(wheres) == 1:
        table, where = wheres[0]
        sql = (
            f"SELECT {_COLUMNS} FROM (SELECT * FROM {table} o "  # noqa: S608 - fixed texts
            f"WHERE {where.text()}) p JOIN resource r ON r.row = p.row "
            f"ORDER BY p.start {direction}, p.row {direction} LIMIT ?"
        )
        values = [*where.values, count]
    else:
        sql, values = _merged(wheres, direction, count)
    return snapshot.sql(_text(sql, snapshot.dialect), values)


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
    wheres: Sequence[tuple[str, _Where]], direction: str, count: int
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
        f"SELECT {_COLUMNS} FROM (SELECT * FROM ({' UNION ALL '.join(parts)}) b "  # noqa: S608 - fixed texts
        f"{order} LIMIT ?) p JOIN resource r ON r.row = p.row "
        f"ORDER BY p.start {direction}, p.row {direction}"
    )
    return sql, [*values, count]


def total(snapshot: Snapshot, question: Question) -> int:
    """Return how many Observations the view holds for this question."""
    found = 0
    for table, code_key, longest in _branches(snapshot, question):
        where = _conditions(question, snapshot.dialect, code_key, longest)
        sql = f"SELECT COUNT(*) FROM {table} o WHERE {where.text()}"  # noqa: S608 - fixed texts
        found += snapshot.sql(_text(sql, snapshot.dialect), where.values)[0][0]
    return found
