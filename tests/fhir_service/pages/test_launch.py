"""EHR launch: an app is opened for a patient whom the person may see."""

import re
from dataclasses import dataclass
from urllib.parse import parse_qs, urlsplit

import pytest
from people import (
    APP_URI,
    Browser,
    app,
    enrol,
    entered,
    named,
    text_of,
    with_quick_passwords,
)
from worlds import Clinic, World

from conformance import fhir_json
from fhir_service.auth.token_hash import token_hash
from fhir_service.auth.users import Role
from fhir_service.pages.home import EMERGENCY_LINK, ROLE_LINKS, actions
from fhir_service.storage import launches, registrations
from fhir_service.storage.launches import Launch


@dataclass(frozen=True, kw_only=True)
class Ward:
    clinic: Clinic
    patient: str
    hidden: str
    encounter: str

    @property
    def world(self) -> World:
        return self.clinic.world

    def choose(self, browser: Browser, **changes: str):
        browser.get("/launch")
        fields = {"client_id": "app", "patient": self.patient} | changes
        return browser.post("/launch/patient", **fields)

    def open(self, browser: Browser, **changes: str):
        self.choose(browser)
        fields = {"client_id": "app", "patient": self.patient} | changes
        return browser.post("/launch/open", **fields)

    def launch(self, answer) -> Launch | None:
        """Return what stands behind the launch value of an answer."""
        [value] = parse_qs(urlsplit(answer.headers["Location"]).query)["launch"]
        assert len(value) == 43
        return self.world.deployment.database.write(
            lambda transaction: launches.take_launch(transaction, token_hash(value))
        )


@pytest.fixture
def ward(clinic: Clinic) -> Ward:
    world = with_quick_passwords(clinic.world)
    far = world.client("far", "system/*.cruds", organization="Organization/far")
    made = [
        world.create(named(family, organization), client)["id"]
        for family, organization, client in (
            ("Seen", clinic.organization, clinic.admin),
            ("Hidden", "Organization/far", far),
        )
    ]
    clinic.consented(patient_id=made[0])
    encounter = world.create(
        {
            "resourceType": "Encounter",
            "status": "in-progress",
            "class": {
                "system": "http://terminology.hl7.org/CodeSystem/v3-ActCode",
                "code": "AMB",
            },
            "subject": {"reference": f"Patient/{made[0]}"},
            "period": {"start": "2026-11-20T10:00:00Z"},
        },
        clinic.admin,
    )
    enrol(
        world,
        "doctor",
        Role.PRACTITIONER,
        reference="Practitioner/1",
        organization=clinic.organization,
    )
    enrol(world, "patient", Role.PATIENT, reference=f"Patient/{made[0]}")
    enrol(world, "officer", Role.COMPLIANCE_OFFICER)
    enrol(world, "admin", Role.ADMINISTRATOR)
    app(world)
    return Ward(
        clinic=clinic, patient=made[0], hidden=made[1], encounter=encounter["id"]
    )


def test_a_practitioner_finds_a_patient_and_opens_an_app(ward: Ward) -> None:
    browser = entered(ward.world, "doctor")
    browser.get("/launch")
    found = browser.post("/launch/find", client_id="app", text="seen")
    assert "Example Seen" in text_of(found)

    chosen = browser.post("/launch/patient", client_id="app", patient=ward.patient)
    answer = browser.post(
        "/launch/open",
        client_id="app",
        patient=ward.patient,
        encounter=ward.encounter,
        intent="summary-timeline-view",
    )

    assert "2026-11-20T10:00:00Z (in-progress)" in text_of(chosen)
    assert answer.status_code == 303
    parts = urlsplit(answer.headers["Location"])
    assert f"{parts.scheme}://{parts.netloc}{parts.path}" == APP_URI
    assert parse_qs(parts.query)["iss"] == [ward.world.deployment.auth.fhir_url]
    assert ward.world.audited()[-1].request == "launched"
    launch = ward.launch(answer)
    assert launch is not None
    assert (launch.client_id, launch.patient) == ("app", ward.patient)
    assert fhir_json.loads(launch.context.encode()) == {
        "encounter": ward.encounter,
        "intent": "summary-timeline-view",
    }
    assert launch.break_glass_id is None


def test_a_launch_value_is_used_once_and_holds_for_five_minutes(ward: Ward) -> None:
    answer = ward.open(entered(ward.world, "doctor"))

    first, second = ward.launch(answer), ward.launch(answer)

    assert first is not None
    assert first.expires == ward.world.clock() + 300_000_000
    assert second is None


def test_a_patient_opens_an_app_for_herself(ward: Ward) -> None:
    browser = entered(ward.world, "patient")
    page = browser.get("/launch")
    assert "Example Seen" in text_of(page)

    launch = ward.launch(ward.open(browser))

    assert launch is not None
    assert launch.patient == ward.patient


def test_the_address_of_the_app_keeps_its_own_query(ward: Ward) -> None:
    app(ward.world, "queried", launch_uri="http://localhost:9000/go?a=1")
    browser = entered(ward.world, "doctor")
    chosen = ward.choose(browser, client_id="queried")
    assert (
        "form-action 'self' http://localhost:9000;"
        in chosen.headers["Content-Security-Policy"]
    )

    answer = browser.post("/launch/open", client_id="queried", patient=ward.patient)

    assert answer.headers["Location"].startswith(
        "http://localhost:9000/go?a=1&iss=http%3A%2F%2Flocalhost%3A8000%2Ffhir&launch="
    )


@pytest.mark.parametrize("step", ["patient", "open"])
def test_a_hidden_patient_is_not_chosen(ward: Ward, step: str) -> None:
    browser = entered(ward.world, "doctor")
    browser.get("/launch")

    for patient in (ward.hidden, "nobody", ""):
        answer = browser.post(f"/launch/{step}", client_id="app", patient=patient)
        assert answer.status_code == 404
        assert "Hidden" not in answer.text


@pytest.mark.parametrize("step", ["patient", "open"])
def test_trying_an_id_is_audited_about_the_patient_if_there_is_one(
    ward: Ward, step: str
) -> None:
    browser = entered(ward.world, "doctor")
    browser.get("/launch")
    told = {}

    for patient in (ward.hidden, "nobody", ""):
        browser.post(f"/launch/{step}", client_id="app", patient=patient)
        record = ward.world.audited()[-1]
        assert (record.request, record.reason) == (
            "patients-looked-up",
            "hidden-patient",
        )
        told[patient] = len(record.patients)

    assert told == {ward.hidden: 1, "nobody": 0, "": 0}


def test_a_hidden_patient_is_not_found(ward: Ward) -> None:
    browser = entered(ward.world, "doctor")
    browser.get("/launch")

    answer = browser.post("/launch/find", client_id="app", text="Hidden")

    assert answer.status_code == 404
    assert "Nobody was found whom you may see." in text_of(answer)


def test_a_patient_opens_nobody_elses_record(ward: Ward) -> None:
    browser = entered(ward.world, "patient")

    assert ward.open(browser, patient=ward.hidden).status_code == 404
    browser.get("/launch")
    answer = browser.post("/launch/find", client_id="app", text="Hidden")
    assert answer.status_code == 404


@pytest.mark.parametrize(
    "changes",
    [
        {"encounter": "nobody"},
        {"intent": "steal"},
        {"client_id": "ehr"},
        {"client_id": "nobody"},
        {"client_id": ""},
    ],
)
def test_what_was_not_offered_opens_nothing(
    ward: Ward, changes: dict[str, str]
) -> None:
    answer = ward.open(entered(ward.world, "doctor"), **changes)

    assert answer.status_code == 404


@pytest.mark.parametrize(
    "more", [{"launch_uri": None}, {"kind": "backend"}], ids=["no-uri", "backend"]
)
def test_only_apps_with_a_launch_are_offered(ward: Ward, more) -> None:
    app(ward.world, "other", **more)

    page = entered(ward.world, "doctor").get("/launch")

    assert "Example App" in text_of(page)
    assert "Example Other" not in text_of(page)


def test_a_removed_app_is_not_offered(ward: Ward) -> None:
    now = ward.world.clock()
    ward.world.deployment.database.write(
        lambda transaction: registrations.remove_client(transaction, "app", now)
    )
    browser = entered(ward.world, "doctor")

    page = browser.get("/launch")

    assert "No registered app can be opened from here." in text_of(page)


@pytest.mark.parametrize("username", ["officer", "admin"])
def test_other_roles_open_no_app(ward: Ward, username: str) -> None:
    browser = entered(ward.world, username)
    browser.get("/")

    assert browser.http.get("/launch").status_code == 403
    for step in ("find", "patient", "open"):
        token = {"client_id": "app", "patient": ward.patient, "text": "Seen"}
        answer = browser.http.post(f"/launch/{step}", data=token)
        assert answer.status_code == 403
        assert "Seen" not in answer.text


@pytest.mark.parametrize("step", ["find", "patient", "open"])
def test_each_form_is_the_persons_own(ward: Ward, step: str) -> None:
    browser = entered(ward.world, "doctor")

    answer = browser.post(
        f"/launch/{step}",
        form_token="0" * 64,
        client_id="app",
        patient=ward.patient,
        text="Seen",
    )

    assert answer.status_code == 403
    assert "not from this site" in text_of(answer)


@pytest.mark.parametrize("step", ["", "/find", "/patient", "/open"])
def test_who_is_not_logged_in_is_sent_to_log_in(ward: Ward, step: str) -> None:
    http = Browser(ward.world).http
    answer = http.post(f"/launch{step}") if step else http.get("/launch")

    assert (answer.status_code, answer.headers["Location"]) == (303, "/login")


def test_no_address_of_a_page_names_a_patient(ward: Ward) -> None:
    browser = entered(ward.world, "doctor")

    answer = ward.open(browser)

    assert ward.patient not in answer.headers["Location"]
    assert 'method="get"' not in browser.page.text


@pytest.mark.parametrize("role", Role)
def test_the_first_page_links_to_what_the_role_can_do(role: Role) -> None:
    assert ("second-factor", "/account/second-factor") in ROLE_LINKS[role]


def test_who_may_break_the_glass_is_shown_where(ward: Ward) -> None:
    plain = enrol(ward.world, "plain", Role.PRACTITIONER, reference="Practitioner/2")
    group = enrol(
        ward.world,
        "group",
        Role.PRACTITIONER,
        reference="Practitioner/3",
        may_break_glass=True,
    )

    assert EMERGENCY_LINK not in actions(plain)
    assert EMERGENCY_LINK in actions(group)
    assert 'href="/break-glass"' in entered(ward.world, "group").get("/").text


@pytest.mark.parametrize("username", ["doctor", "patient", "officer", "admin"])
def test_every_link_of_the_first_page_leads_somewhere(
    ward: Ward, username: str
) -> None:
    browser = entered(ward.world, username)
    paths = re.findall(r'<li><a href="([^"]*)"', browser.get("/").text)
    assert len(paths) >= 4

    statuses = {path: browser.http.get(path).status_code for path in paths}

    assert statuses == dict.fromkeys(paths, 200)
