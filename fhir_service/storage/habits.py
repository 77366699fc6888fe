"""What people and clients usually do, and what they have just done.

By the numbers of the index, so that what is unusual can be told without reading the
log.
"""

from collections.abc import Iterable
from enum import IntEnum
from typing import NamedTuple

from sqlalchemy import and_, bindparam, func, or_, select
from sqlalchemy.dialects.postgresql import insert as upsert

from fhir_service.storage.audit_index import block_of
from fhir_service.storage.audit_tables import (
    audit_habit,
    audit_name,
    audit_patient,
    audit_row,
    audit_subject,
    audit_tally,
)
from fhir_service.storage.engine import Snapshot, Transaction
from fhir_service.storage.statement import Statement, columns_of


class Habit(IntEnum):
    """What is remembered of people and clients; stored numbers."""

    READING = 1
    NETWORK = 2
    ENDED = 3
    """Of a patient: the value is a consent that ended on that day."""


_HABIT = ("kind", "name_id", "day", "value")
_LEARN = Statement(
    upsert(audit_habit).values(**columns_of(_HABIT)).on_conflict_do_nothing()
)
_DAYS = Statement(
    select(audit_habit.c.day, func.count())
    .where(
        audit_habit.c.kind == int(Habit.READING),
        audit_habit.c.name_id == bindparam("of"),
        audit_habit.c.day >= bindparam("since"),
        audit_habit.c.day <= bindparam("until"),
    )
    .group_by(audit_habit.c.day)
)
_SUBJECTS_OF_DAY = Statement(
    select(audit_habit.c.value).where(
        audit_habit.c.kind == int(Habit.READING),
        audit_habit.c.name_id == bindparam("of"),
        audit_habit.c.day == bindparam("on"),
    )
)
_NETWORKS = Statement(
    select(audit_habit.c.value).where(
        audit_habit.c.kind == int(Habit.NETWORK),
        audit_habit.c.name_id == bindparam("of"),
        audit_habit.c.day == 0,
    )
)
_ENDED = Statement(
    select(audit_habit.c.value).where(
        audit_habit.c.kind == int(Habit.ENDED),
        audit_habit.c.name_id == bindparam("of"),
    )
)
_TO_WHOM = and_(
    audit_row.c.released > 0,
    or_(
        and_(audit_row.c.user_id == bindparam("user"), bindparam("user") > 0),
        and_(
            audit_row.c.user_id == 0,
            audit_row.c.client_id == bindparam("client"),
            bindparam("client") > 0,
        ),
    ),
)
_RELEASES = Statement(
    select(audit_row.c.leaf_index)
    .where(
        audit_row.c.subject_id == bindparam("subject"),
        audit_row.c.block <= bindparam("block"),
        audit_row.c.leaf_index < bindparam("before"),
        _TO_WHOM,
    )
    .order_by(audit_row.c.block.desc(), audit_row.c.leaf_index.desc())
    .limit(bindparam("count"))
)
_RELEASES_WITH_OTHERS = Statement(
    select(audit_row.c.leaf_index)
    .select_from(
        audit_patient.join(
            audit_row, audit_row.c.leaf_index == audit_patient.c.leaf_index
        )
    )
    .where(
        audit_patient.c.subject_id == bindparam("subject"),
        audit_patient.c.leaf_index < bindparam("before"),
        _TO_WHOM,
    )
    .order_by(audit_patient.c.leaf_index.desc())
    .limit(bindparam("count"))
)
_FIRST_LEAF = Statement(
    select(func.min(audit_tally.c.first_leaf)).where(
        audit_tally.c.hour >= bindparam("since")
    )
)
_INDEXED = (
    audit_row.c.leaf_index,
    audit_row.c.user_id,
    audit_row.c.client_id,
    audit_row.c.address_id,
)
_ROWS = Statement(
    select(*_INDEXED)
    .where(
        audit_row.c.leaf_index >= bindparam("first"),
        audit_row.c.leaf_index < bindparam("before"),
    )
    .order_by(audit_row.c.leaf_index)
)
_OF_OUTCOME = Statement(
    select(*_INDEXED)
    .where(
        audit_row.c.outcome == bindparam("code"),
        audit_row.c.block >= bindparam("first_block"),
        audit_row.c.block <= bindparam("last_block"),
        audit_row.c.leaf_index >= bindparam("first"),
        audit_row.c.leaf_index < bindparam("before"),
        audit_row.c.time >= bindparam("since"),
    )
    .order_by(audit_row.c.block.desc(), audit_row.c.leaf_index.desc())
    .limit(bindparam("count"))
)
_SUBJECT = Statement(
    select(audit_subject.c.subject_id, audit_name.c.text)
    .select_from(
        audit_subject.outerjoin(
            audit_name, audit_name.c.name_id == audit_subject.c.organisation_id
        )
    )
    .where(audit_subject.c.pseudonym == bindparam("pseudonym"))
)


class Subject(NamedTuple):
    """A patient in the index.

    Attributes:
        number: How the index counts the patient.
        organisation: `Organization/id` of the custodian, or None.

    """

    number: int
    organisation: str | None


Numbers = tuple[int, int, int, int]
"""A row, and how the index counts its person, its client and its address."""


def learn(
    transaction: Transaction, habits: Iterable[tuple[Habit, int, int, int]]
) -> None:
    """Remember what was done: (habit, number of the name, day, value)."""
    transaction.run_many(_LEARN, [(int(kind), *rest) for kind, *rest in habits])


def read_by_day(
    snapshot: Snapshot, user_id: int, since: int, until: int
) -> dict[int, int]:
    """Return of how many patients somebody read, by day, both ends included."""
    found = snapshot.all(_DAYS, of=user_id, since=since, until=until)
    return {int(day): int(patients) for day, patients in found}


def subjects(snapshot: Snapshot, user_id: int, day: int) -> set[int]:
    """Return the numbers of the patients whom somebody read on a day."""
    return {int(one) for (one,) in snapshot.all(_SUBJECTS_OF_DAY, of=user_id, on=day)}


def networks(snapshot: Snapshot, client_id: int) -> frozenset[int]:
    """Return from which networks a client has come."""
    found = snapshot.all(_NETWORKS, of=client_id)
    return frozenset(int(value) for (value,) in found)


def ended(snapshot: Snapshot, subject: int) -> set[int]:
    """Return the consents of a patient that are known to have ended."""
    return {int(one) for (one,) in snapshot.all(_ENDED, of=subject)}


def releases(
    snapshot: Snapshot,
    subject: int,
    whom: tuple[int, int],
    *,
    before: int,
    count: int,
) -> list[int]:
    """Return rows by which something of a patient left to somebody, newest first.

    Args:
        snapshot: Where they are.
        subject: The patient.
        whom: The person, or 0 and the client that asked without one.
        before: Only rows before this one.
        count: At most.

    """
    user, client = whom
    bounds = {"subject": subject, "before": before, "count": count}
    found = {
        int(index)
        for (index,) in (
            *snapshot.all(
                _RELEASES, user=user, client=client, block=block_of(before), **bounds
            ),
            *snapshot.all(_RELEASES_WITH_OTHERS, user=user, client=client, **bounds),
        )
    }
    return sorted(found, reverse=True)[:count]


def numbers(snapshot: Snapshot, first: int, before: int) -> list[Numbers]:
    """Return rows with the numbers of those who took part, in their order."""
    found = snapshot.all(_ROWS, first=first, before=before)
    return [(int(a), int(b), int(c), int(d)) for a, b, c, d in found]


def recent(  # noqa: PLR0913 - what bounds them
    snapshot: Snapshot, outcome: int, *, hour: int, since: int, before: int, count: int
) -> list[Numbers]:
    """Return rows before one that ended in some way, the newest `count` of them.

    Args:
        snapshot: Where they are.
        outcome: Code of how they ended.
        hour: Not before that hour; it bounds what is looked through.
        since: Not before, microseconds since 1970.
        before: The row.
        count: At most.

    """
    first = snapshot.one(_FIRST_LEAF, since=hour)
    if first is None or first[0] is None:
        return []
    found = snapshot.all(
        _OF_OUTCOME,
        code=outcome,
        first_block=block_of(int(first[0])),
        last_block=block_of(before),
        first=int(first[0]),
        before=before,
        since=since,
        count=count,
    )
    return [(int(a), int(b), int(c), int(d)) for a, b, c, d in reversed(found)]


def subject(snapshot: Snapshot, pseudonym: bytes) -> Subject | None:
    """Return how the index counts a patient; None for one who is not there."""
    found = snapshot.one(_SUBJECT, pseudonym=pseudonym)
    return None if found is None else Subject(int(found[0]), found[1])
