"""Where in a JSON text each value stands.

https://www.rfc-editor.org/rfc/rfc6901
"""

import re
from collections.abc import Iterator, Mapping
from json.decoder import scanstring  # type: ignore[attr-defined]  # typeshed leaves it out
from typing import NamedTuple

from mappings.templates.faults import below

_SPACE = re.compile(r"[ \t\n\r]*")
_SCALAR = re.compile(r"[^\s,\]}]*")


class Place(NamedTuple):
    """A line and a column, both counted from 1."""

    line: int
    column: int


def places(text: str) -> Mapping[str, Place]:
    """Return JSON pointer → place of the value, of a text that is JSON.

    A member's place is that of its name.
    """
    return {
        pointer: Place(
            text.count("\n", 0, at) + 1, at - (text.rfind("\n", 0, at) + 1) + 1
        )
        for pointer, at in _Scan(text).value("", _past_space(text, 0), None)
    }


def _past_space(text: str, at: int) -> int:
    found = _SPACE.match(text, at)
    return at if found is None else found.end()


class _Scan:
    """Walks a text that is known to be JSON."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0

    def value(
        self, pointer: str, at: int, name_at: int | None
    ) -> Iterator[tuple[str, int]]:
        """Yield the pointers at and below a value, and go to its end."""
        yield pointer, at if name_at is None else name_at
        self._at = at
        opening = self._text[at]
        if opening == "{":
            yield from self._members(pointer)
        elif opening == "[":
            yield from self._elements(pointer)
        elif opening == '"':
            _, self._at = scanstring(self._text, at + 1)
        else:
            found = _SCALAR.match(self._text, at)
            self._at = at if found is None else found.end()

    def _next(self) -> int:
        """Go past one character and the space behind it."""
        self._at = _past_space(self._text, self._at + 1)
        return self._at

    def _members(self, pointer: str) -> Iterator[tuple[str, int]]:
        at = self._next()
        while self._text[at] != "}":
            name, end = scanstring(self._text, at + 1)
            self._at = _past_space(self._text, end)
            yield from self.value(below(pointer, name), self._next(), at)
            at = self._separator()
        self._at = at + 1

    def _elements(self, pointer: str) -> Iterator[tuple[str, int]]:
        at, index = self._next(), 0
        while self._text[at] != "]":
            yield from self.value(below(pointer, index), at, None)
            at, index = self._separator(), index + 1
        self._at = at + 1

    def _separator(self) -> int:
        """Go to the next name or element, or to the closing bracket."""
        self._at = _past_space(self._text, self._at)
        return self._next() if self._text[self._at] == "," else self._at
