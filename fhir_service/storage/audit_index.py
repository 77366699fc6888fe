"""From the log's leaves to what can be asked of it.

A leaf is appended with the transaction that it tells of; its index entry follows by
hundreds, in the background and before every question, so that an answer holds all that
was durable when it was asked. The index can be made anew from the log at any time.
"""

from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from enum import IntEnum
from typing import NamedTuple

from sqlalchemy import bindparam, insert, select, text

from consent.audit.entry import (
    INTERACTION_CODE,
    OUTCOME_CODE,
    AuditRecord,
    BasisKind,
)
from consent.audit.merkle import ProofError, leaf_hash
from fhir_service.storage import audit_seals, counters, leaves
from fhir_service.storage.audit_counting import HOUR_US, Counting
from fhir_service.storage.audit_log import head
from fhir_service.storage.audit_seals import Derived, Digest, Rows, Seal, Sealed
from fhir_service.storage.audit_tables import (
    audit_name,
    audit_patient,
    audit_row,
    audit_scope,
    audit_subject,
)
from fhir_service.storage.audit_tree import add_tiles
from fhir_service.storage.engine import Database, Snapshot, Transaction
from fhir_service.storage.statement import Statement, columns_of
from fhir_service.storage.tables import counter

INDEXED = "audit-indexed"
"""The counter of leaves that are in the index."""

_NAME_COUNTER, _SUBJECTS = "audit-name", "audit-subject"

CHUNK = 100
"""Leaves of one job of the writer: some twenty milliseconds at most in a large log."""

MAX_COUNT = 32_767
EVERYBODYS = -1
"""The custodian of a row that concerns no organisation: every officer may see it."""

BLOCK_BITS = 15
"""A block is 2^15 rows: few enough to be sorted in milliseconds, and enough that rows
of one value share it."""


class NameKind(IntEnum):
    """What a name in the index is; stored numbers."""

    USER = 1
    CLIENT = 2
    ORGANISATION = 3
    TYPE = 4
    PURPOSES = 5
    REASON = 6
    BASIS = 7
    ADDRESS = 8


Custodian = Callable[[Snapshot, bytes], str | None]
"""(snapshot, pseudonym) → `Organization/id` that manages the patient, or None."""

_MARK = Statement(select(counter.c.value).where(counter.c.name == INDEXED))
_NAME = Statement(
    select(audit_name.c.name_id).where(
        audit_name.c.kind == bindparam("kind"), audit_name.c.text == bindparam("text")
    )
)
_ADD_NAME = Statement(
    insert(audit_name).values(**columns_of(["name_id", "kind", "text"]))
)
_SUBJECT = Statement(
    select(audit_subject.c.subject_id, audit_subject.c.organisation_id).where(
        audit_subject.c.pseudonym == bindparam("pseudonym")
    )
)
_ADD_SUBJECT = Statement(
    insert(audit_subject).values(
        **columns_of(["subject_id", "pseudonym", "organisation_id"])
    )
)
ROW_COLUMNS = (
    "leaf_index",
    "time",
    "block",
    "subject_id",
    "custodian_id",
    "user_id",
    "client_id",
    "organisation_id",
    "type_id",
    "purpose_id",
    "reason_id",
    "basis_id",
    "address_id",
    "released",
    "written",
    "interaction",
    "outcome",
    "status",
    "patients",
)
_ADD_ROW = Statement(insert(audit_row).values(**columns_of(ROW_COLUMNS)))
_PATIENT_COLUMNS = ("subject_id", "leaf_index")
_ADD_PATIENT = Statement(insert(audit_patient).values(**columns_of(_PATIENT_COLUMNS)))
_SCOPE_COLUMNS = ("organisation_id", "leaf_index")
_ADD_SCOPE = Statement(insert(audit_scope).values(**columns_of(_SCOPE_COLUMNS)))
_TALLY = Statement(
    text(
        "INSERT INTO audit_tally (hour, interaction, outcome, events, resources, "
        "released, first_leaf, last_leaf) VALUES "
        "(:hour, :interaction, :outcome, :events, :resources, :released, :first, :last)"
        " ON CONFLICT (hour, interaction, outcome) DO UPDATE SET "
        "events = audit_tally.events + excluded.events, "
        "resources = audit_tally.resources + excluded.resources, "
        "released = audit_tally.released + excluded.released, "
        "first_leaf = CASE WHEN excluded.first_leaf < audit_tally.first_leaf "
        "THEN excluded.first_leaf ELSE audit_tally.first_leaf END, "
        "last_leaf = CASE WHEN excluded.last_leaf > audit_tally.last_leaf "
        "THEN excluded.last_leaf ELSE audit_tally.last_leaf END"
    )
)
_SCOPE_TALLY = Statement(
    text(
        "INSERT INTO audit_scope_tally (organisation_id, hour, interaction, outcome, "
        "events, resources, released) VALUES "
        "(:organisation, :hour, :interaction, :outcome, :events, :resources, :released)"
        " ON CONFLICT (organisation_id, hour, interaction, outcome) DO UPDATE SET "
        "events = audit_scope_tally.events + excluded.events, "
        "resources = audit_scope_tally.resources + excluded.resources, "
        "released = audit_scope_tally.released + excluded.released"
    )
)


@dataclass(kw_only=True)
class _Names:
    """Names and patients that were met, so that each is looked up once."""

    names: dict[tuple[NameKind, str], int] = field(default_factory=dict)
    subjects: dict[bytes, tuple[int, int]] = field(default_factory=dict)


MAX_REMEMBERED = 100_000
"""Names and patients each that stay in memory."""


class AuditIndex:
    """Brings the index up to the log's end.

    Args:
        custodian: Tells who manages the patient behind a pseudonym.
        digest: Keyed, of what is indexed.

    """

    def __init__(self, custodian: Custodian, digest: Digest) -> None:
        self._custodian = custodian
        self._digest = digest
        self._known = _Names()

    def catch_up(self, database: Database) -> int:
        """Index everything that is durable now; return how many leaves there are."""
        with database.read() as snapshot:
            size = _size(snapshot)
            if indexed_up_to(snapshot) >= size:
                return size
        last, end = -1, 0
        while last < end < size:
            last, end = end, database.write(self.index_some)
        return size

    def index_some(self, transaction: Transaction) -> int:
        """Index the next leaves; return up to where the index goes now.

        A leaf that was altered or removed is passed over, as is one that was inserted
        behind the end that is signed: verification names them.
        """
        mark = counters.current(transaction, INDEXED)
        end = min(mark + CHUNK, _size(transaction))
        if mark >= end:
            return mark
        met = _Names()
        found = leaves.between(transaction, mark, end)
        derived = self._add(transaction, found, met)
        self._seal(transaction, mark, end, derived._replace(leaves=_hashed(found)))
        with suppress(ProofError, TypeError):
            # Without a leaf's hash, proofs of others are made from what is there.
            add_tiles(transaction, mark, end)
        counters.put(transaction, INDEXED, end)
        transaction.after_commit(lambda: self._remember(met))
        return end

    def _seal(
        self,
        transaction: Transaction,
        first: int,
        end: int,
        derived: Derived,
    ) -> None:
        """Seal what was indexed, and the names that came with it."""
        bounds = Seal(
            first=first,
            before=end,
            name_id=counters.current(transaction, _NAME_COUNTER),
            subject_id=counters.current(transaction, _SUBJECTS),
            digest=b"",
        )
        before = audit_seals.last(transaction, Sealed.INDEX)
        of = derived.sealed(
            bounds,
            audit_seals.names(transaction, before, bounds),
            audit_seals.subjects(transaction, before, bounds),
        )
        seal = bounds._replace(digest=self._digest(of))
        audit_seals.put(transaction, Sealed.INDEX, seal)

    def _remember(self, met: _Names) -> None:
        """Keep what was looked up, once it is durable."""
        known = self._known
        if len(known.names) + len(known.subjects) > MAX_REMEMBERED:
            known = self._known = _Names()
        known.names.update(met.names)
        known.subjects.update(met.subjects)

    def _add(
        self, transaction: Transaction, found: Mapping[int, object], met: _Names
    ) -> Derived:
        """Index leaves; return what was stored for them."""
        rows, patients, scopes = [], [], []
        counted = Counting()
        for index, leaf in found.items():
            record = decoded(leaf)
            if record is None:
                continue
            subjects = [
                self._subject(transaction, met, one)
                for one in dict.fromkeys(record.patients)
            ]
            names = self._names(transaction, met, record)
            actor, custodians = names[2], [one for _, one in subjects]
            scope = scope_of(actor, custodians)
            first = subjects[0][0] if subjects else 0
            rows.append(_row(index, record, (first, scope.custodian), names))
            patients += [(subject, index) for subject, _ in subjects[1:]]
            scopes += [(organisation, index) for organisation in scope.further]
            what = record.time_us // HOUR_US, rows[-1][-4], rows[-1][-3]
            counted.add(index, what, len(record.disclosed), actor, custodians)
        transaction.copy(_ADD_ROW, "audit_row", ROW_COLUMNS, rows)
        transaction.copy(_ADD_PATIENT, "audit_patient", _PATIENT_COLUMNS, patients)
        transaction.copy(_ADD_SCOPE, "audit_scope", _SCOPE_COLUMNS, scopes)
        whole, of_scopes = counted.whole, counted.scopes
        transaction.run_many(_TALLY, [(*at, *whole[at]) for at in whole])
        transaction.run_many(_SCOPE_TALLY, [(*at, *of_scopes[at]) for at in of_scopes])
        return Derived(rows, patients, scopes, ())

    def _names(
        self, transaction: Transaction, met: _Names, record: AuditRecord
    ) -> tuple[int, ...]:
        """Return the numbers of a row's names, in the order of `ROW_COLUMNS`."""
        return tuple(
            self._name(transaction, met, at) if at[1] else 0 for at in _words(record)
        )

    def _name(
        self, transaction: Transaction, met: _Names, at: tuple[NameKind, str]
    ) -> int:
        """Return the number of a name, given now where it is new."""
        number = self._known.names.get(at) or met.names.get(at)
        if number is None:
            kind, word = int(at[0]), at[1]
            found = transaction.one(_NAME, kind=kind, text=word)
            if found is None:
                number = counters.take(transaction, _NAME_COUNTER)
                transaction.run(_ADD_NAME, name_id=number, kind=kind, text=word)
            else:
                number = int(found[0])
            met.names[at] = number
        return number

    def _subject(
        self, transaction: Transaction, met: _Names, pseudonym: bytes
    ) -> tuple[int, int]:
        """Return the patient's number, and that of the organisation that manages."""
        subject = self._known.subjects.get(pseudonym) or met.subjects.get(pseudonym)
        if subject is None:
            found = transaction.one(_SUBJECT, pseudonym=pseudonym)
            subject = (
                self._new_subject(transaction, met, pseudonym)
                if found is None
                else (int(found[0]), int(found[1]))
            )
            met.subjects[pseudonym] = subject
        return subject

    def _new_subject(
        self, transaction: Transaction, met: _Names, pseudonym: bytes
    ) -> tuple[int, int]:
        custodian = self._custodian(transaction, pseudonym)
        organisation = (
            0
            if custodian is None
            else self._name(transaction, met, (NameKind.ORGANISATION, custodian))
        )
        number = counters.take(transaction, _SUBJECTS)
        transaction.run(
            _ADD_SUBJECT,
            subject_id=number,
            pseudonym=pseudonym,
            organisation_id=organisation,
        )
        return number, organisation


def _words(record: AuditRecord) -> Iterable[tuple[NameKind, str]]:
    """Return what is interned of a row, in the order of `ROW_COLUMNS`."""
    return (
        (NameKind.USER, record.user),
        (NameKind.CLIENT, record.client),
        (NameKind.ORGANISATION, record.organisation),
        (NameKind.TYPE, record.resource_type),
        (NameKind.PURPOSES, " ".join(sorted(record.purposes))),
        (NameKind.REASON, record.reason),
        (NameKind.BASIS, ground(record)),
        (NameKind.ADDRESS, record.address),
    )


def indexed_up_to(snapshot: Snapshot) -> int:
    """Return how many leaves the index holds."""
    found = snapshot.one(_MARK)
    return 0 if found is None else int(found[0])


def _size(snapshot: Snapshot) -> int:
    """Return how many leaves the log's head counts."""
    found = head(snapshot)
    return 0 if found is None else found.frontier.size


def decoded(leaf: object) -> AuditRecord | None:
    """Return the record of a leaf; None for one that verification will name."""
    return leaves.read(leaf, lambda _: None)


def ground(record: AuditRecord) -> str:
    """Return the first thing that a decision rested on, such as a consent's version."""
    for ground in record.basis:
        if ground.kind is not BasisKind.INPUTS:
            return f"{ground.kind.value} {ground.name}"
    return ""


def _hashed(found: Mapping[int, object]) -> Rows:
    """Return the hashes of what was indexed, as it was then."""
    return [(index, leaf_hash(leaves.stored(leaf))) for index, leaf in found.items()]


class Scope(NamedTuple):
    """Whose officers may see a row, beside the actor's.

    Attributes:
        custodian: One organisation; 0 for none, `EVERYBODYS` where nobody is concerned.
        further: The others.

    """

    custodian: int
    further: tuple[int, ...]


def scope_of(actor: int, custodians: Iterable[int]) -> Scope:
    """Return whose officers may see a row.

    Args:
        actor: The organisation that acted, or 0.
        custodians: Those of its patients, 0 where none is known.

    """
    others = sorted({one for one in custodians if one not in {0, actor}})
    if others:
        return Scope(others[0], tuple(others[1:]))
    return Scope(0 if actor else EVERYBODYS, ())


def block_of(index: int) -> int:
    """Return the block in which a row lies."""
    return index >> BLOCK_BITS


def _row(
    index: int,
    record: AuditRecord,
    whose: tuple[int, int],
    names: tuple[int, ...],
) -> tuple[int, ...]:
    """Return a row of the index, in the order of `ROW_COLUMNS`."""
    return (
        index,
        record.time_us,
        block_of(index),
        *whose,
        *names,
        len(record.disclosed),
        len(record.written),
        INTERACTION_CODE[record.interaction],
        OUTCOME_CODE[record.outcome],
        record.status,
        min(len(record.patients), MAX_COUNT),
    )
