"""`fhir-service pairing add|list|revoke|notice`: whose a device or an account is.

The operator acts for the organization that manages the patient; the audit log names
the operating system's user.
"""

from collections.abc import Iterator

import click

from conformance.fhir_json import pretty
from consent.audit.entry import Interaction
from fhir_service.auth import local
from fhir_service.deployment import Deployment, opened
from fhir_service.ingest import pairing
from fhir_service.ingest.intake import Origin
from fhir_service.ingest.pairing import Pairer
from fhir_service.ingest.pairing_asked import Asked, written_in
from fhir_service.ingest.pairing_told import Told, as_json, of_patient, told
from fhir_service.rest.instant import fhir_instant
from fhir_service.settings import Settings
from fhir_service.storage.source_grants import SourceGrant


def add(settings: Settings, *, asked: Asked, as_json: bool) -> None:
    """Pair a device or an account, and print the pairing.

    Raises:
        FHIRError: as `pairing.pair`.

    """
    with opened(settings) as deployment:
        with deployment.database.read() as snapshot:
            state = local.patient(snapshot, asked.patient)
        pairer = _pairer(state.organization, Interaction.REGISTER, "pairing add")
        made = pairing.pair(deployment.services, pairer, asked)
        _say(deployment, made, as_json=as_json)


def listing(settings: Settings, *, patient: str, as_json: bool) -> None:
    """Print the pairings of a patient, newest first.

    Raises:
        FHIRError: `not-found` for an unknown patient.

    """
    with opened(settings) as deployment, deployment.database.read() as snapshot:
        state = local.patient(snapshot, patient)
        found = of_patient(deployment.services, snapshot, state)
    if as_json:
        click.echo(pretty(_for_programs(found)).decode())
    elif not found:
        click.echo("Nothing is paired with this patient.")
    for one in () if as_json else found:
        click.echo("\n".join(lines(one)))


def revoke(settings: Settings, *, pairing_id: str) -> None:
    """End a pairing; the next delivery is not attributed by it.

    Raises:
        FHIRError: `not-found` where there is none.

    """
    with opened(settings) as deployment:
        pairer = _of_pairing(deployment, pairing_id, Interaction.REVOKE, "revoke")
        pairing.revoke(deployment.services, pairer, pairing_id)
    click.echo(f"Pairing {pairing_id} is revoked.")


def notice(settings: Settings, *, pairing_id: str) -> None:
    """Record that those who live in the room were told of the sensor.

    Raises:
        FHIRError: `not-found`, or `business-rule` where there is no room.

    """
    with opened(settings) as deployment:
        pairer = _of_pairing(deployment, pairing_id, Interaction.UPDATE, "notice")
        made = pairing.tell(deployment.services, pairer, pairing_id)
    when = fhir_instant(made.notice or 0)
    click.echo(f"Co-residents were told of pairing {pairing_id}, recorded {when}.")
    click.echo("What waits for it: fhir-service quarantine retry.")


def _pairer(organization: str | None, interaction: Interaction, request: str) -> Pairer:
    return Pairer(
        grant=local.operator(organization),
        name=f"{local.COMMAND_LINE} {local.user()}",
        origin=Origin(interaction=interaction, request=request, user=local.user()),
        may=lambda _: True,
    )


def _of_pairing(
    deployment: Deployment, pairing_id: str, interaction: Interaction, word: str
) -> Pairer:
    """Return the operator, for the organization that manages the pairing's patient."""
    anybody = _pairer(None, interaction, "")
    with deployment.database.read() as snapshot:
        state, _ = pairing.found(snapshot, anybody, pairing_id)
    return _pairer(state.organization, interaction, f"pairing {word} {pairing_id}")


def _say(deployment: Deployment, made: SourceGrant, *, as_json: bool) -> None:
    services = deployment.services
    with deployment.database.read() as snapshot:
        state = services.gate.state(snapshot, made.patient_key)
        one = told(services, snapshot, state, made)
    if as_json:
        click.echo(pretty(_for_programs([one])[0]).decode())
        return
    click.echo("\n".join(lines(one)))
    if not made.is_told:
        click.echo(
            "Nothing of it is stored until those who live in the room were told: "
            f"fhir-service pairing notice {made.id}."
        )


def _for_programs(found: list[Told]) -> list[dict[str, object]]:
    return [as_json(one) for one in found]


def lines(one: Told) -> Iterator[str]:
    """Yield a pairing as people read it."""
    grant = one.grant
    until = "" if grant.ends is None else f" until {written_in(grant.ends, grant.zone)}"
    what = "account" if one.device is None else "device"
    yield f"{grant.id}  {_state(grant)}  {grant.source}  {what} {one.label}"
    yield f"    from {written_in(grant.starts, grant.zone)}{until}, by {grant.made_by}"
    if grant.location is not None:
        yield f"    in {grant.location}, {_notice(grant)}"
    if one.last_heard is not None:
        yield f"    last heard {fhir_instant(one.last_heard)}"


def _state(grant: SourceGrant) -> str:
    return "paired" if grant.revoked is None else "revoked"


def _notice(grant: SourceGrant) -> str:
    if grant.notice is None:
        return "co-residents were not told yet"
    return f"co-residents were told, recorded {fhir_instant(grant.notice)}"
