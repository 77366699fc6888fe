"""The one gate: scopes and consents give the view that a request may see.

docs/consent.md has the algorithm.
"""

from fhir_service.access.decided import Decided, ground
from fhir_service.access.gate import CONSENTS_OF_ONE_PATIENT, Gate
from fhir_service.access.requester import (
    authors_of,
    is_attested,
    is_custodian,
    reading,
)
from fhir_service.access.scoping import admits, covering, within

__all__ = [
    "CONSENTS_OF_ONE_PATIENT",
    "Decided",
    "Gate",
    "admits",
    "authors_of",
    "covering",
    "ground",
    "is_attested",
    "is_custodian",
    "reading",
    "within",
]
