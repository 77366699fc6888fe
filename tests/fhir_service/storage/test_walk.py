"""The walk over all patients, against a list of which each row is seen or is not."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fhir_service.storage import walk
from fhir_service.storage.predicate import View
from fhir_service.storage.views import Views

SEEN, HIDDEN, NEW = 1, 2, 3
"""Signatures: in the view of their patient, left out of it, and of later than it."""


def view(patient_key):
    groups = ((True, (10 * patient_key + SEEN,)),)
    return View(patient_key=patient_key, groups=groups, whole=False)


class Index:
    """Rows in their order, and what is asked about them."""

    def __init__(self, rows):
        self.rows, self.decided, self.lengths = rows, set(), []

    def stretch(self, after, length):
        self.lengths.append(length)
        at = 0
        if after is not None:
            at = 1 + [row[:2] for row in self.rows].index(after)
        return self.rows[at : at + length]

    def views(self, hidden=()):
        def of(keys):
            self.decided |= set(keys)
            return {key: view(key) for key in keys if key not in hidden}

        return Views(of=of, everybody=lambda: pytest.fail("all were decided on"))

    def page(self, count, hidden=()):
        return walk.walked(None, self.views(hidden), count, self.stretch)


def row(number, patient_key, kind, key=0):
    return (key, number, patient_key, 10 * patient_key + kind)


@pytest.fixture
def short(monkeypatch):
    monkeypatch.setattr(walk, "LEAST", 2)
    monkeypatch.setattr(walk, "MOST", 4)


kinds = st.lists(st.sampled_from((SEEN, HIDDEN, NEW)), max_size=60)


@given(kinds=kinds, count=st.integers(1, 9), least=st.integers(1, 6))
def test_every_page_is_full_as_long_as_the_walk_goes(kinds, count, least):
    index = Index([row(n, 1 + n % 3, kind, n // 4) for n, kind in enumerate(kinds)])
    seen = [(n // 4, n) for n, kind in enumerate(kinds) if kind == SEEN]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(walk, "LEAST", least)
        patch.setattr(walk, "MOST", 2 * least)
        places, given_up = index.page(count)

    if given_up is None:
        assert places == seen[:count]
    else:
        assert len(places) < count
        assert places == [place for place in seen if place[1] <= given_up[1]]
        assert len(index.lengths) == walk.STRETCHES


def test_a_page_ends_within_a_stretch():
    index = Index([row(n, 1, SEEN) for n in range(99)])

    assert index.page(3) == ([(0, 0), (0, 1), (0, 2)], None)
    assert index.lengths == [walk.LEAST]


@pytest.mark.usefixtures("short")
def test_hidden_stretches_are_passed():
    index = Index([row(n, 1, SEEN if n > 4 else HIDDEN) for n in range(9)])

    assert index.page(2) == ([(0, 5), (0, 6)], None)


@pytest.mark.usefixtures("short")
def test_a_walk_among_hidden_rows_is_given_up_where_it_stands():
    index = Index([row(n, 1, HIDDEN) for n in range(99)])

    places, given_up = index.page(2)

    assert (places, given_up) == ([], (0, sum(index.lengths) - 1))
    assert len(index.lengths) == walk.STRETCHES


@pytest.mark.usefixtures("short")
def test_an_index_that_ends_with_a_stretch_is_at_its_end():
    index = Index([row(n, 1, HIDDEN) for n in range(6)])

    assert index.page(2) == ([], None)
    assert index.lengths == [2, 4, 4]


def test_a_signature_of_later_than_its_view_is_hidden():
    assert Index([row(0, 1, NEW)]).page(1) == ([], None)


def test_a_patient_without_a_view_is_hidden():
    rows = [row(0, 1, SEEN), row(1, 2, SEEN)]

    assert Index(rows).page(2, hidden={1}) == ([(0, 1)], None)


def test_a_signature_is_not_looked_for_in_the_view_of_another_patient():
    assert Index([(0, 0, 2, 10 + SEEN)]).page(1) == ([], None)


def test_only_the_patients_who_are_met_are_decided_on():
    index = Index([row(n, 1 + n % 50, SEEN) for n in range(5)])

    index.page(3)

    assert index.decided == {1, 2, 3, 4, 5}


@pytest.mark.parametrize("count", [1, 50, 10_001])
def test_no_stretch_is_longer_than_the_longest(count):
    index = Index([row(n, 1, HIDDEN) for n in range(20_000)])

    index.page(count)

    assert max(index.lengths) <= walk.MOST
    assert all(
        later <= walk.TIMES * earlier
        for earlier, later in zip(index.lengths, index.lengths[1:], strict=False)
    )
