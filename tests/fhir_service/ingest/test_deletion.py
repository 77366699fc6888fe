"""What a source has deleted is deleted here, once, and by that source alone."""

from datetime import UTC, datetime

import pytest
from worlds import heart_rate

from consent.audit.entry import Interaction
from fhir_service.auth import local
from fhir_service.ingest.delivery import Delivery
from fhir_service.ingest.intake import Origin, take
from fhir_service.ingest.retry import retry
from mappings.measurement import Deletion
from mappings.vendors.table import VENDORS

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def take_back(clinic, *deletions, client="gateway", source="open-mhealth"):
    services = clinic.world.deployment.services
    with services.database.read() as snapshot:
        grant = local.registered(snapshot, client)
    vendor = VENDORS[source]
    delivery = Delivery(
        source=source,
        parser=vendor.parser,
        identifier_system=vendor.system,
        is_registered=False,
        patient_id=None,
        grant=grant,
        payload_sha256=None,
        received_us=services.clock(),
    )
    origin = Origin(interaction=Interaction.INGEST, request="a deletion")
    return take(services, delivery, origin, deletions).to_json()


def deletion(source_id="point-1", **more):
    return Deletion("$[0]", source_id, patient="user-1", **more)


def ids(clinic):
    found = clinic.found(f"Observation?patient={clinic.patient}")
    return [one["identifier"][0]["value"] for one in found]


def status(clinic, id_):
    return clinic.world.get(f"/fhir/Observation/{id_}", clinic.ehr).status_code


@pytest.fixture
def stored(either):
    """Return a clinic with two heart rates, and the names of their source for them."""
    either.consented()
    either.deliver(heart_rate(1, "user-1"), heart_rate(2, "user-1"))
    first, second = sorted(ids(either))
    return either, first, second


def test_what_the_source_deletes_is_gone(stored):
    clinic, first, second = stored
    [resource] = [
        one
        for one in clinic.found(f"Observation?patient={clinic.patient}")
        if one["identifier"][0]["value"] == first
    ]

    receipt = take_back(clinic, deletion(first))

    assert (receipt["received"], receipt["deleted"], receipt["changed"]) == (1, 1, True)
    assert ids(clinic) == [second]
    assert status(clinic, resource["id"]) == 410


def test_a_deletion_that_comes_again_changes_nothing(stored):
    clinic, first, _ = stored
    take_back(clinic, deletion(first))

    receipt = take_back(clinic, deletion(first))

    assert (receipt["duplicate"], receipt["changed"]) == (1, False)


def test_what_was_deleted_does_not_come_back(stored):
    clinic, first, second = stored
    take_back(clinic, deletion(first))

    receipt = clinic.deliver(heart_rate(1, "user-1"), heart_rate(2, "user-1", value=99))

    assert (receipt["duplicate"], receipt["amended"]) == (1, 1)
    assert ids(clinic) == [second]


def test_only_the_kind_that_is_named_is_deleted(stored):
    clinic, first, _ = stored

    receipt = take_back(clinic, deletion(first, kind="body-weight"))

    assert receipt["quarantined"] == 1
    assert len(ids(clinic)) == 2


def test_a_deletion_that_comes_too_early_waits(stored):
    clinic, *_ = stored
    third = heart_rate(3, "user-1")
    early = take_back(clinic, deletion(str(third["header"]["id"])))
    clinic.deliver(third)

    account = retry(clinic.world.deployment.services)

    assert early["kinds"][0]["reason"] == "unknown-source-id"
    assert account.resolved == 1
    assert len(ids(clinic)) == 2


def test_another_source_deletes_nothing(stored):
    clinic, first, _ = stored

    receipt = take_back(clinic, deletion(first), source="zigbee2mqtt")

    assert receipt["quarantined"] == 1
    assert len(ids(clinic)) == 2


def test_another_organisation_deletes_nothing_and_is_told_nothing(stored):
    clinic, first, _ = stored
    clinic.world.client(
        "strange",
        "system/Observation.c",
        organization="Organization/b",
        sources=("open-mhealth",),
    )

    receipt = take_back(clinic, deletion(first), client="strange")

    assert receipt["kinds"][0]["reason"] == "unknown-patient"
    assert len(ids(clinic)) == 2
