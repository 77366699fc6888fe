"""Groups of measures: what a scale, a cuff or a thermometer took at one time.

https://developer.withings.com/api-reference/#tag/measure/operation/measure-getmeas
"""

from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any

from mappings.measurement import (
    Component,
    Measurement,
    OutOfScope,
    Reading,
    Reason,
    Refusal,
)
from mappings.payload import Unreadable
from mappings.times import Span, reading
from mappings.vendors.withings.source import (
    Answer,
    device_of,
    id_of,
    instant_in,
    version_of,
    zone_for,
)
from mappings.vendors.withings.types import (
    ENTERED,
    GOAL,
    MEASURES,
    MEASURES_OUT_OF_SCOPE,
    OF_THE_USER,
    OF_WHOLE_BODY,
    PRESSURES,
    RHYTHM_CODES,
    RHYTHMS,
    WHOLE_BODY,
)

_MAX_MANTISSA = 10**15
_MAX_EXPONENT = 12

_Measures = list[tuple[int, Mapping[str, Any]]]


def group(members: Mapping[str, Any], answer: Answer) -> Iterator[Reading]:
    """Yield the readings of a group of measures."""
    measures = members.get("measures")
    position = answer.position
    if not isinstance(measures, list):
        detail = "A group has a list of measures."
        wrapped = answer.wrap(members)
        yield Refusal(position, Reason.MALFORMED, None, detail, wrapped)
        return
    count = max(1, len(measures))
    if members.get("category") == GOAL:
        yield OutOfScope(position, "goal", count)
        return
    try:
        _check_wearer(members.get("attrib"))
        zone = zone_for(members, answer)
        start = instant_in(members.get("date"), zone)
    except Unreadable as error:
        yield error.refusal(position, answer.wrap(members), count)
        return
    span = Span(start, None, None if zone is None else zone.key)
    yield from _measures(members, measures, span, answer)


def _check_wearer(attrib: object) -> None:
    """Refuse what the scale or the cuff does not know to be this person's."""
    if not isinstance(attrib, int) or attrib not in OF_THE_USER:
        raise Unreadable(
            Reason.AMBIGUOUS_WEARER, "attrib does not say whose measure it is."
        )


def _measures(
    members: Mapping[str, Any], measures: list[Any], span: Span, answer: Answer
) -> Iterator[Reading]:
    said = {
        "source_id": id_of(members, "grpid"),
        "device": device_of(members),
        "self_reported": members.get("attrib") in ENTERED,
        "source_version": version_of(members),
    }
    seen: dict[str, Reading] = {}
    pressures: _Measures = []
    for index, measure in enumerate(measures):
        type_ = _type_of(measure)
        if type_ in PRESSURES:
            pressures.append((index, measure))
            continue
        place = f"{answer.position}.measures[{index}]"
        try:
            one = _measure(measure, type_, span, place, said)
        except Unreadable as error:
            kept = answer.wrap({**members, "measures": [measure]})
            seen[place] = error.refusal(place, kept)
        else:
            keep(one, seen)
    yield from seen.values()
    if pressures:
        yield _blood_pressure(members, pressures, span, answer, said)


def keep(one: Measurement | OutOfScope, seen: dict[str, Reading]) -> None:
    """Keep a reading; a measurement that is there twice counts twice, stored once."""
    if isinstance(one, OutOfScope):
        seen[one.position] = one
        return
    name, number = one.kind, 0
    while isinstance(before := seen.get(name), Measurement):
        if (before.value, before.method) == (one.value, one.method):
            seen[name] = before._replace(records=before.records + 1)
            return
        number += 1
        name = f"{one.kind}#{number}"
    if number and one.source_id is not None:
        one = one._replace(source_id=f"{one.source_id}#{number}")
    seen[name] = one


def _type_of(measure: Any) -> int:
    """Return the type of a measure; -1 where it has none."""
    type_ = measure.get("type") if isinstance(measure, dict) else None
    return type_ if type(type_) is int else -1


def _measure(
    measure: Any, type_: int, span: Span, place: str, said: Mapping[str, Any]
) -> Measurement | OutOfScope:
    """Return what a measure is.

    Raises:
        Unreadable: `malformed`, `unknown-kind`, `invalid-value`.

    """
    if not isinstance(measure, dict):
        raise Unreadable(Reason.MALFORMED, "A measure is a JSON object.")
    if type_ in MEASURES_OUT_OF_SCOPE:
        return OutOfScope(place, MEASURES_OUT_OF_SCOPE[type_])
    if type_ in OF_WHOLE_BODY and measure.get("position", WHOLE_BODY) != WHOLE_BODY:
        return OutOfScope(place, "measure of a part of the body")
    if type_ in RHYTHMS:
        return _rhythm(measure, RHYTHMS[type_], span, place, said)
    if type_ not in MEASURES:
        raise Unreadable(
            Reason.UNKNOWN_KIND, "The type of measure is not one that is understood."
        )
    kind, unit, method = MEASURES[type_]
    try:
        value = scaled(measure.get("value"), measure.get("unit"))
    except Unreadable as error:
        raise error.of(kind) from None
    return reading(kind, value, unit, span, place, method=method, **said)


def scaled(value: object, exponent: object) -> Decimal | int:
    """Return `value` times ten to the power of `exponent`, its digits kept.

    Raises:
        Unreadable: `invalid-value` for what is no whole number of usual size.

    """
    if (
        type(value) is not int
        or type(exponent) is not int
        or abs(value) >= _MAX_MANTISSA
        or abs(exponent) > _MAX_EXPONENT
    ):
        raise Unreadable(
            Reason.INVALID_VALUE, "value and unit are not a mantissa and an exponent."
        )
    return Decimal(value).scaleb(exponent) if exponent else value


def _rhythm(
    measure: Mapping[str, Any],
    kind: str,
    span: Span,
    place: str,
    said: Mapping[str, Any],
) -> Measurement:
    """Return the result of a search for atrial fibrillation.

    Raises:
        Unreadable: `invalid-value` for a result that is not documented.

    """
    code = scaled(measure.get("value"), measure.get("unit"))
    if code not in RHYTHM_CODES:
        raise Unreadable(Reason.INVALID_VALUE, "The result has no known code.", kind)
    value = RHYTHM_CODES[int(code)]
    method = f"atrial fibrillation result, type {_type_of(measure)}"
    return reading(kind, value, "", span, place, method=method, **said)


def _blood_pressure(
    members: Mapping[str, Any],
    pressures: _Measures,
    span: Span,
    answer: Answer,
    said: Mapping[str, Any],
) -> Reading:
    """Return the one blood pressure of a group; the later of two values counts."""
    at = {_type_of(measure): measure for _, measure in pressures}
    try:
        parts = tuple(
            Component(kind, scaled(at[type_].get("value"), at[type_].get("unit")), MMHG)
            for type_, kind in PRESSURES.items()
            if type_ in at
        )
    except Unreadable as error:
        kept = {**members, "measures": [measure for _, measure in pressures]}
        return error.of("blood-pressure").refusal(
            answer.position, answer.wrap(kept), len(pressures)
        )
    return reading(
        "blood-pressure",
        None,
        "",
        span,
        f"{answer.position}.measures[{pressures[0][0]}]",
        components=parts,
        records=len(pressures),
        **said,
    )


MMHG = "mm[Hg]"
