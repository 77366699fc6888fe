"""Versions without their bodies, of one patient: current, earlier, and no other's."""

from collections.abc import Iterator

import pytest
from worlds import Clinic, furnish, heart_rate, observation, opened_world

from fhir_service.storage import past, patients, released, signatures, types


@pytest.fixture
def kept(tmp_path, template, database_url) -> Iterator[Clinic]:
    """Yield a clinic on each database with measured, written and changed data."""
    with opened_world(
        tmp_path, template, name="kept", database_url=database_url
    ) as world:
        clinic = furnish(world)
        clinic.consented()
        clinic.deliver(heart_rate(1, "user-1"), heart_rate(2, "user-1"))
        made = world.create(observation(clinic.patient), clinic.admin)
        world.update({**made, "status": "amended"}, clinic.admin)
        other = clinic.another_patient("user-2")
        world.create(observation(other), clinic.admin)
        yield clinic


def seqs(clinic):
    return {seq for one in clinic.world.audited() for seq in one.written}


def asked(clinic, function, *arguments):
    with clinic.world.deployment.database.read() as snapshot:
        return function(snapshot, key(clinic, snapshot), *arguments)


def key(clinic, snapshot):
    return patients.by_id(snapshot, types.number_of("Patient"), clinic.patient).key


def test_versions_are_those_that_a_search_through_all_bodies_finds(kept):
    expected = asked(kept, past.by_seq, seqs(kept))

    found = asked(kept, released.by_seq, seqs(kept))

    assert {
        seq: (one.type_id, one.row, one.version, one.signature_id, one.batch_id)
        for seq, one in found.items()
    } == {
        seq: (one.type_id, one.row, one.version, one.signature_id, one.batch_id)
        for seq, one in expected.items()
        if not one.deleted
    }
    assert {one.version for one in found.values()} == {1, 2}


def test_the_current_version_of_a_row_is_its_last(kept):
    found = asked(kept, released.by_seq, seqs(kept)).values()
    rows = {one.row for one in found}

    current = asked(kept, released.current_of, rows)

    assert {row: one.version for row, one in current.items()} == {
        row: max(one.version for one in found if one.row == row) for row in rows
    }


def test_what_a_delivery_brought_is_counted_by_its_batch(kept):
    def of_pulse(snapshot, patient_key):
        state = patients.by_key(snapshot, patient_key)
        known = signatures.Signatures().of(snapshot, state)
        pulse = [
            one.id
            for one in known
            if ("http://loinc.org", "8867-4") in one.facets.codes.principal
        ]
        return released.by_batch(snapshot, patient_key, pulse)

    [part] = asked(kept, of_pulse)

    assert part.versions == 2


def test_rows_of_a_type_are_found_once_each(kept):
    rows = asked(kept, released.rows_of_type, types.number_of("Consent"))

    assert len(rows) == 1


@pytest.mark.parametrize(
    ("without", "expected"), [(["Patient", "Consent"], True), ([], True)]
)
def test_whether_a_patient_has_data_leaves_out_what_is_none(kept, without, expected):
    numbers = [types.number_of(name) for name in without] or [0]

    assert asked(kept, released.has_others, numbers) is expected


def test_a_patient_without_data_has_none(kept):
    third = kept.another_patient("user-3")
    left_out = [types.number_of(name) for name in ("Patient", "Consent")]

    with kept.world.deployment.database.read() as snapshot:
        state = patients.by_id(snapshot, types.number_of("Patient"), third)
        assert released.has_others(snapshot, state.key, left_out) is False


def test_deliveries_are_a_vendors_in_a_time_and_say_how_far_back(kept):
    now = kept.world.clock.us

    def of(source, between, last=100):
        with kept.world.deployment.database.read() as snapshot:
            return released.deliveries(snapshot, source, between, last)

    found, reached = of("open-mhealth", range(now + 1))
    assert [(one.source, one.client_id, one.received_us) for one in found] == [
        ("open-mhealth", "gateway", now)
    ]
    assert reached == 0
    assert of("open-mhealth", range(now)) == ([], 0)
    assert of("withings", range(now + 1))[0] == []
    assert of("open-mhealth", range(now + 1), last=1) == ([], now)
