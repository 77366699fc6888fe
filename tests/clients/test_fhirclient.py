"""SMART's Python client, called as its documentation shows.

https://github.com/smart-on-fhir/client-py
"""

import pytest
from fhirclient.client import FHIRClient
from fhirclient.models.bundle import Bundle
from fhirclient.models.observation import Observation
from fhirclient.models.patient import Patient
from fhirclient.server import FHIRNotFoundException, FHIRUnauthorizedException
from worlds import LOINC, STEPS

CLIENT = "fhirclient-py"


@pytest.fixture(scope="module")
def registered(practice):
    practice.service.register(CLIENT, "system/*.cruds", practice.organization)
    return practice.service


@pytest.fixture
def smart(registered, practice):
    """Return the client, authorized as a backend service by a signed assertion."""
    made = FHIRClient(
        settings={
            "app_id": CLIENT,
            "api_base": practice.base,
            "scope": "system/*.read system/*.write",
            "jwt_token": registered.assertion(CLIENT),
        }
    )
    made.prepare()
    made.authorize()
    assert made.ready
    return made


def test_the_endpoints_of_authorization_are_found_in_the_capability_statement(practice):
    made = FHIRClient(settings={"app_id": "any", "api_base": practice.base})
    made.prepare()

    assert made.server.auth.auth_type == "oauth2"
    assert made.server.auth._token_uri == f"{practice.service.url}/auth/token"


def test_without_a_token_nothing_is_read(practice):
    made = FHIRClient(settings={"app_id": "any", "api_base": practice.base})

    with pytest.raises(FHIRUnauthorizedException):
        Patient.read(practice.patient, made.server)


def test_what_is_created_is_read_updated_and_deleted(smart, practice):
    person = Patient(practice.person("py-1"))
    made = person.create(smart.server)

    read = Patient.read(made["id"], smart.server)
    assert read.name[0].family == "Nakamura"
    assert read.meta.versionId == "1"

    read.name[0].family = "Nakamura-Smith"
    updated = read.update()
    assert updated["meta"]["versionId"] == "2"
    assert Patient.read(made["id"], smart.server).name[0].family == "Nakamura-Smith"

    Patient.read(made["id"], smart.server).delete()
    with pytest.raises(Exception, match="410"):
        Patient.read(made["id"], smart.server)


def test_a_search_is_read_to_its_last_page(smart, practice):
    search = Observation.where(
        {"patient": practice.patient, "_sort": "-date", "_count": "10"}
    )

    pages = list(search.perform_iter(smart.server))

    found = [entry.resource.id for page in pages for entry in page.entry]
    assert len(pages) == 3
    assert tuple(found) == practice.observations


def test_a_search_by_code_and_date_finds_what_both_allow(smart, practice):
    search = Observation.where(
        {
            "subject": f"Patient/{practice.patient}",
            "code": f"{LOINC}|{STEPS}",
            "date": {"$and": ["ge2026-03-05", "lt2026-03-20"]},
        }
    )

    found = list(search.perform_resources_iter(smart.server))

    assert {one.effectiveDateTime.isostring[:10] for one in found} == {
        "2026-03-06",
        "2026-03-11",
        "2026-03-16",
    }


def test_a_transaction_is_answered_entry_by_entry(smart, practice):
    person = practice.person("py-transaction")
    entries = [
        {
            "fullUrl": "urn:uuid:8a7e1e3c-6a44-4c07-9d5f-2e4b5b1c0a01",
            "resource": person,
            "request": {"method": "POST", "url": "Patient"},
        },
        {
            "resource": {
                "resourceType": "RelatedPerson",
                "patient": {
                    "reference": "urn:uuid:8a7e1e3c-6a44-4c07-9d5f-2e4b5b1c0a01"
                },
            },
            "request": {"method": "POST", "url": "RelatedPerson"},
        },
    ]
    bundle = Bundle({"resourceType": "Bundle", "type": "transaction", "entry": entries})

    answer = Bundle(bundle.create(smart.server))

    assert answer.type == "transaction-response"
    assert [one.response.status[:3] for one in answer.entry] == ["201", "201"]


def test_what_does_not_exist_is_the_client_s_own_exception(smart):
    with pytest.raises(FHIRNotFoundException):
        Patient.read("nobody", smart.server)
