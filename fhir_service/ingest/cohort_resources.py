"""The FHIR resources that the synthetic cohort needs before its data can come.

https://hl7.org/fhir/R4/consent.html
"""

from collections.abc import Iterable, Iterator, Mapping
from datetime import date, timedelta
from types import MappingProxyType
from typing import Any

from fhir_service.ingest.cohort import PEOPLE, Person
from fhir_service.ingest.cohort_days import DAYS
from mappings.kinds import kinds
from mappings.vendors.table import VENDORS
from mappings.vendors.zigbee2mqtt.device import ZIGBEE_ADDRESS, address

Resource = dict[str, Any]

CLINIC = "demo-clinic"
"""Logical id of the Organization that looks after the cohort."""

RECORD_NUMBER = "https://clinic.example/medical-record-number"
APP_USER = VENDORS["open-mhealth"].system
"""Identifier systems of the cohort's patients."""

WITHOUT_CONSENT = 12
DENIES_SLEEP = 11
EXPIRED = 10
NO_AMBIENT = 8
"""Numbers of the patients whose consent differs from the others'."""

REPRESENTED = 1
"""Number of the patient for whom somebody else holds a power of attorney."""

RELATIVE = "demo-relative-01"
"""Logical id of that RelatedPerson."""

_ACT_REASON = "http://terminology.hl7.org/CodeSystem/v3-ActReason"
_ACT_CODE = "http://terminology.hl7.org/CodeSystem/v3-ActCode"
_ACTION = "http://terminology.hl7.org/CodeSystem/consentaction"
_SCOPE = "http://terminology.hl7.org/CodeSystem/consentscope"
_PARTICIPATION = "http://terminology.hl7.org/CodeSystem/v3-ParticipationType"
_ROLE_CODE = "http://terminology.hl7.org/CodeSystem/v3-RoleCode"
_RESOURCE_TYPES = "http://hl7.org/fhir/resource-types"
_NUMBERS = [
    "One",
    "Two",
    "Three",
    "Four",
    "Five",
    "Six",
    "Seven",
    "Eight",
    "Nine",
    "Ten",
    "Eleven",
    "Twelve",
]
_GENDERS = ("female", "male", "other", "unknown")


def resources(last_day: date, people: Iterable[Person] = PEOPLE) -> Iterator[Resource]:
    """Yield the resources, each after those that it refers to.

    A sensor comes after the consent that lets it collect.

    Args:
        last_day: The last day of the cohort's data.
        people: Whose.

    """
    yield _clinic()
    for number in (1, 2):
        yield _practitioner(number)
    for person in people:
        yield _patient(person)
        yield _bedroom(person)
        if person.number != WITHOUT_CONSENT:
            yield _consent(person, last_day)
        if person.sensor is not None:
            yield _sensor(person, person.sensor)
        if person.number == REPRESENTED:
            yield _relative(person)


def _concept(system: str, code: str, display: str) -> Resource:
    return {"coding": [{"system": system, "code": code, "display": display}]}


def _clinic() -> Resource:
    return {
        "resourceType": "Organization",
        "id": CLINIC,
        "identifier": [{"system": "https://clinic.example/organization", "value": "1"}],
        "active": True,
        "name": "Demo Clinic (synthetic)",
    }


def _practitioner(number: int) -> Resource:
    return {
        "resourceType": "Practitioner",
        "id": f"demo-practitioner-{number}",
        "identifier": [
            {"system": "https://clinic.example/practitioner", "value": f"{number}"}
        ],
        "active": True,
        "name": [
            {
                "text": f"Practitioner {_NUMBERS[number - 1]} Synthetic",
                "family": f"Demo-Practitioner-{number:02}",
                "given": ["Practitioner"],
            }
        ],
    }


def _patient(person: Person) -> Resource:
    number = person.number
    return {
        "resourceType": "Patient",
        "id": person.patient_id,
        "identifier": [
            {"system": RECORD_NUMBER, "value": f"DEMO-{number:04}"},
            {"system": APP_USER, "value": person.user},
        ],
        "active": True,
        "name": [
            {
                "text": f"Patient {_NUMBERS[number - 1]} Synthetic",
                "family": f"Demo-{number:02}",
                "given": ["Patient"],
            }
        ],
        "gender": _GENDERS[number % len(_GENDERS)],
        "birthDate": f"{1950 + 4 * number}",
        "managingOrganization": {"reference": f"Organization/{CLINIC}"},
    }


def _relative(person: Person) -> Resource:
    return {
        "resourceType": "RelatedPerson",
        "id": RELATIVE,
        "active": True,
        "patient": {"reference": f"Patient/{person.patient_id}"},
        "relationship": [
            _concept(_ROLE_CODE, "HPOWATT", "healthcare power of attorney")
        ],
        "name": [{"text": f"Relative of Patient {_NUMBERS[person.number - 1]}"}],
        "period": {"start": "2026-01-01"},
    }


def _bedroom(person: Person) -> Resource:
    return {
        "resourceType": "Location",
        "id": person.location_id,
        "status": "active",
        "name": f"Bedroom {person.number:02}",
        "mode": "instance",
        "physicalType": _concept(
            "http://terminology.hl7.org/CodeSystem/location-physical-type",
            "ro",
            "Room",
        ),
    }


def _sensor(person: Person, zigbee: str) -> Resource:
    """Return the registration of a sensor: it tells patient and room."""
    return {
        "resourceType": "Device",
        "id": f"demo-sensor-{person.number:02}",
        "identifier": [{"system": ZIGBEE_ADDRESS, "value": address(zigbee)}],
        "status": "active",
        "manufacturer": "Demo sensors",
        "modelNumber": "Bedroom sensor",
        "patient": {"reference": f"Patient/{person.patient_id}"},
        "location": {"reference": f"Location/{person.location_id}"},
    }


def _consent(person: Person, last_day: date) -> Resource:
    first = last_day - timedelta(days=DAYS)
    return {
        "resourceType": "Consent",
        "id": f"demo-consent-{person.number:02}",
        "status": "active",
        "scope": _concept(_SCOPE, "patient-privacy", "Privacy Consent"),
        "category": [_concept("http://loinc.org", "59284-0", "Consent Document")],
        "patient": {"reference": f"Patient/{person.patient_id}"},
        "dateTime": f"{first}",
        "performer": [{"reference": f"Patient/{person.patient_id}"}],
        "organization": [{"reference": f"Organization/{CLINIC}"}],
        "policyRule": _concept(_ACT_CODE, "OPTIN", "opt-in"),
        "provision": _permit(person, first, last_day),
    }


def _permit(person: Person, first: date, last_day: date) -> Resource:
    """Return what most patients permit: treatment by the clinic, by class of data."""
    period: Resource = {"start": f"{first - timedelta(days=1)}"}
    if person.number == EXPIRED:
        period["end"] = f"{last_day - timedelta(days=30)}"
    permit: Resource = {
        "type": "permit",
        "period": period,
        "actor": [
            {
                "role": _concept(_PARTICIPATION, "IRCP", "information recipient"),
                "reference": {"reference": f"Organization/{CLINIC}"},
            }
        ],
        "action": [_concept(_ACTION, code, display) for code, display in _ACTIONS],
        "purpose": [{"system": _ACT_REASON, "code": "TREAT", "display": "treatment"}],
        "class": [
            {"system": _RESOURCE_TYPES, "code": name, "display": name}
            for name in ("Observation", "Device")
        ],
    }
    denied = _DENIED.get(person.number)
    if denied is not None:
        permit["provision"] = [{"type": "deny", "code": _codes(denied)}]
    if person.number == DENIES_SLEEP:
        permit["purpose"].append(_EMERGENCY)
        permit["provision"][0]["provision"] = [
            {"type": "permit", "purpose": [_EMERGENCY]}
        ]
    return permit


_EMERGENCY = {"system": _ACT_REASON, "code": "BTG", "display": "break the glass"}
"""What one patient denies is open in an emergency."""


_ACTIONS = (("collect", "Collect"), ("access", "Access"), ("disclose", "Disclose"))

_DENIED: Mapping[int, str] = MappingProxyType(
    {DENIES_SLEEP: "sleep", NO_AMBIENT: "ambient"}
)
"""Data class that a patient denies, by number."""


def _codes(data_class: str) -> list[Resource]:
    """Return every code under which a class of data may be asked for."""
    found = {
        coding: None
        for kind in kinds().values()
        if kind.data_class == data_class
        for coding in kind.codings
    }
    return [{"coding": [coding._asdict()]} for coding in found]
