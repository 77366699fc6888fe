"""Internal row numbers and the public ids made from them.

A row number is a 63-bit integer that grows with time, so that rows are stored in
the order in which they came and B-trees grow at their end. Steps between rows are
random, so that a gap says nothing about what lies in it.
"""

from random import Random

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
_PAIRS = tuple(a + b for a in _ALPHABET for b in _ALPHABET)
_VALUES = {character: value for value, character in enumerate(_ALPHABET)}

ID_LENGTH = 13
_STEP = 15
_TICKS_A_MILLISECOND = 20
"""Bits under the millisecond: a million rows each millisecond before time slips."""


def public_id(row: int) -> str:
    """Return the id under which the world knows `row`: 13 characters of base 32."""
    pairs = _PAIRS
    return (
        _ALPHABET[row >> 60 & 31]
        + pairs[row >> 50 & 1023]
        + pairs[row >> 40 & 1023]
        + pairs[row >> 30 & 1023]
        + pairs[row >> 20 & 1023]
        + pairs[row >> 10 & 1023]
        + pairs[row & 1023]
    )


def row_of(id_: str) -> int | None:
    """Return the row that `id_` names, or None where it is not one of ours."""
    if len(id_) != ID_LENGTH:
        return None
    row = 0
    for character in id_:
        value = _VALUES.get(character)
        if value is None:
            return None
        row = row << 5 | value
    return row if row < 1 << 63 else None


def new_rows(last: int, now_us: int, count: int, random: Random) -> list[int]:
    """Return `count` rows after `last`, in time order even if the clock goes back."""
    row = max(last, now_us // 1000 << _TICKS_A_MILLISECOND)
    bits = random.getrandbits(4 * count)
    rows = []
    for _ in range(count):
        row += 1 + (bits & _STEP)
        bits >>= 4
        rows.append(row)
    return rows
