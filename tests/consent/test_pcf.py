"""Which profile of PCF a Consent fits, also held against the official examples."""

import json
from pathlib import Path

import pytest

from consent.pcf import IRCP, PROFILES, REQUIRED, claimed, fits

T = "http://terminology.hl7.org/CodeSystem/"
BASIC, INTERMEDIATE, ADVANCED = (profile.url for profile in PROFILES)
EXAMPLES = Path(__file__).parents[3] / "shared" / "data" / "consent" / "pcf"


def purpose(code, system=T + "v3-ActReason"):
    return {"system": system, "code": code}


def actor(code=IRCP[1]):
    role = {"coding": [{"system": IRCP[0], "code": code}]}
    return {"role": role, "reference": {"reference": "Organization/o"}}


def label(system, code):
    return {"system": T + system, "code": code}


def consent(*, without=(), provision=None, **more):
    whole = {
        "resourceType": "Consent",
        "status": "active",
        "scope": {
            "coding": [{"system": T + "consentscope", "code": "patient-privacy"}]
        },
        "category": [{"coding": [{"system": "http://loinc.org", "code": "59284-0"}]}],
        "patient": {"reference": "Patient/p"},
        "dateTime": "2026-01-01",
        "performer": [{"reference": "Patient/p"}],
        "organization": [{"reference": "Organization/o"}],
        "sourceReference": {"reference": "DocumentReference/d"},
        "policy": [{"uri": "https://clinic.example/policy"}],
        "provision": provision or {"type": "permit", "purpose": [purpose("TREAT")]},
        **more,
    }
    return {name: value for name, value in whole.items() if name not in without}


def test_treatment_payment_and_operations_are_basic():
    full = {
        "type": "deny",
        "period": {"end": "2027"},
        "actor": [actor()],
        "purpose": [purpose(code) for code in ("TREAT", "HPAYMT", "HOPERAT")],
    }

    assert fits(consent()) == fits(consent(provision=full)) == BASIC


@pytest.mark.parametrize(
    ("provision", "expected"),
    [
        ({"purpose": [purpose("HRESCH")]}, INTERMEDIATE),
        ({"purpose": [purpose("x", "http://local")]}, INTERMEDIATE),
        ({"purpose": [{"code": "x"}]}, None),
        ({"dataPeriod": {"start": "2025"}}, INTERMEDIATE),
        ({"data": [{"meaning": "related"}]}, INTERMEDIATE),
        ({"data": [{"meaning": "dependents"}]}, None),
        ({"provision": [{"type": "deny"}]}, INTERMEDIATE),
        ({"provision": [{"type": "deny", "provision": [{"type": "permit"}]}]}, None),
        ({"securityLabel": [label("v3-ActCode", "PSY")]}, ADVANCED),
        ({"securityLabel": [label("v3-Confidentiality", "N")]}, ADVANCED),
        ({"securityLabel": [label("v3-Confidentiality", "V")]}, None),
        ({"actor": [actor("CST")]}, None),
        ({"actor": ["broken"]}, None),
        ({"action": []}, None),
        ({"class": []}, None),
        ({"code": []}, None),
        ({"extension": []}, None),
    ],
)
def test_what_a_provision_says_chooses_the_profile(provision, expected):
    assert fits(consent(provision={"type": "permit", **provision})) == expected


@pytest.mark.parametrize("without", [*REQUIRED, "sourceReference", "policy", "scope"])
def test_every_required_element_is_asked_for(without):
    assert fits(consent(without=(without,))) is None


@pytest.mark.parametrize(
    "more",
    [
        {"verification": [{"verified": True}]},
        {"policy": [{"authority": "https://clinic.example"}]},
        {"provision": {"purpose": [purpose("TREAT")]}},
        {"scope": {"coding": [{"system": T + "consentscope", "code": "research"}]}},
    ],
)
def test_what_pcf_forbids_or_misses_fits_nothing(more):
    assert fits({**consent(), **more}) is None


def test_a_claim_is_made_kept_and_taken_back_as_it_is_true():
    other = "http://local/profile"
    once = claimed(consent(meta={"profile": [other], "source": "http://s"}))
    again = claimed({**once, "verification": [{"verified": True}]})

    assert once["meta"] == {"source": "http://s", "profile": [other, BASIC]}
    assert claimed(once) == once
    assert again["meta"] == {"source": "http://s", "profile": [other]}
    assert "meta" not in claimed(consent(without=("policy",)))


@pytest.mark.skipif(not EXAMPLES.exists(), reason="the examples of PCF are not here")
def test_the_official_examples_fit_what_they_claim():
    different = {}
    for path in sorted(EXAMPLES.glob("Consent-*.json")):
        example = json.loads(path.read_text(encoding="utf-8"))
        [claim] = example["meta"]["profile"]
        if fits(example) != claim:
            different[example["id"]] = fits(example)

    # Research is no purpose of Basic (PCF 1.1, volume 1), although this one says so.
    assert different == {"ex-consent-basic-research": INTERMEDIATE}
