"""The authorization endpoint: checks a request and keeps it until a person answers.

A request can come by a form of another site, with which the browser sends no cookies.
So it is kept here, sealed, under a handle to which the browser then comes by itself.

https://hl7.org/fhir/smart-app-launch/STU2.2/app-launch.html#obtain-authorization-code
"""

from dataclasses import dataclass

from fhir_service.auth import rate_limit
from fhir_service.auth.authorize_checks import check_request, check_return
from fhir_service.auth.authorize_message import (
    AuthorizeError,
    AuthorizeRefused,
    NoRedirect,
    error_url,
    read_parameters,
)
from fhir_service.auth.events import AuthEvent, AuthEventKind
from fhir_service.auth.services import AuthServices
from fhir_service.auth.token_hash import new_token, token_hash
from fhir_service.auth.waiting import LaunchContext, Waiting, sealed
from fhir_service.storage import launches, rate_buckets, registrations
from fhir_service.storage.engine import Transaction
from fhir_service.storage.registrations import Client


@dataclass(frozen=True, kw_only=True, slots=True)
class AuthorizeRequest:
    """A request to the authorization endpoint.

    Attributes:
        query: Of the URL.
        body: The form; None where it is too long.
        address: Where it came from, for the audit log.

    """

    query: bytes
    body: bytes | None
    address: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Begun:
    """What comes of a request: exactly one of two.

    Attributes:
        handle: Under which it waits for a person.
        location: The app's redirect URI, with an error.

    """

    handle: str | None = None
    location: str | None = None


def begin(services: AuthServices, request: AuthorizeRequest) -> Begun:
    """Check a request and keep it; whatever is refused is audited first.

    Raises:
        NoRedirect: for a request that can only be answered by a page.

    """
    now = services.clock()
    try:
        parameters = read_parameters(request.query, request.body)
        client, redirect_uri = check_return(
            parameters, lambda client_id: find_client(services, client_id)
        )
    except NoRedirect as refused:
        _audit(services, refused.reason, refused.client_id, request, now)
        raise
    try:
        asked = check_request(client, redirect_uri, parameters, services.fhir_url)
        waiting = Waiting(asked=asked, context=LaunchContext())
        return Begun(handle=_keep(services, waiting, request, now))
    except AuthorizeRefused as refused:
        _audit(services, refused.reason, client.client_id, request, now)
        return Begun(
            location=error_url(
                redirect_uri,
                refused.error,
                state=parameters.get("state"),
                issuer=services.public_url,
            )
        )


def find_client(services: AuthServices, client_id: str) -> Client | None:
    """Return a client, removed ones too."""
    with services.database.read() as snapshot:
        return registrations.find_client(snapshot, client_id)


def _audit(
    services: AuthServices,
    reason: str,
    client_id: str | None,
    request: AuthorizeRequest,
    now: int,
) -> None:
    event = AuthEvent(
        kind=AuthEventKind.AUTHORIZATION_REFUSED,
        at=now,
        client_id=client_id,
        address=request.address,
        reason=reason,
    )
    services.database.log([services.audit.leaf(event)]).result()


def _keep(
    services: AuthServices, waiting: Waiting, request: AuthorizeRequest, now: int
) -> str:
    """Keep a request, and return its handle.

    Raises:
        AuthorizeRefused: where too many come from one place: anybody can send them,
            and each takes room until it ends.

    """
    handle = new_token(services.random)
    key = rate_limit.key("authorize", rate_limit.place(request.address or ""))

    def work(transaction: Transaction) -> bool:
        services.purge(transaction, now)
        full_at, wait_us = rate_limit.spend(
            services.limits.authorize_address,
            rate_buckets.bucket_full_at(transaction, key),
            now,
        )
        if wait_us:
            return False
        rate_buckets.set_bucket(transaction, key, full_at)
        launches.add_request(
            transaction,
            launches.WaitingRequest(
                hash=token_hash(handle),
                parameters=sealed(services, transaction, waiting),
                session=None,
                created=now,
                expires=now + services.request_lifetime_s * 1_000_000,
            ),
        )
        return True

    if not services.database.write(work):
        raise AuthorizeRefused(AuthorizeError.TEMPORARILY_UNAVAILABLE, "throttled")
    return handle


__all__ = [
    "AuthorizeError",
    "AuthorizeRequest",
    "Begun",
    "NoRedirect",
    "begin",
    "find_client",
]
