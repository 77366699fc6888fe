"""How many Observations a day holds: counts over the time-series index, by signature.

A signature tells code and device, so that no body is opened. What a caller may not see
is left out by the same predicate that stands in a search.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

from fhir_service.storage.conditions import all_of, members, text_of
from fhir_service.storage.engine import Snapshot
from fhir_service.storage.predicate import Clause

MINUTE_US = 60_000_000
HOUR_US = 60 * MINUTE_US

_ABOVE_ZERO: Clause = (
    (
        "EXISTS (SELECT 1 FROM quantity_index q WHERE q.patient_key = o.patient_key "
        "AND q.row = o.row AND q.low > 0)"
    ),
    (),
)


class Tally(NamedTuple):
    """The Observations of one signature on one day.

    Attributes:
        signature_id: Tells what they are and which device took them.
        measurements: How many there are.
        first_us: Start of the first one.
        last_us: End of the last one.

    """

    signature_id: int
    measurements: int
    first_us: int
    last_us: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Day:
    """Whose Observations are counted, and from when to when.

    Attributes:
        patient_key: Whose.
        low: First microsecond.
        high: The first one after the last.
        where: What the caller may see, on the columns of alias `o`.

    """

    patient_key: int
    low: int
    high: int
    where: Clause


def begun(snapshot: Snapshot, day: Day, signatures: Iterable[int]) -> list[Tally]:
    """Return the Observations of some signatures that begin on a day."""
    return _tallies(snapshot, _begun(snapshot, day, signatures), day)


def ended(
    snapshot: Snapshot, day: Day, signatures: Iterable[int], longest: int
) -> list[Tally]:
    """Return those that end on a day; none of them lasts longer than `longest`."""
    ending: Clause = (
        "start >= ? AND start < ? AND c_end >= ? AND c_end < ?",
        (day.low - longest - 1, day.high, day.low, day.high),
    )
    return _tallies(
        snapshot,
        all_of([ending, members("signature_id", signatures, snapshot.dialect)]),
        day,
    )


def minutes(snapshot: Snapshot, day: Day, signatures: Iterable[int]) -> int:
    """Return in how many minutes of a day readings of less than a minute begin."""
    condition = all_of(
        [
            _begun(snapshot, day, signatures),
            ("c_end - c_start < ?", (MINUTE_US,)),
        ]
    )
    return _distinct(snapshot, day, MINUTE_US, condition)


def lasting(snapshot: Snapshot, day: Day, signatures: Iterable[int]) -> dict[int, int]:
    """Return signature → minutes that its readings of a minute or more cover."""
    condition = all_of(
        [
            _begun(snapshot, day, signatures),
            ("c_end - c_start >= ?", (MINUTE_US,)),
        ]
    )
    found = _read(
        snapshot,
        f"signature_id, SUM((c_end - c_start) / {MINUTE_US})",
        condition,
        day,
        "GROUP BY signature_id",
    )
    return {signature_id: int(total) for signature_id, total in found}


def hours_above_zero(snapshot: Snapshot, day: Day, signatures: Iterable[int]) -> int:
    """Return in how many hours of a day readings begin whose number is above zero."""
    condition = all_of([_begun(snapshot, day, signatures), _ABOVE_ZERO])
    return _distinct(snapshot, day, HOUR_US, condition)


def _begun(snapshot: Snapshot, day: Day, signatures: Iterable[int]) -> Clause:
    return all_of(
        [
            ("start >= ? AND start < ?", (day.low, day.high)),
            members("signature_id", signatures, snapshot.dialect),
        ]
    )


def _tallies(snapshot: Snapshot, condition: Clause, day: Day) -> list[Tally]:
    found = _read(
        snapshot,
        "signature_id, COUNT(*), MIN(c_start), MAX(c_end)",
        condition,
        day,
        "GROUP BY signature_id ORDER BY signature_id",
    )
    return [Tally(*row) for row in found]


def _distinct(snapshot: Snapshot, day: Day, width: int, condition: Clause) -> int:
    """Return how many stretches of a width, from the day's start, have a reading."""
    number = f"COUNT(DISTINCT (c_start - {day.low}) / {width})"
    return int(_read(snapshot, number, condition, day, "")[0][0])


def _read(
    snapshot: Snapshot, columns: str, condition: Clause, day: Day, rest: str
) -> list[tuple[int, ...]]:
    text, values = all_of(
        [("patient_key = ?", (day.patient_key,)), condition, day.where]
    )
    sql = f"SELECT {columns} FROM observation_time o WHERE {text} {rest}"  # noqa: S608 - fixed texts and numbers
    return snapshot.sql(text_of(sql, snapshot.dialect), values)
