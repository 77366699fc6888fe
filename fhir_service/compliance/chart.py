"""How many rows lie where in time, from years to minutes, in an officer's zone.

Every bar is counted between its own bounds, so that a day is a day of the zone. What a
page draws is here as numbers; how it looks is the template's.
"""

from collections.abc import Iterable, Iterator, Mapping
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

    """

    unit: str
    bars: tuple[Bar, ...]
    totals: Mapping[str, int]
    highest: int

    @property
    def events(self) -> int:
        """How many rows there are."""
        return sum(self.totals.values())


def chart(reader: Reader, asked: AuditFilter, zone: tzinfo) -> Chart:
    """Return the bars of a question, whatever outcome it asks for."""
    span = audit_tallies.span(reader.snapshot)
    if span is None:
        return Chart(unit="day", bars=(), totals=_counts(()), highest=0)
    since = span[0] if asked.since_us is None else asked.since_us
    until = span[1] if asked.until_us is None else asked.until_us
    unit = _unit(until - since)
    if unit == "year":
        since, until = max(since, span[0]), min(until, span[1])
    spans = list(zones.parts(since, until, unit, zone))
    of_all = reader.scoped(replace(asked, outcomes=(), levels=()))
    counted = [
        _counted(reader, of_all, max(start, since), min(end, until))
        for start, end in spans
    ]
    starts = [start for start, _ in spans]
    bars = tuple(_bars(starts, counted, unit, zone))
    totals = {
        one.value: sum(counts[one.value] for counts in counted) for one in Outcome
    }
    highest = max((bar.events for bar in bars), default=0)
    return Chart(unit=unit, bars=bars, totals=totals, highest=highest)


def _unit(length_us: int) -> str:
    """Return what a bar is where that much time is looked at."""
    found = (unit for unit, longest in _SHORTEST if length_us > longest)
    return next(found, _SHORTEST[-1][0])


def _counted(
    reader: Reader, asked: AuditFilter, since: int, until: int
) -> Mapping[str, int]:
    part = replace(asked, since_us=since, until_us=until)
    found = audit_tallies.histogram(reader.snapshot, part, width_us=_WHOLE_US)
    return _counts((one.outcome, one.events) for one in found)


def _counts(found: Iterable[tuple[Outcome, int]]) -> Mapping[str, int]:
    counts = {outcome.value: 0 for outcome in Outcome}
    for outcome, events in found:
        counts[outcome.value] += events
    return counts


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
