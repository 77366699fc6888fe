"""Withings' answers to readings.

https://developer.withings.com/api-reference
"""

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Any

from mappings.measurement import OutOfScope, Reading, Reason, Refusal
from mappings.payload import Unreadable
from mappings.times import Span, reading
from mappings.vendors.withings import activity, measures, sleep
from mappings.vendors.withings.source import Answer, device_of, instant_in, zone_for
from mappings.vendors.withings.types import BATTERY

_OUT_OF_SCOPE = MappingProxyType(
    {"goals": "goal", "profiles": "notification settings", "callbackurl": "settings"}
)
"""Members of a body that is never stored, and what it is."""


def parse(
    payload: object,
    *,
    received_at: datetime,  # noqa: ARG001 - every source's parser takes it
    zone: str | None = None,
) -> Iterator[Reading]:
    """Yield the readings of an answer, of a list of answers, or of bare records.

    Args:
        payload: `{status, body}`, a body, a list of records as a body holds them, or
            a notification.
        received_at: It never stands in for a record's own time.
        zone: IANA name of the zone where neither record nor answer names one.

    """
    if isinstance(payload, list):
        yield from _items(payload, "$", "", zone)
    else:
        yield from _answer(payload, "$", zone)


def _answer(payload: object, position: str, zone: str | None) -> Iterator[Reading]:
    if not isinstance(payload, Mapping):
        detail = "An answer is a JSON object."
        yield Refusal(position, Reason.MALFORMED, None, detail, payload)
        return
    if "appli" in payload and "userid" in payload:
        yield OutOfScope(position, "notification")
    elif payload.get("status", 0) != 0:
        yield OutOfScope(position, "answer that reports an error")
    elif isinstance(payload.get("body"), Mapping):
        yield from _body(payload["body"], f"{position}.body", zone)
    else:
        yield from _body(payload, position, zone)


def _body(
    body: Mapping[str, Any], position: str, zone: str | None
) -> Iterator[Reading]:
    named = body.get("timezone")
    zone = named if isinstance(named, str) and named else zone
    lists = [name for name in _LISTS if name in body]
    for name in lists:
        value, place = body[name], f"{position}.{name}"
        if isinstance(value, list):
            yield from _items(value, place, name, zone)
        elif isinstance(value, Mapping) and name == "series":
            yield from activity.course(value, Answer(name, zone, position))
        else:
            detail = f"{name} is not a list."
            yield Refusal(place, Reason.MALFORMED, None, detail, body)
    if not lists:
        yield _without_list(body, position)


_LISTS = ("measuregrps", "activities", "series", "devices")


def _without_list(body: Mapping[str, Any], position: str) -> Reading:
    for name, what in _OUT_OF_SCOPE.items():
        if name in body:
            return OutOfScope(f"{position}.{name}", what)
    if not body:
        return OutOfScope(position, "answer without data")
    detail = "The answer holds no list that is understood."
    return Refusal(position, Reason.UNKNOWN_KIND, None, detail, body)


def _items(
    items: list[Any], position: str, name: str, zone: str | None
) -> Iterator[Reading]:
    stretches: list[tuple[Any, Answer]] = []
    for index, item in enumerate(items):
        place = f"{position}[{index}]"
        if not isinstance(item, Mapping):
            detail = "A record is a JSON object."
            yield Refusal(place, Reason.MALFORMED, None, detail, item)
            continue
        type_ = _type_of(item)
        if type_ == "answer":
            yield from _answer(item, place, zone)
            continue
        answer = Answer(name or _NAMES.get(type_, ""), zone, place)
        if type_ == "stretch":
            stretches.append((item, answer))
        elif type_ in _READERS:
            yield from _READERS[type_](item, answer)
        else:
            detail = "The type of record is not one that is understood."
            wrapped = answer.wrap(item) if answer.name else item
            yield Refusal(place, Reason.UNKNOWN_KIND, None, detail, wrapped)
    yield from sleep.stretches(stretches)


_MARKS = (
    ("answer", frozenset({"status", "body"})),
    ("answer", frozenset({"userid", "appli"})),
    ("group", frozenset({"measures"})),
    ("stretch", frozenset({"startdate", "state"})),
    ("workout", frozenset({"startdate", "category", "data"})),
    ("night", frozenset({"startdate", "data"})),
    ("stretch", frozenset({"startdate", "enddate"})),
    ("device", frozenset({"battery"})),
    ("day", frozenset({"date", "steps"})),
    ("day", frozenset({"date", "timezone"})),
)
"""Members that only a type of record has, the more telling first."""

_NAMES = MappingProxyType(
    {
        "group": "measuregrps",
        "stretch": "series",
        "workout": "series",
        "night": "series",
        "device": "devices",
        "day": "activities",
    }
)


def _type_of(members: Mapping[str, Any]) -> str:
    return next((kind for kind, marks in _MARKS if marks <= members.keys()), "")


def _device(members: Mapping[str, Any], answer: Answer) -> Iterator[Reading]:
    """Yield whether a device's battery was low when it last reported."""
    word, place = members.get("battery"), f"{answer.position}.battery"
    if not isinstance(word, str) or word not in BATTERY:
        yield OutOfScope(place, "battery of unknown state")
        return
    zone = zone_for(members, answer)
    try:
        span = Span(
            instant_in(members.get("last_session_date"), zone),
            None,
            None if zone is None else zone.key,
        )
    except Unreadable as error:
        yield error.of("battery-low").refusal(place, answer.wrap(members))
        return
    device = device_of(members)
    yield reading("battery-low", BATTERY[word], "", span, place, device=device)


_Reader = Callable[[Mapping[str, Any], Answer], Iterator[Reading]]

_READERS: Mapping[str, _Reader] = MappingProxyType(
    {
        "day": activity.day,
        "device": _device,
        "group": measures.group,
        "night": sleep.night,
        "workout": activity.workout,
    }
)
