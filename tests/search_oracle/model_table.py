"""Which search parameters the model knows, where their values are, and of what type.

Copied by hand from the tables of R4's resource pages, not from the service.
https://hl7.org/fhir/R4/searchparameter-registry.html
"""

from model_readers import (
    Parameter,
    code,
    composite,
    concept,
    date,
    identifier,
    number,
    quantity,
    reference,
    string,
    token,
    uri,
)
from model_records import RECORDS

_EVERY = {
    "_id": Parameter(kind="token", of="id", paths=("id",)),
    "_lastUpdated": date("meta.lastUpdated"),
}

_NAMES = {
    "name": string("name", of="HumanName"),
    "family": string("name.family"),
    "given": string("name.given"),
}

_ACTORS = "CareTeam Organization Patient Practitioner PractitionerRole RelatedPerson"
_VALUE_DATE = date("valueDateTime", "valuePeriod")

_PUBLISHED = {
    "url": uri("url"),
    "name": string("name"),
    "title": string("title"),
    "version": token("version", of="string"),
    "date": date("date"),
    "status": code("status", "publication-status"),
}

_PARAMETERS = {
    "Patient": {
        **_NAMES,
        "birthdate": date("birthDate"),
        "death-date": date("deceasedDateTime"),
        "gender": code("gender", "administrative-gender"),
        "identifier": identifier(),
        "address": string("address", of="Address"),
        "address-city": string("address.city"),
        "telecom": token("telecom", of="ContactPoint"),
        "phone": token("telecom[system=phone]", of="ContactPoint"),
        "email": token("telecom[system=email]", of="ContactPoint"),
        "active": token("active", of="boolean"),
        "deceased": token("", of="deceased"),
        "general-practitioner": reference(
            "generalPractitioner", to="Organization Practitioner PractitionerRole"
        ),
        "organization": reference("managingOrganization", to="Organization"),
    },
    "Practitioner": {**_NAMES, "identifier": identifier()},
    "Organization": {
        "name": string("name", "alias"),
        "address": string("address", of="Address"),
        "address-city": string("address.city"),
        "identifier": identifier(),
        "partof": reference("partOf", to="Organization"),
    },
    "Device": {
        "patient": reference("patient", to="Patient"),
        "type": concept("type"),
        "status": code("status", "device-status"),
        "identifier": identifier(),
        "device-name": string("deviceName.name", "type.coding.display", "type.text"),
        "manufacturer": string("manufacturer"),
        "model": string("modelNumber"),
        "url": uri("url"),
    },
    "Observation": {
        "code": concept("code"),
        "category": concept("category"),
        "status": code("status", "observation-status"),
        "date": date("effectiveDateTime", "effectivePeriod", "effectiveInstant"),
        "identifier": identifier(),
        "subject": reference("subject", to="Device Group Location Patient"),
        "patient": reference("subject", to="Patient"),
        "performer": reference("performer", to=_ACTORS),
        "device": reference("device", to="Device DeviceMetric"),
        "encounter": reference("encounter", to="Encounter"),
        "has-member": reference(
            "hasMember", to="MolecularSequence Observation QuestionnaireResponse"
        ),
        "value-quantity": quantity("valueQuantity"),
        "value-concept": concept("valueCodeableConcept"),
        "value-string": string("valueString", "valueCodeableConcept.text"),
        "value-date": _VALUE_DATE,
        "component-code": concept("component.code"),
        "component-value-quantity": quantity("component.valueQuantity"),
        "component-value-concept": concept("component.valueCodeableConcept"),
        "combo-code": concept("code", "component.code"),
        "combo-value-quantity": quantity("valueQuantity", "component.valueQuantity"),
        "combo-value-concept": concept(
            "valueCodeableConcept", "component.valueCodeableConcept"
        ),
        "code-value-quantity": composite(concept("code"), quantity("valueQuantity")),
        "code-value-concept": composite(
            concept("code"), concept("valueCodeableConcept")
        ),
        "code-value-string": composite(concept("code"), string("valueString")),
        "code-value-date": composite(concept("code"), _VALUE_DATE),
        "component-code-value-quantity": composite(
            concept("code"), quantity("valueQuantity"), elements=("component",)
        ),
        "combo-code-value-quantity": composite(
            concept("code"), quantity("valueQuantity"), elements=("", "component")
        ),
        "component-code-value-concept": composite(
            concept("code"), concept("valueCodeableConcept"), elements=("component",)
        ),
    },
    "Encounter": {
        "patient": reference("subject", to="Patient"),
        "subject": reference("subject", to="Group Patient"),
        "status": code("status", "encounter-status"),
        "class": token("class", of="Coding"),
        "type": concept("type"),
        "date": date("period"),
        "identifier": identifier(),
        "participant": reference(
            "participant.individual", to="Practitioner PractitionerRole RelatedPerson"
        ),
    },
    "Condition": {
        "patient": reference("subject", to="Patient"),
        "code": concept("code"),
        "clinical-status": concept("clinicalStatus"),
        "onset-date": date("onsetDateTime", "onsetPeriod"),
        "recorded-date": date("recordedDate"),
        "asserter": reference(
            "asserter", to="Patient Practitioner PractitionerRole RelatedPerson"
        ),
        "encounter": reference("encounter", to="Encounter"),
    },
    "QuestionnaireResponse": {
        "patient": reference("subject", to="Patient"),
        "status": code("status", "questionnaire-answers-status"),
        "authored": date("authored"),
        "identifier": identifier(),
        "questionnaire": Parameter(
            kind="reference",
            of="canonical",
            paths=("questionnaire",),
            targets=("Questionnaire",),
        ),
    },
    "RiskAssessment": {
        "patient": reference("subject", to="Patient"),
        "probability": number("prediction.probabilityDecimal"),
        "date": date("occurrenceDateTime"),
    },
    "ValueSet": {**_PUBLISHED, "identifier": identifier()},
    "Questionnaire": {**_PUBLISHED, "identifier": identifier()},
}

PARAMETERS = {
    type_: {**_EVERY, **own} for type_, own in (_PARAMETERS | RECORDS).items()
}
