"""Stored rows and the SQL predicate against vectors, the oracle, and seeded faults."""

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

sys.path.insert(0, str(Path(__file__).parents[1] / "consent"))

from consent_engine import oracle_permits
from consent_worlds import scenario

from consent import vectors
from consent.formula import EndGE, EndLE, StartGE, StartLE
from consent.references import Deployment
from consent.vector_cases import Case, cases
from consent.vectors import Decider, run
from fhir_service import access, deciders
from fhir_service.storage import predicate, visible
from fhir_service.storage.predicate import (
    EVERYTHING,
    NOTHING,
    Authored,
    Coded,
    Identified,
    Mentioning,
    View,
)

CONSENT = Path(__file__).parents[1] / "consent"
OWN = CONSENT / "own_vectors.json"
LINKS = CONSENT / "link_vectors.json"
SHARED = Path(__file__).parents[3] / "shared" / "data" / "consent" / "vectors.json"

needs_shared = pytest.mark.skipif(
    not SHARED.exists(), reason="the shared decision vectors are not here"
)
FILES = [OWN, LINKS, pytest.param(SHARED, marks=needs_shared)]

SEEDS = st.integers(min_value=0, max_value=10**9)

FOCUS = [
    (),
    ("data",),
    ("securityLabel",),
    ("code",),
    ("dataPeriod",),
    ("class",),
    ("data", "securityLabel"),
]
"""Elements that are frequent in a random world: mostly those of the indexes."""


@pytest.fixture(scope="module")
def on_sqlite() -> Iterator[Decider]:
    with deciders.sqlite() as decider:
        assert decider is not None
        yield decider


@pytest.fixture(scope="module")
def on_postgresql(postgres_url: str) -> Iterator[Decider]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(deciders.URL_VARIABLE, postgres_url)
        with deciders.postgresql() as decider:
            assert decider is not None
            yield decider


@pytest.fixture(params=["on_sqlite", "on_postgresql"])
def decider(request: pytest.FixtureRequest) -> Decider:
    found: Decider = request.getfixturevalue(request.param)
    return found


def failures(path: Path, decider: Decider) -> list[str]:
    return [str(one) for one in run(path, decider) if not one.is_passed]


@pytest.mark.parametrize("path", FILES)
def test_stored_rows_pass_every_vector(path: Path, decider: Decider) -> None:
    outcomes = run(path, decider)

    assert [str(one) for one in outcomes if not one.is_passed] == []
    assert outcomes


@pytest.mark.parametrize("path", [OWN, LINKS])
def test_the_evaluator_passes_what_stored_rows_pass(path: Path) -> None:
    assert failures(path, vectors.decide) == []


def case_of(seed: int, focus: tuple[str, ...]) -> Case:
    """Return a random world as a vector; what it expects is the oracle's word."""
    scene = scenario(seed, focus)
    world = scene.world
    named = {resource["id"]: resource for resource in world.resources}
    return Case(
        id=str(seed),
        request=scene.request,
        default=scene.default,
        deployment=Deployment(zone=world.zone, own_bases=world.own_bases),
        device_parents=world.device_parents,
        consents=scene.consents,
        resources=named,
        expect={
            name: oracle_permits(scene, resource) for name, resource in named.items()
        },
    )


@settings(
    max_examples=120,
    deadline=None,
    derandomize=True,
)
@given(SEEDS, st.sampled_from(FOCUS))
def test_stored_rows_decide_random_worlds_as_the_oracle_does(
    on_sqlite: Decider, seed: int, focus: tuple[str, ...]
) -> None:
    case = case_of(seed, focus)

    assert on_sqlite(case) == case.expect


@settings(max_examples=20, deadline=None, derandomize=True)
@given(SEEDS, st.sampled_from(FOCUS))
def test_stored_rows_decide_so_on_postgresql_too(
    on_postgresql: Decider, seed: int, focus: tuple[str, ...]
) -> None:
    case = case_of(seed, focus)

    assert on_postgresql(case) == case.expect


ODD = ("x", 1, None, [], {}, True, [None], ["x"], {"a": 1}, "2026-13-45")
"""What may stand in the place of any element."""


def _spoilt(node: Any, rng: Random, chance: float) -> Any:
    """Return the node with something odd in the place of some of its parts."""
    if rng.random() < chance:
        return rng.choice(ODD)
    if isinstance(node, dict):
        return {name: _spoilt(value, rng, chance) for name, value in node.items()}
    if isinstance(node, list):
        return [_spoilt(value, rng, chance) for value in node]
    return node


@settings(max_examples=120, deadline=None, derandomize=True)
@given(SEEDS)
def test_consents_of_any_shape_are_decided_as_the_evaluator_does(
    on_sqlite: Decider, seed: int
) -> None:
    rng = Random(seed)  # noqa: S311 - chance, no secret
    case = case_of(seed, ())
    identified = {"identifier": [{"system": "urn:x", "value": "1"}]}
    spoilt = tuple(
        {
            name: value if name == "resourceType" else _spoilt(value, rng, 0.04)
            for name, value in {**consent, **identified}.items()
        }
        for consent in case.consents
    )
    odd = replace(case, consents=spoilt)

    assert on_sqlite(odd) == vectors.decide(odd)


def test_random_worlds_are_three_levels_deep_and_use_every_element() -> None:
    provisions = [
        found
        for seed in range(300)
        for consent in scenario(seed).consents
        for found in _levels(consent["provision"], 0)
    ]

    assert max(depth for depth, _ in provisions) == 3
    assert {"data", "securityLabel", "class", "code", "dataPeriod"} <= {
        name for _, provision in provisions for name in provision
    }


def _levels(provision: dict[str, object], depth: int) -> Iterator[tuple[int, dict]]:
    yield depth, provision
    for child in provision.get("provision", ()):
        yield from _levels(child, depth + 1)


@pytest.mark.parametrize(
    "atom",
    [Authored, Coded, EndGE, EndLE, Identified, Mentioning, StartGE, StartLE],
)
@pytest.mark.parametrize("answer", [("1 = 1", ()), NOTHING])
def test_an_atom_that_is_not_asked_is_noticed(
    on_sqlite: Decider, monkeypatch: pytest.MonkeyPatch, atom: type, answer: object
) -> None:
    monkeypatch.setitem(predicate._ATOMS, atom, lambda *_: answer)

    assert failures(LINKS, on_sqlite) != []


def test_a_predicate_that_is_left_out_is_noticed(
    on_sqlite: Decider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(visible, "clause", lambda *_: EVERYTHING)

    assert failures(OWN, on_sqlite) != []


def _opened(decided: access.Decided) -> access.Decided:
    view = decided.view
    return replace(
        decided, view=View(patient_key=view.patient_key, groups=(), whole=True)
    )


def test_a_gate_that_permits_everything_is_noticed(
    on_sqlite: Decider, monkeypatch: pytest.MonkeyPatch
) -> None:
    decide: Callable[..., access.Decided] = access.Gate.decided
    monkeypatch.setattr(
        access.Gate, "decided", lambda *arguments: _opened(decide(*arguments))
    )

    found = failures(OWN, on_sqlite)

    assert any("expected withhold" in one for one in found)


def test_a_row_that_is_judged_alone_otherwise_than_by_sql_is_noticed(
    on_sqlite: Decider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(access.Gate, "permits", lambda *_: True)

    found = failures(OWN, on_sqlite)

    assert any("Disagreement" in one for one in found)


def test_postgresql_does_not_run_where_none_is_named(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv(deciders.URL_VARIABLE, raising=False)

    with deciders.postgresql() as decider:
        assert decider is None


def test_the_deciders_are_installed(capsys: pytest.CaptureFixture[str]) -> None:
    known = vectors.factories()

    status = vectors.main([str(OWN)], {**known, "postgresql": _absent})

    assert set(known) == {"evaluator", "postgresql", "sqlite"}
    assert status == 0
    assert capsys.readouterr().out.splitlines() == [
        "Deciders: evaluator, sqlite",
        "Not run here: postgresql",
        "8 passed, 0 failed",
    ]


@contextmanager
def _absent() -> Iterator[None]:
    yield None


def test_a_file_may_hold_two_resources_of_one_id(on_sqlite: Decider) -> None:
    [case] = [case for case in cases(LINKS) if case.id == "LINK-14"]

    assert on_sqlite(case) == case.expect
    assert on_sqlite(case) == case.expect


def test_vectors_name_no_resource_that_is_not_there() -> None:
    document = json.loads(LINKS.read_bytes())

    for vector in document["vectors"]:
        assert set(vector["expect"]) <= set(document["resources"])
