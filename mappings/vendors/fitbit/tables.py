"""Which member of a file is which kind.

https://dev.fitbit.com/build/reference/web-api/activity/
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple


class Quantity(NamedTuple):
    """A number.

    Attributes:
        kind: Row of kinds.csv.
        unit: UCUM code; empty where the file does not tell it.
        method: What Fitbit means by it.

    """

    kind: str
    unit: str
    method: str | None = None


DAILY: Mapping[str, Quantity] = MappingProxyType(
    {
        "steps": Quantity("steps-24h", "{steps}"),
        "floors": Quantity("flights-climbed-24h", "{flights}"),
        "elevation": Quantity("elevation-gain", "m"),
        "distance": Quantity("distance", "km"),
        "calories": Quantity("total-energy", "kcal"),
        "caloriesOut": Quantity("total-energy", "kcal"),
        "caloriesBMR": Quantity("basal-energy", "kcal"),
        "activityCalories": Quantity("active-energy", "kcal"),
        "sedentaryMinutes": Quantity("sedentary-duration", "min"),
        "lightlyActiveMinutes": Quantity("light-activity-duration", "min"),
        "fairlyActiveMinutes": Quantity("moderate-activity-duration", "min"),
        "veryActiveMinutes": Quantity("vigorous-activity-duration", "min"),
        "minutesSedentary": Quantity("sedentary-duration", "min"),
        "minutesLightlyActive": Quantity("light-activity-duration", "min"),
        "minutesFairlyActive": Quantity("moderate-activity-duration", "min"),
        "minutesVeryActive": Quantity("vigorous-activity-duration", "min"),
        "restingHeartRate": Quantity("resting-heart-rate", "/min"),
    }
)
"""Member of a day's summary, or name of a time series → kind."""

INTRADAY: Mapping[str, Quantity] = MappingProxyType(
    {
        "steps": Quantity("steps", "{steps}"),
        "floors": Quantity("flights-climbed", "{flights}"),
        "elevation": Quantity("elevation-gain", "m"),
        "distance": Quantity("distance", "km"),
        "calories": Quantity("total-energy", "kcal"),
        "heart": Quantity("heart-rate", "/min"),
    }
)
"""Name of a series within a day → kind."""

ZERO_MAY_BE_MISSING = frozenset(
    {"steps-24h", "steps", "flights-climbed-24h", "flights-climbed", "distance"}
)
"""Kinds that Fitbit writes as 0 also where the tracker was not worn."""

ZONES: Mapping[str, str] = MappingProxyType(
    {
        "Fat Burn": "heart-rate-zone-moderate-duration",
        "Cardio": "heart-rate-zone-intense-duration",
        "Peak": "heart-rate-zone-maximum-duration",
    }
)
"""Name of a zone of heart rate → kind of the time in it."""

NIGHTLY: Mapping[str, Mapping[str, Quantity]] = MappingProxyType(
    {
        "hrv": {"dailyRmssd": Quantity("hrv-rmssd", "ms", "mean of the sleep")},
        "br": {
            "breathingRate": Quantity(
                "respiratory-rate-mean", "/min", "mean of the sleep"
            )
        },
        "spo2": {
            "avg": Quantity("oxygen-saturation-mean", "%", "mean of the sleep"),
            "min": Quantity("oxygen-saturation-minimum", "%"),
            "max": Quantity("oxygen-saturation-maximum", "%"),
        },
        "tempSkin": {"nightlyRelative": Quantity("skin-temperature-deviation", "K")},
    }
)
"""List of nightly values → member → kind."""

NIGHTLY_OUT_OF_SCOPE: Mapping[str, str] = MappingProxyType(
    {"deepRmssd": "RMSSD of deep sleep alone"}
)

OUT_OF_SCOPE: Mapping[str, str] = MappingProxyType(
    {
        "goals": "goals",
        "foods": "food",
        "water": "drink",
        "pagination": "paging of the answer",
        "marginalCalories": "energy above the estimate at rest",
        "activeScore": "activity score",
        "caloriesEstimationMu": "estimate of energy",
        "caloriesOutUnestimated": "estimate of energy",
        "useEstimation": "estimate of energy",
        "customHeartRateZones": "zones that the person set",
    }
)
"""Members that are known and never stored."""

ACTIVITIES: Mapping[str, str] = MappingProxyType(
    {
        "aerobic-workout": "mixed-cardio",
        "bike": "cycling",
        "mountain-bike": "cycling",
        "outdoor-bike": "cycling",
        "spinning": "cycling",
        "bootcamp": "cross-training",
        "circuit-training": "cross-training",
        "core-training": "core-training",
        "dancing": "dance",
        "hike": "hiking",
        "interval-workout": "high-intensity-interval-training",
        "kayaking": "paddle-sports",
        "run": "running",
        "treadmill": "running",
        "rowing-machine": "rowing",
        "skiing": "snow-sports",
        "stairclimber": "stair-climbing",
        "swim": "swimming",
        "walk": "walking",
        "weights": "traditional-strength-training",
        "weightlifting": "traditional-strength-training",
    }
)
"""Fitbit's name of an activity → code of a workout, where the two differ."""

LEVELS: Mapping[str, str] = MappingProxyType(
    {
        "wake": "awake",
        "light": "light",
        "deep": "deep",
        "rem": "rem",
        "awake": "awake",
        "restless": "awake",
        "asleep": "asleep",
        "unknown": "unknown",
    }
)
"""Level of a sleep log → code of a sleep-stage; Fitbit counts restless as awake."""

SLEEP_TOTALS: Mapping[str, Quantity] = MappingProxyType(
    {
        "minutesAsleep": Quantity("sleep-duration", "min"),
        "timeInBed": Quantity("time-in-bed", "min"),
        "minutesAwake": Quantity("awake-duration", "min"),
        "minutesToFallAsleep": Quantity("sleep-latency", "min"),
        "minutesAfterWakeup": Quantity("latency-to-arising", "min"),
        "efficiency": Quantity("sleep-efficiency", "%"),
    }
)
"""Total of a sleep log → kind."""

LEVEL_TOTALS: Mapping[str, str] = MappingProxyType(
    {
        "deep": "deep-sleep-duration",
        "light": "light-sleep-duration",
        "rem": "rem-sleep-duration",
        "restless": "restless-duration",
    }
)
"""Level in a log's summary → kind of its total."""

COLUMNS: Mapping[str, Quantity] = MappingProxyType(
    {
        "Minutes Asleep": Quantity("sleep-duration", "min"),
        "Time in Bed": Quantity("time-in-bed", "min"),
        "Minutes Awake": Quantity("awake-duration", "min"),
        "Minutes REM Sleep": Quantity("rem-sleep-duration", "min"),
        "Minutes Light Sleep": Quantity("light-sleep-duration", "min"),
        "Minutes Deep Sleep": Quantity("deep-sleep-duration", "min"),
        "Number of Awakenings": Quantity("awakenings", "{#}"),
    }
)
"""Column of the sleep CSV → kind."""

TAKEOUT: Mapping[str, Quantity] = MappingProxyType(
    {
        "steps": Quantity("steps", "{steps}"),
        "calories": Quantity("total-energy", "kcal"),
        "distance": Quantity("distance", ""),
        "altitude": Quantity("elevation-gain", ""),
        "sedentary_minutes": Quantity("sedentary-duration", "min"),
        "lightly_active_minutes": Quantity("light-activity-duration", "min"),
        "moderately_active_minutes": Quantity("moderate-activity-duration", "min"),
        "very_active_minutes": Quantity("vigorous-activity-duration", "min"),
    }
)
"""Name of a Takeout file of bare values → kind."""

TAKEOUT_DAYS = frozenset(
    {
        "sedentary_minutes",
        "lightly_active_minutes",
        "moderately_active_minutes",
        "very_active_minutes",
    }
)
"""Those files whose values are of a whole day; the others have one a minute."""

TAKEOUT_OBJECTS: Mapping[str, Quantity] = MappingProxyType(
    {
        "demographicVO2Max": Quantity(
            "vo2-max", "mL/kg/min", "estimated from age, sex and resting heart rate"
        ),
        "runVO2Max": Quantity("vo2-max", "mL/kg/min", "estimated while running"),
    }
)
"""Member of a Takeout value that is an object → kind."""
