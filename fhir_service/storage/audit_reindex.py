"""The index of the log, compared with the log, and made anew from it.

The index is no part of the proof: whoever can write the database could take a row out
of it, and a question would not find what the log still proves. So it is compared.
"""

from collections.abc import Iterator
from itertools import zip_longest
from typing import Any

from sqlalchemy import bindparam, delete, select

from consent.audit.entry import INTERACTION_CODE, OUTCOME_CODE
from fhir_service.storage import audit_log, counters
from fhir_service.storage.audit_index import (
    INDEXED,
    MAX_COUNT,
    NameKind,
    decoded,
    ground,
    indexed_up_to,
)
from fhir_service.storage.audit_tables import (
    audit_explanation,
    audit_name,
    audit_patient,
    audit_row,
    audit_scope,
    audit_scope_tally,
    audit_subject,
    audit_tally,
    audit_tile,
)
from fhir_service.storage.engine import Snapshot, Transaction
from fhir_service.storage.explanations import EXPLAINED
from fhir_service.storage.statement import Statement

_DERIVED = (
    audit_row,
    audit_patient,
    audit_scope,
    audit_scope_tally,
    audit_tally,
    audit_tile,
    audit_explanation,
)
_EMPTY = tuple(Statement(delete(table)) for table in _DERIVED)
_NAMES = Statement(select(audit_name.c.name_id, audit_name.c.kind, audit_name.c.text))
_SUBJECTS = Statement(select(audit_subject.c.subject_id, audit_subject.c.pseudonym))
_ROWS = Statement(
    select(audit_row)
    .where(audit_row.c.leaf_index >= bindparam("first"))
    .order_by(audit_row.c.leaf_index)
    .limit(bindparam("count"))
)
_PATIENTS = Statement(
    select(audit_patient.c.leaf_index, audit_patient.c.subject_id).where(
        audit_patient.c.leaf_index >= bindparam("first"),
        audit_patient.c.leaf_index < bindparam("last"),
    )
)
_PAGE = 5_000

Entry = tuple[Any, ...]
"""What the index says of a row: its place, then everything in words."""


def forget(transaction: Transaction) -> None:
    """Empty the index, so that it is made anew from the log's first row."""
    for statement in _EMPTY:
        transaction.run(statement)
    for name in (INDEXED, EXPLAINED):
        counters.current(transaction, name)
        counters.put(transaction, name, 0)


def first_difference(snapshot: Snapshot) -> int | None:
    """Return the first row that the index has, and has not, as the log has it."""
    end = indexed_up_to(snapshot)
    of_log, of_index = _of_log(snapshot, end), _of_index(snapshot)
    for one, other in zip_longest(of_log, of_index):
        if one != other:
            return int(min(each[0] for each in (one, other) if each is not None))
    return None


def _of_log(snapshot: Snapshot, end: int) -> Iterator[Entry]:
    for index, leaf, _ in audit_log.entries(snapshot, 0):
        if index >= end:
            return
        record = decoded(leaf)
        if record is None:
            continue
        yield (
            index,
            record.time_us,
            INTERACTION_CODE[record.interaction],
            OUTCOME_CODE[record.outcome],
            record.status,
            record.user,
            record.client,
            record.organisation,
            record.resource_type,
            " ".join(sorted(record.purposes)),
            record.reason,
            ground(record),
            record.address,
            min(len(record.patients), MAX_COUNT),
            len(record.disclosed),
            len(record.written),
            frozenset(record.patients),
        )


def _of_index(snapshot: Snapshot) -> Iterator[Entry]:
    names = {
        (int(number), int(kind)): str(text)
        for number, kind, text in snapshot.all(_NAMES)
    }
    subjects = {
        int(number): bytes(pseudonym) for number, pseudonym in snapshot.all(_SUBJECTS)
    }
    first = 0
    while page := snapshot.all(_ROWS, first=first, count=_PAGE):
        last = int(page[-1][0]) + 1
        patients: dict[int, set[bytes]] = {}
        for index, subject in snapshot.all(_PATIENTS, first=first, last=last):
            pseudonym = subjects.get(int(subject), b"")
            patients.setdefault(int(index), set()).add(pseudonym)
        for row in page:
            yield (
                *(int(one) for one in row[:5]),
                *(_word(names, row[at], kind) for at, kind in _WORDS),
                *(int(one) for one in row[13:]),
                frozenset(patients.get(int(row[0]), ())),
            )
        first = last


_WORDS = (
    (5, NameKind.USER),
    (6, NameKind.CLIENT),
    (7, NameKind.ORGANISATION),
    (8, NameKind.TYPE),
    (9, NameKind.PURPOSES),
    (10, NameKind.REASON),
    (11, NameKind.BASIS),
    (12, NameKind.ADDRESS),
)
"""Columns of `audit_row` that are names, in the order of `ROW_COLUMNS`."""


def _word(names: dict[tuple[int, int], str], number: int, kind: NameKind) -> str:
    """Return a name; one that is not there is no name that the log could hold."""
    return names.get((int(number), int(kind)), "\0") if number else ""
