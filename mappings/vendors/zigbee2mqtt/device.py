"""Which device a message is of: its Zigbee address, else its friendly name.

https://www.zigbee2mqtt.io/guide/configuration/mqtt.html
"""

import re
from collections.abc import Mapping
from functools import lru_cache

from mappings.measurement import DeviceClue

ZIGBEE_ADDRESS = "http://hl7.org/fhir/sid/eui-64/zigbee"
"""HL7's system of Zigbee addresses.

https://terminology.hl7.org/NamingSystem-zigbee-address-identifier.html
"""

FRIENDLY_NAME = "https://fhir-interop-service.org/fhir/sid/zigbee2mqtt-friendly-name"
"""Our system of the names that the owner of a bridge gives to devices."""

MAX_NAME_LENGTH = 200

_ADDRESS = re.compile(r"0[xX]([0-9a-fA-F]{16})")


@lru_cache(maxsize=1024)
def address(text: str) -> str | None:
    """Return `0x00158d0000000007` as `00:15:8D:00:00:00:00:07`; None for no address."""
    found = _ADDRESS.fullmatch(text)
    if found is None:
        return None
    digits = found[1].upper()
    return ":".join(digits[at : at + 2] for at in range(0, 16, 2))


@lru_cache(maxsize=1024)
def friendly_name(topic: str) -> str:
    """Return what stands after the base topic.

    The base topic is everything up to a segment `zigbee2mqtt`, else the first
    segment; a friendly name may itself hold slashes, blanks and commas.
    """
    segments = topic.split("/")
    base = segments.index("zigbee2mqtt") if "zigbee2mqtt" in segments else 0
    return "/".join(segments[base + 1 :])


@lru_cache(maxsize=1024)
def _named(name: str) -> DeviceClue:
    found = address(name)
    if found is not None:
        return DeviceClue(found, ZIGBEE_ADDRESS)
    return DeviceClue(name, FRIENDLY_NAME)


def device_of(name: str, payload: Mapping[str, object]) -> DeviceClue:
    """Return the device of a message: by address where the message has one."""
    block = payload.get("device")
    if isinstance(block, Mapping):
        return _described(name, block)
    for member in ("ieee_address", "ieeeAddr"):
        text = payload.get(member)
        if isinstance(text, str) and (found := address(text)) is not None:
            return DeviceClue(found, ZIGBEE_ADDRESS)
    return _named(name)


def _described(name: str, block: Mapping[str, object]) -> DeviceClue:
    known = _named(name)
    text = _text(block, "ieeeAddr", "ieee_address")
    if text is not None and (found := address(text)) is not None:
        known = DeviceClue(found, ZIGBEE_ADDRESS)
    return known._replace(
        manufacturer=_text(block, "manufacturerName", "manufacturer"),
        model=_text(block, "modelID", "model", "model_id"),
        hardware=_text(block, "hardwareVersion"),
        software=_text(block, "softwareBuildID"),
    )


def _text(block: Mapping[str, object], *members: str) -> str | None:
    for member in members:
        value = block.get(member)
        if type(value) is int:
            return str(value)
        if isinstance(value, str) and 0 < len(value) <= MAX_NAME_LENGTH:
            return value
    return None
