"""Which data type is which kind, and the numbers of Google Fit's activities.

https://developers.google.com/fit/datatypes
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple


class Value(NamedTuple):
    """One of a point's values.

    Attributes:
        place: Its place in the list of values.
        kind: Row of kinds.csv.
        unit: UCUM code.

    """

    place: int
    kind: str
    unit: str


PREFIX = "com.google."

TYPES: Mapping[str, tuple[Value, ...]] = MappingProxyType(
    {
        "heart_rate.bpm": (Value(0, "heart-rate", "/min"),),
        "heart_rate.summary": (
            Value(0, "heart-rate-mean", "/min"),
            Value(1, "heart-rate-maximum", "/min"),
            Value(2, "heart-rate-minimum", "/min"),
        ),
        "step_count.delta": (Value(0, "steps", "{steps}"),),
        "step_count.cadence": (Value(0, "cadence", "{steps}/min"),),
        "distance.delta": (Value(0, "distance", "m"),),
        "speed": (Value(0, "speed", "m/s"),),
        "calories.expended": (Value(0, "total-energy", "kcal"),),
        "calories.bmr": (Value(0, "basal-metabolic-rate", "kcal/d"),),
        "active_minutes": (Value(0, "activity-duration", "min"),),
        "power.sample": (Value(0, "power", "W"),),
        "weight": (Value(0, "body-weight", "kg"),),
        "height": (Value(0, "body-height", "m"),),
        "body.fat.percentage": (Value(0, "body-fat-percentage", "%"),),
        "body.temperature": (Value(0, "body-temperature", "Cel"),),
        "oxygen_saturation": (Value(0, "oxygen-saturation", "%"),),
    }
)
"""Types of numbers, without `com.google.`."""

PANEL = (
    Value(0, "systolic-blood-pressure", "mm[Hg]"),
    Value(1, "diastolic-blood-pressure", "mm[Hg]"),
)
"""Values of a blood pressure."""

SPECIMEN_INDEX = 4
SPECIMENS: Mapping[int, str] = MappingProxyType(
    {0: "glucose", 1: "glucose-interstitial", 2: "glucose-capillary", 6: "glucose"}
)
"""Source of a glucose's specimen → kind; plasma, serum and tears have none."""

OUT_OF_SCOPE: Mapping[str, str] = MappingProxyType(
    {
        "location.sample": "geoposition",
        "location.bounding_box": "geoposition",
        "hydration": "drink",
        "nutrition": "food",
        "nutrition.summary": "food",
        "cervical_mucus": "reproductive health",
        "cervical_position": "reproductive health",
        "menstruation": "reproductive health",
        "ovulation_test": "reproductive health",
        "vaginal_spotting": "reproductive health",
        "heart_minutes": "points for intense minutes",
        "heart_minutes.summary": "points for intense minutes",
        "step_count.cumulative": "running total of steps",
        "activity.sample": "guess of an activity",
        "activity.samples": "guess of an activity",
        "activity.summary": "statistic over activities",
        "weight.summary": "statistic over weights",
        "height.summary": "statistic over heights",
        "body.fat.percentage.summary": "statistic over body fat",
        "speed.summary": "statistic over speeds",
        "power.summary": "statistic over powers",
        "activity.exercise": "repetitions in a gym",
        "device_on_body": "guess whether a phone is carried",
    }
)
"""Types that are known and never stored."""

SLEEP_ACTIVITIES: Mapping[int, str] = MappingProxyType(
    {72: "asleep", 109: "light", 110: "deep", 111: "rem", 112: "awake"}
)
"""Number of an activity that is sleep → code of a sleep-stage."""

SLEEP_SEGMENTS: Mapping[int, str] = MappingProxyType(
    {1: "awake", 2: "asleep", 3: "out-of-bed", 4: "light", 5: "deep", 6: "rem"}
)
"""Value of a sleep.segment → code of a sleep-stage."""

NO_EXERCISE: Mapping[int, str] = MappingProxyType(
    {
        0: "ride in a vehicle",
        3: "standing still",
        4: "unknown activity",
        5: "tilting of the phone",
        6: "leaving a vehicle",
        117: "ride in an elevator",
        118: "ride on an escalator",
    }
)
"""Numbers of activities that are no exercise."""

WORKOUTS: Mapping[int, str] = MappingProxyType(
    {
        **dict.fromkeys((1, 15, 16, 17, 18, 19), "cycling"),
        **dict.fromkeys((2, 7, 93, 94, 95, 116), "walking"),
        **dict.fromkeys((8, 56, 57, 58, 88), "running"),
        9: "mixed-cardio",
        10: "badminton",
        11: "baseball",
        12: "basketball",
        13: "cross-country-skiing",
        14: "hand-cycling",
        20: "boxing",
        21: "functional-strength-training",
        **dict.fromkeys((22, 113), "cross-training"),
        23: "cricket",
        24: "dance",
        25: "elliptical",
        26: "fencing",
        27: "american-football",
        28: "australian-football",
        29: "soccer",
        30: "disc-sports",
        **dict.fromkeys((31, 38, 48, 61, 71, 74, 86, 107, 108, 121), "other"),
        32: "golf",
        33: "gymnastics",
        34: "handball",
        **dict.fromkeys((35, 75), "hiking"),
        36: "hockey",
        **dict.fromkeys((37, 50), "equestrian-sports"),
        39: "jump-rope",
        **dict.fromkeys((40, 79), "paddle-sports"),
        **dict.fromkeys((41, 80, 97), "traditional-strength-training"),
        42: "kickboxing",
        **dict.fromkeys((43, 81, 92, 99), "surfing-sports"),
        **dict.fromkeys((44, 46), "martial-arts"),
        **dict.fromkeys((45, 122), "mind-and-body"),
        **dict.fromkeys((47, 114, 115), "high-intensity-interval-training"),
        49: "pilates",
        51: "racquetball",
        52: "climbing",
        **dict.fromkeys((53, 54, 103), "rowing"),
        55: "rugby",
        59: "sailing",
        **dict.fromkeys((60, 102), "underwater-diving"),
        **dict.fromkeys((62, 63, 64, 104, 105), "skating-sports"),
        **dict.fromkeys((65, 69), "snow-sports"),
        **dict.fromkeys((66, 67, 70), "cross-country-skiing"),
        68: "downhill-skiing",
        73: "snowboarding",
        76: "squash",
        **dict.fromkeys((77, 78), "stair-climbing"),
        **dict.fromkeys((82, 83, 84), "swimming"),
        85: "table-tennis",
        87: "tennis",
        **dict.fromkeys((89, 90, 91), "volleyball"),
        96: "water-polo",
        98: "wheelchair-walk-pace",
        100: "yoga",
        101: "cardio-dance",
        106: "curling",
        119: "archery",
        120: "softball",
    }
)
"""Number of an activity → code of a workout."""

ANSWERS: Mapping[str, str] = MappingProxyType(
    {
        "dataSource": "list of data sources",
        "dataStreamId": "data source",
        "templateType": "mapping template",
        "typeMatchExpression": "mapping template",
    }
)
"""Member that tells a payload which holds no data points, and what it is."""
