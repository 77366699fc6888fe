"""Who a person is: passwords, second factors, throttling, sessions.

https://pages.nist.gov/800-63-4/sp800-63b.html
https://cheatsheetseries.owasp.org/cheatsheets/Authentication_Cheat_Sheet.html
"""

import re
import time

import pytest
import requests
from html_page import Page, read_page
from requests.adapters import HTTPAdapter
from smart_person import Landed, Person, Wish, one_time_code
from smart_service import TIMEOUT_S

STEP_S = 30
ELSEWHERE = "127.0.0.2"


class _From(HTTPAdapter):
    """Calls from another address of this machine."""

    def init_poolmanager(self, *arguments, **options):
        options["source_address"] = (ELSEWHERE, 0)
        super().init_poolmanager(*arguments, **options)


@pytest.fixture
def attempt(service):
    """Return what types a name and a password at the login page."""

    def send(username, password, session=None):
        session = session or requests.Session()
        url = f"{service.url}/login"
        shown = session.get(url, timeout=TIMEOUT_S)
        form = read_page(url, 200, shown.text).form("/login")
        return session.post(
            form.action,
            data=form.filled(username=username, password=password),
            timeout=TIMEOUT_S,
            allow_redirects=False,
        )

    return send


def message_of(answer):
    return re.search(r'class="message"[^>]*>([^<]*)<', answer.text)[1]


def test_a_wrong_password_and_an_unknown_name_are_answered_alike(attempt, add_person):
    add_person("alike", "administrator")

    wrong, unknown = attempt("alike", "guessed"), attempt("nobody-here", "guessed")

    assert wrong.status_code == unknown.status_code == 403
    assert message_of(wrong) == message_of(unknown)
    assert {cookie.name for cookie in wrong.cookies} == {
        cookie.name for cookie in unknown.cookies
    }


def test_an_unknown_name_takes_as_long_as_a_wrong_password(attempt, add_person):
    add_person("timed", "administrator")

    def fastest(names):
        taken = []
        for name in names:
            begun = time.perf_counter()
            assert attempt(name, "guessed").status_code == 403
            taken.append(time.perf_counter() - begun)
        return min(taken)

    known = fastest(["timed"] * 4)
    unknown = fastest([f"unknown-{number}" for number in range(4)])

    assert 0.5 < unknown / known < 2


def test_a_guesser_is_slowed_down_and_the_owner_is_not(attempt, add_person):
    owner = add_person("guessed-at", "administrator")
    guesser = requests.Session()
    guesser.mount("http://", _From())

    answers = [attempt("guessed-at", f"guess-{n}", guesser) for n in range(7)]

    assert answers[-1].status_code == 429
    assert int(answers[-1].headers["Retry-After"]) > 0
    assert owner.log_in().open("/").status == 200
    assert "guessed-at" in owner.seen[-1].text


def test_a_session_cookie_is_for_the_server_s_eyes(attempt, add_person):
    person = add_person("cookies", "administrator")

    answer = attempt("cookies", person.password)

    assert answer.status_code == 303
    [session] = [
        one
        for one in answer.raw.headers.getlist("Set-Cookie")
        if one.partition("=")[0].endswith("fhir-session")
    ]
    assert "HttpOnly" in session
    assert "SameSite=Lax" in session
    assert "Path=/" in session


def test_a_session_that_was_planted_is_not_taken_over(attempt, add_person):
    person = add_person("planted", "administrator")
    session = requests.Session()
    session.cookies.set("fhir-session", "x" * 43, domain="127.0.0.1")

    answer = attempt("planted", person.password, session)

    assert answer.cookies["fhir-session"] != "x" * 43


def test_a_login_leads_nowhere_else(add_person, service):
    person = add_person("led", "administrator")
    for parameter in ("request", "next", "url", "redirect", "return_to"):
        page = person.open(f"/login?{parameter}=https://evil.example/")
        assert isinstance(page, Page)

        step = person.proceed(page, Wish()) if page.forms else page

        assert not isinstance(step, Landed)
        assert step.url.startswith(service.url)
        person.session.cookies.clear()


def test_a_login_from_another_site_is_refused(add_person, service):
    person = add_person("forced", "administrator")

    answer = requests.post(
        f"{service.url}/login",
        data={"username": person.username, "password": person.password},
        headers={"Origin": "https://evil.example"},
        timeout=TIMEOUT_S,
        allow_redirects=False,
    )

    assert answer.status_code == 403
    assert "fhir-session" not in answer.cookies


def test_who_logs_out_is_out(add_person):
    person = add_person("out", "administrator").log_in()
    home = person.open("/")
    kept = dict(person.session.cookies)

    person.send(form := home.form("/logout"), form.filled())

    for name, value in kept.items():
        person.session.cookies.set(name, value, domain="127.0.0.1")
    assert not any(one.action.endswith("/logout") for one in person.open("/").forms)


def test_whose_account_is_removed_is_out(add_person, service):
    person = add_person("removed", "administrator").log_in()

    service.command("user", "remove", "removed")

    assert not any(one.action.endswith("/logout") for one in person.open("/").forms)


def enrolled(person: Person) -> tuple[str, list[str]]:
    """Set a second factor up; return its secret and the recovery codes."""
    page = person.open("/account/second-factor")
    shown = person.send(
        form := page.form("/begin"), form.filled(password=person.password)
    )
    secret = re.search(r"secret=([A-Z2-7]+)", shown.text)[1]
    done = person.send(
        form := shown.form("/confirm"), form.filled(code=one_time_code(secret))
    )
    assert done.status == 200, done.text
    codes = re.findall(r"\b[A-Za-z0-9]{4,5}(?:-[A-Za-z0-9]{4,5})+\b", done.text)
    return secret, codes


@pytest.fixture(scope="module")
def careful(add_person):
    """Return somebody with a second factor, its secret and recovery codes."""
    person = add_person("careful", "administrator").log_in()
    secret, codes = enrolled(person)
    return person, secret, codes


def at_second_step(person: Person) -> Page:
    person.session.cookies.clear()
    page = person.open("/login")
    step = person.proceed(page, Wish())
    assert isinstance(step, Page)
    assert step.url.partition("?")[0].endswith("/login/code")
    return step


def typed(person: Person, page: Page, code: str) -> Page:
    found = person.send(form := page.form("/login/code"), form.filled(code=code))
    assert isinstance(found, Page)
    return found


def is_in(person: Person) -> bool:
    return any(one.action.endswith("/logout") for one in person.open("/").forms)


def test_a_second_factor_is_asked_for_and_nothing_is_open_before(careful):
    person, _, _ = careful

    at_second_step(person)

    assert not is_in(person)


def test_a_wrong_code_is_refused(careful):
    person, secret, _ = careful
    page = at_second_step(person)
    wrong = one_time_code(secret, time.time() - 3600)

    answer = typed(person, page, wrong)

    assert answer.status == 403
    assert not is_in(person)


def test_a_code_is_good_once(careful):
    person, secret, _ = careful
    code = one_time_code(secret, time.time() + STEP_S)
    typed(person, at_second_step(person), code)
    assert is_in(person)

    typed(person, at_second_step(person), code)

    assert not is_in(person)


def test_a_recovery_code_is_good_once(careful):
    person, _, codes = careful
    assert len(codes) >= 8
    typed(person, at_second_step(person), codes[0])
    assert is_in(person)

    typed(person, at_second_step(person), codes[0])

    assert not is_in(person)


def test_codes_cannot_be_guessed_through(add_person):
    person = add_person("much-guessed", "administrator").log_in()
    enrolled(person)
    page = at_second_step(person)

    statuses = [typed(person, page, f"{n:06d}").status for n in range(7)]

    assert 429 in statuses


def test_the_second_step_leads_back_to_the_app(careful, apps):
    person, _, codes = careful
    person.session.cookies.clear()
    asked = apps["public-app"].asks("openid", prompt="consent")
    page = person.begin(apps["public-app"], asked)
    step = person.proceed(page, Wish())
    consent = typed(person, step, codes[1])

    answer = person.proceed(consent, Wish())

    assert isinstance(answer, Landed)
    assert answer.code
    assert answer.parameters["state"] == asked.state


def test_an_app_may_want_a_fresh_login(patient, apps):
    app = apps["public-app"]

    page = patient.begin(app, app.asks("openid", prompt="login"))

    assert isinstance(page, Page)
    assert any("password" in form.types for form in page.forms)


def test_an_app_may_want_a_login_no_older_than_it_says(patient, apps):
    app = apps["public-app"]

    page = patient.begin(app, app.asks("openid", max_age="0"))

    assert isinstance(page, Page)
    assert any("password" in form.types for form in page.forms)
