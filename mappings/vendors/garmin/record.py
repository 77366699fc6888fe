"""One summary of a push: who, when, with what.

https://developer.garmin.com/gc-developer-program/health-api/
"""

from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from mappings.measurement import Deletion, DeviceClue, Measurement, Reason
from mappings.payload import HOUR_US, SECOND_US, Instant, Unreadable, number
from mappings.times import (
    Span,
    epoch_s,
    in_zone,
    local_day,
    named_zone,
    reading,
    written_at,
)
from mappings.vendors.garmin.summaries import ENVELOPE, SECRETS, Quantity

Json = Mapping[str, Any]

_OFFSETS = (
    "startTimeOffsetInSeconds",
    "measurementTimeOffsetInSeconds",
    "offsetInSeconds",
    "offsetStartTimeInSeconds",
)
_STARTS = ("measurementTimeInSeconds", "startTimeInSeconds")
_MANUAL = frozenset({"MANUAL", "AUTO_MANUAL"})
_MAX_OFFSET_S = 14 * 3600
_MAX_DURATION_S = 40 * 86_400
_MAX_ID = 256
_DAY_S = range(23 * 3600, 25 * 3600 + 1)


_MINUTES = tuple(f"{m:02}:{s:02}" for m in range(60) for s in range(60))
"""Minute and second, by the second of an hour."""


class Record(NamedTuple):
    """A summary whose time was understood.

    Attributes:
        name: Name of its list, as it was spelled.
        fields: Its members; no secrets.
        position: Where in the payload.
        span: Start and, where there is a duration, end.
        offset: Minutes from UTC; None where it is not known.
        zone: Zone in whose offset times are written where `offset` is None.
        source_id: Its `summaryId`, which is unique for one user only.
        patient: Its `userId`.
        device: What it says of the device.
        self_reported: Whether a person entered it.
        version: Of the summary of a day, the moment up to which it tells; None of
            others, of which a later push replaces an earlier one.

    """

    name: str
    fields: Json
    position: str
    span: Span
    offset: int | None
    zone: ZoneInfo | None
    source_id: str | None
    patient: str | None
    device: DeviceClue | None
    self_reported: bool
    version: int | None = None

    @property
    def is_day(self) -> bool:
        """Whether it tells of a whole day, of 23 to 25 hours."""
        return self.fields.get("durationInSeconds") in _DAY_S

    def at(self, us: int) -> Instant:
        """Return a moment at the record's offset."""
        if self.offset is None and self.zone is not None:
            return in_zone(us, self.zone)
        return written_at(us, self.offset)

    def clock(self) -> Callable[[int], str]:
        """Return what writes moments of this record, of whole seconds, fast."""
        if self.offset is None and self.zone is not None:
            return lambda us: self.at(us).text
        shift = (self.offset or 0) * 60 * SECOND_US
        end = self.at(self.span.start.us).text[19:]
        hours: dict[int, str] = {}

        def text_at(us: int) -> str:
            hour, rest = divmod(us + shift, HOUR_US)
            start = hours.get(hour)
            if start is None:
                start = hours[hour] = self.at(us).text[:14]
            return start + _MINUTES[rest // SECOND_US] + end

        return text_at

    def kept(self, *members: str) -> dict[str, object]:
        """Return a body with only some members, so that they can be tried again."""
        names = ENVELOPE.union(members)
        fields = {name: value for name, value in self.fields.items() if name in names}
        return {self.name: [fields]}

    def replaced(self, quantity: Quantity, position: str) -> Iterator[Deletion]:
        """Yield the deletion of what a part of the day had given of the same number.

        A day that goes on is pushed again under its id, and is of another kind once it
        is whole; it accounts for no record of its own.
        """
        if quantity.day_kind and self.is_day and self.source_id:
            source_id = self.source_id + quantity.suffix
            yield Deletion(position, source_id, quantity.kind, self.patient, 0)

    def measured(
        self,
        quantity: Quantity,
        value: object,
        position: str,
        flags: tuple[str, ...] = (),
    ) -> Measurement:
        """Return a number's reading; a sentinel has no value and says why.

        Raises:
            Unreadable: `invalid-value` for what is no number.

        """
        kind, unit, day_kind, is_zero_absent, suffix, method = quantity
        start, end, zone, is_disputed = self.span
        if day_kind and self.is_day:
            kind = day_kind
        try:
            size = value if type(value) is int else number(value)
        except Unreadable as error:
            raise error.of(kind) from None
        is_absent = size < 0 or (is_zero_absent and not size)
        if unit == "g":
            size, unit = Decimal(size).scaleb(-3), "kg"
        return Measurement(
            kind,
            None if is_absent else size,
            "" if is_absent else unit,
            start.text,
            start.us,
            None if end is None else end.text,
            start.us if end is None else end.us,
            position,
            self.source_id and self.source_id + suffix,
            self.device,
            (),
            method,
            "unknown" if is_absent else None,
            self.self_reported,
            zone,
            1,
            self.patient,
            (*flags, "zone-disputed") if is_disputed else flags,
            source_version=self.version,
        )

    def reading(
        self, kind: str, value: Any, unit: str, span: Span, position: str, **more: Any
    ) -> Measurement:
        """Return a reading of this record's patient and device."""
        more.setdefault("source_id", self.source_id)
        return reading(
            kind,
            value,
            unit,
            span,
            position,
            device=self.device,
            patient=self.patient,
            self_reported=self.self_reported,
            source_version=self.version,
            **more,
        )

    def identifier(self, suffix: object) -> str | None:
        """Return the record's own identifier, followed by `suffix`."""
        return self.source_id and f"{self.source_id}{suffix}"


def record_of(name: str, fields: Json, position: str, zone: ZoneInfo | None) -> Record:
    """Return a summary with its time.

    Args:
        name: Name of its list.
        fields: Its members.
        position: Where in the payload.
        zone: Zone of the person where the summary has no offset.

    Raises:
        Unreadable: `no-time`, `no-offset` or `malformed`.

    """
    offset, is_disputed = _offset(fields)
    bare = Record(
        name,
        {member: fields[member] for member in fields if member not in SECRETS},
        position,
        Span(Instant("", 0)),
        offset,
        zone,
        _text(fields.get("summaryId")),
        _text(fields.get("userId")),
        _device(fields.get("deviceName")),
        _is_entered(fields),
    )
    span = _span(bare, is_disputed=is_disputed)
    end = span.end if name.lower() == "dailies" else None
    return bare._replace(span=span, version=None if end is None else end.us)


def _span(record: Record, *, is_disputed: bool) -> Span:
    fields, zone = record.fields, record.zone
    seconds = next(
        (fields[key] for key in _STARTS if fields.get(key) is not None), None
    )
    if seconds is None:
        day = fields.get("calendarDate")
        if not isinstance(day, str):
            raise Unreadable(Reason.NO_TIME, "The summary has no time.")
        return local_day(day, named_zone(zone and zone.key))
    start = record.at(epoch_s(seconds).us)
    duration = fields.get("durationInSeconds")
    name = None if record.offset is not None or zone is None else zone.key
    if not duration:
        return Span(start, None, name, is_disputed)
    if type(duration) is not int or not 0 < duration <= _MAX_DURATION_S:
        raise Unreadable(Reason.MALFORMED, "The duration is no number of seconds.")
    return Span(start, record.at(start.us + duration * SECOND_US), name, is_disputed)


def _offset(fields: Json) -> tuple[int | None, bool]:
    """Return the offset in minutes, and whether there is one that cannot be."""
    seconds = next(
        (fields[key] for key in _OFFSETS if fields.get(key) is not None), None
    )
    if seconds is None:
        return None, False
    if type(seconds) is not int or seconds % 60 or abs(seconds) > _MAX_OFFSET_S:
        return None, True
    return seconds // 60, False


def _is_entered(fields: Json) -> bool:
    words = (fields.get("sourceType"), fields.get("validation"))
    return fields.get("manual") is True or any(
        isinstance(word, str) and word.upper() in _MANUAL for word in words
    )


def _device(name: object) -> DeviceClue | None:
    text = _text(name)
    return None if text is None else DeviceClue(manufacturer="Garmin", model=text)


def _text(value: object) -> str | None:
    """Return an identifier or a name; a number is one too."""
    if type(value) is int:
        value = str(value)
    return value if isinstance(value, str) and 0 < len(value) <= _MAX_ID else None
