"""A real browser at the pages of an authorization.

Where Chromium is missing these tests are skipped, unless
`FHIR_SERVICE_TEST_REQUIRE_CHROMIUM` says that they must run.
"""

import os
import re
import time
from pathlib import Path

import pytest
from app_site import app_site
from playwright.sync_api import expect, sync_playwright
from smart_flow import scopes
from smart_person import PASSWORD, one_time_code
from smart_seed import OBSERVATION_CATEGORY

CHROMIUM = Path("/usr/bin/chromium")
REQUIRE_VARIABLE = "FHIR_SERVICE_TEST_REQUIRE_CHROMIUM"
TIMEOUT_MS = 15_000
STEP_S = 30
NARROW, WIDE = {"width": 320, "height": 700}, {"width": 1280, "height": 700}
"""What a page is read at: magnified four times, or as it is."""

VITAL = f"patient/Observation.rs?category={OBSERVATION_CATEGORY}|vital-signs"
ASKED = (
    "launch/patient openid fhirUser offline_access "
    "patient/Patient.rs patient/Observation.rs patient/Condition.rs"
)

FAULTS = """() => {
  const named = (one) => one.labels?.length || one.getAttribute("aria-label")
    || one.getAttribute("aria-labelledby") || one.textContent.trim();
  const faults = [];
  const asked = "input:not([type=hidden]), select, textarea, button";
  for (const one of document.querySelectorAll(asked)) {
    if (!named(one)) faults.push(`unnamed ${one.outerHTML.slice(0, 80)}`);
  }
  for (const one of document.querySelectorAll("a")) {
    if (!one.textContent.trim()) faults.push("empty link");
  }
  if (document.querySelectorAll("h1").length !== 1) faults.push("not one h1");
  if (!document.documentElement.lang) faults.push("no language");
  if (!document.title.trim()) faults.push("no title");
  if (!document.querySelector("main")) faults.push("no main");
  const ids = [...document.querySelectorAll("[id]")].map((one) => one.id);
  if (new Set(ids).size !== ids.length) faults.push("an id twice");
  let rank = 1;
  for (const one of document.querySelectorAll("h1, h2, h3, h4")) {
    const own = Number(one.tagName[1]);
    if (own > rank + 1) faults.push(`h${own} after h${rank}`);
    rank = own;
  }
  const root = document.documentElement;
  if (root.scrollWidth > root.clientWidth) faults.push("wider than the window");
  return faults;
}"""
"""What a person who listens to a page, or magnifies it, would stumble over."""


def missing(reason):
    if os.environ.get(REQUIRE_VARIABLE):  # noqa: TID251 - the tests' own variable
        pytest.fail(reason)
    pytest.skip(reason)


@pytest.fixture(scope="module")
def chromium():
    if not CHROMIUM.exists():
        missing(f"{CHROMIUM} is not installed, so no page was seen by a browser")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox"]
        )
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def site():
    with app_site() as served:
        yield served


@pytest.fixture(scope="module")
def app(add_app, site):
    return add_app(
        "browser-app",
        *("--auth", "secret", "--name", "Browser app"),
        redirect_uri=site.redirect_uri,
    )


@pytest.fixture(scope="module")
def people(add_person, clinic):
    """Return the names of people who have never logged in."""
    practitioner = f"Practitioner/{clinic.practitioner}"
    add_person("seen-patient", "patient", f"Patient/{clinic.patient}")
    add_person("seen-doctor", "practitioner", practitioner)
    return {"seen-patient", "seen-doctor"}


@pytest.fixture
def open_browser(chromium, people):
    """Return what opens a window of a browser of its own."""
    assert people
    contexts = []

    def open_window(**options):
        context = chromium.new_context(**{"locale": "en-US", **options})
        context.set_default_timeout(TIMEOUT_MS)
        contexts.append(context)
        page = context.new_page()
        page.complaints = []
        page.on("pageerror", lambda error: page.complaints.append(str(error)))
        page.on(
            "console",
            lambda message: (
                message.type in {"error", "warning"}
                and page.complaints.append(message.text)
            ),
        )
        return page

    yield open_window
    for context in contexts:
        context.close()


@pytest.fixture
def page(open_browser):
    """Return a window in which nothing may go wrong."""
    window = open_browser()
    yield window
    assert window.complaints == []


@pytest.fixture(scope="module")
def known(chromium, people, service):
    """Return what the browser of a patient keeps who has logged in."""
    assert "seen-patient" in people
    context = chromium.new_context()
    page = context.new_page()
    page.goto(f"{service.url}/login")
    log_in(page)
    page.wait_for_url(f"{service.url}/")
    yield context.storage_state()
    context.close()


@pytest.fixture
def inside(open_browser, known):
    """Return a window of somebody who is logged in; nothing may go wrong in it."""
    window = open_browser(storage_state=known)
    yield window
    assert window.complaints == []


def log_in(page, username="seen-patient"):
    page.get_by_label("User name").fill(username)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Log in").click()


def begin(page, app, site, scope=ASKED, **more):
    """Go where the app sends the browser, by a form of its own site."""
    asked = app.asks(scope, **{"prompt": "consent", **more})
    url = f"{app.service.url}/auth/authorize"
    page.goto(site.posts(url, asked.parameters))
    return asked


def exchanged(app, site, asked):
    code = site.answer(asked.state)["code"]
    answer = app.exchange(code, asked.verifier)
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_a_form_of_another_site_leads_to_a_token(page, app, site, clinic):
    asked = begin(page, app, site)
    log_in(page)
    expect(page.get_by_role("heading", level=1)).to_contain_text("Browser app")

    page.get_by_role("button", name="Allow", exact=True).click()

    page.wait_for_url(f"{site.redirect_uri}?*")
    given = exchanged(app, site, asked)
    assert given["patient"] == clinic.patient
    assert scopes(given) == set(ASKED.split())


def test_a_login_ends_at_the_app_where_the_choice_is_remembered(
    open_browser, app, site
):
    """The redirect after the login's form leads to the app's origin, past the CSP."""
    first = open_browser()
    begin(first, app, site, "openid", prompt=None)
    log_in(first)
    first.get_by_role("button", name="Allow", exact=True).click()
    first.wait_for_url(f"{site.redirect_uri}?*")
    page = open_browser()

    asked = begin(page, app, site, "openid", prompt=None)
    log_in(page)

    page.wait_for_url(f"{site.redirect_uri}?*")
    assert site.answer(asked.state)["code"]
    assert page.complaints == []


def test_who_is_logged_in_comes_by_another_site_as_herself(inside, app, site):
    begin(inside, app, site)

    expect(inside.get_by_role("button", name="Allow", exact=True)).to_be_visible()


def test_a_tick_that_is_taken_away_takes_the_scope_away(inside, app, site):
    asked = begin(inside, app, site)
    inside.locator('input[name=allow][value="patient/Condition.rs"]').uncheck()
    inside.locator('input[name=allow][value="offline_access"]').uncheck()
    inside.locator("summary").first.click()
    inside.locator(f'input[name=only][value="{VITAL}"]').check()

    inside.get_by_role("button", name="Allow", exact=True).click()

    inside.wait_for_url(f"{site.redirect_uri}?*")
    given = exchanged(app, site, asked)
    assert scopes(given) == {
        "launch/patient",
        "openid",
        "fhirUser",
        "patient/Patient.rs",
        VITAL,
    }
    assert "refresh_token" not in given


def test_who_does_not_allow_denies(inside, app, site):
    asked = begin(inside, app, site)

    inside.get_by_role("button", name="Do not allow").click()

    inside.wait_for_url(f"{site.redirect_uri}?*")
    assert site.answer(asked.state)["error"] == "access_denied"


def test_a_practitioner_picks_a_patient(page, app, site, clinic):
    asked = begin(page, app, site)
    log_in(page, "seen-doctor")
    page.get_by_label(re.compile("name or birth date")).fill("second")
    page.get_by_role("button", name="Search").click()
    page.get_by_role("button", name="Choose second Aster").click()

    page.get_by_role("button", name="Allow", exact=True).click()

    page.wait_for_url(f"{site.redirect_uri}?*")
    assert exchanged(app, site, asked)["patient"] == clinic.other


def test_a_code_is_asked_for_where_there_is_a_second_factor(
    page, app, site, add_person, clinic
):
    add_person("two-steps", "patient", f"Patient/{clinic.patient}")
    page.goto(f"{app.service.url}/login")
    log_in(page, "two-steps")
    page.goto(f"{app.service.url}/account/second-factor")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("main").get_by_role("button").first.click()
    secret = re.search(r"secret=([A-Z2-7]+)", page.content())[1]
    page.locator("input[name=code]").fill(one_time_code(secret))
    page.locator("form[action$=confirm] button").click()
    expect(page.get_by_role("alert")).to_have_count(0)
    page.context.clear_cookies()

    asked = begin(page, app, site)
    log_in(page, "two-steps")
    next_step = time.time() + STEP_S
    page.locator("input[name=code]").fill(one_time_code(secret, next_step))
    page.locator("form[action$=code] button").click()
    page.get_by_role("button", name="Allow", exact=True).click()

    page.wait_for_url(f"{site.redirect_uri}?*")
    assert site.answer(asked.state)["code"]


def test_an_app_is_opened_from_the_pages(page, site, clinic, add_app):
    launched = add_app(
        "opened-app",
        *("--auth", "secret", "--name", "Opened app"),
        redirect_uri=site.redirect_uri,
        launch_uri=site.shows("launch", "<h1>Launched</h1>"),
    )
    page.goto(f"{clinic.service.url}/login")
    log_in(page)
    page.goto(f"{clinic.service.url}/launch")
    page.get_by_label("Opened app").check()
    page.get_by_role("button", name="Continue").click()

    page.get_by_role("button", name="Opened app").click()

    page.wait_for_url(f"{site.origin}/launch?*")
    value = re.search(r"launch=([^&]+)", page.url)[1]
    asked = begin(page, launched, site, "launch patient/Patient.rs", launch=value)
    page.get_by_role("button", name="Allow", exact=True).click()
    page.wait_for_url(f"{site.redirect_uri}?*")
    assert exchanged(launched, site, asked)["patient"] == clinic.patient


def test_no_page_shows_in_a_frame_of_another_site(open_browser, known, app, site):
    page = open_browser(storage_state=known)
    begin(page, app, site)
    expect(page.get_by_role("button", name="Allow", exact=True)).to_be_visible()

    for url in (
        page.url,
        *(app.service.url + path for path in ("/login", "/", "/apps")),
    ):
        page.goto(site.frames(url))

        framed = page.locator("iframe").element_handle().content_frame()
        framed.wait_for_url(re.compile("^chrome-error:"))
        assert framed.locator("form").count() == 0
    assert any("frame-ancestors" in one for one in page.complaints)


def test_the_pages_speak_spanish_to_a_spanish_browser(open_browser, app, site):
    page = open_browser(locale="es-MX")
    asked = begin(page, app, site)
    assert page.locator("html").get_attribute("lang") == "es"
    page.get_by_label("Nombre de usuario").fill("seen-patient")
    page.get_by_label("Contraseña").fill(PASSWORD)
    page.get_by_role("button", name="Iniciar sesión").click()
    assert page.locator("html").get_attribute("lang") == "es"

    page.get_by_role("button", name="Permitir", exact=True).click()

    page.wait_for_url(f"{site.redirect_uri}?*")
    assert site.answer(asked.state)["code"]
    assert page.complaints == []


def test_everything_is_done_without_a_mouse(page, add_app, site):
    app = add_app("keyboard-app", "--auth", "none", redirect_uri=site.redirect_uri)
    asked = begin(page, app, site)
    expect(page.get_by_label("User name")).to_be_focused()
    page.keyboard.type("seen-patient")
    page.keyboard.press("Tab")
    page.keyboard.type(PASSWORD)
    page.keyboard.press("Enter")
    box = page.locator('input[name=allow][value="patient/Condition.rs"]')
    expect(box).to_be_visible()
    reached(page, box)
    page.keyboard.press("Space")
    expect(box).not_to_be_checked()
    reached(page, page.get_by_role("button", name="Allow", exact=True))
    page.keyboard.press("Enter")

    page.wait_for_url(f"{site.redirect_uri}?*")
    given = exchanged(app, site, asked)
    assert "patient/Condition.rs" not in scopes(given)
    assert "patient/Observation.rs" in scopes(given)


def reached(page, target):
    """Press Tab until something has the focus."""
    for _ in range(60):
        if target.evaluate("one => one === document.activeElement"):
            return
        page.keyboard.press("Tab")
    pytest.fail(f"{target} is not reached by the keyboard")


def test_everything_is_done_without_scripts(open_browser, app, site):
    page = open_browser(java_script_enabled=False)
    asked = app.asks(ASKED, prompt="consent")
    query = "&".join(
        f"{name}={value}" for name, value in asked.parameters.items()
    ).replace("+", "%2B")
    page.goto(f"{app.service.url}/auth/authorize?{query}")
    log_in(page)

    page.get_by_role("button", name="Allow", exact=True).click()

    page.wait_for_url(f"{site.redirect_uri}?*")
    assert site.answer(asked.state)["code"]


def faults(page):
    return page.evaluate(FAULTS)


def test_nobody_stumbles_over_the_login(open_browser, service):
    page = open_browser(viewport=NARROW)
    page.goto(f"{service.url}/login")

    assert faults(page) == []
    assert page.complaints == []


@pytest.mark.parametrize("size", [NARROW, WIDE], ids=["narrow", "wide"])
def test_nobody_stumbles_over_a_page(size, open_browser, known, app, site):
    page = open_browser(viewport=size, storage_state=known)
    begin(page, app, site)
    expect(page.get_by_role("button", name="Allow", exact=True)).to_be_visible()
    found = {"consent": faults(page)}
    for path in ("/", "/apps", "/launch", "/account/second-factor"):
        page.goto(app.service.url + path)
        found[path] = faults(page)

    assert {name: some for name, some in found.items() if some} == {}
    assert page.complaints == []


def test_nobody_stumbles_over_the_picker(open_browser, app, site):
    page = open_browser(viewport=NARROW)
    begin(page, app, site)
    log_in(page, "seen-doctor")
    asked = page.get_by_label(re.compile("name or birth date"))
    expect(asked).to_be_visible()
    before = faults(page)
    asked.fill("Aster")
    page.get_by_role("button", name="Search").click()
    expect(page.get_by_role("button", name="Choose second Aster")).to_be_visible()

    assert (before, faults(page)) == ([], [])
