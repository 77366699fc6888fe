"""One answer, or one entry of it: its times come in pairs, GMT and local.

The local half is a wall clock written as if it were GMT: the offset is their
difference. Both are texts without offset, or milliseconds since 1970.

https://connect.garmin.com/
"""

from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from mappings.measurement import (
    DeviceClue,
    Measurement,
    OutOfScope,
    Reading,
    Reason,
    Refusal,
)
from mappings.payload import MINUTE_US, Instant, Unreadable, number
from mappings.times import Span, epoch_s, in_zone, local_instant, reading, written_at

Json = Mapping[str, Any]

UTC_ZONE = ZoneInfo("UTC")

_MAX_OFFSET = 14 * 60
_FIRST_MS, _END_MS = 946_684_800_000, 7_258_118_400_000
"""Milliseconds since 1970 of the years 2000 and 2200."""

_LISTS = frozenset({"dateWeightList"})

NO_VALUE = "property without a value"
"""What a null member is, in a receipt."""


class Quantity(NamedTuple):
    """What a number is.

    Attributes:
        kind: Row of kinds.csv.
        unit: UCUM code in which the answer gives it.
        is_zero_absent: Whether 0 stands for no value; below 0 always does.
        method: What it says beyond its unit.

    """

    kind: str
    unit: str
    is_zero_absent: bool = False
    method: str | None = None


class Body(NamedTuple):
    """What is read, and what its readings share.

    Attributes:
        fields: Its members.
        position: Where in the file.
        zone: Zone that the caller names, where a local time is missing.
        source_id: Garmin's identifier; where there is none, its name and day.
        device: What it says of the device.
        self_reported: Whether a person entered it.
        wrapper: Member of the answer that holds it; empty for a whole answer.

    """

    fields: Json
    position: str
    zone: ZoneInfo | None = None
    source_id: str | None = None
    device: DeviceClue | None = None
    self_reported: bool = False
    wrapper: str = ""

    def kept(self, **members: object) -> Json:
        """Return an answer with the times of this one and one of its members."""
        bare: Json = {
            name: [] if isinstance(value, list) else value
            for name, value in self.fields.items()
            if isinstance(value, list) or _is_time(name)
        } | members
        if not self.wrapper:
            return bare
        return {self.wrapper: [bare] if self.wrapper in _LISTS else bare}

    def at(self, gmt: object, local: object = None) -> tuple[Instant, bool]:
        """Return the moment of a pair, and whether its halves cannot both be true.

        Raises:
            Unreadable: `no-time`, `malformed`.

        """
        us = microseconds_of(gmt)
        if local is None:
            return self.moment(us, None), False
        distance = microseconds_of(local) - us
        minutes, rest = divmod(distance, MINUTE_US)
        if rest or abs(minutes) > _MAX_OFFSET:
            return written_at(us), True
        return written_at(us, minutes), False

    def moment(self, us: int, offset: int | None) -> Instant:
        """Return a moment at an offset, or in the caller's zone where none is known."""
        if offset is None and self.zone is not None:
            return in_zone(us, self.zone)
        return written_at(us, offset)

    def span(self, start: str, end: str, local_start: str, local_end: str) -> Span:
        """Return the span between two pairs of members.

        Raises:
            Unreadable: as `at`.

        """
        get = self.fields.get
        first, is_disputed = self.at(get(start), get(local_start))
        last, is_last_disputed = self.at(get(end), get(local_end))
        return Span(first, last, None, is_disputed or is_last_disputed)

    def reading(
        self, kind: str, value: Any, unit: str, span: Span, position: str, **more: Any
    ) -> Measurement:
        """Return a reading of this body."""
        more.setdefault("source_id", self.source_id)
        more.setdefault("device", self.device)
        more.setdefault("self_reported", self.self_reported)
        return reading(kind, value, unit, span, position, **more)

    def measured(
        self, quantity: Quantity, value: object, span: Span, position: str, **more: Any
    ) -> Measurement:
        """Return a number's reading; a sentinel has no value and says why.

        Raises:
            Unreadable: `invalid-value` for what is no number.

        """
        kind, unit, is_zero_absent, method = quantity
        try:
            size = number(value)
        except Unreadable as error:
            raise error.of(kind) from None
        more.setdefault("method", method)
        if size < 0 or (is_zero_absent and not size):
            more["absent"] = "unknown"
            return self.reading(kind, None, "", span, position, **more)
        if unit == "g":
            size, unit = Decimal(size).scaleb(-3), "kg"
        return self.reading(kind, size, unit, span, position, **more)

    def members(
        self,
        quantities: Mapping[str, Quantity],
        out_of_scope: Mapping[str, str],
        span: Span,
        known: Iterable[str] = (),
    ) -> Iterator[Reading]:
        """Yield a reading of each member that is one, and account for the others.

        A number that nobody knows is refused; a text or truth value that nobody
        knows says of which sort the others are.
        """
        skipped = frozenset(known)
        empty = 0
        for name, value in self.fields.items():
            if name in skipped:
                continue
            if name in out_of_scope:
                yield OutOfScope(f"{self.position}.{name}", out_of_scope[name])
            elif value is None:
                empty += 1
            elif name in quantities:
                yield self._member(quantities[name], name, value, span)
            elif not isinstance(value, str | bool):
                detail = "A member is not one that is understood."
                kept = self.kept(**{name: value})
                yield Refusal(self.position, Reason.UNKNOWN_KIND, None, detail, kept)
        if empty:
            yield OutOfScope(self.position, NO_VALUE, empty)

    def _member(
        self, quantity: Quantity, name: str, value: object, span: Span
    ) -> Reading:
        place = f"{self.position}.{name}"
        try:
            return self.measured(quantity, value, span, place)
        except Unreadable as error:
            return error.refusal(place, self.kept(**{name: value}))


def _is_time(name: str) -> bool:
    return "time" in name.lower() or name in {"calendarDate", "date", "duration"}


def microseconds_of(value: object) -> int:
    """Return a time, in milliseconds or as a text of GMT, as microseconds.

    Raises:
        Unreadable: `no-time`, `malformed`.

    """
    if type(value) is int and _FIRST_MS <= value < _END_MS:
        return value * 1000
    if isinstance(value, str):
        return local_instant(value.removesuffix("Z"), UTC_ZONE)[0].us
    if value is None or isinstance(value, bool) or not isinstance(value, int):
        return epoch_s(None if value is None else "").us
    return epoch_s(Decimal(value).scaleb(-3)).us
