"""What WHOOP's scores hold: cycles, recoveries, sleeps and workouts.

https://developer.whoop.com/docs/developing/user-data/cycle
"""

from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from types import MappingProxyType
from typing import Any

from mappings.code_system import WORKOUTS
from mappings.measurement import Component, DeviceClue, Reading
from mappings.payload import (
    Instant,
    Unreadable,
    at_offset,
    instant,
    kebab,
    offset_minutes,
)
from mappings.records import Record, moment
from mappings.source_version import modified_at
from mappings.times import Span, reading
from mappings.vendors.whoop.shapes import (
    ABSENT,
    ASLEEP,
    CYCLE_SCORE,
    RECOVERY_SCORE,
    SLEEP_SCORE,
    SPORTS,
    STAGES,
    WORKOUT_SCORE,
)

_DEVICE = DeviceClue(manufacturer="WHOOP", name="WHOOP")

_IN_PROGRESS = "cycle in progress, to its last update"
_CALIBRATING = "WHOOP recovery, wearer still calibrating"

Sleeps = Mapping[str, Span]
"""Ids of sleeps to their times."""


def text_of(value: object) -> str | None:
    """Return an id, which is a text or a number; None for anything else."""
    if isinstance(value, str) and value:
        return value
    return str(value) if type(value) is int else None


@lru_cache(maxsize=64)
def _minutes(offset: str) -> int:
    """Return an offset in minutes.

    Raises:
        Unreadable: `malformed` for what is none.

    """
    return offset_minutes(instant(f"2000-01-01T00:00:00{offset}").text)


def _local(value: object, offset: object) -> Instant:
    """Return a time at the wearer's offset, its digits kept.

    Raises:
        Unreadable: as `moment`.

    """
    found = moment(value)
    if not isinstance(offset, str) or found.text[-1] != "Z":
        return found
    local = at_offset(found.us, _minutes(offset)).text
    return Instant(f"{local[:19]}{found.text[19:-1]}{local[-6:]}", found.us)


def span_of(members: Mapping[str, Any], end: str = "end") -> Span:
    """Return the times of a record.

    Raises:
        Unreadable: as `moment`.

    """
    offset = members.get("timezone_offset")
    return Span(_local(members.get("start"), offset), _local(members.get(end), offset))


def absence(record: Record) -> str | None:
    """Return why there is no score; None where the record does not say."""
    if isinstance(record.members.get("score"), Mapping):
        return None
    return ABSENT.get(str(record.members.get("score_state")))


def _said(record: Record, suffix: str = "", name: str = "id") -> dict[str, Any]:
    """Return what all measurements of a record say."""
    source_id = text_of(record.members.get(name))
    return {
        "source_id": source_id and source_id + suffix,
        "device": _DEVICE,
        "patient": text_of(record.members.get("user_id")),
        "source_version": modified_at(record.members.get("updated_at")),
    }


def _cycle(record: Record, _: Sleeps) -> Iterator[Reading]:
    score = record.nested("score", CYCLE_SCORE)
    is_open = record.members.get("end") is None
    try:
        span = span_of(record.members, "updated_at" if is_open else "end")
    except Unreadable as error:
        yield record.refusal(error.of("whoop-strain"), score)
        return
    said = _said(record)
    absent = absence(record)
    if absent is not None:
        place = f"{record.position}.score"
        yield reading("whoop-strain", None, "", span, place, absent=absent, **said)
    method = _IN_PROGRESS if is_open else None
    yield from score.measured(span, method=method, **said)
    yield from score.left_over()


def _recovery(record: Record, sleeps: Sleeps) -> Iterator[Reading]:
    members = record.members
    score = record.nested("score", RECOVERY_SCORE)
    night = sleeps.get(text_of(members.get("sleep_id")) or "")
    try:
        span = night or Span(moment(members.get("created_at")))
    except Unreadable as error:
        yield record.refusal(error.of("whoop-recovery-score"), score)
        return
    said = _said(record, "#recovery", "sleep_id")
    if night is None:
        said["flags"] = ("recorded-later",)
    absent = absence(record)
    if absent is not None:
        yield reading(
            "whoop-recovery-score",
            None,
            "",
            span,
            f"{record.position}.score",
            absent=absent,
            **said,
        )
    is_calibrating = score.members.get("user_calibrating") is True
    method = _CALIBRATING if is_calibrating else None
    yield from score.measured(span, method=method, **said)
    yield from score.left_over()


def _sleep(record: Record, _: Sleeps) -> Iterator[Reading]:
    score = record.nested("score", SLEEP_SCORE)
    stages = score.nested("stage_summary", STAGES)
    try:
        span = span_of(record.members)
        parts = (*stages.components(), *score.components())
    except Unreadable as error:
        yield record.refusal(error.of("sleep-session"), score, stages)
        return
    said = _said(record)
    absent = absence(record)
    if parts or absent is not None:
        yield reading(
            "sleep-session",
            None,
            "",
            span,
            record.position,
            components=(*_asleep(stages.members), *parts, *_nap(record.members)),
            absent=absent,
            records=max(1, len(parts)),
            **said,
        )
    yield from score.measured(span, **said)
    yield from score.left_over()
    yield from stages.left_over()


def _asleep(stages: Mapping[str, Any]) -> Iterator[Component]:
    """Yield the time asleep: light, slow wave and REM sleep together."""
    found = [one for name in ASLEEP if isinstance(one := stages.get(name), int)]
    if len(found) == len(ASLEEP):
        yield Component("sleep-duration", sum(found), "ms")


def _nap(members: Mapping[str, Any]) -> Iterator[Component]:
    if isinstance(members.get("nap"), bool):
        yield Component("nap", "true" if members["nap"] else "false")


def _workout(record: Record, _: Sleeps) -> Iterator[Reading]:
    score = record.nested("score", WORKOUT_SCORE)
    try:
        span = span_of(record.members)
        parts = score.components()
    except Unreadable as error:
        yield record.refusal(error.of("workout"), score)
        return
    said = _said(record)
    absent = absence(record)
    if parts or absent is not None:
        yield reading(
            "workout",
            sport(str(record.members.get("sport_name"))),
            "",
            span,
            record.position,
            components=parts,
            records=max(1, len(parts)),
            **said,
        )
    yield from score.measured(span, **said)
    yield from score.left_over()


@lru_cache(maxsize=256)
def sport(name: str) -> str:
    """Return our name of a sport; `other` where there is none."""
    word = kebab(name)
    word = SPORTS.get(word, word)
    return word if word in WORKOUTS else "other"


READERS: Mapping[str, Callable[[Record, Sleeps], Iterator[Reading]]] = MappingProxyType(
    {
        "cycle": _cycle,
        "recovery": _recovery,
        "sleep": _sleep,
        "workout": _workout,
    }
)
"""Type of record to what reads it."""
