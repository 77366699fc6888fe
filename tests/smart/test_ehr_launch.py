"""EHR launch: a person opens an app from the service's own pages.

https://hl7.org/fhir/smart-app-launch/STU2.2/app-launch.html#launch-app-ehr-launch
"""

import pytest
import requests
from smart_flow import scopes, tokens
from smart_launch import launch, opening
from smart_person import Landed
from smart_service import TIMEOUT_S


def test_the_app_is_told_where_and_for_what_it_was_opened(
    practitioner, apps, clinic, service
):
    opened = launch(practitioner, apps["secret-app"], clinic.patient)

    assert opened.url.startswith("https://app.example/launch?")
    assert set(opened.parameters) == {"iss", "launch"}
    assert opened.parameters["iss"] == service.base
    assert len(opened.parameters["launch"]) >= 32
    assert clinic.patient not in opened.url


def test_the_context_of_the_launch_comes_with_the_token(launched, clinic):
    assert launched["patient"] == clinic.patient
    assert launched["encounter"] == clinic.encounters[0]
    assert launched["intent"] == "summary-timeline-view"
    assert launched["need_patient_banner"] in {True, False}
    assert {"launch", "openid", "fhirUser", "offline_access"} <= scopes(launched)


def test_what_is_in_context_can_be_read(launched, service, clinic):
    token = launched["access_token"]

    for path in (f"Patient/{clinic.patient}", f"Encounter/{clinic.encounters[0]}"):
        answer = service.get(path, token)
        assert answer.status_code == 200
        assert answer.json()["resourceType"] == path.partition("/")[0]


def test_the_style_is_told(launched):
    answer = requests.get(launched["smart_style_url"], timeout=TIMEOUT_S)

    assert answer.status_code == 200
    assert isinstance(answer.json(), dict)


def test_a_refresh_keeps_the_context(launched, apps, clinic):
    answer = apps["secret-app"].refresh(launched["refresh_token"]).json()

    assert answer["patient"] == clinic.patient
    assert answer["encounter"] == clinic.encounters[0]
    assert answer["scope"] == launched["scope"]


def test_nobody_is_asked_for_the_patient_again(practitioner, apps, clinic):
    for chosen in clinic.patients:
        opened = launch(practitioner, apps["other-app"], chosen)
        given = tokens(
            practitioner,
            apps["other-app"],
            "launch patient/Patient.rs",
            launch=opened.parameters["launch"],
        )

        assert given["patient"] == chosen


def refused(answer):
    assert isinstance(answer, Landed)
    assert "code" not in answer.parameters
    return answer.parameters["error"]


def used(person, app, value):
    return person.authorize(app, app.asks("launch patient/*.rs", launch=value))


def test_a_launch_value_is_good_once(practitioner, apps, clinic):
    app = apps["secret-app"]
    value = launch(practitioner, app, clinic.patient).parameters["launch"]
    assert used(practitioner, app, value).code

    assert refused(used(practitioner, app, value)) in {
        "invalid_request",
        "access_denied",
    }


@pytest.mark.parametrize("value", ["made-up", "x" * 43])
def test_a_launch_value_that_was_never_given_is_refused(value, practitioner, apps):
    assert refused(used(practitioner, apps["secret-app"], value)) in {
        "invalid_request",
        "access_denied",
    }


def test_a_launch_value_is_another_app_s_to_no_use(practitioner, apps, clinic):
    value = launch(practitioner, apps["secret-app"], clinic.patient).parameters

    answer = used(practitioner, apps["other-app"], value["launch"])

    assert refused(answer) in {"invalid_request", "access_denied"}


def test_a_launch_value_is_another_person_s_to_no_use(
    practitioner, patient, apps, clinic
):
    value = launch(practitioner, apps["secret-app"], clinic.patient).parameters

    answer = used(patient, apps["secret-app"], value["launch"])

    assert refused(answer) in {"invalid_request", "access_denied"}


def test_a_launch_value_without_its_scope_is_refused(practitioner, apps, clinic):
    app = apps["secret-app"]
    value = launch(practitioner, app, clinic.patient).parameters["launch"]

    answer = practitioner.authorize(app, app.asks("patient/*.rs", launch=value))

    assert refused(answer) == "invalid_request"


def test_without_a_launch_there_is_no_launch_scope(patient, apps):
    given = tokens(patient, apps["secret-app"], "launch launch/encounter openid")

    assert scopes(given) == {"openid"}
    assert "encounter" not in given


def test_a_patient_opens_an_app_for_herself(patient, apps, clinic):
    opened = launch(patient, apps["secret-app"], clinic.patient)
    given = tokens(
        patient,
        apps["secret-app"],
        "launch patient/Patient.rs",
        launch=opened.parameters["launch"],
    )

    assert given["patient"] == clinic.patient


def test_a_patient_opens_no_app_for_another(patient, apps, clinic):
    form = opening(patient, apps["secret-app"], clinic.patient)
    pairs = [
        (name, clinic.other if name == "patient" else value)
        for name, value in form.filled()
    ]

    page = patient.send(form, pairs)

    assert not isinstance(page, Landed)
    assert page.status in {403, 404}


def test_an_encounter_of_another_patient_is_not_taken(practitioner, apps, clinic):
    form = opening(practitioner, apps["secret-app"], clinic.patient)

    page = practitioner.send(form, form.filled(encounter=clinic.encounters[1]))

    assert not isinstance(page, Landed)
    assert page.status in {400, 403, 404}


def test_no_patient_stands_in_the_address_of_a_page(practitioner, apps, clinic):
    practitioner.seen.clear()

    launch(practitioner, apps["secret-app"], clinic.patient)

    assert len(practitioner.seen) >= 3
    for page in practitioner.seen:
        assert clinic.patient not in page.url
        assert "Aster" not in page.url


def test_a_launch_from_another_site_is_refused(practitioner, apps, clinic):
    form = opening(practitioner, apps["secret-app"], clinic.patient)
    forged = [pair for pair in form.filled() if pair[0] != "form_token"]

    page = practitioner.send(form, forged)

    assert not isinstance(page, Landed)
    assert page.status == 403
