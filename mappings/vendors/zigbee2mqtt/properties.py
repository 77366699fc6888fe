"""Which property of a Zigbee2MQTT message is which kind, in which unit.

A message names no units: they are those of the device's `exposes`, which
zigbee-herdsman-converters fixes for the properties below.

https://github.com/Koenkk/zigbee-herdsman-converters/blob/master/src/lib/exposes.ts
"""

from collections.abc import Mapping
from types import MappingProxyType

QUANTITIES: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "temperature": ("room-temperature", "Cel"),
        "humidity": ("relative-humidity", "%"),
        "pressure": ("ambient-pressure", "hPa"),
        "illuminance": ("illuminance", "lx"),
        "illuminance_lux": ("illuminance", "lx"),
        "noise": ("noise-level", "dB[SPL]"),
        "co2": ("carbon-dioxide", "[ppm]"),
        "pm25": ("particulate-matter-2-5", "ug/m3"),
        "pm10": ("particulate-matter-10", "ug/m3"),
        "battery": ("battery-level", "%"),
        "linkquality": ("link-quality", "{lqi}"),
        "device_temperature": ("device-temperature", "Cel"),
    }
)
"""Kind and UCUM unit of a number."""

METHODS: Mapping[str, str] = MappingProxyType({"noise": "A-weighted"})
"""What a property says beyond its unit."""

STATES: Mapping[str, tuple[str, str, str]] = MappingProxyType(
    {
        "occupancy": ("occupancy", "occupied", "unoccupied"),
        "presence": ("presence", "occupied", "unoccupied"),
        # `contact: true` means that the two halves touch.
        "contact": ("contact", "closed", "open"),
        "battery_low": ("battery-low", "true", "false"),
    }
)
"""Kind of a truth value, its code for true, its code for false."""

BED_PRESENCE = "bed-presence"

BED_MODELS = frozenset({"TS0601_bed_presence_sensor"})
"""Models whose `occupancy` is that of a bed or a chair, by the name of

https://www.zigbee2mqtt.io/devices/TS0601_bed_presence_sensor.html
"""

BED_MAKERS = frozenset({"_TZE200_seq9cm6u"})
"""Makers' codes that stand for just such a model."""

NO_UNIT: Mapping[str, str] = MappingProxyType(
    {
        # Millivolts on a battery, volts on a plug; the message tells neither.
        "voltage": "battery-voltage",
        # Parts per billion or micrograms per cubic metre, by device.
        "voc": "volatile-organic-compounds",
    }
)
"""Kind of a number whose unit differs between devices."""

MAINS = frozenset({"power", "current", "energy", "state", "brightness", "ac_frequency"})
"""Beside one of these, `voltage` is that of the mains, in volts."""

ENVELOPE = frozenset(
    {
        "last_seen",
        "device",
        "ieee_address",
        "ieeeAddr",
        "elapsed",
        "friendly_name",
    }
)
"""What says who and when; no measurement, and not counted as one."""

OUT_OF_SCOPE: Mapping[str, str] = MappingProxyType(
    {
        **dict.fromkeys(
            (
                "state",
                "state_left",
                "state_right",
                "state_l1",
                "state_l2",
                "state_l3",
                "state_l4",
                "brightness",
                "color",
                "color_mode",
                "color_temp",
                "color_temp_startup",
                "color_options",
                "color_sync",
                "effect",
                "transition",
                "level_config",
                "power_on_behavior",
                "power_outage_memory",
                "led_indication",
                "backlight_mode",
            ),
            "light or switch",
        ),
        **dict.fromkeys(
            (
                "power",
                "current",
                "energy",
                "ac_frequency",
                "power_factor",
                "power_apparent",
                "power_reactive",
                "produced_energy",
                "consumer_connected",
                "consumption",
            ),
            "mains power",
        ),
        **dict.fromkeys(
            (
                "action",
                "action_group",
                "action_angle",
                "action_side",
                "action_from_side",
                "action_to_side",
                "action_rate",
                "action_transition_time",
                "side",
                "click",
                "operation_mode",
                "legacy",
                "simulated_brightness",
                "state_action",
            ),
            "button",
        ),
        **dict.fromkeys(
            (
                "position",
                "tilt",
                "moving",
                "running_state",
                "system_mode",
                "preset",
                "fan_mode",
                "fan_state",
                "local_temperature",
                "local_temperature_calibration",
                "occupied_heating_setpoint",
                "unoccupied_heating_setpoint",
                "current_heating_setpoint",
                "child_lock",
                "window_detection",
                "valve_detection",
                "pi_heating_demand",
                "lock_state",
            ),
            "heating, cover or lock",
        ),
        **dict.fromkeys(
            (
                "update",
                "update_available",
                "power_outage_count",
                "trigger_count",
                "identify",
                "sensitivity",
                "motion_sensitivity",
                "occupancy_sensitivity",
                "occupancy_timeout",
                "detection_interval",
                "illuminance_raw",
                "illuminance_calibration",
                "illuminance_lux_calibration",
                "temperature_calibration",
                "temperature_precision",
                "humidity_calibration",
                "humidity_precision",
                "pressure_calibration",
                "pressure_precision",
                "device_temperature_calibration",
                "energy_calibration",
                "energy_precision",
                "power_calibration",
                "power_precision",
                "no_occupancy_since",
                "hold_timeout",
                "hold_timeout_expire",
                "temperature_unit",
                "temperature_unit_convert",
                "temperature_units",
                "interval_time",
                "presence_delay",
                "presence_time",
                "work_state",
                "requested_brightness_level",
                "requested_brightness_percent",
            ),
            "device setting or counter",
        ),
    }
)
"""Properties that are recognised and never stored, and what they are."""
