"""What the repository keeps on every database it runs on."""

from datetime import timedelta

import pytest
from sqlalchemy import select
from worlds import APP_USER, observation, patient, reopened_world

from conformance import fhir_json
from fhir_service.storage import counters, patients, resources, rows, types
from fhir_service.storage.concepts import Concepts
from fhir_service.storage.statement import Statement
from fhir_service.storage.tables import concept, resource_history, signature


@pytest.fixture
def database(any_world):
    return any_world.deployment.database


@pytest.fixture
def repository(any_world):
    return any_world.deployment.services.repository


def create(world, resource, key=0):
    repository = world.deployment.services.repository
    return world.deployment.database.write(
        lambda transaction: repository.create(transaction, resource, patient_key=key)
    )


@pytest.fixture
def person(any_world):
    return create(any_world, patient())


def everything(database, table):
    with database.read() as snapshot:
        return snapshot.all(Statement(select(table)))


def test_what_was_created_is_read_byte_for_byte(any_world, database, repository):
    made = create(any_world, patient(value="ü\u2028☃"))

    with database.read() as snapshot:
        stored = repository.read(snapshot, "Patient", made.id)
        body = repository.body(snapshot, stored)

    assert body == made.body
    resource = fhir_json.loads(body)
    assert list(resource)[:3] == ["resourceType", "id", "meta"]
    assert resource["meta"]["versionId"] == "1"
    assert resource["identifier"][0]["value"] == "ü\u2028☃"


def test_an_update_makes_the_next_version_and_keeps_the_last(
    any_world, database, repository, person
):
    any_world.clock.pass_s(60)
    new = {**patient(), "gender": "other"}

    written = database.write(
        lambda transaction: repository.update(
            transaction, person.stored, new, id_=person.id
        )
    )

    with database.read() as snapshot:
        current = repository.read(snapshot, "Patient", person.id)
        body = repository.body(snapshot, current)
    [old] = everything(database, resource_history)
    assert (current.version, current.row) == (2, person.stored.row)
    assert body == written.body
    assert fhir_json.loads(body)["gender"] == "other"
    assert current.last_updated - person.stored.last_updated == 60_000_000
    assert tuple(old)[:3] == (current.patient_key, current.row, 1)
    with database.read() as snapshot:
        archived = repository.codec.decode(
            snapshot, current.patient_key, current.row, 1, bytes(old[-1])
        )
    assert archived == person.body


def test_seq_counts_every_version_in_the_order_of_commits(any_world, person):
    made = [create(any_world, patient()) for _ in range(3)]

    assert [one.stored.seq for one in (person, *made)] == [1, 2, 3, 4]


def test_rows_grow_even_when_the_clock_goes_back(any_world, person):
    any_world.clock.pass_s(-86_400)
    later = create(any_world, patient())
    any_world.clock.pass_s(2 * 86_400)
    last = create(any_world, patient())

    assert person.stored.row < later.stored.row < last.stored.row
    assert later.stored.last_updated < person.stored.last_updated
    assert len({rows.public_id(one.stored.row) for one in (person, later, last)}) == 3


def test_a_row_and_its_public_id_are_one():
    for row in (0, 1, 31, 32, (1 << 63) - 1, 123_456_789_012_345_678):
        assert rows.row_of(rows.public_id(row)) == row


def test_what_a_failed_job_did_is_gone(any_world, database, repository, person):
    key = person.stored.patient_key
    before = {table.name: everything(database, table) for table in (concept, signature)}

    def fail(transaction):
        repository.create(transaction, observation(person.id), patient_key=key)
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        database.write(fail)

    assert before == {
        table.name: everything(database, table) for table in (concept, signature)
    }
    with database.read() as snapshot:
        assert Concepts.matching(snapshot, None, "40443-4") == frozenset()
        assert patients.by_key(snapshot, key).signature_version == 1
    # What was remembered meanwhile must not be taken for stored.
    made = create(any_world, observation(person.id), key)
    with database.read() as snapshot:
        assert len(Concepts.matching(snapshot, None, "40443-4")) == 1
    assert made.stored.seq == person.stored.seq + 1


def test_a_new_patient_of_a_failed_job_leaves_no_key_behind(
    any_world, database, repository
):
    def fail(transaction):
        repository.create(transaction, patient(), patient_key=0)
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        database.write(fail)
    made = create(any_world, patient())

    url = str(database.url.render_as_string(hide_password=False))
    with reopened_world(any_world.data, url) as other:
        services = other.deployment.services
        with services.database.read() as snapshot:
            stored = services.repository.read(snapshot, "Patient", made.id)
            assert services.repository.body(snapshot, stored) == made.body


def test_a_body_moved_to_another_row_is_refused(any_world, database, repository):
    one, other = create(any_world, patient()), create(any_world, patient())
    moved = other.stored._replace(body=one.stored.body)

    with database.read() as snapshot, pytest.raises(Exception, match="cannot be read"):
        repository.body(snapshot, moved)


def test_a_patients_rows_come_in_pages_by_type(any_world, database, person):
    key = person.stored.patient_key
    device = {
        "resourceType": "Device",
        "patient": {"reference": f"Patient/{person.id}"},
    }
    made = [create(any_world, device, key).stored.row for _ in range(5)]
    number = types.number_of("Device")

    with database.read() as snapshot:
        first = resources.of_patient(snapshot, key, number, after=0, count=3)
        rest = resources.of_patient(snapshot, key, number, after=first[-1].row, count=3)

    assert [one.row for one in (*first, *rest)] == made


def test_an_identifier_is_found_by_its_hash_alone(any_world, database, repository):
    made = create(any_world, patient(value="canary-identifier"))
    number = types.number_of("Patient")
    blind = repository.blind

    with database.read() as snapshot:
        found = resources.by_token(
            snapshot,
            number,
            "identifier",
            blind.identifier("system", APP_USER, "canary-identifier"),
        )

    assert found == [(made.stored.patient_key, made.stored.row)]


def test_counters_hand_out_blocks_without_gaps(database):
    def work(transaction):
        return [counters.take(transaction, "x", count) for count in (1, 5, 1)]

    assert database.write(work) == [1, 2, 7]
    assert database.write(work) == [8, 9, 14]


def test_the_clock_of_a_version_is_the_services(any_world, person):
    resource = fhir_json.loads(person.body)

    assert resource["meta"]["lastUpdated"] == "2026-11-20T12:00:00.000Z"
    assert any_world.clock() == person.stored.last_updated
    assert timedelta(microseconds=person.stored.last_updated).days == 20_777
