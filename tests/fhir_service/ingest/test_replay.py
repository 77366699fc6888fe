"""What was sent once is known for ever: a replay changes nothing, however it comes."""

import sqlite3
from contextlib import closing

import pytest
from sqlalchemy import select
from worlds import heart_rate

from fhir_service.ingest import intake
from fhir_service.storage import types
from fhir_service.storage.statement import Statement
from fhir_service.storage.tables import (
    directory,
    observation_code,
    resource,
    resource_history,
    source_content,
    source_key,
)

TABLES = (
    resource,
    resource_history,
    observation_code,
    source_key,
    source_content,
    directory,
)


def state(clinic):
    with clinic.world.deployment.database.read() as snapshot:
        return {
            table.name: sorted(map(repr, snapshot.all(Statement(select(table)))))
            for table in TABLES
        }


def value(clinic):
    [found] = clinic.found(f"Observation?patient={clinic.patient}")
    return found["valueQuantity"]["value"], found["meta"]["versionId"]


def sent(*values):
    return [heart_rate(1, "user-1", value=one) for one in values]


def test_a_delivery_that_corrects_itself_in_a_later_transaction_replays(either):
    either.consented()
    between = [
        heart_rate(number, "user-1") for number in range(2, intake.TRANSACTION + 2)
    ]
    payload = [*sent(60), *between, *sent(61)]
    first = either.deliver(*payload)
    before = state(either)

    second = either.deliver(*payload)

    assert (first["stored"], first["amended"]) == (len(between) + 1, 1)
    assert (second["duplicate"], second["changed"]) == (len(payload), False)
    assert state(either) == before


def test_an_older_content_that_comes_again_is_no_news(either):
    either.consented()
    for one in sent(60, 61, 62):
        either.deliver(one)

    receipt = either.deliver(*sent(60, 61))

    assert (receipt["duplicate"], receipt["changed"]) == (2, False)
    assert value(either) == (62, "3")


@pytest.mark.parametrize("again", [60, 61, 62])
def test_a_content_that_one_payload_has_replaced_is_remembered(clinic, again):
    clinic.consented()
    clinic.deliver(*sent(60, 61, 62))

    receipt = clinic.deliver(*sent(again))

    assert receipt["duplicate"] == 1
    assert value(clinic) == (62, "3")


def test_a_correction_of_what_was_deleted_does_not_bring_it_back(clinic):
    clinic.consented()
    clinic.deliver(*sent(60))
    number = types.number_of("Observation")
    with closing(sqlite3.connect(clinic.world.data / "fhir.sqlite3")) as database:
        database.execute("UPDATE resource SET deleted = 1 WHERE type = ?", (number,))
        database.commit()

    receipt = clinic.deliver(*sent(61))

    assert [(one["outcome"], one["reason"]) for one in receipt["items"]] == [
        ("duplicate", "deleted")
    ]
