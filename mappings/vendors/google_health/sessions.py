"""Data points that are made of several values: exercise, sleep, electrocardiogram.

https://developers.google.com/health/reference/rest/v4/users.dataTypes.dataPoints
"""

from collections.abc import Iterator, Mapping
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any

from mappings.hypnogram import Night, Segment, night
from mappings.measurement import Component, Measurement, Reading, Reason, Samples
from mappings.payload import SECOND_US, Instant, Unreadable, after, number, seconds
from mappings.times import Span
from mappings.vendors.google_health.envelope import (
    Json,
    Point,
    duration_us,
    size_of,
    span_of,
)
from mappings.vendors.google_health.exercises import EXERCISES
from mappings.vendors.google_health.types import (
    RHYTHMS,
    SLEEP_TOTALS,
    STAGE_TOTALS,
    STAGES,
    WORKOUT_TOTALS,
    ZONES,
)

_FACTOR_DIGITS = Decimal("1E-15")
_MAX_HERTZ = 10_000


def exercise(point: Point) -> Iterator[Reading]:
    """Yield the workout with the totals of its summary.

    Raises:
        Unreadable: `unknown-kind` for a type of exercise that is not known, `no-time`,
            `malformed`, `invalid-value`.

    """
    type_ = point.data.get("exerciseType")
    code = EXERCISES.get(type_) if isinstance(type_, str) else None
    if code is None:
        raise Unreadable(Reason.UNKNOWN_KIND, "The exerciseType is not known.")
    span = point.interval()
    length = _active(point.data.get("activeDuration"), span)
    parts = (length, *_totals(_object(point.data.get("metricsSummary"))))
    yield point.reading("workout", code, "", span, components=parts)


def _active(duration: object, span: Span) -> Component:
    """Return how long an exercise was, pauses excluded where Google tells."""
    if duration is not None:
        return Component("workout-duration", seconds(duration_us(duration)), "s")
    length = (span.end or span.start).us - span.start.us
    return Component("workout-duration", seconds(length), "s")


def _totals(summary: Json) -> Iterator[Component]:
    seen: set[str] = set()
    for member, (kind, unit) in WORKOUT_TOTALS.items():
        if summary.get(member) is not None and kind not in seen:
            seen.add(kind)
            yield Component(kind, size_of(summary[member]), unit)
    zones = _object(summary.get("heartRateZoneDurations"))
    for member, kind in ZONES.items():
        if zones.get(member) is not None:
            yield Component(kind, seconds(duration_us(zones[member])), "s")


def _object(value: object) -> Json:
    """Return an object; none where there is none.

    Raises:
        Unreadable: `malformed` for anything else.

    """
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise Unreadable(Reason.MALFORMED, "A part of the data point is no object.")
    return value


def sleep(point: Point) -> Iterator[Reading]:
    """Yield the night: Google's totals, and the stages.

    Raises:
        Unreadable: `no-time`, `malformed`, `invalid-value`.

    """
    data, span = point.data, point.interval()
    if span.end is None:
        raise Unreadable(Reason.NO_TIME, "The sleep has no end.")
    found = night(
        span.start.us,
        span.end.us,
        _segments(point, "stages"),
        _segments(point, "outOfBedSegments", "out-of-bed"),
    )
    totals = tuple(_sleep_totals(_object(data.get("summary")))) or found.totals()
    nap = _object(data.get("metadata")).get("nap")
    naps = (
        (Component("nap", "true" if nap else "false"),) if nap in (True, False) else ()
    )
    parts = (*totals, *naps, *found.stages())
    if not parts:
        parts = (Component("time-in-bed", seconds(span.end.us - span.start.us), "s"),)
    yield point.reading(
        "sleep-session",
        None,
        "",
        span,
        components=parts,
        method=_method(data.get("type")),
        flags=("totals-disputed",) if _disagrees(data, found, totals) else (),
    )


def _method(type_: object) -> str | None:
    words = {"CLASSIC": "classic sleep", "STAGES": "sleep stages"}
    return words.get(type_) if isinstance(type_, str) else None


def _disagrees(data: Json, found: Night, totals: tuple[Component, ...]) -> bool:
    """Whether totals and stages disagree; classic sleep counts restless apart."""
    if data.get("type") == "CLASSIC":
        totals = tuple(part for part in totals if part.kind != "awake-duration")
    return found.disputes(totals)


def _segments(point: Point, member: str, code: str = "") -> list[Segment]:
    given = point.data.get(member) or []
    if not isinstance(given, list):
        raise Unreadable(Reason.MALFORMED, f"{member} is no list.")
    return [_segment(point, one, code) for one in given]


def _segment(point: Point, segment: object, code: str) -> Segment:
    if not isinstance(segment, Mapping):
        raise Unreadable(Reason.MALFORMED, "A stage is no object.")
    type_ = segment.get("type")
    known = code or (STAGES.get(type_) if isinstance(type_, str) else None)
    if not known:
        raise Unreadable(Reason.INVALID_VALUE, "The type of a stage is not known.")
    start, end, _, _ = span_of(segment, point.zone)
    return Segment(start.us, (end or start).us, known)


def _sleep_totals(summary: Json) -> Iterator[Component]:
    for member, kind in SLEEP_TOTALS.items():
        if summary.get(member) is not None:
            yield Component(kind, size_of(summary[member]), "min")
    stages = summary.get("stagesSummary") or []
    if not isinstance(stages, list):
        raise Unreadable(Reason.MALFORMED, "stagesSummary is no list.")
    for stage in map(_object, stages):
        kind = STAGE_TOTALS.get(str(stage.get("type")), "")
        if kind and stage.get("minutes") is not None:
            yield Component(kind, size_of(stage["minutes"]), "min")
        if kind == "restless-duration" and stage.get("count") is not None:
            yield Component("restless-periods", size_of(stage["count"]), "{#}")


def electrocardiogram(point: Point) -> Iterator[Reading]:
    """Yield the trace of lead I with what the device made of it.

    Raises:
        Unreadable: `invalid-value` without samples, frequency or scale; `no-time`.

    """
    data, span = point.data, point.interval()
    hertz, scale = (
        _positive(data.get(name))
        for name in ("samplingFrequencyHertz", "millivoltsScalingFactor")
    )
    samples = data.get("waveformSamples")
    if not isinstance(samples, list) or not samples:
        raise Unreadable(Reason.INVALID_VALUE, "The recording has no samples.")
    values = tuple(number(value) for value in samples)
    factor = (1 / Decimal(scale)).quantize(_FACTOR_DIGITS, ROUND_HALF_EVEN)
    trace = Samples(_period_ms(hertz), values, factor.normalize())
    yield _recorded(point, span, trace, len(samples) * SECOND_US // hertz)


def _period_ms(hertz: int) -> Decimal | int:
    whole, rest = divmod(1000, hertz)
    return whole if not rest else Decimal(1000) / Decimal(hertz)


def _recorded(point: Point, span: Span, trace: Samples, length_us: int) -> Measurement:
    parts = [Component("ecg-lead-i", trace, "mV")]
    rhythm = point.data.get("resultClassification")
    if isinstance(rhythm, str) and rhythm in RHYTHMS:
        parts.append(Component("ecg-classification", RHYTHMS[rhythm]))
    rate: Any = point.data.get("beatsPerMinuteAvg")
    if rate is not None:
        parts.append(Component("heart-rate-mean", size_of(rate), "/min"))
    end: Instant = after(span.start, length_us)
    return point.reading(
        "ecg", None, "", span._replace(end=end), components=tuple(parts)
    )


def _positive(value: object) -> int:
    if type(value) is not int or not 0 < value <= _MAX_HERTZ * _MAX_HERTZ:
        raise Unreadable(Reason.INVALID_VALUE, "The recording has no scale.")
    return value
