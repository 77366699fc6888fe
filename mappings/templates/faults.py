"""What is wrong with a template, all of it at once, each with its place."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple


class Fault(NamedTuple):
    """One thing that is wrong.

    Attributes:
        pointer: JSON pointer to it (RFC 6901); empty for the whole template.
        message: A sentence for the template's author.
        line: Of the text, counted from 1; 0 where there is no text.
        column: Likewise.

    """

    pointer: str
    message: str
    line: int = 0
    column: int = 0

    def __str__(self) -> str:
        place = f"line {self.line}, column {self.column}: " if self.line else ""
        return f"{place}{self.pointer or '/'}: {self.message}"


class TemplateError(ValueError):
    """A template that cannot be used.

    Attributes:
        faults: Why not.

    """

    def __init__(self, faults: Iterable[Fault]) -> None:
        self.faults = tuple(faults)
        super().__init__(" ".join(fault.message for fault in self.faults))


@dataclass(kw_only=True)
class Faults:
    """The faults found so far."""

    found: list[Fault] = field(default_factory=list)

    def add(self, pointer: str, message: str) -> None:
        """Record a fault."""
        self.found.append(Fault(pointer, message))


def below(pointer: str, member: str | int) -> str:
    """Return the pointer to a member or an element (RFC 6901, §4)."""
    escaped = str(member).replace("~", "~0").replace("/", "~1")
    return f"{pointer}/{escaped}"
