"""The index of the log, compared with the log, and made anew from it.

The index is no part of the proof: whoever can write the database could take a row out
of it, and a question would not find what the log still proves. So it is compared.
"""

from collections.abc import Iterator
from contextlib import suppress
from itertools import zip_longest
from typing import Any, NamedTuple

from sqlalchemy import bindparam, delete, select

from consent.audit.entry import INTERACTION_CODE, OUTCOME_CODE
from fhir_service.storage import audit_log, counters
from fhir_service.storage.audit_index import (
    INDEXED,
    MAX_COUNT,
    NameKind,
    Scope,
    block_of,
    decoded,
    ground,
    indexed_up_to,
    scope_of,
)
from fhir_service.storage.audit_seals import UNREADABLE, Digest, Rows
from fhir_service.storage.audit_stretches import compare, derived, first_miscounted
from fhir_service.storage.audit_tables import (
    audit_explanation,
    audit_name,
    audit_patient,
    audit_row,
    audit_scope,
    audit_scope_tally,
    audit_seal,
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
    audit_seal,
)
_EMPTY = tuple(Statement(delete(table)) for table in _DERIVED)
_NAMES = Statement(select(audit_name.c.name_id, audit_name.c.kind, audit_name.c.text))
_SUBJECTS = Statement(
    select(
        audit_subject.c.subject_id,
        audit_subject.c.pseudonym,
        audit_subject.c.organisation_id,
    )
)
_BEHIND = Statement(
    select(audit_row.c.leaf_index)
    .where(audit_row.c.leaf_index >= bindparam("end"))
    .order_by(audit_row.c.leaf_index)
    .limit(1)
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


def first_difference(snapshot: Snapshot, digest: Digest) -> int | None:
    """Return the first row of which the index says what was not put there.

    Stretches are compared with their seals, and read again from the log only where one
    does not fit; the tallies are counted anew from the rows.

    Args:
        snapshot: Where both are.
        digest: Keyed, of what is indexed.

    """
    end = indexed_up_to(snapshot)
    found = compare(snapshot, digest)
    if found.first != end:
        before = found.before if found.before > found.first else end
        at = None
        with suppress(*UNREADABLE):
            at = _first_unlike(snapshot, min(found.first, end), before)
        return min(found.first, end) if at is None else at
    behind = snapshot.one(_BEHIND, end=end)
    if behind is not None:
        return int(behind[0])
    return first_miscounted(snapshot, found.counted)


def _first_unlike(snapshot: Snapshot, first: int, before: int) -> int | None:
    """Return the first row of which the log says something else."""
    of_log, of_index = (of(snapshot, first, before) for of in (_of_log, _of_index))
    for one, other in zip_longest(of_log, of_index):
        if one != other:
            return int(min(each[0] for each in (one, other) if each is not None))
    return None


def _of_log(snapshot: Snapshot, first: int, before: int) -> Iterator[Entry]:
    for index, leaf, _ in audit_log.entries(snapshot, first):
        if index >= before:
            return
        record = decoded(leaf)
        if record is None:
            continue
        yield (
            index,
            record.time_us,
            block_of(index),
            record.user,
            record.client,
            record.organisation,
            record.resource_type,
            " ".join(sorted(record.purposes)),
            record.reason,
            ground(record),
            record.address,
            len(record.disclosed),
            len(record.written),
            INTERACTION_CODE[record.interaction],
            OUTCOME_CODE[record.outcome],
            record.status,
            min(len(record.patients), MAX_COUNT),
            frozenset(record.patients),
            True,
        )


def _of_index(snapshot: Snapshot, first: int, before: int) -> Iterator[Entry]:
    names = {
        (int(number), int(kind)): str(text)
        for number, kind, text in snapshot.all(_NAMES)
    }
    subjects = {
        int(number): _Subject(bytes(pseudonym), int(custodian))
        for number, pseudonym, custodian in snapshot.all(_SUBJECTS)
    }
    while first < before:
        last = min(first + _PAGE, before)
        stretch = derived(snapshot, first, last)
        further, scopes = _gathered(stretch.patients), _gathered(stretch.scopes)
        for row in stretch.rows:
            index, time_us, block, subject, custodian, *rest = row
            whom = ([subject] if subject else []) + further.get(index, [])
            people = [subjects.get(one, _NOBODY) for one in whom]
            scope = scope_of(rest[2], [one.custodian for one in people])
            yield (
                index,
                time_us,
                block,
                *(_word(names, rest[at], kind) for at, kind in enumerate(_WORDS)),
                *rest[len(_WORDS) :],
                frozenset(one.pseudonym for one in people),
                scope == Scope(custodian, tuple(sorted(scopes.get(index, [])))),
            )
        first = last


class _Subject(NamedTuple):
    """A patient, and who manages the patient."""

    pseudonym: bytes
    custodian: int


_NOBODY = _Subject(b"", 0)

_WORDS = (
    NameKind.USER,
    NameKind.CLIENT,
    NameKind.ORGANISATION,
    NameKind.TYPE,
    NameKind.PURPOSES,
    NameKind.REASON,
    NameKind.BASIS,
    NameKind.ADDRESS,
)
"""Columns of `audit_row` that are names, in the order of `ROW_COLUMNS`."""


def _gathered(found: Rows) -> dict[int, list[int]]:
    """Return the numbers of each row."""
    gathered: dict[int, list[int]] = {}
    for number, index in found:
        gathered.setdefault(index, []).append(number)
    return gathered


def _word(names: dict[tuple[int, int], str], number: int, kind: NameKind) -> str:
    """Return a name; one that is not there is no name that the log could hold."""
    return names.get((int(number), int(kind)), "\0") if number else ""
