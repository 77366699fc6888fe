"""Which member of which answer is which kind, and what is never stored.

https://dev.netatmo.com/apidocumentation/weather
https://dev.netatmo.com/apidocumentation/aircare
"""

from collections.abc import Mapping
from types import MappingProxyType

QUANTITIES: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "Temperature": ("room-temperature", "Cel"),
        "CO2": ("carbon-dioxide", "[ppm]"),
        "Humidity": ("relative-humidity", "%"),
        "Noise": ("noise-level", "dB[SPL]"),
        # Millibars, which are hectopascals.
        "AbsolutePressure": ("ambient-pressure", "hPa"),
        # The same, as the answer on a home's status names them.
        "temperature": ("room-temperature", "Cel"),
        "co2": ("carbon-dioxide", "[ppm]"),
        "humidity": ("relative-humidity", "%"),
        "noise": ("noise-level", "dB[SPL]"),
        "absolute_pressure": ("ambient-pressure", "hPa"),
    }
)
"""Kind and UCUM unit of a value of a room."""

CARBON_DIOXIDE = "carbon-dioxide"

HEALTH: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "battery_percent": ("battery-level", "%"),
        "battery_vp": ("battery-voltage", "mV"),
        "battery_level": ("battery-voltage", "mV"),
    }
)
"""Kind and UCUM unit of what a device tells of itself."""

RADIO = frozenset({"wifi_status", "rf_status", "wifi_strength", "rf_strength"})
"""Decibels below a milliwatt, without their sign: smaller is stronger."""

RADIO_METHOD = "radio status of the vendor, read as -dBm"

VALUES_OUT_OF_SCOPE: Mapping[str, str] = MappingProxyType(
    {
        "Pressure": "pressure reduced to sea level",
        "pressure": "pressure reduced to sea level",
        "health_idx": "grade of the vendor",
        **dict.fromkeys(
            ("min_temp", "max_temp", "temp_trend", "pressure_trend"), "derived value"
        ),
    }
)
"""Values that are recognised and never stored, and what they are."""

NOT_COUNTED = frozenset(
    {
        "time_utc",
        "date_min_temp",
        "date_max_temp",
        "date_min_pressure",
        "date_max_pressure",
    }
)
"""Members of `dashboard_data` that are no value."""

INDOOR: Mapping[str, str] = MappingProxyType(
    {
        "NAMain": "Smart Home Weather Station",
        "NAModule4": "Smart Indoor Module",
        "NHC": "Smart Indoor Air Quality Monitor",
    }
)
"""Types of devices that stand in a room, and what Netatmo calls them."""

_HEATING = "heating, cover or lock"
_CAMERA = "camera or alarm"
_LIGHT = "light or switch"

DEVICES_OUT_OF_SCOPE: Mapping[str, str] = MappingProxyType(
    {
        "NAModule1": "outdoor weather",
        "NAModule2": "wind",
        "NAModule3": "rain",
        **dict.fromkeys(
            (
                "NAPlug",
                "NATherm1",
                "NRV",
                "OTH",
                "OTM",
                "BNTH",
                "BNS",
                "NLV",
                "NLLV",
                "NBR",
                "NBO",
                "NBS",
                "NDL",
            ),
            _HEATING,
        ),
        **dict.fromkeys(
            ("NACamera", "NOC", "NDB", "NACamDoorTag", "NIS", "NSD", "NCO", "NPC"),
            _CAMERA,
        ),
        **dict.fromkeys(
            ("NLG", "NLP", "NLPT", "NLPM", "NLL", "NLF", "NLFN", "NLM", "NLPC", "NLC"),
            _LIGHT,
        ),
    }
)
"""Types of devices that are recognised and never stored, and what they are."""
