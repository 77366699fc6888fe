"""AuditEvents against IHE's official examples and the R4B model."""

import base64
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from conformance.issues import Severity
from conformance.models import typed
from conformance.validation import validate
from consent.audit.audit_event import (
    BASE,
    INTERACTION_SYSTEM,
    PATTERNS,
    PROFILE,
    PSEUDONYM_SYSTEM,
    Service,
    render,
)
from consent.audit.entry import (
    AuditRecord,
    Basis,
    BasisKind,
    Interaction,
    Outcome,
)

EXAMPLES = Path(__file__).parents[3].parent / "shared" / "data" / "audit" / "balp"
SERVICE = Service(
    site="server.example.com",
    observer="Device/ex-device",
    address="http://server.example.com/fhir",
)
PATIENT = "Patient/ex-patient"
DATA = ["List/ex-list"]
RECORD = AuditRecord(
    time_us=1_588_153_740_000_000,
    interaction=Interaction.READ,
    outcome=Outcome.ALLOWED,
    status=200,
    request_id="76d148b6-586d-11ec-bf63-0242ac130002",
    user="Practitioner/7",
    client="example-ehr",
    address="2001:0db8:85a3:0000:0000:8a2e:0370:7334",
)


def event(record: AuditRecord, **changes: Any) -> dict[str, Any]:
    return render(record, id="1", service=SERVICE, **changes)


def test_a_read_is_one_whole_event():
    record = replace(
        RECORD,
        token=bytes.fromhex("c187cc48"),
        purposes=("TREAT",),
        organisation="Organization/3",
        basis=(
            Basis(BasisKind.CONSENT, "9/_history/2", "provision.provision[0]"),
            Basis(BasisKind.SCOPE, "user/Observation.rs?category=exam"),
        ),
    )

    assert event(record, patient=PATIENT, data=["Observation/5/_history/1"]) == {
        "resourceType": "AuditEvent",
        "id": "1",
        "meta": {
            "versionId": "1",
            "lastUpdated": "2020-04-29T09:49:00.000000Z",
            "profile": [
                f"{PROFILE}PatientRead",
            ],
        },
        "type": {
            "system": "http://terminology.hl7.org/CodeSystem/audit-event-type",
            "code": "rest",
            "display": "Restful Operation",
        },
        "subtype": [
            {
                "system": "http://hl7.org/fhir/restful-interaction",
                "code": "read",
                "display": "read",
            }
        ],
        "action": "R",
        "recorded": "2020-04-29T09:49:00.000000Z",
        "outcome": "0",
        "purposeOfEvent": [
            {
                "coding": [
                    {
                        "system": "http://terminology.hl7.org/CodeSystem/v3-ActReason",
                        "code": "TREAT",
                    }
                ]
            }
        ],
        "agent": [
            {
                "type": {
                    "coding": [
                        {
                            "system": "http://dicom.nema.org/resources/ontology/DCM",
                            "code": "110152",
                            "display": "Destination Role ID",
                        }
                    ]
                },
                "who": {"identifier": {"value": "example-ehr"}},
                "requestor": False,
                "network": {
                    "address": "2001:0db8:85a3:0000:0000:8a2e:0370:7334",
                    "type": "2",
                },
            },
            {
                "type": {
                    "coding": [
                        {
                            "system": "http://dicom.nema.org/resources/ontology/DCM",
                            "code": "110153",
                            "display": "Source Role ID",
                        }
                    ]
                },
                "who": {"reference": "Device/ex-device"},
                "requestor": False,
                "network": {"address": "http://server.example.com/fhir", "type": "5"},
            },
            {
                "type": {
                    "coding": [
                        {
                            "system": "http://terminology.hl7.org/CodeSystem/"
                            "v3-ParticipationType",
                            "code": "IRCP",
                            "display": "information recipient",
                        }
                    ]
                },
                "who": {"reference": "Practitioner/7"},
                "requestor": True,
                "policy": [
                    "urn:ietf:params:oauth:jti:c187cc48",
                    f"{BASE}/policy/scope/user%2FObservation.rs%3Fcategory%3Dexam",
                ],
            },
            {
                "type": {
                    "coding": [
                        {
                            "system": "http://terminology.hl7.org/CodeSystem/"
                            "v3-RoleClass",
                            "code": "PROV",
                            "display": "healthcare provider",
                        }
                    ]
                },
                "who": {"reference": "Organization/3"},
                "requestor": False,
            },
        ],
        "source": {
            "site": "server.example.com",
            "observer": {"reference": "Device/ex-device"},
            "type": [
                {
                    "system": "http://terminology.hl7.org/CodeSystem/"
                    "security-source-type",
                    "code": "4",
                    "display": "Application Server",
                }
            ],
        },
        "entity": [
            {
                "type": {
                    "system": "http://terminology.hl7.org/CodeSystem/audit-entity-type",
                    "code": "2",
                    "display": "System Object",
                },
                "role": {
                    "system": "http://terminology.hl7.org/CodeSystem/object-role",
                    "code": "4",
                    "display": "Domain Resource",
                },
                "what": {"reference": "Observation/5/_history/1"},
            },
            {
                "type": {
                    "system": "http://terminology.hl7.org/CodeSystem/audit-entity-type",
                    "code": "1",
                    "display": "Person",
                },
                "role": {
                    "system": "http://terminology.hl7.org/CodeSystem/object-role",
                    "code": "1",
                    "display": "Patient",
                },
                "what": {"reference": "Patient/ex-patient"},
            },
            {
                "type": {
                    "system": "http://hl7.org/fhir/resource-types",
                    "code": "Consent",
                },
                "what": {"reference": "Consent/9/_history/2"},
                "detail": [{"type": "path", "valueString": "provision.provision[0]"}],
            },
            {
                "type": {
                    "system": "https://profiles.ihe.net/ITI/BALP/CodeSystem/"
                    "BasicAuditEntityType",
                    "code": "XrequestId",
                },
                "what": {
                    "identifier": {"value": "76d148b6-586d-11ec-bf63-0242ac130002"}
                },
            },
        ],
    }


def code(coding: dict[str, str]) -> tuple[str, str]:
    return coding["system"], coding["code"]


def shape(resource: dict[str, Any]) -> dict[str, Any]:
    """What BALP fixes: codes, who asks, which elements an entity has."""
    return {
        "profile": resource["meta"]["profile"],
        "type": code(resource["type"]),
        "subtype": [code(coding) for coding in resource["subtype"]],
        "action": resource["action"],
        "outcome": resource["outcome"],
        "agent": sorted(
            (
                code(agent["type"]["coding"][0]),
                agent["requestor"],
                agent.get("network", {}).get("type", ""),
            )
            for agent in resource["agent"]
        ),
        "entity": sorted(
            (
                code(entity["type"]),
                code(entity["role"]) if "role" in entity else (),
                "query" in entity,
                sorted(entity.get("what", {})),
            )
            for entity in resource["entity"]
        ),
        "source": sorted(resource["source"].keys() - {"site"}),
    }


def example(name: str) -> dict[str, Any]:
    file = EXAMPLES / f"AuditEvent-ex-audit{name}.json"
    if not file.exists():
        pytest.skip("the official BALP examples are not beside the repository")
    found: dict[str, Any] = json.loads(file.read_bytes())
    return found


NOBODY = {"user": ""}
NO_ID = {"request_id": ""}
QUERY = {
    "interaction": Interaction.SEARCH,
    "request": "GET test.fhir.org/r4/Observation?patient=ex-patient&_count=10",
}
DECISION = {
    "interaction": Interaction.CONSENT_DECISION,
    "organisation": "Organization/ex-organization",
    "basis": (Basis(BasisKind.CONSENT, "ex-consent"),),
}


@pytest.mark.parametrize(
    ("name", "changes", "patient", "data"),
    [
        ("BasicReadServer", {}, PATIENT, DATA),
        ("BasicReadNoUser", NOBODY, PATIENT, DATA),
        ("BasicReadNoPatient", NO_ID, None, DATA),
        (
            "BasicCreateServer",
            {**NO_ID, "interaction": Interaction.CREATE},
            PATIENT,
            DATA,
        ),
        (
            "BasicCreateNoUser",
            {**NO_ID, **NOBODY, "interaction": Interaction.CREATE},
            PATIENT,
            DATA,
        ),
        (
            "BasicCreateNoPatient",
            {**NO_ID, "interaction": Interaction.CREATE},
            None,
            DATA,
        ),
        (
            "BasicUpdateNoUser",
            {**NO_ID, **NOBODY, "interaction": Interaction.UPDATE},
            PATIENT,
            DATA,
        ),
        ("BasicPatch", {**NO_ID, "interaction": Interaction.PATCH}, PATIENT, DATA),
        (
            "BasicDeleteServer",
            {**NO_ID, "interaction": Interaction.DELETE},
            PATIENT,
            DATA,
        ),
        (
            "BasicDeleteNoUser",
            {**NO_ID, **NOBODY, "interaction": Interaction.DELETE},
            PATIENT,
            DATA,
        ),
        (
            "BasicDeleteNoPatient",
            {**NO_ID, "interaction": Interaction.DELETE},
            None,
            DATA,
        ),
        ("BasicQueryGetServer", QUERY, PATIENT, DATA),
        ("BasicQueryGetNoPatient", QUERY, None, []),
        ("AuthZconsent", DECISION, PATIENT, DATA),
        (
            "AuthZconsent-deny",
            {**DECISION, "outcome": Outcome.DENIED, "reason": "no-consent"},
            PATIENT,
            DATA,
        ),
    ],
)
def test_an_event_has_the_shape_of_the_official_example(name, changes, patient, data):
    official = example(name)
    if name.startswith("AuthZ"):
        data = []

    ours = event(replace(RECORD, **changes), patient=patient, data=data)

    assert shape(ours) == shape(official)


def displays(value: Any) -> Iterator[tuple[tuple[str, str], str]]:
    if isinstance(value, list):
        for item in value:
            yield from displays(item)
    elif isinstance(value, dict):
        if {"system", "code", "display"} <= value.keys():
            yield code(value), value["display"]
        for item in value.values():
            yield from displays(item)


def test_a_code_has_the_display_that_the_official_examples_give_it():
    example("BasicReadServer")
    official = {
        coded: display
        for file in sorted(EXAMPLES.glob("*.json"))
        for coded, display in displays(json.loads(file.read_bytes()))
    }
    ours = {
        coded: display
        for interaction in Interaction
        for coded, display in displays(
            event(replace(RECORD, interaction=interaction), patient=PATIENT, data=DATA)
        )
    }

    both = ours.keys() & official.keys()

    assert len(both) >= 15
    assert {coded: ours[coded] for coded in both} == {
        coded: official[coded] for coded in both
    }


@pytest.mark.parametrize("interaction", Interaction)
@pytest.mark.parametrize("outcome", Outcome)
def test_every_interaction_is_a_valid_audit_event(interaction, outcome):
    record = replace(
        RECORD,
        interaction=interaction,
        outcome=outcome,
        request="GET /fhir/Observation",
        organisation="Organization/3",
        reason="because",
        purposes=("TREAT",),
        counts=(("received", 3),),
        basis=(Basis(BasisKind.CONSENT, "9/_history/2", "provision"),),
    )

    made = event(record, patient=PATIENT, data=DATA)

    typed(made)
    assert [
        issue for issue in validate(made) if issue.severity is not Severity.WARNING
    ] == []


def test_every_interaction_has_a_pattern():
    assert list(PATTERNS) == list(Interaction)


@pytest.mark.parametrize("interaction", Interaction)
def test_what_no_standard_code_names_has_ours(interaction):
    for coding in PATTERNS[interaction].subtypes:
        if coding.system == INTERACTION_SYSTEM:
            assert coding.code == interaction


@pytest.mark.parametrize(
    ("outcome", "status", "expected"),
    [
        (Outcome.ALLOWED, 200, "0"),
        (Outcome.DENIED, 403, "8"),
        (Outcome.ERROR, 400, "4"),
        (Outcome.ERROR, 500, "8"),
    ],
)
def test_the_outcome_says_how_bad_it_was(outcome, status, expected):
    made = event(replace(RECORD, outcome=outcome, status=status, reason="scope"))

    assert made["outcome"] == expected
    assert made.get("outcomeDesc") == (None if expected == "0" else "scope")


def profiles(made: dict[str, Any]) -> list[str]:
    return [one.removeprefix(PROFILE) for one in made["meta"].get("profile", [])]


def test_a_profile_is_claimed_where_its_elements_are_there():
    assert profiles(event(RECORD, patient=PATIENT, data=DATA)) == ["PatientRead"]
    assert profiles(event(RECORD, data=DATA)) == ["Read"]


@pytest.mark.parametrize(
    ("changes", "patient", "data"),
    [
        ({"outcome": Outcome.DENIED, "status": 403}, PATIENT, DATA),
        ({"address": ""}, PATIENT, DATA),
        ({"address": "", "client": ""}, PATIENT, DATA),
        ({}, PATIENT, []),
        ({}, PATIENT, [*DATA, "List/2"]),
        ({"interaction": Interaction.SEARCH, "request": None}, PATIENT, []),
        ({"interaction": Interaction.INGEST}, PATIENT, DATA),
        ({"interaction": Interaction.HISTORY, "request": "GET /"}, PATIENT, []),
        ({**DECISION, "organisation": ""}, PATIENT, []),
        ({**DECISION, "user": ""}, PATIENT, []),
        ({**DECISION, "basis": ()}, PATIENT, []),
        (DECISION, None, []),
    ],
)
def test_no_profile_is_claimed_where_an_element_is_missing(changes, patient, data):
    assert not profiles(event(replace(RECORD, **changes), patient=patient, data=data))


def test_a_search_records_the_question_and_not_the_answer():
    record = replace(RECORD, **QUERY, disclosed=(1, 2, 3))

    [query] = [
        entity for entity in event(record, data=DATA)["entity"] if "query" in entity
    ]

    assert base64.b64decode(query["query"]).decode() == QUERY["request"]
    assert query["description"] == QUERY["request"]
    assert "what" not in query


def test_an_erased_patient_is_a_pseudonym():
    made = event(RECORD, patient=bytes(range(16)), data=DATA)

    assert made["entity"][1]["what"] == {
        "type": "Patient",
        "identifier": {
            "system": PSEUDONYM_SYSTEM,
            "value": "000102030405060708090a0b0c0d0e0f",
        },
    }


def test_a_receipt_shows_its_numbers():
    record = replace(
        RECORD,
        interaction=Interaction.INGEST,
        counts=(("received", 12), ("stored", 10)),
    )

    [job] = [
        entity
        for entity in event(record)["entity"]
        if entity.get("role", {}).get("code") == "20"
    ]

    assert job["detail"] == [
        {"type": "received", "valueString": "12"},
        {"type": "stored", "valueString": "10"},
    ]


def test_a_client_without_a_user_carries_the_grounds():
    record = replace(RECORD, user="", basis=(Basis(BasisKind.OVERLAY, "custodian"),))

    client, server = event(record)["agent"]

    assert client["policy"] == [f"{BASE}/policy/overlay/custodian"]
    assert "policy" not in server


def test_the_digest_of_the_inputs_is_no_policy():
    bases = (Basis(BasisKind.OVERLAY, "custodian"), Basis(BasisKind.INPUTS, "0" * 32))
    record = replace(RECORD, user="", basis=bases)

    client, _ = event(record)["agent"]

    assert client["policy"] == [f"{BASE}/policy/overlay/custodian"]


@pytest.mark.parametrize(
    ("address", "type_"),
    [("203.0.113.17", "2"), ("::1", "2"), ("host.example.org", "1"), ("1.2.3", "1")],
)
def test_an_address_says_of_what_kind_it_is(address, type_):
    client = event(replace(RECORD, address=address))["agent"][0]

    assert client["network"] == {"address": address, "type": type_}


def test_the_service_itself_needs_no_client():
    record = AuditRecord(
        time_us=0, interaction=Interaction.START, outcome=Outcome.ALLOWED
    )

    made = event(record)

    assert [agent["who"] for agent in made["agent"]] == [
        {"reference": "Device/ex-device"}
    ]
    assert "entity" not in made
