"""Blood pressure: two records of the same moment become one panel.

https://developer.apple.com/documentation/healthkit/hkcorrelationtypeidentifier/bloodpressure
"""

from collections.abc import Iterator
from functools import reduce
from typing import NamedTuple

from mappings.measurement import Component, Measurement, Reason
from mappings.payload import Unreadable
from mappings.source_version import newest

MAX_HELD = 100_000
"""Halves that wait for the other; more than a reading every quarter of an hour for
two years, all without their other half."""

KIND = "blood-pressure"


class Moment(NamedTuple):
    """What the halves of one panel share."""

    source: str
    start_us: int
    end_us: int


class Halves:
    """The records that still wait for their other half.

    A file is sorted by type: all of one half come before any of the other.
    """

    def __init__(self, max_held: int = MAX_HELD) -> None:
        self._waiting: dict[tuple[Moment, str], list[Measurement]] = {}
        self._held = 0
        self._max_held = max_held

    def add(self, half: Measurement, source: str) -> Measurement | None:
        """Take a half; return the panel where the other was there already.

        Raises:
            Unreadable: `malformed` where too many wait.

        """
        moment = Moment(source, half.start_us, half.end_us)
        others = self._waiting.get((moment, _OTHER[half.kind]))
        if others:
            self._held -= 1
            other = others.pop()
            if not others:
                del self._waiting[moment, _OTHER[half.kind]]
            return _panel(other, half)
        if self._held >= self._max_held:
            raise Unreadable(
                Reason.MALFORMED, "Too many blood pressures lack a half.", KIND
            )
        self._waiting.setdefault((moment, half.kind), []).append(half)
        self._held += 1
        return None

    def rest(self) -> Iterator[Measurement]:
        """Yield a panel for each half that stayed alone."""
        for halves in self._waiting.values():
            for half in halves:
                yield _panel(half)
        self._waiting.clear()
        self._held = 0


_SYSTOLIC, _DIASTOLIC = "systolic-blood-pressure", "diastolic-blood-pressure"
_OTHER = {_SYSTOLIC: _DIASTOLIC, _DIASTOLIC: _SYSTOLIC}


def _panel(first: Measurement, *second: Measurement) -> Measurement:
    halves = sorted((first, *second), key=lambda half: half.kind != _SYSTOLIC)
    return first._replace(
        kind=KIND,
        value=None,
        unit="",
        components=tuple(
            Component(half.kind, half.value, half.unit) for half in halves
        ),
        self_reported=any(half.self_reported for half in halves),
        records=len(halves),
        source_version=reduce(newest, [half.source_version for half in halves]),
    )
