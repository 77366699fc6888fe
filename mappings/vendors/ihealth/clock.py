"""iHealth's times: local wall clocks, written as seconds since 1970.

https://developer.ihealthlabs.com/
"""

import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from types import MappingProxyType
from typing import Any

from mappings.measurement import Reason
from mappings.payload import MINUTE_US, Instant, Unreadable, at_offset
from mappings.times import Span, day_at, epoch_s

_OFFSET = re.compile(r"([+-])([01][0-9]):?([0-5][0-9])")
_MAX_HOURS = 14


@lru_cache(maxsize=64)
def _minutes(text: str) -> int:
    found = _OFFSET.fullmatch(text)
    if found is None or int(found[2]) > _MAX_HOURS:
        raise Unreadable(Reason.NO_OFFSET, "TimeZone is no offset from UTC.")
    minutes = int(found[2]) * 60 + int(found[3])
    return -minutes if found[1] == "-" else minutes


def offset_of(value: object) -> int:
    """Return the offset of a record in minutes: `-0800`, or hours such as -8.

    Raises:
        Unreadable: `no-offset` for anything else.

    """
    if type(value) is int and abs(value) <= _MAX_HOURS:
        return value * 60
    return _minutes(value if isinstance(value, str) else "")


def _wall(value: object, offset: int) -> Instant:
    """Return the moment at which clocks at `offset` show what `value` writes as UTC.

    Raises:
        Unreadable: as `epoch_s`.

    """
    return at_offset(epoch_s(value).us - offset * MINUTE_US, offset)


def _spot(members: Mapping[str, Any], offset: int) -> Span:
    return Span(_wall(members.get("MDate"), offset))


def _day(members: Mapping[str, Any], offset: int) -> Span:
    """Return the local day of a record of activity, which is a day's sum."""
    return day_at(_wall(members.get("MDate"), offset).text[:10], offset)


def _sleep_span(members: Mapping[str, Any], offset: int) -> Span:
    start, end = members.get("StartTime"), members.get("EndTime")
    return Span(_wall(start, offset), _wall(end, offset))


def _sport_span(members: Mapping[str, Any], offset: int) -> Span:
    start, end = members.get("SportStartTime"), members.get("SportEndTime")
    return Span(_wall(start, offset), _wall(end, offset))


SPANS: Mapping[str, Callable[[Mapping[str, Any], int], Span]] = MappingProxyType(
    {
        "BPDataList": _spot,
        "BGDataList": _spot,
        "WeightDataList": _spot,
        "BODataList": _spot,
        "ARDataList": _day,
        "SRDataList": _sleep_span,
        "SPORTDataList": _sport_span,
    }
)
"""List to when a record of it was taken."""
