"""Zigbee2MQTT messages to readings.

https://www.zigbee2mqtt.io/guide/usage/mqtt_topics_and_messages.html
"""

from collections.abc import Iterator, Mapping
from datetime import datetime
from decimal import Decimal
from typing import NamedTuple

from mappings.measurement import (
    DeviceClue,
    Measurement,
    OutOfScope,
    Reading,
    Reason,
    Refusal,
)
from mappings.mqtt_message import is_retained, payload_json
from mappings.payload import (
    Instant,
    Unreadable,
    epoch_ms,
    instant_of,
    number,
)
from mappings.records import UNNAMED
from mappings.vendors.zigbee2mqtt.device import (
    MAX_NAME_LENGTH,
    device_of,
    friendly_name,
)
from mappings.vendors.zigbee2mqtt.exposes import Devices, Exposed, is_bed, unit_of
from mappings.vendors.zigbee2mqtt.properties import (
    BED_MODELS,
    BED_PRESENCE,
    ENVELOPE,
    MAINS,
    METHODS,
    NO_UNIT,
    OUT_OF_SCOPE,
    QUANTITIES,
    STATES,
)


def parse(
    payload: object,
    *,
    received_at: datetime,  # noqa: ARG001 - every source's parser takes it
    zone: str | None = None,  # noqa: ARG001 - likewise
) -> Iterator[Reading]:
    """Yield the readings of a message, or of a list of messages.

    Args:
        payload: `{topic, payload, received_at?, retain?}` or a list of them. What the
            bridge's list of devices among them says of units holds for all of them.
        received_at: When the payload arrived here. It never stands in for a
            message's own time: the message may have waited on its way.
        zone: A message names its own offset.

    """
    if isinstance(payload, list):
        devices = Devices(payload)
        for index, message in enumerate(payload):
            yield from _message(message, devices, f"$[{index}]")
    else:
        yield from _message(payload, Devices([]), "$")


class _Sent(NamedTuple):
    """A state, and what holds for all of its properties."""

    payload: Mapping[str, object]
    exposed: Exposed
    device: DeviceClue
    time: Instant | Unreadable


def _message(message: object, devices: Devices, position: str) -> Iterator[Reading]:
    if not isinstance(message, Mapping):
        detail = "A message is a JSON object with topic and payload."
        yield Refusal(position, Reason.MALFORMED, None, detail, message)
        return
    topic = message.get("topic")
    if not isinstance(topic, str) or "payload" not in message:
        yield _without_topic(message, position)
        return
    name = friendly_name(topic)
    what = _no_state(name)
    if what is not None:
        yield OutOfScope(position, what)
        return
    try:
        _check_name(name)
        payload = _payload(message["payload"])
    except Unreadable as error:
        yield error.refusal(position, message)
        return
    exposed = devices.of(topic, name, message)
    yield from _state(name, payload, message, exposed, position)


def _without_topic(message: Mapping[str, object], position: str) -> Reading:
    """Return what a message without topic is: the bridge's own lists, or a fault."""
    if "ieee_address" in message and "friendly_name" in message:
        return OutOfScope(position, "device list")
    if "config" in message and "coordinator" in message:
        return OutOfScope(position, "bridge information")
    detail = "A message has a topic and a payload."
    return Refusal(position, Reason.MALFORMED, None, detail, message)


def _no_state(name: str) -> str | None:
    """Return what a topic is that carries no state of a device; else None."""
    if name.startswith("bridge/") or name == "bridge":
        return "bridge information"
    last = name.rpartition("/")[2]
    return {"availability": "availability", "set": "command", "get": "command"}.get(
        last
    )


def _check_name(name: str) -> None:
    if not 0 < len(name) <= MAX_NAME_LENGTH:
        raise Unreadable(Reason.UNKNOWN_DEVICE, "The topic names no device.")


def _payload(payload: object) -> Mapping[str, object]:
    """Return a message's payload as an object; an empty one has no members.

    Raises:
        Unreadable: `malformed` for what is no object.

    """
    state = payload_json(payload)
    if state is None:
        return {}
    if not isinstance(state, Mapping):
        raise Unreadable(Reason.MALFORMED, "The payload is not a JSON object.")
    return state


def _state(
    name: str,
    payload: Mapping[str, object],
    message: Mapping[str, object],
    exposed: Exposed,
    position: str,
) -> Iterator[Reading]:
    properties = [member for member in payload if member not in ENVELOPE]
    if not properties:
        yield OutOfScope(position, "message without a property")
        return
    device = device_of(name, payload)
    if not exposed.is_bed and _is_bed(payload):
        exposed = exposed._replace(is_bed=True)
    try:
        time: Instant | Unreadable = _time(payload, message)
    except Unreadable as error:
        time = error
    sent = _Sent(payload, exposed, device, time)
    for member in properties:
        place = f"{position}.payload.{member if member in _NAMED else UNNAMED}"
        try:
            yield _property(member, sent, place)
        except Unreadable as error:
            yield error.refusal(place, _kept(member, message, sent))


_NAMED = frozenset({*QUANTITIES, *STATES, *NO_UNIT, *OUT_OF_SCOPE})
"""Properties that a position names."""


def _is_bed(payload: Mapping[str, object]) -> bool:
    """Whether the device block of a message is of a sensor in a bed."""
    block = payload.get("device")
    return isinstance(block, Mapping) and (
        is_bed(block.get("model")) or is_bed(block.get("manufacturerName"))
    )


def _kept(member: str, message: Mapping[str, object], sent: _Sent) -> dict[str, object]:
    """Return the message with one property, so that it can be tried again."""
    payload, exposed = sent.payload, sent.exposed
    kept: dict[str, object] = {
        **message,
        "payload": {
            name: value
            for name, value in payload.items()
            if name in ENVELOPE or name == member
        },
    }
    if member in exposed.units:
        kept["units"] = {member: exposed.units[member]}
    if exposed.is_bed:
        kept["model"] = min(BED_MODELS)
    return kept


def _time(payload: Mapping[str, object], message: Mapping[str, object]) -> Instant:
    """Return when the device was last heard, else when the message was received.

    Raises:
        Unreadable: `no-time`, `no-offset`, `malformed`.

    """
    seen = payload.get("last_seen")
    if seen is not None:
        return epoch_ms(seen) if type(seen) is int else instant_of(seen)
    if is_retained(message):
        raise Unreadable(
            Reason.NO_TIME,
            "A retained message repeats old values; without last_seen it has no time.",
        )
    received = message.get("received_at")
    if received is None:
        raise Unreadable(
            Reason.NO_TIME, "The message has neither last_seen nor received_at."
        )
    return instant_of(received)


def _property(member: str, sent: _Sent, position: str) -> Reading:
    payload, exposed, device, time = sent
    what = _never_stored(member, payload)
    if what is not None:
        return OutOfScope(position, what)
    kind, value, unit = _reading(member, payload, exposed)
    if isinstance(time, Unreadable):
        raise Unreadable(time.reason, time.detail, kind)
    return Measurement(
        kind,
        value,
        unit,
        time.text,
        time.us,
        None,
        time.us,
        position,
        None,
        device,
        (),
        METHODS.get(member),
    )


def _never_stored(member: str, payload: Mapping[str, object]) -> str | None:
    """Return what a property is that is never stored; else None."""
    if member in OUT_OF_SCOPE:
        return OUT_OF_SCOPE[member]
    if payload[member] is None:
        return "property without a value"
    if member == "illuminance" and payload.get("illuminance_lux") is not None:
        return "raw illuminance beside illuminance_lux"
    if member == "voltage" and not MAINS.isdisjoint(payload):
        return "mains power"
    return None


def _reading(
    member: str, payload: Mapping[str, object], exposed: Exposed
) -> tuple[str, Decimal | int | str, str]:
    """Return kind, value and unit of a property.

    Raises:
        Unreadable: `unknown-kind`, `no-unit`, `invalid-value`.

    """
    value = payload[member]
    if member in QUANTITIES:
        kind, unit = QUANTITIES[member]
        told = exposed.units.get(member)
        return (
            kind,
            _number(value, member, kind),
            unit if told is None else unit_of(kind, told),
        )
    if member in STATES:
        return _truth(member, value, exposed)
    if member == "voltage" and "battery" in payload:
        return "battery-voltage", _number(value, member, "battery-voltage"), "mV"
    if member in NO_UNIT:
        return _of_told_unit(member, value, exposed)
    raise Unreadable(Reason.UNKNOWN_KIND, "The property is not one that is understood.")


def _truth(member: str, value: object, exposed: Exposed) -> tuple[str, str, str]:
    kind, true, false = STATES[member]
    if exposed.is_bed and member == "occupancy":
        kind = BED_PRESENCE
    if not isinstance(value, bool):
        raise Unreadable(Reason.INVALID_VALUE, f"{member} is not a truth value.", kind)
    return kind, true if value else false, ""


def _of_told_unit(
    member: str, value: object, exposed: Exposed
) -> tuple[str, Decimal | int, str]:
    """Return a number whose unit differs between devices, where the bridge tells it."""
    kind = NO_UNIT[member]
    told = exposed.units.get(member)
    if told is None:
        detail = f"The message does not tell the unit of {member}."
        raise Unreadable(Reason.NO_UNIT, detail, kind)
    return kind, _number(value, member, kind), unit_of(kind, told)


def _number(value: object, member: str, kind: str) -> Decimal | int:
    if type(value) is int:
        return value
    try:
        return number(value)
    except Unreadable as error:
        detail = f"{member} is not a number."
        raise Unreadable(error.reason, detail, kind) from None
