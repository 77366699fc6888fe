"""People in a world: who they are, and their browsers."""

import html
import re
from dataclasses import dataclass, field, replace
from typing import Any

from argon2 import PasswordHasher
from flask.testing import FlaskClient
from werkzeug.test import TestResponse
from worlds import Json, World, consent, permit

from fhir_service.app import create_app
from fhir_service.auth import users
from fhir_service.auth.passwords import Passwords
from fhir_service.auth.users import NewUser, Role
from fhir_service.metrics import Metrics
from fhir_service.storage import registrations
from fhir_service.storage.accounts import Account
from fhir_service.storage.registrations import Client

PASSWORD = "a long enough password"  # noqa: S105 - of nobody
APP_URI = "https://app.example/launch"


def with_quick_passwords(world: World) -> World:
    """Let a hash cost nothing; what it costs is another test's matter."""
    hasher = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
    auth = replace(world.deployment.auth, passwords=Passwords(hasher))
    world.deployment = replace(world.deployment, auth=auth)
    return world


def enrol(world: World, username: str, role: Role, **more: Any) -> Account:
    return users.register(
        world.deployment.auth,
        NewUser(
            username=username,
            name=f"Example {username.title()}",
            role=role,
            password=PASSWORD,
            **more,
        ),
    )


def app(world: World, client_id: str = "app", **more: Any) -> Client:
    """Register an app that an EHR launch can open."""
    values: dict[str, Any] = {
        "name": f"Example {client_id.title()}",
        "kind": "app",
        "auth_method": "none",
        "scopes": "launch openid fhirUser patient/*.rs user/*.rs",
        "purposes": ("TREAT",),
        "organization": None,
        "sources": (),
        "redirect_uris": ("https://app.example/back",),
        "launch_uri": APP_URI,
        "created": world.clock(),
    }
    client = Client(client_id=client_id, **values | more)
    world.deployment.database.write(
        lambda transaction: registrations.add_client(transaction, client)
    )
    return client


def named(family: str, organization: str, **more: Any) -> Json:
    """Return a Patient with a name."""
    return {
        "resourceType": "Patient",
        "active": True,
        "name": [{"family": family, "given": ["Example"]}],
        "managingOrganization": {"reference": organization},
        **more,
    }


def open_record(patient_id: str) -> Json:
    """Return a Consent that lets everybody who treats see everything."""
    return consent(patient_id, permit())


def form_token(page: TestResponse) -> str:
    found = re.search(r'name="form_token" value="([^"]*)"', page.text)
    assert found is not None, page.text
    return found[1]


def text_of(page: TestResponse) -> str:
    """Return what a person reads on a page."""
    shown = re.sub(r"<[^>]*>", " ", page.text)
    return " ".join(html.unescape(shown).split())


@dataclass
class Browser:
    """The browser of one person: it remembers the last form that it was given."""

    world: World
    address: str = "192.0.2.1"
    language: str = "en"
    page: Any = None
    http: FlaskClient = field(init=False)

    def __post_init__(self) -> None:
        self.http = create_app(self.world.deployment, Metrics(sources=())).test_client()

    def get(self, path: str) -> TestResponse:
        return self._shown(self.http.get(path, **self._more()))

    def post(self, path: str, **fields: str) -> TestResponse:
        """Send a form, with the token of the last page unless one is given."""
        data = dict(fields)
        if "form_token" not in data:
            data["form_token"] = form_token(self.page)
        return self._shown(self.http.post(path, data=data, **self._more()))

    def log_in(self, username: str, password: str = PASSWORD) -> TestResponse:
        self.get("/login")
        answer = self.post("/login", username=username, password=password)
        return self.get(answer.headers["Location"])

    def _more(self) -> dict[str, Any]:
        return {
            "environ_base": {"REMOTE_ADDR": self.address},
            "headers": {"Accept-Language": self.language},
        }

    def _shown(self, answer: TestResponse) -> TestResponse:
        if answer.status_code != 303:
            self.page = answer
        return answer


def entered(world: World, username: str, **more: Any) -> Browser:
    """Return the browser of somebody who has logged in."""
    browser = Browser(world, **more)
    browser.log_in(username)
    return browser
