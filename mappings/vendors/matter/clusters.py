"""Which attribute of which cluster is which kind, and what is never stored.

A controller writes clusters and attributes by number or by name; both are here.

https://github.com/project-chip/connectedhomeip/tree/master/src/app/zap-templates/zcl/data-model/chip
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple


class Reads(NamedTuple):
    """How the number of an attribute is read.

    Attributes:
        kind: Row of kinds.csv.
        unit: UCUM code of the number.
        places: Powers of ten by which the number is an integer: 2 for hundredths.
        offset: What is added to the number.

    """

    kind: str
    unit: str
    places: int = 0
    offset: int = 0


NUMBERS: Mapping[str, Mapping[str, Reads]] = MappingProxyType(
    {
        "TemperatureMeasurement": {
            "measuredValue": Reads("room-temperature", "Cel", 2)
        },
        "RelativeHumidityMeasurement": {
            "measuredValue": Reads("relative-humidity", "%", 2)
        },
        # Tenths of a kilopascal, which are hectopascals.
        "PressureMeasurement": {"measuredValue": Reads("ambient-pressure", "hPa")},
        # Decibels over a milliwatt, which UCUM has not: 30 less over a watt.
        "WiFiNetworkDiagnostics": {
            "rssi": Reads("signal-strength", "dB[W]", offset=-30)
        },
        "PowerSource": {
            "batVoltage": Reads("battery-voltage", "mV"),
            "batTimeRemaining": Reads("battery-time-remaining", "s"),
        },
    }
)
"""Cluster, attribute and how its number is read."""

CONCENTRATIONS: Mapping[str, str] = MappingProxyType(
    {
        "CarbonDioxideConcentrationMeasurement": "carbon-dioxide",
        "Pm25ConcentrationMeasurement": "particulate-matter-2-5",
        "Pm10ConcentrationMeasurement": "particulate-matter-10",
        "TotalVolatileOrganicCompoundsConcentrationMeasurement": (
            "volatile-organic-compounds"
        ),
    }
)
"""Clusters that name the unit of their `measuredValue`, and their kind."""

CONCENTRATION_UNITS: Mapping[int, str] = MappingProxyType(
    {0: "[ppm]", 1: "[ppb]", 3: "mg/m3", 4: "ug/m3"}
)
"""MeasurementUnitEnum to UCUM."""

HEALTH = frozenset({"PowerSource", "WiFiNetworkDiagnostics"})
"""Clusters that tell of the device; of use only beside a cluster that measures."""

CONTACT_SENSOR = 21
"""Device type whose BooleanState is a contact."""

OTHER_BOOLEANS: Mapping[int, str] = MappingProxyType(
    {65: "freeze detector", 67: "leak detector", 68: "rain sensor"}
)
"""Other device types with a BooleanState."""

_DESCRIPTION = "device description"
_SETTINGS = "device setting or counter"
_NETWORK = "network and certificates"
_LIGHT = "light or switch"
_HEATING = "heating, cover or lock"
_MAINS = "mains power"
_APPLIANCE = "appliance"

_NAMES: Mapping[int, tuple[str, str]] = MappingProxyType(
    {
        3: ("Identify", _SETTINGS),
        4: ("Groups", _SETTINGS),
        5: ("Scenes", _LIGHT),
        6: ("OnOff", _LIGHT),
        7: ("OnOffSwitchConfiguration", _LIGHT),
        8: ("LevelControl", _LIGHT),
        28: ("PulseWidthModulation", _LIGHT),
        29: ("Descriptor", _DESCRIPTION),
        30: ("Binding", _SETTINGS),
        31: ("AccessControl", _NETWORK),
        37: ("Actions", _SETTINGS),
        40: ("BasicInformation", _DESCRIPTION),
        41: ("OtaSoftwareUpdateProvider", _SETTINGS),
        42: ("OtaSoftwareUpdateRequestor", _SETTINGS),
        43: ("LocalizationConfiguration", _SETTINGS),
        44: ("TimeFormatLocalization", _SETTINGS),
        45: ("UnitLocalization", _SETTINGS),
        46: ("PowerSourceConfiguration", _SETTINGS),
        47: ("PowerSource", _SETTINGS),
        48: ("GeneralCommissioning", _NETWORK),
        49: ("NetworkCommissioning", _NETWORK),
        50: ("DiagnosticLogs", _SETTINGS),
        51: ("GeneralDiagnostics", _NETWORK),
        52: ("SoftwareDiagnostics", _SETTINGS),
        53: ("ThreadNetworkDiagnostics", _NETWORK),
        54: ("WiFiNetworkDiagnostics", _NETWORK),
        55: ("EthernetNetworkDiagnostics", _NETWORK),
        56: ("TimeSynchronization", _SETTINGS),
        57: ("BridgedDeviceBasicInformation", _DESCRIPTION),
        59: ("Switch", _LIGHT),
        60: ("AdministratorCommissioning", _NETWORK),
        62: ("OperationalCredentials", _NETWORK),
        63: ("GroupKeyManagement", _NETWORK),
        64: ("FixedLabel", _DESCRIPTION),
        65: ("UserLabel", _DESCRIPTION),
        69: ("BooleanState", ""),
        70: ("IcdManagement", _SETTINGS),
        80: ("ModeSelect", _SETTINGS),
        81: ("LaundryWasherMode", _APPLIANCE),
        82: ("RefrigeratorAndTemperatureControlledCabinetMode", _APPLIANCE),
        84: ("RvcRunMode", _APPLIANCE),
        85: ("RvcCleanMode", _APPLIANCE),
        86: ("TemperatureControl", _APPLIANCE),
        91: ("AirQuality", "grade of air quality"),
        92: ("SmokeCoAlarm", "smoke alarm"),
        94: ("MicrowaveOvenMode", _APPLIANCE),
        96: ("OperationalState", _APPLIANCE),
        97: ("RvcOperationalState", _APPLIANCE),
        98: ("ScenesManagement", _LIGHT),
        113: ("HepaFilterMonitoring", _APPLIANCE),
        114: ("ActivatedCarbonFilterMonitoring", _APPLIANCE),
        128: ("BooleanStateConfiguration", _SETTINGS),
        129: ("ValveConfigurationAndControl", _HEATING),
        144: ("ElectricalPowerMeasurement", _MAINS),
        145: ("ElectricalEnergyMeasurement", _MAINS),
        156: ("PowerTopology", _MAINS),
        257: ("DoorLock", _HEATING),
        258: ("WindowCovering", _HEATING),
        512: ("PumpConfigurationAndControl", _HEATING),
        513: ("Thermostat", _HEATING),
        514: ("FanControl", _HEATING),
        516: ("ThermostatUserInterfaceConfiguration", _HEATING),
        768: ("ColorControl", _LIGHT),
        769: ("BallastConfiguration", _LIGHT),
        1024: ("IlluminanceMeasurement", ""),
        1026: ("TemperatureMeasurement", ""),
        1027: ("PressureMeasurement", ""),
        1028: ("FlowMeasurement", "water flow"),
        1029: ("RelativeHumidityMeasurement", ""),
        1030: ("OccupancySensing", ""),
        1036: ("CarbonMonoxideConcentrationMeasurement", "other gas"),
        1037: ("CarbonDioxideConcentrationMeasurement", ""),
        1043: ("NitrogenDioxideConcentrationMeasurement", "other gas"),
        1045: ("OzoneConcentrationMeasurement", "other gas"),
        1066: ("Pm25ConcentrationMeasurement", ""),
        1067: ("FormaldehydeConcentrationMeasurement", "other gas"),
        1068: ("Pm1ConcentrationMeasurement", "other particles"),
        1069: ("Pm10ConcentrationMeasurement", ""),
        1070: ("TotalVolatileOrganicCompoundsConcentrationMeasurement", ""),
        1071: ("RadonConcentrationMeasurement", "other gas"),
        2820: ("ElectricalMeasurement", _MAINS),
        4294048773: ("UnitTesting", _SETTINGS),
        4294048774: ("FaultInjection", _SETTINGS),
    }
)

CLUSTERS: Mapping[str, str] = MappingProxyType(
    {
        **{str(number): name for number, (name, _) in _NAMES.items()},
        **{name: name for name, _ in _NAMES.values()},
        # Names before version 1.1.
        "Basic": "BasicInformation",
        "BridgedDeviceBasic": "BridgedDeviceBasicInformation",
    }
)
"""A cluster's number or name, as a controller writes it, to its name."""

OUT_OF_SCOPE: Mapping[str, str] = MappingProxyType(
    {name: what for name, what in _NAMES.values() if what}
)
"""Clusters that are recognised and never stored, and what they are."""

_MEASURED = {"0": "measuredValue"}
_CONCENTRATION = {**_MEASURED, "8": "measurementUnit"}
_NAMED = {
    "1": "vendorName",
    "2": "vendorID",
    "3": "productName",
    "8": "hardwareVersionString",
    "10": "softwareVersionString",
    "15": "serialNumber",
    "17": "reachable",
    "18": "uniqueID",
}

ATTRIBUTES: Mapping[str, Mapping[str, str]] = MappingProxyType(
    {
        "BasicInformation": _NAMED,
        "BridgedDeviceBasicInformation": _NAMED,
        "Descriptor": {"0": "deviceTypeList", "3": "partsList"},
        "BooleanState": {"0": "stateValue"},
        "OccupancySensing": {"0": "occupancy"},
        "IlluminanceMeasurement": _MEASURED,
        "TemperatureMeasurement": _MEASURED,
        "RelativeHumidityMeasurement": _MEASURED,
        "PressureMeasurement": {**_MEASURED, "16": "scaledValue", "20": "scale"},
        "WiFiNetworkDiagnostics": {"4": "rssi"},
        "PowerSource": {
            "11": "batVoltage",
            "12": "batPercentRemaining",
            "13": "batTimeRemaining",
            "14": "batChargeLevel",
            "26": "batChargeState",
        },
        **dict.fromkeys(CONCENTRATIONS, _CONCENTRATION),
    }
)
"""An attribute's number to its name, by cluster; only those that are read."""
