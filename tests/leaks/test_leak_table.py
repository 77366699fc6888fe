"""The table of leaks against the tests, and against what the service has."""

import ast
import re
from pathlib import Path

import pytest
from leak_catalogue import CATALOGUE
from leak_writes import WRITES
from test_seeded_faults import WITHDRAWALS

from fhir_service.interactions.received import NOT_WRITTEN
from fhir_service.routes import ROUTES

TESTS = Path(__file__).parents[1]
ROOT = TESTS.parent
OWN = ("reading", "writing", "withdrawal", "races", "costs", "limits")
"""Files of which every test closes a row."""

NOT_OF_A_ROW = {
    "test_an_answer_from_two_snapshots_would_be_noticed",
    "test_a_gate_that_decides_each_time_is_noticed",
}
"""Tests that say of others that they can fail."""

ROWS = [f"L{number}" for number in range(1, 26)]


def table():
    """Return the rows of the table: number → path, existence, tests."""
    text = (ROOT / "docs" / "leaks.md").read_text(encoding="utf-8")
    found = re.findall(
        r"^\| (L\d+) \| (.+) \| (yes|no) \| (.+) \|$", text, re.MULTILINE
    )
    return {row: (path, exists == "yes", told) for row, path, exists, told in found}


def functions(paths):
    return {
        node.name
        for path in paths
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")
    }


def named():
    return {
        row: set(re.findall(r"`(test_\w+)`", told))
        for row, (_, _, told) in table().items()
    }


def test_every_row_of_the_list_is_in_the_table():
    assert list(table()) == ROWS


@pytest.mark.parametrize("row", ROWS)
def test_every_path_that_exists_has_a_test_and_no_other_has(row):
    _, exists, _ = table()[row]

    assert bool(named()[row]) is exists


def test_every_test_of_the_table_exists():
    assert set().union(*named().values()) - functions(TESTS.rglob("test_*.py")) == set()


def test_every_test_of_leaks_is_in_the_table():
    own = functions(Path(__file__).with_name(f"test_{name}.py") for name in OWN)

    assert own - NOT_OF_A_ROW - set().union(*named().values()) == set()


def test_every_path_that_exists_is_shown_a_fault():
    shown = {*CATALOGUE, *WRITES, *WITHDRAWALS, "L18", "L23", "L24"}

    assert shown == {row for row, (_, exists, _) in table().items() if exists}


def test_the_paths_that_do_not_exist_do_not():
    templates = {route.template for route in ROUTES}
    jobs = {path.name for path in (ROOT / "fhir_service" / "jobs").glob("*.py")}

    assert not any("$export" in one or "$graphql" in one for one in templates)
    assert "Subscription" in NOT_WRITTEN
    assert jobs == {"__init__.py"}
