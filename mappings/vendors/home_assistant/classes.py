"""Which device class is which kind, in which units, and what is never stored.

https://www.home-assistant.io/integrations/sensor/#device-class
https://www.home-assistant.io/integrations/binary_sensor/#device-class
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple


class Unit(NamedTuple):
    """A unit in which a class is given.

    Attributes:
        code: UCUM code.
        offset: What is added to the number.
        method: What the unit says beyond its code.

    """

    code: str
    offset: int = 0
    method: str | None = None


def _units(*words: tuple[str, str]) -> Mapping[str, Unit]:
    return MappingProxyType({word: Unit(code) for word, code in words})


_MICROGRAMS = (
    ("µg/m³", "ug/m3"),  # The micro sign.
    ("μg/m³", "ug/m3"),
)

SENSORS: Mapping[str, tuple[str, Mapping[str, Unit]]] = MappingProxyType(
    {
        "temperature": (
            "room-temperature",
            _units(("°C", "Cel"), ("°F", "[degF]"), ("K", "K")),
        ),
        "humidity": ("relative-humidity", _units(("%", "%"))),
        "atmospheric_pressure": (
            "ambient-pressure",
            _units(
                ("hPa", "hPa"),
                ("mbar", "hPa"),
                ("kPa", "kPa"),
                ("Pa", "Pa"),
                ("mmHg", "mm[Hg]"),
            ),
        ),
        "illuminance": ("illuminance", _units(("lx", "lx"))),
        "sound_pressure": (
            "noise-level",
            MappingProxyType(
                {
                    "dB": Unit("dB[SPL]"),
                    "dBA": Unit("dB[SPL]", method="A-weighted"),
                }
            ),
        ),
        "carbon_dioxide": ("carbon-dioxide", _units(("ppm", "[ppm]"))),
        "pm25": ("particulate-matter-2-5", _units(*_MICROGRAMS)),
        "pm10": ("particulate-matter-10", _units(*_MICROGRAMS)),
        "volatile_organic_compounds": (
            "volatile-organic-compounds-mass",
            _units(*_MICROGRAMS, ("mg/m³", "mg/m3")),
        ),
        "volatile_organic_compounds_parts": (
            "volatile-organic-compounds",
            _units(("ppb", "[ppb]"), ("ppm", "[ppm]")),
        ),
        "aqi": ("air-quality-index", _units(("", "{index}"))),
        "battery": ("battery-level", _units(("%", "%"))),
        # Decibels over a milliwatt, which UCUM has not: 30 less over a watt.
        "signal_strength": (
            "signal-strength",
            MappingProxyType({"dBm": Unit("dB[W]", offset=-30)}),
        ),
    }
)
"""Kind and units of a sensor, by its device class."""

BINARY_SENSORS: Mapping[str, tuple[str, str, str]] = MappingProxyType(
    {
        "motion": ("occupancy", "occupied", "unoccupied"),
        "occupancy": ("occupancy", "occupied", "unoccupied"),
        "presence": ("presence", "occupied", "unoccupied"),
        # On means open.
        "door": ("contact", "open", "closed"),
        "window": ("contact", "open", "closed"),
        "opening": ("contact", "open", "closed"),
        "garage_door": ("contact", "open", "closed"),
        # On means low.
        "battery": ("battery-low", "true", "false"),
        "battery_charging": ("battery-charging", "true", "false"),
        "connectivity": ("device-available", "true", "false"),
    }
)
"""Kind of a truth value, its code for on, its code for off, by device class."""

_MAINS = "mains power"
_OTHER = "other sensor of a home"

CLASSES_OUT_OF_SCOPE: Mapping[tuple[str, str], str] = MappingProxyType(
    {
        **{
            ("sensor", name): _MAINS
            for name in (
                *("apparent_power", "current", "energy", "energy_storage"),
                *("frequency", "power", "power_factor", "reactive_power", "voltage"),
                *("reactive_energy", "energy_distance"),
            )
        },
        **{
            ("sensor", name): _OTHER
            for name in (
                *("absolute_humidity", "area", "carbon_monoxide", "conductivity"),
                *("data_rate", "data_size", "date", "enum", "gas", "irradiance"),
                *("moisture", "monetary", "nitrogen_dioxide", "nitrogen_monoxide"),
                *("nitrous_oxide", "ozone", "ph", "pm1", "pm4", "precipitation"),
                *("precipitation_intensity", "sulphur_dioxide", "timestamp", "uptime"),
                *("volume", "volume_flow_rate", "volume_storage", "water"),
                *("wind_direction", "wind_speed"),
            )
        },
        **{
            ("binary_sensor", name): _OTHER
            for name in (
                *("carbon_monoxide", "cold", "gas", "heat", "light", "lock"),
                *("moisture", "moving", "plug", "power", "problem", "running"),
                *("safety", "smoke", "sound", "tamper", "update", "vibration"),
            )
        },
    }
)
"""Component and device class of what is recognised and never stored."""

_SETTING = "device setting or counter"
_LIGHT = "light or switch"
_HEATING = "heating, cover or lock"
_PERSON = "person or position"
_MEDIA = "camera or media"
_AUTOMATION = "automation"

DOMAINS_OUT_OF_SCOPE: Mapping[str, str] = MappingProxyType(
    {
        **dict.fromkeys(("light", "switch", "siren"), _LIGHT),
        **dict.fromkeys(
            (
                *("climate", "cover", "fan", "humidifier", "lawn_mower", "lock"),
                *("vacuum", "valve", "water_heater"),
            ),
            _HEATING,
        ),
        **dict.fromkeys(("device_tracker", "geo_location", "person", "zone"), _PERSON),
        **dict.fromkeys(
            (
                *("assist_satellite", "camera", "image", "media_player", "remote"),
                *("stt", "tts"),
            ),
            _MEDIA,
        ),
        **dict.fromkeys(
            (
                *("automation", "conversation", "device_automation", "group", "scene"),
                *("schedule", "script", "tag", "timer", "calendar", "todo", "notify"),
            ),
            _AUTOMATION,
        ),
        **dict.fromkeys(
            (
                *("alarm_control_panel", "button", "counter", "date", "datetime"),
                *("event", "input_boolean", "input_button", "input_datetime"),
                *("input_number", "input_select", "input_text", "number", "select"),
                *("text", "time", "update"),
            ),
            _SETTING,
        ),
        **dict.fromkeys(("sun", "weather", "air_quality"), "weather"),
    }
)
"""Domains of entities that are recognised and never stored, and what they are."""

COMPONENTS = frozenset({"sensor", "binary_sensor", *DOMAINS_OUT_OF_SCOPE})
"""Every domain that is recognised."""
