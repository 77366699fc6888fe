"""A whole service for a test: keys, database, clock, clients, asked through Flask.

Two worlds made with the same steps give the same bytes: the clock stands still and
the ids come from a seeded generator.
"""

import json
import re
import shutil
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

from werkzeug.test import TestResponse

from consent.audit import entry, verification
from consent.audit.entry import AuditRecord
from consent.audit.merkle import TreeHead
from fhir_service import audit_trail
from fhir_service.app import create_app
from fhir_service.auth.token_hash import token_hash
from fhir_service.deployment import Deployment, open_deployment
from fhir_service.metrics import Metrics
from fhir_service.settings import read_settings
from fhir_service.storage import accounts, audit_log, authorizations, registrations
from fhir_service.storage.authorizations import AccessToken
from mappings.vendors.table import VENDORS

START = datetime(2026, 11, 20, 12, tzinfo=UTC)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
HOUR_US = 3_600_000_000

ACT_REASON = "http://terminology.hl7.org/CodeSystem/v3-ActReason"
ACTION = "http://terminology.hl7.org/CodeSystem/consentaction"
RESOURCE_TYPES = "http://hl7.org/fhir/resource-types"
LOINC = "http://loinc.org"
HEART_RATE, RESTING, STEPS, SPO2 = "8867-4", "40443-4", "55423-8", "59408-5"

APP_USER = VENDORS["open-mhealth"].system
"""Identifier system under which a Patient has the name that a payload gives."""

Json = dict[str, Any]
Headers = Mapping[str, str]


@dataclass
class Clock:
    us: int = (START - EPOCH) // timedelta(microseconds=1)

    def __call__(self) -> int:
        return self.us

    def pass_s(self, seconds: float) -> None:
        self.us += int(seconds * 1_000_000)

    def go(self, to: datetime) -> None:
        self.us = (to - EPOCH) // timedelta(microseconds=1)


def settings_of(data: Path, database_url: str | None = None, **more: str) -> Any:
    environment = {"FHIR_SERVICE_DATA_DIR": str(data), **more}
    if database_url is not None:
        environment["FHIR_SERVICE_DATABASE_URL"] = database_url
    return read_settings(environment)


def make_template(folder: Path) -> Path:
    """Return a data folder with keys and an empty, current SQLite database."""
    data = folder / "template"
    open_deployment(settings_of(data)).database.close()
    return data


@contextmanager
def opened_world(
    folder: Path, template: Path, *, name: str = "data", database_url: str | None = None
) -> Iterator["World"]:
    """Yield a world of its own on a copy of the template, or on another database."""
    data = folder / name
    shutil.copytree(template, data)
    with reopened_world(data, database_url) as world:
        yield world


@contextmanager
def reopened_world(data: Path, database_url: str | None = None) -> Iterator["World"]:
    """Yield the world whose data folder this is; another process would see the same."""
    clock = Clock()
    deployment = open_deployment(
        settings_of(data, database_url),
        clock=clock,
        random=Random(7),  # noqa: S311 - the same ids in each world
    )
    try:
        yield World(data=data, deployment=deployment, clock=clock)
    finally:
        deployment.database.close()


@dataclass
class World:
    data: Path
    deployment: Deployment
    clock: Clock
    _http: Any = field(default=None)

    @property
    def http(self) -> Any:
        if self._http is None:
            application = create_app(self.deployment, Metrics(sources=()))
            self._http = application.test_client()
        return self._http

    def client(
        self,
        client_id: str,
        scopes: str,
        *,
        organization: str | None = None,
        sources: Iterable[str] = (),
        purposes: tuple[str, ...] = ("TREAT",),
    ) -> Headers:
        """Register a client; return the headers of a request with its token."""
        now = self.clock()
        token = f"token-of-{client_id}"
        client = registrations.Client(
            client_id=client_id,
            name=client_id,
            kind="backend",
            jwks='{"keys":[]}',
            scopes=scopes,
            purposes=purposes,
            organization=organization,
            sources=tuple(sources),
            created=now,
        )

        def work(transaction: Any) -> None:
            registrations.add_client(transaction, client)
            authorizations.add_token(
                transaction,
                AccessToken(
                    hash=token_hash(token),
                    client_id=client_id,
                    scopes=scopes,
                    purposes=purposes,
                    issued=now,
                    expires=now + 10_000 * HOUR_US,
                ),
            )

        self.deployment.database.write(work)
        return {"Authorization": f"Bearer {token}"}

    def person(  # noqa: PLR0913 - what one login and one authorization are made of
        self,
        name: str,
        scopes: str,
        *,
        role: str = "practitioner",
        reference: str | None = None,
        organization: str | None = None,
        patient: str | None = None,
        purposes: tuple[str, ...] = ("TREAT",),
        behind: str | None = None,
        is_attested: bool = False,
    ) -> Headers:
        """Add a person who let an app act; return the headers of its requests."""
        now, token, app = self.clock(), f"token-of-{name}", f"app-of-{name}"
        client = registrations.Client(
            client_id=app,
            name=app,
            kind="app",
            auth_method="none",
            scopes=scopes,
            purposes=purposes,
            organization=behind,
            sources=(),
            created=now,
        )
        account = accounts.Account(
            user_id=name,
            username=name,
            name=name,
            role=role,
            reference=reference,
            organization=organization,
            password_hash="",
            created=now,
        )

        def work(transaction: Any) -> None:
            registrations.add_client(transaction, client)
            accounts.add_account(transaction, account)
            authorizations.add_token(
                transaction,
                AccessToken(
                    hash=token_hash(token),
                    client_id=app,
                    scopes=scopes,
                    purposes=purposes,
                    issued=now,
                    expires=now + 10_000 * HOUR_US,
                    user_id=name,
                    patient=patient,
                    is_attested=is_attested,
                ),
            )

        self.deployment.database.write(work)
        return {"Authorization": f"Bearer {token}"}

    def get(self, path: str, headers: Headers, **more: str) -> TestResponse:
        return self.http.get(path, headers={**headers, **more})

    def send(
        self,
        method: str,
        path: str,
        body: Any,
        headers: Headers,
        content_type: str = "application/fhir+json",
    ) -> TestResponse:
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        return self.http.open(
            path,
            method=method,
            data=data,
            headers={"Content-Type": content_type, **headers},
        )

    def create(self, resource: Json, headers: Headers) -> Json:
        path = f"/fhir/{resource['resourceType']}"
        answer = self.send("POST", path, resource, headers)
        assert answer.status_code == 201, answer.get_data(as_text=True)
        return answer.json

    def update(self, resource: Json, headers: Headers) -> Json:
        path = f"/fhir/{resource['resourceType']}/{resource['id']}"
        answer = self.send("PUT", path, resource, headers)
        assert answer.status_code == 200, answer.get_data(as_text=True)
        return answer.json

    def deliver(
        self, source: str, payload: Any, headers: Headers, query: str = ""
    ) -> Json:
        answer = self.send(
            "POST",
            f"/device-data/{source}{query}",
            payload,
            headers,
            "application/json",
        )
        assert answer.status_code == 200, answer.get_data(as_text=True)
        receipt = answer.json
        fates = (
            *("stored", "duplicate", "amended"),
            *("withheld", "quarantined", "deleted"),
        )
        assert receipt["received"] == receipt["outOfScope"] + sum(
            receipt[fate] for fate in fates
        )
        return receipt

    def audited(self) -> list[AuditRecord]:
        """Return the audit log, from its first row."""
        with self.deployment.database.read() as snapshot:
            unseal = self.deployment.services.seal.unsealer(snapshot)
            return [
                entry.decode(leaf, unseal=unseal)
                for _, leaf, _ in audit_log.entries(snapshot)
            ]

    def verified(self) -> verification.Report:
        """Return what `audit verify` finds."""
        deployment = self.deployment
        with deployment.database.read() as snapshot:
            head = audit_log.head(snapshot)
            assert head is not None
            return verification.verify(
                audit_log.entries(snapshot),
                head=TreeHead(head.frontier.size, head.frontier.root()),
                checkpoints=[
                    *audit_trail.checkpoints_in(deployment.checkpoints),
                    head.note.encode(),
                ],
                origin=audit_trail.origin_of(deployment.keys),
                public_key=deployment.keys.audit_signing.public_key(),
            )


def patient(organization: str | None = None, value: str | None = None) -> Json:
    resource: Json = {"resourceType": "Patient", "active": True}
    if value is not None:
        resource["identifier"] = [{"system": APP_USER, "value": value}]
    if organization is not None:
        resource["managingOrganization"] = {"reference": organization}
    return resource


def consent(patient_id: str, provision: Json, **more: Any) -> Json:
    return {
        "resourceType": "Consent",
        "status": "active",
        "scope": {
            "coding": [
                {
                    "system": "http://terminology.hl7.org/CodeSystem/consentscope",
                    "code": "patient-privacy",
                }
            ]
        },
        "category": [{"coding": [{"system": LOINC, "code": "59284-0"}]}],
        "patient": {"reference": f"Patient/{patient_id}"},
        "dateTime": "2026-01-01",
        "policy": [{"uri": "https://clinic.example/policy"}],
        "provision": provision,
        **more,
    }


def permit(**more: Any) -> Json:
    return {"type": "permit", **more}


def actions(*codes: str) -> list[Json]:
    return [{"coding": [{"system": ACTION, "code": code}]} for code in codes]


def purposes(*codes: str) -> list[Json]:
    return [{"system": ACT_REASON, "code": code} for code in codes]


def codes(*values: str, system: str = LOINC) -> list[Json]:
    return [{"coding": [{"system": system, "code": value}]} for value in values]


def classes(*types: str) -> list[Json]:
    return [{"system": RESOURCE_TYPES, "code": type_} for type_ in types]


def actor(reference: str) -> list[Json]:
    return [
        {
            "role": {
                "coding": [
                    {
                        "system": (
                            "http://terminology.hl7.org/CodeSystem/v3-ParticipationType"
                        ),
                        "code": "IRCP",
                    }
                ]
            },
            "reference": {"reference": reference},
        }
    ]


def observation(patient_id: str, code: str = RESTING, **more: Any) -> Json:
    """Return an Observation that a practice-management system authors: no device."""
    value = {} if "valueCodeableConcept" in more else {"valueInteger": 1}
    return {
        "resourceType": "Observation",
        "status": "final",
        "code": {"coding": [{"system": LOINC, "code": code}]},
        "subject": {"reference": f"Patient/{patient_id}"},
        **value,
        **more,
    }


def point(name: str, body: Json, user: str, number: object) -> Json:
    """Return an Open mHealth data point."""
    return {
        "header": {
            "id": f"{name}-{number}",
            "creation_date_time": "2026-11-19T00:00:00Z",
            "schema_id": {"namespace": "omh", "name": name, "version": "2.0"},
            "user_id": user,
        },
        "body": body,
    }


def heart_rate(number: int, user: str, *, value: Any = 60, at: str = "") -> Json:
    moment = at or f"2026-11-{1 + number % 18:02d}T{number // 18 % 24:02d}:00:00+01:00"
    body = {
        "heart_rate": {"value": value, "unit": "beats/min"},
        "effective_time_frame": {"date_time": moment},
    }
    return point("heart-rate", body, user, number)


def steps(number: int, user: str, *, value: Any = 900, day: int | None = None) -> Json:
    on = f"2026-11-{day or 1 + number % 18:02d}"
    body = {
        "step_count": {"value": value, "unit": "steps"},
        "effective_time_frame": {
            "time_interval": {
                "start_date_time": f"{on}T08:00:00+01:00",
                "end_date_time": f"{on}T09:00:00+01:00",
            }
        },
    }
    return point("step-count", body, user, number)


@dataclass(frozen=True, kw_only=True)
class Clinic:
    """A world with an organisation, one patient and the three usual clients."""

    world: World
    organization: str
    patient: str
    admin: Headers
    ehr: Headers
    gateway: Headers

    def consented(self, *, patient_id: str | None = None, **more: Any) -> Json:
        """Store a Consent that permits the organisation everything, for treatment."""
        provision = permit(actor=actor(self.organization), purpose=purposes("TREAT"))
        resource = consent(patient_id or self.patient, {**provision, **more})
        return self.world.create(resource, self.admin)

    def another_patient(self, value: str | None = None) -> str:
        made = self.world.create(patient(self.organization, value), self.admin)
        return str(made["id"])

    def deliver(self, *points: Json, source: str = "open-mhealth") -> Json:
        return self.world.deliver(source, list(points), self.gateway)

    def search(self, query: str, headers: Headers | None = None) -> Json:
        answer = self.world.get(f"/fhir/{query}", headers or self.ehr)
        assert answer.status_code == 200, answer.get_data(as_text=True)
        return answer.json

    def found(self, query: str, headers: Headers | None = None) -> list[Json]:
        """Return the resources on the first page."""
        entries = self.search(query, headers).get("entry", [])
        return [one["resource"] for one in entries if one["search"]["mode"] == "match"]

    def all_found(self, query: str, headers: Headers | None = None) -> list[Json]:
        """Return the resources on every page."""
        bundle = self.search(query, headers)
        found = list(matches(bundle))
        while following := link(bundle, "next"):
            bundle = self.search(following.partition("/fhir/")[2], headers)
            found += matches(bundle)
        return found


def matches(bundle: Json) -> Iterator[Json]:
    for one in bundle.get("entry", ()):
        if one["search"]["mode"] == "match":
            yield one["resource"]


def link(bundle: Json, relation: str) -> str | None:
    urls = [one["url"] for one in bundle["link"] if one["relation"] == relation]
    return urls[0] if urls else None


def furnish(world: World) -> Clinic:
    """Return the world with an organisation, a patient and clients."""
    founder = world.client("founder", "system/Organization.c")
    made = world.create({"resourceType": "Organization", "name": "Clinic"}, founder)
    organization = f"Organization/{made['id']}"
    admin = world.client("admin", "system/*.cruds", organization=organization)
    person = world.create(patient(organization, "user-1"), admin)
    return Clinic(
        world=world,
        organization=organization,
        patient=person["id"],
        admin=admin,
        ehr=world.client("ehr", "system/*.rs", organization=organization),
        gateway=world.client(
            "gateway",
            "system/Observation.c",
            organization=organization,
            sources=("open-mhealth", "zigbee2mqtt"),
        ),
    )


_CHANGING = (
    re.compile(rb'"id":"[0-9a-f]{16}"'),  # an OperationOutcome: the request's
    re.compile(rb"_page=[A-Za-z0-9_-]+"),  # sealed anew each time
)


def same_for(answer: TestResponse) -> tuple[int, list[tuple[str, str]], bytes]:
    """Return what a client sees, without what differs from request to request."""
    body = answer.get_data()
    for pattern in _CHANGING:
        body = pattern.sub(b"-", body)
    headers = [
        (name, value) for name, value in answer.headers if name != "Content-Length"
    ]
    return answer.status_code, headers, body
