"""Resources with what a search may stumble over, the same for the same seed."""

from random import Random

import made_records
from made_elements import (
    CANONICALS,
    CITIES,
    DATES,
    FAMILIES,
    FOREIGN,
    GIVENS,
    PERIODS,
    Making,
    address_of,
    concept_of,
    contact_of,
    identifier_of,
    name_of,
    quantity_of,
    value_of,
    when_of,
)
from worlds import Clinic, Json


def organization(making: Making) -> Json:
    return {
        "resourceType": "Organization",
        "name": making.one(CITIES),
        "alias": making.some(lambda: making.one(FAMILIES)),
        "identifier": making.some(lambda: identifier_of(making)),
        "address": making.some(lambda: address_of(making)),
        "partOf": making.maybe(lambda: making.reference("Organization")),
    }


def practitioner(making: Making) -> Json:
    return {
        "resourceType": "Practitioner",
        "name": making.some(lambda: name_of(making)),
        "identifier": making.some(lambda: identifier_of(making)),
    }


_BIRTHDAYS = ("1970", "1970-02", "1970-02-28")
_DEATHS = (
    {},
    {"deceasedBoolean": False},
    {"deceasedBoolean": True},
    {"deceasedDateTime": "2026-11-03"},
)


def patient(making: Making) -> Json:
    return {
        "resourceType": "Patient",
        "name": making.some(lambda: name_of(making)),
        "identifier": making.some(lambda: identifier_of(making)),
        "birthDate": making.maybe(lambda: making.one(_BIRTHDAYS)),
        "gender": making.maybe(lambda: making.one(("male", "female", "other"))),
        "address": making.some(lambda: address_of(making)),
        "telecom": making.some(lambda: contact_of(making), 3),
        "active": making.maybe(lambda: making.one((True, False))),
        "generalPractitioner": making.some(
            lambda: making.one(
                (making.reference("Practitioner", "Organization"), {"display": "Zoë"})
            )
        ),
        "managingOrganization": {"reference": making.clinic.organization},
        **making.one(_DEATHS),
    }


def device(making: Making) -> Json:
    return {
        "resourceType": "Device",
        "patient": making.reference("Patient"),
        "type": making.maybe(lambda: concept_of(making)),
        "status": making.maybe(lambda: making.one(("active", "inactive"))),
        "identifier": making.some(lambda: identifier_of(making)),
        "deviceName": making.some(
            lambda: {"name": making.one(GIVENS), "type": "user-friendly-name"}
        ),
        "manufacturer": making.maybe(lambda: making.one(CITIES)),
        "url": making.maybe(lambda: making.one(("http://a.example/x,y", "urn:a:B"))),
    }


def encounter(making: Making) -> Json:
    return {
        "resourceType": "Encounter",
        "status": making.one(("planned", "finished")),
        "class": {
            "system": "http://terminology.hl7.org/CodeSystem/v3-ActCode",
            "code": making.one(("AMB", "IMP", "VR")),
        },
        "type": making.some(lambda: concept_of(making)),
        "subject": making.reference("Patient"),
        "period": making.maybe(lambda: making.one(PERIODS)),
        "identifier": making.some(lambda: identifier_of(making)),
        "participant": making.some(
            lambda: {"individual": making.reference("Practitioner")}
        ),
    }


def observation(making: Making) -> Json:
    def performer() -> Json:
        return making.one(
            (
                making.reference("Practitioner", "Organization"),
                {"reference": FOREIGN},
                {"identifier": identifier_of(making), "type": "Practitioner"},
            )
        )

    def component() -> Json:
        value = making.one(("valueQuantity", "valueCodeableConcept"))
        reader = quantity_of if value == "valueQuantity" else concept_of
        return {"code": concept_of(making), value: reader(making)}

    return {
        "resourceType": "Observation",
        "status": making.one(("final", "amended", "preliminary")),
        "code": concept_of(making),
        "category": making.some(lambda: concept_of(making)),
        "subject": making.reference("Patient"),
        "performer": making.some(performer),
        "device": making.maybe(lambda: making.reference("Device")),
        "encounter": making.maybe(lambda: making.reference("Encounter")),
        "identifier": making.some(lambda: identifier_of(making)),
        "component": making.some(component),
        **when_of(making, "effective"),
        **value_of(making),
    }


def panel(making: Making) -> Json:
    """Return an Observation that has others as members."""
    return {
        **observation(making),
        "hasMember": making.some(lambda: making.reference("Observation")),
    }


def condition(making: Making) -> Json:
    return {
        "resourceType": "Condition",
        "clinicalStatus": {
            "coding": [
                {
                    "system": "http://terminology.hl7.org/CodeSystem/condition-clinical",
                    "code": making.one(("active", "resolved")),
                }
            ]
        },
        "code": making.maybe(lambda: concept_of(making)),
        "subject": making.reference("Patient"),
        "recordedDate": making.maybe(lambda: making.one(DATES)),
        "asserter": making.maybe(lambda: making.reference("Practitioner")),
        "encounter": making.maybe(lambda: making.reference("Encounter")),
        **when_of(making, "onset"),
    }


def response(making: Making) -> Json:
    return {
        "resourceType": "QuestionnaireResponse",
        "status": making.one(("completed", "in-progress")),
        "subject": making.reference("Patient"),
        "authored": making.maybe(lambda: making.one(DATES)),
        "questionnaire": making.maybe(lambda: making.one(CANONICALS)),
        "identifier": making.maybe(lambda: identifier_of(making)),
    }


def risk(making: Making) -> Json:
    def prediction() -> Json:
        return {"probabilityDecimal": making.one((0.5, 0.25, 0.005, 1, 0.995, 0.95))}

    return {
        "resourceType": "RiskAssessment",
        "status": "final",
        "subject": making.reference("Patient"),
        "prediction": making.some(prediction),
        **when_of(making, "occurrence"),
    }


def _published(making: Making, type_: str) -> Json:
    return {
        "resourceType": type_,
        "url": making.one(CANONICALS).partition("|")[0],
        "version": making.maybe(lambda: making.one(("1", "2", "1.0"))),
        "name": making.maybe(lambda: making.one(("Heart", "HeartRate"))),
        "title": making.maybe(lambda: making.one(CITIES)),
        "status": making.one(("draft", "active")),
        "date": making.maybe(lambda: making.one(DATES)),
        "identifier": making.some(lambda: identifier_of(making)),
    }


def questionnaire(making: Making) -> Json:
    return _published(making, "Questionnaire")


def value_set(making: Making) -> Json:
    return _published(making, "ValueSet")


SHARED = (
    *(organization,) * 4,
    *(practitioner,) * 5,
    *(questionnaire,) * 4,
    *(value_set,) * 3,
)
PERSONAL = (
    *(device,) * 6,
    *(encounter,) * 5,
    *(observation,) * 20,
    *(panel,) * 4,
    *(condition,) * 6,
    *(response,) * 6,
    *(risk,) * 5,
)


def fill(clinic: Clinic, seed: int) -> Making:
    """Write resources of every type, those of each patient with a consent."""
    making = Making(clinic, Random(seed))  # noqa: S311 - the same in each run
    for path in (clinic.organization, f"Patient/{clinic.patient}"):
        making.made.append(clinic.world.get(f"/fhir/{path}", clinic.admin).json)
    clinic.consented()
    people = (*SHARED, *made_records.SHARED, *(patient,) * 8)
    for make in (*people, *PERSONAL, *made_records.PERSONAL):
        clinic.world.clock.pass_s(making.random.randint(1, 4_000_000) / 1000)
        made = making.create(make(making))
        if made["resourceType"] == "Patient":
            clinic.consented(patient_id=made["id"])
    return making
