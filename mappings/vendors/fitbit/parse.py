"""Files of Fitbit to readings.

https://dev.fitbit.com/build/reference/web-api/
"""

import re
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from pathlib import Path
from types import MappingProxyType
from typing import Any, BinaryIO

from conformance import fhir_json
from conformance.issues import FHIRError
from mappings.accounted import accounted
from mappings.measurement import OutOfScope, Reading, Reason, Refusal
from mappings.payload import Unreadable, zone_of
from mappings.records import UNNAMED, may_be_measured
from mappings.times import reading
from mappings.vendors.fitbit import activities, series, sleep, sleep_csv, takeout
from mappings.vendors.fitbit.clock import Clock
from mappings.vendors.fitbit.numbers import measured, size_of
from mappings.vendors.fitbit.tables import (
    DAILY,
    INTRADAY,
    NIGHTLY,
    NIGHTLY_OUT_OF_SCOPE,
    OUT_OF_SCOPE,
    TAKEOUT,
)

Json = Mapping[str, Any]

MAX_BYTES = 256 * 1024 * 1024
"""Of a file; it is held in memory. A day of heart rates has about 2 MB."""

_EMPTY = "file without a value"
_JSON = (b"{", b"[")
_BOM = b"\xef\xbb\xbf"
_DATED = re.compile(r"(?P<name>[a-z_]+)-[0-9]{4}-[0-9]{2}-[0-9]{2}")
_INNER = frozenset({"date", "takeout"})
"""Members that say of what or when the others are."""


def parse(
    payload: object,
    *,
    received_at: datetime,  # noqa: ARG001 - every source's parser takes it
    zone: str | None = None,
) -> Iterator[Reading]:
    """Yield the readings of the JSON of a file, or of a refusal's payload.

    Args:
        payload: What a file held: an object of the former Web API, or a list of logs
            or values as Takeout has it.
        received_at: When the file arrived; its values have their own times.
        zone: Zone of the person; without it every local time is refused.

    """
    clock = Clock(None if zone is None else zone_of(zone))
    return accounted(_told(payload, clock, None), _EMPTY)


def parse_file(
    payload: Path | BinaryIO,
    *,
    received_at: datetime,  # noqa: ARG001 - every source's parser takes it
    zone: str | None = None,
    progress: Callable[[int], None] = lambda _: None,
) -> Iterator[Reading]:
    """Yield the readings of a file: JSON or the sleep CSV, told apart by content.

    Args:
        payload: A path, whose name tells what bare values of Takeout are; or a stream.
        received_at: As for `parse`.
        zone: As for `parse`.
        progress: Told how many bytes were read.

    """
    clock = Clock(None if zone is None else zone_of(zone))
    if isinstance(payload, Path):
        with payload.open("rb") as stream:
            data = stream.read(MAX_BYTES + 1)
        found = _DATED.search(payload.name)
        name = found["name"] if found and found["name"] in TAKEOUT else None
    else:
        data, name = payload.read(MAX_BYTES + 1), None
    if len(data) > MAX_BYTES:
        yield _unreadable("The file is longer than what is read as one text.")
        return
    yield from accounted(_content(data.removeprefix(_BOM), clock, name), _EMPTY)
    progress(len(data))


def _content(data: bytes, clock: Clock, name: str | None) -> Iterator[Reading]:
    if not data.lstrip().startswith(_JSON):
        yield from sleep_csv.rows(data.decode("utf-8", "replace"), clock)
        return
    try:
        payload = fhir_json.loads_foreign(data)
    except FHIRError:
        yield _unreadable("The file is not JSON.")
        return
    yield from _told(payload, clock, name)


def _unreadable(detail: str) -> Refusal:
    return Refusal("$", Reason.MALFORMED, None, detail)


def _told(payload: object, clock: Clock, name: str | None) -> Iterator[Reading]:
    if isinstance(payload, list):
        yield from _list(payload, clock, name)
    elif not isinstance(payload, Mapping):
        detail = "A file of Fitbit is an object or a list."
        yield Refusal("$", Reason.MALFORMED, None, detail, payload)
    elif isinstance(payload.get("values"), list):
        named = payload.get("takeout")
        yield from takeout.values(
            payload["values"],
            named if isinstance(named, str) else None,
            clock,
            "$.values",
        )
    elif isinstance(payload.get("csv"), Mapping):
        yield sleep_csv.row(payload["csv"], clock, "$.csv")
    else:
        yield from _members(payload, clock)


def _list(items: list[Any], clock: Clock, name: str | None) -> Iterator[Reading]:
    """Yield the readings of a Takeout file: of logs or of values."""
    first = items[0] if items and isinstance(items[0], Mapping) else {}
    if "dateOfSleep" in first or "levels" in first:
        yield from _logs(items, clock, "$")
    elif "logId" in first and "weight" not in first:
        yield from _activities(items, clock, "$")
    elif "weight" in first:
        yield from _takeout_weights(items, "$")
    elif items:
        yield from takeout.values(items, name, clock, "$")


def _takeout_weights(items: list[Any], place: str) -> Iterator[Reading]:
    """Yield why the weights of Takeout are not stored: their unit is not told."""
    for index, item in enumerate(items):
        detail = "The file does not tell the unit of the weight."
        fault = Unreadable(Reason.NO_UNIT, detail, "body-weight")
        yield fault.refusal(f"{place}[{index}]", [item])


def _members(body: Json, clock: Clock) -> Iterator[Reading]:
    for name, value in body.items():
        if name in _INNER:
            continue
        reader = _READERS.get(name)
        if reader is not None and isinstance(value, list):
            if not value:
                yield OutOfScope(f"$.{name}", "list without a log")
            yield from reader(value, clock, f"$.{name}")
        else:
            yield from _member(name, value, body, clock)


def _member(name: str, value: object, body: Json, clock: Clock) -> Iterator[Reading]:
    place = f"$.{name}"
    if name == "summary":
        yield from activities.summary(value, _date(body), clock, place)
    elif name.startswith(series.SERIES):
        yield from _series(name, value, body, clock)
    elif name in NIGHTLY:
        yield from _nightly(name, value, clock, place)
    elif name in OUT_OF_SCOPE:
        yield OutOfScope(place, OUT_OF_SCOPE[name])
    elif may_be_measured(value):
        yield activities.unknown(f"$.{UNNAMED}", {name: value})


def _date(body: Json) -> object:
    """Return the day of a summary: its own, or that of all its activities."""
    entries = body.get("activities")
    days = {
        entry.get("startDate")
        for entry in (entries if isinstance(entries, list) else [])
        if isinstance(entry, Mapping) and isinstance(entry.get("startDate"), str)
    }
    given = body.get("date")
    return given if given is not None or len(days) != 1 else days.pop()


def _series(name: str, value: object, body: Json, clock: Clock) -> Iterator[Reading]:
    found = series.Series(name, f"$.{_name(name)}", clock)
    if name.endswith(series.WITHIN_A_DAY):
        items = body.get(name.removesuffix(series.WITHIN_A_DAY))
        first = items[0] if isinstance(items, list) and items else None
        day = first.get("dateTime") if isinstance(first, Mapping) else body.get("date")
        yield from series.intraday(found, value, day)
    elif isinstance(value, list):
        has_intraday = f"{name}{series.WITHIN_A_DAY}" in body
        yield from series.daily(found, value, has_intraday=has_intraday)
    else:
        yield activities.unknown(found.position, {name: value})


def _name(member: str) -> str:
    """Return how a position names a series."""
    resource = series.Series(member, "", Clock(None)).resource
    return member if resource in DAILY or resource in INTRADAY else UNNAMED


def _each(
    items: list[Any],
    place: str,
    read: Callable[[Json, str], Reading],
    kept: Callable[[object], object],
    kind: str,
) -> Iterator[Reading]:
    for index, item in enumerate(items):
        position = f"{place}[{index}]"
        if not isinstance(item, Mapping):
            fault = Unreadable(Reason.MALFORMED, "A log is a JSON object.", kind)
            yield fault.refusal(position, kept(item))
            continue
        try:
            yield read(item, position)
        except Unreadable as error:
            yield error.of(kind).refusal(position, kept(item))


def _activities(items: list[Any], clock: Clock, place: str) -> Iterator[Reading]:
    return _each(
        items,
        place,
        lambda item, position: activities.activity(item, clock, position),
        activities.activity_kept,
        "workout",
    )


def _logs(items: list[Any], clock: Clock, place: str) -> Iterator[Reading]:
    return _each(
        items,
        place,
        lambda item, position: sleep.log(item, clock, position),
        lambda item: {"sleep": [item]},
        "sleep-session",
    )


def _weights(items: list[Any], clock: Clock, place: str) -> Iterator[Reading]:
    """Yield weights with body mass index and fat, which the API gives in metric."""
    for index, item in enumerate(items):
        position = f"{place}[{index}]"
        if not isinstance(item, Mapping):
            fault = Unreadable(Reason.MALFORMED, "A log is a JSON object.")
            yield fault.of("body-weight").refusal(position, {"weight": [item]})
            continue
        for member, (kind, _) in _BODY.items():
            if item.get(member) is None:
                continue
            try:
                yield _weight(item, member, clock, f"{position}.{member}")
            except Unreadable as error:
                kept = _one(item, member)
                yield error.of(kind).refusal(f"{position}.{member}", kept)


def _weight(item: Json, member: str, clock: Clock, place: str) -> Reading:
    kind, unit = _BODY[member]
    return reading(
        kind,
        size_of(item[member]),
        unit,
        clock.at(f"{item.get('date')}T{item.get('time') or '00:00:00'}"),
        place,
        source_id=sleep.identifier(item),
    )


_BODY: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "weight": ("body-weight", "kg"),
        "bmi": ("body-mass-index", "kg/m2"),
        "fat": ("body-fat-percentage", "%"),
    }
)


def _one(item: Json, member: str) -> object:
    names = ("date", "time", "logId", member)
    return {"weight": [{name: item[name] for name in names if name in item}]}


def _nightly(name: str, value: object, clock: Clock, place: str) -> Iterator[Reading]:
    """Yield values of a night, which stand under the day of its morning."""
    items = value if isinstance(value, list) else [value]
    for index, item in enumerate(items):
        position = f"{place}[{index}]"
        inner = item.get("value") if isinstance(item, Mapping) else None
        if not isinstance(inner, Mapping):
            yield activities.unknown(position, {name: [item]})
            continue
        for member, given in inner.items():
            kept = {"dateTime": item.get("dateTime"), "value": {member: given}}
            yield from _night_value(name, kept, clock, f"{position}.value.{member}")


def _night_value(name: str, item: Json, clock: Clock, place: str) -> Iterator[Reading]:
    [(member, given)] = item["value"].items()
    what = NIGHTLY[name].get(member)
    if member in NIGHTLY_OUT_OF_SCOPE:
        yield OutOfScope(place, NIGHTLY_OUT_OF_SCOPE[member])
    elif what is not None:
        try:
            yield measured(what, given, clock.day(item.get("dateTime")), place)
        except Unreadable as error:
            yield error.of(what.kind).refusal(place, {name: [item]})
    elif may_be_measured(given):
        yield activities.unknown(place, {name: [item]})


_READERS: Mapping[str, Callable[[list[Any], Clock, str], Iterator[Reading]]] = (
    MappingProxyType({"activities": _activities, "sleep": _logs, "weight": _weights})
)
"""What reads the lists of logs."""
