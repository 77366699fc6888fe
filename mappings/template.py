"""Observations as text with gaps: what is constant in a kind is written once.

A template is compiled for a kind and a shape (which optional elements there are, and
what is the same in a whole batch); rendering fills the gaps and touches no dict. What
comes from outside is escaped; what the service itself makes (ids, references,
instants) is written as it is.

https://hl7.org/fhir/R4/observation.html
"""

import ast
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from json.encoder import encode_basestring
from types import MappingProxyType
from typing import Any, NamedTuple

from conformance.fhir_json import dumps
from mappings import code_system
from mappings.kinds import UCUM, Coding, Kind, ValueType
from mappings.normalise import ABSENT_REASONS, Part
from mappings.units import UNIT_TEXT

TZ_CODE = "http://hl7.org/fhir/StructureDefinition/tz-code"
TIME_OFFSET = "http://hl7.org/fhir/StructureDefinition/observation-timeOffset"
DATA_ABSENT_REASON = "http://terminology.hl7.org/CodeSystem/data-absent-reason"

QUESTIONABLE = MappingProxyType(
    {
        "coding": [
            {
                "system": "http://hl7.org/fhir/uv/pocd/CodeSystem/measurement-status",
                "code": "questionable",
            }
        ],
        "text": "Outside the plausible range",
    }
)
"""What interpretation says of an implausible value; the PHD guide uses the code."""


class Shape(NamedTuple):
    """What decides which text is constant.

    Attributes:
        unit: UCUM code of the value; empty without a quantity.
        is_interval: Whether there is a start and an end.
        has_zone: Whether the name of the time zone is known.
        has_performer: Whether somebody entered the value.
        has_device: Whether a device is named.
        has_focus: Whether a room is named.
        has_method: Whether a method is said.
        has_parts: Whether there are components.
        has_sources: Whether it is derived from others.
        is_implausible: Whether the value is flagged.
        absent: Code of data-absent-reason.
        flags: Names in `mappings.code_system.FLAGS`.
        status: Code of observation-status.
        identifier_system: URI of the identifier's system.
        security: Labels of the resource.

    """

    unit: str
    is_interval: bool
    has_zone: bool
    has_performer: bool
    has_device: bool
    has_focus: bool
    has_method: bool
    has_parts: bool
    has_sources: bool
    is_implausible: bool
    absent: str | None
    flags: tuple[str, ...]
    status: str
    identifier_system: str
    security: tuple[Coding, ...]


GAPS = (
    "id",
    "version",
    "last_updated",
    "identifier",
    "subject",
    "start",
    "end",
    "zone",
    "performer",
    "value",
    "method",
    "device",
    "focus",
    "sources",
    "parts",
)
"""What is filled in, in the order in which a template takes it.

`identifier`, `zone` and `method` come as quoted JSON strings, `value` as the text of a
number, a boolean, a quoted string, a CodeableConcept or a SampledData, `sources` and
`parts` as JSON texts separated by commas, the others as they stand between quotes.
"""

_PART_GAPS = ("offset", "value")

_MARK = "\0"
"""Stands around the name of a gap; JSON text never holds it unescaped."""


def _gap(name: str) -> str:
    return f"{_MARK}{name}{_MARK}"


def _compiled(body: str, gaps: tuple[str, ...]) -> Callable[..., str]:
    """Return a function that fills the gaps of `body`: one f-string, no look-ups.

    The text becomes constants of a syntax tree and is never parsed as code.
    """
    pieces: list[ast.expr] = [
        ast.FormattedValue(ast.Name(piece, ast.Load()), conversion=-1)
        if index % 2
        else ast.Constant(piece)
        for index, piece in enumerate(body.split(_MARK))
    ]
    arguments = ast.arguments(
        posonlyargs=[ast.arg(name) for name in gaps],
        args=[],
        kwonlyargs=[],
        kw_defaults=[],
        defaults=[],
    )
    tree = ast.Expression(ast.Lambda(arguments, ast.JoinedStr(pieces)))
    code = compile(ast.fix_missing_locations(tree), "<template>", "eval")
    function: Callable[..., str] = eval(code, {})  # noqa: S307 - the tree above, of our own tables
    return function


def text(value: Any) -> str:
    """Return `value` as compact JSON."""
    return dumps(value).decode("utf-8")


def _coding(coding: Coding) -> dict[str, str]:
    members = coding._asdict()
    return {name: member for name, member in members.items() if member}


def concept(codings: Iterable[Coding]) -> dict[str, Any]:
    """Return a CodeableConcept of `codings`, in their order."""
    return {"coding": [_coding(coding) for coding in codings]}


def absent_reason(code: str) -> dict[str, Any]:
    """Return the CodeableConcept of a code of data-absent-reason."""
    return concept([Coding(DATA_ABSENT_REASON, code, ABSENT_REASONS[code])])


def references(targets: Iterable[str]) -> str:
    """Return the JSON text of references, separated by commas."""
    return ",".join(f'{{"reference":"{target}"}}' for target in targets)


@lru_cache(maxsize=4096)
def value_text(kind: Kind, name: str) -> str:
    """Return the JSON text of a coded kind's value."""
    return text(concept(kind.values[name]))


def written_value(kind: Kind, value: str) -> str:
    """Return the JSON text of a normalised value."""
    if kind.value is ValueType.CODE:
        return value_text(kind, value)
    if kind.value is ValueType.STRING:
        return encode_basestring(value)
    return value


def unit_text(kind: Kind, unit: str) -> str:
    """Return how people write a unit in which the kind is stored."""
    return kind.unit_text if unit == kind.unit else UNIT_TEXT[unit]


def _quantity(kind: Kind, unit: str, gap: str) -> str:
    rest = {"unit": unit_text(kind, unit), "system": UCUM, "code": unit}
    return f'"valueQuantity":{{"value":{gap},{text(rest)[1:]}'


_VALUE_ELEMENTS: Mapping[ValueType, Callable[[Kind, str, str], str]] = MappingProxyType(
    {
        ValueType.QUANTITY: _quantity,
        ValueType.CODE: lambda _kind, _unit, gap: f'"valueCodeableConcept":{gap}',
        ValueType.BOOLEAN: lambda _kind, _unit, gap: f'"valueBoolean":{gap}',
        ValueType.STRING: lambda _kind, _unit, gap: f'"valueString":{gap}',
        ValueType.SAMPLES: lambda _kind, _unit, gap: f'"valueSampledData":{gap}',
        ValueType.NONE: lambda _kind, _unit, _gap: "",
    }
)


def _flag(name: str) -> Coding:
    return Coding(code_system.URL, name, code_system.FLAGS[name].display)


def _meta(kind: Kind, shape: Shape) -> str:
    labels = {
        "profile": list(kind.profiles),
        "security": [_coding(label) for label in shape.security],
        "tag": [_coding(_flag(name)) for name in shape.flags],
    }
    members = {name: member for name, member in labels.items() if member}
    rest = "," + text(members)[1:-1] if members else ""
    return (
        f'"meta":{{"versionId":"{_gap("version")}",'
        f'"lastUpdated":"{_gap("last_updated")}"{rest}}}'
    )


def _identifier(_kind: Kind, shape: Shape) -> str:
    system = text(shape.identifier_system)
    return f'"identifier":[{{"system":{system},"value":{_gap("identifier")}}}]'


def _category(kind: Kind, _shape: Shape) -> str:
    if not kind.categories:
        return ""
    return f'"category":{text([concept([one]) for one in kind.categories])}'


def _reference(element: str, gap: str) -> str:
    return f'"{element}":{{"reference":"{_gap(gap)}"}}'


def _effective(_kind: Kind, shape: Shape) -> str:
    start, end, zone = _gap("start"), _gap("end"), _gap("zone")
    extension = (
        f'{{"extension":[{{"url":"{TZ_CODE}","valueCode":{zone}}}]}}'
        if shape.has_zone
        else ""
    )
    if shape.is_interval:
        beside = f',"_start":{extension}' if extension else ""
        return f'"effectivePeriod":{{"start":"{start}"{beside},"end":"{end}"}}'
    beside = f',"_effectiveDateTime":{extension}' if extension else ""
    return f'"effectiveDateTime":"{start}"{beside}'


def _value(kind: Kind, shape: Shape) -> str:
    if shape.absent is not None:
        return f'"dataAbsentReason":{text(absent_reason(shape.absent))}'
    return _VALUE_ELEMENTS[kind.value](kind, shape.unit, _gap("value"))


_FLAG = f'"interpretation":[{text(dict(QUESTIONABLE))}]'

_ELEMENTS: tuple[Callable[[Kind, Shape], str], ...] = (
    lambda _kind, _shape: '"resourceType":"Observation"',
    lambda _kind, _shape: f'"id":"{_gap("id")}"',
    _meta,
    _identifier,
    lambda _kind, shape: f'"status":{text(shape.status)}',
    _category,
    lambda kind, _shape: f'"code":{text(concept(kind.codings))}',
    lambda _kind, _shape: _reference("subject", "subject"),
    lambda _kind, shape: (
        f'"focus":[{{"reference":"{_gap("focus")}"}}]' if shape.has_focus else ""
    ),
    _effective,
    lambda _kind, _shape: f'"issued":"{_gap("last_updated")}"',
    lambda _kind, shape: (
        f'"performer":[{{"reference":"{_gap("performer")}"}}]'
        if shape.has_performer
        else ""
    ),
    _value,
    lambda _kind, shape: _FLAG if shape.is_implausible else "",
    lambda _kind, shape: (
        f'"method":{{"text":{_gap("method")}}}' if shape.has_method else ""
    ),
    lambda _kind, shape: _reference("device", "device") if shape.has_device else "",
    lambda _kind, shape: (
        f'"derivedFrom":[{_gap("sources")}]' if shape.has_sources else ""
    ),
    lambda _kind, shape: f'"component":[{_gap("parts")}]' if shape.has_parts else "",
)
"""The elements of an Observation in the order in which R4 lists them."""


@lru_cache(maxsize=8192)
def compile_template(
    kind: Kind,
    *members: Any,
) -> Callable[..., str]:
    """Return a function of the members of `GAPS`, in order, to the resource's text.

    Args:
        kind: What is measured.
        members: Those of `Shape`, in order: a plain tuple is the quicker key.

    """
    shape = Shape(*members)
    elements = (element(kind, shape) for element in _ELEMENTS)
    return _compiled(f"{{{','.join(filter(None, elements))}}}", GAPS)


class _PartShape(NamedTuple):
    unit: str
    has_offset: bool
    absent: str | None
    is_implausible: bool


@lru_cache(maxsize=4096)
def _part_template(kind: Kind, shape: _PartShape) -> Callable[..., str]:
    extension = (
        f'"extension":[{{"url":"{TIME_OFFSET}","valueInteger":{_gap("offset")}}}]'
        if shape.has_offset
        else ""
    )
    value = (
        _VALUE_ELEMENTS[kind.value](kind, shape.unit, _gap("value"))
        if shape.absent is None
        else f'"dataAbsentReason":{text(absent_reason(shape.absent))}'
    )
    elements = (
        extension,
        f'"code":{text(concept(kind.codings))}',
        value,
        _FLAG if shape.is_implausible else "",
    )
    return _compiled(f"{{{','.join(filter(None, elements))}}}", _PART_GAPS)


def part_text(part: Part) -> str:
    """Return the JSON text of a component."""
    kind, value = part.kind, part.value
    shape = _PartShape(
        part.unit, part.offset_ms is not None, part.absent, part.implausible
    )
    if value is not None:
        value = written_value(kind, value)
    return _part_template(kind, shape)(part.offset_ms, value)
