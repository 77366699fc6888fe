"""Frames: what a resource is but for the one reading in it.

A device's Observations differ in time, value and identifier. Whether they are valid,
what consent asks of them and most of what search finds in them hangs on the rest,
which is the same for thousands.

https://hl7.org/fhir/R4/observation.html
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

Resource = Mapping[str, Any]

_APART = ("id", "meta")
"""Members that are no part of a frame: they differ between versions."""


def frame_of(resource: Resource) -> str | None:
    """Return a text that only resources of one frame have; None where there is none.

    Resources of one frame have the same members with the same values, but for `id`,
    `meta`, the digits of when it was taken and issued, the values of its identifiers
    and of the quantities it reports.

    Args:
        resource: Of any shape.

    """
    if resource.get("resourceType") != "Observation":
        return None
    frame = dict(resource)
    for name in _APART:
        frame.pop(name, None)
    for name, without in _WITHOUT.items():
        if name in frame:
            frame[name] = without(frame[name])
    return repr(frame)


def reading_of(resource: Resource) -> dict[str, Any]:
    """Return a resource that has the reading alone."""
    reading = {name: resource[name] for name in _READ if name in resource}
    components = resource.get("component")
    if isinstance(components, list):
        reading["component"] = [
            {name: one[name] for name in _QUANTITY if name in one}
            for one in components
            if isinstance(one, dict)
        ]
    return reading


_QUANTITY = ("valueQuantity",)
_READ = ("resourceType", "identifier", "effectiveDateTime", "issued", *_QUANTITY)

_DIGITS = str.maketrans("123456789", "0" * 9)


def _instant(text: Any) -> Any:
    return text.translate(_DIGITS) if isinstance(text, str) else text


def _valueless(element: Any) -> Any:
    if not isinstance(element, dict):
        return element
    if isinstance(element.get("value"), dict | list | None):
        return element
    return {**element, "value": 0}


def _identifiers(identifiers: Any) -> Any:
    if not isinstance(identifiers, list):
        return identifiers
    return [_valueless(identifier) for identifier in identifiers]


def _components(components: Any) -> Any:
    if not isinstance(components, list):
        return components
    return [
        {**one, "valueQuantity": _valueless(one["valueQuantity"])}
        if isinstance(one, dict) and "valueQuantity" in one
        else one
        for one in components
    ]


_WITHOUT: Mapping[str, Callable[[Any], Any]] = MappingProxyType(
    {
        "identifier": _identifiers,
        "effectiveDateTime": _instant,
        "issued": _instant,
        "valueQuantity": _valueless,
        "component": _components,
    }
)
"""Member → what is left of it in the frame."""
