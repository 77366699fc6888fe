"""The people of the demonstration, one of each role, and their passwords.

The passwords are written before an account is made, for the owner of the data folder
alone, so that a second run can show them; they are logged nowhere.
"""

import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from conformance import fhir_json
from fhir_service.auth import users
from fhir_service.auth.services import AuthServices
from fhir_service.auth.users import NewUser, Role
from fhir_service.demo.progress import write_private
from fhir_service.ingest.cohort_resources import CLINIC, RELATIVE
from fhir_service.storage import accounts

FILE = "logins.json"
PASSWORD_BYTES = 12


@dataclass(frozen=True, kw_only=True, slots=True)
class Person:
    """Somebody who can log in.

    Attributes:
        username: What the person types.
        name: The name to show.
        role: What the person is here.
        reference: The person's own FHIR resource.
        organization: The organization the person acts for.
        may_break_glass: Whether the person may open a record in an emergency.

    """

    username: str
    name: str
    role: Role
    reference: str | None = None
    organization: str | None = None
    may_break_glass: bool = False


_CLINIC = f"Organization/{CLINIC}"

PEOPLE = (
    Person(
        username="patient",
        name="Patient One Synthetic",
        role=Role.PATIENT,
        reference="Patient/demo-patient-01",
    ),
    Person(
        username="relative",
        name="Relative of Patient One",
        role=Role.RELATED_PERSON,
        reference=f"RelatedPerson/{RELATIVE}",
    ),
    Person(
        username="practitioner",
        name="Practitioner One Synthetic",
        role=Role.PRACTITIONER,
        reference="Practitioner/demo-practitioner-1",
        organization=_CLINIC,
        may_break_glass=True,
    ),
    Person(
        username="officer",
        name="Compliance Officer",
        role=Role.COMPLIANCE_OFFICER,
        organization=_CLINIC,
    ),
    Person(username="admin", name="Administrator", role=Role.ADMINISTRATOR),
)
"""One person of each role; a test walks the roles."""


class Login(NamedTuple):
    """A person with the password; None where its file was lost."""

    person: Person
    password: str | None


def register(services: AuthServices, folder: Path) -> list[Login]:
    """Add whoever is missing, and return everybody with the password."""
    with services.database.read() as snapshot:
        known = {account.username for account in accounts.all_accounts(snapshot)}
    passwords = _read(folder)
    fresh = [
        person
        for person in PEOPLE
        if person.username not in passwords and person.username not in known
    ]
    if fresh:
        passwords |= {
            person.username: secrets.token_urlsafe(PASSWORD_BYTES) for person in fresh
        }
        write_private(folder / FILE, fhir_json.pretty(passwords))
    for person in _missing(known):
        users.register(services, _new(person, passwords[person.username]))
    return [Login(person, passwords.get(person.username)) for person in PEOPLE]


def _read(folder: Path) -> dict[str, str]:
    try:
        return fhir_json.loads_object((folder / FILE).read_bytes())
    except FileNotFoundError:
        return {}


def _missing(known: set[str]) -> Iterator[Person]:
    return (person for person in PEOPLE if person.username not in known)


def _new(person: Person, password: str) -> NewUser:
    return NewUser(
        username=person.username,
        name=person.name,
        role=person.role,
        password=password,
        reference=person.reference,
        organization=person.organization,
        may_break_glass=person.may_break_glass,
    )
