"""A database that an earlier release has filled keeps what it held."""

from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.runtime.migration import MigrationContext

from fhir_service.auth.bearer import authenticate
from fhir_service.storage import accounts, migrations, registrations
from fhir_service.storage.accounts import Account
from fhir_service.storage.engine import Database
from fhir_service.storage.migrations.tables import metadata
from fhir_service.storage.registrations import Client

BEFORE_SMART = "0004"

HASHED = "$argon2id$x"

HASH_OF_A_TOKEN = bytes.fromhex(
    "3c469e9d6c5875d37a43f353d4f88e61fcf812c66eee3457465a40b0da4153e0"
)
"""SHA-256 of `token`."""

ROWS: dict[str, list[dict[str, Any]]] = {
    "client": [
        {
            "client_id": client_id,
            "name": "Example EHR",
            "kind": "backend",
            "jwks": '{"keys":[]}',
            "scopes": "system/Observation.rs system/Patient.r",
            "purposes": "TREAT HPAYMT",
            "organization": "Organization/clinic",
            "sources": "open-mhealth",
            "created": 1,
            "rotated": 2,
            "removed": removed,
        }
        for client_id, removed in (("ehr", None), ("old", 3))
    ],
    "account": [
        {
            "user_id": "u1",
            "username": "rowan",
            "name": "Example Practitioner",
            "role": "practitioner",
            "reference": "Practitioner/7",
            "organization": "Organization/clinic",
            "password_hash": HASHED,
            "created": 4,
            "removed": None,
        }
    ],
    "login_session": [
        {"hash": b"s", "user_id": "u1", "created": 5, "seen": 6, "expires": 9}
    ],
    "client_assertion": [{"hash": b"a", "expires": 9}],
    "access_token": [
        {
            "hash": HASH_OF_A_TOKEN,
            "client_id": "ehr",
            "scopes": "system/Patient.r",
            "purposes": "TREAT",
            "issued": 1,
            "expires": 9,
        }
    ],
}


def bring_to(database: Database, revision: str) -> None:
    config = Config()
    folder = Path(migrations.__file__).parent
    config.set_main_option("script_location", str(folder))
    config.attributes["engine"] = database.engine
    command.upgrade(config, revision)


@pytest.fixture
def migrated(empty_database_url: str) -> Database:
    """Return a database that was filled before SMART, brought up to date."""
    database = Database(empty_database_url)
    bring_to(database, BEFORE_SMART)
    with database.engine.begin() as connection:
        for name, rows in ROWS.items():
            columns: list[Any] = [sa.column(column) for column in rows[0]]
            connection.execute(sa.insert(sa.table(name, *columns)), rows)
    migrations.upgrade(database.engine)
    return database


def test_clients_are_as_they_were_and_need_what_is_safe(migrated: Database) -> None:
    with migrated.read() as snapshot:
        found = registrations.all_clients(snapshot)
    migrated.close()

    ehr = Client(
        client_id="ehr",
        name="Example EHR",
        kind="backend",
        jwks='{"keys":[]}',
        scopes="system/Observation.rs system/Patient.r",
        purposes=("TREAT", "HPAYMT"),
        organization="Organization/clinic",
        sources=("open-mhealth",),
        created=1,
        rotated=2,
        auth_method="private_key_jwt",
        needs_pkce=True,
    )
    assert found[0] == ehr
    assert [(one.client_id, one.removed) for one in found] == [
        ("ehr", None),
        ("old", 3),
    ]


def test_people_and_their_logins_are_as_they_were(migrated: Database) -> None:
    with migrated.read() as snapshot:
        found = accounts.find_session(snapshot, b"s", now=7, idle_since=0)
    migrated.close()

    rowan = Account(
        user_id="u1",
        username="rowan",
        name="Example Practitioner",
        role="practitioner",
        reference="Practitioner/7",
        organization="Organization/clinic",
        password_hash=HASHED,
        created=4,
        language=None,
        may_break_glass=False,
    )
    assert found == (rowan, 6, 5)


def test_a_user_name_is_still_given_once(migrated: Database) -> None:
    again = Account(
        user_id="u2",
        username="rowan",
        name="Another",
        role="practitioner",
        reference=None,
        organization=None,
        password_hash="",
        created=5,
    )

    added = migrated.write(lambda writing: accounts.add_account(writing, again))
    migrated.close()

    assert not added


def test_a_token_of_before_opens_what_it_did(migrated: Database) -> None:
    with migrated.read() as snapshot:
        found = authenticate(snapshot, "Bearer token", 2)
    migrated.close()

    assert (found.client_id, str(found.scopes)) == ("ehr", "system/Patient.r")
    assert (found.user, found.patient, found.is_attested) == (None, None, False)


def test_an_assertion_of_before_is_still_used_up(migrated: Database) -> None:
    again = migrated.write(
        lambda writing: registrations.use_assertion(writing, b"a", 9)
    )
    migrated.close()

    assert not again


def test_a_migrated_schema_is_that_of_the_program(migrated: Database) -> None:
    with migrated.engine.connect() as connection:
        found = compare_metadata(MigrationContext.configure(connection), metadata)
        without_rowid = _tables_without_rowid(connection)
    migrated.close()

    # Comments are for people: a migration says what was true when it was written.
    assert [one for one in found if "modify_comment" not in repr(one)] == []
    assert without_rowid is None or {"client", "account"} <= without_rowid


def _tables_without_rowid(connection: sa.Connection) -> set[str] | None:
    """Return the names of the tables that SQLite keeps by their keys."""
    if connection.dialect.name != "sqlite":
        return None
    made = sa.text("SELECT name FROM sqlite_master WHERE sql LIKE '%WITHOUT ROWID%'")
    return {str(name) for (name,) in connection.execute(made)}
