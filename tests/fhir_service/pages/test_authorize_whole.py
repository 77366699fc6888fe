"""From an app's first request to the data, through the whole service."""

from typing import Any

import pytest
from authorizing import (
    REDIRECT,
    VERIFIER,
    Asking,
    KnownPatients,
    app_client,
    person,
    sent,
)

from fhir_service.auth.token_hash import token_hash

Clinic = Any
SECRET = "of-the-example-app-and-nobody-elses-0123456789"  # noqa: S105 - of a test
SCOPE = "openid fhirUser launch/patient offline_access patient/Patient.rs"


@pytest.fixture
def asking(clinic: Clinic) -> Asking:
    world = clinic.world
    asking = Asking(world.deployment.auth, KnownPatients(), world.http.application)
    asking.add_client(
        app_client(
            secret_hash=token_hash(SECRET),
            purposes=("TREAT", "PATRQT"),
            organization=clinic.organization,
        )
    )
    clinic.consented()
    return asking


def exchanged(asking: Asking, answer: Any) -> dict[str, Any]:
    """Return what the app gets for the code of an answer."""
    form = {
        "grant_type": "authorization_code",
        "code": sent(answer)["code"],
        "redirect_uri": REDIRECT,
        "code_verifier": VERIFIER,
    }
    token = asking.app.test_client().post(
        "/auth/token", data=form, auth=("app", SECRET)
    )
    assert token.status_code == 200, token.text
    body: dict[str, Any] = token.json
    return body


def status(asking: Asking, patient: str, token: str) -> int:
    headers = {"Authorization": f"Bearer {token}"}
    answer = asking.app.test_client().get(f"/fhir/Patient/{patient}", headers=headers)
    code: int = answer.status_code
    return code


def test_a_patient_lets_an_app_read_her_record_and_stops_it(
    asking: Asking, clinic: Clinic
) -> None:
    reference = f"Patient/{clinic.patient}"
    ada = asking.add_person(person("patient", "u-ada", reference=reference))
    browser = asking.browser(ada)

    page = browser.page(scope=SCOPE)
    token = exchanged(asking, browser.submit(page, "allow"))
    before = status(asking, clinic.patient, token["access_token"])
    browser.submit_to(browser.get("/apps"), "/apps/stop")
    after = status(asking, clinic.patient, token["access_token"])

    assert (token["patient"], token["scope"]) == (clinic.patient, SCOPE)
    assert token["need_patient_banner"] is True
    assert (before, after) == (200, 401)


def test_a_practitioner_finds_and_chooses_a_patient(
    asking: Asking, clinic: Clinic
) -> None:
    doctor = asking.add_person(
        person("practitioner", "u-doctor", organization=clinic.organization)
    )
    browser = asking.browser(doctor)

    found = browser.submit(browser.page(scope=SCOPE), "search", text="user-1")
    chosen = browser.submit(found, "choose", patient=clinic.patient)
    page = browser.get(chosen.headers["Location"])
    token = exchanged(asking, browser.submit(page, "allow"))

    assert f'value="{clinic.patient}"' in found.text
    assert token["patient"] == clinic.patient
    assert status(asking, clinic.patient, token["access_token"]) == 200


def test_a_practitioner_cannot_choose_whom_consent_hides(
    asking: Asking, clinic: Clinic
) -> None:
    stranger = asking.add_person(
        person("practitioner", "u-stranger", organization="Organization/elsewhere")
    )
    browser = asking.browser(stranger)
    picker = browser.page(scope=SCOPE)

    found = browser.submit(picker, "search", text="user-1")
    answer = browser.submit(picker, "choose", patient=clinic.patient)

    assert clinic.patient not in found.text
    assert answer.status_code == 200
    assert "No patient found." in answer.text
