"""The code systems that a consent is written in, and their hierarchies.

Purposes and sensitivities are those of the v3 code systems in the FHIR R4 package
(hl7.fhir.r4.core 4.0.1); an abstract concept, which R4 marks as not selectable, is
no code to consent with.

https://terminology.hl7.org/CodeSystem-v3-ActReason.html
"""

from collections.abc import Iterator, Mapping

from consent.formula import Coding

ACT_REASON = "http://terminology.hl7.org/CodeSystem/v3-ActReason"
ACT_CODE = "http://terminology.hl7.org/CodeSystem/v3-ActCode"
CONFIDENTIALITY = "http://terminology.hl7.org/CodeSystem/v3-Confidentiality"
CONSENT_ACTION = "http://terminology.hl7.org/CodeSystem/consentaction"
CONSENT_SCOPE = "http://terminology.hl7.org/CodeSystem/consentscope"
RESOURCE_TYPES = "http://hl7.org/fhir/resource-types"
URI = "urn:ietf:rfc:3986"
LOINC = "http://loinc.org"
SNOMED = "http://snomed.info/sct"
MDC = "urn:iso:std:iso:11073:10101"
MEASUREMENT = "https://fhir-interop-service.org/fhir/CodeSystem/measurement"

LABEL_SYSTEM_ALIASES: Mapping[str, str] = {
    "http://terminology.hl7.org/ValueSet/v3-InformationSensitivityPolicy": ACT_CODE,
    "http://terminology.hl7.org/ValueSet/v3-Confidentiality": CONFIDENTIALITY,
}
"""ValueSet URLs that occur in the wild where a code system belongs."""

ACTIONS = frozenset({"collect", "access", "use", "disclose", "correct"})

LEVELS: Mapping[str, int] = {"U": 0, "L": 1, "M": 2, "N": 3, "R": 4, "V": 5}
"""Confidentiality from unrestricted to very restricted."""

NORMAL = LEVELS["N"]
RESTRICTED = LEVELS["R"]

_PURPOSES = """
PurposeOfUse: HMARKT HOPERAT HPAYMT HRESCH PATRQT PUBHLTH TREAT
HOPERAT: CAREMGT DONAT FRAUD GOV HACCRED HCOMPL HDECD HDIRECT HDM HLEGAL HOUTCOMS
HOPERAT: HPRGRP HQUALIMP HSYSADMIN MEMADMIN MILCDM PATADMIN PATSFTY PERFMSR
HOPERAT: RECORDMGT SYSDEV TRAIN
HSYSADMIN: LABELING METAMGT
SYSDEV: HTEST
HPAYMT: CLMATTCH COVAUTH COVERAGE REMITADV
COVERAGE: ELIGDTRM ELIGVER ENROLLM MILDCRG
HRESCH: BIORCH CLINTRCH DSRCH POARCH TRANSRCH
CLINTRCH: CLINTRCHNPC CLINTRCHPC PRECLINTRCH
PATRQT: FAMRQT PWATRNY SUPNWK
PUBHLTH: DISASTER THREAT
TREAT: CLINTRL COC ETREAT POPHLTH
ETREAT: BTG ERTREAT
"""

# The published tree, and the two edges of IHE PCF 1.1 (1:53.4.2.7) and of later
# releases of the code system: ETH and SUD hold the same codes, so each covers the
# other, and MH and SUD are parts of BH.
_SENSITIVITIES = """
_InformationSensitivityPolicy: _ActInformationSensitivityPolicy
_InformationSensitivityPolicy: _EntitySensitivityPolicyType
_InformationSensitivityPolicy: _RoleInformationSensitivityPolicy
_InformationSensitivityPolicy: ADOL CEL DIA DRGIS EMP PDS PHY PRS
_ActInformationSensitivityPolicy: ETH GDIS HIV MST SCA SDV SEX SPI STD TBOO VIO SICKLE
_EntitySensitivityPolicyType: DEMO DOB GENDER LIVARG MARST RACE REL
_RoleInformationSensitivityPolicy: B EMPL LOCIS SSP
SPI: BH MH PSY PSYTHPN SUD
BH: COGN DVD EMOTDIS MH SUD
MH: PSY PSYTHPN
SUD: ETHUD OPIOIDUD ETH
ETH: ETHUD OPIOIDUD SUD
"""


def _lines(text: str) -> Iterator[tuple[str, str]]:
    for line in text.split("\n"):
        parent, _, children = line.partition(": ")
        for child in children.split():
            yield parent, child


def _covers(text: str) -> Mapping[str, frozenset[str]]:
    """Return code → the code and everything below it."""
    children: dict[str, set[str]] = {}
    for parent, child in _lines(text):
        children.setdefault(parent, set()).add(child)
        children.setdefault(child, set())
    return {code: frozenset(_below(code, children)) for code in children}


def _below(code: str, children: Mapping[str, set[str]]) -> set[str]:
    found = {code}
    waiting = [code]
    while waiting:
        new = children[waiting.pop()] - found
        found |= new
        waiting.extend(new)
    return found


PURPOSES = _covers(_PURPOSES)
"""Purpose of use (v3-ActReason) → itself and its specialisations."""

SENSITIVITIES = _covers(_SENSITIVITIES)
"""Sensitivity (v3-ActCode), abstract ones included → itself and what it covers."""

SELECTABLE_SENSITIVITIES = frozenset(
    code for code in SENSITIVITIES if not code.startswith("_")
)

TREATMENT: Coding = (ACT_REASON, "TREAT")
PAYMENT: Coding = (ACT_REASON, "HPAYMT")
OPERATIONS: Coding = (ACT_REASON, "HOPERAT")
RESEARCH: Coding = (ACT_REASON, "HRESCH")
PATIENT_REQUEST: Coding = (ACT_REASON, "PATRQT")
BREAK_GLASS: Coding = (ACT_REASON, "BTG")


def is_purpose(purpose: Coding, ancestor: Coding) -> bool:
    """Whether the purpose is the other one or a specialisation of it."""
    if purpose == ancestor:
        return True
    return purpose[0] == ancestor[0] == ACT_REASON and purpose[1] in PURPOSES.get(
        ancestor[1], frozenset()
    )
