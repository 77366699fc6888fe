"""Everything that a decision rests on, as canonical bytes."""

from dataclasses import replace
from datetime import UTC

import pytest

from consent.inputs import Whose, canonical, digest, inputs, version_of
from consent.provisions import read
from consent.references import Deployment
from consent.request import AccessRequest

REQUEST = AccessRequest(
    actors=frozenset({"Organization/b", "Organization/a"}),
    individual_known=False,
    purposes=(("system", "TREAT"),),
    actions=("access", "disclose"),
    btg_attested=False,
    at_us=1,
)
WHOSE = Whose(patient="Patient/p", custodian=None, standing=None)


def consent(id_, version="1"):
    return read(
        {"resourceType": "Consent", "id": id_, "meta": {"versionId": version}},
        deployment=Deployment(zone=UTC),
    )


def made(function, **changed):
    """Return what a function makes of inputs of which some are changed."""
    request = replace(REQUEST, **changed.pop("request", {}))
    whose = replace(WHOSE, **changed.pop("whose", {}))
    consents = changed.pop("consents", [consent("1"), consent("2")])
    return function(consents, request, whose, changed.pop("policy", "engine=1"))


def test_the_inputs_are_told_in_order():
    assert canonical(made(inputs)) == (
        b'{"actions":["access","disclose"],"actors":["Organization/a",'
        b'"Organization/b"],"breakGlassAttested":false,"consents":'
        b'["Consent/1/_history/1","Consent/2/_history/1"],"custodian":null,'
        b'"individualKnown":false,"patient":"Patient/p","policy":"engine=1",'
        b'"possibleActors":[],"purposes":["system|TREAT"],"standing":null}'
    )


def test_the_order_of_the_consents_does_not_matter():
    other = made(digest, consents=[consent("2"), consent("1")])

    assert other == made(digest)


def test_the_instant_is_no_input():
    assert made(digest, request={"at_us": 2}) == made(digest)


@pytest.mark.parametrize(
    "changed",
    [
        {"request": {"actors": frozenset({"Organization/a"})}},
        {"request": {"possible": frozenset({"Group/g"})}},
        {"request": {"individual_known": True}},
        {"request": {"purposes": ()}},
        {"request": {"actions": ("access",)}},
        {"request": {"btg_attested": True}},
        {"whose": {"patient": "Patient/q"}},
        {"whose": {"custodian": "Organization/a"}},
        {"whose": {"standing": "self/1"}},
        {"request": {"actors": frozenset(), "possible": REQUEST.actors}},
        {"whose": {"standing": "Organization/a"}},
        {"consents": [consent("1"), consent("2", "2")]},
        {"consents": [consent("1")]},
        {"policy": "engine=2"},
    ],
)
def test_another_input_has_another_digest(changed):
    assert made(digest, **changed) != made(digest)


def test_a_version_is_named_and_a_draft_is_not():
    draft = replace(consent("1"), reference="draft[0]", version=None)

    assert version_of(consent("1", "4")) == "Consent/1/_history/4"
    assert version_of(draft) == "draft[0]"


def test_every_field_of_a_request_but_the_instant_is_an_input():
    assert len(REQUEST.context) == len(AccessRequest.__dataclass_fields__) - 1
    assert {"actors", "possibleActors", "individualKnown", "purposes", "actions"} | {
        "breakGlassAttested",
        "consents",
        "custodian",
        "patient",
        "policy",
        "standing",
    } == made(inputs).keys()


def test_the_inputs_of_another_request_have_another_digest_each_way():
    actors = made(digest, whose={"custodian": "x", "standing": None})
    standing = made(digest, whose={"custodian": None, "standing": "x"})

    assert actors != standing
