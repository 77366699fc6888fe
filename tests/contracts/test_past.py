"""What was stored at an instant, and versions by `seq`, on both databases."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "fhir_service"))

from worlds import (
    consent,
    furnish,
    make_template,
    observation,
    opened_world,
    permit,
    purposes,
)

from fhir_service.storage import past, patients, types


@pytest.fixture(scope="module")
def template(tmp_path_factory):
    return make_template(tmp_path_factory.mktemp("template"))


@pytest.fixture
def clinic(tmp_path, template, database_url):
    url = None if database_url.startswith("sqlite") else database_url
    with opened_world(tmp_path, template, name="world", database_url=url) as world:
        yield furnish(world)


@pytest.fixture
def open_clinic(clinic):
    """Return a clinic that may see all of its patient's data."""
    clinic.consented()
    return clinic


@pytest.fixture
def changed(clinic):
    """Return a clinic whose consent has three versions, an hour apart, and when."""
    world, moments = clinic.world, []
    world.clock.pass_s(3600)
    moments.append(world.clock())
    made = world.create(consent(clinic.patient, permit()), clinic.admin)
    for purpose in ("COC", "HPAYMT"):
        world.clock.pass_s(3600)
        moments.append(world.clock())
        provision = permit(purpose=purposes(purpose))
        made = world.update({**made, "provision": provision}, clinic.admin)
    world.clock.pass_s(3600)
    return clinic, made["id"], moments


def key_of(snapshot, clinic):
    return patients.by_id(snapshot, types.number_of("Patient"), clinic.patient).key


def reading(clinic):
    return clinic.world.deployment.database.read()


def test_each_instant_has_the_version_that_was_current(changed):
    clinic, _, moments = changed
    number = types.number_of("Consent")

    with reading(clinic) as snapshot:
        key = key_of(snapshot, clinic)
        found = [
            [one.version for one in past.of_patient(snapshot, key, number, at)]
            for moment in moments
            for at in (moment - 1, moment)
        ]

    assert found == [[], [1], [1], [2], [2], [3]]


def test_one_resource_has_the_version_that_was_current(changed):
    clinic, id_, moments = changed
    number = types.number_of("Consent")

    with reading(clinic) as snapshot:
        found = [
            past.version_at(snapshot, number, id_, moment + 1) for moment in moments
        ]
        before = past.version_at(snapshot, number, id_, moments[0] - 1)
        absent = past.version_at(snapshot, number, "none", moments[0])

    assert [one.version for one in found] == [1, 2, 3]
    assert (before, absent) == (None, None)


def test_what_was_deleted_is_there_before_and_not_after(open_clinic):
    clinic = open_clinic
    world = clinic.world
    made = world.create(observation(clinic.patient), clinic.admin)
    before = world.clock()
    world.clock.pass_s(3600)
    path = f"/fhir/Observation/{made['id']}"
    assert world.http.delete(path, headers=clinic.admin).status_code == 204
    number = types.number_of("Observation")

    with reading(clinic) as snapshot:
        key = key_of(snapshot, clinic)
        found = [
            [one.version for one in past.of_patient(snapshot, key, number, at)]
            for at in (before, world.clock())
        ]
        gone = past.version_at(snapshot, number, made["id"], world.clock())

    assert found == [[1], []]
    assert gone is None


def test_versions_are_found_by_their_seq_wherever_they_are(open_clinic):
    clinic = open_clinic
    world = clinic.world
    kept, changed, deleted = (
        world.create(observation(clinic.patient), clinic.admin) for _ in range(3)
    )
    world.update({**changed, "status": "amended"}, clinic.admin)
    world.http.delete(f"/fhir/Observation/{deleted['id']}", headers=clinic.admin)
    written = [seq for row in world.audited()[-5:] for seq in row.written]
    other = clinic.another_patient()

    with reading(clinic) as snapshot:
        key = key_of(snapshot, clinic)
        found = past.by_seq(snapshot, key, [*written, 999_999])
        of_other = past.by_seq(
            snapshot,
            patients.by_id(snapshot, types.number_of("Patient"), other).key,
            written,
        )

    assert kept["id"] != changed["id"]
    assert len(written) == 5
    assert {seq: one.version for seq, one in found.items()} == dict(
        zip(written, (1, 1, 1, 2, 2), strict=True)
    )
    assert of_other == {}


def test_a_signature_is_there_from_its_first_version_on(open_clinic):
    clinic = open_clinic
    world = clinic.world
    world.create(observation(clinic.patient), clinic.admin)
    first = world.clock()
    world.clock.pass_s(3600)
    made = world.create(observation(clinic.patient, "56888-1"), clinic.admin)
    second = world.clock()
    world.clock.pass_s(3600)
    world.http.delete(f"/fhir/Observation/{made['id']}", headers=clinic.admin)

    with reading(clinic) as snapshot:
        key = key_of(snapshot, clinic)
        sizes = [
            len(past.signatures_at(snapshot, key, at))
            for at in (first - 1, first, second, world.clock())
        ]

    assert sizes == [0, 3, 4, 4]


def test_when_versions_were_written_is_told(changed):
    clinic, _, moments = changed
    numbers = [types.number_of("Consent")]

    with reading(clinic) as snapshot:
        key = key_of(snapshot, clinic)
        every = past.changed(snapshot, key, numbers, range(moments[-1] + 1))
        some = past.changed(snapshot, key, numbers, range(moments[1], moments[2]))

    assert (every, some) == (moments, [moments[1]])
