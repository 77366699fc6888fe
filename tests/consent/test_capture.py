from datetime import UTC

import pytest

from conformance.issues import IssueType
from consent.capture import (
    ENFORCED,
    ENTRY_RULES,
    MAX_ENTRIES,
    NOT_ENFORCED,
    capture_issues,
)
from consent.in_force import Enforced
from consent.lint import LISTS, PERIODS
from consent.references import Deployment

DEPLOYMENT = Deployment(zone=UTC, own_bases=("https://fhir.example.org/r4",))
T = "http://terminology.hl7.org/CodeSystem/"
SCOPE = {"coding": [{"system": T + "consentscope", "code": "patient-privacy"}]}

FULL = {
    "type": "permit",
    "period": {"start": "2026-01-01", "end": "2027"},
    "dataPeriod": {"start": "2025"},
    "actor": [
        {"reference": {"reference": "Organization/clinic"}},
        {"reference": {"identifier": {"system": "http://npi", "value": "1"}}},
    ],
    "action": [{"coding": [{"system": T + "consentaction", "code": "collect"}]}],
    "purpose": [{"system": T + "v3-ActReason", "code": "TREAT"}],
    "class": [
        {"system": "http://hl7.org/fhir/resource-types", "code": "Observation"},
        {"system": "urn:ietf:rfc:3986", "code": "http://p/one"},
    ],
    "securityLabel": [
        {"system": T + "v3-Confidentiality", "code": "R"},
        {"system": T + "v3-ActCode", "code": "PSY"},
    ],
    "data": [
        {"meaning": meaning, "reference": {"reference": "Device/x"}}
        for meaning in ("instance", "related", "dependents", "authoredby")
    ],
    "code": [
        {"coding": [{"system": system, "code": "1"}]}
        for system in (
            "http://loinc.org",
            "http://snomed.info/sct",
            "urn:iso:std:iso:11073:10101",
            "https://fhir-interop-service.org/fhir/CodeSystem/measurement",
        )
    ],
}


def consent(provision, **elements):
    return {
        "resourceType": "Consent",
        "status": "active",
        "scope": SCOPE,
        "patient": {"reference": "Patient/p1"},
        "provision": provision,
        **elements,
    }


def issues(provision, **elements):
    return capture_issues(consent(provision, **elements), deployment=DEPLOYMENT)


def permit(**elements):
    return {"type": "permit", **elements}


def test_what_is_enforced_is_accepted_at_the_root_and_three_levels_below():
    deepest = {**FULL, "type": "deny"}
    third = {**FULL, "provision": [deepest, deepest]}
    second = {**FULL, "type": "deny", "provision": [third]}

    assert issues({**FULL, "provision": [second]}) == []


REFUSED = [
    (
        permit(securityLabel=[{"system": T + "v3-Confidentiality", "code": "n"}]),
        "Consent.provision.securityLabel[0]",
    ),
    (
        permit(securityLabel=[{"system": "http://local", "code": "R"}]),
        "Consent.provision.securityLabel[0]",
    ),
    (
        permit(securityLabel=[{"system": T + "v3-ActReason", "code": "HTEST"}]),
        "Consent.provision.securityLabel[0]",
    ),
    (
        permit(data=[{"meaning": "other", "reference": {"reference": "Device/x"}}]),
        "Consent.provision.data[0]",
    ),
    (
        permit(data=[{"reference": {"reference": "Device/x"}}]),
        "Consent.provision.data[0]",
    ),
    (
        permit(data=[{"meaning": "instance", "reference": {"display": "my ring"}}]),
        "Consent.provision.data[0]",
    ),
    (
        permit(data=[{"meaning": "instance", "reference": {"reference": "Ring/x"}}]),
        "Consent.provision.data[0]",
    ),
    (
        {
            "type": "deny",
            "data": [
                {
                    "meaning": "instance",
                    "reference": {"reference": "https://else/Device/x"},
                }
            ],
        },
        "Consent.provision.data[0]",
    ),
    (permit(actor=[{"reference": {"display": "my ex"}}]), "Consent.provision.actor[0]"),
    (
        permit(actor=[{"reference": {"reference": "Practitioner/dr "}}]),
        "Consent.provision.actor[0]",
    ),
    (permit(actor=[{"reference": {"reference": "#me"}}]), "Consent.provision.actor[0]"),
    (permit(actor=[{}]), "Consent.provision.actor[0]"),
    (
        {
            "type": "deny",
            "actor": [
                {
                    "reference": {
                        "reference": "https://else/Practitioner/y",
                        "identifier": {"system": "http://npi", "value": "1"},
                    }
                }
            ],
        },
        "Consent.provision.actor[0]",
    ),
    (
        {"type": "deny", "actor": [{"reference": {"identifier": {"value": "1"}}}]},
        "Consent.provision.actor[0]",
    ),
    (
        {
            "type": "deny",
            "actor": [{"reference": {"identifier": {"system": "s", "value": " 1"}}}],
        },
        "Consent.provision.actor[0]",
    ),
    (
        permit(purpose=[{"system": T + "v3-ActReason", "code": "treat"}]),
        "Consent.provision.purpose[0]",
    ),
    (
        permit(purpose=[{"system": "http://local", "code": "TREAT"}]),
        "Consent.provision.purpose[0]",
    ),
    (permit(purpose=[{"code": "TREAT"}]), "Consent.provision.purpose[0]"),
    (
        permit(action=[{"coding": [{"system": T + "consentaction", "code": "read"}]}]),
        "Consent.provision.action[0]",
    ),
    (permit(action=[{"text": "all"}]), "Consent.provision.action[0]"),
    (
        permit(
            action=[
                {
                    "coding": [
                        {"system": T + "consentaction", "code": "use"},
                        {"system": "http://local", "code": "x"},
                    ]
                }
            ]
        ),
        "Consent.provision.action[0]",
    ),
    (
        {"class": [{"system": "http://local", "code": "x"}], "type": "deny"},
        "Consent.provision.class[0]",
    ),
    (
        {
            "class": [
                {"system": "http://hl7.org/fhir/resource-types", "code": "Observaton"}
            ],
            "type": "deny",
        },
        "Consent.provision.class[0]",
    ),
    (
        {"class": [{"system": "http://hl7.org/fhir/resource-types"}], "type": "deny"},
        "Consent.provision.class[0]",
    ),
    (
        permit(code=[{"coding": [{"system": "http://loinc.org/", "code": "8867-4"}]}]),
        "Consent.provision.code[0]",
    ),
    (permit(code=[{"text": "pulse"}]), "Consent.provision.code[0]"),
    (
        permit(code=[{"coding": [{"system": "http://loinc.org"}]}]),
        "Consent.provision.code[0]",
    ),
]


@pytest.mark.parametrize(("provision", "expression"), REFUSED)
def test_what_cannot_be_evaluated_or_enforced_is_refused(provision, expression):
    [issue] = issues(provision)

    assert issue.type is IssueType.NOT_SUPPORTED
    assert issue.expression == expression


def test_faults_of_the_linter_are_refused_too():
    [issue] = issues({"type": "PERMIT"})

    assert issue.expression == "Consent.provision.type"


@pytest.mark.parametrize("patient", [None, {"display": "me"}, {"reference": "Group/g"}])
def test_a_consent_is_about_one_patient_of_ours(patient):
    [issue] = issues(permit(), patient=patient)

    assert (issue.type, issue.expression) == (IssueType.REQUIRED, "Consent.patient")


@pytest.mark.parametrize("code", ["adr", "treatment"])
def test_a_scope_that_decides_nothing_is_refused(code):
    scope = {"coding": [{"system": T + "consentscope", "code": code}]}

    [issue] = issues(permit(), scope=scope)

    assert (issue.type, issue.expression) == (IssueType.NOT_SUPPORTED, "Consent.scope")


def test_research_is_accepted():
    scope = {"coding": [{"system": T + "consentscope", "code": "research"}]}

    assert issues(permit(), scope=scope) == []


def test_too_many_entries_are_a_load():
    actors = [{"reference": {"reference": "Practitioner/dr"}}] * (MAX_ENTRIES + 1)

    [issue] = issues(permit(actor=actors))

    assert issue.type is IssueType.TOO_COSTLY
    assert issues(permit(actor=actors[1:])) == []


def test_entries_of_a_broken_shape_are_named_once():
    [issue] = issues(permit(actor=["Practitioner/dr"]))

    assert issue.expression == "Consent.provision.actor"


def test_a_store_that_enforces_less_refuses_more():
    found = capture_issues(
        consent(FULL),
        deployment=DEPLOYMENT,
        enforced=Enforced(elements=ENFORCED.elements - {"dataPeriod"}, depth=0),
    )

    assert [issue.expression for issue in found] == ["Consent.provision.dataPeriod"]
    assert "not enforced" in found[0].diagnostics


def test_every_element_is_enforced_or_refused_with_words():
    assert ENFORCED.elements | set(NOT_ENFORCED) == {*LISTS, *PERIODS}
    assert not ENFORCED.elements & set(NOT_ENFORCED)
    assert set(ENTRY_RULES) == set(LISTS) - set(NOT_ENFORCED)
