"""The `device` attribute: what HealthKit says of the device that measured.

https://developer.apple.com/documentation/healthkit/hkdevice
"""

import re
from collections.abc import Mapping
from functools import lru_cache
from hashlib import blake2b

from mappings.measurement import DeviceClue

PRODUCTS = frozenset({"Apple Watch", "iPhone", "iPad", "iPod touch", "AirPods"})
"""Names that Apple gives; any other name may be the owner's."""

_MEMBER = re.compile(
    r", (name|manufacturer|model|hardware|firmware|software|creation date"
    r"|localIdentifier|UDIDeviceIdentifier|FDA UDI):"
)


def device_of(text: str | None) -> DeviceClue | None:
    """Return the device of `<<HKDevice: 0x…>, name:…, hardware:Watch6,7, …>`.

    The pointer differs from record to record and is no identity; values may hold
    commas. None where the text says nothing of a device.
    """
    if text is None:
        return None
    return _device(text[text.find(", ") :]) if ", " in text else None


def unit_of(attributes: Mapping[str, str]) -> DeviceClue | None:
    """Return the device of a record; without one, what tells its source from others."""
    device = device_of(attributes.get("device"))
    return _source(source_of(attributes)) if device is None else device


def source_of(attributes: Mapping[str, str]) -> str | None:
    """Return a digest of a source's name, which may be a person's; or None.

    A part that is tried again has the digest in place of the name.
    """
    name = attributes.get("sourceName", "").strip()
    return _digest(name) if name else attributes.get(SOURCE)


SOURCE = "source"
"""Attribute in which a refused part keeps the digest; no export has it."""


@lru_cache(maxsize=512)
def _digest(name: str) -> str:
    return blake2b(name.encode("utf-8", "replace"), digest_size=16).hexdigest()


@lru_cache(maxsize=512)
def _source(digest: str | None) -> DeviceClue | None:
    return None if digest is None else DeviceClue(source=digest)


@lru_cache(maxsize=512)
def _device(text: str) -> DeviceClue | None:
    words = _MEMBER.split(text.removesuffix(">"))
    members = {
        name: value.strip()
        for name, value in zip(words[1::2], words[2::2], strict=True)
        if value.strip()
    }
    name = members.get("name")
    clue = DeviceClue(
        manufacturer=members.get("manufacturer"),
        model=members.get("model"),
        name=name if name in PRODUCTS else None,
        hardware=members.get("hardware"),
        software=members.get("software") or members.get("firmware"),
    )
    return clue if any(clue) else None
