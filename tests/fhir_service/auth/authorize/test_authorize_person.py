"""Who answers a request: logins, sessions, and what ends one."""

from typing import Any

import pytest
from authorizing import BASE, Asking, Browser, app_client, fields, person, sent

from fhir_service.pages.frame import HEADERS
from fhir_service.storage import accounts
from fhir_service.storage.accounts import Account

Audit = Any
Clock = Any
WRONG_TOKEN = "0" * 64


def handle_of(browser: Browser, **changes: str | None) -> str:
    path: str = browser.ask(**changes).headers["Location"]
    return path


def test_a_request_is_the_first_logins_that_takes_it_up(
    asking: Asking, audit: Audit, ada: Account, doctor: Account
) -> None:
    path = handle_of(asking.browser())
    assert asking.browser(ada).get(path).status_code == 200

    stranger = asking.browser(doctor).get(path)

    assert stranger.status_code == 403
    assert "Ada" not in stranger.text
    assert audit.last == ("authorization-refused", "other-login")
    assert asking.browser(ada).get(path).status_code == 403


def test_only_the_login_that_was_asked_can_answer(
    asking: Asking, ada: Account, doctor: Account
) -> None:
    page = asking.browser(ada).page()

    answer = asking.browser(doctor).submit(page, "allow")

    assert answer.status_code == 403
    assert asking.granted(ada) == asking.granted(doctor) == []


def test_an_answer_without_a_login_is_no_answer(asking: Asking, ada: Account) -> None:
    page = asking.browser(ada).page()

    answer = asking.browser().submit(page, "allow")

    assert answer.status_code == 303
    assert answer.headers["Location"].startswith("/login?request=")
    assert asking.granted(ada) == []


@pytest.mark.parametrize("token", ["", WRONG_TOKEN, "é"])
def test_a_form_that_was_not_given_here_is_no_answer(
    asking: Asking, ada: Account, token: str
) -> None:
    browser = asking.browser(ada)

    answer = browser.submit(browser.page(), "allow", form_token=token)

    assert answer.status_code == 403
    assert asking.granted(ada) == []


def test_the_token_of_one_request_answers_no_other(
    asking: Asking, ada: Account
) -> None:
    browser = asking.browser(ada)
    [token] = fields(browser.page())["form_token"]

    answer = browser.submit(browser.page(), "allow", form_token=token)

    assert answer.status_code == 403


def test_an_unknown_decision_is_no_answer(asking: Asking, ada: Account) -> None:
    browser = asking.browser(ada)
    page = browser.page()

    assert browser.submit(page, "perhaps").status_code == 403
    assert browser.submit(page, "allow").status_code == 303


def test_a_request_is_answered_once(asking: Asking, ada: Account) -> None:
    browser = asking.browser(ada)
    page = browser.page()
    assert "code" in sent(browser.submit(page, "allow"))

    again = browser.submit(page, "allow")

    assert again.status_code == 404
    assert len(asking.granted(ada)) == 1
    assert browser.submit(page, "deny").status_code == 404
    assert browser.get(page.request.path).status_code == 404


def test_a_request_does_not_wait_for_ever(
    asking: Asking, clock: Clock, ada: Account
) -> None:
    browser = asking.browser(ada)
    page = browser.page()

    clock.pass_s(asking.services.request_lifetime_s)

    assert browser.submit(page, "allow").status_code == 404
    assert browser.get(page.request.path).status_code == 404


@pytest.mark.parametrize("handle", ["x", "a" * 43, "%00", "..%2f"])
def test_a_handle_that_was_never_given_is_gone(
    asking: Asking, ada: Account, handle: str
) -> None:
    for browser in (asking.browser(), asking.browser(ada)):
        assert browser.get(f"/auth/authorize/{handle}").status_code == 404


def test_a_denial_is_told(asking: Asking, audit: Audit, ada: Account) -> None:
    browser = asking.browser(ada)

    told = sent(browser.submit(browser.page(), "deny"))

    assert (told["error"], told["state"]) == ("access_denied", "a state")
    assert told["iss"] == BASE
    assert audit.last == ("authorization-refused", "denied")
    assert audit.events[-1].user_id == "u-ada"
    assert audit.events[-1].patient == "ada"
    assert asking.granted(ada) == []


def test_who_is_removed_meanwhile_grants_nothing(
    asking: Asking, clock: Clock, ada: Account
) -> None:
    browser = asking.browser(ada)
    page = browser.page()
    asking.services.database.write(
        lambda transaction: accounts.remove_account(transaction, ada.user_id, clock.now)
    )

    answer = browser.submit(page, "allow")

    assert answer.headers["Location"].startswith("/login?request=")
    assert asking.granted(ada) == []


def test_an_app_that_wants_no_page_learns_that_nobody_is_logged_in(
    asking: Asking, audit: Audit
) -> None:
    browser = asking.browser()
    path = handle_of(browser, prompt="none")

    told = sent(browser.get(path))

    assert told["error"] == "login_required"
    assert audit.last == ("authorization-refused", "not-logged-in")
    assert browser.get(path).status_code == 404


def test_an_app_that_wants_no_page_learns_that_consent_is_needed(
    asking: Asking, ada: Account
) -> None:
    told = sent(asking.browser(ada).page(prompt="none"))

    assert told["error"] == "consent_required"


def test_an_app_that_wants_no_page_learns_that_a_patient_is_to_be_chosen(
    asking: Asking, doctor: Account
) -> None:
    told = sent(asking.browser(doctor).page(prompt="none"))

    assert told["error"] == "interaction_required"


def test_an_app_can_want_a_new_login(
    asking: Asking, clock: Clock, ada: Account
) -> None:
    browser = asking.browser(ada)
    clock.pass_s(1)
    path = handle_of(browser, prompt="login")

    asked = browser.get(path)
    clock.pass_s(1)
    browser.log_in(ada)

    assert asked.headers["Location"] == f"/login?request={path.rpartition('/')[2]}"
    assert browser.get(path).status_code == 200


@pytest.mark.parametrize(
    ("age_s", "max_age", "is_asked"),
    [(600, "599", True), (600, "600", False), (1, "0", True), (0, "0", False)],
)
def test_an_app_can_want_a_recent_login(  # noqa: PLR0913 - a row and the parts
    asking: Asking,
    clock: Clock,
    ada: Account,
    age_s: int,
    max_age: str,
    *,
    is_asked: bool,
) -> None:
    browser = asking.browser(ada)
    clock.pass_s(age_s)

    page = browser.page(max_age=max_age)

    assert page.status_code == (303 if is_asked else 200)


def test_a_login_after_the_request_is_recent_enough(
    asking: Asking, clock: Clock, ada: Account
) -> None:
    browser = asking.browser(ada)
    clock.pass_s(5)
    path = handle_of(browser, max_age="0")
    assert browser.get(path).status_code == 303
    browser.log_in(ada)
    clock.pass_s(5)

    assert browser.get(path).status_code == 200


def test_an_old_login_is_told_to_an_app_that_wants_no_page(
    asking: Asking, clock: Clock, ada: Account
) -> None:
    browser = asking.browser(ada)
    clock.pass_s(5)

    told = sent(browser.page(prompt="none", max_age="1"))

    assert told["error"] == "login_required"


def test_the_form_may_lead_to_the_app_and_nowhere_else(
    asking: Asking, ada: Account
) -> None:
    page = asking.browser(ada).page()

    policy = page.headers["Content-Security-Policy"]

    assert "form-action 'self' https://app.example;" in policy
    assert "frame-ancestors 'none'" in policy
    assert "default-src 'none'" in policy
    for name in set(HEADERS) - {"Content-Security-Policy"}:
        assert page.headers[name] == HEADERS[name]


@pytest.mark.parametrize(
    ("uri", "target"),
    [
        ("http://127.0.0.1:8123/cb", "http://127.0.0.1:8123"),
        ("http://[::1]:8123/cb", "http:"),
        ("com.example.app:/cb", "com.example.app:"),
    ],
)
def test_the_form_may_lead_to_a_program_on_the_machine(
    asking: Asking, ada: Account, uri: str, target: str
) -> None:
    native = app_client(
        "native", auth_method="none", secret_hash=None, redirect_uris=(uri,)
    )
    asking.add_client(native)

    page = asking.browser(ada).page(client_id="native", redirect_uri=uri)

    assert f"form-action 'self' {target};" in page.headers["Content-Security-Policy"]


def test_a_login_form_may_lead_to_the_app_that_waits(asking: Asking) -> None:
    """What follows the login may be the app itself, where the choice is remembered."""
    browser = asking.browser()
    path = handle_of(browser)

    page = browser.get(browser.get(path).headers["Location"])
    plain = browser.get("/login")

    assert "https://app.example" in page.headers["Content-Security-Policy"]
    assert "https://app.example" not in plain.headers["Content-Security-Policy"]


def test_the_answer_of_a_person_is_never_a_long_form(
    asking: Asking, ada: Account
) -> None:
    browser = asking.browser(ada)
    page = browser.page()

    answer = browser.submit(page, "allow", only=["x" * 40_000])

    assert answer.status_code == 413


def test_an_officer_has_no_patient(asking: Asking) -> None:
    officer = asking.add_person(person("compliance-officer", "u-officer"))

    told = sent(asking.browser(officer).page())

    assert told["error"] == "invalid_scope"
