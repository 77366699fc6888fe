"""The file itself: export.xml, or the zip in which the phone shares it.

Nothing is extracted to disk; the one member that is read is streamed.
"""

import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path, PurePosixPath
from typing import BinaryIO, NamedTuple

from conformance.issues import FHIRError, IssueType

MAX_RATIO = 200
"""Bytes that one compressed byte may become; an export's ratio is 20 to 60."""

MIN_SUSPICIOUS = 16 * 1024 * 1024
"""Bytes below which no ratio is suspicious."""

MAX_CANDIDATES = 20
"""Members that are looked into; an export has one or two XML files."""

_METHODS = frozenset({zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED})
_DAMAGE = (zipfile.BadZipFile, zlib.error, EOFError)
_SNIFF = 65_536
_ENCRYPTED = 0x1
_ZIP = b"PK\x03\x04"
_EMPTY_ZIP = b"PK\x05\x06"

Read = Callable[[int], bytes]


class Attachment(NamedTuple):
    """A file beside the export in its zip.

    Attributes:
        name: Its name in the zip; it may hold dates and is told nobody.
        read: Returns its first bytes, at most as many as asked for; None where it
            cannot be read.

    """

    name: str
    read: Callable[[int], bytes | None]


class Opened(NamedTuple):
    """An export that can be read.

    Attributes:
        read: Returns the next bytes of export.xml.
        attachments: What lies beside it.

    """

    read: Read
    attachments: Iterator[Attachment]


@contextmanager
def opened(
    source: Path | BinaryIO, progress: Callable[[int], None]
) -> Iterator[Opened]:
    """Open an export for reading, whether or not it is zipped.

    Args:
        source: A path, or a binary stream that can seek.
        progress: Told, after each read, how many bytes of the file were read.

    Raises:
        FHIRError: `structure` for a zip that cannot be read or holds no export,
            `too-long` for one that unpacks to more than a zip of texts does.

    """
    if isinstance(source, Path):
        with source.open("rb") as stream, opened(stream, progress) as found:
            yield found
        return
    start = source.read(len(_ZIP))
    source.seek(0)
    if start not in (_ZIP, _EMPTY_ZIP):
        yield Opened(_told(source.read, source.tell, progress), iter(()))
        return
    with _archive(source) as archive:
        member = _member(archive)
        _verify(archive, member)
        with archive.open(member) as unpacked:
            read = _told(unpacked.read, source.tell, progress)
            yield Opened(read, _attachments(archive, member))


def _told(read: Read, tell: Callable[[], int], progress: Callable[[int], None]) -> Read:
    def read_and_tell(size: int) -> bytes:
        data = read(size)
        progress(tell())
        return data

    return read_and_tell


def _attachments(
    archive: zipfile.ZipFile, export: zipfile.ZipInfo
) -> Iterator[Attachment]:
    for info in archive.infolist():
        if info is not export and not info.is_dir():
            yield Attachment(info.filename, _reader(archive, info))


def _reader(
    archive: zipfile.ZipFile, info: zipfile.ZipInfo
) -> Callable[[int], bytes | None]:
    def read(size: int) -> bytes | None:
        if info.flag_bits & _ENCRYPTED or info.compress_type not in _METHODS:
            return None
        try:
            with archive.open(info) as stream:
                return stream.read(size)
        except _DAMAGE:
            return None

    return read


def _archive(source: BinaryIO) -> zipfile.ZipFile:
    try:
        return zipfile.ZipFile(source)
    except (zipfile.BadZipFile, OSError, ValueError):
        raise FHIRError(
            IssueType.STRUCTURE, "The zip cannot be read; it may be cut short."
        ) from None


def _member(archive: zipfile.ZipFile) -> zipfile.ZipInfo:
    """Return the member that is the export; its name differs with the language.

    Raises:
        FHIRError: `structure` where there is none, `too-long` for a bomb.

    """
    for info in islice(filter(_may_be_export, archive.infolist()), MAX_CANDIDATES):
        if b"HealthData" in _first(archive, info):
            _refuse_bomb(info.file_size, info.compress_size)
            return info
    raise FHIRError(IssueType.STRUCTURE, "The zip holds no export.xml of Apple Health.")


def _may_be_export(info: zipfile.ZipInfo) -> bool:
    name = PurePosixPath(info.filename)
    return (
        name.suffix.lower() == ".xml"
        and not name.stem.lower().endswith("_cda")
        and not info.flag_bits & _ENCRYPTED
        and info.compress_type in _METHODS
    )


def _first(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> bytes:
    try:
        with archive.open(info) as stream:
            return stream.read(_SNIFF)
    except _DAMAGE:
        return b""


def _refuse_bomb(size: int, compressed: int) -> None:
    if size > MIN_SUSPICIOUS and size > MAX_RATIO * max(compressed, 1):
        raise FHIRError(
            IssueType.TOO_LONG,
            f"The zip unpacks to more than {MAX_RATIO} times its size.",
        )


def _verify(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> None:
    """Read the member once for its checksum, which stands behind it.

    A damaged number must not be stored before the damage is known.

    Raises:
        FHIRError: `structure` for damage, `too-long` for a bomb whose directory does
            not tell its size.

    """
    total = 0
    try:
        with archive.open(member) as stream:
            while data := stream.read(_SNIFF):
                total += len(data)
                _refuse_bomb(total, member.compress_size)
    except _DAMAGE:
        raise FHIRError(IssueType.STRUCTURE, "The zip is damaged.") from None
