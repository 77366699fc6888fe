"""Conditions of a search as SQL, on the columns of the table whose alias is `o`.

Each is a `Clause`: text with `?` and its values. What an index finds rarely is looked
up first and the rows are taken from it; what it finds often is asked row by row, so
that a page stops as soon as it is full.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from fhir_service.search.criteria import DateValue
from fhir_service.storage.engine import Snapshot
from fhir_service.storage.predicate import NOTHING, Clause
from fhir_service.storage.statement import DialectName, array

RARE = 2_000
"""Index entries up to which the index drives a search."""


def text_of(sql: str, dialect: DialectName) -> str:
    """Return the text with the driver's placeholders."""
    return sql if dialect == "sqlite" else sql.replace("?", "%s")


def members(column: str, values: Iterable[int], dialect: DialectName) -> Clause:
    """Return that a column is one of these integers."""
    if dialect == "sqlite":
        text = f"{column} IN (SELECT value FROM json_each(?))"  # noqa: S608 - fixed texts
    else:
        text = f"{column} = ANY(?)"
    return text, (array(values, dialect),)


def all_of(clauses: Iterable[Clause]) -> Clause:
    """Return the conjunction; empty text where there is nothing to ask."""
    kept = [clause for clause in clauses if clause[0]]
    return (
        " AND ".join(text for text, _ in kept),
        tuple(value for _, values in kept for value in values),
    )


def any_of(clauses: Sequence[Clause]) -> Clause:
    """Return the disjunction; nothing where there is no alternative."""
    if not clauses:
        return NOTHING
    if len(clauses) == 1:
        return clauses[0]
    return (
        f"({' OR '.join(text for text, _ in clauses)})",
        tuple(value for _, values in clauses for value in values),
    )


def none_of(clause: Clause) -> Clause:
    """Return the negation."""
    return f"NOT ({clause[0] or '1 = 1'})", clause[1]


def in_rows(rows: Iterable[int], dialect: DialectName) -> Clause:
    """Return that the row is one of these."""
    return members("row", rows, dialect)


def _of_hashes(
    table: str,
    key: str,
    hashes: Sequence[int],
    patient: int | None,
    dialect: DialectName,
) -> Clause:
    which, values = members("hash", hashes, dialect)
    whose = "" if patient is None else "patient_key = ? AND "
    return (
        f"{key} IN (SELECT {key} FROM {table} WHERE {whose}{which})",  # noqa: S608 - fixed texts
        values if patient is None else (patient, *values),
    )


def in_sets(hashes: Sequence[int], patient: int | None, dialect: DialectName) -> Clause:
    """Return that the row's index set has one of these postings."""
    return _of_hashes("set_posting", "set_id", hashes, patient, dialect)


def in_own(hashes: Sequence[int], patient: int | None, dialect: DialectName) -> Clause:
    """Return that the row itself has one of these postings."""
    return _of_hashes("row_posting", "row", hashes, patient, dialect)


_INTERVAL: Mapping[str, tuple[str, str]] = {
    "eq": ("(low >= ? AND high <= ?)", "se"),
    "ne": ("(low < ? OR high > ?)", "se"),
    "gt": ("high > ?", "e"),
    "lt": ("low < ?", "s"),
    "ge": ("(high > ? OR low >= ?)", "es"),
    "le": ("(low < ? OR high <= ?)", "se"),
    "sa": ("low > ?", "e"),
    "eb": ("high < ?", "s"),
    "ap": ("(low <= ? AND high >= ?)", "es"),
}
"""Prefix → condition on a resource's interval, and which bounds it takes."""


def interval(value: DateValue, low: str, high: str) -> Clause:
    """Return the comparison of the interval between two columns."""
    text, letters = _INTERVAL[value.prefix]
    bounds = tuple(value.start if letter == "s" else value.end for letter in letters)
    return text.replace("low", low).replace("high", high), bounds


_LOWER: Mapping[str, str] = {"eq": "s", "gt": "e", "ge": "s", "sa": "e", "ap": "s"}
_UPPER: Mapping[str, str] = {"eq": "e", "lt": "s", "le": "e", "eb": "s", "ap": "e"}
"""Prefix → bound that the end of an interval reaches, and that its start does not pass;
those that are left out have none."""


def lower(values: Sequence[DateValue]) -> int | None:
    """Return what the end of the interval reaches if any of the comparisons holds."""
    return _outermost(values, _LOWER, min)


def upper(values: Sequence[DateValue]) -> int | None:
    """Return what the start of the interval does not pass, likewise."""
    return _outermost(values, _UPPER, max)


def _outermost(
    values: Sequence[DateValue],
    letters: Mapping[str, str],
    outer: Callable[[Iterable[int]], int],
) -> int | None:
    bounds = [
        one.start if letters[one.prefix] == "s" else one.end
        for one in values
        if one.prefix in letters
    ]
    return outer(bounds) if bounds and len(bounds) == len(values) else None


def dates(
    snapshot: Snapshot, parameter: int, values: Sequence[DateValue], patient: int | None
) -> Clause:
    """Return that the row has a date of a parameter that one comparison holds of."""
    compared = any_of([interval(value, "low", "high") for value in values])
    return _indexed(snapshot, "date_index", parameter, compared, patient)


_POINT: Mapping[str, tuple[str, str]] = {
    "eq": ("(low >= ? AND high < ?)", "lh"),
    "ne": ("(low < ? OR high >= ?)", "lh"),
    "gt": ("high > ?", "v"),
    "lt": ("low < ?", "v"),
    "ge": ("high >= ?", "v"),
    "le": ("low <= ?", "v"),
    "sa": ("low > ?", "v"),
    "eb": ("high < ?", "v"),
    "ap": ("(high >= ? AND low <= ?)", "lh"),
}
"""The same for numbers, which are points as far as they are known exactly."""


@dataclass(frozen=True, slots=True)
class Compared:
    """A comparison with numbers in one unit.

    Attributes:
        prefix: One of FHIR's nine comparators.
        value: What was asked, in the unit of the index entries.
        low: Its lower bound, likewise.
        high: Its upper bound, likewise.
        unit_id: The unit of the index entries; None for any.

    """

    prefix: str
    value: Decimal
    low: Decimal
    high: Decimal
    unit_id: int | None

    def clause(self) -> Clause:
        """Return the comparison as a condition on `low`, `high` and `unit_id`."""
        text, letters = _POINT[self.prefix]
        named = {"v": self.value, "l": self.low, "h": self.high}
        values = tuple(float(named[letter]) for letter in letters)
        if self.unit_id is None:
            return text, values
        return f"(unit_id = ? AND {text})", (self.unit_id, *values)


def quantities(
    snapshot: Snapshot,
    parameters: Sequence[int],
    compared: Sequence[Compared],
    patient: int | None,
) -> Clause:
    """Return that the row has a number that one of the comparisons holds of."""
    holds = any_of([one.clause() for one in compared])
    return any_of(
        [
            _indexed(snapshot, "quantity_index", parameter, holds, patient)
            for parameter in parameters
        ]
    )


def _indexed(
    snapshot: Snapshot, table: str, parameter: int, holds: Clause, patient: int | None
) -> Clause:
    """Return that `table` has an entry, driven by its index where such are rare."""
    text, values = holds
    condition = f"parameter = ? AND {text}"
    if patient is None and _is_rare(snapshot, table, condition, (parameter, *values)):
        return (
            f"row IN (SELECT row FROM {table} WHERE {condition})",  # noqa: S608 - fixed texts
            (parameter, *values),
        )
    own = "x.patient_key = o.patient_key AND x.row = o.row"
    return (
        f"EXISTS (SELECT 1 FROM {table} x WHERE {own} AND {condition})",  # noqa: S608 - fixed texts
        (parameter, *values),
    )


def _is_rare(
    snapshot: Snapshot, table: str, condition: str, values: tuple[object, ...]
) -> bool:
    sql = f"SELECT COUNT(*) FROM (SELECT 1 FROM {table} WHERE {condition} LIMIT ?) x"  # noqa: S608 - fixed texts
    found = snapshot.sql(text_of(sql, snapshot.dialect), [*values, RARE + 1])
    return int(found[0][0]) <= RARE


def updated(values: Sequence[DateValue]) -> Clause:
    """Return that the resource was last updated then."""
    text, bounds = any_of(
        [interval(value, "u.last_updated", "u.last_updated") for value in values]
    )
    return (
        f"EXISTS (SELECT 1 FROM resource u WHERE u.row = o.row AND {text})",  # noqa: S608 - fixed texts
        bounds,
    )
