"""The elements of export.xml to readings.

https://developer.apple.com/documentation/healthkit
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import TypeGuard

from mappings.measurement import Measurement, OutOfScope, Reading, Reason
from mappings.payload import Unreadable, number_text, seconds
from mappings.vendors.apple_health import blood_pressure, sleep, times, workout
from mappings.vendors.apple_health.device import SOURCE, source_of, unit_of
from mappings.vendors.apple_health.elements import Element
from mappings.vendors.apple_health.types import (
    BLOOD_PRESSURE,
    CATEGORY,
    ELEMENTS_OUT_OF_SCOPE,
    MINDFUL_SESSION,
    NOT_COUNTED,
    PREFIXES_OUT_OF_SCOPE,
    QUANTITIES,
    QUANTITY,
    SLEEP_ANALYSIS,
    TYPES_OUT_OF_SCOPE,
    Quantity,
)

KEPT_METADATA = frozenset({times.TIME_ZONE, "HKWasUserEntered"})
"""Metadata that a retry needs; other entries may hold accounts and links."""

KEPT_ATTRIBUTES = frozenset(
    {
        "type",
        "unit",
        "value",
        "startDate",
        "endDate",
        "creationDate",
        "device",
        "workoutActivityType",
        "duration",
        "durationUnit",
        "totalDistance",
        "totalDistanceUnit",
        "totalEnergyBurned",
        "totalEnergyBurnedUnit",
    }
)
"""Attributes that a retry needs; of `sourceName`, which may hold a person's name, a
digest is kept."""


class Reader:
    """Turns elements into readings; keeps what waits for others.

    Args:
        zone: IANA name of the person's zone, for records that do not tell theirs.

    """

    def __init__(self, zone: str | None) -> None:
        self._zone = zone
        self._nights = sleep.Nights()
        self._halves = blood_pressure.Halves()

    def readings(self, element: Element) -> Iterable[Reading]:
        """Return the readings that an element completes."""
        try:
            return _READERS.get(element.tag, Reader.other_element)(self, element)
        except Unreadable as error:
            return (error.refusal(element.position, _kept(element)),)

    def rest(self) -> Iterator[Reading]:
        """Yield what waited until the end of the file."""
        yield from self._halves.rest()
        yield from self._nights.rest()

    def again(self, element: Element) -> Iterator[Reading]:
        """Yield the readings of an element that was refused."""
        yield from self.readings(element)
        yield from self.rest()

    def record(self, element: Element) -> Iterable[Reading]:
        """Return the reading of a record, or what it completes."""
        type_ = element.attributes.get("type", "")
        quantity = _QUANTITIES.get(type_)
        if quantity is not None:
            return (self.quantity(element, quantity),)
        reader = _OTHER_RECORDS.get(type_)
        if reader is not None:
            return reader(self, element)
        return (_never_stored(type_, element.position),)

    def other_element(self, element: Element) -> Iterable[Reading]:
        """Return what an element is that holds no reading."""
        if element.tag in NOT_COUNTED:
            return ()
        what = ELEMENTS_OUT_OF_SCOPE.get(element.tag)
        if what is None:
            raise Unreadable(
                Reason.UNKNOWN_KIND,
                "The element is not one of an Apple Health export.",
            )
        return (OutOfScope(element.position, what),)

    def quantity(self, element: Element, quantity: Quantity) -> Measurement:
        """Return the reading of a number with its unit."""
        _, _, attributes, metadata, _ = element
        kind, units, method = quantity
        unit = units.get(attributes.get("unit", ""))
        if unit is None:
            raise _unit_refused(attributes, kind)
        try:
            value = number_text(attributes.get("value", ""))
            start, end, zone = times.span(attributes, metadata, self._zone)
        except Unreadable as error:
            raise error.of(kind) from None
        return Measurement(
            kind,
            value,
            unit,
            start.text,
            start.us,
            None if end.us == start.us else end.text,
            end.us,
            element.position,
            None,
            unit_of(attributes),
            (),
            method,
            None,
            metadata.get("HKWasUserEntered") == "1",
            zone,
            source_version=times.created(attributes),
        )

    def half(self, element: Element) -> Iterable[Reading]:
        """Take half of a blood pressure; return the panel once it is whole."""
        attributes = element.attributes
        name = attributes["type"].removeprefix(QUANTITY)
        half = self.quantity(element, BLOOD_PRESSURE[name])
        panel = self._halves.add(half, attributes.get("sourceName", ""))
        return () if panel is None else (panel,)

    def sleep(self, element: Element) -> Iterable[Reading]:
        """Take a stage of sleep; return the sessions that are over."""
        attributes, metadata = element.attributes, element.metadata
        try:
            span = times.span(attributes, metadata, self._zone)
        except Unreadable as error:
            raise error.of("sleep-session") from None
        source = sleep.Source(
            attributes.get("sourceName", ""),
            unit_of(attributes),
            metadata.get("HKWasUserEntered") == "1",
        )
        return self._nights.add(element, span, source)

    def mindful(self, element: Element) -> Iterable[Reading]:
        """Return the length of a mindful session."""
        bare = self.period(element, "mindful-duration")
        length = seconds(bare.end_us - bare.start_us)
        return (bare._replace(value=length, unit="s"),)

    def workout(self, element: Element) -> Iterable[Reading]:
        """Return the reading of a workout."""
        code = workout.activity_of(element)
        parts = workout.components_of(element)
        bare = self.period(element, "workout")
        return (bare._replace(value=code, components=parts),)

    def period(self, element: Element, kind: str) -> Measurement:
        """Return a reading without a value, with its time and device.

        Raises:
            Unreadable: as `times.span`.

        """
        attributes, metadata = element.attributes, element.metadata
        try:
            start, end, zone = times.span(attributes, metadata, self._zone)
        except Unreadable as error:
            raise error.of(kind) from None
        return Measurement(
            kind=kind,
            value=None,
            unit="",
            start=start.text,
            start_us=start.us,
            end=end.text,
            end_us=end.us,
            position=element.position,
            device=unit_of(attributes),
            self_reported=metadata.get("HKWasUserEntered") == "1",
            zone=zone,
            source_version=times.created(attributes),
        )


_READERS: Mapping[str, Callable[[Reader, Element], Iterable[Reading]]] = (
    MappingProxyType({"Record": Reader.record, "Workout": Reader.workout})
)
"""What reads the children of the root, by name."""

_QUANTITIES = MappingProxyType(
    {QUANTITY + name: quantity for name, quantity in QUANTITIES.items()}
)

_OTHER_RECORDS: Mapping[str, Callable[[Reader, Element], Iterable[Reading]]] = (
    MappingProxyType(
        {
            CATEGORY + SLEEP_ANALYSIS: Reader.sleep,
            CATEGORY + MINDFUL_SESSION: Reader.mindful,
            **{QUANTITY + name: Reader.half for name in BLOOD_PRESSURE},
        }
    )
)
"""What reads the records that are not a number of their own, by type."""


def _unit_refused(attributes: Mapping[str, str], kind: str) -> Unreadable:
    if not attributes.get("unit"):
        return Unreadable(Reason.NO_UNIT, "The record has no unit.", kind)
    detail = "The unit is not one in which HealthKit gives this type."
    return Unreadable(Reason.UNKNOWN_UNIT, detail, kind)


def _never_stored(type_: str, position: str) -> OutOfScope:
    """Return what a type is that is never stored.

    Raises:
        Unreadable: `unknown-kind` for any other.

    """
    what = TYPES_OUT_OF_SCOPE.get(type_)
    if what is not None:
        return OutOfScope(position, what)
    for prefix, what in PREFIXES_OUT_OF_SCOPE.items():
        if type_.startswith(prefix):
            return OutOfScope(position, what)
    is_plain = type_.isascii() and type_.isidentifier() and len(type_) <= _LONGEST_TYPE
    named = type_ if is_plain and type_.startswith("HK") else "type"
    raise Unreadable(Reason.UNKNOWN_KIND, f"The {named} has no kind.")


_LONGEST_TYPE = 80


def _kept(element: Element) -> dict[str, object]:
    """Return what a retry needs of an element, without names and accounts."""
    attributes = element.attributes
    source = source_of(attributes)
    named = {} if source is None else {SOURCE: source}
    metadata = element.metadata
    return {
        "element": element.tag,
        "attributes": named
        | {k: v for k, v in attributes.items() if k in KEPT_ATTRIBUTES},
        "metadata": {k: v for k, v in metadata.items() if k in KEPT_METADATA},
    }


def element_of(payload: Mapping[str, object]) -> Element | None:
    """Return the element that `_kept` kept; None for any other object."""
    tag, attributes = payload.get("element"), payload.get("attributes")
    metadata = payload.get("metadata")
    if isinstance(tag, str) and _is_of_texts(attributes) and _is_of_texts(metadata):
        return Element(tag, 1, attributes, metadata, [])
    return None


def _is_of_texts(value: object) -> TypeGuard[dict[str, str]]:
    return isinstance(value, dict) and all(
        isinstance(one, str) for one in value.values()
    )
