"""A FIT file to messages whose numbers are exact, or the place of its damage.

The `fitdecode` package reads the bytes. It scales through binary floating point, so
only its raw integers are taken; scale and offset are those of the same profile,
applied to decimals here. What it unpacks from packed members is unpacked here again.

https://developer.garmin.com/fit/protocol/
"""

import struct
from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from types import MappingProxyType
from typing import Any, BinaryIO, NamedTuple

import fitdecode  # type: ignore[import-untyped] # it has no types

from mappings.measurement import Reason

MAX_MESSAGES = 2_000_000
"""Data messages of one file: some 200 hours of a record a second and its heartbeats."""

_ODD = (
    AssertionError,
    IndexError,
    KeyError,
    OverflowError,
    TypeError,
    ValueError,
    struct.error,
)
"""What fitdecode lets through of bytes that nobody meant to be a FIT file."""

_TIMESTAMP = 253
_SPEED_BITS = 12
_DISTANCE_ROLL = 1 << 12

Value = Decimal | int | str | tuple[int | None, ...]


class Developer(NamedTuple):
    """A member that an application has added.

    Attributes:
        key: Index of the application and number of its member.
        native: Number of the profile's member that it stands for, or None.
        unit: Its unit, as the application writes it.
        value: Its number, or None for anything else.

    """

    key: tuple[int, int]
    native: int | None
    unit: str
    value: int | None


class Message(NamedTuple):
    """A data message.

    Attributes:
        file: Number of the FIT file in a chain of them.
        number: Number of the data message in the chain.
        name: As the profile calls it; `unknown_22` for one that it does not have.
        values: Its members that have a value, by the profile's names; scaled.
        developer: Its members that the profile does not have.

    """

    file: int
    number: int
    name: str
    values: Mapping[str, Value]
    developer: tuple[Developer, ...] = ()

    @property
    def position(self) -> str:
        """Return where it is, for a receipt."""
        return f"message[{self.number}]"


class Damaged(Exception):  # noqa: N818 - names a state of the file, not a fault of the program
    """A file that cannot be trusted.

    Attributes:
        reason: `truncated` or `malformed`.
        offset: Byte at which the damage was noticed.
        messages: Data messages that were read before.

    """

    def __init__(self, reason: Reason, offset: int, messages: int) -> None:
        super().__init__("The FIT file is damaged.")
        self.reason = reason
        self.offset = offset
        self.messages = messages


def messages(stream: BinaryIO, progress: Callable[[int], None]) -> list[Message]:
    """Return all messages of a file that is whole, with its checksums.

    Nothing is given out before the last byte is known to be sound.

    Raises:
        Damaged: for a file that is cut short, altered, or too long.

    """
    found: list[Message] = []
    counted = _Counted(stream, progress)
    try:
        found.extend(_messages(counted))
    except fitdecode.FitEOFError:
        raise Damaged(Reason.TRUNCATED, counted.offset, len(found)) from None
    except (fitdecode.FitError, *_ODD) as error:
        is_short = counted.is_at_end and not isinstance(error, fitdecode.FitCRCError)
        reason = Reason.TRUNCATED if is_short else Reason.MALFORMED
        raise Damaged(reason, counted.offset, len(found)) from None
    if not counted.offset:
        raise Damaged(Reason.MALFORMED, 0, 0)
    progress(counted.offset)
    return found


class _Counted:
    """A stream that tells how far it has been read."""

    def __init__(self, stream: BinaryIO, progress: Callable[[int], None]) -> None:
        self._stream = stream
        self._progress = progress
        self.offset = 0
        self.is_at_end = False

    def read(self, size: int) -> bytes:
        """Return at most `size` bytes."""
        data = self._stream.read(size)
        self.offset += len(data)
        self.is_at_end = len(data) < size
        if self.offset // _STEP != (self.offset - len(data)) // _STEP:
            self._progress(self.offset)
        return data


_STEP = 65_536
"""Bytes after which progress is told."""


def _messages(source: _Counted) -> Iterator[Message]:
    """Yield the messages one after the other."""
    reader = fitdecode.FitReader(
        source,
        processor=None,
        check_crc=fitdecode.CrcCheck.RAISE,
        error_handling=fitdecode.ErrorHandling.IGNORE,
    )
    unpacker = _Unpacker()
    number = 0
    with reader:
        for frame in reader:
            if frame.frame_type == fitdecode.FIT_FRAME_HEADER:
                unpacker = _Unpacker()
            elif frame.frame_type == fitdecode.FIT_FRAME_DATA:
                if number >= MAX_MESSAGES:
                    raise Damaged(Reason.MALFORMED, source.offset, number)
                yield unpacker.message(frame, reader.fit_file_index or 0, number)
                number += 1


class _Unpacker:
    """Unpacks what a member packs; distance goes on from message to message."""

    def __init__(self) -> None:
        self._distance = 0

    def message(self, frame: Any, file: int, number: int) -> Message:
        """Return a data message."""
        values: dict[str, Value] = {}
        developer: list[Developer] = []
        for field in frame.fields:
            if field.raw_value is None or field.field is None:
                continue
            if field.field_def is None:
                # Unpacked by fitdecode, through floats; but for the time in a header.
                if field.field.def_num == _TIMESTAMP:
                    values["timestamp"] = field.raw_value
            elif field.field_def.is_dev:
                developer.append(_developer(field))
            else:
                value = _value(field)
                if value is not None:
                    values[(field.parent_field or field.field).name] = value
        self._unpack(values)
        return Message(file, number, frame.name, values, tuple(developer))

    def _unpack(self, values: dict[str, Value]) -> None:
        packed = values.pop("compressed_speed_distance", None)
        if isinstance(packed, tuple) and None not in packed:
            bits = int.from_bytes(bytes(one or 0 for one in packed), "little")
            values["speed"] = Decimal(bits & (1 << _SPEED_BITS) - 1) / 100
            rolling = bits >> _SPEED_BITS
            self._distance += (rolling - self._distance) % _DISTANCE_ROLL
            values["distance"] = Decimal(self._distance) / 16
        kind = values.pop("current_activity_type_intensity", None)
        if isinstance(kind, tuple) and kind[0] is not None:
            values["activity_type"] = kind[0] & 0x1F


def _value(field: Any) -> Value | None:
    """Return a member's value: text, exact number, or a tuple of raw integers."""
    raw = field.raw_value
    if isinstance(raw, tuple):
        is_whole = all(one is None or type(one) is int for one in raw)
        return raw if is_whole and any(one is not None for one in raw) else None
    if isinstance(raw, str):
        return raw
    if type(raw) is not int:
        return None
    # A subfield has its own scale; a step, for one, is half a cycle.
    return scaled(raw, (field.parent_field or field.field))


def scaled(raw: int, profile: Any) -> Decimal | int:
    """Return a raw integer in the unit of its member of the profile, exactly.

    The profile's scales are 2, 5, 10, 100, 128, 256, 1000, 5000 and the like: the
    quotient is finite. One that is not (0.7111111, an angle) is not measured here.
    """
    if not profile.scale and not profile.offset:
        return raw
    value: Decimal | int = raw
    if profile.scale in _TENS:
        value = Decimal(raw).scaleb(-_TENS[profile.scale])
    elif profile.scale and profile.scale != 1:
        value = Decimal(raw) / Decimal(str(profile.scale))
    return value - profile.offset if profile.offset else value


_TENS = MappingProxyType({10: 1, 100: 2, 1000: 3, 10_000: 4, 100_000: 5})
"""Scales that keep the digits of a number, and by how much they move its point."""


def word(type_name: str, raw: object) -> str | None:
    """Return the profile's word for a number, such as `garmin` for a manufacturer."""
    words = fitdecode.profile.FIELD_TYPES[type_name].enum or {}
    found = words.get(raw) if isinstance(raw, int) else None
    return found if isinstance(found, str) else None


def _developer(field: Any) -> Developer:
    definition = field.field_def
    raw = field.raw_value
    return Developer(
        (definition.dev_data_index, definition.def_num),
        field.field.native_field_num,
        field.field.units if isinstance(field.field.units, str) else "",
        raw if type(raw) is int else None,
    )
