"""One served clinic with its apps and its people for all of these tests."""

import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "fhir_service"))
sys.path.insert(0, str(Path(__file__).parent))

from deployed import deployed
from smart_app import App, private_key
from smart_flow import STANDALONE, Tokens, tokens
from smart_launch import launch
from smart_person import PASSWORD, Person
from smart_seed import Clinic, seed
from smart_service import SmartService

REDIRECT = "https://app.example/callback"
LAUNCH_URI = "https://app.example/launch"
ORIGIN = "https://app.example"

WORDS = "openid fhirUser profile launch launch/patient launch/encounter"
LASTING = "offline_access online_access"
EVERYTHING = f"{WORDS} {LASTING} introspect patient/*.cruds user/*.cruds"

APPS: dict[str, tuple[str, ...]] = {
    "public-app": ("--auth", "none"),
    "secret-app": ("--auth", "secret"),
    "key-app": ("--auth", "key", "--algorithm", "ES384"),
    "rsa-app": ("--auth", "key", "--algorithm", "RS384"),
    "other-app": ("--auth", "secret"),
    "old-app": ("--auth", "secret", "--without-pkce"),
}
"""The apps, and how each proves who it is."""


@dataclass(frozen=True, kw_only=True)
class Apps:
    """The apps of the clinic, by their id."""

    made: dict[str, App]

    def __getitem__(self, client_id: str) -> App:
        return self.made[client_id]


@pytest.fixture(scope="session")
def clinic(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Clinic]:
    """Yield what is stored on a served instance."""
    with deployed(tmp_path_factory.mktemp("smart")) as process:
        yield seed(SmartService(deployed=process))


@pytest.fixture(scope="session")
def service(clinic: Clinic) -> SmartService:
    return clinic.service


@pytest.fixture(scope="session")
def add_app(clinic: Clinic) -> Callable[..., App]:
    """Return what registers an app, through the command line."""

    def add(
        client_id: str,
        *words: str,
        scope: str = EVERYTHING,
        redirect_uri: str = REDIRECT,
        launch_uri: str = LAUNCH_URI,
    ) -> App:
        service = clinic.service
        keys = ("--key-dir", str(service.deployed.keys)) if "key" in words else ()
        told = service.add_client(
            client_id,
            scope,
            *("--kind", "app", "--redirect-uri", redirect_uri),
            *("--launch-uri", launch_uri, "--organization", clinic.organization),
            *("--purpose", "TREAT", "--purpose", "PATRQT"),
            *keys,
            *words,
        )
        return App(
            service=service,
            client_id=told["client_id"],
            redirect_uri=redirect_uri,
            secret=told.get("secret"),
            key=private_key(told) if "private_key" in told else None,
        )

    return add


@pytest.fixture(scope="session")
def apps(add_app: Callable[..., App]) -> Apps:
    """Return an app of each way to prove itself."""
    return Apps(made={name: add_app(name, *words) for name, words in APPS.items()})


@pytest.fixture(scope="session")
def add_person(clinic: Clinic) -> Callable[..., Person]:
    """Return what adds somebody who may log in, through the command line."""

    def add(username: str, role: str, reference: str | None = None) -> Person:
        own = () if reference is None else ("--reference", reference)
        clinic.service.add_user(
            username,
            PASSWORD,
            *("--role", role, "--organization", clinic.organization, *own),
        )
        return Person(service=clinic.service, username=username, password=PASSWORD)

    return add


@pytest.fixture(scope="session")
def patient(clinic: Clinic, add_person: Callable[..., Person]) -> Person:
    """Return the first patient, logged in."""
    return add_person("first", "patient", f"Patient/{clinic.patient}").log_in()


@pytest.fixture(scope="session")
def practitioner(clinic: Clinic, add_person: Callable[..., Person]) -> Person:
    """Return who treats both patients, logged in."""
    reference = f"Practitioner/{clinic.practitioner}"
    return add_person("doctor", "practitioner", reference).log_in()


@pytest.fixture(scope="session")
def related(clinic: Clinic, add_person: Callable[..., Person]) -> Person:
    """Return who stands for the first patient, logged in."""
    reference = f"RelatedPerson/{clinic.related}"
    return add_person("guardian", "related-person", reference).log_in()


@pytest.fixture(scope="module")
def standalone(patient: Person, apps: Apps) -> Tokens:
    """Return the token response of a patient's standalone launch; nobody ends it.

    Of each module its own: an access token lives five minutes, all of these tests
    may take longer.
    """
    return tokens(patient, apps["secret-app"], STANDALONE)


@pytest.fixture(scope="module")
def launched(practitioner: Person, apps: Apps, clinic: Clinic) -> Tokens:
    """Return the token response of an EHR launch for an encounter; nobody ends it."""
    app = apps["secret-app"]
    opened = launch(
        practitioner,
        app,
        clinic.patient,
        encounter=clinic.encounters[0],
        intent="summary-timeline-view",
    )
    asked = "launch launch/encounter openid fhirUser offline_access patient/*.rs"
    value = opened.parameters["launch"]
    return tokens(practitioner, app, f"{asked} user/*.rs", launch=value)
