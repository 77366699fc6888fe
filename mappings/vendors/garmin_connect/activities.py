"""An entry of the activity list: its sort is the value, its totals are components.

https://connect.garmin.com/
"""

from collections.abc import Iterator, Mapping
from types import MappingProxyType

from mappings.code_system import WORKOUTS
from mappings.measurement import Component, DeviceClue, OutOfScope, Reading
from mappings.payload import SECOND_US, Unreadable, kebab, number, offset_minutes
from mappings.times import Span
from mappings.vendors.garmin_connect.body import Body, Json, Quantity

PARTS: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "duration": ("workout-duration", "s"),
        "distance": ("distance", "m"),
        "calories": ("total-energy", "kcal"),
        "steps": ("steps", "{steps}"),
        "averageHR": ("heart-rate-mean", "/min"),
        "maxHR": ("heart-rate-maximum", "/min"),
        "averageSpeed": ("speed", "m/s"),
        "elevationGain": ("elevation-gain", "m"),
        "avgPower": ("power", "W"),
        # Of both feet: its maximum equals `maxDoubleCadence`.
        "averageRunningCadenceInStepsPerMinute": ("cadence", "{steps}/min"),
    }
)
"""Member → kind and unit of a component."""

_VO2 = Quantity("vo2-max", "mL/kg/min", is_zero_absent=True)

_POSITIONS = ("startLatitude", "startLongitude", "endLatitude", "endLongitude")

_OTHER_NAMES = MappingProxyType(
    {
        "indoor-cycling": "cycling",
        "road-biking": "cycling",
        "mountain-biking": "cycling",
        "gravel-cycling": "cycling",
        "virtual-ride": "cycling",
        "treadmill-running": "running",
        "trail-running": "running",
        "street-running": "running",
        "track-running": "running",
        "indoor-running": "running",
        "casual-walking": "walking",
        "speed-walking": "walking",
        "indoor-walking": "walking",
        "lap-swimming": "swimming",
        "open-water-swimming": "swimming",
        "strength-training": "traditional-strength-training",
        "hiit": "high-intensity-interval-training",
        "indoor-rowing": "rowing",
        "multi-sport": "swim-bike-run",
    }
)
"""Garmin's word for an activity → ours."""

_WORKOUTS = frozenset(WORKOUTS)


def readings(body: Body) -> Iterator[Reading]:
    """Yield the workout, the oxygen uptake estimated from it, and the rest's account.

    Raises:
        Unreadable: `no-time`, `malformed`, `invalid-value`.

    """
    fields = body.fields
    found = fields.get("activityId")
    of_activity = body._replace(
        source_id=str(found) if type(found) is int else None,
        device=_device(fields.get("deviceId")),
        self_reported=fields.get("manualActivity") is True,
    )
    try:
        span = _span(of_activity)
        parts = tuple(_parts(fields))
    except Unreadable as error:
        raise error.of("workout") from None
    yield of_activity.reading(
        "workout",
        _code(fields.get("activityType")),
        "",
        span,
        body.position,
        components=parts,
        records=max(1, len(parts)),
    )
    if fields.get("vO2MaxValue") is not None:
        place = f"{body.position}.vO2MaxValue"
        value = fields["vO2MaxValue"]
        yield of_activity.measured(_VO2, value, span, place, method="estimated")
    yield from _account(body)


def _account(body: Body) -> Iterator[Reading]:
    """Count what is never stored: positions, and numbers that sum up samples."""
    positions = sum(1 for name in _POSITIONS if body.fields.get(name) is not None)
    if positions:
        yield OutOfScope(body.position, "geoposition", positions)
    others = sum(
        1
        for name, value in body.fields.items()
        if name not in _ACCOUNTED
        and not name.endswith(("Id", "Pk", "PK", "Timestamp"))
        and not isinstance(value, bool | str | list | Mapping)
        and value is not None
    )
    if others:
        yield OutOfScope(body.position, "other total of an activity", others)


_ACCOUNTED = frozenset({*PARTS, *_POSITIONS, "vO2MaxValue"})


def _span(body: Body) -> Span:
    """Return start and end; the end is told in GMT alone, else by the durations."""
    fields = body.fields
    start, is_disputed = body.at(
        fields.get("startTimeGMT"), fields.get("startTimeLocal")
    )
    length = fields.get("elapsedDuration") or fields.get("duration")
    us = max(0, int(number(length) * SECOND_US))
    offset = None if start.text[-1] == "Z" else offset_minutes(start.text)
    return Span(start, body.moment(start.us + us, offset), None, is_disputed)


def _parts(fields: Json) -> Iterator[Component]:
    for member, (kind, unit) in PARTS.items():
        if fields.get(member) is not None:
            yield Component(kind, number(fields[member]), unit)


def _code(activity: object) -> str:
    """Return the code of an activity; `other` for one without a word of ours."""
    word = activity.get("typeKey") if isinstance(activity, Mapping) else None
    name = kebab(word) if isinstance(word, str) else ""
    code = _OTHER_NAMES.get(name, name)
    return code if code in _WORKOUTS else "other"


def _device(number_: object) -> DeviceClue | None:
    if type(number_) is not int:
        return None
    return DeviceClue(identifier=str(number_), manufacturer="Garmin")
