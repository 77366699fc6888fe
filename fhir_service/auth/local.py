"""Grants without a token: what somebody at the command line may do.

Who can run a command with the service's keys is trusted by the operating system; the
audit log names that user. Consent is asked all the same, for the treatment by the
organisation that manages the patient: the operator acts for the patient's custodian.
"""

import os
import pwd
from collections.abc import Iterable

from conformance.issues import FHIRError, IssueType
from consent.membership import CLIENT_SYSTEM
from fhir_service.auth.bearer import Grant
from fhir_service.auth.scopes import parse_scopes
from fhir_service.storage import patients, registrations, types
from fhir_service.storage.engine import Snapshot
from fhir_service.storage.patients import PatientState

COMMAND_LINE = "command line"
"""Names the operator's grant; no client's id has a space."""

_TREATMENT = "TREAT"
_NEVER = 2**63 - 1


def user() -> str:
    """Return the name of the operating system's user, as the audit log keeps it."""
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return f"uid {os.getuid()}"


def patient(snapshot: Snapshot, patient_id: str) -> PatientState:
    """Return the patient that a command names, as `ID` or `Patient/ID`.

    Raises:
        FHIRError: `not-found` where there is none.

    """
    id_ = patient_id.removeprefix("Patient/")
    state = patients.by_id(snapshot, types.number_of("Patient"), id_)
    if state is None:
        raise FHIRError(IssueType.NOT_FOUND, f"There is no Patient/{id_[:64]} here.")
    return state


def operator(organization: str | None, sources: Iterable[str] = ()) -> Grant:
    """Return what an operator may do on behalf of an organisation.

    Args:
        organization: `Organization/id`; None for a patient that none manages, where
            only a consent that names nobody permits anything.
        sources: Device sources to speak for.

    """
    return Grant(
        client_id=COMMAND_LINE,
        client_name=user(),
        user=None,
        scopes=parse_scopes("system/*.cruds"),
        purposes=(_TREATMENT,),
        organization=organization,
        sources=frozenset(sources),
        actors=frozenset(() if organization is None else (organization,)),
        individual_known=False,
        token_id=b"",
        expires=_NEVER,
    )


def registered(snapshot: Snapshot, client_id: str) -> Grant:
    """Return what a token with all of a client's scopes would allow now.

    Raises:
        FHIRError: `not-found` where there is no such active client.

    """
    client = registrations.find_client(snapshot, client_id)
    if client is None or client.removed is not None:
        raise FHIRError(IssueType.NOT_FOUND, "There is no such active client.")
    return of_client(client)


def of_client(client: registrations.Client) -> Grant:
    """Return what a token with all of a client's scopes would allow."""
    actors = {f"{CLIENT_SYSTEM}|{client.client_id}"}
    if client.organization is not None:
        actors.add(client.organization)
    return Grant(
        client_id=client.client_id,
        client_name=client.name,
        user=None,
        scopes=parse_scopes(client.scopes),
        purposes=client.purposes,
        organization=client.organization,
        sources=frozenset(client.sources),
        actors=frozenset(actors),
        individual_known=False,
        token_id=b"",
        expires=_NEVER,
    )
