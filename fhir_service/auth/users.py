"""People who may log in: their accounts.

Whatever changes who a person is or how she proves it (password, reference, removal)
ends her logins, and what she has let apps do, in the transaction that changes it.

https://pages.nist.gov/800-63-4/sp800-63b.html
"""

import re
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from types import MappingProxyType
from typing import Any

from conformance.issues import FHIRError, IssueType
from fhir_service.auth import second_factor
from fhir_service.auth.events import AuthEvent, AuthEventKind
from fhir_service.auth.services import AuthServices
from fhir_service.storage import accounts, authorizations, launches, second_factors
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

LANGUAGES = ("en", "es")
"""In which the pages are."""


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
        language: Of the pages; None for the browser's.
        may_break_glass: Whether the person may break the glass; practitioners alone.

    """

    username: str
    name: str
    role: Role
    password: str
    reference: str | None = None
    organization: str | None = None
    language: str | None = None
    may_break_glass: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class UserChange:
    """What an operator changes of a user; None stays as it is.

    Attributes:
        name: The name to show.
        password: Hashed before anything is stored.
        reference: The person's own FHIR resource.
        organization: The organization the person acts for.
        language: Of the pages.
        may_break_glass: Whether the person may break the glass.

    """

    name: str | None = None
    password: str | None = None
    reference: str | None = None
    organization: str | None = None
    language: str | None = None
    may_break_glass: bool | None = None


def normalized(username: str) -> str:
    """Return `username` as it is stored and compared."""
    return unicodedata.normalize("NFKC", username.strip()).casefold()


def register(services: AuthServices, new: NewUser) -> Account:
    """Store a new account and return it.

    Raises:
        FHIRError: `value` for what cannot be stored, `duplicate` for a user name that
            is, or ever was, another account's.

    """
    account = Account(
        user_id=services.random(_ID_BYTES).hex(),
        username=normalized(new.username),
        name=new.name.strip(),
        role=new.role.value,
        reference=new.reference,
        organization=new.organization,
        password_hash=services.passwords.hash(new.password),
        created=services.clock(),
        language=new.language,
        may_break_glass=new.may_break_glass,
    )

    _check(account)

    def work(transaction: Transaction) -> Account:
        if not accounts.add_account(transaction, account):
            raise FHIRError(IssueType.DUPLICATE, "This user name was given before.")
        _audit(services, transaction, AuthEventKind.USER_ADDED, account)
        return account

    return services.database.write(work)


def change(services: AuthServices, username: str, wanted: UserChange) -> Account:
    """Change an account and return it as it is then.

    Raises:
        FHIRError: `not-found` where there is no such active account, `value` for what
            cannot be stored.

    """
    hashed = (
        None if wanted.password is None else services.passwords.hash(wanted.password)
    )

    def work(transaction: Transaction) -> Account:
        account = _existing(transaction, username)
        changed = _changed(account, wanted, hashed)
        _check(changed)
        accounts.change_account(transaction, changed)
        if _is_another(account, changed):
            _end_everything(transaction, account.user_id)
        _audit(services, transaction, AuthEventKind.USER_CHANGED, account)
        return changed

    return services.database.write(work)


def _changed(account: Account, wanted: UserChange, hashed: str | None) -> Account:
    given = {
        "name": None if wanted.name is None else wanted.name.strip(),
        "reference": wanted.reference,
        "organization": wanted.organization,
        "language": wanted.language,
        "may_break_glass": wanted.may_break_glass,
        "password_hash": hashed,
    }
    told: dict[str, Any] = {
        name: value for name, value in given.items() if value is not None
    }
    return replace(account, **told)


def _is_another(before: Account, after: Account) -> bool:
    """Whether what logins and apps rest on has changed."""
    return any(getattr(before, name) != getattr(after, name) for name in _RESTED_ON)


_RESTED_ON = ("password_hash", "reference", "organization", "may_break_glass")


def reset_second_factor(services: AuthServices, username: str) -> bool:
    """Remove a user's second factor and end her logins; False where she has none.

    Raises:
        FHIRError: `not-found` where there is no such active account.

    """

    def work(transaction: Transaction) -> bool:
        account = _existing(transaction, username)
        _end_everything(transaction, account.user_id)
        return second_factor.remove(
            services, transaction, account, address=None, reason="reset-by-operator"
        )

    return services.database.write(work)


def _existing(transaction: Transaction, username: str) -> Account:
    account = accounts.find_account(transaction, normalized(username))
    if account is None:
        raise FHIRError(IssueType.NOT_FOUND, "There is no such active user.")
    return account


def _end_everything(transaction: Transaction, user_id: str) -> None:
    """End a person's logins, and what she has let apps do.

    What she decided about apps is forgotten too: whoever had her password may have
    decided it, and it would answer the next request without a page.
    """
    accounts.end_sessions(transaction, user_id)
    authorizations.end_of_user(transaction, user_id)
    launches.forget_choices_of_user(transaction, user_id)


def _audit(
    services: AuthServices,
    transaction: Transaction,
    kind: AuthEventKind,
    account: Account,
) -> None:
    event = AuthEvent(kind=kind, at=services.clock(), user_id=account.user_id)
    transaction.audit(services.audit.leaf(event))


def remove(services: AuthServices, username: str) -> None:
    """Close an account, end its logins, and what the person has let apps do.

    Raises:
        FHIRError: `not-found` where there is no such active account.

    """

    def work(transaction: Transaction) -> None:
        account = _existing(transaction, username)
        accounts.remove_account(transaction, account.user_id, services.clock())
        _end_everything(transaction, account.user_id)
        second_factors.remove(transaction, account.user_id)
        _audit(services, transaction, AuthEventKind.USER_REMOVED, account)

    services.database.write(work)


def _check(account: Account) -> None:
    """Refuse an account that cannot be.

    Raises:
        FHIRError: `value`, naming what is wrong.

    """
    for is_right, told in _rules(account):
        if not is_right:
            raise FHIRError(IssueType.VALUE, told)


def _rules(account: Account) -> Iterator[tuple[bool, str]]:
    """Yield whether each rule holds, and what it says."""
    name, organization = account.name, account.organization
    yield (
        _USERNAME.fullmatch(account.username) is not None,
        "A user name has 1 to 64 characters and no space.",
    )
    yield (
        1 <= len(name) <= _NAME_LENGTH and name.isprintable(),
        "A name is one line of 1 to 128 characters.",
    )
    yield (
        organization is None or _ORGANIZATION.fullmatch(organization) is not None,
        "An organization is a reference: Organization/clinic.",
    )
    yield (
        account.language is None or account.language in LANGUAGES,
        f"A language is one of {', '.join(LANGUAGES)}.",
    )
    yield (
        not account.may_break_glass or account.role == Role.PRACTITIONER,
        "Only a practitioner may break the glass.",
    )
    expected = RESOURCE.get(Role(account.role))
    linked = expected or _STAFF_RESOURCE
    yield (
        (account.reference is None and expected is None)
        or re.fullmatch(f"{linked}/{_ID}", account.reference or "") is not None,
        f"A {account.role} is linked to a {linked}: {linked}/id.",
    )


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
        "language": account.language,
        "may_break_glass": account.may_break_glass,
        "created": account.created,
        "removed": account.removed,
    }
