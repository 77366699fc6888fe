"""Which HealthKit type is which kind, in which words for its units.

The identifiers are HealthKit's without their prefix.

https://developer.apple.com/documentation/healthkit/hkquantitytypeidentifier
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

from mappings.units import ucum

QUANTITY = "HKQuantityTypeIdentifier"
CATEGORY = "HKCategoryTypeIdentifier"


class Quantity(NamedTuple):
    """A quantity type.

    Attributes:
        kind: Row of kinds.csv.
        units: Unit word of the export to UCUM code.
        method: What the type says beyond the kind.

    """

    kind: str
    units: Mapping[str, str]
    method: str | None = None


def _words(words: str) -> Mapping[str, str]:
    return MappingProxyType(
        {word: code for word in words.split() if (code := ucum(word))}
    )


_RATE = _words("count/min count/s")
_RATIO = MappingProxyType({"%": "1"})
"""HealthKit's percent is a ratio: `unit="%" value="0.97"`."""

_LENGTH = _words("mm cm m km in ft yd mi")
_MASS = _words("g kg oz lb st")
_ENERGY = _words("kcal Cal cal kJ J")
_DURATION = _words("ms s min hr d")
_TEMPERATURE = _words("degC degF K")
_SPEED = _words("m/s km/hr mi/hr")
_MMHG = _words("mmHg")
_SOUND = _words("dBASPL")


def _counted(code: str) -> Mapping[str, str]:
    """Return what a `count` counts."""
    return MappingProxyType({"count": code})


def _exactly(word: str, code: str) -> Mapping[str, str]:
    """Return a unit of this vendor's alone."""
    return MappingProxyType({word: code})


QUANTITIES: Mapping[str, Quantity] = MappingProxyType(
    {
        "HeartRate": Quantity("heart-rate", _RATE),
        "RestingHeartRate": Quantity("resting-heart-rate", _RATE),
        "WalkingHeartRateAverage": Quantity("walking-heart-rate", _RATE),
        "HeartRateRecoveryOneMinute": Quantity("heart-rate-recovery", _RATE),
        "HeartRateVariabilitySDNN": Quantity("hrv-sdnn", _words("ms s")),
        "RespiratoryRate": Quantity("respiratory-rate", _RATE),
        "OxygenSaturation": Quantity("oxygen-saturation", _RATIO),
        "PeripheralPerfusionIndex": Quantity("perfusion-index", _RATIO),
        "BodyTemperature": Quantity("body-temperature", _TEMPERATURE),
        "BasalBodyTemperature": Quantity("body-temperature", _TEMPERATURE),
        "AppleSleepingWristTemperature": Quantity("wrist-temperature", _TEMPERATURE),
        "BodyMass": Quantity("body-weight", _MASS),
        "BodyMassIndex": Quantity("body-mass-index", _counted("kg/m2")),
        "BodyFatPercentage": Quantity("body-fat-percentage", _RATIO),
        "LeanBodyMass": Quantity("lean-body-mass", _MASS),
        "Height": Quantity("body-height", _LENGTH),
        "WaistCircumference": Quantity("waist-circumference", _LENGTH),
        "BloodGlucose": Quantity(
            "glucose",
            MappingProxyType(
                {
                    **_words("mg/dL"),
                    # The molar mass stands in HealthKit's unit, in two precisions.
                    "mmol<180.1558800000541>/L": "mmol/L",
                    "mmol<180.15588000005408>/L": "mmol/L",
                }
            ),
        ),
        "StepCount": Quantity("steps", _counted("{steps}")),
        "DistanceWalkingRunning": Quantity("distance-walking-running", _LENGTH),
        "DistanceCycling": Quantity("distance-cycling", _LENGTH),
        "DistanceSwimming": Quantity("distance-swimming", _LENGTH),
        "DistanceWheelchair": Quantity("distance", _LENGTH, "wheelchair"),
        "DistanceDownhillSnowSports": Quantity(
            "distance", _LENGTH, "downhill snow sports"
        ),
        "FlightsClimbed": Quantity("flights-climbed", _counted("{flights}")),
        "ActiveEnergyBurned": Quantity("active-energy", _ENERGY),
        "BasalEnergyBurned": Quantity("basal-energy", _ENERGY),
        "AppleExerciseTime": Quantity(
            "physical-activity-duration", _DURATION, "minutes of a brisk walk or above"
        ),
        "AppleStandTime": Quantity("standing-duration", _DURATION),
        "TimeInDaylight": Quantity("time-in-daylight", _DURATION),
        "VO2Max": Quantity("vo2-max", _words("mL/min·kg mL/kg/min")),
        "WalkingSpeed": Quantity("walking-speed", _SPEED),
        "RunningSpeed": Quantity("speed", _SPEED, "running"),
        "CyclingSpeed": Quantity("speed", _SPEED, "cycling"),
        "RunningPower": Quantity("power", _exactly("W", "W"), "running"),
        "CyclingPower": Quantity("power", _exactly("W", "W"), "cycling"),
        "StairAscentSpeed": Quantity("stair-ascent-speed", _SPEED),
        "StairDescentSpeed": Quantity("stair-descent-speed", _SPEED),
        "PushCount": Quantity("wheelchair-pushes", _counted("{#}")),
        "PhysicalEffort": Quantity(
            "physical-effort", _exactly("kcal/hr·kg", "kcal/(h.kg)")
        ),
        "AtrialFibrillationBurden": Quantity("atrial-fibrillation-burden", _RATIO),
        "ElectrodermalActivity": Quantity(
            "electrodermal-activity", _exactly("mcS", "uS")
        ),
        "WalkingStepLength": Quantity("walking-step-length", _LENGTH),
        "WalkingAsymmetryPercentage": Quantity("walking-asymmetry", _RATIO),
        "WalkingDoubleSupportPercentage": Quantity("walking-double-support", _RATIO),
        "SixMinuteWalkTestDistance": Quantity("six-minute-walk-distance", _LENGTH),
        "NumberOfTimesFallen": Quantity("falls", _counted("{#}")),
        "EnvironmentalAudioExposure": Quantity("sound-exposure", _SOUND, "A-weighted"),
        "HeadphoneAudioExposure": Quantity(
            "headphone-sound-exposure", _SOUND, "A-weighted"
        ),
    }
)
"""The quantity types that have a kind."""

BLOOD_PRESSURE: Mapping[str, Quantity] = MappingProxyType(
    {
        "BloodPressureSystolic": Quantity("systolic-blood-pressure", _MMHG),
        "BloodPressureDiastolic": Quantity("diastolic-blood-pressure", _MMHG),
    }
)
"""The quantity types that are halves of a panel."""

SLEEP_ANALYSIS = "SleepAnalysis"
MINDFUL_SESSION = "MindfulSession"

STATISTICS: Mapping[str, Mapping[str, tuple[str, str]]] = MappingProxyType(
    {
        "HeartRate": {
            "minimum": ("heart-rate-minimum", "HeartRate"),
            "average": ("heart-rate-mean", "HeartRate"),
            "maximum": ("heart-rate-maximum", "HeartRate"),
        },
        "ActiveEnergyBurned": {"sum": ("active-energy", "ActiveEnergyBurned")},
        "StepCount": {"sum": ("steps", "StepCount")},
        **{
            name: {"sum": ("distance", name)}
            for name in QUANTITIES
            if name.startswith("Distance")
        },
    }
)
"""Component of a workout and the type whose units hold, by type and statistic."""

TOTALS: Mapping[str, tuple[str, str, Mapping[str, str]]] = MappingProxyType(
    {
        "duration": ("workout-duration", "durationUnit", _DURATION),
        "totalDistance": ("distance", "totalDistanceUnit", _LENGTH),
        "totalEnergyBurned": ("active-energy", "totalEnergyBurnedUnit", _ENERGY),
    }
)
"""Component, attribute of the unit and unit words of a workout's own totals."""

ELEMENTS_OUT_OF_SCOPE: Mapping[str, str] = MappingProxyType(
    {
        "ActivitySummary": "daily goals and totals",
        "ClinicalRecord": "clinical record",
        "Audiogram": "audiogram",
        "VisionPrescription": "vision prescription",
    }
)
"""Elements that are recognised and never stored. An ActivitySummary repeats, a day at
a time and without an offset, what the records beside it hold."""

NOT_COUNTED = frozenset({"ExportDate", "Me", "Correlation"})
"""Elements that are no measurement. The records of a correlation also stand in the
root (the DTD says so), where they are read."""

_REPRODUCTIVE = (
    "CervicalMucusQuality",
    "Contraceptive",
    "IntermenstrualBleeding",
    "Lactation",
    "MenstrualFlow",
    "OvulationTestResult",
    "Pregnancy",
    "PregnancyTestResult",
    "ProgesteroneTestResult",
    "SexualActivity",
)

TYPES_OUT_OF_SCOPE: Mapping[str, str] = MappingProxyType(
    {
        f"{CATEGORY}AppleStandHour": "hourly goal",
        f"{CATEGORY}HandwashingEvent": "handwashing",
        f"{CATEGORY}ToothbrushingEvent": "toothbrushing",
        f"{QUANTITY}NikeFuel": "score of an app",
        f"{QUANTITY}AppleMoveTime": "daily goal",
        "HKDataTypeSleepDurationGoal": "goal",
        "HKDataTypeIdentifierHeartbeatSeries": "heartbeat series",
        **{f"{CATEGORY}{name}": "reproductive health" for name in _REPRODUCTIVE},
    }
)
"""Types that are recognised and never stored."""

PREFIXES_OUT_OF_SCOPE: Mapping[str, str] = MappingProxyType(
    {f"{QUANTITY}Dietary": "nutrition"}
)
"""Beginnings of such types."""
