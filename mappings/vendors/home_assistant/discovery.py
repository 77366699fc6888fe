"""Discovery messages: which topic carries whose state, and how it is taken out.

https://www.home-assistant.io/integrations/mqtt/#mqtt-discovery
"""

import re
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from mappings.measurement import Reason
from mappings.payload import Unreadable
from mappings.vendors.home_assistant.classes import COMPONENTS
from mappings.vendors.home_assistant.entity import (
    ENTITY_ID,
    UNIQUE_ID,
    Entity,
    clue_of,
    text_of,
    word_of,
)

_ABBREVIATIONS = {
    "avty_t": "availability_topic",
    "cmps": "components",
    "dev": "device",
    "dev_cla": "device_class",
    "p": "platform",
    "pl_off": "payload_off",
    "pl_on": "payload_on",
    "stat_t": "state_topic",
    "uniq_id": "unique_id",
    "unit_of_meas": "unit_of_measurement",
    "val_tpl": "value_template",
}
_TOPICS = ("state_topic", "availability_topic")

_TEMPLATE = re.compile(
    r"\s*\{\{-?\s*value(?P<path>_json(?:\.[A-Za-z_][A-Za-z0-9_]*"
    r"|\[(?:'[^'\]]{1,64}'|\"[^\"\]]{1,64}\")\])+)?\s*-?\}\}\s*"
)
_MEMBER = re.compile(r"\.([A-Za-z_][A-Za-z0-9_]*)|\[['\"]([^'\"]+)['\"]\]")

MAX_ENTITIES = 200
"""Entities that one device describes, or that one topic holds; a device has tens."""

Path = tuple[str, ...]


class Found(NamedTuple):
    """An entity that a discovery message describes.

    Attributes:
        entity: What it is.
        state_topic: Where its states are; empty where it has none.
        availability_topic: Where it is told whether it answers; or empty.
        path: Members that lead to its state; none for the payload itself.
        template: The template, where it is not one that is understood.
        config: The description, to be kept for a retry.

    """

    entity: Entity
    state_topic: str
    availability_topic: str
    path: Path
    template: str | None
    config: Mapping[str, object]


def is_config(topic: str) -> bool:
    """Whether a topic is of discovery: `…/sensor/[node/]object/config`."""
    return topic.endswith("/config") and _component_at(topic.split("/")) is not None


def _component_at(segments: list[str]) -> int | None:
    """Return which segment from the end names the component; None where none does."""
    return next(
        (at for at in (3, 4) if len(segments) > at and segments[-at] in _DESCRIBED),
        None,
    )


_DESCRIBED = COMPONENTS | {"device"}


def found_in(topic: str, config: object) -> Iterator[Found]:
    """Yield the entities that a discovery message describes."""
    segments = topic.split("/")
    at = _component_at(segments)
    if at is None or not isinstance(config, Mapping):
        return
    component, name = segments[-at], "/".join(segments[1 - at : -1])
    base = "/".join(segments[:-at])
    whole = _expanded(config)
    parts = whole.get("components")
    if component != "device":
        yield found(component, whole, f"{base}/{component}.{name}")
    if not isinstance(parts, Mapping) or len(parts) > MAX_ENTITIES:
        return
    for key, part in parts.items():
        if isinstance(part, Mapping):
            one = {**whole, **_expanded(part)}
            del one["components"]
            platform = word_of(one.get("platform"))
            yield found(platform, one, f"{base}/{platform}.{key}")


def found(component: str, config: Mapping[str, object], fallback: str) -> Found:
    """Return the entity that an expanded description is of."""
    unique = text_of(config.get("unique_id"))
    block = config.get("device")
    if unique is not None:
        device = clue_of(unique, UNIQUE_ID, block)
    else:
        device = clue_of(fallback, ENTITY_ID, block)
    path, template = _path(config.get("value_template"))
    return Found(
        Entity(
            component,
            device,
            text_of(config.get("device_class")),
            text_of(config.get("unit_of_measurement")),
            word_of(config.get("payload_on", "ON")),
            word_of(config.get("payload_off", "OFF")),
        ),
        text_of(config.get("state_topic")) or "",
        text_of(config.get("availability_topic")) or "",
        path,
        template,
        _kept(component, config, device.identifier or fallback),
    )


def _kept(
    component: str, config: Mapping[str, object], identifier: str
) -> dict[str, object]:
    """Return what a retry needs of a description, without names and addresses."""
    kept = {
        name: config[name]
        for name in (
            *("device_class", "unit_of_measurement", "value_template"),
            *("payload_on", "payload_off", "unique_id", "state_topic"),
        )
        if name in config
    }
    return {**kept, "platform": component, "entity": identifier}


def _expanded(config: Mapping[str, object]) -> dict[str, object]:
    """Return a description with its abbreviations and `~` written out."""
    base = text_of(config.get("~"))
    whole = {_ABBREVIATIONS.get(name, name): value for name, value in config.items()}
    for name in _TOPICS:
        topic = whole.get(name)
        if base is None or not isinstance(topic, str):
            continue
        if topic.startswith("~"):
            whole[name] = base + topic[1:]
        elif topic.endswith("~"):
            whole[name] = topic[:-1] + base
    return whole


def _path(template: object) -> tuple[Path, str | None]:
    if template is None:
        return (), None
    found = _TEMPLATE.fullmatch(template) if isinstance(template, str) else None
    if found is None:
        return (), word_of(template)
    return tuple(
        plain or quoted for plain, quoted in _MEMBER.findall(found["path"] or "")
    ), None


def taken(one: Found, payload: object) -> object:
    """Return the state that a payload holds for an entity.

    Raises:
        Unreadable: `unknown-kind` for a template that computes, `malformed` for a
            payload without the members that it names.

    """
    if one.template is not None:
        detail = "The value_template is not one that is understood."
        raise Unreadable(Reason.UNKNOWN_KIND, detail)
    for member in one.path:
        if not isinstance(payload, Mapping) or member not in payload:
            detail = "The payload has not the members that value_template names."
            raise Unreadable(Reason.MALFORMED, detail)
        payload = payload[member]
    return payload
