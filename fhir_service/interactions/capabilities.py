"""Capabilities: what this server does, said by the tables that do it.

https://hl7.org/fhir/R4/http.html#capabilities
"""

from collections.abc import Mapping
from datetime import datetime
from functools import cache
from importlib.metadata import version
from types import MappingProxyType
from typing import Any

from conformance.capability_statement import (
    Endpoints,
    Operation,
    Served,
    ServedType,
    Software,
    capability_statement,
)
from conformance.compartments import compartments
from conformance.definitions import profile_urls
from conformance.search_parameters import SearchParameter, parameters
from fhir_service.interactions import audit_events
from fhir_service.interactions.delete import LASTING
from fhir_service.interactions.received import WRITABLE
from fhir_service.operations.table import EVERY_TYPE, OPERATIONS
from fhir_service.operations.table import SYSTEM as OF_SYSTEM
from mappings.code_system import URL as MEASUREMENT_CODES
from mappings.kinds import kinds

READ = ("read", "vread", "history-instance", "history-type", "search-type")
WRITE = ("create", "update", "patch", "delete")

NEVER_DELETED = frozenset(LASTING)
"""Types whose resources are ended, not removed."""

SYSTEM = ("transaction", "batch", "search-system", "history-system")

CHANGED = datetime.fromisoformat("2026-11-28T00:00:00+00:00")
"""When what is served last changed."""

US_CORE = "http://hl7.org/fhir/us/core/StructureDefinition/"
IPA = "http://hl7.org/fhir/uv/ipa/StructureDefinition/"

PROFILES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "Device": (f"{US_CORE}us-core-implantable-device",),
        "Encounter": (f"{US_CORE}us-core-encounter",),
        "Observation": (
            f"{IPA}ipa-observation",
            *(
                f"{US_CORE}{name}"
                for name in (
                    "us-core-average-blood-pressure",
                    "us-core-blood-pressure",
                    "us-core-bmi",
                    "us-core-body-height",
                    "us-core-body-temperature",
                    "us-core-body-weight",
                    "us-core-heart-rate",
                    "us-core-observation-clinical-result",
                    "us-core-observation-screening-assessment",
                    "us-core-pulse-oximetry",
                    "us-core-respiratory-rate",
                    "us-core-simple-observation",
                    "us-core-smokingstatus",
                    "us-core-vital-signs",
                )
            ),
        ),
        "Organization": (f"{US_CORE}us-core-organization",),
        "Patient": (f"{IPA}ipa-patient", f"{US_CORE}us-core-patient"),
        "Practitioner": (f"{IPA}ipa-practitioner", f"{US_CORE}us-core-practitioner"),
        "PractitionerRole": (
            f"{IPA}ipa-practitionerrole",
            f"{US_CORE}us-core-practitionerrole",
        ),
        "Provenance": (f"{US_CORE}us-core-provenance",),
        "QuestionnaireResponse": (f"{US_CORE}us-core-questionnaireresponse",),
        "RelatedPerson": (f"{US_CORE}us-core-relatedperson",),
    }
)
"""Profiles that are validated when they are claimed, and searched as they demand."""

NOTES: Mapping[str, Mapping[str, str]] = MappingProxyType(
    {
        "AuditEvent": {
            "search-type": (
                "For compliance officers, and services of the patient's organisation;"
                " also by purpose, a code of v3-PurposeOfUse."
            )
        },
        "CodeSystem": {"read": f"Publishes {MEASUREMENT_CODES}."},
        "Consent": {"update": "A consent is ended by its status, never deleted."},
        "Provenance": {
            "search-type": (
                "What the service itself records is found by _id, patient or target."
            )
        },
    }
)


PARAMETER_NOTES = MappingProxyType(
    {"_lastUpdated": "Any write of the resource: its content, tags and labels."}
)
"""Search parameter → what US Core wants to be told of it."""


@cache
def searched(type_: str) -> Mapping[str, SearchParameter]:
    """Return the search parameters that a type is searched by."""
    return MappingProxyType(
        {
            code: parameter
            for code, parameter in parameters(type_).items()
            if parameter.refusal is None
        }
    )


@cache
def _references() -> Mapping[str, tuple[tuple[str, SearchParameter], ...]]:
    """Return target type → (source type, parameter) of what may refer to it."""
    found: dict[str, list[tuple[str, SearchParameter]]] = {}
    for source in sorted(WRITABLE):
        for parameter in searched(source).values():
            if parameter.type == "reference":
                for target in parameter.targets:
                    found.setdefault(target, []).append((source, parameter))
    return MappingProxyType({target: tuple(of) for target, of in found.items()})


def _served_type(type_: str, *, update_creates: bool) -> ServedType:
    is_kept = type_ in NEVER_DELETED
    return ServedType(
        type=type_,
        interactions=(
            *READ,
            *(one for one in WRITE if one != "delete" or not is_kept),
        ),
        search_parameters=tuple(sorted(searched(type_))),
        includes=tuple(
            f"{type_}:{code}"
            for code, parameter in sorted(searched(type_).items())
            if parameter.type == "reference"
        ),
        reverse_includes=tuple(
            f"{source}:{parameter.code}"
            for source, parameter in _references().get(type_, ())
        ),
        supported_profiles=_profiles(type_),
        operations=_operations(type_, EVERY_TYPE),
        interaction_notes=NOTES.get(type_, {}),
        parameter_notes=PARAMETER_NOTES,
        versioning="versioned-update",
        read_history=True,
        update_create=update_creates,
        conditional_create=True,
        conditional_read="full-support",
        conditional_update=True,
        conditional_delete="not-supported" if is_kept else "single",
    )


_AUDIT_EVENT = ServedType(
    type="AuditEvent",
    interactions=("read", "search-type"),
    search_parameters=tuple(
        sorted(
            code for code in audit_events.PARAMETERS if code in searched("AuditEvent")
        )
    ),
    interaction_notes=NOTES["AuditEvent"],
    parameter_notes=PARAMETER_NOTES,
    versioning="no-version",
    conditional_read="not-supported",
)


def _operations(*of: str) -> tuple[Operation, ...]:
    """Return the operations of a type, and of every one, as they are declared."""
    return tuple(
        Operation(served.name, served.definition, served.documentation)
        for served in OPERATIONS
        if served.of in of
    )


def served(endpoints: Endpoints, *, update_creates: bool = False) -> Served:
    """Return what routes and search serve."""
    return Served(
        types=tuple(
            _AUDIT_EVENT
            if type_ == "AuditEvent"
            else _served_type(type_, update_creates=update_creates)
            for type_ in sorted({*WRITABLE, "AuditEvent"})
        ),
        interactions=SYSTEM,
        operations=_operations(OF_SYSTEM),
        search_parameters=tuple(searched("Binary")),  # It has those of every type.
        compartments=compartments(),
        patch_formats=("application/json-patch+json",),
        endpoints=endpoints,
        cors=True,
        security_description=(
            "SMART App Launch and Backend Services; every answer is limited by the "
            "patient's Consent."
        ),
    )


def _profiles(type_: str) -> tuple[str, ...]:
    """Return the profiles of a type; those that are not known here are not told."""
    claimed: set[str] = set()
    if type_ == "Observation":
        claimed = {url for kind in kinds().values() for url in kind.profiles}
    found = sorted({*claimed, *PROFILES.get(type_, ())})
    known = profile_urls()
    return tuple(url for url in found if url in known)


def statement(
    base_url: str, endpoints: Endpoints, *, update_creates: bool = False
) -> dict[str, Any]:
    """Return the CapabilityStatement of this instance."""
    return capability_statement(
        served(endpoints, update_creates=update_creates),
        base_url=base_url,
        software=Software(
            name="FHIR interoperability service",
            version=version("fhir-interop-service"),
            title="FHIR R4 service for behavioral health device data",
            publisher="The operator of this instance",
        ),
        date=CHANGED,
    )
