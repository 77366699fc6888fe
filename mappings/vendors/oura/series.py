"""Oura's signals: values at a constant distance in time, with gaps.

https://cloud.ouraring.com/v2/docs
"""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from mappings.measurement import OutOfScope, Reading, Reason, Samples
from mappings.payload import SECOND_US, Unreadable, after, number
from mappings.records import NO_VALUE, Record, moment
from mappings.times import Span, reading
from mappings.vendors.oura.shapes import SERIES

_MAX_INTERVAL_S = 3600
_MAX_ITEMS = 100_000


def signal(record: Record, name: str, said: Mapping[str, Any]) -> Reading:
    """Return the signal in a member `{interval, items, timestamp}` of a record."""
    kind, unit = SERIES[name]
    value, place = record.members[name], f"{record.position}.{name}"
    try:
        span, samples = _signal(value)
    except Unreadable as error:
        return error.of(kind).refusal(place, record.kept(name))
    if all(one == "E" for one in samples.data):
        return OutOfScope(place, NO_VALUE)
    return reading(kind, samples, unit, span, place, **said)


def _signal(value: Any) -> tuple[Span, Samples]:
    """Return the values of a signal and when they were taken.

    Raises:
        Unreadable: `malformed` for what is no signal, `invalid-value` for an item
            that is no number, and as `moment`.

    """
    if value is None:
        value = {"interval": 1, "items": [], "timestamp": "2000-01-01T00:00:00Z"}
    interval = value.get("interval") if isinstance(value, Mapping) else None
    items = value.get("items") if isinstance(value, Mapping) else None
    if not isinstance(items, list) or len(items) > _MAX_ITEMS:
        raise Unreadable(Reason.MALFORMED, "A signal has a list of items.")
    if not _is_interval(interval):
        raise Unreadable(Reason.MALFORMED, "A signal has an interval in seconds.")
    data = tuple("E" if one is None else number(one) for one in items)
    start = moment(value.get("timestamp"))
    period_us = int(interval * SECOND_US)  # type: ignore[operator]
    end = after(start, len(data) * period_us)
    period = Decimal(period_us) / 1000
    whole = int(period) if period == int(period) else period
    return Span(start, end), Samples(whole, data)


def _is_interval(value: object) -> bool:
    return (
        isinstance(value, int | Decimal)
        and not isinstance(value, bool)
        and 0 < value <= _MAX_INTERVAL_S
    )
