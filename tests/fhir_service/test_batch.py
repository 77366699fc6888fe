"""Batch: each entry by itself, as if it had come alone."""

import json

import pytest
from bundles import (
    BASE,
    batched,
    creating,
    creating_observation,
    entry,
    id_of,
    json_patch,
    new_patient,
    read,
    send,
    statuses,
    total,
    uuid,
)
from worlds import APP_USER, observation, patient
from writes import code, place, post

from consent.audit.entry import Interaction, Outcome
from fhir_service.interactions.bundles import parts


@pytest.fixture
def consented(clinic):
    clinic.consented()
    return clinic


def outcome(answered):
    return answered["response"]["outcome"]["issue"][0]


def without_request(answered):
    """Return an entry without the id of the request that it was part of."""
    answered["response"]["outcome"].pop("id")
    return json.dumps(answered)


def test_an_entry_that_fails_touches_no_other(consented):
    bad = creating_observation(consented)
    bad["resource"]["status"] = "unheard-of"

    answered = batched(
        consented,
        creating_observation(consented),
        bad,
        creating(observation("absent")),
        creating_observation(consented),
    )

    assert statuses(answered) == [201, 422, 422, 201]
    assert outcome(answered[1])["expression"] == ["Bundle.entry[1].resource.status"]
    assert outcome(answered[2])["expression"] == ["Bundle.entry[2].resource.subject"]
    assert total(consented, "Observation") == 2


def test_every_interaction_is_answered_as_it_is_alone(consented):
    made = post(consented, observation(consented.patient)).json
    path = f"Observation/{made['id']}"
    operations = [{"op": "replace", "path": "/status", "value": "amended"}]
    binary = json_patch(operations)

    answered = batched(
        consented,
        entry("GET", path),
        entry("PUT", path, {**made, "status": "corrected"}, ifMatch='W/"1"'),
        entry("PATCH", path, binary, ifMatch='W/"2"'),
        entry("GET", f"{path}/_history/1"),
        entry("HEAD", path),
        entry("DELETE", path),
        entry("GET", path),
        entry("GET", "Observation"),
        entry("GET", "metadata"),
    )

    assert statuses(answered) == [200, 200, 200, 200, 200, 204, 410, 200, 200]
    assert [one.get("fullUrl") for one in answered] == [
        *[f"{BASE}/{path}"] * 4,
        *[None] * 5,
    ]
    assert [one["response"].get("etag") for one in answered] == [
        'W/"1"',
        'W/"2"',
        'W/"3"',
        'W/"1"',
        'W/"3"',
        'W/"4"',
        None,
        None,
        consented.world.get("/fhir/metadata", {}).headers["ETag"],
    ]
    assert answered[2]["resource"]["status"] == "amended"
    assert (
        answered[2]["response"]["lastModified"]
        == (answered[2]["resource"]["meta"]["lastUpdated"])
    )
    assert "resource" not in answered[4]
    assert answered[7]["resource"]["type"] == "searchset"
    assert answered[8]["resource"]["resourceType"] == "CapabilityStatement"


def test_a_create_tells_where_the_version_is(consented):
    [answered] = batched(consented, creating_observation(consented))

    url = f"{BASE}/Observation/{id_of(answered)}"
    assert answered["fullUrl"] == url
    assert answered["response"] == {
        "status": "201 Created",
        "location": f"{url}/_history/1",
        "etag": 'W/"1"',
        "lastModified": answered["resource"]["meta"]["lastUpdated"],
    }


def test_conditions_hold_for_their_entry(consented):
    identifier = f"identifier={APP_USER}|user-1"
    person = f"Patient/{consented.patient}"

    answered = batched(
        consented,
        creating(patient(), ifNoneExist=identifier),
        entry("GET", person, ifNoneMatch='W/"1"'),
        entry("GET", person, ifModifiedSince="2030-01-01T00:00:00Z"),
        entry("DELETE", person, ifMatch='W/"7"'),
    )

    assert statuses(answered)[:2] == [200, 304]
    assert answered[0]["resource"]["id"] == consented.patient
    assert statuses(answered)[3] == 412


def test_a_read_without_a_scope_is_refused_alone(consented):
    writer = consented.world.client(
        "writer", "system/Observation.cr", organization=consented.organization
    )

    answered = batched(
        consented,
        creating_observation(consented),
        entry("GET", f"Patient/{consented.patient}"),
        entry("GET", "Patient"),
        headers=writer,
    )

    assert statuses(answered) == [201, 403, 403]
    assert outcome(answered[1])["code"] == "forbidden"
    assert "resource" not in answered[1]


def test_what_is_hidden_is_answered_like_what_is_absent(consented):
    made = post(consented, observation(consented.patient)).json
    stranger = consented.world.client(
        "stranger", "system/*.cruds", organization="Organization/elsewhere"
    )

    hidden, absent = (
        [
            without_request(one).replace(id_, "-")
            for one in batched(
                consented,
                entry("GET", f"Observation/{id_}"),
                entry("DELETE", f"Observation/{id_}"),
                entry("PUT", f"Observation/{id_}", {**made, "id": id_}),
                headers=stranger,
            )
        ]
        for id_ in (made["id"], "0" * len(made["id"]))
    )

    assert hidden == absent
    assert all('"404 Not Found"' in one for one in hidden)


def test_a_search_in_a_batch_finds_what_it_finds_alone(consented):
    post(consented, observation(consented.patient))
    stranger = consented.world.client(
        "stranger", "system/*.rs", organization="Organization/elsewhere"
    )
    query = f"Observation?patient={consented.patient}&_total=accurate"

    [seen] = batched(consented, entry("GET", query))
    [unseen] = batched(consented, entry("GET", query), headers=stranger)

    assert seen["resource"] == read(consented, query).json
    assert seen["resource"]["total"] == 1
    assert unseen["resource"] == read(consented, query, stranger).json
    assert "entry" not in unseen["resource"]


def test_entries_do_not_know_each_other(consented):
    answered = batched(
        consented,
        new_patient(consented, 1),
        creating(observation("-", subject={"reference": uuid(1)})),
    )

    assert statuses(answered) == [201, 422]


@pytest.mark.parametrize(
    "url",
    [
        "http://evil.example/fhir/Patient/1",
        "//evil.example/fhir/Patient/1",
        "http://localhost:8000.evil.example/fhir/Patient/1",
        "http://localhost:8000@evil.example/fhir/Patient/1",
        "Patient/../../device-data/x",
        "../device-data/x",
        "file:///etc/passwd",
        "Patient/%2e%2e/%2e%2e/x",
        "Patient/1#x",
        "Patient/a%00",
    ],
)
def test_an_entry_for_another_place_is_refused_alone(consented, url):
    answered = batched(
        consented, entry("GET", url), entry("GET", f"Patient/{consented.patient}")
    )

    assert statuses(answered) == [400, 200]
    assert outcome(answered[0])["code"] == "invalid"
    assert outcome(answered[0])["expression"] == ["Bundle.entry[0].request.url"]


@pytest.mark.parametrize("prefix", ["", "/", f"{BASE}/"])
def test_a_url_may_be_relative_or_under_our_base(consented, prefix):
    [answered] = batched(
        consented, entry("GET", f"{prefix}Patient/{consented.patient}")
    )

    assert statuses([answered]) == [200]


@pytest.mark.parametrize(
    ("sent", "status", "expected"),
    [
        (entry("POST", "/", {"resourceType": "Patient"}), 400, "not-supported"),
        (
            entry("POST", "Bundle", {"resourceType": "Bundle", "type": "batch"}),
            400,
            "not-supported",
        ),
        (entry("GET", "nowhere/at/all/x"), 404, "not-found"),
        (entry("DELETE", "metadata"), 405, "not-supported"),
        (entry("GET", "Patient/1", {"resourceType": "Patient"}), 400, "invalid"),
        (
            entry("PATCH", "Patient/1", {"resourceType": "Parameters"}),
            400,
            "not-supported",
        ),
        (
            entry(
                "PATCH",
                "Patient/1",
                {
                    "resourceType": "Binary",
                    "contentType": "application/json-patch+json",
                    "data": "*",
                },
            ),
            400,
            "invalid",
        ),
        (entry("GET", "Patient?_format=xml"), 406, "not-supported"),
        (entry("GET", "Patient?name=" + "x" * 4000), 414, "too-costly"),
        (entry("DELETE", "Patient/1", ifNoneExist="x=y"), 400, "not-supported"),
    ],
)
def test_what_cannot_be_asked_is_refused_alone(consented, sent, status, expected):
    answered = batched(consented, sent, entry("GET", f"Patient/{consented.patient}"))

    assert statuses(answered) == [status, 200]
    assert outcome(answered[0])["code"] == expected


def test_a_full_url_that_is_there_twice_refuses_the_whole(consented):
    answer = send(
        consented,
        "batch",
        [new_patient(consented, 1), new_patient(consented, 1)],
    )

    assert (answer.status_code, code(answer)) == (422, "invariant")
    assert place(answer) == "Bundle.entry[1].fullUrl"
    assert total(consented, "Patient") == 1


def test_each_entry_has_an_audit_row_and_the_whole_has_one(consented):
    stranger = consented.world.client("stranger", "system/Patient.r")
    before = len(consented.world.audited())

    batched(
        consented,
        entry("GET", f"Patient/{consented.patient}"),
        entry("GET", "Observation"),
        entry("GET", "http://evil.example/"),
        entry("GET", "metadata"),
        headers=stranger,
    )

    rows = consented.world.audited()[before:]
    assert [(row.interaction, row.outcome, row.status) for row in rows] == [
        (Interaction.READ, Outcome.DENIED, 404),
        (Interaction.SEARCH, Outcome.DENIED, 403),
        (Interaction.UNKNOWN, Outcome.ERROR, 400),
        (Interaction.CAPABILITIES, Outcome.ALLOWED, 200),
        (Interaction.BATCH, Outcome.ALLOWED, 200),
    ]
    assert {row.client for row in rows} == {"stranger"}
    assert len({row.request_id for row in rows}) == 1


def test_each_write_has_an_audit_row_of_its_own(consented):
    before = len(consented.world.audited())

    batched(consented, creating_observation(consented), creating_observation(consented))

    rows = consented.world.audited()[before:]
    assert [(row.interaction, len(row.written)) for row in rows] == [
        (Interaction.CREATE, 1),
        (Interaction.CREATE, 1),
        (Interaction.BATCH, 0),
    ]


@pytest.mark.parametrize(
    ("preferred", "shown"),
    [
        ("return=minimal", {"response"}),
        ("return=representation", {"response", "resource", "fullUrl"}),
        ("return=OperationOutcome", {"response"}),
    ],
)
def test_a_client_chooses_what_a_write_shows(consented, preferred, shown):
    created, found = batched(
        consented,
        creating_observation(consented),
        entry("GET", f"Patient/{consented.patient}"),
        Prefer=preferred,
    )

    assert created.keys() == shown
    assert found["resource"]["id"] == consented.patient
    told = created["response"].get("outcome", {}).get("resourceType")
    assert (told == "OperationOutcome") == (preferred == "return=OperationOutcome")


def test_what_comes_after_too_much_is_not_looked_up(consented, monkeypatch):
    monkeypatch.setattr(parts, "MAX_ANSWER_BYTES", 1000)
    person = entry("GET", f"Patient/{consented.patient}")

    answered = batched(consented, entry("GET", "metadata"), person, person)

    assert statuses(answered) == [200, 400, 400]
    assert outcome(answered[2])["code"] == "too-costly"
    assert outcome(answered[2])["expression"] == ["Bundle.entry[2]"]


def test_a_batch_without_a_token_is_refused(clinic):
    answer = send(clinic, "batch", [entry("GET", "metadata")], {"X-None": "1"})

    assert (answer.status_code, code(answer)) == (401, "login")
