"""Which of two versions of a record is newer, where its source says so.

A version is a time, in microseconds since 1970, or a count of versions; a source may
give either. A time and a count do not compare, nor does anything with nothing: then
nobody knows, and what comes later counts.
"""

from collections.abc import Iterable
from typing import Any

from mappings.measurement import Measurement, Reading, Refusal, Whole
from mappings.payload import Unreadable
from mappings.records import moment

COUNTS_BELOW = 10**12
"""A smaller number is a count; as a time it would be of January 1970."""


def is_newer(one: int | None, other: int | None) -> bool:
    """Whether `one` is certain to be the version that came after `other`."""
    if one is None or other is None:
        return False
    return one > other and (one < COUNTS_BELOW) == (other < COUNTS_BELOW)


def newest(before: int | None, now: int | None) -> int | None:
    """Return the version that stands once `now` has been told after `before`."""
    return before if now is None or is_newer(before, now) else now


def believed(version: int | None, until_us: int) -> int | None:
    """Return a version; None for a time later than `until_us`.

    A source whose clock is wrong would else be the newest for years, and whatever it
    tells meanwhile an older version.
    """
    return None if version is not None and version > until_us else version


def modified_at(value: Any) -> int | None:
    """Return the version that a time of change names; None where it is no such time."""
    if not isinstance(value, str):
        return None
    try:
        return moment(value).us
    except Unreadable:
        return None


def counted(value: Any) -> int | None:
    """Return the version that a number of versions names; None where it is none."""
    return value if type(value) is int and 0 < value < COUNTS_BELOW else None


def whole(record: Whole, readings: Iterable[Reading]) -> Iterable[Reading]:
    """Yield the readings of a record, then that they are all that it holds.

    Nothing is said where one of them was not understood: what it would be is not
    known, and what is stored of it must not be taken for gone.
    """
    holds: list[str] = []
    is_understood = True
    for one in readings:
        if isinstance(one, Refusal):
            is_understood = False
        elif isinstance(one, Measurement) and one.source_id is not None:
            holds.append(one.source_id)
        yield one
    if is_understood:
        yield record._replace(holds=tuple(holds))
