"""What a template finds of the device, the patient and the source's own id.

An account is used only to find the patient, and never leaves as a part of a resource.
"""

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

from mappings.device import SPECIALIZATIONS
from mappings.measurement import DeviceClue
from mappings.templates.scope import Compiling, Get, Message, short_text

Clue = Callable[[Any, Message], DeviceClue | None]
Name = Callable[[Any, Message], str | None]

KEPT = 1024
"""Devices of one template that are remembered."""

_CONSTANTS = ("system", "specialization")
"""Members of a device that no message tells."""


def clue(
    compiling: Compiling, spec: Mapping[str, Any] | None, system: str, pointer: str
) -> Clue:
    """Return what tells of the device.

    Args:
        compiling: Where faults go.
        spec: `device` of a template or a measurement.
        system: System of an identifier where the template names none.
        pointer: To it.

    """
    if spec is None:
        return _nobody
    constants = {name: spec[name] for name in _CONSTANTS if name in spec}
    if constants.get("specialization", "motion") not in SPECIALIZATIONS:
        known = ", ".join(SPECIALIZATIONS)
        compiling.faults.add(
            f"{pointer}/specialization", f"A device is one of these: {known}."
        )
    gets = {
        name: compiling.get(spec[name], f"{pointer}/{name}")
        for name in spec
        if name not in _CONSTANTS
    }
    return _clue(gets, constants, system)


def _nobody(_item: Any, _message: Message) -> None:
    return None


def _clue(gets: Mapping[str, Get], constants: Mapping[str, str], system: str) -> Clue:
    named = {"system": system, **constants}
    names, ordered = tuple(gets), tuple(gets.values())

    @lru_cache(maxsize=KEPT)
    def told(found: tuple[str | None, ...]) -> DeviceClue | None:
        if not any(found):
            return None
        clue = DeviceClue(**named)._replace(**dict(zip(names, found, strict=True)))
        return clue if clue.identifier else clue._replace(identifier=None, system=None)

    def tell(item: Any, message: Message) -> DeviceClue | None:
        return told(tuple([short_text(get(item, message)) for get in ordered]))

    return tell


def name(compiling: Compiling, wanted: Any, pointer: str) -> Name:
    """Return what finds an identifier; nothing where the template names none."""
    if wanted is None:
        return _nobody
    get = compiling.get(wanted, pointer)
    return lambda item, message: short_text(get(item, message))
