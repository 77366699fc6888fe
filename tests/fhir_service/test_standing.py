"""Patients and who stands for them, as the gate will ask of people who log in."""

from dataclasses import replace

import pytest
from worlds import RESTING, classes, consent, observation, permit, purposes

from consent.audit.entry import Basis, BasisKind
from fhir_service.auth.bearer import authenticate
from fhir_service.storage import patients, types

PHQ9 = "44261-6"
ROLE = "http://terminology.hl7.org/CodeSystem/v3-RoleCode"


@pytest.fixture
def denied(clinic):
    """Return the clinic with a child of whom every Observation is denied."""
    admin = clinic.admin
    clinic.world.apps = set()
    child = clinic.world.get(f"/fhir/Patient/{clinic.patient}", admin).json
    clinic.world.update({**child, "birthDate": "2013-01-01"}, admin)
    for code in (RESTING, PHQ9):
        clinic.world.create(observation(clinic.patient, code), admin)
    clinic.consented()
    hidden = {"type": "deny", "class": classes("Observation")}
    clinic.world.create(consent(clinic.patient, hidden), admin)
    return clinic


def parent(clinic, patient_id=None, **more):
    resource = {
        "resourceType": "RelatedPerson",
        "active": True,
        "patient": {"reference": f"Patient/{patient_id or clinic.patient}"},
        "relationship": [{"coding": [{"system": ROLE, "code": "FTH"}]}],
        "period": {"start": "2013-01-01", "end": "2026-12-31"},
        **more,
    }
    return clinic.world.create(resource, clinic.admin)


def seen(clinic, user, purpose="PATRQT"):
    """Return what the gate lets a person see of the patient, and on what ground."""
    services = clinic.world.deployment.services
    app = f"app-for-{purpose}"
    headers = {"Authorization": f"Bearer token-of-{app}"}
    if app not in clinic.world.apps:
        clinic.world.client(app, "system/*.rs", purposes=(purpose,))
        clinic.world.apps.add(app)
    type_id = types.number_of("Patient")
    with services.database.read() as snapshot:
        grant = authenticate(snapshot, headers["Authorization"], services.clock())
        grant = replace(grant, user=user, individual_known=user is not None)
        state = patients.by_id(snapshot, type_id, clinic.patient)
        decided = services.gate.view(snapshot, grant, state, "Observation")
        views = services.gate.everybody(snapshot, grant, "Observation")
        everybody = views.everybody()
        codes = services.repository.signatures.of(snapshot, state)
        found = {
            code
            for one in codes
            for formula, ids in decided.view.groups
            if formula is True and one.id in ids
            for _, code in one.facets.codes.principal
        }
        assert {id_ for _, ids in everybody.groups for id_ in ids} == {
            id_ for _, ids in decided.view.groups for id_ in ids
        }
        assert views.of([state.key]) == {state.key: decided.view}
    return found, decided.basis


def test_a_patient_is_not_kept_from_his_own_data(denied):
    found, basis = seen(denied, f"Patient/{denied.patient}")

    assert found == {RESTING, PHQ9}
    assert basis[0] == Basis(BasisKind.OVERLAY, "self/1")


def test_a_patient_is_not_somebody_else(denied):
    other = denied.another_patient()

    assert seen(denied, f"Patient/{other}")[0] == set()
    assert seen(denied, None)[0] == set()


def test_for_another_purpose_the_consents_decide(denied):
    assert seen(denied, f"Patient/{denied.patient}", "HRESCH")[0] == set()


def test_a_parent_sees_of_an_adolescent_what_is_normal(denied):
    father = parent(denied)

    found, basis = seen(denied, f"RelatedPerson/{father['id']}")

    assert found == {RESTING}
    assert basis[0] == Basis(BasisKind.OVERLAY, "representative-of-minor/1")


def test_an_authority_ends_with_the_next_request(denied):
    father = parent(denied)
    reference = f"RelatedPerson/{father['id']}"
    before = seen(denied, reference)[0]

    denied.world.update({**father, "active": False}, denied.admin)

    assert before == {RESTING}
    assert seen(denied, reference)[0] == set()


def test_an_authority_over_another_child_is_none_over_this_one(denied):
    father = parent(denied, denied.another_patient())

    assert seen(denied, f"RelatedPerson/{father['id']}")[0] == set()


def test_what_consents_permit_is_seen_besides(denied):
    stranger = parent(denied, relationship=[{"text": "neighbour"}])
    reference = f"RelatedPerson/{stranger['id']}"
    for one in denied.found("Consent"):
        denied.world.update({**one, "status": "inactive"}, denied.admin)
    denied.world.create(
        consent(denied.patient, permit(purpose=purposes("PATRQT"))), denied.admin
    )

    assert seen(denied, reference)[0] == {RESTING, PHQ9}


def test_a_user_that_is_no_reference_stands_for_nobody(denied):
    assert seen(denied, "somebody")[0] == set()
    assert seen(denied, "Patient/")[0] == set()
