"""Records whose members are measurements: what each member is, and what is left over.

A vendor's table says of each member whether it is stored, part of something stored,
context, or never stored. A member that no table knows is refused where it may be a
measurement; a text or a truth value that none knows is metadata.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

from mappings.measurement import Component, OutOfScope, Reading, Reason, Refusal
from mappings.payload import Instant, Unreadable, instant, instant_of, number
from mappings.times import Span, reading

NO_VALUE = "property without a value"

UNNAMED = "?"
"""In a position, for a name that no table has: it may be a person's, and of any length.
The part that is kept tells it."""

_NOTHING: Mapping[str, Any] = MappingProxyType({})

_YEARS = re.compile(r"2[01][0-9]{2}-")
"""Years in which a source can have measured; others would leave the calendar."""

_DETAIL = "The member is not one that is understood."


class Field(NamedTuple):
    """What a member of a record is.

    Attributes:
        kind: Row of kinds.csv.
        unit: UCUM code of the value's unit.
        method: How the source comes by the value, where that is known.

    """

    kind: str
    unit: str
    method: str | None = None


class Shape(NamedTuple):
    """What the members of a type of record are.

    Attributes:
        fields: Members that are measurements of their own.
        parts: Members that are components of the record's session.
        context: Members that say of what, when and by what; read or left aside.
        out_of_scope: Members that are known and never stored, and what they are.
        nested: Members that are records themselves.

    """

    fields: Mapping[str, Field] = _NOTHING
    parts: Mapping[str, Field] = _NOTHING
    context: frozenset[str] = frozenset()
    out_of_scope: Mapping[str, str] = _NOTHING
    nested: frozenset[str] = frozenset()


class Record(NamedTuple):
    """One record of a payload.

    Attributes:
        members: Its members.
        shape: What they are.
        position: Where in the payload.
        wrap: Makes of a record a payload that the vendor's parser takes.

    """

    members: Mapping[str, Any]
    shape: Shape
    position: str
    wrap: Callable[[Mapping[str, Any]], Any]

    def kept(self, *names: str) -> Any:
        """Return a payload with the context and these members alone."""
        members = self.members
        return self.wrap(self._context() | {name: members[name] for name in names})

    def _context(self) -> dict[str, Any]:
        return {
            name: value
            for name, value in self.members.items()
            if name in self.shape.context
        }

    def nested(self, name: str, shape: Shape) -> "Record":
        """Return a member that is a record itself; without members if it is none."""
        members = self.members.get(name)
        return Record(
            members if isinstance(members, Mapping) else _NOTHING,
            shape,
            f"{self.position}.{name}",
            lambda inner: self.wrap(self._context() | {name: inner}),
        )

    def refusal(self, error: Unreadable, *nested: "Record") -> Refusal:
        """Return the refusal of the whole record, what is nested in it included."""
        count = self.stored() + sum(one.stored() for one in nested)
        return error.refusal(self.position, self.wrap(self.members), max(1, count))

    def stored(self) -> int:
        """Return how many members would be stored."""
        fields, parts = self.shape.fields, self.shape.parts
        return sum(name in fields or name in parts for name in self.members)

    def measured(self, span: Span, **more: Any) -> Iterator[Reading]:
        """Yield a measurement of each of the shape's fields, taken at `span`."""
        said = more.pop("method", None)
        fields, position = self.shape.fields, self.position
        for name, value in self.members.items():
            field = fields.get(name)
            if field is None:
                continue
            kind, unit, method = field
            place = f"{position}.{name}"
            if value is None:
                yield OutOfScope(place, NO_VALUE)
                continue
            try:
                yield reading(
                    kind,
                    number(value),
                    unit,
                    span,
                    place,
                    method=method or said,
                    **more,
                )
            except Unreadable as error:
                yield error.of(kind).refusal(place, self.kept(name))

    def components(self) -> tuple[Component, ...]:
        """Return the shape's parts that have a value.

        Raises:
            Unreadable: `invalid-value` for a part that is no number.

        """
        return tuple(
            self._component(field, self.members[name])
            for name, field in self.shape.parts.items()
            if self.members.get(name) is not None
        )

    @staticmethod
    def _component(field: Field, value: object) -> Component:
        try:
            return Component(field.kind, number(value), field.unit)
        except Unreadable as error:
            raise error.of(field.kind) from None

    def left_over(self) -> Iterator[Reading]:
        """Yield what is never stored, what is null, and what is not understood."""
        fields, parts, context, out_of_scope, nested = self.shape
        for name, value in self.members.items():
            if name in fields or name in context or name in nested:
                continue
            place = f"{self.position}.{name}"
            if name in out_of_scope:
                yield OutOfScope(place, out_of_scope[name])
            elif name in parts:
                if value is None:
                    yield OutOfScope(place, NO_VALUE)
            elif may_be_measured(value):
                place = f"{self.position}.{UNNAMED}"
                yield Refusal(
                    place, Reason.UNKNOWN_KIND, None, _DETAIL, self.kept(name)
                )


def moment(value: object) -> Instant:
    """Return the moment that a JSON value names.

    Raises:
        Unreadable: `malformed` for another year than 2000 to 2199, and as `instant_of`.

    """
    found = _with_fraction(value) or instant_of(value)
    if not _YEARS.match(found.text):
        raise Unreadable(Reason.MALFORMED, "The year is not one of 2000 to 2199.")
    return found


def _with_fraction(value: object) -> Instant | None:
    """Return the moment that `2020-02-05T07:25:00.120Z` names; None for others."""
    if not isinstance(value, str) or value[19:20] != ".":
        return None
    offset = value[20:].lstrip("0123456789")
    fraction = value[20 : len(value) - len(offset)]
    if not fraction or offset[:1] not in _OFFSET_STARTS:
        return None
    text, us = instant(value[:19] + offset)
    return Instant(
        f"{text[:19]}.{fraction}{text[19:]}", us + int(fraction[:6].ljust(6, "0"))
    )


_OFFSET_STARTS = frozenset("Zz+- ")


def day_text(value: object) -> str:
    """Return the text of a day, which may still be none.

    Raises:
        Unreadable: `no-time` for null, `malformed` for another year than 2000 to 2199.

    """
    if isinstance(value, str) and _YEARS.match(value):
        return value
    reason = Reason.NO_TIME if value is None else Reason.MALFORMED
    raise Unreadable(reason, "There is no day of the years 2000 to 2199.")


def may_be_measured(value: object) -> bool:
    """Whether an unknown member may be a measurement: a number, a list, an object."""
    return value is not None and not isinstance(value, str | bool)


class Found(NamedTuple):
    """A record where it was found.

    Attributes:
        name: What the payload calls its type; None where it does not.
        record: The record, or what stands in its place.
        position: Where in the payload.

    """

    name: str | None
    record: Any
    position: str


def found_in(payload: object, lists: Mapping[str, str | None]) -> Iterator[Found]:
    """Yield the records of a payload: one, a list of them, or an answer with lists.

    Args:
        payload: What came; an answer may stand in a member `input`.
        lists: Names of members that are lists of records, and the type of the records;
            None where the answer names it in `data_type`.

    """
    if isinstance(payload, list):
        for index, one in enumerate(payload):
            yield from _answer(one, f"$[{index}]", lists)
    elif isinstance(payload, Mapping) and isinstance(payload.get("input"), Mapping):
        yield from _answer(payload["input"], "$.input", lists)
    else:
        yield from _answer(payload, "$", lists)


def _answer(
    payload: object, position: str, lists: Mapping[str, str | None]
) -> Iterator[Found]:
    members = payload if isinstance(payload, Mapping) else _NOTHING
    names = [name for name in lists if isinstance(members.get(name), list)]
    for name in names:
        called = lists[name] or members.get("data_type")
        for index, record in enumerate(members[name]):
            yield Found(
                called if isinstance(called, str) else None,
                record,
                f"{position}.{name}[{index}]",
            )
    if not names:
        yield Found(None, payload, position)
