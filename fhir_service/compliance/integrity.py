"""Whether the log is whole: its rows, its head, its checkpoints, its index.

https://www.rfc-editor.org/rfc/rfc9162
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from conformance import fhir_json
from consent.audit import checkpoint as notes
from consent.audit.checkpoint import CheckpointError
from consent.audit.merkle import TreeHead
from consent.audit.verification import Finding, Kind, Report
from consent.audit.verification import verify as verify_rows
from fhir_service.storage import audit_log, audit_reindex, explanations
from fhir_service.storage.audit_seals import Digest
from fhir_service.storage.engine import Database, Snapshot


@dataclass(frozen=True, kw_only=True, slots=True)
class LogKey:
    """By what is known that something is of this log.

    Attributes:
        origin: The log's name in its checkpoints.
        public: Verifies their signatures.
        digest: Keyed, of what is derived from the log.

    """

    origin: str
    public: Ed25519PublicKey
    digest: Digest


def examine(
    database: Database, key: LogKey, checkpoints: Path, elsewhere: Path | None = None
) -> Report:
    """Return what is wrong with the log of a deployment.

    The checkpoints are read before the rows: those that the service exports
    meanwhile are of rows that this snapshot does not hold.

    Args:
        database: Where the log is.
        key: By what a checkpoint of it is known.
        checkpoints: Folder of those that the service exported.
        elsewhere: A checkpoint or an export kept elsewhere, or a folder of them.

    """
    kept = [*_files(checkpoints), *_files(elsewhere)]
    faults = [fault for name, note in kept for fault in _unsigned(key, note, name)]
    with database.read() as snapshot:
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
        of_index = list(_index_faults(snapshot, key.digest)) if report.is_intact else []
    return _with(report, [*of_head, *faults, *of_index])


class Kept(NamedTuple):
    """A checkpoint that the service exported.

    Attributes:
        file: Its name.
        size: How many rows it vouches for.
        time_us: When it was signed, microseconds since 1970.

    """

    file: str
    size: int
    time_us: int


def newest(key: LogKey, checkpoints: Path, count: int) -> list[Kept]:
    """Return the last checkpoints of a folder that the log's key signed."""
    found: list[Kept] = []
    names = sorted(checkpoints.iterdir(), reverse=True) if checkpoints.is_dir() else ()
    for path in names:
        if len(found) == count:
            break
        for name, note in _files(path):
            if not _unsigned(key, note, name):
                signed = notes.verify(note, origin=key.origin, public_key=key.public)
                found.append(Kept(file=name, size=signed.size, time_us=signed.time_us))
    return found


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


_ANEW = "`fhir-service audit reindex` makes it anew; the log itself is whole."


def _index_faults(snapshot: Snapshot, digest: Digest) -> Iterator[Finding]:
    """Yield where index or explanations are not what the service made of the log."""
    row = audit_reindex.first_difference(snapshot, digest)
    if row is not None:
        sentence = (
            "The index of the log was altered: it does not say of row "
            f"{row} what the log says. {_ANEW}"
        )
        yield Finding(kind=Kind.INDEX, index=row, sentence=sentence)
    row = explanations.first_altered(snapshot, digest)
    if row is not None:
        sentence = (
            "The explanations of accesses were altered: those from row "
            f"{row} on are not those that were found. {_ANEW}"
        )
        yield Finding(kind=Kind.INDEX, index=row, sentence=sentence)


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
