"""Which sensor is which kind, and what is never stored.

https://docs.developer.getawair.com/
https://support.getawair.com/hc/en-us/articles/360049221014
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple


class Sensor(NamedTuple):
    """A sensor by the name that cloud and device give it.

    Attributes:
        kind: Row of kinds.csv.
        unit: UCUM code of its value.
        method: What it says beyond its unit.

    """

    kind: str
    unit: str
    method: str | None = None


TEMPERATURE = "temp"

SENSORS: Mapping[str, Sensor] = MappingProxyType(
    {
        TEMPERATURE: Sensor("room-temperature", "Cel"),
        "humid": Sensor("relative-humidity", "%"),
        "co2": Sensor("carbon-dioxide", "[ppm]"),
        "voc": Sensor("volatile-organic-compounds", "[ppb]"),
        "pm25": Sensor("particulate-matter-2-5", "ug/m3"),
        "lux": Sensor("illuminance", "lx"),
        "spl_a": Sensor("noise-level", "dB[SPL]", "A-weighted"),
    }
)
"""The sensors that have a kind."""

_GRADE = "grade of the vendor"
_DERIVED = "derived value"
_RAW = "estimate or raw signal"

OUT_OF_SCOPE: Mapping[str, str] = MappingProxyType(
    {
        "score": _GRADE,
        "indices": _GRADE,
        "dew_point": _DERIVED,
        "abs_humid": _DERIVED,
        "dust": "dust without a size of particles",
        **dict.fromkeys(
            (
                "co2_est",
                "co2_est_baseline",
                "voc_baseline",
                "voc_h2_raw",
                "voc_ethanol_raw",
                "pm10_est",
            ),
            _RAW,
        ),
    }
)
"""Values that are recognised and never stored, and what they are."""
