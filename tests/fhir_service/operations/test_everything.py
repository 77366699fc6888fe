"""$everything: the patient, the compartment, whom they name; and nobody else's."""

import pytest
from worlds import heart_rate, link, observation, same_for


@pytest.fixture
def filled(clinic):
    """Return a clinic whose patient has a record of several types."""
    clinic.consented()
    create = clinic.world.create
    person = create(
        {"resourceType": "Practitioner", "name": [{"family": "Okafor"}]}, clinic.admin
    )
    subject = {"reference": f"Patient/{clinic.patient}"}
    create(
        {
            "resourceType": "Condition",
            "subject": subject,
            "asserter": {"reference": f"Practitioner/{person['id']}"},
            "onsetDateTime": "2026-03-01",
        },
        clinic.admin,
    )
    create(
        {
            "resourceType": "Encounter",
            "status": "finished",
            "class": {
                "system": "http://terminology.hl7.org/CodeSystem/v3-ActCode",
                "code": "VR",
            },
            "subject": subject,
            "period": {"start": "2026-11-10T09:00:00Z", "end": "2026-11-10T10:00:00Z"},
        },
        clinic.admin,
    )
    clinic.deliver(*[heart_rate(number, "user-1") for number in range(4)])
    other = clinic.another_patient("user-2")
    create(observation(other), clinic.admin)
    return clinic


def everything(clinic, query=""):
    path = f"Patient/{clinic.patient}/$everything{query}"
    return [entry["resource"] for entry in clinic.search(path).get("entry", [])]


def types_of(resources):
    return sorted({one["resourceType"] for one in resources})


def test_it_is_the_patient_the_compartment_and_whom_they_name(filled):
    found = everything(filled)

    assert found[0]["resourceType"] == "Patient"
    assert types_of(found) == [
        "Condition",
        "Consent",
        "Encounter",
        "Observation",
        "Organization",
        "Patient",
        "Practitioner",
    ]
    assert len([one for one in found if one["resourceType"] == "Observation"]) == 4


def test_it_is_paged_to_the_end_without_loss_or_repeat(filled):
    bundle = filled.search(f"Patient/{filled.patient}/$everything?_count=2")
    seen = []
    while True:
        entries = [one for one in bundle["entry"] if one["search"]["mode"] == "match"]
        seen += [one["fullUrl"] for one in entries]
        following = link(bundle, "next")
        if following is None:
            break
        bundle = filled.search(following.partition("/fhir/")[2])

    whole = filled.search(f"Patient/{filled.patient}/$everything")
    matches = [one for one in whole["entry"] if one["search"]["mode"] == "match"]
    assert seen == [one["fullUrl"] for one in matches]
    assert len(set(seen)) == len(seen)


def test_types_are_chosen(filled):
    found = everything(filled, "?_type=Condition,Encounter")

    assert types_of(found) == ["Condition", "Encounter", "Practitioner"]


def test_the_dates_are_those_of_the_care(filled):
    found = everything(filled, "?start=2026-11-01&end=2026-11-02")

    assert types_of(found) == ["Consent", "Observation", "Organization", "Patient"]
    assert len([one for one in found if one["resourceType"] == "Observation"]) == 2


def test_since_is_when_it_was_last_changed(filled):
    filled.world.clock.pass_s(60)
    filled.world.create(observation(filled.patient), filled.admin)

    found = everything(filled, "?_since=2026-11-20T12:00:30Z")

    assert [one["resourceType"] for one in found] == ["Observation"]


def test_a_hidden_patient_is_like_one_who_never_was(clinic):
    stranger = clinic.world.client(
        "stranger", "system/*.rs", organization="Organization/elsewhere"
    )

    hidden = clinic.world.get(f"/fhir/Patient/{clinic.patient}/$everything", stranger)
    absent = clinic.world.get(
        f"/fhir/Patient/{'z' * len(clinic.patient)}/$everything", stranger
    )

    assert hidden.status_code == absent.status_code == 404
    assert same_for(hidden)[2].replace(clinic.patient.encode(), b"-") == same_for(
        absent
    )[2].replace(b"z" * len(clinic.patient), b"-")


def test_without_a_scope_for_a_type_that_type_is_left_out(filled):
    narrow = filled.world.client(
        "narrow",
        "system/Patient.rs system/Condition.rs",
        organization=filled.organization,
    )

    entries = filled.search(f"Patient/{filled.patient}/$everything", narrow)["entry"]

    assert types_of([one["resource"] for one in entries]) == ["Condition", "Patient"]
