"""What is known of an entity, and the reading that one state of it is.

https://www.home-assistant.io/docs/configuration/state_object/
"""

from collections.abc import Mapping
from decimal import Decimal
from functools import lru_cache
from typing import NamedTuple

from conformance import fhir_json
from conformance.issues import FHIRError
from mappings.measurement import DeviceClue, Reason
from mappings.payload import Unreadable, number, number_text
from mappings.vendors.home_assistant.classes import (
    BINARY_SENSORS,
    CLASSES_OUT_OF_SCOPE,
    DOMAINS_OUT_OF_SCOPE,
    SENSORS,
    Unit,
)

ENTITY_ID = "https://fhir-interop-service.org/fhir/sid/home-assistant-entity"
"""Our system of entities: base topic, slash, entity id. An entity id alone is one of
many homes' `sensor.bedroom_temperature`."""

UNIQUE_ID = "https://fhir-interop-service.org/fhir/sid/home-assistant-unique-id"
"""Our system of the unique ids that discovery messages carry."""

MAX_TEXT = 256
"""Characters of a name or an identifier."""

_NO_VALUE = frozenset({"unknown", "none", ""})
_UNAVAILABLE = "unavailable"


class Entity(NamedTuple):
    """What is known of an entity.

    Attributes:
        component: Its domain, such as `sensor`.
        device: Which unit it is of.
        device_class: What it measures; None where nothing tells.
        unit: In which unit, as Home Assistant writes it; None where nothing tells.
        on: The state that is on.
        off: The state that is off.

    """

    component: str
    device: DeviceClue
    device_class: str | None
    unit: str | None
    on: str = "on"
    off: str = "off"


class Value(NamedTuple):
    """What a state says."""

    kind: str
    value: Decimal | int | str
    unit: str = ""
    method: str | None = None


class Aside(Exception):  # noqa: N818 - names what a state is, not a fault
    """The state is recognised and never stored; its text says what it is."""


def plain(payload: object) -> object:
    """Return a state or an attribute as its JSON value, or as the text that it is."""
    if isinstance(payload, bytes):
        payload = payload.decode("utf-8", "replace")
    if not isinstance(payload, str) or payload[:1] not in ('"', "{", "["):
        return payload
    try:
        return fhir_json.loads(payload.encode())
    except (FHIRError, UnicodeEncodeError):
        return payload


def text_of(value: object) -> str | None:
    """Return a short text; None for anything else."""
    if isinstance(value, str) and 0 < len(value) <= MAX_TEXT:
        return value
    return None


def word_of(value: object) -> str:
    """Return a state as Home Assistant compares it: a truth value is `True`."""
    return value if isinstance(value, str) else str(value)


class _Wanted(NamedTuple):
    """How the states of entities of one class are read.

    Attributes:
        kind: Row of kinds.csv.
        units: Of a number, by the words of Home Assistant.
        words: Codes of on and off of a truth value.

    """

    kind: str
    units: Mapping[str, Unit]
    words: tuple[str, str] = ("", "")


def value_of(entity: Entity, state: object) -> Value:
    """Return what a state of an entity says.

    Raises:
        Aside: for what is never stored.
        Unreadable: `unknown-kind`, `unknown-unit`, `no-unit`, `invalid-value`.

    """
    wanted = _wanted(entity.component, entity.device_class)
    if state is None or (isinstance(state, str) and state.strip().lower() in _NO_VALUE):
        raise Aside("state without a value")
    if state == _UNAVAILABLE:
        return Value("device-available", "false")
    return _READS[entity.component](entity, state, wanted)


@lru_cache(maxsize=512)
def _wanted(component: str, device_class: str | None) -> _Wanted:
    """Return how a class is read.

    Raises:
        Aside: for what is never stored.
        Unreadable: `unknown-kind`.

    """
    what = DOMAINS_OUT_OF_SCOPE.get(component)
    if what is None and device_class is not None:
        what = CLASSES_OUT_OF_SCOPE.get((component, device_class))
    if what is not None:
        raise Aside(what)
    if component not in _READS or device_class is None:
        detail = "No device class tells what the entity measures."
        raise Unreadable(Reason.UNKNOWN_KIND, detail)
    if component == "sensor" and device_class in SENSORS:
        kind, units = SENSORS[device_class]
        return _Wanted(kind, units)
    if component == "binary_sensor" and device_class in BINARY_SENSORS:
        kind, on, off = BINARY_SENSORS[device_class]
        return _Wanted(kind, {}, (on, off))
    detail = "The device class is not one that is understood."
    raise Unreadable(Reason.UNKNOWN_KIND, detail)


def _sensor(entity: Entity, state: object, wanted: _Wanted) -> Value:
    kind = wanted.kind
    unit = wanted.units.get(entity.unit or "")
    if unit is None:
        if not entity.unit:
            raise Unreadable(Reason.NO_UNIT, "Nothing tells the unit.", kind)
        detail = "The unit is not one in which the device class is given."
        raise Unreadable(Reason.UNKNOWN_UNIT, detail, kind)
    try:
        told = number_text(state.strip()) if isinstance(state, str) else number(state)
    except Unreadable as error:
        raise error.of(kind) from None
    told = told + unit.offset if unit.offset else told
    return Value(kind, told, unit.code, unit.method)


def _binary_sensor(entity: Entity, state: object, wanted: _Wanted) -> Value:
    word = word_of(state)
    if word == entity.on:
        return Value(wanted.kind, wanted.words[0])
    if word == entity.off:
        return Value(wanted.kind, wanted.words[1])
    detail = "The state is neither on nor off."
    raise Unreadable(Reason.INVALID_VALUE, detail, wanted.kind)


_READS = {"sensor": _sensor, "binary_sensor": _binary_sensor}
"""What reads a state, by component."""


def clue_of(identifier: str, system: str, block: object) -> DeviceClue:
    """Return a unit; `block` is the device of a discovery message, or nothing."""
    if not isinstance(block, Mapping):
        return DeviceClue(identifier, system)
    return DeviceClue(
        identifier=identifier,
        system=system,
        manufacturer=text_of(block.get("manufacturer", block.get("mf"))),
        model=text_of(block.get("model", block.get("mdl"))),
        hardware=text_of(block.get("hw_version", block.get("hw"))),
        software=text_of(block.get("sw_version", block.get("sw"))),
        serial=text_of(block.get("serial_number", block.get("sn"))),
    )
