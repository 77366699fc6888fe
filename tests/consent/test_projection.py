"""Two signatures that a consent can tell apart never share a formula."""

from datetime import UTC

import pytest

from consent.codes import ACT_REASON
from consent.decision import DefaultPolicy
from consent.engine import prepare
from consent.in_force import Policy, Subject
from consent.labels import labels_of
from consent.provisions import read
from consent.references import Deployment
from consent.request import AccessRequest
from consent.signature import describe

T = "http://terminology.hl7.org/CodeSystem/"
DEPLOYMENT = Deployment(zone=UTC)
REQUEST = AccessRequest(
    actors=frozenset({"Practitioner/dr", "Organization/home"}),
    individual_known=True,
    purposes=((ACT_REASON, "TREAT"),),
    actions=("access",),
    btg_attested=False,
    at_us=1_780_000_000_000_000,
)
NORMAL = labels_of(3, (), is_labelled=True)
RESTRICTED = labels_of(4, (), is_labelled=True)


def concept(*codes):
    return {"coding": [{"system": "http://loinc.org", "code": code} for code in codes]}


def denying(**elements):
    return {"type": "permit", "provision": [{"type": "deny", **elements}]}


def naming(meaning, reference):
    return [{"meaning": meaning, "reference": {"reference": reference}}]


CODE = {"code": concept("1")}
DENY_CODE = denying(code=[concept("9")])
PERMIT_CODE = {"type": "permit", "code": [concept("9")]}
DEPENDENTS = denying(data=naming("dependents", "Device/ring"))
AUTHORED = denying(data=naming("authoredby", "Practitioner/y"))
LABEL = {
    "type": "permit",
    "securityLabel": [{"system": T + "v3-Confidentiality", "code": "N"}],
}
CLASS = {
    "type": "permit",
    "class": [{"system": "urn:ietf:rfc:3986", "code": "http://p/one"}],
}
WINDOW = {"type": "permit", "dataPeriod": {"start": "2026"}}

TOLD_APART = {
    "principal": (PERMIT_CODE, CODE, {"code": concept("9")}),
    "components": (
        PERMIT_CODE,
        {**CODE, "component": [{"code": concept("9")}, {"code": concept("8", "9")}]},
        {**CODE, "component": [{"code": concept("9")}, {"code": concept("8")}]},
    ),
    "coded components": (
        DENY_CODE,
        {**CODE, "component": [{"code": concept("8")}]},
        {**CODE, "component": [{"code": concept()}]},
    ),
    "categories": (DENY_CODE, CODE, {**CODE, "category": [concept("9")]}),
    "coded": (DENY_CODE, CODE, {"code": {"text": "in words"}}),
    "other codings": (DENY_CODE, CODE, {**CODE, "method": concept("8")}),
    "device": (DEPENDENTS, CODE, {**CODE, "device": {"reference": "Device/ring"}}),
    "performers": (
        AUTHORED,
        CODE,
        {**CODE, "performer": [{"reference": "Practitioner/y"}]},
    ),
    "mentioned performers": (
        denying(data=naming("dependents", "Practitioner/y")),
        CODE,
        {**CODE, "performer": [{"reference": "Practitioner/y"}]},
    ),
    "mentions": (DEPENDENTS, CODE, {**CODE, "focus": [{"reference": "Device/else"}]}),
    "type": (
        denying(data=naming("instance", "Observation/o")),
        CODE,
        {**CODE, "resourceType": "Condition"},
    ),
    "profile": (CLASS, CODE, {**CODE, "meta": {"profile": ["http://p/one|1"]}}),
    "dated": (WINDOW, CODE, {**CODE, "effectiveDateTime": "2026"}),
}


def facets(elements, labels=NORMAL, agents=()):
    resource = {
        "resourceType": "Observation",
        "id": "o",
        "subject": {"reference": "Patient/p1"},
        **elements,
    }
    return describe(
        resource, labels=labels, deployment=DEPLOYMENT, agents=agents
    ).facets


def prepared(*provisions, default=DefaultPolicy.DENY, home=None):
    consents = [
        read(
            {
                "resourceType": "Consent",
                "id": "c",
                "status": "active",
                "scope": {
                    "coding": [
                        {"system": T + "consentscope", "code": "patient-privacy"}
                    ]
                },
                "patient": {"reference": "Patient/p1"},
                "provision": provision,
            },
            deployment=DEPLOYMENT,
        )
        for provision in provisions
    ]
    subject = Subject(patient="Patient/p1", managing_organization=home)
    return prepare(consents, REQUEST, subject, Policy(default=default))


def assert_told_apart(prepare_again, one, other):
    shared = prepare_again()

    found = shared.formula(one), shared.formula(other)

    assert found == (prepare_again().formula(one), prepare_again().formula(other))
    assert found[0] != found[1]


@pytest.mark.parametrize("name", TOLD_APART)
def test_what_a_selector_can_tell_apart_is_kept(name):
    provision, one, other = TOLD_APART[name]

    assert_told_apart(lambda: prepared(provision), facets(one), facets(other))


def test_labels_are_kept_for_a_selector_and_for_a_default():
    one, other = facets(CODE), facets(CODE, labels=RESTRICTED)

    assert_told_apart(lambda: prepared(LABEL), one, other)
    for default in (DefaultPolicy.BASIC_NORMAL, DefaultPolicy.ALL_NORMAL):
        assert_told_apart(lambda default=default: prepared(default=default), one, other)


def test_agents_are_kept():
    one, other = facets(CODE), facets(CODE, agents=["Practitioner/y"])

    assert_told_apart(lambda: prepared(AUTHORED), one, other)


def test_the_type_is_kept_for_an_overlay():
    one, other = facets(CODE), facets({"resourceType": "Patient", "id": "p1"})

    assert_told_apart(lambda: prepared(home="Organization/home"), one, other)


def test_what_no_selector_asks_is_not_kept():
    shared = prepared(denying(code=[concept("9")], dataPeriod={"start": "2026"}))
    dated = {**CODE, "effectiveDateTime": "2026"}

    one = shared.formula(facets(dated))
    other = shared.formula(
        facets(
            {**dated, "code": concept("2"), "device": {"reference": "Device/x"}},
            labels=RESTRICTED,
        )
    )

    assert one is other
