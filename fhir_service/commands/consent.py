"""`fhir-service consent show|explain`: what a patient agreed to, and what it does.

Both are audited before they print. Neither prints a value of a measurement.
"""

from pathlib import Path
from typing import Any

import click

from conformance import fhir_json
from conformance.issues import FHIRError, IssueType
from consent.audit.entry import AuditRecord, Interaction, Outcome, encode
from consent.inputs import canonical
from consent.moments import bounds
from fhir_service.access import CONSENTS_OF_ONE_PATIENT
from fhir_service.auth import local
from fhir_service.commands import consent_words, explanation, provisions
from fhir_service.deployment import opened
from fhir_service.exchange import Services
from fhir_service.explaining.asking import Asking, Place, answer, question
from fhir_service.explaining.draft import with_drafts
from fhir_service.explaining.replay import replay as replayed
from fhir_service.settings import Settings
from fhir_service.storage import resources, types
from fhir_service.storage.engine import Snapshot
from fhir_service.storage.patients import PatientState
from fhir_service.storage.tables import SHARED


def show(
    settings: Settings, *, patient: str, as_json: bool, language: str | None = None
) -> None:
    """Print every consent of a patient, provision by provision, with its faults.

    Args:
        settings: The deployment.
        patient: Id of the patient.
        as_json: Print JSON, which has the words of every language too.
        language: Print plain sentences in this language instead of provisions.

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
            bodies = [
                services.repository.body(snapshot, one)
                for one in stored
                if not one.deleted
            ]
            shown = [
                provisions.shown(services, state, body)
                | {"text": consent_words.told(services, snapshot, body)}
                for body in bodies
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
    elif language and shown:
        click.echo("\n".join(consent_words.lines(shown, language)))
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


def explain(  # noqa: PLR0913 - the options of the command
    settings: Settings,
    *,
    patient: str,
    client_id: str,
    resource: str | None = None,
    at: str | None = None,
    drafts: tuple[str, ...] = (),
    compares: bool = False,
    as_json: bool,
) -> None:
    """Print what a client would get of a patient, and which provision says so.

    Raises:
        FHIRError: `not-found` for an unknown patient, client, or resource of the
            patient; `invalid` for an instant that is none; why a draft could not be
            filed.

    """
    with opened(settings) as deployment:
        services = deployment.services
        asking = Asking(
            client_id=client_id,
            at_us=None if at is None else _instant(services, at),
            drafts=[_draft(path) for path in drafts],
            compares=compares,
        )
        with services.database.read() as snapshot:
            state, place = local.patient(snapshot, patient), _place(services, snapshot)
            told = (
                answer(place, state, asking)
                if resource is None
                else explanation.of_resource(
                    with_drafts(question(place, state, asking), asking.drafts),
                    resource,
                )
            )
            leaf = _leaf(
                services,
                snapshot,
                state,
                interaction=Interaction.CONSENT_DECISION,
                request=f"consent explain {client_id} {resource or ''}".strip(),
                disclosed=[],
            )
        services.database.log([leaf]).result()
    if as_json:
        click.echo(fhir_json.pretty(told).decode())
    else:
        click.echo("\n".join(explanation.lines(told)))


def _place(services: Services, snapshot: Snapshot) -> Place:
    return Place(
        repository=services.repository,
        gate=services.gate,
        snapshot=snapshot,
        now_us=services.clock(),
    )


def _instant(services: Services, text: str) -> int:
    found = bounds(text, services.repository.deployment.zone)
    if found is None:
        raise FHIRError(IssueType.INVALID, f"{text[:64]!r} is no date or instant.")
    return found[0]


def _draft(path: str) -> dict[str, Any]:
    return fhir_json.loads_object(Path(path).read_bytes())


def replay(settings: Settings, *, entry: str, as_json: bool) -> bool:
    """Print a decision of the past, made again, and whether the log agrees.

    The JSON is canonical: the same bytes each time.

    Raises:
        FHIRError: `not-found` where there is no such row; `not-supported` for a row
            of no decision on what may be read.

    """
    with opened(settings) as deployment:
        services = deployment.services
        with services.database.read() as snapshot:
            made = replayed(
                _place(services, snapshot),
                entry,
                services.seal.unsealer(snapshot),
                services.pseudonym,
            )
            told = made.told
            leaf = encode(
                AuditRecord(
                    time_us=services.clock(),
                    interaction=Interaction.CONSENT_DECISION,
                    outcome=Outcome.ALLOWED,
                    request=f"consent explain --replay {made.index}",
                    resource_type="Consent",
                    user=local.user(),
                    client=local.COMMAND_LINE,
                    patients=made.record.patients,
                ),
                seal=services.seal.sealer(snapshot, SHARED),
            )
        services.database.log([leaf]).result()
    if as_json:
        click.echo(canonical(told).decode())
    else:
        click.echo("\n".join(explanation.replay_lines(told)))
    return not told["differences"]
