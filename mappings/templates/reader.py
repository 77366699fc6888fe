"""Messages → readings, by a compiled template; every one is accounted for.

What no expression reads is a refusal of its own: a sensor that grew a measurement is
seen, and the rest of its message is kept.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import Any

from conformance import fhir_json
from conformance.issues import FHIRError
from mappings.measurement import OutOfScope, Reading, Reason, Refusal
from mappings.payload import Instant, Unreadable, microseconds
from mappings.templates.accounted import MAX_UNREAD, Tree, told, unread
from mappings.templates.clues import Clue, Name
from mappings.templates.expression import Expression, Step
from mappings.templates.interpreter import MAX_ITEMS
from mappings.templates.moment import When
from mappings.templates.parts import (
    narrowed,
    of_item,
    of_member,
    of_message,
)
from mappings.templates.rule import Rule
from mappings.templates.scope import Get, Message, is_true
from mappings.templates.topic import matches
from mappings.times import written_at

BOM = "\ufeff"


@dataclass(frozen=True, kw_only=True, slots=True)
class Ignored:
    """A member that is recognised and never stored.

    Attributes:
        expression: Where it is.
        what: What the receipt calls it.

    """

    expression: Expression
    what: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Reader:
    """A compiled template, as messages need it.

    Attributes:
        is_text: A message on a topic is a bare text, not JSON.
        topic: Levels of the topic filter; None where messages have no topic.
        where: Whether a message is one of the template's.
        otherwise: What the others are; None: they are not understood.
        span: When a message was made, for measurements that do not say it.
        device: Of what device it tells.
        patient: The source's own name for the patient.
        source_id: The source's own id of the message.
        rules: The measurements.
        ignored: Members that are never stored.
        known: What is read or known of a message; None where that is all of it.

    """

    is_text: bool
    topic: tuple[str, ...] | None
    where: Get | None
    otherwise: str | None
    span: When | None
    device: Clue
    patient: Name
    source_id: Name
    rules: tuple[Rule, ...]
    ignored: tuple[Ignored, ...]
    known: Tree | None

    def parse(
        self, payload: Any, *, received_at: datetime, zone: str | None = None
    ) -> Iterator[Reading]:
        """Yield the readings of a message, or of a list of them.

        Args:
            payload: JSON; on a topic `{topic, payload, received_at, retain}`.
            received_at: When it came; a message's time only by the format `arrival`.
            zone: IANA name of the zone of local times.

        """
        received = written_at(microseconds(received_at))
        if isinstance(payload, list):
            for index, message in enumerate(payload):
                yield from self.entry(message, f"$[{index}]", received, zone)
        else:
            yield from self.entry(payload, "$", received, zone)

    def entry(
        self, entry: Any, position: str, received: Instant, zone: str | None
    ) -> Sequence[Reading]:
        """Return the readings of one message, in its envelope where it has one."""
        try:
            message = self.opened(entry, received, zone)
            is_ours = self.where is None or is_true(self.where(message.body, message))
        except Unreadable as error:
            return (error.refusal(position, entry),)
        if self.topic is not None:
            position = f"{position}.payload"
        if is_ours:
            return self._ours(message, entry, position)
        if self.otherwise is not None:
            return (OutOfScope(position, self.otherwise),)
        detail = "The message is not one of those that the template maps."
        return (Refusal(position, Reason.UNKNOWN_KIND, None, detail, entry),)

    def opened(self, entry: Any, received: Instant, zone: str | None) -> Message:
        """Return the message of an entry.

        Raises:
            Unreadable: `malformed`, `unknown-kind`.

        """
        if self.topic is None:
            return Message(body=entry, received=received, zone=zone)
        if not isinstance(entry, dict) or not isinstance(entry.get("topic"), str):
            raise Unreadable(
                Reason.MALFORMED, "A message is an object with topic and payload."
            )
        levels = tuple(entry["topic"].split("/"))
        if not matches(self.topic, levels):
            raise Unreadable(
                Reason.UNKNOWN_KIND, "The topic is not one that the template names."
            )
        return Message(
            body=self._body(entry.get("payload")),
            received=received,
            zone=zone,
            levels=levels,
            envelope=entry,
        )

    def _body(self, payload: Any) -> Any:
        if isinstance(payload, bytes):
            payload = payload.decode("utf-8", "replace")
        if self.is_text or not isinstance(payload, str):
            return payload
        if not payload.strip():
            return None
        try:
            return fhir_json.loads_foreign(payload.removeprefix(BOM).encode())
        except (FHIRError, UnicodeEncodeError):
            raise Unreadable(Reason.MALFORMED, "The payload is not JSON.") from None

    def _ours(self, message: Message, entry: Any, position: str) -> Sequence[Reading]:
        self.fill(message)
        found: list[Reading] = []
        body = message.body
        for rule in self.rules:
            _, place, each, _, make = rule
            if each is not None:
                found += self.items(rule, message, entry, position)
                continue
            try:
                reading = make(body, message, position + place)
            except Unreadable as error:
                at = position + place
                found.append(self.refused(error, rule, message, entry, at))
            else:
                if reading is not None:
                    found.append(reading)
        if self.ignored:
            found += self._never_stored(body, position)
        if not _is_known(body, self.known):
            found += self._rest(message, entry, position)
        return found or (self._nothing(body, entry, position),)

    def refused(
        self,
        error: Unreadable,
        rule: Rule,
        message: Message,
        entry: Any,
        position: str,
    ) -> Refusal:
        """Return the refusal of a measurement of a message."""
        part = of_message(self._envelope(entry), message.body, rule.kind)
        return error.of(rule.kind).refusal(position, part)

    def fill(self, message: Message) -> None:
        """Find what the message says for all its measurements."""
        body = message.body
        message.device = self.device(body, message)
        message.patient = self.patient(body, message)
        message.source_id = self.source_id(body, message)
        if self.span is None:
            return
        try:
            message.span = self.span(body, message)
        except Unreadable as error:
            message.span = error

    def items(
        self, rule: Rule, message: Message, entry: Any, position: str
    ) -> Iterator[Reading]:
        """Yield what becomes of each element of which a measurement is made."""
        each = rule.each
        if each is None:
            return
        try:
            found = each.find(message.body)
        except Unreadable as error:
            yield self.refused(error, rule, message, entry, position)
            return
        items = _list(found)
        place = position + (".each" if each.path is None else told(each.path))
        for index, item in enumerate(items[:MAX_ITEMS]):
            at = f"{place}[{index}]{rule.place}"
            yield from self.item(rule, item, message, entry, at)
        if len(items) > MAX_ITEMS:
            detail = f"One message has more than {MAX_ITEMS:,} of a measurement."
            rest = len(items) - MAX_ITEMS
            yield Refusal(place, Reason.MALFORMED, rule.kind, detail, None, rest)

    def item(
        self, rule: Rule, item: Any, message: Message, entry: Any, position: str
    ) -> Iterator[Reading]:
        """Yield what becomes of one element, which may hold nothing."""
        try:
            reading = rule.make(item, message, position)
        except Unreadable as error:
            part = of_item(self._envelope(entry), message.body, rule, item)
            yield error.of(rule.kind).refusal(position, part)
            return
        if reading is not None:
            yield reading

    def _never_stored(self, body: Any, position: str) -> Iterator[Reading]:
        for ignored in self.ignored:
            if ignored.expression.find(body) not in (None, ""):
                place = position + told(ignored.expression.path or ())
                yield OutOfScope(place, ignored.what)

    def _rest(self, message: Message, entry: Any, position: str) -> Iterator[Reading]:
        """Yield what no expression reads."""
        paths = unread(message.body, self.known)
        for path in islice(paths, MAX_UNREAD):
            yield self._unread(message, entry, position, path)
        further = sum(1 for _ in paths)
        if further:
            detail = f"More than {MAX_UNREAD:,} members are not in the template."
            yield Refusal(position, Reason.UNKNOWN_KIND, None, detail, None, further)

    def _unread(
        self, message: Message, entry: Any, position: str, path: tuple[Step, ...]
    ) -> Refusal:
        part = of_member(self._envelope(entry), narrowed(message.body, path), path)
        detail = "The template does not say what this member is."
        return Refusal(position + told(path), Reason.UNKNOWN_KIND, None, detail, part)

    def _nothing(self, body: Any, entry: Any, position: str) -> Reading:
        if self.known is not None and (body is None or isinstance(body, dict)):
            return OutOfScope(position, "message without a value")
        detail = "The message holds none of the template's measurements."
        return Refusal(position, Reason.UNKNOWN_KIND, None, detail, entry)

    def _envelope(self, entry: Any) -> Mapping[str, Any] | None:
        if self.topic is None or not isinstance(entry, dict):
            return None
        return {name: value for name, value in entry.items() if name != "payload"}


def _list(found: Any) -> Sequence[Any]:
    if found is None:
        return ()
    return found if isinstance(found, list) else (found,)


def _is_known(body: Any, known: Tree | None) -> bool:
    """Return quickly whether a flat message holds nothing that is not known."""
    if known is None:
        return True
    if type(body) is not dict:
        return False
    for name in body:  # noqa: SIM110 - a generator takes three times as long
        if name not in known or known[name] is not None:
            return False
    return True
