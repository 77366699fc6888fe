"""Alerts of a whole service: after a withdrawal, when the policy or a clock changes."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from sqlalchemy import bindparam, delete
from worlds import (
    Clinic,
    Headers,
    actor,
    consent,
    furnish,
    heart_rate,
    opened_world,
    permit,
    purposes,
    settings_of,
)

from consent.audit.entry import AuditRecord, Basis, BasisKind, Interaction, Outcome
from consent.audit.entry import encode as encoded
from fhir_service.compliance.alerts import Alerter, close
from fhir_service.compliance.officer import Officer
from fhir_service.compliance.progress import explained
from fhir_service.deployment import open_deployment
from fhir_service.storage import alerts
from fhir_service.storage.alerts import Alert
from fhir_service.storage.statement import Statement
from fhir_service.storage.tables import audit_entry

AFTER = {
    "attempt-after-withdrawal",
    "release-after-withdrawal",
    "configuration-change",
    "clock-went-back",
    "log-gap",
}
DAY_S = 86_400


@dataclass
class Permitted:
    """A clinic whose patient has permitted a laboratory to read."""

    clinic: Clinic
    lab: Headers
    research: dict[str, Any]
    one: str

    def read(self, by: Headers | None = None) -> int:
        return self.clinic.world.get(self.one, by or self.lab).status_code

    def withdraw(self) -> None:
        self.research = self.clinic.world.update(
            {**self.research, "status": "inactive"}, self.clinic.admin
        )

    def wait(self, seconds: float) -> None:
        self.clinic.world.clock.pass_s(seconds)


@pytest.fixture
def permitted(tmp_path, template, database_url) -> Iterator[Permitted]:
    """Yield it on each database."""
    with opened_world(
        tmp_path, template, name="permitted", database_url=database_url
    ) as world:
        yield permitted_in(furnish(world))


def permitted_in(clinic: Clinic) -> Permitted:
    world = clinic.world
    founder = world.client("founder-2", "system/Organization.c")
    made = world.create({"resourceType": "Organization", "name": "Lab"}, founder)
    lab = f"Organization/{made['id']}"
    headers = world.client("lab", "system/*.rs", organization=lab, purposes=("HRESCH",))
    clinic.consented()
    clinic.deliver(heart_rate(1, "user-1"))
    provision = permit(actor=actor(lab), purpose=purposes("HRESCH"))
    research = world.create(consent(clinic.patient, provision), clinic.admin)
    [seen] = clinic.found(f"Observation?patient={clinic.patient}&code=8867-4")
    return Permitted(
        clinic=clinic,
        lab=headers,
        research=research,
        one=f"/fhir/Observation/{seen['id']}",
    )


def raised(clinic: Clinic) -> list[Alert]:
    """Look at every row; return the open alerts of these kinds, oldest first."""
    services = clinic.world.deployment.services
    explained(services)
    Alerter(services).catch_up()
    with services.database.read() as snapshot:
        found = alerts.unclosed(snapshot)
    return [one for one in reversed(found) if one.kind in AFTER]


def told(clinic: Clinic) -> list[tuple[str, int]]:
    return [(one.kind, one.count) for one in raised(clinic)]


def test_who_had_read_and_asks_after_the_withdrawal_is_one_alert(permitted):
    assert permitted.read() == 200
    permitted.wait(60)
    permitted.withdraw()
    assert told(permitted.clinic) == []

    permitted.wait(60)
    assert [permitted.read() for _ in range(3)] == [404, 404, 404]

    [alert] = raised(permitted.clinic)
    assert (alert.kind, alert.count) == ("attempt-after-withdrawal", 3)
    assert alert.organisation == permitted.clinic.organization


def test_it_is_told_too_where_all_was_looked_at_together(permitted):
    permitted.read()
    permitted.withdraw()
    permitted.wait(60)
    permitted.read()

    assert told(permitted.clinic) == [("attempt-after-withdrawal", 1)]


def test_who_had_never_read_by_the_consent_is_no_alert(permitted):
    permitted.withdraw()
    permitted.wait(60)

    assert permitted.read() == 404

    assert told(permitted.clinic) == []


def test_who_may_still_read_by_another_consent_is_no_alert(permitted):
    permitted.read()
    permitted.withdraw()
    permitted.wait(60)

    assert permitted.read(permitted.clinic.ehr) == 200

    assert told(permitted.clinic) == []


def test_after_thirty_days_a_refusal_is_one_like_others(permitted):
    permitted.read()
    permitted.withdraw()
    permitted.wait(31 * DAY_S)

    assert permitted.read() == 404

    assert told(permitted.clinic) == []


def test_a_consent_that_is_given_again_has_not_ended(permitted):
    permitted.read()
    permitted.withdraw()
    raised(permitted.clinic)
    permitted.wait(60)
    body = {**permitted.research, "status": "active", "verification": VERIFIED}
    permitted.clinic.world.update(body, permitted.clinic.admin)
    permitted.wait(60)

    assert permitted.read() == 200

    assert told(permitted.clinic) == []


VERIFIED = [{"verified": True, "verificationDate": "2026-11-20T12:00:30Z"}]


def write(clinic: Clinic, **more: Any) -> None:
    """Append a row to the log."""
    services = clinic.world.deployment.services
    values = {
        "time_us": clinic.world.clock(),
        "interaction": Interaction.READ,
        "outcome": Outcome.ALLOWED,
        "status": 200,
        "client": "lab",
        "organisation": clinic.organization,
        "patients": (services.pseudonym(clinic.patient),),
        "disclosed": (1,),
    }
    row = AuditRecord(**{**values, **more})
    services.database.log([encoded(row, seal=lambda text: text)]).result()


def test_what_left_by_a_consent_that_had_ended_is_an_alert(permitted):
    name = f"{permitted.research['id']}/_history/1"
    basis = (Basis(BasisKind.CONSENT, name, "provision"),)
    permitted.withdraw()
    permitted.wait(1)
    write(permitted.clinic, basis=basis)
    assert told(permitted.clinic) == []

    permitted.wait(120)
    write(permitted.clinic, basis=basis)

    assert told(permitted.clinic) == [("release-after-withdrawal", 1)]


def test_another_default_policy_is_an_alert_and_a_restart_is_none(clinic):
    data = clinic.world.data
    open_deployment(settings_of(data), clock=clinic.world.clock).database.close()
    assert told(clinic) == []

    settings = settings_of(data, FHIR_SERVICE_DEFAULT_POLICY="all-normal")
    open_deployment(settings, clock=clinic.world.clock).database.close()

    [alert] = raised(clinic)
    assert (alert.kind, alert.key, alert.count) == ("configuration-change", "policy", 1)
    assert alert.organisation is None


def test_an_officer_who_closes_an_alert_changes_no_configuration(clinic):
    write(clinic, interaction=Interaction.EXPORT, user="officer", disclosed=())
    raised(clinic)
    services = clinic.world.deployment.services
    with services.database.read() as snapshot:
        [alert] = alerts.unclosed(snapshot)

    close(services, Officer(user="olga", organizations=None), alert.id, "")

    assert told(clinic) == []


def test_a_clock_that_goes_back_is_one_alert_and_those_after_it_none(permitted):
    clinic = permitted.clinic
    write(clinic)
    permitted.wait(-3_600)
    for _ in range(3):
        write(clinic)
        permitted.wait(1)

    assert told(clinic) == [("clock-went-back", 1)]
    write(clinic)
    assert told(clinic) == [("clock-went-back", 1)]


def test_rows_that_overlap_are_no_alert(clinic):
    for seconds in (0, 30, -20, 40, -30):
        clinic.world.clock.pass_s(seconds)
        write(clinic)

    assert told(clinic) == []


_REMOVE = Statement(
    delete(audit_entry).where(audit_entry.c.leaf_index == bindparam("at"))
)


def test_rows_that_are_missing_are_an_alert_that_names_the_first(permitted):
    clinic = permitted.clinic
    raised(clinic)
    for _ in range(4):
        write(clinic)
    last = len(clinic.world.audited()) - 1
    for index in (last - 2, last - 1):
        clinic.world.deployment.database.write(
            lambda job, index=index: job.run(_REMOVE, at=index)
        )

    [alert] = raised(clinic)

    assert (alert.kind, alert.leaf_index, alert.count) == ("log-gap", last - 2, 1)
    assert alert.organisation is None
