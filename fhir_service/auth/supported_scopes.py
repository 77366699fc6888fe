"""The scopes that discovery lists: each can be granted to some client.

https://hl7.org/fhir/us/core/STU7/scopes.html
https://hl7.org/fhir/smart-app-launch/STU2.2/scopes-and-launch-context.html
"""

from collections.abc import Collection

from fhir_service.auth import grantable

WORDS = tuple(word for word in grantable.WORDS if word != "profile")
"""Scopes that are no resource scopes; `profile` is an old name of `fhirUser`."""

WILDCARDS = ("patient/*.rs", "user/*.rs", "system/*.rs", "system/*.cruds")
"""Scopes for every type that is served."""

_US_CORE = "http://hl7.org/fhir/us/core/CodeSystem"
_DOCUMENTS = f"{_US_CORE}/us-core-documentreference-category"
_TERMINOLOGY = "http://terminology.hl7.org/CodeSystem"

GRANULAR = (
    f"Condition.rs?category={_US_CORE}/condition-category|health-concern",
    f"Condition.rs?category={_TERMINOLOGY}/condition-category|encounter-diagnosis",
    f"Condition.rs?category={_TERMINOLOGY}/condition-category|problem-list-item",
    f"DocumentReference.rs?category={_DOCUMENTS}|clinical-note",
    f"Observation.rs?category={_US_CORE}/us-core-category|sdoh",
    f"Observation.rs?category={_TERMINOLOGY}/observation-category|social-history",
    f"Observation.rs?category={_TERMINOLOGY}/observation-category|laboratory",
    f"Observation.rs?category={_TERMINOLOGY}/observation-category|survey",
    f"Observation.rs?category={_TERMINOLOGY}/observation-category|vital-signs",
)
"""The granular scopes that US Core names, without their level."""

US_CORE_TYPES = (
    "AllergyIntolerance",
    "CarePlan",
    "CareTeam",
    "Condition",
    "Coverage",
    "Device",
    "DiagnosticReport",
    "DocumentReference",
    "Encounter",
    "Goal",
    "Immunization",
    "Location",
    "Medication",
    "MedicationDispense",
    "MedicationRequest",
    "Observation",
    "Organization",
    "Patient",
    "Practitioner",
    "PractitionerRole",
    "Procedure",
    "Provenance",
    "QuestionnaireResponse",
    "RelatedPerson",
    "ServiceRequest",
    "Specimen",
)
"""The types that US Core has profiles of."""

_LEVELS = ("patient", "user", "system")


def scopes_supported(types: Collection[str]) -> tuple[str, ...]:
    """Return the scopes to list where `types` are served."""
    parts = [f"{type_}.rs" for type_ in US_CORE_TYPES if type_ in types]
    parts += [part for part in GRANULAR if part.partition(".")[0] in types]
    return (
        *WORDS,
        *WILDCARDS,
        *(f"{level}/{part}" for level in _LEVELS for part in parts),
    )
