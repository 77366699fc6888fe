"""A Measurement in the unit of its kind, or the reason why it is not stored.

*Impossible* values are refused, *implausible* ones are stored and flagged; both ranges
are columns of kinds.csv. Nothing is guessed: a unit that does not convert exactly,
a value without reason, a time without offset are refusals.
"""

import re
from collections.abc import Callable, Mapping
from decimal import Decimal
from functools import cache
from types import MappingProxyType
from typing import NamedTuple

from conformance.fhir_json import Number, dumps
from mappings import units
from mappings.accepted_units import AcceptedUnit, accepted_units
from mappings.kinds import UCUM, Effective, Kind, ValueType, kinds
from mappings.measurement import (
    Component,
    Measurement,
    Reason,
    Refusal,
    Samples,
)

MAX_SKEW_US = 5 * 60 * 1_000_000
"""How far a source's clock may run ahead before its times are refused: 5 minutes."""

ABSENT_REASONS = MappingProxyType(
    {
        "unknown": "Unknown",
        "asked-unknown": "Asked But Unknown",
        "temp-unknown": "Temporarily Unknown",
        "not-asked": "Not Asked",
        "asked-declined": "Asked But Declined",
        "masked": "Masked",
        "not-applicable": "Not Applicable",
        "unsupported": "Unsupported",
        "as-text": "As Text",
        "error": "Error",
        "not-a-number": "Not a Number (NaN)",
        "negative-infinity": "Negative Infinity (NINF)",
        "positive-infinity": "Positive Infinity (PINF)",
        "not-performed": "Not Performed",
        "not-permitted": "Not Permitted",
    }
)
"""Codes and displays of http://terminology.hl7.org/CodeSystem/data-absent-reason."""

_INSTANT = re.compile(
    r"(?!0000)[0-9]{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12][0-9]|3[01])"
    r"T(?:[01][0-9]|2[0-3]):[0-5][0-9]:(?:[0-5][0-9]|60)(?:\.[0-9]{1,12})?"
    r"(?:Z|[+-](?:0[0-9]|1[0-3]):[0-5][0-9]|[+-]14:00)"
).fullmatch
"""A FHIR dateTime to the second, with its offset."""

_JSON_NUMBER = re.compile(
    r"-?(?:0|[1-9][0-9]{0,39})(?:\.[0-9]{1,40})?(?:[eE][+-]?[0-9]{1,2})?"
).fullmatch
"""What a JSON text may carry as a FHIR decimal, in a measurement's size."""

MAX_SAMPLES = 1_000_000
"""Values of one signal: half an hour of an electrocardiogram at 512 a second."""

_MAX_TEXT = 256
"""Characters of a text that is a value, such as a version."""

_MARKS = frozenset("ELU")
"""In place of a sample: a gap, below and above what the device detects."""

_MAX_OFFSET_MS = 2**31 - 1
"""The largest FHIR integer."""


class Part(NamedTuple):
    """A component in the unit of its kind.

    Attributes:
        kind: What it is.
        value: The number's or SampledData's JSON text, the name of a value code, a
            text, `true` or `false`; None where `absent` says why.
        unit: UCUM code of the number; empty without one.
        offset_ms: Start of a stage after the session's start, in milliseconds.
        absent: Code of data-absent-reason.
        implausible: Whether the value is outside the plausible range.

    """

    kind: Kind
    value: str | None
    unit: str
    offset_ms: int | None
    absent: str | None
    implausible: bool


class Normalised(NamedTuple):
    """A measurement that may be stored.

    Attributes:
        measurement: As its source gave it; value and unit are below.
        kind: What was measured; a sibling of `measurement.kind` where the unit says so.
        value: The number's or SampledData's JSON text, the name of a value code, a
            text, `true` or `false`; None for a panel or where `measurement.absent`
            says why.
        unit: UCUM code of the number; empty without one.
        implausible: Whether the value is outside the plausible range.
        parts: The components, in order.

    """

    measurement: Measurement
    kind: Kind
    value: str | None
    unit: str
    implausible: bool
    parts: tuple[Part, ...] = ()


class _RefusedError(Exception):
    """A part that cannot be stored; never leaves this module."""

    def __init__(self, reason: Reason, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason
        self.detail = detail


_Value = tuple[Kind, str | None, str, bool]
"""Kind or sibling, text of the value, unit, whether it is implausible."""


class _Rule(NamedTuple):
    """A kind as the checks need it.

    Attributes:
        kind: The row.
        units: What happens to a value in each unit.
        is_period: Whether an instant is refused.
        has_required: Whether it has components that must be there.
        value: Checks a value that is there.

    """

    kind: Kind
    units: Mapping[str, AcceptedUnit]
    is_period: bool
    has_required: bool
    value: Callable[["_Rule", object, str, int], _Value]


def _number(value: object) -> tuple[Decimal | int, str]:
    """Return a number and its JSON text; digits that JSON can carry are kept."""
    if type(value) is int:
        return value, int.__repr__(value)
    if isinstance(value, Number) and _JSON_NUMBER(value.text):
        return value, value.text
    if isinstance(value, Decimal):
        try:
            units.places(value)
        except ValueError:
            raise _unusual() from None
        return value, format(Decimal(value), "f")
    raise _RefusedError(Reason.INVALID_VALUE, "The value is not a number.")


def _quantity(rule: _Rule, value: object, unit: str, span_us: int) -> _Value:
    as_given = rule.units.get(unit)
    if as_given is None:
        raise _no_such_unit(rule.kind, unit)
    kind, unit, conversion, possible, plausible, microseconds = as_given
    number, text = _number(value)
    if conversion is not None:
        number, text = _converted(number, conversion)
    if not possible[0] <= number <= possible[1]:
        raise _RefusedError(
            Reason.IMPOSSIBLE, f"The value is outside what a {kind.name} can be."
        )
    is_implausible = not plausible[0] <= number <= plausible[1] or (
        microseconds != 0 and number * microseconds > span_us + microseconds
    )
    return kind, text, unit, is_implausible


def _no_such_unit(kind: Kind, unit: str) -> _RefusedError:
    if not unit:
        return _RefusedError(Reason.NO_UNIT, f"A {kind.name} needs a unit.")
    return _RefusedError(
        Reason.UNKNOWN_UNIT, f"The unit is not one in which a {kind.name} is given."
    )


def _converted(
    number: Decimal | int, conversion: units.Conversion
) -> tuple[Decimal, str]:
    try:
        converted = units.convert(Decimal(number), conversion)
    except ValueError:
        raise _unusual() from None
    return converted, format(converted, "f")


def _unusual() -> _RefusedError:
    return _RefusedError(
        Reason.INVALID_VALUE, "The value is not a number of usual size."
    )


def _code(rule: _Rule, value: object, unit: str, _: int) -> _Value:
    if unit or value not in rule.kind.values:
        raise _RefusedError(
            Reason.INVALID_VALUE, f"The value is not a code of a {rule.kind.name}."
        )
    return rule.kind, str(value), "", False


def _boolean(rule: _Rule, value: object, unit: str, _: int) -> _Value:
    if unit or value not in ("true", "false"):
        raise _RefusedError(
            Reason.INVALID_VALUE, f"A {rule.kind.name} is true or false."
        )
    return rule.kind, str(value), "", False


def _string(rule: _Rule, value: object, unit: str, _: int) -> _Value:
    if unit or not isinstance(value, str) or not 0 < len(value) <= _MAX_TEXT:
        raise _RefusedError(
            Reason.INVALID_VALUE, f"A {rule.kind.name} is a short text."
        )
    return rule.kind, value, "", False


def _samples(rule: _Rule, value: object, unit: str, _: int) -> _Value:
    kind = rule.kind
    if unit != kind.unit:
        raise _no_such_unit(kind, unit)
    if not isinstance(value, Samples):
        raise _RefusedError(Reason.INVALID_VALUE, f"A {kind.name} is a signal.")
    return kind, sampled_data(value, unit, kind.unit_text), unit, False


def sampled_data(samples: Samples, unit: str, unit_text: str) -> str:
    """Return a SampledData as JSON text, with the digits that its source gave."""
    if not samples.data or len(samples.data) > MAX_SAMPLES:
        raise _RefusedError(
            Reason.INVALID_VALUE, f"A signal has 1 to {MAX_SAMPLES:,} values."
        )
    period, text = _number(samples.period_ms)
    if period <= 0:
        raise _RefusedError(Reason.INVALID_VALUE, "A signal's period is above zero.")
    factor = "" if samples.factor is None else f'"factor":{_number(samples.factor)[1]},'
    data = " ".join([_sample(one) for one in samples.data])
    origin = _number(samples.origin)[1]
    quantity = dumps({"unit": unit_text, "system": UCUM, "code": unit}).decode()
    return (
        f'{{"origin":{{"value":{origin},{quantity[1:]},"period":{text},{factor}'
        f'"dimensions":1,"data":"{data}"}}'
    )


def _sample(value: Decimal | int | str) -> str:
    if isinstance(value, str):
        if value not in _MARKS:
            raise _RefusedError(Reason.INVALID_VALUE, "A sample is no number.")
        return value
    return _number(value)[1]


def _none(rule: _Rule, _value: object, _unit: str, _: int) -> _Value:
    raise _RefusedError(
        Reason.INVALID_VALUE,
        f"A {rule.kind.name} has components and no value of its own.",
    )


_VALUES = MappingProxyType(
    {
        ValueType.QUANTITY: _quantity,
        ValueType.CODE: _code,
        ValueType.BOOLEAN: _boolean,
        ValueType.STRING: _string,
        ValueType.SAMPLES: _samples,
        ValueType.NONE: _none,
    }
)


@cache
def _rules() -> Mapping[str, _Rule]:
    """Return every kind's rule, by its name."""
    return {
        kind.name: _Rule(
            kind,
            accepted_units(kind),
            kind.effective is Effective.PERIOD,
            bool(kind.required_components),
            _VALUES[kind.value],
        )
        for kind in kinds().values()
    }


def _absent(kind: Kind, reading: Measurement | Component) -> _Value:
    """Return the missing value of a panel, or one with its reason."""
    absent = reading.absent
    if reading.value is not None:
        raise _RefusedError(
            Reason.INVALID_VALUE,
            f"The {kind.name} has a value and a reason for its absence.",
        )
    if absent is None and kind.value is ValueType.NONE and _has_parts(reading):
        return kind, None, "", False
    if absent not in ABSENT_REASONS:
        raise _RefusedError(
            Reason.INVALID_VALUE, f"The {kind.name} has no value and no known reason."
        )
    if not kind.records_absence:
        raise _RefusedError(
            Reason.INVALID_VALUE, f"A {kind.name} without a value is not recorded."
        )
    return kind, None, "", False


def _has_parts(reading: Measurement | Component) -> bool:
    return isinstance(reading, Measurement) and bool(reading.components)


def _part(panel: Kind, component: Component, span_us: int) -> Part:
    if component.kind not in panel.components:
        raise _RefusedError(
            Reason.UNKNOWN_KIND, f"A component is not a part of a {panel.name}."
        )
    rule = _rules()[component.kind]
    offset_ms = component.offset_ms
    if offset_ms is not None and not (
        0 <= offset_ms <= _MAX_OFFSET_MS and offset_ms * 1000 <= span_us
    ):
        raise _RefusedError(
            Reason.MALFORMED, f"A {rule.kind.name} starts outside the {panel.name}."
        )
    if component.value is None or component.absent is not None:
        value = _absent(rule.kind, component)
    else:
        value = rule.value(rule, component.value, component.unit, span_us)
    kind, text, unit, is_implausible = value
    return Part(kind, text, unit, offset_ms, component.absent, is_implausible)


def _parts(panel: Kind, measurement: Measurement, span_us: int) -> tuple[Part, ...]:
    """Return the components; a required one that is missing says why it is."""
    parts = [_part(panel, part, span_us) for part in measurement.components]
    present = {part.kind.name for part in parts}
    reason = measurement.absent or "unknown"
    return (
        *parts,
        *(
            Part(kinds()[name], None, "", None, reason, implausible=False)
            for name in panel.required_components
            if name not in present
        ),
    )


def _time_fault(measurement: Measurement, now_us: int) -> _RefusedError:
    """Return what is wrong with a time that is not as it must be."""
    end = measurement.end
    if not _INSTANT(measurement.start) or (end is not None and not _INSTANT(end)):
        return _RefusedError(
            Reason.NO_OFFSET, "The time is not a dateTime to the second with an offset."
        )
    if measurement.end_us < measurement.start_us:
        return _RefusedError(
            Reason.NEGATIVE_INTERVAL, "The measurement ends before it starts."
        )
    if measurement.end_us > now_us + MAX_SKEW_US:
        return _RefusedError(
            Reason.FUTURE, "The measurement ends more than five minutes from now."
        )
    return _RefusedError(
        Reason.NO_TIME, f"A {measurement.kind} needs a start and an end."
    )


def _normalised(measurement: Measurement, now_us: int) -> Normalised:
    rule = _rules().get(measurement.kind)
    if rule is None:
        raise _RefusedError(
            Reason.UNKNOWN_KIND, "There is no such kind of measurement."
        )
    end, start_us, end_us = measurement.end, measurement.start_us, measurement.end_us
    if (
        not start_us <= end_us <= now_us + MAX_SKEW_US
        or not _INSTANT(measurement.start)
        or (rule.is_period if end is None else not _INSTANT(end))
    ):
        raise _time_fault(measurement, now_us)
    parts: tuple[Part, ...] = ()
    if measurement.components or rule.has_required:
        parts = _parts(rule.kind, measurement, end_us - start_us)
    if measurement.value is None or measurement.absent is not None:
        value = _absent(rule.kind, measurement)
    else:
        value = rule.value(rule, measurement.value, measurement.unit, end_us - start_us)
    kind, text, unit, is_implausible = value
    return Normalised(measurement, kind, text, unit, is_implausible, parts)


def normalise(measurement: Measurement, *, now_us: int) -> Normalised | Refusal:
    """Return the measurement in its kind's unit, or why it goes to quarantine.

    Args:
        measurement: What a parser yielded.
        now_us: The service's clock, microseconds since 1970-01-01T00:00:00Z.

    """
    try:
        return _normalised(measurement, now_us)
    except _RefusedError as refused:
        return Refusal(
            position=measurement.position,
            reason=refused.reason,
            kind=measurement.kind,
            detail=refused.detail,
            records=measurement.records,
        )
