"""What all of Withings' answers share: zones, devices, and times in seconds.

https://developer.withings.com/api-reference
"""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from mappings.measurement import DeviceClue, Reason
from mappings.payload import (
    SECOND_US,
    Instant,
    Unreadable,
    epoch_ms,
    zone_of,
    zone_offset_minutes,
)
from mappings.records import UNNAMED
from mappings.times import Span, epoch_s
from mappings.vendors.withings.types import EXTERNAL, SPECIALIZATIONS

_MAX_TEXT = 128
_MAX_DIGITS = 11
_MAX_SECONDS = 10**_MAX_DIGITS


class Answer(NamedTuple):
    """Where a record stands.

    Attributes:
        name: Member of the body that holds such records.
        zone: IANA name of the answer's zone, or of the one that somebody has named.
        position: Where in the payload the record is.

    """

    name: str
    zone: str | None
    position: str

    def wrap(self, record: Any) -> dict[str, Any]:
        """Return an answer that holds the record alone."""
        body = {self.name: [record]}
        named = {} if self.zone is None else {"timezone": self.zone}
        return {"status": 0, "body": named | body}


def zone_for(record: Mapping[str, Any], answer: Answer) -> ZoneInfo | None:
    """Return the zone of a record; None where none is known by that name."""
    for name in (record.get("timezone"), answer.zone):
        if isinstance(name, str) and name and (zone := zone_of(name)) is not None:
            return zone
    return None


def known_zone(record: Mapping[str, Any], answer: Answer) -> ZoneInfo:
    """Return the zone of a record.

    Raises:
        Unreadable: `no-offset` where none is known.

    """
    zone = zone_for(record, answer)
    if zone is None:
        raise Unreadable(Reason.NO_OFFSET, "No known time zone is named.")
    return zone


def seconds_of(text: str) -> int:
    """Return the seconds since 1970 that are a member's name.

    Raises:
        Unreadable: `malformed` for any other name.

    """
    if second_name(text) is not UNNAMED:
        return int(text)
    raise Unreadable(Reason.MALFORMED, "The member's name is no time in seconds.")


def second_name(text: str) -> str:
    """Return how a position names a member whose name is a time in seconds."""
    is_time = text.isascii() and text.isdecimal() and len(text) <= _MAX_DIGITS
    return text if is_time else UNNAMED


def instant_in(value: object, zone: ZoneInfo | None) -> Instant:
    """Return the moment `value` seconds after 1970, as clocks of the zone show it.

    Raises:
        Unreadable: as `epoch_s`.

    """
    if zone is None or type(value) is not int or not 0 < value < _MAX_SECONDS:
        return epoch_s(value)
    return epoch_s(value, zone_offset_minutes(zone, value * SECOND_US))


def span_in(start: object, end: object, zone: ZoneInfo | None) -> Span:
    """Return the span between two numbers of seconds.

    Raises:
        Unreadable: as `epoch_s`.

    """
    key = None if zone is None else zone.key
    return Span(instant_in(start, zone), instant_in(end, zone), key)


def device_of(record: Mapping[str, Any]) -> DeviceClue | None:
    """Return the device of a record; None where nothing is said of it."""
    identifier = record.get("deviceid") or record.get("hash_deviceid")
    return _device(
        _text(identifier),
        _text(record.get("model")),
        _text(record.get("type")),
        record.get("brand") == EXTERNAL,
    )


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and 0 < len(value) <= _MAX_TEXT else None


@lru_cache(maxsize=256)
def _device(
    identifier: str | None,
    model: str | None,
    type_: str | None,
    is_external: bool,  # noqa: FBT001 - a cache takes no keywords lightly
) -> DeviceClue | None:
    if identifier is None and model is None:
        return None
    return DeviceClue(
        identifier=identifier,
        manufacturer=None if is_external else "Withings",
        model=model,
        specialization=SPECIALIZATIONS.get(type_ or ""),
    )


def version_of(record: Mapping[str, Any]) -> int | None:
    """Return the version of a record: the second at which it was modified."""
    modified = record.get("modified")
    if type(modified) is not int:
        return None
    try:
        return epoch_ms(modified * 1000).us
    except Unreadable:
        return None


def id_of(record: Mapping[str, Any], name: str) -> str | None:
    """Return the source's id of a record, which is a number or a text."""
    value = record.get(name)
    return str(value) if type(value) is int else _text(value)
