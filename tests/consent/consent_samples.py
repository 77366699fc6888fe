"""Consents as clinics and patients write them, and names for what they mention."""

import copy

from consent_worlds import LOINC, SCOPE, T

from consent.elements import DATA_SELECTORS
from consent.in_force import Enforced
from consent.named import Sources

EVERYTHING = Enforced(
    elements=frozenset({*DATA_SELECTORS, "action", "actor", "period", "purpose"}),
    depth=3,
)


def codings(system, *codes):
    return [{"system": T + system, "code": code} for code in codes]


def concepts(*codes, system=LOINC):
    return [{"coding": [{"system": system, "code": code}]} for code in codes]


def actors(*references):
    return [{"reference": {"reference": reference}} for reference in references]


def actions(*codes):
    return concepts(*codes, system=T + "consentaction")


PURPOSE = "v3-ActReason"
CLINIC = actors("Organization/clinic")

_ROOTS = {
    "clinic without sleep": {
        "type": "permit",
        "period": {"start": "2026-01-01", "end": "2026-06-30"},
        "actor": CLINIC,
        "purpose": codings(PURPOSE, "TREAT"),
        "action": actions("collect", "access"),
        "code": concepts("8867-4", "55423-8"),
        "provision": [
            {
                "type": "deny",
                "code": concepts("93832-4"),
                "provision": [{"type": "permit", "actor": actors("Practitioner/dr")}],
            }
        ],
    },
    "nothing but a year of one kind": {
        "type": "deny",
        "provision": [
            {
                "type": "permit",
                "code": concepts("8867-4"),
                "dataPeriod": {"start": "2026", "end": "2026"},
                "purpose": codings(PURPOSE, "HRESCH"),
            }
        ],
    },
    "all": {"type": "permit"},
    "none": {"type": "deny"},
    "normal data without mental health": {
        "type": "permit",
        "securityLabel": codings("v3-Confidentiality", "N"),
        "actor": CLINIC,
        "purpose": codings(PURPOSE, "TREAT", "HPAYMT", "HOPERAT"),
        "provision": [
            {
                "type": "permit",
                "securityLabel": [
                    *codings("v3-Confidentiality", "R"),
                    *codings("v3-ActCode", "MH", "ETHUD", "HIV"),
                ],
                "actor": actors("Practitioner/dr"),
            },
            {"type": "deny", "actor": actors("RelatedPerson/ex")},
        ],
    },
    "one device": {
        "type": "permit",
        "class": [
            {"system": "http://hl7.org/fhir/resource-types", "code": "Observation"},
            {"system": "http://hl7.org/fhir/resource-types", "code": "Device"},
        ],
        "data": [
            {"meaning": "dependents", "reference": {"reference": "Device/ring"}},
            {"meaning": "related", "reference": {"reference": "Encounter/e1"}},
            {"meaning": "authoredby", "reference": {"reference": "Practitioner/dr"}},
        ],
        "action": actions("collect", "access", "use", "disclose", "correct"),
    },
}

SAMPLES = tuple(_ROOTS)

_FACTS = {
    "clinic without sleep": {
        "dateTime": "2026-01-05T10:00:00+01:00",
        "performer": [{"reference": "Patient/p"}],
        "organization": [{"reference": "Organization/clinic"}],
    },
    "nothing but a year of one kind": {"dateTime": "2026-01-05"},
}


def sample(name):
    """Return a consent of Patient/p that a test may change."""
    return copy.deepcopy(
        {
            "resourceType": "Consent",
            "status": "active",
            "scope": SCOPE,
            "patient": {"reference": "Patient/p"},
            **_FACTS.get(name, {}),
            "provision": _ROOTS[name],
        }
    )


_KINDS = {
    "8867-4": {"en": "heart rate", "es": "ritmo cardíaco"},
    "55423-8": {"en": "steps", "es": "pasos"},
    "93832-4": {"en": "how long you sleep", "es": "tiempo que duerme"},
}

SOURCES = Sources(
    display=lambda _, code, language: _KINDS.get(code, {}).get(language),
    name={"Organization/clinic": "Harbor Clinic"}.get,
)
