"""People at the door: accounts, logins, sessions, pages."""

import io
import json
import re
from collections.abc import Callable
from dataclasses import replace
from http.cookies import SimpleCookie
from typing import Any

import pytest
from argon2 import PasswordHasher
from flask import Flask
from flask.testing import FlaskClient

from conformance.issues import FHIRError, IssueType
from fhir_service.auth import sessions, users
from fhir_service.auth.passwords import MAX_LENGTH, Passwords
from fhir_service.auth.services import AuthServices
from fhir_service.commands import user as command
from fhir_service.pages.frame import HEADERS
from fhir_service.pages.texts import LANGUAGES, said
from fhir_service.storage import accounts
from fhir_service.storage.engine import Database

TYPED = "a long enough password"
WRONG = "a wrong password"
SESSION = "__Host-fhir-session"
PLANTED = "planted"
LOGIN = "__Host-fhir-login"
BASE = "https://fhir.test"

on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
"""For what does not depend on the database."""

Audit = Any
Clock = Any
Enter = Callable[..., Any]


def form_token(response: Any) -> str:
    found = re.search(r'name="form_token" value="([^"]*)"', response.text)
    assert found is not None
    return found[1]


def cookies_of(response: Any) -> dict[str, Any]:
    jar: dict[str, Any] = {}
    for header in response.headers.getlist("Set-Cookie"):
        jar |= SimpleCookie(header)
    return jar


@pytest.fixture
def browser(http: FlaskClient, practitioner: accounts.Account) -> FlaskClient:
    assert practitioner.username == "rowan"
    return http


def enter(browser: FlaskClient, address: str = "192.0.2.1", **changes: str) -> Any:
    """Fill in the login form and send it."""
    page = browser.get("/login", base_url=BASE)
    data = {"username": "rowan", "password": TYPED} | changes
    data.setdefault("form_token", form_token(page))
    environ = {"REMOTE_ADDR": address}
    return browser.post("/login", data=data, base_url=BASE, environ_base=environ)


def test_the_right_password_opens_the_first_page(
    browser: FlaskClient, audit: Audit, practitioner: accounts.Account
) -> None:
    response = enter(browser)

    assert (response.status_code, response.headers["Location"]) == (303, "/")
    page = browser.get("/", base_url=BASE)
    assert "Example Practitioner</strong>, practitioner" in page.text
    assert "Practitioner/7" in page.text
    assert audit.last == ("login", None)
    assert audit.events[-1].user_id == practitioner.user_id
    assert audit.events[-1].address == "192.0.2.1"


@on_sqlite
def test_the_session_cookie_is_locked(browser: FlaskClient) -> None:
    cookie = cookies_of(enter(browser))[SESSION]

    assert len(cookie.value) == 43
    assert (cookie["httponly"], cookie["secure"]) == (True, True)
    assert (cookie["samesite"], cookie["path"], cookie["domain"]) == ("Lax", "/", "")
    assert cookie["max-age"] == "28800"


@on_sqlite
def test_on_this_machine_cookies_go_without_tls(
    services: AuthServices,
    make_app: Callable[[AuthServices], Flask],
    practitioner: accounts.Account,
) -> None:
    assert practitioner.removed is None
    local = replace(services, public_url="http://localhost:8000")
    browser = make_app(local).test_client()
    page = browser.get("/login")
    data = {"username": "rowan", "password": TYPED, "form_token": form_token(page)}

    jar = cookies_of(browser.post("/login", data=data))

    assert not jar["fhir-session"]["secure"]
    assert jar["fhir-session"]["httponly"]


def test_a_session_is_stored_by_its_hash_alone(
    browser: FlaskClient, database: Database, audit: Audit
) -> None:
    secret = cookies_of(enter(browser))[SESSION].value

    with database.engine.connect() as connection:
        rows = str(list(connection.execute(accounts.login_session.select())))
    assert secret not in rows
    assert secret not in repr(audit.events)


@on_sqlite
@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"password": WRONG}, "wrong-password"),
        ({"password": ""}, "wrong-password"),
        ({"password": TYPED + " "}, "wrong-password"),
        ({"password": "x" * 4000}, "wrong-password"),
        ({"username": "nobody"}, "unknown-user"),
        ({"username": ""}, "unknown-user"),
        ({"username": "x" * 4000}, "unknown-user"),
        ({"username": "rowan' OR '1'='1"}, "unknown-user"),
        ({"username": "rowan\x1b[31m\nlogin ok"}, "unknown-user"),
    ],
)
def test_every_failed_login_gets_the_same_answer(
    browser: FlaskClient, audit: Audit, changes: dict[str, str], reason: str
) -> None:
    response = enter(browser, **changes)

    assert response.status_code == 403
    assert "The user name or the password is not right." in response.text
    assert SESSION not in cookies_of(response)
    assert audit.last == ("login-failed", reason)
    assert "x1b" not in repr(audit.events[-1])


@on_sqlite
def test_an_unknown_name_gets_the_very_page_of_a_wrong_password(
    browser: FlaskClient,
) -> None:
    wrong = enter(browser, password=WRONG)
    unknown = enter(browser, username="nobody", password=WRONG)

    assert wrong.text == unknown.text
    assert wrong.status_code == unknown.status_code
    names = [set(response.headers.keys()) for response in (wrong, unknown)]
    assert names[0] == names[1]


def test_an_unknown_name_costs_a_hash_of_the_same_strength() -> None:
    class Counting(PasswordHasher):
        verified: list[str]

        def verify(self, hash: str | bytes, password: str | bytes) -> bool:  # noqa: A002 - argon2's name
            self.verified.append(str(hash).rsplit("$", 2)[0])
            return bool(super().verify(hash, password))

    hasher = Counting(time_cost=1, memory_cost=8, parallelism=1)
    hasher.verified = []
    passwords = Passwords(hasher)
    stored = passwords.hash(TYPED)

    assert passwords.matches(stored, TYPED)
    assert not passwords.matches(stored, WRONG)
    assert not passwords.matches(None, WRONG)
    assert len(hasher.verified) == 3
    assert len(set(hasher.verified)) == 1


def test_no_password_fits_an_account_that_does_not_exist() -> None:
    class Recording(PasswordHasher):
        hashed: str

        def hash(self, password: str | bytes, *, salt: bytes | None = None) -> str:
            self.hashed = str(password)
            return str(super().hash(password, salt=salt))

    hasher = Recording(time_cost=1, memory_cost=8, parallelism=1)
    passwords = Passwords(hasher)
    passwords.matches(None, TYPED)

    assert not passwords.matches(None, hasher.hashed)


def test_a_password_is_hashed_with_argon2id() -> None:
    stored = Passwords().hash(TYPED)

    assert stored.startswith("$argon2id$v=19$m=65536,t=3,p=4$")


def test_a_password_may_be_typed_in_either_unicode_form() -> None:
    passwords = Passwords(PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))

    stored = passwords.hash("passphrase caf\u00e9")

    assert passwords.matches(stored, "passphrase cafe\u0301")


def test_a_long_password_is_compared_whole() -> None:
    passwords = Passwords(PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))
    stored = passwords.hash("p" * MAX_LENGTH)

    assert passwords.matches(stored, "p" * MAX_LENGTH)
    assert not passwords.matches(stored, "p" * (MAX_LENGTH + 1))


def test_a_broken_hash_opens_nothing() -> None:
    assert not Passwords().matches("not a hash", TYPED)


@on_sqlite
@pytest.mark.parametrize("token", ["", "0" * 64, "\u00e9", "x"])
def test_a_login_form_from_elsewhere_is_refused(
    browser: FlaskClient, audit: Audit, token: str
) -> None:
    response = enter(browser, form_token=token)

    assert response.status_code == 403
    assert SESSION not in cookies_of(response)
    assert audit.events[-1].kind.value == "user-added"


def test_a_login_form_without_its_cookie_is_refused(
    browser: FlaskClient, services: AuthServices, make_app: Callable[..., Flask]
) -> None:
    token = form_token(browser.get("/login", base_url=BASE))
    other = make_app(services).test_client()

    data = {"username": "rowan", "password": TYPED, "form_token": token}
    response = other.post("/login", data=data, base_url=BASE)

    assert response.status_code == 403


def test_a_login_gives_a_session_that_nobody_could_have_planted(
    browser: FlaskClient,
) -> None:
    browser.set_cookie(SESSION, PLANTED, domain="fhir.test", secure=True)

    secret = cookies_of(enter(browser))[SESSION].value

    assert secret != PLANTED
    browser.set_cookie(SESSION, PLANTED, domain="fhir.test", secure=True)
    assert "You are not logged in." in browser.get("/", base_url=BASE).text


def test_a_second_login_ends_the_first_session(
    browser: FlaskClient, services: AuthServices, make_app: Callable[..., Flask]
) -> None:
    first = cookies_of(enter(browser))[SESSION].value
    token = form_token(make_login_page(browser))
    data = {"username": "rowan", "password": TYPED, "form_token": token}

    second = browser.post("/login", data=data, base_url=BASE)

    assert second.status_code == 303
    thief = make_app(services).test_client()
    thief.set_cookie(SESSION, first, domain="fhir.test", secure=True)
    assert "You are not logged in." in thief.get("/", base_url=BASE).text


def make_login_page(browser: FlaskClient) -> Any:
    """A signed-in browser meets the form where another form of it was stale."""
    return browser.post("/logout", data={"form_token": "stale"}, base_url=BASE)


def test_logging_out_ends_the_session(browser: FlaskClient, audit: Audit) -> None:
    secret = cookies_of(enter(browser))[SESSION].value
    token = form_token(browser.get("/", base_url=BASE))

    response = browser.post("/logout", data={"form_token": token}, base_url=BASE)

    assert (response.status_code, response.headers["Location"]) == (303, "/login")
    assert cookies_of(response)[SESSION]["max-age"] == "0"
    assert audit.last == ("logout", None)
    browser.set_cookie(SESSION, secret, domain="fhir.test", secure=True)
    assert "You are not logged in." in browser.get("/", base_url=BASE).text


def test_a_logout_form_from_elsewhere_is_refused(browser: FlaskClient) -> None:
    enter(browser)

    response = browser.post("/logout", data={}, base_url=BASE)

    assert response.status_code == 403
    assert "Example Practitioner" in browser.get("/", base_url=BASE).text


def test_logging_out_twice_is_audited_once(browser: FlaskClient, audit: Audit) -> None:
    secret = cookies_of(enter(browser))[SESSION].value
    data = {"form_token": form_token(browser.get("/", base_url=BASE))}
    browser.post("/logout", data=data, base_url=BASE)
    browser.set_cookie(SESSION, secret, domain="fhir.test", secure=True)

    response = browser.post("/logout", data=data, base_url=BASE)

    assert response.status_code == 303
    assert [event.kind.value for event in audit.events].count("logout") == 1


def test_of_two_tabs_that_log_out_one_ends_the_session(
    browser: FlaskClient,
    services: AuthServices,
    practitioner: accounts.Account,
    audit: Audit,
) -> None:
    secret = cookies_of(enter(browser))[SESSION].value

    for _ in range(2):
        sessions.log_out(services, secret, practitioner, "192.0.2.1")

    assert [event.kind.value for event in audit.events].count("logout") == 1


def test_the_form_is_not_shown_to_who_is_logged_in(browser: FlaskClient) -> None:
    enter(browser)

    response = browser.get("/login", base_url=BASE)

    assert (response.status_code, response.headers["Location"]) == (303, "/")


def test_a_session_ends_when_it_is_left_alone(
    browser: FlaskClient, clock: Clock
) -> None:
    enter(browser)
    clock.pass_s(30 * 60)

    assert "You are not logged in." in browser.get("/", base_url=BASE).text


def test_a_session_in_use_lasts_until_its_end_and_no_longer(
    browser: FlaskClient, clock: Clock
) -> None:
    enter(browser)
    for _ in range(31):
        clock.pass_s(15 * 60)
        assert "Example Practitioner" in browser.get("/", base_url=BASE).text

    clock.pass_s(15 * 60)

    assert "You are not logged in." in browser.get("/", base_url=BASE).text


def test_a_removed_user_is_logged_out_and_stays_out(
    browser: FlaskClient, services: AuthServices, audit: Audit
) -> None:
    enter(browser)

    users.remove(services, "ROWAN")

    assert audit.last == ("user-removed", None)
    assert "You are not logged in." in browser.get("/", base_url=BASE).text
    assert enter(browser).status_code == 403


def test_a_session_of_an_account_that_is_gone_opens_nothing(
    browser: FlaskClient, database: Database, clock: Clock
) -> None:
    enter(browser)
    with database.engine.begin() as connection:
        connection.execute(accounts.account.update().values(removed=clock()))

    assert "You are not logged in." in browser.get("/", base_url=BASE).text


def test_a_user_removed_while_the_password_is_checked_stays_out(
    services: AuthServices,
    make_app: Callable[..., Flask],
    practitioner: accounts.Account,
    audit: Audit,
) -> None:
    class Slow(Passwords):
        def matches(self, stored: str | None, password: str) -> bool:
            users.remove(services, practitioner.username)
            return services.passwords.matches(stored, password)

    browser = make_app(replace(services, passwords=Slow())).test_client()

    response = enter(browser)

    assert response.status_code == 403
    assert audit.last == ("login-failed", "wrong-password")


def test_guessing_is_slowed_down(
    browser: FlaskClient, clock: Clock, audit: Audit
) -> None:
    for _ in range(5):
        assert enter(browser, password=WRONG).status_code == 403

    response = enter(browser)

    assert response.status_code == 429
    assert response.headers["Retry-After"] == "60"
    assert audit.last == ("login-throttled", "throttled")
    clock.pass_s(60)
    assert enter(browser).status_code == 303


def test_a_name_that_does_not_exist_is_slowed_down_alike(
    browser: FlaskClient,
) -> None:
    for _ in range(5):
        enter(browser, username="nobody")

    assert enter(browser, username="nobody").status_code == 429


def test_a_guesser_does_not_shut_the_owner_out(
    browser: FlaskClient, audit: Audit
) -> None:
    for _ in range(50):
        enter(browser, address="198.51.100.7", password=WRONG)
    assert audit.last == ("login-throttled", "throttled")

    assert enter(browser, address="192.0.2.1").status_code == 303


@on_sqlite
def test_one_address_cannot_try_every_account(browser: FlaskClient) -> None:
    statuses = [
        enter(browser, username=f"user-{number}").status_code for number in range(101)
    ]

    assert statuses == [403] * 100 + [429]


def test_a_right_password_forgives_the_wrong_ones(browser: FlaskClient) -> None:
    for _ in range(3):
        for _ in range(4):
            enter(browser, password=WRONG)
        assert enter(browser).status_code == 303
        token = form_token(browser.get("/", base_url=BASE))
        browser.post("/logout", data={"form_token": token}, base_url=BASE)


@on_sqlite
@pytest.mark.parametrize("path", ["/", "/login"])
def test_every_page_is_sealed(browser: FlaskClient, path: str) -> None:
    response = browser.get(path, base_url=BASE)

    assert {name: response.headers[name] for name in HEADERS} == dict(HEADERS)
    assert "<script" not in response.text
    assert " style=" not in response.text


@on_sqlite
def test_the_style_sheet_is_there(browser: FlaskClient) -> None:
    page = browser.get("/login", base_url=BASE)
    [path] = re.findall(r'<link rel="stylesheet" href="([^"]*)"', page.text)

    response = browser.get(path, base_url=BASE)

    assert (response.status_code, response.mimetype) == (200, "text/css")
    response.close()


@on_sqlite
def test_a_name_is_shown_as_text(
    services: AuthServices, make_app: Callable[..., Flask]
) -> None:
    users.register(
        services,
        users.NewUser(
            username="x",
            name="<b>&\"'",
            role=users.Role.ADMINISTRATOR,
            password=TYPED,
        ),
    )
    browser = make_app(services).test_client()

    enter(browser, username="x")

    page = browser.get("/", base_url=BASE).text
    assert "<b>" not in page
    assert "&lt;b&gt;&amp;&#34;&#39;" in page


@on_sqlite
def test_an_oversized_form_is_refused(browser: FlaskClient) -> None:
    response = browser.post("/login", data={"x": "x" * 20_000}, base_url=BASE)

    assert response.status_code == 413
    assert "Please try again" in response.text


@pytest.mark.parametrize("role", users.Role)
def test_every_role_has_a_name(role: users.Role) -> None:
    names = {said(f"people.role.{role}", language) for language in LANGUAGES}

    assert len(names) == len(LANGUAGES)


def new_user(**changes: Any) -> users.NewUser:
    values: dict[str, Any] = {
        "username": "sam",
        "name": "Sam",
        "role": users.Role.PATIENT,
        "password": TYPED,
        "reference": "Patient/1",
    }
    return users.NewUser(**values | changes)


@on_sqlite
@pytest.mark.parametrize(
    "changes",
    [
        {"username": ""},
        {"username": "two words"},
        {"username": "u" * 65},
        {"name": " "},
        {"name": "a\nb"},
        {"password": "eleven char"},
        {"password": "p" * 257},
        {"reference": None},
        {"reference": "Practitioner/7"},
        {"reference": "Patient/1/_history/2"},
        {"reference": "https://evil.test/Patient/1"},
        {"role": users.Role.PRACTITIONER},
        {"role": users.Role.RELATED_PERSON},
        {"role": users.Role.COMPLIANCE_OFFICER},
        {"organization": "clinic"},
    ],
)
def test_a_user_that_cannot_be_is_refused(
    services: AuthServices, database: Database, changes: dict[str, Any]
) -> None:
    with pytest.raises(FHIRError) as caught:
        users.register(services, new_user(**changes))

    assert caught.value.type is IssueType.VALUE
    with database.read() as snapshot:
        assert accounts.all_accounts(snapshot) == []


@on_sqlite
@pytest.mark.parametrize(
    ("role", "reference"),
    [
        (users.Role.PATIENT, "Patient/1"),
        (users.Role.RELATED_PERSON, "RelatedPerson/1"),
        (users.Role.PRACTITIONER, "Practitioner/1"),
        (users.Role.COMPLIANCE_OFFICER, None),
        (users.Role.COMPLIANCE_OFFICER, "Practitioner/1"),
        (users.Role.ADMINISTRATOR, None),
    ],
)
def test_each_role_has_its_reference(
    services: AuthServices, role: users.Role, reference: str | None
) -> None:
    account = users.register(services, new_user(role=role, reference=reference))

    assert (account.role, account.reference) == (role.value, reference)


def test_a_user_name_is_given_once(services: AuthServices) -> None:
    users.register(services, new_user())
    users.remove(services, "sam")

    with pytest.raises(FHIRError) as caught:
        users.register(services, new_user(username=" SAM "))

    assert caught.value.type is IssueType.DUPLICATE


def test_who_is_not_there_cannot_be_removed(services: AuthServices) -> None:
    with pytest.raises(FHIRError) as caught:
        users.remove(services, "nobody")

    assert caught.value.type is IssueType.NOT_FOUND


def test_the_command_adds_lists_and_removes(
    services: AuthServices, capsys: pytest.CaptureFixture[str], clock: Clock
) -> None:
    command.add(
        services,
        username="Sam",
        name=None,
        role=users.Role.PATIENT,
        reference="Patient/1",
        organization=None,
        password=TYPED,
    )
    command.listing(services, as_json=False)
    assert capsys.readouterr().out == (
        "User sam (patient) can log in.\nsam  active  patient  Patient/1  -\n"
    )
    command.remove(services, username="sam")
    capsys.readouterr()

    command.listing(services, as_json=True)

    [row] = json.loads(capsys.readouterr().out)
    assert len(row.pop("user_id")) == 16
    assert row == {
        "username": "sam",
        "name": "Sam",
        "role": "patient",
        "active": False,
        "reference": "Patient/1",
        "organization": None,
        "language": None,
        "may_break_glass": False,
        "created": clock(),
        "removed": clock(),
    }


def test_a_password_comes_from_standard_input() -> None:
    assert command.ask_password(io.StringIO("pass phrase \nmore\n")) == "pass phrase "


def test_a_password_at_a_terminal_is_typed_twice_and_not_shown(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    typed = iter([TYPED, TYPED])
    monkeypatch.setattr("click.termui.hidden_prompt_func", lambda _: next(typed))

    assert command.ask_password(Terminal()) == TYPED
    assert TYPED not in capsys.readouterr().out


HANDLE = "A" * 41 + "_-"


@on_sqlite
def test_what_waits_is_gone_on_with_after_the_login(browser: FlaskClient) -> None:
    page = browser.get(f"/login?request={HANDLE}", base_url=BASE)
    assert f'name="request" value="{HANDLE}"' in page.text
    data = {
        "username": "rowan",
        "password": TYPED,
        "request": HANDLE,
        "form_token": form_token(page),
    }

    wrong = browser.post("/login", data=data | {"password": WRONG}, base_url=BASE)
    right = browser.post("/login", data=data, base_url=BASE)

    assert f'name="request" value="{HANDLE}"' in wrong.text
    assert (right.status_code, right.headers["Location"]) == (
        303,
        f"/auth/authorize/{HANDLE}",
    )


@on_sqlite
@pytest.mark.parametrize(
    "handle",
    [
        "A" * 42,
        "A" * 44,
        "A" * 42 + "/",
        "A" * 42 + ".",
        "A" * 43 + "\n",
        "//evil.test/" + "A" * 31,
        "https://evil.test/",
        "\u00e9" * 43,
        "../" * 14 + "x",
    ],
)
def test_nothing_else_is_a_redirects_target(browser: FlaskClient, handle: str) -> None:
    page = browser.get("/login", query_string={"request": handle}, base_url=BASE)
    assert "evil" not in page.text
    assert 'name="request"' not in page.text

    response = enter(
        browser, request=handle, next="https://evil.test/", url="//evil.test"
    )

    assert (response.status_code, response.headers["Location"]) == (303, "/")


@on_sqlite
def test_an_app_may_want_a_newer_login_than_there_is(browser: FlaskClient) -> None:
    first = cookies_of(enter(browser))[SESSION].value

    page = browser.get(f"/login?request={HANDLE}", base_url=BASE)

    assert page.status_code == 200
    data = {"username": "rowan", "password": TYPED, "form_token": form_token(page)}
    second = cookies_of(browser.post("/login", data=data, base_url=BASE))[SESSION]
    assert second.value != first
    browser.set_cookie(SESSION, first, domain="fhir.test", secure=True)
    assert "You are not logged in." in browser.get("/", base_url=BASE).text


@on_sqlite
def test_many_user_names_do_not_shut_anybody_out(browser: FlaskClient) -> None:
    for number in range(40):
        for username in ("rowan", f"user-{number}"):
            enter(
                browser,
                address=f"203.0.113.{number}",
                username=username,
                password=WRONG,
            )

    assert enter(browser, address="192.0.2.1").status_code == 303


@on_sqlite
@pytest.mark.parametrize("name", ["X-Forwarded-For", "Forwarded", "X-Real-IP"])
def test_an_address_that_is_claimed_buys_no_tries(
    browser: FlaskClient, name: str
) -> None:
    statuses = []
    for number in range(6):
        page = browser.get("/login", base_url=BASE)
        data = {
            "username": "rowan",
            "password": WRONG,
            "form_token": form_token(page),
        }
        claimed = {name: f"for=203.0.113.{number}"}
        response = browser.post("/login", data=data, base_url=BASE, headers=claimed)
        statuses.append(response.status_code)

    assert statuses == [403] * 5 + [429]


@on_sqlite
@pytest.mark.parametrize(
    ("asked", "shown"),
    [
        ("es-MX,es;q=0.9,en;q=0.8", "Iniciar sesi\u00f3n"),
        ("en-US", "Log in"),
        ("fr", "Log in"),
        ("", "Log in"),
    ],
)
def test_the_browser_chooses_the_language(
    browser: FlaskClient, asked: str, shown: str
) -> None:
    page = browser.get("/login", base_url=BASE, headers={"Accept-Language": asked})

    assert f"<h1>{shown}</h1>" in page.text


@on_sqlite
def test_the_account_chooses_the_language_before_the_browser(
    browser: FlaskClient, services: AuthServices
) -> None:
    users.change(services, "rowan", users.UserChange(language="es"))
    enter(browser)

    page = browser.get("/", base_url=BASE, headers={"Accept-Language": "en"})

    assert '<html lang="es">' in page.text
    assert "profesional sanitario" in page.text


@on_sqlite
@pytest.mark.parametrize(
    "wanted",
    [
        users.UserChange(name=" "),
        users.UserChange(password="x" * 11),
        users.UserChange(reference="Patient/1"),
        users.UserChange(organization="clinic"),
        users.UserChange(language="fr"),
    ],
)
def test_a_change_that_cannot_be_is_refused(
    services: AuthServices, practitioner: accounts.Account, wanted: users.UserChange
) -> None:
    with pytest.raises(FHIRError) as caught:
        users.change(services, "rowan", wanted)

    assert caught.value.type is IssueType.VALUE
    with services.database.read() as snapshot:
        assert accounts.find_account(snapshot, "rowan") == practitioner


def test_who_is_not_there_cannot_be_changed(services: AuthServices) -> None:
    with pytest.raises(FHIRError) as caught:
        users.change(services, "nobody", users.UserChange(name="Somebody"))

    assert caught.value.type is IssueType.NOT_FOUND


@on_sqlite
@pytest.mark.parametrize(
    "role", [role for role in users.Role if role != users.Role.PRACTITIONER]
)
def test_only_a_practitioner_may_break_the_glass(
    services: AuthServices, role: users.Role
) -> None:
    reference = f"{users.RESOURCE[role]}/1" if role in users.RESOURCE else None

    with pytest.raises(FHIRError) as caught:
        users.register(
            services, new_user(role=role, reference=reference, may_break_glass=True)
        )

    assert caught.value.type is IssueType.VALUE


def test_the_command_changes_what_is_named_and_nothing_else(
    services: AuthServices,
    practitioner: accounts.Account,
    capsys: pytest.CaptureFixture[str],
) -> None:
    command.change(
        services, username="Rowan", password=None, may_break_glass=True, language="es"
    )

    with services.database.read() as snapshot:
        changed = accounts.find_account(snapshot, "rowan")
    assert changed == replace(practitioner, may_break_glass=True, language="es")
    assert capsys.readouterr().out == "User rowan is changed.\n"


def test_the_command_says_whether_there_was_a_second_factor(
    services: AuthServices,
    practitioner: accounts.Account,
    capsys: pytest.CaptureFixture[str],
) -> None:
    command.reset_second_factor(services, username=practitioner.username)

    assert capsys.readouterr().out == (
        "The second factor of rowan was not set up; open logins have ended.\n"
    )


@pytest.mark.parametrize("path", ["/login", "/reviews/%00", "/reviews/a"])
def test_a_nul_is_answered_like_anything_wrong(
    http: FlaskClient, practitioner: accounts.Account, path: str
) -> None:
    """PostgreSQL takes none in a text."""
    assert practitioner.username == "rowan"
    page = http.get("/login", base_url=BASE).text
    token = page.partition('name="form_token" value="')[2].partition('"')[0]

    answer = http.post(
        path,
        data={"form_token": token, "username": "row\x00an", "password": "\x00"},
        base_url=BASE,
    )

    assert answer.status_code == {"/login": 403, "/reviews/a": 303}.get(path, 404)
