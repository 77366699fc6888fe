"""`fhir-service audit verify|export`: whether the log is whole; a copy to prove it by.

An export is JSON, an object a line: first the log's name, its public key and a signed
checkpoint, then every entry with its place and the hash beside it. With these alone
`consent.audit.verification.verify` judges it, without a database and without us. What
a request asked is sealed in the entries, as in the database.

https://c2sp.org/tlog-checkpoint
"""

import base64
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from conformance import fhir_json
from conformance.issues import FHIRError, IssueType
from consent.audit import checkpoint as notes
from consent.audit.entry import AuditRecord, Interaction, Outcome, encode
from consent.audit.verification import Report
from fhir_service import audit_trail
from fhir_service.auth import local
from fhir_service.compliance import integrity
from fhir_service.compliance.integrity import told
from fhir_service.deployment import Deployment, opened
from fhir_service.settings import Settings
from fhir_service.storage import audit_log, audit_reindex
from fhir_service.storage.tables import SHARED


def verify(settings: Settings, *, checkpoint: str | None, as_json: bool) -> bool:
    """Print what is wrong with the log; return whether nothing is.

    Args:
        settings: Which deployment.
        checkpoint: A checkpoint or an export kept elsewhere, or a folder of them,
            beside those of the data folder.
        as_json: Whether to print JSON.

    """
    with opened(settings) as deployment:
        report = examine(deployment, Path(checkpoint) if checkpoint else None)
    click.echo(fhir_json.pretty(as_told(report)).decode() if as_json else told(report))
    return report.is_intact


def examine(deployment: Deployment, elsewhere: Path | None = None) -> Report:
    """Return what is wrong with the log of a deployment."""
    return integrity.examine(
        deployment.database, deployment.log_key, deployment.checkpoints, elsewhere
    )


def reindex(settings: Settings) -> None:
    """Make the index anew from the log."""
    with opened(settings) as deployment:
        database = deployment.database
        database.write(audit_reindex.forget)
        size = deployment.services.audit_index.catch_up(database)
    click.echo(f"The index holds {size} rows.")


def as_told(report: Report) -> dict[str, Any]:
    """Return the report for programs."""
    return {
        "intact": report.is_intact,
        "rows": report.rows,
        "root": None if report.root is None else _base64(report.root),
        "checkpoints": report.checkpoints,
        "covered": report.covered,
        "firstBadRow": report.first_bad_index,
        "findings": [
            {"kind": one.kind.value, "row": one.index, "sentence": one.sentence}
            for one in report.findings
        ],
        "notListed": report.more,
    }


def export(settings: Settings, *, path: str) -> None:
    """Write the log with a fresh checkpoint and the key to verify it.

    Raises:
        FHIRError: `duplicate` where the file exists: a copy kept as evidence is not
            written over.

    """
    target = Path(path)
    with opened(settings) as deployment:
        deployment.database.log([_leaf(deployment)]).result()
        audit_trail.export_checkpoint(deployment.database, deployment.checkpoints)
        rows = _write(deployment, target)
    click.echo(f"{target} holds {rows} rows, a signed checkpoint and the log's key.")


def _leaf(deployment: Deployment) -> bytes:
    services = deployment.services
    with services.database.read() as snapshot:
        seal = services.seal.sealer(snapshot, SHARED)
    record = AuditRecord(
        time_us=services.clock(),
        interaction=Interaction.AUDIT_READ,
        outcome=Outcome.ALLOWED,
        request="audit export",
        user=local.user(),
        client=local.COMMAND_LINE,
    )
    return encode(record, seal=seal)


def _write(deployment: Deployment, target: Path) -> int:
    part = target.with_name(f"{target.name}.{os.getpid()}.part")
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as sink:
            lines = sum(1 for line in _lines(deployment) if sink.write(line + b"\n"))
            sink.flush()
            os.fsync(sink.fileno())
        os.link(part, target)
    except FileExistsError:
        raise FHIRError(
            IssueType.DUPLICATE, "The file exists; an export is not written over."
        ) from None
    finally:
        part.unlink()
    return lines - 1


def _lines(deployment: Deployment) -> Iterator[bytes]:
    """Yield the export: what it is, then its entries, of one snapshot."""
    public_key = deployment.keys.audit_signing.public_key()
    origin = audit_trail.origin_of(deployment.keys)
    with deployment.database.read() as snapshot:
        head = audit_log.head(snapshot)
        yield fhir_json.dumps(
            {
                "origin": origin,
                "verifierKey": notes.verifier_key(origin, public_key),
                "checkpoint": head.note if head else "",
            }
        )
        for index, leaf, hashed in audit_log.entries(snapshot):
            yield fhir_json.dumps(
                {"index": index, "entry": _base64(leaf), "hash": _base64(hashed)}
            )


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()
