"""Apps that ask, people who answer, and a browser between them."""

import base64
import hashlib
import html
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlsplit

from flask import Flask
from flask.testing import FlaskClient

from fhir_service.auth import sessions
from fhir_service.auth.services import AuthServices
from fhir_service.auth.token_hash import new_token
from fhir_service.pages.apps import apps_blueprint
from fhir_service.pages.authorize import authorize_blueprint
from fhir_service.pages.login import pages_blueprint
from fhir_service.pages.patients import PatientChoice
from fhir_service.storage import accounts, authorizations, registrations
from fhir_service.storage.accounts import Account
from fhir_service.storage.registrations import Client

BASE = "https://fhir.test"
ISSUER = "https://fhir.test"
REDIRECT = "https://app.example/callback"
VERIFIER = "v" * 73
CHALLENGE = (
    base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest())
    .rstrip(b"=")
    .decode()
)
REGISTERED = (
    "openid fhirUser profile launch launch/patient launch/encounter offline_access "
    "online_access patient/*.cruds user/*.cruds"
)

ADA = PatientChoice(
    id="ada", name="Ada Example", born="1970-01-02", identifiers=("A1",)
)
BEN = PatientChoice(id="ben", name="Ben Example", born="2015-03-04", identifiers=())


@dataclass
class KnownPatients:
    """Whom each person may choose; what a search finds; what was looked up."""

    of_user: dict[str, list[PatientChoice]] = field(default_factory=dict)
    matches: list[PatientChoice] = field(default_factory=lambda: [ADA, BEN])
    texts: list[str] = field(default_factory=list)

    def own(self, account: Account) -> list[PatientChoice]:
        return self.of_user.get(account.user_id, [])

    def found(
        self, account: Account, client: Client, text: str, address: str | None = None
    ) -> list[PatientChoice]:
        assert account.role == "practitioner"
        assert client.kind == "app"
        assert address is not None
        self.texts.append(text)
        return self.matches

    def may_see(
        self, account: Account, client: Client, id_: str, address: str | None = None
    ) -> PatientChoice | None:
        assert client.kind == "app"
        assert address is not None
        open_to = self.matches if account.role == "practitioner" else self.own(account)
        return next((one for one in open_to if one.id == id_), None)


def person(role: str, user_id: str, **changes: Any) -> Account:
    references = {"patient": "Patient/ada", "practitioner": "Practitioner/7"}
    values = {
        "user_id": user_id,
        "username": user_id,
        "name": f"Person {user_id}",
        "role": role,
        "reference": references.get(role),
        "organization": "Organization/clinic",
        "password_hash": "",
        "created": 1,
    } | changes
    return Account(**values)


def app_client(client_id: str = "app", **changes: Any) -> Client:
    values = {
        "client_id": client_id,
        "name": f"Example {client_id}",
        "kind": "app",
        "scopes": REGISTERED,
        "purposes": ("TREAT", "PATRQT", "BTG"),
        "organization": "Organization/maker",
        "sources": (),
        "created": 1,
        "auth_method": "client_secret_basic",
        "secret_hash": b"s",
        "redirect_uris": (REDIRECT,),
    } | changes
    return Client(**values)


def flask_app(services: AuthServices, patients: KnownPatients) -> Flask:
    app = Flask("test")
    app.register_blueprint(pages_blueprint(services))
    app.register_blueprint(authorize_blueprint(services, patients))
    app.register_blueprint(apps_blueprint(services, patients))
    return app


def right(**changes: str | None) -> dict[str, str]:
    """Return the parameters of a good request but for what a test changes."""
    values: dict[str, str | None] = {
        "response_type": "code",
        "client_id": "app",
        "redirect_uri": REDIRECT,
        "scope": "launch/patient patient/Observation.rs patient/Patient.rs",
        "state": "a state",
        "aud": f"{BASE}/fhir",
        "code_challenge": CHALLENGE,
        "code_challenge_method": "S256",
    }
    values |= changes
    return {name: value for name, value in values.items() if value is not None}


@dataclass
class Asking:
    """A service with an app and people, and browsers that go to it."""

    services: AuthServices
    patients: KnownPatients
    app: Flask

    def add_client(self, client: Client) -> Client:
        self.services.database.write(
            lambda transaction: registrations.add_client(transaction, client)
        )
        return client

    def remove_client(self, client_id: str) -> None:
        now = self.services.clock()
        self.services.database.write(
            lambda transaction: registrations.remove_client(transaction, client_id, now)
        )

    def shrink_client(self, client_id: str, scopes: str) -> None:
        """Register fewer scopes for a client, as a later release may allow."""
        with self.services.database.engine.begin() as connection:
            table = registrations.client
            connection.execute(
                table.update()
                .where(table.c.client_id == client_id)
                .values(scopes=scopes)
            )

    def add_person(
        self, account: Account, own: Sequence[PatientChoice] = ()
    ) -> Account:
        self.services.database.write(
            lambda transaction: accounts.add_account(transaction, account)
        )
        self.patients.of_user[account.user_id] = list(own)
        return account

    def browser(self, account: Account | None = None) -> "Browser":
        browser = Browser(self, self.app.test_client())
        if account is not None:
            browser.log_in(account)
        return browser

    def granted(self, account: Account) -> list[authorizations.Authorization]:
        with self.services.database.read() as snapshot:
            return authorizations.of_user(snapshot, account.user_id)


@dataclass
class Browser:
    """A browser with its cookies."""

    asking: Asking
    http: FlaskClient

    def log_in(self, account: Account) -> str:
        services, secret = self.asking.services, new_token(self.asking.services.random)
        services.database.write(
            lambda transaction: sessions.open_session(
                services, transaction, account, secret, services.clock()
            )
        )
        prefix = "" if services.plain_cookies else "__Host-"
        self.http.set_cookie(
            f"{prefix}fhir-session",
            secret,
            domain=urlsplit(self.base).hostname or "",
            secure=not services.plain_cookies,
        )
        return secret

    @property
    def base(self) -> str:
        """Where the service is reached."""
        return self.asking.services.public_url

    def get(self, path: str, **options: Any) -> Any:
        return self.http.get(path, base_url=self.base, **options)

    def ask(self, **changes: str | None) -> Any:
        """Send a request by GET; return the first answer."""
        asked = {"aud": self.asking.services.fhir_url} | changes
        return self.get("/auth/authorize", query_string=right(**asked))

    def page(self, **changes: str | None) -> Any:
        """Send a request and go where the answer leads; return the page."""
        answer = self.ask(**changes)
        assert answer.status_code == 303, answer.text
        return self.get(answer.headers["Location"])

    def submit(self, page: Any, decision: str, **changes: Any) -> Any:
        """Send the form of a page as it is, but for what a test changes."""
        data = fields(page) | {"decision": decision} | changes
        return self.http.post(page.request.full_path, data=data, base_url=self.base)

    def submit_to(self, page: Any, path: str, **changes: Any) -> Any:
        """Send the fields of a page to a path, but for what a test changes."""
        return self.http.post(path, data=fields(page) | changes, base_url=self.base)


def fields(page: Any) -> dict[str, list[str]]:
    """Return what the forms of a page send while nobody touches them."""
    found: dict[str, list[str]] = {}
    for tag in re.findall(r"<input ([^>]*)>", page.text):
        read = dict(re.findall(r'(\w+)="([^"]*)"', tag))
        is_sent = read.get("type") == "hidden" or tag.endswith(" checked")
        if is_sent and html.unescape(read["value"]) not in found.get(read["name"], []):
            found.setdefault(read["name"], []).append(html.unescape(read["value"]))
    return found


def values_of(page: Any, name: str) -> list[str]:
    """Return the values that the boxes of a name stand for."""
    pattern = rf'<input type="checkbox" name="{name}" value="([^"]*)"'
    return [html.unescape(value) for value in re.findall(pattern, page.text)]


def sent(answer: Any, to: str = REDIRECT) -> dict[str, str]:
    """Return what an answer tells the app at its redirect URI."""
    assert answer.status_code == 303, answer.text
    where = urlsplit(answer.headers["Location"])
    assert answer.headers["Location"].startswith(f"{to}?")
    told = parse_qs(where.query, keep_blank_values=True)
    assert all(len(values) == 1 for values in told.values())
    return dict(parse_qsl(where.query, keep_blank_values=True))
