r"""Texts in a query: separators, escapes, characters that have no place there.

`\,`, `\|`, `\$` and `\\` stand for the character itself; any other backslash is one.

https://hl7.org/fhir/R4/search.html#escaping
"""

import unicodedata
from typing import Final

from conformance.issues import FHIRError, IssueType

_SEPARATORS: Final = ",|$"

_REFUSED: Final = frozenset({"Cc", "Cs", "Zl", "Zp"})
"""Unicode categories: controls, lone surrogates, separators of lines, paragraphs."""


def split(text: str, separator: str) -> list[str]:
    """Return the parts between separators that are not escaped; escapes stay.

    Args:
        text: Has no control characters: two of them hide the escapes meanwhile.
        separator: One of `,`, `|` and `$`.

    """
    if "\\" not in text:
        return text.split(separator)
    escaped = "\\" + separator
    hidden = text.replace("\\\\", "\0").replace(escaped, "\1")
    return [
        part.replace("\1", escaped).replace("\0", "\\\\")
        for part in hidden.split(separator)
    ]


def partition(text: str, separator: str) -> tuple[str, str, str]:
    """Return what is before and after the first separator that is not escaped."""
    first, *rest = split(text, separator)
    if not rest:
        return text, "", ""
    return first, separator, text[len(first) + 1 :]


def unescape(text: str) -> str:
    """Return the text, without control characters, with its escapes resolved."""
    if "\\" not in text:
        return text
    hidden = text.replace("\\\\", "\0")
    for separator in _SEPARATORS:
        hidden = hidden.replace("\\" + separator, separator)
    return hidden.replace("\0", "\\")


def refuse_control(text: str) -> None:
    """Refuse what could break a line of a log or a header.

    Raises:
        FHIRError: `invalid` for a control character.

    """
    if text.isprintable():
        return
    if any(unicodedata.category(character) in _REFUSED for character in text):
        raise FHIRError(
            IssueType.INVALID, "A parameter of a search has a control character."
        )
