"""What is measured of whole jobs: importing an export, verifying the audit log."""

import time

from consent.audit.merkle import TreeHead
from consent.audit.verification import verify
from fhir_service import audit_trail
from fhir_service.bench.figures import Measured
from fhir_service.bench.payloads import apple_export, user_of
from fhir_service.bench.resources import consent, patient
from fhir_service.bench.stage import BenchError, Stage
from fhir_service.compliance.integrity import examine
from fhir_service.ingest.files import import_file
from fhir_service.storage import audit_log


def importing(stage: Stage, days: int) -> Measured:
    """Return how many records of an export are imported a second."""
    path = stage.folder / "export.xml"
    with path.open("wb") as sink:
        sink.writelines(apple_export(days))
    id_ = stage.create(patient(user_of(0), stage.clinic))
    stage.create(consent(id_, stage.clinic, bounded=False))
    began = time.perf_counter()
    receipt = import_file(
        stage.deployment.services,
        "apple-health",
        path,
        patient_id=id_,
        grant=stage.grant(stage.gateway),
    )
    seconds = time.perf_counter() - began
    size = path.stat().st_size
    path.unlink()
    return Measured(
        key="import.records",
        value=receipt.received / seconds,
        note=f"{receipt.received} records, {size / 1e6:.0f} MB",
    )


def verifying(stage: Stage) -> Measured:
    """Return how many rows of the audit log are verified a second.

    Raises:
        BenchError: where the log is not intact.

    """
    deployment = stage.deployment
    key = deployment.keys.audit_signing.public_key()
    with deployment.database.read() as snapshot:
        head = audit_log.head(snapshot)
        if head is None:
            raise BenchError("The audit log of the bench is empty.")
        began = time.perf_counter()
        report = verify(
            audit_log.entries(snapshot),
            head=TreeHead(head.frontier.size, head.frontier.root()),
            checkpoints=[
                head.note.encode(),
                *audit_trail.checkpoints_in(deployment.checkpoints),
            ],
            origin=audit_trail.origin_of(deployment.keys),
            public_key=key,
        )
        seconds = time.perf_counter() - began
    if not report.is_intact:
        raise BenchError("The audit log of the bench is not intact.")
    return Measured(
        key="audit.verify", value=report.rows / seconds, note=f"{report.rows} rows"
    )


def examining(stage: Stage) -> Measured:
    """Return how many rows are verified a second with what is derived from them.

    Raises:
        BenchError: where anything is not as it was made.

    """
    deployment = stage.deployment
    began = time.perf_counter()
    report = examine(deployment.database, deployment.log_key, deployment.checkpoints)
    seconds = time.perf_counter() - began
    if not report.is_intact:
        raise BenchError("The audit log of the bench is not intact.")
    return Measured(
        key="audit.examine", value=report.rows / seconds, note=f"{report.rows} rows"
    )
