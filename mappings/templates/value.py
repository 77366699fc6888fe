"""The value of a measurement or component: numbers, codes, what means no value."""

from collections.abc import Callable, Mapping
from decimal import Decimal
from fractions import Fraction
from typing import Any, NamedTuple

from mappings import units
from mappings.accepted_units import accepted_units
from mappings.kinds import Kind, ValueType
from mappings.measurement import Reason, Samples
from mappings.normalise import ABSENT_REASONS
from mappings.payload import Unreadable
from mappings.templates.faults import below
from mappings.templates.number import ReadNumber, coded, quantity, scaled, word
from mappings.templates.scope import Compiling, Get, Message
from mappings.templates.signal import signal

Read = Callable[[Any], Decimal | int | str | Samples]
Unit = Callable[[Any, Message], str]


class Value(NamedTuple):
    """How the value of one kind is read.

    Attributes:
        kind: The row of kinds.csv.
        get: Finds it.
        read: Makes a number, a code, a text or a signal of it.
        unit: The UCUM code of a number; None where it is always `constant_unit`.
        constant_unit: The UCUM code; empty for a code or a text.
        absent: Text of a sentinel → code of data-absent-reason.

    """

    kind: Kind
    get: Get
    read: Read
    unit: Unit | None
    constant_unit: str
    absent: Mapping[str, str]


def value_of(
    compiling: Compiling, spec: Mapping[str, Any], kind: Kind, pointer: str
) -> Value:
    """Return how the value of a measurement or a component is read.

    Args:
        compiling: Where faults go.
        spec: The measurement or component; its `value` is there.
        kind: Its kind.
        pointer: To it.

    """
    _check_members(compiling, spec, kind, pointer)
    absent = _absent(compiling, spec, kind, f"{pointer}/absent")
    if kind.value is ValueType.SAMPLES:
        read = _quantity(compiling, spec, kind, pointer)
        get = signal(compiling, spec, read, pointer)
        return Value(kind, get, _as_it_is, None, kind.unit, absent)
    unit, constant = _unit(compiling, spec.get("unit"), kind, f"{pointer}/unit")
    return Value(
        kind,
        compiling.get(spec["value"], f"{pointer}/value"),
        _READERS[kind.value](compiling, spec, kind, pointer),
        unit,
        constant,
        absent,
    )


def _as_it_is(samples: Any) -> Any:
    return samples


_ALLOWED = {
    ValueType.QUANTITY: ("unit", "scale"),
    ValueType.CODE: ("values",),
    ValueType.BOOLEAN: ("values",),
    ValueType.STRING: (),
    ValueType.SAMPLES: ("unit", "scale", "signal"),
    ValueType.NONE: (),
}
"""Members beside `value` that make sense of a kind."""

_ARE = {
    ValueType.QUANTITY: "a number",
    ValueType.CODE: "a code",
    ValueType.BOOLEAN: "true or false",
    ValueType.STRING: "a text",
    ValueType.SAMPLES: "a signal",
}


def _check_members(
    compiling: Compiling, spec: Mapping[str, Any], kind: Kind, pointer: str
) -> None:
    add = compiling.faults.add
    if kind.value is ValueType.NONE:
        add(f"{pointer}/value", f"{kind.name} has components and no value of its own.")
    else:
        for member in ("unit", "scale", "values", "signal"):
            if member in spec and member not in _ALLOWED[kind.value]:
                add(f"{pointer}/{member}", f"{kind.name} is {_ARE[kind.value]}.")
    if kind.value is ValueType.QUANTITY and "unit" not in spec:
        add(pointer, f"{kind.name} needs a unit: {_accepted(kind)}.")
    if kind.value is ValueType.SAMPLES:
        _check_signal(compiling, spec, kind, pointer)


def _check_signal(
    compiling: Compiling, spec: Mapping[str, Any], kind: Kind, pointer: str
) -> None:
    add = compiling.faults.add
    if "signal" not in spec:
        add(pointer, f"{kind.name} is a signal and needs `signal`, its `period`.")
    if spec.get("unit") != kind.unit:
        at = f"{pointer}/unit" if "unit" in spec else pointer
        add(at, f"{kind.name} is in `{kind.unit}` alone; use `scale`.")


def _accepted(kind: Kind) -> str:
    return ", ".join(f"`{code}`" for code in sorted(accepted_units(kind)))


def _unit(
    compiling: Compiling, spec: Any, kind: Kind, pointer: str
) -> tuple[Unit | None, str]:
    """Return what finds the unit, or the unit that it always is."""
    if spec is None or kind.value is not ValueType.QUANTITY:
        return None, ""
    if isinstance(spec, str):
        _check_unit(compiling, spec, kind, pointer)
        return None, spec
    words = spec.get("words", units.WORDS)
    for name, code in spec.get("words", {}).items():
        _check_unit(compiling, code, kind, below(f"{pointer}/words", name))
    get = compiling.get(spec["from"], f"{pointer}/from")

    def unit(item: Any, message: Message) -> str:
        found = get(item, message)
        if found is None or found == "":
            raise Unreadable(Reason.NO_UNIT, "The message does not tell the unit.")
        code = words.get(found) if type(found) is str else None
        if code is None:
            raise Unreadable(
                Reason.UNKNOWN_UNIT, "The unit is not one that the template knows."
            )
        return str(code)

    return unit, ""


def _check_unit(compiling: Compiling, code: str, kind: Kind, pointer: str) -> None:
    if code not in accepted_units(kind):
        compiling.faults.add(
            pointer,
            f"`{code}` is no unit of {kind.name}; these are: {_accepted(kind)}.",
        )


def _quantity(
    compiling: Compiling, spec: Mapping[str, Any], _kind: Kind, pointer: str
) -> ReadNumber:
    if "scale" not in spec:
        return quantity
    try:
        factor = Fraction(spec["scale"])
    except (ValueError, ZeroDivisionError):
        factor = Fraction(0)
    if factor <= 0:
        compiling.faults.add(f"{pointer}/scale", "A scale is a fraction above zero.")
        return quantity
    return scaled(factor)


def _coded(
    compiling: Compiling, spec: Mapping[str, Any], kind: Kind, pointer: str
) -> Read:
    known = ("true", "false") if kind.value is ValueType.BOOLEAN else kind.values
    values = spec.get("values")
    for name, code in (values or {}).items():
        if code not in known:
            compiling.faults.add(
                below(f"{pointer}/values", name),
                f"`{code}` is no value of {kind.name}; these are: {', '.join(known)}.",
            )
    return coded(values)


def _text(_c: Compiling, _s: Mapping[str, Any], _k: Kind, _p: str) -> Read:
    return word


_READERS = {
    ValueType.QUANTITY: _quantity,
    ValueType.CODE: _coded,
    ValueType.BOOLEAN: _coded,
    ValueType.STRING: _text,
    ValueType.NONE: _text,
}


def _absent(
    compiling: Compiling, spec: Mapping[str, Any], kind: Kind, pointer: str
) -> Mapping[str, str]:
    absent: Mapping[str, str] = spec.get("absent", {})
    for name, code in absent.items():
        if code not in ABSENT_REASONS:
            compiling.faults.add(
                below(pointer, name), f"`{code}` is no code of data-absent-reason."
            )
    if absent and not kind.records_absence:
        compiling.faults.add(pointer, f"A {kind.name} without a value is not recorded.")
    return absent
