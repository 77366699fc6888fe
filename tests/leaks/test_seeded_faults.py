"""The tests of leaks fail where there is one: each is shown a gate that is broken."""

from contextlib import ExitStack
from dataclasses import replace

import pytest
from leak_catalogue import CATALOGUE
from leak_gates import ForgetfulGate, OpenGate, with_gate
from leak_script import PATIENT, ROWS, WITHDRAWN
from leak_withdrawals import PAGED, caches, links, tokens, workers
from leak_worlds import differing
from leak_writes import WRITES

ASKED = {**CATALOGUE, **WRITES}

FEW = PAGED[:1]

WITHDRAWALS = {"L3": links, "L11": caches, "L25": tokens}


def broken(stack, copies, hiding, kind):
    """Return twins with a broken gate in the world that has something to hide."""
    pair = copies.pair(stack, hiding)
    return replace(pair, whole=with_gate(pair.whole, kind))


def noticed(pair, asks):
    """Return whether any request of a row notices; most do, so few are asked."""
    return any(differing(pair, [ask]) for ask in asks)


@pytest.mark.parametrize("hiding", [ROWS, PATIENT])
@pytest.mark.parametrize("row", ASKED)
def test_a_gate_that_permits_everything_is_noticed(sqlite_copies, row, hiding):
    with ExitStack() as stack:
        pair = broken(stack, sqlite_copies, hiding, OpenGate)

        assert noticed(pair, ASKED[row])


@pytest.mark.parametrize("row", WITHDRAWALS)
def test_a_gate_that_never_decides_again_is_noticed(sqlite_copies, row):
    with ExitStack() as stack:
        pair = broken(stack, sqlite_copies, WITHDRAWN, ForgetfulGate)

        assert WITHDRAWALS[row](pair, FEW)


def test_a_worker_that_never_decides_again_is_noticed(sqlite_copies, monkeypatch):
    monkeypatch.setattr("fhir_service.deployment.Gate", ForgetfulGate)
    with ExitStack() as stack:
        pair = sqlite_copies.pair(stack, WITHDRAWN)

        assert workers(pair, FEW)
