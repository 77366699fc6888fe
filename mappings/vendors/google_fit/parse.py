"""Data sets of Google Fit to readings.

https://developers.google.com/fit/rest/v1/reference/users/dataSources/datasets
"""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from mappings.accounted import accounted
from mappings.hypnogram import Segment
from mappings.measurement import (
    Deletion,
    OutOfScope,
    Reading,
    Reason,
    Refusal,
)
from mappings.payload import Unreadable, epoch_ms, zone_of
from mappings.times import Span, in_zone, reading
from mappings.vendors.google_fit.points import Json, Point
from mappings.vendors.google_fit.sleep import Slept, nights
from mappings.vendors.google_fit.types import (
    ANSWERS,
    NO_EXERCISE,
    OUT_OF_SCOPE,
    PREFIX,
    SLEEP_ACTIVITIES,
    SLEEP_SEGMENTS,
    TYPES,
    WORKOUTS,
)
from mappings.vendors.google_fit.values import (
    blood_pressure,
    glucose,
    interval,
    known,
    length,
    slept,
    values,
)

_MAX_DIGITS = 15


def parse(
    payload: object,
    *,
    received_at: datetime,  # noqa: ARG001 - every source's parser takes it
    zone: str | None = None,
) -> Iterator[Reading]:
    """Yield the readings of a data set, of buckets of them, of sessions, or of a list.

    Args:
        payload: What a method of the REST API answered.
        received_at: When the payload arrived; a point has its own time.
        zone: Zone of the person, in whose offset times are written; else with `Z`.

    """
    reader = _Reader(None if zone is None else zone_of(zone))
    return accounted(reader.all(payload), "answer without a data point")


class _Reader:
    """Turns points into readings; keeps segments of sleep until the end."""

    def __init__(self, zone: ZoneInfo | None) -> None:
        self._zone = zone
        self.slept: list[Slept] = []

    def all(self, payload: object) -> Iterator[Reading]:
        """Yield the readings of a payload, nights last."""
        if isinstance(payload, list):
            for index, one in enumerate(payload):
                yield from self.answer(one, f"$[{index}]")
        else:
            yield from self.answer(payload, "$")
        yield from nights(self.slept)

    def answer(self, answer: object, place: str) -> Iterator[Reading]:
        """Yield the readings of one answer."""
        if not isinstance(answer, Mapping):
            detail = "A data set is a JSON object."
            yield Refusal(place, Reason.MALFORMED, None, detail, answer)
        elif isinstance(answer.get("bucket"), list):
            yield from self._buckets(answer["bucket"], f"{place}.bucket")
        elif isinstance(answer.get("dataset"), list):
            yield from self._sets(answer["dataset"], f"{place}.dataset")
        elif "session" in answer or "deletedSession" in answer:
            yield from self._sessions(answer, place)
        elif isinstance(answer.get("point"), list):
            yield from self._points(answer, place)
        else:
            yield _other(answer, place)

    def _buckets(self, buckets: list[Any], place: str) -> Iterator[Reading]:
        if not buckets:
            yield OutOfScope(place, "answer without a data point")
        for index, bucket in enumerate(buckets):
            sets = bucket.get("dataset") if isinstance(bucket, Mapping) else None
            position = f"{place}[{index}]"
            if isinstance(sets, list):
                yield from self._sets(sets, f"{position}.dataset")
            else:
                detail = "A bucket holds data sets."
                kept = {"bucket": [bucket]}
                yield Refusal(position, Reason.MALFORMED, None, detail, kept)

    def _sets(self, sets: list[Any], place: str) -> Iterator[Reading]:
        if not sets:
            yield OutOfScope(place, "answer without a data point")
        for index, one in enumerate(sets):
            position = f"{place}[{index}]"
            if isinstance(one, Mapping) and isinstance(one.get("point"), list):
                yield from self._points(one, position)
            else:
                detail = "A data set has a list of points."
                kept = {"dataset": [one]}
                yield Refusal(position, Reason.MALFORMED, None, detail, kept)

    def _points(self, data_set: Json, place: str) -> Iterator[Reading]:
        named = data_set.get("dataSourceId")
        stream = named if isinstance(named, str) else ""
        if not data_set["point"]:
            yield OutOfScope(f"{place}.point", "answer without a data point")
        for index, fields in enumerate(data_set["point"]):
            position = f"{place}.point[{index}]"
            if isinstance(fields, Mapping):
                yield from self._point(Point(fields, position, stream, self._zone))
            else:
                detail = "A point is a JSON object."
                kept = {"dataSourceId": stream, "point": [fields]}
                yield Refusal(position, Reason.MALFORMED, None, detail, kept)

    def _point(self, point: Point) -> Iterator[Reading]:
        type_ = point.type.removeprefix(PREFIX)
        if type_ in OUT_OF_SCOPE:
            yield OutOfScope(point.position, OUT_OF_SCOPE[type_])
            return
        try:
            yield from self._readings(type_, point)
        except Unreadable as error:
            kind = _kind(type_)
            refused = error.of(kind) if kind else error
            yield refused.refusal(point.position, point.payload())

    def _readings(self, type_: str, point: Point) -> Iterator[Reading]:
        """Yield the readings of a point of some type.

        Raises:
            Unreadable: `unknown-kind` for another type, and where it cannot be read.

        """
        if type_ in TYPES:
            yield from values(point, type_)
        elif type_ == "activity.segment":
            yield from self._activity(point)
        elif type_ == "sleep.segment":
            self._sleep(point, known(SLEEP_SEGMENTS, point.value(0), "stage"))
        elif type_ == "blood_pressure":
            yield blood_pressure(point)
        elif type_ == "blood_glucose":
            yield glucose(point)
        else:
            raise Unreadable(
                Reason.UNKNOWN_KIND, "The data type is not one that is understood."
            )

    def _activity(self, point: Point) -> Iterator[Reading]:
        code = point.value(0)
        if code in NO_EXERCISE:
            yield OutOfScope(point.position, NO_EXERCISE[int(code or 0)])
        elif code in SLEEP_ACTIVITIES:
            self._sleep(point, SLEEP_ACTIVITIES[int(code or 0)])
        else:
            workout = known(WORKOUTS, code, "activity")
            span = interval(point.span())
            yield point.reading(
                "workout", workout, "", span, components=(length(span),)
            )

    def _sleep(self, point: Point, code: str) -> None:
        span = interval(point.span())
        end = span.end or span.start
        if end.us < span.start.us:
            raise Unreadable(
                Reason.NEGATIVE_INTERVAL, "The segment ends before it starts."
            )
        self.slept.append(Slept(Segment(span.start.us, end.us, code), point, span))

    def _sessions(self, answer: Json, place: str) -> Iterator[Reading]:
        """Yield the sessions of an answer, and those that are gone."""
        sessions, gone = (_list(answer.get(name)) for name in _SESSIONS)
        if not sessions and not gone:
            yield OutOfScope(place, "answer without a session")
        for index, one in enumerate(sessions):
            position = f"{place}.session[{index}]"
            try:
                yield self._session(one, position)
            except Unreadable as error:
                yield error.refusal(position, {"session": [_nameless(one)]})
        for index, one in enumerate(gone):
            position = f"{place}.deletedSession[{index}]"
            id_ = one.get("id") if isinstance(one, Mapping) else None
            if isinstance(id_, str) and id_:
                yield Deletion(position, id_)
            else:
                detail = "A deletion names the session that is gone."
                kept = {"deletedSession": [_nameless(one)]}
                yield Refusal(position, Reason.MALFORMED, None, detail, kept)

    def _session(self, session: object, position: str) -> Reading:
        """Return a workout, a night without stages, or what else a session is.

        Raises:
            Unreadable: `malformed`, `no-time`, `unknown-kind`.

        """
        if not isinstance(session, Mapping):
            raise Unreadable(Reason.MALFORMED, "A session is a JSON object.")
        given = session.get("activityType")
        code = given if type(given) is int else None
        if code in NO_EXERCISE:
            return OutOfScope(position, NO_EXERCISE[code or 0])
        span = self._lasting(session)
        kind, value, parts = "sleep-session", None, (slept(span),)
        if code not in SLEEP_ACTIVITIES:
            kind, value = "workout", known(WORKOUTS, code, "activity")
            parts = (length(span),)
        id_ = session.get("id")
        return reading(
            kind,
            value,
            "",
            span,
            position,
            components=parts,
            source_id=id_ if isinstance(id_, str) and id_ else None,
        )

    def _lasting(self, session: Json) -> Span:
        start, end = (
            self._milliseconds(session.get(name))
            for name in ("startTimeMillis", "endTimeMillis")
        )
        return Span(start, end, None if self._zone is None else self._zone.key)

    def _milliseconds(self, value: object) -> Any:
        if isinstance(value, str) and value.isdecimal() and len(value) <= _MAX_DIGITS:
            value = int(value)
        if type(value) is not int:
            raise Unreadable(Reason.NO_TIME, "The session has no time.")
        time = epoch_ms(value)
        return time if self._zone is None else in_zone(time.us, self._zone)


_SESSIONS = ("session", "deletedSession")


def _list(value: object) -> list[Any]:
    if value is None:
        return []
    return value if isinstance(value, list) else [value]


def _nameless(session: object) -> object:
    """Return a session without what the person wrote."""
    if not isinstance(session, Mapping):
        return session
    return {
        name: value
        for name, value in session.items()
        if name not in ("name", "description", "application")
    }


def _other(answer: Json, place: str) -> Reading:
    """Return what an answer without points is: a description, or a fault."""
    what = next((what for name, what in ANSWERS.items() if name in answer), None)
    if what is not None:
        return OutOfScope(place, what)
    detail = "The answer has no data points."
    return Refusal(place, Reason.MALFORMED, None, detail, dict(answer))


def _kind(type_: str) -> str | None:
    if type_ in TYPES:
        return TYPES[type_][0].kind
    return {
        "sleep.segment": "sleep-session",
        "blood_pressure": "blood-pressure",
        "blood_glucose": "glucose",
    }.get(type_)
