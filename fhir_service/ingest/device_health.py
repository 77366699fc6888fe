"""Facts about a device's health: silent, battery low, not worn, clock wrong.

A fact says since when and on what it rests, so that a fall in somebody's steps can be
told from a flat battery. The limits are the project's choice; none is a diagnosis.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import NamedTuple

from fhir_service.storage.device_states import Aspect, DeviceState
from mappings.normalise import MAX_SKEW_US

DAY_US = 86_400_000_000
SECOND_US = 1_000_000

LOW_PERCENT = 20
"""Below it, a battery is low."""

GAPS = 3
"""Usual gaps without a reading, but no less than a day, before a device is silent."""

AMISS: Mapping[str, Callable[[int], bool]] = MappingProxyType(
    {
        "battery": lambda percent: percent < LOW_PERCENT,
        "low": bool,
        "worn": lambda worn: not worn,
        "clock": lambda ahead_us: abs(ahead_us) > MAX_SKEW_US,
    }
)
"""Aspect of a device → whether a value of it is amiss."""


class FactName(StrEnum):
    """What can be said of a device; other parts and the metrics use these."""

    SILENT = "silent"
    BATTERY_LOW = "battery-low"
    NOT_WORN = "not-worn"
    CLOCK_WRONG = "clock-wrong"


class Evidence(NamedTuple):
    """What a fact rests on.

    Attributes:
        what: Such as `battery` or `last-reading`.
        at_us: When it was so, microseconds since 1970; None for what has no time.
        value: A number, where there is one.
        unit: UCUM code of the number; empty without one.

    """

    what: str
    at_us: int | None = None
    value: int | None = None
    unit: str = ""


class Fact(NamedTuple):
    """Something about a device that somebody should know.

    Attributes:
        name: What it is.
        since_us: Since when it is known to be so, microseconds since 1970.
        evidence: What it rests on.

    """

    name: FactName
    since_us: int
    evidence: tuple[Evidence, ...]


def facts(state: DeviceState, now_us: int) -> tuple[Fact, ...]:
    """Return what should be known of a device at an instant."""
    return tuple(fact for rule in _RULES if (fact := rule(state, now_us)) is not None)


def count(states: Iterable[DeviceState], now_us: int) -> Mapping[FactName, int]:
    """Return of how many devices each fact holds."""
    found = dict.fromkeys(FactName, 0)
    for state in states:
        for fact in facts(state, now_us):
            found[fact.name] += 1
    return found


def limit_us(state: DeviceState) -> int:
    """Return how long a device may say nothing before that is unusual."""
    return max(GAPS * (state.usual_gap or 0), DAY_US)


def _newest_us(state: DeviceState) -> int:
    """Return the time of the newest reading, or of the delivery where none counts."""
    return state.last_received if state.last_taken is None else state.last_taken


def _told(state: DeviceState, name: str) -> Aspect | None:
    """Return an aspect that is amiss, unless readings went on long without it."""
    aspect: Aspect | None = getattr(state, name)
    if aspect is None or aspect.since_us is None:
        return None
    newest = state.last_received if name == "clock" else _newest_us(state)
    return aspect if newest - aspect.at_us <= limit_us(state) else None


def _silent(state: DeviceState, now_us: int) -> Fact | None:
    """Return that nothing is heard: the times of a wrong clock tell nothing of it."""
    is_wrong = _told(state, "clock") is not None
    heard = state.last_received if is_wrong else _newest_us(state)
    if now_us - heard <= limit_us(state):
        return None
    return Fact(FactName.SILENT, heard, tuple(_heard(state)))


def _heard(state: DeviceState) -> Iterator[Evidence]:
    if state.last_taken is not None:
        yield Evidence("last-reading", state.last_taken)
    yield Evidence("last-delivery", state.last_received)
    if state.usual_gap is not None:
        yield Evidence("usual-gap", None, state.usual_gap // SECOND_US, "s")


def _battery_low(state: DeviceState, _now_us: int) -> Fact | None:
    percent, said = _told(state, "battery"), _told(state, "low")
    found = [one for one in (percent, said) if one is not None]
    if not found:
        return None
    evidence = []
    if percent is not None:
        evidence.append(Evidence("battery", percent.at_us, percent.value, "%"))
    if said is not None:
        evidence.append(Evidence("battery-low", said.at_us))
    since = min(one.since_us for one in found if one.since_us is not None)
    return Fact(FactName.BATTERY_LOW, since, tuple(evidence))


def _not_worn(state: DeviceState, _now_us: int) -> Fact | None:
    worn = _told(state, "worn")
    if worn is None or worn.since_us is None:
        return None
    evidence = (Evidence("not-worn", worn.at_us),)
    return Fact(FactName.NOT_WORN, worn.since_us, evidence)


def _clock_wrong(state: DeviceState, _now_us: int) -> Fact | None:
    clock = _told(state, "clock")
    if clock is None or clock.since_us is None:
        return None
    ahead = Evidence("clock-ahead", clock.at_us, clock.value // SECOND_US, "s")
    return Fact(FactName.CLOCK_WRONG, clock.since_us, (ahead,))


_RULES: tuple[Callable[[DeviceState, int], Fact | None], ...] = (
    _silent,
    _battery_low,
    _not_worn,
    _clock_wrong,
)
