"""Sleep: nights with their totals, and stretches of sleep with their state.

https://developer.withings.com/api-reference/#tag/sleep
"""

from collections.abc import Iterator, Mapping
from itertools import groupby
from types import MappingProxyType
from typing import Any, NamedTuple

from mappings.measurement import Component, Measurement, OutOfScope, Reading, Reason
from mappings.payload import HOUR_US, MINUTE_US, Unreadable, number
from mappings.records import UNNAMED, Record, may_be_measured
from mappings.times import Span, reading
from mappings.vendors.withings.shapes import (
    ASLEEP,
    NIGHT,
    SAME,
    SLEEP_SIGNALS,
    SLEEP_SIGNALS_OUT_OF_SCOPE,
    STATES,
    SUMMARY,
    TOTALS,
)
from mappings.vendors.withings.source import (
    Answer,
    device_of,
    id_of,
    instant_in,
    second_name,
    seconds_of,
    span_in,
    version_of,
    zone_for,
)

_MAX_GAP_US = HOUR_US
"""Stretches further apart are of two sessions."""

_OF_STRETCH = frozenset({"startdate", "enddate", "state", "model", "model_id"})


def night(members: Mapping[str, Any], answer: Answer) -> Iterator[Reading]:
    """Yield a night with its totals, and what was measured in it."""
    record = Record(members, SUMMARY, answer.position, answer.wrap)
    data = record.nested("data", NIGHT)
    older = [name for name, new in SAME.items() if data.members.get(new) is not None]
    doubled = [name for name in older if name in data.members]
    kept = {name: one for name, one in data.members.items() if name not in doubled}
    data = data._replace(members=MappingProxyType(kept))
    try:
        zone = zone_for(members, answer)
        span = span_in(members.get("startdate"), members.get("enddate"), zone)
        parts = data.components()
    except Unreadable as error:
        yield record.refusal(error.of("sleep-session"), data)
        return
    said = {
        "source_id": id_of(members, "id"),
        "device": device_of(members),
        "source_version": version_of(members),
    }
    if parts:
        yield reading(
            "sleep-session",
            None,
            "",
            span,
            answer.position,
            components=(*_asleep(kept), *parts),
            records=len(parts),
            **said,
        )
    yield from data.measured(span, **said)
    yield from data.left_over()
    for name in doubled:
        yield OutOfScope(f"{data.position}.{name}", "the same under an older name")


def _asleep(data: Mapping[str, Any]) -> Iterator[Component]:
    """Yield the time asleep where no total is given: the sum of the stages."""
    if any(data.get(name) is not None for name in TOTALS):
        return
    found = [one for name in ASLEEP if isinstance(one := data.get(name), int)]
    if len(found) > 1:
        yield Component("sleep-duration", sum(found), "s")


class _Stretch(NamedTuple):
    """A stretch of sleep of one state."""

    members: Mapping[str, Any]
    position: str
    span: Span
    stage: str


def stretches(records: list[tuple[Any, Answer]]) -> Iterator[Reading]:
    """Yield the sessions that stretches make, and the values taken in them."""
    found: list[_Stretch] = []
    for members, answer in records:
        try:
            stretch = _stretch(members, answer)
        except Unreadable as error:
            yield error.of("sleep-session").refusal(
                answer.position, answer.wrap(members)
            )
            continue
        if "state" in members:
            found.append(stretch)
        yield from _signals(stretch, answer)
    for session in _sessions(found):
        yield _session(session)


def _stretch(members: Mapping[str, Any], answer: Answer) -> _Stretch:
    """Return a stretch; one that is tried again may be without its state.

    Raises:
        Unreadable: `invalid-value` for an unknown state, `negative-interval`, and as
            `epoch_s`.

    """
    state = members.get("state", 0)
    if type(state) is not int or state not in STATES:
        raise Unreadable(Reason.INVALID_VALUE, "The state of sleep is not known.")
    zone = zone_for(members, answer)
    span = span_in(members.get("startdate"), members.get("enddate"), zone)
    if span.end is None or span.end.us < span.start.us:
        raise Unreadable(Reason.NEGATIVE_INTERVAL, "A stretch ends before it starts.")
    return _Stretch(members, answer.position, span, STATES[state])


def _sessions(found: list[_Stretch]) -> Iterator[list[_Stretch]]:
    """Yield the stretches of each device and session, in the order of time."""

    def device(one: _Stretch) -> str:
        return repr(device_of(one.members))

    for _, of_device in groupby(sorted(found, key=device), key=device):
        session: list[_Stretch] = []
        end_us = 0
        for one in sorted(of_device, key=lambda one: one.span.start.us):
            if session and one.span.start.us - end_us > _MAX_GAP_US:
                yield session
                session = []
            session.append(one)
            end_us = max(end_us, _end(one).us)
        yield session


def _end(stretch: _Stretch) -> Any:
    return stretch.span.end


def _session(session: list[_Stretch]) -> Measurement:
    first = session[0]
    last = max(session, key=lambda one: _end(one).us)
    return reading(
        "sleep-session",
        None,
        "",
        first.span._replace(end=last.span.end),
        first.position,
        components=tuple(_stages(session)),
        device=device_of(first.members),
        records=len(session),
    )


def _stages(session: list[_Stretch]) -> Iterator[Component]:
    """Yield the stages; what lies between two is unknown where it is over a minute."""
    start_us = session[0].span.start.us
    end_us = start_us
    for one in session:
        if one.span.start.us - end_us > MINUTE_US:
            offset_ms = (end_us - start_us) // 1000
            yield Component("sleep-stage", "unknown", offset_ms=offset_ms)
        offset_ms = (one.span.start.us - start_us) // 1000
        yield Component("sleep-stage", one.stage, offset_ms=offset_ms)
        end_us = max(end_us, _end(one).us)


def _signals(stretch: _Stretch, answer: Answer) -> Iterator[Reading]:
    """Yield the values that a stretch holds by second."""
    members = stretch.members
    for name, values in members.items():
        place = f"{stretch.position}.{name}"
        if name in SLEEP_SIGNALS_OUT_OF_SCOPE:
            count = len(values) if isinstance(values, Mapping) else 1
            yield OutOfScope(place, SLEEP_SIGNALS_OUT_OF_SCOPE[name], max(1, count))
        elif name in SLEEP_SIGNALS and isinstance(values, Mapping):
            for second, value in values.items():
                yield _value(name, second, value, stretch, answer)
        elif name not in _OF_STRETCH and may_be_measured(values):
            detail = "The member is not one that is understood."
            place = f"{stretch.position}.{UNNAMED}"
            yield Unreadable(Reason.UNKNOWN_KIND, detail).refusal(
                place, _alone(members, answer, name, values)
            )


def _value(
    name: str, second: str, value: object, stretch: _Stretch, answer: Answer
) -> Reading:
    kind, unit, method = SLEEP_SIGNALS[name]
    place = f"{stretch.position}.{name}.{second_name(second)}"
    try:
        zone = zone_for(stretch.members, answer)
        span = Span(instant_in(seconds_of(second), zone), None, stretch.span.zone)
        device = device_of(stretch.members)
        return reading(
            kind, number(value), unit, span, place, method=method, device=device
        )
    except Unreadable as error:
        kept = _alone(stretch.members, answer, name, {second: value})
        return error.of(kind).refusal(place, kept)


def _alone(
    members: Mapping[str, Any], answer: Answer, name: str, value: object
) -> dict[str, Any]:
    """Return an answer with a stretch that holds one member and has no state."""
    kept = {one: members[one] for one in members if one in _OF_STRETCH - {"state"}}
    return answer.wrap({**kept, name: value})
