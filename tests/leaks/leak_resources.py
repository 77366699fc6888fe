"""Resources of the script, with names in braces where ids will stand."""

import base64
from collections.abc import Mapping
from typing import Any

from worlds import APP_USER, LOINC, Json, consent, permit

NUMBERS = "https://clinic.example/numbers"
SNOMED = "http://snomed.info/sct"
CATEGORY = "http://terminology.hl7.org/CodeSystem/observation-category"
ACT_CODE = "http://terminology.hl7.org/CodeSystem/v3-ActCode"

PRESSURE, SYSTOLIC, DIASTOLIC = "35094-2", "8480-6", "8462-4"
GLUCOSE, SUGAR = "2339-0", "15074-8"


def organization(name: str) -> Json:
    return {"resourceType": "Organization", "name": name}


def person(name: str, managed_by: str = "clinic", **more: Any) -> Json:
    return {
        "resourceType": "Patient",
        "active": True,
        "name": [{"family": f"{name}-family", "given": [name]}],
        "identifier": [
            {"system": NUMBERS, "value": f"{name}-number"},
            {"system": APP_USER, "value": f"{name}-user"},
        ],
        "gender": "female",
        "birthDate": "1970-02-28",
        "generalPractitioner": [{"reference": "Practitioner/{doctor}"}],
        "managingOrganization": {"reference": f"Organization/{{{managed_by}}}"},
        **more,
    }


def concept(code: str, system: str = LOINC) -> Json:
    return {"coding": [{"system": system, "code": code}]}


def measured(who: str, code: str, day: int, value: int = 70, **more: Any) -> Json:
    """Return an Observation without a device, with what searches ask for."""
    return {
        "resourceType": "Observation",
        "status": "final",
        "category": [concept("vital-signs", CATEGORY)],
        "code": concept(code),
        "subject": {"reference": f"Patient/{{{who}}}"},
        "effectiveDateTime": f"2026-11-{day:02}T10:00:00Z",
        "performer": [{"reference": "Practitioner/{doctor}"}],
        "identifier": [{"system": NUMBERS, "value": f"{who}-{code}-{day}"}],
        "valueQuantity": {
            "value": value,
            "unit": "1/min",
            "system": "http://unitsofmeasure.org",
            "code": "/min",
        },
        **more,
    }


def worn(who: str, code: str, day: int, device_: str) -> Json:
    """Return an Observation that a device has made."""
    return measured(who, code, day, device={"reference": f"Device/{{{device_}}}"})


def part(code: str) -> Json:
    return {"code": concept(code), "valueInteger": 80}


def panel(who: str, *parts: str) -> Json:
    made = measured(who, PRESSURE, 9, component=[part(one) for one in parts])
    del made["valueQuantity"]
    return made


def condition(who: str, code: str, encounter: str | None = None) -> Json:
    return {
        "resourceType": "Condition",
        "code": concept(code, SNOMED),
        "subject": {"reference": f"Patient/{{{who}}}"},
        "recordedDate": "2026-11-05",
        "asserter": {"reference": "Practitioner/{doctor}"},
        "identifier": [{"system": NUMBERS, "value": f"{who}-{code}"}],
        **(
            {"encounter": {"reference": f"Encounter/{{{encounter}}}"}}
            if encounter
            else {}
        ),
    }


def encounter(who: str, number: str) -> Json:
    return {
        "resourceType": "Encounter",
        "status": "finished",
        "class": {"system": ACT_CODE, "code": "AMB"},
        "subject": {"reference": f"Patient/{{{who}}}"},
        "period": {"start": "2026-11-01", "end": "2026-11-02"},
        "identifier": [{"system": NUMBERS, "value": number}],
    }


def device(who: str, serial: str) -> Json:
    return {
        "resourceType": "Device",
        "patient": {"reference": f"Patient/{{{who}}}"},
        "serialNumber": serial,
        "deviceName": [{"name": serial, "type": "user-friendly-name"}],
        "identifier": [{"system": NUMBERS, "value": serial}],
    }


def about(type_: str, name: str) -> Mapping[str, Json]:
    """Return the derived resources that name one resource, and would tell of it."""
    at = {"reference": f"{type_}/{{{name}}}"}
    return {
        "list": {
            "resourceType": "List",
            "status": "current",
            "mode": "working",
            "title": f"List of {name}",
            "entry": [{"item": at}],
        },
        "provenance": {
            "resourceType": "Provenance",
            "target": [at],
            "recorded": "2026-11-19T00:00:00Z",
            "agent": [{"who": {"reference": "Practitioner/{doctor}"}}],
        },
        "binary": {
            "resourceType": "Binary",
            "contentType": "text/plain",
            "securityContext": at,
            "data": base64.b64encode(name.encode()).decode(),
        },
    }


def group(*members: str) -> Json:
    return {
        "resourceType": "Group",
        "type": "person",
        "actual": True,
        "name": "Group of " + " and ".join(members),
        "member": [{"entity": {"reference": f"Patient/{{{one}}}"}} for one in members],
    }


def metric(of: str) -> Json:
    return {
        "resourceType": "DeviceMetric",
        "type": concept("150456", "urn:iso:std:iso:11073:10101"),
        "source": {"reference": f"Device/{{{of}}}"},
        "category": "measurement",
        "identifier": [{"system": NUMBERS, "value": f"metric-of-{of}"}],
    }


def report(who: str, *results: str) -> Json:
    return {
        "resourceType": "DiagnosticReport",
        "status": "final",
        "code": concept("58410-2"),
        "subject": {"reference": f"Patient/{{{who}}}"},
        "result": [{"reference": f"Observation/{{{one}}}"} for one in results],
    }


def label(code: str, system: str) -> Json:
    return {"security": [{"system": system, "code": code}]}


def permitting(who: str, *denials: Json) -> Json:
    """Return a Consent that permits everybody everything but what is denied."""
    denied = [{"type": "deny", **one} for one in denials]
    return consent(f"{{{who}}}", permit(**({"provision": denied} if denied else {})))
