"""Zigbee2MQTT messages to readings.

https://www.zigbee2mqtt.io/guide/usage/mqtt_topics_and_messages.html
"""

from collections.abc import Iterator, Mapping
from datetime import datetime
from decimal import Decimal

from conformance import fhir_json
from conformance.issues import FHIRError
from mappings.measurement import (
    DeviceClue,
    Measurement,
    OutOfScope,
    Reading,
    Reason,
    Refusal,
)
from mappings.payload import (
    Instant,
    Unreadable,
    epoch_ms,
    instant_of,
    number,
)
from mappings.vendors.zigbee2mqtt.device import (
    MAX_NAME_LENGTH,
    device_of,
    friendly_name,
)
from mappings.vendors.zigbee2mqtt.properties import (
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
        payload: `{topic, payload, received_at?, retain?}` or a list of them.
        received_at: When the payload arrived here. It never stands in for a
            message's own time: the message may have waited on its way.
        zone: A message names its own offset.

    """
    if isinstance(payload, list):
        for index, message in enumerate(payload):
            yield from _message(message, f"$[{index}]")
    else:
        yield from _message(payload, "$")


def _message(message: object, position: str) -> Iterator[Reading]:
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
    yield from _state(name, payload, message, position)


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
    if isinstance(payload, bytes):
        payload = payload.decode("utf-8", "replace")
    if isinstance(payload, str):
        payload = _loads(payload)
    if payload is None:
        return {}
    if not isinstance(payload, Mapping):
        raise Unreadable(Reason.MALFORMED, "The payload is not a JSON object.")
    return payload


def _loads(text: str) -> object:
    if not text.strip():
        return None
    try:
        return fhir_json.loads(text.encode())
    except (FHIRError, UnicodeEncodeError):
        raise Unreadable(Reason.MALFORMED, "The payload is not JSON.") from None


def _state(
    name: str,
    payload: Mapping[str, object],
    message: Mapping[str, object],
    position: str,
) -> Iterator[Reading]:
    properties = [member for member in payload if member not in ENVELOPE]
    if not properties:
        yield OutOfScope(position, "message without a property")
        return
    device = device_of(name, payload)
    try:
        time: Instant | Unreadable = _time(payload, message)
    except Unreadable as error:
        time = error
    place = f"{position}.payload."
    for member in properties:
        try:
            yield _property(member, payload, device, time, place + member)
        except Unreadable as error:
            kept = {**message, "payload": _kept(payload, member)}
            yield error.refusal(place + member, kept)


def _kept(payload: Mapping[str, object], member: str) -> dict[str, object]:
    """Return the payload with one property, so that it can be tried again."""
    return {
        name: value
        for name, value in payload.items()
        if name in ENVELOPE or name == member
    }


def _time(payload: Mapping[str, object], message: Mapping[str, object]) -> Instant:
    """Return when the device was last heard, else when the message was received.

    Raises:
        Unreadable: `no-time`, `no-offset`, `malformed`.

    """
    seen = payload.get("last_seen")
    if seen is not None:
        return epoch_ms(seen) if type(seen) is int else instant_of(seen)
    if message.get("retain") is True or message.get("retained") is True:
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


def _property(
    member: str,
    payload: Mapping[str, object],
    device: DeviceClue,
    time: Instant | Unreadable,
    position: str,
) -> Reading:
    what = _never_stored(member, payload)
    if what is not None:
        return OutOfScope(position, what)
    kind, value, unit = _reading(member, payload)
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
    member: str, payload: Mapping[str, object]
) -> tuple[str, Decimal | int | str, str]:
    """Return kind, value and unit of a property.

    Raises:
        Unreadable: `unknown-kind`, `no-unit`, `invalid-value`.

    """
    value = payload[member]
    if member in QUANTITIES:
        kind, unit = QUANTITIES[member]
        return kind, _number(value, member, kind), unit
    if member in STATES:
        kind, true, false = STATES[member]
        if not isinstance(value, bool):
            raise Unreadable(
                Reason.INVALID_VALUE, f"{member} is not a truth value.", kind
            )
        return kind, true if value else false, ""
    if member == "voltage" and "battery" in payload:
        return "battery-voltage", _number(value, member, "battery-voltage"), "mV"
    if member in NO_UNIT:
        kind = NO_UNIT[member]
        detail = f"The message does not tell the unit of {member}."
        raise Unreadable(Reason.NO_UNIT, detail, kind)
    raise Unreadable(Reason.UNKNOWN_KIND, "The property is not one that is understood.")


def _number(value: object, member: str, kind: str) -> Decimal | int:
    if type(value) is int:
        return value
    try:
        return number(value)
    except Unreadable as error:
        detail = f"{member} is not a number."
        raise Unreadable(error.reason, detail, kind) from None
