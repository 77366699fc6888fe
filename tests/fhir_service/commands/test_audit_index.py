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


PLACES = {
    "of_first_hour": "first_leaf = (SELECT MIN(first_leaf) FROM audit_tally)",
    "of_one_scope": "(organisation_id, hour, interaction, outcome) = (SELECT "
    "organisation_id, hour, interaction, outcome FROM audit_scope_tally LIMIT 1)",
}
A_ROW_BEYOND_THE_END = (
    "INSERT INTO audit_row SELECT leaf_index + 1000000, time, block, subject_id, "
    "custodian_id, user_id, client_id, organisation_id, type_id, purpose_id, "
    "reason_id, basis_id, address_id, released, written, interaction, outcome, "
    "status, patients FROM audit_row WHERE leaf_index = 7"
)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE audit_tally SET events = events + 1 WHERE {of_first_hour}",
        "UPDATE audit_tally SET last_leaf = last_leaf - 1 WHERE {of_first_hour}",
        "DELETE FROM audit_tally WHERE {of_first_hour}",
        "INSERT INTO audit_tally VALUES (1, 0, 0, 1, 1, 0, 1, 1)",
        "UPDATE audit_scope_tally SET resources = 9 WHERE {of_one_scope}",
        "DELETE FROM audit_scope_tally WHERE {of_one_scope}",
        "UPDATE audit_name SET text = 'nobody' WHERE name_id = 1",
        "UPDATE audit_name SET text = x'ff' WHERE name_id = 1",
        "UPDATE audit_subject SET organisation_id = 0 WHERE subject_id = 1",
        "UPDATE audit_subject SET organisation_id = 'x' WHERE subject_id = 1",
        "UPDATE audit_row SET released = 'x' WHERE leaf_index = 7",
        A_ROW_BEYOND_THE_END,
        "DELETE FROM audit_seal WHERE kind = 1 AND first = 0",
        "UPDATE audit_seal SET digest = x'00' WHERE kind = 1 AND first = 0",
        "UPDATE audit_seal SET first = 'x' WHERE kind = 1 AND first = 0",
        "UPDATE audit_seal SET before = 'x' WHERE kind = 1 AND first = 0",
    ],
)
def test_whatever_of_the_index_was_changed_is_told(indexed, fhir_service, statement):
    tamper(indexed, statement.format(**PLACES))

    code, [finding] = told(fhir_service, indexed)

    assert (code, finding["kind"]) == (1, "index")


def test_a_row_that_was_another_while_it_was_indexed_is_named(filled, fhir_service):
    path = filled.database_url.removeprefix("sqlite:///")
    with closing(sqlite3.connect(path)) as connection:
        leaves = "SELECT leaf FROM audit_entry WHERE leaf_index = ?"
        put = "UPDATE audit_entry SET leaf = ? WHERE leaf_index = 7"
        [own], [other] = (connection.execute(leaves, (at,)).fetchone() for at in (7, 6))
        connection.execute(put, (other,))
        connection.commit()
        fhir_service(filled, "audit", "reindex")
        connection.execute(put, (own,))
        connection.commit()

    code, [finding] = told(fhir_service, filled)

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
