"""The parts of a wide scope, of which a person may choose some.

A scope for every Observation, Condition or DocumentReference has one part for each
category that US Core names, and a few more; a scope for every type has one for each
type that people ask for most.

https://hl7.org/fhir/us/core/STU7/scopes.html
"""

from collections.abc import Mapping
from types import MappingProxyType

from fhir_service.auth.scopes import Filter, Scope

_TERMINOLOGY = "http://terminology.hl7.org/CodeSystem"
_US_CORE = "http://hl7.org/fhir/us/core/CodeSystem"

CATEGORIES: Mapping[str, tuple[tuple[str, str], ...]] = MappingProxyType(
    {
        "Observation": (
            (f"{_TERMINOLOGY}/observation-category", "vital-signs"),
            (f"{_TERMINOLOGY}/observation-category", "activity"),
            (f"{_TERMINOLOGY}/observation-category", "laboratory"),
            (f"{_TERMINOLOGY}/observation-category", "survey"),
            (f"{_TERMINOLOGY}/observation-category", "social-history"),
            (f"{_TERMINOLOGY}/observation-category", "imaging"),
            (f"{_TERMINOLOGY}/observation-category", "procedure"),
            (f"{_TERMINOLOGY}/observation-category", "exam"),
            (f"{_TERMINOLOGY}/observation-category", "therapy"),
            (f"{_US_CORE}/us-core-category", "sdoh"),
        ),
        "Condition": (
            (f"{_TERMINOLOGY}/condition-category", "problem-list-item"),
            (f"{_TERMINOLOGY}/condition-category", "encounter-diagnosis"),
            (f"{_US_CORE}/condition-category", "health-concern"),
        ),
        "DocumentReference": (
            (f"{_US_CORE}/us-core-documentreference-category", "clinical-note"),
        ),
    }
)
"""Type → the categories (system, code) by which it can be shared in part."""

TYPES = (
    "Patient",
    "Observation",
    "Condition",
    "AllergyIntolerance",
    "MedicationRequest",
    "MedicationStatement",
    "Immunization",
    "Procedure",
    "DiagnosticReport",
    "DocumentReference",
    "Encounter",
    "CarePlan",
    "CareTeam",
    "Goal",
    "Device",
    "QuestionnaireResponse",
    "Consent",
)
"""The types by which a scope for every type can be shared in part."""


def parts(scope: Scope) -> tuple[Scope, ...]:
    """Return the narrower scopes that a person may choose in place of `scope`."""
    if scope.filters:
        return ()
    if scope.type == "*":
        return tuple(_part(scope, type_, None) for type_ in TYPES)
    return tuple(
        _part(scope, scope.type, Filter(parameter="category", system=system, code=code))
        for system, code in CATEGORIES.get(scope.type, ())
    )


def _part(scope: Scope, type_: str, held: Filter | None) -> Scope:
    filters = () if held is None else (held,)
    query = "" if held is None else f"?{held}"
    return Scope(
        level=scope.level,
        type=type_,
        letters=scope.letters,
        filters=filters,
        text=f"{scope.level}/{type_}.{scope.letters}{query}",
    )
