"""The `device` attribute: what HealthKit says of the device that measured.

https://developer.apple.com/documentation/healthkit/hkdevice
"""

import re
from functools import lru_cache

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
