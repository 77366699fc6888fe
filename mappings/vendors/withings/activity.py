"""Activity: totals of a day, its course, and workouts.

https://developer.withings.com/api-reference/#tag/measure/operation/measurev2-getactivity
"""

from collections.abc import Iterator, Mapping
from typing import Any

from mappings.measurement import Measurement, OutOfScope, Reading, Reason
from mappings.payload import Unreadable
from mappings.records import Record, day_text
from mappings.times import Span, local_day, reading
from mappings.vendors.withings.shapes import (
    ACTIVITY,
    CATEGORIES,
    INTERVALS,
    POINTS,
    SUMMARY,
    WORKOUT,
)
from mappings.vendors.withings.source import (
    Answer,
    device_of,
    id_of,
    instant_in,
    known_zone,
    second_name,
    seconds_of,
    span_in,
    version_of,
    zone_for,
)
from mappings.vendors.withings.types import ENTERED, EXTERNAL, OF_THE_USER

_MAX_DURATION_S = 7 * 86_400


def day(members: Mapping[str, Any], answer: Answer) -> Iterator[Reading]:
    """Yield the totals of a local day."""
    record = Record(members, ACTIVITY, answer.position, answer.wrap)
    try:
        span = local_day(day_text(members.get("date")), known_zone(members, answer))
    except Unreadable as error:
        yield record.refusal(error)
        return
    flags = ("relayed",) if members.get("brand") == EXTERNAL else ()
    yield from record.measured(
        span,
        device=device_of(members),
        flags=flags,
        source_version=version_of(members),
    )
    yield from record.left_over()


def course(series: Mapping[str, Any], answer: Answer) -> Iterator[Reading]:
    """Yield what each stretch of a day's course holds."""
    for second, members in series.items():
        position = f"{answer.position}.{answer.name}.{second_name(second)}"
        at = answer._replace(position=position)
        if isinstance(members, Mapping):
            yield from _stretch(second, members, at)
        else:
            error = Unreadable(Reason.MALFORMED, "A stretch is a JSON object.")
            yield error.refusal(position, _course(at, second, members))


def _course(answer: Answer, second: str, members: Any) -> Any:
    """Return an answer that holds one stretch of a course."""
    wrapped = answer.wrap(None)
    wrapped["body"][answer.name] = {second: members}
    return wrapped


def _stretch(
    second: str, members: Mapping[str, Any], answer: Answer
) -> Iterator[Reading]:
    def wrap(kept: Mapping[str, Any]) -> Any:
        return _course(answer, second, kept)

    intervals = Record(members, INTERVALS, answer.position, wrap)
    points = Record(members, POINTS, answer.position, wrap)
    try:
        span = _span(second, members.get("duration"), answer)
        _check_end(span, intervals)
    except Unreadable as error:
        yield intervals.refusal(error, points)
        return
    device = device_of(members)
    if not intervals.stored() and not points.stored():
        yield OutOfScope(answer.position, "stretch without a value")
    yield from intervals.measured(span, device=device)
    yield from points.measured(span._replace(end=None), device=device)
    yield from intervals.left_over()


def _check_end(span: Span, intervals: Record) -> None:
    if span.end is None and intervals.stored():
        raise Unreadable(Reason.NO_TIME, "The stretch has no duration.")


def _span(second: str, duration: object, answer: Answer) -> Span:
    """Return the time of a stretch; without an end where it has no duration.

    Raises:
        Unreadable: `malformed`.

    """
    zone = zone_for({}, answer)
    start_s = seconds_of(second)
    start = instant_in(start_s, zone)
    key = None if zone is None else zone.key
    if duration is None:
        return Span(start, None, key)
    if type(duration) is not int or not 0 <= duration <= _MAX_DURATION_S:
        raise Unreadable(Reason.MALFORMED, "The duration is not one in seconds.")
    return Span(start, instant_in(start_s + duration, zone), key)


def workout(members: Mapping[str, Any], answer: Answer) -> Iterator[Reading]:
    """Yield a workout with its totals."""
    record = Record(members, SUMMARY, answer.position, answer.wrap)
    data = record.nested("data", WORKOUT)
    try:
        session = _session(record, data, answer)
    except Unreadable as error:
        yield record.refusal(error.of("workout"), data)
        return
    if data.stored():
        yield session
    else:
        yield OutOfScope(answer.position, "workout without totals")
    yield from data.left_over()


def _session(record: Record, data: Record, answer: Answer) -> Measurement:
    members = record.members
    attrib = members.get("attrib", 0)
    if not isinstance(attrib, int) or attrib not in OF_THE_USER:
        raise Unreadable(
            Reason.AMBIGUOUS_WEARER, "attrib does not say whose workout it is."
        )
    zone = zone_for(members, answer)
    parts = data.components()
    category = members.get("category")
    return reading(
        "workout",
        CATEGORIES.get(category, "other") if isinstance(category, int) else "other",
        "",
        span_in(members.get("startdate"), members.get("enddate"), zone),
        answer.position,
        components=parts,
        source_id=id_of(members, "id"),
        device=device_of(members),
        self_reported=attrib in ENTERED,
        records=max(1, len(parts)),
        source_version=version_of(members),
    )
