"""What was remembered while it might be seen is not told once consent is withdrawn."""

from contextlib import ExitStack

from leak_catalogue import CATALOGUE
from leak_script import PATIENT
from leak_withdrawals import OF_ANN, PAGED, caches, links, tokens, warm, workers
from leak_worlds import differing


def test_a_link_that_is_old_or_forged_or_of_another_client_tells_nothing(withdrawn):
    assert links(withdrawn, PAGED) == []


def test_nothing_that_was_remembered_outlives_the_withdrawal(withdrawn):
    assert caches(withdrawn, OF_ANN) == []


def test_what_one_client_was_shown_is_not_shown_to_another(copies):
    asks = CATALOGUE["L2"][::6]
    with ExitStack() as stack:
        pair = copies.pair(stack, PATIENT)
        warm(pair, asks, "keeper")

        assert differing(pair, asks) == []


def test_another_worker_tells_nothing_from_the_next_request_on(withdrawn):
    assert workers(withdrawn, OF_ANN[::2]) == []


def test_a_token_from_before_the_withdrawal_opens_no_more_than_a_new_one(withdrawn):
    assert tokens(withdrawn, OF_ANN[1::2]) == []
