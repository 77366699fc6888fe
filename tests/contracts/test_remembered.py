"""What a process remembers is durable, and no more than it may be."""

import pytest

from fhir_service.storage import counters, patients
from fhir_service.storage.engine import Transaction
from fhir_service.storage.remembered import Remembered, Standing


@pytest.fixture
def database(any_world):
    return any_world.deployment.database


def never():
    pytest.fail("it was remembered")


def test_what_a_transaction_has_found_is_not_found_again_in_it(database):
    memory = Remembered(2)

    def work(transaction: Transaction) -> tuple[int, int]:
        first = memory.of(transaction, "a", lambda: 1)
        return first, memory.of(transaction, "a", never)

    assert database.write(work) == (1, 1)
    assert memory.get("a") == 1


def test_what_was_found_in_a_lost_job_is_forgotten(database):
    memory = Remembered(2)

    def fail(transaction: Transaction) -> None:
        memory.of(transaction, "a", lambda: 1)
        raise LookupError

    with pytest.raises(LookupError):
        database.write(fail)

    assert memory.get("a") is None
    assert database.write(lambda one: memory.of(one, "a", lambda: 2)) == 2


def test_two_memories_of_one_transaction_are_two(database):
    first, second = Remembered(2), Remembered(2)

    def work(transaction: Transaction) -> tuple[int, int]:
        return (
            first.of(transaction, "a", lambda: 1),
            second.of(transaction, "a", lambda: 2),
        )

    assert database.write(work) == (1, 2)


def test_the_oldest_is_forgotten():
    memory = Remembered(2)

    for number in range(3):
        memory.keep(number, number)

    assert [memory.get(number) for number in range(3)] == [None, 1, 2]


def test_what_stands_is_found_again_after_a_change(database):
    standing = Standing(2)
    with database.read() as snapshot:
        before = standing.of(snapshot, "a", lambda: False)
        again = standing.of(snapshot, "a", never)

    database.write(lambda one: counters.take(one, patients.CHANGES))

    with database.read() as snapshot:
        after = standing.of(snapshot, "a", lambda: True)
    assert (before, again, after) == (False, False, True)


def test_what_a_transaction_changes_does_not_stand_in_it(database):
    standing = Standing(2)
    database.write(lambda one: standing.of(one, "a", lambda: False))

    def work(transaction: Transaction) -> tuple[bool, bool]:
        before = standing.of(transaction, "a", never)
        counters.take(transaction, patients.CHANGES)
        return before, standing.of(transaction, "a", lambda: True)

    assert database.write(work) == (False, True)


def test_what_stood_in_a_lost_job_is_found_again_by_the_next(database):
    standing = Standing(2)

    def fail(transaction: Transaction) -> None:
        counters.take(transaction, patients.CHANGES)
        standing.of(transaction, "a", lambda: True)
        raise LookupError

    with pytest.raises(LookupError):
        database.write(fail)

    def work(transaction: Transaction) -> bool:
        counters.take(transaction, patients.CHANGES)
        return standing.of(transaction, "a", lambda: False)

    assert database.write(work) is False
