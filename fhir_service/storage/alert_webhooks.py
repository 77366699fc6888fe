"""Where alerts are sent, and what became of each of them there.

https://www.standardwebhooks.com
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from sqlalchemy import Text, bindparam, insert, or_, select, update

from fhir_service.storage.alerts import Alert
from fhir_service.storage.audit_tables import alert_delivery, alert_webhook
from fhir_service.storage.engine import Snapshot, Transaction
from fhir_service.storage.statement import Statement, columns_of

NEVER = 2**62
"""When a delivery is due that was given up."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Webhook:
    """An address to which alerts are sent.

    Attributes:
        id: Its name; no secret.
        url: Where.
        organisation: `Organization/id` of whose alerts; None for all.
        secret: By which they are signed, sealed; empty once it was removed.
        made: When, microseconds since 1970.
        made_by: Who made it.
        removed: When it was removed; None while alerts are sent there.

    """

    id: str
    url: str
    organisation: str | None
    secret: bytes = field(repr=False)
    made: int
    made_by: str
    removed: int | None = None


class Delivery(NamedTuple):
    """One alert on its way to one address.

    Attributes:
        webhook_id: The address.
        alert_id: The alert.
        attempts: How often it was tried.

    """

    webhook_id: str
    alert_id: int
    attempts: int


_COLUMNS = (
    "webhook_id",
    "url",
    "organisation",
    "secret",
    "made",
    "made_by",
    "removed",
)
_READ = select(*(alert_webhook.c[name] for name in _COLUMNS))
_FIND = Statement(_READ.where(alert_webhook.c.webhook_id == bindparam("id")))
_ALL = Statement(_READ.order_by(alert_webhook.c.made, alert_webhook.c.webhook_id))
_INSERT = Statement(insert(alert_webhook).values(**columns_of(_COLUMNS)))
_REMOVE = Statement(
    update(alert_webhook)
    .where(
        alert_webhook.c.webhook_id == bindparam("id"),
        alert_webhook.c.removed.is_(None),
    )
    .values(removed=bindparam("at"), secret=bindparam("no_secret"))
)
_of = bindparam("of", type_=Text())
_CONCERNED = Statement(
    select(alert_webhook.c.webhook_id)
    .where(
        alert_webhook.c.removed.is_(None),
        or_(
            alert_webhook.c.organisation.is_(None),
            _of.is_(None),
            alert_webhook.c.organisation == _of,
        ),
    )
    .order_by(alert_webhook.c.webhook_id)
)
_DELIVERY = ("webhook_id", "alert_id", "attempts", "due", "delivered", "status")
_ADD = Statement(insert(alert_delivery).values(**columns_of(_DELIVERY)))
_DUE = Statement(
    select(
        alert_delivery.c.webhook_id,
        alert_delivery.c.alert_id,
        alert_delivery.c.attempts,
    )
    .select_from(
        alert_delivery.join(
            alert_webhook, alert_webhook.c.webhook_id == alert_delivery.c.webhook_id
        )
    )
    .where(
        alert_delivery.c.delivered.is_(None),
        alert_delivery.c.due <= bindparam("now"),
        alert_webhook.c.removed.is_(None),
    )
    .order_by(alert_delivery.c.due, alert_delivery.c.alert_id)
    .limit(1)
)
_one = (
    alert_delivery.c.webhook_id == bindparam("hook"),
    alert_delivery.c.alert_id == bindparam("alert"),
)
_CLAIM = Statement(
    update(alert_delivery)
    .where(*_one)
    .values(attempts=bindparam("times"), due=bindparam("next_due"))
)
_FAILED = Statement(update(alert_delivery).where(*_one).values(status=bindparam("was")))
_GIVEN_UP = Statement(
    update(alert_delivery)
    .where(*_one)
    .values(status=bindparam("was"), due=bindparam("never"))
)
_DELIVERED = Statement(
    update(alert_delivery)
    .where(*_one)
    .values(status=bindparam("was"), delivered=bindparam("at"))
)
_OF_ALERT = Statement(
    select(*(alert_delivery.c[name] for name in _DELIVERY))
    .where(alert_delivery.c.alert_id == bindparam("alert"))
    .order_by(alert_delivery.c.webhook_id)
)


def add(transaction: Transaction, webhook: Webhook) -> None:
    """Store a new address."""
    values = {name: getattr(webhook, name) for name in _COLUMNS[1:]}
    transaction.run(_INSERT, webhook_id=webhook.id, **values)


def find(snapshot: Snapshot, id_: str) -> Webhook | None:
    """Return the address of that id, removed or not."""
    row = snapshot.one(_FIND, id=id_)
    return None if row is None else _webhook(row)


def every(snapshot: Snapshot) -> list[Webhook]:
    """Return every address, removed ones too, in the order of their making."""
    return [_webhook(row) for row in snapshot.all(_ALL)]


def remove(transaction: Transaction, id_: str, at_us: int) -> bool:
    """Send nothing there any more and forget the secret; False where there is none."""
    return transaction.run(_REMOVE, id=id_, at=at_us, no_secret=b"") == 1


def _webhook(row: Sequence[object]) -> Webhook:
    values = dict(zip(("id", *_COLUMNS[1:]), row, strict=True))
    values["secret"] = bytes(values["secret"])  # type: ignore[call-overload]  # bytes-like
    return Webhook(**values)  # type: ignore[arg-type]  # the columns are typed


def send(transaction: Transaction, alert: Alert, now_us: int) -> None:
    """Let an alert be delivered to every address that it concerns."""
    for (webhook_id,) in transaction.all(_CONCERNED, of=alert.organisation):
        transaction.run(
            _ADD,
            webhook_id=webhook_id,
            alert_id=alert.id,
            attempts=0,
            due=now_us,
            delivered=None,
            status=None,
        )


def is_due(snapshot: Snapshot, now_us: int) -> bool:
    """Whether there is a delivery to try."""
    return snapshot.one(_DUE, now=now_us) is not None


def claim(
    transaction: Transaction, now_us: int, waits_us: Sequence[int]
) -> Delivery | None:
    """Return a delivery that is due, now put off until the next attempt.

    So nobody else takes it meanwhile, and it is tried again where this process ends.

    Args:
        transaction: The write.
        now_us: Microseconds since 1970.
        waits_us: From each attempt to the next; after the last it is given up.

    """
    found = transaction.one(_DUE, now=now_us)
    if found is None:
        return None
    webhook_id, alert_id, attempts = str(found[0]), int(found[1]), int(found[2])
    is_last = attempts >= len(waits_us)
    transaction.run(
        _CLAIM,
        hook=webhook_id,
        alert=alert_id,
        times=attempts + 1,
        next_due=NEVER if is_last else now_us + waits_us[attempts],
    )
    return Delivery(webhook_id, alert_id, attempts + 1)


def delivered(
    transaction: Transaction, delivery: Delivery, status: int, at_us: int
) -> None:
    """Note that an alert has arrived."""
    webhook_id, alert_id, _ = delivery
    transaction.run(_DELIVERED, hook=webhook_id, alert=alert_id, was=status, at=at_us)


def failed(transaction: Transaction, delivery: Delivery, status: int) -> None:
    """Note that an attempt failed; status 0 where nobody answered."""
    webhook_id, alert_id, _ = delivery
    transaction.run(_FAILED, hook=webhook_id, alert=alert_id, was=status)


def give_up(transaction: Transaction, delivery: Delivery, status: int) -> None:
    """Note that an alert is not wanted there."""
    transaction.run(
        _GIVEN_UP,
        hook=delivery.webhook_id,
        alert=delivery.alert_id,
        was=status,
        never=NEVER,
    )


def of_alert(snapshot: Snapshot, alert_id: int) -> list[tuple[object, ...]]:
    """Return address, alert, attempts, due, delivered and status of deliveries."""
    return [tuple(row) for row in snapshot.all(_OF_ALERT, alert=alert_id)]
