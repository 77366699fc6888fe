"""The page of devices: who pairs what for whom, in both languages."""

import re
from dataclasses import dataclass

import pytest
from people import (
    Browser,
    enrol,
    entered,
    form_token,
    named,
    text_of,
    with_quick_passwords,
)
from worlds import Clinic, World, actions, actor, classes, consent, purposes

from consent.audit.entry import Interaction, Outcome
from fhir_service.auth.users import Role
from fhir_service.ingest.pairing_told import as_json, of_patient
from fhir_service.pages.pairing_form import PLACES, TYPES
from fhir_service.pages.texts import texts
from fhir_service.storage import patients, types

ADDRESS = "00:15:8D:00:01:02:03:04"
STAFF = ("rowan", "officer", "admin")


@dataclass(frozen=True, kw_only=True)
class Ward:
    """A clinic with its people, one patient of its own and one of another's."""

    clinic: Clinic
    patient: str
    second: str
    far: str
    room: str

    @property
    def world(self) -> World:
        return self.clinic.world

    def pair(self, browser: Browser, patient: str | None = None, **changes: str):
        """Fill the form of the page that the browser shows."""
        fields = {
            "patient": patient or self.patient,
            "source": "zigbee2mqtt",
            "kind": "device",
            "named": ADDRESS,
            "location": "",
            "start": "2026-11-01",
            "end": "",
            "zone": "Europe/Berlin",
        }
        return browser.post("/devices/pair", **fields | changes)

    def opened(self, username: str, **more: str) -> Browser:
        """Return the browser of somebody who looks at the patient's devices."""
        browser = entered(self.world, username, **more)
        browser.get("/devices")
        if username in STAFF:
            browser.post("/devices/find", identifier=self.patient)
        return browser

    def pairings(self, patient: str | None = None):
        services = self.world.deployment.services
        with services.database.read() as snapshot:
            state = patients.by_id(
                snapshot, types.number_of("Patient"), patient or self.patient
            )
            assert state is not None
            return [as_json(one) for one in of_patient(services, snapshot, state)]


@pytest.fixture
def ward(clinic: Clinic) -> Ward:
    world = with_quick_passwords(clinic.world)
    far = world.client("far", "system/*.cruds", organization="Organization/far")
    made = [
        world.create(
            named(
                family,
                organization,
                birthDate="1980-02-03",
                identifier=[{"system": "urn:mrn", "value": number}],
            ),
            client,
        )["id"]
        for family, number, organization, client in (
            ("Worn", "mrn-1", clinic.organization, clinic.admin),
            ("Second", "mrn-2", clinic.organization, clinic.admin),
            ("Far", "mrn-3", "Organization/far", far),
        )
    ]
    for id_ in made[:2]:
        clinic.consented(patient_id=id_)
    room = world.create(
        {
            "resourceType": "Location",
            "status": "active",
            "name": "Bedroom 4",
            "managingOrganization": {"reference": clinic.organization},
        },
        clinic.admin,
    )
    own = clinic.organization
    enrol(world, "patient", Role.PATIENT, reference=f"Patient/{made[0]}")
    enrol(world, "second", Role.PATIENT, reference=f"Patient/{made[1]}")
    enrol(
        world,
        "rowan",
        Role.PRACTITIONER,
        reference="Practitioner/1",
        organization=own,
    )
    enrol(world, "officer", Role.COMPLIANCE_OFFICER, organization=own)
    enrol(world, "admin", Role.ADMINISTRATOR, organization=own)
    enrol(world, "nowhere", Role.ADMINISTRATOR)
    enrol(world, "elsewhere", Role.COMPLIANCE_OFFICER, organization="Organization/far")
    return Ward(
        clinic=clinic,
        patient=made[0],
        second=made[1],
        far=made[2],
        room=f"Location/{room['id']}",
    )


def last(ward: Ward):
    return ward.world.audited()[-1]


# The patient


def test_a_patient_pairs_a_device_and_stops_it(ward: Ward) -> None:
    browser = ward.opened("patient")
    empty = text_of(browser.page)

    made = ward.pair(browser)
    shown = text_of(made)
    [pairing] = ward.pairings()
    stopped = browser.post(
        "/devices/revoke", patient=ward.patient, pairing=pairing["id"]
    )

    assert "Nothing is paired." in empty
    assert (made.status_code, stopped.status_code) == (200, 200)
    assert "It is paired." in shown
    assert f"Zigbee2MQTT messages: {ADDRESS}" in shown
    assert "From 2026-11-01 00:00 Europe/Berlin" in shown
    assert "Last heard not yet" in shown
    assert "device, stopped" in text_of(stopped)
    assert f"Stop {ADDRESS}" not in text_of(stopped)
    assert pairing["made"]["by"] == f"Patient/{ward.patient}"
    assert ward.pairings()[0]["revoked"]["by"] == f"Patient/{ward.patient}"


def test_a_patient_pairs_an_account_for_some_days(ward: Ward) -> None:
    browser = ward.opened("patient")

    answer = ward.pair(
        browser,
        source="open-mhealth",
        kind="account",
        named=" account-9 ",
        end="2026-11-30",
    )

    [pairing] = ward.pairings()
    assert answer.status_code == 200
    assert (pairing["account"], pairing["period"]) == (
        "account-9",
        {"start": "2026-11-01T00:00:00+01:00", "end": "2026-12-01T00:00:00+01:00"},
    )


def test_a_sensor_in_a_room_waits_for_its_notice(ward: Ward) -> None:
    browser = ward.opened("patient")
    offered = text_of(browser.page)
    waiting = text_of(ward.pair(browser, location=ward.room))
    [pairing] = ward.pairings()

    told = browser.post("/devices/notice", patient=ward.patient, pairing=pairing["id"])

    assert "Bedroom 4" in offered
    assert "waiting: nothing is stored before everybody who lives there" in waiting
    assert "Everybody who lives there was told" in waiting
    assert told.status_code == 200
    assert "People who live there were told 2026-11-20 12:00 UTC" in text_of(told)
    assert "waiting" not in text_of(told).replace("has waited", "")
    assert ward.pairings()[0]["notice"]["by"] == f"Patient/{ward.patient}"


def test_a_change_is_audited_with_who_did_it_and_to_whom(ward: Ward) -> None:
    ward.pair(ward.opened("patient"))

    record = last(ward)

    assert (record.interaction, record.outcome, record.client, record.request) == (
        Interaction.REGISTER,
        Outcome.ALLOWED,
        "web pages",
        "/devices paired",
    )
    assert record.patients == (ward.world.deployment.services.pseudonym(ward.patient),)
    assert len(record.written) == 2


def test_a_patient_changes_nothing_of_another(ward: Ward) -> None:
    ward.pair(ward.opened("second"), ward.second)
    [theirs] = ward.pairings(ward.second)
    browser = ward.opened("patient")

    answers = [
        ward.pair(browser, ward.second, named="other"),
        ward.pair(browser, "not-here", named="other"),
        browser.post("/devices/revoke", patient=ward.second, pairing=theirs["id"]),
        browser.post("/devices/revoke", patient=ward.patient, pairing=theirs["id"]),
        browser.post("/devices/revoke", patient=ward.patient, pairing="0000000000000"),
    ]

    assert [one.status_code for one in answers] == [404, 404, 404, 422, 422]
    pages = [re.sub(r"<input[^>]*>", "", one.text) for one in answers]
    assert pages[0] == pages[1]
    assert pages[3] == pages[4]
    assert ADDRESS not in "".join(pages)
    assert ward.pairings(ward.second) == [theirs]


@pytest.mark.parametrize(
    ("start", "end", "told"),
    [
        ("2026-11-01", "2026-11-02", "device, ended"),
        ("2026-12-01", "", "device, not begun yet"),
        ("", "", "device, paired"),
    ],
)
def test_a_pairing_says_how_it_stands(
    ward: Ward, start: str, end: str, told: str
) -> None:
    answer = ward.pair(ward.opened("patient"), start=start, end=end)

    assert told in text_of(answer)
    assert (f"Stop {ADDRESS}" in text_of(answer)) == (told != "device, ended")


def test_a_patient_whom_no_organization_manages_pairs_an_account(ward: Ward) -> None:
    alone = ward.world.create(
        {"resourceType": "Patient", "active": True}, ward.clinic.admin
    )
    enrol(ward.world, "alone", Role.PATIENT, reference=f"Patient/{alone['id']}")
    browser = ward.opened("alone")

    answer = ward.pair(
        browser, alone["id"], source="open-mhealth", kind="account", named="account-9"
    )

    assert "It is paired." in text_of(answer)
    assert len(ward.pairings(alone["id"])) == 1


# Staff


@pytest.mark.parametrize("username", STAFF)
def test_staff_find_a_patient_exactly_and_pair(ward: Ward, username: str) -> None:
    browser = entered(ward.world, username)
    browser.get("/devices")

    found = browser.post("/devices/find", identifier="mrn-1")
    looked_up = last(ward)
    made = ward.pair(browser)

    assert "Example Worn , born 1980-02-03" in text_of(found)
    assert (looked_up.interaction, looked_up.reason, looked_up.patients) == (
        Interaction.SEARCH,
        "devices",
        (ward.world.deployment.services.pseudonym(ward.patient),),
    )
    assert "It is paired." in text_of(made)
    assert len(ward.pairings()) == 1


@pytest.mark.parametrize("text", ["mrn-3", "mrn", "Worn", ""])
def test_staff_find_nobody_of_another_organization(ward: Ward, text: str) -> None:
    browser = entered(ward.world, "admin")
    browser.get("/devices")

    answer = browser.post("/devices/find", identifier=text)

    assert answer.status_code == 404
    assert "No patient has this identifier or id." in text_of(answer)
    assert "Far" not in answer.text
    assert last(ward).patients == ()


def test_staff_of_another_organization_change_nothing(ward: Ward) -> None:
    ward.pair(ward.opened("patient"))
    [pairing] = ward.pairings()
    browser = entered(ward.world, "elsewhere")
    browser.get("/devices")

    answers = [
        ward.pair(browser, named="other"),
        ward.pair(browser, "not-here", named="other"),
        browser.post("/devices/revoke", patient=ward.patient, pairing=pairing["id"]),
        browser.post("/devices/notice", patient=ward.far, pairing=pairing["id"]),
    ]

    assert [one.status_code for one in answers] == [404, 404, 404, 422]
    assert answers[0].text == answers[1].text
    assert ADDRESS not in "".join(one.text for one in answers)
    assert ward.pairings() == [pairing]


def test_a_practitioner_does_not_see_what_consent_hides(ward: Ward) -> None:
    ward.pair(ward.opened("patient"))
    ward.pair(
        ward.opened("patient"), source="open-mhealth", kind="account", named="acc-9"
    )
    ward.world.create(
        consent(
            ward.patient,
            {
                "type": "deny",
                "class": classes("Device"),
                "action": actions("access"),
                "actor": actor(ward.clinic.organization),
                "purpose": purposes("TREAT"),
            },
        ),
        ward.clinic.admin,
    )

    theirs = text_of(ward.opened("rowan").page)
    own = text_of(ward.opened("patient").page)

    assert ("acc-9" in theirs, ADDRESS in theirs) == (True, False)
    assert ("acc-9" in own, ADDRESS in own) == (True, True)


def test_who_acts_for_no_organization_pairs_nothing(ward: Ward) -> None:
    browser = entered(ward.world, "nowhere")
    browser.get("/")

    answers = [ward.pair(browser), browser.get("/devices")]

    assert [one.status_code for one in answers] == [403, 403]
    assert ward.pairings() == []


# What protects the page


def test_who_is_not_logged_in_is_sent_to_log_in(ward: Ward) -> None:
    answer = Browser(ward.world).get("/devices")

    assert (answer.status_code, answer.headers["Location"]) == (303, "/login")


@pytest.mark.parametrize("path", ["find", "pair", "notice", "revoke"])
def test_a_form_of_another_site_does_nothing(ward: Ward, path: str) -> None:
    ward.pair(ward.opened("patient"))
    [pairing] = ward.pairings()
    browser = ward.opened("rowan")
    foreign = form_token(ward.opened("second").page)

    answer = browser.post(
        f"/devices/{path}",
        form_token=foreign,
        patient=ward.patient,
        pairing=pairing["id"],
        identifier="mrn-1",
        source="open-mhealth",
        kind="account",
        named="other",
    )

    assert answer.status_code == 403
    assert "This form was too old, or not from this site." in text_of(answer)
    assert ward.pairings() == [pairing]


def test_the_page_has_no_script_and_names_every_field(ward: Ward) -> None:
    page = ward.opened("patient").page

    assert page.headers["Content-Security-Policy"] == (
        "default-src 'none'; style-src 'self'; form-action 'self'; "
        "frame-ancestors 'none'; base-uri 'none'"
    )
    assert not re.search(r"<script|\son\w+=|style=", page.text)
    fields = set(re.findall(r'<(?:input|select)[^>]* id="([^"]+)"', page.text))
    labels = set(re.findall(r'<label for="([^"]+)"', page.text))
    described = set(re.findall(r'aria-describedby="([^"]+)"', page.text))
    assert fields == labels == {"source", "named", "location", "start", "end", "zone"}
    assert described <= set(re.findall(r' id="([^"]+)"', page.text))


def test_what_was_typed_is_escaped_and_shown_again(ward: Ward) -> None:
    browser = ward.opened("patient")

    refused = ward.pair(browser, named='"><b>x', zone="Europe/Nowhere")
    made = ward.pair(browser, named='"><b>x')

    assert refused.status_code == 422
    assert 'value="&#34;&gt;&lt;b&gt;x"' in refused.text
    assert "<b>" not in refused.text + made.text


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"source": "nothing"}, "There is no such maker or service here."),
        ({"kind": "account"}, "This cannot be paired as an account."),
        ({"named": "x" * 257}, "This cannot be the name of a device."),
        ({"zone": "Mars/Base"}, "The time zone is not known."),
        ({"location": "Location/none"}, "This room is not known here."),
        ({"start": "soon"}, "The first day is not a day."),
        ({"end": "2026-10-31"}, "The last day is not a day, or lies before"),
    ],
)
def test_a_refusal_is_told_by_its_field(ward: Ward, changes, told: str) -> None:
    answer = ward.pair(ward.opened("patient"), **changes)

    assert answer.status_code == 422
    assert told in text_of(answer)
    assert ward.pairings() == []


def test_the_same_twice_and_what_consent_withholds_are_refused(ward: Ward) -> None:
    browser = ward.opened("patient")
    ward.pair(browser)
    twice = text_of(ward.pair(browser))
    ward.world.create(
        consent(
            ward.second,
            {
                "type": "deny",
                "action": actions("collect"),
                "actor": actor(ward.clinic.organization),
                "purpose": purposes("TREAT"),
            },
        ),
        ward.clinic.admin,
    )

    withheld = text_of(ward.pair(ward.opened("second"), ward.second))

    assert "It is paired in that time already." in twice
    assert "The consents in force do not let this device's data" in withheld
    assert ward.pairings(ward.second) == []


def test_the_page_speaks_spanish(ward: Ward) -> None:
    browser = ward.opened("patient", language="es")

    answer = ward.pair(browser, location=ward.room)

    assert 'lang="es"' in answer.text
    assert "Está vinculado." in text_of(answer)
    assert "Se avisó a quienes viven allí todavía no" in text_of(answer)


def test_every_place_and_type_of_a_refusal_has_a_text() -> None:
    told = {f"people.pairing-wrong.{place}" for place in PLACES}
    told |= {f"people.pairing-wrong.{type_.value}" for type_ in TYPES}

    assert told == {key for key in texts() if key.startswith("people.pairing-wrong.")}
