"""Alerts: one open row for each kind and key, with how often since."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field

from sqlalchemy import bindparam, insert, select, update

from fhir_service.storage import counters
from fhir_service.storage.audit_tables import audit_alert
from fhir_service.storage.engine import Snapshot, Transaction
from fhir_service.storage.statement import Statement, columns_of
from fhir_service.storage.tables import counter

ALERTED = "audit-alerted"
"""The counter of leaves that the rules have seen."""

LATEST = "audit-latest"
"""The counter that holds the time of the last row that the rules have seen."""

_ID = "audit-alert"


@dataclass(frozen=True, kw_only=True, slots=True)
class Alert:
    """Something that an officer should look at.

    Attributes:
        id: Its number.
        kind: Which rule.
        key: What is alike of all that it counts.
        organisation: `Organization/id` whose officers it concerns; None for all.
        leaf_index: The row that raised it; None for none.
        made: When, microseconds since 1970.
        count: How often since.
        detail: A sentence, without names and health values.
        last_leaf: The last row that is counted.
        closed: When somebody closed it; None while it is open.
        closed_by: Who.
        note: What she wrote, sealed.

    """

    id: int
    kind: str
    key: str
    organisation: str | None
    leaf_index: int | None
    made: int
    count: int
    detail: str
    last_leaf: int | None
    closed: int | None = None
    closed_by: str | None = None
    note: bytes | None = field(default=None, repr=False)


_MARK = Statement(select(counter.c.value).where(counter.c.name == ALERTED))
_LATEST = Statement(select(counter.c.value).where(counter.c.name == LATEST))
_COLUMNS = (
    "alert_id",
    "kind",
    "key",
    "organisation",
    "leaf_index",
    "made",
    "count",
    "detail",
    "last_leaf",
    "closed",
    "closed_by",
    "note",
)
_READ = select(*(audit_alert.c[name] for name in _COLUMNS))
_FIND = Statement(_READ.where(audit_alert.c.alert_id == bindparam("id")))
_OPEN = Statement(
    _READ.where(audit_alert.c.closed.is_(None)).order_by(audit_alert.c.alert_id.desc())
)
_EVERY = Statement(_READ.order_by(audit_alert.c.alert_id))
_OPEN_OF = Statement(
    _READ.where(
        audit_alert.c.kind == bindparam("of_kind"),
        audit_alert.c.key == bindparam("of_key"),
        audit_alert.c.closed.is_(None),
    )
)
_ADD = Statement(insert(audit_alert).values(**columns_of(_COLUMNS)))
_COUNT = Statement(
    update(audit_alert)
    .where(audit_alert.c.alert_id == bindparam("id"))
    .values(count=bindparam("times"), last_leaf=bindparam("last"))
)
_CLOSE = Statement(
    update(audit_alert)
    .where(audit_alert.c.alert_id == bindparam("id"), audit_alert.c.closed.is_(None))
    .values(closed=bindparam("at"), closed_by=bindparam("by"), note=bindparam("noted"))
)


def alerted_up_to(snapshot: Snapshot) -> int:
    """Return how many leaves the rules have seen."""
    found = snapshot.one(_MARK)
    return 0 if found is None else int(found[0])


def latest_us(snapshot: Snapshot) -> int:
    """Return the time by which a clock is judged; 0 before the first row."""
    found = snapshot.one(_LATEST)
    return 0 if found is None else int(found[0])


def raise_or_count(transaction: Transaction, new: Alert) -> Alert | None:
    """Store an alert, or count it on the open one; return it if it is a new one.

    Args:
        transaction: The write.
        new: What was found; its `id` is given here.

    """
    found = transaction.one(_OPEN_OF, of_kind=new.kind, of_key=new.key)
    if found is not None:
        known = _alert(found)
        transaction.run(
            _COUNT,
            id=known.id,
            times=known.count + new.count,
            last=known.last_leaf if new.last_leaf is None else new.last_leaf,
        )
        return None
    number = counters.take(transaction, _ID)
    values = {name: getattr(new, name) for name in _COLUMNS[1:]}
    transaction.run(_ADD, alert_id=number, **values)
    return Alert(id=number, **values)


def find(snapshot: Snapshot, id_: int) -> Alert | None:
    """Return an alert, closed or not."""
    row = snapshot.one(_FIND, id=id_)
    return None if row is None else _alert(row)


def unclosed(
    snapshot: Snapshot, organisations: Collection[str] | None = None
) -> list[Alert]:
    """Return the open alerts of some organizations, newest first; None: all."""
    return _of(map(_alert, snapshot.all(_OPEN)), organisations)


def every(
    snapshot: Snapshot, organisations: Collection[str] | None = None
) -> list[Alert]:
    """Return all alerts of some organizations, oldest first."""
    return _of(map(_alert, snapshot.all(_EVERY)), organisations)


def _of(found: Iterable[Alert], organisations: Collection[str] | None) -> list[Alert]:
    return [
        one
        for one in found
        if organisations is None
        or one.organisation is None
        or one.organisation in organisations
    ]


def close(
    transaction: Transaction, id_: int, *, at_us: int, by: str, note: bytes | None
) -> bool:
    """Close an open alert; False where there is none."""
    return transaction.run(_CLOSE, id=id_, at=at_us, by=by, noted=note) == 1


def _alert(row: Sequence[object]) -> Alert:
    values = dict(zip(("id", *_COLUMNS[1:]), row, strict=True))
    note = values["note"]
    values["note"] = bytes(note) if isinstance(note, (bytes, memoryview)) else None
    return Alert(**values)  # type: ignore[arg-type]  # the columns are typed
