from datetime import UTC

import pytest

from conformance.fhir_json import dumps
from conformance.issues import IssueType, Severity
from consent.lint import MAX_PROVISIONS, PROVISION_RULES, RULES, faults
from consent.outline import provisions
from consent.provisions import Scope, read, read_bytes
from consent.references import Deployment

DEPLOYMENT = Deployment(zone=UTC, own_bases=("https://fhir.example.org/r4",))
T = "http://terminology.hl7.org/CodeSystem/"
ELSEWHERE = {"reference": {"reference": "https://else.example.org/Practitioner/dr"}}
HERE = {"reference": {"reference": "https://fhir.example.org/r4/Practitioner/dr"}}


def consent(provision=None, **elements):
    return {
        "resourceType": "Consent",
        "id": "c",
        "status": "active",
        "scope": {
            "coding": [{"system": T + "consentscope", "code": "patient-privacy"}]
        },
        "patient": {"reference": "Patient/p1"},
        "provision": {"type": "permit"} if provision is None else provision,
        **elements,
    }


def rule(code, system=T + "v3-ActCode"):
    return {"coding": [{"system": system, "code": code}]}


def nested(depth):
    node = {"type": "permit"}
    for _ in range(depth):
        node = {"type": "permit", "provision": [node]}
    return node


SOUND = [
    consent(),
    consent({}),
    consent({}, policyRule=rule("OPTIN")),
    consent({"type": "deny"}, policyRule=rule("OPTOUT")),
    consent({"type": "permit"}, policyRule={"text": "in words"}),
    consent(dateTime="2026"),
    consent(nested(3)),
    consent({"type": "permit", "provision": [{"type": "deny"}] * (MAX_PROVISIONS - 1)}),
    consent(
        {"type": "permit", "period": {"start": "2026"}, "dataPeriod": {"end": "2026"}}
    ),
    consent({"type": "permit", "_type": {"id": "x"}, "id": "p", "extension": []}),
    consent({"type": "permit", "actor": [HERE], "data": [HERE, {"meaning": "x"}]}),
    consent({"type": "deny", "actor": [ELSEWHERE, {}], "data": [ELSEWHERE]}),
    {key: value for key, value in consent().items() if key != "provision"},
]

FAULTY = [
    (
        consent({"type": "permit", "provision": [{"purpose": [{}]}]}),
        "Consent.provision.provision[0].type",
    ),
    (consent({"type": "PERMIT"}), "Consent.provision.type"),
    (consent({"type": None}), "Consent.provision.type"),
    (consent({"type": ["permit"]}), "Consent.provision.type"),
    (consent({"type": "permit"}, policyRule=rule("OPTOUT")), "Consent.policyRule"),
    (
        consent({"type": "permit"}, policyRule=rule("OPTOUTE", "http://x")),
        "Consent.policyRule",
    ),
    (consent({"type": "deny"}, policyRule=rule("OPTIN")), "Consent.policyRule"),
    (
        consent({}, policyRule={"coding": [{"code": "OPTINR"}, {"code": "OPTOUT"}]}),
        "Consent.policyRule",
    ),
    (
        consent({"type": "permit", "period": {"start": "2030", "end": "2020"}}),
        "Consent.provision.period",
    ),
    (
        consent({"type": "permit", "period": {"start": "soon"}}),
        "Consent.provision.period",
    ),
    (consent({"type": "permit", "period": {}}), "Consent.provision.period"),
    (consent({"type": "permit", "dataPeriod": "2026"}), "Consent.provision.dataPeriod"),
    *(
        (consent({"type": "permit", name: {"coding": []}}), f"Consent.provision.{name}")
        for name in (
            "actor",
            "action",
            "securityLabel",
            "purpose",
            "class",
            "code",
            "data",
            "provision",
        )
    ),
    (
        consent({"type": "permit", "provision": ["deny"]}),
        "Consent.provision.provision",
    ),
    (consent({"type": "permit", "actor": []}), "Consent.provision.actor"),
    (consent({"type": "permit", "actor": None}), "Consent.provision.actor"),
    (consent({"type": "permit", "code": [None]}), "Consent.provision.code"),
    (consent([{"type": "permit"}]), "Consent.provision"),
    (consent(scope=None), "Consent.scope"),
    (consent(scope={"coding": [{"code": "patient-privacy"}]}), "Consent.scope"),
    (
        consent(scope={"coding": [{"system": T + "consentscope", "code": "else"}]}),
        "Consent.scope",
    ),
    (
        consent(
            scope={
                "coding": [
                    {"system": T + "consentscope", "code": code}
                    for code in ("research", "patient-privacy")
                ]
            }
        ),
        "Consent.scope",
    ),
    (consent(modifierExtension=[{"url": "x"}]), "Consent"),
    (
        consent(
            {
                "type": "permit",
                "provision": [
                    {
                        "type": "deny",
                        "period": {"end": "2000"},
                        "actor": [{"modifierExtension": []}],
                    }
                ],
            }
        ),
        "Consent",
    ),
    (consent(implicitRules="http://x"), "Consent"),
    (consent(nested(4)), "Consent.provision"),
    (
        consent({"type": "permit", "provision": [{"type": "deny"}] * MAX_PROVISIONS}),
        "Consent.provision",
    ),
    (
        consent({"type": "permit", "actor": [HERE, ELSEWHERE]}),
        "Consent.provision.actor[1].reference",
    ),
    (
        consent({"type": "permit", "data": [{"meaning": "instance", **ELSEWHERE}]}),
        "Consent.provision.data[0].reference",
    ),
    (consent({"actor": [ELSEWHERE]}), "Consent.provision.actor[0].reference"),
    (
        consent(
            {"type": "deny", "provision": [{"type": "permit", "actor": [ELSEWHERE]}]}
        ),
        "Consent.provision.provision[0].actor[0].reference",
    ),
    (consent({"type": "permit", "verification": []}), "Consent.provision"),
    (consent(dateTime="soon"), "Consent.dateTime"),
    (consent(dateTime=None), "Consent.dateTime"),
]


@pytest.mark.parametrize("sound", SOUND)
def test_a_sound_consent_has_no_fault(sound):
    assert faults(sound, DEPLOYMENT) == []
    assert read(sound, deployment=DEPLOYMENT).root is not None


@pytest.mark.parametrize(("faulty", "expression"), FAULTY)
def test_a_fault_is_found_where_it_is_and_makes_it_indeterminate(faulty, expression):
    found = faults(faulty, DEPLOYMENT)

    assert [issue.expression for issue in found] == [expression]
    parsed = read(faulty, deployment=DEPLOYMENT)
    assert parsed.root is None
    assert parsed.faults == tuple(found)
    assert set(found) <= set(parsed.alerts)


def test_every_rule_of_the_linter_finds_something():
    rules = {rule_.__name__ for rule_ in (*RULES, *PROVISION_RULES)}
    found = {
        rule_.__name__
        for faulty, _ in FAULTY
        for rule_ in RULES
        if list(rule_(faulty, DEPLOYMENT))
    }
    found |= {
        rule_.__name__
        for faulty, _ in FAULTY
        for provision in provisions(faulty)
        for rule_ in PROVISION_RULES
        if list(rule_(provision, DEPLOYMENT))
    }

    assert found == rules


def test_duplicate_keys_make_the_stored_consent_indeterminate_for_its_patient():
    data = dumps(consent()).replace(b'"status"', b'"status":"inactive","status"')

    parsed = read_bytes(
        data, reference="Consent/c", patient="Patient/p1", deployment=DEPLOYMENT
    )

    assert parsed.is_active
    assert parsed.patient == "Patient/p1"
    assert parsed.root is None
    assert parsed.scope is Scope.UNKNOWN
    assert [issue.type for issue in parsed.faults] == [IssueType.STRUCTURE]


def test_what_is_no_object_is_indeterminate_too():
    parsed = read_bytes(
        b"[]", reference="Consent/c", patient="Patient/p1", deployment=DEPLOYMENT
    )

    assert parsed.root is None
    assert parsed.faults


def test_stored_bytes_are_read_as_the_consent_they_hold():
    data = dumps(consent(meta={"versionId": "3"}))

    parsed = read_bytes(
        data, reference="Consent/c", patient="Patient/p1", deployment=DEPLOYMENT
    )

    assert (parsed.reference, parsed.version) == ("Consent/c", "3")
    assert parsed.faults == ()


def test_officers_are_told_of_a_consent_without_patient_and_of_unknown_labels():
    value_set = "http://terminology.hl7.org/ValueSet/v3-Confidentiality"
    labels = [
        {"system": T + "v3-Confidentiality", "code": "N"},
        {"system": "http://local", "code": "ZZZ"},
        {"system": value_set, "code": "N"},
    ]
    parsed = read(
        consent({"type": "permit", "securityLabel": labels}, patient={"display": "me"}),
        deployment=DEPLOYMENT,
    )

    assert parsed.faults == ()
    assert [(issue.severity, issue.expression) for issue in parsed.alerts] == [
        (Severity.WARNING, "Consent.patient"),
        (Severity.WARNING, "Consent.provision.securityLabel[1]"),
        (Severity.WARNING, "Consent.provision.securityLabel[2]"),
    ]


@pytest.mark.parametrize(
    ("elements", "scope"),
    [
        ({}, Scope.PRIVACY),
        (
            {"scope": {"coding": [{"system": T + "consentscope", "code": "research"}]}},
            Scope.RESEARCH,
        ),
        (
            {"scope": {"coding": [{"system": T + "consentscope", "code": "adr"}]}},
            Scope.OTHER,
        ),
        ({"scope": {"text": "privacy"}}, Scope.UNKNOWN),
    ],
)
def test_the_scope_is_read(elements, scope):
    assert read(consent(**elements), deployment=DEPLOYMENT).scope is scope


def test_what_a_consent_uses_and_when_it_changes_is_known():
    parsed = read(
        consent(
            {
                "type": "permit",
                "period": {"start": "2026-01-01"},
                "provision": [
                    {"type": "deny", "period": {"end": "2026-01-31"}, "code": [{}]}
                ],
            },
            dateTime="2025-12-31T00:00:00Z",
        ),
        deployment=DEPLOYMENT,
    )

    assert parsed.elements == {"period", "code"}
    assert parsed.depth == 1
    day = 86_400_000_000
    first = parsed.boundaries[0]
    assert parsed.boundaries == (first, first + day, first + 32 * day)
