"""Whoever takes a row out of the index hides nothing: it is compared with the log."""

import json
import sqlite3
from contextlib import closing

import pytest


@pytest.fixture
def indexed(filled, fhir_service):
    assert fhir_service(filled, "audit", "reindex").exit_code == 0
    return filled


def tamper(settings, statement):
    path = settings.database_url.removeprefix("sqlite:///")
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute(statement).rowcount == 1
        connection.commit()


def told(fhir_service, settings):
    result = fhir_service(settings, "audit", "verify", "--json")
    return result.exit_code, json.loads(result.stdout)["findings"]


def test_an_index_that_nobody_touched_says_what_the_log_says(indexed, fhir_service):
    assert told(fhir_service, indexed) == (0, [])


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM audit_row WHERE leaf_index = 7",
        "UPDATE audit_row SET outcome = 2 WHERE leaf_index = 7",
        "UPDATE audit_row SET time = time + 1 WHERE leaf_index = 7",
        "UPDATE audit_row SET client_id = 999 WHERE leaf_index = 7",
        "INSERT INTO audit_patient VALUES (999, 7)",
    ],
)
def test_a_row_of_the_index_that_was_changed_is_named(indexed, fhir_service, statement):
    tamper(indexed, statement)

    code, [finding] = told(fhir_service, indexed)

    assert (code, finding["kind"], finding["row"]) == (1, "index", 7)


def test_an_index_is_made_anew_from_the_log(indexed, fhir_service):
    tamper(indexed, "DELETE FROM audit_row WHERE leaf_index = 3")

    fhir_service(indexed, "audit", "reindex")

    assert told(fhir_service, indexed) == (0, [])


def test_an_index_made_anew_is_the_same(filled_on_either, fhir_service):
    for _ in range(2):
        done = fhir_service(filled_on_either, "audit", "reindex")
        assert done.exit_code == 0, done.stderr

    assert told(fhir_service, filled_on_either) == (0, [])
