"""A person's yes: an authorization, a code for it, and the choice to be remembered.

All of it, the end of the request and the audit leaf are one transaction. Who said yes
and to whom is read again in it: either may be gone since the page was shown.

https://www.rfc-editor.org/rfc/rfc6749#section-4.1.2
https://hl7.org/fhir/smart-app-launch/STU2.2/scopes-and-launch-context.html
"""

from dataclasses import dataclass

from conformance.fhir_json import dumps
from fhir_service.auth import break_glass, person_purposes, sessions
from fhir_service.auth.authorize_held import Gone, Held
from fhir_service.auth.authorize_message import response_url
from fhir_service.auth.events import AuthEvent, AuthEventKind
from fhir_service.auth.grantable import (
    LAUNCH,
    LAUNCH_PATIENT,
    OFFLINE,
    ONLINE,
)
from fhir_service.auth.services import AuthServices
from fhir_service.auth.token_hash import new_token, token_hash
from fhir_service.storage import (
    accounts,
    authorizations,
    launches,
    registrations,
)
from fhir_service.storage.authorizations import Authorization, Code
from fhir_service.storage.break_glass import BreakGlass
from fhir_service.storage.engine import Snapshot, Transaction
from fhir_service.storage.launches import Choice
from fhir_service.storage.registrations import Client

REPLAY_KNOWN_US = 86_400_000_000
"""How long after its end a code is recognised when it comes again."""

STYLE_PATH = "/pages/smart-style.json"
"""What an app that we launch may look like."""

_ID_BYTES = 16


@dataclass(frozen=True, kw_only=True, slots=True)
class Lifetimes:
    """How long an app can do what it is allowed.

    Attributes:
        offline_s: With `offline_access`.
        token_s: Without anything that renews it.

    """

    offline_s: int
    token_s: int


def lifetimes(services: AuthServices, client: Client) -> Lifetimes:
    """Return how long the app's authorizations hold."""
    return Lifetimes(
        offline_s=client.refresh_lifetime_s or services.refresh_lifetime_s,
        token_s=client.token_lifetime_s or services.token_lifetime_s,
    )


def earlier_choice(services: AuthServices, held: Held) -> Choice | None:
    """Return what the person decided before about the app and the patient."""
    if held.context.break_glass_id is not None:
        return None
    with services.database.read() as snapshot:
        return launches.choice_of(
            snapshot,
            held.session.account.user_id,
            held.client.client_id,
            held.context.patient or "",
        )


def is_answered(held: Held, earlier: Choice | None) -> bool:
    """Whether an earlier choice answers the request without a page.

    A public client cannot prove to be the app that the choice was about (RFC 8252
    §8.6), so its page is shown again.
    """
    return (
        earlier is not None
        and held.client.auth_method != "none"
        and "consent" not in held.asked.prompt
        and set(_wanted(held).split()) <= set(earlier.asked.split())
    )


def _wanted(held: Held) -> str:
    """Return the scopes asked for, and what for, as a choice keeps them.

    A purpose stands in quotation marks, which no scope can have (RFC 6749 §3.3): an
    app that was allowed to treat has to ask before it does research.
    """
    purposes = (f'"{code}"' for code in _purposes(held))
    return " ".join((held.asked.scope, *purposes))


def _purposes(held: Held) -> tuple[str, ...]:
    return person_purposes.narrowed(held.purposes, held.asked.purposes) or ()


def grant(services: AuthServices, held: Held, scopes: tuple[str, ...]) -> str:
    """Grant `scopes`; return where the browser goes with the code.

    Raises:
        Gone: where the request was answered, or the login or the app has ended,
            meanwhile.

    """
    now = services.clock()
    code = new_token(services.random)
    authorization_id = services.random(_ID_BYTES).hex()

    def work(transaction: Transaction) -> None:
        services.purge(transaction, now)
        _check_still(services, transaction, held)
        if not launches.end_request(transaction, held.hash, now):
            raise Gone
        use = _attested(transaction, held, now)
        granted = _authorization(services, held, use, authorization_id, scopes, now)
        authorizations.add(transaction, granted)
        authorizations.add_code(
            transaction, _code(services, held, code, authorization_id, now)
        )
        if use is None:
            launches.remember_choice(transaction, _choice(held, scopes, now))
        transaction.audit(services.audit.leaf(_event(held, granted)))

    services.database.write(work)
    return response_url(
        held.asked.redirect_uri,
        code=code,
        state=held.asked.state,
        iss=services.public_url,
    )


def _check_still(services: AuthServices, snapshot: Snapshot, held: Held) -> None:
    account = held.session.account
    client = registrations.find_client(snapshot, held.client.client_id)
    if (
        client != held.client
        or not sessions.holds(services, snapshot, held.session.hash)
        or accounts.find_account(snapshot, account.username) != account
    ):
        raise Gone


def _attested(snapshot: Snapshot, held: Held, now: int) -> BreakGlass | None:
    """Return the emergency that the request rests on; None where it is an everyday one.

    Raises:
        Gone: where it has ended, or is another person's or about another patient.

    """
    context = held.context
    if context.break_glass_id is None:
        return None
    use = break_glass.active(snapshot, context.break_glass_id, now)
    of_whom = (held.session.account.user_id, context.patient)
    if use is None or (use.user_id, use.patient) != of_whom:
        raise Gone
    return use


def _authorization(  # noqa: PLR0913, PLR0917 - what one row is made of
    services: AuthServices,
    held: Held,
    use: BreakGlass | None,
    authorization_id: str,
    scopes: tuple[str, ...],
    now: int,
) -> Authorization:
    return Authorization(
        authorization_id=authorization_id,
        client_id=held.client.client_id,
        user_id=held.session.account.user_id,
        patient=_patient(held, scopes),
        context=dumps(_context(services, held, scopes)).decode(),
        scopes=" ".join(scopes),
        purposes=_purposes(held),
        session=None if OFFLINE in scopes else held.session.hash,
        break_glass_id=held.context.break_glass_id,
        authenticated=held.session.created,
        created=now,
        expires=_expires(services, held, use, scopes, now),
    )


def _patient(held: Held, scopes: tuple[str, ...]) -> str | None:
    """Return the patient in context, where a granted scope says that there is one."""
    told = {LAUNCH, LAUNCH_PATIENT} & set(scopes)
    held_to = any(scope.startswith("patient/") for scope in scopes)
    return held.context.patient if told or held_to else None


def _context(
    services: AuthServices, held: Held, scopes: tuple[str, ...]
) -> dict[str, object]:
    """Return the launch context beside the patient, as the token response has it."""
    context, found = held.context, dict[str, object]()
    if _patient(held, scopes) is not None:
        found["need_patient_banner"] = context.need_patient_banner
    if not context.is_launch or LAUNCH not in scopes:
        return found
    if context.encounter is not None:
        found["encounter"] = context.encounter
    if context.intent is not None:
        found["intent"] = context.intent
    found["smart_style_url"] = services.url(STYLE_PATH)
    return found


def _expires(
    services: AuthServices,
    held: Held,
    use: BreakGlass | None,
    scopes: tuple[str, ...],
    now: int,
) -> int:
    lasting = lifetimes(services, held.client)
    is_renewed = OFFLINE in scopes or ONLINE in scopes
    lifetime_s = (
        lasting.offline_s if is_renewed else lasting.token_s + services.code_lifetime_s
    )
    ends = [now + lifetime_s * 1_000_000]
    if OFFLINE not in scopes:
        ends.append(held.session.created + services.session_lifetime_s * 1_000_000)
    if use is not None:
        ends.append(use.expires)
    return min(ends)


def _code(
    services: AuthServices, held: Held, code: str, authorization_id: str, now: int
) -> Code:
    expires = now + services.code_lifetime_s * 1_000_000
    return Code(
        hash=token_hash(code),
        authorization_id=authorization_id,
        redirect_uri=held.asked.redirect_uri,
        code_challenge=held.asked.code_challenge,
        nonce=held.asked.nonce,
        expires=expires,
        used=None,
        forgotten=expires + REPLAY_KNOWN_US,
    )


def _choice(held: Held, scopes: tuple[str, ...], now: int) -> Choice:
    return Choice(
        user_id=held.session.account.user_id,
        client_id=held.client.client_id,
        patient=held.context.patient or "",
        asked=_wanted(held),
        chosen=" ".join(scopes),
        decided=now,
    )


def _event(held: Held, granted: Authorization) -> AuthEvent:
    return AuthEvent(
        kind=AuthEventKind.AUTHORIZED,
        at=granted.created,
        client_id=granted.client_id,
        user_id=granted.user_id,
        proven=True,
        address=held.address,
        token_id=bytes.fromhex(granted.authorization_id),
        scopes=granted.scopes,
        purposes=granted.purposes,
        patient=granted.patient,
    )
