"""Records of Health Connect to readings.

https://developer.android.com/health-and-fitness/guides/health-connect/develop/sync-data
"""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from functools import cache
from types import MappingProxyType
from typing import Any
from zoneinfo import ZoneInfo

from mappings.accounted import accounted
from mappings.measurement import (
    Deletion,
    OutOfScope,
    Reading,
    Reason,
    Refusal,
    Whole,
)
from mappings.payload import Unreadable, zone_of
from mappings.records import UNNAMED, may_be_measured
from mappings.source_version import counted, modified_at, whole
from mappings.vendors.health_connect import forwarder, values
from mappings.vendors.health_connect.envelope import (
    Json,
    Record,
    record_of,
    without_texts,
)
from mappings.vendors.health_connect.records import (
    BY_MEMBER,
    CONTEXT,
    ENVELOPE,
    OUT_OF_SCOPE,
    QUANTITIES,
    SAMPLES,
    SAMPLES_BY_MEMBER,
)
from mappings.vendors.health_connect.samples import samples


def parse(
    payload: object,
    *,
    received_at: datetime,  # noqa: ARG001 - every source's parser takes it
    zone: str | None = None,
) -> Iterator[Reading]:
    """Yield the readings of a record, of records, of changes, or of a forwarder's body.

    Args:
        payload: What `readRecords` or `getChanges` of a bridge gave, a record, a list
            of them, or the body of a forwarder.
        received_at: When the payload arrived; a record has its own time.
        zone: Zone of the person, in whose offset times are written that have none.

    """
    at = None if zone is None else zone_of(zone)
    found = (
        _records(payload, "$", None, at)
        if isinstance(payload, list)
        else _answer(payload, at)
    )
    return accounted(found, "answer without a record")


def _answer(payload: object, zone: ZoneInfo | None) -> Iterator[Reading]:
    if not isinstance(payload, Mapping):
        yield Refusal(
            "$", Reason.MALFORMED, None, "A record is a JSON object.", payload
        )
    elif isinstance(payload.get("records"), list):
        yield from _records(
            payload["records"], "$.records", payload.get("recordType"), zone
        )
    elif "upsertionChanges" in payload or "deletionChanges" in payload:
        yield from _changes(payload, zone)
    elif forwarder.is_forwarded(payload):
        yield from _forwarded(payload, zone)
    else:
        yield from _record(payload, "$", None, zone)


def _records(
    records: list[Any], place: str, type_: object, zone: ZoneInfo | None
) -> Iterator[Reading]:
    for index, record in _in_order(records):
        yield from _record(record, f"{place}[{index}]", type_, zone)


def _in_order(records: list[Any]) -> Iterable[tuple[int, Any]]:
    """Return the records with their places; the versions of one record in order.

    Where an identifier comes twice, as with a night that grew, the one that was
    modified last comes last, and so is what is kept.
    """
    numbered = list(enumerate(records))
    ids = [_metadata(record).get("id") for record in records]
    known = [id_ for id_ in ids if isinstance(id_, str)]
    if len(set(known)) == len(known):
        return numbered
    return sorted(numbered, key=lambda pair: _version(pair[1]))


def _version(record: object) -> tuple[int, int]:
    metadata = _metadata(record)
    return (
        modified_at(metadata.get("lastModifiedTime")) or 0,
        counted(metadata.get("clientRecordVersion")) or 0,
    )


def _metadata(record: object) -> Json:
    found = record.get("metadata") if isinstance(record, Mapping) else None
    return found if isinstance(found, Mapping) else {}


def _changes(changes: Json, zone: ZoneInfo | None) -> Iterator[Reading]:
    """Yield what was written and what was deleted since a bridge last asked."""
    written = [
        change.get("record", change) if isinstance(change, Mapping) else change
        for change in _list(changes.get("upsertionChanges"))
    ]
    for index, record in _in_order(written):
        yield from _record(record, f"$.upsertionChanges[{index}]", None, zone)
    for index, change in enumerate(_list(changes.get("deletionChanges"))):
        place = f"$.deletionChanges[{index}]"
        id_ = change.get("recordId") if isinstance(change, Mapping) else change
        if isinstance(id_, str) and id_:
            yield Deletion(place, id_)
        else:
            detail = "A deletion names the record that is gone."
            kept = {"deletionChanges": [change]}
            yield Refusal(place, Reason.MALFORMED, None, detail, kept)


def _list(value: object) -> list[Any]:
    if value is None:
        return []
    return value if isinstance(value, list) else [value]


def _forwarded(body: Json, zone: ZoneInfo | None) -> Iterator[Reading]:
    """Yield the readings of a forwarder's body; those of its test button are none."""
    is_test = body.get("test") is True
    for name, items in body.items():
        is_named = name in forwarder.LISTS or name in forwarder.COMPUTED
        place = f"$.{name if is_named else UNNAMED}"
        if is_test and isinstance(items, list):
            yield OutOfScope(place, "data of a test", max(1, len(items)))
        elif name in forwarder.LISTS and isinstance(items, list):
            yield from _items(name, items, place, zone)
        elif name in forwarder.COMPUTED:
            yield OutOfScope(place, forwarder.COMPUTED[name], len(_list(items)) or 1)
        elif name not in forwarder.METADATA and may_be_measured(items):
            detail = "The list is not one that is understood."
            other = "distance" if name == "steps" else "steps"
            kept = {name: items, other: []}
            yield Refusal(place, Reason.UNKNOWN_KIND, None, detail, kept)


def _items(
    name: str, items: list[Any], place: str, zone: ZoneInfo | None
) -> Iterator[Reading]:
    for index, item in enumerate(items):
        position = f"{place}[{index}]"
        if isinstance(item, Mapping):
            record = forwarder.record(name, item)
            yield from _record(record, position, None, zone)
        else:
            detail = "A record is a JSON object."
            yield Refusal(position, Reason.MALFORMED, None, detail, {name: [item]})


def _record(
    record: object, position: str, type_: object, zone: ZoneInfo | None
) -> Iterator[Reading]:
    if not isinstance(record, Mapping):
        detail = "A record is a JSON object."
        yield Refusal(position, Reason.MALFORMED, None, detail, {"records": [record]})
        return
    fields = {name: value for name, value in record.items() if value is not None}
    named = _type(fields, type_)
    if named in OUT_OF_SCOPE:
        yield OutOfScope(position, OUT_OF_SCOPE[named])
        return
    try:
        if not _is_known(named):
            raise _unknown(named)
        known = record_of(named, fields, position, zone)
        yield from _whole(known, _readings(known))
    except Unreadable as error:
        kept = {**without_texts(fields), **({"recordType": named} if named else {})}
        kind = _kind(named)
        refused = error.of(kind) if kind else error
        yield refused.refusal(position, kept)


def _type(fields: Json, type_: object) -> str:
    """Return the type of a record: as it is named, else by its members; else empty."""
    for named in (fields.get("recordType"), type_):
        if isinstance(named, str) and named:
            return named.rpartition(".")[2].removesuffix("Record")
    samples = fields.get("samples")
    if isinstance(samples, list):
        return next(
            (
                SAMPLES_BY_MEMBER[name]
                for sample in samples[:1]
                if isinstance(sample, Mapping)
                for name in sample
                if name in SAMPLES_BY_MEMBER
            ),
            "",
        )
    return next((BY_MEMBER[name] for name in fields if name in BY_MEMBER), "")


def _is_known(type_: str) -> bool:
    return type_ in QUANTITIES or type_ in SAMPLES or type_ in values.SEVERAL


def _unknown(type_: str) -> Unreadable:
    detail = "The record names no type, and its members are those of several."
    if type_:
        detail = "The type of the record is not one that is understood."
    return Unreadable(Reason.UNKNOWN_KIND, detail)


def _kind(type_: str) -> str | None:
    what = QUANTITIES.get(type_) or SAMPLES.get(type_)
    return what.kind if what else values.KINDS.get(type_)


def _readings(record: Record) -> Iterator[Reading]:
    """Yield what a record holds, and what of it is not understood.

    Raises:
        Unreadable: where the record as a whole cannot be read.

    """
    members = _members(record.type)
    unknown = (
        []
        if members.issuperset(record.fields)
        else [
            name
            for name, value in record.fields.items()
            if name not in members and may_be_measured(value)
        ]
    )
    if not unknown or any(name in record.fields for name in _own(record.type)):
        yield from _understood(record)
    for name in unknown:
        detail = "The member is not one that is understood."
        yield Refusal(
            f"{record.position}.{name}",
            Reason.UNKNOWN_KIND,
            None,
            detail,
            record.kept(name),
        )


def _understood(record: Record) -> Iterator[Reading]:
    what = QUANTITIES.get(record.type)
    if what is not None:
        yield values.one(record, what)
    elif record.type in SAMPLES:
        yield from samples(record)
    else:
        yield from values.SEVERAL[record.type](record)


def _whole(record: Record, readings: Iterator[Reading]) -> Iterable[Reading]:
    """Return what a record holds; where that is several of a kind, that it is all.

    Health Connect gives a record whole or not at all. One without an identifier or a
    version cannot be told from the one before.
    """
    what = SAMPLES.get(record.type)
    kind = _SEVERAL.get(record.type) if what is None else what.kind
    if kind is None or record.source_id is None or record.version is None:
        return readings
    said = Whole(record.position, kind, record.source_id, record.version)
    return whole(said, readings)


_SEVERAL = MappingProxyType({"SkinTemperature": "skin-temperature-deviation"})
"""Types without samples that hold several of a kind, and the kind."""


@cache
def _own(type_: str) -> frozenset[str]:
    """Return the members that hold the values of a type."""
    if type_ in QUANTITIES:
        return frozenset({QUANTITIES[type_].member})
    if type_ in SAMPLES:
        return frozenset({"samples"})
    return values.MEMBERS.get(type_, ENVELOPE)


@cache
def _members(type_: str) -> frozenset[str]:
    """Return all members of a type that are known."""
    return _own(type_) | ENVELOPE | CONTEXT
