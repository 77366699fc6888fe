"""What is read from an entry of a provision before anything is asked."""

from datetime import UTC

import pytest

from consent.codes import ACT_CODE, CONFIDENTIALITY
from consent.elements import actor, is_label, label_coding
from consent.references import Deployment

DEPLOYMENT = Deployment(zone=UTC)
IDS = "https://ids.example"


@pytest.mark.parametrize(
    ("reference", "names"),
    [
        ({"reference": "Practitioner/dr"}, {"Practitioner/dr"}),
        ({"identifier": {"system": IDS, "value": "7"}}, {IDS + "|7"}),
        (
            {
                "reference": "Practitioner/dr",
                "identifier": {"system": IDS, "value": "7"},
            },
            {"Practitioner/dr", IDS + "|7"},
        ),
        ({"identifier": {"value": "7"}}, set()),
        ({"identifier": {"system": IDS}}, set()),
        ({"identifier": {"system": "", "value": "7"}}, set()),
        ({"identifier": {"system": IDS, "value": ""}}, set()),
        ({"identifier": {"system": IDS, "value": "7 "}}, set()),
        ({"identifier": {"system": " " + IDS, "value": "7"}}, set()),
        ({"identifier": {"system": IDS, "value": 7}}, set()),
        ({"identifier": "7"}, set()),
        ({"display": "Dr Who"}, set()),
        ("Practitioner/dr", set()),
    ],
)
def test_an_actor_is_named_by_a_reference_of_ours_or_a_complete_identifier(
    reference, names
):
    assert actor({"reference": reference}, DEPLOYMENT).names == names


@pytest.mark.parametrize(
    ("reference", "expected"),
    [
        ({"reference": "Practitioner/dr"}, True),
        ({"identifier": {"system": IDS, "value": "7"}}, True),
        ({"reference": "Organization/clinic"}, False),
        ({"reference": "Group/g"}, False),
        ({"reference": "Device/ring"}, False),
    ],
)
def test_who_is_no_organization_group_or_device_may_be_a_person(reference, expected):
    assert actor({"reference": reference}, DEPLOYMENT).may_be_person is expected


@pytest.mark.parametrize(
    ("system", "code", "expected"),
    [
        (CONFIDENTIALITY, "R", True),
        (ACT_CODE, "HIV", True),
        (CONFIDENTIALITY, "HIV", False),
        (CONFIDENTIALITY, "r", False),
        (ACT_CODE, "R", False),
        (ACT_CODE, "XYZ", False),
        (ACT_CODE, "_InformationSensitivityPolicy", False),
        ("http://local", "R", False),
        ("http://local", "HIV", False),
        (None, "R", False),
        (None, None, False),
    ],
)
def test_a_label_is_a_code_of_the_system_it_belongs_to(system, code, expected):
    assert is_label((system, code)) is expected


@pytest.mark.parametrize(
    ("system", "expected"),
    [
        ("http://terminology.hl7.org/ValueSet/v3-Confidentiality", CONFIDENTIALITY),
        (
            "http://terminology.hl7.org/ValueSet/v3-InformationSensitivityPolicy",
            ACT_CODE,
        ),
        (CONFIDENTIALITY, CONFIDENTIALITY),
        ("http://local", "http://local"),
        (None, None),
    ],
)
def test_a_valueset_url_stands_for_its_code_system(system, expected):
    assert label_coding({"system": system, "code": "R"}) == (expected, "R")
