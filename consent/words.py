"""The words in which a consent is told: tables with a column for each language.

* `sentences.csv`: what is said; in braces, what is put in.
* `plain_codes.csv`: codes of consents in plain words: actions, purposes, levels of
  confidentiality, sensitivities, resource types, and the LOINC codes and our own
  kinds that our labeller knows as sensitive.
"""

import csv
from collections.abc import Iterator, Mapping
from functools import cache
from importlib import resources
from types import MappingProxyType

from consent.codes import (
    ACT_CODE,
    ACT_REASON,
    CONFIDENTIALITY,
    CONSENT_ACTION,
    LOINC,
    MEASUREMENT,
    RESOURCE_TYPES,
)
from consent.formula import Coding

LANGUAGES = ("en", "es")
"""The columns of the tables, in the order in which a text of both has them."""

SYSTEMS: Mapping[str, str] = MappingProxyType(
    {
        "action": CONSENT_ACTION,
        "purpose": ACT_REASON,
        "level": CONFIDENTIALITY,
        "sensitivity": ACT_CODE,
        "type": RESOURCE_TYPES,
        "loinc": LOINC,
        "measurement": MEASUREMENT,
    }
)
"""Part of plain_codes.csv → the system of its codes."""


def _rows(name: str) -> Iterator[Mapping[str, str]]:
    text = (resources.files("consent") / name).read_text(encoding="utf-8")
    return csv.DictReader(text.splitlines(), strict=True)


@cache
def sentences() -> Mapping[str, Mapping[str, str]]:
    """Return key → language → sentence."""
    return MappingProxyType({row["key"]: row for row in _rows("sentences.csv")})


@cache
def plain_codes() -> Mapping[Coding, Mapping[str, str]]:
    """Return coding → language → plain words."""
    return MappingProxyType(
        {(SYSTEMS[row["part"]], row["code"]): row for row in _rows("plain_codes.csv")}
    )


def said(key: str, language: str, **parts: object) -> str:
    """Return a sentence with its parts put in; these are never read as templates."""
    return sentences()[key][language].format_map(parts)


def first_said(keys: tuple[str, ...], language: str, **parts: object) -> str:
    """Return the sentence of the first key that the table has."""
    found = next(key for key in keys if key in sentences())
    return said(found, language, **parts)


def plain(coding: Coding, language: str) -> str | None:
    """Return a code in plain words; None where the table has none."""
    row = plain_codes().get(coding)
    return None if row is None else row[language]


def language_of(tag: object) -> str | None:
    """Return which of our languages a BCP 47 tag means, such as `es` of `es-MX`."""
    primary = tag.partition("-")[0].lower() if isinstance(tag, str) else ""
    return primary if primary in LANGUAGES else None
