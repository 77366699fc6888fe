"""A limit on what is looked at counts what may be seen, and nothing hidden."""

from contextlib import ExitStack

import pytest
from leak_catalogue import CATALOGUE
from leak_script import PATIENT, ROWS
from leak_worlds import differing

LIMITED = (
    *CATALOGUE["L4"][::4],
    *CATALOGUE["L5"][::2],
    *CATALOGUE["L6"][::30],
    *CATALOGUE["L14"][::2],
)

PLANNER = "fhir_service.interactions.planner"


@pytest.mark.parametrize("limit", [1, 4])
def test_no_limit_is_reached_by_hidden_rows(sqlite_copies, monkeypatch, limit):
    monkeypatch.setattr(f"{PLANNER}.CHAINED", limit)
    monkeypatch.setattr(f"{PLANNER}.AT_ONCE", 2)
    monkeypatch.setattr("fhir_service.interactions.includes.MAX_INCLUDED", limit)
    with ExitStack() as stack:
        pair = sqlite_copies.pair(stack, ROWS, PATIENT)

        assert differing(pair, LIMITED) == []
