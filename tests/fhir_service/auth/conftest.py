"""A database, a clock that stands still, an audit log to look into, and two clients."""

import hashlib
import json
import secrets
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from argon2 import PasswordHasher
from flask import Flask
from flask.testing import FlaskClient
from joserfc import jws
from joserfc.jwk import ECKey, RSAKey

from fhir_service.auth import clients, users
from fhir_service.auth.events import AuthEvent
from fhir_service.auth.passwords import Passwords
from fhir_service.auth.services import AuthServices
from fhir_service.auth_routes import auth_blueprint
from fhir_service.pages.login import pages_blueprint
from fhir_service.storage import accounts, authorizations, patients, registrations
from fhir_service.storage.body import RequestSeal
from fhir_service.storage.engine import Database, Transaction
from fhir_service.storage.keys import DataKeys, Keys

NOW_US = 1_790_000_000_000_000
PUBLIC_URL = "https://fhir.test"
TOKEN_URL = f"{PUBLIC_URL}/auth/token"
ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
TYPED = "a long enough password"
APP_SECRET = "of-the-example-portal_" + "x" * 21


@dataclass
class Clock:
    now: int = NOW_US

    def __call__(self) -> int:
        return self.now

    def pass_s(self, seconds: float) -> None:
        self.now += int(seconds * 1_000_000)


@dataclass
class AuditLog:
    """Sink and tail in one: keeps the events whose leaves reach the log."""

    pending: list[AuthEvent] = field(default_factory=list)
    events: list[AuthEvent] = field(default_factory=list)

    def leaf(self, event: AuthEvent) -> bytes:
        self.pending.append(event)
        return str(len(self.pending) - 1).encode()

    def append(self, transaction: Transaction, leaves: Sequence[bytes]) -> None:
        assert transaction.dialect in {"sqlite", "postgresql"}
        self.events += [self.pending[int(leaf)] for leaf in leaves]

    @property
    def last(self) -> tuple[str, str | None]:
        return self.events[-1].kind.value, self.events[-1].reason


@pytest.fixture
def audit() -> AuditLog:
    return AuditLog()


@pytest.fixture
def database(database_url: str, audit: AuditLog) -> Iterator[Database]:
    database = Database(database_url)
    database.tail = audit
    yield database
    database.close()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def sealed(database: Database, tmp_path: Path) -> RequestSeal:
    data_keys = DataKeys(
        Keys.load_or_create(tmp_path / "deployment-keys"), patients.data_key
    )
    database.write(
        lambda transaction: patients.create_shared(transaction, data_keys.new)
    )
    return RequestSeal(data_keys, "secret")


@pytest.fixture
def services(
    database: Database, audit: AuditLog, clock: Clock, sealed: RequestSeal
) -> AuthServices:
    return AuthServices(
        database=database,
        audit=audit,
        secrets=sealed,
        clock=clock,
        random=secrets.token_bytes,
        public_url=PUBLIC_URL,
        scopes_supported=("system/*.rs",),
        passwords=Passwords(PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)),
    )


def application(services: AuthServices) -> Flask:
    app = Flask("test")
    app.register_blueprint(auth_blueprint(services))
    app.register_blueprint(pages_blueprint(services))
    return app


@pytest.fixture
def make_app() -> Callable[[AuthServices], Flask]:
    return application


@pytest.fixture
def http(services: AuthServices) -> FlaskClient:
    return application(services).test_client()


@pytest.fixture(scope="session")
def rsa_key() -> RSAKey:
    return RSAKey.generate_key(2048, parameters={"kid": "rsa-1"})


@pytest.fixture(scope="session")
def ec_key() -> ECKey:
    return ECKey.generate_key("P-384", parameters={"kid": "ec-1"})


def jwks(*keys: RSAKey | ECKey) -> bytes:
    return json.dumps({"keys": [key.as_dict(private=False) for key in keys]}).encode()


@pytest.fixture(scope="session")
def public_jwks() -> Callable[..., bytes]:
    return jwks


@pytest.fixture
def ehr(services: AuthServices, rsa_key: RSAKey, ec_key: ECKey) -> registrations.Client:
    return clients.register(
        services,
        clients.Registration(
            client_id="ehr",
            name="Example EHR",
            jwks=jwks(rsa_key, ec_key),
            scopes=("system/Observation.rs", "system/Patient.r"),
            purposes=("TREAT",),
            organization="Organization/clinic",
            sources=("open-mhealth",),
        ),
    )


@dataclass
class Signer:
    """Makes assertions that are right but for what a test changes."""

    clock: Clock
    key: RSAKey | ECKey
    algorithm: str = "RS384"

    def claims(self, **changes: Any) -> dict[str, Any]:
        claims = {
            "iss": "ehr",
            "sub": "ehr",
            "aud": TOKEN_URL,
            "exp": self.clock.now // 1_000_000 + 300,
            "jti": secrets.token_hex(8),
        } | changes
        return {name: value for name, value in claims.items() if value is not None}

    def __call__(self, header: dict[str, Any] | None = None, **changes: Any) -> str:
        return self.signed(json.dumps(self.claims(**changes)).encode(), header)

    def signed(self, payload: bytes, header: dict[str, Any] | None = None) -> str:
        protected = {"alg": self.algorithm, "kid": self.key.kid, "typ": "JWT"}
        protected |= header or {}
        protected = {name: value for name, value in protected.items() if value}
        registry = jws.JWSRegistry(
            algorithms=list(jws.JWSRegistry.algorithms), strict_check_header=False
        )
        return jws.serialize_compact(protected, payload, self.key, registry=registry)


@pytest.fixture
def sign(clock: Clock, rsa_key: RSAKey, ehr: registrations.Client) -> Signer:
    assert ehr.client_id == "ehr"
    return Signer(clock, rsa_key)


Ask = Callable[..., Any]


def form(assertion: str, **changes: str | None) -> dict[str, str]:
    values = {
        "grant_type": "client_credentials",
        "scope": "system/Observation.rs",
        "client_assertion_type": ASSERTION_TYPE,
        "client_assertion": assertion,
    } | changes
    return {name: value for name, value in values.items() if value is not None}


@pytest.fixture
def token_form() -> Callable[..., dict[str, str]]:
    return form


@pytest.fixture
def ask(http: FlaskClient) -> Ask:
    def post(assertion: str, **changes: str | None) -> Any:
        return http.post("/auth/token", data=form(assertion, **changes))

    return post


@pytest.fixture
def practitioner(services: AuthServices) -> accounts.Account:
    return users.register(
        services,
        users.NewUser(
            username="Rowan",
            name="Example Practitioner",
            role=users.Role.PRACTITIONER,
            password=TYPED,
            reference="Practitioner/7",
            organization="Organization/clinic",
        ),
    )


@pytest.fixture
def key_folder(tmp_path: Path) -> Path:
    return tmp_path / "keys"


REDIRECT_URI = "https://app.test/callback"
CHALLENGE = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
"""Of the verifier in RFC 7636, appendix B."""


@dataclass
class Authorizer:
    """Stores what an app was authorized to do; right but for what a test changes."""

    services: AuthServices
    account: accounts.Account
    client_id: str = "portal"

    def authorize(self, **changes: Any) -> authorizations.Authorization:
        now = self.services.clock()
        values: dict[str, Any] = {
            "authorization_id": secrets.token_hex(8),
            "client_id": self.client_id,
            "user_id": self.account.user_id,
            "patient": "demo-1",
            "context": "{}",
            "scopes": "patient/*.rs launch/patient offline_access",
            "purposes": ("TREAT",),
            "session": None,
            "break_glass_id": None,
            "authenticated": now - 90_000_000,
            "created": now,
            "expires": now + 30 * 86_400_000_000,
        }
        new = authorizations.Authorization(**values | changes)
        self.services.database.write(lambda writing: authorizations.add(writing, new))
        return new

    def code(self, of: authorizations.Authorization, **changes: Any) -> str:
        code, now = secrets.token_urlsafe(32), self.services.clock()
        values: dict[str, Any] = {
            "hash": hashlib.sha256(code.encode()).digest(),
            "authorization_id": of.authorization_id,
            "redirect_uri": REDIRECT_URI,
            "code_challenge": CHALLENGE,
            "nonce": None,
            "expires": now + 60_000_000,
            "used": None,
            "forgotten": of.expires,
        }
        new = authorizations.Code(**values | changes)
        self.services.database.write(
            lambda writing: authorizations.add_code(writing, new)
        )
        return code

    def refresh_token(self, of: authorizations.Authorization, **changes: Any) -> str:
        token, now = secrets.token_urlsafe(32), self.services.clock()
        values: dict[str, Any] = {
            "hash": hashlib.sha256(token.encode()).digest(),
            "authorization_id": of.authorization_id,
            "issued": now,
            "expires": of.expires,
            "used": None,
        }
        new = authorizations.RefreshToken(**values | changes)
        self.services.database.write(
            lambda writing: authorizations.add_refresh_token(writing, new)
        )
        return token


@pytest.fixture
def register_app(services: AuthServices) -> Callable[..., registrations.Client]:
    """Register an app: a confidential one with a secret but for what a test changes."""

    def register(**changes: Any) -> registrations.Client:
        values: dict[str, Any] = {
            "client_id": "portal",
            "name": "Example Portal",
            "kind": clients.ClientKind.APP,
            "auth_method": clients.AuthMethod.SECRET,
            "secret": APP_SECRET,
            "scopes": (
                "patient/*.rs user/*.rs launch launch/patient openid fhirUser profile",
                "offline_access online_access",
            ),
            "purposes": ("TREAT",),
            "redirect_uris": (REDIRECT_URI,),
        }
        return clients.register(services, clients.Registration(**values | changes))

    return register


@pytest.fixture
def portal(register_app: Callable[..., registrations.Client]) -> registrations.Client:
    return register_app()


@pytest.fixture
def authorizer(
    services: AuthServices,
    practitioner: accounts.Account,
    portal: registrations.Client,
) -> Authorizer:
    return Authorizer(services, practitioner, portal.client_id)
