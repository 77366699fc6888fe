"""Which type of data point is which kind, and in which of its members the values are.

https://developers.google.com/health/data-types
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple


class Value(NamedTuple):
    """A number of a data point.

    Attributes:
        member: Member that holds it.
        kind: Row of kinds.csv.
        unit: UCUM code.
        method: What the type says beyond the kind.

    """

    member: str
    kind: str
    unit: str
    method: str | None = None


_Values = Mapping[str, tuple[Value, ...]]


def _values(**types: tuple[Value, ...]) -> _Values:
    return MappingProxyType(types)


INTERVALS = _values(
    steps=(Value("count", "steps", "{steps}"),),
    floors=(Value("count", "flights-climbed", "{flights}"),),
    distance=(Value("millimeters", "distance", "mm"),),
    altitude=(Value("gainMillimeters", "elevation-gain", "mm"),),
    activeEnergyBurned=(Value("kcal", "active-energy", "kcal"),),
    basalEnergyBurned=(Value("kcal", "basal-energy", "kcal"),),
)
"""Types with an interval."""

SAMPLES = _values(
    heartRate=(Value("beatsPerMinute", "heart-rate", "/min"),),
    heartRateVariability=(
        Value("rootMeanSquareOfSuccessiveDifferencesMilliseconds", "hrv-rmssd", "ms"),
        Value("standardDeviationMilliseconds", "hrv-sdnn", "ms"),
    ),
    oxygenSaturation=(Value("percentage", "oxygen-saturation", "%"),),
    weight=(Value("weightGrams", "body-weight", "g"),),
    height=(Value("heightMillimeters", "body-height", "mm"),),
    bodyFat=(Value("percentage", "body-fat-percentage", "%"),),
    coreBodyTemperature=(
        Value("temperatureCelsius", "body-temperature", "Cel", "core"),
    ),
    vo2Max=(Value("vo2Max", "vo2-max", "mL/kg/min"),),
    runVo2Max=(Value("runVo2Max", "vo2-max", "mL/kg/min", "estimated while running"),),
)
"""Types with a moment."""

DAYS = _values(
    dailyRestingHeartRate=(Value("beatsPerMinute", "resting-heart-rate", "/min"),),
    dailyHeartRateVariability=(
        Value(
            "averageHeartRateVariabilityMilliseconds",
            "hrv-rmssd",
            "ms",
            "mean of the night",
        ),
        Value(
            "nonRemHeartRateBeatsPerMinute",
            "heart-rate-mean",
            "/min",
            "mean of non-REM sleep",
        ),
    ),
    dailyOxygenSaturation=(
        Value(
            "averagePercentage", "oxygen-saturation-mean", "%", "mean of the main sleep"
        ),
    ),
    dailyRespiratoryRate=(
        Value(
            "breathsPerMinute",
            "respiratory-rate-mean",
            "/min",
            "mean of the main sleep",
        ),
    ),
    dailyVo2Max=(Value("vo2Max", "vo2-max", "mL/kg/min"),),
)
"""Types with a date of the person's calendar."""

LENGTHS: Mapping[str, tuple[str, Mapping[str, str]]] = MappingProxyType(
    {
        "sedentaryPeriod": ("", MappingProxyType({"": "sedentary-duration"})),
        "activityLevel": (
            "activityLevelType",
            MappingProxyType(
                {
                    "SEDENTARY": "sedentary-duration",
                    "LIGHTLY_ACTIVE": "light-activity-duration",
                    "MODERATELY_ACTIVE": "moderate-activity-duration",
                    "VERY_ACTIVE": "vigorous-activity-duration",
                }
            ),
        ),
        "timeInHeartRateZone": (
            "heartRateZoneType",
            MappingProxyType(
                {
                    "LIGHT": "heart-rate-zone-light-duration",
                    "MODERATE": "heart-rate-zone-moderate-duration",
                    "VIGOROUS": "heart-rate-zone-intense-duration",
                    "PEAK": "heart-rate-zone-maximum-duration",
                }
            ),
        ),
    }
)
"""Types whose value is how long their interval is: the member that tells the kind."""

LEVELS: Mapping[str, str] = MappingProxyType(
    {
        "LIGHT": "light-activity-duration",
        "MODERATE": "moderate-activity-duration",
        "VIGOROUS": "vigorous-activity-duration",
    }
)
"""Level of active minutes → kind."""

SPECIMENS: Mapping[str, str] = MappingProxyType(
    {
        "": "glucose",
        "SPECIMEN_UNSPECIFIED": "glucose",
        "WHOLE_BLOOD": "glucose",
        "CAPILLARY_BLOOD": "glucose-capillary",
        "INTERSTITIAL_FLUID": "glucose-interstitial",
    }
)
"""Specimen → kind of the glucose; plasma, serum and tears have none."""

STAGES: Mapping[str, str] = MappingProxyType(
    {
        "SLEEP_STAGE_TYPE_UNSPECIFIED": "unknown",
        "AWAKE": "awake",
        "LIGHT": "light",
        "DEEP": "deep",
        "REM": "rem",
        "ASLEEP": "asleep",
        "RESTLESS": "awake",
    }
)
"""Stage → code of a sleep-stage; restless is not asleep in `minutesAsleep` either."""

SLEEP_TOTALS: Mapping[str, str] = MappingProxyType(
    {
        "minutesAsleep": "sleep-duration",
        "minutesInSleepPeriod": "time-in-bed",
        "minutesAwake": "awake-duration",
        "minutesToFallAsleep": "sleep-latency",
        "minutesAfterWakeUp": "latency-to-arising",
    }
)
"""Total of a night, in minutes → kind."""

STAGE_TOTALS: Mapping[str, str] = MappingProxyType(
    {
        "LIGHT": "light-sleep-duration",
        "DEEP": "deep-sleep-duration",
        "REM": "rem-sleep-duration",
        "RESTLESS": "restless-duration",
    }
)
"""Stage in the summary of a night → kind of its total."""

WORKOUT_TOTALS: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "distanceMillimeters": ("distance", "mm"),
        "distanceMillimiters": ("distance", "mm"),
        "caloriesKcal": ("active-energy", "kcal"),
        "steps": ("steps", "{steps}"),
        "averageHeartRateBeatsPerMinute": ("heart-rate-mean", "/min"),
        "elevationGainMillimeters": ("elevation-gain", "mm"),
    }
)
"""Member of a summary → kind and unit; Google spells the distance in two ways."""

ZONES: Mapping[str, str] = MappingProxyType(
    {
        "lightTime": "heart-rate-zone-light-duration",
        "moderateTime": "heart-rate-zone-moderate-duration",
        "vigorousTime": "heart-rate-zone-intense-duration",
        "peakTime": "heart-rate-zone-maximum-duration",
    }
)
"""Time in a zone of heart rate → kind."""

RHYTHMS: Mapping[str, str] = MappingProxyType(
    {
        "RESULT_CLASSIFICATION_UNSPECIFIED": "not-set",
        "NOT_ANALYZED": "not-set",
        "NORMAL_SINUS_RHYTHM": "sinus-rhythm",
        "ATRIAL_FIBRILLATION": "atrial-fibrillation",
        "INCONCLUSIVE": "inconclusive",
        "INCONCLUSIVE_HIGH_HEART_RATE": "high-heart-rate",
        "INCONCLUSIVE_LOW_HEART_RATE": "low-heart-rate",
        "UNREADABLE": "poor-recording",
    }
)
"""Classification of an electrocardiogram → its code."""

SUMS: Mapping[str, tuple[Value, str]] = MappingProxyType(
    {
        "steps": (Value("countSum", "steps", "{steps}"), "steps-24h"),
        "floors": (
            Value("countSum", "flights-climbed", "{flights}"),
            "flights-climbed-24h",
        ),
        "distance": (Value("millimetersSum", "distance", "mm"), "distance"),
        "altitude": (
            Value("gainMillimetersSum", "elevation-gain", "mm"),
            "elevation-gain",
        ),
        "activeEnergyBurned": (
            Value("kcalSum", "active-energy", "kcal"),
            "active-energy",
        ),
        "totalCalories": (Value("kcalSum", "total-energy", "kcal"), "total-energy"),
    }
)
"""Type of a roll-up → its sum, and the kind of a sum over a whole day."""

OUT_OF_SCOPE: Mapping[str, str] = MappingProxyType(
    {
        "hydrationLog": "drink",
        "nutritionLog": "food",
        "food": "food",
        "foodMeasurementUnit": "food",
        "dailyHeartRateZones": "thresholds of heart rate zones",
        "activeZoneMinutes": "points that count an intense minute twice",
        "swimLengthsData": "strokes of a swimming lap",
    }
)
"""Types that are known and never stored."""

PARTS_OUT_OF_SCOPE: Mapping[str, Mapping[str, str]] = MappingProxyType(
    {
        "dailyHeartRateVariability": MappingProxyType(
            {
                "entropy": "entropy of heartbeat intervals",
                "deepSleepRootMeanSquareOfSuccessiveDifferencesMilliseconds": (
                    "RMSSD of deep sleep alone"
                ),
            }
        ),
        "respiratoryRateSleepSummary": MappingProxyType(
            {
                "deepSleepStats": "respiratory rate of one sleep stage",
                "lightSleepStats": "respiratory rate of one sleep stage",
                "remSleepStats": "respiratory rate of one sleep stage",
            }
        ),
    }
)
"""Members of a type that are measurements and never stored."""

CONTEXT = frozenset(
    {
        "interval",
        "sampleTime",
        "date",
        "id",
        "metadata",
        "measurementMethod",
        "measurementLocation",
        "measurementSource",
        "measurementTiming",
        "mealType",
        "specimen",
        "createTime",
        "updateTime",
        "notes",
        "displayName",
        "estimated",
        "cardioFitnessLevel",
        "vo2MaxCovariance",
        "lowerBoundPercentage",
        "upperBoundPercentage",
        "standardDeviationPercentage",
        "relativeNightlyStddev30dCelsius",
        "dailyRestingHeartRateMetadata",
        "medicalDeviceInfo",
        "leadNumber",
    }
)
"""Members that qualify a value: times, bounds of confidence, free text."""

ENVELOPE = frozenset({"name", "dataPointName", "dataSource"})
"""Members of a data point beside its type."""

ANSWERS: Mapping[str, str] = MappingProxyType(
    {
        "subscribers": "subscriber list",
        "subscriptions": "subscription list",
        "endpointUri": "subscriber",
        "subscriberConfigs": "subscriber",
        "healthUserId": "account",
        "legacyUserId": "account",
        "membershipStartDate": "account",
        "distanceUnit": "account settings",
        "enrollmentStatus": "account settings",
        "error": "error answer",
    }
)
"""Member that tells an answer which holds no data points, and what it is."""
