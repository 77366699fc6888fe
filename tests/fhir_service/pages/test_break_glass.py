"""Emergency access: who may, what it opens, who is told, who reviews it."""

import logging
import re
from dataclasses import dataclass
from urllib.parse import parse_qs, urlsplit

import pytest
from people import (
    APP_URI,
    PASSWORD,
    Browser,
    app,
    enrol,
    entered,
    named,
    text_of,
    with_quick_passwords,
)
from worlds import Clinic, World

from consent.audit.entry import Interaction, Outcome
from consent.codes import PURPOSES
from fhir_service.auth import break_glass, users
from fhir_service.auth.break_glass import REASONS
from fhir_service.auth.token_hash import token_hash
from fhir_service.auth.users import Role, UserChange
from fhir_service.storage import break_glass as uses
from fhir_service.storage import launches

WRONG = "a wrong password"
NOTE = "Found unconscious\nat the station."
SYSTEM = "https://clinic.example/mrn"


@dataclass(frozen=True, kw_only=True)
class Ward:
    """A clinic with people, an app, and a patient who consented to nothing."""

    clinic: Clinic
    patient: str
    other: str

    @property
    def world(self) -> World:
        return self.clinic.world

    def find(self, browser: Browser, text: str = "mrn-1"):
        browser.get("/break-glass")
        return browser.post("/break-glass/find", identifier=text)

    def declare(self, browser: Browser, **changes: str):
        self.find(browser)
        fields = {
            "patient": self.patient,
            "reason": "ETREAT",
            "note": NOTE,
            "password": PASSWORD,
        }
        return browser.post("/break-glass/declare", **fields | changes)

    def declared(self, browser: Browser) -> str:
        answer = self.declare(browser)
        assert answer.status_code == 303, answer.text
        location: str = answer.headers["Location"]
        return location

    def stored(self, location: str) -> uses.BreakGlass:
        with self.world.deployment.database.read() as snapshot:
            found = uses.find(snapshot, location.rpartition("/")[2])
        assert found is not None
        return found

    def last(self):
        return self.world.audited()[-1]


@pytest.fixture
def ward(clinic: Clinic) -> Ward:
    world = with_quick_passwords(clinic.world)
    organization = clinic.organization
    made = [
        world.create(
            named(
                family,
                organization,
                birthDate="1980-02-03",
                identifier=[
                    {"system": SYSTEM, "value": number},
                    {"system": "urn:ward", "value": "bed-9"},
                ],
            ),
            clinic.admin,
        )["id"]
        for family, number in (("Hidden", "mrn-1"), ("Second", "mrn-2"))
    ]
    for number in (1, 2):
        enrol(
            world,
            f"rowan-{number}",
            Role.PRACTITIONER,
            reference=f"Practitioner/{number}",
            organization=organization,
            may_break_glass=True,
        )
    enrol(world, "plain", Role.PRACTITIONER, reference="Practitioner/3")
    enrol(world, "patient", Role.PATIENT, reference=f"Patient/{made[0]}")
    enrol(world, "second", Role.PATIENT, reference=f"Patient/{made[1]}")
    enrol(world, "officer", Role.COMPLIANCE_OFFICER, organization=organization)
    enrol(world, "auditor", Role.COMPLIANCE_OFFICER)
    enrol(world, "stranger", Role.COMPLIANCE_OFFICER, organization="Organization/other")
    enrol(world, "admin", Role.ADMINISTRATOR)
    app(world)
    return Ward(clinic=clinic, patient=made[0], other=made[1])


def test_the_reasons_are_the_emergencies_of_the_code_system() -> None:
    assert set(REASONS) == PURPOSES["ETREAT"] - {"BTG"}


@pytest.mark.parametrize("username", ["plain", "patient", "officer", "admin"])
def test_who_is_not_in_the_group_is_refused(ward: Ward, username: str) -> None:
    browser = entered(ward.world, username)

    answer = browser.get("/break-glass")

    assert answer.status_code == 403
    assert "This attempt was recorded." in text_of(answer)
    record = ward.last()
    assert (record.interaction, record.outcome, record.reason) == (
        Interaction.BREAK_GLASS,
        Outcome.DENIED,
        "not-in-group",
    )


def test_who_is_not_in_the_group_cannot_post_either(ward: Ward) -> None:
    browser = entered(ward.world, "plain")
    browser.get("/")

    answer = browser.post(
        "/break-glass/declare",
        patient=ward.patient,
        reason="ETREAT",
        note=NOTE,
        password=PASSWORD,
    )

    assert answer.status_code == 403
    assert ward.last().reason == "not-in-group"


def test_who_is_not_logged_in_is_sent_to_log_in(ward: Ward) -> None:
    answer = Browser(ward.world).get("/break-glass")

    assert (answer.status_code, answer.headers["Location"]) == (303, "/login")


@pytest.mark.parametrize("text", ["mrn-1", f"{SYSTEM}|mrn-1", " mrn-1 "])
def test_one_patient_is_found_by_an_exact_identifier(ward: Ward, text: str) -> None:
    browser = entered(ward.world, "rowan-1")

    answer = ward.find(browser, text)

    assert answer.status_code == 200
    assert "Example Hidden , born 1980-02-03" in text_of(answer)
    assert ward.patient in answer.text
    record = ward.last()
    assert (record.interaction, record.reason) == (Interaction.SEARCH, "break-glass")
    assert record.patients == (ward.world.deployment.services.pseudonym(ward.patient),)
    assert "mrn-1" not in repr(record)


def test_one_patient_is_found_by_the_id(ward: Ward) -> None:
    answer = ward.find(entered(ward.world, "rowan-1"), ward.patient)

    assert "Example Hidden" in text_of(answer)


@pytest.mark.parametrize(
    "text", ["mrn", "mrn-", "MRN-1", "Hidden", "", "*", "urn:other|mrn-1", "1980-02-03"]
)
def test_nothing_is_browsed(ward: Ward, text: str) -> None:
    answer = ward.find(entered(ward.world, "rowan-1"), text)

    assert answer.status_code == 404
    assert "No patient has this identifier or id." in text_of(answer)
    assert "Hidden" not in text_of(answer)
    assert ward.last().reason == "break-glass"


def test_an_identifier_of_two_patients_shows_neither(ward: Ward) -> None:
    answer = ward.find(entered(ward.world, "rowan-1"), "bed-9")

    assert answer.status_code == 404
    assert "Several patients have this identifier." in text_of(answer)
    assert "Hidden" not in answer.text
    assert "Second" not in answer.text


def test_looking_up_is_slowed_down(ward: Ward) -> None:
    browser = entered(ward.world, "rowan-1")
    for _ in range(20):
        assert ward.find(browser, "nothing").status_code == 404

    answer = ward.find(browser)

    assert (answer.status_code, answer.headers["Retry-After"]) == (429, "180")
    assert "Hidden" not in answer.text
    assert ward.last().reason == "throttled"
    assert ward.find(entered(ward.world, "rowan-2")).status_code == 200


def test_the_warning_says_what_follows(ward: Ward) -> None:
    told = text_of(ward.find(entered(ward.world, "rowan-1")))

    assert "the patient is notified of your name and reason" in told
    assert "a compliance officer reviews it" in told
    assert "for 15 minutes and for this patient alone" in told


def test_an_emergency_holds_for_fifteen_minutes(ward: Ward) -> None:
    browser = entered(ward.world, "rowan-1")

    location = ward.declared(browser)

    page = browser.get(location)
    assert f"For 15 more minutes, for patient {ward.patient}" in text_of(page)
    record = next(
        one
        for one in reversed(ward.world.audited())
        if one.interaction is Interaction.BREAK_GLASS
    )
    assert (record.outcome, record.reason) == (Outcome.ALLOWED, "ETREAT")
    assert record.patients == (ward.world.deployment.services.pseudonym(ward.patient),)
    use = ward.stored(location)
    assert use.expires - use.started == 15 * 60 * 1_000_000
    assert (use.patient, use.organization) == (ward.patient, ward.clinic.organization)
    ward.world.clock.pass_s(15 * 60 - 1)
    assert browser.get(location).status_code == 200
    ward.world.clock.pass_s(1)
    over = browser.get(location)
    assert over.status_code == 404
    assert "This emergency access has ended." in text_of(over)


def test_the_emergency_is_its_owners_alone(ward: Ward) -> None:
    location = ward.declared(entered(ward.world, "rowan-1"))
    other = entered(ward.world, "rowan-2")

    assert other.get(location).status_code == 404
    answer = other.post(f"{location}/open", client_id="app")
    assert answer.status_code == 404


def test_leaving_the_group_ends_the_emergency(ward: Ward) -> None:
    location = ward.declared(entered(ward.world, "rowan-1"))
    id_ = location.rpartition("/")[2]

    users.change(
        ward.world.deployment.auth, "rowan-1", UserChange(may_break_glass=False)
    )

    with ward.world.deployment.database.read() as snapshot:
        assert break_glass.active(snapshot, id_, ward.world.clock()) is None


@pytest.mark.parametrize(
    "changes",
    [
        {"note": "too short"},
        {"note": "         too short        "},
        {"note": "x" * 2001},
        {"note": "control \x07 character"},
        {"note": ""},
        {"reason": "BTG"},
        {"reason": "TREAT"},
        {"reason": ""},
    ],
)
def test_reason_and_note_are_needed(ward: Ward, changes: dict[str, str]) -> None:
    answer = ward.declare(entered(ward.world, "rowan-1"), **changes)

    assert answer.status_code == 400
    assert "Choose a reason, and write 10 to 2,000 characters." in text_of(answer)


@pytest.mark.parametrize("note", ["x" * 10, "\U0001f691" * 2000])
def test_a_note_of_every_length_fits(ward: Ward, note: str) -> None:
    answer = ward.declare(entered(ward.world, "rowan-1"), note=note)

    assert answer.status_code == 303


def test_a_form_that_is_too_long_is_refused(ward: Ward) -> None:
    answer = ward.declare(entered(ward.world, "rowan-1"), note="x" * 40_000)

    assert answer.status_code == 413
    assert "This form was too long" in text_of(answer)


def test_the_password_is_asked_again(ward: Ward) -> None:
    browser = entered(ward.world, "rowan-1")

    answer = ward.declare(browser, password=WRONG)

    assert answer.status_code == 403
    assert "The password is not right." in text_of(answer)
    assert "Found unconscious" in answer.text
    assert ward.last().reason == "wrong-password"


def test_guessing_the_password_on_the_form_is_slowed_down(ward: Ward) -> None:
    browser = entered(ward.world, "rowan-1")
    for _ in range(5):
        assert ward.declare(browser, password=WRONG).status_code == 403

    answer = ward.declare(browser)

    assert answer.status_code == 429


def test_an_unknown_patient_opens_nothing(ward: Ward) -> None:
    answer = ward.declare(entered(ward.world, "rowan-1"), patient="nobody")

    assert answer.status_code == 404


@pytest.mark.parametrize(("patient", "note"), [("nobody", NOTE), ("", ""), (None, "")])
def test_trying_ids_on_the_form_is_a_look_up_like_any_other(
    ward: Ward, patient: str | None, note: str
) -> None:
    browser = entered(ward.world, "rowan-1")
    ward.find(browser)
    fields = {"patient": ward.patient if patient is None else patient, "note": note}
    for _ in range(19):
        browser.post("/break-glass/declare", **fields)
        told = ward.last()
        assert told.request == "patients-looked-up"
        assert len(told.patients) == (patient is None)

    answer = browser.post("/break-glass/declare", **fields)

    assert (answer.status_code, ward.last().reason) == (429, "throttled")


def test_a_person_declares_five_emergencies_an_hour(ward: Ward) -> None:
    browser = entered(ward.world, "rowan-1")
    for _ in range(5):
        assert ward.declare(browser).status_code == 303

    answer = ward.declare(browser)

    assert (answer.status_code, answer.headers["Retry-After"]) == (429, "3600")
    assert "many emergencies" in text_of(answer)
    assert (ward.last().outcome, ward.last().reason) == (Outcome.DENIED, "throttled")
    assert ward.declare(entered(ward.world, "rowan-2")).status_code == 303


@pytest.mark.parametrize(
    "path", ["/break-glass/find", "/break-glass/declare", "/break-glass/x/open"]
)
def test_each_form_is_the_persons_own(ward: Ward, path: str) -> None:
    browser = entered(ward.world, "rowan-1")

    answer = browser.post(path, form_token="0" * 64, identifier="mrn-1")

    assert answer.status_code == 403
    assert "not from this site" in text_of(answer)


def test_an_app_is_opened_for_the_patient_of_the_emergency(ward: Ward) -> None:
    browser = entered(ward.world, "rowan-1")
    location = ward.declared(browser)
    page = browser.get(location)
    policy = page.headers["Content-Security-Policy"]
    assert "form-action 'self' https://app.example;" in policy

    answer = browser.post(f"{location}/open", client_id="app")

    assert answer.status_code == 303
    parts = urlsplit(answer.headers["Location"])
    asked = parse_qs(parts.query)
    assert f"{parts.scheme}://{parts.netloc}{parts.path}" == APP_URI
    assert asked["iss"] == [ward.world.deployment.auth.fhir_url]
    [value] = asked["launch"]
    launch = ward.world.deployment.database.write(
        lambda transaction: launches.take_launch(transaction, token_hash(value))
    )
    use = ward.stored(location)
    assert launch.patient == ward.patient
    assert launch.break_glass_id == use.break_glass_id
    assert launch.user_id == use.user_id
    assert use.client_id == "app"
    assert ward.patient not in answer.headers["Location"]
    assert ward.last().request == "launched"


def test_a_launch_does_not_outlast_the_emergency(ward: Ward) -> None:
    browser = entered(ward.world, "rowan-1")
    location = ward.declared(browser)
    ward.world.clock.pass_s(14 * 60)
    browser.get(location)

    answer = browser.post(f"{location}/open", client_id="app")

    [value] = parse_qs(urlsplit(answer.headers["Location"]).query)["launch"]
    launch = ward.world.deployment.database.write(
        lambda transaction: launches.take_launch(transaction, token_hash(value))
    )
    assert launch.expires == ward.stored(location).expires


def test_after_the_emergency_no_app_is_opened(ward: Ward) -> None:
    browser = entered(ward.world, "rowan-1")
    location = ward.declared(browser)
    browser.get(location)
    ward.world.clock.pass_s(15 * 60)

    assert browser.post(f"{location}/open", client_id="app").status_code == 404


@pytest.mark.parametrize("client_id", ["nobody", "ehr", ""])
def test_only_an_app_with_a_launch_is_opened(ward: Ward, client_id: str) -> None:
    browser = entered(ward.world, "rowan-1")
    location = ward.declared(browser)
    browser.get(location)

    answer = browser.post(f"{location}/open", client_id=client_id)

    assert answer.status_code == 404


def test_the_patient_is_told_who_and_why(ward: Ward) -> None:
    ward.declared(entered(ward.world, "rowan-1"))
    browser = Browser(ward.world)

    first = text_of(browser.log_in("patient"))

    assert "Your record was opened in an emergency" in first
    assert "Example Rowan-1, Clinic new" in first
    assert "2026-11-20 12:00 UTC" in first
    assert "Emergency treatment (ETREAT)" in first
    assert "unconscious" not in first
    again = text_of(browser.get("/"))
    assert "Example Rowan-1" in again
    assert "Clinic new" not in again


def test_nobody_else_is_told(ward: Ward) -> None:
    ward.declared(entered(ward.world, "rowan-1"))

    for username in ("second", "rowan-2", "admin"):
        page = text_of(entered(ward.world, username).get("/"))
        assert "Example Rowan-1" not in page
        assert ward.patient not in page


def test_officers_of_the_patients_organization_review_it(ward: Ward) -> None:
    ward.declared(entered(ward.world, "rowan-1"))
    ward.world.clock.pass_s(3 * 3600)

    for username in ("officer", "auditor"):
        page = text_of(entered(ward.world, username).get("/"))
        assert "Waiting for 3 hours (2026-11-20 12:00 UTC)" in page
        assert "Example Rowan-1" in page
        assert f"Patient {ward.patient}" in page
        assert "Found unconscious at the station." in page
    other = text_of(entered(ward.world, "stranger").get("/"))
    assert "None waits for a review." in other
    assert ward.patient not in other


def test_reading_what_waits_is_audited(ward: Ward) -> None:
    ward.declared(entered(ward.world, "rowan-1"))

    entered(ward.world, "officer")

    record = ward.last()
    assert record.interaction is Interaction.AUDIT_READ
    assert record.patients == (ward.world.deployment.services.pseudonym(ward.patient),)


@pytest.mark.parametrize("verdict", ["justified", "not-justified"])
def test_a_verdict_is_stored_and_told(ward: Ward, verdict: str) -> None:
    location = ward.declared(entered(ward.world, "rowan-1"))
    officer = entered(ward.world, "officer")
    id_ = location.rpartition("/")[2]

    answer = officer.post(f"/reviews/{id_}", verdict=verdict)

    assert (answer.status_code, answer.headers["Location"]) == (303, "/")
    assert ward.last().reason == verdict
    use = ward.stored(location)
    assert (use.verdict, use.reviewed) == (verdict, ward.world.clock())
    assert "None waits for a review." in text_of(officer.get("/"))
    words = verdict.replace("-", " ")
    assert f"Review {words}" in text_of(entered(ward.world, "patient").get("/"))


def test_a_verdict_is_given_once(ward: Ward) -> None:
    location = ward.declared(entered(ward.world, "rowan-1"))
    id_ = location.rpartition("/")[2]
    officer = entered(ward.world, "officer")
    officer.post(f"/reviews/{id_}", verdict="not-justified")

    answer = officer.post(f"/reviews/{id_}", verdict="justified")

    assert answer.status_code == 403
    assert ward.stored(location).verdict == "not-justified"


@pytest.mark.parametrize(
    "username", ["stranger", "rowan-1", "rowan-2", "patient", "admin"]
)
def test_nobody_else_gives_a_verdict(ward: Ward, username: str) -> None:
    location = ward.declared(entered(ward.world, "rowan-1"))
    id_ = location.rpartition("/")[2]
    browser = entered(ward.world, username)
    browser.get("/")

    answer = browser.post(f"/reviews/{id_}", verdict="justified")

    assert answer.status_code == 403
    assert ward.stored(location).verdict is None


def test_nobody_reviews_her_own_emergency_by_another_account(ward: Ward) -> None:
    location = ward.declared(entered(ward.world, "rowan-1"))
    id_ = location.rpartition("/")[2]
    enrol(
        ward.world,
        "rowan-as-officer",
        Role.COMPLIANCE_OFFICER,
        reference="Practitioner/1",
    )
    browser = entered(ward.world, "rowan-as-officer")
    assert "Somebody else has to review this." in text_of(browser.page)

    answer = browser.post(f"/reviews/{id_}", verdict="justified")

    assert answer.status_code == 403
    assert ward.stored(location).verdict is None


@pytest.mark.parametrize("changes", [{"verdict": "fine"}, {"form_token": "x"}])
def test_a_verdict_that_cannot_be_is_refused(
    ward: Ward, changes: dict[str, str]
) -> None:
    location = ward.declared(entered(ward.world, "rowan-1"))
    id_ = location.rpartition("/")[2]
    officer = entered(ward.world, "officer")

    answer = officer.post(f"/reviews/{id_}", **{"verdict": "justified"} | changes)

    assert answer.status_code == 403
    assert ward.stored(location).verdict is None


def test_a_note_is_sealed_and_in_no_log(
    ward: Ward, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    location = ward.declared(entered(ward.world, "rowan-1"))
    entered(ward.world, "officer")

    assert b"unconscious" not in ward.stored(location).note
    assert "unconscious" not in repr(ward.world.audited())
    assert "unconscious" not in caplog.text
    assert "unconscious" not in "".join(capsys.readouterr())


def test_the_notes_of_two_patients_cannot_be_exchanged(ward: Ward) -> None:
    first = entered(ward.world, "rowan-1")
    one, other = ward.declared(first), ward.declared(first)
    ids = [location.rpartition("/")[2] for location in (one, other)]

    with ward.world.deployment.database.engine.begin() as connection:
        connection.execute(
            uses.break_glass.update()
            .where(uses.break_glass.c.break_glass_id == ids[0])
            .values(note=ward.stored(other).note)
        )

    page = text_of(entered(ward.world, "officer").get("/"))
    assert page.count("cannot be read any more") == 1


def test_every_page_is_there_in_spanish(ward: Ward) -> None:
    browser = entered(ward.world, "rowan-1", language="es")

    found = ward.find(browser)

    assert 'lang="es"' in found.text
    assert "Declarar la emergencia" in text_of(found)
    assert not re.search(r"\b(the|patient|emergency)\b", text_of(found))
