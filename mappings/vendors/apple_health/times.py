"""Times of the export, told in the zone where the person was.

The export writes every time with the offset that held *when it was exported*. The
instant is right, the local day need not be: where the zone is known, from the
record's `HKTimeZone` or from the caller, the same instant is written in that zone.
"""

from collections.abc import Mapping

from mappings.measurement import Reason
from mappings.payload import (
    Instant,
    Unreadable,
    at_offset,
    instant,
    offset_text,
    zone_of,
    zone_offset_minutes,
)

TIME_ZONE = "HKTimeZone"


Span = tuple[Instant, Instant, str | None]
"""Start, end, and the IANA name of the zone where record or caller knows it."""


def span(
    attributes: dict[str, str], metadata: dict[str, str], zone: str | None
) -> Span:
    """Return when a record was measured.

    Args:
        attributes: The record's attributes.
        metadata: Its metadata entries.
        zone: The caller's zone, for records that do not tell theirs.

    Raises:
        Unreadable: `no-time`, `no-offset`, `malformed`, `negative-interval`.

    """
    try:
        first, last = attributes["startDate"], attributes["endDate"]
    except KeyError:
        raise _NO_TIME from None
    start = instant(first)
    end = start if last == first else instant(last)
    if end.us < start.us:
        raise Unreadable(Reason.NEGATIVE_INTERVAL, "The record ends before it starts.")
    told = metadata.get(TIME_ZONE)
    if told is not None and zone_of(told) is not None:
        zone = told
    if zone is None:
        return start, end, None
    there = in_zone(start, zone)
    return there, there if end is start else in_zone(end, zone), zone


def created(attributes: Mapping[str, str]) -> int | None:
    """Return the version of a record: when HealthKit took it in; None where untold.

    What is in HealthKit does not change: a correction is another, later record.
    """
    text = attributes.get("creationDate")
    if text is None:
        return None
    try:
        return instant(text).us
    except Unreadable:
        return None


_NO_TIME = Unreadable(Reason.NO_TIME, "The record lacks startDate or endDate.")


def in_zone(moment: Instant, zone: str) -> Instant:
    """Return the same instant as it reads in a zone.

    It keeps its text where the offset is the same, where FHIR could not write the
    zone's offset, and where a fraction would lose digits.
    """
    info = zone_of(zone)
    offset = zone_offset_minutes(info, moment.us) if info else None
    if offset is None or "." in moment.text:
        return moment
    if moment.text.endswith(offset_text(offset)):
        return moment
    return at_offset(moment.us, offset)
