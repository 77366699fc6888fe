"""What a search brings beside its matches, and where else one may search.

https://hl7.org/fhir/R4/search.html#include
https://hl7.org/fhir/R4/compartmentdefinition-patient.html
"""

import pytest
from worlds import matches


def named(resources):
    return {f"{one['resourceType']}/{one['id']}" for one in resources}


def included(bundle):
    return [
        one["resource"]
        for one in bundle.get("entry", ())
        if one["search"]["mode"] == "include"
    ]


def references(resources, *path):
    """Return what the resources refer to by the element at a path of names."""
    found = list(resources)
    for name in path:
        children = [one[name] for one in found if name in one]
        found = [
            one
            for child in children
            for one in (child if isinstance(child, list) else [child])
        ]
    return {one["reference"] for one in found}


def first(seeded, profile):
    return seeded.of[profile][0]


def of_patient(seeded, *types):
    """Return what was written of the first patient, of these types."""
    about = {"reference": f"Patient/{first(seeded, 'us-core-patient')['id']}"}
    return [
        one
        for one in seeded.everything
        if one["resourceType"] in types
        and about in (one.get("subject"), one.get("patient"))
    ]


def test_a_reference_is_included(seeded):
    visit = first(seeded, "us-core-encounter")

    bundle = seeded.get(f"Encounter?_id={visit['id']}&_include=Encounter:location")

    assert named(matches(bundle)) == named([visit])
    assert named(included(bundle)) == references([visit], "location", "location")


def test_a_reference_is_included_of_one_type_alone(seeded):
    visit = first(seeded, "us-core-encounter")
    query = f"Encounter?_id={visit['id']}&_include=Encounter:participant"

    practitioners = seeded.get(f"{query}:Practitioner")
    roles = seeded.get(f"{query}:PractitionerRole")

    assert named(included(practitioners)) == references(
        [visit], "participant", "individual"
    )
    assert included(roles) == []


def test_what_is_included_is_followed_where_that_is_asked_for(seeded):
    visit = first(seeded, "us-core-encounter")
    query = f"Encounter?_id={visit['id']}&_include=Encounter:location"
    follow = "Location:organization"

    once = seeded.get(f"{query}&_include={follow}")
    again = seeded.get(f"{query}&_include:iterate={follow}")

    places = references([visit], "location", "location")
    run_by = references([first(seeded, "us-core-location")], "managingOrganization")
    assert named(included(once)) == places
    assert named(included(again)) == places | run_by


def test_what_refers_to_a_match_is_included(seeded):
    patient = first(seeded, "us-core-patient")

    bundle = seeded.get(
        f"Patient?_id={patient['id']}&_revinclude=Encounter:subject"
        "&_revinclude=RelatedPerson:patient"
    )

    assert named(matches(bundle)) == named([patient])
    assert named(included(bundle)) == named(
        of_patient(seeded, "Encounter", "RelatedPerson")
    )


def test_what_refers_to_what_is_included_is_included(seeded):
    answered = first(seeded, "us-core-questionnaireresponse")

    bundle = seeded.get(
        f"QuestionnaireResponse?_id={answered['id']}"
        "&_revinclude=Observation:derived-from"
        "&_revinclude:iterate=Observation:has-member"
    )

    scores = [
        one
        for one in of_patient(seeded, "Observation")
        if f"QuestionnaireResponse/{answered['id']}" in references([one], "derivedFrom")
    ]
    panels = [
        one
        for one in of_patient(seeded, "Observation")
        if references([one], "hasMember") & named(scores)
    ]
    assert panels
    assert named(included(bundle)) == named(scores) | named(panels)


def test_what_is_included_comes_once_and_counts_as_no_match(seeded):
    patient = first(seeded, "us-core-patient")
    query = f"Observation?patient={patient['id']}&_total=accurate&_count=100"

    alone = seeded.get(query)
    bundle = seeded.get(
        f"{query}&_include=Observation:patient&_include=Observation:subject"
    )

    assert bundle["total"] == alone["total"] == len(of_patient(seeded, "Observation"))
    assert [one["id"] for one in included(bundle)] == [patient["id"]]


@pytest.mark.parametrize("asked", ["Observation", "Encounter", "RelatedPerson"])
def test_a_compartment_is_searched_by_type(seeded, asked):
    patient = first(seeded, "us-core-patient")

    bundle = seeded.get(f"Patient/{patient['id']}/{asked}?_count=100")

    assert named(matches(bundle)) == named(of_patient(seeded, asked))


def test_a_compartment_is_searched_with_more_parameters(seeded):
    patient = first(seeded, "us-core-patient")

    bundle = seeded.get(f"Patient/{patient['id']}/Observation?code=8867-4")

    assert named(matches(bundle)) == named([first(seeded, "us-core-heart-rate")])


def test_the_compartment_of_a_hidden_patient_is_that_of_one_who_never_was(seeded):
    clinic = seeded.clinic
    patient = first(seeded, "us-core-patient")["id"]
    stranger = clinic.world.client("stranger", "system/*.rs")

    def asked(id_):
        answer = clinic.world.get(f"/fhir/Patient/{id_}/Observation", stranger)
        return answer.status_code, answer.get_data(as_text=True).replace(id_, "ID")

    assert asked(patient) == asked("nobody")


def test_several_types_are_searched_together(seeded):
    patient = first(seeded, "us-core-patient")

    bundle = seeded.get(
        f"?_type=Encounter,RelatedPerson,Device&patient={patient['id']}&_count=50"
    )

    assert named(matches(bundle)) == named(
        of_patient(seeded, "Encounter", "RelatedPerson", "Device")
    )


@pytest.mark.parametrize("wanted", ["true", "false"])
def test_what_lacks_an_element_is_told_from_what_has_it(seeded, wanted):
    patient = first(seeded, "us-core-patient")
    observations = of_patient(seeded, "Observation")

    bundle = seeded.get(
        f"Observation?patient={patient['id']}&derived-from:missing={wanted}&_count=100"
    )

    assert named(matches(bundle)) == named(
        one for one in observations if ("derivedFrom" in one) != (wanted == "true")
    )


def test_a_chain_and_its_reverse_find_whom_they_are_about(seeded):
    patient = first(seeded, "us-core-patient")
    family = patient["name"][1]["family"]
    visit = first(seeded, "us-core-encounter")
    number = visit["identifier"][0]["value"]

    visits = seeded.get(f"Encounter?subject:Patient.family={family}")
    patients = seeded.get(f"Patient?_has:Encounter:patient:identifier={number}")

    assert named(matches(visits)) == named([visit])
    assert named(matches(patients)) == named([patient])


def test_parameters_of_the_url_and_the_form_are_joined(seeded):
    clinic = seeded.clinic
    patient = first(seeded, "us-core-patient")

    answer = clinic.world.send(
        "POST",
        f"/fhir/Observation/_search?patient={patient['id']}",
        b"code=8867-4&_total=accurate",
        clinic.ehr,
        "application/x-www-form-urlencoded",
    )

    assert answer.json["total"] == 1
    assert named(matches(answer.json)) == named([first(seeded, "us-core-heart-rate")])
