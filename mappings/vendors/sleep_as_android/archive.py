"""The file itself: sleep-export.csv, or the zip that holds it.

Nothing is extracted to disk, and no name within the zip becomes a path.
"""

import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import BinaryIO, NamedTuple

from conformance.issues import FHIRError, IssueType

MAX_BYTES = 256 * 1024 * 1024
"""Of the CSV; ten years of nights have about 20 MB."""

MAX_RATIO = 200
"""Bytes that one compressed byte may become; an export's ratio is 3 to 20."""

MIN_SUSPICIOUS = 16 * 1024 * 1024
"""Bytes below which no ratio is suspicious."""

MAX_MEMBERS = 100
"""Members that are looked at; an export has three."""

_NAME = "sleep-export.csv"
_OTHERS = {"alarms.json": "alarms", "prefs.xml": "settings of the app"}
_ZIP = (b"PK\x03\x04", b"PK\x05\x06")
_METHODS = frozenset({zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED})
_DAMAGE = (zipfile.BadZipFile, zlib.error, EOFError, OSError, ValueError)
_ENCRYPTED = 0x1
_CHUNK = 65_536


class Export(NamedTuple):
    """What a file holds.

    Attributes:
        text: The CSV.
        others: Name and meaning of the members that are never stored.
        size: Bytes of the file that were read.

    """

    text: str
    others: tuple[tuple[str, str], ...]
    size: int


def opened(source: Path | BinaryIO) -> Export:
    """Return what an export holds, whether or not it is zipped.

    Raises:
        FHIRError: `structure` for a zip that cannot be read or holds no export,
            `too-long` for a file that is too long or unpacks to more than texts do.

    """
    if isinstance(source, Path):
        with source.open("rb") as stream:
            return opened(stream)
    start = source.read(len(_ZIP[0]))
    source.seek(0)
    if start not in _ZIP:
        data = source.read(MAX_BYTES + 1)
        _check_length(len(data))
        return Export(_text(data), (), len(data))
    try:
        with zipfile.ZipFile(source) as archive:
            return _unpacked(archive, source)
    except _DAMAGE:
        raise FHIRError(
            IssueType.STRUCTURE, "The zip cannot be read; it may be cut short."
        ) from None


def _unpacked(archive: zipfile.ZipFile, source: BinaryIO) -> Export:
    members = archive.infolist()[:MAX_MEMBERS]
    named = [(PurePosixPath(info.filename).name, info) for info in members]
    found = next((info for name, info in named if name == _NAME), None)
    if found is None or not _is_readable(found):
        raise FHIRError(
            IssueType.STRUCTURE, "The zip holds no sleep-export.csv that can be read."
        )
    text = _text(b"".join(_read(archive, found)))
    others = tuple((name, _OTHERS[name]) for name, _ in named if name in _OTHERS)
    return Export(text, others, source.tell())


def _is_readable(info: zipfile.ZipInfo) -> bool:
    return not info.flag_bits & _ENCRYPTED and info.compress_type in _METHODS


def _read(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> Iterator[bytes]:
    """Yield the member; its checksum is verified at its end, before any use."""
    total = 0
    with archive.open(info) as member:
        while data := member.read(_CHUNK):
            total += len(data)
            _check_length(total)
            if total > MIN_SUSPICIOUS and total > MAX_RATIO * info.compress_size:
                raise FHIRError(
                    IssueType.TOO_LONG,
                    f"The zip unpacks to more than {MAX_RATIO} times its size.",
                )
            yield data


def _check_length(length: int) -> None:
    if length > MAX_BYTES:
        raise FHIRError(IssueType.TOO_LONG, "The export is longer than what is read.")


def _text(data: bytes) -> str:
    return data.decode("utf-8-sig", "replace")
