"""What the members of Oura's records are, and how a type of record is known.

https://cloud.ouraring.com/v2/docs
"""

from types import MappingProxyType

from mappings.records import Field, Shape

_CONTEXT = frozenset(
    {
        "id",
        "day",
        "timestamp",
        "timestamp_unix",
        "type",
        "ring_id",
        "source",
        "activity",
        "start_datetime",
        "end_datetime",
        "bedtime_start",
        "bedtime_end",
        "period",
        "sleep_algorithm_version",
        "meta",
    }
)

SLEEP = Shape(
    fields=MappingProxyType(
        {
            "average_heart_rate": Field("heart-rate-mean", "/min"),
            "lowest_heart_rate": Field("heart-rate-minimum", "/min"),
            "average_hrv": Field("hrv-rmssd", "ms"),
            "average_breath": Field("respiratory-rate", "/min"),
            "temperature_delta": Field("skin-temperature-deviation", "K"),
            "temperature_deviation": Field("skin-temperature-deviation", "K"),
        }
    ),
    parts=MappingProxyType(
        {
            "total_sleep_duration": Field("sleep-duration", "s"),
            "time_in_bed": Field("time-in-bed", "s"),
            "awake_time": Field("awake-duration", "s"),
            "deep_sleep_duration": Field("deep-sleep-duration", "s"),
            "light_sleep_duration": Field("light-sleep-duration", "s"),
            "rem_sleep_duration": Field("rem-sleep-duration", "s"),
            "latency": Field("sleep-latency", "s"),
            "efficiency": Field("sleep-efficiency", "%"),
            "restless_periods": Field("restless-periods", "{#}"),
        }
    ),
    context=_CONTEXT,
    out_of_scope=MappingProxyType(
        {
            "movement_30_sec": "movement map",
            "app_sleep_phase_5_min": "hypnogram as the app shows it",
            "readiness": "readiness beside daily_readiness",
            "readiness_score_delta": "change of a score",
            "sleep_score_delta": "change of a score",
            "sleep_analysis_reason": "reason of the analysis",
        }
    ),
    nested=frozenset(
        {
            "heart_rate",
            "hrv",
            "low_battery_alert",
            "sleep_phase_5_min",
            "sleep_phase_30_sec",
        }
    ),
)

TOLD_TWICE = frozenset({"temperature_delta", "temperature_deviation"})
"""Members that are the same difference, under its older and its newer name."""

DELTA_BESIDE = SLEEP._replace(
    fields=MappingProxyType(
        {
            name: field
            for name, field in SLEEP.fields.items()
            if name != "temperature_delta"
        }
    ),
    out_of_scope=MappingProxyType(
        {
            **SLEEP.out_of_scope,
            "temperature_delta": "older name of temperature_deviation beside it",
        }
    ),
)
"""A night that has both members of `TOLD_TWICE`."""

DAILY_ACTIVITY = Shape(
    fields=MappingProxyType(
        {
            "steps": Field("steps-24h", "/d"),
            "active_calories": Field("active-energy", "kcal"),
            "total_calories": Field("energy-24h", "kcal/d"),
            "high_activity_time": Field("vigorous-activity-duration", "s"),
            "medium_activity_time": Field("moderate-activity-duration", "s"),
            "low_activity_time": Field("light-activity-duration", "s"),
            "sedentary_time": Field("sedentary-duration", "s"),
            "resting_time": Field("rest-and-sleep-duration", "s"),
            "score": Field("oura-activity-score", "{score}"),
        }
    ),
    context=_CONTEXT,
    out_of_scope=MappingProxyType(
        {
            "equivalent_walking_distance": "distance worked out from the energy",
            "average_met_minutes": "MET-minutes of Oura's own definition",
            "high_activity_met_minutes": "MET-minutes of Oura's own definition",
            "medium_activity_met_minutes": "MET-minutes of Oura's own definition",
            "low_activity_met_minutes": "MET-minutes of Oura's own definition",
            "sedentary_met_minutes": "MET-minutes of Oura's own definition",
            "met": "course of the metabolic equivalent",
            "class_5_min": "activity map",
            "contributors": "contributors of a score",
            "inactivity_alerts": "alerts",
            "target_calories": "goal",
            "target_meters": "goal",
            "meters_to_target": "goal",
        }
    ),
    nested=frozenset({"non_wear_time"}),
)

WORN = (
    "high_activity_time",
    "medium_activity_time",
    "low_activity_time",
    "sedentary_time",
    "resting_time",
)
"""Times into which Oura divides the time that the ring was worn."""

DAILY_SLEEP = Shape(
    fields=MappingProxyType({"score": Field("oura-sleep-score", "{score}")}),
    context=_CONTEXT,
    out_of_scope=MappingProxyType({"contributors": "contributors of a score"}),
)

DAILY_READINESS = Shape(
    fields=MappingProxyType(
        {
            "score": Field("oura-readiness-score", "{score}"),
            "temperature_deviation": Field("skin-temperature-deviation", "K"),
        }
    ),
    context=_CONTEXT,
    out_of_scope=MappingProxyType(
        {
            "contributors": "contributors of a score",
            "temperature_trend_deviation": "smoothed temperature deviation",
        }
    ),
)

DAILY_SPO2 = Shape(
    fields=MappingProxyType(
        {
            "breathing_disturbance_index": Field(
                "breathing-disturbance-index", "{events}/h"
            )
        }
    ),
    context=_CONTEXT,
    nested=frozenset({"spo2_percentage"}),
)

SPO2 = Shape(fields=MappingProxyType({"average": Field("oxygen-saturation-mean", "%")}))

DAILY_STRESS = Shape(
    fields=MappingProxyType({"stress_high": Field("stress-high-duration", "s")}),
    context=_CONTEXT,
    out_of_scope=MappingProxyType(
        {"recovery_high": "time of recovery", "day_summary": "summary of a day"}
    ),
)

HEART_RATE = Shape(
    fields=MappingProxyType({"bpm": Field("heart-rate", "/min")}), context=_CONTEXT
)

BATTERY = Shape(
    fields=MappingProxyType({"level": Field("battery-level", "%")}),
    context=_CONTEXT,
    out_of_scope=MappingProxyType({"in_charger": "ring in its charger"}),
    nested=frozenset({"charging"}),
)

VO2_MAX = Shape(
    fields=MappingProxyType({"vo2_max": Field("vo2-max", "mL/kg/min")}),
    context=_CONTEXT,
)

CARDIOVASCULAR_AGE = Shape(
    fields=MappingProxyType({"vascular_age": Field("vascular-age", "a")}),
    context=_CONTEXT,
)

WORKOUT = Shape(
    parts=MappingProxyType(
        {"calories": Field("active-energy", "kcal"), "distance": Field("distance", "m")}
    ),
    context=_CONTEXT | {"intensity", "label"},
)

SESSION = Shape(
    context=_CONTEXT,
    out_of_scope=MappingProxyType({"mood": "mood", "motion_count": "movement map"}),
    nested=frozenset({"heart_rate", "heart_rate_variability"}),
)

SERIES = MappingProxyType(
    {
        "heart_rate": ("heart-rate-series", "/min"),
        "hrv": ("hrv-rmssd-series", "ms"),
        "heart_rate_variability": ("hrv-rmssd-series", "ms"),
    }
)
"""Members that are signals: `{interval, items, timestamp}`."""

MINDFUL = frozenset({"breathing", "meditation", "relaxation"})
"""Types of session that are mindful time; others are rest or naps."""

NEVER_STORED = MappingProxyType(
    {
        "daily_resilience": "resilience",
        "enhanced_tag": "tag",
        "personal_info": "profile",
        "rest_mode_period": "rest mode",
        "ring_configuration": "ring configuration",
        "sleep_time": "recommended bedtime",
        "tag": "tag",
    }
)
"""Types of record that are never stored, and what they are."""

MARKS = (
    ("sleep", frozenset({"bedtime_start"})),
    ("daily_activity", frozenset({"active_calories"})),
    ("daily_activity", frozenset({"equivalent_walking_distance"})),
    ("heartrate", frozenset({"bpm"})),
    ("ring_battery_level", frozenset({"level", "charging"})),
    ("ring_configuration", frozenset({"hardware_type"})),
    ("workout", frozenset({"start_datetime", "activity"})),
    ("session", frozenset({"start_datetime", "type"})),
    ("daily_spo2", frozenset({"spo2_percentage"})),
    ("daily_stress", frozenset({"stress_high"})),
    ("vo2_max", frozenset({"vo2_max"})),
    ("daily_cardiovascular_age", frozenset({"vascular_age"})),
    ("daily_resilience", frozenset({"level", "contributors"})),
    ("daily_readiness", frozenset({"score", "temperature_deviation"})),
    ("sleep_time", frozenset({"optimal_bedtime"})),
    ("enhanced_tag", frozenset({"tag_type_code"})),
    ("tag", frozenset({"tags"})),
    ("rest_mode_period", frozenset({"episodes"})),
    ("personal_info", frozenset({"biological_sex"})),
)
"""Members that only a type of record has, the more telling first."""

SCORES = (
    ("daily_sleep", "deep_sleep"),
    ("daily_readiness", "resting_heart_rate"),
)
"""Contributors that tell the score of a night from that of readiness."""
