"""Twenty questions of an officer, of a small world whose truth is known by heart."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import update
from worlds import (
    RESTING,
    Clinic,
    Headers,
    World,
    actor,
    codes,
    consent,
    furnish,
    heart_rate,
    observation,
    opened_world,
    permit,
    purposes,
)

from conformance.issues import FHIRError, IssueType
from consent.audit.checkpoint import Checkpoint, CheckpointError, sign
from consent.audit.entry import Interaction
from consent.audit.merkle import Frontier
from consent.decision import DefaultPolicy
from consent.labels import LABELLER_VERSION
from consent.part_2 import ATTESTED
from consent.policy_version import policy_version
from fhir_service import audit_trail
from fhir_service.auth.token_hash import token_hash
from fhir_service.compliance.officer import Officer
from fhir_service.compliance.questions import QUESTIONS, Asked, ask
from fhir_service.compliance.reports import (
    access,
    admin_events,
    releases,
    to_organization,
)
from fhir_service.compliance.reports.accounting import Reading
from fhir_service.compliance.reports.could_see import replayed
from fhir_service.compliance.reports.report import Period, Report
from fhir_service.compliance.rows import Reader, asked, caught_up
from fhir_service.policy_trail import record_policy
from fhir_service.storage import audit_log, break_glass
from fhir_service.storage.break_glass import BreakGlass
from fhir_service.storage.statement import Statement
from fhir_service.storage.tables import audit_head
from mappings.vendors.zigbee2mqtt.device import ZIGBEE_ADDRESS

ZONE = ZoneInfo("Europe/Madrid")
MINUTE_US = 60_000_000
HOUR_US = 60 * MINUTE_US


def at(hour: int, minute: int) -> datetime:
    """Return a moment of the day on which everything happens."""
    return datetime(2026, 11, 20, hour, minute, tzinfo=ZONE)


@dataclass(frozen=True, kw_only=True)
class Told:
    """The world and the names of what is in it."""

    clinic: Clinic
    lab: str
    lab_client: Headers
    research: str
    note: str
    pulse: str
    sensor: str
    stranger: str

    def ask(
        self, number: str, *, organizations: tuple[str, ...] | None = None, **asked
    ) -> Report:
        services = self.clinic.world.deployment.services
        officer = Officer(
            user="officer",
            organizations=organizations or (self.clinic.organization,),
            zone=ZONE.key,
        )
        caught_up(services)
        with services.database.read() as snapshot:
            return ask(Reader(services, snapshot, officer), number, Asked(**asked))

    def rows(self, number: str, table: str, **asked) -> list[dict]:
        return list(self.ask(number, **asked).table(table).rows())

    def last_row(self) -> int:
        with self.clinic.world.deployment.database.read() as snapshot:
            return audit_log.head(snapshot).frontier.size - 1


@pytest.fixture(scope="module")
def told(tmp_path_factory, template) -> Iterator[Told]:
    """Yield a world in which this happened on 20 November 2026, Madrid's time.

    13:00  the clinic, its patient, a consent for the clinic; one heart rate comes
    13:10  the laboratory is refused: it has no consent yet
    13:20  the patient permits the laboratory research
    13:30  the laboratory reads the heart rate, and again at 13:40
    13:50  the clinic's own program reads; a person of the clinic breaks the glass
    14:00  the patient withdraws the laboratory's consent
    14:10  the laboratory is refused
    14:20  the label of a note that the clinic has read is raised
    14:25  an officer reads the log of the patient, and exports
    """
    folder = tmp_path_factory.mktemp("questions")
    with opened_world(folder, template) as world:
        yield happened(world)


@pytest.fixture
def elsewhere(tmp_path, template, database_url) -> Iterator[Told]:
    """Yield the same world on each database."""
    with opened_world(
        tmp_path, template, name="elsewhere", database_url=database_url
    ) as world:
        yield happened(world)


def happened(world: World) -> Told:
    """Make what `told` tells happen."""
    clinic = furnish(world)
    pass_to = minutes_of(world)
    founder = world.client("founder-2", "system/Organization.c")
    made = world.create(
        {
            "resourceType": "Organization",
            "name": "=Laboratory",
            "address": [{"line": ["Long Road 1"], "city": "Springfield"}],
        },
        founder,
    )
    lab = f"Organization/{made['id']}"
    lab_client = world.client(
        "lab", "system/*.rs", organization=lab, purposes=("HRESCH",)
    )
    clinic.consented()
    clinic.deliver(heart_rate(1, "user-1"))
    sensor = sensed(clinic)
    stranger = clinic.another_patient("user-2")
    clinic.world.create(observation(stranger), clinic.admin)
    note = world.create(observation(clinic.patient), clinic.admin)
    pulse = f"/fhir/Observation?patient={clinic.patient}&code=8867-4"
    pass_to(10)
    [seen] = clinic.found(f"Observation?patient={clinic.patient}&code=8867-4")
    one = f"/fhir/Observation/{seen['id']}"
    world.get(one, lab_client)
    pass_to(20)
    provision = permit(actor=actor(lab), purpose=purposes("HRESCH"))
    research = world.create(consent(clinic.patient, provision), clinic.admin)
    pass_to(30)
    world.get(pulse, lab_client)
    pass_to(40)
    world.get(pulse, lab_client)
    pass_to(50)
    clinic.found(f"Observation?patient={clinic.patient}&code=40443-4")
    opened_in_an_emergency(clinic)
    pass_to(60)
    world.update({**research, "status": "inactive"}, clinic.admin)
    pass_to(70)
    world.get(one, lab_client)
    pass_to(80)
    raised = {"system": CONFIDENTIALITY, "code": "R"}
    world.update({**note, "meta": {"security": [raised]}}, clinic.admin)
    pass_to(85)
    read_the_log(clinic)
    pass_to(90)
    return Told(
        clinic=clinic,
        lab=lab,
        lab_client=lab_client,
        research=f"Consent/{research['id']}",
        note=f"Observation/{note['id']}",
        pulse=f"Observation/{seen['id']}",
        sensor=sensor,
        stranger=stranger,
    )


def read_the_log(clinic: Clinic) -> None:
    """Record that an officer read of the patient, and exported."""
    services = clinic.world.deployment.services
    curious = Officer(user="curious", organizations=(clinic.organization,))
    asked(services, curious, "about her", patients=(clinic.patient,))
    asked(services, curious, "all of it", interaction=Interaction.EXPORT)


def sensed(clinic: Clinic) -> str:
    """Register a sensor, deliver what it measured, and return its Device."""
    device = {
        "resourceType": "Device",
        "identifier": [{"system": ZIGBEE_ADDRESS, "value": "00:15:8D:00:01:02:03:04"}],
        "status": "active",
        "patient": {"reference": f"Patient/{clinic.patient}"},
    }
    made = clinic.world.create(device, clinic.admin)
    payload = {"temperature": 20.5, "last_seen": "2026-11-19T10:00:00+01:00"}
    message = {"topic": "zigbee2mqtt/0x00158d0001020304", "payload": payload}
    assert clinic.deliver(message, source="zigbee2mqtt")["stored"] == 1
    return f"Device/{made['id']}"


CONFIDENTIALITY = "http://terminology.hl7.org/CodeSystem/v3-Confidentiality"


def minutes_of(world):
    start = world.clock.us

    def pass_to(minute: int) -> None:
        world.clock.us = start + minute * MINUTE_US

    return pass_to


def opened_in_an_emergency(clinic: Clinic) -> None:
    """Store that a person of the clinic broke the glass."""
    world = clinic.world
    world.person(
        "doctor",
        "user/*.rs",
        reference=None,
        organization=clinic.organization,
    )
    world.person(
        "reviewer",
        "user/AuditEvent.rs",
        role="compliance-officer",
        organization=clinic.organization,
    )
    database = world.deployment.database

    def work(transaction) -> None:
        key = world.deployment.services.pseudonyms.patient(
            transaction, world.deployment.services.pseudonym(clinic.patient)
        ).key
        break_glass.add(
            transaction,
            BreakGlass(
                break_glass_id="b-1",
                user_id="doctor",
                patient_key=key,
                patient=clinic.patient,
                organization=clinic.organization,
                reason="BTG",
                note=b"",
                started=world.clock.us,
                expires=world.clock.us + MINUTE_US,
            ),
        )

    database.write(work)


def some(rows: list[dict], *columns: str) -> list[tuple]:
    return [tuple(row[name] for name in columns) for row in rows]


def test_every_question_has_a_row_and_says_what_it_costs():
    assert list(QUESTIONS) == [f"Q{number}" for number in range(1, 21)]
    assert all(one.cost and one.text.endswith(("?", ".")) for one in QUESTIONS.values())


def test_q1_who_saw_anything_of_a_patient_and_by_which_consent(told):
    rows = told.rows("Q1", "accesses", patient=told.clinic.patient)

    of_lab = [row for row in rows if row["client"] == "lab"]
    assert some(of_lab, "first", "last", "times", "result", "versions") == [
        (at(13, 10), at(14, 10), 2, "denied", 0),
        (at(13, 30), at(13, 40), 2, "allowed", 2),
    ]
    assert of_lab[1]["allowed_by"] == (f"{told.research}/_history/1 provision",)
    assert of_lab[1]["purposes"] == ("HRESCH",)
    assert of_lab[1]["in_words"] == (
        "The program lab asked 2 times for HRESCH; it was answered, 2 items were read."
    )


def test_q2_what_exactly_left_to_an_organisation(told):
    rows = told.rows("Q2", "disclosures", organization=told.lab)

    name = f"{told.pulse}/_history/1"
    assert some(rows, "when", "patient", "versions", "types") == [
        (at(13, 30), f"Patient/{told.clinic.patient}", (name,), ("Observation 1",)),
        (at(13, 40), f"Patient/{told.clinic.patient}", (name,), ("Observation 1",)),
    ]
    assert {row["data_from"] for row in rows} == {datetime(2026, 11, 2, tzinfo=ZONE)}


@pytest.mark.parametrize(
    ("hour", "minute", "expected"), [(13, 15, "no"), (13, 45, "yes"), (14, 15, "no")]
)
def test_q3_could_the_laboratory_see_it_then(told, hour, minute, expected):
    [row] = told.rows(
        "Q3",
        "answers",
        patient=told.clinic.patient,
        client="lab",
        resource=told.pulse,
        at_us=int(at(hour, minute).timestamp()) * 1_000_000,
    )

    assert row["could_see"] == expected


def test_q4_who_changed_which_consent_and_what_that_opened(told):
    report = told.ask("Q4", patient=told.clinic.patient)

    versions = list(report.table("versions").rows())
    assert some(versions[1:], "when", "consent", "version", "change", "client") == [
        (at(13, 20), told.research, 1, "filed", "admin"),
        (at(14, 0), told.research, 2, "withdrawn", "admin"),
    ]
    of_lab = [row for row in report.table("effects").rows() if row["who"] == told.lab]
    assert [bool(row["opened"]) for row in of_lab] == [True, False]
    assert [bool(row["closed"]) for row in of_lab] == [False, True]
    assert of_lab[0]["opened"] == of_lab[1]["closed"]


def test_q4_a_version_leads_to_the_row_that_wrote_it(told):
    rows = told.rows("Q4", "versions", patient=told.clinic.patient)

    audited = told.clinic.world.audited()
    for row in rows:
        record = audited[row["row"]]
        assert (record.resource_type, record.client) == ("Consent", row["client"])
        assert len(record.written) == 1


def test_q4_tells_the_effects_of_the_changes_of_a_time(told):
    until = int(at(13, 30).timestamp()) * 1_000_000

    report = told.ask("Q4", patient=told.clinic.patient, period=Period(None, until))

    assert len(report.table("versions").lines) == 3
    of_lab = [row for row in report.table("effects").rows() if row["who"] == told.lab]
    assert some(of_lab, "when", "closed") == [(at(13, 20), ())]


def test_q5_what_was_refused_after_the_withdrawal_is_listed(told):
    [row] = told.rows("Q5", "attempts after", patient=told.clinic.patient)

    assert (row["when"], row["client"], row["what"], row["had_read_by_it"]) == (
        at(14, 10),
        "lab",
        "read Observation",
        True,
    )


def test_q5_nothing_rests_on_a_consent_after_it_was_withdrawn(told):
    report = told.ask("Q5", patient=told.clinic.patient)

    [withdrawal] = report.table("withdrawals").rows()
    assert withdrawal["when"] == at(14, 0)
    assert withdrawal["consent"] == f"{told.research}/_history/2"
    assert withdrawal["releases_by_it_after"] == 0
    assert withdrawal["refused_after"] == 1
    to_tell = list(report.table("recipients to tell").rows())
    assert some(to_tell, "recipient", "address", "first", "last", "times") == [
        ("=Laboratory", "Long Road 1, Springfield", at(13, 30), at(13, 40), 2)
    ]
    assert "bulk export" in report.not_recorded[0]


def test_q6_which_emergency_accesses_wait_for_a_review(told):
    [row] = told.rows("Q6", "waiting")

    assert row["who"] == "doctor (doctor)"
    assert row["started"] == at(13, 50)
    assert row["patient"] == f"Patient/{told.clinic.patient}"
    assert row["age_hours"] == 0
    assert row["reviewers"] == ("reviewer (reviewer)",)


def test_q7_what_was_refused_and_permitted_later(told):
    report = told.ask("Q7")

    reasons = {row["reason"]: row["refusals"] for row in report.table("reasons").rows()}
    assert sum(reasons.values()) == 2
    later = list(report.table("permitted later").rows())
    assert some(later, "refused", "permitted", "client") == [
        (at(13, 10), at(13, 40), "lab")
    ]
    assert list(report.table("suspects").rows()) == []


def test_q8_which_patients_have_data_and_no_valid_consent(told):
    report = told.ask("Q8")

    uncovered = list(report.table("uncovered").rows())
    assert some(uncovered, "patient", "why") == [
        (f"Patient/{told.stranger}", "no consent is filed")
    ]
    assert list(report.table("ending").rows()) == []
    assert list(report.table("faulty").rows()) == []


def test_q9_which_data_came_from_a_device_and_under_which_consent(told):
    [row] = told.rows("Q9", "collected", device=told.sensor)

    assert (row["vendor"], row["client"], row["versions"]) == (
        "zigbee2mqtt",
        "gateway",
        1,
    )
    assert row["received"] == at(13, 0)
    [standing] = row["consents_then"]
    assert standing.endswith("/_history/1")
    assert standing.rpartition("/_history/")[0] != told.research


def test_q9_which_deliveries_came_from_a_vendor(told):
    [row] = told.rows("Q9", "deliveries", vendor="open-mhealth")

    assert (row["received"], row["client"]) == (at(13, 0), "gateway")
    assert told.rows("Q9", "deliveries", vendor="withings") == []


def test_q10_the_accounting_leaves_out_by_rule_and_counts_it(told):
    report = told.ask("Q10", patient=told.clinic.patient)

    assert list(report.table("disclosures").rows()) == []
    left = {
        row["rule"].partition(" ")[0]: row["releases"]
        for row in report.table("left out").rows()
    }
    assert left["by"] == 2
    assert left["kept"] >= 2


def test_q10_part_2_has_what_a_consent_permitted(told):
    rows = told.rows(
        "Q10", "disclosures", patient=told.clinic.patient, reading=Reading.PART_2
    )

    [row] = rows
    assert (row["first"], row["last"], row["times"]) == (at(13, 30), at(13, 40), 2)
    assert (row["recipient"], row["address"]) == (
        "=Laboratory",
        "Long Road 1, Springfield",
    )
    assert (row["purposes"], row["types"]) == (("HRESCH",), ("Observation 2",))
    assert row["consents"] == (f"{told.research}/_history/1",)


def test_q11_a_disclosure_of_no_part_2_record_owes_no_statement(told):
    [row] = told.rows("Q2", "disclosures", organization=told.lab)[:1]

    report = told.ask("Q11", row=row["row"])

    assert list(report.table("Part 2 records").rows()) == []
    assert "Nothing of the disclosure is labelled 42CFRPart2." in report.notes
    assert list(report.table("scopes").rows()) == []


def test_q12_what_is_not_recorded_of_retention_is_said(told):
    report = told.ask("Q12")

    assert list(report.table("ended").rows()) == []
    assert [row["what"] for row in report.table("kept").rows()] == [
        "raw payloads of devices"
    ]
    assert any("Legal holds" in note for note in report.not_recorded)


def test_q13_rows_are_proved_as_a_stranger_would(told):
    report = told.ask("Q13", rows=(0, 1))

    assert sorted(some(list(report.table("rows").rows()), "row", "holds")) == [
        (0, True),
        (1, True),
    ]
    [signed] = report.table("signed").rows()
    assert signed["rows"] == told.last_row() + 1


def test_q14_unexplained_accesses_say_how_far_was_looked(told):
    report = told.ask("Q14")

    assert report.notes[0].startswith("Explanations were sought for the first ")


def test_q15_who_read_the_log_and_exported_newest_first(told):
    rows = told.rows("Q15", "events")

    patient = (f"Patient/{told.clinic.patient}",)
    assert some(rows, "when", "kind", "who", "asked", "patients")[:2] == [
        (at(14, 25), "export", "curious", "all of it", ()),
        (at(14, 25), "audit-read", "curious", "about her", patient),
    ]


def test_q16_which_tokens_a_client_holds(told):
    report = told.ask("Q16", client="ehr")

    [token] = report.table("kept tokens").rows()
    assert token["token"] == token_hash("token-of-ehr")[:16].hex()
    assert (token["issued"], token["is_valid"]) == (at(13, 0), True)
    [credential] = report.table("credential").rows()
    assert (credential["client"], credential["is_valid"]) == ("ehr", True)


def test_q17_what_another_default_would_open(told):
    rows = told.rows("Q17", "changes", default="all-normal")

    assert {row["change"] for row in rows} == {"opened"}
    by_patients = {row["patients"] for row in rows if row["who"] == "ehr"}
    assert by_patients == {1}


def test_q18_what_left_under_a_label_that_was_raised(told):
    rows = told.rows("Q18", "raised", patient=told.clinic.patient)

    assert some(rows, "when", "version", "label_now") == [
        (at(13, 50), f"{told.note}/_history/1", "R")
    ]


def test_q18_says_when_the_labeller_changed(clinic):
    deployment = clinic.world.deployment
    before = policy_version(DefaultPolicy.DENY, "UTC")
    after = before.replace(f"labeller={LABELLER_VERSION}", "labeller=next")
    other = after.replace("default=deny", "default=all-normal")
    for policy in (after, other):
        record_policy(
            deployment.database, deployment.services.seal, policy, clinic.world.clock
        )

    [row] = asked_of(clinic, "Q18", "labellers", patient=clinic.patient)

    assert (row["labeller"], row["was"]) == ("next", str(LABELLER_VERSION))
    record = clinic.world.audited()[row["row"]]
    assert record.request == f"policy {after}; was {before}"


def test_q19_silent_hours_are_told_and_the_numbers_agree(told):
    period = Period(
        int(at(10, 0).timestamp()) * 1_000_000, int(at(15, 0).timestamp()) * 1_000_000
    )

    report = told.ask("Q19", period=period)

    [numbering] = report.table("numbering").rows()
    assert numbering["agrees"]
    assert numbering["signed_rows"] == told.last_row() + 1
    silences = list(report.table("silences").rows())
    assert some(silences, "since", "until", "hours", "witnessed") == [
        (at(10, 0), at(13, 0), 3, 0)
    ]
    assert list(report.table("backwards").rows()) == []


def test_q19_an_hour_in_which_the_service_signed_that_nothing_happened(clinic):
    deployment, clock = clinic.world.deployment, clinic.world.clock
    writer = deployment.checkpoint_writer()
    start = clock()
    writer._export()
    for hour in range(1, 4):
        clock.us = start + hour * HOUR_US
        writer._export()
        writer._export()
    folder = deployment.checkpoints / "heartbeats"
    names = sorted(folder.iterdir())
    [first, second, third] = names
    third.write_bytes(third.read_bytes().replace(b"time 2026", b"time 2027"))
    second.write_bytes(first.read_bytes())
    clock.us = start + 4 * HOUR_US
    clinic.found("Patient")

    rows = asked_of(clinic, "Q19", "silences", period=Period(start, clock() + HOUR_US))

    told = [(row["hours"], row["witnessed"], row["unwitnessed"]) for row in rows]
    assert told == [(3, 1, 2)]
    assert clinic.world.verified().is_intact


@pytest.mark.parametrize("is_note_forged", [True, False])
def test_q19_a_head_that_was_put_there_gets_no_signature(clinic, is_note_forged):
    deployment, clock = clinic.world.deployment, clinic.world.clock
    frontier = Frontier()
    frontier.append(bytes(32))
    made = Checkpoint(
        origin=audit_trail.origin_of(deployment.keys),
        size=1,
        root=frontier.root(),
        time_us=clock(),
    )
    changed = {"frontier": frontier.to_bytes()}
    if is_note_forged:
        changed["note"] = sign(made, Ed25519PrivateKey.generate()).decode()
    deployment.database.write(
        lambda job: job.run(Statement(update(audit_head).values(**changed)))
    )
    clock.us += HOUR_US

    with pytest.raises(CheckpointError):
        deployment.checkpoint_writer()._export()

    assert not (deployment.checkpoints / "heartbeats").exists()


def test_q19_an_hour_with_a_row_has_no_heartbeat(clinic):
    deployment = clinic.world.deployment

    deployment.checkpoint_writer()._export()

    assert not (deployment.checkpoints / "heartbeats").exists()


def test_q20_what_the_consents_said_in_which_language(told):
    report = told.ask("Q20", patient=told.clinic.patient)

    texts = list(report.table("texts").rows())
    assert [row["consent"] for row in texts[1:]] == [
        f"{told.research}/_history/1",
        f"{told.research}/_history/2",
    ]
    assert {row["languages"] for row in texts} == {("en", "es")}
    assert len({row["text_sha256"] for row in texts}) == 3
    assert "Which page the patient read" in report.not_recorded[0]


OF_A_PATIENT = ("Q1", "Q3", "Q4", "Q5", "Q10", "Q18", "Q20")


@pytest.mark.parametrize("number", OF_A_PATIENT)
def test_an_officer_of_another_organisation_has_no_such_patient(told, number):
    with pytest.raises(FHIRError) as refused:
        told.ask(number, organizations=("Organization/b",), patient=told.clinic.patient)

    assert refused.value.type is IssueType.NOT_FOUND


@pytest.mark.parametrize(
    ("number", "asked"),
    [
        ("Q2", {"organization": "Organization/lab"}),
        ("Q6", {}),
        ("Q7", {}),
        ("Q8", {}),
        ("Q9", {"vendor": "open-mhealth"}),
        ("Q12", {}),
        ("Q14", {}),
        ("Q17", {"default": "all-normal"}),
    ],
)
def test_an_officer_of_another_organisation_is_told_of_nobody(told, number, asked):
    asked = {**asked, "organization": told.lab} if "organization" in asked else asked

    report = told.ask(number, organizations=("Organization/b",), **asked)

    names = (told.clinic.patient, told.stranger, "doctor", "lab", "ehr", "gateway")
    told_of = repr([list(one.rows()) for one in report.tables])
    assert [name for name in names if name in told_of] == []


@pytest.mark.parametrize(("number", "asked"), [("Q11", ("row",)), ("Q13", ("rows",))])
def test_a_row_of_another_organisation_is_none(told, number, asked):
    [row] = told.rows("Q2", "disclosures", organization=told.lab)[:1]
    named = {name: row["row"] if name == "row" else (row["row"],) for name in asked}

    with pytest.raises(FHIRError) as refused:
        told.ask(number, organizations=("Organization/b",), **named)

    assert refused.value.type is IssueType.NOT_FOUND


@pytest.mark.parametrize("number", [one for one in QUESTIONS if QUESTIONS[one].needs])
def test_a_question_says_what_it_needs(told, number):
    with pytest.raises(FHIRError) as refused:
        told.ask(number)

    assert refused.value.type is IssueType.REQUIRED


def test_there_is_no_twenty_first_question(told):
    with pytest.raises(FHIRError) as refused:
        told.ask("Q21")

    assert refused.value.type is IssueType.NOT_FOUND


COUNTED = {
    "Q1": ({"patient": "patient"}, "accesses", None),
    "Q2": ({"organization": "lab"}, "disclosures", 2),
    "Q3": ({"patient": "patient", "client": "ehr"}, "answers", None),
    "Q4": ({"patient": "patient"}, "versions", 3),
    "Q5": ({"patient": "patient"}, "recipients to tell", 1),
    "Q6": ({}, "waiting", 1),
    "Q7": ({}, "permitted later", 1),
    "Q8": ({}, "uncovered", 1),
    "Q9": ({"device": "sensor"}, "collected", 1),
    "Q10": ({"patient": "patient"}, "left out", 4),
    "Q11": ({"row": 5}, "Part 2 records", 0),
    "Q12": ({}, "ended", 0),
    "Q13": ({"rows": (0, 1, 2)}, "rows", 3),
    "Q14": ({}, "accesses", None),
    "Q15": ({}, "events", None),
    "Q16": ({"client": "ehr"}, "kept tokens", 1),
    "Q17": ({"default": "all-normal"}, "changes", None),
    "Q18": ({"patient": "patient"}, "raised", 1),
    "Q19": ({}, "backwards", 0),
    "Q20": ({"patient": "patient"}, "texts", 3),
}
"""Question → what it is asked with, and how many lines a table has; None for any."""


def test_each_question_is_answered_on_each_database(elsewhere):
    names = {
        "patient": elsewhere.clinic.patient,
        "lab": elsewhere.lab,
        "sensor": elsewhere.sensor,
    }

    found = {
        number: len(
            elsewhere.rows(
                number,
                table,
                **{
                    name: names.get(value, value) if isinstance(value, str) else value
                    for name, value in asked.items()
                },
            )
        )
        for number, (asked, table, _) in COUNTED.items()
    }

    assert found == {
        number: found[number] if lines is None else lines
        for number, (_, _, lines) in COUNTED.items()
    }


def test_the_patients_own_access_is_left_out_and_counted(clinic):
    clinic.consented()
    clinic.deliver(heart_rate(1, "user-1"))
    reference = f"Patient/{clinic.patient}"
    herself = clinic.world.person(
        "herself",
        "patient/*.rs",
        role="patient",
        reference=reference,
        patient=clinic.patient,
        purposes=("PATRQT",),
    )
    clinic.world.get(f"/fhir/Observation?patient={clinic.patient}", herself)

    for reading in Reading:
        left = asked_of(clinic, "Q10", patient=clinic.patient, reading=reading)
        [own] = [row for row in left if row["rule"].startswith("to the individual")]
        assert (own["releases"], own["versions"]) == (1, 1)


def asked_of(clinic: Clinic, number: str, table: str = "left out", **asked):
    services = clinic.world.deployment.services
    officer = Officer(user="officer", organizations=(clinic.organization,))
    caught_up(services)
    with services.database.read() as snapshot:
        report = ask(Reader(services, snapshot, officer), number, Asked(**asked))
    return list(report.table(table).rows())


def test_a_part_2_record_left_with_its_statement(clinic):
    tag = {
        "system": "http://terminology.hl7.org/CodeSystem/v3-ActCode",
        "code": "42CFRPart2",
    }
    clinic.world.update(
        {
            "resourceType": "Organization",
            "id": clinic.organization.removeprefix("Organization/"),
            "name": "Clinic",
            "meta": {"tag": [tag]},
        },
        clinic.admin,
    )
    clinic.world.create(
        consent(
            clinic.patient,
            permit(
                actor=actor(clinic.organization),
                purpose=purposes("TREAT"),
                code=codes(RESTING),
            ),
            performer=[{"reference": f"Patient/{clinic.patient}"}],
            organization=[{"reference": clinic.organization}],
            sourceAttachment={"url": "https://clinic.example/scan/1"},
            policy=[{"uri": ATTESTED}],
        ),
        clinic.admin,
    )
    made = clinic.world.create(observation(clinic.patient), clinic.admin)
    bundle = clinic.search(f"Observation?patient={clinic.patient}", clinic.ehr)
    row = len(clinic.world.audited()) - 1

    [record] = asked_of(clinic, "Q11", "Part 2 records", row=row)

    assert record["version"] == f"Observation/{made['id']}/_history/1"
    assert record["has_statement"] is True
    [name] = record["consents"]
    [scope] = asked_of(clinic, "Q11", "scopes", row=row)
    assert (scope["consent"], scope["path"]) == (name, "provision")
    attached = bundle["entry"][-1]["resource"]["issue"][0]["diagnostics"]
    assert attached == f"Released under 42 CFR part 2 by {scope['explanation']}."


def test_a_decision_of_the_log_is_made_again_without_walking_it(clinic, monkeypatch):
    clinic.consented()
    clinic.deliver(heart_rate(1, "user-1"))
    clinic.world.clock.pass_s(1)
    clinic.found(f"Observation?patient={clinic.patient}")
    clinic.world.clock.pass_s(1)
    row = len(clinic.world.audited()) - 1
    services = clinic.world.deployment.services
    officer = Officer(user="officer", organizations=(clinic.organization,))
    caught_up(services)
    monkeypatch.setattr(audit_log, "entries", None)

    with services.database.read() as snapshot:
        report = replayed(Reader(services, snapshot, officer), row)

    [made] = report.table("replayed").rows()
    assert (made["result"], made["differences"]) == ("reproduced", ())


@pytest.mark.parametrize("number", [one for one in QUESTIONS if one != "Q13"])
def test_no_question_walks_the_log(told, number, monkeypatch):
    monkeypatch.setattr(audit_log, "entries", None)
    asked, table, _ = COUNTED[number]
    names = {"patient": told.clinic.patient, "lab": told.lab, "sensor": told.sensor}

    report = told.ask(
        number,
        **{
            name: names.get(value, value) if isinstance(value, str) else value
            for name, value in asked.items()
        },
    )

    assert report.table(table).columns


@pytest.mark.parametrize(
    ("number", "module", "reached"),
    [
        ("Q1", access, at(14, 25)),
        ("Q2", to_organization, at(13, 40)),
        ("Q10", releases, at(13, 50)),
        ("Q15", admin_events, at(14, 25)),
    ],
)
def test_a_report_that_is_too_long_says_how_far_it_reaches(
    told, monkeypatch, number, module, reached
):
    monkeypatch.setattr(module, "MAX_ROWS", 1)

    report = told.ask(number, patient=told.clinic.patient, organization=told.lab)

    assert not report.is_complete
    assert report.notes[0] == (
        f"Cut for its length: it reaches back to {reached.isoformat()}. "
        "Ask for a shorter time."
    )


def test_a_report_of_the_same_time_of_day_has_the_offset_of_its_zone(told):
    services = told.clinic.world.deployment.services

    def first(zone):
        officer = Officer(user="officer", organizations=None, zone=zone)
        with services.database.read() as snapshot:
            report = ask(
                Reader(services, snapshot, officer),
                "Q2",
                Asked(organization=told.lab),
            )
        return next(report.table("disclosures").rows())["when"].isoformat()

    assert first("Europe/Madrid") == "2026-11-20T13:30:00+01:00"
    assert first("UTC") == "2026-11-20T12:30:00+00:00"
    assert first("Asia/Kathmandu") == "2026-11-20T18:15:00+05:45"
