"""Records that hold values at several times.

https://developer.android.com/reference/kotlin/androidx/health/connect/client/records/HeartRateRecord
"""

from collections.abc import Iterator, Mapping
from decimal import Decimal

from mappings.measurement import Component, Measurement, OutOfScope, Reading, Reason
from mappings.payload import Instant, Unreadable
from mappings.vendors.health_connect.envelope import Record
from mappings.vendors.health_connect.quantity import quantity
from mappings.vendors.health_connect.records import (
    DIFFERENCE,
    SAMPLES,
    TEMPERATURE,
    Quantity,
)


def skin_temperature(record: Record) -> Iterator[Reading]:
    """Yield each deviation from the baseline; it holds until the next one.

    Raises:
        Unreadable: `malformed`, `no-time`, and as `quantity`.

    """
    deltas = record.fields.get("deltas")
    if not isinstance(deltas, list) or not deltas:
        raise Unreadable(Reason.MALFORMED, "The record has no deltas.")
    _, until = record.interval()
    parts = _baseline(record)
    taken = [_delta(record, delta) for delta in deltas]
    ends = [time for time, _, _ in taken[1:]] + [until]
    for index, ((start, value, unit), end) in enumerate(zip(taken, ends, strict=True)):
        yield record.reading(
            "skin-temperature-deviation",
            value,
            unit,
            f"{record.position}.deltas[{index}]",
            span=record.span._replace(start=start, end=end),
            source_id=numbered(record, start),
            components=parts,
        )


def _baseline(record: Record) -> tuple[Component, ...]:
    baseline = record.fields.get("baseline")
    if baseline is None:
        return ()
    value, unit = quantity(baseline, TEMPERATURE)
    return (Component("skin-temperature-baseline", value, unit),)


def _delta(record: Record, delta: object) -> tuple[Instant, Decimal | int, str]:
    if not isinstance(delta, Mapping):
        raise Unreadable(Reason.MALFORMED, "A delta is no object.")
    value, unit = quantity(delta.get("delta"), DIFFERENCE)
    return record.at(delta.get("time")), value, unit


def numbered(record: Record, time: Instant) -> str | None:
    """Return the identifier of what a record holds at a time."""
    return record.source_id and f"{record.source_id}#{time.us // 1000}"


def samples(record: Record) -> Iterator[Reading]:
    """Yield each sample at its own time; one that is none does not stop the others.

    Raises:
        Unreadable: `malformed` where there is no list.

    """
    what = SAMPLES[record.type]
    given = record.fields.get("samples")
    if not isinstance(given, list):
        raise Unreadable(Reason.MALFORMED, "samples is no list.", what.kind)
    if not given:
        yield OutOfScope(f"{record.position}.samples", "record without a sample")
    zone, is_disputed = record.span.zone, record.span.is_disputed
    flags = ("zone-disputed",) if is_disputed else ()
    for index, sample in enumerate(given):
        place = f"{record.position}.samples[{index}]"
        try:
            time, value, unit = _sample(record, sample, what)
        except Unreadable as error:
            kept = {**record.kept(), "samples": [sample]}
            yield error.of(what.kind).refusal(place, kept)
            continue
        yield Measurement(
            what.kind,
            value,
            unit,
            time.text,
            time.us,
            None,
            time.us,
            place,
            numbered(record, time),
            record.device,
            (),
            what.method,
            None,
            record.self_reported,
            zone,
            1,
            None,
            flags,
            source_version=record.version,
        )


def _sample(
    record: Record, sample: object, what: Quantity
) -> tuple[Instant, Decimal | int, str]:
    if not isinstance(sample, Mapping):
        raise Unreadable(Reason.MALFORMED, "A sample is no object.")
    value, unit = quantity(sample.get(what.member), what.units)
    return record.at(sample.get("time")), value, unit
