"""Sleep analysis: many records a night become one session a source.

Phone and watch both record the night and overlap, so each source has its own
sessions and nothing is added up between them. Within a source, what overlaps in one
stage counts once.

https://developer.apple.com/documentation/healthkit/hkcategoryvaluesleepanalysis
"""

import heapq
from collections.abc import Iterable, Iterator
from types import MappingProxyType
from typing import NamedTuple

from mappings.measurement import Component, DeviceClue, Measurement, Reading, Reason
from mappings.payload import HOUR_US, Unreadable, at_offset, offset_minutes, seconds
from mappings.vendors.apple_health.elements import Element
from mappings.vendors.apple_health.times import Span, created

VALUE = "HKCategoryValueSleepAnalysis"

GAP_US = 3 * HOUR_US
"""A longer pause between two records of a source parts two sessions."""

MAX_HELD = 200_000
"""Records held before sessions that are over are given out; twenty years of nights.

A file is sorted by type and then by time, so no night is torn by that.
"""

MAX_STAGES = 5_000
"""Stages of one session; a night has fewer than 200."""


class Stage(NamedTuple):
    """One value of a sleep analysis.

    Attributes:
        code: Code of the stage.
        total: Kind of the total of its own.
        is_asleep: It counts as sleep.
        rank: The higher one holds where two overlap.

    """

    code: str
    total: str
    is_asleep: bool
    rank: int


STAGES = MappingProxyType(
    {
        "InBed": Stage("in-bed", "time-in-bed", is_asleep=False, rank=0),
        "Awake": Stage("awake", "awake-duration", is_asleep=False, rank=2),
        "Asleep": Stage("asleep", "unspecified-sleep-duration", is_asleep=True, rank=1),
        "AsleepUnspecified": Stage(
            "asleep", "unspecified-sleep-duration", is_asleep=True, rank=1
        ),
        "AsleepCore": Stage("light", "light-sleep-duration", is_asleep=True, rank=2),
        "AsleepDeep": Stage("deep", "deep-sleep-duration", is_asleep=True, rank=2),
        "AsleepREM": Stage("rem", "rem-sleep-duration", is_asleep=True, rank=2),
    }
)
"""The values, without their prefix."""

TOTALS = (
    "time-in-bed",
    "deep-sleep-duration",
    "light-sleep-duration",
    "rem-sleep-duration",
    "unspecified-sleep-duration",
    "awake-duration",
)
"""Totals of single stages, in the order in which a session shows them."""


class Source(NamedTuple):
    """Whose records make up a session together.

    Attributes:
        name: `sourceName`; tells sources apart and goes nowhere.
        device: What the records say of the device.
        is_entered: The person entered the records.

    """

    name: str
    device: DeviceClue | None
    is_entered: bool


class Segment(NamedTuple):
    """One record.

    Attributes:
        start_us: Its start.
        end_us: Its end.
        stage: What it says of that time.
        start_offset: Offset of the start from UTC, in minutes.
        end_offset: Offset of the end from UTC, in minutes.
        zone: IANA name of the zone, where it is known.
        position: Its place in the file.
        created: When HealthKit took it in; None where untold.

    """

    start_us: int
    end_us: int
    stage: Stage
    start_offset: int
    end_offset: int
    zone: str | None
    position: str
    created: int | None


class Nights:
    """The sleep records that still wait for the rest of their session."""

    def __init__(self, max_held: int = MAX_HELD) -> None:
        self._segments: dict[Source, list[Segment]] = {}
        self._held = 0
        self._max_held = max_held

    def add(self, element: Element, span: Span, source: Source) -> Iterator[Reading]:
        """Take a record; yield sessions where too much is held.

        Raises:
            Unreadable: `invalid-value` for a value that is no stage.

        """
        value = element.attributes.get("value", "").removeprefix(VALUE)
        stage = STAGES.get(value)
        if stage is None:
            raise Unreadable(
                Reason.INVALID_VALUE, "The value is no stage of sleep.", "sleep-session"
            )
        start, end, zone = span
        segment = Segment(
            start.us,
            end.us,
            stage,
            offset_minutes(start.text),
            offset_minutes(end.text),
            zone,
            element.position,
            created(element.attributes),
        )
        self._segments.setdefault(source, []).append(segment)
        self._held += 1
        return self._overflow() if self._held > self._max_held else iter(())

    def _overflow(self) -> Iterator[Reading]:
        """Yield every session but the last of each source."""
        for source, segments in self._segments.items():
            *over, last = _sessions(segments)
            self._segments[source] = last
            for session in over:
                yield _reading(source, session)
        self._held = sum(map(len, self._segments.values()))
        if self._held > self._max_held // 2:
            yield from self.rest()

    def rest(self) -> Iterator[Reading]:
        """Yield all that is held."""
        for source, segments in self._segments.items():
            for session in _sessions(segments):
                yield _reading(source, session)
        self._segments.clear()
        self._held = 0


def _sessions(segments: list[Segment]) -> list[list[Segment]]:
    """Return the segments of a source, in order, parted at long pauses."""
    segments.sort(key=_start)
    sessions: list[list[Segment]] = []
    until = 0
    for segment in segments:
        if not sessions or segment.start_us > until + GAP_US:
            sessions.append([])
            until = segment.end_us
        sessions[-1].append(segment)
        until = max(until, segment.end_us)
    return sessions


def _start(segment: Segment) -> int:
    return segment.start_us


def _reading(source: Source, session: list[Segment]) -> Reading:
    first = session[0]
    last = max(session, key=lambda segment: segment.end_us)
    position = first.position
    stages = _stages(session)
    if len(stages) > MAX_STAGES:
        refused = Unreadable(
            Reason.MALFORMED,
            f"A session of sleep has more than {MAX_STAGES} stages.",
            "sleep-session",
        )
        return refused.refusal(position, records=len(session))
    start = at_offset(first.start_us, first.start_offset)
    end = at_offset(last.end_us, last.end_offset)
    return Measurement(
        kind="sleep-session",
        value=None,
        unit="",
        start=start.text,
        start_us=start.us,
        end=end.text,
        end_us=end.us,
        position=position,
        device=source.device,
        components=(*_totals(session), *stages),
        self_reported=source.is_entered,
        zone=first.zone,
        records=len(session),
        source_version=_version(session),
    )


def _version(session: list[Segment]) -> int | None:
    """Return when the last of the records was taken in, where all of them tell."""
    told = [one.created for one in session if one.created is not None]
    return max(told) if len(told) == len(session) else None


def _totals(session: list[Segment]) -> Iterator[Component]:
    asleep = [segment for segment in session if segment.stage.is_asleep]
    if asleep:
        yield Component("sleep-duration", seconds(_length_us(asleep)), "s")
    for total in TOTALS:
        of_stage = [segment for segment in session if segment.stage.total == total]
        if of_stage:
            yield Component(total, seconds(_length_us(of_stage)), "s")


def _length_us(segments: Iterable[Segment]) -> int:
    """Return how long the segments are, sorted by start; what overlaps counts once."""
    length = until = 0
    for segment in segments:
        length += max(0, segment.end_us - max(until, segment.start_us))
        until = max(until, segment.end_us)
    return length


def _stages(session: list[Segment]) -> list[Component]:
    """Return the stage series: each stage holds until the next one starts.

    Where stages overlap, the one of higher rank holds, of equal rank the later one;
    where there is no record, the stage is `unknown`.
    """
    start_us = session[0].start_us
    stages: list[Component] = []
    for us, code in _changes(session):
        if not stages or stages[-1].value != code:
            stages.append(
                Component("sleep-stage", code, offset_ms=(us - start_us) // 1000)
            )
    return stages


def _changes(session: list[Segment]) -> Iterator[tuple[int, str]]:
    """Yield when another stage may begin to hold, and which."""
    starts = iter(session)
    coming = next(starts, None)
    holding: list[tuple[int, int, int, str]] = []
    while coming is not None or holding:
        now = _next_us(coming, holding)
        while coming is not None and coming.start_us == now:
            if coming.end_us > now:
                entry = -coming.stage.rank, -now, coming.end_us, coming.stage.code
                heapq.heappush(holding, entry)
            coming = next(starts, None)
        while holding and holding[0][2] <= now:
            heapq.heappop(holding)
        if holding:
            yield now, holding[0][3]
        elif coming is not None:
            yield now, "unknown"


def _next_us(coming: Segment | None, holding: list[tuple[int, int, int, str]]) -> int:
    """Return when the next segment starts or the one that holds ends."""
    if coming is None:
        return holding[0][2]
    if not holding:
        return coming.start_us
    return min(coming.start_us, holding[0][2])
