"""The Device of one physical unit and one patient, and what identifies the unit.

https://hl7.org/fhir/R4/device.html
"""

import re
from collections.abc import Iterator, Mapping, Sequence
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

_UDI_SERIAL = re.compile(r"\(21\)[^(]|/S[^/]|/\$\+|/\$\$\+|=,")
"""The serial number in a UDI of GS1 (application identifier 21), of HIBCC (`/S`, `/$+`,
`/$$+`) or of ICCBBA (`=,`), as the FDA's list of UDI formats has them."""

_NO_SERIALS = frozenset({"default", "n/a", "na", "none", "null", "unknown"})
"""What stands in the place of a serial number where there is none."""

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

    An identifier whose system is known is the same unit through every source, and so
    is a UDI with a serial number, and the serial number of a maker: any of them is
    known again when another source tells it. Else the source is part of it; without
    an identifier the maker, model, name and hardware stand in. A UDI without a serial
    number is a model, and a serial number like `0000` or `unknown` is none. Software
    and firmware are no part of it, since they are updated. The text is
    for a keyed hash alone.
    """
    identifier, serial = stable_text(clue.identifier), _serial(clue.serial)
    udi, maker = stable_text(clue.udi), stable_text(clue.manufacturer)
    if identifier is not None and clue.system is not None:
        members: tuple[str | None, ...] = ("identifier", clue.system, identifier)
    elif identifier is not None:
        members = ("source identifier", source, identifier)
    elif udi is not None and _UDI_SERIAL.search(udi) is not None:
        members = ("udi", udi)
    elif serial is not None and maker is not None:
        members = ("serial", maker, serial)
    elif serial is not None:
        members = ("source serial", source, stable_text(clue.model), serial)
    else:
        described = (clue.manufacturer, clue.model, clue.name, clue.hardware)
        members = ("description", source, *map(stable_text, described))
        if clue.source is not None:
            members = (*members, stable_text(clue.source))
    return "\x1f".join("" if one is None else one.casefold() for one in members)


def is_device(clue: DeviceClue) -> bool:
    """Whether a clue says anything of a device, and not only of a source."""
    return any(clue._replace(source=None))


def _serial(value: str | None) -> str | None:
    """Return a serial number, unless it is what stands where there is none."""
    text = stable_text(value)
    if text is None or text.casefold() in _NO_SERIALS or len(set(text)) == 1:
        return None
    return text


def clues_of(device: Mapping[str, Any]) -> Iterator[DeviceClue]:
    """Yield a clue for each thing that tells which unit a Device stands for.

    Each leads to the unit through every source; what only one source would know is
    left out.
    """
    for identifier in _objects(device.get("identifier")):
        system, value = identifier.get("system"), identifier.get("value")
        if isinstance(system, str) and isinstance(value, str):
            yield DeviceClue(identifier=value, system=system)
    for carrier in _objects(device.get("udiCarrier")):
        text = carrier.get("carrierHRF")
        if isinstance(text, str) and _UDI_SERIAL.search(text) is not None:
            yield DeviceClue(udi=text)
    maker, serial = device.get("manufacturer"), device.get("serialNumber")
    if isinstance(maker, str) and isinstance(serial, str) and _serial(serial):
        yield DeviceClue(manufacturer=maker, serial=serial)


def other_clues(clue: DeviceClue) -> tuple[DeviceClue, ...]:
    """Return the other clues by which the same unit may be known already.

    One source tells the serial number alone, the next an identifier beside it.
    """
    told = {
        "udiCarrier": [{"carrierHRF": stable_text(clue.udi)}],
        "manufacturer": stable_text(clue.manufacturer),
        "serialNumber": stable_text(clue.serial),
    }
    same = unit_identity("", clue)
    return tuple(one for one in clues_of(told) if unit_identity("", one) != same)


def _objects(value: object) -> Iterator[Mapping[str, Any]]:
    if isinstance(value, list):
        yield from (one for one in value if isinstance(one, dict))


def with_versions(device: Mapping[str, Any], clue: DeviceClue) -> dict[str, Any] | None:
    """Return a Device with the versions that a clue tells; None where it has them.

    Versions of which the clue says nothing stay, and so do those of other types.
    """
    told = {_version_code(one): one for one in _versions(clue)}
    before = list(_objects(device.get("version")))
    known = {_version_code(one): one.get("value") for one in before}
    if all(known.get(code) == one["value"] for code, one in told.items()):
        return None
    kept = [told.pop(_version_code(one), one) for one in before]
    return {**device, "version": [*kept, *told.values()]}


def _version_code(version: Mapping[str, Any]) -> str | None:
    """Return the MDC code that says which version it is."""
    for coding in _objects((version.get("type") or {}).get("coding")):
        if coding.get("system") == _MDC:
            return str(coding.get("code"))
    return None


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
