from datetime import UTC

import pytest

from consent.codes import ACT_REASON
from consent.labels import UNLABELLED, labels_of
from consent.overlays import (
    CUSTODIAN,
    OVERLAYS,
    OVERLAYS_VERSION,
    REPRESENTATIVE,
    REPRESENTATIVE_OF_MINOR,
    SELF,
    custodian,
    is_collected,
    speaking,
)
from consent.references import Deployment
from consent.request import AccessRequest
from consent.signature import describe

HOME = "Organization/home"


def request(purposes=("TREAT",), actions=("access",), **changes):
    return AccessRequest(
        **{
            "actors": frozenset({HOME}),
            "individual_known": False,
            "purposes": tuple((ACT_REASON, code) for code in purposes),
            "actions": actions,
            "btg_attested": False,
            "at_us": 0,
            **changes,
        }
    )


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        (request(), True),
        (request(("HPAYMT", "HQUALIMP", "COC")), True),
        (request(actions=("access", "use", "disclose")), True),
        (request(("TREAT", "HMARKT")), False),
        (request(("BTG",)), False),
        (request(("BTG",), btg_attested=True), True),
        (request(()), False),
        (request(actions=()), False),
        (request(actions=("access", "correct")), False),
        (request(actions=("collect",)), False),
        (request(actors=frozenset({"Organization/other"})), False),
    ],
)
def test_the_custodian_reads_for_treatment_payment_and_operations(asked, expected):
    assert custodian(asked, HOME) is expected


def test_a_patient_without_managing_organization_has_no_custodian():
    assert not custodian(request(), None)


@pytest.mark.parametrize(
    ("resource", "expected"),
    [
        ({"resourceType": "Observation", "device": {"reference": "Device/x"}}, True),
        ({"resourceType": "Device"}, True),
        ({"resourceType": "Observation"}, False),
        ({"resourceType": "Condition", "device": {}}, False),
    ],
)
def test_collection_governs_devices_and_what_they_measure(resource, expected):
    assert is_collected(resource) is expected


NORMAL = labels_of(3, (), is_labelled=True)
LOW = labels_of(1, (), is_labelled=True)
RESTRICTED = labels_of(4, (), is_labelled=True)
NOTES = labels_of(4, {"PSYTHPN"}, is_labelled=True)
MENTAL = labels_of(4, {"MH"}, is_labelled=True)
CLAIMED = labels_of(3, (), is_labelled=False)
PART_2 = {
    "system": "http://terminology.hl7.org/CodeSystem/v3-ActCode",
    "code": "42CFRPart2",
}


def facets(type_, labels, *, part_2=False):
    resource = {
        "resourceType": type_,
        "subject": {"reference": "Patient/p"},
        **({"meta": {"security": [PART_2]}} if part_2 else {}),
    }
    place = Deployment(zone=UTC)
    return describe(resource, labels=labels, deployment=place).facets


@pytest.mark.parametrize(
    ("overlay", "type_", "labels", "expected"),
    [
        (CUSTODIAN, "Patient", NORMAL, True),
        (CUSTODIAN, "Consent", RESTRICTED, True),
        (CUSTODIAN, "Observation", NORMAL, False),
        (SELF, "Observation", MENTAL, True),
        (SELF, "Observation", UNLABELLED, True),
        (SELF, "Observation", NOTES, True),
        (SELF, "QuestionnaireResponse", NOTES, True),
        (SELF, "DocumentReference", NOTES, False),
        (SELF, "DocumentReference", MENTAL, True),
        (REPRESENTATIVE, "Observation", MENTAL, True),
        (REPRESENTATIVE, "Composition", NOTES, False),
        (REPRESENTATIVE_OF_MINOR, "Observation", NORMAL, True),
        (REPRESENTATIVE_OF_MINOR, "Observation", LOW, True),
        (REPRESENTATIVE_OF_MINOR, "Observation", MENTAL, False),
        (REPRESENTATIVE_OF_MINOR, "Observation", RESTRICTED, False),
        (REPRESENTATIVE_OF_MINOR, "Observation", UNLABELLED, False),
        (REPRESENTATIVE_OF_MINOR, "Observation", CLAIMED, False),
    ],
)
def test_an_overlay_opens_what_its_row_says(overlay, type_, labels, expected):
    assert overlay.opens(facets(type_, labels)) is expected


@pytest.mark.parametrize(
    ("overlay", "expected"),
    [(SELF, True), (REPRESENTATIVE, False), (REPRESENTATIVE_OF_MINOR, False)],
)
def test_of_a_part_2_program_only_the_patient_reads_without_a_consent(
    overlay, expected
):
    assert overlay.opens(facets("Observation", NORMAL, part_2=True)) is expected


@pytest.mark.parametrize("overlay", [SELF, REPRESENTATIVE, REPRESENTATIVE_OF_MINOR])
@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        (request(("PATRQT",), actions=("access", "disclose")), True),
        (request(("FAMRQT",)), True),
        (request(("PATRQT", "HRESCH")), False),
        (request(("TREAT",)), False),
        (request(()), False),
        (request(("PATRQT",), actions=("collect",)), False),
        (request(("PATRQT",), actions=("correct",)), False),
    ],
)
def test_people_read_at_the_patients_request_and_do_nothing_else(
    overlay, asked, expected
):
    assert speaking(asked, None, overlay) == ((overlay,) if expected else ())


def test_two_overlays_may_speak_at_once():
    asked = request(("TREAT",))

    assert speaking(asked, HOME, None) == (CUSTODIAN,)
    assert speaking(asked, HOME, SELF) == (CUSTODIAN,)
    assert speaking(asked, None, None) == ()


def test_every_overlay_has_a_name_with_its_version_and_a_source():
    names = [overlay.name for overlay in OVERLAYS]

    assert len(names) == len(set(names))
    for overlay in OVERLAYS:
        assert overlay.name.endswith(f"/{OVERLAYS_VERSION}")
        assert overlay.source
