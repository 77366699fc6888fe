"""How many rows lie where in time, from years to minutes, in an officer's zone.

Every bar is counted between its own bounds, so that a day is a day of the zone. What a
page draws is here as numbers; how it looks is the template's.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import tzinfo

from consent.audit.entry import Outcome
from fhir_service.compliance import zones
from fhir_service.compliance.rows import Reader
from fhir_service.compliance.zones import DAY_US, HOUR_US
from fhir_service.storage import audit_tallies
from fhir_service.storage.audit_filter import AuditFilter

WIDTH, HEIGHT, FLOOR = 720, 180, 160
"""Of the picture, and where its bars stand, in its own units."""

_SHORTEST: tuple[tuple[str, int], ...] = (
    ("year", 1_000 * DAY_US),
    ("month", 62 * DAY_US),
    ("day", 3 * DAY_US),
    ("hour", 3 * HOUR_US),
    ("minute", 0),
)
"""What a bar is where more time than that is looked at."""

_WHOLE_US = HOUR_US * 2**31
"""Longer than any time that is counted: everything is in one bucket."""

MONTH_US = 31 * DAY_US
"""What is counted between two looks at the clock."""

_LABELS: Mapping[str, str] = {
    "year": "%Y",
    "month": "%b %Y",
    "day": "%d %b",
    "hour": "%H:%M",
    "minute": "%H:%M",
}
_MOST_LABELS = 8
_GAP = 0.15
"""Of a bar's place that is left free."""


@dataclass(frozen=True, kw_only=True)
class Part:
    """The rows of one outcome in a bar; its height and place in the picture."""

    outcome: str
    events: int
    y: float
    height: float


@dataclass(frozen=True, kw_only=True)
class Bar:
    """A part of the calendar.

    Attributes:
        start_us: Its beginning.
        since: What to type for its beginning.
        until: What to type for its end.
        label: What it is called.
        is_labelled: Whether the picture has room for that.
        counts: How many rows by outcome, for the table.
        parts: The same for the picture.
        x: Where it stands.
        width: How broad it is.

    """

    start_us: int
    since: str
    until: str
    label: str
    is_labelled: bool
    counts: Mapping[str, int]
    parts: tuple[Part, ...]
    x: float
    width: float

    @property
    def events(self) -> int:
        """How many rows there are."""
        return sum(self.counts.values())


@dataclass(frozen=True, kw_only=True)
class Chart:
    """The bars of a search.

    Attributes:
        unit: What a bar is.
        bars: From the first to the last.
        totals: How many rows in all, by outcome.
        highest: Rows of the highest bar.
        cut: What to type for the end of the time that was not counted; None where
            everything was.

    """

    unit: str
    bars: tuple[Bar, ...]
    totals: Mapping[str, int]
    highest: int
    cut: str | None = None

    @property
    def events(self) -> int:
        """How many rows there are, of those that were counted."""
        return sum(self.totals.values())


def chart(
    reader: Reader,
    asked: AuditFilter,
    zone: tzinfo,
    is_enough: Callable[[], bool] = lambda: False,
) -> Chart:
    """Return the bars of a question, whatever outcome it asks for.

    Args:
        reader: Of the log.
        asked: Which rows.
        zone: Of the bars.
        is_enough: Whether to stop counting, newest first; asked between months.

    """
    span = audit_tallies.span(reader.snapshot)
    if span is None:
        return Chart(unit="day", bars=(), totals=_none(), highest=0)
    since = span[0] if asked.since_us is None else asked.since_us
    until = span[1] if asked.until_us is None else asked.until_us
    unit = _unit(until - since)
    if unit == "year":
        since, until = max(since, span[0]), min(until, span[1])
    spans = list(zones.parts(since, until, unit, zone))
    of_all = reader.scoped(replace(asked, outcomes=(), levels=()))
    counted: list[Mapping[str, int]] = []
    for start, end in reversed(spans):
        bar = _counted(reader, of_all, max(start, since), min(end, until), is_enough)
        if bar is None:
            break
        counted.insert(0, bar)
    cut = None
    if len(counted) < len(spans):
        cut = zones.period_of(spans[-len(counted) - 1][0], unit, zone)["until"]
        spans = spans[len(spans) - len(counted) :]
    starts = [start for start, _ in spans]
    bars = tuple(_bars(starts, counted, unit, zone))
    totals = {
        one.value: sum(counts[one.value] for counts in counted) for one in Outcome
    }
    highest = max((bar.events for bar in bars), default=0)
    return Chart(unit=unit, bars=bars, totals=totals, highest=highest, cut=cut)


def _unit(length_us: int) -> str:
    """Return what a bar is where that much time is looked at."""
    found = (unit for unit, longest in _SHORTEST if length_us > longest)
    return next(found, _SHORTEST[-1][0])


def _counted(
    reader: Reader,
    asked: AuditFilter,
    since: int,
    until: int,
    is_enough: Callable[[], bool],
) -> Mapping[str, int] | None:
    """Return how many rows a time has; None where counting was stopped before that.

    What the tallies tell is told at once, anything else a month after the other.
    """
    is_tallied = audit_tallies.is_tallied(asked)
    length = until - since if is_tallied else MONTH_US
    counts = _none()
    for start in reversed(range(since, until, max(length, 1))):
        if not is_tallied and is_enough():
            return None
        part = replace(asked, since_us=start, until_us=min(start + length, until))
        found = audit_tallies.histogram(reader.snapshot, part, width_us=_WHOLE_US)
        for one in found:
            counts[one.outcome.value] += one.events
    return counts


def _none() -> dict[str, int]:
    return {outcome.value: 0 for outcome in Outcome}


def _bars(
    starts: list[int], counted: list[Mapping[str, int]], unit: str, zone: tzinfo
) -> Iterator[Bar]:
    highest = max((sum(counts.values()) for counts in counted), default=0) or 1
    place = WIDTH / max(1, len(starts))
    every = -(-len(starts) // _MOST_LABELS)
    for number, (start, counts) in enumerate(zip(starts, counted, strict=True)):
        yield Bar(
            start_us=start,
            **zones.period_of(start, unit, zone),
            label=zones.at(start, zone).strftime(_LABELS[unit]),
            is_labelled=number % every == 0,
            counts=counts,
            parts=tuple(_parts(counts, FLOOR / highest)),
            x=round(number * place, 2),
            width=round(place * (1 - _GAP), 2),
        )


def _parts(counts: Mapping[str, int], scale: float) -> Iterator[Part]:
    """Yield the parts of a bar from the floor up."""
    top = float(FLOOR)
    for outcome, events in counts.items():
        if events:
            height = max(1.0, events * scale)
            top -= height
            yield Part(
                outcome=outcome,
                events=events,
                y=round(max(0.0, top), 2),
                height=round(height, 2),
            )
