"""Every request leaves one durable row of the audit log, whatever its answer."""

import sqlite3
from contextlib import contextmanager

import pytest
from sqlalchemy import text
from worlds import heart_rate, observation, patient

from consent.audit.entry import BasisKind, Interaction, Outcome
from fhir_service import audit_trail
from fhir_service.storage import audit_log
from fhir_service.storage.engine import Transaction

JSON = "application/json"


@pytest.fixture
def filled(clinic):
    """Return a clinic with a consent and an Observation that is seen."""
    clinic.consented()
    clinic.deliver(heart_rate(1, "user-1"))
    return clinic


def requests_of(clinic):
    """Return (method, path, body, headers, status, interaction, outcome) rows."""
    [seen] = clinic.found(f"Observation?patient={clinic.patient}")
    one, reader, writer = clinic.patient, clinic.ehr, clinic.admin
    nobody = {"Authorization": "Bearer unknown"}
    narrow = clinic.world.client("narrow", "system/Patient.r")
    read, search, create = Interaction.READ, Interaction.SEARCH, Interaction.CREATE
    allowed, denied, error = Outcome.ALLOWED, Outcome.DENIED, Outcome.ERROR
    unknown = Interaction.UNKNOWN
    return [
        ("GET", f"/fhir/Observation?patient={one}", None, reader, 200, search, allowed),
        ("GET", f"/fhir/Observation/{seen['id']}", None, reader, 200, read, allowed),
        ("GET", "/fhir/metadata", None, {}, 200, Interaction.CAPABILITIES, allowed),
        ("GET", "/fhir/CodeSystem/measurement", None, {}, 200, read, allowed),
        ("GET", "/fhir/Observation?code:in=x", None, reader, 400, search, error),
        ("GET", "/fhir/Patient/1", None, {}, 401, read, denied),
        ("GET", "/fhir/Patient/1", None, nobody, 401, read, denied),
        ("GET", "/fhir/Observation/1", None, narrow, 403, read, denied),
        ("GET", "/fhir/Observation/1", None, reader, 404, read, denied),
        ("GET", "/fhir/CodeSystem/other", None, reader, 404, read, denied),
        ("GET", "/fhir/Nonsense/1", None, reader, 404, read, denied),
        ("GET", "/fhir/", None, reader, 400, search, error),
        ("GET", "/fhir", None, reader, 400, search, error),
        ("GET", "/fhir/a/b/c", None, reader, 404, unknown, denied),
        ("DELETE", "/fhir/Patient/1", None, reader, 403, Interaction.DELETE, denied),
        ("DELETE", "/fhir/Consent/1", None, writer, 405, Interaction.DELETE, error),
        ("PATCH", "/fhir/Patient/1", None, reader, 403, Interaction.PATCH, denied),
        ("PUT", "/fhir/Patient", patient(), writer, 400, Interaction.UPDATE, error),
        ("TRACE", "/fhir/Patient/1", None, reader, 405, unknown, error),
        (
            "OPTIONS",
            "/fhir/Patient/1",
            None,
            {},
            204,
            Interaction.CAPABILITIES,
            allowed,
        ),
        ("BREW", "/fhir/Patient/1", None, reader, 405, unknown, error),
        ("GET", "/device-data/open-mhealth", None, reader, 405, unknown, error),
        ("GET", "/fhir/Patient?_format=xml", None, reader, 406, search, error),
        ("POST", "/fhir/Patient", b"x", clinic.admin, 415, create, error),
        (
            "POST",
            "/fhir/Patient",
            {"resourceType": "Patient", "active": "x"},
            clinic.admin,
            422,
            create,
            error,
        ),
        ("POST", "/fhir/Patient", patient(), clinic.admin, 201, create, allowed),
        (
            "POST",
            "/device-data/open-mhealth",
            [heart_rate(9, "user-1")],
            clinic.gateway,
            200,
            Interaction.INGEST,
            allowed,
        ),
        (
            "POST",
            "/device-data/open-mhealth",
            b"{",
            clinic.gateway,
            400,
            Interaction.INGEST,
            error,
        ),
    ]


def ask(clinic, method, path, body, headers):
    if body is None:
        return clinic.world.http.open(path, method=method, headers=headers)
    content_type = "text/plain" if body == b"x" else JSON
    return clinic.world.send(method, path, body, headers, content_type)


def test_every_request_leaves_exactly_one_row(filled):
    for method, path, body, headers, status, interaction, outcome in requests_of(
        filled
    ):
        before = len(filled.world.audited())

        answer = ask(filled, method, path, body, headers)

        rows = filled.world.audited()[before:]
        told = (method, path, answer.status_code)
        assert told == (method, path, status)
        assert [(row.status, row.interaction, row.outcome) for row in rows] == [
            (status, interaction, outcome)
        ], told
        assert rows[0].request == f"{method} {path}"
    assert filled.world.verified().is_intact


def test_a_row_says_who_why_what_and_on_what_ground(filled):
    [seen] = filled.found(f"Observation?patient={filled.patient}")

    filled.world.get(
        f"/fhir/Observation/{seen['id']}", filled.ehr, **{"User-Agent": "EHR/1\x1b[2J"}
    )

    row = filled.world.audited()[-1]
    pseudonym = filled.world.deployment.services.pseudonym
    assert row.client == "ehr"
    assert row.organisation == filled.organization
    assert row.purposes == ("TREAT",)
    assert row.patients == (pseudonym(filled.patient),)
    assert len(row.disclosed) == 1
    assert [basis.kind for basis in row.basis] == [BasisKind.CONSENT, BasisKind.INPUTS]
    assert "/_history/1" in row.basis[0].name
    assert row.time_us == filled.world.clock()
    assert row.user_agent == "EHR/1⟨U+001B⟩[2J"


def test_a_page_names_the_versions_it_disclosed_and_no_others(filled):
    filled.deliver(*(heart_rate(number, "user-1") for number in range(2, 6)))
    query = f"Observation?patient={filled.patient}"

    filled.search(f"{query}&_count=2")
    filled.search(f"{query}&_count=0")

    of_page, of_total = filled.world.audited()[-2:]
    assert len(of_page.disclosed) == 2
    assert list(of_total.disclosed) == []
    written = [seq for row in filled.world.audited() for seq in row.written]
    assert set(of_page.disclosed) <= set(written)


def test_a_device_payload_is_in_the_log_with_what_became_of_it(filled):
    filled.deliver(heart_rate(1, "user-1"), heart_rate(2, "user-1", value=-1))

    row = filled.world.audited()[-1]
    assert dict(row.counts) == {"duplicate": 1, "quarantined": 1}
    assert row.client == "gateway"
    assert row.patients == (filled.world.deployment.services.pseudonym(filled.patient),)


def test_no_row_holds_a_readable_request(filled):
    filled.search(f"Observation?patient={filled.patient}&code=canary-code")

    database = filled.world.deployment.database
    with database.read() as snapshot:
        leaves = [leaf for _, leaf, _ in audit_log.entries(snapshot)]

    assert "canary-code" in filled.world.audited()[-1].request
    assert not any(b"canary-code" in leaf for leaf in leaves)
    assert not any(filled.patient.encode() in leaf for leaf in leaves)


@contextmanager
def broken(world, sql):
    """Let a statement hold for a while, and take it back."""
    name = world.deployment.database.url.database
    with sqlite3.connect(name) as connection:
        connection.execute(sql)
    connection.close()
    yield
    with sqlite3.connect(name) as connection:
        connection.execute("DROP TRIGGER broken")
    connection.close()


UNWRITABLE = """
    CREATE TRIGGER broken BEFORE INSERT ON audit_entry
    BEGIN SELECT RAISE(ABORT, 'the disk is full'); END
"""

UNSTORABLE = """
    CREATE TRIGGER broken BEFORE INSERT ON directory
    BEGIN SELECT RAISE(ABORT, 'a fault'); END
"""


def writes_of(clinic):
    return [
        ("POST", "/fhir/Patient", patient(), clinic.admin),
        (
            "POST",
            "/device-data/open-mhealth",
            [heart_rate(9, "user-1")],
            clinic.gateway,
        ),
    ]


def number_of_resources(world):
    with world.deployment.database.engine.connect() as connection:
        return connection.execute(text("SELECT COUNT(*) FROM resource")).scalar()


def test_without_an_audit_row_nothing_is_disclosed_and_nothing_is_written(filled):
    [seen] = filled.found(f"Observation?patient={filled.patient}")
    before = number_of_resources(filled.world)
    reads = [
        ("GET", f"/fhir/Observation?patient={filled.patient}", None, filled.ehr),
        ("GET", f"/fhir/Observation/{seen['id']}", None, filled.ehr),
        ("GET", "/fhir/Observation/1", None, filled.ehr),
        ("GET", "/fhir/metadata", None, {}),
    ]

    with broken(filled.world, UNWRITABLE):
        for method, path, body, headers in reads + writes_of(filled):
            answer = ask(filled, method, path, body, headers)

            assert answer.status_code == 503, path
            assert seen["id"] not in answer.get_data(as_text=True)

    assert number_of_resources(filled.world) == before
    assert filled.world.verified().is_intact
    assert len(filled.found(f"Observation?patient={filled.patient}")) == 1


def test_a_fault_in_a_write_is_500_and_in_the_log_and_leaves_nothing(filled):
    before = number_of_resources(filled.world)

    with broken(filled.world, UNSTORABLE):
        for method, path, body, headers in writes_of(filled):
            rows = len(filled.world.audited())

            answer = ask(filled, method, path, body, headers)

            assert answer.status_code == 500
            assert "fault" in answer.json["issue"][0]["diagnostics"]
            [row] = filled.world.audited()[rows:]
            assert (row.status, row.outcome) == (500, Outcome.ERROR)
            assert list(row.written) == []

    assert number_of_resources(filled.world) == before
    assert filled.world.verified().is_intact
    # The number of the patient that was lost goes to another; both logs open.
    filled.world.create(patient(), filled.admin)
    assert all(row.request is not None for row in filled.world.audited())


def test_a_write_and_its_row_are_one_transaction(filled):
    database = filled.world.deployment.database
    good, seen = database.tail, []

    class Watching:
        """Looks, before the log is appended to, whether the data is there already."""

        def append(self, transaction: Transaction, leaves) -> None:
            [(inside,)] = transaction.sql("SELECT COUNT(*) FROM resource", ())
            seen.append((number_of_resources(filled.world), inside, len(leaves)))
            good.append(transaction, leaves)

    before = number_of_resources(filled.world)
    database.tail = Watching()
    for method, path, body, headers in writes_of(filled):
        ask(filled, method, path, body, headers)
    made = filled.world.create(observation(filled.patient), filled.admin)
    filled.world.update(made, filled.admin)
    database.tail = good

    assert seen == [
        (before, before + 1, 1),
        (before + 1, before + 2, 1),
        (before + 2, before + 3, 1),
        (before + 3, before + 3, 1),
    ]


def test_an_altered_row_and_a_removed_tail_are_found(filled):
    deployment = filled.world.deployment
    audit_trail.export_checkpoint(deployment.database, deployment.checkpoints)
    path = deployment.database.url.database
    with sqlite3.connect(path) as connection:
        connection.execute("DELETE FROM audit_entry WHERE leaf_index = 2")
    connection.close()

    report = filled.world.verified()

    assert not report.is_intact
    assert report.first_bad_index == 2


def test_a_checkpoint_is_written_once_a_size(filled):
    deployment = filled.world.deployment
    one = audit_trail.export_checkpoint(deployment.database, deployment.checkpoints)
    other = audit_trail.export_checkpoint(deployment.database, deployment.checkpoints)

    assert one == other
    assert len(audit_trail.checkpoints_in(deployment.checkpoints)) == 1
