"""The kinds of measurement in words for people: a row of plain_names.csv each.

A kind's display is its code system's; its plain name is what a patient calls it, in
English and in Spanish.
"""

import csv
from collections.abc import Mapping
from functools import cache
from importlib import resources
from types import MappingProxyType

from mappings.kinds import kinds

Names = Mapping[str, str]
"""Language → name."""


@cache
def plain_names() -> Mapping[str, Names]:
    """Return the name of a kind → its plain names."""
    text = (resources.files("mappings") / "plain_names.csv").read_text(encoding="utf-8")
    rows = csv.DictReader(text.splitlines(), strict=True)
    return MappingProxyType({row["name"]: row for row in rows})


@cache
def _by_coding() -> Mapping[tuple[str, str], Names]:
    """Return system and code → plain names; of kinds that share a code, the first."""
    found: dict[tuple[str, str], Names] = {}
    for kind in kinds().values():
        for coding in kind.codings:
            names = plain_names()[kind.name]
            found.setdefault((coding.system, coding.code), names)
    return MappingProxyType(found)


def plain_name(system: str, code: str, language: str) -> str | None:
    """Return what people call a kind of measurement; None where it is none of ours."""
    return _by_coding().get((system, code), {}).get(language)
