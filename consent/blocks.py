"""A text as blocks within blocks, and how it is written: XHTML, or lines.

All that others supplied is made harmless here or in `quoted`: the XHTML holds no
markup but ours, and no control character moves what a reader sees.

https://hl7.org/fhir/R4/narrative.html#xhtml
"""

import html
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

MAX_QUOTED = 120
"""Characters of a name or display that are shown."""


@dataclass(frozen=True, slots=True)
class Block:
    """Sentences, and what is listed below them."""

    text: str
    items: tuple["Block", ...] = ()

    @property
    def texts(self) -> Iterator[str]:
        """Every text in reading order, as `consent.readability` takes them."""
        yield self.text
        for item in self.items:
            yield from item.texts


Text = Sequence[Block]


def listed(text: str, entries: Iterable[str]) -> Block:
    """Return a block with an item for each different entry, in order."""
    return Block(text, tuple(map(Block, dict.fromkeys(entries))))


def harmless(text: str) -> str:
    """Return a text of others on one line, short, without unseen characters.

    Unseen ones are those that XML refuses, or that reorder or hide text.
    """
    start = text[: MAX_QUOTED * 4]
    shown = start if start.isprintable() else "".join(map(_shown, start))
    words = " ".join(shown.split())
    return words if len(words) <= MAX_QUOTED else f"{words[: MAX_QUOTED - 1]}…"


def _shown(character: str) -> str:
    if character.isspace():
        return " "
    return character if character.isprintable() else "\ufffd"


def xhtml(text: Text) -> str:
    """Return the text as the inside of a div."""
    return "".join(
        f"<p><b>{html.escape(block.text)}</b></p>{_list(block.items)}" for block in text
    )


def _list(items: tuple[Block, ...]) -> str:
    if not items:
        return ""
    inside = "".join(
        f"<li>{html.escape(item.text)}{_list(item.items)}</li>" for item in items
    )
    return f"<ul>{inside}</ul>"


def lines(text: Iterable[Block], indent: str = "") -> Iterator[str]:
    """Yield the text line by line, what is listed two spaces to the right."""
    for block in text:
        yield f"{indent}{block.text}"
        yield from lines(block.items, f"{indent}  ")
