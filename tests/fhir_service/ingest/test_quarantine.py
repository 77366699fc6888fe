"""What is kept of refused parts: once for each client, counted, and not without end."""

import pytest
from sqlalchemy import select
from worlds import heart_rate

from fhir_service.ingest import refused
from fhir_service.ingest.retry import retry
from fhir_service.storage import quarantines
from fhir_service.storage.statement import Statement
from fhir_service.storage.tables import quarantine


@pytest.fixture
def either(either):
    """Return a clinic whose patient lets its gateway collect everything."""
    either.consented()
    return either


@pytest.fixture
def clinic(clinic):
    """Return a clinic whose patient lets its gateway collect everything."""
    clinic.consented()
    return clinic


def waiting(clinic):
    with clinic.world.deployment.database.read() as snapshot:
        return quarantines.pending(snapshot, count=5000)


def bad(number=1):
    return heart_rate(number, "user-1", value=-5)


def named(clinic, value):
    """Register a patient under a name that a source has used already."""
    other = clinic.another_patient(value)
    clinic.consented(patient_id=other)
    return other


def test_a_part_that_two_clients_bring_is_kept_for_each(either):
    other = either.world.client(
        "second",
        "system/Observation.c",
        organization=either.organization,
        sources=("open-mhealth",),
    )

    either.deliver(bad())
    either.world.deliver("open-mhealth", [bad()], other)

    assert [part.client_id for part in waiting(either)] == ["gateway", "second"]


def test_a_part_that_was_resolved_once_is_kept_again(either):
    services = either.world.deployment.services
    either.deliver(heart_rate(1, "later"))
    first = named(either, "later")
    assert retry(services).resolved == 1
    [person] = either.found(f"Patient?_id={first}", either.admin)
    del person["identifier"]
    either.world.update(person, either.admin)

    receipt = either.deliver(heart_rate(1, "later"))

    assert receipt["quarantined"] == 1
    [part] = waiting(either)
    assert part.reason == "unknown-patient"
    named(either, "later")
    assert retry(services).resolved == 1
    assert waiting(either) == []


def test_equal_parts_of_one_payload_are_kept_once_and_counted(either):
    receipt = either.deliver(*[bad()] * 7, bad(2))

    assert receipt["quarantined"] == 8
    assert [part.records for part in waiting(either)] == [7, 1]


def test_of_one_delivery_no_more_than_the_limit_is_kept_and_the_receipt_says_so(either):
    more = 3
    many = [bad(number) for number in range(refused.MAX_PARTS + more)]

    for _ in range(2):
        receipt = either.deliver(*many)

        assert receipt["quarantined"] == len(many)
        assert [(kind["reason"], kind["count"]) for kind in receipt["kinds"]] == [
            ("impossible", refused.MAX_PARTS),
            ("not-kept", more),
        ]
        assert receipt["items"][-1]["detail"] == refused.NOT_KEPT_DETAIL
        assert len(waiting(either)) == refused.MAX_PARTS


def test_a_retry_forgets_no_part_however_many_there_are(either):
    parts = [heart_rate(number, "later", value=-5) for number in range(30)]
    either.deliver(*parts, *parts)

    account = retry(either.world.deployment.services)

    assert (account.tried, account.resolved) == (30, 0)
    assert len(waiting(either)) == 30


def test_a_resolved_part_is_erased(clinic):
    clinic.deliver(heart_rate(1, "later"))
    named(clinic, "later")

    retry(clinic.world.deployment.services)

    with clinic.world.deployment.database.read() as snapshot:
        [(payload,)] = snapshot.all(Statement(select(quarantine.c.payload)))
    assert bytes(payload) == b""
