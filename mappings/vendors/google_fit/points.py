"""A point of a data set: when, from which stream, of which device.

Times are nanoseconds of UTC, written as texts; no zone is known.

https://developers.google.com/fit/rest/v1/reference/users/dataset
"""

from collections.abc import Mapping
from decimal import Decimal
from functools import lru_cache
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from mappings.measurement import DeviceClue, Measurement, Reason
from mappings.payload import Instant, Unreadable, number, zone_offset_minutes
from mappings.times import Span, reading, written_at

Json = Mapping[str, Any]

_NANOS = 1_000_000_000
_YEAR_2000 = 946_684_800 * _NANOS
_YEAR_2200 = 7_258_118_400 * _NANOS
_MAX_DIGITS = 20
_DEVICE_PARTS = 7
"""Parts of `type:dataType:package:manufacturer:model:uid:name`."""
_MAX_TEXT = 200


class Point(NamedTuple):
    """A point.

    Attributes:
        fields: Its members.
        position: Where in the payload.
        stream: Identifier of the data set's stream.
        zone: Zone of the person, in whose offset times are written.

    """

    fields: Json
    position: str
    stream: str
    zone: ZoneInfo | None

    @property
    def origin(self) -> str:
        """Return the stream in which the point was first written."""
        origin = self.fields.get("originDataSourceId")
        return origin if isinstance(origin, str) and origin else self.stream

    @property
    def type(self) -> str:
        """Return its data type, as the point or else its stream names it."""
        named = self.fields.get("dataTypeName")
        if isinstance(named, str):
            return named
        parts = self.stream.split(":")
        return parts[1] if len(parts) > 1 else ""

    @property
    def self_reported(self) -> bool:
        """Whether a person entered it."""
        return self.origin.endswith(":user_input")

    def span(self) -> Span:
        """Return its interval, or its moment where both times are one.

        Raises:
            Unreadable: `no-time`, `malformed`.

        """
        first, last = (
            self.fields.get("startTimeNanos"),
            self.fields.get("endTimeNanos"),
        )
        start = moment(first, self.zone)
        name = None if self.zone is None else self.zone.key
        if first == last:
            return Span(start, None, name)
        end = moment(last, self.zone)
        return Span(start, None if end == start else end, name)

    def value(self, index: int) -> Decimal | int | None:
        """Return one of its values; None where there is none.

        Raises:
            Unreadable: `malformed`, `invalid-value`.

        """
        values = self.fields.get("value")
        if not isinstance(values, list):
            raise Unreadable(Reason.MALFORMED, "The point has no list of values.")
        one = values[index] if index < len(values) else None
        if not isinstance(one, Mapping):
            return None
        given = one.get("fpVal") if one.get("intVal") is None else one["intVal"]
        return None if given is None else number(given)

    def payload(self) -> dict[str, object]:
        """Return a data set with this point alone, so that it can be tried again."""
        return {"dataSourceId": self.stream, "point": [dict(self.fields)]}

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
            device=device_of(self.origin),
            self_reported=self.self_reported,
            **more,
        )


def moment(value: object, zone: ZoneInfo | None) -> Instant:
    """Return the moment that a number of nanoseconds names, with all its digits.

    Raises:
        Unreadable: `no-time` for null, `malformed` for what names no year from 2000
            to 2199.

    """
    if value is None:
        raise Unreadable(Reason.NO_TIME, "There is no time.")
    if isinstance(value, str) and value.isdecimal() and len(value) <= _MAX_DIGITS:
        value = int(value)
    if type(value) is not int or not _YEAR_2000 <= value < _YEAR_2200:
        raise Unreadable(
            Reason.MALFORMED, "The time is not a number of nanoseconds since 1970."
        )
    second, rest = divmod(value, _NANOS)
    offset = None if zone is None else zone_offset_minutes(zone, second * 1_000_000)
    text = written_at(second * 1_000_000, offset).text
    if rest:
        fraction = f"{rest:09}".rstrip("0")
        text = f"{text[:19]}.{fraction}{text[19:]}"
    return Instant(text, value // 1000)


@lru_cache(maxsize=1024)
def device_of(stream: str) -> DeviceClue | None:
    """Return the device that the identifier of a stream names."""
    parts = stream.split(":")
    if len(parts) < _DEVICE_PARTS or len(stream) > 2 * _MAX_TEXT:
        return None
    manufacturer, model, identifier = parts[3:6]
    if not (manufacturer or model):
        return None
    return DeviceClue(
        identifier=identifier or None,
        manufacturer=manufacturer or None,
        model=model or None,
    )
