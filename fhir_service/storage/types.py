"""Resource types as small numbers: their place in R4's alphabetical list, from 1."""

from functools import cache

from conformance import definitions


@cache
def _numbers() -> dict[str, int]:
    return {name: number for number, name in enumerate(definitions.type_names(), 1)}


def number_of(type_: str) -> int:
    """Return the number of a resource type of R4 4.0.1.

    Raises:
        KeyError: for what is no resource type.

    """
    return _numbers()[type_]


@cache
def _names() -> tuple[str, ...]:
    return ("", *definitions.type_names())


def name_of(number: int) -> str:
    """Return the resource type of `number`."""
    return _names()[number]
