"""What happens to a request between its arrival and its answer.

A request belongs to the first login that takes it up; its launch value is used up in
the same transaction. Whatever ends a request ends it once, with its audit leaf.

https://hl7.org/fhir/smart-app-launch/STU2.2/app-launch.html
https://openid.net/specs/openid-connect-core-1_0.html#AuthRequest
"""

from dataclasses import replace

from fhir_service.auth import launch_context
from fhir_service.auth.authorize_checks import Asked
from fhir_service.auth.authorize_held import Ended, Gone, Held, LoginNeeded, NotYours
from fhir_service.auth.authorize_message import (
    AuthorizeError,
    AuthorizeRefused,
    error_url,
)
from fhir_service.auth.events import AuthEvent, AuthEventKind
from fhir_service.auth.redirect_uris import form_target
from fhir_service.auth.services import AuthServices
from fhir_service.auth.sessions import Session
from fhir_service.auth.token_hash import token_hash
from fhir_service.auth.waiting import Waiting, sealed, unsealed
from fhir_service.storage import launches, registrations
from fhir_service.storage.engine import Transaction
from fhir_service.storage.launches import WaitingRequest
from fhir_service.storage.registrations import Client


def before_login(services: AuthServices, handle: str, address: str) -> None:
    """Check that a request waits, for somebody who is not logged in.

    Raises:
        Gone: where there is none.
        Ended: where the app wants nobody to be asked.

    """
    row, waiting, client = _found(services, handle)
    if "none" in waiting.asked.prompt:
        refused = AuthorizeRefused(AuthorizeError.LOGIN_REQUIRED, "not-logged-in")
        event = _refusal(refused, client.client_id, None, address, services.clock())
        services.database.write(
            lambda transaction: _close(services, transaction, row.hash, event)
        )
        raise Ended(_location(services, waiting.asked, refused.error))


def leads_to(services: AuthServices, handle: str) -> str | None:
    """Return what a policy calls the place to which the answer of a request goes.

    None where there is no such request.
    """
    try:
        _, waiting, _ = _found(services, handle)
    except Gone:
        return None
    return form_target(waiting.asked.redirect_uri)


def take_up(
    services: AuthServices, handle: str, session: Session, address: str
) -> Held:
    """Return the request of a handle, now in the hands of `session`.

    Raises:
        Gone: where there is none.
        NotYours: where another login has it.
        LoginNeeded: where the app wants a newer login.
        Ended: where it cannot be granted to this person.

    """
    row, waiting, client = _found(services, handle)
    held = Held(
        hash=row.hash, waiting=waiting, client=client, session=session, address=address
    )
    if row.session == session.hash:
        return held
    if row.session is not None:
        _audit_stranger(services, held)
        raise NotYours
    if _needs_login(held, row, services.clock()):
        if "none" in waiting.asked.prompt:
            raise refused(services, held, AuthorizeError.LOGIN_REQUIRED, "old-login")
        raise LoginNeeded
    return _bound(services, held)


def settle_patient(
    services: AuthServices, held: Held, patient: str | None, name: str = ""
) -> Held:
    """Return the request with the patient, or with none, decided.

    That is decided once: where another tab of the person has done it meanwhile, what
    that decided stands, since a page may show it already.

    Raises:
        Gone: where it was answered meanwhile.

    """
    context = replace(held.context, patient=patient, patient_name=name, is_settled=True)
    settled = replace(held, waiting=replace(held.waiting, context=context))

    def work(transaction: Transaction) -> Held:
        current = _taken(services, transaction, held)
        if current is not None and current.context.is_settled:
            return current
        if not _bind(services, transaction, settled):
            raise Gone
        return settled

    return services.database.write(work)


def refused(
    services: AuthServices, held: Held, error: AuthorizeError, reason: str
) -> Ended:
    """End a request by an error; return what is to be raised then.

    Raises:
        Gone: where it was answered meanwhile.

    """
    refusal = AuthorizeRefused(error, reason)
    if not services.database.write(
        lambda transaction: _end(services, transaction, held, refusal)
    ):
        raise Gone
    return Ended(_location(services, held.asked, error))


def _found(
    services: AuthServices, handle: str
) -> tuple[WaitingRequest, Waiting, Client]:
    with services.database.read() as snapshot:
        row = launches.find_request(snapshot, token_hash(handle), services.clock())
        if row is None:
            raise Gone
        waiting = unsealed(services, snapshot, row.parameters)
        client = registrations.find_client(snapshot, waiting.asked.client_id)
    if client is None or client.removed is not None:
        raise Gone
    return row, waiting, client


def _needs_login(held: Held, row: WaitingRequest, now: int) -> bool:
    """Whether the login is too old; one that followed the request never is."""
    began, max_age_s = held.session.created, held.asked.max_age_s
    if began >= row.created:
        return False
    is_old = max_age_s is not None and now - began > max_age_s * 1_000_000
    return is_old or "login" in held.asked.prompt


def _bound(services: AuthServices, held: Held) -> Held:
    def work(transaction: Transaction) -> Held | AuthorizeRefused:
        taken = _taken(services, transaction, held)
        if taken is not None:
            return taken
        try:
            launched = launch_context.launched(transaction, held, services.clock())
            launch_context.check_purposes(launched)
        except AuthorizeRefused as refused:
            _end(services, transaction, held, refused)
            return refused
        if not _bind(services, transaction, launched):
            raise NotYours
        return launched

    found = services.database.write(work)
    if isinstance(found, AuthorizeRefused):
        raise Ended(_location(services, held.asked, found.error))
    return found


def _taken(services: AuthServices, transaction: Transaction, held: Held) -> Held | None:
    """Return the request as this login holds it by now; None where it does not.

    Another tab of the person may have been faster since `held` was read.
    """
    row = launches.find_request(transaction, held.hash, services.clock())
    if row is None or row.session != held.session.hash:
        return None
    return replace(held, waiting=unsealed(services, transaction, row.parameters))


def _bind(services: AuthServices, transaction: Transaction, held: Held) -> bool:
    parameters = sealed(services, transaction, held.waiting)
    return launches.bind_request(transaction, held.hash, held.session.hash, parameters)


def _end(
    services: AuthServices,
    transaction: Transaction,
    held: Held,
    refused: AuthorizeRefused,
) -> bool:
    event = _refusal(
        refused,
        held.client.client_id,
        held.session.account.user_id,
        held.address,
        services.clock(),
        held.context.patient,
    )
    return _close(services, transaction, held.hash, event)


def _close(
    services: AuthServices, transaction: Transaction, hashed: bytes, event: AuthEvent
) -> bool:
    ended = launches.end_request(transaction, hashed, event.at)
    if ended:
        transaction.audit(services.audit.leaf(event))
    return ended


def _audit_stranger(services: AuthServices, held: Held) -> None:
    event = _refusal(
        AuthorizeRefused(AuthorizeError.ACCESS_DENIED, "other-login"),
        held.client.client_id,
        held.session.account.user_id,
        held.address,
        services.clock(),
    )
    services.database.log([services.audit.leaf(event)]).result()


def _refusal(  # noqa: PLR0913, PLR0917 - what an event is made of
    refused: AuthorizeRefused,
    client_id: str,
    user_id: str | None,
    address: str,
    now: int,
    patient: str | None = None,
) -> AuthEvent:
    return AuthEvent(
        kind=AuthEventKind.AUTHORIZATION_REFUSED,
        at=now,
        client_id=client_id,
        user_id=user_id,
        address=address,
        reason=refused.reason,
        patient=patient,
    )


def _location(services: AuthServices, asked: Asked, error: AuthorizeError) -> str:
    return error_url(
        asked.redirect_uri, error, state=asked.state, issuer=services.public_url
    )
