"""An MQTT message as a JSON object: `{topic, payload, received_at?, retain?}`.

So a subscriber hands on what it heard, one message or a list of them. The payload is
a JSON value, or JSON as text as MQTT carries it.

https://docs.oasis-open.org/mqtt/mqtt/v5.0/mqtt-v5.0.html
"""

from collections.abc import Mapping
from typing import TypeGuard

from conformance import fhir_json
from conformance.issues import FHIRError
from mappings.measurement import Reason
from mappings.payload import Instant, Unreadable, instant_of


def is_message(value: object) -> TypeGuard[dict[str, object]]:
    """Whether a JSON value is an MQTT message as a subscriber hands it on."""
    return (
        isinstance(value, dict)
        and type(value.get("topic")) is str
        and "payload" in value
    )


def payload_json(payload: object) -> object:
    """Return a message's payload as a JSON value; None for an empty one.

    Raises:
        Unreadable: `malformed` for a text that is not JSON.

    """
    if isinstance(payload, bytes):
        payload = payload.decode("utf-8", "replace")
    if not isinstance(payload, str):
        return payload
    if not payload.strip():
        return None
    try:
        return fhir_json.loads(payload.encode())
    except (FHIRError, UnicodeEncodeError):
        raise Unreadable(Reason.MALFORMED, "The payload is not JSON.") from None


def is_retained(message: Mapping[str, object]) -> bool:
    """Whether the broker repeated the message to a new subscriber."""
    return message.get("retain") is True or message.get("retained") is True


def heard_at(message: Mapping[str, object]) -> Instant:
    """Return when the subscriber heard a message that tells no time of its own.

    Raises:
        Unreadable: `no-time` for a retained message, which repeats an old one, and
            where `received_at` is missing; `no-offset`, `malformed`.

    """
    if is_retained(message):
        raise Unreadable(
            Reason.NO_TIME,
            "A retained message repeats an old one; it has no time of its own.",
        )
    received = message.get("received_at")
    if received is None:
        raise Unreadable(Reason.NO_TIME, "The message has no received_at.")
    return instant_of(received)
