"""What can be granted of what an app asks for, and what a person chose of it.

What can be granted is what was asked, within the client's registration and the role of
the person. A scope that is wholly within keeps its spelling: who asked in SMART 1's
words is answered in them.

https://hl7.org/fhir/smart-app-launch/STU2.2/scopes-and-launch-context.html
"""

from dataclasses import dataclass

from fhir_service.auth.role_scopes import EMERGENCY, ROLE_SCOPES, WITH_PATIENT
from fhir_service.auth.scope_parts import parts
from fhir_service.auth.scopes import Scope, granted
from fhir_service.auth.users import Role
from fhir_service.storage.accounts import Account
from fhir_service.storage.registrations import Client

OPENID, LAUNCH, LAUNCH_PATIENT = "openid", "launch", "launch/patient"
LAUNCH_ENCOUNTER = "launch/encounter"
OFFLINE, ONLINE, INTROSPECT = "offline_access", "online_access", "introspect"

WORDS = (
    OPENID,
    "fhirUser",
    "profile",
    LAUNCH,
    LAUNCH_PATIENT,
    LAUNCH_ENCOUNTER,
    OFFLINE,
    ONLINE,
    INTROSPECT,
)
"""Scopes that are no resource scopes, in the order in which they are shown."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Situation:
    """What can be in context besides the person.

    Attributes:
        has_patient: Whether there is, or can be, a patient.
        has_launch: Whether an EHR launch stands behind the request.
        has_encounter: Whether that launch named an encounter.
        is_emergency: Whether it rests on an attested emergency access.

    """

    has_patient: bool = False
    has_launch: bool = False
    has_encounter: bool = False
    is_emergency: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Offer:
    """What can be granted.

    Attributes:
        words: Scopes that are no resource scopes.
        scopes: Resource scopes.
        missing: What was asked and cannot be granted, or not as it was asked.

    """

    words: tuple[str, ...]
    scopes: tuple[Scope, ...]
    missing: tuple[str, ...]

    @property
    def texts(self) -> tuple[str, ...]:
        """Every scope as it would be granted."""
        return (*self.words, *map(str, self.scopes))

    @property
    def needs_patient(self) -> bool:
        """Whether a patient must be in context for something of it."""
        return LAUNCH_PATIENT in self.words or any(
            scope.level == "patient" for scope in self.scopes
        )


def offer(asked: str, client: Client, account: Account, situation: Situation) -> Offer:
    """Return what can be granted of the scopes `asked`."""
    wanted = asked.split()
    scopes = granted(
        " ".join(map(str, granted(asked, client.scopes))),
        EMERGENCY if situation.is_emergency else ROLE_SCOPES[Role(account.role)],
    )
    has_patient = situation.has_patient and account.role in WITH_PATIENT
    kept = tuple(
        scope
        for scope in scopes
        if scope.level == "user" or (scope.level == "patient" and has_patient)
    )
    possible = _possible_words(client, account, situation)
    words = tuple(word for word in WORDS if word in wanted and word in possible)
    given = {*words, *map(str, kept)}
    missing = tuple(word for word in dict.fromkeys(wanted) if word not in given)
    return Offer(words=words, scopes=kept, missing=missing)


def _possible_words(
    client: Client, account: Account, situation: Situation
) -> frozenset[str]:
    """Return the registered words for which the situation has what they need."""
    has_patient = situation.has_patient and account.role in WITH_PATIENT
    is_possible = {
        "fhirUser": account.reference is not None,
        "profile": account.reference is not None,
        LAUNCH: situation.has_launch,
        LAUNCH_PATIENT: has_patient,
        LAUNCH_ENCOUNTER: situation.has_encounter,
        OFFLINE: not situation.is_emergency,
        ONLINE: not situation.is_emergency,
        INTROSPECT: not situation.is_emergency,
    }
    return frozenset(
        word for word in client.scopes.split() if is_possible.get(word, True)
    )


def chosen(
    offered: Offer, allowed: frozenset[str], only: frozenset[str]
) -> tuple[str, ...]:
    """Return the scopes that a person grants.

    Args:
        offered: What can be granted.
        allowed: Texts of the scopes that she ticked.
        only: Texts of the parts that she ticked: they stand in place of the whole.

    """
    found = [word for word in offered.words if word in allowed]
    for scope in offered.scopes:
        some = [str(part) for part in parts(scope) if str(part) in only]
        found.extend(some or ([str(scope)] if str(scope) in allowed else []))
    return tuple(dict.fromkeys(found))


def repeated(offered: Offer, earlier: str) -> tuple[str, ...]:
    """Return the scopes that an earlier choice grants of what is offered now."""
    words = [word for word in offered.words if word in earlier.split()]
    asked = " ".join(map(str, offered.scopes))
    return (*words, *map(str, granted(asked, earlier)))
