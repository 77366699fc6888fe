"""What consent hides leaves no trace in any answer of a search.

Each search is asked in a world with hidden resources and in one without them, and
every page must be the same: matches, totals, links, what is included.
"""

import json
import os
from contextlib import contextmanager
from urllib.parse import urlencode

import pytest
from drawn_queries import queries, sorts
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from model import Model
from twin_worlds import patient_of, twins
from worlds import matches, opened_world

from fhir_service.storage import walk

STRETCHES = (2, 100)
"""Rows that a walk over all patients takes in one go: few, and as many as usual."""

EXAMPLES = int(os.environ.get("FHIR_SERVICE_TEST_EXAMPLES", "150"))  # noqa: TID251 - the tests' own variable

INCLUDES = {
    "Condition": ("_include=Condition:encounter", "_include=Condition:patient"),
    "Device": ("_revinclude=Observation:device", "_include=Device:patient"),
    "Encounter": ("_revinclude=Condition:encounter", "_include=Encounter:patient"),
    "Observation": (
        "_include=Observation:encounter",
        "_include=Observation:device&_include:iterate=Device:patient",
        "_include=Observation:has-member",
        "_revinclude=Observation:has-member",
    ),
    "Organization": ("_revinclude=Patient:organization",),
    "Patient": (
        "_revinclude=Observation:subject",
        "_revinclude=Encounter:patient&_revinclude:iterate=Condition:encounter",
    ),
    "Practitioner": ("_revinclude=Condition:asserter",),
}

drawn = settings(
    max_examples=EXAMPLES,
    deadline=None,
    derandomize=True,
    suppress_health_check=list(HealthCheck),
)


@pytest.fixture(scope="module")
def pair(tmp_path_factory, template):
    folder = tmp_path_factory.mktemp("twins")
    with (
        opened_world(folder, template, name="whole") as whole,
        opened_world(folder, template, name="bare") as bare,
    ):
        yield twins(whole, bare, seed=11)


def asked(data, pair):
    """Draw a search of the whole world, also for what is hidden in it."""
    everything = Model(
        resources=pair.everything, now_us=pair.whole.clinic.world.clock()
    )
    type_, pairs = data.draw(queries(everything), label="query")
    count = data.draw(st.sampled_from((1, 3, 100)), label="count")
    more = [("_count", str(count)), ("_total", "accurate")]
    if data.draw(st.booleans(), label="sorted"):
        more.append(("_sort", data.draw(sorts(type_), label="sort")))
    included = data.draw(st.sampled_from(("", *INCLUDES.get(type_, ()))))
    query = urlencode([*pairs, *more]) + (f"&{included}" if included else "")
    return type_, pairs, f"{type_}?{query}"


@contextmanager
def walked(data):
    """Walk over all patients in stretches of few rows, or of as many as usual."""
    least = data.draw(st.sampled_from(STRETCHES), label="stretch")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(walk, "LEAST", least)
        patch.setattr(walk, "MOST", 2 * least)
        yield


def test_patients_are_hidden_in_whole_and_in_part(pair):
    fates = {
        patient: {
            one in pair.visible for one in pair.everything if patient_of(one) == patient
        }
        for patient in filter(None, map(patient_of, pair.everything))
    }

    in_part = {one for one, seen in fates.items() if seen == {True, False}}
    denied = {one for one, denials in pair.permitted.items() if denials}
    assert in_part == denied
    assert {False} in fates.values()
    assert {True} in fates.values()


@drawn
@given(data=st.data())
def test_every_page_is_that_of_a_world_without_what_is_hidden(pair, data):
    _, _, query = asked(data, pair)

    with walked(data):
        whole = [
            (status, pair.translated(text)) for status, text in pair.whole.pages(query)
        ]

    assert whole == list(pair.bare.pages(pair.translated(query)))


@drawn
@given(data=st.data())
def test_what_is_found_is_what_r4_says_of_the_visible_rows(pair, data):
    type_, pairs, query = asked(data, pair)

    with walked(data):
        pages = [json.loads(text) for _, text in pair.whole.pages(query)]

    visible = Model(resources=pair.visible, now_us=pair.whole.clinic.world.clock())
    expected = visible.found(type_, pairs)
    found = [one["id"] for page in pages for one in matches(page)]
    assert sorted(found) == sorted(one["id"] for one in expected)
    assert {page["total"] for page in pages} == {len(expected)}
