"""An electrocardiogram of the export: a CSV with a head of texts, then one lead.

The words of the head are in the language of the phone, so a line is known by what its
value looks like: a time, a frequency, a unit, a model of a watch. Only the words of
the classification and of the software's version are known in English alone.

https://support.apple.com/en-us/108375
"""

import re
from collections.abc import Iterator, Mapping
from decimal import Context, Decimal
from types import MappingProxyType

from mappings.measurement import (
    Component,
    DeviceClue,
    Measurement,
    Reading,
    Reason,
    Samples,
)
from mappings.payload import (
    Instant,
    Unreadable,
    after,
    instant,
    number_text,
)
from mappings.vendors.apple_health import times

KIND = "ecg"

MAX_BYTES = 4 * 1024 * 1024
"""Of one recording; thirty seconds at 512 a second have about 150,000."""

_SAMPLE = re.compile(r"-?[0-9]+(?:[.,][0-9]+)?")
_TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9:]{8} [+-][0-9]{4}")
_FREQUENCY = re.compile(r"([0-9]+(?:[.,][0-9]+)?) (?i:hertz|hz)")
_RATE = re.compile(r"([0-9]+(?:[.,][0-9]+)?) (?i:bpm|count/min)")
_WATCH = re.compile(r"Watch[0-9]+,[0-9]+")
_VERSION = re.compile(r"[0-9]+(?:\.[0-9]+){1,3}")
_OTHER_LEAD = re.compile(r"(?i:lead) (?!I$).+")

_UNITS = MappingProxyType(
    {
        "µV": Decimal("0.001"),  # The micro sign.
        "\N{GREEK SMALL LETTER MU}V": Decimal("0.001"),
        "mV": None,
    }
)
"""What a sample is multiplied with to be millivolts."""

CLASSIFICATIONS: Mapping[str, str] = MappingProxyType(
    {
        "Sinus Rhythm": "sinus-rhythm",
        "Atrial Fibrillation": "atrial-fibrillation",
        "High Heart Rate": "high-heart-rate",
        "Heart Rate Over 120": "high-heart-rate",
        "Heart Rate Over 150": "high-heart-rate",
        "Low Heart Rate": "low-heart-rate",
        "Heart Rate Under 50": "low-heart-rate",
        "Inconclusive": "inconclusive",
        "Poor Recording": "poor-recording",
        "Unrecognized": "unrecognized",
        "Not Set": "not-set",
    }
)
"""What the watch says of the rhythm, in English, and its code."""

_EXACT = Context(prec=12)


def reading(text: str, position: str, zone: str | None) -> Reading:
    """Return the reading of a recording.

    Args:
        text: The CSV.
        position: Its place among the recordings of the export.
        zone: IANA name of the person's zone, where the caller knows it.

    """
    head, lines = _parted(text)
    try:
        return _measurement(head, lines, position, zone)
    except Unreadable as error:
        return error.of(KIND).refusal(position, {"electrocardiogram": _kept(text)})


def _parted(text: str) -> tuple[dict[str, str], list[str]]:
    """Return the head, values by their words, and the lines of samples."""
    lines = [line.strip() for line in text.lstrip("\ufeff").splitlines()]
    filled = [line for line in lines if line]
    start = next(
        (at for at, line in enumerate(filled) if _SAMPLE.fullmatch(line)), len(filled)
    )
    head = {}
    for line in filled[:start]:
        word, _, value = line.partition(",")
        head[word.strip()] = value.strip().strip('"')
    return head, filled[start:]


def _measurement(
    head: dict[str, str], lines: list[str], position: str, zone: str | None
) -> Measurement:
    start = _start(head, zone)
    frequency = _number(head, _FREQUENCY)
    if frequency is None or not frequency:
        raise Unreadable(Reason.NO_TIME, "The recording tells no sample rate.")
    if any(_OTHER_LEAD.fullmatch(value) for value in head.values()):
        raise Unreadable(Reason.UNKNOWN_KIND, "The lead is not lead I.")
    lead = _samples(head, lines, frequency)
    length_us = int(len(lines) * 1_000_000 / frequency)
    end = after(start, length_us)
    return Measurement(
        KIND,
        None,
        "",
        start.text,
        start.us,
        end.text,
        end.us,
        position,
        None,
        _device(head),
        (lead, *_said(head)),
        _method(head),
        zone=zone,
    )


def _start(head: dict[str, str], zone: str | None) -> Instant:
    told = next((value for value in head.values() if _TIME.fullmatch(value)), None)
    if told is None:
        raise Unreadable(Reason.NO_TIME, "The recording tells no time.")
    start = instant(told)
    return start if zone is None else times.in_zone(start, zone)


def _number(head: dict[str, str], form: re.Pattern[str]) -> Decimal | None:
    for value in head.values():
        found = form.fullmatch(value)
        if found:
            return Decimal(number_text(found[1].replace(",", ".")))
    return None


def _samples(head: dict[str, str], lines: list[str], frequency: Decimal) -> Component:
    unit = next((value for value in head.values() if value in _UNITS), None)
    if unit is None:
        raise Unreadable(Reason.NO_UNIT, "The recording tells no unit.")
    if not lines:
        raise Unreadable(Reason.INVALID_VALUE, "The recording has no samples.")
    if not all(map(_SAMPLE.fullmatch, lines)):
        raise Unreadable(Reason.MALFORMED, "A sample is not a number.")
    data = tuple(number_text(line.replace(",", ".")) for line in lines)
    period = _EXACT.divide(Decimal(1000), frequency)
    signal = Samples(period, data, _UNITS[unit])
    return Component("ecg-lead-i", signal, "mV")


def _said(head: dict[str, str]) -> Iterator[Component]:
    """Yield what the watch says of the recording.

    A classification in another language than English is there, and not known.
    """
    code = next(
        (CLASSIFICATIONS[value] for value in head.values() if value in CLASSIFICATIONS),
        None,
    )
    absent = None if code else "unknown"
    yield Component("ecg-classification", code, absent=absent)
    rate = _number(head, _RATE)
    if rate is not None:
        yield Component("heart-rate-mean", rate, "/min")


def _device(head: dict[str, str]) -> DeviceClue | None:
    """Return the watch, described as the export's records describe it."""
    for value in head.values():
        if _WATCH.fullmatch(value):
            return DeviceClue(
                manufacturer="Apple Inc.",
                model="Watch",
                name="Apple Watch",
                hardware=value,
            )
    return None


def _method(head: dict[str, str]) -> str | None:
    version = head.get("Software Version", "")
    return f"Apple ECG {version}" if _VERSION.fullmatch(version) else None


def _kept(text: str) -> str:
    """Return the recording without the lines that name the person."""
    head, lines = _parted(text)
    kept = [
        f"{word},{value}"
        for word, value in head.items()
        if word == "Software Version"
        or value in CLASSIFICATIONS
        or value in _UNITS
        or any(form.fullmatch(value) for form in _KEPT_FORMS)
    ]
    return "\n".join([*kept, *lines])


_KEPT_FORMS = (_TIME, _FREQUENCY, _RATE, _WATCH, _OTHER_LEAD)
