"""Bodies with several values: blood pressure, a sleep episode, an activity.

https://w3id.org/openmhealth/schemas/omh/sleep-episode-1.1.json
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType

from mappings.code_system import WORKOUTS
from mappings.measurement import Component, Measurement, Reason
from mappings.payload import Instant, Unreadable, kebab
from mappings.units import ucum
from mappings.vendors.open_mhealth.quantity import components, unit_value
from mappings.vendors.open_mhealth.time_frame import time_frame


def _words(words: str) -> Mapping[str, str]:
    return MappingProxyType(
        {word: code for word in words.split() if (code := ucum(word))}
    )


_DURATIONS = _words("us ms sec s min h d")
_MMHG = _words("mmHg")

BLOOD_PRESSURE_PARTS = MappingProxyType(
    {
        "systolic_blood_pressure": ("systolic-blood-pressure", _MMHG),
        "diastolic_blood_pressure": ("diastolic-blood-pressure", _MMHG),
    }
)

SLEEP_PARTS = MappingProxyType(
    {
        "total_sleep_time": ("sleep-duration", _DURATIONS),
        "latency_to_sleep_onset": ("sleep-latency", _DURATIONS),
        "wake_after_sleep_onset": ("wake-after-sleep-onset", _DURATIONS),
        "latency_to_arising": ("latency-to-arising", _DURATIONS),
        "sleep_maintenance_efficiency_percentage": ("sleep-efficiency", _words("%")),
    }
)

ACTIVITY_PARTS = MappingProxyType(
    {
        "duration": ("workout-duration", _words("sec")),
        "distance": ("distance", _words("mm cm m km in ft yd mi")),
        "kcal_burned": ("active-energy", _words("kcal")),
        "base_movement_quantity": ("steps", _words("steps")),
    }
)


def _reading(
    kind: str, start: Instant, end: Instant | None, parts: tuple[Component, ...]
) -> Measurement:
    return Measurement(
        kind=kind,
        value=None,
        unit="",
        start=start.text,
        start_us=start.us,
        end=end.text if end else None,
        end_us=end.us if end else start.us,
        position="",
        components=parts,
    )


def blood_pressure(body: Mapping[str, object]) -> Measurement:
    """Return a panel; the part that is missing says so.

    Raises:
        Unreadable: as `unit_value` and `time_frame`; `unknown-kind` for a statistic.

    """
    _refuse_statistic(body, "blood-pressure")
    found = components(body, BLOOD_PRESSURE_PARTS)
    if not found:
        raise Unreadable(
            Reason.MALFORMED, "The body has no blood pressure.", "blood-pressure"
        )
    kinds = [part.kind for part in found]
    parts = tuple(
        found[kinds.index(kind)]
        if kind in kinds
        else Component(kind, None, absent="unknown")
        for kind, _ in BLOOD_PRESSURE_PARTS.values()
    )
    start, end = _times(body, "blood-pressure")
    return _reading("blood-pressure", start, end, parts)


def _refuse_statistic(body: Mapping[str, object], kind: str) -> None:
    if body.get("descriptive_statistic") is not None:
        raise Unreadable(
            Reason.UNKNOWN_KIND,
            f"A descriptive_statistic of {kind} has no code of its own.",
            kind,
        )


def sleep_episode(body: Mapping[str, object]) -> Measurement:
    """Return a session with the totals that the episode gives.

    Raises:
        Unreadable: as `unit_value` and `time_frame`; `no-time` for a moment.

    """
    parts = components(body, SLEEP_PARTS)
    awakenings = body.get("number_of_awakenings")
    if awakenings is not None:
        parts += (Component("awakenings", _count(awakenings), "{#}"),)
    is_main = body.get("is_main_sleep")
    if isinstance(is_main, bool):
        parts += (Component("main-sleep", "true" if is_main else "false"),)
    start, end = _interval(body, "sleep-session")
    return _reading("sleep-session", start, end, parts)


def _count(value: object) -> int:
    if type(value) is int:
        return value
    raise Unreadable(
        Reason.INVALID_VALUE,
        "number_of_awakenings is not a whole number.",
        "sleep-session",
    )


def physical_activity(body: Mapping[str, object]) -> Measurement:
    """Return a workout; or the steps, where the body counts nothing else.

    Raises:
        Unreadable: as `unit_value` and `time_frame`; `no-time` for a moment,
            `unknown-kind` for an activity without a code.

    """
    if not (body.keys() & _MORE_THAN_STEPS) and "base_movement_quantity" in body:
        value, unit, _ = unit_value(
            body,
            "base_movement_quantity",
            ACTIVITY_PARTS["base_movement_quantity"][1],
            "steps",
        )
        start, end = _interval(body, "steps")
        return _reading("steps", start, end, ())._replace(value=value, unit=unit)
    code = _workout(body.get("activity_name"))
    if code not in _WORKOUTS:
        raise Unreadable(
            Reason.UNKNOWN_KIND, "The activity_name has no code.", "workout"
        )
    parts = components(body, ACTIVITY_PARTS)
    start, end = _interval(body, "workout")
    return _reading("workout", start, end, parts)._replace(value=code)


_MORE_THAN_STEPS = ACTIVITY_PARTS.keys() - {"base_movement_quantity"}


def _workout(name: object) -> str:
    """Return the code of an activity; HealthKit's constants are among the names."""
    return kebab(name.removeprefix(_HEALTH_KIT)) if isinstance(name, str) else ""


_HEALTH_KIT = "HKWorkoutActivityType"
_WORKOUTS = frozenset(WORKOUTS)


def _times(body: Mapping[str, object], kind: str) -> tuple[Instant, Instant | None]:
    try:
        return time_frame(body.get("effective_time_frame"))
    except Unreadable as error:
        raise error.of(kind) from None


def _interval(body: Mapping[str, object], kind: str) -> tuple[Instant, Instant]:
    start, end = _times(body, kind)
    if end is None:
        raise Unreadable(Reason.NO_TIME, f"A {kind} needs a time_interval.", kind)
    return start, end


EPISODES: Mapping[str, Callable[[Mapping[str, object]], Measurement]] = (
    MappingProxyType(
        {
            "blood-pressure": blood_pressure,
            "sleep-episode": sleep_episode,
            "physical-activity": physical_activity,
            "hk-workout": physical_activity,
        }
    )
)
"""What reads a body of several values, by the name of its schema."""

_MEMBERS = MappingProxyType(
    {
        **dict.fromkeys(BLOOD_PRESSURE_PARTS, "blood-pressure"),
        **dict.fromkeys(SLEEP_PARTS.keys() - {"total_sleep_time"}, "sleep-episode"),
        "number_of_awakenings": "sleep-episode",
        "is_main_sleep": "sleep-episode",
        "activity_name": "physical-activity",
    }
)
"""Members that tell such a body where no header names its schema."""


def episode_of(schema: str, body: Mapping[str, object]) -> str | None:
    """Return the schema of a body of several values; None where it is another."""
    if schema:
        return schema if schema in EPISODES else None
    return next((_MEMBERS[name] for name in body if name in _MEMBERS), None)
