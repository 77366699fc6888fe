"""EHR launch: an app is opened for a person, with the context that she chose.

The launch value is opaque, holds for five minutes, and is used up by the first
authorization request that brings it; the patient is in no URL.

https://hl7.org/fhir/smart-app-launch/STU2.2/app-launch.html#launch-app-ehr-launch
"""

from dataclasses import dataclass
from typing import Final
from urllib.parse import urlencode, urlsplit

from conformance import fhir_json
from fhir_service.auth import break_glass
from fhir_service.auth.break_glass import event_of
from fhir_service.auth.events import AuthEventKind
from fhir_service.auth.services import AuthServices
from fhir_service.auth.token_hash import new_token, token_hash, token_id
from fhir_service.storage import break_glass as uses
from fhir_service.storage import launches, registrations
from fhir_service.storage.accounts import Account
from fhir_service.storage.engine import Snapshot, Transaction
from fhir_service.storage.launches import Launch
from fhir_service.storage.registrations import Client

LAUNCH_S: Final = 300
"""How long a launch value can be used."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Opening:
    """What a person opens an app for.

    Attributes:
        client: The app.
        patient: Id of the Patient.
        encounter: Id of the Encounter; None for none.
        intent: What for, in the app's words; None for nothing in particular.
        break_glass_id: The attested emergency that it rests on; None for none.

    """

    client: Client
    patient: str
    encounter: str | None = None
    intent: str | None = None
    break_glass_id: str | None = None


def apps(snapshot: Snapshot) -> list[Client]:
    """Return the registered apps that can be opened from here."""
    return [
        client
        for client in registrations.all_clients(snapshot)
        if client.kind == "app" and client.removed is None and client.launch_uri
    ]


def app(snapshot: Snapshot, client_id: str) -> Client | None:
    """Return one of the apps that can be opened from here."""
    return next((one for one in apps(snapshot) if one.client_id == client_id), None)


def origin_of(client: Client) -> str:
    """Return where a launch of the app goes, as a Content-Security-Policy says it."""
    parts = urlsplit(client.launch_uri or "")
    return f"{parts.scheme}://{parts.netloc}"


def launch(
    services: AuthServices, account: Account, opening: Opening, address: str
) -> str | None:
    """Store a launch and return the URL that opens the app.

    None where the emergency that it was to rest on has ended, or is not of this person
    and this patient.
    """
    value = new_token(services.random)

    def work(transaction: Transaction) -> bool:
        until = _until(services, transaction, account, opening)
        if until is None:
            return False
        launches.add_launch(transaction, _launch(value, account, opening, until))
        event = event_of(
            services,
            AuthEventKind.LAUNCHED,
            account,
            address=address,
            patient=opening.patient,
            client_id=opening.client.client_id,
            token_id=token_id(token_hash(value)),
        )
        transaction.audit(services.audit.leaf(event))
        return True

    if not services.database.write(work):
        return None
    return _url(opening.client.launch_uri or "", services.fhir_url, value)


def _until(
    services: AuthServices, transaction: Transaction, account: Account, opening: Opening
) -> int | None:
    now = services.clock()
    until = now + LAUNCH_S * 1_000_000
    if opening.break_glass_id is None:
        return until
    use = break_glass.active(transaction, opening.break_glass_id, now)
    if use is None or (use.user_id, use.patient) != (account.user_id, opening.patient):
        return None
    uses.used_with(transaction, use.break_glass_id, opening.client.client_id)
    return min(until, use.expires)


def _launch(value: str, account: Account, opening: Opening, until: int) -> Launch:
    context = {"encounter": opening.encounter, "intent": opening.intent}
    told = {name: text for name, text in context.items() if text is not None}
    return Launch(
        hash=token_hash(value),
        client_id=opening.client.client_id,
        user_id=account.user_id,
        patient=opening.patient,
        context=fhir_json.dumps(told).decode(),
        break_glass_id=opening.break_glass_id,
        expires=until,
    )


def _url(launch_uri: str, iss: str, value: str) -> str:
    separator = "&" if urlsplit(launch_uri).query else "?"
    return f"{launch_uri}{separator}{urlencode({'iss': iss, 'launch': value})}"
