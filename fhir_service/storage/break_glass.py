"""Break-glass: each attested emergency access, its notice and its review.

https://profiles.ihe.net/ITI/PCF/volume-1.html
"""

from dataclasses import dataclass

from sqlalchemy import (
    Column,
    Index,
    LargeBinary,
    Table,
    Text,
    and_,
    bindparam,
    func,
    or_,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import insert

from fhir_service.storage.accounts import account
from fhir_service.storage.engine import Snapshot, Transaction
from fhir_service.storage.statement import Statement, columns_of
from fhir_service.storage.tables import Big, metadata, patient

break_glass = Table(
    "break_glass",
    metadata,
    Column("break_glass_id", Text, primary_key=True),
    Column("user_id", Text, nullable=False),
    Column("patient_key", Big, nullable=False),
    Column("patient", Text, nullable=False, comment="id of the Patient"),
    Column("organization", Text, comment="Organization/id of the user, then"),
    Column("reason", Text, nullable=False, comment="v3-ActReason code"),
    Column("note", LargeBinary, nullable=False, comment="sealed for the patient"),
    Column("started", Big, nullable=False),
    Column("expires", Big, nullable=False),
    Column("client_id", Text, comment="the app that it was used with"),
    Column("noticed", Big, comment="when the patient first saw the notice"),
    Column("reviewed", Big),
    Column("reviewer", Text, comment="user id"),
    Column("verdict", Text, comment="justified or not-justified"),
    Column("review_note", LargeBinary, comment="sealed for the patient"),
    sqlite_with_rowid=False,
)
Index(None, break_glass.c.patient_key)
Index(None, break_glass.c.user_id)
Index(None, break_glass.c.reviewed)


@dataclass(frozen=True, kw_only=True, slots=True)
class BreakGlass:
    """One attested emergency access.

    Attributes:
        break_glass_id: Its name; no secret.
        user_id: Who attested.
        patient_key: Whose record.
        patient: Id of the Patient.
        organization: For whom she acted then.
        reason: v3-ActReason code.
        note: What she wrote, sealed for the patient.
        started: When.
        expires: Until when.
        client_id: The app that it was used with; None for none yet.
        noticed: When the patient first saw the notice; None until then.
        reviewed: When it was reviewed; None until then.
        reviewer: User id of who reviewed it.
        verdict: `justified` or `not-justified`.
        review_note: What the reviewer wrote, sealed for the patient; None for nothing.

    """

    break_glass_id: str
    user_id: str
    patient_key: int
    patient: str
    organization: str | None
    reason: str
    note: bytes
    started: int
    expires: int
    client_id: str | None = None
    noticed: int | None = None
    reviewed: int | None = None
    reviewer: str | None = None
    verdict: str | None = None
    review_note: bytes | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Told:
    """An emergency access with the name of who attested it.

    Attributes:
        use: What was attested.
        name: Of the person.
        reference: The person's own FHIR resource; None for none.

    """

    use: BreakGlass
    name: str
    reference: str | None


_NAMES = [column.name for column in break_glass.columns]

_told = select(break_glass, account.c.name, account.c.reference).select_from(
    break_glass.join(account, account.c.user_id == break_glass.c.user_id)
)
_ADD = Statement(insert(break_glass).values(**columns_of(_NAMES)))
_FIND = Statement(
    select(break_glass).where(break_glass.c.break_glass_id == bindparam("id"))
)
_TOLD = Statement(_told.where(break_glass.c.break_glass_id == bindparam("id")))
_LATEST = Statement(
    select(break_glass.c.started)
    .where(break_glass.c.user_id == bindparam("id"))
    .order_by(break_glass.c.started.desc())
    .limit(bindparam("count"))
)
_OF_PATIENT = Statement(
    _told.where(break_glass.c.patient_key == bindparam("key")).order_by(
        break_glass.c.started.desc()
    )
)
_of_organization = bindparam("organization", type_=Text())
_to_review = and_(
    break_glass.c.reviewed.is_(None),
    or_(
        _of_organization.is_(None),
        patient.c.organization == _of_organization,
    ),
)
_TO_REVIEW = Statement(
    _told.join(patient, patient.c.patient_key == break_glass.c.patient_key)
    .where(_to_review)
    .order_by(break_glass.c.started, break_glass.c.break_glass_id)
    .limit(bindparam("count"))
)
_COUNT_TO_REVIEW = Statement(
    select(func.count())
    .select_from(
        break_glass.join(patient, patient.c.patient_key == break_glass.c.patient_key)
    )
    .where(_to_review)
)
_reviewer = account.alias("reviewer_account")
_DECIDED = Statement(
    select(
        break_glass,
        account.c.name,
        account.c.reference,
        func.coalesce(_reviewer.c.name, break_glass.c.reviewer),
    )
    .select_from(
        break_glass.join(account, account.c.user_id == break_glass.c.user_id)
        .join(patient, patient.c.patient_key == break_glass.c.patient_key)
        .outerjoin(_reviewer, _reviewer.c.user_id == break_glass.c.reviewer)
    )
    .where(
        break_glass.c.reviewed.is_not(None),
        or_(_of_organization.is_(None), patient.c.organization == _of_organization),
    )
    .order_by(break_glass.c.reviewed.desc(), break_glass.c.break_glass_id)
    .limit(bindparam("count"))
)
_USED_WITH = Statement(
    update(break_glass)
    .where(break_glass.c.break_glass_id == bindparam("id"))
    .values(client_id=bindparam("client"))
)
_NOTICED = Statement(
    update(break_glass)
    .where(
        break_glass.c.patient_key == bindparam("key"), break_glass.c.noticed.is_(None)
    )
    .values(noticed=bindparam("now"))
)
_REVIEWED = Statement(
    update(break_glass)
    .where(
        break_glass.c.break_glass_id == bindparam("id"),
        break_glass.c.reviewed.is_(None),
    )
    .values(
        reviewed=bindparam("now"),
        reviewer=bindparam("by"),
        verdict=bindparam("decided"),
        review_note=bindparam("noted"),
    )
)


def _as_use(row: tuple[object, ...]) -> BreakGlass:
    values = dict(zip(_NAMES, row, strict=True))
    for name in ("note", "review_note"):
        sealed = values[name]
        values[name] = None if sealed is None else bytes(sealed)  # type: ignore[call-overload]  # bytes-like
    return BreakGlass(**values)  # type: ignore[arg-type]  # the columns' types


def _as_told(row: tuple[object, ...]) -> Told:
    *use, name, reference = row
    return Told(use=_as_use(tuple(use)), name=name, reference=reference)  # type: ignore[arg-type]  # the columns' types


def add(transaction: Transaction, new: BreakGlass) -> None:
    """Store what was attested."""
    transaction.run(_ADD, **{name: getattr(new, name) for name in _NAMES})


def find(snapshot: Snapshot, break_glass_id: str) -> BreakGlass | None:
    """Return what was attested, once it has ended too."""
    row = snapshot.one(_FIND, id=break_glass_id)
    return None if row is None else _as_use(row)


def latest_of(snapshot: Snapshot, user_id: str, count: int) -> list[int]:
    """Return when a person attested the last few times, newest first."""
    return [started for (started,) in snapshot.all(_LATEST, id=user_id, count=count)]


def told(snapshot: Snapshot, break_glass_id: str) -> Told | None:
    """Return what was attested, and by whom."""
    row = snapshot.one(_TOLD, id=break_glass_id)
    return None if row is None else _as_told(row)


def of_patient(snapshot: Snapshot, patient_key: int) -> list[Told]:
    """Return who opened a patient's record in an emergency, newest first."""
    return [_as_told(row) for row in snapshot.all(_OF_PATIENT, key=patient_key)]


def to_review(
    snapshot: Snapshot, organization: str | None, count: int
) -> tuple[list[Told], int]:
    """Return up to `count` that nobody has reviewed, oldest first, and how many are.

    Args:
        snapshot: Where they are.
        organization: The one that manages the patients; None for every patient.
        count: How many at most.

    """
    rows = snapshot.all(_TO_REVIEW, organization=organization, count=count)
    [total] = snapshot.one(_COUNT_TO_REVIEW, organization=organization) or (0,)
    return [_as_told(row) for row in rows], int(total)


def decided(
    snapshot: Snapshot, organization: str | None, count: int
) -> list[tuple[Told, str]]:
    """Return the last that were reviewed, newest first, with the reviewers' names.

    Args:
        snapshot: Where they are.
        organization: The one that manages the patients; None for every patient.
        count: How many at most.

    """
    rows = snapshot.all(_DECIDED, organization=organization, count=count)
    return [(_as_told(row[:-1]), str(row[-1])) for row in rows]


def used_with(transaction: Transaction, break_glass_id: str, client_id: str) -> None:
    """Note the app that an emergency access was used with."""
    transaction.run(_USED_WITH, id=break_glass_id, client=client_id)


def notice(transaction: Transaction, patient_key: int, now: int) -> int:
    """Note that the patient has seen every notice; return how many were new."""
    return transaction.run(_NOTICED, key=patient_key, now=now)


def review(  # noqa: PLR0913 - what a review is made of
    transaction: Transaction,
    break_glass_id: str,
    *,
    by: str,
    verdict: str,
    now: int,
    note: bytes | None = None,
) -> bool:
    """Store a verdict, and a sealed note; False where it was reviewed before."""
    changed = transaction.run(
        _REVIEWED, id=break_glass_id, by=by, decided=verdict, now=now, noted=note
    )
    return changed == 1
