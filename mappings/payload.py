"""What payloads are made of: times, numbers and the texts around them.

A time becomes the text of a FHIR dateTime and the same instant in microseconds
since 1970-01-01T00:00:00Z; a float is never in between.

https://hl7.org/fhir/R4/datatypes.html#dateTime
"""

import re
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from functools import cache, lru_cache
from typing import NamedTuple
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from conformance.fhir_json import Number
from mappings.measurement import Reason, Refusal

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

SECOND_US = 1_000_000
MINUTE_US = 60 * SECOND_US
HOUR_US = 60 * MINUTE_US
DAY_US = 24 * HOUR_US

MAX_EXPONENT = 30
"""Powers of ten of a measured number, either way; beyond is a bomb or a fault."""

MAX_NUMBER_LENGTH = 64
"""Characters of a measured number written as text."""

_RFC3339 = re.compile(
    r"(?P<day>[0-9]{4}-[0-9]{2}-[0-9]{2})[Tt ]"
    r"(?P<minute>[0-9]{2}:[0-9]{2})"
    r"(?P<second>:[0-9]{2})?(?P<fraction>\.[0-9]+)?"
    r" ?(?P<offset>[Zz]|[+-][0-9]{2}(?::?[0-9]{2})?)?"
)
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_USUAL_OFFSET = re.compile(r" ?(?:[Zz]|[+-][0-9]{2}(?::?[0-9]{2})?)")
_DATE = re.compile(r"[0-9]{4}(?:-[0-9]{2}(?:-[0-9]{2})?)?")
_DECIMAL = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?")


class Unreadable(Exception):  # noqa: N818 - names a state of the payload, not a fault of the program
    """A part of a payload that cannot become a measurement.

    Attributes:
        reason: The word for it in the receipt.
        detail: A sentence that names elements and units, never a value.
        kind: Row of kinds.csv, where it is known what was meant.

    """

    def __init__(self, reason: Reason, detail: str, kind: str | None = None) -> None:
        super().__init__(detail)
        self.reason = reason
        self.detail = detail
        self.kind = kind

    def of(self, kind: str) -> "Unreadable":
        """Return the same, said of a kind."""
        return Unreadable(self.reason, self.detail, self.kind or kind)

    def refusal(
        self, position: str, payload: object = None, records: int = 1
    ) -> Refusal:
        """Return the refusal of what stands at `position`."""
        return Refusal(position, self.reason, self.kind, self.detail, payload, records)


class Instant(NamedTuple):
    """One moment.

    Attributes:
        text: FHIR dateTime with its offset, in the precision given.
        us: Microseconds since 1970-01-01T00:00:00Z.

    """

    text: str
    us: int


def microseconds(moment: datetime) -> int:
    """Return `moment`, which has its offset, as microseconds since 1970."""
    since = moment - EPOCH
    return (since.days * 86_400 + since.seconds) * SECOND_US + since.microseconds


def instant(text: str) -> Instant:
    """Return the moment that a text such as `2020-02-05T07:25:00-08:00` names.

    Accepts a blank for the `T`, `+0100` and `+01` for `+01:00`, and a time without
    seconds, which FHIR lets us fill with zeros (datatypes.html#dateTime).

    Raises:
        Unreadable: `no-time` for a date alone, `no-offset` for a local time,
            `malformed` for any other text.

    """
    day = text[:10]
    try:
        offset, offset_us = _usual_offset(text[19:])
        us = _day_us(day) + _MINUTES[text[10:16]] + _SECONDS[text[16:19]]
    except (KeyError, ValueError):
        return _unusual_instant(text)
    return Instant(f"{day}T{text[11:19]}{offset}", us - offset_us)


_MINUTES = {
    f"{mark}{hour:02}:{minute:02}": (hour * 60 + minute) * MINUTE_US
    for mark in "T "
    for hour in range(24)
    for minute in range(60)
}
_SECONDS = {f":{second:02}": second * SECOND_US for second in range(60)}


@lru_cache(maxsize=1024)
def _day_us(text: str) -> int:
    """Return the first moment of a day of UTC.

    Raises:
        ValueError: for what is no day.

    """
    if not _DAY.fullmatch(text):
        raise ValueError("not a day")
    return (date.fromisoformat(text) - EPOCH.date()).days * DAY_US


@lru_cache(maxsize=256)
def _usual_offset(text: str) -> tuple[str, int]:
    """Return an offset as FHIR writes it, and in microseconds.

    Raises:
        ValueError: for any other text; it may still be part of a time.

    """
    if not _USUAL_OFFSET.fullmatch(text):
        raise ValueError("not an offset alone")
    offset = _offset(text.strip())
    return offset, offset_minutes(offset) * MINUTE_US


def _unusual_instant(text: str) -> Instant:
    """Return the moment of a text with a fraction, a leap second, no seconds.

    Raises:
        Unreadable: as `instant`.

    """
    found = _RFC3339.fullmatch(text)
    if found is None:
        raise _not_a_time(text)
    day, minute, second, fraction, offset = found.groups()
    if offset is None:
        raise Unreadable(Reason.NO_OFFSET, "The time has no offset from UTC.")
    zone = _offset(offset)
    written = second or ":00"
    is_leap = written == ":60"
    try:
        us = _day_us(day) + _MINUTES[f"T{minute}"]
        us += _SECONDS[":59" if is_leap else written]
    except (KeyError, ValueError):
        raise Unreadable(Reason.MALFORMED, "The time does not exist.") from None
    us += is_leap * SECOND_US - offset_minutes(zone) * MINUTE_US
    if fraction:
        us += int(fraction[1:7].ljust(6, "0"))
    return Instant(f"{day}T{minute}{written}{fraction or ''}{zone}", us)


def _not_a_time(text: str) -> Unreadable:
    if _DATE.fullmatch(text):
        return Unreadable(Reason.NO_TIME, "A date alone is not a time.")
    return Unreadable(Reason.MALFORMED, "The text is not a time.")


def _offset(text: str) -> str:
    """Return an offset as FHIR writes it: `Z` or `+hh:mm`, at most 14:00."""
    if text in "Zz":
        return "Z"
    hours, minutes = text[1:3], text[-2:] if len(text) > 3 else "00"  # noqa: PLR2004 - `+hh` has three characters
    if hours + minutes > "1400" or minutes > "59":
        raise Unreadable(Reason.MALFORMED, "The offset from UTC does not exist.")
    return f"{text[0]}{hours}:{minutes}"


def instant_of(value: object) -> Instant:
    """Return the moment that a JSON value names.

    Raises:
        Unreadable: as `instant`; `no-time` for null, `malformed` for no text.

    """
    if isinstance(value, str):
        return instant(value)
    if value is None:
        raise Unreadable(Reason.NO_TIME, "There is no time.")
    raise Unreadable(Reason.MALFORMED, "The time is not a text.")


def epoch_ms(milliseconds: int) -> Instant:
    """Return the moment that lies `milliseconds` after 1970, in UTC.

    Raises:
        Unreadable: `malformed` for a number that names no year from 2000 to 2199:
            it counts something else, seconds for instance.

    """
    if not _YEAR_2000_MS <= milliseconds < _YEAR_2200_MS:
        raise Unreadable(
            Reason.MALFORMED, "The time is not a number of milliseconds since 1970."
        )
    whole, rest = divmod(milliseconds, 1000)
    return Instant(f"{_clock(whole * SECOND_US)}.{rest:03}Z", milliseconds * 1000)


def _clock(us: int) -> str:
    """Return a moment as it reads in UTC, without saying so."""
    day, rest = divmod(us, DAY_US)
    minute, rest = divmod(rest, MINUTE_US)
    second, fraction = divmod(rest, SECOND_US)
    clock = f"{_day_text(day)}{_MINUTE_TEXTS[minute]}{_SECOND_TEXTS[second]}"
    return f"{clock}.{fraction:06}".rstrip("0") if fraction else clock


@lru_cache(maxsize=1024)
def _day_text(days: int) -> str:
    return (EPOCH + timedelta(days=days)).isoformat()[:10]


_MINUTE_TEXTS = tuple(
    f"T{hour:02}:{minute:02}" for hour in range(24) for minute in range(60)
)
_SECOND_TEXTS = tuple(f":{second:02}" for second in range(60))


_YEAR_2000_MS = 946_684_800_000
_YEAR_2200_MS = 7_258_118_400_000


def at_offset(us: int, offset_minutes: int) -> Instant:
    """Return the moment `us` as it reads at an offset from UTC.

    The text carries a fraction only where `us` is not a whole second.
    """
    clock = _clock(us + offset_minutes * MINUTE_US)
    return Instant(clock + offset_text(offset_minutes), us)


def seconds(us: int) -> Decimal | int:
    """Return a length of `us` microseconds in seconds, exactly."""
    whole, rest = divmod(us, SECOND_US)
    return whole if not rest else (Decimal(us) / SECOND_US)


_WORD_START = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|[\s_]+")


def kebab(words: str) -> str:
    """Return `TaiChi`, `tai chi` or `tai_chi` as `tai-chi`."""
    return _WORD_START.sub("-", words.strip()).lower()


@lru_cache(maxsize=256)
def offset_text(minutes: int) -> str:
    """Return an offset in minutes as `+hh:mm`; UTC is `+00:00`."""
    hours, rest = divmod(abs(minutes), 60)
    return f"{'-' if minutes < 0 else '+'}{hours:02}:{rest:02}"


def offset_minutes(text: str) -> int:
    """Return the offset that a FHIR dateTime ends with, in minutes."""
    if text[-1] == "Z":
        return 0
    minutes = int(text[-5:-3]) * 60 + int(text[-2:])
    return -minutes if text[-6] == "-" else minutes


def after(start: Instant, us: int) -> Instant:
    """Return the moment `us` microseconds after `start`, at its offset."""
    moment = at_offset(start.us + us, offset_minutes(start.text))
    if start.text[-1] == "Z":
        return Instant(f"{moment.text[:-6]}Z", moment.us)
    return moment


@lru_cache(maxsize=256)
def zone_of(name: str) -> ZoneInfo | None:
    """Return the IANA zone of that name, or None where there is none.

    What a machine calls its own zone (`localtime`, `Factory`) names none, and neither
    does a file of the zones' folder by its path (`posix/…`).
    """
    if name not in _zone_names():
        return None
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return None


@cache
def _zone_names() -> frozenset[str]:
    return frozenset(available_timezones()) - _NO_ZONES


_NO_ZONES = frozenset({"Factory", "localtime", "posixrules"})


def zone_offset_minutes(zone: ZoneInfo, us: int) -> int | None:
    """Return the zone's offset at a moment, in minutes.

    None where it is not a whole number of minutes, as local mean times were: FHIR
    has no way to write such an offset.
    """
    offset = _offset_of_day(zone, us // DAY_US)
    return _exact_offset(zone, us) if offset == _CHANGES else offset


_CHANGES = 10_000
"""In place of an offset: the zone changes it that day."""


@lru_cache(maxsize=1024)
def _offset_of_day(zone: ZoneInfo, day: int) -> int | None:
    """Return the offset that holds all day (of UTC), or `_CHANGES`.

    No zone changes its offset twice within a day: since 1970 the shortest is a week.
    """
    first = _exact_offset(zone, day * DAY_US)
    last = _exact_offset(zone, (day + 1) * DAY_US - 1)
    return first if first == last else _CHANGES


def _exact_offset(zone: ZoneInfo, us: int) -> int | None:
    offset = (EPOCH + timedelta(microseconds=us)).astimezone(zone).utcoffset()
    if offset is None or offset % timedelta(minutes=1):
        return None
    return offset // timedelta(minutes=1)


def _is_measurable(value: Decimal) -> bool:
    return value.is_finite() and abs(value.adjusted()) <= MAX_EXPONENT


def number(value: object) -> Decimal | int:
    """Return a JSON number, its digits kept.

    Raises:
        Unreadable: `invalid-value` for anything else: a text, a truth value, null.

    """
    if type(value) is int:
        return value
    if isinstance(value, Decimal) and _is_measurable(value):
        return value
    raise Unreadable(Reason.INVALID_VALUE, "The value is not a number.")


def number_text(text: str) -> Decimal | int:
    """Return the number that a text writes as JSON would, its digits kept.

    Raises:
        Unreadable: `invalid-value` for any other text.

    """
    if text.isdecimal() and (text[0] != "0" or text == "0") and _short_ascii(text):
        return int(text)
    if len(text) <= MAX_NUMBER_LENGTH and _DECIMAL.fullmatch(text):
        return number(Number(text))
    raise Unreadable(Reason.INVALID_VALUE, "The value is not a number.")


def _short_ascii(text: str) -> bool:
    return len(text) <= MAX_EXPONENT and text.isascii()
