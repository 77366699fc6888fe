"""HealthKit samples in Open mHealth's envelope (namespace `granola`).

https://github.com/openmhealth/schemas/tree/main/schema/granola
"""

from collections.abc import Iterator, Mapping
from types import MappingProxyType

from mappings.measurement import Component, Measurement, OutOfScope, Reading, Reason
from mappings.payload import Unreadable, number, seconds
from mappings.units import ucum
from mappings.vendors.open_mhealth.header import Header, numbered
from mappings.vendors.open_mhealth.quantity import unit_value
from mappings.vendors.open_mhealth.time_frame import time_frame

QUANTITY = "HKQuantityTypeIdentifier"
SLEEP_ANALYSIS = "HKCategoryTypeIdentifierSleepAnalysis"

KINDS: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "HeartRate": ("heart-rate", "count/min"),
        "RespiratoryRate": ("respiratory-rate", "count/min"),
        "BodyTemperature": ("body-temperature", "degC degF K"),
        "BodyMass": ("body-weight", "g kg lb oz st"),
        "Height": ("body-height", "cm m in ft"),
        "DistanceWalkingRunning": ("distance-walking-running", "m km mi ft yd"),
        "ActiveEnergyBurned": ("active-energy", "kcal Cal kJ"),
        "BasalEnergyBurned": ("basal-energy", "kcal Cal kJ"),
    }
)
"""Kind and unit words of each quantity type. A percentage is not among them: whether
HealthKit's `%` holds a ratio or a percentage, the schema does not say."""

COUNTS: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "StepCount": ("steps", "{steps}"),
        "FlightsClimbed": ("flights-climbed", "{flights}"),
        "BodyMassIndex": ("body-mass-index", "kg/m2"),
    }
)
"""Kind and UCUM unit of each quantity type that is counted."""

STAGES: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "InBed": ("time-in-bed", "in-bed"),
        "Asleep": ("sleep-duration", "asleep"),
        "Awake": ("awake-duration", "awake"),
    }
)
"""Kind of the total and code of the stage, by value of a sleep analysis."""

_SAMPLES = frozenset({"quantity_type", "category_type", "correlation_type"})


def is_sample(body: Mapping[str, object]) -> bool:
    """Return whether a body is one of the schemas of this namespace."""
    return not _SAMPLES.isdisjoint(body)


def readings(
    body: Mapping[str, object],
    header: Header,
    position: str,
    kept: Mapping[str, object],
) -> Iterator[Reading]:
    """Yield the readings of a sample, and of each sample in a correlation."""
    if "correlation_type" in body:
        yield from _correlation(body, header, position, kept)
        return
    try:
        yield _sample(body, header, position)
    except Unreadable as error:
        yield error.refusal(position, kept)


def _correlation(
    body: Mapping[str, object],
    header: Header,
    position: str,
    kept: Mapping[str, object],
) -> Iterator[Reading]:
    count = 0
    for member in ("quantity_samples", "category_samples"):
        samples = body.get(member)
        for index, sample in enumerate(samples if isinstance(samples, list) else ()):
            place = f"{position}.{member}[{index}]"
            part = header.part(count)
            count += 1
            one = {"header": numbered(kept.get("header"), part), "body": sample}
            if isinstance(sample, dict) and "correlation_type" not in sample:
                yield from readings(sample, part, place, one)
            else:
                yield _NO_SAMPLE.refusal(place, one)
    if not count:
        yield _NO_SAMPLE.refusal(position, kept)


_NO_SAMPLE = Unreadable(Reason.MALFORMED, "There is no sample here.")


def _sample(body: Mapping[str, object], header: Header, position: str) -> Reading:
    if body.get("category_type") == SLEEP_ANALYSIS:
        return header.complete(_sleep(body), position)
    name = str(body.get("quantity_type", "")).removeprefix(QUANTITY)
    if name.startswith("Dietary"):
        return OutOfScope(position, "nutrition")
    return header.complete(_quantity(name, body), position)


def _quantity(name: str, body: Mapping[str, object]) -> Measurement:
    if name in COUNTS and "count" in body:
        kind, unit = COUNTS[name]
        value = number(body["count"])
    elif name in KINDS:
        kind, words = KINDS[name]
        units = {word: code for word in words.split() if (code := ucum(word))}
        value, unit, _ = unit_value(body, "unit_value", units, kind)
    else:
        raise Unreadable(
            Reason.UNKNOWN_KIND, "The HealthKit type is not one that is understood."
        )
    return _measurement(kind, body)._replace(value=value, unit=unit)


def _sleep(body: Mapping[str, object]) -> Measurement:
    stage = STAGES.get(str(body.get("category_value")))
    if stage is None:
        raise Unreadable(
            Reason.INVALID_VALUE,
            "The category_value is no stage of sleep.",
            "sleep-session",
        )
    session = _measurement("sleep-session", body)
    length = seconds(session.end_us - session.start_us)
    total, code = stage
    return session._replace(
        components=(
            Component(total, length, "s"),
            Component("sleep-stage", code, offset_ms=0),
        )
    )


def _measurement(kind: str, body: Mapping[str, object]) -> Measurement:
    start, end = time_frame(body.get("effective_time_frame"))
    return Measurement(
        kind=kind,
        value=None,
        unit="",
        start=start.text,
        start_us=start.us,
        end=end.text if end else None,
        end_us=end.us if end else start.us,
        position="",
    )
