"""What waits for the officer: integrity, emergencies, consents, deliveries."""

import time
from threading import Event

import pytest
from people import PASSWORD, enrol, entered, named, text_of, with_quick_passwords
from worlds import consent, heart_rate, permit

from consent.audit.entry import Interaction
from fhir_service.audit_trail import export_checkpoint
from fhir_service.auth.users import Role
from fhir_service.compliance.examinations import Examinations
from fhir_service.pages import compliance_integrity
from fhir_service.storage import break_glass

NOTE = "Seen with the head nurse.\nIt was an emergency."
SYSTEM = "https://clinic.example/mrn"


@pytest.fixture
def watched(clinic):
    world = with_quick_passwords(clinic.world)
    enrol(world, "officer", Role.COMPLIANCE_OFFICER, organization=clinic.organization)
    enrol(world, "stranger", Role.COMPLIANCE_OFFICER, organization="Organization/other")
    return clinic


@pytest.fixture
def officer(watched):
    return entered(watched.world, "officer")


def test_the_log_is_verified_on_demand(watched, officer):
    deployment = watched.world.deployment
    export_checkpoint(deployment.database, deployment.checkpoints)
    page = officer.get("/compliance/integrity")
    assert "Verified at" not in text_of(page)

    answer = officer.post("/compliance/integrity")

    told = text_of(answer)
    assert "The log is whole:" in told
    assert "2 signed checkpoints vouch" in told
    assert "Verified at 2026-11-20 12:00:00+00:00" in told
    assert watched.world.audited()[-1].request == "POST /compliance/integrity"


def test_an_officer_does_not_wait_for_a_large_log(watched, officer, monkeypatch):
    deployment = watched.world.deployment
    may_end = Event()
    whole = Examinations.examine

    def slow(self):
        assert may_end.wait(30)
        return whole(self)

    monkeypatch.setattr(compliance_integrity, "PATIENCE_S", 0.01)
    monkeypatch.setattr(Examinations, "examine", slow)

    begun = officer.post("/compliance/integrity")
    again = officer.post("/compliance/integrity")
    may_end.set()
    while deployment.examinations.goes_on_since() is not None:
        time.sleep(0.01)
    ended = officer.get("/compliance/integrity")

    for answer in (begun, again):
        assert "The log is being verified since 2026-11-20 12:00" in text_of(answer)
        assert answer.headers["Refresh"] == "10"
    assert "The log is whole:" in text_of(ended)
    assert "Refresh" not in ended.headers


def test_the_daily_examination_is_shown(watched, officer):
    watched.world.deployment.examinations.run()

    page = officer.get("/compliance/integrity")

    assert "Verified at 2026-11-20 12:00" in text_of(page)


def test_a_result_that_cannot_be_read_is_none(watched, officer):
    (watched.world.deployment.settings.data_dir / "examination.json").write_text("{")

    page = officer.get("/compliance/integrity")

    assert page.status_code == 200
    assert "Verified at" not in text_of(page)


def test_an_altered_row_is_named(watched, officer):
    officer.get("/compliance/integrity")
    watched.world.deployment.database.write(
        lambda transaction: transaction._cursor.execute(
            "UPDATE audit_entry SET leaf = X'00' WHERE leaf_index = 3"
        )
    )

    answer = officer.post("/compliance/integrity")

    told = text_of(answer)
    assert "The log is NOT whole. The first bad row is 3." in told
    assert 'role="alert"' in answer.text


def test_an_altered_index_is_told(watched, officer):
    officer.get("/compliance?time=all")
    watched.world.deployment.database.write(
        lambda transaction: transaction._cursor.execute(
            "UPDATE audit_row SET outcome = 0, status = 1 WHERE leaf_index = 2"
        )
    )

    answer = officer.post("/compliance/integrity")

    assert "The index of the log was altered" in text_of(answer)


def attested(watched):
    """Return an emergency access that was declared for a patient of the clinic."""
    world = watched.world
    made = world.create(
        named(
            "Hidden",
            watched.organization,
            identifier=[{"system": SYSTEM, "value": "mrn-1"}],
        ),
        watched.admin,
    )
    enrol(
        world,
        "doctor",
        Role.PRACTITIONER,
        reference="Practitioner/1",
        organization=watched.organization,
        may_break_glass=True,
    )
    doctor = entered(world, "doctor")
    doctor.get("/break-glass")
    doctor.post("/break-glass/find", identifier="mrn-1")
    answer = doctor.post(
        "/break-glass/declare",
        patient=made["id"],
        reason="ETREAT",
        note="Found <unconscious>.",
        password=PASSWORD,
    )
    assert answer.status_code == 303
    return answer.headers["Location"].rpartition("/")[2]


def stored(watched, id_):
    with watched.world.deployment.database.read() as snapshot:
        found = break_glass.find(snapshot, id_)
    assert found is not None
    return found


def test_an_emergency_is_decided_with_a_note(watched, officer):
    use = attested(watched)
    page = officer.get("/compliance/reviews")
    assert "Found &lt;unconscious&gt;." in page.text

    answer = officer.post(f"/compliance/reviews/{use}", verdict="justified", note=NOTE)

    assert (answer.status_code, answer.headers["Location"]) == (
        303,
        "/compliance/reviews",
    )
    kept = stored(watched, use)
    assert kept.verdict == "justified"
    assert kept.review_note is not None
    assert NOTE.encode() not in kept.review_note
    assert opened(watched, kept.review_note).endswith(NOTE.encode())
    assert "Nothing waits" in text_of(officer.get("/compliance/reviews"))


def decided(watched, officer, note="<b>Seen</b> & agreed."):
    """Let an officer decide on an emergency, a minute after it was declared."""
    use = attested(watched)
    watched.world.clock.pass_s(60)
    officer.get("/compliance/reviews")
    officer.post(f"/compliance/reviews/{use}", verdict="not-justified", note=note)
    watched.world.clock.pass_s(60)
    return use


def test_reviews_that_were_given_are_shown_with_their_notes(watched, officer):
    decided(watched, officer)

    page = officer.get("/compliance/reviews")

    told = text_of(page)
    assert "Reviews that were given" in told
    assert "2026-11-20 12:01:00+00:00" in told
    assert "Review not justified" in told
    assert "Reviewed by Example Officer" in told
    assert "Declared by Example Doctor, 2026-11-20 12:00:00+00:00" in told
    assert "&lt;b&gt;Seen&lt;/b&gt; &amp; agreed." in page.text
    assert "<b>" not in page.text


def test_reading_a_review_is_recorded_of_the_patient(watched, officer):
    use = stored(watched, decided(watched, officer))

    officer.get("/compliance/reviews")

    listed = watched.world.audited()[-2]
    assert (listed.interaction, listed.patients) == (
        Interaction.AUDIT_READ,
        (watched.world.deployment.services.pseudonym(use.patient),),
    )


def test_a_review_without_a_note_says_so(watched, officer):
    decided(watched, officer, note="")

    assert "Note of the review none" in text_of(officer.get("/compliance/reviews"))


def test_a_note_that_was_moved_to_another_review_is_not_shown(watched, officer):
    use = decided(watched, officer)
    sealed = stored(watched, use).note
    watched.world.deployment.database.write(
        lambda job: job._cursor.execute(
            "UPDATE break_glass SET review_note = ?", (sealed,)
        )
    )

    page = officer.get("/compliance/reviews")

    assert "Note of the review cannot be read any more" in text_of(page)


@pytest.mark.parametrize(
    ("language", "told"),
    [
        (
            "en",
            ("Reviews that were given", "not justified", "Reviewed by Example Officer"),
        ),
        ("es", ("Revisiones hechas", "no justificado", "Revisado por Example Officer")),
    ],
)
def test_the_first_page_shows_them_in_the_officer_s_language(
    watched, officer, language, told
):
    decided(watched, officer)
    officer.language = language

    page = officer.get("/")

    assert [one for one in told if one not in text_of(page)] == []
    assert "&lt;b&gt;Seen&lt;/b&gt; &amp; agreed." in page.text


def test_reviews_of_another_organization_are_not_shown(watched, officer):
    decided(watched, officer)
    stranger = entered(watched.world, "stranger")

    for path in ("/compliance/reviews", "/"):
        assert "agreed." not in stranger.get(path).text


def opened(watched, sealed):
    deployment = watched.world.deployment
    with deployment.database.read() as snapshot:
        found = deployment.auth.secrets.unsealer(snapshot)(sealed)
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("verdict", "note", "status"),
    [("perhaps", "", 400), ("justified", "a" * 2_001, 400)],
)
def test_a_decision_without_sense_changes_nothing(
    watched, officer, verdict, note, status
):
    use = attested(watched)
    officer.get("/compliance/reviews")

    answer = officer.post(f"/compliance/reviews/{use}", verdict=verdict, note=note)

    assert answer.status_code == status
    assert stored(watched, use).verdict is None


def test_an_officer_of_another_organization_decides_nothing(watched):
    use = attested(watched)
    stranger = entered(watched.world, "stranger")
    assert "Nothing waits" in text_of(stranger.get("/compliance/reviews"))
    stranger.get("/compliance/integrity")

    answer = stranger.post(f"/compliance/reviews/{use}", verdict="justified")

    assert answer.status_code == 404
    assert stored(watched, use).verdict is None


def test_consents_that_end_soon_are_told(watched, officer):
    soon = watched.consented(period={"end": "2026-12-01"})
    watched.consented(period={"end": "2027-12-01"})
    watched.consented()

    page = officer.get("/compliance/consents")

    told = text_of(page)
    assert "3 were looked at" in told
    assert f"Consent/{soon['id']}/_history/1 {watched.patient} 2026-12-01" in told
    assert told.count("Consent/") == 1


def test_faulty_consents_are_told(watched, officer, monkeypatch):
    monkeypatch.setattr(
        "fhir_service.interactions.received.capture_issues", lambda *_, **__: []
    )
    made = watched.world.create(
        consent(
            watched.patient,
            permit(),
            policyRule={
                "coding": [
                    {
                        "system": "http://terminology.hl7.org/CodeSystem/v3-ActCode",
                        "code": "OPTOUT",
                    }
                ]
            },
        ),
        watched.admin,
    )

    page = officer.get("/compliance/consents")

    told = text_of(page)
    assert f"Consent/{made['id']}/_history/1" in told
    assert "policyRule contradicts the root provision." in told


def test_consents_of_other_organizations_are_not_told(watched):
    watched.consented(period={"end": "2026-12-01"})

    page = entered(watched.world, "stranger").get("/compliance/consents")

    assert "0 were looked at" in text_of(page)


def test_what_device_data_did_not_become_is_counted(watched, officer):
    watched.deliver(heart_rate(1, "user-1"))
    watched.consented()
    watched.deliver(heart_rate(2, "user-1"), heart_rate(3, "user-1", value="fast"))

    told = text_of(officer.get("/compliance/deliveries"))
    strangers = text_of(
        entered(watched.world, "stranger").get("/compliance/deliveries")
    )

    assert "gateway withheld 1" in told
    assert "gateway stored 1" in told
    assert "gateway quarantined 1" in told
    assert "open-mhealth" in told
    assert "Nothing waits." in strangers
    assert "gateway" not in strangers


def test_the_officers_first_page_leads_to_the_console(officer):
    assert 'href="/compliance"' in officer.get("/").text


def test_a_look_at_the_consents_is_recorded_with_the_patients(watched, officer):
    watched.consented(period={"end": "2026-12-01"})

    officer.get("/compliance/consents")

    last = watched.world.audited()[-1]
    assert last.interaction is Interaction.AUDIT_READ
    assert last.patients == (
        watched.world.deployment.services.pseudonym(watched.patient),
    )
