"""Whom a person may choose: herself, who she stands for, or whom she may see."""

from dataclasses import dataclass, replace

import pytest
from people import app, enrol, named, open_record, with_quick_passwords
from worlds import Clinic, actor, classes, consent, permit, purposes

from consent.audit.entry import Interaction
from fhir_service.auth.users import Role
from fhir_service.pages.patients import MOST, EncounterChoice, PatientChoice, Patients
from fhir_service.storage.accounts import Account
from fhir_service.storage.registrations import Client

ROLE_CODE = "http://terminology.hl7.org/CodeSystem/v3-RoleCode"
SYSTEM = "https://clinic.example/mrn"


@dataclass(frozen=True, kw_only=True)
class Ward:
    clinic: Clinic
    patients: Patients
    doctor: Account
    app: Client
    seen: PatientChoice
    hidden: str

    def found(self, text: str, **more) -> list[PatientChoice]:
        account, client = more.get("account", self.doctor), more.get("client", self.app)
        return self.patients.found(account, client, text)


@pytest.fixture
def ward(clinic: Clinic) -> Ward:
    world = with_quick_passwords(clinic.world)
    ids = []
    for family, number, permits in (("Muster", "mrn-1", True), ("Muster", "2", False)):
        made = world.create(
            named(
                family,
                "Organization/far",
                birthDate="1980-02-03",
                identifier=[{"system": SYSTEM, "value": number}],
            ),
            world.client(
                f"far-{number}", "system/*.cruds", organization="Organization/far"
            ),
        )
        ids.append(made["id"])
        if permits:
            world.create(
                open_record(made["id"]), {"Authorization": "Bearer token-of-far-mrn-1"}
            )
    doctor = enrol(
        world,
        "doctor",
        Role.PRACTITIONER,
        reference="Practitioner/1",
        organization=clinic.organization,
    )
    return Ward(
        clinic=clinic,
        patients=Patients(world.deployment),
        doctor=doctor,
        app=app(world),
        seen=PatientChoice(
            id=ids[0],
            name="Example Muster",
            born="1980-02-03",
            identifiers=("mrn-1",),
        ),
        hidden=ids[1],
    )


@pytest.mark.parametrize(
    "text",
    [
        "mrn-1",
        f"{SYSTEM}|mrn-1",
        "Muster",
        "must",
        "Example Muster",
        "muster exa",
        "1980-02-03",
        "  Muster  ",
    ],
)
def test_a_practitioner_finds_whom_consent_lets_her_see(ward: Ward, text: str) -> None:
    assert ward.found(text) == [ward.seen]


@pytest.mark.parametrize(
    "text",
    ["2", f"{SYSTEM}|2", "mrn", "urn:x|mrn-1", "Example Other", "1980-02-04"],
)
def test_what_is_hidden_and_what_is_not_there_look_the_same(
    ward: Ward, text: str
) -> None:
    assert ward.found(text) == []


@pytest.mark.parametrize(
    "text",
    [
        "",
        "   ",
        "x" * 129,
        "a\x00b",
        "1980-02-31",
        ",",
        "Muster,Other",
        "$",
        "\\",
        "|",
        "a|b|c",
        "%",
        "Mus*",
        "\ud800",
    ],
)
def test_what_cannot_be_looked_for_finds_nobody(ward: Ward, text: str) -> None:
    assert ward.found(text) == []


def test_a_name_with_separators_is_looked_for_as_it_is(ward: Ward) -> None:
    family = "Mu,ster$\\x"
    made = ward.clinic.world.create(
        named(family, ward.clinic.organization), ward.clinic.admin
    )

    assert [one.id for one in ward.found(family)] == [made["id"]]


def test_the_purposes_of_the_app_decide(ward: Ward) -> None:
    research = app(ward.clinic.world, "research", purposes=("HRESCH",))
    ward.clinic.world.create(
        consent(ward.hidden, permit(purpose=purposes("HRESCH"))),
        {"Authorization": "Bearer token-of-far-2"},
    )

    assert [one.id for one in ward.found("2", client=research)] == [ward.hidden]
    assert ward.found("2") == []


def test_a_practitioner_finds_nobody_by_a_purpose_that_is_not_hers(ward: Ward) -> None:
    for code in ("PATRQT", "BTG"):
        client = app(ward.clinic.world, f"app-{code}", purposes=(code,))
        ward.clinic.world.create(
            consent(ward.hidden, permit(purpose=purposes(code))),
            {"Authorization": "Bearer token-of-far-2"},
        )
        assert ward.found("2", client=client) == []


def test_the_organization_of_the_person_decides(ward: Ward) -> None:
    provision = permit(
        actor=actor(ward.clinic.organization), **{"class": classes("Patient")}
    )
    ward.clinic.world.create(
        consent(ward.hidden, provision), {"Authorization": "Bearer token-of-far-2"}
    )
    other = enrol(
        ward.clinic.world,
        "other",
        Role.PRACTITIONER,
        reference="Practitioner/2",
        organization="Organization/elsewhere",
    )

    assert [one.id for one in ward.found("2")] == [ward.hidden]
    assert ward.found("2", account=other) == []


def test_twenty_are_shown_at_most(ward: Ward) -> None:
    for _ in range(MOST + 1):
        ward.clinic.world.create(
            named("Crowd", ward.clinic.organization), ward.clinic.admin
        )

    assert len(ward.found("Crowd")) == MOST == 20


@pytest.mark.parametrize(
    ("role", "reference"),
    [
        (Role.PATIENT, "Patient/x"),
        (Role.RELATED_PERSON, "RelatedPerson/x"),
        (Role.COMPLIANCE_OFFICER, None),
        (Role.ADMINISTRATOR, None),
    ],
)
def test_nobody_but_a_practitioner_looks_up(
    ward: Ward, role: Role, reference: str | None
) -> None:
    account = enrol(ward.clinic.world, "somebody", role, reference=reference)

    assert ward.found("Muster", account=account) == []
    assert ward.patients.may_see(account, ward.app, ward.seen.id) is None


def test_a_look_up_is_audited_for_whom_it_showed_without_what_was_typed(
    ward: Ward,
) -> None:
    ward.patients.found(ward.doctor, ward.app, "Muster", "192.0.2.1")

    record = ward.clinic.world.audited()[-1]
    assert record.interaction is Interaction.SEARCH
    assert (record.client, record.user) == ("app", ward.doctor.user_id)
    assert record.patients == (
        ward.clinic.world.deployment.services.pseudonym(ward.seen.id),
    )
    assert record.address == "192.0.2.1"
    assert "Muster" not in repr(record)


def test_a_look_up_that_shows_nobody_is_audited(ward: Ward) -> None:
    known = len(ward.clinic.world.audited())

    ward.found("canary")

    [record] = ward.clinic.world.audited()[known:]
    assert record.request == "patients-looked-up"
    assert record.patients == ()
    assert "canary" not in repr(record)


def test_a_choice_is_audited(ward: Ward) -> None:
    chosen = ward.patients.may_see(ward.doctor, ward.app, ward.seen.id)

    assert chosen == ward.seen
    record = ward.clinic.world.audited()[-1]
    assert record.request == "patient-chosen"
    assert record.patients == (
        ward.clinic.world.deployment.services.pseudonym(ward.seen.id),
    )


@pytest.mark.parametrize("id_", ["", "nobody", "../x", "x" * 65, "Patient/x"])
def test_nobody_else_is_chosen(ward: Ward, id_: str) -> None:
    known = len(ward.clinic.world.audited())

    assert ward.patients.may_see(ward.doctor, ward.app, id_) is None
    assert ward.patients.may_see(ward.doctor, ward.app, ward.hidden) is None
    told = ward.clinic.world.audited()[known:]
    assert [(one.request, one.reason) for one in told] == [
        ("patients-looked-up", "hidden-patient")
    ] * 2
    pseudonym = ward.clinic.world.deployment.services.pseudonym(ward.hidden)
    assert [one.patients for one in told] == [(), (pseudonym,)]


def test_a_patient_chooses_herself_alone(ward: Ward) -> None:
    account = enrol(
        ward.clinic.world, "self", Role.PATIENT, reference=f"Patient/{ward.hidden}"
    )

    [own] = ward.patients.own(account)

    assert own.id == ward.hidden
    assert ward.patients.may_see(account, ward.app, ward.hidden) == own
    assert ward.patients.may_see(account, ward.app, ward.seen.id) is None
    assert ward.patients.own(ward.doctor) == []


def test_a_patient_whose_record_is_gone_has_none(ward: Ward) -> None:
    clinic = ward.clinic
    account = enrol(
        clinic.world, "gone", Role.PATIENT, reference=f"Patient/{clinic.patient}"
    )
    assert [one.id for one in ward.patients.own(account)] == [clinic.patient]

    answer = clinic.world.http.delete(
        f"/fhir/Patient/{clinic.patient}", headers=clinic.admin
    )

    assert answer.status_code in {200, 204}
    assert ward.patients.own(account) == []


def guardian(ward: Ward, **more) -> Account:
    """Return the account of a guardian of the clinic's patient."""
    made = ward.clinic.world.create(
        {
            "resourceType": "RelatedPerson",
            "active": True,
            "patient": {"reference": f"Patient/{ward.clinic.patient}"},
            "relationship": [{"coding": [{"system": ROLE_CODE, "code": "GUARD"}]}],
            "period": {"start": "2020-01-01", "end": "2026-11-20T13:00:00Z"},
            **more,
        },
        ward.clinic.admin,
    )
    return enrol(
        ward.clinic.world,
        "guardian",
        Role.RELATED_PERSON,
        reference=f"RelatedPerson/{made['id']}",
    )


def test_a_guardian_chooses_whom_she_stands_for(ward: Ward) -> None:
    account = guardian(ward)

    assert [one.id for one in ward.patients.own(account)] == [ward.clinic.patient]


def test_authority_ends_with_its_period(ward: Ward) -> None:
    account = guardian(ward)
    ward.clinic.world.clock.pass_s(2 * 3600)

    assert ward.patients.own(account) == []
    assert ward.patients.may_see(account, ward.app, ward.clinic.patient) is None


@pytest.mark.parametrize(
    "more",
    [
        {"active": False},
        {"period": {"start": "2026-12-01"}},
        {"relationship": [{"coding": [{"system": ROLE_CODE, "code": "FRND"}]}]},
    ],
)
def test_without_authority_there_is_nobody_to_choose(ward: Ward, more) -> None:
    assert ward.patients.own(guardian(ward, **more)) == []


def test_a_related_person_who_is_not_there_stands_for_nobody(ward: Ward) -> None:
    account = replace(guardian(ward), reference="RelatedPerson/none")

    assert ward.patients.own(account) == []


def test_encounters_are_those_that_may_be_seen_newest_first(ward: Ward) -> None:
    clinic = ward.clinic
    made = [
        clinic.world.create(
            {
                "resourceType": "Encounter",
                "status": "finished",
                "class": {
                    "system": "http://terminology.hl7.org/CodeSystem/v3-ActCode",
                    "code": "AMB",
                },
                "subject": {"reference": f"Patient/{clinic.patient}"},
                "period": {"start": f"2026-0{month}-01T10:00:00Z"},
            },
            clinic.admin,
        )["id"]
        for month in (1, 3, 2)
    ]
    assert ward.patients.encounters(ward.doctor, ward.app, clinic.patient) == []

    clinic.consented()

    assert ward.patients.encounters(ward.doctor, ward.app, clinic.patient) == [
        EncounterChoice(id=made[1], status="finished", begun="2026-03-01T10:00:00Z"),
        EncounterChoice(id=made[2], status="finished", begun="2026-02-01T10:00:00Z"),
        EncounterChoice(id=made[0], status="finished", begun="2026-01-01T10:00:00Z"),
    ]
    assert ward.patients.encounters(ward.doctor, ward.app, "../x") == []
