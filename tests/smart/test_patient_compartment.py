"""A `patient/` scope is held to one patient on every path.

https://hl7.org/fhir/smart-app-launch/STU2.2/scopes-and-launch-context.html#patient-specific-scopes
"""

import sys
from pathlib import Path

import pytest
from smart_flow import tokens
from smart_person import Wish

sys.path.insert(0, str(Path(__file__).parents[1] / "fhir_service"))

from worlds import actor, consent, permit, purposes


@pytest.fixture(scope="module")
def held(practitioner, apps, clinic):
    """Return a token for one patient, of a person who may see both."""
    wish = Wish(patient=clinic.patient)
    given = tokens(practitioner, apps["secret-app"], "patient/*.cruds", wish)
    return given["access_token"]


@pytest.fixture(scope="module")
def free(practitioner, apps):
    """Return a token of the same person that is not held to one patient."""
    return tokens(practitioner, apps["secret-app"], "user/*.cruds")["access_token"]


def test_the_same_person_may_see_both_without_the_patient_scope(free, service, clinic):
    for id_ in clinic.patients:
        assert service.get(f"Patient/{id_}", free).status_code == 200
    assert service.get(f"Observation/{clinic.foreign}", free).status_code == 200


@pytest.mark.parametrize(
    "path",
    [
        "Patient/{other}",
        "Patient/{other}/_history",
        "Patient/{other}/_history/1",
        "Patient/{other}/$everything",
        "Observation/{foreign}",
        "Observation/{foreign}/_history",
        "Observation/{foreign}/_history/1",
        "Encounter/{encounter}",
        "Patient/{other}/Observation",
        "Patient/{other}/Condition",
    ],
)
def test_another_patient_is_as_if_she_were_not_there(path, held, service, clinic):
    answer = service.get(
        path.format(
            other=clinic.other, foreign=clinic.foreign, encounter=clinic.encounters[1]
        ),
        held,
    )

    if answer.status_code == 200:
        assert answer.json().get("total", 0) == 0
        assert not answer.json().get("entry")
    else:
        assert answer.status_code in {403, 404}
    assert clinic.foreign not in answer.text or "Observation/" in path


@pytest.mark.parametrize("type_", ["Patient", "Observation", "Condition", "Encounter"])
def test_a_search_without_a_patient_finds_hers_alone(type_, held, service, clinic):
    found = service.found(f"{type_}?_count=100", held)

    assert found
    for one in found:
        about = one.get("subject", {"reference": f"Patient/{one['id']}"})
        assert about["reference"] == f"Patient/{clinic.patient}"


@pytest.mark.parametrize(
    "path",
    [
        "Observation?patient={other}",
        "Observation?subject=Patient/{other}",
        "Observation?_id={foreign}",
        "Patient?_id={other}",
        "Patient?identifier=second",
        "Condition?patient={other}",
        "Encounter?patient={other}",
        "Observation?patient.identifier=second",
        "Observation?subject:Patient.name=second",
        "Observation?patient={other}&_include=Observation:patient",
        "Patient?_id={other}&_revinclude=Observation:patient",
        "Patient?identifier=second&_has:Observation:patient:code=8867-4",
        "Patient?_id={other}&_has:Condition:patient:code=35489007",
    ],
)
def test_no_search_finds_another_patient(path, held, service, clinic):
    asked = path.format(other=clinic.other, foreign=clinic.foreign)

    answer = service.get(f"{asked}&_total=accurate", held)

    assert answer.status_code == 200, answer.text
    assert answer.json()["total"] == 0
    assert not answer.json().get("entry")


@pytest.mark.parametrize(
    "path",
    ["Observation/_history", "Patient/_history", "_history", "Encounter/_history"],
)
def test_no_history_tells_of_another_patient(path, held, service, clinic):
    answer = service.get(f"{path}?_count=100", held)

    assert answer.status_code in {200, 403}
    for hidden in (clinic.other, clinic.foreign, clinic.encounters[1]):
        assert hidden not in answer.text


def test_a_search_of_several_types_tells_of_her_alone(held, service, clinic):
    answer = service.get("?_type=Observation,Patient&_count=100", held)

    assert answer.status_code == 200
    assert clinic.patient in answer.text
    assert clinic.other not in answer.text


def test_no_provenance_of_another_patient_is_seen(held, service, clinic):
    made = {
        "resourceType": "Provenance",
        "target": [{"reference": f"Observation/{clinic.foreign}"}],
        "recorded": "2026-03-01T09:00:00Z",
        "agent": [{"who": {"reference": clinic.organization}}],
    }
    hidden = clinic.create(made)

    assert service.get(f"Provenance/{hidden}", held).status_code in {403, 404}
    answer = service.get("Provenance?_count=100", held)
    assert clinic.foreign not in answer.text


def test_a_linked_patient_is_another(held, service, clinic):
    first = {"reference": f"Patient/{clinic.patient}"}
    made = {
        "resourceType": "Patient",
        "managingOrganization": {"reference": clinic.organization},
        "link": [{"other": first, "type": "seealso"}],
    }
    linked = clinic.create(made)
    agreed = permit(actor=actor(clinic.organization), purpose=purposes("TREAT"))
    clinic.create(consent(linked, agreed))

    assert service.get(f"Patient/{linked}", held).status_code in {403, 404}
    found = service.get(f"Patient?_id={linked}&_total=accurate", held)
    assert found.json()["total"] == 0


def test_nothing_is_written_about_another_patient(held, service, clinic):
    about = {"reference": f"Patient/{clinic.other}"}
    stored = service.get(f"Observation/{clinic.foreign}", clinic.keeper).json()
    made = {**stored, "subject": about}
    del made["id"]

    created = service.ask("POST", "Observation", held, json=made)
    path = f"Observation/{clinic.foreign}"
    updated = service.ask("PUT", path, held, json={**stored, "status": "amended"})
    deleted = service.ask("DELETE", path, held)

    assert created.status_code in {403, 422}
    assert updated.status_code in {403, 404}
    assert deleted.status_code in {403, 404}
    kept = service.get(path, clinic.keeper).json()
    assert kept["meta"]["versionId"] == stored["meta"]["versionId"]


def test_her_own_record_can_be_written(held, service, clinic):
    own = clinic.observations["laboratory"][0]
    made = service.get(f"Observation/{own}", clinic.keeper).json()
    del made["id"]

    created = service.ask("POST", "Observation", held, json=made)

    assert created.status_code == 201
    deleted = service.ask("DELETE", f"Observation/{created.json()['id']}", held)
    assert deleted.status_code in {200, 204}


def test_no_batch_reaches_another_patient(held, service, clinic):
    urls = [
        f"Patient/{clinic.patient}",
        f"Patient/{clinic.other}",
        f"Observation?patient={clinic.other}",
    ]
    bundle = {
        "resourceType": "Bundle",
        "type": "batch",
        "entry": [{"request": {"method": "GET", "url": url}} for url in urls],
    }

    answer = service.ask("POST", "", held, json=bundle)

    own, other, found = answer.json()["entry"]
    assert own["response"]["status"].startswith("200")
    assert other["response"]["status"][:3] in {"403", "404"}
    assert not found.get("resource", {}).get("entry")


def test_a_page_link_of_one_token_opens_nothing_to_another(held, free, service):
    bundle = service.get("Observation?_count=1", free).json()
    [url] = [one["url"] for one in bundle["link"] if one["relation"] == "next"]

    answer = service.get(url.removeprefix(f"{service.base}/"), held)

    assert answer.status_code in {400, 403, 404, 410}


def test_what_is_nobody_s_own_is_read(held, service, clinic):
    assert service.get(clinic.organization, held).status_code == 200
    path = f"Practitioner/{clinic.practitioner}"
    assert service.get(path, held).status_code == 200


def test_what_is_nobody_s_own_is_not_written(held, service):
    made = {"resourceType": "Practitioner", "active": True}

    assert service.ask("POST", "Practitioner", held, json=made).status_code == 403
