from contextlib import contextmanager
from pathlib import Path

import pytest

from conformance.fhir_json import loads
from consent import vectors
from consent.explain import decide_resource
from consent.vector_cases import case_questions, cases
from consent.vectors import decide, main, run

OWN = Path(__file__).with_name("own_vectors.json")
ROOT = Path(__file__).parents[2]
SHARED = ROOT.parent / "shared" / "data" / "consent" / "vectors.json"

needs_shared = pytest.mark.skipif(
    not SHARED.exists(), reason="the shared decision vectors are not here"
)


def because(case):
    """Return the reasons the engine names, as the vectors write them."""
    return {
        question.name: {
            prefix(reason, case.request) + str(reason)
            for reason in decide_resource(
                question.prepared, question.described.facets, question.row
            ).reasons
        }
        for question in case_questions(case)
    }


def prefix(reason, request):
    if len(request.purposes) > 1 and reason.purpose:
        return f"[{reason.purpose[1]}] "
    return f"[{reason.action}] " if len(request.actions) > 1 and reason.action else ""


def test_own_vectors_pass():
    outcomes = run(OWN, decide)

    assert [str(outcome) for outcome in outcomes if not outcome.is_passed] == []
    assert len(outcomes) == 4


@needs_shared
def test_every_shared_vector_passes():
    outcomes = run(SHARED, decide)

    assert [str(outcome) for outcome in outcomes if not outcome.is_passed] == []
    assert outcomes


@pytest.mark.parametrize("path", [OWN, pytest.param(SHARED, marks=needs_shared)])
def test_the_reasons_are_those_of_the_vectors(path):
    stated = {
        each["id"]: each["because"] for each in loads(path.read_bytes())["vectors"]
    }

    for case in cases(path):
        named = because(case)
        for resource, reasons in stated[case.id].items():
            assert named[resource] == set(reasons), case.id


def test_a_wrong_decider_fails_with_a_line_for_each_wrong_answer():
    outcomes = run(OWN, lambda case: dict.fromkeys(case.expect, True), "open")

    assert [str(outcome) for outcome in outcomes if not outcome.is_passed] == [
        "open: OWN-01 weight: expected withhold, got permit",
        "open: OWN-02 pulse: expected withhold, got permit",
    ]


def test_a_decider_that_raises_has_not_answered():
    def broken(_):
        raise RuntimeError("no database")

    outcomes = run(OWN, broken, "broken")

    assert str(outcomes[0]) == (
        "broken: OWN-01 pulse: expected permit, "
        "got no answer (RuntimeError: no database)"
    )


def test_two_deciders_that_pass_are_a_success(capsys):
    @contextmanager
    def twin():
        yield decide

    status = main([str(OWN)], {"evaluator": vectors.evaluator, "twin": twin})

    assert status == 0
    assert capsys.readouterr().out.splitlines() == [
        "Deciders: evaluator, twin",
        "8 passed, 0 failed",
    ]


def test_one_decider_alone_is_a_failure(capsys):
    @contextmanager
    def absent():
        yield None

    status = main([str(OWN)], {"evaluator": vectors.evaluator, "postgresql": absent})

    assert status == 1
    assert capsys.readouterr().out.splitlines() == [
        "Deciders: evaluator",
        "Not run here: postgresql",
        "At least 2 deciders must run.",
        "4 passed, 0 failed",
    ]


def test_a_failing_decider_is_a_failure(capsys):
    @contextmanager
    def closed():
        yield lambda case: dict.fromkeys(case.expect, False)

    status = main([str(OWN)], {"evaluator": vectors.evaluator, "closed": closed})

    assert status == 1
    assert capsys.readouterr().out.splitlines()[-1] == "6 passed, 2 failed"


def test_the_evaluator_is_known_without_installation():
    assert vectors.factories()["evaluator"] is vectors.evaluator


def test_another_format_is_refused(tmp_path):
    path = tmp_path / "else.json"
    path.write_bytes(b'{"format": "else"}')

    with pytest.raises(ValueError, match="format"):
        list(cases(path))


def test_a_broken_instant_is_refused(tmp_path):
    path = tmp_path / "broken.json"
    path.write_bytes(OWN.read_bytes().replace(b"2026-06-01T12:00:00Z", b"noon"))
    (tmp_path / "own_weight.json").write_bytes(b"{}")

    with pytest.raises(ValueError, match="instant"):
        list(cases(path))


def test_the_two_routes_must_agree():
    with pytest.raises(vectors.Disagreement, match="OWN-01 pulse"):
        vectors.agreed("OWN-01 pulse", by_signature=True, by_resource=False)
