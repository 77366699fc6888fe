"""A proof bundle: rows of the log with what shows that the log holds them.

It needs no database and none of our packages to be checked: `verify_proof.py`
(`consent.audit.verify_proof`, one file) does it with Python alone.

https://www.rfc-editor.org/rfc/rfc9162
"""

import base64
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from conformance.issues import FHIRError, IssueType
from consent.audit import checkpoint
from consent.audit.checkpoint import Checkpoint, CheckpointError
from consent.audit.entry import AuditRecord
from consent.audit.merkle import ProofError
from consent.audit.verify_proof import FORMAT
from fhir_service.compliance.rows import Reader, Row
from fhir_service.exchange import Services
from fhir_service.storage import audit_log, audit_search, audit_tree
from fhir_service.storage.engine import Snapshot

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def bundle(
    reader: Reader, rows: Sequence[Row], earlier: Iterable[bytes] = ()
) -> dict[str, Any]:
    """Return the proof that the log holds `rows`.

    Args:
        reader: Whose snapshot it is.
        rows: Which rows.
        earlier: Signed checkpoints that somebody has kept, to be shown to be continued.

    Raises:
        FHIRError: `not-found` for an empty log; `invalid` for what is no earlier
            checkpoint of this log.

    """
    services, snapshot = reader.services, reader.snapshot
    head = audit_log.head(snapshot)
    if head is None:
        raise FHIRError(IssueType.NOT_FOUND, "The log has no rows yet.")
    size = head.frontier.size
    return {
        "format": FORMAT,
        "verifierKey": services.audit_key,
        "checkpoint": head.note,
        "earlier": [_continued(services, snapshot, note, size) for note in earlier],
        "rows": [_proved(snapshot, row, size) for row in rows],
    }


def _continued(
    services: Services, snapshot: Snapshot, note: bytes, size: int
) -> dict[str, Any]:
    known = _verified(services, note)
    if not 0 < known.size <= size:
        raise FHIRError(IssueType.INVALID, "A checkpoint is of no earlier log.")
    path = _path(lambda: audit_tree.consistency(snapshot, known.size, size))
    return {
        "checkpoint": note.decode(),
        "consistency": [_base64(one) for one in path],
    }


def _verified(services: Services, note: bytes) -> Checkpoint:
    origin, key = checkpoint.parse_verifier_key(services.audit_key)
    try:
        return checkpoint.verify(note, origin=origin, public_key=key)
    except CheckpointError as error:
        raise FHIRError(IssueType.INVALID, str(error)) from error


def _proved(snapshot: Snapshot, row: Row, size: int) -> dict[str, Any]:
    leaf = audit_search.leaf(snapshot, row.index)
    path = _path(lambda: audit_tree.inclusion(snapshot, row.index, size))
    return {
        "index": row.index,
        "leaf": _base64(leaf or b""),
        "inclusion": [_base64(one) for one in path],
        "says": says(row.record),
    }


def _path(make: Callable[[], list[bytes]]) -> list[bytes]:
    """Return a path; none where rows or hashes are missing: it proves nothing then."""
    try:
        return make()
    except (ProofError, TypeError):
        return []


def says(record: AuditRecord) -> dict[str, Any]:
    """Return a row in words, as `verify_proof.read_row` reads them."""
    moment = _EPOCH + timedelta(microseconds=record.time_us)
    told: dict[str, Any] = {
        "time": moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        "interaction": record.interaction.value,
        "outcome": record.outcome.value,
        "status": record.status,
        "resource_type": record.resource_type,
        "user": record.user,
        "client": record.client,
        "organisation": record.organisation,
        "address": record.address,
        "user_agent": record.user_agent,
        "reason": record.reason,
        "purposes": list(record.purposes),
        "patients": [one.hex() for one in record.patients],
    }
    return {name: value for name, value in told.items() if value not in ("", [])}


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()
