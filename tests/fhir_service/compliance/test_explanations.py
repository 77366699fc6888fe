"""Which accesses are explained, by what, and which are left for an officer."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from worlds import (
    Clinic,
    actor,
    consent,
    furnish,
    heart_rate,
    opened_world,
    permit,
    purposes,
)

from consent.audit.entry import AuditRecord, Interaction, Outcome, decode, encode
from fhir_service.compliance.explanation_codes import WORDS, Code, worse
from fhir_service.compliance.explanations import (
    ASKING,
    CHUNK,
    Explainer,
    explanation_of,
)
from fhir_service.compliance.progress import explained
from fhir_service.storage import audit_log, audit_reindex, audit_search, break_glass
from fhir_service.storage.audit_filter import AuditFilter
from fhir_service.storage.break_glass import BreakGlass

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)


@dataclass
class Ward:
    """A clinic with a doctor whose app may read, once a consent permits it."""

    clinic: Clinic
    doctor: str
    headers: Any

    def create(self, resource: dict[str, Any]) -> dict[str, Any]:
        return self.clinic.world.create(resource, self.clinic.admin)

    def permit_the_clinic(self) -> None:
        """Permit everybody, so that the consent itself explains nobody's access."""
        provision = permit(purpose=purposes("TREAT", "BTG"))
        self.create(consent(self.clinic.patient, provision))

    def read(self, headers: Any = None) -> int:
        """Read the patient; return the row of the log."""
        path = f"/fhir/Patient/{self.clinic.patient}"
        self.clinic.world.get(path, headers or self.headers)
        return len(self.clinic.world.audited()) - 1

    def explain(self, index: int) -> tuple[Code, str] | None:
        """Return the stored code of a row, and the evidence as found now."""
        services = self.clinic.world.deployment.services
        explained(services)
        with services.database.read() as snapshot:
            found = explanation_of(snapshot, index)
            again = Explainer(services).explain(snapshot, index)
        if found is None:
            assert again is None
            return None
        assert again is not None
        assert again.code is found.code
        assert found.words == WORDS[found.code]
        return found.code, again.evidence

    def appointment(self, days: int, **more: Any) -> dict[str, Any]:
        start = NOW + timedelta(days=days)
        return {
            "resourceType": "Appointment",
            "status": "booked",
            "start": start.isoformat(),
            "end": (start + timedelta(minutes=30)).isoformat(),
            "participant": [
                {
                    "actor": {"reference": f"Patient/{self.clinic.patient}"},
                    "status": "accepted",
                },
                {"actor": {"reference": self.doctor}, "status": "accepted"},
            ],
            **more,
        }

    def encounter(self, start: str, end: str) -> dict[str, Any]:
        return {
            "resourceType": "Encounter",
            "status": "finished",
            "class": {"code": "AMB"},
            "subject": {"reference": f"Patient/{self.clinic.patient}"},
            "participant": [{"individual": {"reference": self.doctor}}],
            "period": {"start": start, "end": end},
        }

    def team(self, member: str, **more: Any) -> dict[str, Any]:
        return {
            "resourceType": "CareTeam",
            "status": "active",
            "subject": {"reference": f"Patient/{self.clinic.patient}"},
            "participant": [{"member": {"reference": member}}],
            **more,
        }


@pytest.fixture
def ward(clinic: Clinic) -> Ward:
    return warded(clinic)


def warded(clinic: Clinic) -> Ward:
    made = clinic.world.create({"resourceType": "Practitioner"}, clinic.admin)
    doctor = f"Practitioner/{made['id']}"
    headers = clinic.world.person(
        "doctor", "user/*.rs", reference=doctor, organization=clinic.organization
    )
    ward = Ward(clinic=clinic, doctor=doctor, headers=headers)
    ward.permit_the_clinic()
    return ward


def test_an_access_that_nothing_ties_to_the_patient_is_unexplained(ward):
    index = ward.read()

    assert ward.explain(index) == (Code.UNEXPLAINED, "")


def test_an_officer_finds_the_unexplained_ones_alone(ward):
    unexplained = ward.read()
    services = ward.clinic.world.deployment.services
    explained(services)
    ward.create(ward.appointment(3))
    ward.read()
    explained(services)

    with services.database.read() as snapshot:
        found = audit_search.find(snapshot, AuditFilter(is_unexplained=True), count=10)

    assert found == [unexplained]


def test_a_participant_of_the_care_team_is_explained(ward):
    made = ward.create(ward.team(ward.doctor))

    assert ward.explain(ward.read()) == (Code.CARE_TEAM, f"CareTeam/{made['id']}")


def test_a_role_of_hers_in_the_care_team_explains_her(ward):
    role = ward.create(
        {
            "resourceType": "PractitionerRole",
            "practitioner": {"reference": ward.doctor},
            "organization": {"reference": ward.clinic.organization},
        }
    )
    made = ward.create(ward.team(f"PractitionerRole/{role['id']}"))

    assert ward.explain(ward.read()) == (Code.CARE_TEAM, f"CareTeam/{made['id']}")


@pytest.mark.parametrize(
    "more",
    [{"status": "inactive"}, {"period": {"end": "2026-11-01"}}],
    ids=["inactive", "over"],
)
def test_a_care_team_of_before_explains_nothing(ward, more):
    ward.create(ward.team(ward.doctor, **more))

    assert ward.explain(ward.read()) == (Code.UNEXPLAINED, "")


def test_an_organization_in_the_care_team_explains_none_of_its_people(ward):
    ward.create(ward.team(ward.clinic.organization))

    assert ward.explain(ward.read()) == (Code.UNEXPLAINED, "")


def test_the_care_team_of_another_patient_explains_nothing(ward):
    other = ward.clinic.another_patient("user-2")
    team = ward.team(ward.doctor)
    ward.create({**team, "subject": {"reference": f"Patient/{other}"}})

    assert ward.explain(ward.read()) == (Code.UNEXPLAINED, "")


def test_the_general_practitioner_is_explained(ward):
    clinic = ward.clinic
    patient = clinic.world.get(f"/fhir/Patient/{clinic.patient}", clinic.admin).json
    patient["generalPractitioner"] = [{"reference": ward.doctor}]
    clinic.world.update(patient, clinic.admin)

    assert ward.explain(ward.read()) == (
        Code.CARE_TEAM,
        f"Patient/{clinic.patient} generalPractitioner",
    )


@pytest.mark.parametrize(
    ("days", "code"),
    [
        (29, Code.VISIT),
        (31, Code.UNEXPLAINED),
        (-29, Code.VISIT),
        (-31, Code.UNEXPLAINED),
    ],
)
def test_an_appointment_explains_for_30_days_around_it(ward, days, code):
    ward.create(ward.appointment(days))

    assert ward.explain(ward.read())[0] is code


def test_an_appointment_that_was_cancelled_explains_nothing(ward):
    ward.create(ward.appointment(3, status="cancelled"))

    assert ward.explain(ward.read()) == (Code.UNEXPLAINED, "")


@pytest.mark.parametrize(
    ("end", "code"), [("2026-10-22", Code.VISIT), ("2026-10-20", Code.UNEXPLAINED)]
)
def test_an_encounter_explains_for_30_days_after_it(ward, end, code):
    ward.create(ward.encounter("2026-09-01", end))

    assert ward.explain(ward.read())[0] is code


def test_an_order_explains_its_requester(ward):
    made = ward.create(
        {
            "resourceType": "ServiceRequest",
            "status": "active",
            "intent": "order",
            "subject": {"reference": f"Patient/{ward.clinic.patient}"},
            "authoredOn": "2026-11-10",
            "requester": {"reference": ward.doctor},
        }
    )

    assert ward.explain(ward.read()) == (Code.ORDER, f"ServiceRequest/{made['id']}")


@pytest.mark.parametrize(
    ("named", "code"),
    [
        ("doctor", Code.CONSENT_NAMES_PERSON),
        ("organization", Code.CONSENT_NAMES_ORGANIZATION),
    ],
)
def test_a_consent_explains_whom_it_names_and_says_where(ward, named, code):
    name = ward.doctor if named == "doctor" else ward.clinic.organization
    nested = permit(actor=actor(name), purpose=purposes("TREAT"))
    provision = {"type": "deny", "provision": [nested]}
    made = ward.create(consent(ward.clinic.patient, provision))

    assert ward.explain(ward.read()) == (
        code,
        f"Consent/{made['id']}/_history/1 provision.provision[0]",
    )


def test_a_consent_that_denies_her_by_name_explains_nothing(ward):
    provision = permit(provision=[{"type": "deny", "actor": actor(ward.doctor)}])
    ward.create(consent(ward.clinic.patient, provision))

    assert ward.explain(ward.read()) == (Code.UNEXPLAINED, "")


def test_a_patient_is_explained_by_herself(ward):
    clinic = ward.clinic
    name = f"Patient/{clinic.patient}"
    headers = clinic.world.person(
        "self", "patient/*.rs", role="patient", reference=name, patient=clinic.patient
    )

    assert ward.explain(ward.read(headers)) == (Code.OWN, name)


@pytest.mark.parametrize("is_of_patient", [True, False])
def test_a_representative_is_explained_for_her_own_patient(ward, is_of_patient):
    clinic = ward.clinic
    whose = clinic.patient if is_of_patient else clinic.another_patient("user-2")
    made = ward.create(
        {
            "resourceType": "RelatedPerson",
            "active": True,
            "patient": {"reference": f"Patient/{whose}"},
        }
    )
    name = f"RelatedPerson/{made['id']}"
    headers = clinic.world.person(
        "mother",
        "patient/*.rs",
        role="representative",
        reference=name,
        patient=clinic.patient,
    )

    found = ward.explain(ward.read(headers))

    assert found == ((Code.OWN, name) if is_of_patient else (Code.UNEXPLAINED, ""))


@pytest.mark.parametrize(
    ("minutes", "code"), [(60, Code.BREAK_GLASS), (-1, Code.UNEXPLAINED)]
)
def test_an_emergency_explains_while_it_lasts(ward, minutes, code):
    clinic = ward.clinic
    attest(ward, user="hurried", until_s=minutes * 60)
    headers = clinic.world.person(
        "hurried",
        "user/*.rs",
        reference=ward.doctor,
        organization=clinic.organization,
        patient=clinic.patient,
        purposes=("BTG",),
        is_attested=True,
    )

    assert ward.explain(ward.read(headers))[0] is code


def attest(ward: Ward, *, user: str, until_s: int) -> None:
    world = ward.clinic.world
    now = world.clock()
    services = world.deployment.services
    pseudonym = services.pseudonym(ward.clinic.patient)

    def work(job: Any) -> None:
        known = services.pseudonyms.patient(job, pseudonym)
        break_glass.add(
            job,
            BreakGlass(
                break_glass_id="one",
                user_id=user,
                patient_key=known.key,
                patient=ward.clinic.patient,
                organization=ward.clinic.organization,
                reason="ETREAT",
                note=b"",
                started=now - 120_000_000,
                expires=now + until_s * 1_000_000,
            ),
        )

    world.deployment.database.write(work)


def test_a_system_of_the_custodian_is_explained_by_operations(ward):
    clinic = ward.clinic

    found = ward.explain(ward.read(clinic.ehr))

    assert found == (Code.OPERATIONS, clinic.organization)


def test_a_system_of_another_organization_is_not(ward):
    stranger = ward.clinic.world.client(
        "stranger", "system/*.rs", organization="Organization/elsewhere"
    )

    assert ward.explain(ward.read(stranger)) == (Code.UNEXPLAINED, "")


def test_a_system_that_asks_for_research_is_not(ward):
    clinic = ward.clinic
    study = clinic.world.client(
        "study",
        "system/*.rs",
        organization=clinic.organization,
        purposes=("HRESCH",),
    )

    assert ward.explain(ward.read(study)) == (Code.UNEXPLAINED, "")


def test_a_delivery_of_a_device_is_explained(ward):
    ward.clinic.deliver(heart_rate(1, "user-1"))
    index = len(ward.clinic.world.audited()) - 1

    assert ward.explain(index) == (Code.DEVICE, "")


def test_what_concerns_no_patient_needs_no_explanation(ward):
    ward.clinic.world.get("/fhir/metadata", {})
    index = len(ward.clinic.world.audited()) - 1

    assert ward.explain(index) is None


def test_of_several_patients_the_worst_counts(ward):
    other = ward.clinic.another_patient("user-2")
    ward.create(consent(other, permit(purpose=purposes("TREAT"))))
    ward.create(ward.team(ward.doctor))
    ward.clinic.world.get("/fhir/Patient", ward.headers)
    index = len(ward.clinic.world.audited()) - 1
    pseudonym = ward.clinic.world.deployment.services.pseudonym(other)
    assert pseudonym in ward.clinic.world.audited()[index].patients

    assert ward.explain(index) == (Code.UNEXPLAINED, "")


def test_what_explains_less_is_worse():
    assert worse(Code.OWN, Code.OPERATIONS) is Code.OPERATIONS
    assert worse(Code.UNEXPLAINED, Code.OPERATOR) is Code.UNEXPLAINED
    assert set(WORDS) == set(Code)


@pytest.fixture
def elsewhere(tmp_path, template, database_url):
    """Yield a ward on each database."""
    with opened_world(
        tmp_path, template, name="ward", database_url=database_url
    ) as world:
        yield warded(furnish(world))


def test_every_row_is_explained_once_and_the_same_again(elsewhere):
    for _ in range(3):
        elsewhere.read()
    elsewhere.create(elsewhere.appointment(2))
    for _ in range(CHUNK):
        elsewhere.read()
    services = elsewhere.clinic.world.deployment.services
    one, other = Explainer(services), Explainer(services)
    services.audit_index.catch_up(services.database)
    one.explain_some(50)
    other.explain_some(50)
    other.catch_up()
    one.catch_up()
    first = stored(elsewhere)

    services.database.write(audit_reindex.forget)
    explained(services)

    assert [index for index, code in first.items() if code is Code.UNEXPLAINED] == []
    assert stored(elsewhere) == first
    assert set(first) == expected(elsewhere)


def stored(ward: Ward) -> dict[int, Code]:
    with ward.clinic.world.deployment.database.read() as snapshot:
        size = len(list(audit_log.entries(snapshot)))
        found = {index: explanation_of(snapshot, index) for index in range(size)}
    return {index: one.code for index, one in found.items() if one is not None}


def expected(ward: Ward) -> set[int]:
    with ward.clinic.world.deployment.database.read() as snapshot:
        rows = {
            index: decode(bytes(leaf), unseal=lambda _: None)
            for index, leaf, _ in audit_log.entries(snapshot)
        }
    return {
        index
        for index, one in rows.items()
        if one.patients and one.interaction in ASKING
    }


def test_an_export_by_an_officer_is_oversight(ward):
    services = ward.clinic.world.deployment.services
    record = AuditRecord(
        time_us=ward.clinic.world.clock(),
        interaction=Interaction.EXPORT,
        outcome=Outcome.ALLOWED,
        user="officer",
        patients=(services.pseudonym(ward.clinic.patient),),
    )
    services.database.log([encode(record, seal=lambda text: text)]).result()

    assert ward.explain(len(ward.clinic.world.audited()) - 1) == (Code.OVERSIGHT, "")
