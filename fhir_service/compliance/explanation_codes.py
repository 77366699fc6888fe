"""The explanations that an access can have, and what each says to people."""

from collections.abc import Mapping
from enum import IntEnum
from types import MappingProxyType


class Code(IntEnum):
    """Why an access was made; stored numbers, the best explanation first.

    Unexplained is worse than any of them.
    """

    UNEXPLAINED = 0
    OWN = 1
    BREAK_GLASS = 2
    CARE_TEAM = 3
    VISIT = 4
    ORDER = 5
    CONSENT_NAMES_PERSON = 6
    CONSENT_NAMES_ORGANIZATION = 7
    DEVICE = 8
    OPERATIONS = 9
    OVERSIGHT = 10
    OPERATOR = 11


WORDS: Mapping[Code, str] = MappingProxyType(
    {
        Code.UNEXPLAINED: "Nothing explains why this was asked.",
        Code.OWN: "The patient, or who stands for the patient, asked.",
        Code.BREAK_GLASS: "An emergency was attested for this patient.",
        Code.CARE_TEAM: "Who asked was in the patient's care team, or is the "
        "patient's general practitioner.",
        Code.VISIT: "Who asked took part in an encounter or an appointment within "
        "30 days.",
        Code.ORDER: "Who asked had placed an order for the patient.",
        Code.CONSENT_NAMES_PERSON: "A consent permits it to this very person, or to "
        "a role of hers.",
        Code.CONSENT_NAMES_ORGANIZATION: "A consent permits it to the organization or "
        "the client; nothing else ties the one who asked to the patient.",
        Code.DEVICE: "Data of the patient's devices were delivered or imported.",
        Code.OPERATIONS: "A system of the organization that manages the patient "
        "asked, for treatment, payment or operations.",
        Code.OVERSIGHT: "An officer read the log.",
        Code.OPERATOR: "The operator asked at the command line.",
    }
)
"""Code → one sentence."""


def worse(one: Code, other: Code) -> Code:
    """Return that of two explanations which explains less."""
    if Code.UNEXPLAINED in (one, other):
        return Code.UNEXPLAINED
    return max(one, other)
