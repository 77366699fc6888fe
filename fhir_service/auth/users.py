"""People who may log in: their accounts, and the log-in itself.

A wrong password and an unknown name get the same answer after the same work. Attempts
are counted for each pair of account and address, and for each address: a stranger who
guesses slows down the place he guesses from, and never shuts the owner out elsewhere.

https://pages.nist.gov/800-63-4/sp800-63b.html
"""

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

from conformance.issues import FHIRError, IssueType
from fhir_service.auth import rate_limit, sessions
from fhir_service.auth.events import AuthEvent, AuthEventKind
from fhir_service.auth.services import AuthServices
from fhir_service.auth.token_hash import new_token
from fhir_service.storage import accounts, expiry, rate_buckets
from fhir_service.storage.accounts import Account
from fhir_service.storage.engine import Transaction


class Role(StrEnum):
    """What a person is here."""

    PATIENT = "patient"
    RELATED_PERSON = "related-person"
    PRACTITIONER = "practitioner"
    COMPLIANCE_OFFICER = "compliance-officer"
    ADMINISTRATOR = "administrator"


RESOURCE: Mapping[Role, str] = MappingProxyType(
    {
        Role.PATIENT: "Patient",
        Role.RELATED_PERSON: "RelatedPerson",
        Role.PRACTITIONER: "Practitioner",
    }
)
"""The roles that are nothing without a FHIR resource of their own, and its type."""

_STAFF_RESOURCE = "Practitioner"
"""What an officer or administrator may be linked to."""

_USERNAME = re.compile(r"[^\s\x00-\x1f\x7f]{1,64}")
_ID = r"[A-Za-z0-9.-]{1,64}"
_ORGANIZATION = re.compile(rf"Organization/{_ID}")
_NAME_LENGTH = 128
_ID_BYTES = 8


@dataclass(frozen=True, kw_only=True, slots=True)
class NewUser:
    """What an operator says about a new user.

    Attributes:
        username: What the person types.
        name: The name to show.
        role: What the person is here.
        password: Hashed before anything is stored.
        reference: The person's own FHIR resource.
        organization: The organization the person acts for.

    """

    username: str
    name: str
    role: Role
    password: str
    reference: str | None = None
    organization: str | None = None


def normalized(username: str) -> str:
    """Return `username` as it is stored and compared."""
    return unicodedata.normalize("NFKC", username.strip()).casefold()


def register(services: AuthServices, new: NewUser) -> Account:
    """Store a new account and return it.

    Raises:
        FHIRError: `value` for what cannot be stored, `duplicate` for a user name that
            is, or ever was, another account's.

    """
    now = services.clock()
    _check(new)
    account = Account(
        user_id=services.random(_ID_BYTES).hex(),
        username=normalized(new.username),
        name=new.name.strip(),
        role=new.role.value,
        reference=new.reference,
        organization=new.organization,
        password_hash=services.passwords.hash(new.password),
        created=now,
    )

    def work(transaction: Transaction) -> Account:
        if not accounts.add_account(transaction, account):
            raise FHIRError(IssueType.DUPLICATE, "This user name was given before.")
        event = AuthEvent(
            kind=AuthEventKind.USER_ADDED, at=now, user_id=account.user_id
        )
        transaction.audit(services.audit.leaf(event))
        return account

    return services.database.write(work)


def remove(services: AuthServices, username: str) -> None:
    """Close an account and end its sessions.

    Raises:
        FHIRError: `not-found` where there is no such active account.

    """
    now = services.clock()

    def work(transaction: Transaction) -> None:
        account = accounts.find_account(transaction, normalized(username))
        if account is None:
            raise FHIRError(IssueType.NOT_FOUND, "There is no such active user.")
        accounts.remove_account(transaction, account.user_id, now)
        event = AuthEvent(
            kind=AuthEventKind.USER_REMOVED, at=now, user_id=account.user_id
        )
        transaction.audit(services.audit.leaf(event))

    services.database.write(work)


def _check(new: NewUser) -> None:
    if not _USERNAME.fullmatch(normalized(new.username)):
        raise FHIRError(
            IssueType.VALUE, "A user name has 1 to 64 characters and no space."
        )
    name = new.name.strip()
    if not 1 <= len(name) <= _NAME_LENGTH or not name.isprintable():
        raise FHIRError(IssueType.VALUE, "A name is one line of 1 to 128 characters.")
    if new.organization is not None and not _ORGANIZATION.fullmatch(new.organization):
        raise FHIRError(
            IssueType.VALUE, "An organization is a reference: Organization/clinic."
        )
    type_ = RESOURCE.get(new.role)
    if new.reference is None and type_ is None:
        return
    expected = type_ or _STAFF_RESOURCE
    if not re.fullmatch(f"{expected}/{_ID}", new.reference or ""):
        raise FHIRError(
            IssueType.VALUE, f"A {new.role} is linked to a {expected}: {expected}/id."
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class Attempt:
    """Somebody at the login page.

    Attributes:
        username: As typed.
        password: As typed.
        address: Where the request came from.

    """

    username: str
    password: str
    address: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Outcome:
    """What came of an attempt.

    Attributes:
        session: The secret of the new session; None where there is none.
        wait_us: Microseconds to wait before the next attempt; above zero, the
            password was not looked at.

    """

    session: str | None = None
    wait_us: int = 0


def log_in(services: AuthServices, attempt: Attempt) -> Outcome:
    """Return a new session for the right user name and password."""
    now = services.clock()
    username = normalized(attempt.username)
    wait_us = services.database.write(
        lambda transaction: _admit(services, transaction, username, attempt, now)
    )
    if wait_us:
        return Outcome(wait_us=wait_us)
    with services.database.read() as snapshot:
        account = accounts.find_account(snapshot, username)
    stored = None if account is None else account.password_hash
    right = services.passwords.matches(stored, attempt.password)
    secret = new_token(services.random) if right else None
    return services.database.write(
        lambda transaction: _settle(
            services, transaction, account, secret, attempt.address, now
        )
    )


def _pair_key(username: str, address: str) -> bytes:
    return rate_limit.key("login", username, rate_limit.place(address))


def _admit(
    services: AuthServices,
    transaction: Transaction,
    username: str,
    attempt: Attempt,
    now: int,
) -> int:
    """Take one attempt from each bucket; return the microseconds to wait if none."""
    limits = services.limits
    place = rate_limit.place(attempt.address)
    buckets = (
        (_pair_key(username, attempt.address), limits.login_pair),
        (rate_limit.key("login-address", place), limits.login_address),
    )
    expiry.purge_expired(transaction, now)
    spent = [
        (
            key,
            *rate_limit.spend(
                limit, rate_buckets.bucket_full_at(transaction, key), now
            ),
        )
        for key, limit in buckets
    ]
    wait_us = max(wait for _, _, wait in spent)
    if wait_us:
        event = AuthEvent(
            kind=AuthEventKind.LOGIN_THROTTLED,
            at=now,
            address=attempt.address,
            reason="throttled",
        )
        transaction.audit(services.audit.leaf(event))
        return wait_us
    for key, full_at, _ in spent:
        rate_buckets.set_bucket(transaction, key, full_at)
    return 0


def _settle(  # noqa: PLR0913, PLR0917 - what was asked, found and decided
    services: AuthServices,
    transaction: Transaction,
    account: Account | None,
    secret: str | None,
    address: str,
    now: int,
) -> Outcome:
    """Open the session, or note the failure; the account is read again."""
    user_id = None if account is None else account.user_id
    unchanged = account is not None and account == accounts.find_account(
        transaction, account.username
    )
    if account is None or secret is None or not unchanged:
        event = AuthEvent(
            kind=AuthEventKind.LOGIN_FAILED,
            at=now,
            user_id=user_id,
            address=address,
            reason="unknown-user" if account is None else "wrong-password",
        )
        transaction.audit(services.audit.leaf(event))
        return Outcome()
    rate_buckets.fill_bucket(transaction, _pair_key(account.username, address))
    token_id = sessions.open_session(services, transaction, account, secret, now)
    event = AuthEvent(
        kind=AuthEventKind.LOGIN,
        at=now,
        user_id=user_id,
        proven=True,
        address=address,
        token_id=token_id,
    )
    transaction.audit(services.audit.leaf(event))
    return Outcome(session=secret)


def as_json(account: Account) -> dict[str, object]:
    """Return `account` as a listing shows it: everything but the password's hash."""
    return {
        "user_id": account.user_id,
        "username": account.username,
        "name": account.name,
        "role": account.role,
        "active": account.removed is None,
        "reference": account.reference,
        "organization": account.organization,
        "created": account.created,
        "removed": account.removed,
    }
