"""How texts are compared: without regard to case, accents and width.

FHIR: case-insensitive, and insensitive to combining characters such as accents
(https://hl7.org/fhir/R4/search.html#string). Vowel signs and voicing marks, which
make other names, stay.
"""

import unicodedata
from functools import lru_cache

_ABOVE_AND_BELOW = 200
"""Combining classes from here on are accents; those below are vowels and the like."""


@lru_cache(maxsize=16_384)
def normalised(text: str) -> str:
    """Return `text` as a string search compares it."""
    if text.isascii():
        return " ".join(text.casefold().split())
    letters = unicodedata.normalize("NFKD", text.casefold())
    plain = "".join(
        letter for letter in letters if unicodedata.combining(letter) < _ABOVE_AND_BELOW
    )
    return " ".join(unicodedata.normalize("NFKC", plain).casefold().split())
