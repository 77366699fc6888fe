"""What no change may do: turn a denial into a permit."""

# ruff: noqa: S311 - chance, not secrets

import copy
import random
from dataclasses import replace

import pytest
from consent_engine import engine_permits, oracle_permits
from consent_worlds import (
    ACTIONS,
    PURPOSES,
    SCOPE,
    T,
    provision,
    scenario,
    shuffled,
    theme,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from consent.decision import DefaultPolicy

SEEDS = st.integers(min_value=0, max_value=10**9)


def with_request(scene, **changes):
    return replace(scene, request=replace(scene.request, **changes))


def with_resources(scene, change):
    resources = tuple(change(each) for each in scene.world.resources)
    return replace(scene, world=replace(scene.world, resources=resources))


def without(resource, *names):
    return {name: value for name, value in resource.items() if name not in names}


def a_deny_consent_is_added(scene, rng):
    root = {**provision(rng, 0, theme(rng, ()), wild=False), "type": "deny"}
    added = {
        "resourceType": "Consent",
        "id": "added",
        "status": "active",
        "scope": SCOPE,
        "patient": {"reference": "Patient/p1"},
        "provision": {**root, "provision": []} if "provision" not in root else root,
    }
    if not added["provision"]["provision"]:
        del added["provision"]["provision"]
    else:
        added["provision"]["provision"] = [{"type": "deny"}]
    return replace(scene, consents=(*scene.consents, added))


def a_purpose_is_added(scene, rng):
    asked = scene.request.purposes
    added = (T + "v3-ActReason", rng.choice(PURPOSES))
    return with_request(scene, purposes=(*asked, added)) if asked else scene


def all_purposes_are_dropped(scene, _):
    is_btg = (T + "v3-ActReason", "BTG") in scene.request.purposes
    if is_btg and not scene.request.btg_attested:
        return scene
    return with_request(scene, purposes=())


def labels_are_removed(scene, _):
    return with_resources(
        scene,
        lambda each: {**each, "meta": without(each.get("meta", {}), "security")},
    )


def clinical_dates_are_removed(scene, _):
    return with_resources(
        scene,
        lambda each: without(
            each, "effectiveDateTime", "effectivePeriod", "effectiveTiming", "issued"
        ),
    )


def an_action_is_added(scene, rng):
    actions = (*scene.request.actions, rng.choice(ACTIONS))
    return with_request(scene, actions=actions)


def a_bare_deny_is_nested(scene, rng):
    consents = copy.deepcopy(scene.consents)
    for consent in consents:
        node = consent["provision"]
        while isinstance(node.get("provision"), list) and rng.random() < 0.5:
            node = rng.choice(node["provision"])
        node["provision"] = [*node.get("provision", []), {"type": "deny"}]
    return replace(scene, consents=consents)


def the_individual_is_lost(scene, _):
    return with_request(scene, individual_known=False)


def the_attestation_is_lost(scene, _):
    return with_request(scene, btg_attested=False)


def the_default_becomes_deny(scene, _):
    if scene.default is not DefaultPolicy.PERMIT:
        return scene
    return replace(scene, default=DefaultPolicy.DENY)


NEVER_OPENS = [
    (a_deny_consent_is_added, "parity of denies", ()),
    (a_purpose_is_added, "any purpose", ("purpose",)),
    (all_purposes_are_dropped, "missing purpose matches", ("purpose",)),
    (labels_are_removed, "unlabelled is normal", ("securityLabel",)),
    (clinical_dates_are_removed, "undated deny ignored", ("dataPeriod",)),
    (an_action_is_added, "any action", ("action",)),
    (a_bare_deny_is_nested, "bare denies flip", ()),
    (the_individual_is_lost, "persons skipped", ("actor",)),
    (the_attestation_is_lost, "unattested break-glass dropped", ("purpose",)),
    (the_default_becomes_deny, "inverted default", ()),
]
"""A change, a mistake that its property must notice, and where that shows."""


def opens(seed, change, focus, permits):
    """Whether the change turns a denial into a permit somewhere in the world."""
    before = scenario(seed, focus)
    after = change(before, random.Random(seed))
    pairs = zip(before.world.resources, after.world.resources, strict=True)
    return any(permits(after, new) and not permits(before, old) for old, new in pairs)


@pytest.mark.parametrize(
    ("change", "focus"),
    [(change, focus) for change, _, focus in NEVER_OPENS],
    ids=[change.__name__ for change, _, _ in NEVER_OPENS],
)
@settings(max_examples=150, deadline=None, derandomize=True)
@given(seed=SEEDS)
def test_nothing_opens_when(change, focus, seed):
    assert not opens(seed, change, (), engine_permits)
    assert not opens(seed, change, focus, engine_permits)


@pytest.mark.parametrize(
    ("change", "fault", "focus"),
    NEVER_OPENS,
    ids=[change.__name__ for change, _, _ in NEVER_OPENS],
)
def test_the_property_notices_a_seeded_mistake(change, fault, focus):
    def permits(scene, resource):
        return oracle_permits(scene, resource, fault)

    assert any(opens(seed, change, focus, permits) for seed in range(6_000))


@settings(max_examples=200, deadline=None, derandomize=True)
@given(SEEDS)
def test_the_order_of_consents_and_siblings_never_matters(seed):
    scene = scenario(seed)
    other = shuffled(scene, random.Random(seed))

    for resource in scene.world.resources:
        assert engine_permits(scene, resource) == engine_permits(other, resource)


def test_the_order_property_notices_that_the_first_vote_wins():
    def differs(seed):
        scene = scenario(seed)
        other = shuffled(scene, random.Random(seed))
        return any(
            oracle_permits(scene, each, "first vote wins")
            != oracle_permits(other, each, "first vote wins")
            for each in scene.world.resources
        )

    assert any(differs(seed) for seed in range(500))
