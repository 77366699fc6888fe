"""What all readings of one FIT file share: its clock, its device, its identifier.

https://developer.garmin.com/fit/file-types/
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from mappings.measurement import DeviceClue, Measurement
from mappings.times import Span, reading
from mappings.vendors.fit.clock import Clock, clock_of
from mappings.vendors.fit.decode import Message, Value, word

_GARMIN_PRODUCTS = frozenset({1, 13, 15, 89})
"""Makers whose product numbers are Garmin's: garmin, dynastream and tacx."""

_CREATOR = 0
_DEVICE_INFO = "device_info"


class Source(NamedTuple):
    """One FIT file of a chain.

    Attributes:
        clock: How its seconds become times.
        device: The device that wrote it.
        identifier: Serial number and time of creation; None where one is missing.
        wearers: How many people it has profiles of.

    """

    clock: Clock
    device: DeviceClue | None
    identifier: str | None
    wearers: int

    def told(self, values: Mapping[str, Value]) -> DeviceClue | None:
        """Return the device that a `device_info` tells of: itself, or a sensor."""
        serial = _text(values.get("serial_number"))
        if self.device is not None and serial == self.device.serial is not None:
            return self.device
        return clue(values) or self.device

    def reading(
        self, kind: str, value: Any, unit: str, span: Span, position: str, **more: Any
    ) -> Measurement:
        """Return a reading of this file; `mark` tells it from others of its kind."""
        mark = more.pop("mark", "")
        more.setdefault("device", self.device)
        source_id = self.identifier and f"{self.identifier}{mark}"
        return reading(kind, value, unit, span, position, source_id=source_id, **more)


def source_of(messages: Sequence[Message], zone: ZoneInfo | None) -> Source:
    """Return what the readings of one FIT file share."""
    header = next((m.values for m in messages if m.name == "file_id"), {})
    serial, created = header.get("serial_number"), header.get("time_created")
    is_known = serial is not None and created is not None
    return Source(
        clock_of(messages, zone),
        _creator(header, messages),
        f"{serial}-{created}" if is_known else None,
        len(_profiles(messages)),
    )


def _profiles(messages: Sequence[Message]) -> set[object]:
    """Return the numbers of the people that a file has profiles of."""
    return {
        message.values.get("message_index", message.number)
        for message in messages
        if message.name == "user_profile"
    }


def _creator(
    header: Mapping[str, Value], messages: Sequence[Message]
) -> DeviceClue | None:
    """Return the device that wrote a file, with the versions it tells of itself."""
    versions: Mapping[str, Value] = next(
        (
            message.values
            for message in messages
            if message.name == _DEVICE_INFO and _is_creator(message.values, header)
        ),
        {},
    )
    return clue({**versions, **header})


def _is_creator(values: Mapping[str, Value], header: Mapping[str, Value]) -> bool:
    index, serial = values.get("device_index"), values.get("serial_number")
    is_same = serial is not None and serial == header.get("serial_number")
    return index == _CREATOR or is_same


def clue(values: Mapping[str, Value]) -> DeviceClue | None:
    """Return the device that a message tells of; None where it tells nothing."""
    maker, product = values.get("manufacturer"), values.get("product")
    found = DeviceClue(
        manufacturer=word("manufacturer", maker) or _text(maker),
        model=_model(maker, product) or _text(values.get("product_name")),
        hardware=_text(values.get("hardware_version")),
        firmware=_text(values.get("software_version")),
        serial=_text(values.get("serial_number")),
    )
    return None if found == DeviceClue() else found


def _model(maker: Value | None, product: Value | None) -> str | None:
    name = word("garmin_product", product) if maker in _GARMIN_PRODUCTS else None
    return name or _text(product)


def _text(value: Value | None) -> str | None:
    return None if value is None or isinstance(value, tuple) else str(value)
