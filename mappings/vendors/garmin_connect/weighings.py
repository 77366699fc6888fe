"""Weighings: masses in grams, and what a scale of Garmin's estimates beside.

https://connect.garmin.com/
"""

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any

from mappings.measurement import OutOfScope, Reading, Reason
from mappings.payload import Unreadable
from mappings.times import Span
from mappings.vendors.garmin_connect.body import Body, Quantity

LIST, RANGE = "dateWeightList", "dailyWeightSummaries"

QUANTITIES: Mapping[str, Quantity] = MappingProxyType(
    {
        "weight": Quantity("body-weight", "g", is_zero_absent=True),
        "bmi": Quantity("body-mass-index", "kg/m2", is_zero_absent=True),
        "bodyFat": Quantity("body-fat-percentage", "%", is_zero_absent=True),
        "bodyWater": Quantity("body-water-percentage", "%", is_zero_absent=True),
        "boneMass": Quantity("bone-mass", "g", is_zero_absent=True),
        "muscleMass": Quantity("muscle-mass", "g", is_zero_absent=True),
        "visceralFat": Quantity("visceral-fat-index", "{index}", is_zero_absent=True),
    }
)
"""Kind and unit of a member of a weighing."""

_OUT_OF_SCOPE: Mapping[str, str] = MappingProxyType(
    {
        "weightDelta": "derived from other weighings",
        "physiqueRating": "grade",
        "metabolicAge": "grade",
    }
)
_KNOWN = ("samplePk", "date", "timestampGMT", "calendarDate", "sourceType")


def readings(body: Body) -> Iterator[Reading]:
    """Yield the weighings of an answer, each once, and count what repeats them."""
    for place, entry in _entries(body):
        weighing = body._replace(position=place, wrapper=LIST)
        try:
            yield from _weighing(weighing, entry)
        except Unreadable as error:
            yield error.of("body-weight").refusal(place, {LIST: [entry]})
    for name in ("totalAverage", "nextDateWeight"):
        if body.fields.get(name) is not None:
            yield OutOfScope(f"{body.position}.{name}", "average or empty weighing")


def _entries(body: Body) -> Iterator[tuple[str, Any]]:
    for index, entry in enumerate(_list(body.fields.get(LIST))):
        yield f"{body.position}.{LIST}[{index}]", entry
    for index, day in enumerate(_list(body.fields.get(RANGE))):
        place = f"{body.position}.{RANGE}[{index}]"
        metrics = day.get("allWeightMetrics") if isinstance(day, Mapping) else [day]
        for number, entry in enumerate(_list(metrics)):
            yield f"{place}.allWeightMetrics[{number}]", entry
    previous = body.fields.get("previousDateWeight")
    if previous is not None:
        yield f"{body.position}.previousDateWeight", previous


def _weighing(body: Body, entry: Any) -> Iterator[Reading]:
    if not isinstance(entry, Mapping):
        raise Unreadable(Reason.MALFORMED, "A weighing is no object.")
    if entry.get("timestampGMT") is None and entry.get("weight") is None:
        yield OutOfScope(body.position, "average or empty weighing")
        return
    sample = entry.get("samplePk")
    weighing = body._replace(
        fields=entry,
        source_id=str(sample) if type(sample) is int else None,
        self_reported=entry.get("sourceType") == "MANUAL",
    )
    moment, is_disputed = weighing.at(entry.get("timestampGMT"), entry.get("date"))
    span = Span(moment, None, None, is_disputed)
    yield from weighing.members(QUANTITIES, _OUT_OF_SCOPE, span, _KNOWN)


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
