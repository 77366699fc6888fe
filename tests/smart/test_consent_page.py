"""The page at which a person answers an app: plain forms, two languages.

https://hl7.org/fhir/smart-app-launch/STU2.2/app-launch.html#obtain-authorization-code
https://www.rfc-editor.org/rfc/rfc9700#section-4.16
"""

import pytest
import requests
from html_page import Page
from smart_flow import scopes, tokens
from smart_person import Landed, Wish
from smart_seed import OBSERVATION_CATEGORY
from smart_service import TIMEOUT_S

ASKED = (
    "launch/patient openid fhirUser offline_access "
    "patient/Observation.rs patient/Condition.rs patient/Patient.rs"
)


@pytest.fixture(scope="module")
def app(add_app):
    """Return an app that nobody has answered before: choices are remembered."""
    return add_app("page-app", "--auth", "secret")


@pytest.fixture
def page(patient, app):
    """Return the page of a request that nobody has answered."""
    asked = app.asks(ASKED, prompt="consent")
    found = patient.begin(app, asked)
    assert isinstance(found, Page)
    return found


def form_of(page):
    [found] = [
        one
        for one in page.forms
        if {"allow", "deny"} <= {button.value for button in one.buttons}
    ]
    return found


def test_the_page_says_who_asks_and_for_whom(page):
    assert "page-app" in page.text
    assert "first Aster" in page.text
    assert "app.example" in page.text


def test_every_scope_is_a_sentence_with_a_box(page):
    form = form_of(page)
    boxes = {one.value: one for one in form.named("allow")}

    assert set(boxes) == set(ASKED.split())
    for scope, box in boxes.items():
        assert box.is_checked
        assert len(box.label.split()) >= 3
        assert scope not in box.label
        assert "patient/" not in box.label


def test_a_wide_scope_has_its_categories_to_choose(page):
    offered = {one.value: one for one in form_of(page).named("only")}

    vital = f"patient/Observation.rs?category={OBSERVATION_CATEGORY}|vital-signs"
    assert vital in offered
    assert not offered[vital].is_checked
    assert "ital" in offered[vital].label
    assert {one.partition(".rs?")[0] for one in offered} == {
        "patient/Observation",
        "patient/Condition",
    }


def test_the_page_says_how_long(page):
    assert "90 days" in page.text


def test_the_page_has_no_script_and_one_heading_of_the_first_rank(page, patient):
    answer = patient.session.get(page.url, timeout=TIMEOUT_S)

    assert not page.has_script
    assert answer.text.count("<h1") == 1
    policy = answer.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "script-src" not in policy
    assert "unsafe-inline" not in policy


def test_no_page_of_an_authorization_can_be_framed(page, patient, service):
    for url in (page.url, f"{service.url}/login", f"{service.url}/apps"):
        answer = patient.session.get(url, timeout=TIMEOUT_S, allow_redirects=False)
        policy = answer.headers["Content-Security-Policy"]
        assert "frame-ancestors 'none'" in policy


def test_the_page_may_send_its_form_to_the_app_and_nowhere_else(page, patient):
    answer = patient.session.get(page.url, timeout=TIMEOUT_S)

    [directive] = [
        one.strip()
        for one in answer.headers["Content-Security-Policy"].split(";")
        if one.strip().startswith("form-action")
    ]
    assert directive == "form-action 'self' https://app.example"


def test_no_page_leaks_its_address_or_is_kept(page, patient):
    answer = patient.session.get(page.url, timeout=TIMEOUT_S)

    assert answer.headers["Referrer-Policy"] == "no-referrer"
    assert "no-store" in answer.headers["Cache-Control"]


def test_spanish_is_spoken_where_the_browser_wants_it(patient, app):
    patient.languages = "es-MX,es;q=0.9,en;q=0.5"
    try:
        asked = app.asks(ASKED, prompt="consent")
        page = patient.begin(app, asked)
    finally:
        patient.languages = "en"

    assert page.language == "es"
    assert "Permitir" in page.text
    labels = [one.label for one in form_of(page).named("allow")]
    assert all(labels)
    assert not any("may" in label.split() for label in labels)


def test_the_other_language_is_a_link_away(page, patient):
    assert page.language == "en"
    [url] = [href for text, href in page.links if text == "Español"]

    other = patient.open(url)

    assert other.language == "es"
    assert form_of(other).action.startswith(page.url.partition("?")[0])


def test_a_choice_is_remembered_and_asked_again_where_more_is_wanted(patient, add_app):
    app = add_app("remembered-app", "--auth", "secret")
    less = app.asks("patient/Patient.rs patient/Observation.rs")
    wish = Wish(without=frozenset({"patient/Observation.rs"}))
    patient.authorize(app, less, wish)

    again = patient.begin(app, app.asks("patient/Patient.rs patient/Observation.rs"))
    more = patient.begin(app, app.asks("patient/Patient.rs patient/Condition.rs"))

    assert isinstance(again, Landed)
    assert again.parameters["code"]
    assert isinstance(more, Page)


def test_what_is_remembered_is_what_was_chosen(patient, add_app):
    app = add_app("narrow-app", "--auth", "secret")
    asked = "patient/Patient.rs patient/Observation.rs"
    wish = Wish(without=frozenset({"patient/Observation.rs"}))
    patient.authorize(app, app.asks(asked), wish)
    request = app.asks(asked)

    answer = patient.begin(app, request)

    given = app.exchange(answer.code, request.verifier).json()
    assert scopes(given) == {"patient/Patient.rs"}


def test_a_choice_that_was_ended_is_asked_again(patient, add_app):
    app = add_app("asked-again", "--auth", "secret")
    tokens(patient, app, "patient/Patient.rs")
    page = patient.open("/apps")
    [form] = [
        one
        for one in page.forms
        if "asked-again" in {field.value for field in one.fields}
    ]
    patient.send(form, form.filled())

    again = patient.begin(app, app.asks("patient/Patient.rs"))

    assert isinstance(again, Page)


def test_a_form_of_another_site_decides_nothing(page, patient):
    form = form_of(page)
    ticked = [(one.name, one.value) for one in form.named("allow")]

    answer = patient.session.post(
        form.action,
        data=[*ticked, ("decision", "allow")],
        headers={"Origin": "https://evil.example"},
        timeout=TIMEOUT_S,
        allow_redirects=False,
    )

    assert answer.status_code == 403
    assert "Location" not in answer.headers


def test_a_request_is_answered_once(page, patient):
    form = form_of(page)
    first = patient.press(form, "allow")
    assert first.parameters["code"]

    again = patient.press(form, "allow")

    assert isinstance(again, Page)
    assert again.status in {403, 404}


def test_a_request_belongs_to_the_login_that_took_it_up(page, practitioner):
    answer = practitioner.open(page.url)

    assert isinstance(answer, Page)
    assert answer.status in {403, 404}
    assert "first Aster" not in answer.text


def test_a_handle_that_is_none_leads_nowhere(patient):
    answer = patient.open(f"/auth/authorize/{'x' * 43}")

    assert isinstance(answer, Page)
    assert answer.status == 404


def test_nobody_grants_what_was_not_offered(patient, app):
    request = app.asks("patient/Patient.rs openid", prompt="consent")
    form = form_of(patient.begin(app, request))
    smuggled = [("allow", "patient/*.cruds"), ("only", "patient/*.rs")]

    answer = patient.send(form, [*form.filled(), *smuggled, ("decision", "allow")])

    given = app.exchange(answer.code, request.verifier).json()
    assert scopes(given) == {"patient/Patient.rs", "openid"}


def test_who_ticks_nothing_denies(page, patient):
    form = form_of(page)
    for box in form.boxes:
        box.is_checked = False

    answer = patient.press(form, "allow")

    assert answer.parameters["error"] == "access_denied"


def test_a_stranger_sees_the_login_and_no_word_of_the_patient(page, service):
    answer = requests.get(page.url, timeout=TIMEOUT_S)

    assert answer.url.startswith(f"{service.url}/login")
    assert "Aster" not in answer.text
