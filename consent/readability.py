"""How hard a text is to read: a school grade in English, an ease in Spanish.

A text is blocks, such as the items of a list; each is a sentence of its own, or
several. Figures are no words, as Flesch advises for texts with many of them.

https://apps.dtic.mil/sti/citations/ADA006655 (Flesch-Kincaid grade, 1975)
https://legible.es/blog/lecturabilidad-fernandez-huerta/ (1959, as corrected)
"""

import re
from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal
from typing import NamedTuple

from consent import syllables

_WORD = re.compile(r"[^\W\d_]+(?:['\u2019-][^\W\d_]+)*")
_END = re.compile(r"[.!?]+[\"'”»)]*(?:\s|$)")
_TENTH = Decimal("0.1")


class Counts(NamedTuple):
    """What both formulas are made of."""

    sentences: int
    words: int
    syllables: int


def counts(blocks: Iterable[str], count: Callable[[str], int]) -> Counts:
    """Return how many sentences, words and syllables the blocks have.

    Args:
        blocks: The text; a sentence ends with its block at the latest.
        count: Returns the syllables of a word.

    """
    sentences = [
        words
        for block in blocks
        for part in _END.split(block)
        if (words := _WORD.findall(part))
    ]
    return Counts(
        sentences=len(sentences),
        words=sum(map(len, sentences)),
        syllables=sum(count(word) for words in sentences for word in words),
    )


def flesch_kincaid(blocks: Iterable[str]) -> Decimal:
    """Return the school grade, in the United States, that an English text asks for.

    Low is easy; ours is 8 at most. A text without words is 0.
    """
    found = counts(blocks, syllables.english)
    if not found.words:
        return Decimal(0)
    return (
        Decimal("0.39") * found.words / found.sentences
        + Decimal("11.8") * found.syllables / found.words
        - Decimal("15.59")
    ).quantize(_TENTH)


def fernandez_huerta(blocks: Iterable[str]) -> Decimal:
    """Return how easy a Spanish text is; 70 and more is easy enough for most.

    High is easy; ours is 70 at least. A text without words is 100.
    """
    found = counts(blocks, syllables.spanish)
    if not found.words:
        return Decimal(100)
    return (
        Decimal("206.84")
        - Decimal(60) * found.syllables / found.words
        - Decimal("1.02") * found.words / found.sentences
    ).quantize(_TENTH)


class Measure(NamedTuple):
    """How the ease of a language's texts is measured.

    Attributes:
        name: What the number is called where it is told.
        of: Returns it.
        meets: Whether a number is that of a text for people.

    """

    name: str
    of: Callable[[Iterable[str]], Decimal]
    meets: Callable[[Decimal], bool]


MAX_GRADE = Decimal(8)
MIN_EASE = Decimal(70)

MEASURES: Mapping[str, Measure] = {
    "en": Measure("fleschKincaidGrade", flesch_kincaid, MAX_GRADE.__ge__),
    "es": Measure("fernandezHuerta", fernandez_huerta, MIN_EASE.__le__),
}
"""Language → its measure."""
