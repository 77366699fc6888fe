"""What Withings' numbers and words mean: types of measures, attributions, batteries.

https://developer.withings.com/api-reference/#tag/measure
"""

from types import MappingProxyType

from mappings.records import Field

MEASURES = MappingProxyType(
    {
        1: Field("body-weight", "kg"),
        4: Field("body-height", "m"),
        5: Field("lean-body-mass", "kg"),
        6: Field("body-fat-percentage", "%"),
        8: Field("body-fat-mass", "kg"),
        11: Field("heart-rate", "/min"),
        54: Field("oxygen-saturation", "%"),
        71: Field("body-temperature", "Cel"),
        73: Field("skin-temperature", "Cel"),
        76: Field("muscle-mass", "kg"),
        77: Field("body-water-mass", "kg"),
        88: Field("bone-mass", "kg"),
        91: Field("pulse-wave-velocity", "m/s"),
        123: Field("vo2-max", "mL/kg/min"),
        155: Field("vascular-age", "a"),
        168: Field("extracellular-water-mass", "kg"),
        169: Field("intracellular-water-mass", "kg"),
        170: Field("visceral-fat-index", "{index}"),
        196: Field("electrodermal-activity", "uS", "both feet"),
        226: Field("basal-metabolic-rate", "kcal/d"),
    }
)
"""Type of a measure to what it is."""

PRESSURES = MappingProxyType(
    {10: "systolic-blood-pressure", 9: "diastolic-blood-pressure"}
)
"""Types that together are one blood pressure, in mm[Hg]."""

RHYTHMS = MappingProxyType({130: "ecg-classification", 139: "ppg-classification"})
"""Types whose value is a code of `RHYTHM_CODES`: from the electrocardiogram, and from
the light that the pulse reflects."""

RHYTHM_CODES = MappingProxyType(
    {
        0: "no-atrial-fibrillation",
        1: "atrial-fibrillation",
        2: "inconclusive",
        3: "poor-recording",
        4: "unrecognized",
        5: "poor-recording",
        6: "low-heart-rate",
        7: "high-heart-rate",
        8: "inconclusive",
        9: "no-atrial-fibrillation",
        10: "high-heart-rate",
        11: "atrial-fibrillation",
        12: "atrial-fibrillation",
        13: "unrecognized",
    }
)
"""Result of the search for atrial fibrillation; 0 and 9 are negative results, which do
not say that the rhythm is that of the sinus."""

WHOLE_BODY = 7

OF_WHOLE_BODY = frozenset({5, 6, 8, 76, 77, 88, 168, 169, 170, 226})
"""Types that are stored where they are of the whole body, and not of a part."""

MEASURES_OUT_OF_SCOPE = MappingProxyType(
    {
        18: "unused type of measure",
        135: "interval of an electrocardiogram",
        136: "interval of an electrocardiogram",
        137: "interval of an electrocardiogram",
        138: "interval of an electrocardiogram",
        158: "nerve health score",
        159: "nerve health score",
        167: "nerve health score",
        173: "fat-free mass of a part of the body",
        174: "fat mass of a part of the body",
        175: "muscle mass of a part of the body",
        197: "electrodermal activity of one foot",
        198: "electrodermal activity of one foot",
        227: "metabolic age",
    }
)

OF_THE_USER = frozenset({0, 2, 4, 5, 7, 8, 15, 17})
"""Attributions that say whose measure it is; 1 says that it is not known."""

ENTERED = frozenset({2, 4})
"""Attributions of what the person entered."""

GOAL = 2
"""Category of a measure that is a goal."""

EXTERNAL = 18
"""Brand of activities that Withings has from another service."""

BATTERY = MappingProxyType({"low": "true", "medium": "false", "high": "false"})
"""Word for a battery to whether it is low."""

SPECIALIZATIONS = MappingProxyType(
    {
        "Scale": "scale",
        "Blood Pressure Monitor": "blood-pressure",
        "Activity Tracker": "step-counter",
        "Smart Connected Thermometer": "thermometer",
    }
)
"""Type of a device to what it is made for."""
