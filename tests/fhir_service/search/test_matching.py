from datetime import UTC
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conformance.search_parameters import parameters
from fhir_service.search.criteria import Criterion, DateValue, TokenValue
from fhir_service.search.matching import matches

BASES = ("https://ours.example/fhir",)
LOINC = "http://loinc.org"
UCUM = "http://unitsofmeasure.org"
MR = "http://terminology.hl7.org/CodeSystem/v2-0203"


def quantity(value, unit, code=None, **others):
    found = {"value": Decimal(value), "unit": unit, **others}
    return found if code is None else {**found, "system": UCUM, "code": code}


OBSERVATION = {
    "resourceType": "Observation",
    "id": "o1",
    "meta": {
        "lastUpdated": "2026-01-05T10:00:00.123Z",
        "profile": ["http://x.example/p|1"],
        "tag": [{"system": "http://x.example/t", "code": "a"}],
    },
    "status": "final",
    "category": [{"coding": [{"code": "vital-signs"}], "text": "Vital signs"}],
    "code": {
        "coding": [
            {"system": LOINC, "code": "85354-9", "display": "Blood pressure panel"}
        ],
        "text": "Blutdruck",
    },
    "subject": {"reference": "Patient/p1"},
    "encounter": {"reference": "https://ours.example/fhir/Encounter/e1/_history/3"},
    "performer": [
        {"reference": "http://other.example/fhir/Practitioner/1"},
        {
            "type": "Organization",
            "identifier": {"system": "http://x.example/o", "value": "7"},
        },
    ],
    "effectivePeriod": {
        "start": "2026-01-05T08:00:00Z",
        "end": "2026-01-05T09:00:00Z",
    },
    "component": [
        {
            "code": {"coding": [{"system": LOINC, "code": "8480-6"}]},
            "valueQuantity": quantity("120", "mmHg", "mm[Hg]"),
        },
        {
            "code": {"coding": [{"system": LOINC, "code": "8462-4"}]},
            "valueQuantity": quantity("80", "mmHg", "mm[Hg]"),
        },
    ],
}
UNDATED = {"resourceType": "Observation", "id": "o2", "status": "final"}
OPEN = {**UNDATED, "effectivePeriod": {"start": "2026-01-05T08:00:00Z"}}
WEIGHT = {**UNDATED, "valueQuantity": quantity("72.5", "kg", "kg")}
HOT = {**UNDATED, "valueQuantity": quantity("98.6", "degrees F", "[degF]")}
ODD = {**UNDATED, "valueQuantity": quantity("3", "puffs")}
BELOW = {**UNDATED, "valueQuantity": quantity("5", "mg", "mg", comparator="<")}
PATIENT = {
    "resourceType": "Patient",
    "id": "p1",
    "active": True,
    "identifier": [
        {
            "type": {"coding": [{"system": MR, "code": "MR"}], "text": "Chart number"},
            "system": "http://x.example/mrn",
            "value": "AB-1",
        },
        {"value": "loose"},
    ],
    "name": [{"family": "Müller-Straße", "given": ["José", "Ωmega"]}],
    "telecom": [{"system": "email", "value": "Jose@Example.org", "use": "home"}],
    "birthDate": "1980-02",
    "address": [{"line": ["50% Lane_1"], "city": "Köln"}],
}
RESPONSE = {
    "resourceType": "QuestionnaireResponse",
    "status": "completed",
    "questionnaire": "http://x.example/q|2.0",
}
RISK = {
    "resourceType": "RiskAssessment",
    "status": "final",
    "prediction": [
        {"probabilityDecimal": Decimal("0.80")},
        {"probabilityRange": {"low": {"value": 10}, "high": {"value": 20}}},
    ],
}

CASES = [
    # Tokens.
    (OBSERVATION, "code", "85354-9", True),
    (OBSERVATION, "code", f"{LOINC}|85354-9", True),
    (OBSERVATION, "code", "http://loinc.org/|85354-9", False),
    (OBSERVATION, "code", "|85354-9", False),
    (OBSERVATION, "code", f"{LOINC}|", True),
    (OBSERVATION, "code", "http://snomed.info/sct|", False),
    (OBSERVATION, "code", "x,85354-9", True),
    (OBSERVATION, "code", "85354", False),
    (OBSERVATION, "code", "Blutdruck", False),
    (OBSERVATION, "category", "|vital-signs", True),
    (OBSERVATION, "category", "VITAL-SIGNS", False),
    (OBSERVATION, "status", "final", True),
    (OBSERVATION, "_id", "o1", True),
    (OBSERVATION, "_id", "O1", False),
    (OBSERVATION, "_tag", "http://x.example/t|a", True),
    (PATIENT, "active", "true", True),
    (PATIENT, "active", "false", False),
    (PATIENT, "identifier", "http://x.example/mrn|AB-1", True),
    (PATIENT, "identifier", "AB-1", True),
    (PATIENT, "identifier", "ab-1", False),
    (PATIENT, "identifier", "|loose", True),
    (PATIENT, "email", "jose@example.ORG", True),
    (PATIENT, "telecom", "Jose@Example.org", True),
    (PATIENT, "phone", "Jose@Example.org", False),
    (OBSERVATION, "code:not", "85354-9", False),
    (OBSERVATION, "code:not", "x,85354-9", False),
    (OBSERVATION, "code:not", "x", True),
    (UNDATED, "code:not", "85354-9", True),
    (OBSERVATION, "code:text", "blutd", True),
    (OBSERVATION, "code:text", "BLOOD  pressure", True),
    (OBSERVATION, "code:text", "pressure", False),
    (PATIENT, "identifier:text", "chart", True),
    (PATIENT, "identifier:of-type", f"{MR}|MR|AB-1", True),
    (PATIENT, "identifier:of-type", f"{MR}|MR|loose", False),
    (PATIENT, "identifier:of-type", f"{MR}|SS|AB-1", False),
    (PATIENT, "identifier:of-type", "http://x.example/mrn|MR|AB-1", False),
    # Missing.
    (OBSERVATION, "date:missing", "false", True),
    (OBSERVATION, "date:missing", "true", False),
    (UNDATED, "date:missing", "true", True),
    (UNDATED, "date:missing", "false", False),
    (UNDATED, "code-value-quantity:missing", "true", True),
    # Strings.
    (PATIENT, "name", "muller", True),
    (PATIENT, "name", "MÜLLER-STRASSE", True),
    (PATIENT, "name", "strasse", False),
    (PATIENT, "name", "jose", True),
    (PATIENT, "name", "ωm", True),
    (PATIENT, "name:contains", "STRASSE", True),
    (PATIENT, "name:contains", "x", False),
    (PATIENT, "name:exact", "José", True),
    (PATIENT, "name:exact", "Jose", False),
    (PATIENT, "name:exact", "Jos", False),
    (PATIENT, "family", "jose", False),
    (PATIENT, "address:contains", "%", True),
    (PATIENT, "address:contains", "_", True),
    (PATIENT, "address:contains", "n%1", False),
    (PATIENT, "address-city", "koln", True),
    # References.
    (OBSERVATION, "patient", "p1", True),
    (OBSERVATION, "patient", "Patient/p1", True),
    (OBSERVATION, "patient", "https://ours.example/fhir/Patient/p1", True),
    (OBSERVATION, "patient", "https://other.example/fhir/Patient/p1", False),
    (OBSERVATION, "subject", "p1", True),
    (OBSERVATION, "subject:Patient", "p1", True),
    (OBSERVATION, "subject:Group", "p1", False),
    (OBSERVATION, "subject", "Patient/P1", False),
    (OBSERVATION, "encounter", "Encounter/e1", True),
    (OBSERVATION, "encounter", "Encounter/e1/_history/3", True),
    (OBSERVATION, "encounter", "Encounter/e1/_history/2", False),
    (OBSERVATION, "patient", "Patient/p1/_history/1", False),
    (OBSERVATION, "performer", "http://other.example/fhir/Practitioner/1", True),
    (OBSERVATION, "performer", "Practitioner/1", False),
    (OBSERVATION, "performer:identifier", "http://x.example/o|7", True),
    (OBSERVATION, "performer:identifier", "7", True),
    (OBSERVATION, "performer:identifier", "http://x.example/o|", True),
    (OBSERVATION, "performer:identifier", "|7", False),
    (OBSERVATION, "subject:identifier", "7", False),
    (RESPONSE, "questionnaire", "http://x.example/q", True),
    (RESPONSE, "questionnaire", "http://x.example/q|2.0", True),
    (RESPONSE, "questionnaire", "http://x.example/q|1.0", False),
    # URIs.
    (OBSERVATION, "_profile", "http://x.example/p|1", True),
    (OBSERVATION, "_profile", "http://x.example/p", False),
    # Dates: a period of an hour.
    (OBSERVATION, "date", "2026-01-05", True),
    (OBSERVATION, "date", "2026-01-05T08:00", False),
    (OBSERVATION, "date", "ne2026-01-05", False),
    (OBSERVATION, "date", "ne2026-01-05T08:00", True),
    (OBSERVATION, "date", "gt2026-01-05T08:30:00Z", True),
    (OBSERVATION, "date", "gt2026-01-05", False),
    (OBSERVATION, "date", "lt2026-01-05T08:30:00Z", True),
    (OBSERVATION, "date", "lt2026-01-05", False),
    (OBSERVATION, "date", "ge2026-01-05", True),
    (OBSERVATION, "date", "ge2026-01-06", False),
    (OBSERVATION, "date", "le2026-01-05", True),
    (OBSERVATION, "date", "le2026-01-04", False),
    (OBSERVATION, "date", "sa2026-01-05T07:59:59Z", True),
    (OBSERVATION, "date", "sa2026-01-05T08:00:00Z", False),
    (OBSERVATION, "date", "eb2026-01-05T09:00:01Z", True),
    (OBSERVATION, "date", "eb2026-01-05T09:00:00Z", False),
    (OBSERVATION, "date", "ap2026-01-05T08:30:00Z", True),
    (OBSERVATION, "date", "2025,2026", True),
    (UNDATED, "date", "ne2026", False),
    (OPEN, "date", "2026", False),
    (OPEN, "date", "gt2100", True),
    (OPEN, "date", "sa2026-01-04", True),
    (OPEN, "date", "eb2100", False),
    (OBSERVATION, "_lastUpdated", "2026-01-05T10:00:00.123Z", True),
    (OBSERVATION, "_lastUpdated", "2026-01-05T10:00:00.124Z", False),
    (PATIENT, "birthdate", "1980-02", True),
    (PATIENT, "birthdate", "1980-02-03", False),
    (PATIENT, "birthdate", "ap1980-02-03", True),
    # Numbers: what is stored is exact, what is asked has its precision.
    (RISK, "probability", "0.8", True),
    (RISK, "probability", "0.800", True),
    (RISK, "probability", "0.801", False),
    (RISK, "probability", "ge0.80", True),
    (RISK, "probability", "lt0.80", False),
    (RISK, "probability", "ap0.85", True),
    (RISK, "probability", "sa9", True),
    (RISK, "probability", "sa15", False),
    (RISK, "probability", "gt15", True),
    (RISK, "probability", "gt21", False),
    # Quantities.
    (WEIGHT, "value-quantity", f"72.5|{UCUM}|kg", True),
    (WEIGHT, "value-quantity", f"72500|{UCUM}|g", True),
    (WEIGHT, "value-quantity", f"72501|{UCUM}|g", False),
    (WEIGHT, "value-quantity", f"gt159|{UCUM}|[lb_av]", True),
    (WEIGHT, "value-quantity", f"gt160|{UCUM}|[lb_av]", False),
    (WEIGHT, "value-quantity", f"72.5|{UCUM}|cm", False),
    (WEIGHT, "value-quantity", "72.5|http://x.example|kg", False),
    (WEIGHT, "value-quantity", f"72.5|{UCUM}|", True),
    (WEIGHT, "value-quantity", "72.5||kg", True),
    (WEIGHT, "value-quantity", "72500||g", False),
    (WEIGHT, "value-quantity", "72.5", True),
    (WEIGHT, "value-quantity", "73", True),
    (WEIGHT, "value-quantity", "73.0", False),
    (HOT, "value-quantity", f"37.0|{UCUM}|Cel", True),
    (HOT, "value-quantity", f"gt37.0|{UCUM}|Cel", False),
    (HOT, "value-quantity", f"ge37.0|{UCUM}|Cel", True),
    (ODD, "value-quantity", "3||puffs", True),
    (ODD, "value-quantity", f"3|{UCUM}|puffs", False),
    (ODD, "value-quantity", "3", True),
    (BELOW, "value-quantity", f"lt5|{UCUM}|mg", True),
    (BELOW, "value-quantity", f"gt6|{UCUM}|mg", False),
    # Composites: both in one component.
    (OBSERVATION, "component-code-value-quantity", f"{LOINC}|8480-6$gt100", True),
    (OBSERVATION, "component-code-value-quantity", f"{LOINC}|8462-4$gt100", False),
    (OBSERVATION, "component-code-value-quantity", "8480-6$gt100||mmHg", True),
    (OBSERVATION, "component-code-value-quantity", "x$1,8480-6$120", True),
    (OBSERVATION, "combo-code-value-quantity", "85354-9$gt100", False),
]


def holds(condition, resource, name, value):
    asked = condition(resource["resourceType"], name, value)
    return matches(asked, resource, zone=UTC, base_urls=BASES)


@pytest.mark.parametrize(
    ("resource", "name", "value", "expected"),
    CASES,
    ids=[f"{name}={value}-{expected}" for _, name, value, expected in CASES],
)
def test_a_resource_meets_a_condition(condition, resource, name, value, expected):
    assert holds(condition, resource, name, value) is expected


def date_of(start, end):
    return {
        "resourceType": "Observation",
        "effectivePeriod": {
            "start": f"2026-01-{start:02}T00:00:00Z",
            "end": f"2026-01-{end:02}T00:00:00Z",
        },
    }


def compared(resource, prefix, day):
    start = 1_767_225_600_000_000 + (day - 1) * 86_400_000_000
    asked = Criterion(
        parameter=parameters("Observation")["date"],
        modifier=None,
        values=(DateValue(prefix, start, start + 86_400_000_000 - 1),),
    )
    return matches(asked, resource, zone=UTC, base_urls=BASES)


@settings(deadline=None)
@given(st.integers(1, 28), st.integers(1, 28), st.integers(1, 28))
def test_each_comparator_of_dates_has_its_opposite(one, other, day):
    resource = date_of(min(one, other), max(one, other))

    assert compared(resource, "eq", day) is not compared(resource, "ne", day)
    assert compared(resource, "gt", day) <= compared(resource, "ge", day)
    assert compared(resource, "lt", day) <= compared(resource, "le", day)
    assert compared(resource, "sa", day) <= compared(resource, "gt", day)
    assert compared(resource, "eb", day) <= compared(resource, "lt", day)
    assert compared(resource, "ap", day) is not (
        compared(resource, "sa", day) or compared(resource, "eb", day)
    )


@settings(deadline=None)
@given(st.lists(st.sampled_from("abc"), min_size=1), st.sampled_from("abc"))
def test_not_is_the_opposite_of_the_token(codes, code):
    resource = {
        "resourceType": "Observation",
        "code": {"coding": [{"code": one} for one in codes]},
    }
    asked = {
        modifier: Criterion(
            parameter=parameters("Observation")["code"],
            modifier=modifier,
            values=(TokenValue(None, code),),
        )
        for modifier in (None, "not")
    }

    found = {
        modifier: matches(one, resource, zone=UTC, base_urls=BASES)
        for modifier, one in asked.items()
    }

    assert found == {None: code in codes, "not": code not in codes}
