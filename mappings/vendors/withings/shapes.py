"""What the members of Withings' records are: days, courses, nights and workouts.

https://developer.withings.com/api-reference
"""

from types import MappingProxyType

from mappings.records import Field, Shape

_OF_RECORD = frozenset(
    {
        "id",
        "date",
        "timezone",
        "deviceid",
        "hash_deviceid",
        "device_id",
        "created",
        "modified",
        "completed",
        "brand",
        "model",
        "modelid",
        "model_id",
        "is_tracker",
        "startdate",
        "enddate",
        "attrib",
        "category",
    }
)

ACTIVITY = Shape(
    fields=MappingProxyType(
        {
            "steps": Field("steps-24h", "/d"),
            "distance": Field("distance", "m"),
            "elevation": Field("flights-climbed", "{flights}"),
            "soft": Field("light-activity-duration", "s"),
            "moderate": Field("moderate-activity-duration", "s"),
            "intense": Field("vigorous-activity-duration", "s"),
            "active": Field("physical-activity-duration", "s"),
            "calories": Field("active-energy", "kcal"),
            "totalcalories": Field("energy-24h", "kcal/d"),
            "hr_average": Field("heart-rate-mean-24h", "/min"),
            "hr_min": Field("heart-rate-minimum-24h", "/min"),
            "hr_max": Field("heart-rate-maximum-24h", "/min"),
            "hr_zone_0": Field("heart-rate-zone-light-duration", "s"),
            "hr_zone_1": Field("heart-rate-zone-moderate-duration", "s"),
            "hr_zone_2": Field("heart-rate-zone-intense-duration", "s"),
            "hr_zone_3": Field("heart-rate-zone-maximum-duration", "s"),
        }
    ),
    context=_OF_RECORD,
)

_OF_POINT = frozenset({"duration", "model", "model_id", "deviceid", "hash_deviceid"})

POINTS = Shape(
    fields=MappingProxyType(
        {
            "heart_rate": Field("heart-rate", "/min"),
            "spo2_auto": Field("oxygen-saturation", "%"),
            "rmssd": Field("hrv-rmssd", "ms"),
            "sdnn1": Field("hrv-sdnn", "ms", "one minute"),
        }
    ),
    context=_OF_POINT,
)
"""What an entry of the day's course says of its start."""

INTERVALS = Shape(
    fields=MappingProxyType(
        {
            "steps": Field("steps", "{steps}"),
            "distance": Field("distance", "m"),
            "elevation": Field("flights-climbed", "{flights}"),
            "calories": Field("active-energy", "kcal"),
        }
    ),
    context=_OF_POINT,
    out_of_scope=MappingProxyType(
        {
            "stroke": "strokes of a swimmer",
            "pool_lap": "laps of a swimmer",
            "hrv_quality": "quality of a signal",
        }
    ),
    nested=frozenset(POINTS.fields),
)
"""What an entry of the day's course says of its duration."""

STATES = MappingProxyType(
    {0: "awake", 1: "light", 2: "deep", 3: "rem", 4: "asleep", 5: "asleep"}
)
"""State of a stretch of sleep; 4 is entered by hand, 5 unspecified."""

SLEEP_SIGNALS = MappingProxyType(
    {
        "hr": Field("heart-rate", "/min"),
        "rr": Field("respiratory-rate", "/min"),
        "sdnn_1": Field("hrv-sdnn", "ms", "one minute"),
        "rmssd": Field("hrv-rmssd", "ms"),
    }
)
"""Members of a stretch of sleep that are values by second."""

SLEEP_SIGNALS_OUT_OF_SCOPE = MappingProxyType(
    {
        "snoring": "course of snoring",
        "mvt_score": "course of movement",
        "chest_movement_rate": "course of movement",
        "withings_index": "index of the maker",
        "breathing_sounds": "course of breathing sounds",
    }
)

SUMMARY = Shape(context=_OF_RECORD, nested=frozenset({"data"}))
"""A night or a workout: its values stand in `data`."""

SAME = MappingProxyType(
    {
        "durationtosleep": "sleep_latency",
        "durationtowakeup": "wakeup_latency",
        "asleepduration": "total_sleep_time",
    }
)
"""Members of a night to those that say the same, and win."""

NIGHT = Shape(
    fields=MappingProxyType(
        {
            "hr_average": Field("heart-rate-mean", "/min"),
            "hr_min": Field("heart-rate-minimum", "/min"),
            "hr_max": Field("heart-rate-maximum", "/min"),
            "rr_average": Field("respiratory-rate-mean", "/min"),
            "rr_min": Field("respiratory-rate-minimum", "/min"),
            "rr_max": Field("respiratory-rate-maximum", "/min"),
            "spo2_average": Field("oxygen-saturation-mean", "%"),
        }
    ),
    parts=MappingProxyType(
        {
            "total_sleep_time": Field("sleep-duration", "s"),
            "asleepduration": Field("sleep-duration", "s"),
            "total_timeinbed": Field("time-in-bed", "s"),
            "lightsleepduration": Field("light-sleep-duration", "s"),
            "deepsleepduration": Field("deep-sleep-duration", "s"),
            "remsleepduration": Field("rem-sleep-duration", "s"),
            "wakeupduration": Field("awake-duration", "s"),
            "wakeupcount": Field("awakenings", "{#}"),
            "sleep_latency": Field("sleep-latency", "s"),
            "durationtosleep": Field("sleep-latency", "s"),
            "wakeup_latency": Field("latency-to-arising", "s"),
            "durationtowakeup": Field("latency-to-arising", "s"),
            "waso": Field("wake-after-sleep-onset", "s"),
            "sleep_efficiency": Field("sleep-efficiency", "1"),
            "snoring": Field("snoring-duration", "s"),
            "snoringepisodecount": Field("snoring-episodes", "{#}"),
            "out_of_bed_count": Field("out-of-bed-count", "{#}"),
            "apnea_hypopnea_index": Field("breathing-disturbance-index", "{events}/h"),
            "mvt_score_avg": Field("sleep-movement", "{index}"),
            "sleep_score": Field("withings-sleep-score", "{score}"),
        }
    ),
    out_of_scope=MappingProxyType(
        {
            "nb_rem_episodes": "number of REM episodes",
            "breathing_disturbances_intensity": "index of the maker",
            "mvt_active_duration": "duration of movement",
            "night_events": "events of a night",
            "rmssd_start_avg": "RMSSD of a part of the night",
            "rmssd_end_avg": "RMSSD of a part of the night",
            "withings_index": "index of the maker",
        }
    ),
)

TOTALS = ("total_sleep_time", "asleepduration")
"""Members of a night that are its time asleep."""

ASLEEP = ("lightsleepduration", "deepsleepduration", "remsleepduration")
"""Members of a night that together are its time asleep."""

WORKOUT = Shape(
    parts=MappingProxyType(
        {
            "calories": Field("active-energy", "kcal"),
            "distance": Field("distance", "m"),
            "steps": Field("steps", "{steps}"),
            "elevation": Field("flights-climbed", "{flights}"),
            "hr_average": Field("heart-rate-mean", "/min"),
            "hr_min": Field("heart-rate-minimum", "/min"),
            "hr_max": Field("heart-rate-maximum", "/min"),
            "hr_zone_0": Field("heart-rate-zone-light-duration", "s"),
            "hr_zone_1": Field("heart-rate-zone-moderate-duration", "s"),
            "hr_zone_2": Field("heart-rate-zone-intense-duration", "s"),
            "hr_zone_3": Field("heart-rate-zone-maximum-duration", "s"),
        }
    ),
    out_of_scope=MappingProxyType(
        {
            "intensity": "intensity of the maker",
            "manual_distance": "entered beside the measured",
            "manual_calories": "entered beside the measured",
            "pause_duration": "pauses",
            "algo_pause_duration": "pauses",
            "spo2_average": "oxygen saturation of a workout",
            "pool_laps": "laps of a swimmer",
            "pool_length": "length of a pool",
            "strokes": "strokes of a swimmer",
        }
    ),
)

CATEGORIES = MappingProxyType(
    {
        1: "walking",
        2: "running",
        3: "hiking",
        4: "skating-sports",
        6: "cycling",
        7: "swimming",
        8: "surfing-sports",
        9: "surfing-sports",
        10: "surfing-sports",
        12: "tennis",
        13: "table-tennis",
        14: "squash",
        15: "badminton",
        16: "traditional-strength-training",
        18: "elliptical",
        19: "pilates",
        20: "basketball",
        21: "soccer",
        22: "american-football",
        23: "rugby",
        24: "volleyball",
        25: "water-polo",
        26: "equestrian-sports",
        27: "golf",
        28: "yoga",
        29: "dance",
        30: "boxing",
        31: "fencing",
        32: "wrestling",
        33: "martial-arts",
        34: "downhill-skiing",
        35: "snowboarding",
        187: "rowing",
        188: "cardio-dance",
        191: "baseball",
        192: "handball",
        193: "hockey",
        194: "hockey",
        195: "climbing",
        196: "skating-sports",
        306: "walking",
        307: "running",
        308: "cycling",
    }
)
"""Category of a workout to our name of it; `other` for those left out."""
