"""A leaf of the log, read with distrust: somebody may have altered what is stored.

An entry holds only what the service could have written; anything else is left to
verification, which names the row, and stops no index and no page.
"""

from collections.abc import Callable, Iterable, Iterator
from itertools import chain

from sqlalchemy import bindparam, select

from consent.audit.entry import AuditRecord, decode
from consent.audit.versions import EntryError
from fhir_service.storage.engine import Snapshot
from fhir_service.storage.statement import Statement
from fhir_service.storage.tables import audit_entry

END_US = 253_402_300_800_000_000
"""Microseconds from 1970 to the year 10000, where FHIR's instants end."""

MAX_STATUS = 999
MAX_SEQ = 2**63 - 1

Unseal = Callable[[bytes], bytes | None]

_BETWEEN = Statement(
    select(audit_entry.c.leaf_index, audit_entry.c.leaf)
    .where(
        audit_entry.c.leaf_index >= bindparam("first"),
        audit_entry.c.leaf_index < bindparam("before"),
    )
    .order_by(audit_entry.c.leaf_index)
)


def between(snapshot: Snapshot, first: int, before: int) -> dict[int, object]:
    """Return the leaves of rows that follow one another, as they are stored."""
    found = snapshot.all(_BETWEEN, first=first, before=before)
    return {int(index): leaf for index, leaf in found}


def read(leaf: object, unseal: Unseal) -> AuditRecord | None:
    """Return the record of a stored leaf; None for what is no entry of this log.

    Args:
        leaf: As the database gives it, whatever that is.
        unseal: Decrypts the request; None where its key has been destroyed.

    """
    if not isinstance(leaf, (bytes, memoryview)):
        return None
    try:
        record = decode(bytes(leaf), unseal=unseal)
    except EntryError:
        return None
    return record if _is_possible(record) else None


def stored(leaf: object) -> bytes:
    """Return the bytes of a leaf; none for what is no bytes."""
    return bytes(leaf) if isinstance(leaf, (bytes, memoryview)) else b""


def _is_possible(record: AuditRecord) -> bool:
    """Whether times, numbers and texts are such as the service writes."""
    seqs = chain(record.disclosed, record.written)
    return (
        record.time_us < END_US
        and record.status <= MAX_STATUS
        and max(seqs, default=0) <= MAX_SEQ
        and all(map(str.isprintable, _texts(record)))
    )


def _texts(record: AuditRecord) -> Iterator[str]:
    """Yield every text that pages show and the index keeps."""
    yield from (record.resource_type, record.user, record.client)
    yield from (record.organisation, record.address, record.user_agent)
    yield from (record.reason, record.request_id, *record.purposes)
    yield from _parts(record)


def _parts(record: AuditRecord) -> Iterable[str]:
    return chain(
        (name for name, _ in record.counts),
        (text for _, name, path in record.basis for text in (name, path)),
    )
