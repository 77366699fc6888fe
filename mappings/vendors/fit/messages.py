"""Which message and member of the FIT profile is which kind, in which unit.

https://developer.garmin.com/fit/overview/
"""

from collections.abc import Mapping
from decimal import Decimal
from types import MappingProxyType
from typing import NamedTuple


class Member(NamedTuple):
    """What a number of a message is.

    Attributes:
        kind: Row of kinds.csv.
        unit: UCUM code of the number once it is multiplied.
        factor: What it is multiplied with.
        absent: The number that stands for none; below 0 always does.
        method: What it says beyond its unit.

    """

    kind: str
    unit: str
    factor: int = 1
    absent: Decimal | None = None
    method: str | None = None


POINTS: Mapping[str, Mapping[str, Member]] = MappingProxyType(
    {
        "weight_scale": {
            # 65534: the scale has not finished.
            "weight": Member("body-weight", "kg", absent=Decimal("655.34")),
            "percent_fat": Member("body-fat-percentage", "%"),
            "percent_hydration": Member("body-water-percentage", "%"),
            "bone_mass": Member("bone-mass", "kg"),
            "muscle_mass": Member("muscle-mass", "kg"),
            "basal_met": Member("basal-metabolic-rate", "kcal/d"),
            "bmi": Member("body-mass-index", "kg/m2"),
            "visceral_fat_rating": Member("visceral-fat-index", "{index}"),
        },
        "blood_pressure": {"heart_rate": Member("heart-rate", "/min")},
        "monitoring_info": {
            "resting_metabolic_rate": Member("basal-metabolic-rate", "kcal/d"),
        },
        "monitoring_hr_data": {
            "current_day_resting_heart_rate": Member("resting-heart-rate", "/min"),
        },
        "stress_level": {
            "stress_level_value": Member("garmin-stress-level", "{score}"),
        },
        "spo2_data": {"reading_spo2": Member("oxygen-saturation", "%")},
        "respiration_rate": {"respiration_rate": Member("respiratory-rate", "/min")},
        "hrv_value": {"value": Member("hrv-rmssd", "ms", method="five minutes")},
        "device_info": {
            "battery_voltage": Member("battery-voltage", "mV", factor=1000),
            "battery_level": Member("battery-level", "%"),
        },
    }
)
"""Message → member → what it is; each is a reading at the message's time."""

PRESSURES: Mapping[str, str] = MappingProxyType(
    {
        "systolic_pressure": "systolic-blood-pressure",
        "diastolic_pressure": "diastolic-blood-pressure",
        "mean_arterial_pressure": "mean-blood-pressure",
    }
)
"""Member of `blood_pressure` → kind of the part."""

WEARER = frozenset({"weight_scale", "blood_pressure"})
"""Messages of devices that a household shares."""

TIMES: Mapping[str, str] = MappingProxyType({"stress_level": "stress_level_time"})
"""Message → member with its time, where that is not `timestamp`."""

NOT_MEASURED: Mapping[str, frozenset[str]] = MappingProxyType(
    {
        "weight_scale": frozenset(
            {"active_met", "physique_rating", "metabolic_age", "visceral_fat_mass"}
        ),
        "blood_pressure": frozenset(
            {"map_3_sample_mean", "map_morning_values", "map_evening_values"}
        ),
        "monitoring_info": frozenset({"cycles_to_distance", "cycles_to_calories"}),
        "monitoring_hr_data": frozenset({"resting_heart_rate"}),
        "device_info": frozenset({"cum_operating_time"}),
    }
)
"""Members that are counted and never stored: makers' grades, means of other days."""

BATTERY: Mapping[int, tuple[str, str]] = MappingProxyType(
    {
        1: ("battery-low", "false"),
        2: ("battery-low", "false"),
        3: ("battery-low", "false"),
        4: ("battery-low", "true"),
        5: ("battery-low", "true"),
        6: ("battery-charging", "true"),
    }
)
"""`battery_status` → kind and value: new, good, ok, low, critical, charging."""

OUT_OF_SCOPE: Mapping[str, str] = MappingProxyType(
    {
        **dict.fromkeys(
            ("file_id", "file_creator", "software", "slave_device"), "file header"
        ),
        **dict.fromkeys(
            (
                "capabilities",
                "file_capabilities",
                "mesg_capabilities",
                "field_capabilities",
                "device_settings",
                "user_profile",
                "hrm_profile",
                "sdm_profile",
                "bike_profile",
                "connectivity",
                "watchface_settings",
                "ohr_settings",
                "dive_settings",
                "dive_alarm",
                "dive_apnea_alarm",
                "zones_target",
                "hr_zone",
                "speed_zone",
                "cadence_zone",
                "power_zone",
                "met_zone",
                "training_settings",
                "goal",
                "sport",
            ),
            "setting",
        ),
        **dict.fromkeys(
            (
                "workout",
                "workout_session",
                "workout_step",
                "exercise_title",
                "schedule",
                "course",
                "course_point",
                "training_file",
                "segment_id",
                "segment_leaderboard_entry",
                "segment_point",
                "segment_lap",
                "segment_file",
            ),
            "plan",
        ),
        **dict.fromkeys(
            (
                "lap",
                "length",
                "split",
                "split_summary",
                "set",
                "time_in_zone",
                "climb_pro",
                "jump",
                "totals",
            ),
            "part of an activity",
        ),
        **dict.fromkeys(("gps_metadata", "nmea_sentence"), "geoposition"),
        **dict.fromkeys(("event", "activity", "timestamp_correlation"), "event"),
        **dict.fromkeys(("developer_data_id", "field_description"), "definition"),
        **dict.fromkeys(
            ("ant_channel_id", "ant_rx", "ant_tx", "device_aux_battery_info"), "radio"
        ),
        **dict.fromkeys(
            (
                "camera_event",
                "video",
                "video_title",
                "video_description",
                "video_frame",
                "video_clip",
                "memo_glob",
            ),
            "recording",
        ),
        **dict.fromkeys(
            (
                "weather_conditions",
                "weather_alert",
                "aviation_attitude",
                "obdii_data",
                "chrono_shot_session",
                "chrono_shot_data",
                "tank_update",
                "tank_summary",
            ),
            "surroundings or vehicle",
        ),
        **dict.fromkeys(
            (
                "accelerometer_data",
                "gyroscope_data",
                "magnetometer_data",
                "barometer_data",
                "three_d_sensor_calibration",
                "one_d_sensor_calibration",
                "aad_accel_features",
            ),
            "raw motion signal",
        ),
    }
)
"""Messages that are recognised and never stored, and what they are."""
