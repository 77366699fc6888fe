"""A night from its segments: the stage series and the totals that follow from it.

https://hl7.org/fhir/R4/extension-observation-timeoffset.html
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from types import MappingProxyType
from typing import NamedTuple

from mappings.measurement import Component, Reason
from mappings.payload import SECOND_US, Unreadable, seconds

MAX_STAGES = 5_000
"""Segments of one night; a night has fewer than 200."""

ASLEEP = frozenset({"asleep", "nrem", "light", "deep", "rem"})
"""Codes of a sleep-stage that count as sleep."""

TOTALS: Mapping[str, str] = MappingProxyType(
    {
        "deep": "deep-sleep-duration",
        "light": "light-sleep-duration",
        "rem": "rem-sleep-duration",
        "asleep": "unspecified-sleep-duration",
        "awake": "awake-duration",
        "out-of-bed": "out-of-bed-duration",
    }
)
"""Code of a sleep-stage → kind of its total."""

TOLERANCE_S = 120
"""By how much a source's total may miss its own segments: whole minutes, rounded."""


class Segment(NamedTuple):
    """One stage, from its start to its end.

    Attributes:
        start_us: Microseconds since 1970-01-01T00:00:00Z.
        end_us: As `start_us`.
        code: Code of a sleep-stage.

    """

    start_us: int
    end_us: int
    code: str


class Night(NamedTuple):
    """The segments of one session, in order, none within another.

    Attributes:
        start_us: Start of the session, microseconds since 1970-01-01T00:00:00Z.
        end_us: Its end.
        segments: What lies between.

    """

    start_us: int
    end_us: int
    segments: Sequence[Segment]

    def stages(self) -> tuple[Component, ...]:
        """Return the stage series; a time that no segment covers is `unknown`."""
        found: list[Component] = []
        for us, code in self._changes():
            if not found or found[-1].value != code:
                offset_ms = (us - self.start_us) // 1000
                found.append(Component("sleep-stage", code, offset_ms=offset_ms))
        return tuple(found)

    def _changes(self) -> Iterator[tuple[int, str]]:
        until = self.start_us
        for start_us, end_us, code in self.segments:
            if start_us > until:
                yield until, "unknown"
            yield start_us, code
            until = end_us
        if self.segments and until < self.end_us:
            yield until, "unknown"

    def length_us(self, codes: Iterable[str]) -> int:
        """Return how long the segments of some codes are together."""
        wanted = frozenset(codes)
        return sum(
            end_us - start_us
            for start_us, end_us, code in self.segments
            if code in wanted
        )

    def totals(self) -> tuple[Component, ...]:
        """Return the time asleep, where there is a stage of sleep, and each stage's."""
        there = {segment.code for segment in self.segments}
        asleep = there & ASLEEP
        total = (
            [Component("sleep-duration", seconds(self.length_us(asleep)), "s")]
            if asleep
            else []
        )
        return (
            *total,
            *(
                Component(kind, seconds(self.length_us((code,))), "s")
                for code, kind in TOTALS.items()
                if code in there
            ),
        )

    def disputes(self, components: Iterable[Component]) -> bool:
        """Whether a source's totals, in minutes or seconds, miss these segments."""
        given = {part.kind: part for part in components}
        there = {segment.code for segment in self.segments}
        ours = {TOTALS[code]: (code,) for code in there if code in TOTALS}
        lengths: dict[str, Iterable[str]] = {**ours}
        if there & ASLEEP:
            lengths["sleep-duration"] = ASLEEP
        return any(
            abs(_seconds(given[kind]) - Decimal(self.length_us(codes)) / SECOND_US)
            > TOLERANCE_S
            for kind, codes in lengths.items()
            if kind in given
        )


_IN_SECONDS = MappingProxyType({"s": 1, "min": 60, "h": 3600})


def _seconds(part: Component) -> Decimal:
    value = part.value
    if not isinstance(value, int | Decimal):
        return Decimal(0)
    return Decimal(value) * _IN_SECONDS.get(part.unit, 1)


def night(
    start_us: int,
    end_us: int,
    segments: Iterable[Segment],
    short: Iterable[Segment] = (),
) -> Night:
    """Return the night that segments make.

    Args:
        start_us: Start of the session, microseconds since 1970-01-01T00:00:00Z.
        end_us: Its end.
        segments: In any order; where two overlap, the one that starts later holds.
        short: Segments that hold over the others, such as brief awakenings.

    Raises:
        Unreadable: `malformed` for too many segments, one that ends before it
            starts, or one that lies outside the session.

    """
    under, over = sorted(segments), sorted(short)
    for segment in (*under, *over):
        _check(segment, start_us, end_us)
    if len(under) + len(over) > MAX_STAGES:
        raise Unreadable(
            Reason.MALFORMED, f"A session has more than {MAX_STAGES} stages."
        )
    return Night(start_us, end_us, _over(_parted(under), _parted(over)))


def _check(segment: Segment, start_us: int, end_us: int) -> None:
    if segment.end_us < segment.start_us:
        raise Unreadable(
            Reason.NEGATIVE_INTERVAL, "A stage of sleep ends before it starts."
        )
    if segment.start_us < start_us or segment.end_us > end_us + TOLERANCE_S * SECOND_US:
        raise Unreadable(Reason.MALFORMED, "A stage lies outside its session.")


def _parted(segments: Sequence[Segment]) -> list[Segment]:
    """Return the segments, each cut where the next one starts."""
    found: list[Segment] = []
    for segment in segments:
        if found and found[-1].end_us > segment.start_us:
            found[-1] = found[-1]._replace(end_us=segment.start_us)
        found.append(segment)
    return [segment for segment in found if segment.end_us > segment.start_us]


def _over(under: Sequence[Segment], over: Sequence[Segment]) -> list[Segment]:
    """Return `under` with `over` laid on it."""
    found = list(over)
    for start_us, end_us, code in under:
        from_us = start_us
        for one in over:
            if one.end_us <= from_us or one.start_us >= end_us:
                continue
            if one.start_us > from_us:
                found.append(Segment(from_us, one.start_us, code))
            from_us = one.end_us
        if from_us < end_us:
            found.append(Segment(from_us, end_us, code))
    return sorted(found)
