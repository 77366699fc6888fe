"""What a source has deleted is deleted here, once, and by that source alone."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from worlds import heart_rate, patient

from consent.audit.entry import Interaction
from fhir_service.auth import local
from fhir_service.ingest.delivery import Delivery
from fhir_service.ingest.intake import Origin, take
from fhir_service.ingest.retry import retry
from mappings.measurement import Deletion
from mappings.vendors.table import VENDORS

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def take_back(
    clinic, *deletions, client="gateway", source="open-mhealth", patient_id=None
):
    services = clinic.world.deployment.services
    with services.database.read() as snapshot:
        grant = local.registered(snapshot, client)
    vendor = VENDORS[source]
    delivery = Delivery(
        source=source,
        parser=vendor.parser,
        identifier_system=vendor.system,
        is_registered=False,
        patient_id=patient_id,
        grant=grant,
        payload_sha256=None,
        received_us=services.clock(),
    )
    origin = Origin(interaction=Interaction.INGEST, request="a deletion")
    return take(services, delivery, origin, deletions).to_json()


def another(clinic):
    """Return the clinic as one of its other patients, who consented too."""
    made = clinic.world.create(patient(clinic.organization), clinic.admin)
    clinic.consented(patient_id=made["id"])
    return replace(clinic, patient=made["id"])


def paired(clinic, **body):
    whole = {"patient": clinic.patient, "source": "open-mhealth", **body}
    answer = clinic.world.send(
        "POST", "/device-data/pairings", whole, clinic.admin, "application/json"
    )
    assert answer.status_code == 201, answer.text
    return answer.json


def revoke(clinic, id_):
    path = f"/device-data/pairings/{id_}"
    assert clinic.world.send("DELETE", path, b"", clinic.admin).status_code < 300


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


HANDOVER = "2026-11-10T12:00:00Z"
BEFORE, AFTER = "2026-11-09T10:00:00+01:00", "2026-11-11T10:00:00+01:00"


@pytest.fixture
def handed_over(either):
    """Return a clinic whose account has had two wearers, and the second's clinic.

    Each of them has a reading, of before and of after the handover.
    """
    either.consented()
    second = another(either)
    start = "2026-11-01T00:00:00Z"
    paired(either, account="account-9", period={"start": start, "end": HANDOVER})
    paired(second, account="account-9", period={"start": HANDOVER})
    either.deliver(
        heart_rate(1, "account-9", at=BEFORE), heart_rate(2, "account-9", at=AFTER)
    )
    assert (ids(either), ids(second)) == (["heart-rate-1"], ["heart-rate-2"])
    return either, second


def of_account(source_id):
    return deletion(source_id)._replace(patient="account-9")


def test_a_deletion_reaches_who_wore_it_then(handed_over):
    first, second = handed_over

    receipt = take_back(first, of_account("heart-rate-1"))

    assert receipt["deleted"] == 1
    assert (ids(first), ids(second)) == ([], ["heart-rate-2"])


def test_a_deletion_reaches_who_wears_it_now(handed_over):
    first, second = handed_over

    receipt = take_back(first, of_account("heart-rate-2"))

    assert receipt["deleted"] == 1
    assert (ids(first), ids(second)) == (["heart-rate-1"], [])


def test_a_record_of_two_wearers_is_deleted_of_both(either):
    either.consented()
    second = another(either)
    start = "2026-11-01T00:00:00Z"
    paired(either, account="account-9", period={"start": start, "end": HANDOVER})
    paired(second, account="account-9", period={"start": HANDOVER})
    for number, at in ((1, BEFORE), (2, AFTER)):
        point = heart_rate(number, "account-9", at=at)
        provenance = {"source_data_point_id": f"night#{number}"}
        point["header"]["acquisition_provenance"] = provenance
        either.deliver(point)

    receipt = take_back(either, of_account("night"))

    assert receipt["deleted"] == 1
    assert (ids(either), ids(second)) == ([], [])


def test_a_deletion_reaches_an_earlier_wearer_once_nobody_wears_it(handed_over):
    first, second = handed_over
    listing = first.world.get(
        f"/device-data/pairings?patient={second.patient}", first.admin
    )
    for one in listing.json["pairings"]:
        revoke(first, one["id"])

    receipt = take_back(first, of_account("heart-rate-2"))

    assert receipt["deleted"] == 1
    assert ids(second) == []


def test_a_deletion_without_an_account_reaches_who_has_worn_a_unit(either):
    either.consented()
    second = another(either)
    ring = {"device": {"value": "SN-1"}}
    start = "2026-11-01T00:00:00Z"
    paired(either, **ring, period={"start": start, "end": HANDOVER})
    paired(second, **ring, period={"start": HANDOVER})
    either.world.deliver(
        "open-mhealth",
        [heart_rate(1, either.patient, at=BEFORE)],
        either.gateway,
    )

    receipt = take_back(
        either,
        Deletion("$[0]", "heart-rate-1"),
        patient_id=second.patient,
    )

    assert receipt["deleted"] == 1
    assert ids(either) == []


def test_another_organisation_deletes_nothing_of_an_earlier_wearer(handed_over):
    first, _ = handed_over
    first.world.client(
        "strange",
        "system/Observation.c",
        organization="Organization/b",
        sources=("open-mhealth",),
    )

    receipt = take_back(first, of_account("heart-rate-1"), client="strange")

    assert receipt["kinds"][0]["reason"] == "unknown-patient"
    assert ids(first) == ["heart-rate-1"]


def test_a_deletion_without_an_account_reaches_nobody_who_had_another_unit(either):
    either.consented()
    second = another(either)
    paired(either, device={"value": "SN-1"})
    paired(second, device={"value": "SN-2"})
    either.world.deliver(
        "open-mhealth", [heart_rate(1, either.patient, at=AFTER)], either.gateway
    )

    receipts = [
        take_back(either, Deletion("$[0]", "heart-rate-1"), patient_id=named)
        for named in (second.patient, None)
    ]

    assert [one["quarantined"] for one in receipts] == [1, 1]
    assert ids(either) == ["heart-rate-1"]


@pytest.mark.parametrize("is_worn", [True, False])
def test_a_request_for_another_patient_deletes_nothing(either, is_worn):
    either.consented()
    third = another(either)
    end = {} if is_worn else {"end": HANDOVER}
    period = {"start": "2026-11-01T00:00:00Z", **end}
    paired(either, account="account-9", period=period)
    either.deliver(heart_rate(1, "account-9", at=BEFORE))

    receipt = take_back(either, of_account("heart-rate-1"), patient_id=third.patient)

    assert receipt["quarantined"] == 1
    assert ids(either) == ["heart-rate-1"]


def test_a_request_for_the_earlier_wearer_deletes_what_was_theirs(handed_over):
    first, _ = handed_over

    receipt = take_back(first, of_account("heart-rate-1"), patient_id=first.patient)

    assert receipt["deleted"] == 1
    assert ids(first) == []
