import pytest

from fhir_service.auth.rate_limit import (
    RateLimit,
    key,
    per_minute,
    per_second,
    place,
    spend,
)

LIMIT = RateLimit(burst=3, interval_us=10)


def test_a_full_bucket_gives_its_burst_and_then_one_an_interval() -> None:
    full_at: int | None = None
    waits = []
    for now in (100, 100, 100, 100, 109, 110, 110, 130):
        full_at, wait = spend(LIMIT, full_at, now)
        waits.append(wait)

    assert waits == [0, 0, 0, 10, 1, 0, 10, 0]


def test_a_refused_attempt_takes_nothing() -> None:
    assert spend(LIMIT, 130, 100) == (130, 10)


def test_a_bucket_is_never_fuller_than_full() -> None:
    full_at, wait = spend(LIMIT, 5, 1000)

    assert (full_at, wait) == (1010, 0)


def test_a_clock_that_was_ahead_does_not_shut_anybody_out() -> None:
    full_at, wait = spend(LIMIT, 10**15, 100)

    assert (full_at, wait) == (130, 10)


def test_limits_are_written_as_people_say_them() -> None:
    assert per_second(500, burst=1000) == RateLimit(burst=1000, interval_us=2000)
    assert per_minute(1, burst=5) == RateLimit(burst=5, interval_us=60_000_000)


def test_keys_do_not_run_into_each_other() -> None:
    assert key("login", "a", "bc") != key("login", "ab", "c")
    assert len(key("login", "a", "b")) == 32


@pytest.mark.parametrize(
    ("address", "counted"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::ffff", "2001:db8:1:2::/64"),
        ("unknown", "unknown"),
    ],
)
def test_the_addresses_of_one_network_card_are_one_place(
    address: str, counted: str
) -> None:
    assert place(address) == counted
