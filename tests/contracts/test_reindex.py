"""A data folder of the version before is brought up to date, and searched alike."""

import shutil
import sqlite3

import pytest
from alembic import command
from worlds import (
    furnish,
    heart_rate,
    observation,
    opened_world,
    permit,
    reopened_world,
)

from fhir_service.deployment import SchemaError, migrate
from fhir_service.settings import read_settings
from fhir_service.storage import migrations
from fhir_service.storage.engine import Database

BEFORE = "0001"
"""The schema of the version before."""

QUERIES = (
    "Observation?code=8867-4&_count=100",
    "Observation?value-quantity=gt60||/min",
    "Observation?date=ge2026-11-03",
    "Patient?identifier=user-1",
    "Consent?patient={patient}",
    "Device?patient={patient}",
)


def all_of(clinic):
    return {
        query: clinic.found(query.format(patient=clinic.patient)) for query in QUERIES
    }


@pytest.fixture
def written(tmp_path, template):
    """Return a data folder, and what is found in it."""
    with opened_world(tmp_path, template) as world:
        clinic = furnish(world)
        clinic.consented()
        points = [heart_rate(n, "user-1", value=55 + n) for n in range(9)]
        clinic.deliver(*points)
        record = clinic.world.create(observation(clinic.patient), clinic.admin)
        changed = {**record, "status": "amended"}
        clinic.world.update(changed, clinic.admin)
        return world.data, clinic, all_of(clinic)


MADE_ANEW = {"alembic_version", "observation_code", "observation_time", "record"}
"""Tables whose contents the migration does not take over."""


def columns(connection, schema, table):
    found = connection.execute(f"PRAGMA {schema}.table_info({table})")
    return [name for _, name, *_ in found]


def of_the_version_before(data):
    """Put what is stored into a database of the schema before."""
    now, then = data / "fhir.sqlite3", data / "before.sqlite3"
    database = Database(f"sqlite:///{then}")
    command.upgrade(migrations._config(database.engine), BEFORE)
    database.close()
    connection = sqlite3.connect(then)
    connection.execute("ATTACH ? AS now", (str(now),))
    tables = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
    for table in {name for (name,) in tables} - MADE_ANEW:
        kept = columns(connection, "now", table)
        both = [name for name in columns(connection, "main", table) if name in kept]
        listed = ", ".join(both)
        connection.execute(
            f"INSERT OR REPLACE INTO main.{table} ({listed}) "  # noqa: S608 - names of our own tables
            f"SELECT {listed} FROM now.{table}"
        )
    connection.execute("DELETE FROM deployment_fact WHERE name = 'index'")
    connection.commit()
    connection.close()
    for path in data.glob("fhir.sqlite3*"):
        path.unlink()
    shutil.move(then, now)


def test_what_was_stored_before_is_found_after_the_migration(written):
    data, clinic, before = written
    of_the_version_before(data)
    settings = read_settings({"FHIR_SERVICE_DATA_DIR": str(data)})

    told = []
    count = migrate(settings, told.append)

    with reopened_world(data) as world:
        again = type(clinic)(**{**vars(clinic), "world": world})
        assert all_of(again) == before
    assert count == told[-1] > 0


def test_a_search_index_that_is_not_current_is_not_opened(written):
    data, _, _ = written
    of_the_version_before(data)
    database = Database(f"sqlite:///{data / 'fhir.sqlite3'}")
    migrations.upgrade(database.engine)
    database.close()

    with (
        pytest.raises(SchemaError, match="run fhir-service migrate"),
        reopened_world(data),
    ):
        pass


def test_an_interrupted_run_is_begun_again(written):
    data, clinic, before = written
    of_the_version_before(data)
    settings = read_settings({"FHIR_SERVICE_DATA_DIR": str(data)})

    class KilledError(Exception):
        pass

    def killed(_done):
        raise KilledError

    with pytest.raises(KilledError):
        migrate(settings, killed)
    migrate(settings, lambda _: None)

    with reopened_world(data) as world:
        again = type(clinic)(**{**vars(clinic), "world": world})
        assert all_of(again) == before


LINKS = (
    "consent_named",
    "device_identity",
    "device_parent",
    "provenance_agent",
    "row_mention",
)
"""Tables of links between resources, which no version before had."""


def links(world):
    with world.deployment.database.read() as snapshot:
        return {
            table: sorted(map(tuple, snapshot.sql(f"SELECT * FROM {table}", ())))  # noqa: S608 - our own tables
            for table in LINKS
        }


def to(reference):
    return {"reference": reference}


def stored(clinic, type_, **elements):
    made = clinic.world.create({"resourceType": type_, **elements}, clinic.admin)
    return f"{type_}/{made['id']}"


def test_links_between_resources_are_found_anew(tmp_path, template):
    number = {"system": "https://clinic.example/serial", "value": "7"}
    with opened_world(tmp_path, template) as world:
        clinic = furnish(world)
        whose = to(f"Patient/{clinic.patient}")
        clinic.consented()
        clinic.deliver(heart_rate(1, "user-1"))
        hub = stored(clinic, "Device", patient=whose, identifier=[number])
        stored(
            clinic,
            "Device",
            patient=whose,
            parent=to(hub),
            manufacturer="Ring Inc",
            serialNumber="7",
        )
        first = world.create(observation(clinic.patient), clinic.admin)
        at = f"Observation/{first['id']}"
        world.create(observation(clinic.patient, derivedFrom=[to(at)]), clinic.admin)
        ann = stored(clinic, "Practitioner")
        stored(
            clinic,
            "Provenance",
            target=[to(at)],
            recorded="2026-11-20T12:00:00Z",
            agent=[{"who": to(ann)}],
        )
        related = [{"meaning": "related", "reference": to(at)}]
        clinic.consented(provision=[permit(data=related)])
        before = links(world)
    of_the_version_before(world.data)

    settings = read_settings({"FHIR_SERVICE_DATA_DIR": str(world.data)})
    migrate(settings, lambda _: None)

    with reopened_world(world.data) as again:
        assert links(again) == before
    assert all(before.values())
