"""URLs of code systems, and the few codes that are used by name.

https://hl7.org/fhir/R4/terminologies-systems.html
"""

from collections.abc import Mapping

LOINC = "http://loinc.org"
SNOMED_CT = "http://snomed.info/sct"
UCUM = "http://unitsofmeasure.org"
MDC = "urn:iso:std:iso:11073:10101"

_TERMINOLOGY = "http://terminology.hl7.org/CodeSystem"

OBSERVATION_CATEGORY = f"{_TERMINOLOGY}/observation-category"
OBSERVATION_INTERPRETATION = f"{_TERMINOLOGY}/v3-ObservationInterpretation"
DATA_ABSENT_REASON = f"{_TERMINOLOGY}/data-absent-reason"
ACT_REASON = f"{_TERMINOLOGY}/v3-ActReason"
ACT_CODE = f"{_TERMINOLOGY}/v3-ActCode"
CONFIDENTIALITY = f"{_TERMINOLOGY}/v3-Confidentiality"
CONSENT_SCOPE = f"{_TERMINOLOGY}/consentscope"
PROVENANCE_PARTICIPANT_TYPE = f"{_TERMINOLOGY}/provenance-participant-type"

VITAL_SIGNS = "vital-signs"
"""Code of OBSERVATION_CATEGORY."""

_PROFILE = "http://hl7.org/fhir/StructureDefinition"

VITAL_SIGNS_PROFILE = f"{_PROFILE}/vitalsigns"
"""From which R4's and US Core's vital-signs profiles derive."""

VITAL_SIGN_PROFILES: Mapping[str, str] = {
    "85353-1": f"{_PROFILE}/vitalspanel",
    "9279-1": f"{_PROFILE}/resprate",
    "8867-4": f"{_PROFILE}/heartrate",
    "2708-6": f"{_PROFILE}/oxygensat",
    "8310-5": f"{_PROFILE}/bodytemp",
    "8302-2": f"{_PROFILE}/bodyheight",
    "9843-4": f"{_PROFILE}/headcircum",
    "29463-7": f"{_PROFILE}/bodyweight",
    "39156-5": f"{_PROFILE}/bmi",
    "85354-9": f"{_PROFILE}/bp",
}
"""LOINC's "magic values" → the profile whoever uses them must meet (R4 §10.1.11)."""
