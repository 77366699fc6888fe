"""Segments of sleep to nights.

https://developers.google.com/fit/scenarios/read-sleep-data
"""

from collections.abc import Iterator
from typing import NamedTuple

from mappings.hypnogram import MAX_STAGES, Segment, night
from mappings.measurement import Measurement, Reading, Reason
from mappings.payload import HOUR_US, Unreadable
from mappings.times import Span
from mappings.vendors.google_fit.points import Point

GAP_US = HOUR_US
"""A longer pause between two segments of a stream parts two nights."""


class Slept(NamedTuple):
    """A segment and the point that it came in."""

    segment: Segment
    point: Point
    span: Span


def nights(slept: list[Slept]) -> Iterator[Reading]:
    """Yield the nights that the segments of each stream make."""
    by_stream: dict[str, list[Slept]] = {}
    for one in slept:
        by_stream.setdefault(one.point.origin, []).append(one)
    for ordered in by_stream.values():
        ordered.sort(key=lambda one: one.segment)
        for session in _sessions(ordered):
            yield _reading(session)


def _sessions(ordered: list[Slept]) -> Iterator[list[Slept]]:
    session: list[Slept] = []
    until = 0
    for one in ordered:
        if session and one.segment.start_us > until + GAP_US:
            yield session
            session = []
        session.append(one)
        until = max(until, one.segment.end_us)
    yield session


def _reading(session: list[Slept]) -> Reading:
    first = session[0]
    last = max(session, key=lambda one: one.segment.end_us)
    try:
        return _night(session, first, last)._replace(records=len(session))
    except Unreadable as error:
        kept = first.point.payload()
        points = [one.point.fields for one in session[:MAX_STAGES]]
        return error.of("sleep-session").refusal(
            first.point.position, {**kept, "point": points}, len(session)
        )


def _night(session: list[Slept], first: Slept, last: Slept) -> Measurement:
    found = night(
        first.segment.start_us,
        last.segment.end_us,
        [one.segment for one in session],
    )
    parts = (*found.totals(), *found.stages())
    if not parts:
        raise Unreadable(Reason.NO_TIME, "The sleep has no length.")
    span = first.span._replace(end=last.span.end or last.span.start)
    return first.point.reading("sleep-session", None, "", span, components=parts)
