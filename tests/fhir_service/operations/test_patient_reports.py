"""$accounting-of-disclosures and $consent-report: for officers, and recorded."""

import csv
import io

import pytest
from worlds import actor, consent, heart_rate, permit, purposes

from conformance.validation import validate

SCOPE = "user/AuditEvent.rs"
BOTH = ("accounting-of-disclosures", "consent-report")


@pytest.fixture
def disclosed(clinic):
    """Return a clinic of which another organisation has read; and its officer."""
    made = clinic.world.create(
        {"resourceType": "Organization", "name": "Laboratory"},
        clinic.world.client("second", "system/Organization.c"),
    )
    lab = f"Organization/{made['id']}"
    reader = clinic.world.client(
        "lab", "system/*.rs", organization=lab, purposes=("HRESCH",)
    )
    clinic.consented()
    provision = permit(actor=actor(lab), purpose=purposes("HRESCH"))
    clinic.world.create(consent(clinic.patient, provision), clinic.admin)
    clinic.deliver(heart_rate(1, "user-1"))
    clinic.search(f"Observation?patient={clinic.patient}", reader)
    clinic.world.clock.pass_s(60)
    return clinic, officer(clinic, "officer", clinic.organization)


def officer(clinic, name, organization, role="compliance-officer"):
    return clinic.world.person(name, SCOPE, role=role, organization=organization)


def call(clinic, headers, name, query="", **more):
    path = f"/fhir/Patient/{clinic.patient}/${name}{query}"
    return clinic.world.get(path, headers, **more)


def parts(answer, name):
    """Return the parameters of a name, their parts as a mapping."""
    return [
        {part["name"]: _value(part) for part in one["part"]}
        for one in answer.json["parameter"]
        if one["name"] == name
    ]


def _value(part):
    [value] = [part[name] for name in part if name.startswith("value")]
    return value


def test_an_officer_is_told_who_received_what(disclosed):
    clinic, headers = disclosed

    answer = call(clinic, headers, BOTH[0], "?reading=part-2&zone=Europe/Madrid")

    assert answer.status_code == 200
    [line] = parts(answer, "disclosures")
    assert (line["recipient"], line["purposes"], line["types"]) == (
        "Laboratory",
        "HRESCH",
        "Observation 1",
    )
    assert line["first"] == "2026-11-20T13:00:00+01:00"
    assert [one for one in validate(answer.json) if one.severity == "error"] == []


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", 0),
        ("?consentsAuthorise=false", 1),
        ("?reading=all", 1),
        ("?reading=all&since=2026-11-21", 0),
        ("?reading=all&until=2026-11-20", 1),
        ("?reading=all&until=2026-11-19", 0),
    ],
)
def test_the_reading_and_the_time_say_what_is_in_it(disclosed, query, expected):
    clinic, headers = disclosed

    answer = call(clinic, headers, BOTH[0], query)

    assert len(parts(answer, "disclosures")) == expected


def test_inputs_may_come_as_parameters(disclosed):
    clinic, headers = disclosed
    body = {
        "resourceType": "Parameters",
        "parameter": [{"name": "reading", "valueCode": "all"}],
    }

    answer = clinic.world.send(
        "POST", f"/fhir/Patient/{clinic.patient}/${BOTH[0]}", body, headers
    )

    assert len(parts(answer, "disclosures")) == 1


def test_the_consents_are_told_version_by_version(disclosed):
    clinic, headers = disclosed

    answer = call(clinic, headers, BOTH[1])

    versions = parts(answer, "versions")
    assert [(one["change"], one["client"]) for one in versions] == [
        ("filed", "admin"),
        ("filed", "admin"),
    ]


@pytest.mark.parametrize("name", BOTH)
def test_a_table_is_given_to_who_accepts_one(disclosed, name):
    clinic, headers = disclosed

    answer = call(clinic, headers, name, Accept="text/csv")

    assert answer.headers["content-type"].startswith("text/csv")
    rows = list(csv.reader(io.StringIO(answer.get_data(as_text=True))))
    assert rows[0][1] == f"Patient/{clinic.patient}"
    assert rows[1][0] == "zone UTC"


@pytest.mark.parametrize(
    ("accept", "expected"),
    [("application/fhir+json", "audit-read"), ("text/csv", "export")],
)
@pytest.mark.parametrize("name", BOTH)
def test_each_call_is_in_the_log_as_a_reading_of_it(disclosed, name, accept, expected):
    clinic, headers = disclosed

    call(clinic, headers, name, Accept=accept)

    row = clinic.world.audited()[-1]
    pseudonym = clinic.world.deployment.services.pseudonym(clinic.patient)
    assert (row.interaction, row.outcome, row.user) == (expected, "allowed", "officer")
    assert row.patients == (pseudonym,)
    assert name in row.request


@pytest.mark.parametrize("name", BOTH)
def test_an_officer_of_another_organisation_has_no_such_patient(disclosed, name):
    clinic, _ = disclosed
    stranger = officer(clinic, "stranger", "Organization/b")

    answer = call(clinic, stranger, name)
    absent = clinic.world.get(f"/fhir/Patient/nobody/${name}", stranger)

    assert (answer.status_code, absent.status_code) == (404, 404)
    told, other = (one.json["issue"][0]["diagnostics"] for one in (answer, absent))
    assert told.replace(clinic.patient, "nobody") == other


@pytest.mark.parametrize("name", BOTH)
@pytest.mark.parametrize("role", ["practitioner", "patient"])
def test_other_people_are_refused(disclosed, name, role):
    clinic, _ = disclosed
    other = officer(clinic, f"other-{role}", clinic.organization, role)

    assert call(clinic, other, name).status_code == 403


@pytest.mark.parametrize("name", BOTH)
def test_a_client_without_the_scope_is_refused(disclosed, name):
    clinic, _ = disclosed
    narrow = clinic.world.client(
        "narrow", "system/Patient.rs", organization=clinic.organization
    )

    assert call(clinic, narrow, name).status_code == 403


@pytest.mark.parametrize("name", BOTH)
def test_a_service_of_the_custodian_may_ask_too(disclosed, name):
    clinic, _ = disclosed
    service = clinic.world.client(
        "service", "system/AuditEvent.rs", organization=clinic.organization
    )

    assert call(clinic, service, name).status_code == 200


@pytest.mark.parametrize(
    "query",
    [
        "?reading=gdpr",
        "?zone=Mars/Base",
        "?since=noon",
        "?consentsAuthorise=yes",
        "?other=1",
        "?reading=all&reading=hipaa",
    ],
)
def test_what_cannot_be_understood_is_refused(disclosed, query):
    clinic, headers = disclosed

    assert call(clinic, headers, BOTH[0], query).status_code == 400
