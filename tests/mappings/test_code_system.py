import re

import pytest

from mappings.code_system import (
    CONCEPTS,
    FLAGS,
    URL,
    WORKOUTS,
    code_system_resource,
)
from mappings.kinds import VALUE_SETS, kinds


def used_codes():
    of_kinds = [coding for kind in kinds().values() for coding in kind.codings]
    of_values = [
        coding
        for values in VALUE_SETS.values()
        for codings in values.values()
        for coding in codings
    ]
    flags = {code: flag.display for code, flag in FLAGS.items()}
    return flags | {
        coding.code: coding.display
        for coding in (*of_kinds, *of_values)
        if coding.system == URL
    }


def test_every_code_of_ours_has_a_concept_with_its_display():
    assert used_codes() == {code: concept.display for code, concept in CONCEPTS.items()}


@pytest.mark.parametrize(("code", "concept"), CONCEPTS.items(), ids=CONCEPTS)
def test_a_concept_says_what_it_is(code, concept):
    assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", code)
    assert concept.display.strip() == concept.display != ""
    assert concept.definition.endswith(".")
    assert "  " not in concept.definition


def test_no_two_kinds_have_the_same_display():
    displays = [concept.display.casefold() for concept in CONCEPTS.values()]

    assert len(displays) == len(set(displays))


def test_the_workouts_are_listed_once_and_in_order():
    assert list(WORKOUTS) == sorted(set(WORKOUTS))


def test_the_code_system_is_complete_and_valid(faults):
    resource = code_system_resource()

    assert faults(resource) == []
    assert resource["count"] == len(resource["concept"]) == len(CONCEPTS)
    assert resource["url"] == URL
