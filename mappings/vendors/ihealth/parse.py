"""iHealth's lists to readings.

https://developer.ihealthlabs.com/
"""

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from functools import lru_cache
from types import MappingProxyType
from typing import Any, NamedTuple

from mappings.code_system import WORKOUTS
from mappings.measurement import (
    Component,
    DeviceClue,
    OutOfScope,
    Reading,
    Reason,
    Refusal,
)
from mappings.payload import Unreadable, kebab, number
from mappings.records import NO_VALUE, UNNAMED, Field, Record
from mappings.times import Span, reading
from mappings.vendors.ihealth.clock import SPANS, offset_of
from mappings.vendors.ihealth.lists import (
    ABSENT_AT_ZERO,
    PAGING,
    SHAPES,
    SPORTS,
    UNIT,
    UNITS,
    WITHOUT_UNIT,
)

_MANUAL = "Manual"
_DEVICE = DeviceClue(manufacturer="iHealth", name="iHealth")

_NO_CODES: Mapping[int, str] = MappingProxyType({})

_ASLEEP_IN_BED = "time asleep ÷ time in bed"


class Taken(NamedTuple):
    """When a record was taken, in which unit, and what is said of all of it.

    Attributes:
        span: When.
        unit: UCUM code that the answer names for its list; None where it names none.
        said: Attributes of each of its measurements.

    """

    span: Span
    unit: str | None
    said: Mapping[str, Any]


def parse(
    payload: object,
    *,
    received_at: datetime,  # noqa: ARG001 - every source's parser takes it
    zone: str | None = None,  # noqa: ARG001 - a record names its own offset
) -> Iterator[Reading]:
    """Yield the readings of an answer or of a list of answers.

    Args:
        payload: An answer with one of iHealth's lists, or several answers.
        received_at: It never stands in for a record's own time.
        zone: A record names its own offset.

    """
    if isinstance(payload, list):
        for index, answer in enumerate(payload):
            yield from _answer(answer, f"$[{index}]")
    else:
        yield from _answer(payload, "$")


def _answer(answer: object, position: str) -> Iterator[Reading]:
    if not isinstance(answer, Mapping):
        detail = "An answer is a JSON object."
        yield Refusal(position, Reason.MALFORMED, None, detail, answer)
        return
    if not SHAPES.keys() & answer.keys():
        detail = "The answer holds no list that is understood."
        yield Refusal(position, Reason.UNKNOWN_KIND, None, detail, answer)
        return
    for name, records in answer.items():
        place = f"{position}.{name if name in SHAPES else UNNAMED}"
        if name in SHAPES and isinstance(records, list):
            yield from _records(name, records, answer, place)
        elif name not in PAGING and not isinstance(records, str | bool | None):
            detail = "The list is not one that is understood."
            reason = Reason.MALFORMED if name in SHAPES else Reason.UNKNOWN_KIND
            yield Refusal(place, reason, None, detail, {name: records})


def _records(
    name: str, records: list[Any], answer: Mapping[str, Any], position: str
) -> Iterator[Reading]:
    label, codes = UNITS.get(name, ("", _NO_CODES))
    beside = {label: answer[label]} if label in answer else {}
    code = answer.get(label)
    unit = codes.get(code) if type(code) is int else None
    for index, members in enumerate(records):
        place = f"{position}[{index}]"

        def wrap(kept: Any) -> Any:
            return {**beside, name: [kept]}

        if not isinstance(members, Mapping):
            detail = "A record is a JSON object."
            yield Refusal(place, Reason.MALFORMED, None, detail, wrap(members))
            continue
        record = Record(members, SHAPES[name], place, wrap)
        try:
            span = SPANS[name](members, offset_of(members.get("TimeZone")))
        except Unreadable as error:
            yield record.refusal(error)
            continue
        yield from _measured(name, record, Taken(span, unit, _said(members)))


def _measured(name: str, record: Record, taken: Taken) -> Iterator[Reading]:
    """Yield what a record holds."""
    fields, parts, _, _, without_unit = record.shape
    members = record.members
    if name in _SESSIONS and not parts.keys().isdisjoint(members):
        yield from _SESSIONS[name](record, taken)
    for member in members:
        if member in fields or member in without_unit:
            yield _value(member, record, taken)
    yield from record.left_over()


def _said(members: Mapping[str, Any]) -> dict[str, Any]:
    """Return what all measurements of a record say."""
    is_entered = members.get("DataSource") == _MANUAL
    return {
        "source_id": _text(members.get("DataID")),
        "device": None if is_entered else _DEVICE,
        "self_reported": is_entered,
        "patient": _text(members.get("UserID")),
    }


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None


def _value(member: str, record: Record, taken: Taken) -> Reading:
    """Return the measurement in a member of a record."""
    place = f"{record.position}.{member}"
    value = record.members[member]
    field = record.shape.fields.get(member)
    kind = WITHOUT_UNIT[member] if field is None else field.kind
    try:
        if _is_absent(member, value):
            return _absence(member, kind, place, taken)
        measured = number(value)
        unit = _unit(field, member, taken)
    except Unreadable as error:
        return error.of(kind).refusal(place, record.kept(member))
    return reading(kind, measured, unit, taken.span, place, **taken.said)


def _is_absent(member: str, value: object) -> bool:
    """Whether a value says that there is none."""
    return value is None or (member in ABSENT_AT_ZERO and value == 0)


def _absence(member: str, kind: str, place: str, taken: Taken) -> Reading:
    """Return that the value of which a record is made is missing; else nothing."""
    if member not in _MAIN:
        return OutOfScope(place, NO_VALUE)
    span, said = taken.span, taken.said
    return reading(kind, None, "", span, place, absent="unknown", **said)


_MAIN = frozenset({"BO", "BG", "WeightValue"})
"""Members of which a record is made."""


def _unit(field: Field | None, member: str, taken: Taken) -> str:
    """Return the unit of a member: its own, else that of its list.

    Raises:
        Unreadable: `no-unit` where iHealth publishes none or the answer names none.

    """
    if field is None:
        raise Unreadable(Reason.NO_UNIT, f"iHealth does not say the unit of {member}.")
    return _known(taken.unit) if field.unit == UNIT else field.unit


def _known(unit: str | None) -> str:
    if unit is None:
        raise Unreadable(Reason.NO_UNIT, "The answer names no known unit.")
    return unit


def _blood_pressure(record: Record, taken: Taken) -> Iterator[Reading]:
    members = record.members
    try:
        parts = tuple(
            Component(field.kind, None, absent="unknown")
            if _is_absent(name, members.get(name))
            else Component(field.kind, number(members[name]), _known(taken.unit))
            for name, field in record.shape.parts.items()
        )
    except Unreadable as error:
        yield _refused(record, error.of("blood-pressure"))
        return
    yield _whole("blood-pressure", None, record, parts, taken)


def _night(record: Record, taken: Taken) -> Iterator[Reading]:
    try:
        parts = record.components()
    except Unreadable as error:
        yield _refused(record, error.of("sleep-session"))
        return
    if parts:
        said = {**taken.said, "method": _ASLEEP_IN_BED}
        yield _whole("sleep-session", None, record, parts, taken._replace(said=said))


def _sport(record: Record, taken: Taken) -> Iterator[Reading]:
    try:
        parts = record.components()
    except Unreadable as error:
        yield _refused(record, error.of("workout"))
        return
    activity = sport(str(record.members.get("SportName")))
    yield _whole("workout", activity, record, parts, taken)


def _refused(record: Record, error: Unreadable) -> Refusal:
    """Return the refusal of a record's parts alone; its other members are kept."""
    parts = [name for name in record.shape.parts if name in record.members]
    return error.refusal(record.position, record.kept(*parts), len(parts))


def _whole(
    kind: str,
    value: str | None,
    record: Record,
    parts: tuple[Component, ...],
    taken: Taken,
) -> Reading:
    """Return what a record's parts make."""
    return reading(
        kind,
        value,
        "",
        taken.span,
        record.position,
        components=parts,
        records=sum(name in record.members for name in record.shape.parts),
        **taken.said,
    )


@lru_cache(maxsize=256)
def sport(name: str) -> str:
    """Return our name of a sport; `other` where there is none."""
    word = kebab(name)
    word = SPORTS.get(word, word)
    return word if word in WORKOUTS else "other"


_SESSIONS: Mapping[str, Callable[[Record, Taken], Iterator[Reading]]] = (
    MappingProxyType(
        {"BPDataList": _blood_pressure, "SRDataList": _night, "SPORTDataList": _sport}
    )
)
"""Lists whose records are made of parts."""
