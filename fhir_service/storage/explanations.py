"""Why each access of the log was made, as far as it is known; derived, like the index.

A row of the log has at most one explanation. Which resources of a patient name somebody
is asked of the mention index, so that a row costs a few indexed reads.
"""

from collections.abc import Collection, Sequence
from contextlib import suppress
from typing import NamedTuple

from sqlalchemy import bindparam, insert, select

from fhir_service.storage import audit_seals, counters
from fhir_service.storage.audit_seals import UNREADABLE, Digest, Rows, Seal, Sealed
from fhir_service.storage.audit_tables import audit_explanation, audit_subject
from fhir_service.storage.conditions import members, text_of
from fhir_service.storage.engine import Snapshot, Transaction
from fhir_service.storage.statement import Statement, columns_of
from fhir_service.storage.tables import counter

EXPLAINED = "audit-explained"
"""The counter of leaves for which an explanation was sought."""

LAST_LEAF = 2**63 - 1

MAX_RELATED = 200
"""Resources of one patient that name one person and are read, the newest first."""

_MARK = Statement(select(counter.c.value).where(counter.c.name == EXPLAINED))
_COLUMNS = ("leaf_index", "code", "subject_id")
_ADD = Statement(insert(audit_explanation).values(**columns_of(_COLUMNS)))
_OF = Statement(
    select(audit_explanation.c.code, audit_explanation.c.subject_id).where(
        audit_explanation.c.leaf_index == bindparam("at")
    )
)
_BETWEEN = Statement(
    select(audit_explanation.c.leaf_index, audit_explanation.c.code).where(
        audit_explanation.c.leaf_index >= bindparam("first"),
        audit_explanation.c.leaf_index < bindparam("before"),
    )
)
_ALL = Statement(
    select(*(audit_explanation.c[name] for name in _COLUMNS))
    .where(
        audit_explanation.c.leaf_index >= bindparam("first"),
        audit_explanation.c.leaf_index < bindparam("before"),
    )
    .order_by(audit_explanation.c.leaf_index)
)
_SUBJECT = Statement(
    select(audit_subject.c.subject_id).where(
        audit_subject.c.pseudonym == bindparam("pseudonym")
    )
)


class Explained(NamedTuple):
    """The explanation of one row.

    Attributes:
        leaf_index: The row.
        code: A stored number of `compliance.explanations.Code`.
        subject_id: The patient for whom it was found; 0 for none.

    """

    leaf_index: int
    code: int
    subject_id: int


def explained_up_to(snapshot: Snapshot) -> int:
    """Return for how many leaves an explanation was sought."""
    found = snapshot.one(_MARK)
    return 0 if found is None else int(found[0])


def put(
    transaction: Transaction,
    first: int,
    end: int,
    rows: Sequence[Explained],
    digest: Digest,
) -> bool:
    """Store the explanations of leaves; False where another process was faster.

    Args:
        transaction: The write.
        first: The first leaf that was looked at.
        end: The one after the last.
        rows: Those that have, or lack, an explanation.
        digest: Keyed, of what is stored.

    """
    if counters.current(transaction, EXPLAINED) != first:
        return False
    transaction.copy(_ADD, "audit_explanation", _COLUMNS, rows)
    seal = Seal(first, end, 0, 0, b"")
    seal = seal._replace(digest=_sealed(digest, seal, rows))
    audit_seals.put(transaction, Sealed.EXPLANATIONS, seal)
    counters.put(transaction, EXPLAINED, end)
    return True


def first_altered(snapshot: Snapshot, digest: Digest) -> int | None:
    """Return where explanations begin that are not those which were found."""
    with suppress(*UNREADABLE):
        return _first_altered(snapshot, digest)
    return 0


def _first_altered(snapshot: Snapshot, digest: Digest) -> int | None:
    end = 0
    for page in audit_seals.pages(snapshot, Sealed.EXPLANATIONS):
        rows = snapshot.all(_ALL, first=page[0].first, before=page[-1].before)
        for seal in page:
            own = audit_seals.between(rows, 0, seal.first, seal.before)
            if seal.first != end or _sealed(digest, seal, own) != seal.digest:
                return min(end, seal.first)
            end = seal.before
    behind = snapshot.all(_ALL, first=end, before=LAST_LEAF)
    if behind:
        return int(behind[0][0])
    return end if end < explained_up_to(snapshot) else None


def _sealed(digest: Digest, seal: Seal, rows: Rows) -> bytes:
    return digest(
        audit_seals.packed(Sealed.EXPLANATIONS, seal[:4], [sorted(map(tuple, rows))])
    )


def of(snapshot: Snapshot, leaf_index: int) -> Explained | None:
    """Return the explanation of a row; None for one that needs none."""
    found = snapshot.one(_OF, at=leaf_index)
    return None if found is None else Explained(leaf_index, *map(int, found))


def codes(snapshot: Snapshot, first: int, before: int) -> dict[int, int]:
    """Return the codes of rows that follow one another, of those that have one."""
    found = snapshot.all(_BETWEEN, first=first, before=before)
    return {int(index): int(code) for index, code in found}


def subject(snapshot: Snapshot, pseudonym: bytes) -> int:
    """Return the number of a patient in the index; 0 for one who is not there."""
    found = snapshot.one(_SUBJECT, pseudonym=pseudonym)
    return 0 if found is None else int(found[0])


def naming(
    snapshot: Snapshot,
    patient_key: int,
    type_ids: Collection[int],
    hashes: Collection[int],
) -> list[int]:
    """Return rows of a patient's resources that refer to somebody, newest first.

    Args:
        snapshot: Where to look.
        patient_key: Whose resources.
        type_ids: Of which types.
        hashes: By which the mention index knows the one who is named.

    """
    of_type, types = members("d.type", sorted(type_ids), snapshot.dialect)
    of_name, names = members("m.hash", sorted(hashes), snapshot.dialect)
    sql = (
        "SELECT DISTINCT d.row FROM record d JOIN row_mention m "  # noqa: S608 - fixed texts
        "ON m.patient_key = d.patient_key AND m.row = d.row "
        f"WHERE d.patient_key = ? AND {of_type} AND {of_name} "
        f"ORDER BY d.row DESC LIMIT {MAX_RELATED}"
    )
    found = snapshot.sql(text_of(sql, snapshot.dialect), (patient_key, *types, *names))
    return [int(row) for (row,) in found]
