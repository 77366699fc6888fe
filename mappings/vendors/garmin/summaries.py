"""Which member of a Garmin summary is which kind, in which unit.

https://developer.garmin.com/gc-developer-program/health-api/
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple


class Quantity(NamedTuple):
    """What a number is.

    Attributes:
        kind: Row of kinds.csv, of any interval.
        unit: UCUM code in which Garmin gives it.
        day_kind: Row of kinds.csv where the interval is a day; empty where the kind
            is the same.
        is_zero_absent: Whether 0 stands for no value; below 0 always does.
        suffix: Follows the summary's id where another member has the same kind.
        method: What the number says beyond its unit.

    """

    kind: str
    unit: str
    day_kind: str = ""
    is_zero_absent: bool = False
    suffix: str = ""
    method: str | None = None


class Series(NamedTuple):
    """What a map of samples is: seconds after the start → value.

    Attributes:
        quantity: What each value is.
        grain_s: Distance in time that Garmin documents.

    """

    quantity: Quantity
    grain_s: int


ENVELOPE = frozenset(
    {
        "userId",
        "summaryId",
        "activityId",
        "calendarDate",
        "startTimeInSeconds",
        "startTimeOffsetInSeconds",
        "measurementTimeInSeconds",
        "measurementTimeOffsetInSeconds",
        "offsetInSeconds",
        "offsetStartTimeInSeconds",
        "durationInSeconds",
        "activityType",
        "activitySubType",
        "activityName",
        "deviceName",
        "sourceType",
        "manual",
        "validation",
        "onDemand",
        "enhanced",
        "intensity",
        "stressQualifier",
        "sleepScores",
        "isParent",
        "parentSummaryId",
        "isWebUpload",
    }
)
"""What says who, when, with what and of which sort; no measurement, not counted."""

SECRETS = frozenset({"userAccessToken", "callbackURL"})
"""Dropped at once: they open the wearer's account."""

GEOPOSITION = "geoposition"

_GOAL = "goal"
_DERIVED = "derived from other members"

OUT_OF_SCOPE: Mapping[str, str] = MappingProxyType(
    {
        "stepsGoal": _GOAL,
        "pushesGoal": _GOAL,
        "netKilocaloriesGoal": _GOAL,
        "intensityDurationGoalInSeconds": _GOAL,
        "floorsClimbedGoal": _GOAL,
        "consumedCalories": "nutrition",
        "stressDurationInSeconds": _DERIVED,
        "activityStressDurationInSeconds": "time in which stress was not measured",
        "averagePaceInMinutesPerKilometer": _DERIVED,
        "maxPaceInMinutesPerKilometer": _DERIVED,
        "maxSpeedInMetersPerSecond": "highest speed",
        "totalElevationLossInMeters": "descent",
        # Named after steps, but 84 on a run of 168 steps a minute: one foot or both.
        "averageRunCadenceInStepsPerMinute": "cadence of one foot or both",
        "maxRunCadenceInStepsPerMinute": "cadence of one foot or both",
        "averageBikeCadenceInRoundsPerMinute": "cadence of a bicycle",
        "maxBikeCadenceInRoundsPerMinute": "cadence of a bicycle",
        "averageSwimCadenceInStrokesPerMinute": "cadence of a swimmer",
        "numberOfActiveLengths": "lengths swum",
        "startingLatitudeInDegree": GEOPOSITION,
        "startingLongitudeInDegree": GEOPOSITION,
        "meanMotionIntensity": "motion intensity without a unit",
        "maxMotionIntensity": "motion intensity without a unit",
        "unmeasurableSleepDurationInSeconds": "time in which sleep was not measured",
        "unmeasurableSleepInSeconds": "time in which sleep was not measured",
        "bodyBatteryDynamicFeedbackEvent": "feedback of the application",
        "bodyBatteryActivityEvents": "feedback of the application",
    }
)
"""Members that are recognised and never stored, and what they are."""

_HEART_RATE = Quantity("heart-rate", "/min", is_zero_absent=True)
_STRESS = Quantity("garmin-stress-level", "{score}")
_BREATHS = Quantity("respiratory-rate", "/min", is_zero_absent=True)
_SPO2 = Quantity("oxygen-saturation", "%", is_zero_absent=True)
_RMSSD = Quantity("hrv-rmssd", "ms", is_zero_absent=True)

QUANTITIES: Mapping[str, Quantity] = MappingProxyType(
    {
        "steps": Quantity("steps", "{steps}", "steps-24h"),
        "pushes": Quantity("wheelchair-pushes", "{#}"),
        "distanceInMeters": Quantity("distance", "m"),
        "activeKilocalories": Quantity("active-energy", "kcal"),
        "bmrKilocalories": Quantity("basal-energy", "kcal"),
        "activeTimeInSeconds": Quantity("activity-duration", "s"),
        "moderateIntensityDurationInSeconds": Quantity(
            "moderate-activity-duration", "s"
        ),
        "vigorousIntensityDurationInSeconds": Quantity(
            "vigorous-activity-duration", "s"
        ),
        "floorsClimbed": Quantity(
            "flights-climbed", "{flights}", "flights-climbed-24h"
        ),
        "minHeartRateInBeatsPerMinute": Quantity(
            "heart-rate-minimum", "/min", "heart-rate-minimum-24h", is_zero_absent=True
        ),
        "averageHeartRateInBeatsPerMinute": Quantity(
            "heart-rate-mean", "/min", "heart-rate-mean-24h", is_zero_absent=True
        ),
        "maxHeartRateInBeatsPerMinute": Quantity(
            "heart-rate-maximum", "/min", "heart-rate-maximum-24h", is_zero_absent=True
        ),
        "restingHeartRateInBeatsPerMinute": Quantity(
            "resting-heart-rate", "/min", is_zero_absent=True
        ),
        "averageStressLevel": Quantity("garmin-stress-level-mean", "{score}"),
        # So spelled in pushes that were seen.
        "averageStresslevel": Quantity("garmin-stress-level-mean", "{score}"),
        "maxStressLevel": Quantity("garmin-stress-level-maximum", "{score}"),
        "restStressDurationInSeconds": Quantity("rest-duration", "s"),
        "lowStressDurationInSeconds": Quantity("stress-low-duration", "s"),
        "mediumStressDurationInSeconds": Quantity("stress-medium-duration", "s"),
        "highStressDurationInSeconds": Quantity("stress-high-duration", "s"),
        "bodyBatteryChargedValue": Quantity("garmin-body-battery-charged", "{score}"),
        "bodyBatteryDrainedValue": Quantity("garmin-body-battery-drained", "{score}"),
        "met": Quantity("metabolic-equivalent", "{MET}"),
        "weightInGrams": Quantity("body-weight", "g", is_zero_absent=True),
        "bodyMassIndex": Quantity("body-mass-index", "kg/m2", is_zero_absent=True),
        "bodyFatInPercent": Quantity("body-fat-percentage", "%", is_zero_absent=True),
        "bodyWaterInPercent": Quantity(
            "body-water-percentage", "%", is_zero_absent=True
        ),
        "muscleMassInGrams": Quantity("muscle-mass", "g", is_zero_absent=True),
        "boneMassInGrams": Quantity("bone-mass", "g", is_zero_absent=True),
        "vo2Max": Quantity("vo2-max", "mL/kg/min", is_zero_absent=True),
        "vo2MaxCycling": Quantity(
            "vo2-max",
            "mL/kg/min",
            is_zero_absent=True,
            suffix="#cycling",
            method="estimated, cycling",
        ),
        "fitnessAge": Quantity("garmin-fitness-age", "a", is_zero_absent=True),
        "lastNightAvg": Quantity(
            "hrv-rmssd", "ms", is_zero_absent=True, method="mean of the night"
        ),
        "lastNight5MinHigh": Quantity(
            "hrv-rmssd-maximum", "ms", is_zero_absent=True, method="five minutes"
        ),
        "pulse": _HEART_RATE,
    }
)
"""Kind and unit of a member that is a number."""

HEART_RATES = MappingProxyType({"timeOffsetHeartRateSamples": 15})
"""Maps of heart rates, and the seconds between two of them."""

SERIES: Mapping[str, Series] = MappingProxyType(
    {
        "timeOffsetStressLevelValues": Series(_STRESS, 180),
        "timeOffsetBodyBatteryValues": Series(
            Quantity("garmin-body-battery", "{score}"), 180
        ),
        "timeOffsetSpo2Values": Series(_SPO2, 60),
        "timeOffsetSleepSpo2": Series(_SPO2, 60),
        "timeOffsetEpochToBreaths": Series(_BREATHS, 60),
        "timeOffsetSleepRespiration": Series(_BREATHS, 60),
        "hrvValues": Series(_RMSSD._replace(method="five minutes"), 300),
    }
)
"""Maps whose values are readings of their own."""

SNAPSHOTS: Mapping[str, tuple[Series | None, Mapping[str, Quantity]]] = (
    MappingProxyType(
        {
            "heart_rate": (
                None,
                {
                    "minValue": Quantity("heart-rate-minimum", "/min"),
                    "avgValue": Quantity("heart-rate-mean", "/min"),
                    "maxValue": Quantity("heart-rate-maximum", "/min"),
                },
            ),
            "respiration": (
                Series(_BREATHS, 5),
                {
                    "minValue": Quantity("respiratory-rate-minimum", "/min"),
                    "avgValue": Quantity("respiratory-rate-mean", "/min"),
                    "maxValue": Quantity("respiratory-rate-maximum", "/min"),
                },
            ),
            "spo2": (
                Series(_SPO2, 5),
                {
                    "minValue": Quantity("oxygen-saturation-minimum", "%"),
                    "avgValue": Quantity("oxygen-saturation-mean", "%"),
                    "maxValue": Quantity("oxygen-saturation-maximum", "%"),
                },
            ),
            "stress": (
                Series(_STRESS, 5),
                {
                    "avgValue": Quantity("garmin-stress-level-mean", "{score}"),
                    "maxValue": Quantity("garmin-stress-level-maximum", "{score}"),
                },
            ),
            "rmssd_hrv": (None, {"avgValue": _RMSSD}),
        }
    )
)
"""Type of a health snapshot's part → its samples, and what its statistics are."""

SNAPSHOT_GRAIN_S = 5
"""Seconds between two samples of a health snapshot."""

_MEASURES = (
    "dailies",
    "epochs",
    "stressdetails",
    "bodycomps",
    "pulseox",
    "alldayrespiration",
    "hrv",
    "usermetrics",
)

LISTS: Mapping[str, str] = MappingProxyType(
    {
        **dict.fromkeys(_MEASURES, "summary"),
        # Spelled so in bodies that others have relayed.
        "stress": "summary",
        "respiration": "summary",
        "bodycompositions": "summary",
        "sleeps": "sleep",
        "bloodpressures": "blood-pressure",
        "healthsnapshot": "snapshot",
        "healthsnapshots": "snapshot",
        "activities": "activity",
        "manuallyupdatedactivities": "activity",
        "moveiqactivities": "activity",
        "activitydetails": "details",
    }
)
"""Name of a list, in lower case since its spelling drifts → how it is read."""

LISTS_OUT_OF_SCOPE: Mapping[str, str] = MappingProxyType(
    {
        "deregistrations": "deregistration",
        "userpermissionschange": "change of permissions",
        "activityfiles": "notice of a file",
        "mct": "reproductive health",
    }
)
"""Lists that hold no measurement, and what they hold."""
