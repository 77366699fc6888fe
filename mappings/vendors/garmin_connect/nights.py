"""A night: totals, grades and what the watch measured during it.

https://connect.garmin.com/
"""

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any

from mappings.measurement import Component, OutOfScope, Reading, Reason, Refusal
from mappings.payload import Unreadable, number
from mappings.vendors.garmin_connect.body import Body, Json, Quantity
from mappings.vendors.garmin_connect.members import RESTING

NIGHT = "dailySleepDTO"

PARTS: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "sleepTimeSeconds": ("sleep-duration", "s"),
        "deepSleepSeconds": ("deep-sleep-duration", "s"),
        "lightSleepSeconds": ("light-sleep-duration", "s"),
        "remSleepSeconds": ("rem-sleep-duration", "s"),
        "awakeSleepSeconds": ("awake-duration", "s"),
        "awakeCount": ("awakenings", "{#}"),
        "averageSpO2Value": ("oxygen-saturation-mean", "%"),
        "lowestSpO2Value": ("oxygen-saturation-minimum", "%"),
        "averageRespirationValue": ("respiratory-rate-mean", "/min"),
        "lowestRespirationValue": ("respiratory-rate-minimum", "/min"),
        "highestRespirationValue": ("respiratory-rate-maximum", "/min"),
    }
)
"""Member of a night → kind and unit of a component."""

_STAGES = ("deepSleepSeconds", "lightSleepSeconds", "remSleepSeconds")

_DEVIATION = "avgSkinTempDeviationC"

QUANTITIES: Mapping[str, Quantity] = MappingProxyType(
    {
        "restingHeartRate": RESTING,
        "bodyBatteryChange": Quantity("garmin-body-battery-charged", "{score}"),
    }
)
"""Kind and unit of a member beside the night."""

_PAIR = (
    "sleepStartTimestampGMT",
    "sleepEndTimestampGMT",
    "sleepStartTimestampLocal",
    "sleepEndTimestampLocal",
)

_NOT_STORED: Mapping[str, str] = MappingProxyType(
    {
        "napTimeSeconds": "nap without a time",
        "unmeasurableSleepSeconds": "time in which sleep was not measured",
        "highestSpO2Value": "highest SpO2 of a night",
        "averageSpO2HRSleep": "heart rate at the measurements of SpO2",
        "avgSleepStress": "stress that a series repeats",
        "sleepNeed": "goal",
        "nextSleepNeed": "goal",
    }
)
_BESIDE_NOT_STORED: Mapping[str, str] = MappingProxyType(
    {
        "sleepMovement": "movement without a unit",
        "wellnessSpO2SleepSummaryDTO": "value that the night repeats",
        "avgSkinTempDeviationF": "value that the night repeats",
        "skinTempCalibrationDays": "setting",
        "hrvStatus": "grade",
    }
)


def readings(body: Body) -> Iterator[Reading]:
    """Yield the session of an answer, and what stands beside it.

    Raises:
        Unreadable: `no-time`, `malformed`, `invalid-value`.

    """
    night: Any = body.fields[NIGHT]
    if not isinstance(night, Mapping):
        raise Unreadable(Reason.MALFORMED, "The night is no object.", "sleep-session")
    if night.get("sleepStartTimestampGMT") is None:
        yield OutOfScope(body.position, "date without data")
        return
    found = night.get("id")
    of_night = body._replace(
        fields=night,
        position=f"{body.position}.{NIGHT}",
        source_id=str(found) if type(found) is int else None,
    )
    try:
        span = of_night.span(*_PAIR)
        parts = (*_parts(night), *_score(night), *_deviation(body.fields))
    except Unreadable as error:
        raise error.of("sleep-session") from None
    yield of_night.reading(
        "sleep-session",
        None,
        "",
        span,
        of_night.position,
        components=parts,
        flags=("totals-disputed",) if _is_disputed(night) else (),
        records=max(1, len(parts)),
    )
    for name, what in _NOT_STORED.items():
        if night.get(name) is not None:
            yield OutOfScope(f"{of_night.position}.{name}", what)
    yield from _levels(body)
    yield from body._replace(source_id=of_night.source_id).members(
        QUANTITIES,
        _BESIDE_NOT_STORED,
        span,
        (NIGHT, "remSleepData", "sleepLevels", _DEVIATION),
    )


def _parts(night: Json) -> Iterator[Component]:
    for member, (kind, unit) in PARTS.items():
        value = night.get(member)
        if value is not None and number(value) >= 0:
            yield Component(kind, number(value), unit)


def _score(night: Json) -> Iterator[Component]:
    scores = night.get("sleepScores")
    overall = scores.get("overall") if isinstance(scores, Mapping) else None
    value = overall.get("value") if isinstance(overall, Mapping) else None
    if value is not None:
        yield Component("garmin-sleep-score", number(value), "{score}")


def _deviation(fields: Json) -> Iterator[Component]:
    """Yield the deviation of the skin's temperature: a difference, so in kelvin."""
    value = fields.get(_DEVIATION)
    if value is not None:
        yield Component("skin-temperature-deviation", number(value), "K")


def _is_disputed(night: Json) -> bool:
    """Whether the stages do not add up to the time asleep."""
    stages = [night.get(name) for name in _STAGES]
    total = night.get("sleepTimeSeconds")
    if total is None or None in stages:
        return False
    return number(total) != sum(map(number, stages))


def _levels(body: Body) -> Iterator[Reading]:
    """Yield what becomes of a level list: its numbers are nowhere documented."""
    levels = body.fields.get("sleepLevels")
    if levels:
        count = len(levels) if isinstance(levels, list) else 1
        detail = "The levels of sleepLevels are not documented."
        place = f"{body.position}.sleepLevels"
        yield Refusal(place, Reason.UNKNOWN_KIND, "sleep-session", detail, None, count)
