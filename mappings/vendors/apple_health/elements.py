"""A stream of bytes to the elements of an Apple Health export.

The parser never sees a document type: what stands before `<HealthData` is read past,
so no entity is ever declared, and a reference to one becomes U+FFFD before the parser
sees it. The DTD of some exports is malformed; they import all the same.

https://www.w3.org/TR/xml/
"""

import re
from collections.abc import Callable, Iterator
from typing import NamedTuple
from xml.parsers import expat

from conformance.issues import FHIRError, IssueType

CHUNK = 65_536
"""Bytes read at a time."""

MAX_PROLOG = 1_048_576
"""Bytes before the root element; Apple's DTD has about 10,000."""

MAX_DEPTH = 32
"""Levels of nesting; Apple's exports have five."""

MAX_SILENT_CHUNKS = 64
"""Chunks, 4 MiB, without the start or end of an element: a tag is that long."""

MAX_PARTS = 10_000
"""Elements within one record; a workout has tens, a correlation two."""

_ROOT = re.compile(rb"<HealthData(?=[\s/>])")
_DOCTYPE_END = re.compile(rb"\][ \t\r\n]*>")
_REFERENCE = re.compile(
    rb"&(?!(?:lt|gt|amp|quot|apos|#[0-9]{1,7}|#x[0-9a-fA-F]{1,6});)"
)
_REPLACEMENT = "\N{REPLACEMENT CHARACTER}".encode()
_LONGEST_REFERENCE = 12
_DECLARED_ENCODING = re.compile(rb"""encoding\s*=\s*["']([A-Za-z0-9._-]+)["']""")
_ENCODINGS = frozenset({b"UTF-8", b"UTF8", b"US-ASCII", b"ASCII"})

_AT_THE_END = frozenset(
    {
        expat.errors.codes[expat.errors.XML_ERROR_NO_ELEMENTS],
        expat.errors.codes[expat.errors.XML_ERROR_UNCLOSED_TOKEN],
        expat.errors.codes[expat.errors.XML_ERROR_PARTIAL_CHAR],
        expat.errors.codes[expat.errors.XML_ERROR_UNCLOSED_CDATA_SECTION],
    }
)
"""What expat says where a file ends too early."""


class Part(NamedTuple):
    """An element within a record.

    Attributes:
        tag: Its name.
        attributes: Its attributes.

    """

    tag: str
    attributes: dict[str, str]


class Element(NamedTuple):
    """A child of the root, such as a Record or a Workout.

    Attributes:
        tag: Its name.
        number: How many of that name came before it, and it.
        attributes: Its attributes.
        metadata: Its MetadataEntry elements, key to value.
        parts: The other elements within it.

    """

    tag: str
    number: int
    attributes: dict[str, str]
    metadata: dict[str, str]
    parts: list[Part]

    @property
    def position(self) -> str:
        """Return its place as XPath from the root, such as `Record[17]`."""
        return f"{self.tag}[{self.number}]"


class Broken(Exception):  # noqa: N818 - names a state of the file, not a fault of the program
    """The file cannot be read further.

    Attributes:
        detail: A sentence that names the line.
        is_truncated: The file just ends.

    """

    def __init__(self, detail: str, *, is_truncated: bool) -> None:
        super().__init__(detail)
        self.detail = detail
        self.is_truncated = is_truncated


class _TooMuch(Exception):  # noqa: N818 - leaves this module as Broken
    """An element is too deep, too long or has too many parts."""


def elements(read: Callable[[int], bytes]) -> Iterator[Element]:
    """Yield the children of the root, in constant memory.

    Args:
        read: Returns the next bytes, at most as many as asked for; none at the end.

    Raises:
        FHIRError: `structure` for what is no export at all.
        Broken: where the file ends early or is malformed, after what stood before.

    """
    prolog, head = _past_prolog(read)
    collector = _Collector()
    line = prolog.count(b"\n")
    silent = 0
    for chunk in _references_removed(head, read):
        seen = collector.seen
        broken = collector.parse(chunk, line, is_final=False)
        yield from collector.take()
        if broken:
            raise broken
        silent = 0 if collector.seen > seen else silent + 1
        if silent > MAX_SILENT_CHUNKS:
            raise Broken("An element is longer than 4 MiB.", is_truncated=False)
    broken = collector.parse(b"", line, is_final=True)
    yield from collector.take()
    if broken:
        raise broken


def _past_prolog(read: Callable[[int], bytes]) -> tuple[bytes, bytes]:
    """Return what stands before the root, and the first bytes from the root on.

    Raises:
        FHIRError: `structure`.

    """
    head = b""
    while True:
        chunk = read(CHUNK)
        head += chunk
        start = _root(head)
        if start is not None and len(head) > start + len(b"<HealthData "):
            break
        if not chunk or len(head) > MAX_PROLOG:
            raise FHIRError(IssueType.STRUCTURE, _not_an_export(head))
    prolog = head[:start]
    declared = _DECLARED_ENCODING.search(prolog)
    if declared and declared[1].upper() not in _ENCODINGS:
        raise FHIRError(IssueType.STRUCTURE, "The export is not encoded in UTF-8.")
    return prolog, head[start:]


def _root(head: bytes) -> int | None:
    """Return where the root element starts, behind the document type."""
    at = head.find(b"<!DOCTYPE")
    first = _ROOT.search(head)
    if at != -1 and (first is None or at < first.start()):
        end = _DOCTYPE_END.search(head, at) if b"[" in head[at : at + 1024] else None
        first = _ROOT.search(head, end.end() if end else at)
    return first.start() if first else None


def _not_an_export(head: bytes) -> str:
    start = head[:1024].lstrip(b"\xef\xbb\xbf \t\r\n")
    if not start:
        return "The file is empty."
    return "The file is not the export.xml of Apple Health: it has no HealthData."


def _references_removed(head: bytes, read: Callable[[int], bytes]) -> Iterator[bytes]:
    """Yield the bytes with U+FFFD for each `&` that XML itself does not define."""
    rest = head
    while chunk := read(CHUNK):
        chunk = rest + chunk
        cut = chunk.rfind(b"&", -_LONGEST_REFERENCE)
        if cut == -1 or b";" in chunk[cut:]:
            rest = b""
        else:
            chunk, rest = chunk[:cut], chunk[cut:]
        yield _REFERENCE.sub(_REPLACEMENT, chunk)
    yield _REFERENCE.sub(_REPLACEMENT, rest)


class _Collector:
    """Feeds expat and gathers the children of the root."""

    def __init__(self) -> None:
        self.seen = 0
        self._depth = 0
        self._done: list[Element] = []
        self._counts: dict[str, int] = {}
        self._metadata: dict[str, str] = {}
        self._parts: list[Part] = []
        self._open: tuple[str, dict[str, str]] = ("", {})
        self._parser = expat.ParserCreate("utf-8")
        self._parser.StartElementHandler = self._start
        self._parser.EndElementHandler = self._end
        self._parser.EntityDeclHandler = self._entity

    def take(self) -> list[Element]:
        """Return the elements that ended since the last call."""
        done, self._done = self._done, []
        return done

    def parse(self, chunk: bytes, line: int, *, is_final: bool) -> Broken | None:
        """Parse a chunk; return why there cannot be another.

        Args:
            chunk: The next bytes.
            line: Lines before the root.
            is_final: There are no more.

        """
        try:
            self._parser.Parse(chunk, is_final)
        except expat.ExpatError as error:
            is_truncated = is_final and error.code in _AT_THE_END
            what = "ends early" if is_truncated else "is malformed"
            return Broken(
                f"The file {what} at line {line + error.lineno}.",
                is_truncated=is_truncated,
            )
        except _TooMuch as error:
            at = line + self._parser.CurrentLineNumber
            return Broken(f"{error} at line {at}.", is_truncated=False)
        return None

    def _start(self, tag: str, attributes: dict[str, str]) -> None:
        self.seen += 1
        self._depth += 1
        if self._depth == _CHILD:
            self._open = tag, attributes
            self._metadata = {}
            self._parts = []
        elif self._depth > _CHILD:
            self._part(tag, attributes)
        elif tag != "HealthData":
            raise _TooMuch("The root is not HealthData")

    def _part(self, tag: str, attributes: dict[str, str]) -> None:
        if self._depth > MAX_DEPTH:
            raise _TooMuch(f"The file nests deeper than {MAX_DEPTH} levels")
        if len(self._parts) + len(self._metadata) >= MAX_PARTS:
            raise _TooMuch(f"An element has more than {MAX_PARTS} parts")
        if tag != "MetadataEntry":
            self._parts.append(Part(tag, attributes))
        elif self._depth == _CHILD + 1:
            self._metadata[attributes.get("key", "")] = attributes.get("value", "")

    def _end(self, tag: str) -> None:
        self.seen += 1
        if self._depth == _CHILD:
            number = self._counts.get(tag, 0) + 1
            self._counts[tag] = number
            self._done.append(
                Element(tag, number, self._open[1], self._metadata, self._parts)
            )
        self._depth -= 1

    def _entity(self, *_: object) -> None:
        raise _TooMuch("The file declares an entity")


_CHILD = 2
"""Depth of the children of the root."""
