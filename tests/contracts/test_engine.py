"""Snapshots, the one writer, group commit: on SQLite and on PostgreSQL."""

import os
import signal
import subprocess
import sys
import threading
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import func, select
from worlds import (
    actor,
    consent,
    furnish,
    observation,
    opened_world,
    patient,
    permit,
    reopened_world,
)

from conformance.issues import FHIRError, IssueType
from fhir_service.auth.bearer import authenticate
from fhir_service.storage import audit_log, counters, patients, types
from fhir_service.storage.engine import Transaction
from fhir_service.storage.statement import Statement
from fhir_service.storage.tables import audit_entry, resource

WRITER = Path(__file__).with_name("engine_writer.py")


@pytest.fixture
def database(any_world):
    return any_world.deployment.database


class CountingTail:
    """Counts commits; one append is one transaction with leaves."""

    def __init__(self, tail):
        self.tail = tail
        self.sizes = []

    def append(self, transaction, leaves):
        self.sizes.append(len(leaves))
        self.tail.append(transaction, leaves)


class BrokenTail:
    """Loses every transaction."""

    def append(self, _transaction, _leaves):
        raise ZeroDivisionError


def held(database):
    """Keep the writer busy until told; return what tells it, and its ticket."""
    begun, release = threading.Event(), threading.Event()

    def work(_transaction: Transaction) -> None:
        begun.set()
        release.wait(10)

    ticket = database.submit(work)
    begun.wait(10)
    return release, ticket


def seq_of(transaction):
    transaction.audit(b"leaf")
    return counters.take(transaction, "seq")


def test_jobs_that_wait_share_one_commit(database):
    database.tail = counting = CountingTail(database.tail)
    release, ticket = held(database)

    tickets = [database.submit(seq_of) for _ in range(40)]
    release.set()

    assert [one.result(10) for one in tickets] == list(range(1, 41))
    assert ticket.result(10) is None
    assert counting.sizes == [40]


def test_a_job_that_fails_spoils_no_other(database):
    release, _ = held(database)

    def fail(transaction: Transaction) -> None:
        seq_of(transaction)
        raise ZeroDivisionError

    tickets = [database.submit(work) for work in (seq_of, fail, seq_of)]
    release.set()

    assert tickets[0].result(10) == 1
    with pytest.raises(ZeroDivisionError):
        tickets[1].result(10)
    assert tickets[2].result(10) == 2
    with database.read() as snapshot:
        assert audit_log.head(snapshot).frontier.size == 2


def test_effects_come_after_the_commit_and_only_of_jobs_that_succeed(database):
    seen = []

    def succeed(transaction: Transaction) -> None:
        transaction.after_commit(lambda: seen.append("kept"))

    def fail(transaction: Transaction) -> None:
        transaction.after_commit(lambda: seen.append("lost"))
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        database.write(fail)
    database.write(succeed)

    assert seen == ["kept"]


def test_a_lost_transaction_tells_all_its_jobs_and_the_next_one_works(database):
    good, database.tail = database.tail, BrokenTail()

    for _ in range(2):
        with pytest.raises(FHIRError) as raised:
            database.write(seq_of)
        assert raised.value.type is IssueType.NO_STORE
    database.tail = good

    assert database.write(seq_of) == 1


def test_a_snapshot_does_not_move(any_world, database):
    services = any_world.deployment.services
    with database.read() as snapshot:
        count = Statement(select(func.count()).select_from(resource))
        before = snapshot.one(count)

        database.write(
            lambda transaction: services.repository.create(
                transaction, patient(), patient_key=0
            )
        )

        assert snapshot.one(count) == before
    with database.read() as snapshot:
        assert snapshot.one(count) == (before[0] + 1,)


def test_decision_and_rows_are_of_one_snapshot_while_a_withdrawal_commits(any_world):
    clinic = furnish(any_world)
    stored = clinic.consented()
    any_world.create(observation(clinic.patient), clinic.admin)
    gate = any_world.deployment.services.gate
    grant = grant_of(clinic)
    database = any_world.deployment.database

    def views():
        state = patients.by_id(snapshot, types.number_of("Patient"), clinic.patient)
        return gate.view(snapshot, grant, state, "Observation").view

    with database.read() as snapshot:
        patients.by_id(snapshot, types.number_of("Patient"), clinic.patient)
        thread = threading.Thread(
            target=any_world.update,
            args=({**stored, "status": "inactive"}, clinic.admin),
        )
        thread.start()
        thread.join(10)
        in_old = views()
    with database.read() as snapshot:
        in_new = views()

    assert not in_old.is_empty
    assert in_new.is_empty


def grant_of(clinic):
    world = clinic.world
    with world.deployment.database.read() as snapshot:
        return authenticate(snapshot, clinic.ehr["Authorization"], world.clock())


def test_what_was_decided_in_a_lost_transaction_is_forgotten(any_world):
    clinic = furnish(any_world)
    database = any_world.deployment.database
    services = any_world.deployment.services
    any_world.create(observation(clinic.patient), clinic.admin)
    allowed = consent(clinic.patient, permit(actor=actor(clinic.organization)))
    grant = grant_of(clinic)
    good = database.tail
    with database.read() as snapshot:
        state = patients.by_id(snapshot, types.number_of("Patient"), clinic.patient)

    release, ticket = held(database)
    database.tail = BrokenTail()

    def permitting(transaction: Transaction) -> None:
        services.repository.create(transaction, allowed, patient_key=state.key)
        transaction.audit(b"leaf")

    def looking(transaction: Transaction) -> bool:
        inside = patients.by_key(transaction, state.key)
        decided = services.gate.view(transaction, grant, inside, "Observation")
        return decided.view.is_empty

    tickets = [
        database.submit(permitting),
        database.submit(looking),
    ]
    release.set()
    for one in tickets:
        with pytest.raises(FHIRError):
            one.result(10)
    database.tail = good
    assert ticket.done()

    # Another consent takes the epoch that the lost one had.
    any_world.create(consent(clinic.patient, {"type": "deny"}), clinic.admin)

    assert clinic.found(f"Observation?patient={clinic.patient}") == []


@contextmanager
def writer(world, name, count):
    """Yield another process that writes, and prints each row it was promised."""
    url = world.deployment.database.url.render_as_string(hide_password=False)
    with subprocess.Popen(  # noqa: S603 - our own script
        [sys.executable, WRITER, str(world.data), url, name, str(count)],
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        yield process


def test_two_processes_write_one_order_and_one_log(
    migrated_postgres_url, tmp_path, template
):
    with opened_world(tmp_path, template, database_url=migrated_postgres_url) as world:
        with writer(world, "one", 60) as one, writer(world, "other", 60) as other:
            lines = [
                line.split() for process in (one, other) for line in process.stdout
            ]
        assert (one.returncode, other.returncode) == (0, 0)
        with world.deployment.database.read() as snapshot:
            leaves = [
                (index, bytes(leaf)) for index, leaf, _ in audit_log.entries(snapshot)
            ]

        assert [index for index, _ in leaves] == list(range(120))
        # seq grows along the log: it is handed out in the order of commits.
        seqs = [int(leaf.split()[1]) for _, leaf in leaves]
        assert seqs == sorted(seqs)
        assert sorted(int(seq) for seq, _ in lines) == list(range(1, 121))
        assert world.verified().is_intact


def test_a_killed_process_has_kept_what_it_had_promised(tmp_path, template):
    with opened_world(tmp_path, template) as world:
        with writer(world, "killed", 100_000) as process:
            promised = [process.stdout.readline().split() for _ in range(40)]

            os.kill(process.pid, signal.SIGKILL)
            promised += [line.split() for line in process.stdout if line[-1:] == "\n"]

        assert len(promised) >= 40
        with reopened_world(world.data) as after:
            services = after.deployment.services
            with services.database.read() as snapshot:
                for _, id_ in promised:
                    stored = services.repository.read(snapshot, "Patient", id_)
                    assert services.repository.body(snapshot, stored)
                [(kept,)] = snapshot.all(
                    Statement(select(func.count()).select_from(resource))
                )
                [(logged,)] = snapshot.all(
                    Statement(select(func.count()).select_from(audit_entry))
                )
            assert kept == logged, "a write without its audit row, or the reverse"
            assert after.verified().is_intact


def test_a_stopped_writer_refuses_and_does_not_hang(any_world, database):
    database.write(seq_of)
    running = database._start()
    running.stop()

    with pytest.raises(FHIRError) as raised:
        database.write(seq_of)

    assert raised.value.type is IssueType.TRANSIENT
    database._writer = None
    assert any_world.deployment.database.write(seq_of) == 2
