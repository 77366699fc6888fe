"""What the apps of a person may do, and how she ends it.

https://hl7.org/fhir/smart-app-launch/STU2.2/conformance.html#management_endpoint
"""

from collections.abc import Iterable
from dataclasses import dataclass

from fhir_service.auth.authorize_grant import lifetimes
from fhir_service.auth.events import AuthEvent, AuthEventKind
from fhir_service.auth.services import AuthServices
from fhir_service.auth.sessions import Session
from fhir_service.storage import authorizations, launches, registrations
from fhir_service.storage.authorizations import Authorization
from fhir_service.storage.engine import Snapshot, Transaction
from fhir_service.storage.launches import Choice


@dataclass(frozen=True, kw_only=True, slots=True)
class Allowed:
    """What an app may do for a person, about one patient at most.

    Attributes:
        client_id: The app.
        name: Its name for people.
        patient: Id of the Patient in context; empty for none.
        scopes: What it may do; what was last chosen, where it holds nothing now.
        since: When that was decided.
        until: When it ends; None where the app holds nothing now.
        offline_s: How long `offline_access` holds for the app.

    """

    client_id: str
    name: str
    patient: str
    scopes: tuple[str, ...]
    since: int
    until: int | None
    offline_s: int


def allowed(services: AuthServices, user_id: str) -> list[Allowed]:
    """Return what the apps of a person may do, oldest first."""
    now = services.clock()
    with services.database.read() as snapshot:
        choices = launches.choices_of_user(snapshot, user_id)
        held = [
            one
            for one in authorizations.of_user(snapshot, user_id)
            if one.expires > now
        ]
        found = {_place(one.client_id, one.patient): None for one in choices}
        found |= {_place(one.client_id, one.patient): None for one in held}
        return sorted(
            (_allowed(services, snapshot, place, choices, held) for place in found),
            key=lambda one: (one.since, one.client_id, one.patient),
        )


def stop(
    services: AuthServices, session: Session, client_id: str, address: str
) -> bool:
    """End everything that an app holds for a person; False for nothing at all."""
    now, user_id = services.clock(), session.account.user_id

    def work(transaction: Transaction) -> bool:
        ended = [
            one
            for one in authorizations.of_user(transaction, user_id)
            if one.client_id == client_id
        ]
        for one in ended:
            authorizations.end(transaction, one.authorization_id)
            transaction.audit(services.audit.leaf(_event(one, address, now)))
        forgotten = [
            launches.forget_choice(transaction, user_id, client_id, one.patient)
            for one in launches.choices_of_user(transaction, user_id)
            if one.client_id == client_id
        ]
        return bool(ended or forgotten)

    return services.database.write(work)


_Place = tuple[str, str]


def _place(client_id: str, patient: str | None) -> _Place:
    return client_id, patient or ""


def _allowed(
    services: AuthServices,
    snapshot: Snapshot,
    place: _Place,
    choices: Iterable[Choice],
    held: Iterable[Authorization],
) -> Allowed:
    client_id, patient = place
    client = registrations.find_client(snapshot, client_id)
    assert client is not None  # noqa: S101 - a client's row is never deleted
    chosen = [one for one in choices if _place(one.client_id, one.patient) == place]
    holds = [one for one in held if _place(one.client_id, one.patient) == place]
    texts = [one.scopes for one in holds] or [one.chosen for one in chosen]
    return Allowed(
        client_id=client_id,
        name=client.name,
        patient=patient,
        scopes=tuple(dict.fromkeys(" ".join(texts).split())),
        since=min([one.created for one in holds] + [one.decided for one in chosen]),
        until=max((one.expires for one in holds), default=None),
        offline_s=lifetimes(services, client).offline_s,
    )


def _event(ended: Authorization, address: str, now: int) -> AuthEvent:
    return AuthEvent(
        kind=AuthEventKind.AUTHORIZATION_ENDED,
        at=now,
        client_id=ended.client_id,
        proven=True,
        user_id=ended.user_id,
        address=address,
        reason="stopped",
        token_id=bytes.fromhex(ended.authorization_id),
        scopes=ended.scopes,
        purposes=ended.purposes,
        patient=ended.patient,
    )
