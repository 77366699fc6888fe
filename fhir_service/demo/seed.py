"""Fill an empty store with the cohort, through the doors that real data takes.

Resources are created by the interaction, with its validation, consent and audit;
payloads come through the device door and the import of files. Whatever was stored by
a run that was killed is known again and left as it is.
"""

import os
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date
from itertools import islice
from pathlib import Path
from typing import Any

from conformance import fhir_json
from conformance.issues import FHIRError, IssueType
from consent.audit.entry import Interaction
from fhir_service.auth import local
from fhir_service.auth.bearer import Grant
from fhir_service.demo import progress as file
from fhir_service.demo.clients import GATEWAY
from fhir_service.demo.progress import Seeded
from fhir_service.deployment import Deployment
from fhir_service.exchange import Exchange, Handler, answer
from fhir_service.ingest import cohort, door
from fhir_service.ingest.cohort import PEOPLE, Payload, Person
from fhir_service.ingest.cohort_days import DAYS
from fhir_service.ingest.cohort_resources import CLINIC, resources
from fhir_service.ingest.files import import_file
from fhir_service.interactions import create
from fhir_service.interactions.membership import GUARDED
from fhir_service.rest.message import Request
from fhir_service.storage import patients
from fhir_service.storage.tables import SHARED

Progress = Callable[[float], None]
"""Told how many patient-days of data have been taken more."""

ORGANIZATION = f"Organization/{CLINIC}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Size:
    """How much of the cohort there shall be.

    Attributes:
        people: Whose data.
        days: How many days, the last one yesterday.

    """

    people: tuple[Person, ...] = PEOPLE
    days: int = DAYS

    @property
    def patient_days(self) -> int:
        """How many patient-days `seed` tells its progress in."""
        return cohort.patient_days(self.people, self.days)


def begin(deployment: Deployment, folder: Path, yesterday: date) -> Seeded:
    """Return how far seeding is; begin it where the store is empty.

    Raises:
        FHIRError: `business-rule` where the store holds what no demonstration of
            this data folder has put there.

    """
    known = file.read(folder)
    is_ours = _exists(deployment, "Organization", CLINIC)
    if known is not None and is_ours:
        return known
    with deployment.database.read() as snapshot:
        is_empty = not patients.after(snapshot, SHARED, 1)
    if is_ours or not is_empty:
        raise FHIRError(
            IssueType.BUSINESS_RULE,
            "The database holds patients that this demonstration did not make; "
            "give it a data folder of its own: FHIR_SERVICE_DATA_DIR.",
        )
    begun = Seeded(last_day=yesterday)
    file.write(folder, begun)
    return begun


def create_resources(deployment: Deployment, seeded: Seeded, size: Size) -> None:
    """Create what the cohort's data needs: organisation, people, consents, sensors.

    Raises:
        FHIRError: where a resource is refused.

    """
    for resource in resources(seeded.last_day, size.people):
        type_ = resource["resourceType"]
        # No organisation says of itself who it is and who works there.
        by = None if type_ in GUARDED else ORGANIZATION
        if not _exists(deployment, type_, resource["id"]):
            _create(deployment, local.operator(by), resource)


def _exists(deployment: Deployment, type_: str, id_: str) -> bool:
    with deployment.database.read() as snapshot:
        return deployment.services.repository.read(snapshot, type_, id_) is not None


def _create(deployment: Deployment, grant: Grant, resource: dict[str, Any]) -> None:
    type_, id_ = resource["resourceType"], resource["id"]

    _send(
        deployment,
        grant,
        f"/fhir/{type_}",
        fhir_json.dumps(resource),
        Interaction.CREATE,
        lambda exchange: create.create(exchange, type_, id_=id_),
    )


def _send(  # noqa: PLR0913, PLR0917 - what one request consists of
    deployment: Deployment,
    grant: Grant,
    path: str,
    body: bytes,
    interaction: Interaction,
    handler: Handler,
) -> None:
    """Answer a request that never was on a wire, and await its audit row.

    Raises:
        FHIRError: `processing`, with what the answer says, where it is a refusal.

    """
    services = deployment.services
    request = Request(
        method="POST",
        path=path,
        query="",
        headers={"content-type": "application/json"},
        body=body,
        remote="",
        scheme="http",
        host="localhost",
        request_id="demonstration",
    )
    exchange = Exchange(
        services=services,
        request=request,
        now_us=services.clock(),
        interaction=interaction,
        grant=grant,
    )
    response = answer(exchange, handler)
    for ticket in response.tickets:
        ticket.result()
    if response.status >= FIRST_REFUSAL:
        issue = fhir_json.loads(response.body)["issue"][0]
        raise FHIRError(
            IssueType.PROCESSING, f"{path} was refused: {issue['diagnostics']}"
        )


FIRST_REFUSAL = 300


def take_payloads(
    deployment: Deployment,
    folder: Path,
    seeded: Seeded,
    size: Size,
    progress: Progress,
) -> Seeded:
    """Take the payloads that were not taken yet; return that nothing is missing.

    Raises:
        FHIRError: where a payload is refused as a whole.

    """
    payloads = cohort.payloads(seeded.last_day, size.people, size.days)
    for payload in islice(payloads, seeded.payloads):
        progress(payload.days)
    for payload in payloads:
        _TAKE.get(payload.source, _deliver)(deployment, payload, progress)
        seeded = replace(seeded, payloads=seeded.payloads + 1)
        file.write(folder, seeded)
    seeded = replace(seeded, is_complete=True)
    file.write(folder, seeded)
    return seeded


def _deliver(deployment: Deployment, payload: Payload, progress: Progress) -> None:
    with deployment.database.read() as snapshot:
        grant = local.registered(snapshot, GATEWAY)
    _send(
        deployment,
        grant,
        f"/device-data/{payload.source}",
        payload.body,
        Interaction.INGEST,
        lambda exchange: door.receive(exchange, payload.source),
    )
    progress(payload.days)


def _import(deployment: Deployment, payload: Payload, progress: Progress) -> None:
    done = 0.0

    def read(position: int) -> None:
        nonlocal done
        now = payload.days * position / max(1, len(payload.body))
        progress(now - done)
        done = now

    descriptor, name = tempfile.mkstemp(dir=deployment.settings.data_dir)
    path = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as export:
            export.write(payload.body)
        import_file(
            deployment.services,
            payload.source,
            path,
            patient_id=payload.patient_id or "",
            grant=local.operator(ORGANIZATION),
            zone=payload.zone,
            progress=read,
        )
    finally:
        path.unlink()


_TAKE = {"apple-health": _import}
"""Sources that come as files; the others come through the device door."""
