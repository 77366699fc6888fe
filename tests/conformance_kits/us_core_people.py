"""People, organizations and what surrounds them, as US Core's profiles describe them.

All of it is made up. https://hl7.org/fhir/us/core/STU7/
"""

from typing import Any

from us_core_observations import concept

Json = dict[str, Any]

NPI = "http://hl7.org/fhir/sid/us-npi"
RACES = "urn:oid:2.16.840.1.113883.6.238"
CORE = "http://hl7.org/fhir/us/core/StructureDefinition/"
TERMINOLOGY = "http://terminology.hl7.org/CodeSystem/"
RECORDS = "https://clinic.example/records"
FORMS = "https://clinic.example/forms"

PHONE = [{"system": "phone", "value": "+1 555 0100", "use": "work"}]
ADDRESS = [
    {
        "line": ["1 Long Lane"],
        "city": "Mounds",
        "state": "OK",
        "postalCode": "74047",
        "country": "US",
    }
]
UNTIL = {"start": "2016-12-06", "end": "2020-07-22"}


def _ethnic(url: str, code: str, text: str) -> Json:
    return {
        "url": CORE + url,
        "extension": [
            {"url": "ombCategory", "valueCoding": {"system": RACES, "code": code}},
            {"url": "text", "valueString": text},
        ],
    }


def _tribe() -> Json:
    code = concept((f"{TERMINOLOGY}v3-TribalEntityUS", "187"))
    return {
        "url": f"{CORE}us-core-tribal-affiliation",
        "extension": [{"url": "tribalAffiliation", "valueCodeableConcept": code}],
    }


def patient(organization: str, number: int) -> Json:
    return {
        "resourceType": "Patient",
        "extension": [
            _ethnic("us-core-race", "2106-3", "White"),
            _ethnic("us-core-ethnicity", "2186-5", "Not Hispanic or Latino"),
            _tribe(),
            {"url": f"{CORE}us-core-birthsex", "valueCode": "F"},
            {"url": f"{CORE}us-core-sex", "valueCode": "248152002"},
        ],
        "identifier": [{"system": RECORDS, "value": f"record-{number}"}],
        "active": True,
        "name": [
            {
                "use": "old",
                "family": f"Former{number}",
                "given": ["A"],
                "period": UNTIL,
            },
            {"family": f"Family{number}", "given": ["A", "B"], "suffix": ["PharmD"]},
        ],
        "telecom": PHONE,
        "gender": ("female", "male")[number],
        "birthDate": f"198{number}-02-20",
        "deceasedDateTime": f"2026-11-0{number + 1}T10:00:00Z",
        "address": [{**ADDRESS[0], "use": "old", "period": UNTIL}, *ADDRESS],
        "communication": [{"language": concept(("urn:ietf:bcp:47", "en"))}],
        "managingOrganization": {"reference": organization},
    }


def practitioner() -> Json:
    return {
        "resourceType": "Practitioner",
        "identifier": [{"system": NPI, "value": "9941339100"}],
        "name": [{"family": "Bone", "given": ["Ronald"]}],
        "telecom": PHONE,
        "address": ADDRESS,
    }


def organization() -> Json:
    return {
        "resourceType": "Organization",
        "identifier": [{"system": NPI, "value": "1144221847"}],
        "active": True,
        "name": "Laboratory",
        "alias": ["Bench"],
        "telecom": PHONE,
        "address": ADDRESS,
    }


def location(run_by: str) -> Json:
    return {
        "resourceType": "Location",
        "status": "active",
        "name": "Ward",
        "telecom": PHONE,
        "address": ADDRESS[0],
        "managingOrganization": {"reference": run_by},
    }


def endpoint() -> Json:
    return {
        "resourceType": "Endpoint",
        "status": "active",
        "connectionType": {
            "system": f"{TERMINOLOGY}endpoint-connection-type",
            "code": "hl7-fhir-rest",
        },
        "payloadType": [{"text": "any"}],
        "address": "https://clinic.example/fhir",
    }


def role(**references: str) -> Json:
    """Return a PractitionerRole; `references` are its elements that are references."""
    linked: Json = {name: {"reference": to} for name, to in references.items()}
    many = {name: [linked.pop(name)] for name in ("location", "endpoint")}
    return {
        "resourceType": "PractitionerRole",
        **linked,
        **many,
        "code": [concept(("http://nucc.org/provider-taxonomy", "208D00000X"))],
        "specialty": [concept(("http://nucc.org/provider-taxonomy", "208D00000X"))],
        "telecom": PHONE,
    }


def related_person() -> Json:
    return {
        "resourceType": "RelatedPerson",
        "active": True,
        "relationship": [concept((f"{TERMINOLOGY}v3-RoleCode", "NIECE"))],
        "name": [{"family": "Putten", "given": ["Sarah"]}],
        "telecom": PHONE,
        "address": ADDRESS,
    }


def device() -> Json:
    return {
        "resourceType": "Device",
        "udiCarrier": [
            {
                "deviceIdentifier": "09504000059118",
                "carrierHRF": "(01)09504000059118(17)271120(10)7654321D",
            }
        ],
        "status": "active",
        "distinctIdentifier": "A9999XYZ100T0474",
        "manufactureDate": "2015-02-07",
        "expirationDate": "2027-11-20",
        "lotNumber": "7654321D",
        "serialNumber": "10987654d321",
        "type": concept(("http://snomed.info/sct", "706004007")),
    }


def encounter(number: int, cared_by: str, **references: str) -> Json:
    """Return an Encounter at `location` of `organization`."""
    period = {"start": "2026-10-05T08:00:00+02:00", "end": "2026-10-05T09:00:00+02:00"}
    home = concept((f"{TERMINOLOGY}discharge-disposition", "home"))
    return {
        "resourceType": "Encounter",
        "identifier": [{"system": RECORDS, "value": f"visit-{number}"}],
        "status": "finished",
        "class": {"system": f"{TERMINOLOGY}v3-ActCode", "code": "AMB"},
        "type": [concept(("http://snomed.info/sct", "308335008"))],
        "participant": [
            {
                "type": [concept((f"{TERMINOLOGY}v3-ParticipationType", "PPRF"))],
                "period": period,
                "individual": {"reference": cared_by},
            }
        ],
        "period": period,
        "reasonCode": [concept(("http://snomed.info/sct", "35489007"))],
        "hospitalization": {"dischargeDisposition": home},
        "location": [{"location": {"reference": references["location"]}}],
        "serviceProvider": {"reference": references["organization"]},
    }


def response(author: str) -> Json:
    nested = {
        "linkId": "1.1",
        "text": "Since when?",
        "answer": [{"valueString": "May"}],
    }
    chosen = {"valueCoding": {"system": "http://loinc.org", "code": "LA6568-5"}}
    return {
        "resourceType": "QuestionnaireResponse",
        "identifier": {"system": RECORDS, "value": "answers"},
        "questionnaire": f"{FORMS}/phq-9",
        "_questionnaire": {
            "extension": [
                {
                    "url": f"{CORE}us-core-extension-questionnaire-uri",
                    "valueUri": f"{FORMS}/phq-9.pdf",
                },
                {
                    "url": "http://hl7.org/fhir/StructureDefinition/display",
                    "valueString": "PHQ-9",
                },
            ]
        },
        "status": "completed",
        "authored": "2026-10-05T08:00:00+02:00",
        "author": {"reference": author},
        "item": [
            {"linkId": "1", "text": "Mood", "answer": [{**chosen, "item": [nested]}]},
            {"linkId": "2", "text": "Score", "answer": [{"valueDecimal": 12.0}]},
            {"linkId": "3", "text": "Note", "answer": [{"valueString": "none"}]},
            {"linkId": "4", "text": "More", "item": [{**nested, "linkId": "4.1"}]},
        ],
    }
