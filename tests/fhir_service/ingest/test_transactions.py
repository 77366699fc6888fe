"""A delivery of any size goes in by transactions that others can come between."""

import sqlite3
from contextlib import closing

from worlds import heart_rate

from conformance.issues import IssueType
from consent.audit.entry import Interaction
from fhir_service.ingest import intake


def payload(count):
    return [heart_rate(number, "user-1") for number in range(count)]


def ingested(clinic):
    return [
        record
        for record in clinic.world.audited()
        if record.interaction is Interaction.INGEST
    ]


def test_each_transaction_of_a_delivery_has_its_own_audit_row(either):
    either.consented()

    receipt = either.deliver(*payload(2 * intake.TRANSACTION + 1))

    assert receipt["stored"] == receipt["received"] == 2 * intake.TRANSACTION + 1
    assert [dict(record.counts) for record in ingested(either)] == [
        {"stored": intake.TRANSACTION},
        {"stored": intake.TRANSACTION},
        {"stored": 1},
    ]
    assert either.world.verified().is_intact


def test_an_empty_delivery_is_audited(clinic):
    receipt = clinic.deliver()

    assert receipt["received"] == 0
    [record] = ingested(clinic)
    assert record.status == 200


FAULT = (
    "CREATE TRIGGER fault BEFORE INSERT ON ingest_batch WHEN NEW.source <> '' "
    "AND (SELECT COUNT(*) FROM ingest_batch WHERE source <> '') = 1 "
    "BEGIN SELECT RAISE(ABORT, 'canary'); END"
)


def run(clinic, sql):
    with closing(sqlite3.connect(clinic.world.data / "fhir.sqlite3")) as database:
        database.execute(sql)
        database.commit()


def test_a_delivery_that_is_interrupted_says_that_sending_again_is_safe(clinic):
    clinic.consented()
    sent = payload(intake.TRANSACTION + 5)
    run(clinic, FAULT)

    answer = clinic.world.send(
        "POST", "/device-data/open-mhealth", sent, clinic.gateway, "application/json"
    )
    run(clinic, "DROP TRIGGER fault")
    again = clinic.deliver(*sent)

    assert answer.status_code == 500
    [issue] = answer.json["issue"]
    assert issue["code"] == IssueType.EXCEPTION
    assert "Send the same again" in issue["diagnostics"]
    assert "canary" not in answer.get_data(as_text=True)
    assert [record.status for record in ingested(clinic)] == [200, 500, 200, 200]
    assert (again["duplicate"], again["stored"]) == (intake.TRANSACTION, 5)


def test_a_delivery_whose_first_transaction_fails_has_stored_nothing(clinic):
    clinic.consented()
    run(clinic, FAULT.replace("= 1", "= 0"))

    answer = clinic.world.send(
        "POST",
        "/device-data/open-mhealth",
        payload(3),
        clinic.gateway,
        "application/json",
    )

    assert answer.status_code == 500
    assert "Send the same again" not in answer.get_data(as_text=True)
    assert clinic.found(f"Observation?patient={clinic.patient}") == []
