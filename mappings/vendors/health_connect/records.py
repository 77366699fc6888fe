"""Which type of record is which kind, and in which of its members the values are.

https://developer.android.com/reference/kotlin/androidx/health/connect/client/records/package-summary
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

Units = Mapping[str, str]
"""Member or word that names a unit → its UCUM code; the first that is there counts."""


def _units(**units: str) -> Units:
    return MappingProxyType(units)


ENERGY = _units(
    inKilocalories="kcal",
    inCalories="cal",
    inKilojoules="kJ",
    inJoules="J",
    kilocalories="kcal",
    calories="cal",
    kilojoules="kJ",
    joules="J",
)
MASS = _units(
    inKilograms="kg",
    inGrams="g",
    inPounds="[lb_av]",
    inOunces="[oz_av]",
    kilograms="kg",
    grams="g",
    pounds="[lb_av]",
    ounces="[oz_av]",
)
LENGTH = _units(
    inMeters="m",
    inKilometers="km",
    inFeet="[ft_i]",
    inInches="[in_i]",
    inMiles="[mi_i]",
    meters="m",
    kilometers="km",
    feet="[ft_i]",
    inches="[in_i]",
    miles="[mi_i]",
)
TEMPERATURE = _units(
    inCelsius="Cel", inFahrenheit="[degF]", celsius="Cel", fahrenheit="[degF]"
)
DIFFERENCE = _units(inCelsius="K", celsius="K")
PRESSURE = _units(inMillimetersOfMercury="mm[Hg]", millimetersOfMercury="mm[Hg]")
GLUCOSE = _units(
    inMillimolesPerLiter="mmol/L",
    inMilligramsPerDeciliter="mg/dL",
    millimolesPerLiter="mmol/L",
    milligramsPerDeciliter="mg/dL",
)
GLUCOSE_MASS = _units(
    inMilligramsPerDeciliter="mg/dL",
    inMillimolesPerLiter="mmol/L",
    milligramsPerDeciliter="mg/dL",
    millimolesPerLiter="mmol/L",
)
VELOCITY = _units(
    inMetersPerSecond="m/s",
    inKilometersPerHour="km/h",
    inMilesPerHour="[mi_i]/h",
    metersPerSecond="m/s",
    kilometersPerHour="km/h",
    milesPerHour="[mi_i]/h",
)
POWER = _units(inWatts="W", watts="W")
METABOLISM = _units(inKilocaloriesPerDay="kcal/d", kilocaloriesPerDay="kcal/d")


class Quantity(NamedTuple):
    """A number of a record.

    Attributes:
        kind: Row of kinds.csv.
        member: Member of the record, or of its samples, that holds it.
        units: Its units where it is an object; else the UCUM code of a bare number.
        method: What the type says beyond the kind.

    """

    kind: str
    member: str
    units: Units | str
    method: str | None = None


QUANTITIES: Mapping[str, Quantity] = MappingProxyType(
    {
        "ActiveCaloriesBurned": Quantity("active-energy", "energy", ENERGY),
        "TotalCaloriesBurned": Quantity("total-energy", "energy", ENERGY),
        "BasalBodyTemperature": Quantity(
            "body-temperature", "temperature", TEMPERATURE, "basal"
        ),
        "BodyTemperature": Quantity("body-temperature", "temperature", TEMPERATURE),
        "BasalMetabolicRate": Quantity(
            "basal-metabolic-rate", "basalMetabolicRate", METABOLISM
        ),
        "BodyFat": Quantity("body-fat-percentage", "percentage", "%"),
        "BodyWaterMass": Quantity("body-water-mass", "mass", MASS),
        "BoneMass": Quantity("bone-mass", "mass", MASS),
        "LeanBodyMass": Quantity("lean-body-mass", "mass", MASS),
        "Weight": Quantity("body-weight", "weight", MASS),
        "Height": Quantity("body-height", "height", LENGTH),
        "Distance": Quantity("distance", "distance", LENGTH),
        "ElevationGained": Quantity("elevation-gain", "elevation", LENGTH),
        "FloorsClimbed": Quantity("flights-climbed", "floors", "{flights}"),
        "Steps": Quantity("steps", "count", "{steps}"),
        "WheelchairPushes": Quantity("wheelchair-pushes", "count", "{#}"),
        "RestingHeartRate": Quantity("resting-heart-rate", "beatsPerMinute", "/min"),
        "HeartRateVariabilityRmssd": Quantity(
            "hrv-rmssd", "heartRateVariabilityMillis", "ms"
        ),
        "OxygenSaturation": Quantity("oxygen-saturation", "percentage", "%"),
        "RespiratoryRate": Quantity("respiratory-rate", "rate", "/min"),
    }
)
"""Types of one number."""

SAMPLES: Mapping[str, Quantity] = MappingProxyType(
    {
        "HeartRate": Quantity("heart-rate", "beatsPerMinute", "/min"),
        "Speed": Quantity("speed", "speed", VELOCITY),
        "Power": Quantity("power", "power", POWER),
        "StepsCadence": Quantity("cadence", "rate", "{steps}/min"),
    }
)
"""Types of a list of samples, each with its own time."""

PANEL = (
    Quantity("systolic-blood-pressure", "systolic", PRESSURE),
    Quantity("diastolic-blood-pressure", "diastolic", PRESSURE),
)
"""Members of a blood pressure."""

BY_MEMBER: Mapping[str, str] = MappingProxyType(
    {
        "energy": "ActiveCaloriesBurned",
        "basalMetabolicRate": "BasalMetabolicRate",
        "level": "BloodGlucose",
        "systolic": "BloodPressure",
        "temperature": "BodyTemperature",
        "weight": "Weight",
        "height": "Height",
        "distance": "Distance",
        "elevation": "ElevationGained",
        "floors": "FloorsClimbed",
        "beatsPerMinute": "RestingHeartRate",
        "heartRateVariabilityMillis": "HeartRateVariabilityRmssd",
        "vo2MillilitersPerMinuteKilogram": "Vo2Max",
        "rate": "RespiratoryRate",
        "deltas": "SkinTemperature",
        "stages": "SleepSession",
        "exerciseType": "ExerciseSession",
        "activityIntensityType": "ActivityIntensity",
        "mindfulnessSessionType": "MindfulnessSession",
        "volume": "Hydration",
    }
)
"""Member that tells the type of a record which does not name it."""

SAMPLES_BY_MEMBER: Mapping[str, str] = MappingProxyType(
    {
        "beatsPerMinute": "HeartRate",
        "speed": "Speed",
        "power": "Power",
        "rate": "StepsCadence",
        "revolutionsPerMinute": "CyclingPedalingCadence",
    }
)
"""The same, of the samples."""

OUT_OF_SCOPE: Mapping[str, str] = MappingProxyType(
    {
        "Hydration": "drink",
        "Nutrition": "food",
        "CervicalMucus": "reproductive health",
        "IntermenstrualBleeding": "reproductive health",
        "MenstruationFlow": "reproductive health",
        "MenstruationPeriod": "reproductive health",
        "OvulationTest": "reproductive health",
        "SexualActivity": "reproductive health",
        "PlannedExerciseSession": "plan of an exercise",
        "ExerciseRoute": "geoposition",
        "MedicalResource": "clinical record",
    }
)
"""Types that are known and never stored."""

ENVELOPE = frozenset(
    {
        "recordType",
        "metadata",
        "time",
        "zoneOffset",
        "startTime",
        "startZoneOffset",
        "endTime",
        "endZoneOffset",
    }
)
"""Members that say of what, when and by what."""

CONTEXT = frozenset(
    {
        "measurementLocation",
        "bodyPosition",
        "mealType",
        "relationToMeal",
        "specimenSource",
        "measurementMethod",
        "activityIntensityType",
        "mindfulnessSessionType",
        "hasRoute",
        "plannedExerciseSessionId",
    }
)
"""Members that qualify the value; not measurements."""

NEVER_STORED: Mapping[str, str] = MappingProxyType(
    {
        "title": "free text",
        "notes": "free text",
        "exerciseRoute": "geoposition",
        "exerciseRouteResult": "geoposition",
        "laps": "parts of an exercise",
        "segments": "parts of an exercise",
    }
)
"""Members of a session that are dropped; neither quarantine nor a retry has them."""

STAGES: Mapping[int | str, str] = MappingProxyType(
    {
        0: "unknown",
        1: "awake",
        2: "asleep",
        3: "out-of-bed",
        4: "light",
        5: "deep",
        6: "rem",
        7: "awake",
        "unknown": "unknown",
        "awake": "awake",
        "sleeping": "asleep",
        "out_of_bed": "out-of-bed",
        "light": "light",
        "deep": "deep",
        "rem": "rem",
        "awake_in_bed": "awake",
    }
)
"""Stage of a sleep session → code of a sleep-stage."""

SPECIMENS: Mapping[int, tuple[str, Units]] = MappingProxyType(
    {
        0: ("glucose", GLUCOSE),
        1: ("glucose-interstitial", GLUCOSE_MASS),
        2: ("glucose-capillary", GLUCOSE),
        6: ("glucose", GLUCOSE),
    }
)
"""Source of the specimen → kind of the glucose; plasma, serum and tears have none."""

VO2_METHODS: Mapping[int, str] = MappingProxyType(
    {
        1: "metabolic cart",
        2: "heart rate ratio",
        3: "Cooper test",
        4: "multistage fitness test",
        5: "Rockport fitness test",
    }
)
"""How a VO2max was measured, where the record says so."""

INTENSITIES: Mapping[int, str] = MappingProxyType(
    {0: "moderate-activity-duration", 1: "vigorous-activity-duration"}
)
"""Intensity of an activity → kind of its duration."""

MANUAL = frozenset({3, "manual_entry"})
"""Recording methods of what the person entered."""
