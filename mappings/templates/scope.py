"""What an expression of a template looks at.

A text is evaluated on the item: the message, or one element of `each`. An object says
otherwise: `{"message": EXPRESSION}`, `{"topic": LEVEL}`, `{"constant": VALUE}`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from mappings.measurement import DeviceClue
from mappings.payload import Instant, Unreadable
from mappings.templates.expression import Expression, ExpressionError, Step, compiled
from mappings.templates.faults import Faults
from mappings.times import Span


@dataclass(kw_only=True, slots=True)
class Message:
    """One message, and what its measurements share.

    Attributes:
        body: What it holds.
        received: When the payload came.
        zone: IANA name of the zone of local times, where somebody has said so.
        levels: Of its MQTT topic.
        envelope: In which it came, where it has a topic: `topic`, `received_at`,
            `retain`.
        span: Of those measurements that have no time of their own; None until asked.
        device: Of those that have no device of their own.
        patient: Of all.
        source_id: Of those that have none of their own.

    """

    body: Any
    received: Instant
    zone: str | None = None
    levels: tuple[str, ...] = ()
    envelope: Mapping[str, Any] | None = None
    span: Span | Unreadable | None = None
    device: DeviceClue | None = None
    patient: str | None = None
    source_id: str | None = None


Get = Callable[[Any, Message], Any]
"""What an expression finds, given the item and its message."""


@dataclass(kw_only=True)
class Compiling:
    """What is said of a template while it is compiled.

    Attributes:
        faults: What is wrong with it.
        has_topic: Whether its messages have a topic.
        item: Paths that are read of the item.
        message: Paths that are read of the message, where that is another thing.

    """

    faults: Faults
    has_topic: bool = False
    item: list[tuple[Step, ...]] = field(default_factory=list)
    message: list[tuple[Step, ...]] = field(default_factory=list)

    def expression(self, text: str, pointer: str) -> Expression:
        """Return a compiled expression; a fault is recorded and finds nothing."""
        try:
            return compiled(text)
        except ExpressionError as error:
            self.faults.add(pointer, f"At character {error.column}: {error}")
            return _NOTHING

    def of_item(self, text: str, pointer: str) -> Get:
        """Return what an expression finds in the item."""
        find, _, reads = self.expression(text, pointer)
        self.item += reads
        return lambda item, _message: find(item)

    def get(self, wanted: str | Mapping[str, Any], pointer: str) -> Get:
        """Return what an expression, in any of its forms, finds."""
        if isinstance(wanted, str):
            return self.of_item(wanted, pointer)
        [(where, what)] = wanted.items()
        if where == "message":
            find, _, reads = self.expression(what, f"{pointer}/message")
            self.message += reads
            return lambda _item, message: find(message.body)
        if where == "topic":
            return self._level(what, pointer)
        return lambda _item, _message: what

    def _level(self, level: int, pointer: str) -> Get:
        if not self.has_topic:
            self.faults.add(pointer, "The template matches no topic.")

        def get(_item: Any, message: Message) -> str | None:
            levels = message.levels
            return levels[level] if level < len(levels) else None

        return get


_NOTHING = Expression(lambda _: None, (), ())


def short_text(value: Any) -> str | None:
    """Return a name or an identifier as a text; None for what is none.

    A number keeps its digits; a list, an object or a long text names nothing.
    """
    if type(value) is str:
        return value if 0 < len(value) <= MAX_NAME else None
    if type(value) is int:
        return str(value)
    return None


MAX_NAME = 256
"""Characters of a name or an identifier."""


def is_true(value: Any) -> bool:
    """Return whether JMESPath takes a value for true (§Or Expressions)."""
    return not (value is None or value is False or value in ("", [], {}))
