"""What the model knows of further records: see `model_table`.

https://hl7.org/fhir/R4/searchparameter-registry.html
"""

from model_readers import (
    code,
    concept,
    date,
    identifier,
    reference,
    string,
    token,
    uri,
)

_CARERS = "CareTeam Organization Patient Practitioner PractitionerRole RelatedPerson"
_SENDERS = (
    "Device HealthcareService Organization Patient Practitioner PractitionerRole "
    "RelatedPerson"
)
_RECIPIENTS = (
    "CareTeam Device Group HealthcareService Organization Patient Practitioner "
    "PractitionerRole RelatedPerson"
)
_OWNERS = (
    "CareTeam HealthcareService Organization Patient Practitioner PractitionerRole "
    "RelatedPerson"
)
_AUTHORS = "Device Organization Patient Practitioner PractitionerRole RelatedPerson"

_SUBJECT = {"patient": reference("subject", to="Patient")}
_ENCOUNTER = {"encounter": reference("encounter", to="Encounter")}

RECORDS = {
    "Location": {
        "name": string("name", "alias"),
        "status": code("status", "location-status"),
        "identifier": identifier(),
        "type": concept("type"),
        "address": string("address", of="Address"),
        "address-city": string("address.city"),
        "organization": reference("managingOrganization", to="Organization"),
    },
    "PractitionerRole": {
        "active": token("active", of="boolean"),
        "date": date("period"),
        "practitioner": reference("practitioner", to="Practitioner"),
        "organization": reference("organization", to="Organization"),
        "role": concept("code"),
        "specialty": concept("specialty"),
        "location": reference("location", to="Location"),
        "telecom": token("telecom", of="ContactPoint"),
        "phone": token("telecom[system=phone]", of="ContactPoint"),
        "identifier": identifier(),
    },
    "RelatedPerson": {
        "patient": reference("patient", to="Patient"),
        "active": token("active", of="boolean"),
        "relationship": concept("relationship"),
        "name": string("name", of="HumanName"),
        "gender": code("gender", "administrative-gender"),
        "birthdate": date("birthDate"),
        "email": token("telecom[system=email]", of="ContactPoint"),
        "identifier": identifier(),
    },
    "Goal": {
        **_SUBJECT,
        "lifecycle-status": code("lifecycleStatus", "goal-status"),
        "category": concept("category"),
        "start-date": date("startDate"),
        "identifier": identifier(),
    },
    "CareTeam": {
        **_SUBJECT,
        "status": code("status", "care-team-status"),
        "category": concept("category"),
        "date": date("period"),
        "participant": reference("participant.member", to=_CARERS),
        "identifier": identifier(),
    },
    "CarePlan": {
        **_SUBJECT,
        **_ENCOUNTER,
        "status": code("status", "request-status"),
        "intent": code("intent", "care-plan-intent"),
        "category": concept("category"),
        "date": date("period"),
        "care-team": reference("careTeam", to="CareTeam"),
        "condition": reference("addresses", to="Condition"),
        "goal": reference("goal", to="Goal"),
        "identifier": identifier(),
    },
    "Task": {
        "patient": reference("for", to="Patient"),
        **_ENCOUNTER,
        "status": code("status", "task-status"),
        "intent": code("intent", "task-intent"),
        "priority": code("priority", "request-priority"),
        "code": concept("code"),
        "performer": concept("performerType"),
        "period": date("executionPeriod"),
        "authored-on": date("authoredOn"),
        "owner": reference("owner", to=_OWNERS),
        "identifier": identifier(),
    },
    "Communication": {
        **_SUBJECT,
        "status": code("status", "event-status"),
        "category": concept("category"),
        "medium": concept("medium"),
        "sent": date("sent"),
        "received": date("received"),
        "sender": reference("sender", to=_SENDERS),
        "recipient": reference("recipient", to=_RECIPIENTS),
        "identifier": identifier(),
    },
    "Flag": {
        **_SUBJECT,
        **_ENCOUNTER,
        "date": date("period"),
        "author": reference("author", to=_AUTHORS.replace(" RelatedPerson", "")),
        "identifier": identifier(),
    },
    "DiagnosticReport": {
        **_SUBJECT,
        "status": code("status", "diagnostic-report-status"),
        "category": concept("category"),
        "code": concept("code"),
        "date": date("effectiveDateTime", "effectivePeriod"),
        "issued": date("issued"),
        "performer": reference(
            "performer", to="CareTeam Organization Practitioner PractitionerRole"
        ),
        "result": reference("result", to="Observation"),
        "conclusion": concept("conclusionCode"),
        "identifier": identifier(),
    },
    "DocumentReference": {
        **_SUBJECT,
        "status": code("status", "document-reference-status"),
        "type": concept("type"),
        "category": concept("category"),
        "date": date("date"),
        "period": date("context.period"),
        "author": reference("author", to=_AUTHORS),
        "description": string("description"),
        "location": uri("content.attachment.url"),
        "identifier": token("masterIdentifier", "identifier", of="Identifier"),
    },
    "List": {
        **_SUBJECT,
        "status": code("status", "list-status"),
        "title": string("title"),
        "code": concept("code"),
        "date": date("date"),
        "source": reference(
            "source", to="Device Patient Practitioner PractitionerRole"
        ),
        "identifier": identifier(),
    },
}
