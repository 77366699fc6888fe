import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from consent.formula import (
    LINKS,
    TIMES,
    And,
    EndGE,
    EndLE,
    HasCoding,
    Instance,
    Mentions,
    Not,
    Or,
    RefersTo,
    Row,
    StartGE,
    StartLE,
    conjunction,
    disjunction,
    evaluate,
    negation,
    replaced,
    strengthen,
)

ONE = Instance("Observation/one")
TWO = Mentions("Encounter/e1")
SMALL = st.integers(min_value=-2, max_value=2)
ATOMS = st.one_of(
    st.builds(StartGE, SMALL),
    st.builds(StartLE, SMALL),
    st.builds(EndGE, SMALL),
    st.builds(EndLE, SMALL),
    st.sampled_from([ONE, TWO, RefersTo("List/a"), HasCoding("s", "c")]),
)
ROWS = [
    Row(
        reference=reference,
        start_us=start,
        end_us=end,
        mentions=mentions,
        referred_by=referrers,
        codings=codings,
    )
    for reference, (start, end), mentions, referrers, codings in itertools.product(
        ("Observation/one", "Observation/two"),
        ((-1, -1), (-1, 2), (0, 1), (2, 2)),
        (frozenset(), frozenset({"Encounter/e1"})),
        (frozenset(), frozenset({"List/a"})),
        (frozenset(), frozenset({("s", "c")})),
    )
]


def trees(leaf):
    """Return formulas as nested tuples, not yet folded."""
    return st.recursive(
        leaf,
        lambda inner: st.one_of(
            st.tuples(st.just("and"), st.lists(inner, max_size=3)),
            st.tuples(st.just("or"), st.lists(inner, max_size=3)),
            st.tuples(st.just("not"), inner),
        ),
        max_leaves=8,
    )


TREES = trees(st.one_of(st.booleans(), ATOMS))


def folded(tree):
    match tree:
        case ("and", parts):
            return conjunction(folded(part) for part in parts)
        case ("or", parts):
            return disjunction(folded(part) for part in parts)
        case ("not", part):
            return negation(folded(part))
        case _:
            return tree


def plainly(tree, row):
    match tree:
        case ("and", parts):
            return all(plainly(part, row) for part in parts)
        case ("or", parts):
            return any(plainly(part, row) for part in parts)
        case ("not", part):
            return not plainly(part, row)
        case _:
            return evaluate(tree, row)


def shapes(formula):
    """Yield every node of a formula."""
    yield formula
    for part in getattr(formula, "parts", ()):
        yield from shapes(part)
    if isinstance(formula, Not):
        yield from shapes(formula.part)


@settings(max_examples=300, deadline=None, derandomize=True)
@given(TREES)
def test_folding_changes_no_answer(tree):
    formula = folded(tree)

    assert [evaluate(formula, row) for row in ROWS] == [
        plainly(tree, row) for row in ROWS
    ]


@settings(max_examples=300, deadline=None, derandomize=True)
@given(TREES)
def test_a_folded_formula_is_a_constant_or_holds_none(tree):
    formula = folded(tree)

    if not isinstance(formula, bool):
        for node in shapes(formula):
            assert not isinstance(node, bool)
            parts = getattr(node, "parts", (None, None))
            assert len(parts) > 1
            assert all(type(part) is not type(node) for part in parts)


@pytest.mark.parametrize("supported", [TIMES, LINKS, TIMES | LINKS, frozenset()])
@settings(max_examples=150, deadline=None, derandomize=True)
@given(tree=TREES)
def test_a_strengthened_formula_implies_the_formula(supported, tree):
    formula = folded(tree)

    stronger = strengthen(formula, supported)

    assert all(evaluate(formula, row) for row in ROWS if evaluate(stronger, row))
    for node in shapes(stronger):
        assert isinstance(node, bool | And | Or | Not) or type(node) in supported


def test_strengthening_keeps_what_is_supported():
    formula = disjunction((conjunction((StartGE(1), negation(TWO))), EndLE(5)))

    assert strengthen(formula, TIMES | LINKS) == formula
    assert strengthen(formula, TIMES) == EndLE(5)
    assert strengthen(negation(TWO), TIMES) is False


def test_a_constant_needs_no_strengthening():
    assert strengthen(True, TIMES) is True  # noqa: FBT003 - a formula
    assert strengthen(False, TIMES) is False  # noqa: FBT003 - a formula


def test_atoms_are_replaced_wherever_they_stand_and_the_formula_folds_again():
    answers = {StartGE(1): True, EndLE(5): False, ONE: TWO, TWO: ONE}
    either = disjunction((EndLE(5), negation(ONE)))

    assert replaced(ONE, answers.get) == TWO
    assert replaced(conjunction((StartGE(1), ONE)), answers.get) == TWO
    assert replaced(either, answers.get) == Not(TWO)
    assert replaced(negation(ONE), answers.get) == Not(TWO)
    assert replaced(conjunction((TWO, either)), answers.get) == And((ONE, Not(TWO)))
    assert replaced(True, answers.get) is True  # noqa: FBT003 - a formula


def test_constants_fold_away():
    assert conjunction(()) is True
    assert disjunction(()) is False
    assert conjunction((True, ONE)) is ONE
    assert disjunction((False, ONE)) is ONE
    assert conjunction((ONE, False)) is False
    assert disjunction((ONE, True)) is True
    assert conjunction((ONE, conjunction((TWO, ONE)))) == And((ONE, TWO))
    assert disjunction((ONE, disjunction((TWO, ONE)))) == Or((ONE, TWO))


def test_negation_of_a_time_is_the_opposite_time():
    assert negation(StartGE(5)) == StartLE(4)
    assert negation(StartLE(5)) == StartGE(6)
    assert negation(EndGE(5)) == EndLE(4)
    assert negation(EndLE(5)) == EndGE(6)
    assert negation(negation(ONE)) is ONE
    assert negation(conjunction(())) is False
    assert negation(And((ONE, TWO))) == Not(And((ONE, TWO)))
