"""The Observations that the bench sends to the FHIR door, and how it sends them.

https://hl7.org/fhir/R4/observation.html
"""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from conformance.fhir_json import Number
from fhir_service.bench.resources import HEART_RATE, TERMINOLOGY, Resource, concept

_FIRST = datetime(2025, 3, 1, 9, tzinfo=UTC)
_BEFORE_READINGS = "2025-02-20T08:00:00Z"

IDENTIFIERS = "https://bench.example/reading"


def heart_rate(patient_id: str, number: int, identifier: str) -> Resource:
    """Return a heart rate, of another minute for each number, as a client sends it."""
    minute = _FIRST + timedelta(minutes=number)
    return {
        **HEART_RATE,
        "identifier": [{"system": IDENTIFIERS, "value": identifier}],
        "subject": {"reference": f"Patient/{patient_id}"},
        "effectiveDateTime": f"{minute:%Y-%m-%dT%H:%M:%S}Z",
        "issued": f"{minute:%Y-%m-%dT%H:%M:%S}.250Z",
        "valueQuantity": {**HEART_RATE["valueQuantity"], "value": 55 + number % 90},
    }


LABORATORY: tuple[tuple[str, str, str, str], ...] = (
    ("2345-7", "Glucose", "mg/dL", "94"),
    ("718-7", "Hemoglobin", "g/dL", "14.1"),
    ("2951-2", "Sodium", "mmol/L", "139"),
    ("2823-3", "Potassium", "mmol/L", "4.2"),
    ("2075-0", "Chloride", "mmol/L", "101"),
    ("2160-0", "Creatinine", "mg/dL", "0.90"),
    ("3094-0", "Urea nitrogen", "mg/dL", "15"),
    ("17861-6", "Calcium", "mg/dL", "9.5"),
    ("1742-6", "Alanine aminotransferase", "U/L", "22"),
    ("1920-8", "Aspartate aminotransferase", "U/L", "24"),
    ("1751-7", "Albumin", "g/dL", "4.4"),
    ("2885-2", "Protein", "g/dL", "7.1"),
    ("4548-4", "Hemoglobin A1c", "%", "5.4"),
    ("2093-3", "Cholesterol", "mg/dL", "178"),
    ("2571-8", "Triglyceride", "mg/dL", "110"),
)
"""LOINC code, name, UCUM unit, value: with the kinds of a delivery 20 codes."""


def laboratory(patient_id: str, row: tuple[str, str, str, str]) -> Resource:
    """Return a laboratory result from before all readings."""
    code, name, unit, value = row
    quantity = {"value": Number(value), "unit": unit, "code": unit}
    category = concept(f"{TERMINOLOGY}/observation-category", "laboratory")
    return {
        "resourceType": "Observation",
        "status": "final",
        "category": [category],
        "code": {**concept("http://loinc.org", code), "text": name},
        "subject": {"reference": f"Patient/{patient_id}"},
        "effectiveDateTime": _BEFORE_READINGS,
        "valueQuantity": {**quantity, "system": "http://unitsofmeasure.org"},
    }


def transaction(resources: Iterable[Resource]) -> Resource:
    """Return a Bundle that creates all of them or none."""
    return {
        "resourceType": "Bundle",
        "type": "transaction",
        "entry": [
            {
                "fullUrl": f"urn:uuid:00000000-0000-4000-8000-{number:012}",
                "resource": resource,
                "request": {"method": "POST", "url": resource["resourceType"]},
            }
            for number, resource in enumerate(resources)
        ],
    }
