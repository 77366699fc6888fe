"""Fields that are lists: members between commas, each with its parameters.

https://www.rfc-editor.org/rfc/rfc9110#section-5.6
"""

import re
from collections.abc import Iterator, Mapping
from typing import NamedTuple

_BETWEEN_COMMAS = re.compile(r'(?:[^,"]|"(?:\\.|[^"\\])*"?)+')
_BETWEEN_SEMICOLONS = re.compile(r'(?:[^;"]|"(?:\\.|[^"\\])*"?)+')
_ZERO = re.compile(r"0(?:\.0{0,3})?")


class Member(NamedTuple):
    """One member of a list.

    Attributes:
        name: In lower case, such as `application/json` or `return`.
        value: What stands after its `=`, without quotes; "" where there is none.
        parameters: What follows it after semicolons, names in lower case.

    """

    name: str
    value: str
    parameters: Mapping[str, str]

    @property
    def is_refused(self) -> bool:
        """Whether its weight is zero: not acceptable (RFC 9110 §12.4.2)."""
        return _ZERO.fullmatch(self.parameters.get("q", "1")) is not None


def members(field: str) -> Iterator[Member]:
    """Yield the members of a list, in their order; empty ones are left out."""
    for part in _BETWEEN_COMMAS.findall(field):
        head, *rest = (_pair(piece) for piece in _BETWEEN_SEMICOLONS.findall(part))
        if head[0]:
            yield Member(head[0], head[1], dict(rest))


def _pair(text: str) -> tuple[str, str]:
    name, _, value = text.partition("=")
    return name.strip().lower(), _unquoted(value.strip())


def _unquoted(value: str) -> str:
    if not value.startswith('"'):
        return value
    return re.sub(r"\\(.)", r"\1", value[1:].removesuffix('"'))
