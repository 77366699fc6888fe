"""The texts of the pages, in each language, and which language a person gets.

* `texts.csv`: what pages say; in braces, what is put in.
* `scope_words.csv`: scopes in plain words.
* `people_texts.csv`: what the pages of logins, launches and emergencies say.

https://www.rfc-editor.org/rfc/rfc9110#section-12.5.4
"""

import csv
from collections.abc import Mapping
from functools import cache
from importlib import resources
from types import MappingProxyType

from flask import request

LANGUAGES = ("en", "es")
"""The columns of the tables; the first is for who asks for none of them."""

QUERY = "lang"
"""The parameter of a page's address that chooses its language."""

_UNITS = (("days", 86_400), ("hours", 3600), ("minutes", 60))


@cache
def texts() -> Mapping[str, Mapping[str, str]]:
    """Return key → language → text, of every table."""
    rows = {
        row["key"]: MappingProxyType(row)
        for name in ("texts.csv", "scope_words.csv", "people_texts.csv")
        for row in _rows(name)
    }
    return MappingProxyType(rows)


def _rows(name: str) -> list[dict[str, str]]:
    file = resources.files("fhir_service.pages") / name
    lines = file.read_text(encoding="utf-8").splitlines()
    return list(csv.DictReader(lines, strict=True))


def said(key: str, language: str, **parts: object) -> str:
    """Return a text with its parts put in.

    Raises:
        KeyError: for a key that no table has, or a part that is not given.

    """
    return texts()[key][language].format(**parts)


def language_of(preferred: str | None = None) -> str:
    """Return the language of the page that is asked for.

    The address decides, then what the person once chose, then the browser.
    """
    for wanted in (request.args.get(QUERY), preferred):
        if wanted in LANGUAGES:
            return wanted
    return request.accept_languages.best_match(LANGUAGES) or LANGUAGES[0]


def other_language(language: str) -> str:
    """Return the language to which a page offers a link."""
    return next(other for other in LANGUAGES if other != language)


def duration(seconds: int, language: str) -> str:
    """Return a duration in its largest whole unit, a minute at least."""
    unit, length_s = next(
        (
            (unit, length_s)
            for unit, length_s in _UNITS
            if seconds >= length_s and seconds % length_s == 0
        ),
        _UNITS[-1],
    )
    number = max(1, round(seconds / length_s))
    form = "one" if number == 1 else "other"
    return said(f"{unit}.{form}", language, n=number)
