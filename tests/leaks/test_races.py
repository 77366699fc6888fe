"""A decision and the rows that it governs come from one snapshot."""

import pytest
from leak_gates import StoppingGate, TearingGate
from leak_races import RACED, mixed
from leak_script import WITHDRAWN


@pytest.mark.parametrize("ask", RACED, ids=lambda ask: ask.path)
def test_a_withdrawal_during_an_answer_is_before_or_after_it(copies, ask):
    with copies.copied(WITHDRAWN) as side:
        assert mixed(side, ask, StoppingGate) == []


@pytest.mark.parametrize("ask", RACED[:2], ids=lambda ask: ask.path)
def test_an_answer_from_two_snapshots_would_be_noticed(copies, ask):
    with copies.copied(WITHDRAWN) as side:
        assert mixed(side, ask, TearingGate) != []
