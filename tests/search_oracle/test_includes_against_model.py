"""What the service includes, beside what a model written from R4 alone includes."""

import os
from urllib.parse import urlencode

import pytest
from drawn_queries import queries
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from model import Model
from model_includes import Include, included, key
from model_table import PARAMETERS
from test_search_against_model import judged
from worlds import matches, opened_world

EXAMPLES = int(os.environ.get("FHIR_SERVICE_TEST_EXAMPLES", "200"))  # noqa: TID251 - the tests' own variable

REFERENCES = sorted(
    (type_, name, target)
    for type_, parameters in PARAMETERS.items()
    for name, parameter in parameters.items()
    if parameter.kind == "reference" and parameter.of == "Reference"
    for target in parameter.targets
    if target in PARAMETERS
)
"""Source, parameter and target of every reference between types of the world."""


@pytest.fixture(scope="module")
def full(tmp_path_factory, template):
    folder = tmp_path_factory.mktemp("included")
    with opened_world(folder, template) as world:
        yield judged(world, seed=4)


@st.composite
def includes(draw, types):
    """Draw an include that leads from or to one of the types."""
    source, name, target = draw(
        st.sampled_from([one for one in REFERENCES if {one[0], one[2]} & set(types)])
    )
    return Include(
        source=source,
        parameter=name,
        target=draw(st.sampled_from((target, None))),
        is_reverse=source not in types or draw(st.booleans()),
        iterates=draw(st.booleans()),
    )


def test_what_a_search_includes_is_what_r4_says(full):
    types = sorted({one for source, _, to in REFERENCES for one in (source, to)})

    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        derandomize=True,
        suppress_health_check=list(HealthCheck),
    )
    @given(data=st.data())
    def check(data):
        type_, pairs = data.draw(
            queries(full.model).filter(lambda one: one[0] in types)
        )
        first = data.draw(includes([type_]))
        more = data.draw(st.lists(includes(types), max_size=3))
        asked = [first, *more]
        query = [*pairs, *(one.pair for one in asked), ("_count", "200")]

        bundle = full.clinic.search(f"{type_}?{urlencode(query)}")

        found = list(matches(bundle))
        beside = [
            key(one["resource"])
            for one in bundle.get("entry", ())
            if one["search"]["mode"] == "include"
        ]
        assert sorted(beside) == sorted(included(full.model, found, asked))

    check()


def test_the_model_includes_each_once_and_follows_what_iterates():
    world = Model(
        resources=[
            {"resourceType": "Organization", "id": "a"},
            {
                "resourceType": "Organization",
                "id": "b",
                "partOf": {"reference": "Organization/a"},
            },
            {
                "resourceType": "Patient",
                "id": "p",
                "managingOrganization": {"reference": "Organization/b"},
            },
        ],
        now_us=0,
    )
    patient = world.resources[2]
    direct = Include(source="Patient", parameter="organization")
    above = Include(source="Organization", parameter="partof")
    followed = Include(source="Organization", parameter="partof", iterates=True)
    back = Include(source="Patient", parameter="organization", is_reverse=True)

    assert included(world, [patient], [direct, above]) == {("Organization", "b")}
    assert included(world, [patient], [direct, followed]) == {
        ("Organization", "a"),
        ("Organization", "b"),
    }
    assert included(world, [world.resources[1]], [back]) == {("Patient", "p")}
    assert included(world, [patient], [back]) == set()
