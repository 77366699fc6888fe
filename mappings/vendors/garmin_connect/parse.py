"""Answers of the web interface behind Garmin Connect to readings.

The interface is not documented and not asked: these are files that a person saved.

https://connect.garmin.com/
"""

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, BinaryIO
from zoneinfo import ZoneInfo

from conformance import fhir_json
from conformance.issues import FHIRError, IssueType
from mappings.measurement import OutOfScope, Reading, Reason, Refusal
from mappings.payload import Unreadable, zone_of
from mappings.vendors.garmin_connect import activities, days, nights, weighings
from mappings.vendors.garmin_connect.body import Body

MAX_BYTES = 64 * 1024 * 1024
"""Of a file; an answer about a day has some 25 kB."""

_SHAPES: tuple[tuple[frozenset[str], Callable[[Body], Iterator[Reading]]], ...] = (
    (frozenset({nights.NIGHT}), nights.readings),
    (frozenset({weighings.LIST, weighings.RANGE}), weighings.readings),
    (frozenset({"wellnessStartTimeGmt"}), days.summary),
    (frozenset({"hrvSummary", "hrvReadings"}), days.rmssd),
    (frozenset({"heartRateValues"}), days.heart_rates),
    (frozenset({"event"}), days.event),
    (frozenset({"stressValuesArray", "bodyBatteryValuesArray"}), days.stress),
    (frozenset({"startTimeGMT"}), activities.readings),
    (frozenset({"timestampLocal"}), days.readiness),
)
"""Members of which an answer has one → what reads it; the first that fits does."""


def parse(
    payload: object,
    *,
    received_at: datetime,  # noqa: ARG001 - every source's parser takes it
    zone: str | None = None,
) -> Iterator[Reading]:
    """Yield the readings of an answer, or of a list of answers or entries.

    Args:
        payload: JSON; null and an empty list are answers without data.
        received_at: When the file arrived; an answer has its own times.
        zone: IANA name of the person's zone, where a local time is missing.

    """
    known = None if zone is None else zone_of(zone)
    if payload is None or payload == []:
        yield OutOfScope("$", "answer without data")
    elif isinstance(payload, list):
        for index, entry in enumerate(payload):
            yield from _answer(entry, f"$[{index}]", known)
    else:
        yield from _answer(payload, "$", known)


def parse_file(
    payload: Path | BinaryIO,
    *,
    received_at: datetime,
    zone: str | None = None,
    progress: Callable[[int], None] = lambda _: None,
) -> Iterator[Reading]:
    """Yield the readings of a file that holds one answer.

    Args:
        payload: Path or binary stream.
        received_at: When the file arrived.
        zone: As `parse` takes it.
        progress: Told how many bytes of the file were read.

    Raises:
        FHIRError: `value` for an unknown zone.

    """
    if zone is not None and zone_of(zone) is None:
        raise FHIRError(IssueType.VALUE, "The time zone is not one of IANA's.")
    return _readings(payload, received_at, zone, progress)


def _readings(
    payload: Path | BinaryIO,
    received_at: datetime,
    zone: str | None,
    progress: Callable[[int], None],
) -> Iterator[Reading]:
    if isinstance(payload, Path):
        with payload.open("rb") as stream:
            text = stream.read(MAX_BYTES + 1)
    else:
        text = payload.read(MAX_BYTES + 1)
    progress(len(text))
    try:
        if len(text) > MAX_BYTES:
            raise FHIRError(IssueType.TOO_LONG, "The file is too long.")  # noqa: TRY301
        answer: Any = fhir_json.loads_foreign(text)
    except FHIRError:
        detail = "The file is not JSON, or longer than any answer."
        yield Refusal("$", Reason.MALFORMED, None, detail)
        return
    yield from parse(answer, received_at=received_at, zone=zone)


def _answer(answer: object, position: str, zone: ZoneInfo | None) -> Iterator[Reading]:
    if answer is None:
        yield OutOfScope(position, "answer without data")
        return
    if not isinstance(answer, Mapping):
        detail = "An answer is a JSON object."
        yield Refusal(position, Reason.MALFORMED, None, detail, answer)
        return
    reader = next((read for names, read in _SHAPES if names & answer.keys()), None)
    if reader is None:
        detail = "The answer is not of a sort that is understood."
        yield Refusal(position, Reason.UNKNOWN_KIND, None, detail, answer)
        return
    try:
        yield from reader(Body(answer, position, zone))
    except Unreadable as error:
        yield error.refusal(position, answer)
