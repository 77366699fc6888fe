"""The index of the log against its seals, and the tallies against the index.

Numbers alone are read, so that ten million rows are compared in minutes. What a seal
does not fit was altered, or was not made by this service.
"""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import Any, NamedTuple

from sqlalchemy import bindparam, select

from fhir_service.storage import audit_seals
from fhir_service.storage.audit_counting import HOUR_US, Counting, What
from fhir_service.storage.audit_index import ROW_COLUMNS
from fhir_service.storage.audit_seals import (
    BEGIN,
    UNREADABLE,
    Derived,
    Digest,
    Seal,
    Sealed,
)
from fhir_service.storage.audit_tables import (
    audit_patient,
    audit_row,
    audit_scope,
    audit_scope_tally,
    audit_subject,
    audit_tally,
)
from fhir_service.storage.engine import Snapshot
from fhir_service.storage.statement import Statement
from fhir_service.storage.tables import audit_entry

_AT = {name: place for place, name in enumerate(ROW_COLUMNS)}
_ROWS, _PATIENTS, _SCOPES, _LEAVES = (
    Statement(
        select(*(table.c[name] for name in columns))
        .where(
            table.c.leaf_index >= bindparam("first"),
            table.c.leaf_index < bindparam("before"),
        )
        .order_by(table.c.leaf_index)
    )
    for table, columns in (
        (audit_row, ROW_COLUMNS),
        (audit_patient, ("subject_id", "leaf_index")),
        (audit_scope, ("organisation_id", "leaf_index")),
        (audit_entry, ("leaf_index", "leaf_hash")),
    )
)
_CUSTODIANS = Statement(
    select(audit_subject.c.subject_id, audit_subject.c.organisation_id)
)
_WHOLE = Statement(
    select(
        *(audit_tally.c[name] for name in ("hour", "interaction", "outcome")),
        *(audit_tally.c[name] for name in ("events", "resources", "released")),
        *(audit_tally.c[name] for name in ("first_leaf", "last_leaf")),
    )
)
_OF_SCOPES = Statement(
    select(
        audit_scope_tally.c.organisation_id,
        *(audit_scope_tally.c[name] for name in ("hour", "interaction", "outcome")),
        *(audit_scope_tally.c[name] for name in ("events", "resources", "released")),
    )
)


def derived(snapshot: Snapshot, first: int, before: int) -> Derived:
    """Return what the index has of rows of the log."""
    bounds = {"first": first, "before": before}
    return Derived(
        *(snapshot.all(one, **bounds) for one in (_ROWS, _PATIENTS, _SCOPES, _LEAVES))
    )


class Compared(NamedTuple):
    """What was found where an index was compared with its seals.

    Attributes:
        first: The first row of the stretch whose seal does not fit; the end of what is
            sealed where all of them do.
        before: The row after the last of that stretch.
        counted: The rows before it.

    """

    first: int
    before: int
    counted: Counting


def compare(snapshot: Snapshot, digest: Digest) -> Compared:
    """Compare the index with its seals until one does not fit."""
    counted = Counting()
    custodians = dict(snapshot.all(_CUSTODIANS))
    end = 0
    for seal, fits, stretch in _stretches(snapshot, digest):
        if not fits:
            before = seal.before if isinstance(seal.before, int) else end
            return Compared(end, max(before, end + 1), counted)
        _count(counted, stretch, custodians)
        end = seal.before
    return Compared(end, end, counted)


def _stretches(
    snapshot: Snapshot, digest: Digest
) -> Iterator[tuple[Seal, bool, Derived]]:
    """Yield each seal, whether it fits, and what it is of."""
    known = BEGIN
    for page in audit_seals.pages(snapshot, Sealed.INDEX):
        whole = derived(snapshot, page[0].first, page[-1].before)
        for seal in page:
            fits, own = False, Derived((), (), (), ())
            with suppress(*UNREADABLE):
                own = whole.part(seal.first, seal.before)
                names = audit_seals.names(snapshot, known, seal)
                subjects = audit_seals.subjects(snapshot, known, seal)
                sealed = digest(own.sealed(seal, names, subjects))
                fits = (seal.first, seal.digest) == (known.before, sealed)
            yield seal, fits, own
            known = seal


def _count(counted: Counting, stretch: Derived, custodians: dict[int, int]) -> None:
    further: dict[int, list[int]] = {}
    for subject, index in stretch.patients:
        further.setdefault(index, []).append(custodians.get(subject, 0))
    for row in stretch.rows:
        index, subject = row[0], row[_AT["subject_id"]]
        of_first = [custodians.get(subject, 0)] if subject else []
        counted.add(
            index,
            (
                row[_AT["time"]] // HOUR_US,
                row[_AT["interaction"]],
                row[_AT["outcome"]],
            ),
            row[_AT["released"]],
            row[_AT["organisation_id"]],
            of_first + further.get(index, []),
        )


def first_miscounted(snapshot: Snapshot, counted: Counting) -> int | None:
    """Return the first row of an hour of which the tallies say something else."""
    unlike = [
        *_unlike(counted.whole, snapshot.all(_WHOLE), 3),
        *(key[1:] for key in _unlike(counted.scopes, snapshot.all(_OF_SCOPES), 4)),
    ]
    if not unlike:
        return None
    return min(_place(counted, key) for key in unlike)


def _unlike(
    counted: dict[Any, list[int]], stored: Sequence[Sequence[Any]], width: int
) -> Iterator[tuple[Any, ...]]:
    """Yield the keys whose numbers are not those that are stored."""
    found = {tuple(row[:width]): list(row[width:]) for row in stored}
    for key in counted.keys() | found.keys():
        if counted.get(key) != found.get(key):
            yield key


def _place(counted: Counting, key: What | tuple[Any, ...]) -> int:
    known = counted.whole.get((key[0], key[1], key[2]))
    return 0 if known is None else known[3]
