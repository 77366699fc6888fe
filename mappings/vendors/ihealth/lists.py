"""What iHealth's lists hold: members, units by their number, names of sports.

https://developer.ihealthlabs.com/
"""

from types import MappingProxyType

from mappings.records import Field, Shape

_OF_RECORD = frozenset(
    {
        "DataID",
        "DataSource",
        "UserID",
        "MDate",
        "StartTime",
        "EndTime",
        "SportStartTime",
        "SportEndTime",
        "SportName",
        "TimeZone",
        "LastChangeTime",
        "MeasureTime",
    }
)

_NEVER = {"Note": "note", "Lat": "geoposition", "Lon": "geoposition"}

_CONTEXT_OF_MEAL = "meal and medication"


def _shape(
    fields: dict[str, Field],
    parts: dict[str, Field] | None = None,
    out_of_scope: dict[str, str] | None = None,
    without_unit: frozenset[str] = frozenset(),
) -> Shape:
    return Shape(
        MappingProxyType(fields),
        MappingProxyType(parts or {}),
        _OF_RECORD,
        MappingProxyType(_NEVER | (out_of_scope or {})),
        without_unit,
    )


PRESSURE_UNITS = MappingProxyType({0: "mm[Hg]", 1: "kPa"})
GLUCOSE_UNITS = MappingProxyType({0: "mg/dL", 1: "mmol/L"})
WEIGHT_UNITS = MappingProxyType({0: "kg", 1: "[lb_av]", 2: "[stone_av]"})
DISTANCE_UNITS = MappingProxyType({0: "km", 1: "[mi_i]"})

UNIT = ""
"""In place of a unit: the list says which it is."""

UNITS = MappingProxyType(
    {
        "BPDataList": ("BPUnit", PRESSURE_UNITS),
        "BGDataList": ("BGUnit", GLUCOSE_UNITS),
        "WeightDataList": ("WeightUnit", WEIGHT_UNITS),
        "ARDataList": ("DistanceUnit", DISTANCE_UNITS),
    }
)
"""Lists whose unit is a number beside them."""

SHAPES = MappingProxyType(
    {
        "BPDataList": _shape(
            {"HR": Field("heart-rate", "/min")},
            {
                "HP": Field("systolic-blood-pressure", UNIT),
                "LP": Field("diastolic-blood-pressure", UNIT),
            },
            {"IsArr": "hint at an arrhythmia", "BPL": "grade of a blood pressure"},
        ),
        "BGDataList": _shape(
            {"BG": Field("glucose-capillary", UNIT)},
            None,
            {"DinnerSituation": _CONTEXT_OF_MEAL, "DrugSituation": _CONTEXT_OF_MEAL},
        ),
        "WeightDataList": _shape(
            {
                "WeightValue": Field("body-weight", UNIT),
                "BMI": Field("body-mass-index", "kg/m2"),
                "FatValue": Field("body-fat-percentage", "%"),
            },
            None,
            {"DCI": "recommended calorie intake"},
            frozenset({"WaterValue", "BoneValue", "MuscaleValue"}),
        ),
        "BODataList": _shape(
            {
                "BO": Field("oxygen-saturation", "%"),
                "HR": Field("heart-rate", "/min"),
            }
        ),
        "ARDataList": _shape(
            {
                "Steps": Field("steps", "{steps}"),
                "Calories": Field("active-energy", "kcal"),
                "DistanceTraveled": Field("distance", UNIT),
            }
        ),
        "SRDataList": _shape(
            {},
            {
                "HoursSlept": Field("sleep-duration", "min"),
                "Awaken": Field("awakenings", "{#}"),
                "SleepEfficiency": Field("sleep-efficiency", "%"),
            },
            None,
            frozenset({"FallSleep"}),
        ),
        "SPORTDataList": _shape({}, {"Calories": Field("active-energy", "kcal")}),
    }
)
"""Lists by their name, and what the members of their records are."""

WITHOUT_UNIT = MappingProxyType(
    {
        "WaterValue": "body-water-percentage",
        "BoneValue": "bone-mass",
        "MuscaleValue": "muscle-mass",
        "FallSleep": "sleep-latency",
    }
)
"""Members whose unit is not published."""

ABSENT_AT_ZERO = frozenset(
    {"HR", "BO", "BG", "HP", "LP", "WeightValue", "BMI", "FatValue"}
    | WITHOUT_UNIT.keys()
)
"""Members for which 0 says that there is no value."""

PAGING = frozenset(
    {
        "CurrentRecordCount",
        "NextPageUrl",
        "PageLength",
        "PageNumber",
        "PrevPageUrl",
        "RecordCount",
        "BPUnit",
        "BGUnit",
        "WeightUnit",
        "DistanceUnit",
    }
)
"""Members of an answer beside its lists."""

SPORTS = MappingProxyType(
    {
        "american-football": "american-football",
        "aerobics": "step-training",
        "football": "soccer",
        "jogging": "running",
        "weightlifting": "traditional-strength-training",
    }
)
"""iHealth's name of a sport to ours, where they differ."""
