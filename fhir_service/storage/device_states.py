"""What is known of a device's health: last heard, battery, worn, clock.

One row a Device; it follows the readings that were stored, in whatever order they
come, and is never the only place of a fact that a client may read.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from sqlalchemy import (
    Case,
    Column,
    ColumnElement,
    Index,
    Integer,
    PrimaryKeyConstraint,
    SmallInteger,
    Table,
    Text,
    and_,
    bindparam,
    case,
    func,
    literal_column,
    or_,
    select,
)
from sqlalchemy.dialects.postgresql import insert

from fhir_service.storage.engine import Snapshot, Transaction
from fhir_service.storage.statement import Statement, columns_of
from fhir_service.storage.tables import Big, metadata

device_state = Table(
    "device_state",
    metadata,
    Column("patient_key", Big, nullable=False),
    Column("row", Big, nullable=False, comment="of the Device"),
    Column("source", Text, nullable=False),
    Column("last_taken", Big, comment="end of the newest reading"),
    Column("last_received", Big, nullable=False),
    Column("usual_gap", Big, comment="microseconds between deliveries, smoothed"),
    Column("battery", Integer, comment="percent"),
    Column("battery_at", Big),
    Column("battery_since", Big, comment="since when it is below the limit"),
    Column("low", SmallInteger, comment="1 where the device itself says so"),
    Column("low_at", Big),
    Column("low_since", Big),
    Column("worn", SmallInteger),
    Column("worn_at", Big),
    Column("worn_since", Big, comment="since when it is not worn"),
    Column("clock", Big, comment="microseconds ahead of the service"),
    Column("clock_at", Big),
    Column("clock_since", Big, comment="since when it is wrong"),
    Column("versions_at", Big, comment="of the reading that told the versions"),
    PrimaryKeyConstraint("patient_key", "row"),
    sqlite_with_rowid=False,
)
Index(None, device_state.c.last_received)

ASPECTS = ("battery", "low", "worn", "clock")
"""What a device says of itself, each with the time of it."""

COLUMNS = tuple(column.name for column in device_state.columns)

_PLACES = tuple((name, COLUMNS.index(name)) for name in ASPECTS)

_OLD_WEIGHT: ColumnElement[int] = literal_column("3", Integer)
_WHOLE_WEIGHT: ColumnElement[int] = literal_column("4", Integer)
"""A new gap counts for a quarter, all those before for the rest."""

_MANY = 1_000
"""Rows asked for by one statement."""


class Aspect(NamedTuple):
    """What a device said last of one thing.

    Attributes:
        value: Percent, a truth value as 0 or 1, or microseconds.
        at_us: When, microseconds since 1970.
        since_us: Since when it has been amiss; None where it is not.

    """

    value: int
    at_us: int
    since_us: int | None


@dataclass(frozen=True, kw_only=True, slots=True)
class DeviceState:
    """What is known of one Device.

    Attributes:
        patient_key: Whose it is.
        row: Of the Device.
        source: What told it last.
        last_taken: End of the newest reading, microseconds since 1970; None where all
            of them were refused for their times.
        last_received: When something of it came.
        usual_gap: Microseconds from one delivery's newest reading to the next one's.
        battery: Percent.
        low: Whether the device itself calls its battery low.
        worn: Whether somebody wears it.
        clock: Microseconds by which its clock is ahead.
        versions_at: Of the reading that told its versions.

    """

    patient_key: int
    row: int
    source: str
    last_taken: int | None
    last_received: int
    usual_gap: int | None = None
    battery: Aspect | None = None
    low: Aspect | None = None
    worn: Aspect | None = None
    clock: Aspect | None = None
    versions_at: int | None = None


_ROWS = insert(device_state).values(**columns_of(COLUMNS))
_OLD, _NEW = device_state.c, _ROWS.excluded


def _later(name: str) -> Case[Any]:
    """Return the later of the times in a column, as far as there are any."""
    old, new = _OLD[name], _NEW[name]
    return case((or_(old.is_(None), new > old), func.coalesce(new, old)), else_=old)


def _kept(name: str) -> Iterator[tuple[str, ColumnElement[Any]]]:
    """Yield what becomes of an aspect: an older value does not replace a newer one."""
    at, since = f"{name}_at", f"{name}_since"
    is_newer = and_(
        _NEW[at].is_not(None), or_(_OLD[at].is_(None), _NEW[at] >= _OLD[at])
    )
    yield name, case((is_newer, _NEW[name]), else_=_OLD[name])
    yield at, case((is_newer, _NEW[at]), else_=_OLD[at])
    begun = case(
        (_NEW[since].is_(None), _NEW[since]),
        else_=func.coalesce(_OLD[since], _NEW[since]),
    )
    yield since, case((is_newer, begun), else_=_OLD[since])


def _usual_gap() -> Case[Any]:
    gap = _NEW.last_taken - _OLD.last_taken
    smoothed = (_OLD.usual_gap * _OLD_WEIGHT + gap) // _WHOLE_WEIGHT
    is_next = and_(
        _NEW.last_received > _OLD.last_received, _NEW.last_taken > _OLD.last_taken
    )
    return case(
        (is_next, func.coalesce(smoothed, gap)),
        else_=func.coalesce(_OLD.usual_gap, _NEW.usual_gap),
    )


_UPSERT = Statement(
    _ROWS.on_conflict_do_update(
        index_elements=[_OLD.patient_key, _OLD.row],
        set_={
            "source": _NEW.source,
            "last_taken": _later("last_taken"),
            "last_received": _later("last_received"),
            "usual_gap": _usual_gap(),
            "versions_at": _later("versions_at"),
            **{column: value for name in ASPECTS for column, value in _kept(name)},
        },
    )
)
_OF_ROW = Statement(
    select(device_state).where(
        _OLD.patient_key == bindparam("key"), _OLD.row == bindparam("of")
    )
)
_OF_PATIENT = Statement(
    select(device_state).where(_OLD.patient_key == bindparam("key")).order_by(_OLD.row)
)
_AFTER = Statement(
    select(device_state)
    .where(
        or_(
            _OLD.patient_key > bindparam("key"),
            and_(_OLD.patient_key == bindparam("same"), _OLD.row > bindparam("after")),
        )
    )
    .order_by(_OLD.patient_key, _OLD.row)
    .limit(bindparam("count"))
)


def note(transaction: Transaction, states: Sequence[DeviceState]) -> None:
    """Add what a batch tells of its Devices to what is known."""
    transaction.run_many(_UPSERT, [_values(state) for state in states])


def of_device(snapshot: Snapshot, patient_key: int, row: int) -> DeviceState | None:
    """Return what is known of one Device."""
    found = snapshot.one(_OF_ROW, key=patient_key, of=row)
    return None if found is None else _state(found)


def of_patient(snapshot: Snapshot, patient_key: int) -> dict[int, DeviceState]:
    """Return row → what is known of each Device of a patient."""
    found = map(_state, snapshot.all(_OF_PATIENT, key=patient_key))
    return {state.row: state for state in found}


def every(snapshot: Snapshot) -> Iterator[DeviceState]:
    """Yield what is known of all Devices."""
    key, row = -1, -1
    while found := snapshot.all(_AFTER, key=key, same=key, after=row, count=_MANY):
        yield from map(_state, found)
        key, row = found[-1][0], found[-1][1]


def _values(state: DeviceState) -> tuple[Any, ...]:
    """Return the values of `COLUMNS`."""
    aspects = [getattr(state, name) or (None, None, None) for name in ASPECTS]
    return (
        state.patient_key,
        state.row,
        state.source,
        state.last_taken,
        state.last_received,
        state.usual_gap,
        *(value for aspect in aspects for value in aspect),
        state.versions_at,
    )


def _state(row: Sequence[Any]) -> DeviceState:
    aspects = {
        name: None if row[at + 1] is None else Aspect(*row[at : at + 3])
        for name, at in _PLACES
    }
    return DeviceState(
        patient_key=row[0],
        row=row[1],
        source=row[2],
        last_taken=row[3],
        last_received=row[4],
        usual_gap=row[5],
        versions_at=row[-1],
        **aspects,
    )
