"""Batches and transactions that are wrong: told which entry, and nothing stored.

The number before a case is that of its kind of bad input; test_bad_input_list.py
walks them.
"""

import pytest
from outcomes import assert_refused
from worlds import observation, patient

UUID = "urn:uuid:8a7e1e3c-6a44-4c07-9d5f-2e4b5b1c0a{:02d}"


def post(clinic, *entries, kind="transaction", headers=None):
    bundle = {"resourceType": "Bundle", "type": kind, "entry": list(entries)}
    return clinic.world.send("POST", "/fhir", bundle, headers or clinic.admin)


def creating(resource, full_url=None, **request):
    url = resource.get("resourceType", "Patient")
    entry = {"resource": resource, "request": {"method": "POST", "url": url, **request}}
    return entry if full_url is None else {"fullUrl": full_url, **entry}


def asking(method, url, **more):
    return {"request": {"method": method, "url": url}, **more}


def person(clinic, value=None):
    return patient(clinic.organization, value)


def stored(clinic):
    """Return how many Patients and Observations there are."""
    return len(clinic.all_found("Patient", clinic.admin)), len(
        clinic.all_found(f"Observation?patient={clinic.patient}", clinic.admin)
    )


BAD_ENTRIES = {
    "82 another host": lambda _: asking("GET", "https://evil.example/Patient/1"),
    "82 absolute path": lambda _: asking("GET", "/auth/token"),
    "82 path upwards": lambda _: asking("GET", "../auth/token"),
    "82 no resource": lambda _: asking("POST", "Patient"),
    "82 resource of another type": lambda clinic: creating(
        person(clinic), url="Organization"
    ),
    "82 nested bundle": lambda _: creating(
        {"resourceType": "Bundle", "type": "transaction", "entry": []}, url="Bundle"
    ),
    "82 bad resource": lambda clinic: creating({**person(clinic), "active": "yes"}),
    "82 update of what is absent": lambda clinic: {
        "resource": {**person(clinic), "id": "nobody"},
        "request": {"method": "PUT", "url": "Patient/nobody"},
    },
    "82 another id": lambda clinic: {
        "resource": {**person(clinic), "id": "a"},
        "request": {"method": "PUT", "url": "Patient/b"},
    },
    "82 reference that no entry has": lambda _: creating(
        {"resourceType": "RelatedPerson", "patient": {"reference": UUID.format(99)}}
    ),
    "82 condition that finds nobody": lambda _: creating(
        {
            "resourceType": "RelatedPerson",
            "patient": {"reference": "Patient?identifier=nobody"},
        }
    ),
    "82 operation": lambda _: asking("POST", "Patient/$nonsense"),
}
"""What one entry cannot be answered for."""

MALFORMED = {
    "82 no request": lambda clinic: {"resource": person(clinic)},
    "82 no method": lambda clinic: {
        "resource": person(clinic),
        "request": {"url": "Patient"},
    },
    "82 no url": lambda clinic: {
        "resource": person(clinic),
        "request": {"method": "POST"},
    },
    "82 method of our own": lambda _: asking("FETCH", "Patient/1"),
    "82 nested bundle to the base": lambda _: creating(
        {"resourceType": "Bundle", "type": "batch"}, url=""
    ),
}
"""What makes the Bundle itself no batch and no transaction."""


@pytest.mark.parametrize("name", BAD_ENTRIES)
def test_one_bad_entry_leaves_nothing_of_a_transaction(name, clinic):
    clinic.consented()
    before = stored(clinic)

    answer = post(
        clinic,
        creating(person(clinic)),
        BAD_ENTRIES[name](clinic),
        creating(person(clinic)),
    )

    assert_refused(answer, {400, 404, 405, 412, 422}, "Bundle.entry[1]")
    assert stored(clinic) == before


@pytest.mark.parametrize("name", BAD_ENTRIES)
def test_one_bad_entry_of_a_batch_fails_alone(name, clinic):
    before, _ = stored(clinic)

    answer = post(
        clinic,
        creating(person(clinic)),
        BAD_ENTRIES[name](clinic),
        creating(person(clinic)),
        kind="batch",
    )

    assert answer.status_code == 200
    statuses = [entry["response"]["status"][:3] for entry in answer.json["entry"]]
    assert (statuses[0], statuses[2]) == ("201", "201")
    assert "400" <= statuses[1] < "500"
    outcome = answer.json["entry"][1]["response"]["outcome"]
    assert outcome["resourceType"] == "OperationOutcome"
    assert stored(clinic)[0] == before + 2


@pytest.mark.parametrize("kind", ["batch", "transaction"])
@pytest.mark.parametrize("name", MALFORMED)
def test_an_entry_that_is_none_makes_the_whole_bundle_wrong(name, kind, clinic):
    before, _ = stored(clinic)

    answer = post(clinic, creating(person(clinic)), MALFORMED[name](clinic), kind=kind)

    assert_refused(answer, {400, 422}, "Bundle.entry[1]")
    assert stored(clinic)[0] == before


BUNDLES = {
    "82 no type": {"resourceType": "Bundle"},
    "82 type of no value set": {"resourceType": "Bundle", "type": "bogus"},
    "82 another type": {"resourceType": "Bundle", "type": "searchset"},
    "82 entries that are no array": {
        "resourceType": "Bundle",
        "type": "batch",
        "entry": {},
    },
    "82 an entry that is no object": {
        "resourceType": "Bundle",
        "type": "batch",
        "entry": ["a"],
    },
    "82 no bundle": {"resourceType": "Patient"},
    "82 an array": [],
}


@pytest.mark.parametrize("name", BUNDLES)
def test_what_is_no_batch_and_no_transaction_is_refused(name, clinic):
    answer = clinic.world.send("POST", "/fhir", BUNDLES[name], clinic.admin)

    assert_refused(answer, {400, 422})


def test_a_batch_of_ten_thousand_entries_is_too_long(clinic):
    """82: batch of 10 k."""
    entries = [asking("GET", "Patient/1")] * 10_000

    answer = post(clinic, *entries, kind="batch")

    assert_refused(answer, {400, 413})


def test_one_bad_entry_among_five_hundred_leaves_nothing(clinic):
    """83: partial failure leaves nothing behind."""
    clinic.consented()
    before = stored(clinic)
    entries = [creating(observation(clinic.patient)) for _ in range(499)]
    bad = creating(observation(clinic.patient, status="bogus"))

    answer = post(clinic, *entries[:250], bad, *entries[250:])

    assert_refused(answer, {422}, "Bundle.entry[250].resource")
    assert stored(clinic) == before


def test_entries_that_name_each_other_are_stored_with_their_ids(clinic):
    """82: circular references."""
    clinic.consented()
    one, other = UUID.format(1), UUID.format(2)

    answer = post(
        clinic,
        creating(observation(clinic.patient, hasMember=[{"reference": other}]), one),
        creating(observation(clinic.patient, hasMember=[{"reference": one}]), other),
    )

    assert answer.status_code == 200
    found = clinic.found(f"Observation?patient={clinic.patient}")
    ids = {resource["id"] for resource in found}
    named = {resource["hasMember"][0]["reference"] for resource in found}
    assert named == {f"Observation/{id_}" for id_ in ids}
    assert len(ids) == 2


def test_two_entries_of_one_full_url_are_refused(clinic):
    """82: fullUrl duplicate."""
    before = stored(clinic)

    answer = post(
        clinic,
        creating(person(clinic), UUID.format(1)),
        creating(person(clinic), UUID.format(1)),
    )

    assert_refused(answer, {400, 422}, "Bundle.entry[1]")
    assert stored(clinic) == before


def test_two_entries_that_change_one_resource_are_refused(clinic):
    """82: the same identity twice."""
    path = f"Patient/{clinic.patient}"
    resource = {**person(clinic), "id": clinic.patient}
    entry = {"resource": resource, "request": {"method": "PUT", "url": path}}

    answer = post(clinic, entry, entry)

    assert_refused(answer, {400, 422}, "Bundle.entry[1]")
    read = clinic.world.get(f"/fhir/{path}", clinic.admin)
    assert read.json["meta"]["versionId"] == "1"


def test_an_entry_reads_no_more_than_its_client_may(clinic):
    """82: entry with method GET on what is forbidden."""
    narrow = clinic.world.client(
        "narrow", "system/Observation.rs", organization=clinic.organization
    )

    answer = post(
        clinic,
        asking("GET", f"Patient/{clinic.patient}"),
        asking("GET", f"Observation?patient={clinic.patient}"),
        kind="batch",
        headers=narrow,
    )

    statuses = [entry["response"]["status"][:3] for entry in answer.json["entry"]]
    assert statuses == ["403", "200"]


def test_an_entry_writes_no_more_than_its_client_may(clinic):
    """82: and a transaction is refused whole."""
    clinic.consented()
    before = stored(clinic)
    narrow = clinic.world.client(
        "narrow", "system/Observation.c", organization=clinic.organization
    )

    answer = post(
        clinic,
        creating(observation(clinic.patient)),
        creating(person(clinic)),
        headers=narrow,
    )

    assert_refused(answer, {403})
    assert stored(clinic) == before


def test_one_transaction_may_be_about_several_patients(clinic):
    """82: mixed patients, each with a consent of their own."""
    other = clinic.another_patient()
    clinic.consented()
    clinic.consented(patient_id=other)

    answer = post(
        clinic, creating(observation(clinic.patient)), creating(observation(other))
    )

    assert answer.status_code == 200
    for id_ in (clinic.patient, other):
        assert len(clinic.found(f"Observation?patient={id_}")) == 1


def test_a_transaction_without_a_token_is_refused(clinic):
    answer = post(clinic, creating(person(clinic)), headers={"X-Nothing": "1"})

    assert_refused(answer, {401})
