"""Sets of `seq` numbers in few bytes: which exact versions an event concerned.

The numbers are sorted and their gaps written: a byte each where that is enough, else
in groups of seven bits; where most follow one another, runs are written instead.
"""

from collections.abc import Iterable, Sequence
from functools import cache
from operator import sub

MAX_VERSIONS = 1 << 20
"""Versions of one entry; a larger export is several entries."""

_GAPS, _RUNS, _BYTES = 0, 1, 2
_MAX_BITS = 64
_ONE_BYTE = tuple(bytes([number]) for number in range(128))


class EntryError(ValueError):
    """Stored bytes that are not an entry of this log."""


def varint(number: int) -> bytes:
    """Return `number` in groups of seven bits, the lowest first."""
    if number < 128:  # noqa: PLR2004 - what fits seven bits
        return _ONE_BYTE[number]
    groups = bytearray()
    while number > 127:  # noqa: PLR2004 - what fits seven bits
        groups.append(number & 127 | 128)
        number >>= 7
    groups.append(number)
    return bytes(groups)


def read_varint(data: bytes, at: int) -> tuple[int, int]:
    """Return the number that begins at `at`, and where the next field begins.

    Raises:
        EntryError: where it is cut off.

    """
    number = shift = 0
    while at < len(data) and shift <= _MAX_BITS:
        byte = data[at]
        at += 1
        number |= (byte & 127) << shift
        if byte < 128:  # noqa: PLR2004 - the last group has no high bit
            return number, at
        shift += 7
    raise EntryError("A number of the entry is cut off.")


def pack_seqs(seqs: Iterable[int]) -> bytes:
    """Return a set of `seq` numbers compactly: gaps, or runs where those are shorter.

    Their order is not kept; a number given twice is kept once.

    Raises:
        ValueError: for more than `MAX_VERSIONS`, and for a negative number.

    """
    ordered = sorted(seqs)
    if not ordered:
        return b""
    if ordered[0] < 0:
        raise ValueError("a version's number is not negative")
    gaps: Sequence[int] = _gaps(ordered)
    if 0 in gaps:
        ordered = sorted(set(ordered))
        gaps = _gaps(ordered)
    if len(ordered) > MAX_VERSIONS:
        raise ValueError(f"an entry has at most {MAX_VERSIONS} versions")
    runs = len(ordered) - gaps.count(1)
    if runs * 2 < len(gaps):
        return b"\x01" + _packed_runs(ordered[0], gaps)
    first = varint(ordered[0])
    if isinstance(gaps, bytes):
        return b"\x02" + first + gaps
    return b"\x00" + first + _varints(gaps)


def _gaps(ordered: list[int]) -> Sequence[int]:
    """Return the differences, as bytes where each fits one."""
    try:
        return bytes(map(sub, ordered[1:], ordered))
    except ValueError:
        return list(map(sub, ordered[1:], ordered))


def _varints(numbers: Iterable[int]) -> bytes:
    numbers = tuple(numbers)
    try:
        return b"".join(map(_short_varints().__getitem__, numbers))
    except IndexError:
        return b"".join(map(varint, numbers))


@cache
def _short_varints() -> tuple[bytes, ...]:
    """Return the numbers of one and two groups: looked up, they cost a tenth."""
    return tuple(map(varint, range(1 << 14)))


def _packed_runs(first: int, gaps: Iterable[int]) -> bytes:
    """Return (distance from the end of the last run, length) for each run."""
    numbers = [first]
    length = 1
    for gap in gaps:
        if gap == 1:
            length += 1
        else:
            numbers += (length, gap)
            length = 1
    return _varints([*numbers, length])


def unpack_seqs(data: bytes) -> tuple[int, ...]:
    """Return the numbers that `pack_seqs` wrote, ascending.

    Raises:
        EntryError: where they are cut off, or the form is unknown.

    """
    if not data:
        return ()
    if data[0] == _BYTES:
        first, at = read_varint(data, 1)
        return tuple(_sums((first, *data[at:])))
    numbers = []
    at = 1
    while at < len(data):
        number, at = read_varint(data, at)
        numbers.append(number)
    if data[0] == _GAPS:
        return tuple(_sums(numbers))
    if data[0] == _RUNS and len(numbers) % 2 == 0:
        return tuple(_run_members(numbers))
    raise EntryError("The versions of the entry cannot be read.")


def _sums(gaps: Iterable[int]) -> Iterable[int]:
    seq = 0
    for gap in gaps:
        seq += gap
        yield seq


def _run_members(numbers: list[int]) -> Iterable[int]:
    if sum(numbers[1::2]) > MAX_VERSIONS:
        raise EntryError("The entry has more versions than one can have.")
    seq = 0
    for distance, length in zip(numbers[::2], numbers[1::2], strict=True):
        seq += distance
        yield from range(seq, seq + length)
        seq += length - 1
