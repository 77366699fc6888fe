"""`fhir-service device health`: which devices are silent, flat, not worn or late.

What is printed is what the organisation that manages a patient may know by its
consents, and is audited before it is printed.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import click

from conformance import fhir_json
from consent.audit.entry import AuditRecord, Interaction, Outcome, encode
from fhir_service.auth import local
from fhir_service.commands.quarantine import age
from fhir_service.deployment import opened
from fhir_service.exchange import Services
from fhir_service.ingest.device_health import SECOND_US, Fact
from fhir_service.ingest.health_door import as_json as listed
from fhir_service.ingest.health_listing import DeviceHealth, Listing, listing
from fhir_service.settings import Settings
from fhir_service.storage import patients
from fhir_service.storage.engine import Snapshot
from fhir_service.storage.patients import PatientState
from fhir_service.storage.tables import SHARED

_AT_ONCE = 1_000
"""Patients read in one go."""


def health(settings: Settings, *, patient: str | None, as_json: bool) -> None:
    """Print the facts about the devices of one patient, or of all of them.

    Raises:
        FHIRError: `not-found` for an unknown patient.

    """
    with opened(settings) as deployment:
        services = deployment.services
        now_us = services.clock()
        with services.database.read() as snapshot:
            found = [
                (state, _listing(services, snapshot, state, now_us))
                for state in _states(snapshot, patient)
            ]
            leaves = [
                _leaf(services, snapshot, state, one, now_us) for state, one in found
            ]
        if leaves:
            services.database.log(leaves).result()
    told = [(state, one) for state, one in found if patient or one.devices]
    if as_json:
        whole = [listed(state.id, one.devices, now_us) for state, one in told]
        click.echo(fhir_json.pretty(whole[0] if patient else whole).decode())
        return
    if not any(one.devices for _, one in told):
        click.echo("There are no devices.")
    for state, one in told:
        click.echo("\n".join(lines(state.id, one.devices, now_us)))


def _states(snapshot: Snapshot, patient: str | None) -> Iterator[PatientState]:
    if patient is not None:
        yield local.patient(snapshot, patient)
        return
    after = SHARED
    while found := patients.after(snapshot, after, _AT_ONCE):
        yield from found
        after = found[-1].key


def _listing(
    services: Services, snapshot: Snapshot, state: PatientState, now_us: int
) -> Listing:
    grant = local.operator(state.organization)
    return listing(services, snapshot, grant, state.id, now_us)


def _leaf(
    services: Services,
    snapshot: Snapshot,
    state: PatientState,
    found: Listing,
    now_us: int,
) -> bytes:
    return encode(
        AuditRecord(
            time_us=now_us,
            interaction=Interaction.SEARCH,
            outcome=Outcome.ALLOWED,
            request=f"device health Patient/{state.id}",
            resource_type="Device",
            user=local.user(),
            client=local.COMMAND_LINE,
            organisation=state.organization or "",
            purposes=local.operator(state.organization).purposes,
            patients=(services.pseudonym(state.id),),
            disclosed=[one.seq for one in found.versions],
            basis=() if found.decided is None else found.decided.basis,
        ),
        seal=services.seal.sealer(snapshot, state.key),
    )


def lines(patient: str, devices: Sequence[DeviceHealth], now_us: int) -> Iterator[str]:
    """Yield the listing of one patient for people."""
    yield f"Patient/{patient}"
    for one in devices:
        yield f"  {one.reference}  {one.name or 'no name'}  {_heard(one, now_us)}"
        yield from (f"    {_told(fact, now_us)}" for fact in one.facts)


def _heard(one: DeviceHealth, now_us: int) -> str:
    if one.state is None or one.state.last_taken is None:
        return "no reading"
    return f"last reading {_ago(one.state.last_taken, now_us)}"


def _told(fact: Fact, now_us: int) -> str:
    numbers: list[Any] = [
        f"{part.what} {part.value} {part.unit}"
        for part in fact.evidence
        if part.value is not None
    ]
    behind = f" ({', '.join(numbers)})" if numbers else ""
    return f"{fact.name.value} since {_ago(fact.since_us, now_us)}{behind}"


def _ago(at_us: int, now_us: int) -> str:
    return f"{age(max(now_us - at_us, 0) // SECOND_US)} ago"
