"""A data point: whose, when, by which device; and Google's ways to write numbers.

Times are UTC with the offset beside them as a length in seconds (`"-18000s"`), whole
numbers may be texts (`"2038"`), lengths of time are texts (`"900s"`).

https://protobuf.dev/programming-guides/json/
"""

from collections.abc import Mapping
from decimal import Decimal
from functools import lru_cache
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from mappings.measurement import DeviceClue, Measurement, Reason
from mappings.payload import (
    SECOND_US,
    Instant,
    Unreadable,
    at_offset,
    number,
    number_text,
)
from mappings.records import moment
from mappings.source_version import modified_at
from mappings.times import Span, in_zone, local_day, named_zone, reading

Json = Mapping[str, Any]

_MAX_OFFSET_S = 14 * 3600
_MAX_TEXT = 200
_YEARS = range(2000, 2200)
_NAME_PARTS = 6
"""Parts of `users/{user}/dataTypes/{type}/dataPoints/{point}`."""


class Point(NamedTuple):
    """A data point.

    Attributes:
        type: Its type, as the member is called that holds its data.
        data: That member.
        position: Where in the payload.
        kept: What a retry needs beside the data.
        source_id: Last part of its name; None where it has none.
        patient: The user's part of its name.
        device: What it says of the device.
        self_reported: Whether a person entered it.
        zone: Zone of the person's calendar; in its offset times are written that
            have none.

    """

    type: str
    data: Json
    position: str
    kept: Json
    source_id: str | None
    patient: str | None
    device: DeviceClue | None
    self_reported: bool
    zone: ZoneInfo | None

    def payload(self, data: Json) -> dict[str, object]:
        """Return a data point with other data, so that it can be tried again."""
        return {**self.kept, self.type: dict(data)}

    def reading(
        self, kind: str, value: Any, unit: str, span: Span, **more: Any
    ) -> Measurement:
        """Return a reading of this point."""
        return reading(
            kind,
            value,
            unit,
            span,
            self.position,
            source_id=self.source_id,
            device=self.device,
            self_reported=self.self_reported,
            patient=self.patient,
            source_version=modified_at(self.data.get("updateTime")),
            **more,
        )

    def interval(self) -> Span:
        """Return the interval of its data.

        Raises:
            Unreadable: `no-time`, `malformed`.

        """
        interval = self.data.get("interval")
        if not isinstance(interval, Mapping):
            raise Unreadable(Reason.NO_TIME, "The data point has no interval.")
        return span_of(interval, self.zone)

    def sample_time(self) -> Span:
        """Return the moment of its data.

        Raises:
            Unreadable: `no-time`, `malformed`.

        """
        time = self.data.get("sampleTime")
        if not isinstance(time, Mapping):
            raise Unreadable(Reason.NO_TIME, "The data point has no sampleTime.")
        return _span(
            time_of(time.get("physicalTime"), time.get("utcOffset"), self.zone),
            None,
            self.zone,
        )

    def day(self) -> Span:
        """Return the day of its data, from midnight to midnight.

        Raises:
            Unreadable: `no-offset` where no zone is named, `no-time`, `malformed`.

        """
        return local_day(date_text(self.data.get("date")), _named(self.zone))


def _named(zone: ZoneInfo | None) -> ZoneInfo:
    return named_zone(None if zone is None else zone.key)


def named_point(name: object) -> tuple[str | None, str | None]:
    """Return the identifier of a point and that of its user."""
    parts = name.split("/") if isinstance(name, str) and len(name) <= _MAX_TEXT else []
    if len(parts) < 2 or parts[0] != "users":  # noqa: PLR2004 - `users/{user}`
        return None, None
    id_ = parts[-1] if len(parts) == _NAME_PARTS and parts[-1] else None
    return id_, parts[1] if parts[1] not in ("", "me") else None


def device_of(source: object) -> DeviceClue | None:
    """Return what a data source says of the device; its application is not kept."""
    device = source.get("device") if isinstance(source, Mapping) else None
    if not isinstance(device, Mapping):
        return None
    manufacturer = text_of(device.get("manufacturer"))
    model = text_of(device.get("displayName"))
    if manufacturer is None and model is None:
        return None
    return DeviceClue(manufacturer=manufacturer, model=model)


def text_of(value: object) -> str | None:
    """Return a text that is not too long to be a name; else None."""
    return value if isinstance(value, str) and 0 < len(value) <= _MAX_TEXT else None


def span_of(interval: Json, zone: ZoneInfo | None) -> Span:
    """Return an interval of UTC times with their offsets.

    Raises:
        Unreadable: `no-time`, `malformed`.

    """
    start = time_of(interval.get("startTime"), interval.get("startUtcOffset"), zone)
    end = time_of(interval.get("endTime"), interval.get("endUtcOffset"), zone)
    return _span(start, end, zone)


def _span(start: Instant, end: Instant | None, zone: ZoneInfo | None) -> Span:
    name = None
    if zone is not None and in_zone(start.us, zone).text == start.text:
        name = zone.key
    return Span(start, end, name)


def time_of(text: object, offset: object, zone: ZoneInfo | None) -> Instant:
    """Return a UTC time as a clock at its offset shows it; `Z` where none is known.

    Raises:
        Unreadable: `no-time`, `malformed`.

    """
    time = moment(text)
    if offset is not None:
        return at_offset(time.us, _offset(offset))
    if time.text[-1] != "Z" or zone is None:
        return time
    return in_zone(time.us, zone)


@lru_cache(maxsize=256)
def _minutes(text: str) -> int:
    minutes, rest = divmod(duration_us(text), 60 * SECOND_US)
    if rest or abs(minutes) * 60 > _MAX_OFFSET_S:
        raise Unreadable(Reason.MALFORMED, "The offset from UTC does not exist.")
    return minutes


def _offset(value: object) -> int:
    if not isinstance(value, str):
        raise Unreadable(Reason.MALFORMED, "The offset from UTC is not a text.")
    return _minutes(value)


def duration_us(value: object) -> int:
    """Return a length of time such as `"900s"` in microseconds.

    Raises:
        Unreadable: `invalid-value` for anything else.

    """
    if not isinstance(value, str) or not value.endswith("s"):
        raise Unreadable(Reason.INVALID_VALUE, "The duration is not a text in seconds.")
    seconds = number_text(value[:-1])
    if abs(Decimal(seconds)) > _MAX_SECONDS:
        raise Unreadable(Reason.INVALID_VALUE, "The duration is longer than ten years.")
    return int(seconds * SECOND_US)


_MAX_SECONDS = 10 * 366 * 86_400


def size_of(value: object) -> Decimal | int:
    """Return a number; a whole one may be written as a text.

    Raises:
        Unreadable: `invalid-value` for anything else.

    """
    return number_text(value) if isinstance(value, str) and value else number(value)


def date_text(date: object) -> str:
    """Return a date that is written as `{year, month, day}`.

    Raises:
        Unreadable: `no-time` without a date, `malformed` for a part of one.

    """
    if not isinstance(date, Mapping):
        raise Unreadable(Reason.NO_TIME, "The data point has no date.")
    parts: list[object] = [date.get(name) for name in ("year", "month", "day")]
    numbers = [part for part in parts if isinstance(part, int)]
    if len(numbers) < len(parts):
        raise Unreadable(Reason.MALFORMED, "The date is not a whole one.")
    year, month, day = numbers
    if year not in _YEARS or not (0 < month < 100 and 0 < day < 100):  # noqa: PLR2004 - two digits
        raise Unreadable(Reason.MALFORMED, "The date is none of 2000 to 2199.")
    return f"{year:04}-{month:02}-{day:02}"


def civil_span(start: object, end: object, zone: ZoneInfo | None) -> Span:
    """Return the days from one civil time to another, each at its midnight.

    Raises:
        Unreadable: `no-offset`, `no-time`; `malformed` where a time is no midnight.

    """
    first, last = (
        local_day(date_text(_midnight(one)), _named(zone)) for one in (start, end)
    )
    return first._replace(end=last.start)


def _midnight(time: object) -> object:
    if not isinstance(time, Mapping):
        raise Unreadable(Reason.NO_TIME, "There is no civil time.")
    clock = time.get("time")
    if isinstance(clock, Mapping) and any(clock.values()):
        raise Unreadable(Reason.MALFORMED, "The civil time is not a midnight.")
    return time.get("date")
