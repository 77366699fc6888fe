"""What a measurement of a template is made of, once its template is compiled.

Most measurements have a value and nothing else of their own; they take the short way.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

from mappings.measurement import Component, Measurement, Reason, Samples
from mappings.payload import Instant, Unreadable
from mappings.templates.clues import Clue, Name
from mappings.templates.moment import When, shifted
from mappings.templates.number import word
from mappings.templates.scope import Get, Message, is_true
from mappings.templates.value import Value
from mappings.times import Span

Make = Callable[[Any, Message, str], Measurement | None]
"""Item, message, position → the measurement; None where the item has none.

Raises `Unreadable` where the item has one that is not understood.
"""


class Shared(NamedTuple):
    """What a measurement has beside its value; None: what its message has."""

    span: When | None
    device: Clue | None
    source_id: Name | None
    counts_ids: bool
    method: str | None
    self_reported: Get | None


def only(condition: Get, make: Make) -> Make:
    """Return what makes a measurement only where a condition holds."""

    def maybe(item: Any, message: Message, position: str) -> Measurement | None:
        if not is_true(condition(item, message)):
            return None
        return make(item, message, position)

    return maybe


def _span(shared: Shared, item: Any, message: Message) -> Span:
    if shared.span is not None:
        return shared.span(item, message)
    span = message.span
    if isinstance(span, Span):
        return span
    raise span or Unreadable(Reason.NO_TIME, "There is no time.")


class _Found(NamedTuple):
    """What a measurement says beyond what its message says."""

    kind: str
    value: Any
    unit: str
    components: tuple[Component, ...] = ()
    absent: str | None = None


def _measurement(
    found: _Found, shared: Shared, item: Any, message: Message, position: str
) -> Measurement:
    kind, value, unit, components, absent = found
    start, end, zone, is_disputed = _span(shared, item, message)
    device, reported = shared.device, shared.self_reported
    return Measurement(
        kind,
        value,
        unit,
        start.text,
        start.us,
        None if end is None else end.text,
        start.us if end is None else end.us,
        position,
        _source_id(shared, item, message, start.us),
        message.device if device is None else device(item, message),
        components,
        shared.method,
        absent,
        reported is not None and reported(item, message) is True,
        zone,
        1,
        message.patient,
        _DISPUTED if is_disputed else (),
    )


_DISPUTED = ("zone-disputed",)


def _source_id(
    shared: Shared, item: Any, message: Message, start_us: int
) -> str | None:
    """Return the source's own id; that of a message tells its items by their start."""
    if shared.source_id is not None:
        return shared.source_id(item, message)
    if shared.counts_ids and message.source_id is not None:
        return f"{message.source_id}#{start_us}"
    return message.source_id


def plain(value: Value, shared: Shared) -> Make:
    """Return what makes a measurement with a value and no components."""
    if shared._replace(method=None) == _NOTHING_OWN and not value.absent:
        return _plainest(value, shared.method)
    kind, get, read, unit, constant, absent = value
    kind_name = kind.name

    def make(item: Any, message: Message, position: str) -> Measurement | None:
        found = get(item, message)
        reason = absent.get(word(found)) if absent else None
        if reason is not None:
            return _measurement(
                _Found(kind_name, None, "", (), reason), shared, item, message, position
            )
        if found is None or found == "":
            return None
        return _measurement(
            _Found(
                kind_name,
                read(found),
                constant if unit is None else unit(item, message),
            ),
            shared,
            item,
            message,
            position,
        )

    return make


_NOTHING_OWN = Shared(
    None, None, None, counts_ids=False, method=None, self_reported=None
)


def _plainest(value: Value, method: str | None) -> Make:
    """Return the same for one that has only a value: most are, so it is quick."""
    kind, get, read, unit, constant, _ = value
    kind_name = kind.name

    def make(item: Any, message: Message, position: str) -> Measurement | None:
        found = get(item, message)
        if found is None or found == "":
            return None
        span = message.span
        if not isinstance(span, Span):
            raise span or Unreadable(Reason.NO_TIME, "There is no time.")
        start, end, zone, is_disputed = span
        us = start.us
        return Measurement(
            kind_name,
            read(found),
            constant if unit is None else unit(item, message),
            start.text,
            us,
            None if end is None else end.text,
            us if end is None else end.us,
            position,
            message.source_id,
            message.device,
            (),
            method,
            None,
            False,  # noqa: FBT003 - the order is that of Measurement
            zone,
            1,
            message.patient,
            _DISPUTED if is_disputed else (),
        )

    return make


def with_parts(value: Value, parts: tuple[Value, ...], shared: Shared) -> Make:
    """Return what makes a measurement with a value and components."""
    make = plain(value, shared)

    def whole(item: Any, message: Message, position: str) -> Measurement | None:
        measured = make(item, message, position)
        if measured is None:
            return None
        return measured._replace(components=_components(parts, item, message))

    return whole


def panel(kind: str, parts: tuple[Value, ...], shared: Shared) -> Make:
    """Return what makes a measurement of components alone."""

    def make(item: Any, message: Message, position: str) -> Measurement | None:
        components = _components(parts, item, message)
        if not components:
            return None
        return _measurement(
            _Found(kind, None, "", components), shared, item, message, position
        )

    return make


def lasting(make: Make) -> Make:
    """Return what makes a signal that ends with its last value, where nothing says."""

    def whole(item: Any, message: Message, position: str) -> Measurement | None:
        measured = make(item, message, position)
        if measured is None or measured.end is not None:
            return measured
        if not isinstance(measured.value, Samples):
            return measured
        period_ms, data, _, _ = measured.value
        start = Instant(measured.start, measured.start_us)
        end = shifted(start, int(len(data) * period_ms * 1000), measured.zone)
        return measured._replace(end=end.text, end_us=end.us)

    return whole


def session(kind: str, parts: tuple[Value, ...], shared: Shared) -> Make:
    """Return what makes a measurement that may have no components of its own."""

    def make(item: Any, message: Message, position: str) -> Measurement:
        components = _components(parts, item, message)
        return _measurement(
            _Found(kind, None, "", components), shared, item, message, position
        )

    return make


def _components(
    parts: tuple[Value, ...], item: Any, message: Message
) -> tuple[Component, ...]:
    found = (_component(part, item, message) for part in parts)
    return tuple(part for part in found if part is not None)


def _component(part: Value, item: Any, message: Message) -> Component | None:
    found = part.get(item, message)
    if part.absent:
        reason = part.absent.get(word(found))
        if reason is not None:
            return Component(part.kind.name, None, absent=reason)
    if found is None or found == "":
        return None
    unit = part.constant_unit if part.unit is None else part.unit(item, message)
    return Component(part.kind.name, part.read(found), unit)
