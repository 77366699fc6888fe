"""A workout: its activity is the value, its totals are components.

https://developer.apple.com/documentation/healthkit/hkworkout
"""

from collections.abc import Iterator

from mappings.code_system import WORKOUTS
from mappings.measurement import Component, Reason
from mappings.payload import Unreadable, kebab, number_text
from mappings.vendors.apple_health.elements import Element
from mappings.vendors.apple_health.types import (
    QUANTITIES,
    QUANTITY,
    STATISTICS,
    TOTALS,
)

ACTIVITY = "HKWorkoutActivityType"

_WORKOUTS = frozenset(WORKOUTS)


def activity_of(element: Element) -> str:
    """Return the code of the workout's activity.

    Raises:
        Unreadable: `unknown-kind` for an activity without a code.

    """
    name = element.attributes.get("workoutActivityType", "")
    code = kebab(name.removeprefix(ACTIVITY))
    if code not in _WORKOUTS:
        raise Unreadable(
            Reason.UNKNOWN_KIND, "The workoutActivityType has no code.", "workout"
        )
    return code


def components_of(element: Element) -> tuple[Component, ...]:
    """Return one component for each total; a statistic wins over an attribute.

    Raises:
        Unreadable: `no-unit`, `unknown-unit`, `invalid-value`.

    """
    found = {part.kind: part for part in _totals(element)}
    found |= {part.kind: part for part in _statistics(element)}
    return tuple(found.values())


def _totals(element: Element) -> Iterator[Component]:
    attributes = element.attributes
    for name, (kind, unit_name, units) in TOTALS.items():
        if name in attributes:
            unit = units.get(attributes.get(unit_name, ""))
            yield _component(kind, attributes[name], unit)


def _statistics(element: Element) -> Iterator[Component]:
    for part in element.parts:
        if part.tag == "WorkoutStatistics":
            name = part.attributes.get("type", "").removeprefix(QUANTITY)
            for statistic, (kind, type_) in STATISTICS.get(name, {}).items():
                if statistic in part.attributes:
                    word = part.attributes.get("unit", "")
                    unit = QUANTITIES[type_].units.get(word)
                    yield _component(kind, part.attributes[statistic], unit)


def _component(kind: str, text: str, unit: str | None) -> Component:
    if unit is None:
        raise Unreadable(
            Reason.UNKNOWN_UNIT, f"The unit of {kind} is not known.", "workout"
        )
    try:
        return Component(kind, number_text(text), unit)
    except Unreadable as error:
        raise error.of("workout") from None
