"""fhirpy, its blocking and its asynchronous client, called as its README shows.

https://github.com/beda-software/fhir-py
"""

import asyncio

import pytest
from fhirpy import AsyncFHIRClient, SyncFHIRClient
from fhirpy.base.exceptions import (
    AuthorizationError,
    OperationOutcome,
    ResourceNotFound,
)
from worlds import LOINC, STEPS


@pytest.fixture
def client(practice):
    return SyncFHIRClient(practice.base, authorization=f"Bearer {practice.token}")


@pytest.fixture
def asynchronous(practice):
    return AsyncFHIRClient(practice.base, authorization=f"Bearer {practice.token}")


def ids(resources):
    return tuple(resource.id for resource in resources)


def test_without_a_token_nothing_is_read(practice):
    anonymous = SyncFHIRClient(practice.base)

    with pytest.raises(AuthorizationError):
        anonymous.reference("Patient", practice.patient).to_resource()


def test_what_is_created_is_read_updated_refreshed_and_deleted(client, practice):
    person = client.resource("Patient", **practice.person("fhirpy-1"))
    person.save()
    read = client.reference("Patient", person.id).to_resource()
    assert read["name"][0]["given"] == ["fhirpy-1"]

    read["active"] = False
    read.save()
    person.refresh()

    assert person["active"] is False
    assert person["meta"]["versionId"] == "2"
    person.delete()
    with pytest.raises(ResourceNotFound):
        client.reference("Patient", person.id).to_resource()


def test_a_search_is_read_to_its_last_page(client, practice):
    found = client.resources("Observation").search(patient=practice.patient)

    every = found.sort("-date").limit(10).fetch_all()

    assert ids(every) == practice.observations


def test_pages_are_read_while_they_are_asked_for(client, practice):
    found = client.resources("Observation").search(patient=practice.patient)

    every = [one for one in found.sort("-date").limit(7)]  # noqa: C416 - as it shows

    assert ids(every) == practice.observations


def test_a_count_is_the_exact_total(client, practice):
    readings = client.resources("Observation").search(patient=practice.patient)

    assert readings.search(code=f"{LOINC}|{STEPS}").count() == 5


def test_a_search_takes_prefixes_lists_and_the_first(client, practice):
    readings = client.resources("Observation").search(patient=practice.patient)

    newest = readings.search(date__ge="2026-03-10", date__lt="2026-03-20")
    first = newest.sort("-date").first()
    either = readings.search(code=f"{STEPS},0000-0").fetch()

    assert first["effectiveDateTime"].startswith("2026-03-19")
    assert len(either) == 5


def test_one_patient_is_found_by_identifier(client, practice):
    person = client.resource("Patient", **practice.person("fhirpy-identified"))
    person.save()
    [identifier] = person["identifier"]

    found = client.resources("Patient").search(
        identifier=f"{identifier['system']}|{identifier['value']}"
    )

    assert found.get().id == person.id


def test_a_search_includes_whom_it_is_about(client, practice):
    found = client.resources("Observation").search(patient=practice.patient)

    bundle = found.limit(1).include("Observation", "subject").fetch_raw()

    modes = [(entry.search.mode, entry.resource.resourceType) for entry in bundle.entry]
    assert modes == [("match", "Observation"), ("include", "Patient")]


def test_a_transaction_is_saved_as_a_bundle(client, practice):
    uuid = "urn:uuid:8a7e1e3c-6a44-4c07-9d5f-2e4b5b1c0a02"
    bundle = client.resource(
        "Bundle",
        type="transaction",
        entry=[
            {
                "fullUrl": uuid,
                "resource": practice.person("fhirpy-transaction"),
                "request": {"method": "POST", "url": "Patient"},
            },
            {
                "resource": {
                    "resourceType": "RelatedPerson",
                    "patient": {"reference": uuid},
                },
                "request": {"method": "POST", "url": "RelatedPerson"},
            },
        ],
    )

    bundle.save()

    assert bundle["type"] == "transaction-response"
    assert [one["response"]["status"][:3] for one in bundle["entry"]] == ["201", "201"]


def test_its_patch_which_is_none_of_r4_is_refused_and_changes_nothing(client, practice):
    """It sends a partial resource: neither JSON Patch nor FHIRPath Patch."""
    person = client.resource("Patient", **practice.person("fhirpy-patch"))
    person.save()

    with pytest.raises(OperationOutcome) as refused:
        person.patch(active=False)

    assert refused.value.resource["issue"][0]["code"] == "not-supported"
    read = client.reference("Patient", person.id).to_resource()
    assert (read["active"], read["meta"]["versionId"]) == (True, "1")


def test_its_create_under_a_query_which_is_none_of_r4_stores_nothing(client, practice):
    """It sends the condition in the URL, where R4 has `If-None-Exist`."""
    resource = client.resource("Patient", **practice.person("fhirpy-once"))
    people = client.resources("Patient").search(identifier="fhirpy-once")

    with pytest.raises(OperationOutcome):
        people.get_or_create(resource)

    assert people.fetch() == []


def test_a_bad_resource_is_the_client_s_own_exception(client, practice):
    reading = client.resource("Observation", **practice.reading(status="bogus"))

    with pytest.raises(OperationOutcome) as refused:
        reading.save()

    assert refused.value.resource["issue"][0]["expression"] == ["Observation.status"]


def test_a_resource_is_validated_before_it_is_saved(client, practice):
    good = client.resource("Patient", **practice.person("fhirpy-valid"))
    bad = client.resource("Patient", birthDate="yesterday")

    assert good.is_valid()
    assert not bad.is_valid()


def test_the_history_of_a_resource_is_an_operation_of_its_reference(client, practice):
    person = client.resource("Patient", **practice.person("fhirpy-history"))
    person.save()
    person["active"] = False
    person.save()

    bundle = client.execute(f"Patient/{person.id}/_history", method="get")

    versions = [entry.resource.meta.versionId for entry in bundle.entry]
    assert (bundle.type, versions) == ("history", ["2", "1"])


def test_the_asynchronous_client_does_the_same(asynchronous, practice):
    async def session():
        person = asynchronous.resource("Patient", **practice.person("fhirpy-async"))
        await person.save()
        person["active"] = False
        await person.save()
        again = await asynchronous.reference("Patient", person.id).to_resource()
        readings = asynchronous.resources("Observation")
        found = readings.search(patient=practice.patient).sort("-date").limit(10)
        pages = [one async for one in found]
        await person.delete()
        return again, pages

    again, pages = asyncio.run(session())

    assert (again["active"], again["meta"]["versionId"]) == (False, "2")
    assert ids(pages) == practice.observations
