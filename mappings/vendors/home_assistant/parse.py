"""Home Assistant's MQTT messages to readings.

https://www.home-assistant.io/integrations/mqtt_statestream/
"""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from functools import lru_cache
from typing import NamedTuple

from mappings.measurement import (
    DeviceClue,
    Measurement,
    OutOfScope,
    Reading,
    Reason,
    Refusal,
)
from mappings.mqtt_message import heard_at, is_message
from mappings.payload import Instant, Unreadable, instant_of
from mappings.vendors.home_assistant import discovery
from mappings.vendors.home_assistant.classes import COMPONENTS, DOMAINS_OUT_OF_SCOPE
from mappings.vendors.home_assistant.discovery import Found
from mappings.vendors.home_assistant.entity import (
    ENTITY_ID,
    MAX_TEXT,
    Aside,
    Entity,
    plain,
    text_of,
    value_of,
)

_DESCRIBING = ("device_class", "unit_of_measurement")
_AVAILABILITY = ("/availability", "/status")
_STREAM = len(("base", "domain", "entity", "attribute"))


def parse(
    payload: object,
    *,
    received_at: datetime,  # noqa: ARG001 - every source's parser takes it
    zone: str | None = None,  # noqa: ARG001 - a time names its own offset
) -> Iterator[Reading]:
    """Yield the readings of a message, or of a list of messages.

    Args:
        payload: `{topic, payload, received_at?, retain?}` or a list of them. What one
            message of a list tells of an entity holds for all of the list.
        received_at: When the payload arrived here. It never stands in for a message's
            own time: the message may have waited on its way.
        zone: Times are in UTC.

    """
    listed = payload if isinstance(payload, list) else [payload]
    places = (
        [f"$[{index}]" for index in range(len(listed))]
        if isinstance(payload, list)
        else ["$"]
    )
    book = _Book(listed)
    for index, (message, place) in enumerate(zip(listed, places, strict=True)):
        if is_message(message):
            yield from _message(message, index, book, place)
        else:
            detail = "A message has a topic and a payload."
            yield Refusal(place, Reason.MALFORMED, None, detail, message)


class _Stream(NamedTuple):
    """A topic of the state stream, taken apart.

    Attributes:
        key: The entity among all homes.
        domain: Its domain, such as `sensor`.
        attribute: `state`, or the name of an attribute.
        device: The unit that it stands for.

    """

    key: str
    domain: str
    attribute: str
    device: DeviceClue


@lru_cache(maxsize=4096)
def _stream(topic: str) -> _Stream | None:
    segments = topic.split("/")
    if len(segments) < _STREAM or segments[-3] not in COMPONENTS:
        return None
    domain, entity, attribute = segments[-3:]
    key = f"{'/'.join(segments[:-3])}/{domain}.{entity}"[:MAX_TEXT]
    return _Stream(key, domain, attribute, DeviceClue(key, ENTITY_ID))


class _Book:
    """What the messages of one payload tell of entities, wherever they stand."""

    def __init__(self, messages: list[object]) -> None:
        self.by_state: dict[str, list[Found]] = {}
        self.availability: set[str] = set()
        self.attributes: dict[str, dict[str, str]] = {}
        self.updated: dict[int, object] = {}
        self._waiting: dict[str, int] = {}
        for index, message in enumerate(messages):
            if is_message(message):
                self._learn(index, message)

    def _learn(self, index: int, message: Mapping[str, object]) -> None:
        topic = str(message["topic"])
        if discovery.is_config(topic):
            for one in discovery.found_in(topic, plain(message["payload"])):
                self.by_state.setdefault(one.state_topic, []).append(one)
                self.availability.add(one.availability_topic)
            return
        stream = _stream(topic)
        if stream is not None:
            self._learn_stream(index, stream, message["payload"])

    def _learn_stream(self, index: int, stream: _Stream, payload: object) -> None:
        """Remember an attribute; the time that follows a state is the state's."""
        if stream.attribute == "state":
            self._waiting[stream.key] = index
        elif stream.attribute == "last_updated":
            state = self._waiting.pop(stream.key, None)
            if state is not None:
                self.updated[state] = plain(payload)
        elif stream.attribute in _DESCRIBING:
            told = text_of(plain(payload))
            if told is not None:
                self.attributes.setdefault(stream.key, {})[stream.attribute] = told


def _message(
    message: Mapping[str, object], index: int, book: _Book, place: str
) -> Iterable[Reading]:
    topic = str(message["topic"])
    found = _described(message) or book.by_state.get(topic, _NOBODY)
    if len(found) > discovery.MAX_ENTITIES:
        detail = "More entities have this topic than a device describes."
        return (Refusal(place, Reason.MALFORMED, None, detail, message),)
    if found and topic:
        return [_discovered(one, message, f"{place}.payload") for one in found]
    if discovery.is_config(topic):
        return (_config(message, place),)
    if topic in book.availability or topic.endswith(_AVAILABILITY):
        return (OutOfScope(place, "availability"),)
    stream = _stream(topic)
    if stream is not None:
        return (_streamed(stream, message, index, book, f"{place}.payload"),)
    detail = "No discovery message of the payload tells what the topic is."
    return (Refusal(place, Reason.UNKNOWN_KIND, None, detail, message),)


_NOBODY: list[Found] = []


def _described(message: Mapping[str, object]) -> list[Found]:
    """Return the entity that a message describes beside its payload."""
    config = message.get("config")
    if config is None or not isinstance(config, Mapping):
        return _NOBODY
    fallback = text_of(config.get("entity")) or str(message["topic"])[:MAX_TEXT]
    component = text_of(config.get("platform")) or ""
    return [discovery.found(component, config, fallback)]


def _config(message: Mapping[str, object], place: str) -> Reading:
    if isinstance(plain(message["payload"]), Mapping) or not message["payload"]:
        return OutOfScope(place, "device description")
    detail = "A discovery message is a JSON object."
    return Refusal(place, Reason.MALFORMED, None, detail, message)


def _discovered(one: Found, message: Mapping[str, object], place: str) -> Reading:
    place = ".".join((place, *one.path))
    kept = {**message, "config": one.config}
    try:
        state = discovery.taken(one, plain(message["payload"]))
        return _reading(one.entity, state, message, None, place)
    except Unreadable as error:
        return error.refusal(place, kept)


def _streamed(
    stream: _Stream,
    message: Mapping[str, object],
    index: int,
    book: _Book,
    place: str,
) -> Reading:
    what = DOMAINS_OUT_OF_SCOPE.get(stream.domain)
    if what is not None:
        return OutOfScope(place, what)
    if stream.attribute != "state":
        return OutOfScope(place, "attribute of an entity")
    beside = message if (known := book.attributes.get(stream.key)) is None else known
    updated = book.updated.get(index, message.get("last_updated"))
    told = [
        text_of(beside.get(name)) or text_of(message.get(name)) for name in _DESCRIBING
    ]
    device_class, unit = told
    entity = Entity(stream.domain, stream.device, device_class, unit)
    try:
        return _reading(entity, plain(message["payload"]), message, updated, place)
    except Unreadable as error:
        kept = {
            name: value
            for name, value in zip(_DESCRIBING, told, strict=True)
            if value is not None
        }
        if updated is not None:
            kept["last_updated"] = str(updated)
        return error.refusal(place, {**message, **kept})


def _reading(
    entity: Entity,
    state: object,
    message: Mapping[str, object],
    updated: object,
    place: str,
) -> Reading:
    """Return the reading of a state.

    Raises:
        Unreadable: for what is not understood.

    """
    try:
        kind, value, unit, method = value_of(entity, state)
    except Aside as aside:
        return OutOfScope(place, str(aside))
    time = _time(message, updated, kind)
    return Measurement(
        kind,
        value,
        unit,
        time.text,
        time.us,
        None,
        time.us,
        place,
        None,
        entity.device,
        (),
        method,
    )


def _time(message: Mapping[str, object], updated: object, kind: str) -> Instant:
    """Return when the state was written, else when the message was heard."""
    try:
        return heard_at(message) if updated is None else instant_of(updated)
    except Unreadable as error:
        raise error.of(kind) from None
