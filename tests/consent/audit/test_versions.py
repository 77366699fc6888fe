"""Sets of versions come back whole, and take little room."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from consent.audit.versions import (
    MAX_VERSIONS,
    EntryError,
    pack_seqs,
    unpack_seqs,
)

SEQS = st.lists(
    st.one_of(
        st.integers(0, 400), st.integers(10**6, 10**6 + 50), st.integers(0, 2**63 - 1)
    ),
    max_size=80,
)


@settings(max_examples=300)
@given(SEQS)
def test_versions_come_back_as_a_set(seqs):
    assert unpack_seqs(pack_seqs(seqs)) == tuple(sorted(set(seqs)))


def test_versions_stored_together_take_no_room():
    packed = pack_seqs(range(5_000_000, 5_100_000))

    assert len(packed) < 12
    assert unpack_seqs(packed) == tuple(range(5_000_000, 5_100_000))


def test_few_runs_take_less_room_than_many_gaps():
    seqs = [*range(100, 200), 7, *range(1_000_000, 1_000_100)]

    assert len(pack_seqs(seqs)) < 20
    assert unpack_seqs(pack_seqs(seqs)) == tuple(sorted(seqs))


@pytest.mark.parametrize("step", [2, 100, 255])
def test_fifty_versions_take_a_byte_each(step):
    seqs = range(1_000_000, 1_000_000 + 50 * step, step)

    assert len(pack_seqs(seqs)) <= 54
    assert unpack_seqs(pack_seqs(seqs)) == tuple(seqs)


def test_versions_further_apart_take_two_bytes_each():
    seqs = range(1_000_000, 1_030_000, 600)

    assert len(pack_seqs(seqs)) <= 103
    assert unpack_seqs(pack_seqs(seqs)) == tuple(seqs)


@pytest.mark.parametrize(
    "data",
    [
        b"\x03\x01",
        b"\x02",
        b"\x02\x80",
        b"\x01\x01",
        b"\x00\x80",
        b"\x00" + b"\xff" * 12,
    ],
)
def test_versions_that_cannot_be_read_are_refused(data):
    with pytest.raises(EntryError):
        unpack_seqs(data)


def test_versions_of_years_ago_and_today_stand_together():
    seqs = (0, 5, 1_000_000, 2**62)

    assert unpack_seqs(pack_seqs(seqs)) == seqs


def test_a_negative_version_is_refused():
    with pytest.raises(ValueError, match="negative"):
        pack_seqs([3, -1])


def test_more_versions_than_an_entry_has_are_refused():
    with pytest.raises(ValueError, match="at most"):
        pack_seqs(range(MAX_VERSIONS + 1))


def test_a_few_bytes_cannot_claim_billions_of_versions():
    with pytest.raises(EntryError, match="more versions"):
        unpack_seqs(b"\x01\x01\xff\xff\xff\xff\x7f")
