"""WHOOP's cycles, recoveries, sleeps and workouts to readings.

https://developer.whoop.com/docs/developing/user-data/cycle
"""

from collections.abc import Iterator, Mapping
from datetime import datetime
from itertools import chain
from types import MappingProxyType
from typing import Any

from mappings.measurement import Deletion, OutOfScope, Reading, Reason, Refusal
from mappings.payload import Unreadable
from mappings.records import Found, Record, found_in
from mappings.times import Span
from mappings.vendors.whoop.scores import READERS, Sleeps, absence, span_of, text_of
from mappings.vendors.whoop.shapes import RECORD

_LISTS = MappingProxyType(
    {
        "data": None,
        "records": None,
        "cycles": "cycles",
        "recoveries": "recoveries",
        "sleeps": "sleeps",
        "workouts": "workouts",
    }
)


def parse(
    payload: object,
    *,
    received_at: datetime,  # noqa: ARG001 - every source's parser takes it
    zone: str | None = None,  # noqa: ARG001 - a record names its own offset
) -> Iterator[Reading]:
    """Yield the readings of a record, of a list of them, or of an answer.

    Args:
        payload: An answer `{records: […]}` or `{data_type, data: […]}`, one that holds
            several lists, a record, or a webhook's notification.
        received_at: It never stands in for a record's own time.
        zone: A record names its own offset; a recovery has a time of UTC.

    """
    found = list(found_in(payload, _LISTS))
    sleeps = dict(chain.from_iterable(map(_night, found)))
    for one in found:
        yield from _found(one, sleeps)


def _found(found: Found, sleeps: Sleeps) -> Iterator[Reading]:
    name, members, position = found
    if not isinstance(members, Mapping):
        detail = "A record is a JSON object."
        yield Refusal(position, Reason.MALFORMED, None, detail, members)
        return
    if "type" in members and "trace_id" in members:
        yield _notification(members, position)
        return
    kind = _TYPES.get(name or "") or _type_of(members)
    if kind is None:
        detail = "The type of record is not one that is understood."
        yield Refusal(position, Reason.UNKNOWN_KIND, None, detail, members)
        return
    if kind == "profile":
        yield OutOfScope(position, "profile")
        return
    lists = f"{kind}s" if kind != "recovery" else "recoveries"
    record = Record(members, RECORD, position, lambda one: {lists: [one]})
    yield from READERS[kind](record, sleeps)
    if not isinstance(members.get("score"), Mapping) and absence(record) is None:
        yield OutOfScope(f"{position}.score", "record without a score")
    yield from record.left_over()


_TYPES = MappingProxyType(
    {
        "cycle": "cycle",
        "cycles": "cycle",
        "recovery": "recovery",
        "recoveries": "recovery",
        "sleep": "sleep",
        "sleeps": "sleep",
        "workout": "workout",
        "workouts": "workout",
    }
)

_MARKS = (
    ("recovery", frozenset({"sleep_id", "cycle_id"})),
    ("sleep", frozenset({"nap", "start"})),
    ("workout", frozenset({"sport_id", "start"})),
    ("workout", frozenset({"sport_name", "start"})),
    ("cycle", frozenset({"start", "score_state"})),
    ("profile", frozenset({"height_meter", "weight_kilogram"})),
    ("profile", frozenset({"email", "user_id"})),
)
"""Members that only a type of record has, the more telling first."""


def _type_of(members: Mapping[str, Any]) -> str | None:
    return next((kind for kind, marks in _MARKS if marks <= members.keys()), None)


def _notification(members: Mapping[str, Any], position: str) -> Reading:
    """Return the deletion that a notification tells of; else that it is one."""
    kind, _, event = str(members["type"]).partition(".")
    id_ = text_of(members.get("id"))
    if event != "deleted" or id_ is None:
        return OutOfScope(position, "notification")
    source_id = f"{id_}#recovery" if kind == "recovery" else id_
    return Deletion(position, source_id, patient=text_of(members.get("user_id")))


def _night(found: Found) -> Iterator[tuple[str, Span]]:
    """Yield the id and the times of a sleep, for the recovery that follows it."""
    members = found.record
    if isinstance(members, Mapping) and "nap" in members:
        id_ = text_of(members.get("id"))
        try:
            if id_ is not None:
                yield id_, span_of(members)
        except Unreadable:
            return
