"""Launches, waiting requests and choices, on SQLite and on PostgreSQL."""

from collections.abc import Iterator

import pytest

from fhir_service.storage import launches
from fhir_service.storage.engine import Database
from fhir_service.storage.launches import Choice, Launch, WaitingRequest

HASH = b"h" * 32
LAUNCH = Launch(
    hash=HASH,
    client_id="app",
    user_id="u",
    patient="p",
    context="{}",
    break_glass_id=None,
    expires=10,
)
REQUEST = WaitingRequest(
    hash=HASH, parameters=b"sealed", session=None, created=1, expires=10
)
CHOICE = Choice(
    user_id="u", client_id="app", patient="", asked="a b", chosen="a", decided=1
)


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    database = Database(database_url)
    yield database
    database.close()


def test_a_launch_is_taken_once(database: Database) -> None:
    database.write(lambda transaction: launches.add_launch(transaction, LAUNCH))

    first = database.write(lambda at: launches.take_launch(at, HASH))
    second = database.write(lambda at: launches.take_launch(at, HASH))

    assert (first, second) == (LAUNCH, None)


def test_a_request_waits_until_it_expires(database: Database) -> None:
    database.write(lambda transaction: launches.add_request(transaction, REQUEST))

    with database.read() as snapshot:
        assert launches.find_request(snapshot, HASH, 9) == REQUEST
        assert launches.find_request(snapshot, HASH, 10) is None
        assert launches.find_request(snapshot, b"other", 9) is None


def test_a_request_belongs_to_the_first_login(database: Database) -> None:
    database.write(lambda transaction: launches.add_request(transaction, REQUEST))

    first, other, again = (
        database.write(
            lambda at, session=session, sealed=sealed: launches.bind_request(
                at, HASH, session, sealed
            )
        )
        for session, sealed in ((b"1", b"x"), (b"2", b"y"), (b"1", b"z"))
    )

    assert (first, other, again) == (True, False, True)
    with database.read() as snapshot:
        found = launches.find_request(snapshot, HASH, 9)
    assert found is not None
    assert (found.session, found.parameters) == (b"1", b"z")


def test_a_request_ends_once(database: Database) -> None:
    database.write(lambda transaction: launches.add_request(transaction, REQUEST))

    late = database.write(lambda at: launches.end_request(at, HASH, 10))
    first = database.write(lambda at: launches.end_request(at, HASH, 9))
    second = database.write(lambda at: launches.end_request(at, HASH, 9))

    assert (late, first, second) == (False, True, False)


def test_the_last_choice_is_remembered(database: Database) -> None:
    newer = Choice(
        user_id="u", client_id="app", patient="", asked="c", chosen="c", decided=2
    )
    other = Choice(
        user_id="u", client_id="app", patient="p", asked="d", chosen="d", decided=1
    )

    for choice in (CHOICE, other, newer):
        database.write(lambda at, choice=choice: launches.remember_choice(at, choice))

    with database.read() as snapshot:
        assert launches.choice_of(snapshot, "u", "app", "") == newer
        assert launches.choice_of(snapshot, "u", "other", "") is None
        assert launches.choices_of_user(snapshot, "u") == [other, newer]
        assert launches.choices_of_user(snapshot, "v") == []


def test_a_choice_can_be_forgotten(database: Database) -> None:
    database.write(lambda at: launches.remember_choice(at, CHOICE))

    first = database.write(lambda at: launches.forget_choice(at, "u", "app", ""))
    second = database.write(lambda at: launches.forget_choice(at, "u", "app", ""))

    assert (first, second) == (True, False)
