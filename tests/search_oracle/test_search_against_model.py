"""What the service finds, beside what a model written from R4 alone finds."""

from dataclasses import dataclass
from urllib.parse import urlencode

import pytest
from drawn_queries import drawn, queries, sorts
from hypothesis import given
from hypothesis import strategies as st
from made_resources import fill
from model import Model
from model_order import order, ranks
from worlds import Clinic, furnish, link, matches, opened_world


@dataclass(frozen=True, kw_only=True)
class Judged:
    """A clinic and the model of what is in it."""

    clinic: Clinic
    model: Model

    def answered(self, type_, pairs, count):
        """Return what the pages of the service bring, in order, and its total."""
        asked = [*pairs, ("_count", str(count)), ("_total", "accurate")]
        bundle = self.clinic.search(f"{type_}?{urlencode(asked)}")
        total, found = bundle["total"], list(matches(bundle))
        while following := link(bundle, "next"):
            bundle = self.clinic.search(following.partition("/fhir/")[2])
            found += matches(bundle)
        return total, found


def judged(world, seed):
    clinic = furnish(world)
    made = fill(clinic, seed).made
    return Judged(clinic=clinic, model=Model(resources=made, now_us=world.clock()))


@pytest.fixture(scope="module")
def full(tmp_path_factory, template):
    folder = tmp_path_factory.mktemp("full")
    with opened_world(folder, template) as world:
        yield judged(world, seed=3)


def ids(resources):
    return sorted(one["id"] for one in resources)


@drawn()
@given(data=st.data())
def test_a_search_finds_what_r4_says(full, data):
    type_, pairs = data.draw(queries(full.model), label="query")
    count = data.draw(st.sampled_from((2, 7, 100)), label="count")

    total, found = full.answered(type_, pairs, count)

    expected = full.model.found(type_, pairs)
    assert ids(found) == ids(expected)
    assert total == len(expected)


@drawn()
@given(data=st.data())
def test_a_search_is_ordered_as_r4_says(full, data):
    type_, pairs = data.draw(queries(full.model), label="query")
    keys = data.draw(sorts(type_), label="sort")

    _, found = full.answered(type_, [*pairs, ("_sort", keys)], 3)

    expected = order(full.model, full.model.found(type_, pairs), keys)
    assert ids(found) == ids(expected)
    placed = [ranks(full.model, one, keys) for one in found]
    assert placed == [ranks(full.model, one, keys) for one in expected]
