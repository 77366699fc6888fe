"""Patient.link: the records of one person, as far as the client may see them."""

from dataclasses import dataclass

import pytest
from worlds import Clinic, Json, observation


def link_to(clinic, patient, other, type_="seealso"):
    """Let one Patient say that another is the same person."""
    resource = clinic.world.get(f"/fhir/Patient/{patient}", clinic.admin).json
    resource.setdefault("link", []).append(
        {"other": {"reference": f"Patient/{other}"}, "type": type_}
    )
    clinic.world.update(resource, clinic.admin)


def observed(clinic, patient):
    made = clinic.world.create(observation(patient), clinic.admin)
    return made["id"]


def ids_of(resources):
    return {one["id"] for one in resources}


@dataclass(frozen=True, kw_only=True)
class Twice:
    """A clinic with one person under two records, each with a reading and a consent."""

    clinic: Clinic
    other: str
    consent: Json
    own_reading: str
    others_reading: str

    @property
    def patient(self):
        return self.clinic.patient

    def found(self, query):
        return self.clinic.found(query)


@pytest.fixture
def twice(clinic):
    clinic.consented()
    other = clinic.another_patient("user-2")
    return Twice(
        clinic=clinic,
        other=other,
        consent=clinic.consented(patient_id=other),
        own_reading=observed(clinic, clinic.patient),
        others_reading=observed(clinic, other),
    )


@pytest.mark.parametrize("type_", ["replaced-by", "replaces", "refer", "seealso"])
def test_a_compartment_holds_what_a_linked_record_holds(twice, type_):
    link_to(twice.clinic, twice.patient, twice.other, type_)

    found = twice.found(f"Patient/{twice.patient}/Observation")

    assert ids_of(found) == {twice.own_reading, twice.others_reading}


def test_a_link_is_followed_in_either_direction(twice):
    link_to(twice.clinic, twice.other, twice.patient)

    found = twice.found(f"Patient/{twice.patient}/Observation")

    assert ids_of(found) == {twice.own_reading, twice.others_reading}


def test_everything_is_that_of_all_records(twice):
    link_to(twice.clinic, twice.patient, twice.other)

    found = twice.found(f"Patient/{twice.patient}/$everything")

    patients = {one["id"] for one in found if one["resourceType"] == "Patient"}
    assert patients == {twice.patient, twice.other}
    assert {twice.own_reading, twice.others_reading} <= ids_of(found)


def test_without_a_link_nothing_of_another_record_is_there(twice):
    found = twice.found(f"Patient/{twice.patient}/Observation")

    assert ids_of(found) == {twice.own_reading}


def test_a_search_by_patient_asks_for_that_record_alone(twice):
    link_to(twice.clinic, twice.patient, twice.other)

    found = twice.found(f"Observation?patient={twice.patient}")

    assert ids_of(found) == {twice.own_reading}


def test_links_in_a_circle_come_to_an_end(twice):
    third = twice.clinic.another_patient("user-3")
    twice.clinic.consented(patient_id=third)
    link_to(twice.clinic, twice.patient, twice.other)
    link_to(twice.clinic, twice.other, third)
    link_to(twice.clinic, third, twice.patient)

    found = twice.found(f"Patient/{twice.patient}/Patient")

    assert third in ids_of(found)


def test_what_consent_hides_of_a_linked_record_stays_hidden(twice):
    link_to(twice.clinic, twice.patient, twice.other)

    withdrawn = {**twice.consent, "status": "inactive"}
    twice.clinic.world.update(withdrawn, twice.clinic.admin)

    found = twice.found(f"Patient/{twice.patient}/Observation")
    assert ids_of(found) == {twice.own_reading}


def test_more_records_than_one_person_has_are_refused(twice):
    last = twice.patient
    for number in range(20):
        following = twice.clinic.another_patient(f"more-{number}")
        twice.clinic.consented(patient_id=following)
        link_to(twice.clinic, last, following)
        last = following

    clinic = twice.clinic
    answer = clinic.world.get(f"/fhir/Patient/{twice.patient}/Observation", clinic.ehr)

    assert answer.status_code == 400
    assert answer.json["issue"][0]["code"] == "too-costly"
