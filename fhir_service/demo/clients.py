"""The example clients: who they are, and their keys on disk.

A client that is registered keeps its key; one whose key file was lost gets new keys.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from conformance import fhir_json
from fhir_service.auth import clients, keys
from fhir_service.auth.events import AuthEvent, AuthEventKind
from fhir_service.auth.registration import AuthMethod, ClientKind, Registration
from fhir_service.auth.services import AuthServices
from fhir_service.auth.token_hash import new_token, token_hash, token_id
from fhir_service.demo.example_app import origin_of
from fhir_service.demo.progress import write_private
from fhir_service.ingest.cohort_resources import CLINIC
from fhir_service.storage import authorizations, registrations
from fhir_service.storage.authorizations import AccessToken
from fhir_service.storage.engine import Transaction

EHR = "demo-ehr"
PRACTICE = "demo-practice"
GATEWAY = "demo-gateway"
APP = "demo-app"

KEY_FILE = "private.jwk.json"
KEY_ID_BYTES = 8


@dataclass(frozen=True, kw_only=True, slots=True)
class Example:
    """A client of the demonstration.

    Attributes:
        client_id: Its id.
        name: Its name for people.
        scopes: What it may touch.
        purposes: What for.
        sources: Device sources that it may speak for.
        algorithm: Of its key.

    """

    client_id: str
    name: str
    scopes: tuple[str, ...]
    purposes: tuple[str, ...]
    sources: tuple[str, ...] = ()
    algorithm: str = "ES384"


EXAMPLES = (
    Example(
        client_id=EHR,
        name="Example EHR",
        scopes=("system/*.rs",),
        purposes=("TREAT",),
    ),
    Example(
        client_id=PRACTICE,
        name="Example practice management",
        scopes=(
            "system/Consent.crus",
            "system/Patient.crus",
            "system/Practitioner.rs",
            "system/Organization.rs",
            "system/Location.rs",
        ),
        purposes=("HOPERAT",),
        algorithm="RS384",
    ),
    Example(
        client_id=GATEWAY,
        name="Example device gateway",
        scopes=("system/Observation.c",),
        purposes=("TREAT",),
        sources=("open-mhealth", "zigbee2mqtt"),
    ),
)
"""The clients of the demonstration."""


def key_path(folder: Path, client_id: str) -> Path:
    """Return where a client's private key is."""
    return folder / "clients" / client_id / KEY_FILE


APP_SCOPES = (
    "openid",
    "fhirUser",
    "launch",
    "launch/patient",
    "offline_access",
    "patient/*.rs",
    "user/*.rs",
)
"""What the example app may ask a person for."""

APP_PURPOSES = ("TREAT", "PATRQT", "BTG")


def register(services: AuthServices, folder: Path) -> None:
    """Register every example that is missing, with a key on disk for each."""
    for example in EXAMPLES:
        _register(services, example, key_path(folder, example.client_id))
    _register_app(services)


def _register_app(services: AuthServices) -> None:
    """Register the app, which is public, where there is a place for it."""
    try:
        origin = origin_of(services.public_url)
    except ValueError:
        return
    with services.database.read() as snapshot:
        if registrations.find_client(snapshot, APP) is not None:
            return
    clients.register(
        services,
        Registration(
            client_id=APP,
            name="Example SMART app",
            kind=ClientKind.APP,
            auth_method=AuthMethod.NONE,
            scopes=APP_SCOPES,
            purposes=APP_PURPOSES,
            redirect_uris=(f"{origin}/",),
            launch_uri=f"{origin}/",
            origins=(origin,),
        ),
    )


def _register(services: AuthServices, example: Example, path: Path) -> None:
    with services.database.read() as snapshot:
        known = registrations.find_client(snapshot, example.client_id)
    if known is not None and path.exists():
        return
    public = _public(services, example, path)
    if known is not None:
        clients.rotate(services, example.client_id, public)
        return
    clients.register(
        services,
        Registration(
            client_id=example.client_id,
            name=example.name,
            jwks=public,
            scopes=example.scopes,
            purposes=example.purposes,
            organization=f"Organization/{CLINIC}",
            sources=example.sources,
        ),
    )


def _public(services: AuthServices, example: Example, path: Path) -> bytes:
    """Return the public part of the key on disk, which is made where it is missing."""
    if not path.exists():
        pair = keys.generate(example.algorithm, services.random(KEY_ID_BYTES).hex())
        write_private(path, pair.private)
        return pair.public
    private = fhir_json.loads_object(path.read_bytes())
    public = {name: private[name] for name in private if name not in _PRIVATE}
    return fhir_json.dumps({"keys": [public]})


_PRIVATE = frozenset({"d", "p", "q", "dp", "dq", "qi"})
"""Members of a JWK that are secret (RFC 7518 §6)."""

TOKEN_LIFETIME_S = 12 * 3600
"""Seconds for which the token in the printed command is good: a day's work."""


def issue_token(services: AuthServices, client_id: str) -> str:
    """Return a token for the command to paste, which outlives an ordinary one.

    Stored and audited like any other.
    """
    now, token = services.clock(), new_token(services.random)

    def work(transaction: Transaction) -> str:
        client = registrations.find_client(transaction, client_id)
        if client is None:
            raise LookupError("the example client is not registered")
        authorizations.add_token(
            transaction,
            AccessToken(
                hash=token_hash(token),
                client_id=client_id,
                scopes=client.scopes,
                purposes=client.purposes,
                issued=now,
                expires=now + TOKEN_LIFETIME_S * 1_000_000,
            ),
        )
        event = AuthEvent(
            kind=AuthEventKind.TOKEN_GRANTED,
            at=now,
            client_id=client_id,
            proven=True,
            token_id=token_id(token_hash(token)),
            scopes=client.scopes,
            purposes=client.purposes,
        )
        transaction.audit(services.audit.leaf(event))
        return token

    return services.database.write(work)


def paths(folder: Path) -> Iterator[tuple[Example, Path]]:
    """Yield each example with the file of its private key."""
    for example in EXAMPLES:
        yield example, key_path(folder, example.client_id)
