"""Whose every resource type is: a patient's, everybody's, or that of what it names.

Each type of the release stands in exactly one table. *Patient data* is released by
the consent of the patient to whom it is attributed; *shared* types by scopes alone;
*derived* ones only as far as everything that they name is visible. A type that is
refused is never stored; one that is in no table is refused too.

https://hl7.org/fhir/R4/resourcelist.html
"""

from collections.abc import Callable, Mapping
from enum import StrEnum
from functools import cache
from types import MappingProxyType
from typing import Any, Final

from conformance.issues import FHIRError, IssueType
from conformance.references import Reference, reference_in
from conformance.search_extraction import along


class ResourceClass(StrEnum):
    """What decides whether a resource may be seen."""

    PATIENT_DATA = "patient-data"
    SHARED = "shared"
    DERIVED = "derived"


_ITSELF: Final = "id"

PATIENT_DATA: Final[Mapping[str, str]] = MappingProxyType(
    {
        "Patient": _ITSELF,
        **dict.fromkeys(
            (
                "AdverseEvent",
                "Basic",
                "CarePlan",
                "CareTeam",
                "ChargeItem",
                "ClinicalImpression",
                "Communication",
                "CommunicationRequest",
                "Composition",
                "Condition",
                "DeviceRequest",
                "DeviceUseStatement",
                "DiagnosticReport",
                "DocumentManifest",
                "DocumentReference",
                "Encounter",
                "Flag",
                "Goal",
                "GuidanceResponse",
                "ImagingStudy",
                "Invoice",
                "MeasureReport",
                "Media",
                "MedicationAdministration",
                "MedicationDispense",
                "MedicationRequest",
                "MedicationStatement",
                "Observation",
                "Procedure",
                "QuestionnaireResponse",
                "RequestGroup",
                "RiskAssessment",
                "ServiceRequest",
                "Specimen",
            ),
            "subject",
        ),
        **dict.fromkeys(
            (
                "AllergyIntolerance",
                "BodyStructure",
                "Claim",
                "ClaimResponse",
                "Consent",
                "CoverageEligibilityRequest",
                "CoverageEligibilityResponse",
                "DetectedIssue",
                "Device",
                "EpisodeOfCare",
                "ExplanationOfBenefit",
                "FamilyMemberHistory",
                "Immunization",
                "ImmunizationEvaluation",
                "ImmunizationRecommendation",
                "MolecularSequence",
                "NutritionOrder",
                "RelatedPerson",
                "SupplyDelivery",
                "VisionPrescription",
            ),
            "patient",
        ),
        "Account": "subject*",
        "Appointment": "participant*.actor",
        "AppointmentResponse": "actor",
        "Coverage": "beneficiary",
        "EnrollmentRequest": "candidate",
        "ResearchSubject": "individual",
        "SupplyRequest": "deliverTo",
        "Task": "for",
    }
)
"""Type → the element that names the patient; never a focus, never a performer.

Where there is no `subject` or `patient` it is the element that R4's own `patient` or
`subject` search parameter looks at. `name*` is an array.
"""

SHARED: Final = frozenset(
    {
        "ActivityDefinition",
        "CapabilityStatement",
        "CatalogEntry",
        "ChargeItemDefinition",
        "CodeSystem",
        "CompartmentDefinition",
        "ConceptMap",
        "DeviceDefinition",
        "EffectEvidenceSynthesis",
        "Endpoint",
        "EventDefinition",
        "Evidence",
        "EvidenceVariable",
        "ExampleScenario",
        "GraphDefinition",
        "HealthcareService",
        "ImplementationGuide",
        "InsurancePlan",
        "Library",
        "Location",
        "Measure",
        "Medication",
        "MedicationKnowledge",
        "MedicinalProduct",
        "MedicinalProductAuthorization",
        "MedicinalProductContraindication",
        "MedicinalProductIndication",
        "MedicinalProductIngredient",
        "MedicinalProductInteraction",
        "MedicinalProductManufactured",
        "MedicinalProductPackaged",
        "MedicinalProductPharmaceutical",
        "MedicinalProductUndesirableEffect",
        "MessageDefinition",
        "NamingSystem",
        "ObservationDefinition",
        "OperationDefinition",
        "Organization",
        "OrganizationAffiliation",
        "PlanDefinition",
        "Practitioner",
        "PractitionerRole",
        "Questionnaire",
        "ResearchDefinition",
        "ResearchElementDefinition",
        "ResearchStudy",
        "RiskEvidenceSynthesis",
        "SearchParameter",
        "SpecimenDefinition",
        "StructureDefinition",
        "StructureMap",
        "Substance",
        "SubstanceNucleicAcid",
        "SubstancePolymer",
        "SubstanceProtein",
        "SubstanceReferenceInformation",
        "SubstanceSourceMaterial",
        "SubstanceSpecification",
        "TerminologyCapabilities",
        "TestReport",
        "TestScript",
        "ValueSet",
    }
)

DERIVED: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        "AuditEvent": ("agent*.who", "entity*.what"),
        "Binary": ("securityContext",),
        "BiologicallyDerivedProduct": ("collection.source",),
        "Contract": ("subject*",),
        "DeviceMetric": ("source", "parent"),
        "EnrollmentResponse": ("request",),
        "Group": ("member*.entity",),
        "Linkage": ("item*.resource",),
        "List": ("subject", "entry*.item"),
        "PaymentNotice": ("request", "response"),
        "PaymentReconciliation": ("request", "detail*.request", "detail*.response"),
        "Person": ("link*.target",),
        "Provenance": ("target*",),
        "Schedule": ("actor*",),
        "Slot": ("schedule",),
        "Subscription": (),
        "VerificationResult": ("target*",),
    }
)
"""Type → the elements that say whose it is.

They are the least that must be visible, not all: whatever else a derived resource
names must be visible as well. One whose elements name nothing is nobody's and is not
released; a Subscription has none, it is its owner's alone.
"""

REFUSED: Final[Mapping[str, str]] = MappingProxyType(
    {
        "Bundle": "its entries are stored one by one",
        "DomainResource": "it is abstract",
        "MessageHeader": "messaging is not offered",
        "OperationOutcome": "it is an answer, never stored",
        "Parameters": "it is an argument or an answer, never stored",
        "Resource": "it is abstract",
    }
)
"""Types that are never stored, with the reason."""


def class_of(type_: str) -> ResourceClass:
    """Return what decides whether resources of a type may be seen.

    Raises:
        FHIRError: `not-supported` for a type that is refused or in no table.

    """
    if type_ in PATIENT_DATA:
        return ResourceClass.PATIENT_DATA
    if type_ in SHARED:
        return ResourceClass.SHARED
    if type_ in DERIVED:
        return ResourceClass.DERIVED
    reason = REFUSED.get(type_, "it is no resource type of R4")
    raise FHIRError(
        IssueType.NOT_SUPPORTED, f"{type_[:64]} cannot be stored: {reason}."
    )


def _itself(element: Any) -> list[Any]:
    return [element]


@cache
def _elements(path: str) -> Callable[[Any], list[Any]]:
    return along(tuple(path.split(".")), _itself)


def _references(
    resource: Mapping[str, Any], path: str, base_urls: tuple[str, ...]
) -> list[Reference]:
    """Return the references at `path`; none where any of them is malformed."""
    try:
        found = [reference_in(item, base_urls) for item in _elements(path)(resource)]
    except (AttributeError, LookupError, TypeError):
        return []
    return [reference for reference in found if reference is not None]


def attribution(
    resource: Mapping[str, Any], base_urls: tuple[str, ...] = ()
) -> str | None:
    """Return the patient whose data a resource is, as `Patient/id`.

    None where nobody, somebody else than a patient of this server, or more than one
    patient is named, and for types that are no patient data: nothing is guessed.
    """
    path = PATIENT_DATA.get(str(resource.get("resourceType")))
    if path is None:
        return None
    if path == _ITSELF:
        id_ = resource.get("id")
        return f"Patient/{id_}" if isinstance(id_, str) else None
    return _only_patient(_references(resource, path, base_urls))


def _only_patient(references: list[Reference]) -> str | None:
    candidates = {
        reference.local if reference.type == "Patient" else None
        for reference in references
        if reference.type in {"Patient", None}
    }
    return candidates.pop() if len(candidates) == 1 else None


def anchors(
    resource: Mapping[str, Any], base_urls: tuple[str, ...] = ()
) -> tuple[Reference, ...]:
    """Return what a derived resource is about; empty where it names nothing."""
    paths = DERIVED.get(str(resource.get("resourceType")), ())
    return tuple(
        reference
        for path in paths
        for reference in _references(resource, path, base_urls)
    )
