"""Pages about the numbered requirements of a guide, against those requirements.

Whether the tests that they name exist is seen by the tests of the documentation.
"""

import csv
import re

import pytest
from documented_tables import ROOT, SHARED, rows

DEMANDED = SHARED / "data" / "requirements"
GUIDES = {
    "us-core.md": DEMANDED / "req-us-core-7.0.0-server.csv",
    "smart.md": DEMANDED / "req-smart-2.2.0-server.csv",
}
"""Page → the list of the guide that it is about."""

pages = pytest.mark.parametrize("page", [ROOT / "docs" / name for name in GUIDES])


def ranges(cell):
    """Return the numbers of each part of `1, 5 to 7`."""
    for part in cell.split(", "):
        first, _, last = part.partition(" to ")
        yield range(int(first), int(last or first) + 1)


@pages
def test_every_requirement_has_a_test_or_a_reason(page):
    reasons = "|".join(re.escape(word) for word, _ in rows(page, "word"))

    without = [
        numbers
        for numbers, _, told in rows(page, "rows")
        if not re.search(r"`test_\w+`", told)
        and not re.match(rf"(?:{reasons}): \S", told)
    ]

    assert rows(page, "rows")
    assert without == []


@pytest.mark.skipif(not DEMANDED.exists(), reason=f"{DEMANDED.name} is not here")
@pages
def test_every_shall_of_the_guide_is_in_the_table_once(page):
    with GUIDES[page.name].open(encoding="utf-8", newline="") as file:
        shall = [
            int(row["id"])
            for row in csv.DictReader(file)
            if row["conformance"].startswith("SHALL")
        ]

    told = [part for row in rows(page, "rows") for part in ranges(row[0])]

    assert sorted(n for part in told for n in part if n in shall) == sorted(shall)
    # Between the ends of a range there may be what is no SHALL.
    ends = {end for part in told for end in (part[0], part[-1])}
    assert ends <= set(shall)
