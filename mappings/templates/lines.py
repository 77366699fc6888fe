"""Files that a template reads: JSON, NDJSON, CSV; the last two line by line.

A line that is too long, is not UTF-8, has other fields than the header, or a field that
a spreadsheet would run, is refused alone. A record of a CSV file is one line: a line
break within a field is not taken.

https://www.rfc-editor.org/rfc/rfc4180
"""

import csv
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from io import BufferedIOBase
from pathlib import Path
from typing import Any, BinaryIO

from conformance import fhir_json
from conformance.issues import FHIRError
from mappings.measurement import Reading, Reason, Refusal
from mappings.payload import Unreadable, microseconds
from mappings.templates.again import again
from mappings.templates.parts import PART
from mappings.templates.reader import Reader
from mappings.times import written_at

MAX_LINE = 256 * 1024
"""Bytes of one line."""

MAX_JSON = 64 * 1024 * 1024
"""Bytes of a JSON file, which is held in memory."""

MAX_COLUMNS = 1000

PROGRESS = 1000
"""Lines after which progress is told."""

_BOM = b"\xef\xbb\xbf"
_FORMULA = re.compile(r"[=@\t\r]|[+\-](?![0-9.])")
"""How a field begins that a spreadsheet would take for a formula."""

Progress = Callable[[int], None]


@dataclass(frozen=True, kw_only=True, slots=True)
class Files:
    """How the files of one template are read.

    Attributes:
        form: `json`, `ndjson` or `csv`.
        reader: What reads a message.
        delimiter: Between the fields of a CSV line.
        columns: Names of the fields, where a CSV file has no header.

    """

    form: str
    reader: Reader
    delimiter: str = ","
    columns: tuple[str, ...] | None = None

    def parse(
        self, payload: Any, *, received_at: datetime, zone: str | None = None
    ) -> Iterator[Reading]:
        """Yield the readings of a message, of a list of them, or of a refused part."""
        if self._is_line(payload):
            yield from self._line_again(payload[PART], received_at, zone)
        elif isinstance(payload, dict) and payload.keys() == {PART}:
            received = written_at(microseconds(received_at))
            yield from again(self.reader, payload[PART], received, zone)
        else:
            yield from self.reader.parse(payload, received_at=received_at, zone=zone)

    def parse_file(
        self,
        payload: Path | BinaryIO,
        *,
        received_at: datetime,
        zone: str | None = None,
        progress: Progress = lambda _: None,
    ) -> Iterator[Reading]:
        """Yield the readings of a file."""
        read = {"json": self._json, "ndjson": self._ndjson, "csv": self._csv}
        with _opened(payload) as file:
            yield from read[self.form](file, received_at, zone, progress)

    def _json(
        self,
        file: BufferedIOBase | BinaryIO,
        received_at: datetime,
        zone: str | None,
        progress: Progress,
    ) -> Iterator[Reading]:
        data = file.read(MAX_JSON + 1)
        if len(data) > MAX_JSON:
            yield _refused(
                "$", "The file is longer than what is read as one JSON text."
            )
            return
        try:
            payload = fhir_json.loads_foreign(data.removeprefix(_BOM))
        except FHIRError:
            yield _refused("$", "The file is not JSON.")
            return
        yield from self.reader.parse(payload, received_at=received_at, zone=zone)
        progress(len(data))

    def _ndjson(
        self,
        file: BufferedIOBase | BinaryIO,
        received_at: datetime,
        zone: str | None,
        progress: Progress,
    ) -> Iterator[Reading]:
        received = written_at(microseconds(received_at))
        for number, line in _lines(file, progress):
            position = f"line[{number}]"
            if isinstance(line, Unreadable):
                yield line.refusal(position)
                continue
            try:
                message = fhir_json.loads_foreign(line.encode())
            except (FHIRError, UnicodeEncodeError):
                detail = "The line is not JSON."
                yield Refusal(position, Reason.MALFORMED, None, detail, _part(line))
                continue
            yield from self.reader.entry(message, position, received, zone)

    def _csv(
        self,
        file: BufferedIOBase | BinaryIO,
        received_at: datetime,
        zone: str | None,
        progress: Progress,
    ) -> Iterator[Reading]:
        received = written_at(microseconds(received_at))
        lines = _lines(file, progress)
        columns = self.columns
        if columns is None:
            try:
                columns = self._header(next(lines, (1, ""))[1])
            except Unreadable as error:
                yield error.refusal("row[1]")
                return
        for number, line in lines:
            position = f"row[{number}]"
            try:
                row = self._row(line, columns)
            except Unreadable as error:
                part = _part(line, columns) if isinstance(line, str) else None
                yield error.refusal(position, part)
                continue
            yield from self.reader.entry(row, position, received, zone)

    def _header(self, line: str | Unreadable) -> tuple[str, ...]:
        """Return the names of a file's columns.

        Raises:
            Unreadable: `malformed` for a file without a header, or with two columns
                of one name.

        """
        columns = tuple(self._fields(line))
        if not all(columns) or not 0 < len(set(columns)) == len(columns) <= MAX_COLUMNS:
            raise Unreadable(
                Reason.MALFORMED, "The first line does not name each column once."
            )
        return columns

    def _fields(self, line: str | Unreadable) -> list[str]:
        if isinstance(line, Unreadable):
            raise line
        try:
            return next(csv.reader([line], delimiter=self.delimiter, strict=True), [])
        except csv.Error:
            raise Unreadable(
                Reason.MALFORMED, "The line is not one whole record of CSV."
            ) from None

    def _row(self, line: str | Unreadable, columns: Sequence[str]) -> dict[str, str]:
        """Return a line's fields by column.

        Raises:
            Unreadable: `malformed` for what is no record of these columns.

        """
        fields = self._fields(line)
        if len(fields) != len(columns):
            raise Unreadable(
                Reason.MALFORMED,
                f"The row has {len(fields)} fields, the header {len(columns)}.",
            )
        for name, field in zip(columns, fields, strict=True):
            if _FORMULA.match(field):
                raise Unreadable(
                    Reason.MALFORMED, f"The field {name[:64]} looks like a formula."
                )
        return dict(zip(columns, fields, strict=True))

    def _is_line(self, payload: Any) -> bool:
        return (
            isinstance(payload, dict)
            and isinstance(payload.get(PART), dict)
            and isinstance(payload[PART].get("line"), str)
        )

    def _line_again(
        self, part: dict[str, Any], received_at: datetime, zone: str | None
    ) -> Iterator[Reading]:
        """Yield what a refused line is by the template as it is now."""
        received = written_at(microseconds(received_at))
        try:
            if self.form == "csv":
                columns = [str(name) for name in part.get("columns", ())]
                message: Any = self._row(part["line"], columns)
            else:
                message = fhir_json.loads_foreign(part["line"].encode())
        except (FHIRError, TypeError, UnicodeEncodeError, Unreadable) as error:
            detail = error.detail if isinstance(error, Unreadable) else "Not JSON."
            yield Refusal("$", Reason.MALFORMED, None, detail, {PART: part})
            return
        yield from self.reader.entry(message, "$", received, zone)


def _part(line: str, columns: Sequence[str] | None = None) -> dict[str, Any]:
    told = {} if columns is None else {"columns": list(columns)}
    return {PART: {"line": line, **told}}


def _refused(position: str, detail: str) -> Refusal:
    return Refusal(position, Reason.MALFORMED, None, detail)


@contextmanager
def _opened(payload: Path | BinaryIO) -> Iterator[BufferedIOBase | BinaryIO]:
    if isinstance(payload, Path):
        with payload.open("rb") as file:
            yield file
    else:
        yield payload


def _lines(
    file: BufferedIOBase | BinaryIO, progress: Progress
) -> Iterator[tuple[int, str | Unreadable]]:
    """Yield the lines that are not empty, with their numbers from 1."""
    read = number = 0
    while line := file.readline(MAX_LINE + 1):
        number += 1
        read += len(line)
        if len(line) > MAX_LINE:
            read += _skip(file, line)
            yield number, Unreadable(Reason.MALFORMED, "The line is too long.")
            continue
        if number % PROGRESS == 0:
            progress(read)
        text = _text(line.removeprefix(_BOM) if number == 1 else line)
        if text:
            yield number, text
    progress(read)


def _text(line: bytes) -> str | Unreadable:
    try:
        return line.decode().rstrip("\r\n")
    except UnicodeDecodeError:
        return Unreadable(Reason.MALFORMED, "The line is not UTF-8.")


def _skip(file: BufferedIOBase | BinaryIO, line: bytes) -> int:
    """Read up to the end of a line that is too long; return how many bytes."""
    skipped = 0
    while line and not line.endswith(b"\n"):
        line = file.readline(MAX_LINE)
        skipped += len(line)
    return skipped
