"""Further records of a person's care, as `made_resources` makes the others."""

from made_elements import (
    CITIES,
    DATES,
    GIVENS,
    PERIODS,
    PROBLEMS,
    Making,
    address_of,
    concept_of,
    contact_of,
    identifier_of,
    name_of,
    when_of,
)
from worlds import Json

_INSTANTS = (
    "2026-11-03T10:00:00Z",
    "2026-11-03T10:00:00.123Z",
    "2026-11-03T23:30:00-05:00",
    "1999-12-31T23:59:59Z",
)


def location(making: Making) -> Json:
    return {
        "resourceType": "Location",
        "name": making.maybe(lambda: making.one(CITIES)),
        "alias": making.some(lambda: making.one(GIVENS)),
        "status": making.maybe(lambda: making.one(("active", "suspended"))),
        "identifier": making.some(lambda: identifier_of(making)),
        "type": making.some(lambda: concept_of(making)),
        "address": making.maybe(lambda: address_of(making)),
        "managingOrganization": making.maybe(lambda: making.reference("Organization")),
    }


def role(making: Making) -> Json:
    return {
        "resourceType": "PractitionerRole",
        "active": making.maybe(lambda: making.one((True, False))),
        "period": making.maybe(lambda: making.one(PERIODS)),
        "practitioner": making.maybe(lambda: making.reference("Practitioner")),
        "organization": making.maybe(lambda: making.reference("Organization")),
        "code": making.some(lambda: concept_of(making)),
        "specialty": making.some(lambda: concept_of(making)),
        "location": making.some(lambda: making.reference("Location")),
        "telecom": making.some(lambda: contact_of(making)),
        "identifier": making.some(lambda: identifier_of(making)),
    }


def related_person(making: Making) -> Json:
    return {
        "resourceType": "RelatedPerson",
        "patient": making.reference("Patient"),
        "active": making.maybe(lambda: making.one((True, False))),
        "relationship": making.some(lambda: concept_of(making)),
        "name": making.some(lambda: name_of(making)),
        "gender": making.maybe(lambda: making.one(("male", "female"))),
        "birthDate": making.maybe(lambda: making.one(("1970", "1970-02-28"))),
        "telecom": making.some(lambda: contact_of(making)),
        "identifier": making.some(lambda: identifier_of(making)),
    }


def goal(making: Making) -> Json:
    return {
        "resourceType": "Goal",
        "lifecycleStatus": making.one(("active", "completed")),
        "category": making.some(lambda: concept_of(making)),
        "description": {"text": making.one(PROBLEMS)},
        "subject": making.reference("Patient"),
        "startDate": making.maybe(lambda: making.one(("2026", "2026-11-03"))),
        "identifier": making.some(lambda: identifier_of(making)),
    }


def care_team(making: Making) -> Json:
    return {
        "resourceType": "CareTeam",
        "status": making.maybe(lambda: making.one(("active", "proposed"))),
        "category": making.some(lambda: concept_of(making)),
        "subject": making.reference("Patient"),
        "period": making.maybe(lambda: making.one(PERIODS)),
        "participant": making.some(
            lambda: {"member": making.reference("Practitioner", "Organization")}
        ),
        "identifier": making.some(lambda: identifier_of(making)),
    }


def care_plan(making: Making) -> Json:
    return {
        "resourceType": "CarePlan",
        "status": making.one(("active", "completed")),
        "intent": making.one(("plan", "proposal")),
        "category": making.some(lambda: concept_of(making)),
        "subject": making.reference("Patient"),
        "encounter": making.maybe(lambda: making.reference("Encounter")),
        "period": making.maybe(lambda: making.one(PERIODS)),
        "careTeam": making.some(lambda: making.reference("CareTeam")),
        "addresses": making.some(lambda: making.reference("Condition")),
        "goal": making.some(lambda: making.reference("Goal")),
        "identifier": making.some(lambda: identifier_of(making)),
    }


def task(making: Making) -> Json:
    return {
        "resourceType": "Task",
        "status": making.one(("requested", "completed")),
        "intent": making.one(("order", "plan")),
        "priority": making.maybe(lambda: making.one(("routine", "urgent"))),
        "code": making.maybe(lambda: concept_of(making)),
        "for": making.reference("Patient"),
        "encounter": making.maybe(lambda: making.reference("Encounter")),
        "executionPeriod": making.maybe(lambda: making.one(PERIODS)),
        "authoredOn": making.maybe(lambda: making.one(DATES)),
        "owner": making.maybe(lambda: making.reference("Practitioner")),
        "performerType": making.some(lambda: concept_of(making)),
        "identifier": making.some(lambda: identifier_of(making)),
    }


def communication(making: Making) -> Json:
    return {
        "resourceType": "Communication",
        "status": making.one(("completed", "in-progress")),
        "category": making.some(lambda: concept_of(making)),
        "medium": making.some(lambda: concept_of(making)),
        "subject": making.reference("Patient"),
        "sent": making.maybe(lambda: making.one(DATES)),
        "received": making.maybe(lambda: making.one(DATES)),
        "sender": making.maybe(lambda: making.reference("Practitioner")),
        "recipient": making.some(
            lambda: making.reference("Practitioner", "Organization")
        ),
        "identifier": making.some(lambda: identifier_of(making)),
    }


def flag(making: Making) -> Json:
    return {
        "resourceType": "Flag",
        "status": "active",
        "code": concept_of(making),
        "subject": making.reference("Patient"),
        "period": making.maybe(lambda: making.one(PERIODS)),
        "author": making.maybe(lambda: making.reference("Practitioner")),
        "encounter": making.maybe(lambda: making.reference("Encounter")),
        "identifier": making.some(lambda: identifier_of(making)),
    }


def report(making: Making) -> Json:
    return {
        "resourceType": "DiagnosticReport",
        "status": making.one(("final", "partial")),
        "category": making.some(lambda: concept_of(making)),
        "code": concept_of(making),
        "subject": making.reference("Patient"),
        "issued": making.maybe(lambda: making.one(_INSTANTS)),
        "performer": making.some(lambda: making.reference("Organization")),
        "result": making.some(lambda: making.reference("Observation")),
        "conclusionCode": making.some(lambda: concept_of(making)),
        "identifier": making.some(lambda: identifier_of(making)),
        **when_of(making, "effective"),
    }


def document(making: Making) -> Json:
    def content() -> Json:
        return {
            "attachment": {
                "contentType": making.one(("text/plain", "application/pdf")),
                "url": making.one(("http://a.example/x,y", "http://a.example/B")),
                "title": making.one(CITIES),
            }
        }

    return {
        "resourceType": "DocumentReference",
        "masterIdentifier": making.maybe(lambda: identifier_of(making)),
        "identifier": making.some(lambda: identifier_of(making)),
        "status": making.one(("current", "superseded")),
        "type": making.maybe(lambda: concept_of(making)),
        "category": making.some(lambda: concept_of(making)),
        "subject": making.reference("Patient"),
        "date": making.maybe(lambda: making.one(_INSTANTS)),
        "author": making.some(lambda: making.reference("Practitioner")),
        "description": making.maybe(lambda: making.one(PROBLEMS)),
        "content": [content()],
        "context": {"period": making.one(PERIODS)},
    }


def listed(making: Making) -> Json:
    return {
        "resourceType": "List",
        "status": making.one(("current", "retired")),
        "mode": "working",
        "title": making.maybe(lambda: making.one(CITIES)),
        "code": making.maybe(lambda: concept_of(making)),
        "subject": making.reference("Patient"),
        "date": making.maybe(lambda: making.one(DATES)),
        "source": making.maybe(lambda: making.reference("Practitioner")),
        "entry": making.some(lambda: {"item": making.reference("Practitioner")}),
        "identifier": making.some(lambda: identifier_of(making)),
    }


SHARED = (*(location,) * 4, *(role,) * 5)

PERSONAL = (
    *(related_person,) * 4,
    *(goal,) * 4,
    *(care_team,) * 4,
    *(care_plan,) * 4,
    *(task,) * 4,
    *(communication,) * 4,
    *(flag,) * 3,
    *(report,) * 4,
    *(document,) * 4,
    *(listed,) * 3,
)
