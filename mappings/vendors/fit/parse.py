"""A FIT file, or a chain of them, to readings.

The whole file is checked before the first reading is given out: a damaged file gives
one refusal that accounts for all that could be read of it, and nothing else.

https://developer.garmin.com/fit/protocol/
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from io import BytesIO
from itertools import groupby
from operator import attrgetter
from pathlib import Path
from typing import BinaryIO
from zoneinfo import ZoneInfo

from conformance.issues import FHIRError, IssueType
from mappings.measurement import OutOfScope, Reading, Reason, Refusal
from mappings.payload import zone_of
from mappings.vendors.fit import points
from mappings.vendors.fit.activity import Activity
from mappings.vendors.fit.clock import Clock
from mappings.vendors.fit.decode import Damaged, Message, messages
from mappings.vendors.fit.messages import OUT_OF_SCOPE, POINTS
from mappings.vendors.fit.monitoring import Monitoring
from mappings.vendors.fit.source import Source, source_of

MAX_BYTES = 64 * 1024 * 1024
"""Of a file; a day-long activity has about 5 MB."""


def parse(
    payload: Path | BinaryIO | bytes | Mapping[str, object],
    *,
    received_at: datetime,  # noqa: ARG001 - every source's parser takes it
    zone: str | None = None,
    progress: Callable[[int], None] = lambda _: None,
) -> Iterator[Reading]:
    """Yield the readings of a FIT file.

    Args:
        payload: Path, binary stream or bytes of a file; or the payload of a refusal,
            to try it again.
        received_at: When the file arrived; a message has its own time.
        zone: IANA name of the person's zone, for a file that tells no local time.
        progress: Told how many bytes of the file were read.

    Raises:
        FHIRError: `value` for an unknown zone.

    """
    known = None if zone is None else zone_of(zone)
    if zone is not None and known is None:
        raise FHIRError(IssueType.VALUE, "The time zone is not one of IANA's.")
    if isinstance(payload, Mapping):
        return _again(payload, known)
    if isinstance(payload, Path):
        return _path(payload, known, progress)
    stream = BytesIO(payload) if isinstance(payload, bytes) else payload
    return _stream(stream, known, progress)


def _path(
    path: Path, zone: ZoneInfo | None, progress: Callable[[int], None]
) -> Iterator[Reading]:
    if path.stat().st_size > MAX_BYTES:
        detail = "The file is longer than any FIT file is."
        yield Refusal(f"byte {MAX_BYTES}", Reason.MALFORMED, None, detail)
        return
    with path.open("rb") as stream:
        yield from _stream(stream, zone, progress)


def _stream(
    stream: BinaryIO, zone: ZoneInfo | None, progress: Callable[[int], None]
) -> Iterator[Reading]:
    try:
        found = messages(stream, progress)
    except Damaged as damaged:
        yield Refusal(
            f"byte {damaged.offset}",
            damaged.reason,
            None,
            "The FIT file is damaged here; nothing of it is stored.",
            None,
            max(1, damaged.messages),
        )
        return
    for _, of_file in groupby(found, attrgetter("file")):
        yield from _file(list(of_file), zone)


def _file(found: Sequence[Message], zone: ZoneInfo | None) -> Iterator[Reading]:
    """Yield the readings of one FIT file of a chain."""
    source = source_of(found, zone)
    activity, monitoring = Activity(source), Monitoring(source)
    sessions: list[Message] = []
    for message in found:
        match message.name:
            case "record":
                activity.record(message)
            case "hrv":
                activity.beats(message)
            case "session":
                sessions.append(message)
            case "monitoring":
                yield from monitoring.readings(message)
            case _:
                if message.name == "monitoring_info":
                    monitoring.start(message)
                yield from _single(source, message)
    for session in sessions:
        yield from activity.session(session)
    yield from activity.rest()


def _single(source: Source, message: Message) -> Iterator[Reading]:
    name = message.name
    if name in POINTS:
        yield from points.readings(source, message)
    elif name in OUT_OF_SCOPE:
        yield OutOfScope(message.position, OUT_OF_SCOPE[name])
    elif name.startswith("unknown_"):
        yield OutOfScope(message.position, "message that is not in the public profile")
    else:
        detail = "The message is not one that is understood."
        yield Refusal(message.position, Reason.UNKNOWN_KIND, None, detail)


def _again(payload: Mapping[str, object], zone: ZoneInfo | None) -> Iterator[Reading]:
    """Yield the readings of a refusal's payload."""
    message = points.again(payload)
    if message is None:
        detail = "This is no message of a FIT file."
        yield Refusal("$", Reason.MALFORMED, None, detail, payload)
        return
    offset, identifier = payload.get("offset_minutes"), payload.get("identifier")
    wearers = payload.get("wearers")
    source = Source(
        Clock(offset if type(offset) is int else None, zone),
        None,
        identifier if isinstance(identifier, str) else None,
        wearers if type(wearers) is int else 0,
    )
    yield from points.readings(source, message)
