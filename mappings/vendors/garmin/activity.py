"""An activity: its sort is the value, its totals are components.

https://developer.garmin.com/gc-developer-program/health-api/
"""

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any

from mappings.code_system import WORKOUTS
from mappings.measurement import Component, Measurement, OutOfScope, Reading, Reason
from mappings.payload import SECOND_US, Unreadable, kebab, number
from mappings.series import Point, heart_rate
from mappings.times import epoch_s
from mappings.vendors.garmin.record import Record
from mappings.vendors.garmin.series import signals
from mappings.vendors.garmin.summaries import GEOPOSITION

PARTS: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "distanceInMeters": ("distance", "m"),
        "activeKilocalories": ("active-energy", "kcal"),
        "steps": ("steps", "{steps}"),
        "averageHeartRateInBeatsPerMinute": ("heart-rate-mean", "/min"),
        "maxHeartRateInBeatsPerMinute": ("heart-rate-maximum", "/min"),
        "averageSpeedInMetersPerSecond": ("speed", "m/s"),
        "totalElevationGainInMeters": ("elevation-gain", "m"),
    }
)
"""Member → kind and unit of a component."""

_OTHER_NAMES = MappingProxyType(
    {
        "indoor-cycling": "cycling",
        "virtual-ride": "cycling",
        "road-biking": "cycling",
        "mountain-biking": "cycling",
        "gravel-cycling": "cycling",
        "e-bike-fitness": "cycling",
        "treadmill-running": "running",
        "indoor-running": "running",
        "trail-running": "running",
        "street-running": "running",
        "track-running": "running",
        "virtual-run": "running",
        "indoor-walking": "walking",
        "casual-walking": "walking",
        "speed-walking": "walking",
        "lap-swimming": "swimming",
        "open-water-swimming": "swimming",
        "strength-training": "traditional-strength-training",
        "hiit": "high-intensity-interval-training",
        "indoor-rowing": "rowing",
        "rowing-v2": "rowing",
        "stair-climbing": "stair-climbing",
        "resort-skiing-snowboarding": "snow-sports",
        "multi-sport": "swim-bike-run",
    }
)
"""Garmin's word for an activity → ours."""

_WORKOUTS = frozenset(WORKOUTS)
_SAMPLE_TIME = "startTimeInSeconds"
_POSITIONS = frozenset({"latitudeInDegree", "longitudeInDegree"})
_OTHER_SAMPLE = "sample that the activity's totals sum up"


def workout(record: Record) -> Measurement:
    """Return the activity; an activity without a word of ours is `other`.

    Raises:
        Unreadable: `no-time` without a duration, `invalid-value`.

    """
    if record.span.end is None:
        raise Unreadable(Reason.NO_TIME, "The activity has no duration.", "workout")
    duration = record.fields["durationInSeconds"]
    try:
        parts = [
            Component(kind, number(record.fields[member]), unit)
            for member, (kind, unit) in PARTS.items()
            if record.fields.get(member) is not None
        ]
    except Unreadable as error:
        raise error.of("workout") from None
    return record.reading(
        "workout",
        activity_code(record.fields.get("activityType")),
        "",
        record.span,
        record.position,
        source_id=_identifier(record.source_id),
        components=(Component("workout-duration", duration, "s"), *parts),
        records=1 + len(parts),
    )


def activity_code(word: object) -> str:
    """Return the code of Garmin's word for an activity."""
    name = kebab(word) if isinstance(word, str) else ""
    code = _OTHER_NAMES.get(name, name)
    return code if code in _WORKOUTS else "other"


def _identifier(summary_id: str | None) -> str | None:
    """Return the id that an activity and its details share."""
    return summary_id and summary_id.removesuffix("-detail")


def samples(record: Record, given: list[Any]) -> Iterator[Reading]:
    """Yield the heart rates of an activity's samples, and count the rest."""
    points: list[Point] = []
    others: dict[str, int] = {}
    place = f"{record.position}.samples"
    for index, sample in enumerate(given):
        try:
            points += _points(sample, others)
        except Unreadable as error:
            kept = record._replace(fields={**record.fields, "samples": [sample]})
            yield error.refusal(f"{place}[{index}]", kept.kept("samples"))
    of_activity = record._replace(source_id=_identifier(record.source_id))
    yield from signals(of_activity, "samples", points, 1)
    for what, count in others.items():
        yield OutOfScope(place, what, count)


def _points(sample: Any, others: dict[str, int]) -> list[Point]:
    """Return the heart rate of a sample; count its other members.

    Raises:
        Unreadable: `malformed`, `no-time`, `invalid-value`.

    """
    kind = "heart-rate-series"
    if not isinstance(sample, Mapping):
        raise Unreadable(Reason.MALFORMED, "A sample is no object.", kind)
    points: list[Point] = []
    try:
        rate = heart_rate(sample.get("heartRate"))
        if rate is not None:
            us = epoch_s(sample.get(_SAMPLE_TIME)).us
            points = [Point(us - us % SECOND_US, rate)]
    except Unreadable as error:
        raise error.of(kind) from None
    for member in sample:
        if member != _SAMPLE_TIME and not (member == "heartRate" and points):
            what = GEOPOSITION if member in _POSITIONS else _OTHER_SAMPLE
            others[what] = others.get(what, 0) + 1
    return points
