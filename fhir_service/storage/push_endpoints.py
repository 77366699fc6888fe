"""Where a vendor's cloud pushes, and with which secret it signs.

A removed endpoint stays, so that its id is never given again; its secret does not.
"""

from dataclasses import dataclass, field

from sqlalchemy import (
    Column,
    Index,
    Integer,
    LargeBinary,
    PrimaryKeyConstraint,
    Table,
    Text,
    bindparam,
    delete,
    func,
    insert,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import insert as upsert

from fhir_service.storage.engine import Snapshot, Transaction
from fhir_service.storage.statement import Statement, columns_of
from fhir_service.storage.tables import Big, metadata, quarantine

push_endpoint = Table(
    "push_endpoint",
    metadata,
    Column("endpoint_id", Text, nullable=False, comment="in the URL; no secret"),
    Column("source", Text, nullable=False),
    Column("client_id", Text, nullable=False, comment="for whom it delivers"),
    Column("secret", LargeBinary, comment="sealed; null where none is signed"),
    Column("tolerance_s", Integer, nullable=False, comment="of the time signed"),
    Column("made", Big, nullable=False),
    Column("made_by", Text, nullable=False),
    Column("removed", Big),
    PrimaryKeyConstraint("endpoint_id"),
    sqlite_with_rowid=False,
)

push_seen = Table(
    "push_seen",
    metadata,
    Column("endpoint_id", Text, nullable=False),
    Column("digest", LargeBinary, nullable=False, comment="of the signature"),
    Column("expires", Big, nullable=False),
    PrimaryKeyConstraint("endpoint_id", "digest"),
    sqlite_with_rowid=False,
)
Index(None, push_seen.c.expires)


@dataclass(frozen=True, kw_only=True, slots=True)
class Endpoint:
    """Where one vendor pushes.

    Attributes:
        id: In its URL; no secret.
        source: The vendor's name.
        client_id: For whom it delivers.
        secret: Sealed; None where the vendor signs nothing.
        tolerance_s: Seconds for which a signed time is good.
        made: When, microseconds since 1970.
        made_by: Who made it.
        removed: When it was removed; None while it is open.

    """

    id: str
    source: str
    client_id: str
    secret: bytes | None = field(repr=False)
    tolerance_s: int
    made: int
    made_by: str
    removed: int | None = None


_COLUMNS = (
    "endpoint_id",
    "source",
    "client_id",
    "secret",
    "tolerance_s",
    "made",
    "made_by",
    "removed",
)
_READ = select(*(push_endpoint.c[name] for name in _COLUMNS))
_FIND = Statement(_READ.where(push_endpoint.c.endpoint_id == bindparam("id")))
_ALL = Statement(_READ.order_by(push_endpoint.c.made, push_endpoint.c.endpoint_id))
_INSERT = Statement(insert(push_endpoint).values(**columns_of(_COLUMNS)))
_OPEN = update(push_endpoint).where(
    push_endpoint.c.endpoint_id == bindparam("id"), push_endpoint.c.removed.is_(None)
)
_ROTATE = Statement(_OPEN.values(secret=bindparam("new_secret")))
_REMOVE = Statement(
    _OPEN.values(removed=bindparam("at"), secret=bindparam("no_secret"))
)
_SEEN = Statement(
    select(push_seen.c.expires).where(
        push_seen.c.endpoint_id == bindparam("id"),
        push_seen.c.digest == bindparam("of"),
    )
)
_REMEMBER = Statement(
    upsert(push_seen)
    .values(**columns_of(["endpoint_id", "digest", "expires"]))
    .on_conflict_do_nothing()
)
_FORGET = Statement(delete(push_seen).where(push_seen.c.expires < bindparam("now")))
_KEPT = Statement(
    select(func.count())
    .select_from(quarantine)
    .where(
        quarantine.c.resolved.is_(None),
        quarantine.c.source == bindparam("of"),
        quarantine.c.reason == bindparam("because"),
    )
)


def add(transaction: Transaction, endpoint: Endpoint) -> None:
    """Store a new endpoint."""
    transaction.run(
        _INSERT,
        endpoint_id=endpoint.id,
        **{name: getattr(endpoint, name) for name in _COLUMNS[1:]},
    )


def find(snapshot: Snapshot, id_: str) -> Endpoint | None:
    """Return the endpoint of that id, removed or not."""
    row = snapshot.one(_FIND, id=id_)
    return None if row is None else _endpoint(row)


def all_endpoints(snapshot: Snapshot) -> list[Endpoint]:
    """Return every endpoint, removed ones too, in the order of their making."""
    return [_endpoint(row) for row in snapshot.all(_ALL)]


def _endpoint(row: tuple[object, ...]) -> Endpoint:
    values = dict(zip(("id", *_COLUMNS[1:]), row, strict=True))
    secret = values["secret"]
    if isinstance(secret, memoryview):
        values["secret"] = bytes(secret)
    return Endpoint(**values)  # type: ignore[arg-type]  # the columns are typed


def rotate(transaction: Transaction, id_: str, secret: bytes) -> bool:
    """Replace the secret of an open endpoint; return whether there is one."""
    return transaction.run(_ROTATE, id=id_, new_secret=secret) == 1


def remove(transaction: Transaction, id_: str, at_us: int) -> bool:
    """Close an endpoint and forget its secret; return whether there was one."""
    return transaction.run(_REMOVE, id=id_, at=at_us, no_secret=None) == 1


def was_seen(snapshot: Snapshot, id_: str, digest: bytes) -> bool:
    """Whether a push with that signature was taken before."""
    return snapshot.one(_SEEN, id=id_, of=digest) is not None


def remember(
    transaction: Transaction, id_: str, digest: bytes, *, expires_us: int, now_us: int
) -> None:
    """Remember a push until its signature is stale; forget those that are."""
    transaction.run(_FORGET, now=now_us)
    transaction.run(_REMEMBER, endpoint_id=id_, digest=digest, expires=expires_us)


def hints_kept(snapshot: Snapshot, source: str, reason: str) -> int:
    """Return how many pushes of a source wait in quarantine for one reason."""
    [(count,)] = snapshot.all(_KEPT, of=source, because=reason)
    return int(count)
