"""Reports and alerts as pages of the console."""

import pytest
from people import enrol, entered, text_of, with_quick_passwords
from worlds import heart_rate

from consent.audit.entry import Interaction
from fhir_service.auth.users import Role
from fhir_service.compliance.questions import QUESTIONS
from fhir_service.pages.compliance_reports import LABELS, OPTIONS
from fhir_service.storage import alerts
from fhir_service.storage.alerts import Alert

NOTE = "A drill."


@pytest.fixture
def watched(clinic):
    world = with_quick_passwords(clinic.world)
    clinic.consented()
    clinic.deliver(heart_rate(1, "user-1"))
    clinic.found(f"Observation?patient={clinic.patient}")
    enrol(world, "officer", Role.COMPLIANCE_OFFICER, organization=clinic.organization)
    enrol(world, "stranger", Role.COMPLIANCE_OFFICER, organization="Organization/other")
    return clinic


@pytest.fixture
def officer(watched):
    return entered(watched.world, "officer")


def test_every_question_has_a_form(officer):
    page = officer.get("/compliance/reports")

    for number, question in QUESTIONS.items():
        assert f"{number}: {question.text}" in text_of(page)
        assert f'action="/compliance/reports/{number}"' in page.text
        for name in (*question.needs, *OPTIONS.get(number, ())):
            assert name in LABELS
            assert f'id="{number}-{name}"' in page.text


@pytest.mark.parametrize("number", sorted(QUESTIONS))
def test_every_question_is_answered_on_a_page(watched, officer, number):
    query = (
        f"patient={watched.patient}&organization={watched.organization}&client=ehr"
        f"&row=4&default=all-normal&zone=Europe/Zurich"
        + ("&vendor=open-mhealth" if number == "Q9" else "")
    )

    page = officer.get(f"/compliance/reports/{number}?{query}")

    assert page.status_code == 200, text_of(page)
    assert "Europe/Zurich" in text_of(page)
    assert watched.world.audited()[-1].interaction is Interaction.AUDIT_READ


def test_the_table_of_a_report_is_an_export(watched, officer):
    path = f"/compliance/reports/Q1/report.csv?patient={watched.patient}"

    answer = officer.get(path)

    assert answer.mimetype == "text/csv"
    assert "ehr" in answer.text
    last = watched.world.audited()[-1]
    assert (last.interaction, last.request) == (Interaction.EXPORT, f"GET {path}")


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("Q99", 404),
        ("Q1?patient=nobody", 404),
        ("Q10?patient=nobody&reading=none", 400),
        ("Q7?since=yesterday", 400),
        ("Q11?row=first", 400),
        ("Q16?client=a%0ab", 400),
        ("Q16?client=" + "a" * 1_000_000, 400),
    ],
)
def test_what_cannot_be_answered_is_told_on_a_page(officer, path, status):
    page = officer.get(f"/compliance/reports/{path}")

    assert page.status_code == status
    assert "This cannot be answered" in text_of(page)


def test_a_patient_of_another_organization_has_no_report(watched):
    browser = entered(watched.world, "stranger")

    page = browser.get(f"/compliance/reports/Q10?patient={watched.patient}")

    assert page.status_code == 404


def raised(watched, organisation):
    watched.world.deployment.database.write(
        lambda transaction: alerts.raise_or_count(
            transaction,
            Alert(
                id=0,
                kind="burst-of-denials",
                key=str(organisation),
                organisation=organisation,
                leaf_index=3,
                made=watched.world.clock(),
                count=7,
                detail="Many requests <were> refused.",
                last_leaf=3,
            ),
        )
    )


def test_an_alert_is_shown_and_closed_with_a_note(watched, officer):
    raised(watched, watched.organization)
    page = officer.get("/compliance/alerts")
    assert "Many requests &lt;were&gt; refused." in page.text
    assert "Counted 7 times; first in row 3 ." in text_of(page)

    answer = officer.post("/compliance/alerts/1", note=NOTE)

    assert (answer.status_code, answer.headers["Location"]) == (
        303,
        "/compliance/alerts",
    )
    assert "No alert is open." in text_of(officer.get("/compliance/alerts"))


@pytest.mark.parametrize("alert_id", ["1", "2", "99999999999999999999999"])
def test_an_alert_of_others_is_not_closed(watched, officer, alert_id):
    raised(watched, "Organization/other")
    raised(watched, None)
    page = officer.get("/compliance/alerts")
    assert page.text.count("Many requests") == 1
    officer.get("/compliance/integrity")

    answer = officer.post(f"/compliance/alerts/{alert_id}", note=NOTE)

    assert answer.status_code == 404
