"""Answers about a day: summary, heart rates, stress and Body Battery, RMSSD.

https://connect.garmin.com/
"""

from collections.abc import Iterator, Mapping
from typing import Any

from mappings.measurement import Measurement, OutOfScope, Reading, Reason
from mappings.payload import SECOND_US, Unreadable, number
from mappings.times import Span
from mappings.vendors.garmin_connect import points
from mappings.vendors.garmin_connect.body import NO_VALUE, Body, Json
from mappings.vendors.garmin_connect.members import (
    HIGHEST,
    LOWEST,
    OTHER_DAYS,
    RESTING,
    RMSSD,
    RMSSD_HIGHEST,
    RMSSD_NIGHT,
    STRESS_HIGHEST,
    STRESS_MEAN,
    SUMMARY,
    SUMMARY_OUT_OF_SCOPE,
)

_PAIR = (
    "startTimestampGMT",
    "endTimestampGMT",
    "startTimestampLocal",
    "endTimestampLocal",
)
_SUMMARY_PAIR = (
    "wellnessStartTimeGmt",
    "wellnessEndTimeGmt",
    "wellnessStartTimeLocal",
    "wellnessEndTimeLocal",
)
_ACCOUNT = ("userProfilePK", "userProfilePk", "userProfileId", "calendarDate")

_SUMMARY_KNOWN = frozenset(
    {
        *_ACCOUNT,
        *_SUMMARY_PAIR,
        "userDailySummaryId",
        "rule",
        "durationInMilliseconds",
        "bodyBatteryVersion",
        "respirationAlgorithmVersion",
        "latestRespirationTimeGMT",
        "latestSpo2ReadingTimeGmt",
        "latestSpo2ReadingTimeLocal",
        "lastSyncTimestampGMT",
    }
)
_STRESS_PARTS = ("lowStressDuration", "mediumStressDuration", "highStressDuration")


def summary(body: Body) -> Iterator[Reading]:
    """Yield the readings of a day's summary.

    Raises:
        Unreadable: `no-time`, `malformed`.

    """
    span = body.span(*_SUMMARY_PAIR)
    is_disputed = _is_stress_disputed(body.fields)
    for found in _of_day(body).members(
        SUMMARY, SUMMARY_OUT_OF_SCOPE, span, _SUMMARY_KNOWN
    ):
        is_part = isinstance(found, Measurement) and found.position.endswith(
            _STRESS_PARTS
        )
        if is_part and is_disputed and isinstance(found, Measurement):
            yield found._replace(flags=(*found.flags, "totals-disputed"))
        else:
            yield found


def _of_day(body: Body) -> Body:
    """Return the body under the name of its day: Garmin has no other for it."""
    return body._replace(source_id=f"day/{body.fields.get('calendarDate')}")


def _is_stress_disputed(fields: Json) -> bool:
    """Whether the parts of the stressful time miss its total."""
    total = fields.get("stressDuration")
    try:
        parts = sum(number(fields.get(part)) for part in _STRESS_PARTS)
        return total is not None and number(total) != parts
    except Unreadable:
        return False


def heart_rates(body: Body) -> Iterator[Reading]:
    """Yield a day's heart rates: one signal an hour, lowest, highest, resting.

    Raises:
        Unreadable: `no-time`, `malformed`.

    """
    span = body.span(*_PAIR)
    yield from _of_day(body).members(
        {"maxHeartRate": HIGHEST, "minHeartRate": LOWEST, "restingHeartRate": RESTING},
        {"lastSevenDaysAvgRestingHeartRate": OTHER_DAYS},
        span,
        (*_ACCOUNT, *_PAIR, points.HEART_RATES, "heartRateValueDescriptors"),
    )
    yield from points.heart_rates(body, span)


def stress(body: Body) -> Iterator[Reading]:
    """Yield a day's stress and Body Battery.

    Raises:
        Unreadable: `no-time`, `malformed`.

    """
    span = body.span(*_PAIR)
    yield from _of_day(body).members(
        {"maxStressLevel": STRESS_HIGHEST, "avgStressLevel": STRESS_MEAN},
        {},
        span,
        (
            *_ACCOUNT,
            *_PAIR,
            *points.ARRAYS,
            "stressChartValueOffset",
            "stressChartYAxisOrigin",
            "stressValueDescriptorsDTOList",
            "bodyBatteryValueDescriptorsDTOList",
        ),
    )
    yield from points.arrays(body, span)


def rmssd(body: Body) -> Iterator[Reading]:
    """Yield a night's RMSSD: its mean, its highest, and that of every five minutes.

    Raises:
        Unreadable: `no-time`, `malformed`.

    """
    night: Any = body.fields.get("hrvSummary")
    if isinstance(night, Mapping):
        span = body.span(*_PAIR)
        place = f"{body.position}.hrvSummary"
        of_night = _of_day(body._replace(fields=night, position=place))
        yield from of_night.members(
            {"lastNightAvg": RMSSD_NIGHT, "lastNight5MinHigh": RMSSD_HIGHEST},
            {"weeklyAvg": OTHER_DAYS, "baseline": OTHER_DAYS},
            span,
            (*_ACCOUNT, "createTimeStamp"),
        )
    readings: Any = body.fields.get("hrvReadings")
    for index, entry in enumerate(readings if isinstance(readings, list) else []):
        place = f"{body.position}.hrvReadings[{index}]"
        try:
            yield _five_minutes(body, entry, place)
        except Unreadable as error:
            kept = {"hrvReadings": [entry]}
            yield error.of("hrv-rmssd").refusal(place, kept)


def _five_minutes(body: Body, entry: Any, position: str) -> Reading:
    if not isinstance(entry, Mapping):
        raise Unreadable(Reason.MALFORMED, "A reading is no object.")
    moment, is_disputed = body.at(
        entry.get("readingTimeGMT"), entry.get("readingTimeLocal")
    )
    span = Span(moment, None, None, is_disputed)
    if entry.get("hrvValue") is None:
        return OutOfScope(position, NO_VALUE)
    name = f"hrv#{moment.us // SECOND_US}"
    return body.measured(RMSSD, entry["hrvValue"], span, position, source_id=name)


def readiness(body: Body) -> Iterator[Reading]:
    """Yield a training readiness score.

    Raises:
        Unreadable: `no-time`, `malformed`, `invalid-value`.

    """
    fields = body.fields
    moment, is_disputed = body.at(fields.get("timestamp"), fields.get("timestampLocal"))
    others = sum(1 for name in fields if name not in _READINESS_KNOWN)
    if fields.get("score") is not None:
        yield body.reading(
            "garmin-training-readiness",
            number(fields["score"]),
            "{score}",
            Span(moment, None, None, is_disputed),
            f"{body.position}.score",
            source_id=f"readiness#{moment.us // SECOND_US}",
        )
    if others:
        yield OutOfScope(body.position, "factor of the score", others)


_READINESS_KNOWN = frozenset(
    {"score", "timestamp", "timestampLocal", "deviceId", *_ACCOUNT}
)


def event(body: Body) -> Iterator[Reading]:
    """Yield what a Body Battery event tells: the score's change, stress, points.

    Raises:
        Unreadable: `no-time`, `malformed`.

    """
    told: Any = body.fields.get("event")
    if not isinstance(told, Mapping):
        raise Unreadable(Reason.MALFORMED, "The event is no object.")
    span = _event_span(body, told)
    name = f"event#{span.start.us // SECOND_US}"
    impact = told.get("bodyBatteryImpact")
    if impact is not None:
        size = number(impact)
        kind = "charged" if size >= 0 else "drained"
        yield body.reading(
            f"garmin-body-battery-{kind}",
            abs(size),
            "{score}",
            span,
            f"{body.position}.event.bodyBatteryImpact",
            source_id=name,
        )
    if body.fields.get("averageStress") is not None:
        place = f"{body.position}.averageStress"
        mean = body.fields["averageStress"]
        yield body.measured(STRESS_MEAN, mean, span, place, source_id=name)
    yield from points.arrays(body, span)


def _event_span(body: Body, told: Json) -> Span:
    """Return the time of an event, whose offset is in milliseconds."""
    offset, length = told.get("timezoneOffset"), told.get("durationInMilliseconds")
    start, _ = body.at(told.get("eventStartTimeGmt"))
    if type(length) is not int or not 0 < length <= _MAX_EVENT_MS:
        raise Unreadable(Reason.NO_TIME, "The event has no duration.")
    end_us = start.us + length * 1000
    if offset is None:
        return Span(body.moment(start.us, None), body.moment(end_us, None))
    is_minutes = type(offset) is int and not offset % 60_000
    if not is_minutes or abs(offset) > _MAX_OFFSET_MS:
        at_utc = body._replace(zone=None)
        first, last = at_utc.moment(start.us, None), at_utc.moment(end_us, None)
        return Span(first, last, None, is_disputed=True)
    minutes = offset // 60_000
    return Span(body.moment(start.us, minutes), body.moment(end_us, minutes))


_MAX_EVENT_MS = 7 * 86_400_000
_MAX_OFFSET_MS = 14 * 3_600_000
