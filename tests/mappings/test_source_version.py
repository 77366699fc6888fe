from itertools import product

import pytest

from mappings.measurement import Measurement, OutOfScope, Reason, Refusal, Whole
from mappings.source_version import (
    believed,
    counted,
    is_newer,
    modified_at,
    newest,
    whole,
)

EARLY, LATE = 1_700_000_000_000_000, 1_700_000_000_000_001
RECORD = Whole("$", "heart-rate", "r", EARLY)


def test_of_two_times_or_two_counts_the_larger_is_newer():
    assert is_newer(LATE, EARLY)
    assert is_newer(3, 2)


@pytest.mark.parametrize(
    ("one", "other"),
    [(EARLY, LATE), (LATE, LATE), (LATE, 3), (3, LATE), (None, 1), (1, None)],
)
def test_nothing_else_is_certain_to_be_newer(one, other):
    assert not is_newer(one, other)


@pytest.mark.parametrize(
    ("before", "now", "stands"),
    [
        (EARLY, LATE, LATE),
        (LATE, EARLY, LATE),
        (LATE, None, LATE),
        (None, EARLY, EARLY),
        (LATE, 2, 2),
        (None, None, None),
    ],
)
def test_the_newest_version_stands(before, now, stands):
    assert newest(before, now) == stands


@pytest.mark.parametrize(
    ("version", "stands"),
    [(LATE, None), (EARLY, EARLY), (3, 3), (None, None)],
)
def test_a_version_that_is_yet_to_come_is_none(version, stands):
    assert believed(version, EARLY) == stands


def test_what_is_newer_is_never_older():
    told = (None, 1, 2, EARLY, LATE)

    assert not any(is_newer(a, b) and is_newer(b, a) for a, b in product(told, told))


@pytest.mark.parametrize(
    ("value", "version"),
    [
        ("2023-01-17T21:06:23.335Z", 1673989583335000),
        ("2023-01-17T22:06:23+01:00", 1673989583000000),
        ("2023-01-17T21:06:23", None),
        ("soon", None),
        (5, None),
        (None, None),
    ],
)
def test_a_time_of_change_needs_an_offset(value, version):
    assert modified_at(value) == version


@pytest.mark.parametrize(("value", "version"), [(4, 4), (0, None), (True, None)])
def test_a_count_begins_at_one(value, version):
    assert counted(value) == version


def sample(number):
    return Measurement(
        "heart-rate", 60, "/min", "", 0, None, 0, f"$[{number}]", f"r#{number}"
    )


def test_a_record_that_was_understood_is_whole():
    found = list(whole(RECORD, [sample(1), sample(2)]))

    assert found == [sample(1), sample(2), RECORD._replace(holds=("r#1", "r#2"))]


def test_a_record_without_a_sample_is_whole():
    nothing = OutOfScope("$", "record without a sample")

    assert list(whole(RECORD, [nothing])) == [nothing, RECORD]


def test_a_record_of_which_a_part_is_refused_is_not_whole():
    refused = Refusal("$", Reason.MALFORMED, None, "No sample.")

    assert list(whole(RECORD, [sample(1), refused])) == [sample(1), refused]
