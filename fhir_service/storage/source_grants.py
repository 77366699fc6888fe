"""Pairings: whose a device or a vendor's account is, where and when.

A source grant covers one patient, at most one room, and a period. It is never changed
but to end it: what was collected under it stays attributed as it was.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    Column,
    Index,
    LargeBinary,
    Table,
    Text,
    bindparam,
    insert,
    select,
    update,
)

from fhir_service.storage import rows
from fhir_service.storage.engine import Snapshot, Transaction
from fhir_service.storage.statement import Statement, columns_of
from fhir_service.storage.tables import Big, metadata

source_grant = Table(
    "source_grant",
    metadata,
    Column("grant_id", Big, primary_key=True, autoincrement=False),
    Column("patient_key", Big, nullable=False),
    Column("source", Text, nullable=False, comment="the vendor's name"),
    Column("account", LargeBinary, nullable=False, comment="keyed hash"),
    Column("label", LargeBinary, nullable=False, comment="of the account, sealed"),
    Column("device_row", Big, comment="the Device, where one unit is paired"),
    Column("use_row", Big, comment="its DeviceUseStatement"),
    Column("location", Text, comment="Location/id of a room's sensor"),
    Column("zone", Text, comment="IANA name, for sources with local times"),
    Column("starts", Big, nullable=False),
    Column("ends", Big, comment="null: until it is revoked"),
    Column("made", Big, nullable=False),
    Column("made_by", Text, nullable=False),
    Column("notice", Big, comment="when co-residents were told"),
    Column("notice_by", Text),
    Column("revoked", Big),
    Column("revoked_by", Text),
)
Index(None, source_grant.c.source, source_grant.c.account)
Index(None, source_grant.c.patient_key, source_grant.c.grant_id)

COLUMNS = tuple(column.name for column in source_grant.columns)


@dataclass(frozen=True, kw_only=True, slots=True)
class SourceGrant:
    """One pairing; the attributes are the columns, times in microseconds since 1970.

    Attributes:
        grant_id: Its number; `id` is what the world knows it by.
        patient_key: Whose readings they are.
        source: The vendor's name.
        account: Keyed hash of the account, or of what identifies the unit.
        label: The account or identifier as it was typed, sealed for the patient.
        device_row: The Device of the unit; None where an account is paired.
        use_row: The DeviceUseStatement of the unit; None likewise.
        location: `Location/id` of the room in which it stands, if it does.
        zone: IANA name of the zone of the account's local times, where it is known.
        starts: The first moment that it covers.
        ends: The first moment that it does not cover any more; None for no end.
        made: When it was made.
        made_by: By whom.
        notice: When it was recorded that co-residents were told; None until then.
        notice_by: By whom.
        revoked: When it was revoked; None until then.
        revoked_by: By whom.

    """

    grant_id: int
    patient_key: int
    source: str
    account: bytes
    label: bytes
    device_row: int | None
    use_row: int | None
    location: str | None
    zone: str | None
    starts: int
    ends: int | None
    made: int
    made_by: str
    notice: int | None = None
    notice_by: str | None = None
    revoked: int | None = None
    revoked_by: str | None = None

    @property
    def id(self) -> str:
        """What the world knows it by."""
        return rows.public_id(self.grant_id)

    @property
    def is_told(self) -> bool:
        """Whether all who live in its room know of it, where it has a room."""
        return self.location is None or self.notice is not None

    def stands(self, at_us: int) -> bool:
        """Whether it was not revoked yet at a moment."""
        return self.revoked is None or at_us < self.revoked


_INSERT = Statement(insert(source_grant).values(**columns_of(COLUMNS)))
_FIND = Statement(
    select(source_grant).where(source_grant.c.grant_id == bindparam("number"))
)
_OF_ACCOUNT = Statement(
    select(source_grant)
    .where(
        source_grant.c.source == bindparam("of"),
        source_grant.c.account == bindparam("by"),
    )
    .order_by(source_grant.c.grant_id)
)
_OF_PATIENT = Statement(
    select(source_grant)
    .where(source_grant.c.patient_key == bindparam("key"))
    .order_by(source_grant.c.grant_id)
)
_PAIRS_UNITS = Statement(
    select(source_grant.c.grant_id)
    .where(
        source_grant.c.source == bindparam("of"),
        source_grant.c.device_row.is_not(None),
    )
    .limit(1)
)
_MINE = source_grant.alias("mine")
_SHARING = Statement(
    select(source_grant.c.patient_key)
    .join_from(
        _MINE,
        source_grant,
        (source_grant.c.source == _MINE.c.source)
        & (source_grant.c.account == _MINE.c.account),
    )
    .where(
        _MINE.c.patient_key == bindparam("key"),
        _MINE.c.source == bindparam("of"),
        _MINE.c.device_row.is_not(None),
    )
    .distinct()
)
_NOTICE = Statement(
    update(source_grant)
    .where(
        source_grant.c.grant_id == bindparam("number"), source_grant.c.notice.is_(None)
    )
    .values(notice=bindparam("at"), notice_by=bindparam("who"))
)
_REVOKE = Statement(
    update(source_grant)
    .where(
        source_grant.c.grant_id == bindparam("number"), source_grant.c.revoked.is_(None)
    )
    .values(revoked=bindparam("at"), revoked_by=bindparam("who"))
)


def add(transaction: Transaction, grant: SourceGrant) -> None:
    """Store a pairing."""
    transaction.run(_INSERT, **{name: getattr(grant, name) for name in COLUMNS})


def find(snapshot: Snapshot, number: int) -> SourceGrant | None:
    """Return a pairing, once it has ended too."""
    row = snapshot.one(_FIND, number=number)
    return None if row is None else _read(row)


def of_account(snapshot: Snapshot, source: str, account: bytes) -> list[SourceGrant]:
    """Return every pairing of an account or unit of a source, oldest first."""
    return [_read(row) for row in snapshot.all(_OF_ACCOUNT, of=source, by=account)]


def of_patient(snapshot: Snapshot, patient_key: int) -> list[SourceGrant]:
    """Return every pairing of a patient, oldest first."""
    return [_read(row) for row in snapshot.all(_OF_PATIENT, key=patient_key)]


def pairs_units(snapshot: Snapshot, source: str) -> bool:
    """Whether any unit of a source was ever paired."""
    return snapshot.one(_PAIRS_UNITS, of=source) is not None


def sharing_units(snapshot: Snapshot, source: str, patient_key: int) -> list[int]:
    """Return the keys of all with whom a unit was paired that a patient had, too."""
    return [key for (key,) in snapshot.all(_SHARING, of=source, key=patient_key)]


def notice(transaction: Transaction, number: int, *, by: str, at_us: int) -> bool:
    """Record that co-residents were told; False where that is recorded already."""
    return transaction.run(_NOTICE, number=number, who=by, at=at_us) == 1


def revoke(transaction: Transaction, number: int, *, by: str, at_us: int) -> bool:
    """End a pairing; False where it has been revoked already."""
    return transaction.run(_REVOKE, number=number, who=by, at=at_us) == 1


def zone(grants: Iterable[SourceGrant], received_us: int) -> str | None:
    """Return the zone of local times that came at a moment, by their pairings.

    Args:
        grants: Of the account (`of_account`), or of a patient and a source.
        received_us: When the times came.

    Returns:
        The one zone of those that were not revoked; None where they have none, or
        more than one.

    """
    zones = {one.zone for one in grants if one.stands(received_us)}
    return zones.pop() if len(zones) == 1 else None


def _read(row: Sequence[Any]) -> SourceGrant:
    values = dict(zip(COLUMNS, row, strict=True))
    for name in ("account", "label"):
        values[name] = bytes(values[name])
    return SourceGrant(**values)
