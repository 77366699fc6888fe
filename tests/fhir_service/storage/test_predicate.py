"""Views as SQL: how the text is put together; what it finds is told by the vectors."""

import sqlite3

import pytest

from consent.formula import And, Not, Or, StartGE, StartLE
from fhir_service.storage.predicate import Coded, View, clause

MANY = 5_000
"""More terms than SQLite takes in one flat expression."""


def view(formula, *ids):
    return View(patient_key=1, groups=((formula, ids),), whole=False)


@pytest.mark.parametrize("joined", [And, Or])
def test_any_number_of_terms_is_asked(joined):
    terms = tuple(StartGE(number) for number in range(MANY))
    database = sqlite3.connect(":memory:")
    database.execute("CREATE TABLE t (signature_id, c_start, row)")
    database.executemany(
        "INSERT INTO t VALUES (?, ?, ?)", [(7, -1, 1), (7, MANY, 2), (8, MANY, 3)]
    )

    text, values = clause(view(joined(terms), 7), "sqlite")
    found = database.execute(f"SELECT row FROM t o WHERE {text}", values).fetchall()  # noqa: S608 - the clause under test

    assert found == [(2,)]


def test_nothing_is_asked_of_a_view_of_everything():
    assert clause(View(patient_key=1, groups=(), whole=True), "sqlite") == ("", ())


def test_a_view_of_nothing_holds_nothing():
    text, values = clause(View(patient_key=1, groups=(), whole=False), "sqlite")

    assert (text, values) == ("1 = 0", ())


def test_the_values_are_in_the_order_of_their_places():
    formula = And((StartLE(5), Not(Coded((3, 4)))))

    text, values = clause(view(formula, 7, 9), "postgresql")

    assert values == ([7, 9], 5, [3, 4])
    assert text.count("?") == len(values)


def test_a_signature_has_the_condition_of_its_group():
    found = View(
        patient_key=1, groups=((True, (1, 2)), (StartLE(5), (3,))), whole=False
    )

    assert [found.formula(id_) for id_ in (2, 3, 4)] == [True, StartLE(5), False]
