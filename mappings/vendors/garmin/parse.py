"""Push bodies of the Garmin Health API to readings.

A body has one list for each type of summary; a list may hold many users. Access
tokens are dropped before anything else is looked at.

https://developer.garmin.com/gc-developer-program/health-api/
"""

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from types import MappingProxyType
from zoneinfo import ZoneInfo

from mappings.measurement import Component, OutOfScope, Reading, Reason, Refusal
from mappings.payload import Unreadable, number, zone_of
from mappings.vendors.garmin import activity, series, sleep
from mappings.vendors.garmin.record import Json, Record, record_of
from mappings.vendors.garmin.summaries import (
    ENVELOPE,
    GEOPOSITION,
    HEART_RATES,
    LISTS,
    LISTS_OUT_OF_SCOPE,
    OUT_OF_SCOPE,
    QUANTITIES,
    SECRETS,
    SERIES,
    SNAPSHOT_GRAIN_S,
    SNAPSHOTS,
    Series,
)

_DISPUTABLE = (
    "lowStressDurationInSeconds",
    "mediumStressDurationInSeconds",
    "highStressDurationInSeconds",
)
_PRESSURES = MappingProxyType(
    {"systolic": "systolic-blood-pressure", "diastolic": "diastolic-blood-pressure"}
)


def parse(
    payload: object,
    *,
    received_at: datetime,  # noqa: ARG001 - every source's parser takes it
    zone: str | None = None,
) -> Iterator[Reading]:
    """Yield the readings of a push body.

    Args:
        payload: An object with lists of summaries.
        received_at: When it arrived; a summary has its own time.
        zone: IANA name of the person's zone, for summaries that have no offset.

    """
    if not isinstance(payload, Mapping):
        detail = "A push body is a JSON object with lists of summaries."
        yield Refusal("$", Reason.MALFORMED, None, detail, payload)
        return
    known = None if zone is None else zone_of(zone)
    for name, summaries in payload.items():
        if name.lower() not in LISTS and not isinstance(summaries, list | Mapping):
            yield OutOfScope("$", "member of the message's envelope")
            continue
        listed = summaries if isinstance(summaries, list) else [summaries]
        for index, summary in enumerate(listed):
            yield from _summary(name, summary, index, known)


def _summary(
    name: str, summary: object, index: int, zone: ZoneInfo | None
) -> Iterator[Reading]:
    way = LISTS.get(name.lower())
    position = f"$.{name}[{index}]" if way else f"$[{index}]"
    if name.lower() in LISTS_OUT_OF_SCOPE:
        yield OutOfScope(position, LISTS_OUT_OF_SCOPE[name.lower()])
        return
    if way is None or not isinstance(summary, Mapping):
        yield _unknown(name, summary, position)
        return
    if "callbackURL" in summary:
        yield OutOfScope(position, "notice without data")
        return
    fields = _flat(summary)
    try:
        record = record_of(name, fields, position, zone)
    except Unreadable as error:
        kept = {name: [_bare(summary)]}
        yield error.refusal(
            position, kept, max(1, len(fields.keys() - ENVELOPE - SECRETS))
        )
        return
    yield from _READERS[way](record)


def _unknown(name: str, summary: object, position: str) -> Refusal:
    if isinstance(summary, Mapping):
        detail = "The list is not one of the Garmin Health API's."
        kept = {name: [_bare(summary)]}
        return Refusal(position, Reason.UNKNOWN_KIND, None, detail, kept)
    detail = "A summary is a JSON object."
    return Refusal(position, Reason.MALFORMED, None, detail, {name: [summary]})


def _bare(summary: Json) -> dict[str, object]:
    """Return a summary without what opens an account or tells a place."""
    return {
        name: _bare(value) if isinstance(value, Mapping) else value
        for name, value in summary.items()
        if name not in SECRETS and OUT_OF_SCOPE.get(name) != GEOPOSITION
    }


def _flat(summary: Json) -> Json:
    """Return a summary whose own `summary` is part of it."""
    inner = summary.get("summary")
    if not isinstance(inner, Mapping):
        return summary
    outer = {name: value for name, value in summary.items() if name != "summary"}
    return {**inner, **outer}


def _members(record: Record, *without: str) -> Iterator[Reading]:
    """Yield a reading of each member that is one."""
    is_disputed = _is_stress_disputed(record)
    for member, value in record.fields.items():
        if member in ENVELOPE or member in without:
            continue
        try:
            yield from _member(record, member, value, is_disputed=is_disputed)
        except Unreadable as error:
            place = _place(record, member)
            yield error.refusal(place, record.kept(member))


_KNOWN = (QUANTITIES, OUT_OF_SCOPE, SERIES, HEART_RATES)


def _place(record: Record, member: str) -> str:
    """Return where a member is; a name that nobody knows is not repeated."""
    is_known = any(member in names for names in _KNOWN)
    return f"{record.position}.{member}" if is_known else record.position


def _member(
    record: Record, member: str, value: object, *, is_disputed: bool
) -> Iterator[Reading]:
    what = OUT_OF_SCOPE.get(member)
    if what is not None or value is None:
        place = _place(record, member)
        yield OutOfScope(place, what or "property without a value")
    elif member in QUANTITIES:
        quantity = QUANTITIES[member]
        place = f"{record.position}.{member}"
        disputed = is_disputed and member in _DISPUTABLE
        flags = ("totals-disputed",) if disputed else ()
        yield record.measured(quantity, value, place, flags)
        yield from record.replaced(quantity, place)
    elif member in HEART_RATES:
        yield from series.heart_rates(record, member, value, HEART_RATES[member])
    elif member in SERIES:
        yield from series.readings(record, member, value, SERIES[member])
    else:
        raise Unreadable(
            Reason.UNKNOWN_KIND, "The member is not one that is understood."
        )


def _is_stress_disputed(record: Record) -> bool:
    """Whether the parts of the stressful time miss its total."""
    total = record.fields.get("stressDurationInSeconds")
    parts = [record.fields.get(member) for member in _DISPUTABLE]
    try:
        return total is not None and number(total) != sum(map(number, parts))
    except Unreadable:
        return False


def _sleep(record: Record) -> Iterator[Reading]:
    try:
        yield sleep.session(record)
    except Unreadable as error:
        count = max(1, len(sleep.MEMBERS & record.fields.keys()))
        yield error.refusal(record.position, record.kept(*sleep.MEMBERS), count)
    yield from _members(record, *sleep.MEMBERS)


def _blood_pressure(record: Record) -> Iterator[Reading]:
    try:
        parts = _pressures(record)
        yield record.reading(
            "blood-pressure", None, "", record.span, record.position, components=parts
        )
    except Unreadable as error:
        kept = record.kept(*_PRESSURES)
        yield error.of("blood-pressure").refusal(record.position, kept)
    yield from _members(record, *_PRESSURES)


def _pressures(record: Record) -> tuple[Component, ...]:
    """Return the parts of a blood pressure that are there.

    Raises:
        Unreadable: `invalid-value` where there is none, or one that is no number.

    """
    parts = tuple(
        Component(kind, number(record.fields[member]), "mm[Hg]")
        for member, kind in _PRESSURES.items()
        if record.fields.get(member) is not None
    )
    if not parts:
        raise Unreadable(Reason.INVALID_VALUE, "There is no pressure.")
    return parts


def _activity(record: Record) -> Iterator[Reading]:
    try:
        yield activity.workout(record)
    except Unreadable as error:
        count = 1 + len(activity.PARTS.keys() & record.fields.keys())
        yield error.refusal(record.position, record.kept(*activity.PARTS), count)
    yield from _members(record, *activity.PARTS)


def _details(record: Record) -> Iterator[Reading]:
    samples, laps = record.fields.get("samples"), record.fields.get("laps")
    fields = {
        name: value
        for name, value in record.fields.items()
        if not (name in {"samples", "laps"} and isinstance(value, list))
    }
    if fields.keys() - ENVELOPE or not samples:
        yield from _activity(record._replace(fields=fields))
    if isinstance(samples, list):
        yield from activity.samples(record, samples)
    if isinstance(laps, list) and laps:
        yield OutOfScope(f"{record.position}.laps", "lap of an activity", len(laps))


def _snapshot(record: Record) -> Iterator[Reading]:
    parts = record.fields.get("summaries")
    if not isinstance(parts, list):
        yield from _members(record)
        return
    for index, part in enumerate(parts):
        place = f"{record.position}.summaries[{index}]"
        name = part.get("summaryType") if isinstance(part, Mapping) else None
        if not isinstance(name, str) or name not in SNAPSHOTS:
            detail = "The part of the snapshot is not one that is understood."
            kept = _one_part(record, part).kept("summaries")
            yield Refusal(place, Reason.UNKNOWN_KIND, None, detail, kept)
            continue
        yield from _part(_one_part(record, part), part, place)
    yield from _members(record, "summaries")


def _one_part(record: Record, part: object) -> Record:
    return record._replace(fields={**record.fields, "summaries": [part]})


def _part(record: Record, part: Json, position: str) -> Iterator[Reading]:
    samples, statistics = SNAPSHOTS[part["summaryType"]]
    of_part = record._replace(position=position)
    for member, quantity in statistics.items():
        if part.get(member) is not None:
            try:
                place = f"{position}.{member}"
                yield of_part.measured(quantity, part[member], place)
            except Unreadable as error:
                yield error.refusal(position, record.kept("summaries"))
    if part.get("epochSummaries") is not None:
        yield from _epochs(of_part, part, samples)


def _epochs(of_part: Record, part: Json, samples: Series | None) -> Iterator[Reading]:
    """Yield the samples of a snapshot's part."""
    name, points = "epochSummaries", part["epochSummaries"]
    if samples is not None:
        found = series.readings(of_part, name, points, samples)
    elif part["summaryType"] == "heart_rate":
        found = series.heart_rates(of_part, name, points, SNAPSHOT_GRAIN_S)
    else:
        count = len(points) if isinstance(points, Mapping) else 0
        yield OutOfScope(of_part.position, "samples of a snapshot", max(1, count))
        return
    for reading in found:
        yield _of_part(of_part, part, reading)


def _of_part(of_part: Record, part: Json, reading: Reading) -> Reading:
    """Return a reading; a sample that was refused is kept as one of its part."""
    if not isinstance(reading, Refusal) or not isinstance(reading.payload, Mapping):
        return reading
    [fields] = reading.payload[of_part.name]
    alone = {name: fields[name] for name in fields if name == "epochSummaries"}
    one = _one_part(of_part, {"summaryType": part["summaryType"], **alone})
    return reading._replace(payload=one.kept("summaries"))


_READERS: Mapping[str, Callable[[Record], Iterator[Reading]]] = MappingProxyType(
    {
        "summary": _members,
        "sleep": _sleep,
        "blood-pressure": _blood_pressure,
        "activity": _activity,
        "details": _details,
        "snapshot": _snapshot,
    }
)
"""How the summaries of a list are read."""
