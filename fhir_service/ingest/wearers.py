"""Whose a measurement can be, whose it is, and why it is nobody's.

https://hl7.org/fhir/R4/observation-definitions.html#Observation.subject
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from fhir_service.storage.patients import PatientState
from fhir_service.storage.tables import SHARED
from mappings.measurement import Reason


@dataclass(frozen=True, slots=True)
class Unresolved:
    """Why a measurement cannot be attributed.

    Attributes:
        reason: In one word.
        detail: In a sentence.
        key: Whose data key its part is kept under; 0 where nobody's data it is.

    """

    reason: Reason
    detail: str
    key: int = SHARED


NOT_NAMED = Unresolved(
    Reason.UNKNOWN_PATIENT, "Neither request nor payload names a patient."
)
NOT_ASKED_FOR = Unresolved(
    Reason.UNKNOWN_PATIENT, "The patient named by the request is not here."
)
NO_USER = Unresolved(Reason.UNKNOWN_PATIENT, "The payload's user is no patient here.")
SEVERAL_USERS = Unresolved(
    Reason.AMBIGUOUS_WEARER, "The payload's user is several patients."
)
SEVERAL_IN_PAYLOAD = Unresolved(
    Reason.AMBIGUOUS_WEARER,
    "The payload tells of several users, and this one is not paired with anybody.",
)
DIFFERENT = Unresolved(
    Reason.AMBIGUOUS_WEARER, "Request and payload name different patients."
)
NO_CLUE = Unresolved(Reason.UNKNOWN_DEVICE, "The payload names no device.")
NO_DEVICE = Unresolved(
    Reason.UNKNOWN_DEVICE, "No registered Device has this identifier."
)
SEVERAL_WEARERS = Unresolved(
    Reason.AMBIGUOUS_WEARER, "Devices of several patients have this identifier."
)
SEVERAL_ROOMS = Unresolved(
    Reason.AMBIGUOUS_WEARER, "Devices in several rooms have this identifier."
)
OF_ANOTHER = Unresolved(
    Reason.UNKNOWN_PATIENT, "The device is registered for another patient."
)
NOT_THEN = Unresolved(
    Reason.UNKNOWN_PATIENT, "No pairing with the patient covers the time."
)
UNTOLD = Unresolved(
    Reason.NO_NOTICE, "Those who live in the room have not been told of the sensor."
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Wearer:
    """Whose measurement it is, and where it was taken.

    Attributes:
        state: The patient.
        device: The registered Device, as `Device/id`, where the source needs one.
        room: `Location/id` of a sensor in a room.
        stranger: What the deliverer is told where collecting is not permitted: the
            answer for a patient who is not here. None for the patient's custodian.

    """

    state: PatientState
    device: str | None = None
    room: str | None = None
    stranger: Unresolved | None = None


class Claim(NamedTuple):
    """Who can be the wearer: by a name, a registration or a pairing.

    Attributes:
        state: The patient.
        device: `Device/id`, where a Device stands for what measured.
        room: `Location/id` of the room where it stands.
        is_told: Whether those who live there know of it.

    """

    state: PatientState
    device: str | None = None
    room: str | None = None
    is_told: bool = True


def fault_of(
    claims: Sequence[Claim], rooms: set[str | None], several: Unresolved
) -> Unresolved | None:
    """Return why claims do not tell one patient in one room who is known to be told."""
    if len({one.state.key for one in claims}) > 1:
        return several
    if len(rooms) > 1:
        return SEVERAL_ROOMS
    if any(one.is_told for one in claims if one.room in rooms):
        return None
    return replace(UNTOLD, key=claims[0].state.key) if rooms else None
