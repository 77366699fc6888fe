"""Every kind of bad input that a FHIR API meets has a test, or a written reason.

The kinds are numbered as in the project's list of bad input; a case's name, or the
docstring of its test, begins with the number.
"""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

HERE = Path(__file__).parent

LIST = range(1, 84)
"""JSON, data types, XML, search, HTTP and bundles."""

ELSEWHERE = {
    12: "test_server.py::test_a_large_body_is_refused_by_its_length_before_it_is_read",
    44: "test_write.py::test_a_client_may_raise_a_label_and_never_lower_it",
    45: "test_write.py::test_what_a_client_says_of_version_and_time_is_replaced",
    46: "test_write.py::test_a_resource_does_not_move_to_another_patient",
    47: "test_write.py::test_the_id_in_the_body_is_that_of_the_url",
    73: "test_server.py::"
    "test_the_application_sees_the_public_address_and_the_client_behind_the_proxy",
}
"""Number → the test, in another file of this folder."""

NOT_OURS = {
    75: "HTTP/2 is spoken by the proxy in front; the service speaks HTTP/1.1",
    79: "there are no bulk files yet",
    80: "no browser of another site is answered yet: no CORS header is sent",
}
"""Number → why there is nothing to test."""


def labels(tree: ast.AST) -> Iterator[str]:
    """Yield the keys of every dictionary and the docstring of every test."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Dict):
            keys = (key for key in node.keys if isinstance(key, ast.Constant))
            yield from (str(key.value) for key in keys)
        elif isinstance(node, ast.FunctionDef):
            yield ast.get_docstring(node) or ""


def numbers() -> set[int]:
    """Return the numbers of the kinds that the tests of bad input name."""
    return {
        int(number[1])
        for path in HERE.glob("test_bad_input_*.py")
        for label in labels(ast.parse(path.read_text()))
        if (number := re.match(r"(\d{1,2})[ :]", label))
    }


def test_every_kind_of_bad_input_has_a_test_or_a_reason() -> None:
    assert set(LIST) - numbers() - set(ELSEWHERE) - set(NOT_OURS) == set()


def test_no_reason_stands_beside_a_test() -> None:
    assert numbers() & set(NOT_OURS) == set()


@pytest.mark.parametrize("place", ELSEWHERE.values())
def test_the_test_that_is_named_exists(place: str) -> None:
    file, _, name = place.partition("::")

    functions = {
        node.name
        for node in ast.walk(ast.parse((HERE / file).read_text()))
        if isinstance(node, ast.FunctionDef)
    }

    assert name in functions
