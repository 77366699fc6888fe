"""Which Open mHealth schema is which kind, in which words for its units.

The words are those that the schema's `enum` admits; another word is refused.

https://github.com/openmhealth/schemas
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

from mappings.units import ucum

NO_METHODS: Mapping[str, str] = MappingProxyType({})


class Measure(NamedTuple):
    """One schema whose body holds one value with its unit.

    Attributes:
        schema: Name of the schema, without namespace and version.
        member: Member of the body that holds the value and the unit.
        kind: Row of kinds.csv.
        units: Unit word of the schema to UCUM code.
        is_interval: The schema admits a time interval only.
        methods: What a unit word says beyond the unit.

    """

    schema: str
    member: str
    kind: str
    units: dict[str, str]
    is_interval: bool = False
    methods: Mapping[str, str] = NO_METHODS


def _words(words: str) -> dict[str, str]:
    """Return the UCUM code of each word, as the shared table of words has it."""
    return {word: code for word in words.split() if (code := ucum(word))}


_DURATIONS = "us ms sec s min h d"
_LENGTHS = "mm cm m km in ft yd mi"
_MASSES = "g kg oz lb"

MEASURES = (
    Measure("heart-rate", "heart_rate", "heart-rate", _words("beats/min")),
    Measure(
        "respiratory-rate",
        "respiratory_rate",
        "respiratory-rate",
        _words("breaths/min"),
    ),
    Measure("oxygen-saturation", "oxygen_saturation", "oxygen-saturation", _words("%")),
    Measure(
        "body-temperature", "body_temperature", "body-temperature", _words("K F C")
    ),
    Measure("body-weight", "body_weight", "body-weight", _words(_MASSES)),
    Measure("body-height", "body_height", "body-height", _words(_LENGTHS)),
    Measure(
        "body-mass-index",
        "body_mass_index",
        "body-mass-index",
        _words("kg/m2 kg/m^2"),
    ),
    Measure(
        "body-fat-percentage",
        "body_fat_percentage",
        "body-fat-percentage",
        _words("%"),
    ),
    Measure("rr-interval", "rr_interval", "rr-interval", _words("ms")),
    Measure("blood-glucose", "blood_glucose", "glucose", _words("mg/dL mmol/L")),
    Measure("step-count", "step_count", "steps", _words("steps"), is_interval=True),
    Measure(
        "calories-burned",
        "kcal_burned",
        "active-energy",
        _words("kcal"),
        is_interval=True,
    ),
    Measure(
        "minutes-moderate-activity",
        "minutes_moderate_activity",
        "moderate-activity-duration",
        _words("min"),
        is_interval=True,
    ),
    Measure(
        "sleep-duration",
        "sleep_duration",
        "sleep-duration",
        _words(_DURATIONS),
        is_interval=True,
    ),
    Measure(
        "total-sleep-time",
        "total_sleep_time",
        "sleep-duration",
        _words(_DURATIONS),
        is_interval=True,
    ),
    Measure(
        "ambient-temperature",
        "ambient_temperature",
        "room-temperature",
        _words("K F C"),
    ),
    Measure(
        "ambient-sound",
        "ambient_sound",
        "noise-level",
        # A bare dB is a sound pressure level in this schema; dBA is A-weighted.
        {"dB": "dB[SPL]", **_words("dBA")},
        methods=MappingProxyType({"dBA": "A-weighted"}),
    ),
    Measure("speed", "speed", "speed", {"mph": "[mi_i]/h", **_words("m/s km/h")}),
)

BY_SCHEMA = MappingProxyType({measure.schema: measure for measure in MEASURES})
BY_MEMBER = MappingProxyType({measure.member: measure for measure in MEASURES})

GLUCOSE_KINDS = MappingProxyType(
    {
        "capillary blood": "glucose-capillary",
        "interstitial fluid": "glucose-interstitial",
        "whole blood": "glucose",
    }
)
"""Kind by `specimen_source`: the code names what the glucose was measured in."""

STATISTICS = MappingProxyType(
    {
        ("heart-rate", "minimum", False): "heart-rate-minimum",
        ("heart-rate", "average", False): "heart-rate-mean",
        ("heart-rate", "maximum", False): "heart-rate-maximum",
        ("heart-rate", "minimum", True): "heart-rate-minimum-24h",
        ("heart-rate", "average", True): "heart-rate-mean-24h",
        ("heart-rate", "maximum", True): "heart-rate-maximum-24h",
        **{
            (schema, word, is_day): f"{schema}-{statistic}"
            for schema in ("respiratory-rate", "oxygen-saturation")
            for word, statistic in (
                ("minimum", "minimum"),
                ("average", "mean"),
                ("maximum", "maximum"),
            )
            for is_day in (False, True)
        },
        # A sum over an interval is what these count anyway.
        **{
            (schema, "sum", is_day): kind
            for schema, kind in (
                ("step-count", "steps"),
                ("calories-burned", "active-energy"),
                ("minutes-moderate-activity", "moderate-activity-duration"),
            )
            for is_day in (False, True)
        },
    }
)
"""Kind of a `descriptive_statistic`, by schema, word and whether over 24 hours.

A statistic that is not here has no kind of its own and is refused: the code of the
single measurement would say something else.
"""

AT_REST = MappingProxyType({"heart-rate": "resting-heart-rate"})
"""Kind where `temporal_relationship_to_physical_activity` is `at rest`, by schema."""

OUT_OF_SCOPE = MappingProxyType(
    {
        "geoposition": "geoposition",
        "header": "header without a body",
        "schema-id": "schema id",
        "time-frame": "time frame without a measurement",
        "time-interval": "time interval without a measurement",
    }
)
"""Schemas that are recognised and never stored."""

OUT_OF_SCOPE_MEMBERS = MappingProxyType(
    {
        "latitude": "geoposition",
        "longitude": "geoposition",
        "time_interval": "time frame without a measurement",
        "start_date_time": "time interval without a measurement",
        "end_date_time": "time interval without a measurement",
        "schema_id": "header without a body",
    }
)
"""Members that tell such a schema where no header names it."""
