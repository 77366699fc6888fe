"""What a client says of confidentiality may raise ours, and stays raised."""

import pytest
from worlds import observation

ACT_CODE = "http://terminology.hl7.org/CodeSystem/v3-ActCode"
CONFIDENTIALITY = "http://terminology.hl7.org/CodeSystem/v3-Confidentiality"
PHQ9 = "44261-6"


def label(code):
    system = CONFIDENTIALITY if len(code) == 1 else ACT_CODE
    return {"system": system, "code": code}


def codes(resource):
    return [one["code"] for one in resource["meta"]["security"]]


@pytest.fixture
def opened(clinic):
    clinic.consented()
    return clinic


def test_a_client_raises_what_our_tables_say(opened):
    sent = observation(opened.patient, meta={"security": [label("V"), label("HIV")]})

    assert codes(opened.world.create(sent, opened.admin)) == ["HIV", "V"]


def test_a_client_does_not_lower_what_our_tables_say(opened):
    sent = observation(opened.patient, PHQ9, meta={"security": [label("U")]})

    assert codes(opened.world.create(sent, opened.admin)) == ["MH", "R"]


def test_an_update_without_labels_does_not_lower_what_was_raised(opened):
    sent = observation(opened.patient, meta={"security": [label("HIV")]})
    made = opened.world.create(sent, opened.admin)
    bare = {name: value for name, value in made.items() if name != "meta"}

    updated = opened.world.update(bare, opened.admin)

    assert codes(updated) == codes(made) == ["HIV", "R"]


def test_a_corrected_code_takes_its_own_labels(opened):
    made = opened.world.create(observation(opened.patient, PHQ9), opened.admin)
    corrected = observation(opened.patient, id=made["id"])

    updated = opened.world.update(corrected, opened.admin)

    assert codes(made) == ["MH", "R"]
    assert codes(updated) == ["N"]
