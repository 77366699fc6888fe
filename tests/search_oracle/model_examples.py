"""Resources like those of the specification's examples of a search.

https://hl7.org/fhir/R4/search.html
"""

from datetime import UTC, datetime

from model import Model
from model_values import EPOCH

NOW_US = (datetime(2026, 11, 20, tzinfo=UTC) - EPOCH).days * 86_400_000_000
LOINC = "http://loinc.org"
UCUM = "http://unitsofmeasure.org"

PEOPLE = (
    {
        "resourceType": "Patient",
        "id": "eve",
        "name": [{"family": "Müller", "given": ["Eve", "Zoë"]}],
        "birthDate": "1970-03",
        "gender": "female",
        "identifier": [
            {
                "system": "http://example.org/mrn",
                "value": "446053",
                "type": {
                    "coding": [{"system": "http://example.org/v2", "code": "MR"}],
                    "text": "Medical record",
                },
            }
        ],
        "telecom": [{"system": "email", "value": "Eve@Example.org"}],
        "deceasedDateTime": "2026-01-01",
        "generalPractitioner": [{"reference": "Practitioner/23"}],
        "managingOrganization": {"reference": "Organization/1"},
    },
    {
        "resourceType": "Patient",
        "id": "severine",
        "name": [{"given": ["Severine"]}],
        "birthDate": "1980-01-15",
        "identifier": [{"value": "446053"}],
        "generalPractitioner": [
            {"reference": "http://localhost:8000/fhir/Practitioner/24"}
        ],
    },
    {"resourceType": "Patient", "id": "nobody", "active": True},
    {"resourceType": "Practitioner", "id": "23", "name": [{"family": "Sarah"}]},
    {"resourceType": "Practitioner", "id": "24", "name": [{"family": "Joe"}]},
    {"resourceType": "Organization", "id": "1", "name": "Clinic", "alias": ["Old"]},
)


def measured(id_, value, unit, **more):
    return {
        "resourceType": "Observation",
        "id": id_,
        "status": "final",
        "code": {
            "coding": [{"system": LOINC, "code": id_, "display": "Poids, corporel"}],
            "text": "Weight",
        },
        "subject": {"reference": "Patient/eve"},
        "valueQuantity": {"value": value, "unit": unit, "system": UCUM, "code": unit},
        **more,
    }


def component(code, value):
    return {
        "code": {"coding": [{"system": LOINC, "code": code}]},
        "valueQuantity": {
            "value": value,
            "unit": "mmHg",
            "system": UCUM,
            "code": "mm[Hg]",
        },
    }


MEASURED = (
    measured("a|b", 2, "kg", effectiveDateTime="2026-11-03"),
    measured("pounds", 4.4, "[lb_av]", effectiveDateTime="2026-11-03T10:00:00+01:00"),
    measured("warm", 37, "Cel", effectivePeriod={"start": "2026-11-02"}),
    measured(
        "pressure",
        100,
        "kPa",
        component=[component("8480-6", 120), component("8462-4", 80)],
        performer=[{"identifier": {"system": "urn:x", "value": "7"}}],
        hasMember=[{"reference": "Observation/warm"}],
    ),
    {
        "resourceType": "Observation",
        "id": "puffs",
        "status": "final",
        "code": {"coding": [{"code": "puffs"}]},
        "valueQuantity": {"value": 2, "unit": "puff"},
    },
)


def risk(id_, *values):
    return {
        "resourceType": "RiskAssessment",
        "id": id_,
        "prediction": [{"probabilityDecimal": value} for value in values],
    }


RISKS = (risk("half", 0.5), risk("99.5", 99.5), risk("100.5", 100.5), risk("two", 1, 9))

MODEL = Model(resources=(*PEOPLE, *MEASURED, *RISKS), now_us=NOW_US)
