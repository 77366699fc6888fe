"""One record: of what type, when, by which device.

An instant of Health Connect is UTC and its offset stands beside it. A bridge that drops
the offset leaves it unknown: the time is then written with `Z`, never `+00:00`.

https://developer.android.com/reference/kotlin/androidx/health/connect/client/records/Record
"""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from mappings.measurement import DeviceClue, Measurement, Reason
from mappings.payload import Instant, Unreadable, at_offset, instant, offset_minutes
from mappings.records import day_text, moment
from mappings.source_version import counted, modified_at
from mappings.times import Span, in_zone, local_instant, reading
from mappings.vendors.health_connect.records import (
    ENVELOPE,
    MANUAL,
    NEVER_STORED,
)

Json = Mapping[str, Any]

_MAX_OFFSET = 14 * 60
_MAX_ID = 200
_MAX_TEXT = 200


class Offset(NamedTuple):
    """How far a clock was from UTC.

    Attributes:
        minutes: East of UTC; None where it is not known.
        is_disputed: An offset was given that no clock has.

    """

    minutes: int | None = None
    is_disputed: bool = False


UNKNOWN = Offset()


class Record(NamedTuple):
    """A record whose times were understood.

    Attributes:
        type: Such as `HeartRate`.
        fields: Its members, without free text and positions.
        position: Where in the payload.
        span: When.
        offset: Offset at its start, for the samples within.
        zone: Zone in whose offset times are written where `offset` is not known.
        source_id: Identifier that Health Connect gave it; None from a forwarder that
            drops it.
        device: What it says of the device.
        self_reported: Whether a person entered it.
        version: When it was last modified, or how often its app has written it.

    """

    type: str
    fields: Json
    position: str
    span: Span
    offset: Offset
    zone: ZoneInfo | None
    source_id: str | None
    device: DeviceClue | None
    self_reported: bool
    version: int | None

    def at(self, text: object) -> Instant:
        """Return the moment of a sample or a stage.

        Raises:
            Unreadable: as `written`.

        """
        return written(text, self.offset, self.zone)

    def interval(self) -> tuple[Instant, Instant]:
        """Return start and end.

        Raises:
            Unreadable: `no-time` for a moment.

        """
        start, end, _, _ = self.span
        if end is None:
            raise Unreadable(Reason.NO_TIME, "The record has no end.")
        return start, end

    def kept(self, *members: str) -> dict[str, object]:
        """Return a record with only some members, so that they can be tried again."""
        names = ENVELOPE.union(members)
        kept = {name: value for name, value in self.fields.items() if name in names}
        return {**kept, "recordType": self.type}

    def reading(
        self, kind: str, value: Any, unit: str, position: str, **more: Any
    ) -> Measurement:
        """Return a reading of this record."""
        span = more.pop("span", self.span)
        more.setdefault("source_id", self.source_id)
        more.setdefault("source_version", self.version)
        return reading(
            kind,
            value,
            unit,
            span,
            position,
            device=self.device,
            self_reported=self.self_reported,
            **more,
        )


def record_of(type_: str, fields: Json, position: str, zone: ZoneInfo | None) -> Record:
    """Return a record with its times.

    Raises:
        Unreadable: `no-time`, `no-offset` or `malformed`.

    """
    found = fields.get("metadata")
    metadata = found if isinstance(found, Mapping) else {}
    name = "zoneOffset" if "time" in fields else "startZoneOffset"
    offset = offset_of(fields.get(name))
    return Record(
        type_,
        without_texts(fields),
        position,
        _span(fields, offset, zone),
        offset,
        zone,
        _identifier(metadata),
        _device(metadata.get("device")),
        _is_entered(metadata.get("recordingMethod")),
        _version(metadata),
    )


def _version(metadata: Json) -> int | None:
    """Return the version of a record: Health Connect's own, else that of its app."""
    modified = modified_at(metadata.get("lastModifiedTime"))
    if modified is not None:
        return modified
    return counted(metadata.get("clientRecordVersion"))


def _is_entered(method: object) -> bool:
    return isinstance(method, int | str) and method in MANUAL


def without_texts(fields: Json) -> dict[str, Any]:
    """Return a record without free text, positions and the parts of an exercise."""
    if NEVER_STORED.keys().isdisjoint(fields):
        return dict(fields)
    return {name: value for name, value in fields.items() if name not in NEVER_STORED}


def _span(fields: Json, offset: Offset, zone: ZoneInfo | None) -> Span:
    if "time" in fields:
        time = written(fields["time"], offset, zone)
        return _spanned(time, None, offset, zone)
    start = written(fields.get("startTime"), offset, zone)
    last = fields.get("endZoneOffset")
    end = written(
        fields.get("endTime"), offset if last is None else offset_of(last), zone
    )
    return _spanned(start, end, offset, zone)


def _spanned(
    start: Instant, end: Instant | None, offset: Offset, zone: ZoneInfo | None
) -> Span:
    name = None
    if zone is not None and start.text == in_zone(start.us, zone).text:
        name = zone.key
    return Span(start, end, name, offset.is_disputed)


def written(value: object, offset: Offset, zone: ZoneInfo | None) -> Instant:
    """Return the moment of a text, as a clock at `offset` or in `zone` shows it.

    Raises:
        Unreadable: `no-time`, `no-offset` for a local time of an unknown zone,
            `malformed`.

    """
    try:
        time = moment(value)
    except Unreadable as error:
        if error.reason is not Reason.NO_OFFSET:
            raise
        return _local(str(value), offset, zone)
    if time.text[-1] != "Z":
        return time
    if offset.minutes is not None:
        return at_offset(time.us, offset.minutes)
    return time if zone is None else in_zone(time.us, zone)


def _local(text: str, offset: Offset, zone: ZoneInfo | None) -> Instant:
    """Return the moment of a local time.

    Raises:
        Unreadable: `no-offset` where neither offset nor zone is known.

    """
    day_text(text)
    if offset.minutes is not None:
        utc = instant(f"{text}Z")
        return at_offset(utc.us - offset.minutes * 60_000_000, offset.minutes)
    if zone is None:
        raise Unreadable(Reason.NO_OFFSET, "The time has no offset from UTC.")
    return local_instant(text, zone)[0]


def offset_of(value: object) -> Offset:
    """Return an offset that stands as a text or as an object beside a time."""
    if isinstance(value, Mapping):
        seconds = value.get("totalSeconds")
        if isinstance(seconds, int) and not isinstance(seconds, bool):
            return _of_seconds(seconds)
        value = value.get("id")
    if not isinstance(value, str):
        return UNKNOWN
    return _of_text(value)


def _of_seconds(seconds: int) -> Offset:
    minutes, rest = divmod(seconds, 60)
    if rest or abs(minutes) > _MAX_OFFSET:
        return Offset(None, is_disputed=True)
    return Offset(minutes)


@lru_cache(maxsize=256)
def _of_text(text: str) -> Offset:
    try:
        return Offset(offset_minutes(instant(f"2000-01-01T00:00:00{text}").text))
    except Unreadable:
        return Offset(None, is_disputed=bool(text))


def _identifier(metadata: Json) -> str | None:
    """Return the identifier of a record, which is a UUID.

    What a `#` is in would be taken for a part of another record.
    """
    id_ = metadata.get("id")
    is_one = isinstance(id_, str) and 0 < len(id_) <= _MAX_ID and "#" not in id_
    return id_ if is_one else None


def _device(device: object) -> DeviceClue | None:
    """Return what a record says of its device; a bare number says nothing."""
    if not isinstance(device, Mapping):
        return None
    manufacturer, model = _text(device.get("manufacturer")), _text(device.get("model"))
    if manufacturer is None and model is None:
        return None
    return DeviceClue(manufacturer=manufacturer, model=model)


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and 0 < len(value) <= _MAX_TEXT else None
