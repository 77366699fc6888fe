"""What a forwarder sends in its own words, as the records that it had.

Forwarders keep neither the identifier of a record nor its offset, and name members as
they like; the shape that is read here is that of HC Webhook.

https://github.com/mcnaveen/health-connect-webhook
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

from mappings.payload import SECOND_US, Unreadable, after
from mappings.records import moment
from mappings.vendors.health_connect.records import OUT_OF_SCOPE

Json = Mapping[str, Any]


class Forwarded(NamedTuple):
    """A list of a forwarder.

    Attributes:
        type: Type of the records in it.
        members: Its members → those of a record, and the unit where it is in the name.

    """

    type: str
    members: Mapping[str, tuple[str, str]]


def _list(type_: str, **members: str) -> Forwarded:
    """Return a list; a member is given as `member` or as `member unit`."""
    return Forwarded(
        type_,
        MappingProxyType(
            {
                name: (text.partition(" ")[0], text.partition(" ")[2])
                for name, text in members.items()
            }
        ),
    )


LISTS: Mapping[str, Forwarded] = MappingProxyType(
    {
        "steps": _list("Steps", count="count"),
        "sleep": _list("SleepSession", stages="stages"),
        "heart_rate": _list("HeartRate", bpm="beatsPerMinute"),
        "heart_rate_variability": _list(
            "HeartRateVariabilityRmssd", rmssd_millis="heartRateVariabilityMillis"
        ),
        "distance": _list("Distance", meters="distance meters"),
        "active_calories": _list(
            "ActiveCaloriesBurned", calories="energy kilocalories"
        ),
        "total_calories": _list("TotalCaloriesBurned", calories="energy kilocalories"),
        "weight": _list("Weight", kilograms="weight kilograms"),
        "height": _list("Height", meters="height meters"),
        "blood_pressure": _list(
            "BloodPressure",
            systolic="systolic millimetersOfMercury",
            diastolic="diastolic millimetersOfMercury",
        ),
        "blood_glucose": _list(
            "BloodGlucose", mmol_per_liter="level millimolesPerLiter"
        ),
        "oxygen_saturation": _list("OxygenSaturation", percentage="percentage"),
        "body_temperature": _list("BodyTemperature", celsius="temperature celsius"),
        "basal_body_temperature": _list(
            "BasalBodyTemperature", celsius="temperature celsius"
        ),
        "skin_temperature": _list("SkinTemperature"),
        "respiratory_rate": _list("RespiratoryRate", rate="rate"),
        "resting_heart_rate": _list("RestingHeartRate", bpm="beatsPerMinute"),
        "exercise": _list(
            "ExerciseSession", distance_meters="distanceMeters", steps="steps"
        ),
        "basal_metabolic_rate": _list(
            "BasalMetabolicRate", watts="basalMetabolicRate watts"
        ),
        "body_fat": _list("BodyFat", percentage="percentage"),
        "lean_body_mass": _list("LeanBodyMass", kilograms="mass kilograms"),
        "body_water_mass": _list("BodyWaterMass", kilograms="mass kilograms"),
        "bone_mass": _list("BoneMass", kilograms="mass kilograms"),
        "vo2_max": _list("Vo2Max", ml_per_kg_per_min="vo2MillilitersPerMinuteKilogram"),
        "hydration": _list("Hydration"),
        "nutrition": _list("Nutrition"),
        "menstruation_flow": _list("MenstruationFlow"),
        "menstruation_period": _list("MenstruationPeriod"),
        "intermenstrual_bleeding": _list("IntermenstrualBleeding"),
        "ovulation_test": _list("OvulationTest"),
        "cervical_mucus": _list("CervicalMucus"),
        "sexual_activity": _list("SexualActivity"),
    }
)
"""Lists of a forwarder, by their names."""

COMPUTED = MappingProxyType({"bmi": "index that the forwarder computed"})
"""Lists that are no records of Health Connect."""

EXERCISES: Mapping[str, int] = MappingProxyType(
    {
        "biking": 8,
        "dancing": 16,
        "elliptical": 25,
        "hiking": 37,
        "pilates": 48,
        "rowing": 53,
        "running": 56,
        "soccer": 64,
        "stair_climbing": 68,
        "strength_training": 70,
        "swimming_open_water": 73,
        "swimming_pool": 74,
        "tennis": 76,
        "walking": 79,
        "weightlifting": 81,
        "yoga": 83,
    }
)
"""Words for an exercise → its number."""

METADATA = frozenset({"timestamp", "app_version", "test", "sync_type", "device_id"})
"""Members of a forwarder's body that are not lists of records."""

_TIMES = MappingProxyType(
    {"time": "time", "start_time": "startTime", "end_time": "endTime"}
)
_METHODS = MappingProxyType({"manual_entry": 3})
_CONTEXT = frozenset(
    {
        *_TIMES,
        "metadata",
        "title",
        "name",
        "type",
        "duration_seconds",
        "session_end_time",
        "sleep_updated_at",
        "measurement_location",
        "delta_celsius",
        "baseline_celsius",
        "avg_cadence_spm",
        "max_cadence_spm",
        "stride_length_m",
    }
)
"""Members that are read elsewhere, or known and left aside."""


def is_forwarded(payload: Json) -> bool:
    """Whether a body is of the forwarder's shape."""
    if "recordType" in payload or "metadata" in payload:
        return False
    return any(isinstance(payload.get(name), list) for name in LISTS)


def record(name: str, item: Json) -> dict[str, Any]:
    """Return a record of Health Connect, made of an item of a list."""
    type_, members = LISTS[name]
    made: dict[str, Any] = {"recordType": type_, "metadata": _metadata(item)}
    if type_ in OUT_OF_SCOPE:
        return made
    made |= {ours: item[theirs] for theirs, ours in _TIMES.items() if theirs in item}
    for theirs, (ours, unit) in members.items():
        if theirs in item:
            made[ours] = {unit: item[theirs]} if unit else item[theirs]
    made |= {
        theirs: value
        for theirs, value in item.items()
        if theirs not in members and theirs not in _CONTEXT
    }
    return made | _several(type_, item, made)


def _metadata(item: Json) -> dict[str, Any]:
    found = item.get("metadata")
    metadata = found if isinstance(found, Mapping) else {}
    method = metadata.get("recording_method")
    return {
        "device": metadata.get("device"),
        "recordingMethod": _METHODS.get(method) if isinstance(method, str) else None,
    }


def _several(type_: str, item: Json, made: dict[str, Any]) -> dict[str, Any]:
    """Return the members that are shaped in another way."""
    if type_ == "HeartRate":
        rate = made.pop("beatsPerMinute", None)
        sample = {"time": item.get("time"), "beatsPerMinute": rate}
        return {"samples": [sample]}
    if type_ == "SkinTemperature":
        return _skin(item)
    if type_ == "ExerciseSession":
        word = item.get("type")
        number = EXERCISES.get(word.lower()) if isinstance(word, str) else word
        return {"exerciseType": number}
    return _sleep(item) if type_ == "SleepSession" else {}


def _skin(item: Json) -> dict[str, Any]:
    time, baseline = item.get("time"), item.get("baseline_celsius")
    return {
        "startTime": time,
        "endTime": time,
        "time": None,
        "baseline": None if baseline is None else {"celsius": baseline},
        "deltas": [{"time": time, "delta": {"celsius": item.get("delta_celsius")}}],
    }


def _sleep(item: Json) -> dict[str, Any]:
    """Return the times of a session, which is given by its end and its length."""
    end, length = item.get("session_end_time"), item.get("duration_seconds")
    start = None
    if isinstance(length, int) and not isinstance(length, bool):
        try:
            start = after(moment(end), -length * SECOND_US).text
        except (Unreadable, OverflowError):
            start = None
    stages = item.get("stages")
    return {
        "startTime": start,
        "endTime": end,
        "stages": [_stage(stage) for stage in stages]
        if isinstance(stages, list)
        else stages,
    }


def _stage(stage: object) -> object:
    if not isinstance(stage, Mapping):
        return stage
    return {
        "startTime": stage.get("start_time"),
        "endTime": stage.get("end_time"),
        "stage": stage.get("stage"),
    }
