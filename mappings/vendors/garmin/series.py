"""Maps of samples: seconds after the summary's start → value.

https://developer.garmin.com/gc-developer-program/health-api/
"""

from collections.abc import Iterable, Iterator
from decimal import Decimal
from itertools import pairwise

from mappings.measurement import Measurement, Reading, Reason
from mappings.payload import SECOND_US, Unreadable, number
from mappings.series import Point, heart_rate, heart_rate_signals
from mappings.times import Span
from mappings.vendors.garmin.record import Json, Record
from mappings.vendors.garmin.summaries import Quantity, Series

MAX_SECONDS = 40 * 86_400
"""How far a sample may lie after its summary's start."""

_LONGEST_KEY = len(str(MAX_SECONDS))


def readings(
    record: Record, member: str, samples: object, series: Series
) -> Iterator[Reading]:
    """Yield a reading of each sample; neighbours without a value are one reading."""
    (kind, unit, _, is_zero_absent, _, method), grain_s = series
    if not isinstance(samples, dict):
        yield _no_map(record, member, kind)
        return
    place, mark = f"{record.position}.{member}.", record.identifier("#")
    start_us, zone = record.span.start.us, record.span.zone
    flags = ("zone-disputed",) if record.span.is_disputed else ()
    device, entered, patient = record.device, record.self_reported, record.patient
    text_at = record.clock()
    empty: list[int] = []
    for key, value in samples.items():
        try:
            second = _second(key)
            size = value if type(value) is int else _number(value)
        except Unreadable as error:
            yield error.of(kind).refusal(place[:-1], _kept(record, member, key, value))
            continue
        if size < 0 or (is_zero_absent and not size):
            empty.append(second)
            continue
        us = start_us + second * SECOND_US
        yield Measurement(
            kind,
            size,
            unit,
            text_at(us),
            us,
            None,
            us,
            place + key,
            mark and f"{mark}{us // SECOND_US}",
            device,
            (),
            method,
            None,
            entered,
            zone,
            1,
            patient,
            flags,
            source_version=record.version,
        )
    for run in _runs(sorted(empty), grain_s):
        yield _absent(record, member, series.quantity, run, grain_s)


def heart_rates(
    record: Record, member: str, samples: object, grain_s: int
) -> Iterator[Reading]:
    """Yield the heart rates as one signal an hour; what is no rate is a gap."""
    quantity = Quantity("heart-rate-series", "/min")
    if not isinstance(samples, dict):
        yield _no_map(record, member, quantity.kind)
        return
    start_us = record.span.start.us
    points: list[Point] = []
    empty: list[int] = []
    for key, value in samples.items():
        try:
            second, rate = _second(key), heart_rate(value)
        except Unreadable as error:
            kept = _kept(record, member, key, value)
            place = f"{record.position}.{member}"
            yield error.of(quantity.kind).refusal(place, kept)
            continue
        if rate is None:
            empty.append(second)
        else:
            points.append(Point(start_us + second * SECOND_US, rate))
    yield from signals(record, member, points, grain_s)
    for run in _runs(sorted(empty), grain_s):
        yield _absent(record, member, quantity, run, grain_s)


def signals(
    record: Record, member: str, points: Iterable[Point], grain_s: int
) -> Iterator[Measurement]:
    """Yield heart rates, each above 0, as one signal an hour."""
    for signal in heart_rate_signals(points, grain_s * SECOND_US):
        yield record.reading(
            "heart-rate-series",
            signal.samples,
            "/min",
            Span(record.at(signal.start_us), record.at(signal.end_us)),
            f"{record.position}.{member}",
            source_id=record.identifier(f"#{signal.hour_us // SECOND_US}"),
            components=signal.statistics,
            records=signal.size,
        )


def _no_map(record: Record, member: str, kind: str) -> Reading:
    fault = Unreadable(Reason.MALFORMED, f"{member} is not a map of samples.", kind)
    return fault.refusal(f"{record.position}.{member}", record.kept(member))


def _kept(record: Record, member: str, key: str, value: object) -> Json:
    """Return a body with one sample, so that it can be tried again."""
    fields = {**record.fields, member: {key: value}}
    return record._replace(fields=fields).kept(member)


def _second(key: str) -> int:
    """Return the seconds that a sample's key names.

    Raises:
        Unreadable: `malformed` for what is no number, or is written as none is.

    """
    if not (key.isdecimal() and key.isascii()) or (key[0] == "0" and key != "0"):
        raise Unreadable(Reason.MALFORMED, "A sample's time is no number.")
    if len(key) > _LONGEST_KEY or int(key) > MAX_SECONDS:
        raise Unreadable(Reason.MALFORMED, "A sample is too late for its start.")
    return int(key)


def _number(value: object) -> Decimal | int:
    """Return a sample's value; null stands for none, as a negative number does."""
    return -1 if value is None else number(value)


def _runs(seconds: list[int], grain_s: int) -> list[list[int]]:
    """Return the seconds parted where neighbours are further apart than the grain."""
    runs: list[list[int]] = [[second] for second in seconds[:1]]
    for one, next_ in pairwise(seconds):
        if next_ - one > grain_s:
            runs.append([])
        runs[-1].append(next_)
    return runs


def _absent(
    record: Record, member: str, quantity: Quantity, run: list[int], grain_s: int
) -> Measurement:
    """Return one reading of neighbours without a value, which says so."""
    start_us = record.span.start.us + run[0] * SECOND_US
    end_us = record.span.start.us + (run[-1] + grain_s) * SECOND_US
    return record.reading(
        quantity.kind,
        None,
        "",
        Span(record.at(start_us), record.at(end_us), record.span.zone),
        f"{record.position}.{member}.{run[0]}",
        source_id=record.identifier(f"#{start_us // SECOND_US}"),
        method=quantity.method,
        absent="unknown",
        records=len(run),
    )
