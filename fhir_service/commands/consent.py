"""`fhir-service consent show|explain`: what a patient agreed to, and what it does.

Both are audited before they print. Neither prints a value of a measurement.
"""

import click

from conformance import fhir_json
from consent.audit.entry import AuditRecord, Interaction, Outcome, encode
from fhir_service.access import CONSENTS_OF_ONE_PATIENT
from fhir_service.auth import local
from fhir_service.commands import explanation, provisions
from fhir_service.commands.explanation import Asked
from fhir_service.deployment import opened
from fhir_service.exchange import Services
from fhir_service.settings import Settings
from fhir_service.storage import resources, types
from fhir_service.storage.engine import Snapshot
from fhir_service.storage.patients import PatientState


def show(settings: Settings, *, patient: str, as_json: bool) -> None:
    """Print every consent of a patient, provision by provision, with its faults.

    Raises:
        FHIRError: `not-found` for an unknown patient.

    """
    with opened(settings) as deployment:
        services = deployment.services
        with services.database.read() as snapshot:
            state = local.patient(snapshot, patient)
            stored = resources.of_patient(
                snapshot,
                state.key,
                types.number_of("Consent"),
                after=0,
                count=CONSENTS_OF_ONE_PATIENT,
            )
            shown = [
                provisions.shown(
                    services, state, services.repository.body(snapshot, one)
                )
                for one in stored
                if not one.deleted
            ]
            leaf = _leaf(
                services,
                snapshot,
                state,
                interaction=Interaction.READ,
                request=f"consent show Patient/{state.id}",
                disclosed=[one.seq for one in stored],
            )
        services.database.log([leaf]).result()
    if as_json:
        click.echo(fhir_json.pretty(shown).decode())
    else:
        click.echo("\n".join(provisions.lines(shown, state)))


def _leaf(  # noqa: PLR0913 - what one row of the log says
    services: Services,
    snapshot: Snapshot,
    state: PatientState,
    *,
    interaction: Interaction,
    request: str,
    disclosed: list[int],
) -> bytes:
    return encode(
        AuditRecord(
            time_us=services.clock(),
            interaction=interaction,
            outcome=Outcome.ALLOWED,
            request=request,
            resource_type="Consent",
            user=local.user(),
            client=local.COMMAND_LINE,
            patients=(services.pseudonym(state.id),),
            disclosed=disclosed,
        ),
        seal=services.seal.sealer(snapshot, state.key),
    )


def explain(
    settings: Settings,
    *,
    patient: str,
    client_id: str,
    resource: str | None = None,
    as_json: bool,
) -> None:
    """Print what a client would get of a patient now, and which provision says so.

    Raises:
        FHIRError: `not-found` for an unknown patient, client, or resource of the
            patient.

    """
    with opened(settings) as deployment:
        services = deployment.services
        with services.database.read() as snapshot:
            asked = Asked(
                services=services,
                snapshot=snapshot,
                grant=local.registered(snapshot, client_id),
                state=local.patient(snapshot, patient),
            )
            told = explanation.question(asked) | (
                {"types": list(explanation.by_type(asked))}
                if resource is None
                else {"resource": explanation.of_resource(asked, resource)}
            )
            leaf = _leaf(
                services,
                snapshot,
                asked.state,
                interaction=Interaction.CONSENT_DECISION,
                request=f"consent explain {client_id} {resource or ''}".strip(),
                disclosed=[],
            )
        services.database.log([leaf]).result()
    if as_json:
        click.echo(fhir_json.pretty(told).decode())
    else:
        click.echo("\n".join(explanation.lines(told)))
