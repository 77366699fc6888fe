"""Types of one number, and types that are made of several.

https://developer.android.com/reference/kotlin/androidx/health/connect/client/units/package-summary
"""

from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType

from mappings.hypnogram import Segment, night
from mappings.measurement import Component, Measurement, OutOfScope, Reading, Reason
from mappings.payload import Unreadable, seconds
from mappings.records import NO_VALUE
from mappings.vendors.health_connect.envelope import Record
from mappings.vendors.health_connect.exercises import exercise
from mappings.vendors.health_connect.quantity import quantity
from mappings.vendors.health_connect.records import (
    INTENSITIES,
    PANEL,
    SPECIMENS,
    STAGES,
    VO2_METHODS,
    Quantity,
)
from mappings.vendors.health_connect.samples import skin_temperature


def one(record: Record, what: Quantity) -> Measurement | OutOfScope:
    """Return the reading of a record that is one number.

    Raises:
        Unreadable: as `quantity`.

    """
    position = f"{record.position}.{what.member}"
    given = record.fields.get(what.member)
    if given is None:
        return OutOfScope(position, NO_VALUE)
    value, unit = quantity(given, what.units)
    start, end, zone, is_disputed = record.span
    return Measurement(
        what.kind,
        value,
        unit,
        start.text,
        start.us,
        None if end is None else end.text,
        start.us if end is None else end.us,
        position,
        record.source_id,
        record.device,
        (),
        what.method,
        None,
        record.self_reported,
        zone,
        1,
        None,
        ("zone-disputed",) if is_disputed else (),
        source_version=record.version,
    )


def blood_glucose(record: Record) -> Iterator[Reading]:
    """Yield the glucose of its specimen.

    Raises:
        Unreadable: `unknown-kind` for a specimen without a code, and as `one`.

    """
    source = record.fields.get("specimenSource")
    kind = SPECIMENS.get(source if type(source) is int else 0)
    if kind is None:
        raise Unreadable(
            Reason.UNKNOWN_KIND, "The specimenSource has no code.", "glucose"
        )
    yield one(record, Quantity(kind[0], "level", kind[1]))


def vo2_max(record: Record) -> Iterator[Reading]:
    """Yield a VO2max with the way in which it was measured.

    Raises:
        Unreadable: as `one`.

    """
    how = record.fields.get("measurementMethod")
    method = VO2_METHODS.get(how) if type(how) is int else None
    member = "vo2MillilitersPerMinuteKilogram"
    yield one(record, Quantity("vo2-max", member, "mL/kg/min", method))


def blood_pressure(record: Record) -> Iterator[Reading]:
    """Yield the panel; a part that is missing says so.

    Raises:
        Unreadable: `malformed` where there is neither part, and as `quantity`.

    """
    fields = record.fields
    if all(fields.get(part.member) is None for part in PANEL):
        raise Unreadable(Reason.MALFORMED, "The record has no blood pressure.")
    parts = tuple(_part(fields.get(part.member), part) for part in PANEL)
    yield record.reading("blood-pressure", None, "", record.position, components=parts)


def _part(value: object, part: Quantity) -> Component:
    if value is None:
        return Component(part.kind, None, absent="unknown")
    size, unit = quantity(value, part.units)
    return Component(part.kind, size, unit)


def sleep_session(record: Record) -> Iterator[Reading]:
    """Yield the night; without stages the whole session was sleep.

    Raises:
        Unreadable: `malformed`, `no-time` or `invalid-value` for a stage that is none.

    """
    start, end = record.interval()
    given = record.fields.get("stages") or []
    if not isinstance(given, list):
        raise Unreadable(Reason.MALFORMED, "stages is no list.")
    found = night(start.us, end.us, [_stage(record, stage) for stage in given])
    parts = (*found.totals(), *found.stages())
    if not parts:
        parts = (Component("sleep-duration", seconds(end.us - start.us), "s"),)
    method = None if given else "length of the session, which has no stages"
    yield record.reading(
        "sleep-session", None, "", record.position, components=parts, method=method
    )


def _stage(record: Record, stage: object) -> Segment:
    if not isinstance(stage, Mapping):
        raise Unreadable(Reason.MALFORMED, "A stage is no object.")
    code = stage.get("stage")
    known = STAGES.get(code) if type(code) is int or isinstance(code, str) else None
    if known is None:
        raise Unreadable(Reason.INVALID_VALUE, "A stage is none of 0 to 7.")
    return Segment(
        record.at(stage.get("startTime")).us, record.at(stage.get("endTime")).us, known
    )


def exercise_session(record: Record) -> Iterator[Reading]:
    """Yield the workout.

    Raises:
        Unreadable: `unknown-kind` for a type of exercise that is not known, and as
            `quantity` for the totals that a forwarder adds.

    """
    start, end = record.interval()
    code = exercise(record.fields.get("exerciseType"))
    if code is None:
        raise Unreadable(Reason.UNKNOWN_KIND, "The exerciseType is not known.")
    totals = [
        Component(kind, *quantity(record.fields[member], unit))
        for member, (kind, unit) in WORKOUT_TOTALS.items()
        if record.fields.get(member) is not None
    ]
    length = Component("workout-duration", seconds(end.us - start.us), "s")
    yield record.reading(
        "workout", code, "", record.position, components=(length, *totals)
    )


WORKOUT_TOTALS: Mapping[str, tuple[str, str]] = MappingProxyType(
    {"distanceMeters": ("distance", "m"), "steps": ("steps", "{steps}")}
)
"""Totals of an exercise that a forwarder adds: member → kind and unit."""


def _length(record: Record, kind: str) -> Measurement:
    start, end = record.interval()
    return record.reading(kind, seconds(end.us - start.us), "s", record.position)


def activity_intensity(record: Record) -> Iterator[Reading]:
    """Yield how long an activity of some intensity was.

    Raises:
        Unreadable: `unknown-kind` for another intensity.

    """
    how = record.fields.get("activityIntensityType")
    kind = INTENSITIES.get(how) if type(how) is int else None
    if kind is None:
        raise Unreadable(Reason.UNKNOWN_KIND, "The intensity is not known.")
    yield _length(record, kind)


def mindfulness(record: Record) -> Iterator[Reading]:
    """Yield the length of a mindfulness session."""
    yield _length(record, "mindful-duration")


SEVERAL: Mapping[str, Callable[[Record], Iterator[Reading]]] = MappingProxyType(
    {
        "ActivityIntensity": activity_intensity,
        "BloodGlucose": blood_glucose,
        "BloodPressure": blood_pressure,
        "ExerciseSession": exercise_session,
        "MindfulnessSession": mindfulness,
        "SkinTemperature": skin_temperature,
        "SleepSession": sleep_session,
        "Vo2Max": vo2_max,
    }
)
"""What reads a type that is not one plain number."""

KINDS: Mapping[str, str] = MappingProxyType(
    {
        "BloodGlucose": "glucose",
        "BloodPressure": "blood-pressure",
        "ExerciseSession": "workout",
        "MindfulnessSession": "mindful-duration",
        "SkinTemperature": "skin-temperature-deviation",
        "SleepSession": "sleep-session",
        "Vo2Max": "vo2-max",
    }
)
"""Kind of such a type, for what is refused."""

MEMBERS: Mapping[str, frozenset[str]] = MappingProxyType(
    {
        "BloodGlucose": frozenset({"level"}),
        "BloodPressure": frozenset(part.member for part in PANEL),
        "ExerciseSession": frozenset({"exerciseType", *WORKOUT_TOTALS}),
        "SkinTemperature": frozenset({"baseline", "deltas"}),
        "SleepSession": frozenset({"stages"}),
        "Vo2Max": frozenset({"vo2MillilitersPerMinuteKilogram"}),
    }
)
"""Members that such a type is made of."""
