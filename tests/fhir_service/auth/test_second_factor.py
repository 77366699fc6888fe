"""The second factor: setting it up, logging in with it, losing it."""

import base64
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.twofactor.totp import TOTP
from flask import Flask
from flask.testing import FlaskClient

from conformance.issues import FHIRError, IssueType
from fhir_service.auth import second_factor, users
from fhir_service.auth.services import AuthServices
from fhir_service.auth.users import UserChange
from fhir_service.pages.frame import HEADERS
from fhir_service.storage import accounts, second_factors
from fhir_service.storage.accounts import Account
from fhir_service.storage.engine import Database

TYPED = "a long enough password"
WRONG = "a wrong password"
OTHER = "quite another password"
BASE = "https://fhir.test"
SESSION = "__Host-fhir-session"
PENDING = "__Host-fhir-pending"
PAGE = "/account/second-factor"
HANDLE = "h" * 43
STEP_S = 30

on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
"""For what does not depend on the database."""

Audit = Any
Clock = Any
MakeApp = Callable[[AuthServices], Flask]


@dataclass
class Browser:
    """A browser that remembers the token of the last form it was given."""

    http: FlaskClient
    address: str = "192.0.2.1"
    token: str = ""

    def get(self, path: str) -> Any:
        return self._shown(self.http.get(path, base_url=BASE))

    def post(self, path: str, **fields: str) -> Any:
        return self._shown(
            self.http.post(
                path,
                data={"form_token": self.token} | fields,
                base_url=BASE,
                environ_base={"REMOTE_ADDR": self.address},
            )
        )

    def password(self, **changes: str) -> Any:
        self.get("/login")
        return self.post("/login", **{"username": "rowan", "password": TYPED} | changes)

    def code(self, code: str, **changes: str) -> Any:
        self.get("/login/code")
        return self.post("/login/code", code=code, **changes)

    @property
    def is_in(self) -> bool:
        return "Example Practitioner" in self.http.get("/", base_url=BASE).text

    def _shown(self, response: Any) -> Any:
        found = re.search(r'name="form_token" value="([^"]*)"', response.text)
        self.token = found[1] if found else self.token
        return response


@dataclass
class Authenticator:
    """A person's own device; what it shows was computed by RFC 6238's rule."""

    secret: bytes
    clock: Clock

    def code(self, steps: int = 0) -> str:
        at_s = self.clock() // 1_000_000 + steps * STEP_S
        totp = TOTP(self.secret, 6, SHA1(), STEP_S)  # noqa: S303 - what devices have
        shown: bytes = totp.generate(at_s)
        return shown.decode()


@dataclass
class Enrolled:
    """Somebody with a second factor, logged in."""

    browser: Browser
    device: Authenticator
    codes: list[str]

    def log_out(self) -> None:
        self.browser.get("/")
        self.browser.post("/logout")


@pytest.fixture
def browser(http: FlaskClient, practitioner: Account) -> Browser:
    assert practitioner.username == "rowan"
    return Browser(http)


def set_up(browser: Browser, clock: Clock) -> Enrolled:
    browser.get(PAGE)
    browser.post(f"{PAGE}/begin", password=TYPED)
    page = browser.get(PAGE).text
    device = Authenticator(secret_of(page), clock)
    done = browser.post(f"{PAGE}/confirm", code=device.code())
    assert done.status_code == 200, done.text
    return Enrolled(browser, device, re.findall(r"<li><code>([^<]*)</code>", done.text))


def secret_of(page: str) -> bytes:
    found = re.search(r'<code class="key">([A-Z2-7 ]*)</code>', page)
    assert found is not None, page
    return base64.b32decode(found[1].replace(" ", ""))


@pytest.fixture
def enrolled(browser: Browser, clock: Clock) -> Enrolled:
    browser.password()
    made = set_up(browser, clock)
    made.log_out()
    clock.pass_s(STEP_S)
    return made


def test_the_codes_are_those_of_the_standard(
    services: AuthServices, practitioner: Account, clock: Clock
) -> None:
    """RFC 6238 appendix B, its last six digits."""
    fixed = replace(services, random=lambda count: b"12345678901234567890"[:count])
    clock.now = 59 * 1_000_000
    second_factor.begin(fixed, practitioner)

    codes = second_factor.confirm(fixed, practitioner, "287082", "192.0.2.1")

    assert codes is not None


def test_a_second_factor_is_set_up(
    browser: Browser, clock: Clock, audit: Audit, practitioner: Account
) -> None:
    browser.password()

    enrolled = set_up(browser, clock)

    assert audit.last == ("second-factor-set", None)
    assert audit.events[-1].user_id == practitioner.user_id
    assert len(set(enrolled.codes)) == 10
    assert all(re.fullmatch(r"([A-Z2-7]{4}-){3}[A-Z2-7]{4}", x) for x in enrolled.codes)
    assert "10 recovery codes are left" in browser.get(PAGE).text


@on_sqlite
def test_the_key_is_160_bits_as_text_address_and_picture(browser: Browser) -> None:
    browser.password()
    browser.get(PAGE)
    browser.post(f"{PAGE}/begin", password=TYPED)

    page = browser.get(PAGE)

    secret = secret_of(page.text)
    assert len(secret) == 20
    found = re.search(r'<code class="address">([^<]*)</code>', page.text)
    assert found is not None
    address = urlsplit(found[1].replace("&amp;", "&"))
    assert (address.scheme, address.netloc) == ("otpauth", "totp")
    told = parse_qs(address.query)
    assert base64.b32decode(told["secret"][0]) == secret
    assert (told["digits"], told["period"], told["algorithm"]) == (
        ["6"],
        ["30"],
        ["SHA1"],
    )
    assert "<svg" in page.text
    assert "<script" not in page.text
    assert " style=" not in page.text
    assert {name: page.headers[name] for name in HEADERS} == dict(HEADERS)


@on_sqlite
def test_a_key_that_no_code_confirmed_guards_nothing(
    browser: Browser, clock: Clock
) -> None:
    browser.password()
    browser.get(PAGE)
    browser.post(f"{PAGE}/begin", password=TYPED)
    device = Authenticator(secret_of(browser.get(PAGE).text), clock)
    wrong = f"{(int(device.code()) + 500_000) % 1_000_000:06d}"
    near = {device.code(steps) for steps in (-1, 0, 1)}
    assert wrong not in near

    refused = browser.post(f"{PAGE}/confirm", code=wrong)

    assert refused.status_code == 403
    browser.get("/")
    browser.post("/logout")
    assert browser.password().headers["Location"] == "/"


@on_sqlite
@pytest.mark.parametrize("path", [f"{PAGE}/begin", f"{PAGE}/remove"])
def test_the_password_is_asked_before_it_changes(
    browser: Browser, audit: Audit, path: str
) -> None:
    browser.password()
    browser.get(PAGE)

    refused = browser.post(path, password=WRONG, code="000000")

    assert refused.status_code == 403
    assert "The password is not right." in refused.text
    assert audit.last == ("login-failed", "wrong-password")
    assert 'class="key"' not in browser.get(PAGE).text


@on_sqlite
@pytest.mark.parametrize("step", ["begin", "confirm", "remove"])
def test_each_form_is_the_persons_own(browser: Browser, step: str) -> None:
    browser.password()

    refused = browser.post(
        f"{PAGE}/{step}", form_token="0" * 64, password=TYPED, code="000000"
    )

    assert refused.status_code == 403
    assert "not from this site" in refused.text


@on_sqlite
@pytest.mark.parametrize("step", ["", "/begin", "/confirm", "/remove"])
def test_who_is_not_logged_in_is_sent_to_log_in(browser: Browser, step: str) -> None:
    response = browser.post(f"{PAGE}{step}") if step else browser.get(PAGE)

    assert (response.status_code, response.headers["Location"]) == (303, "/login")


def test_login_then_asks_for_the_code(enrolled: Enrolled, audit: Audit) -> None:
    first = enrolled.browser.password()

    assert (first.status_code, first.headers["Location"]) == (303, "/login/code")
    assert SESSION not in str(first.headers.getlist("Set-Cookie"))
    assert not enrolled.browser.is_in
    done = enrolled.browser.code(enrolled.device.code())
    assert (done.status_code, done.headers["Location"]) == (303, "/")
    assert enrolled.browser.is_in
    assert audit.last == ("login", None)


@on_sqlite
def test_the_cookie_between_the_steps_is_locked(enrolled: Enrolled) -> None:
    first = enrolled.browser.password()

    [cookie] = [
        one for one in first.headers.getlist("Set-Cookie") if one.startswith(PENDING)
    ]
    for part in ("Secure", "HttpOnly", "SameSite=Lax", "Path=/", "Max-Age=300"):
        assert part in cookie
    assert "rowan" not in cookie


@pytest.mark.parametrize("steps", [-1, 0, 1])
def test_a_clock_may_be_one_step_off(enrolled: Enrolled, steps: int) -> None:
    # The code of setting up was of the step before; it is not taken again.
    enrolled.device.clock.pass_s(STEP_S)
    enrolled.browser.password()

    assert enrolled.browser.code(enrolled.device.code(steps)).status_code == 303


@on_sqlite
@pytest.mark.parametrize("steps", [-2, 2])
def test_a_clock_may_not_be_two_steps_off(enrolled: Enrolled, steps: int) -> None:
    enrolled.device.clock.pass_s(2 * STEP_S)
    code = enrolled.device.code(steps)
    assert code not in {enrolled.device.code(near) for near in (-1, 0, 1)}
    enrolled.browser.password()

    assert enrolled.browser.code(code).status_code == 403


def test_a_code_is_taken_once(enrolled: Enrolled, audit: Audit) -> None:
    code = enrolled.device.code()
    enrolled.browser.password()
    assert enrolled.browser.code(code).status_code == 303
    enrolled.log_out()
    enrolled.browser.password()

    replayed = enrolled.browser.code(code)

    assert replayed.status_code == 403
    assert audit.last == ("second-factor-failed", "wrong-code")
    assert code not in repr(audit.events)


@on_sqlite
def test_an_older_code_is_not_taken_after_a_newer_one(enrolled: Enrolled) -> None:
    enrolled.device.clock.pass_s(STEP_S)
    older, newer = enrolled.device.code(0), enrolled.device.code(1)
    enrolled.browser.password()
    assert enrolled.browser.code(newer).status_code == 303
    enrolled.log_out()
    enrolled.browser.password()

    assert enrolled.browser.code(older).status_code == 403


@on_sqlite
@pytest.mark.parametrize("code", ["", "000", "x" * 500, "\u0661\u0662\u0663", "%00"])
def test_what_is_no_code_is_refused(enrolled: Enrolled, code: str) -> None:
    enrolled.browser.password()

    refused = enrolled.browser.code(code)

    assert refused.status_code == 403
    assert "The code is not right" in refused.text


def test_a_recovery_code_opens_one_login(enrolled: Enrolled, audit: Audit) -> None:
    code = enrolled.codes[3].lower().replace("-", " ")
    enrolled.browser.password()

    assert enrolled.browser.code(code).status_code == 303

    assert audit.last == ("login", "recovery-code")
    assert "9 recovery codes are left" in enrolled.browser.get(PAGE).text
    enrolled.log_out()
    enrolled.browser.password()
    assert enrolled.browser.code(code).status_code == 403


def test_secret_and_recovery_codes_are_not_stored_as_they_are(
    enrolled: Enrolled, database: Database
) -> None:
    with database.engine.connect() as connection:
        factors = list(connection.execute(second_factors.second_factor.select()))
        codes = str(list(connection.execute(second_factors.recovery_code.select())))

    assert enrolled.device.secret not in bytes(factors[0].secret)
    assert not any(code.replace("-", "") in codes for code in enrolled.codes)


@on_sqlite
def test_a_secret_that_was_moved_to_another_person_opens_nothing(
    enrolled: Enrolled,
    services: AuthServices,
    database: Database,
) -> None:
    thief = users.register(
        services,
        users.NewUser(
            username="thief",
            name="Thief",
            role=users.Role.ADMINISTRATOR,
            password=TYPED,
        ),
    )
    with database.engine.begin() as connection:
        connection.execute(
            second_factors.second_factor.update().values(user_id=thief.user_id)
        )
    enrolled.browser.password(username="thief")

    assert enrolled.browser.code(enrolled.device.code()).status_code == 403


def test_a_thief_with_the_password_gets_few_tries(
    enrolled: Enrolled, audit: Audit
) -> None:
    enrolled.browser.address = "198.51.100.1"
    enrolled.browser.password()
    statuses = []
    for number in range(8):
        enrolled.browser.address = f"198.51.100.{number}"
        statuses.append(enrolled.browser.code("000000").status_code)

    assert statuses == [403] * 5 + [429] * 3
    assert audit.last == ("login-throttled", "throttled")
    enrolled.device.clock.pass_s(15 * 60)
    enrolled.browser.password()
    assert enrolled.browser.code(enrolled.device.code()).status_code == 303


@on_sqlite
def test_the_right_password_does_not_buy_more_tries(enrolled: Enrolled) -> None:
    statuses = []
    for number in range(7):
        enrolled.browser.address = f"198.51.100.{number}"
        assert enrolled.browser.password().status_code == 303
        statuses.append(enrolled.browser.code("000000").status_code)

    assert statuses == [403] * 5 + [429] * 2


@on_sqlite
def test_from_one_address_password_and_code_share_the_tries(
    enrolled: Enrolled,
) -> None:
    for _ in range(2):
        assert enrolled.browser.password().status_code == 303
        assert enrolled.browser.code("000000").status_code == 403

    assert enrolled.browser.password().status_code == 303
    assert enrolled.browser.code(enrolled.device.code()).status_code == 429


@on_sqlite
def test_a_stranger_without_the_password_does_not_shut_the_owner_out(
    enrolled: Enrolled, services: AuthServices, make_app: MakeApp
) -> None:
    for number in range(30):
        stranger = Browser(
            make_app(services).test_client(), address=f"203.0.113.{number}"
        )
        assert stranger.password(password=WRONG).status_code == 403
        assert stranger.code("000000").status_code == 403

    enrolled.browser.password()
    assert enrolled.browser.code(enrolled.device.code()).status_code == 303


@on_sqlite
def test_a_stranger_at_the_code_page_is_told_to_begin_again(
    browser: Browser,
) -> None:
    response = browser.get("/login/code")

    assert (response.status_code, response.headers["Location"]) == (303, "/login")


@on_sqlite
@pytest.mark.parametrize(
    "pending",
    ["", "x", "AAAA", "=" * 40, base64.urlsafe_b64encode(bytes(80)).decode(), "é"],
)
def test_a_pending_login_that_was_made_up_opens_nothing(
    enrolled: Enrolled, pending: str
) -> None:
    browser = enrolled.browser
    browser.get("/login")
    browser.http.set_cookie(PENDING, pending, domain="fhir.test", secure=True)

    refused = browser.post("/login/code", code=enrolled.device.code())

    assert refused.status_code == 403
    assert not browser.is_in


@on_sqlite
def test_a_pending_login_belongs_to_its_browser(
    enrolled: Enrolled, services: AuthServices, make_app: MakeApp
) -> None:
    enrolled.browser.password()
    cookie = enrolled.browser.http.get_cookie(PENDING, domain="fhir.test")
    assert cookie is not None
    other = Browser(make_app(services).test_client())
    other.get("/login")
    other.http.set_cookie(PENDING, cookie.value, domain="fhir.test", secure=True)

    refused = other.post("/login/code", code=enrolled.device.code())

    assert refused.status_code == 403
    assert "Please log in again." in refused.text


@on_sqlite
@pytest.mark.parametrize(("seconds", "status"), [(299, 303), (300, 403)])
def test_a_pending_login_holds_for_five_minutes(
    enrolled: Enrolled, seconds: int, status: int
) -> None:
    enrolled.browser.password()
    enrolled.browser.get("/login/code")
    enrolled.device.clock.pass_s(seconds)

    done = enrolled.browser.post("/login/code", code=enrolled.device.code())

    assert done.status_code == status


@on_sqlite
@pytest.mark.parametrize(
    "change",
    [
        lambda services: users.remove(services, "rowan"),
        lambda services: users.change(services, "rowan", UserChange(password=OTHER)),
    ],
)
def test_an_account_that_changed_meanwhile_begins_again(
    enrolled: Enrolled, services: AuthServices, change: Callable[[AuthServices], Any]
) -> None:
    enrolled.browser.password()
    change(services)

    refused = enrolled.browser.code(enrolled.device.code())

    assert refused.status_code == 403
    assert "Please log in again." in refused.text


@on_sqlite
def test_the_code_form_is_the_browsers_own(enrolled: Enrolled, audit: Audit) -> None:
    enrolled.browser.password()
    known = len(audit.events)

    refused = enrolled.browser.code(enrolled.device.code(), form_token="0" * 64)

    assert refused.status_code == 403
    assert len(audit.events) == known


@on_sqlite
def test_what_waits_is_kept_through_both_pages(enrolled: Enrolled) -> None:
    browser = enrolled.browser
    browser.get(f"/login?request={HANDLE}")

    first = browser.post("/login", username="rowan", password=TYPED, request=HANDLE)

    assert first.headers["Location"] == f"/login/code?request={HANDLE}"
    assert (
        f'name="request" value="{HANDLE}"'
        in browser.get(first.headers["Location"]).text
    )
    done = browser.post("/login/code", code=enrolled.device.code(), request=HANDLE)
    assert done.headers["Location"] == f"/auth/authorize/{HANDLE}"


def test_removing_needs_password_and_code(enrolled: Enrolled, audit: Audit) -> None:
    browser = enrolled.browser
    browser.password()
    browser.code(enrolled.device.code())
    enrolled.device.clock.pass_s(STEP_S)
    browser.get(PAGE)
    refused = browser.post(f"{PAGE}/remove", password=TYPED, code="000000")
    assert refused.status_code == 403
    assert audit.last == ("second-factor-failed", "wrong-code")

    done = browser.post(f"{PAGE}/remove", password=TYPED, code=enrolled.device.code())

    assert done.status_code == 303
    assert audit.last == ("second-factor-removed", None)
    assert "with your password alone" in browser.get(PAGE).text
    enrolled.log_out()
    assert browser.password().headers["Location"] == "/"


@on_sqlite
def test_one_in_force_is_not_replaced_without_being_removed(
    enrolled: Enrolled, services: AuthServices, practitioner: Account
) -> None:
    assert not second_factor.begin(services, practitioner)
    assert second_factor.enrolment(services, practitioner) is None
    assert (
        second_factor.confirm(
            services, practitioner, enrolled.device.code(), "192.0.2.1"
        )
        is None
    )


def test_an_operator_resets_a_lost_one(
    enrolled: Enrolled, services: AuthServices, audit: Audit
) -> None:
    enrolled.browser.password()
    enrolled.browser.code(enrolled.device.code())

    assert users.reset_second_factor(services, " ROWAN ")

    assert audit.last == ("second-factor-removed", "reset-by-operator")
    assert not enrolled.browser.is_in
    assert enrolled.browser.password().headers["Location"] == "/"
    assert not users.reset_second_factor(services, "rowan")


def test_only_a_user_who_is_there_can_be_reset(services: AuthServices) -> None:
    with pytest.raises(FHIRError) as caught:
        users.reset_second_factor(services, "nobody")

    assert caught.value.type is IssueType.NOT_FOUND


@pytest.fixture
def owing(services: AuthServices, make_app: MakeApp, practitioner: Account) -> Browser:
    assert practitioner.role == "practitioner"
    strict = replace(services, second_factor_roles=frozenset({"practitioner"}))
    return Browser(make_app(strict).test_client())


def test_a_role_that_needs_one_sets_it_up_before_anything_else(
    owing: Browser, clock: Clock
) -> None:
    owing.password()

    for path in ("/", "/login"):
        assert owing.get(path).headers["Location"] == PAGE
    assert "Your role needs a second factor." in owing.get(PAGE).text
    set_up(owing, clock)
    assert owing.is_in


@on_sqlite
def test_what_waits_is_kept_while_it_is_set_up(owing: Browser, clock: Clock) -> None:
    owing.password()

    first = owing.get(f"/login?request={HANDLE}")

    assert first.headers["Location"] == f"{PAGE}?request={HANDLE}"
    owing.get(first.headers["Location"])
    begun = owing.post(f"{PAGE}/begin", password=TYPED, request=HANDLE)
    page = owing.get(begun.headers["Location"]).text
    device = Authenticator(secret_of(page), clock)
    done = owing.post(f"{PAGE}/confirm", code=device.code(), request=HANDLE)
    assert f'href="/auth/authorize/{HANDLE}"' in done.text


@on_sqlite
def test_who_owes_one_can_log_out(owing: Browser) -> None:
    owing.password()
    owing.get(PAGE)

    assert owing.post("/logout").headers["Location"] == "/login"
    assert owing.get(PAGE).headers["Location"] == "/login"


@on_sqlite
def test_a_removed_user_leaves_no_second_factor(
    enrolled: Enrolled, services: AuthServices, database: Database
) -> None:
    assert enrolled.codes
    users.remove(services, "rowan")

    with database.engine.connect() as connection:
        for table in (second_factors.second_factor, second_factors.recovery_code):
            assert list(connection.execute(table.select())) == []
        assert len(list(connection.execute(accounts.account.select()))) == 1


def test_setting_it_up_ends_logins_for_which_the_password_was_enough(
    services: AuthServices, browser: Browser, make_app: MakeApp, clock: Clock
) -> None:
    thief = Browser(make_app(services).test_client(), address="198.51.100.1")
    thief.password()
    assert thief.is_in
    browser.password()

    set_up(browser, clock)

    assert browser.is_in
    assert not thief.is_in


@on_sqlite
def test_a_login_that_owed_a_factor_opens_nothing_once_somebody_else_set_it_up(
    services: AuthServices, practitioner: Account, make_app: MakeApp, clock: Clock
) -> None:
    owing = replace(services, second_factor_roles=frozenset({practitioner.role}))
    thief, owner = (Browser(make_app(owing).test_client()) for _ in range(2))
    thief.password()
    owner.password()

    set_up(owner, clock)

    assert not thief.is_in
    assert thief.get(PAGE).headers["Location"] == "/login"
