"""What the members of WHOOP's records are.

https://developer.whoop.com/api
"""

from types import MappingProxyType

from mappings.records import Field, Shape

_OF_RECORD = frozenset(
    {
        "id",
        "v1_id",
        "user_id",
        "cycle_id",
        "sleep_id",
        "created_at",
        "updated_at",
        "start",
        "end",
        "timezone_offset",
        "nap",
        "sport_id",
        "sport_name",
    }
)

RECORD = Shape(context=_OF_RECORD, nested=frozenset({"score", "score_state"}))
"""A record of any type: its values stand in `score`."""

CYCLE_SCORE = Shape(
    fields=MappingProxyType(
        {
            "strain": Field("whoop-strain", "{score}"),
            "kilojoule": Field("active-energy", "kJ", "whole cycle, rest included"),
            "average_heart_rate": Field("heart-rate-mean", "/min"),
            "max_heart_rate": Field("heart-rate-maximum", "/min"),
        }
    )
)

RECOVERY_SCORE = Shape(
    fields=MappingProxyType(
        {
            "recovery_score": Field("whoop-recovery-score", "{score}"),
            "resting_heart_rate": Field("resting-heart-rate", "/min"),
            "hrv_rmssd_milli": Field("hrv-rmssd", "ms"),
            "spo2_percentage": Field("oxygen-saturation", "%"),
            "skin_temp_celsius": Field("wrist-temperature", "Cel"),
        }
    ),
    context=frozenset({"user_calibrating"}),
)

SLEEP_SCORE = Shape(
    fields=MappingProxyType({"respiratory_rate": Field("respiratory-rate", "/min")}),
    parts=MappingProxyType(
        {
            "sleep_efficiency_percentage": Field("sleep-efficiency", "%"),
            "sleep_performance_percentage": Field("whoop-sleep-performance", "{score}"),
            "sleep_consistency_percentage": Field("whoop-sleep-consistency", "{score}"),
        }
    ),
    out_of_scope=MappingProxyType(
        {
            "sleep_needed": "sleep need",
        }
    ),
    nested=frozenset({"stage_summary"}),
)

ASLEEP = (
    "total_light_sleep_time_milli",
    "total_slow_wave_sleep_time_milli",
    "total_rem_sleep_time_milli",
)
"""What together is time asleep."""

STAGES = Shape(
    parts=MappingProxyType(
        {
            "total_in_bed_time_milli": Field("time-in-bed", "ms"),
            "total_awake_time_milli": Field("awake-duration", "ms"),
            "total_light_sleep_time_milli": Field("light-sleep-duration", "ms"),
            "total_slow_wave_sleep_time_milli": Field("deep-sleep-duration", "ms"),
            "total_rem_sleep_time_milli": Field("rem-sleep-duration", "ms"),
            "disturbance_count": Field("restless-periods", "{#}"),
            "sleep_cycle_count": Field("sleep-cycles", "{#}"),
        }
    ),
    out_of_scope=MappingProxyType(
        {
            "total_no_data_time_milli": "time without data",
        }
    ),
)

WORKOUT_SCORE = Shape(
    fields=MappingProxyType({"strain": Field("whoop-strain", "{score}")}),
    parts=MappingProxyType(
        {
            "kilojoule": Field("active-energy", "kJ"),
            "average_heart_rate": Field("heart-rate-mean", "/min"),
            "max_heart_rate": Field("heart-rate-maximum", "/min"),
            "distance_meter": Field("distance", "m"),
            "altitude_gain_meter": Field("elevation-gain", "m"),
        }
    ),
    out_of_scope=MappingProxyType(
        {
            "altitude_change_meter": "net change of altitude",
            "percent_recorded": "share of the workout that was recorded",
            "zone_durations": "heart-rate zones of WHOOP's own definition",
            "zone_duration": "heart-rate zones of WHOOP's own definition",
        }
    ),
)

SPORTS = MappingProxyType(
    {
        "cross-country-skiing": "cross-country-skiing",
        "field-hockey": "hockey",
        "football": "american-football",
        "functional-fitness": "functional-strength-training",
        "hiit": "high-intensity-interval-training",
        "hiking/rucking": "hiking",
        "horseback-riding": "equestrian-sports",
        "ice-hockey": "hockey",
        "kayaking": "paddle-sports",
        "mountain-biking": "cycling",
        "paddleboarding": "paddle-sports",
        "powerlifting": "traditional-strength-training",
        "rock-climbing": "climbing",
        "skiing": "downhill-skiing",
        "spin": "cycling",
        "stairmaster": "stair-climbing",
        "surfing": "surfing-sports",
        "track-&-field": "track-and-field",
        "triathlon": "swim-bike-run",
        "weightlifting": "traditional-strength-training",
    }
)
"""WHOOP's name of a sport to ours, where they differ."""

ABSENT = MappingProxyType({"PENDING_SCORE": "temp-unknown", "UNSCORABLE": "unknown"})
"""State of a score to why there is none."""
