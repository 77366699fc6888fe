"""Consents that cannot be evaluated: refused with their element, denied if stored.

A row for each item of the list; what stands beside the door is stored past it, to see
that it denies and that somebody is told.
"""

import base64
import json

import pytest
from worlds import actions, actor, consent, observation, permit, purposes

from fhir_service.storage import patients, types

T = "http://terminology.hl7.org/CodeSystem/"
VALUE_SET = "http://terminology.hl7.org/ValueSet/v3-PurposeOfUse"
LABELS = "http://terminology.hl7.org/ValueSet/v3-Confidentiality"
ROOT = "Consent.provision"
DATE = {"start": "2026-01-01", "end": "2025-01-01"}


def nested(depth):
    provision = {"type": "deny"}
    for _ in range(depth):
        provision = {"type": "permit", "provision": [provision]}
    return provision


def reference(text):
    return permit(actor=[{"role": {"text": "r"}, "reference": text}])


MODIFIER = {"modifierExtension": [{"url": "http://x/y", "valueBoolean": True}]}

PROVISIONS = {
    "an inverted period": (permit(period=DATE), f"{ROOT}.period"),
    "an unparsable period": (permit(period={"start": "soon"}), f"{ROOT}.period.start"),
    "an inverted dataPeriod": (permit(dataPeriod=DATE), f"{ROOT}.dataPeriod"),
    "PERMIT": ({"type": "PERMIT"}, f"{ROOT}.type"),
    "a nested provision without type": (
        permit(provision=[{"code": []}]),
        f"{ROOT}.provision[0]",
    ),
    "an unknown modifierExtension": ({**permit(), **MODIFIER}, "Consent"),
    "a modifierExtension in a rule that would not match": (
        permit(provision=[{"type": "deny", "period": {"end": "1990"}, **MODIFIER}]),
        "Consent",
    ),
    "depth 4": (nested(4), ROOT),
    "more than 200 provisions": (permit(provision=[{"type": "deny"}] * 200), ROOT),
    "ten thousand actors": (
        permit(actor=actor("Organization/o") * 10_000),
        f"{ROOT}.actor",
    ),
    "an actor by display only": (
        reference({"display": "Dr Somebody"}),
        f"{ROOT}.actor[0]",
    ),
    "an actor on another server": (
        reference({"reference": "https://else.example/fhir/Practitioner/1"}),
        f"{ROOT}.actor[0]",
    ),
    "an actor with a trailing space": (
        reference({"reference": "Practitioner/1 "}),
        f"{ROOT}.actor[0]",
    ),
    "an actor in lower case": (
        reference({"reference": "practitioner/1"}),
        f"{ROOT}.actor[0]",
    ),
    "an identifier with white space": (
        reference({"identifier": {"system": "http://npi", "value": " 1"}}),
        f"{ROOT}.actor[0]",
    ),
    "a ValueSet's URL as system": (
        permit(purpose=[{"system": VALUE_SET, "code": "TREAT"}]),
        f"{ROOT}.purpose[0]",
    ),
    "a ValueSet's URL as system of a label": (
        permit(securityLabel=[{"system": LABELS, "code": "N"}]),
        f"{ROOT}.securityLabel[0]",
    ),
    "a purpose in lower case": (
        permit(purpose=[{"system": f"{T}v3-ActReason", "code": "treat"}]),
        f"{ROOT}.purpose[0]",
    ),
    "a purpose without system": (
        permit(purpose=[{"code": "TREAT"}]),
        f"{ROOT}.purpose[0]",
    ),
    "a code of an unknown system": (
        permit(code=[{"coding": [{"system": "http://loinc.org/", "code": "8867-4"}]}]),
        f"{ROOT}.code[0]",
    ),
    "an action that R4 does not have": (
        permit(action=actions("read")),
        f"{ROOT}.action[0]",
    ),
    "an element that R4 does not have": (permit(location=[{}]), ROOT),
    "a list that is none": (permit(code={"text": "x"}), f"{ROOT}.code"),
}


def told(answer):
    """Return where the issues are."""
    return {place for one in answer.json["issue"] for place in one["expression"]}


def is_there(answer, place):
    return any(found.startswith(place) for found in told(answer))


@pytest.mark.parametrize("name", PROVISIONS)
def test_a_provision_that_cannot_be_evaluated_is_refused_with_its_element(clinic, name):
    provision, place = PROVISIONS[name]
    resource = consent(clinic.patient, provision)

    answer = clinic.world.send("POST", "/fhir/Consent", resource, clinic.admin)

    assert answer.status_code == 422
    assert is_there(answer, place), told(answer)
    assert clinic.found("Consent") == []


WHOLE = {
    "no patient": ({"patient": None}, "Consent.patient"),
    "a patient by display": ({"patient": {"display": "me"}}, "Consent.patient"),
    "a patient elsewhere": (
        {"patient": {"reference": "https://else.example/fhir/Patient/1"}},
        "Consent.patient",
    ),
    "no scope": ({"scope": {"text": "privacy"}}, "Consent.scope"),
    "a scope that decides nothing": (
        {"scope": {"coding": [{"system": f"{T}consentscope", "code": "adr"}]}},
        "Consent.scope",
    ),
    "a contradiction of policyRule and type": (
        {"policyRule": {"coding": [{"system": f"{T}v3-ActCode", "code": "OPTOUT"}]}},
        "Consent.policyRule",
    ),
    "implicitRules": ({"implicitRules": "http://x/rules"}, "Consent"),
    "no dateTime that can be read": ({"dateTime": "2026-02-30"}, "Consent.dateTime"),
}


@pytest.mark.parametrize("name", WHOLE)
def test_a_consent_that_cannot_be_evaluated_is_refused_with_its_element(clinic, name):
    elements, place = WHOLE[name]
    whole = {**consent(clinic.patient, permit()), **elements}
    resource = {key: value for key, value in whole.items() if value is not None}

    answer = clinic.world.send("POST", "/fhir/Consent", resource, clinic.admin)

    assert answer.status_code == 422
    assert is_there(answer, place), told(answer)


def test_a_duplicate_key_is_refused_before_anything_is_read(clinic):
    body = json.dumps(consent(clinic.patient, permit())).encode()
    twice = body.replace(b'"status"', b'"status": "inactive", "status"')

    answer = clinic.world.send("POST", "/fhir/Consent", twice, clinic.admin)

    assert answer.status_code == 400


PDF = b"%PDF-1.7\n1 0 obj << /S /JavaScript /JS (app.alert(1)) >>"
PLAIN = base64.b64encode(b"I agree.").decode()


@pytest.mark.parametrize(
    ("paper", "place"),
    [
        ({"contentType": "text/html", "data": PLAIN}, "contentType"),
        ({"contentType": "text/plain", "data": PLAIN, "hash": PLAIN}, "hash"),
        (
            {
                "contentType": "application/pdf",
                "data": base64.b64encode(PDF).decode(),
            },
            "data",
        ),
    ],
)
def test_a_paper_that_runs_or_is_another_is_refused(clinic, paper, place):
    resource = consent(clinic.patient, permit(), sourceAttachment=paper)

    answer = clinic.world.send("POST", "/fhir/Consent", resource, clinic.admin)

    assert answer.status_code == 422
    assert told(answer) == {f"Consent.sourceAttachment.{place}"}


def test_a_paper_with_its_own_hash_is_stored(clinic):
    paper = {
        "contentType": "text/plain",
        "data": PLAIN,
        # printf 'I agree.' | openssl sha1 -binary | base64
        "hash": "aYoCGFgyTzLc4Im2meJwE8yU0OE=",
    }

    made = clinic.world.create(
        consent(clinic.patient, permit(), sourceAttachment=paper), clinic.admin
    )

    assert made["sourceAttachment"] == paper


def stored_past_the_door(clinic, resource):
    """Store a consent as an import or an older version of the service might have."""

    def work(transaction):
        state = patients.by_id(transaction, types.number_of("Patient"), clinic.patient)
        clinic.world.deployment.services.repository.create(
            transaction, resource, patient_key=state.key
        )

    clinic.world.deployment.database.write(work)


@pytest.mark.parametrize(
    "name",
    [
        "an inverted period",
        "PERMIT",
        "a nested provision without type",
        "a modifierExtension in a rule that would not match",
        "depth 4",
        "more than 200 provisions",
        "an actor on another server",
        "an element that R4 does not have",
        "a list that is none",
    ],
)
def test_a_stored_consent_that_cannot_be_evaluated_denies_and_alerts(clinic, name):
    provision, _ = PROVISIONS[name]
    clinic.consented()
    clinic.world.create(observation(clinic.patient), clinic.admin)
    query = f"Observation?patient={clinic.patient}"
    before = clinic.found(query)
    failures = failed(clinic)

    stored_past_the_door(clinic, consent(clinic.patient, provision))

    assert len(before) == 1
    assert clinic.found(query) == []
    assert failed(clinic) == failures + 1


def failed(clinic):
    """Return how often somebody was alerted to an indeterminate consent."""
    registry = clinic.world.deployment.services.metrics.registry
    labels = {"part": "indeterminate"}
    return registry.get_sample_value("fhir_service_failures_total", labels) or 0


def test_an_indeterminate_consent_of_another_status_is_as_if_absent(clinic):
    provision, _ = PROVISIONS["PERMIT"]
    clinic.consented()
    clinic.world.create(observation(clinic.patient), clinic.admin)

    stored_past_the_door(clinic, consent(clinic.patient, provision, status="inactive"))

    assert len(clinic.found(f"Observation?patient={clinic.patient}")) == 1
    assert failed(clinic) == 0


def test_two_consents_of_the_same_instant_are_both_heard(clinic):
    clinic.world.create(observation(clinic.patient), clinic.admin)
    for provision in ({"type": "deny"}, permit(purpose=purposes("TREAT"))):
        clinic.world.create(consent(clinic.patient, provision), clinic.admin)

    assert clinic.found(f"Observation?patient={clinic.patient}") == []
