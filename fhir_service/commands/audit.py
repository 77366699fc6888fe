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
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from conformance import fhir_json
from conformance.issues import FHIRError, IssueType
from consent.audit import checkpoint as notes
from consent.audit.checkpoint import CheckpointError
from consent.audit.entry import AuditRecord, Interaction, Outcome, encode
from consent.audit.merkle import TreeHead
from consent.audit.verification import Finding, Kind, Report
from consent.audit.verification import verify as verify_rows
from fhir_service import audit_trail
from fhir_service.auth import local
from fhir_service.deployment import Deployment, opened
from fhir_service.settings import Settings
from fhir_service.storage import audit_log, audit_reindex
from fhir_service.storage.engine import Snapshot
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
    """Return what is wrong with the log of a deployment.

    The checkpoints are read before the rows: those that the service exports
    meanwhile are of rows that this snapshot does not hold.
    """
    key = LogKey(
        origin=audit_trail.origin_of(deployment.keys),
        public=deployment.keys.audit_signing.public_key(),
    )
    kept = [*_files(deployment.checkpoints), *_files(elsewhere)]
    faults = [fault for name, note in kept for fault in _unsigned(key, note, name)]
    with deployment.database.read() as snapshot:
        head, of_head = _head(snapshot, key)
        report = verify_rows(
            audit_log.entries(snapshot),
            head=head.tree if head else None,
            checkpoints=[
                note
                for name, note in [*kept, *(head.notes if head else ())]
                if not _unsigned(key, note, name)
            ],
            origin=key.origin,
            public_key=key.public,
        )
        of_index = _index_faults(snapshot) if report.is_intact else []
    return _with(report, [*of_head, *faults, *of_index])


def _index_faults(snapshot: Snapshot) -> list[Finding]:
    """Return where the index does not say what the log says."""
    row = audit_reindex.first_difference(snapshot)
    if row is None:
        return []
    sentence = (
        f"The index of the log was altered: it does not say of row {row} what the log "
        "says. `fhir-service audit reindex` makes it anew; the log itself is whole."
    )
    return [Finding(kind=Kind.INDEX, index=row, sentence=sentence)]


def reindex(settings: Settings) -> None:
    """Make the index anew from the log."""
    with opened(settings) as deployment:
        database = deployment.database
        database.write(audit_reindex.forget)
        size = deployment.services.audit_index.catch_up(database)
    click.echo(f"The index holds {size} rows.")


@dataclass(frozen=True, kw_only=True, slots=True)
class LogKey:
    """By what a checkpoint of this log is known."""

    origin: str
    public: Ed25519PublicKey


@dataclass(frozen=True, kw_only=True, slots=True)
class _StoredHead:
    """The head row: what it counts, and its signed note with a name for it."""

    tree: TreeHead
    notes: tuple[tuple[str, bytes], ...]


def _unsigned(key: LogKey, note: bytes, name: str) -> list[Finding]:
    """Return why a note is not a checkpoint of this log; nothing if it is one."""
    try:
        notes.verify(note, origin=key.origin, public_key=key.public)
    except CheckpointError as error:
        sentence = f"{name}: {error}"
        return [Finding(kind=Kind.CHECKPOINT, index=None, sentence=sentence)]
    return []


def _head(snapshot: Snapshot, key: LogKey) -> tuple[_StoredHead | None, list[Finding]]:
    """Return the head row as far as it can be read, and what is wrong with it."""
    try:
        found = audit_log.head(snapshot)
        if found is None:
            return None, _headless(snapshot)
        tree = TreeHead(found.frontier.size, found.frontier.root())
        note = str(found.note).encode()
    except (ValueError, TypeError):
        return None, [_of_head("The stored head was altered: it cannot be read.")]
    head = _StoredHead(tree=tree, notes=((_HEAD, note),))
    try:
        signed = notes.verify(note, origin=key.origin, public_key=key.public)
    except CheckpointError as error:
        return head, [_of_head(f"The stored head was altered: {error}")]
    if signed.head == tree:
        return head, []
    return head, [
        _of_head(
            f"The stored head was altered: it counts {tree.size} rows with another "
            f"root, or in another number, than the {signed.size} that the checkpoint "
            "beside it signed."
        )
    ]


_HEAD = "stored head"


def _headless(snapshot: Snapshot) -> list[Finding]:
    if next(audit_log.entries(snapshot), None) is None:
        return []
    return [_of_head("The stored head was removed: there are rows, and no head.")]


def _of_head(sentence: str) -> Finding:
    return Finding(kind=Kind.HEAD, index=None, sentence=sentence)


def _with(report: Report, more: list[Finding]) -> Report:
    if not more:
        return report
    return Report(
        rows=report.rows,
        root=None,
        covered=report.covered,
        checkpoints=report.checkpoints,
        findings=(*report.findings, *more),
        more=report.more,
    )


def _files(path: Path | None) -> list[tuple[str, bytes]]:
    """Return name and checkpoint of a file, an export, or each in a folder."""
    if path is None or not path.exists():
        return []
    if path.is_dir():
        found = sorted(one for one in path.iterdir() if not one.name.endswith(".part"))
        return [named for file in found if file.is_file() for named in _files(file)]
    with path.open("rb") as file:
        first = file.readline(notes.MAX_NOTE)
        if not first.startswith(b"{"):
            return [(path.name, first + file.read(notes.MAX_NOTE))]
    return [(path.name, str(fhir_json.loads_object(first).get("checkpoint")).encode())]


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


def told(report: Report) -> str:
    """Return the report in sentences."""
    if report.is_intact:
        return (
            f"The log is whole: {report.rows} rows agree with the stored head; "
            f"{report.checkpoints} signed checkpoints vouch for the first "
            f"{report.covered}."
        )
    lines = [one.sentence for one in report.findings]
    if report.more:
        lines.append(f"{report.more} further findings are not listed.")
    first = report.first_bad_index
    place = "" if first is None else f" The first bad row is {first}."
    return "\n".join([*lines, f"The log is NOT whole.{place}"])


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
