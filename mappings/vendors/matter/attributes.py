"""The value of one attribute to what it measures.

https://csa-iot.org/developer-resource/specifications-download-request/
"""

from collections.abc import Callable, Mapping
from decimal import Context, Decimal
from functools import lru_cache
from types import MappingProxyType
from typing import NamedTuple

from mappings.measurement import Reason
from mappings.payload import Unreadable, number
from mappings.vendors.matter.clusters import (
    CONCENTRATION_UNITS,
    CONCENTRATIONS,
    CONTACT_SENSOR,
    NUMBERS,
    OTHER_BOOLEANS,
    Reads,
)


class Around(NamedTuple):
    """What stands around an attribute and tells how to read it.

    Attributes:
        members: The cluster's attributes.
        types: Types of device of the endpoint.

    """

    members: Mapping[str, object]
    types: frozenset[int]


class Value(NamedTuple):
    """What an attribute measures.

    Attributes:
        kind: Row of kinds.csv.
        value: As in a Measurement; None where there is none.
        unit: UCUM code.

    """

    kind: str
    value: Decimal | int | str | None
    unit: str = ""


class Aside(Exception):  # noqa: N818 - names what an attribute is, not a fault
    """The attribute is recognised and never stored; its text says what it is."""


Read = Callable[[object, Around], Value]


def _integer(value: object, kind: str) -> int:
    if type(value) is int:
        return value
    raise Unreadable(Reason.INVALID_VALUE, "The value is not an integer.", kind)


def _number(reads: Reads) -> Read:
    kind, unit, places, offset = reads

    def read(value: object, _: Around) -> Value:
        whole = _integer(value, kind) + offset
        return Value(kind, Decimal(whole).scaleb(-places) if places else whole, unit)

    return read


def _concentration(kind: str) -> Read:
    def read(value: object, around: Around) -> Value:
        told = around.members.get("measurementUnit")
        if type(told) is not int:
            raise Unreadable(Reason.NO_UNIT, "No measurementUnit is told.", kind)
        unit = CONCENTRATION_UNITS.get(told)
        if unit is None:
            detail = "The measurementUnit is not one in which the kind is given."
            raise Unreadable(Reason.UNKNOWN_UNIT, detail, kind)
        try:
            return Value(kind, number(value), unit)
        except Unreadable as error:
            raise error.of(kind) from None

    return read


_DIGITS = 4
"""A step of the logarithmic scale is 0.02 %: four digits hold what it tells."""

_PRECISE = Context(prec=12)
_MAX_ILLUMINANCE = 65_534


@lru_cache(maxsize=4096)
def lux(logarithmic: int) -> Decimal:
    """Return the illuminance that `10000 · log10(lux) + 1` stands for."""
    exponent = Decimal(logarithmic - 1).scaleb(-4)
    exact = _PRECISE.power(10, exponent)
    return exact.quantize(Decimal(1).scaleb(exact.adjusted() + 1 - _DIGITS))


def _illuminance(value: object, _: Around) -> Value:
    told = _integer(value, "illuminance")
    if told == 0:
        # Too low to be measured: dark, but not a number.
        return Value("illuminance", None)
    if not 0 < told <= _MAX_ILLUMINANCE:
        detail = "The value is outside what the attribute can hold."
        raise Unreadable(Reason.INVALID_VALUE, detail, "illuminance")
    return Value("illuminance", lux(told), "lx")


def _occupancy(value: object, _: Around) -> Value:
    told = _integer(value, "occupancy")
    return Value("occupancy", "occupied" if told & 1 else "unoccupied")


def _boolean_state(value: object, around: Around) -> Value:
    """Return a contact; another device says something else by the same cluster."""
    for type_, what in OTHER_BOOLEANS.items():
        if type_ in around.types:
            raise Aside(what)
    if CONTACT_SENSOR not in around.types:
        detail = "A BooleanState without its device type says nothing certain."
        raise Unreadable(Reason.UNKNOWN_KIND, detail)
    if not isinstance(value, bool):
        raise Unreadable(
            Reason.INVALID_VALUE, "The value is not a truth value.", "contact"
        )
    return Value("contact", "closed" if value else "open")


def _half_percents(value: object, _: Around) -> Value:
    told = _integer(value, "battery-level")
    return Value("battery-level", Decimal(told) * _HALF, "%")


_HALF = Decimal("0.5")


def _charge_level(value: object, _: Around) -> Value:
    """Return whether the battery is low: 0 is OK, 1 a warning, 2 critical."""
    return Value("battery-low", _word(value, "battery-low", ("false", "true", "true")))


def _charge_state(value: object, _: Around) -> Value:
    """Return whether the battery charges: 1 is charging, 2 full, 3 not charging."""
    kind = "battery-charging"
    if value == 0:
        raise Aside("attribute without a value")
    return Value(kind, _word(value, kind, ("", "true", "false", "false")))


def _word(value: object, kind: str, words: tuple[str, ...]) -> str:
    told = _integer(value, kind)
    if not 0 <= told < len(words):
        detail = "The value is not one of the attribute's."
        raise Unreadable(Reason.INVALID_VALUE, detail, kind)
    return words[told]


READS: Mapping[tuple[str, str], tuple[str, Read]] = MappingProxyType(
    {
        **{
            (cluster, attribute): (reads.kind, _number(reads))
            for cluster, attributes in NUMBERS.items()
            for attribute, reads in attributes.items()
        },
        **{
            (cluster, "measuredValue"): (kind, _concentration(kind))
            for cluster, kind in CONCENTRATIONS.items()
        },
        ("IlluminanceMeasurement", "measuredValue"): ("illuminance", _illuminance),
        ("OccupancySensing", "occupancy"): ("occupancy", _occupancy),
        ("BooleanState", "stateValue"): ("contact", _boolean_state),
        ("PowerSource", "batPercentRemaining"): ("battery-level", _half_percents),
        ("PowerSource", "batChargeLevel"): ("battery-low", _charge_level),
        ("PowerSource", "batChargeState"): ("battery-charging", _charge_state),
    }
)
"""Kind and reader of an attribute, by cluster and attribute."""

MEASURING = frozenset(cluster for cluster, _ in READS)
"""Clusters of which an attribute is read."""
