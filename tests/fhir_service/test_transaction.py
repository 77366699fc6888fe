"""Transaction: all entries or none, in one write, each judged as it would be alone."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from bundles import (
    BASE,
    creating,
    creating_observation,
    done,
    entry,
    id_of,
    json_patch,
    new_patient,
    read,
    send,
    statuses,
    total,
    transact,
    uuid,
)
from worlds import (
    APP_USER,
    actor,
    consent,
    furnish,
    observation,
    opened_world,
    patient,
    permit,
    purposes,
    reopened_world,
    same_for,
)
from writes import code, place, post

from consent.audit.entry import Interaction, Outcome


@pytest.fixture
def consented(clinic):
    clinic.consented()
    return clinic


@pytest.fixture
def stranger(clinic):
    """Return the client of an organisation that may see nothing of the patient."""
    made = clinic.world.create(
        {"resourceType": "Organization", "name": "Other"}, clinic.admin
    )
    return clinic.world.client(
        "stranger", "system/*.cruds", organization=f"Organization/{made['id']}"
    )


@pytest.fixture
def either(tmp_path, template, database_url):
    """Yield a clinic on each database."""
    with opened_world(
        tmp_path, template, name="world", database_url=database_url
    ) as world:
        clinic = furnish(world)
        clinic.consented()
        yield clinic


def test_a_patient_and_what_belongs_to_it_are_created_together(either):
    answered = done(
        either,
        creating(observation("-", subject={"reference": uuid(1)}), uuid(2)),
        new_patient(either, 1, "new"),
    )

    person = id_of(answered[1])
    assert statuses(answered) == [201, 201]
    assert answered[0]["resource"]["subject"] == {"reference": f"Patient/{person}"}
    assert read(either, f"Patient/{person}").json == answered[1]["resource"]


def test_an_answer_tells_where_the_version_is(consented):
    [answered] = done(consented, creating_observation(consented))

    url = f"{BASE}/Observation/{id_of(answered)}"
    assert answered["fullUrl"] == url
    assert answered["response"] == {
        "status": "201 Created",
        "location": f"{url}/_history/1",
        "etag": 'W/"1"',
        "lastModified": answered["resource"]["meta"]["lastUpdated"],
    }


def test_references_that_lead_in_a_circle_are_all_rewritten(consented):
    first, second = done(
        consented,
        creating_observation(consented, 1, hasMember=[{"reference": uuid(2)}]),
        creating_observation(consented, 2, derivedFrom=[{"reference": uuid(1)}]),
    )

    assert first["resource"]["hasMember"] == [
        {"reference": f"Observation/{id_of(second)}"}
    ]
    assert second["resource"]["derivedFrom"] == [
        {"reference": f"Observation/{id_of(first)}"}
    ]


def test_a_circle_as_long_as_a_bundle_may_be_is_done(consented):
    count = 300
    entries = [
        creating_observation(
            consented, number, derivedFrom=[{"reference": uuid((number + 1) % count)}]
        )
        for number in range(count)
    ]

    answered = done(consented, *entries)

    ids = [id_of(one) for one in answered]
    assert [one["resource"]["derivedFrom"][0]["reference"] for one in answered] == [
        f"Observation/{id_}" for id_ in [*ids[1:], ids[0]]
    ]


def test_each_method_is_done_and_answered_in_the_order_that_was_sent(consented):
    changed = post(consented, observation(consented.patient)).json
    gone = post(consented, observation(consented.patient)).json
    patched = post(consented, observation(consented.patient)).json
    operations = [{"op": "replace", "path": "/status", "value": "amended"}]
    binary = json_patch(operations)

    answered = done(
        consented,
        entry("GET", f"Observation/{changed['id']}"),
        entry(
            "PUT",
            f"Observation/{changed['id']}",
            {**changed, "status": "corrected"},
            ifMatch='W/"1"',
        ),
        entry("PATCH", f"Observation/{patched['id']}", binary),
        creating_observation(consented),
        entry("DELETE", f"Observation/{gone['id']}"),
        entry("HEAD", f"Observation/{changed['id']}"),
    )

    assert statuses(answered) == [200, 200, 200, 201, 204, 200]
    assert answered[0]["resource"]["status"] == "corrected"
    assert answered[0]["resource"]["meta"]["versionId"] == "2"
    assert answered[2]["resource"]["status"] == "amended"
    assert "resource" not in answered[4]
    assert "resource" not in answered[5]
    assert read(consented, f"Observation/{gone['id']}").status_code == 410


def test_what_is_deleted_makes_room_for_what_is_created(consented):
    old = post(consented, patient(consented.organization, "same")).json
    condition = f"identifier={APP_USER}|same"

    answered = done(
        consented,
        creating(patient(consented.organization, "same"), ifNoneExist=condition),
        entry("DELETE", f"Patient/{old['id']}"),
    )

    assert statuses(answered) == [201, 204]


def test_a_conditional_create_that_matches_gives_its_name_to_what_exists(consented):
    identifier = f"identifier={APP_USER}|user-1"

    answered = done(
        consented,
        creating(observation("-", subject={"reference": uuid(1)})),
        creating(patient(), uuid(1), ifNoneExist=identifier),
    )

    assert statuses(answered) == [201, 200]
    expected = f"Patient/{consented.patient}"
    assert answered[0]["resource"]["subject"] == {"reference": expected}
    assert total(consented, "Patient") == 1


def test_a_conditional_create_that_matches_nothing_creates(consented):
    answered = done(
        consented,
        creating(observation("-", subject={"reference": uuid(1)})),
        creating(
            patient(consented.organization, "x"),
            uuid(1),
            ifNoneExist=f"identifier={APP_USER}|x",
        ),
    )

    assert statuses(answered) == [201, 201]
    expected = f"Patient/{id_of(answered[1])}"
    assert answered[0]["resource"]["subject"] == {"reference": expected}


@pytest.mark.parametrize(("value", "status"), [("user-1", 200), ("nobody", 201)])
def test_a_conditional_update_gives_its_name_to_what_it_writes(
    consented, value, status
):
    answered = done(
        consented,
        creating(
            observation("-", subject={"reference": f"Patient/{consented.patient}"})
        ),
        entry(
            "PUT",
            f"Patient?identifier={APP_USER}|{value}",
            {
                **patient(consented.organization, value),
                "link": [
                    {
                        "other": {"reference": f"Patient/{consented.patient}"},
                        "type": "seealso",
                    }
                ],
            },
            uuid(1),
        ),
        creating(
            {
                "resourceType": "Basic",
                "code": {"text": "x"},
                "subject": {"reference": f"Patient/{consented.patient}"},
                "extension": [
                    {
                        "url": "https://clinic.example/about",
                        "valueReference": {"reference": uuid(1)},
                    }
                ],
            }
        ),
    )

    assert statuses(answered) == [201, status, 201]
    [extension] = answered[2]["resource"]["extension"]
    named = f"Patient/{id_of(answered[1])}"
    assert extension["valueReference"] == {"reference": named}


def test_conditional_patches_and_deletions_are_done_with_the_rest(consented):
    for value in ("patched", "gone"):
        post(consented, patient(consented.organization, value))
    operations = [{"op": "replace", "path": "/active", "value": False}]

    patched, gone = done(
        consented,
        entry(
            "PATCH", f"Patient?identifier={APP_USER}|patched", json_patch(operations)
        ),
        entry("DELETE", f"Patient?identifier={APP_USER}|gone"),
    )

    assert statuses([patched, gone]) == [200, 204]
    assert patched["resource"]["active"] is False
    assert total(consented, f"Patient?identifier={APP_USER}|gone") == 0


def test_a_conditional_update_under_an_id_that_cannot_be_given_fails(consented):
    stored = {**patient(consented.organization, "nobody"), "id": "chosen"}

    answer = transact(
        consented, entry("PUT", f"Patient?identifier={APP_USER}|nobody", stored)
    )

    assert (answer.status_code, code(answer)) == (409, "conflict")
    assert place(answer) == "Bundle.entry[0].resource.id"


def test_a_conditional_reference_becomes_the_one_that_matches(consented):
    reference = f"Patient?identifier={APP_USER}|user-1"

    [answered] = done(
        consented, creating(observation("-", subject={"reference": reference}))
    )

    expected = f"Patient/{consented.patient}"
    assert answered["resource"]["subject"] == {"reference": expected}


def test_a_conditional_reference_finds_what_is_created_with_it(consented):
    reference = f"Patient?identifier={APP_USER}|fresh"

    answered = done(
        consented,
        creating(observation("-", subject={"reference": reference})),
        new_patient(consented, 1, "fresh"),
    )

    expected = f"Patient/{id_of(answered[1])}"
    assert answered[0]["resource"]["subject"] == {"reference": expected}


@pytest.mark.parametrize("matches", [0, 2])
def test_a_conditional_reference_without_one_match_fails(consented, matches):
    for _ in range(matches):
        post(consented, patient(consented.organization, "twin"))
    reference = f"Patient?identifier={APP_USER}|twin"

    answer = transact(
        consented,
        creating_observation(consented),
        creating(observation("-", subject={"reference": reference})),
    )

    assert (answer.status_code, code(answer)) == (412, "conflict")
    assert place(answer) == "Bundle.entry[1]"
    assert total(consented, "Observation") == 0


def test_a_conditional_reference_to_what_is_hidden_is_one_to_nothing(
    consented, stranger
):
    def answer(value):
        reference = f"Patient?identifier={APP_USER}|{value}"
        made = creating(observation("-", subject={"reference": reference}))
        return same_for(transact(consented, made, headers=stranger))

    assert answer("user-1") == answer("nobody")


def test_a_read_of_what_is_hidden_is_one_of_nothing(consented, stranger):
    def answer(id_):
        sent = entry("GET", f"Patient/{id_}")
        status, headers, body = same_for(transact(consented, sent, headers=stranger))
        return status, headers, body.replace(id_.encode(), b"-")

    hidden = answer(consented.patient)

    assert hidden[0] == 404
    assert hidden == answer("0" * len(consented.patient))


@pytest.mark.parametrize("method", ["PUT", "DELETE"])
def test_a_write_of_what_is_hidden_is_one_of_nothing(consented, stranger, method):
    def answer(id_):
        resource = None
        if method == "PUT":
            resource = {"resourceType": "Patient", "id": id_}
        sent = entry(method, f"Patient/{id_}", resource)
        status, headers, body = same_for(transact(consented, sent, headers=stranger))
        return status, headers, body.replace(id_.encode(), b"-")

    hidden = answer(consented.patient)

    assert hidden[0] == 404
    assert hidden == answer("0" * len(consented.patient))


def test_of_500_entries_with_a_bad_one_nothing_is_left(consented):
    entries = [creating_observation(consented, number) for number in range(500)]
    entries[321]["resource"]["status"] = "unheard-of"
    before = len(consented.world.audited())

    answer = transact(consented, *entries)

    assert answer.status_code == 422
    assert place(answer) == "Bundle.entry[321].resource.status"
    assert total(consented, "Observation") == 0
    [failed, _search] = consented.world.audited()[before:]
    assert (failed.interaction, failed.outcome) == (
        Interaction.TRANSACTION,
        Outcome.ERROR,
    )
    assert (failed.written, failed.disclosed) == ((), ())


def test_what_fails_in_the_store_takes_all_before_it_back(consented):
    before = len(consented.world.audited())

    answer = transact(
        consented,
        new_patient(consented, 1, "lost"),
        *(creating_observation(consented) for _ in range(20)),
        creating(observation("absent")),
    )

    assert (answer.status_code, code(answer)) == (422, "business-rule")
    assert place(answer) == "Bundle.entry[21].resource.subject"
    assert len(consented.world.audited()) == before + 1
    assert total(consented, "Observation") == 0
    assert total(consented, f"Patient?identifier={APP_USER}|lost") == 0
    assert not consented.world.verified().findings


def test_a_patient_after_one_that_was_taken_back_can_be_read_for_good(
    either, database_url
):
    transact(either, new_patient(either, 1, "lost"), creating(observation("absent")))
    [made] = done(either, new_patient(either, 1, "kept"))

    with reopened_world(either.world.data, database_url) as again:
        answer = again.get(f"/fhir/Patient/{id_of(made)}", either.admin)

    assert answer.json["identifier"][0]["value"] == "kept"


def test_what_is_read_sees_what_is_written_with_it(either):
    person = f"Patient/{either.patient}"

    answered = done(
        either,
        entry("GET", f"Observation?patient={person}&_total=accurate"),
        creating_observation(either),
        creating_observation(either),
        entry("GET", "Patient?identifier=fresh"),
        new_patient(either, 1, "fresh"),
    )

    assert answered[0]["resource"]["total"] == 2
    [found] = answered[3]["resource"]["entry"]
    assert found["resource"] == answered[4]["resource"]


def test_a_decision_under_a_consent_that_was_taken_back_is_forgotten(clinic):
    made = post(clinic, observation(clinic.patient)).json
    reader = clinic.world.client(
        "reader", "system/*.cruds", organization="Organization/elsewhere"
    )
    everything = permit(
        actor=actor("Organization/elsewhere"), purpose=purposes("TREAT")
    )
    nothing = permit(actor=actor(clinic.organization), purpose=purposes("TREAT"))
    failed = transact(
        clinic,
        creating(consent(clinic.patient, everything)),
        entry("GET", f"Observation/{made['id']}"),
        entry("GET", "Observation/absent"),
    )
    assert failed.status_code == 404

    clinic.world.create(consent(clinic.patient, nothing), clinic.admin)

    answer = read(clinic, f"Observation/{made['id']}", reader)
    assert answer.status_code == 404
    assert read(clinic, f"Observation/{made['id']}").status_code == 200


@pytest.mark.parametrize(
    ("entries", "status", "type_", "where"),
    [
        ([{"request": {"method": "GET", "url": "http://evil.example/fhir/Patient/1"}}],
         400, "invalid", "Bundle.entry[0].request.url"),
        ([{"request": {"method": "GET", "url": "//evil.example/Patient/1"}}],
         400, "invalid", "Bundle.entry[0].request.url"),
        ([{"request": {"method": "GET", "url": "http://localhost:8000/fhirs/Patient/1"}}],
         400, "invalid", "Bundle.entry[0].request.url"),
        ([{"request": {"method": "GET", "url": "javascript:Patient/1"}}],
         400, "invalid", "Bundle.entry[0].request.url"),
        ([{"request": {"method": "GET", "url": "Patient/../Observation/1"}}],
         400, "invalid", "Bundle.entry[0].request.url"),
        ([{"request": {"method": "GET", "url": "Patient/%2e%2e/../x"}}],
         400, "invalid", "Bundle.entry[0].request.url"),
        ([{"request": {"method": "GET", "url": "../device-data/x"}}],
         400, "invalid", "Bundle.entry[0].request.url"),
        ([{"request": {"method": "GET", "url": "Patient/1#x"}}],
         400, "invalid", "Bundle.entry[0].request.url"),
        ([{"request": {"method": "GET", "url": "Patient//1"}}],
         400, "invalid", "Bundle.entry[0].request.url"),
        ([{"request": {"method": "SEND", "url": "Patient"}}],
         422, "code-invalid", "Bundle.entry[0].request.method"),
        ([{"request": {"method": "POST", "url": "Patient"}}],
         400, "invalid", "Bundle.entry[0].resource"),
        ([entry("GET", "Patient/1", {"resourceType": "Patient"})],
         400, "invalid", "Bundle.entry[0].resource"),
        ([entry("DELETE", "Patient/1", {"resourceType": "Patient"})],
         400, "invalid", "Bundle.entry[0].resource"),
        ([entry("POST", "Observation", {"resourceType": "Patient"})],
         400, "invalid", "Bundle.entry[0].resource.resourceType"),
        ([entry("POST", "Bundle", {"resourceType": "Bundle", "type": "batch"})],
         400, "not-supported", "Bundle.entry[0].resource"),
        ([entry("POST", "", {"resourceType": "Patient"})],
         422, "value", "Bundle.entry[0].request.url"),
        ([entry("POST", "/", {"resourceType": "Patient"})],
         400, "not-supported", "Bundle.entry[0].resource"),
        ([entry("POST", "Patient/$validate", {"resourceType": "Patient"})],
         400, "not-supported", "Bundle.entry[0].request.url"),
        ([entry("PUT", "Patient", {"resourceType": "Patient"})],
         400, "not-supported", "Bundle.entry[0].request.url"),
        ([entry("PUT", "Patient/1?x=y", {"resourceType": "Patient"})],
         400, "not-supported", "Bundle.entry[0].request.url"),
        ([entry("DELETE", "Patient/1/_history/1")],
         400, "not-supported", "Bundle.entry[0].request.url"),
        ([entry("POST", "Nonsense", {"resourceType": "Nonsense"})],
         400, "not-supported", "Bundle.entry[0].request.url"),
        ([entry("POST", "Patient", {"resourceType": "Patient"}, ifMatch='W/"1"')],
         400, "not-supported", "Bundle.entry[0].request.ifMatch"),
        ([entry("PUT", "Patient?_id=1", {"resourceType": "Patient"}, ifNoneMatch="*")],
         400, "not-supported", "Bundle.entry[0].request.ifNoneMatch"),
        ([entry("DELETE", "Patient/1"), *[entry("GET", "Patient/1")] * 101],
         400, "too-costly", "Bundle.entry"),
        ([entry("POST", "Basic", {"resourceType": "Basic", "code": {"text": "x"},
            "subject": {"reference": "Bundle?_id=1"}})],
         400, "not-supported", "Bundle.entry[0]"),
        ([entry("DELETE", "Patient/1", ifNoneExist="x=y")],
         400, "not-supported", "Bundle.entry[0].request.ifNoneExist"),
        ([entry("DELETE", "Patient/1"), entry("DELETE", "Patient/1")],
         400, "invalid", "Bundle.entry[1]"),
        ([entry("DELETE", "Patient/1"),
          entry("PUT", "Patient/1", {"resourceType": "Patient", "id": "1"})],
         400, "invalid", "Bundle.entry[1]"),
        ([entry("POST", "Patient", {"resourceType": "Patient"}, ifNoneExist="_id=1"),
          entry("PUT", "Patient?_id=1", {"resourceType": "Patient"})],
         400, "invalid", "Bundle.entry[1]"),
        ([entry("POST", "Patient", {"resourceType": "Patient"}, uuid(1)),
          entry("POST", "Patient", {"resourceType": "Patient"}, uuid(1))],
         422, "invariant", "Bundle.entry[1].fullUrl"),
        ([entry("POST", "Patient", {"resourceType": "Patient"}, uuid(1)),
          entry("POST", "Patient", {"resourceType": "Patient"}, uuid(1).upper()
                .replace("URN:UUID", "urn:uuid"))],
         422, "invariant", "Bundle.entry[1].fullUrl"),
        ([entry("POST", "Patient", {"resourceType": "Patient"}, "urn:uuid:1")],
         400, "invalid", "Bundle.entry[0].fullUrl"),
        ([entry("POST", "Patient", {"resourceType": "Patient"}, "urn:oid:9.x")],
         400, "invalid", "Bundle.entry[0].fullUrl"),
        ([entry("POST", "Basic", {
            "resourceType": "Basic", "code": {"text": "x"},
            "subject": {"reference": uuid(9)}})],
         400, "invalid", "Bundle.entry[0]"),
        ([entry("PATCH", "Patient/1", {"resourceType": "Parameters"})],
         400, "not-supported", "Bundle.entry[0]"),
        ([entry("PATCH", "Patient/1", {"resourceType": "Binary"})],
         400, "invalid", "Bundle.entry[0]"),
        ([{"resource": {"resourceType": "Patient"}}],
         422, "invariant", "Bundle.entry[0]"),
        ([entry("POST", "Basic", {"resourceType": "Basic", "code": {"text": "x"},
            "subject": {"reference": "Patient?_nonsense=1"}})],
         400, "not-supported", "Bundle.entry[0]"),
        ([1], 422, "structure", "Bundle.entry[0]"),
        ([{}], 422, "structure", "Bundle.entry[0]"),
    ],
)  # fmt: skip
def test_what_no_transaction_holds_is_refused_at_its_place(
    clinic, entries, status, type_, where
):
    answer = transact(clinic, *entries)

    assert (answer.status_code, code(answer)) == (status, type_)
    assert place(answer) == where


def test_the_same_resource_by_two_names_is_not_written_twice(consented):
    condition = f"Patient?identifier={APP_USER}|user-1"
    stored = read(consented, f"Patient/{consented.patient}").json

    answer = transact(
        consented,
        entry("PUT", f"Patient/{consented.patient}", stored),
        entry("PUT", condition, stored),
    )

    assert (answer.status_code, code(answer)) == (400, "invalid")
    assert place(answer) == "Bundle.entry[1]"
    stays = read(consented, f"Patient/{consented.patient}").json
    assert stays["meta"]["versionId"] == "1"


@pytest.mark.parametrize(
    ("type_", "status", "expected"),
    [
        ("history", 400, "not-supported"),
        ("searchset", 400, "not-supported"),
        ("collection", 400, "not-supported"),
        ("document", 400, "not-supported"),
        ("message", 400, "not-supported"),
        ("batch-response", 400, "not-supported"),
        ("transaction-response", 400, "not-supported"),
        ("nonsense", 422, "code-invalid"),
    ],
)
def test_another_bundle_is_refused_by_name(clinic, type_, status, expected):
    answer = send(clinic, type_, [])

    assert (answer.status_code, code(answer)) == (status, expected)
    assert place(answer) == "Bundle.type"


@pytest.mark.parametrize("type_", ["batch", "transaction"])
def test_a_bundle_of_10000_entries_is_refused(clinic, type_):
    answer = send(clinic, type_, [entry("GET", "Patient/1")] * 10_000)

    assert (answer.status_code, code(answer)) == (413, "too-long")


@pytest.mark.parametrize("type_", ["batch", "transaction"])
def test_a_bundle_without_entries_does_nothing(clinic, type_):
    answer = send(clinic, type_, [])

    assert answer.status_code == 200
    assert answer.json == {"resourceType": "Bundle", "type": f"{type_}-response"}


def test_entries_that_are_no_array_are_refused(clinic):
    bundle = {"resourceType": "Bundle", "type": "batch", "entry": {}}

    answer = clinic.world.send("POST", "/fhir", bundle, clinic.admin)

    assert (answer.status_code, code(answer)) == (422, "structure")
    assert place(answer) == "Bundle.entry"


def test_something_else_than_a_bundle_is_refused(clinic):
    answer = clinic.world.send("POST", "/fhir/", patient(), clinic.admin)

    assert (answer.status_code, code(answer)) == (400, "invalid")


def test_a_token_comes_before_everything(clinic):
    answer = send(clinic, "transaction", [1], {"Authorization": "Bearer none"})

    assert answer.status_code == 401


def test_one_entry_without_a_scope_is_a_transaction_without_one(consented):
    writer = consented.world.client(
        "writer", "system/Observation.c", organization=consented.organization
    )

    answer = transact(
        consented,
        creating_observation(consented),
        new_patient(consented, 1),
        headers=writer,
    )

    assert answer.status_code == 403
    assert "insufficient_scope" in answer.headers["WWW-Authenticate"]
    assert place(answer) == "Bundle.entry[1]"
    assert total(consented, "Observation") == 0


def test_a_condition_takes_the_scope_to_search(consented):
    writer = consented.world.client(
        "writer", "system/Patient.c", organization=consented.organization
    )

    answer = transact(
        consented,
        creating(patient(), ifNoneExist=f"identifier={APP_USER}|user-1"),
        headers=writer,
    )

    assert answer.status_code == 403


def test_a_read_without_a_scope_takes_back_what_was_written(consented):
    writer = consented.world.client(
        "writer", "system/Observation.c", organization=consented.organization
    )

    answer = transact(
        consented,
        creating_observation(consented),
        entry("GET", f"Patient/{consented.patient}"),
        headers=writer,
    )

    assert answer.status_code == 403
    assert place(answer) == "Bundle.entry[1]"
    assert total(consented, "Observation") == 0


def test_one_transaction_may_be_about_several_patients(consented):
    other = consented.another_patient()

    answered = done(
        consented,
        creating_observation(consented),
        creating(observation(other)),
        new_patient(consented, 1),
        creating(observation("-", subject={"reference": uuid(1)})),
    )

    subjects = [
        answered[index]["resource"]["subject"]["reference"] for index in (0, 1, 3)
    ]
    assert subjects == [
        f"Patient/{consented.patient}",
        f"Patient/{other}",
        f"Patient/{id_of(answered[2])}",
    ]


def test_each_entry_has_an_audit_row_and_the_whole_has_one(consented):
    before = len(consented.world.audited())

    done(
        consented,
        creating_observation(consented),
        entry("GET", "Observation"),
        new_patient(consented, 1),
        entry("GET", f"Patient/{consented.patient}"),
    )

    rows = consented.world.audited()[before:]
    assert sorted((row.interaction, row.request) for row in rows) == [
        (Interaction.CREATE, "POST /fhir/Observation"),
        (Interaction.CREATE, "POST /fhir/Patient"),
        (Interaction.READ, f"GET /fhir/Patient/{consented.patient}"),
        (Interaction.SEARCH, "GET /fhir/Observation"),
        (Interaction.TRANSACTION, "POST /fhir"),
    ]
    assert len({row.request_id for row in rows}) == 1
    written = [seq for row in rows for seq in row.written]
    assert len(set(written)) == 2
    assert not consented.world.verified().findings


def test_a_transaction_that_only_reads_is_audited_like_its_reads(consented):
    before = len(consented.world.audited())

    answered = done(
        consented,
        entry("GET", f"Patient/{consented.patient}"),
        entry("GET", f"{BASE}/Observation?patient={consented.patient}"),
        entry("GET", "metadata"),
    )

    assert statuses(answered) == [200, 200, 200]
    assert answered[0]["fullUrl"] == f"{BASE}/Patient/{consented.patient}"
    assert answered[1]["resource"]["type"] == "searchset"
    assert "fullUrl" not in answered[1]
    rows = consented.world.audited()[before:]
    assert [row.interaction for row in rows] == [
        Interaction.READ,
        Interaction.SEARCH,
        Interaction.CAPABILITIES,
        Interaction.TRANSACTION,
    ]


def test_a_read_under_a_condition_that_holds_shows_nothing(consented):
    [answered] = done(
        consented,
        entry("GET", f"Patient/{consented.patient}", ifNoneMatch='W/"1"'),
    )

    assert answered == {"response": {"status": "304 Not Modified", "etag": 'W/"1"'}}


@pytest.mark.parametrize(
    ("preferred", "shown"),
    [
        ("return=minimal", {"response"}),
        ("return=representation", {"response", "resource", "fullUrl"}),
        ("return=OperationOutcome", {"response"}),
    ],
)
def test_a_client_chooses_what_a_write_shows(consented, preferred, shown):
    answer = transact(consented, creating_observation(consented), Prefer=preferred)

    [answered] = answer.json["entry"]
    assert answered.keys() == shown
    assert answer.headers["Preference-Applied"] == preferred
    told = answered["response"].get("outcome", {}).get("resourceType")
    assert (told == "OperationOutcome") == (preferred == "return=OperationOutcome")


def test_device_data_that_is_not_collected_takes_all_back(clinic):
    made = observation(
        "-",
        subject={"reference": uuid(1)},
        device={"reference": uuid(2)},
    )

    answer = transact(
        clinic,
        new_patient(clinic, 1),
        creating(made),
        creating(
            {"resourceType": "Device", "patient": {"reference": uuid(1)}}, uuid(2)
        ),
    )

    assert (answer.status_code, code(answer)) == (403, "suppressed")
    assert total(clinic, "Patient") == 1


def test_a_version_that_is_no_longer_current_takes_all_back(consented):
    made = post(consented, observation(consented.patient)).json

    answer = transact(
        consented,
        creating_observation(consented),
        entry("PUT", f"Observation/{made['id']}", made, ifMatch='W/"7"'),
    )

    assert (answer.status_code, code(answer)) == (412, "conflict")
    assert place(answer) == "Bundle.entry[1]"
    assert total(consented, "Observation") == 1


def test_what_is_made_of_others_may_be_created_with_them(consented):
    answered = done(
        consented,
        creating(
            {
                "resourceType": "List",
                "status": "current",
                "mode": "working",
                "subject": {"reference": f"Patient/{consented.patient}"},
                "entry": [{"item": {"reference": uuid(1)}}],
            }
        ),
        creating_observation(consented, 1),
    )

    assert statuses(answered) == [201, 201]
    [item] = answered[0]["resource"]["entry"]
    assert item["item"] == {"reference": f"Observation/{id_of(answered[1])}"}
    assert read(consented, f"List/{id_of(answered[0])}").status_code == 200


def test_of_two_workers_that_race_for_a_condition_one_creates(consented):
    condition = f"identifier={APP_USER}|racing"
    made = creating(patient(consented.organization, "racing"), ifNoneExist=condition)

    def work(clinic):
        return statuses(done(clinic, made, creating_observation(clinic)))

    with reopened_world(consented.world.data) as other, ThreadPoolExecutor(2) as pool:
        workers = [consented, replace(consented, world=other)] * 3
        found = sorted(pool.map(work, workers))

    assert found == [[200, 201]] * 5 + [[201, 201]]
    assert total(consented, f"Patient?{condition}") == 1
    assert total(consented, "Observation") == 6
    assert not consented.world.verified().findings
