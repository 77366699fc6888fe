"""What a bridge's list of devices says of them: units, and what they are.

https://www.zigbee2mqtt.io/guide/usage/exposes.html
"""

from collections.abc import Iterator, Mapping
from functools import lru_cache
from types import MappingProxyType
from typing import NamedTuple

from conformance import fhir_json
from conformance.issues import FHIRError
from mappings.measurement import Reason
from mappings.payload import Unreadable
from mappings.units import ucum
from mappings.vendors.zigbee2mqtt.properties import BED_MAKERS, BED_MODELS

LIST = "bridge/devices"
"""End of the topic under which a bridge publishes its list of devices."""

MAX_DEPTH = 4
"""Levels of features within features; a device has two."""

_SOUND = MappingProxyType({"dB": "dB[SPL]"})
"""Words that mean one thing only on a sound level."""


class Exposed(NamedTuple):
    """What is known of a device beside its messages.

    Attributes:
        units: Property to unit, as the bridge writes it.
        is_bed: It lies in a bed or a chair: its occupancy is that of the bed.

    """

    units: Mapping[str, str] = MappingProxyType({})
    is_bed: bool = False


NOTHING = Exposed()


class Devices:
    """The devices that the lists of one payload describe."""

    def __init__(self, messages: list[object]) -> None:
        self._found: dict[tuple[str, str], Exposed] = {}
        for message in messages:
            if isinstance(message, Mapping):
                for base, device in _listed(message):
                    self._add(base, device)

    def _add(self, base: str, device: object) -> None:
        if not isinstance(device, Mapping):
            return
        exposed = exposed_of(device)
        for member in ("friendly_name", "ieee_address"):
            name = device.get(member)
            if isinstance(name, str):
                self._found[base, name] = exposed

    def of(self, topic: str, name: str, message: Mapping[str, object]) -> Exposed:
        """Return what is known of the device of a message.

        A message may itself say `units` and `model` beside its topic.
        """
        told = message.get("units"), message.get("model")
        if told != (None, None):
            return exposed_of({"units": told[0], "definition": {"model": told[1]}})
        if not self._found:
            return NOTHING
        base = topic.removesuffix(name)
        return self._found.get((base, name)) or self._found.get(("", name), NOTHING)


def _listed(message: Mapping[str, object]) -> Iterator[tuple[str, object]]:
    """Yield base topic and device of a message that lists devices, or is one."""
    topic = message.get("topic")
    if not isinstance(topic, str):
        yield "", message
    elif topic.endswith(LIST):
        devices = _json(message.get("payload"))
        for device in devices if isinstance(devices, list) else ():
            yield topic.removesuffix(LIST), device


def _json(payload: object) -> object:
    """Return a list as MQTT delivers it; build dates in it hold control characters."""
    if not isinstance(payload, str):
        return payload
    try:
        return fhir_json.loads_foreign(payload.encode())
    except (FHIRError, UnicodeEncodeError):
        return None


def exposed_of(device: Mapping[str, object]) -> Exposed:
    """Return what a description says."""
    definition = device.get("definition")
    whole = definition if isinstance(definition, Mapping) else {}
    told = device.get("units")
    units = dict(_units(whole.get("exposes"), MAX_DEPTH))
    if isinstance(told, Mapping):
        units |= {name: unit for name, unit in told.items() if isinstance(unit, str)}
    return Exposed(
        units, is_bed(whole.get("model")) or is_bed(device.get("manufacturer"))
    )


def is_bed(name: object) -> bool:
    """Whether a model or a maker of one model is of a sensor in a bed."""
    return isinstance(name, str) and (name in BED_MODELS or name in BED_MAKERS)


def _units(exposes: object, depth: int) -> Iterator[tuple[str, str]]:
    for one in exposes if isinstance(exposes, list) else ():
        if isinstance(one, Mapping):
            name, unit = one.get("property"), one.get("unit")
            if isinstance(name, str) and isinstance(unit, str):
                yield name, unit
            if depth:
                yield from _units(one.get("features"), depth - 1)


@lru_cache(maxsize=256)
def unit_of(kind: str, word: str) -> str:
    """Return the UCUM code of a unit that a bridge names.

    Raises:
        Unreadable: `unknown-unit`.

    """
    code = _SOUND.get(word) if kind == "noise-level" else None
    code = code or ucum(word)
    if code is None:
        detail = "The unit that the bridge names is not one that is understood."
        raise Unreadable(Reason.UNKNOWN_UNIT, detail, kind)
    return code
