"""`fhir-service audit prove|verifier|checkpoint`: for those who do not trust us."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from conformance import fhir_json
from conformance.issues import FHIRError, IssueType
from consent.audit import verify_proof
from consent.audit.entry import Interaction
from fhir_service import audit_trail
from fhir_service.auth import local
from fhir_service.compliance import proofs
from fhir_service.compliance.officer import Officer
from fhir_service.compliance.rows import Reader, asked, caught_up
from fhir_service.deployment import Deployment, opened
from fhir_service.settings import Settings
from fhir_service.storage.audit_filter import AuditFilter

MAX_ROWS = 10_000
"""Rows of one bundle; each has about twenty hashes."""


def prove(
    settings: Settings,
    *,
    path: str,
    rows: Sequence[int],
    patient: str | None,
    earlier: Sequence[str],
) -> None:
    """Write a bundle that proves rows, by number or of one patient.

    Raises:
        FHIRError: `duplicate` where the file exists, `not-found` for a row or patient
            that is not there, `too-costly` for more than `MAX_ROWS`.

    """
    target = Path(path)
    if target.exists():
        raise FHIRError(
            IssueType.DUPLICATE, "The file exists; a proof is not written over."
        )
    with opened(settings) as deployment:
        made = _bundle(deployment, rows, patient, [Path(one) for one in earlier])
    with target.open("xb") as file:
        file.write(fhir_json.pretty(made))
    click.echo(f"{target} proves {len(made['rows'])} rows.")


def _bundle(
    deployment: Deployment,
    numbers: Sequence[int],
    patient: str | None,
    earlier: Sequence[Path],
) -> dict[str, Any]:
    services = deployment.services
    officer = Officer(user=local.user(), organizations=None, client=local.COMMAND_LINE)
    asked(
        services,
        officer,
        "audit prove",
        patients=() if patient is None else (patient,),
        interaction=Interaction.EXPORT,
    )
    caught_up(services)
    with services.database.read() as snapshot:
        reader = Reader(services, snapshot, officer)
        if patient is not None:
            state = local.patient(snapshot, patient)
            question = AuditFilter(patients=(reader.pseudonym(state.id),))
            found = reader.find(question, count=MAX_ROWS + 1)
        else:
            found = reader.rows(list(numbers))
            if len(found) < len(set(numbers)):
                raise FHIRError(IssueType.NOT_FOUND, "The log has no such row.")
        if len(found) > MAX_ROWS:
            raise FHIRError(
                IssueType.TOO_COSTLY, f"A bundle proves {MAX_ROWS:,} rows at most."
            )
        return proofs.bundle(reader, found, [one.read_bytes() for one in earlier])


def verifier(settings: Settings) -> None:  # noqa: ARG001 - as every command takes them
    """Print the program that checks a bundle: one file of plain Python."""
    click.echo(Path(verify_proof.__file__).read_text(encoding="utf-8"), nl=False)


def checkpoint(settings: Settings) -> None:
    """Write a signed checkpoint of the log as it is now; print where.

    Raises:
        FHIRError: `not-found` for an empty log.

    """
    with opened(settings) as deployment:
        path = audit_trail.export_checkpoint(
            deployment.database, deployment.checkpoints
        )
    if path is None:
        raise FHIRError(IssueType.NOT_FOUND, "The log has no rows yet.")
    click.echo(str(path))
