"""What follows a broken glass: the patient is told, and somebody else reviews it.

https://profiles.ihe.net/ITI/PCF/volume-1.html
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from fhir_service.auth.break_glass import bond_of, event_of
from fhir_service.auth.events import AuthEventKind
from fhir_service.auth.services import AuthServices
from fhir_service.auth.users import Role
from fhir_service.storage import break_glass, patients, types
from fhir_service.storage.accounts import Account
from fhir_service.storage.break_glass import BreakGlass, Told
from fhir_service.storage.engine import Snapshot, Transaction

SHOWN: Final = 50
"""Emergencies that a list shows."""


class Verdict(StrEnum):
    """What a review can say."""

    JUSTIFIED = "justified"
    NOT_JUSTIFIED = "not-justified"


@dataclass(frozen=True, kw_only=True, slots=True)
class Review:
    """An emergency as somebody who reviews it sees it.

    Attributes:
        told: What was attested, and by whom.
        note: What she wrote; None where the key to it was destroyed.
        is_own: Whether it is the reviewer's own, whom it is not for to judge.

    """

    told: Told
    note: str | None
    is_own: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class Decided:
    """A review that was given.

    Attributes:
        told: What was attested, and by whom; its verdict and when it was given.
        reviewer: Name of who gave it.
        note: What she wrote; empty for nothing, None where the key to it was destroyed.

    """

    told: Told
    reviewer: str
    note: str | None


def of_patient(services: AuthServices, account: Account) -> list[Told]:
    """Return who opened a patient's own record, and note that she has been told."""
    type_, _, id_ = (account.reference or "").partition("/")
    if account.role != Role.PATIENT or type_ != "Patient":
        return []
    with services.database.read() as snapshot:
        state = patients.by_id(snapshot, types.number_of("Patient"), id_)
        told = [] if state is None else break_glass.of_patient(snapshot, state.key)
    if state is not None and any(one.use.noticed is None for one in told):
        now = services.clock()
        services.database.write(
            lambda transaction: break_glass.notice(transaction, state.key, now)
        )
    return told


def to_review(
    services: AuthServices, account: Account, address: str
) -> tuple[list[Review], int]:
    """Return what waits for a review by this person, and how much waits in all.

    Each that is shown is audited, since it tells of a patient.
    """
    if account.role != Role.COMPLIANCE_OFFICER:
        return [], 0
    with services.database.read() as snapshot:
        found, total = break_glass.to_review(snapshot, account.organization, SHOWN)
        reviews = [
            Review(
                told=told,
                note=_note(services, snapshot, told.use),
                is_own=_is_own(account, told),
            )
            for told in found
        ]
    _listed(services, account, address, [told.use.patient for told in found])
    return reviews, total


def decided(
    services: AuthServices, account: Account, address: str, count: int
) -> list[Decided]:
    """Return the last reviews of this person's organization, newest first.

    Each patient of whom they tell is audited.
    """
    if account.role != Role.COMPLIANCE_OFFICER:
        return []
    with services.database.read() as snapshot:
        found = [
            Decided(
                told=told,
                reviewer=reviewer,
                note=_review_note(services, snapshot, told.use),
            )
            for told, reviewer in break_glass.decided(
                snapshot, account.organization, count
            )
        ]
    patients_ = dict.fromkeys(one.told.use.patient for one in found)
    _listed(services, account, address, patients_)
    return found


def _listed(
    services: AuthServices, account: Account, address: str, of: Iterable[str]
) -> None:
    """Record of which patients somebody was told."""
    leaves = [
        services.audit.leaf(
            event_of(
                services,
                AuthEventKind.BREAK_GLASS_LISTED,
                account,
                address=address,
                patient=patient,
            )
        )
        for patient in of
    ]
    if leaves:
        services.database.write(lambda transaction: _write(transaction, leaves))


def review(  # noqa: PLR0913, PLR0917 - what a review is made of
    services: AuthServices,
    account: Account,
    break_glass_id: str,
    verdict: Verdict,
    address: str,
    note: str = "",
) -> bool:
    """Store a verdict; False where it is not this person's to give, or was given.

    Args:
        services: What authorization takes from outside.
        account: Who reviews.
        break_glass_id: What is reviewed.
        verdict: What the review says.
        address: Where it was sent from.
        note: Why; kept sealed for the patient.

    """
    now = services.clock()

    def work(transaction: Transaction) -> bool:
        told = break_glass.told(transaction, break_glass_id)
        if told is None or not _may_review(transaction, account, told):
            return False
        if not break_glass.review(
            transaction,
            break_glass_id,
            by=account.user_id,
            verdict=verdict.value,
            now=now,
            note=_sealed(services, transaction, told.use, note),
        ):
            return False
        event = event_of(
            services,
            AuthEventKind.BREAK_GLASS_REVIEWED,
            account,
            address=address,
            patient=told.use.patient,
            reason=verdict.value,
        )
        transaction.audit(services.audit.leaf(event))
        return True

    return services.database.write(work)


def _is_own(account: Account, told: Told) -> bool:
    """Whether the reviewer is, by another account, the very person who attested."""
    return told.reference is not None and told.reference == account.reference


def _may_review(snapshot: Snapshot, account: Account, told: Told) -> bool:
    if account.role != Role.COMPLIANCE_OFFICER or _is_own(account, told):
        return False
    state = patients.by_key(snapshot, told.use.patient_key)
    return account.organization is None or (
        state is not None and state.organization == account.organization
    )


def _sealed(
    services: AuthServices, transaction: Transaction, use: BreakGlass, note: str
) -> bytes | None:
    """Return a reviewer's note as it is kept, bound to what it is about."""
    if not note:
        return None
    seal = services.secrets.sealer(transaction, use.patient_key)
    return seal(_review_bond(use) + note.encode())


def _review_bond(use: BreakGlass) -> bytes:
    return b"review " + bond_of(use.break_glass_id)


def _note(services: AuthServices, snapshot: Snapshot, use: BreakGlass) -> str | None:
    return _opened(services, snapshot, use.note, bond_of(use.break_glass_id))


def _review_note(
    services: AuthServices, snapshot: Snapshot, use: BreakGlass
) -> str | None:
    if use.review_note is None:
        return ""
    return _opened(services, snapshot, use.review_note, _review_bond(use))


def _opened(
    services: AuthServices, snapshot: Snapshot, sealed: bytes, bond: bytes
) -> str | None:
    """Return a note; None where its key was destroyed, or it is bound to another."""
    opened = services.secrets.unsealer(snapshot)(sealed)
    if opened is None or not opened.startswith(bond):
        return None
    return opened.removeprefix(bond).decode()


def _write(transaction: Transaction, leaves: list[bytes]) -> None:
    for leaf in leaves:
        transaction.audit(leaf)
