"""Emergency access: attested, about one patient, short, told to her, reviewed.

https://profiles.ihe.net/ITI/PCF/volume-1.html
"""

import sys
from pathlib import Path

import pytest
from html_page import Page
from smart_flow import scopes, tokens
from smart_person import PASSWORD, Landed, Person
from smart_seed import observed

sys.path.insert(0, str(Path(__file__).parents[1] / "fhir_service"))

from worlds import actor, consent, patient, permit, purposes

NOTE = "Brought in unconscious, history unknown."


@pytest.fixture(scope="module")
def hidden(clinic):
    """Return the id of a Patient who consents for emergencies alone, and a reading."""
    identifier = {"system": "https://clinic.example/patients", "value": "hidden"}
    made = {**patient(clinic.organization), "identifier": [identifier]}
    id_ = clinic.create(made)
    reading = clinic.create(observed(id_, "vital-signs", "8867-4", "/min"))
    emergency = permit(actor=actor(clinic.organization), purpose=purposes("BTG"))
    clinic.create(consent(id_, emergency))
    return id_, reading


@pytest.fixture(scope="module")
def rescuer(clinic, service):
    """Return a practitioner who may declare an emergency."""
    service.add_user(
        "rescuer",
        PASSWORD,
        *("--role", "practitioner", "--organization", clinic.organization),
        *("--reference", f"Practitioner/{clinic.practitioner}", "--break-glass"),
    )
    return Person(service=service, username="rescuer", password=PASSWORD).log_in()


def declared(person, app, *, note=NOTE, password=PASSWORD):
    """Return what opens the app after an emergency was declared."""
    page = person.open("/break-glass")
    form = page.form("/find")
    found = person.send(form, form.filled(identifier="hidden"))
    form = found.form("/declare")
    form.named("reason")[0].is_checked = True
    page = person.send(form, form.filled(note=note, password=password))
    assert isinstance(page, Page)
    if page.status != 200:
        return page
    [form] = [
        one
        for one in page.forms
        if app.client_id in {button.value for button in one.buttons}
    ]
    return person.press(form, app.client_id)


@pytest.fixture(scope="module")
def attested(rescuer, apps, hidden):
    """Return the token response of an app that was opened in an emergency."""
    assert hidden
    app = apps["secret-app"]
    opened = declared(rescuer, app)
    assert isinstance(opened, Landed)
    asked = "launch openid fhirUser offline_access patient/*.cruds user/*.cruds"
    return tokens(rescuer, app, asked, launch=opened.parameters["launch"])


def test_without_an_emergency_nothing_is_seen(practitioner, apps, hidden, service):
    token = tokens(practitioner, apps["secret-app"], "user/*.rs")["access_token"]

    assert service.get(f"Observation/{hidden[1]}", token).status_code == 404


def test_an_emergency_opens_one_patient_s_record(attested, hidden, service, clinic):
    token = attested["access_token"]

    assert attested["patient"] == hidden[0]
    assert service.get(f"Observation/{hidden[1]}", token).status_code == 200
    other = clinic.observations["survey"][0]
    assert service.get(f"Observation/{other}", token).status_code in {403, 404}


def test_an_emergency_is_for_reading_and_for_minutes(attested):
    granted = {one for one in scopes(attested) if "/" in one}

    assert granted == {"patient/*.rs"}
    assert attested["expires_in"] <= 15 * 60
    assert "refresh_token" not in attested
    assert "offline_access" not in scopes(attested)


def test_the_patient_is_told(attested, add_person, hidden):
    assert attested
    person = add_person("hidden", "patient", f"Patient/{hidden[0]}").log_in()

    home = person.open("/")

    assert "emergency" in home.text
    assert "rescuer" in home.text


def test_an_officer_reviews_it(attested, add_person):
    assert attested
    officer = add_person("reviewer", "compliance-officer").log_in()
    home = officer.open("/")
    assert NOTE in home.text
    form = next(one for one in home.forms if "/reviews/" in one.action)

    after = officer.press(form, "justified")

    assert isinstance(after, Page)
    assert NOTE not in officer.open("/").text


def test_who_is_not_of_the_group_declares_nothing(practitioner, patient):
    for person in (practitioner, patient):
        page = person.open("/break-glass")

        assert isinstance(page, Page)
        assert page.status == 403
        assert not any("/find" in form.action for form in page.forms)


def test_the_password_is_asked_again(rescuer, apps, hidden):
    assert hidden
    assert declared(rescuer, apps["secret-app"], password="guessed").status == 403  # noqa: S106 - a wrong one


def test_a_reason_is_written_down(rescuer, apps, hidden):
    assert hidden
    assert declared(rescuer, apps["secret-app"], note="").status == 400
