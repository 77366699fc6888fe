"""The audit log through FHIR: what a compliance officer finds, and who is refused."""

import base64

import pytest
from worlds import heart_rate, matches

from conformance.validation import validate

OFFICER = "user/AuditEvent.rs"


@pytest.fixture
def watched(clinic):
    """Return a clinic in which things were done, and the officer's headers."""
    clinic.consented()
    clinic.deliver(heart_rate(1, "user-1"))
    clinic.found(f"Observation?patient={clinic.patient}&code=8867-4")
    clinic.world.get(f"/fhir/Patient/{clinic.patient}", clinic.ehr)
    clinic.world.get("/fhir/Patient/nobody", clinic.ehr)
    clinic.world.clock.pass_s(60)
    headers = clinic.world.person(
        "officer",
        OFFICER,
        role="compliance-officer",
        organization=clinic.organization,
    )
    return clinic, headers


def found(watched, query=""):
    clinic, headers = watched
    return list(matches(clinic.search(f"AuditEvent{query}", headers)))


def told(event):
    subtypes = [one["code"] for one in event.get("subtype", ())]
    return event["type"]["code"], *subtypes, event["action"], event["outcome"]


def patients(event):
    return [
        entity["what"]["reference"]
        for entity in event.get("entity", ())
        if entity.get("role", {}).get("code") == "1"
    ]


def test_what_was_done_to_a_patient_is_found_newest_first(watched):
    clinic, _ = watched

    events = found(watched, f"?patient={clinic.patient}")

    assert [told(one) for one in events][:3] == [
        ("rest", "read", "R", "0"),
        ("rest", "search", "E", "0"),
        ("110107", "ingest", "C", "0"),
    ]
    assert {tuple(patients(one)) for one in events} == {(f"Patient/{clinic.patient}",)}


def test_an_event_is_valid_and_claims_its_pattern(watched):
    clinic, _ = watched

    events = found(watched, f"?patient={clinic.patient}&subtype=read,search")

    for one in events:
        assert [issue for issue in validate(one) if issue.severity == "error"] == []
    assert [one["meta"]["profile"][0].rpartition(".")[2] for one in events] == [
        "PatientRead",
        "PatientQuery",
    ]


def test_a_search_keeps_its_request_and_the_consent_that_allowed_it(watched):
    clinic, _ = watched

    [event] = found(watched, f"?patient={clinic.patient}&subtype=search")

    [query] = [one["query"] for one in event["entity"] if "query" in one]
    [consent] = [
        one["what"]["reference"]
        for one in event["entity"]
        if one.get("type", {}).get("code") == "Consent"
    ]
    assert base64.b64decode(query).decode().startswith("GET /fhir/Observation?")
    assert clinic.world.get(f"/fhir/{consent}", clinic.admin).status_code == 200


def test_a_read_names_the_version_that_left(watched):
    clinic, _ = watched

    [event] = found(watched, f"?patient={clinic.patient}&subtype=read")

    assert f"Patient/{clinic.patient}/_history/1" in [
        one["what"]["reference"]
        for one in event["entity"]
        if "reference" in one["what"]
    ]


def test_an_event_is_read_by_the_id_that_a_search_gives(watched):
    clinic, headers = watched
    [event] = found(watched, f"?patient={clinic.patient}&subtype=read")

    answer = clinic.world.get(f"/fhir/AuditEvent/{event['id']}", headers)

    assert (answer.status_code, answer.json) == (200, event)


@pytest.mark.parametrize("id_", ["999999", "0-9", "x", "00", "-1", "1-0-0", "9" * 40])
def test_an_event_that_is_not_there_is_not_found(watched, id_):
    clinic, headers = watched

    assert clinic.world.get(f"/fhir/AuditEvent/{id_}", headers).status_code == 404


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("?outcome=8", {"8"}),
        ("?outcome=0", {"0"}),
        ("?outcome=http://terminology.hl7.org/CodeSystem/audit-event-outcome|8", {"8"}),
        ("?outcome=4", set()),
        ("?outcome=0,8", {"0", "8"}),
        ("?action=R&outcome=8", {"8"}),
        ("?action=D", set()),
        ("?type=110107", {"0"}),
        ("?type=http://dicom.nema.org/resources/ontology/DCM|110107", {"0"}),
        ("?type=http://loinc.org|110107", set()),
        ("?subtype=http://hl7.org/fhir/restful-interaction|search", {"0"}),
        ("?agent=ehr&subtype=read", {"0", "8"}),
        ("?agent:identifier=gateway&type=110107", {"0"}),
        ("?agent=nobody", set()),
        ("?purpose=TREAT&subtype=read", {"0", "8"}),
        ("?purpose=HRESCH", set()),
        ("?source=Device/fhir-interop-service&outcome=8", {"8"}),
        ("?source=Device/other", set()),
    ],
)
def test_events_are_searched_by_what_happened(watched, query, expected):
    assert {one["outcome"] for one in found(watched, query)} == expected


def asked_for(clinic):
    """Record that a person asked through an app of an organisation for a purpose."""
    person = clinic.world.person(
        "doctor",
        "user/*.rs",
        reference="Practitioner/doctor",
        organization=clinic.organization,
        behind=clinic.organization,
        purposes=("TREAT", "HPAYMT"),
    )
    clinic.world.get(f"/fhir/Patient/{clinic.patient}", person)
    return f"Patient/{clinic.patient}"


BOTH = "agent=Practitioner/doctor&agent=app-of-doctor"


@pytest.mark.parametrize(
    ("query", "times"),
    [
        (BOTH, 1),
        (f"{BOTH}&agent={{organization}}", 1),
        ("agent={base}/Practitioner/doctor&agent={organization}", 1),
        ("agent=nobody,Practitioner/doctor&agent=app-of-doctor,nobody", 1),
        ("agent=Practitioner/doctor&agent=ehr", 0),
        ("agent=Practitioner/doctor&agent=nobody", 0),
        (f"{BOTH}&agent=nobody", 0),
        ("agent=Practitioner/doctor&agent:identifier=app-of-doctor", 1),
        ("agent=app-of-doctor&purpose=TREAT&purpose=HPAYMT", 1),
        ("agent=app-of-doctor&purpose=TREAT&purpose=HRESCH", 0),
        ("agent=app-of-doctor&purpose=TREAT&purpose=HRESCH,HPAYMT", 1),
        ("agent=app-of-doctor&action=R&action=E", 0),
        ("agent=app-of-doctor&action=R,E&action=R", 1),
        ("agent=app-of-doctor&action=R&action=E&action=R", 0),
        ("agent=app-of-doctor&action=D&type=rest", 0),
        ("agent=app-of-doctor&source=Device/other&action=R", 0),
        ("agent=app-of-doctor&subtype=read&type=rest", 1),
        ("agent=app-of-doctor&outcome=0,8&outcome=0", 1),
        ("agent=app-of-doctor&outcome=0&outcome=8", 0),
        ("agent=app-of-doctor&address=127.0.0.1&address=192.0.2.1", 0),
        ("agent=app-of-doctor&address=127.0.0.1,192.0.2.1", 1),
        ("agent=app-of-doctor&patient={patient}&patient=other", 0),
        ("agent=app-of-doctor&patient={patient},other", 1),
        ("agent=app-of-doctor&patient={patient}&entity=Patient/{patient}", 1),
        ("agent=app-of-doctor&date=ge2026&date=lt2027", 1),
        ("agent=app-of-doctor&date=ge2026&date=lt2026", 0),
    ],
)
def test_a_parameter_given_twice_asks_for_both_and_a_comma_for_either(
    watched, query, times
):
    clinic, headers = watched
    asked_for(clinic)
    asked = query.format(
        organization=clinic.organization,
        patient=clinic.patient,
        base=clinic.world.deployment.services.base_url,
    )

    bundle = clinic.search(f"AuditEvent?{asked}&_total=accurate", headers)

    assert bundle["total"] == len(list(matches(bundle))) == times


@pytest.mark.parametrize(
    ("query", "times"),
    [
        ("_id={one}", 1),
        ("_id={one},{other}", 2),
        ("_id={one}&_id={other}", 0),
        ("_id={one}&_id={other},{one}", 1),
        ("_id={row}", 1),
        ("_id={row}-7", 0),
        ("_id=x", 0),
        ("_id=" + "9" * 30, 0),
        ("_id={one}&subtype=read", 1),
        ("_id={one}&subtype=search", 0),
    ],
)
def test_events_are_searched_by_id(watched, query, times):
    clinic, headers = watched
    [one] = found(watched, f"?patient={clinic.patient}&subtype=read")
    [other] = found(watched, f"?patient={clinic.patient}&subtype=search")
    row = one["id"].partition("-")[0]
    asked = query.format(one=one["id"], other=other["id"], row=row)

    bundle = clinic.search(f"AuditEvent?{asked}&_total=accurate", headers)

    assert bundle["total"] == len(list(matches(bundle))) == times


def test_events_are_searched_by_either_of_two_consents(watched):
    clinic, _ = watched
    [event] = found(watched, f"?patient={clinic.patient}&subtype=search")
    [consent] = [
        one["what"]["reference"].partition("/_history/")[0]
        for one in event["entity"]
        if one.get("type", {}).get("code") == "Consent"
    ]

    events = found(watched, f"?subtype=search&entity=Consent/other,{consent}")

    assert [one["id"] for one in events] == [event["id"]]


def test_events_are_searched_by_time(watched):
    clinic, _ = watched
    [read] = found(watched, f"?patient={clinic.patient}&subtype=read")
    at = read["recorded"]

    def ids(query):
        return {one["id"] for one in found(watched, f"?subtype=read,search&{query}")}

    assert read["id"] in ids(f"date=ge{at}&date=le{at}")
    assert read["id"] not in ids(f"date=gt{at}")
    assert read["id"] not in ids(f"date=lt{at}")
    assert read["id"] in ids(f"date={at[:10]}")


def test_pages_hold_every_event_once_and_the_total_is_exact(watched):
    clinic, headers = watched
    query = "AuditEvent?date=lt2100&_count=3&_total=accurate"
    first = clinic.search(query, headers)

    ids = [
        one["id"]
        for one in clinic.all_found("AuditEvent?date=lt2100&_count=3", headers)
    ]

    assert len(ids) == len(set(ids))
    assert first["total"] <= len(ids) <= first["total"] + 2  # readings of the log


def test_each_search_of_the_log_is_in_the_log(watched):
    clinic, headers = watched
    clinic.search(f"AuditEvent?patient={clinic.patient}", headers)

    [event] = found(watched, f"?type=110101&patient={clinic.patient}")

    assert event["action"] == "R"
    assert {"identifier": {"value": "officer"}} in [
        one["who"] for one in event["agent"]
    ]


def test_an_officer_sees_nothing_of_another_organisation(watched):
    clinic, _ = watched
    other = clinic.world.person(
        "stranger", OFFICER, role="compliance-officer", organization="Organization/b"
    )

    events = list(matches(clinic.search("AuditEvent?subtype=read,search", other)))
    ofpatient = clinic.search(f"AuditEvent?patient={clinic.patient}", other)

    assert events == []
    assert "entry" not in ofpatient


def test_one_event_a_patient_and_none_tells_of_another_s(watched):
    clinic, _ = watched
    second = clinic.another_patient("user-2")
    clinic.consented(patient_id=second)
    clinic.deliver(heart_rate(5, "user-1"), heart_rate(6, "user-2"))

    events = found(watched, "?type=110107")

    assert [patients(one) for one in events][:2] == [
        [f"Patient/{one}"] for one in sorted([clinic.patient, second])
    ] or len({tuple(patients(one)) for one in events[:2]}) == 2
    assert all(len(patients(one)) == 1 for one in events)
    alone = found(watched, f"?type=110107&patient={second}")
    assert [patients(one) for one in alone] == [[f"Patient/{second}"]]


@pytest.mark.parametrize(
    ("role", "scopes", "more"),
    [
        ("practitioner", "user/*.rs", {}),
        ("patient", "patient/*.rs", {"patient": True}),
        ("compliance-officer", "user/Patient.rs", {}),
        ("administrator", "user/AuditEvent.rs", {}),
    ],
)
def test_nobody_else_reads_the_log(watched, role, scopes, more):
    clinic, _ = watched
    headers = clinic.world.person(
        "curious",
        scopes,
        role=role,
        organization=clinic.organization,
        patient=clinic.patient if more else None,
    )

    for path in ("AuditEvent", "AuditEvent/1"):
        assert clinic.world.get(f"/fhir/{path}", headers).status_code == 403


def test_a_backend_service_reads_what_concerns_its_organisation(watched):
    clinic, _ = watched
    own = clinic.world.client(
        "auditor", "system/AuditEvent.rs", organization=clinic.organization
    )

    assert list(matches(clinic.search("AuditEvent?subtype=read", own)))


@pytest.mark.parametrize(
    "query",
    [
        "?altid=x",
        "?entity-name=x",
        "?date=ap2024",
        "?_sort=date",
        "?_include=x",
        "?entity=Observation/1",
        "?entity=Patient/1,Consent/1",
        "?entity=Consent/1&entity=Consent/2",
        "?date=2026,2027",
        "?_count=0",
        "?_count=x",
        "?date=yesterday",
    ],
)
def test_what_is_not_served_is_refused_by_name(watched, query):
    clinic, headers = watched

    answer = clinic.world.get(f"/fhir/AuditEvent{query}", headers)

    assert answer.status_code == 400
    assert answer.json["resourceType"] == "OperationOutcome"


def test_a_page_link_is_its_officer_s_alone(watched):
    clinic, headers = watched
    bundle = clinic.search("AuditEvent?_count=1", headers)
    following = next(one["url"] for one in bundle["link"] if one["relation"] == "next")
    other = clinic.world.person(
        "second", OFFICER, role="compliance-officer", organization=clinic.organization
    )

    answer = clinic.world.get(f"/fhir/{following.partition('/fhir/')[2]}", other)

    assert answer.status_code == 400


def test_nothing_is_written_to_the_log_by_a_client(watched):
    clinic, _ = watched

    answer = clinic.world.send(
        "POST", "/fhir/AuditEvent", {"resourceType": "AuditEvent"}, clinic.admin
    )

    assert answer.status_code in {400, 403, 405, 422, 501}
