"""A deployment of the bench's own, in a folder that is removed afterwards.

Clients, patients and consents come in through the API, so that the figures are
those of the paths that clients take.
"""

import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from conformance import fhir_json
from fhir_service.auth.bearer import Grant, authenticate
from fhir_service.auth.token_hash import token_hash
from fhir_service.bench import resources
from fhir_service.bench.payloads import user_of
from fhir_service.deployment import Deployment, now_us, open_deployment
from fhir_service.rest.message import Request, Response
from fhir_service.routes import respond
from fhir_service.settings import read_settings
from fhir_service.storage import authorizations, registrations
from fhir_service.storage.authorizations import AccessToken
from fhir_service.storage.engine import Transaction

DAY_US = 24 * 3600 * 1_000_000

FHIR_JSON = "application/fhir+json"


class BenchError(Exception):
    """The bench could not measure what it says it measures."""


@dataclass(frozen=True, kw_only=True)
class Stage:
    """An open deployment with its clients.

    Attributes:
        folder: Its data folder.
        database_url: Where its data is; empty for SQLite in the folder.
        deployment: What is open.
        administrator: Token that may write everything.
        reader: Token of an EHR whose purpose is treatment.
        gateway: Token that brings device data.
        clinic: Reference to the patients' Organization.

    """

    folder: Path
    database_url: str
    deployment: Deployment
    administrator: str
    reader: str
    gateway: str
    clinic: str

    @property
    def environment(self) -> dict[str, str]:
        """The settings as a process of its own would get them."""
        return environment_of(self.folder, self.database_url)

    def ask(self, method: str, path: str, token: str, **parts: Any) -> Response:
        """Return an answer whose audit row is durable.

        Raises:
            BenchError: for any answer but a good one.

        """
        response = respond(
            self.deployment.services, request(method, path, token, **parts)
        )
        for ticket in response.tickets:
            ticket.result()
        if not 200 <= response.status < 300:  # noqa: PLR2004 - HTTP's good answers
            raise BenchError(f"{method} {path} was answered with {response.status}.")
        return response

    def create(self, resource: resources.Resource) -> str:
        """Store a resource and return its id."""
        body = fhir_json.dumps(resource)
        path = f"/fhir/{resource['resourceType']}"
        created = self.ask("POST", path, self.administrator, body=body)
        return str(fhir_json.loads(created.body)["id"])

    def grant(self, token: str) -> Grant:
        """Return what a token allows."""
        services = self.deployment.services
        with services.database.read() as snapshot:
            return authenticate(snapshot, f"Bearer {token}", services.clock())

    def add_patients(self, count: int) -> list[str]:
        """Store patients and their consents; return the patients' ids."""
        made = []
        for number in range(count):
            made.append(self.create(resources.patient(user_of(number), self.clinic)))
            self.create(
                resources.consent(made[-1], self.clinic, bounded=bool(number % 2))
            )
        return made


def request(  # noqa: PLR0913 - a request's parts
    method: str,
    path: str,
    token: str,
    *,
    query: str = "",
    body: bytes = b"",
    content_type: str = FHIR_JSON,
) -> Request:
    """Return a request as the door would give it."""
    return Request(
        method=method,
        path=path,
        query=query,
        headers={"authorization": f"Bearer {token}", "content-type": content_type},
        body=body,
        remote="127.0.0.1",
        scheme="http",
        host="localhost:8000",
        request_id="bench",
    )


def environment_of(folder: Path, database_url: str) -> dict[str, str]:
    """Return the settings of a stage."""
    named = {"FHIR_SERVICE_DATABASE_URL": database_url} if database_url else {}
    return {"FHIR_SERVICE_DATA_DIR": str(folder), **named}


@contextmanager
def stage(
    folder: Path, database_url: str = "", *, clock: Callable[[], int] = now_us
) -> Iterator[Stage]:
    """Open an empty deployment in `folder` and register its clients."""
    settings = read_settings(environment_of(folder, database_url))
    deployment = open_deployment(settings, clock=clock)
    try:
        founder = _token(deployment, "founder", "system/Organization.c", None)
        clinic = _clinic(deployment, founder)
        yield Stage(
            folder=folder,
            database_url=database_url,
            deployment=deployment,
            administrator=_token(deployment, "administrator", "system/*.cruds", clinic),
            reader=_token(deployment, "reader", "system/*.rs", clinic),
            gateway=_token(deployment, "gateway", "system/Observation.c", clinic),
            clinic=clinic,
        )
    finally:
        deployment.database.close()


@contextmanager
def reopened(closed: Stage) -> Iterator[Stage]:
    """Open a stage again."""
    deployment = open_deployment(read_settings(closed.environment))
    try:
        yield replace(closed, deployment=deployment)
    finally:
        deployment.database.close()


def _clinic(deployment: Deployment, token: str) -> str:
    body = fhir_json.dumps(resources.organization())
    asked = request("POST", "/fhir/Organization", token, body=body)
    created = respond(deployment.services, asked)
    return f"Organization/{fhir_json.loads(created.body)['id']}"


def _token(
    deployment: Deployment, name: str, scopes: str, organization: str | None
) -> str:
    """Register a client and return a token of it that outlives the bench."""
    token, now = secrets.token_urlsafe(32), deployment.services.clock()
    client = registrations.Client(
        client_id=f"bench-{name}",
        name=name,
        kind="backend",
        jwks='{"keys":[]}',
        scopes=scopes,
        purposes=("TREAT",),
        organization=organization,
        sources=("open-mhealth", "apple-health", "zigbee2mqtt"),
        created=now,
    )

    def work(transaction: Transaction) -> None:
        registrations.add_client(transaction, client)
        authorizations.add_token(
            transaction,
            AccessToken(
                hash=token_hash(token),
                client_id=client.client_id,
                scopes=scopes,
                purposes=client.purposes,
                issued=now,
                expires=now + DAY_US,
            ),
        )

    deployment.database.write(work)
    return token
