"""What nothing explains: asked for the moment it happened, and when the log is long."""

import pytest
from people import enrol, entered, text_of, with_quick_passwords

from consent.audit.entry import AuditRecord, Interaction, Outcome, encode
from fhir_service.auth.users import Role
from fhir_service.compliance import explanations, progress

BEHIND = "Explanations were sought for the first 1 of"


@pytest.fixture
def watched(clinic):
    """Return a clinic where somebody has just read without a reason."""
    world = with_quick_passwords(clinic.world)
    enrol(world, "officer", Role.COMPLIANCE_OFFICER, organization=clinic.organization)
    curious(clinic)
    return clinic


def curious(clinic, *patients):
    """Record that somebody read; return the row."""
    services = clinic.world.deployment.services
    record = AuditRecord(
        time_us=clinic.world.clock(),
        interaction=Interaction.READ,
        outcome=Outcome.ALLOWED,
        status=200,
        user="Practitioner/curious",
        client="app",
        organisation=clinic.organization,
        purposes=("TREAT",),
        patients=tuple(map(services.pseudonym, patients or (clinic.patient,))),
        disclosed=(1,),
    )
    services.database.log([encode(record, seal=lambda text: text)]).result()
    return len(clinic.world.audited()) - 1


@pytest.fixture
def officer(watched):
    return entered(watched.world, "officer")


@pytest.fixture
def behind(monkeypatch):
    """Let explanations come no further than a row for each question."""
    monkeypatch.setattr(progress, "PATIENCE_S", 0)
    monkeypatch.setattr(explanations, "CHUNK", 1)


def test_what_has_just_happened_is_among_the_unexplained(officer):
    page = officer.get("/compliance?unexplained=yes")

    assert "Practitioner/curious" in page.text
    assert "Explanations were sought" not in page.text


def test_it_is_in_the_report_too(officer):
    page = officer.get("/compliance/reports/Q14")

    assert "Practitioner/curious" in page.text
    assert "Explanations were sought for all" in text_of(page)


def test_it_is_an_alert_when_the_officer_looks(officer):
    page = officer.get("/compliance/alerts")

    assert "unexplained-access" in text_of(page)
    assert "The rules have seen" not in text_of(page)


@pytest.mark.parametrize(
    "path", ["/compliance?unexplained=yes", "/compliance/reports/Q14"]
)
@pytest.mark.usefixtures("behind")
def test_where_explanations_are_behind_the_page_says_how_far_they_came(officer, path):
    page = officer.get(path)

    assert page.status_code == 200
    assert "Practitioner/curious" not in page.text
    assert BEHIND in text_of(page)


@pytest.mark.usefixtures("behind")
def test_where_the_rules_are_behind_the_page_of_alerts_says_so(officer):
    page = officer.get("/compliance/alerts")

    assert "The rules have seen the first 1 of" in text_of(page)


@pytest.mark.usefixtures("behind")
def test_a_report_that_is_behind_is_not_complete(officer):
    table = officer.get("/compliance/reports/Q14/report.csv").text

    assert BEHIND in table


@pytest.mark.usefixtures("behind")
def test_a_table_of_what_is_unexplained_says_how_far_they_came(officer):
    answer = officer.get("/compliance/export.csv?unexplained=yes&time=all")

    assert BEHIND in answer.text.splitlines()[0]


@pytest.mark.parametrize("file", ["export.json", "proof.json"])
@pytest.mark.usefixtures("behind")
def test_a_file_that_cannot_say_so_is_refused(officer, file):
    answer = officer.get(f"/compliance/{file}?unexplained=yes&time=all")

    assert answer.status_code == 503
    assert BEHIND in text_of(answer)


@pytest.mark.usefixtures("behind")
def test_other_searches_do_not_wait_for_explanations(officer):
    page = officer.get("/compliance?client=app")

    assert "Practitioner/curious" in page.text
    assert BEHIND not in text_of(page)


def test_the_page_of_a_row_says_that_nothing_explains_it(watched, officer):
    page = officer.get(f"/compliance/rows/{curious(watched)}")

    assert "Nothing explains why this was asked." in text_of(page)


def test_the_page_of_a_row_names_what_explains_it(watched, officer):
    team = watched.world.create(
        {
            "resourceType": "CareTeam",
            "status": "active",
            "subject": {"reference": f"Patient/{watched.patient}"},
            "participant": [{"member": {"reference": "Practitioner/curious"}}],
        },
        watched.admin,
    )

    page = officer.get(f"/compliance/rows/{curious(watched)}")

    assert "Who asked was in the patient's care team" in text_of(page)
    assert f"<code>CareTeam/{team['id']}</code>" in page.text


def test_what_needs_no_explanation_says_so(watched, officer):
    number = len(watched.world.audited()) - 1
    officer.get("/compliance/integrity")

    page = officer.get(f"/compliance/rows/{number + 1}")

    assert "It needs no explanation" in text_of(page)


@pytest.mark.usefixtures("behind")
def test_a_row_that_was_not_looked_at_yet_says_so(watched, officer):
    page = officer.get(f"/compliance/rows/{curious(watched)}")

    assert BEHIND in text_of(page)


def test_what_explains_it_for_anothers_patient_is_not_named(watched, officer):
    world = watched.world
    founder = world.client("founder-2", "system/Organization.c")
    made = world.create({"resourceType": "Organization", "name": "B"}, founder)
    other = f"Organization/{made['id']}"
    theirs = world.client("theirs", "system/*.cruds", organization=other)
    person = world.create(
        {"resourceType": "Patient", "managingOrganization": {"reference": other}},
        theirs,
    )
    team = {
        "resourceType": "CareTeam",
        "status": "active",
        "participant": [{"member": {"reference": "Practitioner/curious"}}],
    }
    for id_, who in ((watched.patient, watched.admin), (person["id"], theirs)):
        world.create({**team, "subject": {"reference": f"Patient/{id_}"}}, who)

    page = officer.get(f"/compliance/rows/{curious(watched, person['id'])}")
    both = officer.get(
        f"/compliance/rows/{curious(watched, person['id'], watched.patient)}"
    )

    for shown in (page, both):
        assert "care team" in text_of(shown)
    assert "CareTeam/" not in page.text
    assert person["id"] not in both.text
