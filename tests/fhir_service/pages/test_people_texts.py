"""The texts of the pages about people."""

import re
import string
from pathlib import Path

import pytest

import fhir_service.pages
from fhir_service.pages.texts import texts

PAGES = Path(fhir_service.pages.__file__).parent
OWN = {key: row for key, row in texts().items() if key.startswith("people.")}

DYNAMIC = "role|verdict|age|reason|intent|pairing-(state|done|wrong)"
"""Beginnings of keys whose ends are made when a page is."""


def fields(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}


@pytest.mark.parametrize("key", OWN)
def test_a_text_is_in_both_languages_with_the_same_places(key: str) -> None:
    english, spanish = OWN[key]["en"], OWN[key]["es"]

    assert english
    assert spanish
    assert fields(english) == fields(spanish)


def test_every_text_that_a_page_says_is_there_and_every_one_is_said() -> None:
    names = ("home", "login", "code", "second_factor", "recovery_codes", "oversized")
    templates = [PAGES / "templates" / f"{name}.html" for name in names]
    for start in ("devices", "emergency", "launch", "not_for"):
        templates += (PAGES / "templates").glob(f"{start}*.html")
    sources = [*templates, *PAGES.glob("*.py")]
    said = "\n".join(path.read_text(encoding="utf-8") for path in sources)
    written = {
        match[1]
        for match in re.finditer(r"""\bt\(["']([a-z-]+)["']""", said)
        if match[1]
    }

    assert {f"people.{key}" for key in written} <= set(OWN)
    unsaid = {
        key
        for key in OWN
        if not re.search(rf"""["']{key.removeprefix("people.")}["']""", said)
        and not re.match(rf"people\.({DYNAMIC})\.", key)
    }
    assert unsaid == set()
