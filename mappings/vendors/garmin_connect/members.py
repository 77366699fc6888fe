"""Which member of an answer about a day is which kind, in which unit.

https://connect.garmin.com/
"""

from collections.abc import Mapping
from types import MappingProxyType

from mappings.vendors.garmin_connect.body import Quantity

OTHER_DAYS = "average of other days"
_DERIVED = "derived from other members"
_GOAL = "goal"

STRESS = Quantity("garmin-stress-level", "{score}")
BATTERY = Quantity("garmin-body-battery", "{score}")
RMSSD = Quantity("hrv-rmssd", "ms", is_zero_absent=True, method="five minutes")
RMSSD_NIGHT = RMSSD._replace(method="mean of the night")
RMSSD_HIGHEST = RMSSD._replace(kind="hrv-rmssd-maximum")
RESTING = Quantity("resting-heart-rate", "/min", is_zero_absent=True)
LOWEST = Quantity("heart-rate-minimum-24h", "/min", is_zero_absent=True)
HIGHEST = Quantity("heart-rate-maximum-24h", "/min", is_zero_absent=True)
STRESS_MEAN = Quantity("garmin-stress-level-mean", "{score}")
STRESS_HIGHEST = Quantity("garmin-stress-level-maximum", "{score}")

SUMMARY: Mapping[str, Quantity] = MappingProxyType(
    {
        "totalSteps": Quantity("steps-24h", "{steps}"),
        "totalDistanceMeters": Quantity("distance", "m"),
        "totalKilocalories": Quantity("energy-24h", "kcal"),
        "activeKilocalories": Quantity("active-energy", "kcal"),
        "bmrKilocalories": Quantity("basal-energy", "kcal"),
        "sedentarySeconds": Quantity("sedentary-duration", "s"),
        "moderateIntensityMinutes": Quantity("moderate-activity-duration", "min"),
        "vigorousIntensityMinutes": Quantity("vigorous-activity-duration", "min"),
        "floorsAscended": Quantity("flights-climbed-24h", "{flights}"),
        "minHeartRate": LOWEST,
        "maxHeartRate": HIGHEST,
        "restingHeartRate": RESTING,
        "averageStressLevel": STRESS_MEAN,
        "maxStressLevel": STRESS_HIGHEST,
        "restStressDuration": Quantity("rest-duration", "s"),
        "lowStressDuration": Quantity("stress-low-duration", "s"),
        "mediumStressDuration": Quantity("stress-medium-duration", "s"),
        "highStressDuration": Quantity("stress-high-duration", "s"),
        "bodyBatteryChargedValue": Quantity("garmin-body-battery-charged", "{score}"),
        "bodyBatteryDrainedValue": Quantity("garmin-body-battery-drained", "{score}"),
        "bodyBatteryHighestValue": Quantity("garmin-body-battery-maximum", "{score}"),
        "bodyBatteryLowestValue": Quantity("garmin-body-battery-minimum", "{score}"),
        "averageSpo2": Quantity("oxygen-saturation-mean", "%", is_zero_absent=True),
        "lowestSpo2": Quantity("oxygen-saturation-minimum", "%", is_zero_absent=True),
        "avgWakingRespirationValue": Quantity(
            "respiratory-rate-mean", "/min", is_zero_absent=True, method="while awake"
        ),
        "highestRespirationValue": Quantity(
            "respiratory-rate-maximum", "/min", is_zero_absent=True
        ),
        "lowestRespirationValue": Quantity(
            "respiratory-rate-minimum", "/min", is_zero_absent=True
        ),
    }
)
"""Kind and unit of a member of a day's summary."""

SUMMARY_OUT_OF_SCOPE: Mapping[str, str] = MappingProxyType(
    {
        **dict.fromkeys(
            (
                "wellnessKilocalories",
                "burnedKilocalories",
                "netRemainingKilocalories",
                "remainingKilocalories",
                "wellnessDistanceMeters",
                "wellnessActiveKilocalories",
                "stressDuration",
                "totalStressDuration",
                "stressPercentage",
                "restStressPercentage",
                "activityStressPercentage",
                "uncategorizedStressPercentage",
                "lowStressPercentage",
                "mediumStressPercentage",
                "highStressPercentage",
                "floorsAscendedInMeters",
                "restingCaloriesFromActivity",
            ),
            _DERIVED,
        ),
        **dict.fromkeys(
            (
                "netCalorieGoal",
                "dailyStepGoal",
                "intensityMinutesGoal",
                "userFloorsAscendedGoal",
            ),
            _GOAL,
        ),
        **dict.fromkeys(
            ("activityStressDuration", "uncategorizedStressDuration"),
            "time in which stress was not measured",
        ),
        **dict.fromkeys(
            ("highlyActiveSeconds", "activeSeconds"), "Garmin's own class of activity"
        ),
        **dict.fromkeys(
            ("sleepingSeconds", "measurableAwakeDuration", "measurableAsleepDuration"),
            "sleep by calendar day",
        ),
        **dict.fromkeys(("floorsDescended", "floorsDescendedInMeters"), "descent"),
        **dict.fromkeys(
            (
                "bodyBatteryMostRecentValue",
                "bodyBatteryDuringSleep",
                "bodyBatteryAtWakeTime",
                "latestSpo2",
                "latestRespirationValue",
                "minAvgHeartRate",
                "maxAvgHeartRate",
            ),
            "value that a series repeats",
        ),
        "consumedKilocalories": "nutrition",
        "lastSevenDaysAvgRestingHeartRate": OTHER_DAYS,
        "abnormalHeartRateAlertsCount": "alert",
        "averageMonitoringEnvironmentAltitude": "geoposition",
        **dict.fromkeys(
            (
                "bodyBatteryDynamicFeedbackEvent",
                "endOfDayBodyBatteryDynamicFeedbackEvent",
                "bodyBatteryActivityEventList",
            ),
            "feedback of the application",
        ),
    }
)
"""Members of a day's summary that are never stored, and what they are."""
