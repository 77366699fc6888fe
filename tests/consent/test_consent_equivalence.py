"""The engine against the plain oracle, on random worlds; and the oracle's own power."""

import pytest
from consent_engine import (
    description,
    engine_permits,
    oracle_permits,
    preparation,
    row_of,
)
from consent_oracle import FAULTS
from consent_worlds import scenario
from hypothesis import given, settings
from hypothesis import strategies as st

from consent.formula import evaluate

SEEDS = st.integers(min_value=0, max_value=10**9)

FOCUS = {
    "any action": ("action",),
    "any purpose": ("purpose",),
    "broader label escapes": ("securityLabel",),
    "certainty": ("purpose", "actor"),
    "components ignored": ("code",),
    "deny inherits": ("code", "securityLabel"),
    "deny reads principal code": ("code",),
    "device not closed": ("data",),
    "display-only deny ignored": ("actor",),
    "exception unbound": ("code",),
    "exclusive end": ("dataPeriod", "period"),
    "missing purpose matches": ("purpose",),
    "persons skipped": ("actor",),
    "purpose tree ignored": ("purpose",),
    "related is literal": ("data",),
    "sensitivity any": ("securityLabel",),
    "start only": ("dataPeriod",),
    "undated deny ignored": ("dataPeriod",),
    "unlabelled is normal": ("securityLabel",),
}
"""Where each mistake is most likely to show; the others show anywhere."""


@settings(max_examples=600, deadline=None, derandomize=True)
@given(SEEDS)
def test_formula_and_resource_decide_as_the_oracle_does(seed):
    scene = scenario(seed)

    for resource in scene.world.resources:
        assert engine_permits(scene, resource) == oracle_permits(scene, resource)


@settings(max_examples=120, deadline=None, derandomize=True)
@given(SEEDS, st.sampled_from([(), *FOCUS.values()]))
def test_signatures_that_share_a_formula_are_decided_alike(seed, focus):
    scene = scenario(seed, focus, resources=12)
    prepared = preparation(scene, "Patient/p1")

    for resource in scene.world.resources:
        described = description(scene, resource)
        if described.patient == "Patient/p1":
            formula = prepared.formula(described.facets)
            released = evaluate(formula, row_of(scene, resource))
            assert released == oracle_permits(scene, resource)


@pytest.mark.parametrize("fault", FAULTS)
def test_a_seeded_mistake_is_noticed(fault):
    scenes = (scenario(seed, FOCUS.get(fault, ())) for seed in range(3_000))

    assert any(
        oracle_permits(scene, resource, fault) != oracle_permits(scene, resource)
        for scene in scenes
        for resource in scene.world.resources
    )
