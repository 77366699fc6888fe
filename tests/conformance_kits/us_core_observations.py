"""Observations as US Core's profiles describe them, all of them made up.

https://hl7.org/fhir/us/core/STU7/
"""

from typing import Any

Json = dict[str, Any]

LOINC = "http://loinc.org"
SNOMED = "http://snomed.info/sct"
UCUM = "http://unitsofmeasure.org"
CATEGORY = "http://terminology.hl7.org/CodeSystem/observation-category"
US_CORE_CATEGORY = "http://hl7.org/fhir/us/core/CodeSystem/us-core-category"
ABSENT = "http://terminology.hl7.org/CodeSystem/data-absent-reason"

TAKEN = "2026-10-05T08:30:00+02:00"
NIGHT = {"start": "2026-10-04T22:00:00+02:00", "end": "2026-10-05T06:30:00+02:00"}

CATEGORIES = (
    *((CATEGORY, code) for code in ("social-history", "vital-signs", "imaging")),
    *((CATEGORY, code) for code in ("laboratory", "procedure", "survey", "exam")),
    *((CATEGORY, code) for code in ("therapy", "activity")),
    *((US_CORE_CATEGORY, code) for code in ("sdoh", "functional-status")),
    *((US_CORE_CATEGORY, code) for code in ("disability-status", "cognitive-status")),
    (US_CORE_CATEGORY, "treatment-intervention-preference"),
    (US_CORE_CATEGORY, "care-experience-preference"),
)
"""Every category of a simple observation."""

VITAL_SIGNS = {
    "us-core-heart-rate": ("8867-4", "/min", 61),
    "us-core-respiratory-rate": ("9279-1", "/min", 14),
    "us-core-body-weight": ("29463-7", "kg", 71.5),
    "us-core-body-height": ("8302-2", "cm", 172),
    "us-core-body-temperature": ("8310-5", "Cel", 36.9),
    "us-core-bmi": ("39156-5", "kg/m2", 24.2),
}
"""Profile → LOINC code, UCUM unit, value."""


def concept(*codings: tuple[str, str]) -> Json:
    return {"coding": [{"system": system, "code": code} for system, code in codings]}


def quantity(value: float, unit: str) -> Json:
    return {"value": value, "unit": unit, "system": UCUM, "code": unit}


def observed(code: Json, *categories: Json, **more: Any) -> Json:
    return {
        "resourceType": "Observation",
        "status": "final",
        "category": list(categories),
        "code": code,
        "effectiveDateTime": TAKEN,
        **more,
    }


def vital_sign(code: Json, **more: Any) -> Json:
    return observed(code, concept((CATEGORY, "vital-signs")), **more)


def _part(code: str, unit: str, value: float | None) -> Json:
    """Return a component: its value, or that it is not known."""
    about = {"code": concept((LOINC, code))}
    if value is None:
        return {**about, "dataAbsentReason": concept((ABSENT, "unknown"))}
    return {**about, "valueQuantity": quantity(value, unit)}


def _pressure(code: str, *parts: tuple[str, float | None], **more: Any) -> Json:
    components = [_part(part, "mm[Hg]", value) for part, value in parts]
    return vital_sign(concept((LOINC, code)), component=components, **more)


def blood_pressures() -> list[Json]:
    """Return one with both values, one without each."""
    return [
        _pressure("85354-9", ("8480-6", 121), ("8462-4", 79)),
        _pressure("85354-9", ("8480-6", None), ("8462-4", 80), status="amended"),
        _pressure("85354-9", ("8480-6", 118), ("8462-4", None)),
    ]


def average_blood_pressures() -> list[Json]:
    found = [
        _pressure("96607-7", ("96608-5", 118), ("96609-3", 74), effectivePeriod=NIGHT),
        _pressure("96607-7", ("96608-5", None), ("96609-3", 74), effectivePeriod=NIGHT),
    ]
    for one in found:
        del one["effectiveDateTime"]
    return found


def pulse_oximetry() -> Json:
    return vital_sign(
        concept((LOINC, "59408-5"), (LOINC, "2708-6")),
        valueQuantity=quantity(97, "%"),
        component=[_part("3151-8", "L/min", 2), _part("3150-0", "%", 30)],
    )


def smoking_statuses() -> list[Json]:
    about = concept((CATEGORY, "social-history"))
    return [
        observed(
            concept((LOINC, "72166-2")),
            about,
            valueCodeableConcept=concept((SNOMED, "266919005")),
        ),
        observed(
            concept((LOINC, "782516008")),
            about,
            valueQuantity=quantity(3, "{PackYears}"),
        ),
    ]


def simple(answered: str) -> list[Json]:
    """Return one of every category; `answered` is what the first is derived from."""
    found = [
        observed(concept((LOINC, "55423-8")), concept(category), **_VALUES[number % 4])
        for number, category in enumerate(CATEGORIES)
    ]
    found[0]["derivedFrom"] = [{"reference": answered}]
    return found


def clinical(encounter: str) -> list[Json]:
    return [
        observed(
            concept((LOINC, code)),
            concept((CATEGORY, "activity")),
            encounter={"reference": encounter},
            **value,
        )
        for code, value in zip(("55423-8", "89555-7", "93832-4"), _VALUES, strict=False)
    ]


def screenings(answered: str) -> list[Json]:
    """Return a score for every category of a survey, each with another kind of value.

    `answered` is the reference of the QuestionnaireResponse that they come from.
    """
    return [
        observed(
            concept((LOINC, "44261-6")),
            concept((CATEGORY, "survey")),
            concept((US_CORE_CATEGORY, code)),
            derivedFrom=[{"reference": answered}],
            **_VALUES[number % 3],
        )
        for number, code in enumerate(
            code for system, code in CATEGORIES if system == US_CORE_CATEGORY
        )
    ]


def panel(members: list[str]) -> Json:
    return observed(
        concept((LOINC, "44249-1")),
        concept((CATEGORY, "survey")),
        concept((US_CORE_CATEGORY, "cognitive-status")),
        hasMember=[{"reference": one} for one in members],
    )


_VALUES: tuple[Json, ...] = (
    {"valueQuantity": quantity(12, "{score}")},
    {"valueCodeableConcept": concept((LOINC, "LA6568-5"))},
    {"valueString": "several days"},
    {"valueBoolean": True},
)
