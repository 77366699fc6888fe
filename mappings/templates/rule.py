"""One measurement of a template: an item of a message → a reading."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from mappings.kinds import Kind, ValueType, kinds
from mappings.templates.accounted import told
from mappings.templates.clues import clue, name
from mappings.templates.expression import (
    Expression,
    ExpressionError,
    Step,
    compiled,
)
from mappings.templates.faults import below
from mappings.templates.making import (
    Make,
    Shared,
    lasting,
    only,
    panel,
    plain,
    session,
    with_parts,
)
from mappings.templates.moment import check_time, when
from mappings.templates.scope import Compiling
from mappings.templates.stages import with_stages
from mappings.templates.value import Value, value_of


class Rule(NamedTuple):
    """One measurement of a template.

    Attributes:
        kind: Name of its kind.
        place: What its position says after that of the item.
        each: Finds its items in the message; None where the message is the item.
        reads: What it reads of its item.
        make: Makes the measurement of an item.

    """

    kind: str
    place: str
    each: Expression | None
    reads: tuple[tuple[Step, ...], ...]
    make: Make


class _Wanted(NamedTuple):
    """A measurement as its template says it."""

    spec: Mapping[str, Any]
    kind: Kind
    template: Mapping[str, Any]
    system: str
    pointer: str


def rule(
    compiling: Compiling,
    spec: Mapping[str, Any],
    template: Mapping[str, Any],
    system: str,
    pointer: str,
) -> Rule | None:
    """Return a compiled measurement; None where it has faults of its own.

    Args:
        compiling: Where faults go; its `item` and `message` are filled.
        spec: The measurement.
        template: The template, for what the measurement does not say itself.
        system: System of device identifiers where the template names none.
        pointer: To the measurement.

    """
    kind = _kind(compiling, spec, f"{pointer}/kind")
    if kind is None:
        return None
    each = spec.get("each")
    found = None if each is None else compiling.expression(each, f"{pointer}/each")
    of_item = Compiling(faults=compiling.faults, has_topic=compiling.has_topic)
    make = _make(of_item, _Wanted(spec, kind, template, system, pointer))
    compiling.message += of_item.message
    return Rule(kind.name, _place(spec, kind), found, tuple(of_item.item), make)


def _kind(compiling: Compiling, spec: Mapping[str, Any], pointer: str) -> Kind | None:
    kind = kinds().get(spec["kind"])
    if kind is None:
        compiling.faults.add(pointer, f"There is no kind `{spec['kind'][:64]}`.")
    return kind


def _place(spec: Mapping[str, Any], kind: Kind) -> str:
    """Return how a measurement's position ends: its path, or the name of its kind."""
    value = spec.get("value")
    try:
        path = compiled(value).path if isinstance(value, str) else None
    except ExpressionError:
        path = None
    return told(path) if path else f" ({kind.name})"


def _make(compiling: Compiling, wanted: _Wanted) -> Make:
    spec, kind, _, _, pointer = wanted
    shared = _shared(compiling, wanted)
    parts = _parts(compiling, spec, kind, pointer)
    if "value" in spec:
        make = _valued(compiling, wanted, parts, shared)
    elif "stages" in spec:
        make = session(kind.name, parts, shared)
    else:
        if kind.value is not ValueType.NONE or not parts:
            compiling.faults.add(pointer, f"{kind.name} needs a value.")
        make = panel(kind.name, parts, shared)
    if "stages" in spec:
        at = f"{pointer}/stages"
        make = with_stages(compiling, spec["stages"], kind, make, at)
    if "when" not in spec:
        return make
    return only(compiling.get(spec["when"], f"{pointer}/when"), make)


def _valued(
    compiling: Compiling, wanted: _Wanted, parts: tuple[Value, ...], shared: Shared
) -> Make:
    spec, kind, _, _, pointer = wanted
    value = value_of(compiling, spec, kind, pointer)
    make = plain(value, shared) if not parts else with_parts(value, parts, shared)
    return lasting(make) if kind.value is ValueType.SAMPLES else make


def _shared(compiling: Compiling, wanted: _Wanted) -> Shared:
    spec, kind, template, system, pointer = wanted
    own, at = spec.get("time"), f"{pointer}/time"
    time = own if own is not None else template.get("time")
    if time is None:
        compiling.faults.add(pointer, f"{kind.name} has no `time`.")
    else:
        check_time(compiling, time, kind, at if own is not None else pointer)
    yes = spec.get("self_reported", False)
    return Shared(
        None if own is None else when(compiling, own, at),
        clue(compiling, spec["device"], system, f"{pointer}/device")
        if "device" in spec
        else None,
        name(compiling, spec["id"], f"{pointer}/id") if "id" in spec else None,
        "each" in spec,
        spec.get("method"),
        compiling.get(
            {"constant": yes} if yes is True else yes, f"{pointer}/self_reported"
        )
        if yes
        else None,
    )


def _parts(
    compiling: Compiling, spec: Mapping[str, Any], panel: Kind, pointer: str
) -> tuple[Value, ...]:
    parts, at = spec.get("components", ()), f"{pointer}/components"
    found = []
    for index, part in enumerate(parts):
        place = below(at, index)
        kind = _kind(compiling, part, f"{place}/kind")
        if kind is None:
            continue
        if kind.name not in panel.components:
            compiling.faults.add(
                f"{place}/kind", f"{kind.name} is no part of {panel.name}."
            )
        found.append(value_of(compiling, part, kind, place))
    return tuple(found)
