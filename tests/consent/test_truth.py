import itertools

import pytest

from consent.formula import Instance
from consent.truth import (
    DIFFERS,
    MATCHES,
    UNKNOWN,
    all_match,
    any_matches,
    both,
    constant,
    either,
    exactly,
)

VALUES = (True, None, False)


def expected_and(values):
    if False in values:
        return False
    return None if None in values else True


@pytest.mark.parametrize("values", list(itertools.product(VALUES, repeat=3)))
def test_and_and_or_are_those_of_three_values(values):
    opposite = {True: False, None: None, False: True}
    mirrored = [opposite[value] for value in values]

    assert both(values) is expected_and(values)
    assert either(values) is opposite[expected_and(mirrored)]
    assert all_match(map(constant, values)) == constant(both(values))
    assert any_matches(map(constant, values)) == constant(either(values))


def test_nothing_to_match_is_a_match_and_no_alternative_is_none():
    assert both(()) is True
    assert either(()) is False
    assert all_match(()) == MATCHES
    assert any_matches(()) == DIFFERS


def test_a_formula_is_never_unknown():
    atom = Instance("Observation/one")

    assert exactly(atom) == (atom, atom)
    assert all_match((exactly(atom), UNKNOWN)) == (False, atom)
    assert any_matches((exactly(atom), UNKNOWN)) == (atom, True)
