"""Part 2: the checklist of 42 CFR 2.31, and what it does to a decision."""

from datetime import UTC

import pytest

from consent.codes import ACT_CODE, ACT_REASON
from consent.decision import Because, DefaultPolicy
from consent.engine import prepare
from consent.explain import decide_resource
from consent.formula import Row
from consent.in_force import Policy, Subject
from consent.labels import labels_of
from consent.overlays import SELF
from consent.part_2 import ATTESTED, CHECKLIST
from consent.provisions import read
from consent.references import Deployment
from consent.request import AccessRequest
from consent.restrictions import PART_2
from consent.signature import describe

T = "http://terminology.hl7.org/CodeSystem/"
PLACE = Deployment(zone=UTC)
PULSE = {"coding": [{"system": "http://loinc.org", "code": "8867-4"}]}
RECIPIENT = [{"reference": {"reference": "Organization/lab"}}]
TAG = {"system": ACT_CODE, "code": "42CFRPart2"}
NORMAL = labels_of(3, (), is_labelled=True)
NOTES = labels_of(4, {"PSYTHPN"}, is_labelled=True)


def purposes(*codes):
    return [{"system": ACT_REASON, "code": code} for code in codes]


def permit(**more):
    return {"type": "permit", **more}


SAID = permit(
    actor=RECIPIENT,
    purpose=purposes("HRESCH"),
    code=[PULSE],
    period={"end": "2030"},
)


def consent(provision=SAID, *, without=(), **more):
    whole = {
        "resourceType": "Consent",
        "id": "c",
        "meta": {"versionId": "2"},
        "status": "active",
        "scope": {
            "coding": [{"system": T + "consentscope", "code": "patient-privacy"}]
        },
        "patient": {"reference": "Patient/p"},
        "dateTime": "2026-01-01",
        "performer": [{"reference": "Patient/p"}],
        "organization": [{"reference": "Organization/program"}],
        "sourceAttachment": {"url": "https://program.example/scan"},
        "policy": [{"uri": ATTESTED}],
        "provision": provision,
        **more,
    }
    return read(
        {name: value for name, value in whole.items() if name not in without},
        deployment=PLACE,
    )


def missing(*args, **more):
    return set(consent(*args, **more).part_2.missing)


def test_a_written_consent_lacks_nothing():
    assert missing() == set()


def said(**changes):
    whole = {**SAID, **changes}
    return {name: value for name, value in whole.items() if value is not None}


FOR_CARE = permit(purpose=purposes("TREAT", "HPAYMT", "HQUALIMP"), code=[PULSE])

ROWS = [
    ({"without": ("patient",)}, {"patient"}),
    ({"without": ("organization",)}, {"discloser"}),
    ({"provision": said(code=None)}, {"information"}),
    ({"provision": said(actor=None)}, {"recipient"}),
    ({"provision": said(purpose=None)}, {"purpose"}),
    ({"without": ("policy",)}, {"revocation", "redisclosure", "intermediary"}),
    (
        {"policy": [{"uri": "http://x"}, "?"]},
        {"revocation", "redisclosure", "intermediary"},
    ),
    ({"provision": said(period=None)}, {"expiry"}),
    ({"without": ("sourceAttachment",)}, {"signature"}),
    ({"without": ("performer",)}, {"signature"}),
    ({"without": ("dateTime",)}, {"date"}),
    ({"provision": said(purpose=purposes("HRESCH", "HLEGAL"))}, {"separate"}),
    ({"provision": FOR_CARE}, set()),
    ({"provision": said(purpose=purposes("HLEGAL"))}, set()),
]


@pytest.mark.parametrize(("more", "expected"), ROWS)
def test_each_element_of_a_written_consent_is_looked_for(more, expected):
    assert missing(**more) == expected


def test_every_row_of_the_checklist_has_been_found_missing():
    names = [element.name for element in CHECKLIST]

    assert set().union(*(expected for _, expected in ROWS)) == set(names)
    assert len(names) == len(set(names))
    assert all(element.section.startswith("2.31(") for element in CHECKLIST)


def test_a_nested_permit_takes_over_what_stands_above_it():
    nested = said(provision=[permit(code=[PULSE])])
    beside = {"type": "deny", "provision": [SAID, permit(code=[PULSE])]}

    assert missing(nested) == set()
    assert missing(beside) == {"purpose", "recipient", "expiry"}


@pytest.mark.parametrize(
    "provision", [{"type": "deny"}, {"type": "PERMIT"}, {"type": "permit", "code": 1}]
)
def test_what_permits_nothing_or_cannot_be_read_is_worth_nothing(provision):
    assert missing(provision) == {element.name for element in CHECKLIST}


def request(*codes, actions=("access",), actors=("Organization/lab",)):
    return AccessRequest(
        actors=frozenset(actors),
        individual_known=False,
        purposes=tuple((ACT_REASON, code) for code in codes),
        actions=actions,
        btg_attested=False,
        at_us=1_780_000_000_000_000,
    )


def decided(consents, asked, *, labels=NORMAL, default="deny", standing=None, **more):
    resource = {
        "resourceType": "Observation",
        "id": "o",
        "meta": {"security": [TAG]},
        "code": PULSE,
        "subject": {"reference": "Patient/p"},
        "effectiveDateTime": "2026-03-10T08:00:00Z",
        **more,
    }
    facets = describe(resource, labels=labels, deployment=PLACE).facets
    prepared = prepare(
        consents,
        asked,
        Subject(patient="Patient/p", standing=standing),
        Policy(default=DefaultPolicy(default)),
    )
    decision = decide_resource(prepared, facets, Row(reference="Observation/o"))
    assert prepared.formula(facets) is decision.is_permitted
    return decision


def test_a_complete_consent_opens_the_record_of_a_program():
    assert decided([consent()], request("HRESCH")).is_permitted


def test_an_incomplete_one_does_not_and_the_reason_names_the_law_and_the_consent():
    decision = decided([consent(without=("policy",))], request("HRESCH"))

    assert not decision.is_permitted
    [reason] = decision.reasons
    assert (reason.because, reason.name, reason.path) == (
        Because.OVERLAY,
        PART_2,
        "Consent/c",
    )


def test_an_incomplete_one_opens_what_is_of_no_program():
    incomplete = consent(without=("policy",))

    assert decided([incomplete], request("HRESCH"), meta={}).is_permitted


def test_an_incomplete_one_denies():
    denial = consent({"type": "deny"}, without=("policy",))

    assert not decided([consent(), denial], request("HRESCH")).is_permitted


def test_no_default_opens_the_record_of_a_program():
    opened = decided([], request("TREAT"), default="all-normal", meta={})
    withheld = decided([], request("TREAT"), default="all-normal")

    assert opened.is_permitted
    assert not withheld.is_permitted
    assert [reason.name for reason in withheld.reasons] == [PART_2]


def test_legal_proceedings_need_a_consent_of_their_own():
    broad = consent(said(purpose=purposes("HOPERAT")))
    legal = consent(said(purpose=purposes("HLEGAL")))

    assert not decided([broad], request("HLEGAL")).is_permitted
    assert decided([legal], request("HLEGAL")).is_permitted
    assert decided([broad], request("HQUALIMP")).is_permitted
    assert not decided([legal], request("HQUALIMP")).is_permitted


def test_notes_of_counselling_are_opened_by_no_consent():
    note = {"resourceType": "DocumentReference", "type": PULSE}
    types = [
        {"system": "http://hl7.org/fhir/resource-types", "code": name}
        for name in ("Observation", "DocumentReference")
    ]
    opened = consent(said(**{"code": None, "class": types}))

    assert decided([opened], request("HRESCH")).is_permitted
    assert not decided([opened], request("HRESCH"), labels=NOTES, **note).is_permitted


def test_collecting_is_no_release():
    incomplete = consent(without=("policy",))
    collecting = request("HRESCH", actions=("collect",))

    assert decided([incomplete], collecting).is_permitted
    assert not decided(
        [incomplete], request("HRESCH", actions=("collect", "access"))
    ).is_permitted


def test_a_patient_reads_his_own_record_of_a_program():
    asked = request("PATRQT", actors=("Patient/p",))

    assert decided([], asked, standing=SELF).is_permitted
