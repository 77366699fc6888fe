"""A refused part of a message, by the template as it is now."""

from collections.abc import Iterator, Mapping
from typing import Any

from mappings.measurement import OutOfScope, Reading, Reason, Refusal
from mappings.payload import Instant, Unreadable
from mappings.templates.accounted import unread
from mappings.templates.parts import PART, touches
from mappings.templates.reader import Reader
from mappings.templates.rule import Rule
from mappings.templates.scope import Message

PLACE = "$"
"""Where a part is: it is all that is left of its message."""


def again(
    reader: Reader, part: Any, received: Instant, zone: str | None
) -> Iterator[Reading]:
    """Yield what becomes of the content of a part."""
    if not isinstance(part, dict) or "message" not in part:
        detail = "The part is not one of this template."
        yield Refusal(PLACE, Reason.MALFORMED, None, detail, {PART: part})
        return
    body, entry = part["message"], part["message"]
    if isinstance(part.get("envelope"), dict):
        entry = {**part["envelope"], "payload": body}
    try:
        message = reader.opened(entry, received, zone)
    except Unreadable as error:
        yield error.refusal(PLACE, {PART: part})
        return
    reader.fill(message)
    found = [
        reading
        for rule in _rules(reader, part)
        for reading in _measured(reader, rule, part, message, entry)
    ]
    yield from found or (_unplaced(reader, part, message),)


def _rules(reader: Reader, part: Mapping[str, Any]) -> list[Rule]:
    if "member" in part:
        return [rule for rule in reader.rules if touches(rule, part["member"])]
    return [rule for rule in reader.rules if rule.kind == part.get("kind")]


def _measured(
    reader: Reader, rule: Rule, part: Mapping[str, Any], message: Message, entry: Any
) -> Iterator[Reading]:
    if rule.each is None:
        yield from _alone(reader, rule, message, entry)
    elif "item" in part:
        yield from reader.item(rule, part["item"], message, entry, PLACE)
    else:
        yield from reader.items(rule, message, entry, PLACE)


def _alone(
    reader: Reader, rule: Rule, message: Message, entry: Any
) -> Iterator[Reading]:
    try:
        reading = rule.make(message.body, message, PLACE)
    except Unreadable as error:
        yield reader.refused(error, rule, message, entry, PLACE)
        return
    if reading is not None:
        yield reading


def _unplaced(reader: Reader, part: Mapping[str, Any], message: Message) -> Reading:
    """Return what a part is that no measurement of the template reads now."""
    if "member" in part and not any(unread(message.body, reader.known)):
        return OutOfScope(PLACE, "member that is not stored")
    detail = "The template does not say what this member is."
    return Refusal(PLACE, Reason.UNKNOWN_KIND, None, detail, {PART: dict(part)})
