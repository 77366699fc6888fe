"""The context of an EHR launch, given for its value, once.

A value belongs to one app and one person. Whoever tries another's has spoilt it.

https://hl7.org/fhir/smart-app-launch/STU2.2/scopes-and-launch-context.html
"""

from dataclasses import replace

from conformance.fhir_json import loads_object
from fhir_service.auth import person_purposes
from fhir_service.auth.authorize_held import Held
from fhir_service.auth.authorize_message import AuthorizeError, AuthorizeRefused
from fhir_service.auth.token_hash import token_hash
from fhir_service.auth.waiting import LaunchContext
from fhir_service.storage import launches
from fhir_service.storage.engine import Transaction
from fhir_service.storage.launches import Launch


def launched(transaction: Transaction, held: Held, now: int) -> Held:
    """Return `held` with the context of its launch value, which is used up.

    A request without a launch value stays as it is.

    Raises:
        AuthorizeRefused: `invalid_request` for a value that is not this one's to use.

    """
    if held.asked.launch is None:
        return held
    launch = launches.take_launch(transaction, token_hash(held.asked.launch))
    if launch is None or not _is_for(held, launch, now):
        reason = "unknown-launch" if launch is None else "foreign-launch"
        raise AuthorizeRefused(AuthorizeError.INVALID_REQUEST, reason)
    told = loads_object(launch.context.encode())
    context = LaunchContext(
        patient=launch.patient,
        is_settled=False,
        is_launch=True,
        encounter=told.get("encounter"),
        intent=told.get("intent"),
        need_patient_banner=bool(told.get("need_patient_banner", True)),
        break_glass_id=launch.break_glass_id,
    )
    return replace(held, waiting=replace(held.waiting, context=context))


def _is_for(held: Held, launch: Launch, now: int) -> bool:
    return (
        launch.client_id == held.client.client_id
        and launch.user_id == held.session.account.user_id
        and launch.expires > now
    )


def check_purposes(held: Held) -> None:
    """Check that the app asks for no purpose that is not the person's.

    Raises:
        AuthorizeRefused: `invalid_scope` for any other.

    """
    if person_purposes.narrowed(held.purposes, held.asked.purposes) is None:
        raise AuthorizeRefused(AuthorizeError.INVALID_SCOPE, "foreign-purpose")
