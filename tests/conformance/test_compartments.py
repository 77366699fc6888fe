import pytest

from conformance.compartments import compartments, members, owners_of, patients_of
from conformance.issues import FHIRError, IssueType
from conformance.search_parameters import parameters

ONE, TWO = {"reference": "Patient/1"}, {"reference": "Patient/2"}


def test_r4_has_five_compartments():
    assert compartments() == (
        "Device",
        "Encounter",
        "Patient",
        "Practitioner",
        "RelatedPerson",
    )


@pytest.mark.parametrize("compartment", compartments())
def test_every_member_is_linked_by_parameters_that_can_be_searched(compartment):
    unknown = [
        (type_, code)
        for type_, codes in members(compartment).items()
        for code in codes
        if code not in parameters(type_) or parameters(type_)[code].refusal
    ]

    assert unknown == []


def test_a_type_without_a_compartment_is_refused():
    with pytest.raises(FHIRError) as refused:
        members("Organization")

    assert refused.value.type is IssueType.NOT_SUPPORTED


def test_devices_and_binaries_are_in_no_patients_compartment():
    assert {"Device", "DeviceMetric", "Binary"}.isdisjoint(members("Patient"))


@pytest.mark.parametrize(
    ("resource", "patients"),
    [
        ({"resourceType": "Patient", "id": "1"}, ("Patient/1",)),
        (
            {"resourceType": "Patient", "id": "1", "link": [{"other": TWO}]},
            ("Patient/1", "Patient/2"),
        ),
        (
            {"resourceType": "Observation", "subject": ONE, "performer": [TWO, ONE]},
            ("Patient/1", "Patient/2"),
        ),
        ({"resourceType": "Observation", "focus": [ONE]}, ()),
        ({"resourceType": "Observation", "subject": {"reference": "Group/1"}}, ()),
        (
            {
                "resourceType": "Observation",
                "subject": {"reference": "urn:b/Patient/1"},
            },
            ("Patient/1",),
        ),
        (
            {
                "resourceType": "Observation",
                "subject": {"reference": "urn:c/Patient/1"},
            },
            (),
        ),
        ({"resourceType": "Group", "member": [{"entity": ONE}]}, ("Patient/1",)),
        ({"resourceType": "Device", "patient": ONE}, ()),
        ({"resourceType": "Practitioner", "id": "1"}, ()),
        ({}, ()),
    ],
)
def test_a_resource_is_in_the_compartments_of_its_patients(resource, patients):
    assert patients_of(resource, ("urn:b",)) == patients


def test_a_resource_is_in_a_practitioners_compartment():
    resource = {
        "resourceType": "Observation",
        "performer": [{"reference": "Practitioner/7"}, ONE],
    }

    assert owners_of("Practitioner", resource) == ("Practitioner/7",)
