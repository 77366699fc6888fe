"""What goes on beside the requests, step by step and in a thread of its own."""

import threading

import pytest
from worlds import Clinic

from consent.audit.entry import AuditRecord, Interaction, Outcome, encode
from fhir_service.compliance.watch import Watch
from fhir_service.storage import alerts


def export(clinic: Clinic) -> None:
    record = AuditRecord(
        time_us=clinic.world.clock(),
        interaction=Interaction.EXPORT,
        outcome=Outcome.ALLOWED,
        user="olga",
    )
    leaf = encode(record, seal=lambda text: text)
    clinic.world.deployment.database.log([leaf]).result()


def kinds(clinic: Clinic) -> list[str]:
    with clinic.world.deployment.database.read() as snapshot:
        return [one.kind for one in alerts.unclosed(snapshot)]


class Courier:
    """Fails, or says that it was asked."""

    def __init__(self) -> None:
        self.asked = threading.Event()

    def deliver(self) -> int:
        self.asked.set()
        return 0


class Broken:
    def look(self) -> None:
        raise OSError("no space left")


def test_a_step_that_fails_keeps_no_other_from_being_done(clinic):
    courier = Courier()
    watch = Watch(clinic.world.deployment.services, courier, Broken())
    export(clinic)

    watch.once()

    assert kinds(clinic) == ["audit-export"]
    assert courier.asked.is_set()


def test_the_thread_does_all_of_it_until_it_is_stopped(clinic, monkeypatch):
    monkeypatch.setattr(Watch, "INTERVAL_S", 0.01)
    courier = Courier()
    watch = Watch(clinic.world.deployment.services, courier, Broken())
    export(clinic)

    watch.start()
    has_asked = courier.asked.wait(10)
    watch.stop()

    assert has_asked
    assert kinds(clinic) == ["audit-export"]
    assert "watch" not in {one.name for one in threading.enumerate()}


def test_what_the_deployment_makes_looks_and_delivers(clinic):
    export(clinic)

    clinic.world.deployment.watch().once()

    assert kinds(clinic) == ["audit-export"]


@pytest.mark.parametrize("is_begun", [True, False])
def test_it_can_be_stopped_whether_it_began_or_not(clinic, is_begun):
    watch = clinic.world.deployment.watch()
    if is_begun:
        watch.start()

    watch.stop()
    export(clinic)
    watch.once()

    assert kinds(clinic) == []


def test_a_round_looks_at_no_more_rows_than_requests_bear(clinic, monkeypatch):
    monkeypatch.setattr(Watch, "ROWS_A_ROUND", 1)
    watch = clinic.world.deployment.watch()
    before = len(clinic.world.audited())
    export(clinic)
    for _ in range(before):
        watch.once()
    assert kinds(clinic) == []

    watch.once()

    assert kinds(clinic) == ["audit-export"]
