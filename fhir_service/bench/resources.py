"""The FHIR resources that the bench writes through the API before data can come.

https://hl7.org/fhir/R4/consent.html
"""

from typing import Any

from mappings.vendors.table import VENDORS

Resource = dict[str, Any]

TERMINOLOGY = "http://terminology.hl7.org/CodeSystem"
"""Where HL7's code systems are."""

_ACTIONS = ("collect", "access", "disclose")


def organization() -> Resource:
    """Return the organization that looks after every patient."""
    return {"resourceType": "Organization", "active": True, "name": "Bench clinic"}


def patient(user: str, clinic: str) -> Resource:
    """Return a patient known to the source as `user`."""
    return {
        "resourceType": "Patient",
        "identifier": [{"system": VENDORS["open-mhealth"].system, "value": user}],
        "managingOrganization": {"reference": clinic},
    }


def consent(patient_id: str, clinic: str, *, bounded: bool) -> Resource:
    """Return a permission for treatment by the clinic, without sleep.

    Args:
        patient_id: Whose.
        clinic: Reference to the Organization.
        bounded: Whether it holds for data from 2025 on only, so that each row is
            asked for its time.

    """
    permit = _permit(clinic)
    if bounded:
        permit["dataPeriod"] = {"start": "2025-01-01"}
    permit["provision"] = [denied("93832-4")]
    return _consent(patient_id, clinic, permit)


def consent_of(patient_id: str, clinic: str, provisions: int) -> Resource:
    """Return a consent with a number of provisions, the root included.

    Each denies one code: to all, for data of a year, for a purpose, to the clinic.
    """
    permit = _permit(clinic)
    narrower: list[Resource] = [
        {},
        {"dataPeriod": {"start": "2025-01-01", "end": "2025-12-31"}},
        {"purpose": [{"system": f"{TERMINOLOGY}/v3-ActReason", "code": "HMARKT"}]},
        {"actor": permit["actor"]},
    ]
    nested = [
        {**denied(f"{10_000 + number}-0"), **narrower[number % len(narrower)]}
        for number in range(provisions - 1)
    ]
    if nested:
        permit["provision"] = nested
    return _consent(patient_id, clinic, permit)


def observation(number: int) -> Resource:
    """Return an Observation whose signature no other number has."""
    return {
        "resourceType": "Observation",
        "status": "final",
        "category": [
            {
                "coding": [
                    {
                        "system": f"{TERMINOLOGY}/observation-category",
                        "code": "vital-signs",
                    }
                ]
            }
        ],
        "code": concept("http://loinc.org", f"{10_000 + number}-0"),
        "effectiveDateTime": "2025-03-01T10:00:00Z",
    }


HEART_RATE: Resource = {
    "resourceType": "Observation",
    "meta": {"profile": ["http://hl7.org/fhir/StructureDefinition/heartrate"]},
    "identifier": [{"system": "https://bench.example/reading", "value": "1"}],
    "status": "final",
    "category": [
        {
            "coding": [
                {
                    "system": f"{TERMINOLOGY}/observation-category",
                    "code": "vital-signs",
                    "display": "Vital Signs",
                }
            ],
            "text": "Vital Signs",
        }
    ],
    "code": {
        "coding": [
            {
                "system": "http://loinc.org",
                "code": "8867-4",
                "display": "Heart rate",
            }
        ],
        "text": "Heart rate",
    },
    "subject": {"reference": "Patient/bench"},
    "effectiveDateTime": "2025-03-01T10:00:00+01:00",
    "issued": "2025-03-01T10:00:01.123+01:00",
    "device": {"reference": "Device/bench"},
    "valueQuantity": {
        "value": 72,
        "unit": "beats/minute",
        "system": "http://unitsofmeasure.org",
        "code": "/min",
    },
}
"""What an external client may send; it claims the heart rate profile of R4."""


def concept(system: str, code: str) -> Resource:
    """Return a CodeableConcept of one coding."""
    return {"coding": [{"system": system, "code": code}]}


def denied(code: str) -> Resource:
    """Return a nested provision that denies what has a LOINC code."""
    return {"type": "deny", "code": [concept("http://loinc.org", code)]}


def _permit(clinic: str) -> Resource:
    return {
        "type": "permit",
        "actor": [
            {
                "role": concept(f"{TERMINOLOGY}/v3-ParticipationType", "IRCP"),
                "reference": {"reference": clinic},
            }
        ],
        "action": [concept(f"{TERMINOLOGY}/consentaction", code) for code in _ACTIONS],
        "purpose": [{"system": f"{TERMINOLOGY}/v3-ActReason", "code": "TREAT"}],
    }


def _consent(patient_id: str, clinic: str, provision: Resource) -> Resource:
    return {
        "resourceType": "Consent",
        "status": "active",
        "scope": concept(f"{TERMINOLOGY}/consentscope", "patient-privacy"),
        "category": [concept("http://loinc.org", "59284-0")],
        "patient": {"reference": f"Patient/{patient_id}"},
        "dateTime": "2025-01-01",
        "organization": [{"reference": clinic}],
        "policyRule": concept(f"{TERMINOLOGY}/v3-ActCode", "OPTIN"),
        "provision": provision,
    }
