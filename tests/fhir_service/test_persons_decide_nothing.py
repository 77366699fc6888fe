"""No token of a person writes what decides who may see what: she would permit herself.

docs/security.md states the promise.
"""

import pytest
from worlds import (
    Clinic,
    Headers,
    Json,
    actor,
    classes,
    consent,
    observation,
    patient,
    permit,
    purposes,
)

from fhir_service.auth.scopes import DECIDING

EVERYTHING = "patient/*.cruds user/*.cruds"


@pytest.fixture
def house(clinic: Clinic) -> str:
    """Return another organization: where she works who snoops."""
    founder = clinic.world.client("second", "system/Organization.c")
    made = clinic.world.create(
        {"resourceType": "Organization", "name": "Elsewhere"}, founder
    )
    return f"Organization/{made['id']}"


def practitioner(clinic: Clinic) -> str:
    made = clinic.world.create({"resourceType": "Practitioner"}, clinic.admin)
    return f"Practitioner/{made['id']}"


def clinician(clinic: Clinic, reference: str, organization: str) -> Headers:
    return clinic.world.person(
        "clinician",
        EVERYTHING,
        reference=reference,
        organization=organization,
        patient=clinic.patient,
    )


def read(clinic: Clinic, id_: str, who: Headers) -> int:
    status: int = clinic.world.get(f"/fhir/Observation/{id_}", who).status_code
    return status


def member(reference: str) -> Json:
    return {"entity": {"reference": reference}}


def test_a_practitioner_files_no_consent_not_even_at_the_custodian(clinic) -> None:
    me = practitioner(clinic)
    own = clinic.world.create(observation(clinic.patient), clinic.admin)["id"]
    app = clinician(clinic, me, clinic.organization)

    filed = clinic.world.send(
        "POST", "/fhir/Consent", consent(clinic.patient, permit(actor=actor(me))), app
    )

    assert filed.status_code == 403
    assert read(clinic, own, app) == 404


def test_a_practitioner_withdraws_no_consent(clinic) -> None:
    made = clinic.consented()
    app = clinician(clinic, practitioner(clinic), clinic.organization)
    path = f"/fhir/Consent/{made['id']}"

    answers = [
        clinic.world.send("PUT", path, {**made, "status": "inactive"}, app),
        clinic.world.send("DELETE", path, b"", app),
    ]

    assert [one.status_code for one in answers] == [403, 403]


def test_a_practitioner_gives_herself_no_role(clinic, house) -> None:
    me = practitioner(clinic)
    clinic.consented()
    own = clinic.world.create(observation(clinic.patient), clinic.admin)["id"]
    app = clinician(clinic, me, house)

    made = clinic.world.send(
        "POST",
        "/fhir/PractitionerRole",
        {
            "resourceType": "PractitionerRole",
            "practitioner": {"reference": me},
            "organization": {"reference": clinic.organization},
        },
        app,
    )

    assert made.status_code == 403
    assert read(clinic, own, app) == 404


def test_a_practitioner_joins_no_group(clinic, house) -> None:
    me, permitted = practitioner(clinic), practitioner(clinic)
    group = clinic.world.create(
        {
            "resourceType": "Group",
            "type": "practitioner",
            "actual": True,
            "member": [member(permitted)],
        },
        clinic.admin,
    )
    clinic.world.create(
        consent(clinic.patient, permit(actor=actor(f"Group/{group['id']}"))),
        clinic.admin,
    )
    own = clinic.world.create(observation(clinic.patient), clinic.admin)["id"]
    app = clinician(clinic, me, house)
    joined = {**group, "member": [member(permitted), member(me)]}

    answer = clinic.world.send("PUT", f"/fhir/Group/{group['id']}", joined, app)

    assert answer.status_code == 403
    assert read(clinic, own, app) == 404


def test_a_practitioner_joins_no_care_team_that_exists(clinic) -> None:
    """Of the custodian, who sees the patient but not what the team alone may see."""
    me, permitted = practitioner(clinic), practitioner(clinic)
    team = clinic.world.create(
        {
            "resourceType": "CareTeam",
            "status": "active",
            "subject": {"reference": f"Patient/{clinic.patient}"},
            "participant": [{"member": {"reference": permitted}}],
        },
        clinic.admin,
    )
    of_team = permit(actor=actor(f"CareTeam/{team['id']}"))
    teams = permit(**{"class": classes("CareTeam", "Patient")})
    for provision in (of_team, teams):
        clinic.world.create(consent(clinic.patient, provision), clinic.admin)
    own = clinic.world.create(observation(clinic.patient), clinic.admin)["id"]
    app = clinician(clinic, me, clinic.organization)
    path = f"/fhir/CareTeam/{team['id']}"
    assert clinic.world.get(path, app).status_code == 200
    joined = [*team["participant"], {"member": {"reference": me}}]

    answer = clinic.world.send("PUT", path, {**team, "participant": joined}, app)

    assert answer.status_code == 422
    assert read(clinic, own, app) == 404


def test_a_practitioner_hands_no_patient_over(clinic, house) -> None:
    clinic.consented()
    app = clinician(clinic, practitioner(clinic), clinic.organization)
    handed = {**patient(house), "id": clinic.patient}

    answer = clinic.world.send("PUT", f"/fhir/Patient/{clinic.patient}", handed, app)

    assert answer.status_code == 422


def test_a_practitioner_does_not_escape_a_denial_by_her_identifier(
    clinic, house
) -> None:
    npi = {"system": "http://hl7.org/fhir/sid/us-npi", "value": "9941339108"}
    made = clinic.world.create(
        {"resourceType": "Practitioner", "identifier": [npi]}, clinic.admin
    )
    denied = [{**actor("Practitioner/x")[0], "reference": {"identifier": npi}}]
    clinic.world.create(
        consent(
            clinic.patient,
            permit(
                purpose=purposes("TREAT"),
                provision=[{"type": "deny", "actor": denied}],
            ),
        ),
        clinic.admin,
    )
    own = clinic.world.create(observation(clinic.patient), clinic.admin)["id"]
    app = clinician(clinic, f"Practitioner/{made['id']}", house)
    assert read(clinic, own, app) == 404

    answer = clinic.world.send(
        "PUT",
        f"/fhir/Practitioner/{made['id']}",
        {"resourceType": "Practitioner", "id": made["id"]},
        app,
    )

    assert answer.status_code == 403
    assert read(clinic, own, app) == 404


@pytest.mark.parametrize("type_", sorted(DECIDING))
@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
def test_what_decides_is_written_by_no_person(clinic, type_: str, method: str) -> None:
    app = clinician(clinic, practitioner(clinic), clinic.organization)
    path = f"/fhir/{type_}" if method == "POST" else f"/fhir/{type_}/x"

    answer = clinic.world.send(method, path, {"resourceType": type_, "id": "x"}, app)

    assert answer.status_code == 403
    assert 'error="insufficient_scope"' in answer.headers["WWW-Authenticate"]
