"""What goes on beside the requests, step by step and in a thread of its own."""

import threading

import pytest
from worlds import Clinic

from consent.audit.entry import AuditRecord, Interaction, Outcome, encode
from fhir_service.compliance import explanations
from fhir_service.compliance.progress import Progress, progress
from fhir_service.compliance.watch import Watch
from fhir_service.storage import alerts
from fhir_service.storage.alerts import Alert


def export(clinic: Clinic) -> None:
    record = AuditRecord(
        time_us=clinic.world.clock(),
        interaction=Interaction.EXPORT,
        outcome=Outcome.ALLOWED,
        user="olga",
    )
    leaf = encode(record, seal=lambda text: text)
    clinic.world.deployment.database.log([leaf]).result()


def open_alerts(clinic: Clinic) -> list[Alert]:
    with clinic.world.deployment.database.read() as snapshot:
        return alerts.unclosed(snapshot)


def kinds(clinic: Clinic) -> list[str]:
    return [one.kind for one in open_alerts(clinic)]


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


class Timer:
    """Time that passes with each look at it."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        self.now += 1.0
        return self.now


def slow(clinic: Clinic, monkeypatch: pytest.MonkeyPatch) -> Watch:
    """Return a watch whose steps take a second each, for one row."""
    monkeypatch.setattr(explanations, "CHUNK", 1)
    monkeypatch.setattr(Watch, "REST", 0)
    services = clinic.world.deployment.services
    return Watch(services, Courier(), Broken(), timer=Timer())


def seen(clinic: Clinic) -> Progress:
    with clinic.world.deployment.database.read() as snapshot:
        return progress(snapshot)


def test_a_round_ends_after_its_time_and_the_next_goes_on(clinic, monkeypatch):
    watch = slow(clinic, monkeypatch)
    monkeypatch.setattr(Watch, "ROUND_S", 5.0)
    export(clinic)
    watch.once()
    assert 0 < seen(clinic).explained < seen(clinic).rows
    assert kinds(clinic) == []

    while seen(clinic).is_behind:
        watch.once()

    assert kinds(clinic) == ["audit-export"]


def test_a_round_goes_on_while_rows_wait(clinic, monkeypatch):
    watch = slow(clinic, monkeypatch)
    monkeypatch.setattr(Watch, "ROUND_S", 10_000.0)
    export(clinic)

    watch.once()

    assert not seen(clinic).is_behind
    assert kinds(clinic) == ["audit-export"]


def test_while_it_is_behind_it_rests_as_long_as_it_works(clinic, monkeypatch):
    watch = slow(clinic, monkeypatch)
    monkeypatch.setattr(Watch, "REST", 1.0)
    monkeypatch.setattr(Watch, "ROUND_S", 20.0)
    rests: list[float] = []
    monkeypatch.setattr(watch._stop, "wait", rests.append)
    for _ in range(10):
        export(clinic)

    watch.once()

    assert len(rests) >= 5
    assert set(rests) == {1.0}


def test_thousands_of_rows_are_looked_at_in_one_round(clinic):
    size = 2_000
    record = encode(
        AuditRecord(
            time_us=clinic.world.clock(),
            interaction=Interaction.READ,
            outcome=Outcome.ALLOWED,
            user="Practitioner/curious",
            patients=(clinic.world.deployment.services.pseudonym(clinic.patient),),
            disclosed=(1,),
        ),
        seal=lambda text: text,
    )
    clinic.world.deployment.database.log([record] * size).result()

    clinic.world.deployment.watch().once()

    [alert] = open_alerts(clinic)
    assert (alert.kind, alert.count) == ("unexplained-access", size)
    assert not seen(clinic).is_behind
