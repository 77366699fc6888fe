"""What an officer sees of a log that somebody has altered: the rest, and what is wrong.

The service goes on; verification names the row.
"""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from people import Browser, enrol, entered, text_of, with_quick_passwords
from sqlalchemy import bindparam, delete, insert, update
from worlds import Clinic, furnish, heart_rate, opened_world

from consent.audit.entry import AuditRecord, Basis, BasisKind, encode
from fhir_service.auth.users import Role
from fhir_service.compliance.alerts import Alerter, open_alerts
from fhir_service.compliance.explanations import Explainer
from fhir_service.compliance.integrity import examine
from fhir_service.compliance.officer import Officer
from fhir_service.compliance.progress import explained, progress
from fhir_service.compliance.rows import Reader
from fhir_service.storage import explanations
from fhir_service.storage.audit_index import indexed_up_to
from fhir_service.storage.audit_tables import audit_explanation
from fhir_service.storage.statement import Statement
from fhir_service.storage.tables import audit_entry, resource

_AT = audit_entry.c.leaf_index == bindparam("at")
ALTER = Statement(update(audit_entry).where(_AT).values(leaf=bindparam("new")))
HASH = Statement(update(audit_entry).where(_AT).values(leaf_hash=bindparam("new")))
BODIES = Statement(update(resource).values(body=bindparam("new")))
REMOVE = Statement(delete(audit_entry).where(_AT))
INSERT = Statement(
    insert(audit_entry).values(
        leaf_index=bindparam("at"), leaf=bindparam("new"), leaf_hash=bindparam("hash_")
    )
)


@pytest.fixture
def watched(tmp_path, template, database_url) -> Iterator[Clinic]:
    """Yield a clinic on each database, where nothing has been indexed yet."""
    with opened_world(
        tmp_path, template, name="tampered", database_url=database_url
    ) as world:
        yield furnished(furnish(with_quick_passwords(world)))


def furnished(clinic: Clinic) -> Clinic:
    clinic.consented()
    clinic.deliver(heart_rate(1, "user-1"))
    enrol(
        clinic.world,
        "officer",
        Role.COMPLIANCE_OFFICER,
        organization=clinic.organization,
    )
    for _ in range(3):
        clinic.found(f"Observation?patient={clinic.patient}&code=8867-4")
    return clinic


def last(clinic: Clinic) -> int:
    return len(clinic.world.audited()) - 1


def run(clinic: Clinic, statement: Statement, **values: Any) -> None:
    clinic.world.deployment.database.write(lambda job: job.run(statement, **values))


def rewritten(clinic: Clinic, **more: Any) -> bytes:
    """Return the last row as somebody wrote it who knows how rows are written."""
    record: AuditRecord = clinic.world.audited()[-1]
    return encode(replace(record, **more), seal=lambda text: text)


FAR = 2**62
HUGE = Basis(BasisKind.CONSENT, "abc/_history/" + "9" * 30)

ALTERED = {
    "other bytes": lambda _: b"altered",
    "no bytes": lambda _: b"",
    "another version": lambda clinic: b"\xff" + rewritten(clinic)[1:],
    "cut off": lambda clinic: rewritten(clinic)[:-3],
    "no UTF-8": lambda clinic: rewritten(clinic).replace(b"ehr", b"\xff\xfe\xfd"),
    "a zero in a name": lambda clinic: rewritten(clinic).replace(b"ehr", b"e\x00r"),
    "an escape": lambda clinic: rewritten(clinic).replace(b"ehr", b"e\x1br"),
    "a time beyond all": lambda clinic: rewritten(clinic, time_us=FAR),
    "a status beyond all": lambda clinic: rewritten(clinic, status=65_000),
    "a number beyond all": lambda clinic: rewritten(clinic, disclosed=(2**64,)),
    "a version beyond all": lambda clinic: rewritten(clinic, basis=(HUGE,)),
}


def officer_of(clinic: Clinic) -> Browser:
    return entered(clinic.world, "officer")


PAGES = (
    "/compliance?time=all",
    "/compliance?time=all&client=ehr",
    "/compliance/export.csv?time=all",
    "/compliance/export.json?time=all",
    "/compliance/proof.json?time=all",
    "/compliance/alerts",
    "/compliance/reviews",
    "/compliance/deliveries",
    "/compliance/integrity",
    *(f"/compliance/reports/Q{number}" for number in (6, 7, 8, 12, 13, 14, 15, 19)),
)


def failing(clinic: Clinic, *more: str) -> list[str]:
    """Return the pages that do not answer."""
    browser = officer_of(clinic)
    of_patient = [
        f"/compliance/reports/Q{number}?patient={clinic.patient}"
        for number in (1, 4, 5, 10, 18, 20)
    ]
    timeline = f"/compliance/patients/{clinic.patient}"
    pages = (*PAGES, *of_patient, timeline, *more)
    return [page for page in pages if browser.get(page).status_code != 200]


def first_bad(clinic: Clinic) -> int | None:
    deployment = clinic.world.deployment
    report = examine(deployment.database, deployment.log_key, deployment.checkpoints)
    assert not report.is_intact
    return report.first_bad_index


def watched_on(clinic: Clinic) -> int:
    """Explain and alert as the service does; return up to where the index goes."""
    services = clinic.world.deployment.services
    explained(services)
    Alerter(services).catch_up()
    with services.database.read() as snapshot:
        return indexed_up_to(snapshot)


@pytest.mark.parametrize("how", ALTERED)
def test_past_an_altered_row_the_service_goes_on_and_verification_names_it(
    watched, how
):
    at = last(watched)
    run(watched, ALTER, at=at, new=ALTERED[how](watched))
    clinic_asks_again(watched)

    size = watched_on(watched)

    assert size > at
    assert failing(watched, f"/compliance/rows/{at + 1}") == []
    assert first_bad(watched) == at


def clinic_asks_again(clinic: Clinic) -> None:
    clinic.world.get(f"/fhir/Patient/{clinic.patient}", clinic.ehr)


def test_a_row_that_is_text_is_passed_over_in_sqlite(clinic):
    clinic = furnished(with_passwords(clinic))
    at = last(clinic)
    run(clinic, ALTER, at=at, new="text")
    clinic_asks_again(clinic)

    assert watched_on(clinic) > at
    assert failing(clinic) == []
    assert first_bad(clinic) == at


def with_passwords(clinic: Clinic) -> Clinic:
    with_quick_passwords(clinic.world)
    return clinic


@pytest.mark.parametrize("is_indexed", [True, False])
def test_a_row_that_was_removed_stops_nothing(watched, is_indexed):
    at = last(watched)
    if is_indexed:
        watched_on(watched)
    run(watched, REMOVE, at=at)
    clinic_asks_again(watched)

    assert watched_on(watched) > at
    assert failing(watched) == []
    assert first_bad(watched) == at


def test_rows_that_were_removed_from_the_end_stop_nothing(watched):
    at = last(watched)
    run(watched, REMOVE, at=at)

    assert watched_on(watched) == at + 1
    assert first_bad(watched) == at


def test_a_row_that_was_inserted_far_behind_is_no_part_of_the_index(watched):
    size = last(watched) + 1
    leaf = rewritten(watched)
    run(watched, INSERT, at=10**15, new=leaf, hash_=b"0" * 32)

    assert watched_on(watched) == size
    assert failing(watched) == []
    assert first_bad(watched) >= size


def test_a_row_that_was_altered_once_it_was_indexed_is_left_out(watched):
    at = last(watched)
    watched_on(watched)
    run(watched, ALTER, at=at, new=b"altered")

    page = officer_of(watched).get("/compliance?client=ehr&action=search&time=all")

    assert f"/compliance/rows/{at}" not in page.text
    assert f"/compliance/rows/{at - 1}" in page.text
    assert failing(watched) == []
    assert first_bad(watched) == at


def test_older_rows_follow_past_altered_ones(watched):
    at = last(watched)
    watched_on(watched)
    for index in (at, at - 1):
        run(watched, ALTER, at=index, new=b"altered")
    headers = watched.world.person(
        "reader",
        "user/AuditEvent.rs",
        role="compliance-officer",
        organization=watched.organization,
    )

    pages = watched.all_found("AuditEvent?agent=ehr&subtype=search&_count=1", headers)

    assert [one["id"].partition("-")[0] for one in pages] == [str(at - 2)]


def test_a_resource_that_was_altered_stops_no_explanation_and_no_alert(watched):
    services = watched.world.deployment.services
    run(watched, BODIES, new=b"altered")
    clinic_asks_again(watched)

    watched_on(watched)

    with services.database.read() as snapshot:
        assert not progress(snapshot).is_behind
        reader = Reader(services, snapshot, Officer(user="root", organizations=None))
        kinds = {one.kind for one in open_alerts(reader)}
    assert "consent-indeterminate" in kinds


def test_what_is_hidden_by_another_hash_is_not_proved(clinic):
    clinic = furnished(with_passwords(clinic))
    at = last(clinic)
    watched_on(clinic)
    run(clinic, HASH, at=at - 1, new="text")

    page = officer_of(clinic).get(f"/compliance/rows/{at}")

    assert "This row is NOT proved" in text_of(page)
    assert failing(clinic) == []


CALLED_EXPLAINED = Statement(
    update(audit_explanation)
    .where(audit_explanation.c.leaf_index == bindparam("at"))
    .values(code=bindparam("new"))
)
FORGOTTEN = Statement(
    delete(audit_explanation).where(audit_explanation.c.leaf_index == bindparam("at"))
)


@pytest.mark.parametrize("statement", [CALLED_EXPLAINED, FORGOTTEN])
def test_explanations_that_nobody_found_are_told(watched, statement):
    services = watched.world.deployment.services
    services.audit_index.catch_up(services.database)
    Explainer(services).catch_up()
    with services.database.read() as snapshot:
        known = explanations.codes(snapshot, 0, 1_000)
        assert explanations.first_altered(snapshot, services.digest) is None

    more = {"new": 99} if statement is CALLED_EXPLAINED else {}
    run(watched, statement, at=max(known), **more)

    assert first_bad(watched) == 0
