import pytest

from conformance.classes import (
    DERIVED,
    PATIENT_DATA,
    REFUSED,
    SHARED,
    ResourceClass,
    anchors,
    attribution,
    class_of,
)
from conformance.compartments import members
from conformance.issues import FHIRError, IssueType
from conformance.references import Reference
from conformance.search_parameters import _table, extractor, parameters

BASE = ("https://ehr.example/fhir",)
ONE, TWO = {"reference": "Patient/1"}, {"reference": "Patient/2"}


def test_every_type_of_the_release_is_in_exactly_one_table():
    listed = [*PATIENT_DATA, *SHARED, *DERIVED, *REFUSED]

    assert sorted(listed) == sorted(_table())
    assert len(listed) == 148


@pytest.mark.parametrize("type_", sorted(_table()))
def test_every_type_has_a_class_or_is_refused_by_name(type_):
    if type_ in REFUSED:
        with pytest.raises(FHIRError, match=type_) as refused:
            class_of(type_)
        assert refused.value.type is IssueType.NOT_SUPPORTED
    else:
        assert isinstance(class_of(type_), ResourceClass)


@pytest.mark.parametrize("type_", ["", "observation", "Nope", "Observation/1"])
def test_what_is_no_type_is_refused(type_):
    with pytest.raises(FHIRError) as refused:
        class_of(type_)

    assert refused.value.type is IssueType.NOT_SUPPORTED


def test_no_type_of_a_patients_compartment_is_shared():
    assert SHARED.isdisjoint(members("Patient"))


def resource_with(path, reference):
    element = reference
    for step in reversed(path.split(".")):
        member = step.removesuffix("*")
        element = {member: [element] if step.endswith("*") else element}
    return element


@pytest.mark.parametrize("type_", sorted(PATIENT_DATA.keys() - {"Patient"}))
def test_patient_data_is_attributed_by_its_element(type_):
    resource = {"resourceType": type_, **resource_with(PATIENT_DATA[type_], ONE)}

    assert attribution(resource) == "Patient/1"


@pytest.mark.parametrize("type_", sorted(PATIENT_DATA.keys() - {"Patient"}))
def test_attribution_agrees_with_the_search_for_a_patient(type_):
    resource = {"resourceType": type_, **resource_with(PATIENT_DATA[type_], ONE)}
    known = parameters(type_)
    code = next(name for name in ("patient", "subject") if name in known)

    assert extractor(type_, code)(resource) == [Reference("Patient", "1")]


def observation(**members):
    return {"resourceType": "Observation", **members}


UNATTRIBUTED = {
    "no subject": observation(),
    "a group": observation(subject={"reference": "Group/1"}),
    "a patient by identifier": observation(
        subject={"type": "Patient", "identifier": {"system": "urn:x", "value": "1"}}
    ),
    "a patient of another server": observation(
        subject={"reference": "https://other.example/fhir/Patient/1"}
    ),
    "a contained patient": observation(subject={"reference": "#1", "type": "Patient"}),
    "a urn": observation(subject={"reference": "urn:uuid:1", "type": "Patient"}),
    "a name": observation(subject={"display": "Somebody", "type": "Patient"}),
    "a focus": observation(focus=[ONE]),
    "a performer": observation(performer=[ONE]),
    "a list where an object belongs": observation(subject=[ONE]),
    "text where an object belongs": observation(subject="Patient/1"),
    "null": observation(subject=None),
    "a shared resource": {"resourceType": "Practitioner", "subject": ONE},
    "a derived resource": {"resourceType": "List", "subject": ONE},
    "an unknown type": {"resourceType": "Nope", "subject": ONE},
    "no type": {"subject": ONE},
    "a type that is a list": {"resourceType": ["Observation"], "subject": ONE},
    "two patients": {"resourceType": "Account", "subject": [ONE, TWO]},
    "a patient here and one elsewhere": {
        "resourceType": "Account",
        "subject": [ONE, {"reference": "https://other.example/fhir/Patient/1"}],
    },
    "a patient and somebody unknown": {
        "resourceType": "Appointment",
        "participant": [{"actor": ONE}, {"actor": {"reference": "urn:uuid:1"}}],
    },
    "participants that are no list": {
        "resourceType": "Appointment",
        "participant": {"actor": ONE},
    },
    "a patient without an id": {"resourceType": "Patient"},
    "a patient with an id that is none": {"resourceType": "Patient", "id": 1},
}


@pytest.mark.parametrize("name", UNATTRIBUTED)
def test_nothing_is_attributed_by_a_guess(name):
    assert attribution(UNATTRIBUTED[name], BASE) is None


ATTRIBUTED = {
    "a patient is its own": {"resourceType": "Patient", "id": "1"},
    "a version names the same patient": observation(
        subject={"reference": "Patient/1/_history/3"}
    ),
    "an absolute reference on our base": observation(
        subject={"reference": "https://ehr.example/fhir/Patient/1"}
    ),
    "the same patient twice": {"resourceType": "Account", "subject": [ONE, ONE]},
    "the patient among the participants": {
        "resourceType": "Appointment",
        "participant": [
            {"actor": {"reference": "Practitioner/9"}},
            {"actor": ONE},
            {"type": [{"text": "interpreter"}]},
            {"actor": {"display": "Somebody"}},
        ],
    },
}


@pytest.mark.parametrize("name", ATTRIBUTED)
def test_the_one_patient_is_found(name):
    assert attribution(ATTRIBUTED[name], BASE) == "Patient/1"


@pytest.mark.parametrize("type_", sorted(DERIVED.keys() - {"Subscription"}))
def test_a_derived_resource_is_about_what_it_names(type_):
    for path in DERIVED[type_]:
        resource = {"resourceType": type_, **resource_with(path, ONE)}

        assert anchors(resource) == (Reference("Patient", "1"),)


@pytest.mark.parametrize(
    "resource",
    [
        {"resourceType": "Binary"},
        {"resourceType": "Binary", "securityContext": "Patient/1"},
        {"resourceType": "Subscription", "criteria": "Observation?patient=1"},
        observation(subject=ONE),
    ],
)
def test_what_names_nothing_has_no_anchor(resource):
    assert anchors(resource) == ()
