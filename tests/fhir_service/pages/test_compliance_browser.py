"""A real browser at every page of the console, judged by axe.

Where Chromium or axe is missing these tests are skipped, unless
`FHIR_SERVICE_TEST_REQUIRE_CHROMIUM` says that they must run.
"""

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from people import PASSWORD, enrol, entered, named, with_quick_passwords
from playwright.sync_api import sync_playwright
from werkzeug.serving import make_server
from worlds import heart_rate

from fhir_service.app import create_app
from fhir_service.audit_trail import export_checkpoint
from fhir_service.auth.users import Role
from fhir_service.metrics import Metrics

CHROMIUM = Path("/usr/bin/chromium")
AXE = Path(__file__).parents[2] / "clients/js/node_modules/axe-core/axe.min.js"
REQUIRE_VARIABLE = "FHIR_SERVICE_TEST_REQUIRE_CHROMIUM"
TIMEOUT_MS = 15_000
NARROW, WIDE = {"width": 390, "height": 800}, {"width": 1280, "height": 800}
GRAVE = {"serious", "critical"}
OPEN_ALL = "() => document.querySelectorAll('details').forEach(one => one.open = true)"
SYSTEM = "https://clinic.example/mrn"


def missing(reason):
    if os.environ.get(REQUIRE_VARIABLE):  # noqa: TID251 - the tests' own variable
        pytest.fail(reason)
    pytest.skip(reason)


@pytest.fixture(scope="module")
def chromium():
    for needed in (CHROMIUM, AXE):
        if not needed.exists():
            missing(f"{needed.name} is not installed, so no page was judged")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox"]
        )
        yield browser
        browser.close()


@contextmanager
def served(world) -> Iterator[str]:
    application = create_app(world.deployment, Metrics(sources=()))
    server = make_server("127.0.0.1", 0, application, threaded=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def watched(clinic):
    """Return a clinic with some days of allowed, denied and failed requests."""
    world = with_quick_passwords(clinic.world)
    clinic.consented(period={"end": "2026-12-01"})
    for hour in range(5):
        for number in range(1 + hour * 2):
            clinic.deliver(heart_rate(hour * 10 + number, "user-1"))
            clinic.found(f"Observation?patient={clinic.patient}&_count=1")
        world.get("/fhir/Patient/nobody", clinic.ehr)
        world.get("/fhir/Observation?code=a|b|c&_sort=nothing", clinic.ehr)
        world.clock.pass_s(3600)
    clinic.deliver(heart_rate(99, "user-1", value="fast"))
    made = world.create(
        named(
            "Hidden",
            clinic.organization,
            identifier=[{"system": SYSTEM, "value": "mrn-1"}],
        ),
        clinic.admin,
    )
    enrol(
        world,
        "doctor",
        Role.PRACTITIONER,
        reference="Practitioner/1",
        organization=clinic.organization,
        may_break_glass=True,
    )
    doctor = entered(world, "doctor")
    doctor.get("/break-glass")
    doctor.post("/break-glass/find", identifier="mrn-1")
    doctor.post(
        "/break-glass/declare",
        patient=made["id"],
        reason="ETREAT",
        note="Found unconscious at the station.",
        password=PASSWORD,
    )
    export_checkpoint(world.deployment.database, world.deployment.checkpoints)
    enrol(world, "officer", Role.COMPLIANCE_OFFICER, organization=clinic.organization)
    return clinic


@pytest.fixture
def open_page(chromium, watched):
    """Return what opens the console of the officer in a window of some size."""
    contexts = []
    with served(watched.world) as url:

        def opened(size, *, script=True, dark=False):
            context = chromium.new_context(
                viewport=size,
                locale="en-US",
                bypass_csp=script,
                java_script_enabled=script,
                color_scheme="dark" if dark else "light",
            )
            context.set_default_timeout(TIMEOUT_MS)
            contexts.append(context)
            page = context.new_page()
            page.goto(f"{url}/login")
            page.fill("[name=username]", "officer")
            page.fill("[name=password]", PASSWORD)
            page.click("button[type=submit]")
            page.goto(f"{url}/compliance")
            return page

        yield opened
        for context in contexts:
            context.close()


def faults(page):
    """Return what axe finds grave on a page, and if it is wider than its window."""
    page.evaluate(AXE.read_text(encoding="utf-8"))
    found = page.evaluate("() => axe.run(document)")
    told = [
        (one["id"], [node["html"][:120] for node in one["nodes"]])
        for one in found["violations"]
        if one["impact"] in GRAVE
    ]
    assert found["passes"]
    is_wide = page.evaluate(
        "() => document.documentElement.scrollWidth > window.innerWidth"
    )
    return [*told, *(["wider than the window"] if is_wide else [])]


def paths_of(watched):
    searched = max(
        number
        for number, one in enumerate(watched.world.audited())
        if one.interaction.value == "search"
    )
    patient = f"/compliance/patients/{watched.patient}"
    return {
        "search": "/compliance",
        "year": "/compliance?since=2026&until=2026",
        "denied": "/compliance?outcome=denied&since=2026-11-20&until=2026-11-20",
        "row": f"/compliance/rows/{searched}",
        "patient": patient,
        "shareable": f"{patient}/shareable?with=ehr&on=2026-11-20",
        "reviews": "/compliance/reviews",
        "consents": "/compliance/consents",
        "deliveries": "/compliance/deliveries",
        "alerts": "/compliance/alerts",
        "reports": "/compliance/reports",
        "accounting": f"/compliance/reports/Q10?patient={watched.patient}&reading=all",
        "integrity": "/compliance/integrity",
        "wrong": "/compliance?since=yesterday",
    }


@pytest.mark.parametrize("size", [WIDE, NARROW], ids=["wide", "narrow"])
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_axe_finds_nothing_grave_on_any_page(watched, open_page, size, dark):
    page = open_page(size, dark=dark)
    found = {}
    for name, path in paths_of(watched).items():
        page.goto(page.url.partition("/compliance")[0] + path)
        page.evaluate(OPEN_ALL)
        found[name] = faults(page)
        assert page.locator("h1").count() == 1

    assert found == {name: [] for name in paths_of(watched)}


def test_the_whole_console_is_walked_without_a_script(watched, open_page):
    page = open_page(WIDE, script=False)

    page.click("summary:has-text('Filters')")
    page.select_option("#action", "search")
    page.fill("#zone", "Europe/Zurich")
    page.press("#zone", "Enter")
    assert "action=search" in page.url
    page.locator("tbody th a").last.click()
    assert "/compliance/rows/" in page.url
    assert page.locator("text=The provision that decided says").count() == 1
    page.click(f"dd a:has-text('{watched.patient}')")
    page.fill("#with", "ehr")
    page.fill("#on", "2026-11-20")
    page.click("button:has-text('Ask')")
    assert page.locator("strong:has-text('CONSENT_PERMIT')").count() == 1
    page.click("nav >> text=Integrity")
    page.click("button:has-text('Verify the whole log now')")
    assert page.locator("text=The log is whole").count() == 1
    page.click("nav >> text=Emergency access")
    page.fill("textarea", "Seen with the head nurse.")
    page.click("button[value=justified]")
    assert page.locator("text=Nothing waits for a review.").count() == 1


def test_a_file_of_the_search_is_downloaded(open_page):
    page = open_page(WIDE, script=False)

    with page.expect_download() as waiting:
        page.click("text=Table (CSV)")

    text = Path(waiting.value.path()).read_text(encoding="utf-8-sig")
    assert text.startswith("zone,UTC,filter,")


def test_the_chart_is_zoomed_by_its_bars(open_page):
    page = open_page(WIDE, script=False)
    page.click("nav[aria-label=Time] >> text=Year")

    units = [page.locator("figcaption").inner_text().split(":")[0]]
    for _ in range(3):
        page.locator("figure svg a rect").first.click()
        units.append(page.locator("figcaption").inner_text().split(":")[0])

    assert units == [
        "Rows by month",
        "Rows by day",
        "Rows by hour",
        "Rows by minute",
    ]
