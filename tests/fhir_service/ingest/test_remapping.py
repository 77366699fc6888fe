"""A mapping that was put right is replayed over the payloads that are kept."""

from dataclasses import replace
from types import MappingProxyType

import pytest
from sqlalchemy import func, select
from worlds import heart_rate, steps

from fhir_service.ingest import sources
from fhir_service.ingest.remapping import remap
from fhir_service.storage.raw_payloads import raw_payload, raw_payload_patient
from fhir_service.storage.statement import Statement
from mappings.measurement import Measurement
from mappings.vendors.table import VENDORS


@pytest.fixture
def today(monkeypatch):
    """Return what makes another mapping of a source today's."""

    def put(change):
        old = VENDORS["open-mhealth"]

        def parse(payload, *, received_at, zone=None):
            for one in old.parse(payload, received_at=received_at, zone=zone):
                yield change(one) if isinstance(one, Measurement) else one

        new = {**VENDORS, "open-mhealth": replace(old, version="2", parse=parse)}
        monkeypatch.setattr(sources, "VENDORS", MappingProxyType(new))

    return put


def replay(clinic, *, is_trial=False):
    services = clinic.world.deployment.services
    return list(remap(services, since_us=0, is_trial=is_trial))


def differences(clinic, *, is_trial=False):
    return [
        (one.kind, one.before, one.after)
        for payload in replay(clinic, is_trial=is_trial)
        for one in payload.differences
    ]


def values(clinic):
    found = clinic.found(f"Observation?patient={clinic.patient}&_sort=_id")
    return [
        (one["status"], one["code"]["coding"][0]["code"], one["valueQuantity"]["value"])
        for one in found
    ]


def kept(clinic, table=raw_payload):
    with clinic.world.deployment.database.read() as snapshot:
        rows = snapshot.all(Statement(select(func.count()).select_from(table)))
    return rows[0][0]


def test_a_mapping_that_has_not_changed_changes_nothing(either):
    either.consented()
    either.deliver(heart_rate(1, "user-1"), steps(2, "user-1"))
    before = values(either)

    assert differences(either) == []
    assert values(either) == before


def test_another_value_amends_what_is_stored(either, today):
    either.consented()
    either.deliver(heart_rate(1, "user-1", value=60))
    today(lambda one: one._replace(value=one.value + 1))

    assert differences(either) == [("heart-rate", "60 /min", "61 /min")]
    assert values(either) == [("amended", "8867-4", 61)]


def test_another_kind_withdraws_the_wrong_one(either, today):
    either.consented()
    either.deliver(heart_rate(1, "user-1", value=60))
    today(lambda one: one._replace(kind="walking-heart-rate"))

    assert sorted(differences(either), key=str) == [
        ("8867-4", "60 /min", None),
        ("walking-heart-rate", None, "60 /min"),
    ]
    assert values(either) == [
        ("entered-in-error", "8867-4", 60),
        ("final", "walking-heart-rate", 60),
    ]
    assert differences(either) == []


def test_a_trial_tells_the_difference_and_stores_nothing(either, today):
    either.consented()
    either.deliver(heart_rate(1, "user-1", value=60))
    before = values(either)
    today(lambda one: one._replace(value=70))

    assert differences(either, is_trial=True) == [("heart-rate", "60 /min", "70 /min")]
    assert values(either) == before
    assert differences(either, is_trial=True) == differences(either)


def test_a_correction_that_came_later_still_counts(clinic, today):
    clinic.consented()
    clinic.deliver(heart_rate(1, "user-1", value=60))
    clinic.deliver(heart_rate(1, "user-1", value=62))
    today(lambda one: one._replace(value=one.value + 1))

    replay(clinic)

    assert values(clinic) == [("amended", "8867-4", 63)]


def test_what_may_not_be_collected_any_more_is_left_as_it_is(clinic, today):
    made = clinic.consented()
    clinic.deliver(heart_rate(1, "user-1", value=60))
    clinic.world.update({**made, "status": "inactive"}, clinic.admin)
    today(lambda one: one._replace(value=70))

    [told] = replay(clinic)

    assert told.differences == ()
    assert told.why_not is not None


def test_a_payload_of_which_something_is_withheld_is_not_kept(clinic):
    clinic.another_patient("user-2")
    clinic.consented()

    receipt = clinic.deliver(heart_rate(1, "user-1"), heart_rate(2, "user-2"))

    assert (receipt["stored"], receipt["withheld"]) == (1, 1)
    assert kept(clinic) == 0


def test_a_payload_of_one_patient_is_under_her_key(clinic):
    clinic.consented()
    clinic.deliver(heart_rate(1, "user-1"))

    with clinic.world.deployment.database.read() as snapshot:
        [(key,)] = snapshot.all(Statement(select(raw_payload.c.patient_key)))
        [(linked,)] = snapshot.all(Statement(select(raw_payload_patient.c.patient_key)))

    assert key == linked > 0


def test_a_payload_is_erased_when_its_time_is_over(clinic):
    clinic.consented()
    clinic.deliver(heart_rate(1, "user-1"))
    clinic.world.clock.pass_s(31 * 86_400)
    clinic.deliver(heart_rate(2, "user-1"))

    assert kept(clinic) == kept(clinic, raw_payload_patient) == 1


def test_a_token_that_a_vendor_sends_along_is_not_kept(clinic):
    clinic.consented()
    clinic.world.deliver(
        "open-mhealth",
        [{**heart_rate(1, "user-1"), "userAccessToken": "s3cret"}],
        clinic.gateway,
    )
    services = clinic.world.deployment.services

    from fhir_service.ingest import raw  # noqa: PLC0415 - what is tested
    from fhir_service.storage import raw_payloads  # noqa: PLC0415

    with services.database.read() as snapshot:
        [payload] = raw_payloads.since(
            snapshot, since_us=0, now_us=services.clock(), count=9
        )
        body = raw.opened(services, snapshot, payload)

    assert b"s3cret" not in body
    assert b"heart_rate" in body
