"""Which versions belong to a batch, on every database."""

import pytest
from sqlalchemy import select, text
from worlds import observation, patient

from fhir_service.storage import batches, migrations
from fhir_service.storage.batches import Activity, Part
from fhir_service.storage.statement import Statement
from fhir_service.storage.tables import batch_row


@pytest.fixture
def database(any_world):
    return any_world.deployment.database


@pytest.fixture
def repository(any_world):
    return any_world.deployment.services.repository


@pytest.fixture
def person(database, repository):
    return database.write(
        lambda transaction: repository.create(transaction, patient(), patient_key=0)
    )


def batch(transaction, **more):
    return batches.add(
        transaction,
        received_us=1_000,
        client_id="client",
        organization="Organization/1",
        **more,
    )


def creating(repository, person, count):
    """Return a job that makes Observations in a batch of their own."""

    def work(transaction):
        number = batch(transaction)
        return [
            repository.create(
                transaction,
                observation(person.id),
                patient_key=person.stored.patient_key,
                batch_id=number,
            )
            for _ in range(count)
        ]

    return work


def changing(repository, olds, *, deleting=False):
    """Return a job that changes what is there in a batch of its own."""

    def work(transaction):
        number = batch(transaction)
        if deleting:
            return [
                repository.delete(transaction, old.stored, id_=old.id, batch_id=number)
                for old in olds
            ]
        return [
            repository.update(
                transaction,
                old.stored,
                observation(old.body and person_of(old)),
                id_=old.id,
                batch_id=number,
            )
            for old in olds
        ]

    return work


def person_of(written):
    return written.body.decode().partition('"Patient/')[2].partition('"')[0]


def members(database, key, part):
    """Return (row, version) of the current and of the earlier versions of a part."""
    with database.read() as snapshot:
        found = batches.members(snapshot, key, part)
    return tuple([(one.row, one.version) for one in versions] for versions in found)


def at(written):
    return [(one.stored.row, one.stored.version) for one in written]


def test_what_is_made_belongs_to_the_batch_that_made_it(database, repository, person):
    key = person.stored.patient_key
    first = database.write(creating(repository, person, 3))
    database.write(
        lambda transaction: repository.create(
            transaction, observation(person.id), patient_key=key
        )
    )
    second = database.write(creating(repository, person, 2))

    parts = [batches.part_of(made[0].stored) for made in (first, second)]

    assert members(database, key, parts[0]) == (at(first), [])
    assert members(database, key, parts[1]) == (at(second), [])


def test_a_later_batch_takes_the_version_and_not_the_row(database, repository, person):
    key = person.stored.patient_key
    made = database.write(creating(repository, person, 3))
    changed = database.write(changing(repository, made[1:2]))

    assert members(database, key, batches.part_of(made[0].stored)) == (
        at([made[0], made[2]]),
        at([made[1]]),
    )
    assert members(database, key, batches.part_of(changed[0].stored)) == (
        at(changed),
        [],
    )


def test_each_version_belongs_to_its_own_batch(database, repository, person):
    key = person.stored.patient_key
    [made] = database.write(creating(repository, person, 1))
    [changed] = database.write(changing(repository, [made]))
    [gone] = database.write(changing(repository, [changed], deleting=True))
    signature = made.stored.signature_id

    with database.read() as snapshot:
        parts = batches.parts_of(snapshot, gone.stored)

    assert parts == [
        Part(gone.stored.batch_id, signature, Activity.DELETE),
        Part(changed.stored.batch_id, signature, Activity.UPDATE),
        Part(made.stored.batch_id, signature, Activity.CREATE),
    ]
    assert [members(database, key, part) for part in parts] == [
        (at([gone]), []),
        ([], at([changed])),
        ([], at([made])),
    ]


def test_what_is_made_and_changed_at_once_is_both(database, repository, person):
    key = person.stored.patient_key

    def work(transaction):
        number = batch(transaction)
        made = repository.create(
            transaction, observation(person.id), patient_key=key, batch_id=number
        )
        changed = repository.update(
            transaction,
            made.stored,
            observation(person.id),
            id_=made.id,
            batch_id=number,
        )
        return made, changed

    made, changed = database.write(work)

    assert members(database, key, batches.part_of(made.stored)) == ([], at([made]))
    assert members(database, key, batches.part_of(changed.stored)) == (
        at([changed]),
        [],
    )


def test_what_no_batch_wrote_has_no_part(database, person):
    with database.read() as snapshot:
        assert batches.parts_of(snapshot, person.stored) == []


def test_a_row_that_was_reserved_before_is_a_member(database, repository, person):
    key = person.stored.patient_key

    def work(transaction):
        after_row = repository.new_rows(transaction, 1)[0]
        [reserved] = repository.new_rows(transaction, 1)
        number = batch(transaction, after_row=after_row)
        return repository.create_at(
            transaction,
            observation(person.id),
            row=reserved,
            patient_key=key,
            batch_id=number,
        )

    made = database.write(work)

    assert members(database, key, batches.part_of(made.stored)) == (at([made]), [])


def test_a_batch_that_is_not_there_has_no_members(database, person):
    part = Part(99, person.stored.signature_id, Activity.CREATE)

    assert members(database, person.stored.patient_key, part) == ([], [])


def test_a_batch_is_read_as_it_was_recorded(database):
    number = database.write(
        lambda transaction: batches.add(
            transaction,
            received_us=7,
            client_id="gateway",
            organization=None,
            source="open-mhealth",
            parser="open-mhealth/1",
            payload=b"hash",
            person="Practitioner/1",
        )
    )

    with database.read() as snapshot:
        assert batches.read(snapshot, number) == batches.Batch(
            id=number,
            source="open-mhealth",
            client_id="gateway",
            received_us=7,
            parser="open-mhealth/1",
            payload=b"hash",
            organization=None,
            person="Practitioner/1",
        )
        assert batches.read(snapshot, number + 1) is None


def test_what_was_written_before_batches_had_rows_is_found_after_the_migration(
    database, repository, person
):
    key = person.stored.patient_key
    made = database.write(creating(repository, person, 2))
    changed = database.write(changing(repository, made[:1]))
    kept = everything(database, batch_row)
    as_before(database)

    migrations.upgrade(database.engine)

    parts = [batches.part_of(one.stored) for one in (made[0], changed[0])]
    assert [members(database, key, part) for part in parts] == [
        (at(made[1:]), at(made[:1])),
        (at(changed), []),
    ]
    assert everything(database, batch_row) == kept


def everything(database, table):
    with database.read() as snapshot:
        return snapshot.all(Statement(select(table)))


ADDED_LATER = (
    "alert_delivery",
    "alert_webhook",
    "app_choice",
    "audit_alert",
    "audit_explanation",
    "audit_habit",
    "audit_name",
    "audit_patient",
    "audit_row",
    "audit_scope",
    "audit_scope_tally",
    "audit_seal",
    "audit_subject",
    "audit_tally",
    "audit_tile",
    "authorization_code",
    "authorization_grant",
    "authorization_request",
    "break_glass",
    "client_origin",
    "consent_named",
    "device_identity",
    "device_parent",
    "device_state",
    "file_import",
    "launch",
    "mapping_template",
    "provenance_agent",
    "push_endpoint",
    "push_seen",
    "raw_payload",
    "raw_payload_patient",
    "recovery_code",
    "refresh_token",
    "row_mention",
    "saved_search",
    "second_factor",
    "signing_key",
    "source_grant",
    "source_record",
    "source_whole",
)
"""Tables of the versions after."""

WIDENED_LATER = {
    "client": (
        "auth_method",
        "jwks_uri",
        "secret_hash",
        "redirect_uris",
        "launch_uri",
        "origins",
        "needs_pkce",
        "token_lifetime_s",
        "refresh_lifetime_s",
    ),
    "account": ("language", "may_break_glass"),
    "access_token": ("authorization_id", "user_id", "patient", "is_attested"),
    "source_key": ("version",),
}
"""Columns of the versions after."""


def as_before(database):
    """Leave the schema as the version before had it."""
    added = (
        *("payload", "organization", "person", "after_row"),
        *("payload_id", "gateway"),
    )
    widened = {"ingest_batch": added, **WIDENED_LATER}
    with database.engine.begin() as connection:
        connection.execute(text("DROP INDEX ix_access_token_authorization_id"))
        for table in ("batch_row", *ADDED_LATER):
            connection.execute(text(f"DROP TABLE {table}"))
        for table, names in widened.items():
            for name in names:
                connection.execute(text(f"ALTER TABLE {table} DROP COLUMN {name}"))
        connection.execute(
            text("ALTER TABLE ingest_batch ADD COLUMN payload_sha256 INTEGER")
        )
        connection.execute(text("UPDATE alembic_version SET version_num = '0002'"))
