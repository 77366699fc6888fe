"""docs/server-features.md: each yes has its test, each other answer its reason.

Whether the tests that it names exist is seen by the tests of the documentation.
"""

import re

import pytest
from documented_tables import ROOT, SHARED, rows

PAGE = ROOT / "docs" / "server-features.md"
COMPARED = SHARED / "reference" / "servers.md"


def test_every_yes_has_a_test_and_every_other_answer_a_reason():
    demanded = {"yes": r"`test_\w+`", "partial": r"`test_\w+`.*[a-z]{3}", "no": r"\S"}

    without = [
        name
        for name, answer, told in rows(PAGE, "capability")
        if not re.search(demanded[answer], told)
    ]

    assert rows(PAGE, "capability")
    assert without == []


@pytest.mark.skipif(not COMPARED.exists(), reason=f"{COMPARED.name} is not here")
def test_every_capability_by_which_servers_are_compared_is_answered():
    compared = [row[0] for row in rows(COMPARED, "Capability")]

    told = [row[0] for row in rows(PAGE, "capability")]

    assert compared
    assert told == compared
