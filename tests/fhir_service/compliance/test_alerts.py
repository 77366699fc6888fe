"""Alerts from the log of a whole service: raised once, counted, closed, and whose."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import bindparam, update
from worlds import Clinic, consent, furnish, opened_world, permit, purposes

from conformance.issues import FHIRError
from consent.audit.entry import AuditRecord, Interaction, Outcome, encode
from fhir_service.compliance import alerts
from fhir_service.compliance.alert_rules import DENIALS, NOT_FOUNDS, Kind
from fhir_service.compliance.alerts import Alerter
from fhir_service.compliance.log_watch import LOOK_EVERY_US, LogWatch
from fhir_service.compliance.officer import Officer
from fhir_service.compliance.progress import explained
from fhir_service.compliance.rows import Reader
from fhir_service.storage import alerts as stored
from fhir_service.storage import resources
from fhir_service.storage.alerts import Alert
from fhir_service.storage.statement import Statement
from fhir_service.storage.tables import audit_entry, resource

DAY_S = 86_400


@pytest.fixture
def either(tmp_path, template, database_url):
    """Yield a clinic on each database."""
    with opened_world(
        tmp_path, template, name="alerts", database_url=database_url
    ) as world:
        yield furnish(world)


def raised(clinic: Clinic) -> list[Alert]:
    """Look at every row; return the open alerts, oldest first."""
    services = clinic.world.deployment.services
    explained(services)
    Alerter(services).catch_up()
    with services.database.read() as snapshot:
        return list(reversed(stored.unclosed(snapshot)))


def told(clinic: Clinic) -> list[tuple[str, int]]:
    return [(one.kind, one.count) for one in raised(clinic)]


def write(clinic: Clinic, **more: Any) -> int:
    """Append a row to the log; return its place."""
    services = clinic.world.deployment.services
    values = {
        "time_us": clinic.world.clock(),
        "interaction": Interaction.READ,
        "outcome": Outcome.ALLOWED,
        "status": 200,
        "user": "Practitioner/curious",
        "client": "app",
        "organisation": clinic.organization,
        "address": "192.0.2.7",
        "purposes": ("TREAT",),
        "patients": (services.pseudonym(clinic.patient),),
        "disclosed": (1,),
    }
    record = AuditRecord(**{**values, **more})
    services.database.log([encode(record, seal=lambda text: text)]).result()
    return len(clinic.world.audited()) - 1


def denied(clinic: Clinic, **more: Any) -> int:
    values = {"outcome": Outcome.DENIED, "status": 403, "disclosed": ()}
    return write(clinic, **{**values, **more})


def test_an_unexplained_access_is_one_alert_that_counts(either):
    first = write(either)
    raised(either)
    write(either)
    last = write(either)

    [alert] = raised(either)

    assert (alert.kind, alert.count) == ("unexplained-access", 3)
    assert (alert.leaf_index, alert.last_leaf) == (first, last)
    assert alert.organisation == either.organization


def test_no_row_is_looked_at_twice_by_two_processes(either):
    for _ in range(5):
        write(either)
    services = either.world.deployment.services
    explained(services)
    one, other = Alerter(services), Alerter(services)
    with ThreadPoolExecutor(2) as both:
        ends = set(both.map(lambda each: each.look(), (one, other)))
    one.catch_up()
    other.catch_up()

    assert len(ends) == 1
    assert told(either) == [("unexplained-access", 5)]


def test_many_refusals_are_one_alert(clinic):
    for _ in range(DENIALS - 1):
        denied(clinic)
    assert told(clinic) == []

    denied(clinic)
    denied(clinic)

    assert told(clinic) == [("burst-of-denials", 2)]


def test_refusals_before_a_chunk_are_counted_too(clinic, monkeypatch):
    monkeypatch.setattr(alerts, "CHUNK", 7)
    for _ in range(NOT_FOUNDS):
        denied(clinic, status=404)

    assert told(clinic) == [("enumeration", 1)]


def test_who_only_claims_to_be_a_client_is_known_by_the_address(clinic):
    for _ in range(DENIALS):
        denied(clinic, client="claims app", user="", interaction=Interaction.TOKEN)

    [alert] = raised(clinic)

    assert alert.key.startswith("address ")


@pytest.mark.parametrize(
    ("minutes", "kinds"),
    [(9, ["denied-then-permitted"]), (11, [])],
)
def test_another_purpose_that_opens_is_an_alert_for_ten_minutes(clinic, minutes, kinds):
    denied(clinic, user="", purposes=("HMARKT",))
    clinic.world.clock.pass_s(60 * minutes)
    write(clinic, user="", purposes=("TREAT",))

    assert [one.kind for one in raised(clinic)] == kinds


def test_reading_many_patients_in_a_day_is_an_alert(clinic):
    others = [clinic.another_patient(f"p-{number}") for number in range(51)]
    pseudonyms = [clinic.world.deployment.services.pseudonym(one) for one in others]
    for one in pseudonyms[:50]:
        write(clinic, patients=(one,), user="Practitioner/busy")
    assert "mass-reading" not in {kind for kind, _ in told(clinic)}

    write(clinic, patients=(pseudonyms[50],), user="Practitioner/busy")

    assert ("mass-reading", 1) in told(clinic)


def test_a_client_that_comes_from_elsewhere_is_an_alert_once(clinic):
    system = {"user": "", "client": "lab"}
    write(clinic, **system)
    write(clinic, **system, address="192.0.2.200")
    assert told(clinic) == []

    write(clinic, **system, address="198.51.100.1")
    write(clinic, **system, address="198.51.100.2")

    assert told(clinic) == [("new-network", 1)]


def test_an_emergency_and_an_export_are_alerts(clinic):
    write(clinic, interaction=Interaction.BREAK_GLASS, disclosed=())
    write(clinic, interaction=Interaction.EXPORT, user="officer", disclosed=())

    assert told(clinic) == [("break-glass", 1), ("audit-export", 1)]


def test_a_consent_that_cannot_be_decided_on_is_an_alert(clinic):
    made = clinic.world.create(
        consent(clinic.patient, permit(purpose=purposes("TREAT"))), clinic.admin
    )
    assert told(clinic) == []
    break_consent(clinic, made["id"])

    [seq] = clinic.world.audited()[-1].written
    write(
        clinic,
        user="",
        client="ehr",
        interaction=Interaction.CREATE,
        resource_type="Consent",
        disclosed=(),
        written=(seq,),
    )

    assert told(clinic) == [("consent-indeterminate", 1)]


def break_consent(clinic: Clinic, id_: str) -> None:
    """Store, past the checks of every door, a consent without a scope."""
    database = clinic.world.deployment.database
    repository = clinic.world.deployment.services.repository

    def work(job: Any) -> None:
        found = repository.read(job, "Consent", id_)
        body = repository.body(job, found).replace(b"patient-privacy", b"nothing")
        sealed = repository.codec.encode(
            job, found.patient_key, found.row, found.version, body
        )
        job.run(_SET_BODY, key=found.row, new=sealed)
        assert resources.current(job, found.row).body == sealed

    database.write(work)


_SET_BODY = Statement(
    update(resource)
    .where(resource.c.row == bindparam("key"))
    .values(body=bindparam("new"))
)


def test_what_was_long_ago_teaches_and_alerts_nobody(clinic):
    write(clinic, user="", client="lab")
    write(clinic)
    clinic.world.clock.pass_s(2 * DAY_S)
    assert told(clinic) == []

    write(clinic, user="", client="lab", address="198.51.100.1")

    assert told(clinic) == [("new-network", 1)]


def officer(*organizations: str, user: str = "olga") -> Officer:
    return Officer(user=user, organizations=organizations or None)


def open_to(clinic: Clinic, who: Officer) -> list[int]:
    services = clinic.world.deployment.services
    with services.database.read() as snapshot:
        found = alerts.open_alerts(Reader(services, snapshot, who))
    return [one.id for one in found]


def test_an_officer_closes_an_alert_with_a_note_and_it_is_recorded(either):
    write(either)
    [alert] = raised(either)
    services = either.world.deployment.services
    mine = officer(either.organization)

    alerts.close(services, mine, alert.id, "She covered for a colleague.")

    with services.database.read() as snapshot:
        closed = stored.find(snapshot, alert.id)
        note = services.seal.unsealer(snapshot)(closed.note)
    assert (closed.closed, closed.closed_by) == (either.world.clock(), "olga")
    assert note == b"She covered for a colleague."
    assert b"colleague" not in closed.note
    assert open_to(either, mine) == []
    row = either.world.audited()[-1]
    assert (row.interaction, row.user, row.request) == (
        Interaction.CONFIG,
        "olga",
        f"alert close {alert.id}",
    )


def test_after_it_was_closed_the_same_is_a_new_alert(clinic):
    write(clinic)
    [alert] = raised(clinic)
    alerts.close(clinic.world.deployment.services, officer(), alert.id, "")
    write(clinic)

    [again] = raised(clinic)

    assert (again.id, again.count) == (alert.id + 1, 1)


@pytest.mark.parametrize("number", ["its own", "another"])
def test_what_is_not_hers_or_not_there_is_alike_to_an_officer(clinic, number):
    write(clinic)
    [alert] = raised(clinic)
    services = clinic.world.deployment.services
    stranger = officer("Organization/elsewhere")
    id_ = alert.id if number == "its own" else 99

    with pytest.raises(FHIRError, match="There is no such open alert here"):
        alerts.close(services, stranger, id_, "")

    assert open_to(clinic, stranger) == []
    assert open_to(clinic, officer()) == [alert.id]


def test_a_note_that_is_too_long_is_refused(clinic):
    with pytest.raises(FHIRError, match="at most 2000"):
        alerts.close(clinic.world.deployment.services, officer(), 1, "x" * 2_001)


def log_watch(clinic: Clinic) -> LogWatch:
    deployment = clinic.world.deployment
    return LogWatch(
        deployment.database,
        deployment.log_key,
        deployment.examinations,
        Alerter(deployment.services),
        deployment.services.clock,
    )


def test_a_log_that_goes_on_as_signed_is_no_alert(either):
    watch = log_watch(either)
    for _ in range(3):
        watch.look()
        write(either, user="", client="ehr")
        either.world.clock.pass_s(LOOK_EVERY_US / 1_000_000)
    watch.look()

    with either.world.deployment.database.read() as snapshot:
        assert stored.unclosed(snapshot) == []


def test_a_new_row_that_was_altered_is_an_alert_within_a_minute(either):
    watch = log_watch(either)
    watch.look()
    index = write(either)
    alter(either, index)
    either.world.clock.pass_s(61)

    watch.look()

    with either.world.deployment.database.read() as snapshot:
        [alert] = stored.unclosed(snapshot)
    assert (alert.kind, alert.key, alert.organisation) == (Kind.LOG, "head", None)


def test_an_old_row_that_was_altered_is_an_alert_within_a_day(either):
    watch = log_watch(either)
    watch.look()
    alter(either, 0)
    either.world.clock.pass_s(61)
    watch.look()
    with either.world.deployment.database.read() as snapshot:
        assert stored.unclosed(snapshot) == []

    either.world.clock.pass_s(DAY_S)
    watch.look()
    log_watch(either).look()

    with either.world.deployment.database.read() as snapshot:
        [alert] = stored.unclosed(snapshot)
    assert (alert.key, alert.count) == ("rows", 1)


def alter(clinic: Clinic, index: int) -> None:
    clinic.world.deployment.database.write(
        lambda job: job.run(_ALTER, at=index, new=b"altered")
    )


_ALTER = Statement(
    update(audit_entry)
    .where(audit_entry.c.leaf_index == bindparam("at"))
    .values(leaf=bindparam("new"))
)


def test_no_alert_names_a_person_or_a_patient(clinic):
    write(clinic)
    denied(clinic, purposes=("HMARKT",))
    write(clinic)

    texts = [f"{one.kind} {one.key} {one.detail}" for one in raised(clinic)]

    assert len(texts) == 2
    for text in texts:
        assert "curious" not in text
        assert clinic.patient not in text
        assert "app" not in text.split()


def test_an_alert_shows_no_note_where_it_is_printed(clinic):
    write(clinic)
    [alert] = raised(clinic)

    assert "secret" not in repr(replace(alert, note=b"secret"))
