"""A payload that holds nothing is accounted for, too."""

from collections.abc import Iterable, Iterator

from mappings.measurement import OutOfScope, Reading


def accounted(readings: Iterable[Reading], empty: str) -> Iterator[Reading]:
    """Yield the readings; where there are none, one that says what came.

    Args:
        readings: What a parser found.
        empty: What a payload without any of it is, such as `file without a value`.

    """
    is_any = False
    for one in readings:
        is_any = True
        yield one
    if not is_any:
        yield OutOfScope("$", empty)
