"""An export of Apple Health, or records that an app sends, to readings.

The export is read in constant memory.

https://developer.apple.com/documentation/healthkit
"""

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from io import BytesIO
from pathlib import Path
from typing import BinaryIO, cast

from conformance import fhir_json
from conformance.issues import FHIRError, IssueType
from mappings.measurement import OutOfScope, Reading, Reason, Refusal
from mappings.payload import zone_of
from mappings.vendors.apple_health import attachments, ecg, sdk
from mappings.vendors.apple_health.archive import opened
from mappings.vendors.apple_health.elements import Broken, elements
from mappings.vendors.apple_health.records import Reader, element_of

MAX_JSON_BYTES = 64 * 1024 * 1024
"""Of a file of records as JSON, which is held in memory."""

_JSON_STARTS = (b"{", b"[")
_ROUTE = b"<gpx"
_SNIFF = 1024


def parse(
    payload: Path | BinaryIO | bytes | Mapping[str, object] | list[object],
    *,
    received_at: datetime,  # noqa: ARG001 - every source's parser takes it
    zone: str | None = None,
    progress: Callable[[int], None] = lambda _: None,
) -> Iterator[Reading]:
    """Yield the readings of an export, or of records that an app sends.

    Args:
        payload: Path, binary stream that can seek, or bytes of export.xml, of the zip
            that holds it, of a route or of JSON; or JSON: the records that an app
            sends, or the payload of a refusal, to try it again.
        received_at: When it arrived; a record has its own time.
        zone: IANA name of the person's zone, for records that do not tell theirs.
        progress: Told how many bytes of the file were read.

    Raises:
        FHIRError: `value` for an unknown zone, `structure` for a file that is no
            export, `too-long` for a zip bomb.

    """
    if zone is not None and zone_of(zone) is None:
        raise FHIRError(IssueType.VALUE, "The time zone is not one of IANA's.")
    if isinstance(payload, bytes):
        return _file(BytesIO(payload), zone, progress)
    if isinstance(payload, Path) or hasattr(payload, "seek"):
        return _file(cast("Path | BinaryIO", payload), zone, progress)
    return _json(payload, "$", zone)


def _file(
    source: Path | BinaryIO, zone: str | None, progress: Callable[[int], None]
) -> Iterator[Reading]:
    """Return the readings of a file, by what it begins with."""
    if isinstance(source, Path):
        return _path(source, zone, progress)
    start = source.read(_SNIFF)
    source.seek(0)
    if start.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(_JSON_STARTS):
        return _json_file(source, zone, progress)
    if _ROUTE in start and b"<HealthData" not in start:
        return iter((OutOfScope("gpx", "workout route"),))
    return _readings(Reader(zone), source, zone, progress)


def _path(
    path: Path, zone: str | None, progress: Callable[[int], None]
) -> Iterator[Reading]:
    with path.open("rb") as stream:
        yield from _file(stream, zone, progress)


def _json_file(
    source: BinaryIO, zone: str | None, progress: Callable[[int], None]
) -> Iterator[Reading]:
    data = source.read(MAX_JSON_BYTES + 1)
    if len(data) > MAX_JSON_BYTES:
        raise FHIRError(IssueType.TOO_LONG, "The JSON is too long for one file.")
    progress(len(data))
    text = data.removeprefix(b"\xef\xbb\xbf")
    yield from _json(fhir_json.loads_foreign(text), "$", zone)


def _json(payload: object, place: str, zone: str | None) -> Iterator[Reading]:
    """Yield the readings of JSON: of an app, of a refusal, or of a list of them."""
    if isinstance(payload, list):
        for index, item in enumerate(payload):
            yield from _object(item, f"{place}[{index}]", zone)
    else:
        yield from _object(payload, place, zone)


def _object(payload: object, place: str, zone: str | None) -> Iterator[Reading]:
    if not isinstance(payload, Mapping):
        yield sdk.refused(payload, place)
    elif sdk.is_delivery(payload):
        yield from sdk.readings(payload, place, zone)
    elif isinstance(inner := payload.get("input"), Mapping):
        yield from _object(inner, f"{place}.input", zone)
    elif isinstance(text := payload.get("electrocardiogram"), str):
        yield ecg.reading(text, f"{place}.electrocardiogram", zone)
    elif (element := element_of(payload)) is not None:
        yield from Reader(zone).again(element)
    else:
        yield sdk.refused(payload, place)


def _readings(
    reader: Reader,
    source: BinaryIO,
    zone: str | None,
    progress: Callable[[int], None],
) -> Iterator[Reading]:
    broken: Broken | None = None
    with opened(source, progress) as found:
        try:
            for element in elements(found.read):
                yield from reader.readings(element)
        except Broken as error:
            broken = error
        yield from reader.rest()
        yield from attachments.readings(found.attachments, zone)
    if broken:
        reason = Reason.TRUNCATED if broken.is_truncated else Reason.MALFORMED
        yield Refusal("HealthData", reason, None, broken.detail)
