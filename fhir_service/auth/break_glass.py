"""Break-glass: a practitioner attests an emergency about one patient.

What she attests holds for a quarter of an hour and for that patient alone; the patient
is told of it, and somebody else reviews it. Consent still says what an attested
emergency opens. What she writes is sealed for the patient and is in no log.

https://profiles.ihe.net/ITI/PCF/volume-1.html
"""

from dataclasses import dataclass
from typing import Final

from fhir_service.auth import rate_limit
from fhir_service.auth.events import AuthEvent, AuthEventKind
from fhir_service.auth.login import rate_limited
from fhir_service.auth.services import AuthServices
from fhir_service.auth.users import Role
from fhir_service.storage import accounts, break_glass
from fhir_service.storage.accounts import Account
from fhir_service.storage.break_glass import BreakGlass
from fhir_service.storage.engine import Snapshot, Transaction
from fhir_service.storage.patients import PatientState

ATTESTED_S: Final = 15 * 60
"""How long an attested emergency opens anything."""

MOST, WITHIN_S = 5, 3600
"""Emergencies that one person may attest, and within how many seconds."""

SHORTEST, LONGEST = 10, 2_000
"""Characters of what a person writes."""

REASONS: Final = ("ETREAT", "ERTREAT")
"""v3-ActReason codes of an emergency; BTG, their sibling, goes with each."""

_ID_BYTES = 16


@dataclass(frozen=True, kw_only=True, slots=True)
class Emergency:
    """What a practitioner attests.

    Attributes:
        patient: Whose record.
        reason: Code among `REASONS`.
        note: What she wrote, stripped; `is_note` says what may be.
        address: Where the request came from.

    """

    patient: PatientState
    reason: str
    note: str
    address: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Attested:
    """What came of an attestation.

    Attributes:
        use: What is stored; None where it was refused.
        wait_us: Microseconds to wait before the next one.

    """

    use: BreakGlass | None = None
    wait_us: int = 0


def may_attest(account: Account) -> bool:
    """Whether a person belongs to those who may break the glass."""
    return account.role == Role.PRACTITIONER and account.may_break_glass


def is_note(note: str) -> bool:
    """Whether this says enough to be reviewed: printable, of 10 to 2,000 characters."""
    return SHORTEST <= len(note) <= LONGEST and note.replace("\n", "").isprintable()


def look_up(
    services: AuthServices, account: Account, patient_id: str | None, address: str
) -> int:
    """Audit that a patient was looked up; return the microseconds to wait, if any.

    It is called before anything of the patient is shown, also where nobody was found.
    """
    limit = services.limits.break_glass_look_up
    bucket = (rate_limit.key("break-glass-look-up", account.user_id), limit)

    def work(transaction: Transaction) -> int:
        wait_us = rate_limited(transaction, [bucket], services.clock())
        event = event_of(
            services,
            AuthEventKind.PATIENTS_LOOKED_UP,
            account,
            address=address,
            patient=None if wait_us else patient_id,
            reason="throttled" if wait_us else "break-glass",
        )
        transaction.audit(services.audit.leaf(event))
        return wait_us

    return services.database.write(work)


def attest(services: AuthServices, account: Account, emergency: Emergency) -> Attested:
    """Store an attested emergency, audited in the same transaction.

    Whether the person may is asked again there. The caller has asked her password.
    """
    now = services.clock()

    def work(transaction: Transaction) -> Attested:
        current = accounts.find_user(transaction, account.user_id)
        if current is None or not may_attest(current):
            _refused(services, transaction, account, emergency, "not-in-group")
            return Attested()
        wait_us = _wait(transaction, account, now)
        if wait_us:
            _refused(services, transaction, account, emergency, "throttled")
            return Attested(wait_us=wait_us)
        use = _use(services, transaction, current, emergency, now)
        break_glass.add(transaction, use)
        event = event_of(
            services,
            AuthEventKind.BREAK_GLASS,
            account,
            address=emergency.address,
            patient=use.patient,
            reason=use.reason,
        )
        transaction.audit(services.audit.leaf(event))
        return Attested(use=use)

    return services.database.write(work)


def refuse(services: AuthServices, account: Account, address: str, reason: str) -> None:
    """Audit that a person was refused before she named a patient."""
    event = event_of(
        services,
        AuthEventKind.BREAK_GLASS_REFUSED,
        account,
        address=address,
        reason=reason,
    )
    leaf = services.audit.leaf(event)
    services.database.write(lambda transaction: transaction.audit(leaf))


def active(snapshot: Snapshot, break_glass_id: str, now: int) -> BreakGlass | None:
    """Return an attested emergency that still holds, of one who still may."""
    use = break_glass.find(snapshot, break_glass_id)
    if use is None or not use.started <= now < use.expires:
        return None
    account = accounts.find_user(snapshot, use.user_id)
    return use if account is not None and may_attest(account) else None


def _use(
    services: AuthServices,
    transaction: Transaction,
    account: Account,
    emergency: Emergency,
    now: int,
) -> BreakGlass:
    id_ = services.random(_ID_BYTES).hex()
    seal = services.secrets.sealer(transaction, emergency.patient.key)
    return BreakGlass(
        break_glass_id=id_,
        user_id=account.user_id,
        patient_key=emergency.patient.key,
        patient=emergency.patient.id,
        organization=account.organization,
        reason=emergency.reason,
        note=seal(bond_of(id_) + emergency.note.encode()),
        started=now,
        expires=now + ATTESTED_S * 1_000_000,
    )


def bond_of(break_glass_id: str) -> bytes:
    """Return what stands before a note that is sealed, so that none can be moved."""
    return b"break glass\x00" + break_glass_id.encode() + b"\x00"


def _wait(snapshot: Snapshot, account: Account, now: int) -> int:
    """Return the microseconds until the person may attest again; 0 for at once."""
    latest = break_glass.latest_of(snapshot, account.user_id, MOST)
    if len(latest) < MOST:
        return 0
    return max(0, latest[-1] + WITHIN_S * 1_000_000 - now)


def _refused(
    services: AuthServices,
    transaction: Transaction,
    account: Account,
    emergency: Emergency,
    reason: str,
) -> None:
    event = event_of(
        services,
        AuthEventKind.BREAK_GLASS_REFUSED,
        account,
        address=emergency.address,
        patient=emergency.patient.id,
        reason=reason,
    )
    transaction.audit(services.audit.leaf(event))


def event_of(  # noqa: PLR0913 - what an event tells
    services: AuthServices,
    kind: AuthEventKind,
    account: Account,
    *,
    address: str,
    patient: str | None = None,
    reason: str | None = None,
    client_id: str | None = None,
    token_id: bytes = b"",
) -> AuthEvent:
    """Return an event of a person who is logged in."""
    return AuthEvent(
        kind=kind,
        at=services.clock(),
        user_id=account.user_id,
        proven=True,
        address=address,
        patient=patient,
        reason=reason,
        client_id=client_id,
        token_id=token_id,
    )
