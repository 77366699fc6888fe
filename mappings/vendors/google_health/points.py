"""What each type of data point holds, but for sessions.

https://developers.google.com/health/data-types
"""

from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from types import MappingProxyType

from mappings.measurement import Component, Reading, Reason
from mappings.payload import Unreadable, seconds
from mappings.times import Span
from mappings.vendors.google_health.envelope import Point, size_of
from mappings.vendors.google_health.sessions import electrocardiogram, exercise, sleep
from mappings.vendors.google_health.types import (
    CONTEXT,
    DAYS,
    INTERVALS,
    LENGTHS,
    LEVELS,
    SAMPLES,
    SPECIMENS,
    Value,
)


def _measured(point: Point, span: Span, values: tuple[Value, ...]) -> Iterator[Reading]:
    """Yield the numbers of a data point.

    Raises:
        Unreadable: `invalid-value` for what is no number, or where there is none.

    """
    present = [value for value in values if point.data.get(value.member) is not None]
    if not present:
        raise Unreadable(Reason.INVALID_VALUE, "The data point has no value.")
    for value in present:
        yield point.reading(
            value.kind,
            size_of(point.data[value.member]),
            value.unit,
            span,
            method=value.method,
        )


def _interval(point: Point) -> Iterator[Reading]:
    return _measured(point, point.interval(), INTERVALS[point.type])


def _sample(point: Point) -> Iterator[Reading]:
    return _measured(point, point.sample_time(), SAMPLES[point.type])


def _day(point: Point) -> Iterator[Reading]:
    return _measured(point, point.day(), DAYS[point.type])


def _length(point: Point) -> Iterator[Reading]:
    """Yield how long an interval of some level was."""
    member, kinds = LENGTHS[point.type]
    level = point.data.get(member, "")
    kind = kinds.get(level) if isinstance(level, str) else None
    if kind is None:
        raise Unreadable(Reason.UNKNOWN_KIND, f"The {member} is not known.")
    span = point.interval()
    length = (span.end or span.start).us - span.start.us
    yield point.reading(kind, seconds(length), "s", span)


def _active_minutes(point: Point) -> Iterator[Reading]:
    span = point.interval()
    levels = point.data.get("activeMinutesByActivityLevel")
    if not isinstance(levels, list):
        raise Unreadable(Reason.MALFORMED, "There are no levels of activity.")
    for level in levels:
        name = level.get("activityLevel") if isinstance(level, Mapping) else None
        kind = LEVELS.get(name) if isinstance(name, str) else None
        if kind is None:
            raise Unreadable(Reason.UNKNOWN_KIND, "The level is not known.")
        yield point.reading(kind, size_of(level.get("activeMinutes")), "min", span)


def _glucose(point: Point) -> Iterator[Reading]:
    specimen = point.data.get("specimen", "")
    kind = SPECIMENS.get(specimen) if isinstance(specimen, str) else None
    if kind is None:
        raise Unreadable(Reason.UNKNOWN_KIND, "The specimen has no code.")
    value = size_of(point.data.get("bloodGlucoseMilligramsPerDeciliter"))
    yield point.reading(kind, value, "mg/dL", point.sample_time())


def _sleeping_breath(point: Point) -> Iterator[Reading]:
    """Yield the mean respiratory rate of a sleep, at the time that Google gives it."""
    stats = point.data.get("fullSleepStats")
    if not isinstance(stats, Mapping):
        raise Unreadable(Reason.MALFORMED, "There are no statistics of the sleep.")
    yield point.reading(
        "respiratory-rate",
        size_of(stats.get("breathsPerMinute")),
        "/min",
        point.sample_time(),
        method="mean of the sleep",
    )


def _skin(point: Point) -> Iterator[Reading]:
    """Yield how far the skin was from its baseline, or its temperature without one."""
    span = point.day()
    nightly = size_of(point.data.get("nightlyTemperatureCelsius"))
    given = point.data.get("baselineTemperatureCelsius")
    if given is None:
        yield point.reading(
            "skin-temperature", nightly, "Cel", span, method="mean of the sleep"
        )
        return
    baseline = size_of(given)
    parts = (
        Component("skin-temperature-baseline", baseline, "Cel"),
        Component("skin-temperature", nightly, "Cel"),
    )
    difference = Decimal(nightly) - Decimal(baseline)
    yield point.reading(
        "skin-temperature-deviation", difference, "K", span, components=parts
    )


READERS: Mapping[str, Callable[[Point], Iterator[Reading]]] = MappingProxyType(
    {
        **dict.fromkeys(INTERVALS, _interval),
        **dict.fromkeys(SAMPLES, _sample),
        **dict.fromkeys(DAYS, _day),
        **dict.fromkeys(LENGTHS, _length),
        "activeMinutes": _active_minutes,
        "bloodGlucose": _glucose,
        "dailySleepTemperatureDerivations": _skin,
        "electrocardiogram": electrocardiogram,
        "exercise": exercise,
        "respiratoryRateSleepSummary": _sleeping_breath,
        "sleep": sleep,
    }
)
"""What reads the data of each type."""

KINDS: Mapping[str, str] = MappingProxyType(
    {
        **{
            name: values[0].kind
            for table in (INTERVALS, SAMPLES, DAYS)
            for name, values in table.items()
        },
        "bloodGlucose": "glucose",
        "dailySleepTemperatureDerivations": "skin-temperature-deviation",
        "electrocardiogram": "ecg",
        "exercise": "workout",
        "respiratoryRateSleepSummary": "respiratory-rate",
        "sleep": "sleep-session",
    }
)
"""Kind of each type, for what is refused."""

MEMBERS: Mapping[str, frozenset[str]] = MappingProxyType(
    {
        **{
            name: frozenset(value.member for value in values) | CONTEXT
            for table in (INTERVALS, SAMPLES, DAYS)
            for name, values in table.items()
        },
        **{name: CONTEXT | {member} for name, (member, _) in LENGTHS.items()},
        "activeMinutes": CONTEXT | {"activeMinutesByActivityLevel"},
        "bloodGlucose": CONTEXT | {"bloodGlucoseMilligramsPerDeciliter"},
        "dailySleepTemperatureDerivations": CONTEXT
        | {"nightlyTemperatureCelsius", "baselineTemperatureCelsius"},
        "electrocardiogram": CONTEXT
        | {
            "samplingFrequencyHertz",
            "millivoltsScalingFactor",
            "waveformSamples",
            "resultClassification",
            "beatsPerMinuteAvg",
        },
        "exercise": CONTEXT
        | {
            "exerciseType",
            "metricsSummary",
            "exerciseMetadata",
            "activeDuration",
            "exerciseEvents",
            "splits",
            "splitSummaries",
        },
        "respiratoryRateSleepSummary": CONTEXT | {"fullSleepStats"},
        "sleep": CONTEXT | {"type", "stages", "outOfBedSegments", "summary"},
    }
)
"""Members of each type that are known."""
