"""Choices that are remembered, listed and stopped."""

from typing import Any

import pytest
from authorizing import (
    ADA,
    BASE,
    BEN,
    Asking,
    Browser,
    app_client,
    person,
    sent,
    values_of,
)

from fhir_service.auth import clients, users
from fhir_service.auth.sessions import form_token
from fhir_service.auth.token_hash import token_hash
from fhir_service.storage import authorizations, launches
from fhir_service.storage.accounts import Account
from fhir_service.storage.authorizations import AccessToken

Audit = Any
Clock = Any
SCOPE = "offline_access patient/Goal.rs patient/Observation.rs"
TYPED = "another long enough password"
VITAL_SIGNS = (
    "patient/Observation.rs?category="
    "http://terminology.hl7.org/CodeSystem/observation-category|vital-signs"
)


def decide(browser: Browser, *, only: tuple[str, ...] = (), **changes: str) -> None:
    page = browser.page(scope=SCOPE, **changes)
    allowed = ["patient/Goal.rs", "patient/Observation.rs"]
    sent(browser.submit(page, "allow", allow=allowed, only=list(only)))


def test_a_choice_is_remembered(asking: Asking, audit: Audit, ada: Account) -> None:
    browser = asking.browser(ada)
    decide(browser, only=(VITAL_SIGNS,))

    told = sent(browser.page(scope=SCOPE))

    assert "code" in told
    first, second = asking.granted(ada)
    assert first.scopes == second.scopes == f"patient/Goal.rs {VITAL_SIGNS}"
    assert audit.last == ("authorized", None)


def test_less_than_before_is_answered_as_before(asking: Asking, ada: Account) -> None:
    browser = asking.browser(ada)
    decide(browser)

    told = sent(browser.page(scope="patient/Goal.rs", prompt="none"))

    assert "code" in told
    assert {one.scopes for one in asking.granted(ada)} == {
        "patient/Goal.rs patient/Observation.rs",
        "patient/Goal.rs",
    }


def test_more_than_before_is_asked(asking: Asking, ada: Account) -> None:
    browser = asking.browser(ada)
    decide(browser)

    page = browser.page(scope=f"{SCOPE} patient/Flag.rs")

    assert page.status_code == 200
    for value, is_ticked in (
        ("offline_access", False),
        ("patient/Goal.rs", True),
        ("patient/Flag.rs", True),
    ):
        assert (f'value="{value}" checked>' in page.text) == is_ticked


def test_what_was_refused_before_is_asked_again(asking: Asking, ada: Account) -> None:
    browser = asking.browser(ada)
    page = browser.page(scope="launch/patient offline_access patient/Goal.rs")
    sent(browser.submit(page, "allow", allow=["patient/Goal.rs"]))

    again = browser.page(scope="launch/patient offline_access")

    assert values_of(again, "allow") == ["launch/patient", "offline_access"]
    assert " checked" not in again.text


def test_an_app_can_want_to_ask_again(asking: Asking, ada: Account) -> None:
    browser = asking.browser(ada)
    decide(browser, only=(VITAL_SIGNS,))

    page = browser.page(scope=SCOPE, prompt="consent")

    assert f'value="{VITAL_SIGNS}" checked>' in page.text
    assert "<details open>" in page.text


def test_a_public_app_asks_each_time_with_the_earlier_choice(
    asking: Asking, ada: Account
) -> None:
    asking.add_client(app_client("public", auth_method="none", secret_hash=None))
    browser = asking.browser(ada)
    decide(browser, client_id="public")

    page = browser.page(scope=SCOPE, client_id="public")

    assert page.status_code == 200
    assert 'value="offline_access">' in page.text
    assert 'value="patient/Goal.rs" checked>' in page.text


def test_a_choice_is_about_one_patient(asking: Asking) -> None:
    parent = asking.add_person(person("related-person", "u-parent"), [ADA, BEN])
    browser = asking.browser(parent)
    picker = browser.page(scope=SCOPE)
    page = browser.get(
        browser.submit(picker, "choose", patient="ada").headers["Location"]
    )
    sent(browser.submit(page, "allow"))

    again = browser.page(scope=SCOPE)
    other = browser.get(
        browser.submit(again, "choose", patient="ben").headers["Location"]
    )

    assert other.status_code == 200
    assert "Ben Example" in other.text


def test_a_choice_is_about_what_the_app_acts_for(
    asking: Asking, doctor: Account
) -> None:
    asking.add_client(app_client("lab", purposes=("TREAT", "HRESCH")))
    browser = asking.browser(doctor)
    asked = {"client_id": "lab", "scope": "user/Goal.rs"}
    sent(browser.submit(browser.page(**asked, purpose_of_use="TREAT"), "allow"))

    again = browser.page(**asked, purpose_of_use="TREAT")
    wider = browser.page(**asked)

    assert "code" in sent(again)
    assert wider.status_code == 200
    assert [one.purposes for one in asking.granted(doctor)] == [("TREAT",)] * 2


def test_some_of_a_scope_is_not_shown_as_all_of_it(
    asking: Asking, ada: Account
) -> None:
    browser = asking.browser(ada)
    decide(browser, only=(VITAL_SIGNS,))

    page = browser.page(scope=SCOPE, prompt="consent")

    assert 'value="patient/Observation.rs">' in page.text
    assert f'value="{VITAL_SIGNS}" checked>' in page.text
    sent(browser.submit(page, "allow"))
    assert [one.scopes for one in asking.granted(ada)] == [
        f"patient/Goal.rs {VITAL_SIGNS}"
    ] * 2


def test_who_had_the_password_has_decided_nothing(asking: Asking, ada: Account) -> None:
    """A stolen login could otherwise say yes to an app for ever."""
    decide(asking.browser(ada))
    changed = users.UserChange(password=TYPED)

    users.change(asking.services, ada.username, changed)

    assert asking.browser(ada).page(scope=SCOPE).status_code == 200


def test_a_choice_goes_with_the_person_and_with_the_app(
    asking: Asking, ada: Account
) -> None:
    twin = asking.add_person(person("patient", "u-twin"), [ADA])
    decide(asking.browser(ada))
    decide(asking.browser(twin))

    users.remove(asking.services, ada.username)
    assert [choices_of(asking, one) for one in (ada, twin)] == [0, 1]
    clients.remove(asking.services, "app")
    assert choices_of(asking, twin) == 0


def choices_of(asking: Asking, account: Account) -> int:
    with asking.services.database.read() as snapshot:
        return len(launches.choices_of_user(snapshot, account.user_id))


def test_a_look_decides_nothing(asking: Asking, ada: Account) -> None:
    browser = asking.browser(ada)
    decide(browser)
    waiting = browser.ask(scope=SCOPE).headers["Location"]

    look = browser.http.head(waiting, base_url=BASE)

    assert look.status_code == 405
    assert len(asking.granted(ada)) == 1
    assert "code" in sent(browser.get(waiting))


def test_a_choice_is_one_persons(asking: Asking, ada: Account) -> None:
    decide(asking.browser(ada))
    twin = asking.add_person(person("patient", "u-twin"), [ADA])

    assert asking.browser(twin).page(scope=SCOPE).status_code == 200


def test_a_choice_never_opens_what_is_no_longer_registered(
    asking: Asking, ada: Account
) -> None:
    asking.add_client(app_client("big"))
    decide(asking.browser(ada), client_id="big")
    asking.shrink_client("big", "patient/Goal.rs")

    sent(asking.browser(ada).page(scope=SCOPE, client_id="big"))

    assert {one.scopes for one in asking.granted(ada)} == {
        "patient/Goal.rs patient/Observation.rs",
        "patient/Goal.rs",
    }


def test_the_list_says_what_each_app_may_do(asking: Asking, ada: Account) -> None:
    browser = asking.browser(ada)
    decide(browser, only=(VITAL_SIGNS,))

    page = browser.get("/apps")

    for words in (
        "Example app",
        "The record of Ada Example.",
        "See goals of care in the record of Ada Example.",
        "only vital signs, such as heart rate and blood pressure",
        "Allowed on 2026-09-21.",
        "Ends on 2026-09-21 at the latest.",
        "Stop Example app",
    ):
        assert words in page.text
    assert "frame-ancestors 'none'" in page.headers["Content-Security-Policy"]


def test_the_list_tells_of_remembered_choices_without_access(
    asking: Asking, clock: Clock, ada: Account
) -> None:
    browser = asking.browser(ada)
    decide(browser)
    clock.pass_s(600)

    page = browser.get("/apps?lang=es")

    assert "Ahora no tiene acceso" in page.text
    assert "Ver objetivos de la atención" in page.text


def test_nobody_sees_the_apps_of_another(
    asking: Asking, ada: Account, doctor: Account
) -> None:
    decide(asking.browser(ada))

    others = asking.browser(doctor).get("/apps")

    assert "No app may do anything in your name." in others.text
    assert asking.browser().get("/apps").headers["Location"] == "/login"


def add_token(asking: Asking, authorization_id: str) -> None:
    now = asking.services.clock()
    token = AccessToken(
        hash=token_hash("token"),
        client_id="app",
        scopes="patient/Goal.rs",
        purposes=(),
        issued=now,
        expires=now + 300_000_000,
        authorization_id=authorization_id,
        user_id="u-ada",
        patient="ada",
    )
    asking.services.database.write(
        lambda transaction: authorizations.add_token(transaction, token)
    )


def test_to_stop_an_app_ends_everything_of_it_at_once(
    asking: Asking, audit: Audit, ada: Account
) -> None:
    asking.add_client(app_client("other"))
    browser = asking.browser(ada)
    decide(browser)
    decide(browser, client_id="other")
    sent(browser.page(scope=SCOPE))
    [granted, _] = [one for one in asking.granted(ada) if one.client_id == "app"]
    add_token(asking, granted.authorization_id)

    page = browser.submit_to(browser.get("/apps"), "/apps/stop", client_id="app")

    assert "The app was stopped." in page.text
    assert [one.client_id for one in asking.granted(ada)] == ["other"]
    with asking.services.database.read() as snapshot:
        assert authorizations.find_token(snapshot, token_hash("token")) is None
    ended = [one for one in audit.events if one.kind.value == "authorization-ended"]
    assert [(one.client_id, one.reason, one.patient) for one in ended] == [
        ("app", "stopped", "ada"),
        ("app", "stopped", "ada"),
    ]
    assert browser.page(scope=SCOPE).status_code == 200


@pytest.mark.parametrize("token", ["", "0" * 64])
def test_only_a_form_of_the_list_stops_an_app(
    asking: Asking, ada: Account, token: str
) -> None:
    browser = asking.browser(ada)
    decide(browser)
    page = browser.get("/apps")

    answer = browser.submit_to(page, "/apps/stop", client_id="app", form_token=token)

    assert answer.status_code == 403
    assert len(asking.granted(ada)) == 1


def test_nobody_stops_the_apps_of_another(
    asking: Asking, ada: Account, doctor: Account
) -> None:
    decide(asking.browser(ada))
    browser = asking.browser()
    data = {"client_id": "app", "form_token": form_token(browser.log_in(doctor))}

    answer = browser.http.post("/apps/stop", data=data, base_url=BASE)
    nobody = asking.browser().http.post("/apps/stop", data=data, base_url=BASE)

    assert (answer.status_code, answer.headers["Location"]) == (303, "/apps")
    assert (nobody.status_code, nobody.headers["Location"]) == (303, "/login")
    assert len(asking.granted(ada)) == 1
