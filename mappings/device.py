"""The Device of one physical unit and one patient, and what identifies the unit.

https://hl7.org/fhir/R4/device.html
"""

import re
from collections.abc import Sequence
from types import MappingProxyType
from typing import Any

from mappings.kinds import SYSTEMS, Coding
from mappings.measurement import DeviceClue
from mappings.template import concept

_MDC = SYSTEMS["mdc"]

TYPE = Coding(_MDC, "65573", "MDC_MOC_VMS_MDS_SIMP")
"""A device that measures, whatever it measures."""

SPECIALIZATIONS = MappingProxyType(
    {
        "oximeter": ("528388", "Pulse oximeter"),
        "electrocardiograph": ("528390", "Basic electrocardiograph"),
        "blood-pressure": ("528391", "Blood pressure monitor"),
        "thermometer": ("528392", "Body thermometer"),
        "respiration": ("528397", "Respiration rate monitor"),
        "scale": ("528399", "Weighing scale"),
        "glucose": ("528401", "Glucose meter"),
        "body-composition": ("528404", "Body composition analyser"),
        "continuous-glucose": ("528409", "Continuous glucose monitor"),
        "cardiovascular-fitness": ("528425", "Cardiovascular fitness monitor"),
        "activity-hub": ("528455", "Independent living activity hub"),
        "step-counter": ("528484", "Step counter"),
        "fall": ("528501", "Fall sensor"),
        "motion": ("528507", "Motion sensor"),
        "contact": ("528510", "Contact closure sensor"),
        "usage": ("528511", "Bed or chair usage sensor"),
        "temperature": ("528514", "Temperature sensor"),
        "heart-rate": ("528525", "Heart rate monitor"),
    }
)
"""MDC codes of what a device is made for; the texts are ours."""

_VERSIONS = MappingProxyType(
    {
        "hardware": (
            Coding(_MDC, "531974", "MDC_ID_PROD_SPEC_HW"),
            "Hardware revision",
        ),
        "software": (
            Coding(_MDC, "531975", "MDC_ID_PROD_SPEC_SW"),
            "Software revision",
        ),
        "firmware": (
            Coding(_MDC, "531976", "MDC_ID_PROD_SPEC_FW"),
            "Firmware revision",
        ),
    }
)

_POINTER = re.compile(r"<\w+:\s*0x[0-9A-Fa-f]+>")
"""A memory address that a source prints with its device: it changes each time. A bare
`0x…` stays, for radio addresses are written so."""

_CONTROL = re.compile(r"[\x00-\x1f\x7f]+")

_MAX_TEXT = 256
"""Characters of a maker's or model's name; more is not a name."""


def stable_text(value: str | None) -> str | None:
    """Return the text without memory addresses and control characters."""
    if value is None:
        return None
    words = _POINTER.sub(" ", _CONTROL.sub(" ", value)).split()
    return " ".join(words)[:_MAX_TEXT].strip() or None


def unit_identity(source: str, clue: DeviceClue) -> str:
    """Return a text that is equal for two clues exactly where the unit is the same.

    An identifier whose system is known is the same unit through every source; else the
    source is part of it. Then the UDI, or the maker's serial number; without any of
    them the maker, model, name and hardware stand in. Software and firmware are no
    part of it, since they are updated.
    """
    identifier, serial = stable_text(clue.identifier), stable_text(clue.serial)
    udi = stable_text(clue.udi)
    if identifier is not None and clue.system is not None:
        members: tuple[str | None, ...] = ("identifier", clue.system, identifier)
    elif identifier is not None:
        members = ("source identifier", source, identifier)
    elif udi is not None:
        members = ("udi", udi)
    elif serial is not None:
        maker, model = stable_text(clue.manufacturer), stable_text(clue.model)
        members = ("serial", source, maker, model, serial)
    else:
        described = (clue.manufacturer, clue.model, clue.name, clue.hardware)
        members = ("description", source, *map(stable_text, described))
    return "\x1f".join("" if one is None else one.casefold() for one in members)


def _identifiers(
    clue: DeviceClue, identifiers: Sequence[tuple[str, str]]
) -> list[dict[str, str]]:
    own = stable_text(clue.identifier)
    pairs = list(identifiers)
    if own is not None and clue.system is not None:
        pairs.insert(0, (clue.system, own))
    return [{"system": system, "value": value} for system, value in pairs]


def _versions(clue: DeviceClue) -> list[dict[str, Any]]:
    values = {
        "hardware": clue.hardware,
        "software": clue.software,
        "firmware": clue.firmware,
    }
    return [
        {"type": {**concept([coding]), "text": text}, "value": value}
        for name, (coding, text) in _VERSIONS.items()
        if (value := stable_text(values[name])) is not None
    ]


def _specializations(names: Sequence[str]) -> list[dict[str, Any]]:
    return [
        {
            "systemType": {
                "coding": [{"system": _MDC, "code": SPECIALIZATIONS[name][0]}],
                "text": SPECIALIZATIONS[name][1],
            }
        }
        for name in names
    ]


def _reference(target: str | None) -> dict[str, str] | None:
    return None if target is None else {"reference": target}


def _meta(
    version: str, last_updated: str, security: Sequence[Coding]
) -> dict[str, Any]:
    meta: dict[str, Any] = {"versionId": version, "lastUpdated": last_updated}
    if security:
        meta["security"] = concept(security)["coding"]
    return meta


def device_resource(  # noqa: PLR0913 - one argument an element of the resource
    clue: DeviceClue,
    *,
    id: str,  # noqa: A002 - FHIR's name
    version: str,
    last_updated: str,
    patient: str | None,
    identifiers: Sequence[tuple[str, str]] = (),
    specializations: Sequence[str] = (),
    location: str | None = None,
    owner: str | None = None,
    security: Sequence[Coding] = (),
) -> dict[str, Any]:
    """Return the Device of a unit, as far as its source describes it.

    Args:
        clue: What the payload says of the device.
        id: Logical id of the resource.
        version: Version id.
        last_updated: Instant at which the service stores it.
        patient: Reference to the Patient; set once and never changed.
        identifiers: System and value of further identifiers.
        specializations: Names in `SPECIALIZATIONS`.
        location: Reference to the room of a sensor.
        owner: Reference to the organisation that owns it.
        security: Labels.

    """
    name, udi = stable_text(clue.name), stable_text(clue.udi)
    if clue.specialization is not None:
        specializations = (*specializations, clue.specialization)
    elements: dict[str, Any] = {
        "resourceType": "Device",
        "id": id,
        "meta": _meta(version, last_updated, security),
        "identifier": _identifiers(clue, identifiers),
        "udiCarrier": udi and [{"carrierHRF": udi}],
        "status": "active",
        "manufacturer": stable_text(clue.manufacturer),
        "serialNumber": stable_text(clue.serial),
        "deviceName": name and [{"name": name, "type": "manufacturer-name"}],
        "modelNumber": stable_text(clue.model),
        "type": concept([TYPE]),
        "specialization": _specializations(specializations),
        "version": _versions(clue),
        "patient": _reference(patient),
        "owner": _reference(owner),
        "location": _reference(location),
    }
    return {element: value for element, value in elements.items() if value}


def service_resource(
    *,
    id: str,  # noqa: A002 - FHIR's name
    version: str,
    last_updated: str,
    software: str,
    mappings: str,
) -> dict[str, Any]:
    """Return the Device that stands for this service, which assembles Observations.

    Args:
        id: Logical id of the resource.
        version: Version id.
        last_updated: Instant at which the service stores it.
        software: Version of the service.
        mappings: SHA-256 of the mapping tables, as hexadecimal text.

    """
    coding, text = _VERSIONS["software"]
    return {
        "resourceType": "Device",
        "id": id,
        "meta": _meta(version, last_updated, ()),
        "status": "active",
        "deviceName": [{"name": "FHIR interoperability service", "type": "other"}],
        "version": [
            {"type": {**concept([coding]), "text": text}, "value": software},
            {"type": {"text": "SHA-256 of the mapping tables"}, "value": mappings},
        ],
    }
