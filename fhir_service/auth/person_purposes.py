"""The purposes for which a person's app acts.

A patient asks for herself; a practitioner's app acts for the purposes that it was
registered with. Nobody breaks the glass by a registration.

https://terminology.hl7.org/CodeSystem-v3-ActReason.html
"""

from consent.codes import BREAK_GLASS, PATIENT_REQUEST
from fhir_service.auth.users import Role
from fhir_service.storage.accounts import Account
from fhir_service.storage.registrations import Client

_REQUEST = PATIENT_REQUEST[1]
_EMERGENCY = BREAK_GLASS[1]

_FOR_HERSELF = frozenset({Role.PATIENT, Role.RELATED_PERSON})


def purposes_of(account: Account, client: Client) -> tuple[str, ...]:
    """Return every purpose that a person's use of a client can have."""
    registered = tuple(code for code in client.purposes if code != _EMERGENCY)
    others = tuple(code for code in registered if code != _REQUEST)
    if account.role not in _FOR_HERSELF:
        return others
    is_own = not client.purposes or _REQUEST in client.purposes
    return (_REQUEST,) if is_own else others


def narrowed(
    possible: tuple[str, ...], asked: tuple[str, ...]
) -> tuple[str, ...] | None:
    """Return the purposes asked for, all of them where none is.

    None: something else was asked for.
    """
    if not set(asked) <= set(possible):
        return None
    return asked or possible


def in_emergency() -> tuple[str, ...]:
    """Return the purpose of an attested emergency access."""
    return (_EMERGENCY,)
