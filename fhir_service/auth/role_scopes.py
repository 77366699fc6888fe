"""What a role may do here at all: what no scope opens beyond.

Consent decides on top of this, for each resource.

https://hl7.org/fhir/smart-app-launch/STU2.2/scopes-and-launch-context.html
"""

from collections.abc import Mapping
from types import MappingProxyType

from fhir_service.auth.users import Role

_OWN_RECORD = (
    "patient/*.rs user/*.rs patient/QuestionnaireResponse.cu patient/Observation.c"
)
_OFFICE = "AuditEvent Consent Provenance Patient"
_DIRECTORY = (
    "Organization Practitioner PractitionerRole Location Endpoint HealthcareService"
)


def _reading(types: str) -> str:
    return " ".join(f"user/{type_}.rs" for type_ in types.split())


ROLE_SCOPES: Mapping[Role, str] = MappingProxyType(
    {
        Role.PATIENT: _OWN_RECORD,
        Role.RELATED_PERSON: _OWN_RECORD,
        Role.PRACTITIONER: "patient/*.cruds user/*.cruds",
        Role.COMPLIANCE_OFFICER: _reading(_OFFICE),
        Role.ADMINISTRATOR: _reading(_DIRECTORY),
    }
)
"""The widest scopes of a role; a test walks it."""

EMERGENCY = "patient/*.rs"
"""The widest scopes of an attested emergency access."""

WITH_PATIENT = frozenset({Role.PATIENT, Role.RELATED_PERSON, Role.PRACTITIONER})
"""The roles that can have a patient in context."""
